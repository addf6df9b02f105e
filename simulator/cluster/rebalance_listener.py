"""What an application does when a rebalance gives it partitions or takes them.

Each function may be a plain one, a generator function or an `async def`; poll waits for it.
"""

from collections.abc import Callable
from typing import Any

import attrs

from simulator.errors import KafkaError
from simulator.protocol.names import TopicPartition

Partitions = tuple[TopicPartition, ...]
Heard = Callable[[Partitions], Any]


@attrs.frozen
class RebalanceListener:
    """What an application does at a rebalance (ConsumerRebalanceListener.java).

    Args:
        on_assigned: told the partitions that it owns from now on and did not before, though they
            be none. An eager member had none before.
        on_revoked: told those that it owns until it returns; it may still commit. An eager member
            gives up all, a cooperative one what others are to have.
        on_lost: told what others may own by now: a commit would fail. By default on_revoked.
    """

    on_assigned: Heard | None = None
    on_revoked: Heard | None = None
    on_lost: Heard | None = None


def committing_revoked(consumer: Any) -> RebalanceListener:
    """What an application needs to hear that has handled all that its last poll gave it.

    A cooperative member may not commit from its joining on until the rebalance is over, and goes
    on reading meanwhile: what is taken from it then was handled and is not committed.
    """

    def commit(partitions: Partitions) -> Any:
        positions = {where: consumer.position(where) for where in partitions}
        known = {where: offset for where, offset in positions.items() if offset is not None}
        if known:
            try:
                yield consumer.commit_sync(known)
            except KafkaError:
                return  # Whoever has them now handles that again.

    return RebalanceListener(on_revoked=commit, on_lost=lambda _: None)


def heard_by(listener: Any, what: str) -> Heard | None:
    """The listener's function for what has happened: assigned, revoked, or lost."""
    heard: Heard | None = getattr(listener, f"on_{what}", None)
    if heard is None and what == "lost":
        heard = getattr(listener, "on_revoked", None)
    return heard
