"""Who asks a broker: what its handlers know of the other end."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from simulator.world.node import Node


class Asker(Protocol):
    """A connection, or what stands for one where a broker asks itself.

    Attributes:
        client: the node that asks.
        state: the broker's own, for as long as it lasts.
        back: where answers go: `back.send(correlation, answer)`.
    """

    client: "Node"
    state: Any
    back: Any
