"""What a registry asks of a new version, as Confluent's registry does it.

BACKWARD: the new reads what the old wrote; upgrade consumers first. FORWARD: the old reads what the
new writes; producers first. FULL: both; any order. NONE: nothing; everybody at once. A transitive
level looks at every version that stands, newest first; the others look at the last one alone.
"""

from enum import StrEnum
from typing import TypeVar

from simulator.errors import BadInput

T = TypeVar("T")


class Level(StrEnum):
    """A subject's compatibility level."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def backward(self) -> bool:
        """Whether the new version must read what the old ones wrote."""
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Whether the old versions must read what the new one writes."""
        return self.startswith(("FORWARD", "FULL"))

    @property
    def transitive(self) -> bool:
        """Whether all versions count, not only the last."""
        return self.endswith("_TRANSITIVE")

    def looked_at(self, versions: list[T]) -> list[T]:
        """Those of `versions` (oldest first) that a new one is compared with, newest first."""
        if self is Level.NONE:
            return []
        return versions[::-1] if self.transitive else versions[-1:]


DEFAULT_LEVEL = Level.BACKWARD


def level_named(name: str) -> Level:
    """The level of this name, in any case.

    Raises:
        BadInput: there is none.
    """
    try:
        return Level(name.upper())
    except ValueError:
        known = ", ".join(Level)
        raise BadInput("is no compatibility level:", "level", name, f"one of {known}") from None
