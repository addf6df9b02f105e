"""Which broker coordinates a group, by its own word; and who still speaks of having done so.

Who begins to coordinate a group reads what stands in its log, and says so. Another broker that has
coordinated it, and has not heard yet that it does no more (it stood still, or was cut off), may
learn late that a commit of its time is committed, and tell it then: the commit stands before all
that its successor was asked to write.
"""

from simulator.trace.trace import FlatEntry


class Coordinators:
    """Listens to who begins to coordinate which group."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def on_loaded(self, entry: FlatEntry) -> None:
        """`group_loaded`: a broker has read the group."""
        self._of[entry[4][1]] = entry[2]

    def tells_late(self, entry: FlatEntry) -> bool:
        """Whether who tells of a group (its second field) has a successor."""
        node = entry[2]
        return self._of.get(entry[4][1], node) != node
