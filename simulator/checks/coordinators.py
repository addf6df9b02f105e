"""Which broker coordinates a group, by its own word; and who still speaks of having done so.

Who begins to coordinate a group reads what stands in its log, and says so. Another broker that has
coordinated it, and has not heard yet that it does no more (it stood still, or was cut off), may
learn late that a commit of its time is committed, and tell it then: the commit stands before all
that its successor was asked to write. It may even learn late that it was to coordinate, and begin
when its successor has begun: then the leader epochs of the group's partition say who is the newer.
"""

from collections.abc import Callable

from simulator.protocol.names import OFFSETS_TOPIC
from simulator.trace.trace import FlatEntry


class Coordinators:
    """Listens to who begins to coordinate which group."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, str]] = {}  # Group -> epoch and broker.
        self._partitions: dict[str, int] = {}  # Group -> its partition of __consumer_offsets.
        self._newest: dict[str, int] = {}  # Broker -> the partition that it has begun to lead last.
        self._epochs: dict[tuple[str, int], int] = {}  # Broker, partition -> its leader epoch.

    def observers(self) -> dict[str, Callable[[FlatEntry], None]]:
        """What to attach to a trace."""
        return {"became_leader": self.on_led, "group_loaded": self.on_loaded}

    def on_led(self, entry: FlatEntry) -> None:
        """`became_leader`: if it is of groups, they are told of next, one after the other."""
        _, topic, partition, epoch, _ = entry[4]
        if topic == OFFSETS_TOPIC:
            self._newest[entry[2]] = partition
            self._epochs[entry[2], partition] = epoch

    def on_loaded(self, entry: FlatEntry) -> None:
        """`group_loaded`: a broker has read the group; it may have a successor already."""
        node, group = entry[2], entry[4][1]
        partition = self._partitions.setdefault(group, self._newest.get(node, -1))
        epoch = self._epochs.get((node, partition), 0)
        if group not in self._of or self._of[group][0] <= epoch:
            self._of[group] = (epoch, node)

    def tells_late(self, entry: FlatEntry) -> bool:
        """Whether who tells of a group (its second field) has a successor."""
        known = self._of.get(entry[4][1])
        return known is not None and known[1] != entry[2]
