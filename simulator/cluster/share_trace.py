"""What the trace is told of a share partition's records, once their states are written."""

from typing import TYPE_CHECKING, Any

from simulator.protocol.share_facts import ARCHIVED, StateBatch
from simulator.protocol.share_messages import GAP, KINDS, REJECT

if TYPE_CHECKING:
    from simulator.world.node import Node

_BY_WORD = (KINDS[REJECT], KINDS[GAP])  # Archived because the member said so.


def tell(node: "Node", where: tuple[Any, ...], batch: StateBatch) -> None:
    """Write into the trace what became of records; where: group, topic and partition."""
    first, last, state, count, member, why = batch
    if why == "session_closed":
        node.record(("share_released", *where, first, last, member))
    elif why == "lock_expired":
        node.record(("share_lock_expired", *where, first, last, member))
    else:
        node.record(("share_acknowledged", *where, first, last, member, why))
    if state is ARCHIVED and why not in _BY_WORD:
        node.record(("share_archived", *where, first, last, count))
