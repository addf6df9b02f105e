"""Share groups at a broker: it coordinates some, and leads partitions of others.

A broker merges `handlers` into its own. A share group's coordinator is where a consumer group's of
that name would be; its facts lie in a journal of the broker's disk, compacted by its length.

Not modelled: a share group's facts in `__consumer_offsets`: a broker that comes to coordinate a
group knows nothing of it, so that its members join it anew.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.internal_topics import OFFSETS
from simulator.cluster.share_partitions import SharePartitions
from simulator.protocol.errors import Error
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.share_group import Assigned, MemberRemoved, ShareGroup
from simulator.protocol.share_messages import (
    ShareAcknowledgeRequest,
    ShareFetchRequest,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker
    from simulator.world.kernel import Timer as KernelTimer

JOURNAL = "__share_group/"
COMPACT_ABOVE = 1_024


class _Driven:
    """One group's machine, and what drives it."""

    __slots__ = ("compact_at", "journal", "machine", "timers")

    def __init__(self, machine: ShareGroup, journal: Any) -> None:
        self.machine = machine
        self.journal = journal
        self.timers: dict[Any, KernelTimer] = {}
        self.compact_at = COMPACT_ABOVE


class ShareGroups:
    """All that one incarnation of a broker does for share groups.

    Attributes:
        handlers: by the class of the request.
        partitions: the partitions of share groups that it leads.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        self._groups: dict[str, _Driven] = {}
        self.partitions = SharePartitions(broker)
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            ShareGroupHeartbeatRequest: self._heartbeat,
            ShareFetchRequest: self.partitions.fetch,
            ShareAcknowledgeRequest: self.partitions.acknowledge,
        }
        for name in self._node.disk.names():
            if name.startswith(JOURNAL):
                self._load(name.removeprefix(JOURNAL))

    def group(self, group_id: str) -> ShareGroup | None:
        """The machine of a share group, if there is one here."""
        driven = self._groups.get(group_id)
        return driven.machine if driven else None

    def _load(self, group_id: str) -> _Driven:
        journal = self._node.disk.journal(JOURNAL + group_id)
        machine = ShareGroup(group_id, self.partitions.config(group_id))
        for fact in journal.facts:
            machine.apply(fact)
        driven = self._groups[group_id] = _Driven(machine, journal)
        self._carry_out(driven, machine.recover(), None)
        return driven

    def _heartbeat(
        self, connection: "Asker", correlation: int, body: ShareGroupHeartbeatRequest
    ) -> Any:
        where = self._broker.layout.coordinator_partition(OFFSETS, body.group_id)
        _, coordinator = self._broker.logs.find(where)
        if coordinator != self._node.name:
            return ShareGroupHeartbeatResponse(Error.NOT_COORDINATOR)
        driven = self._groups.get(body.group_id) or self._load(body.group_id)
        request = Request((connection, correlation), body, connection.client.name)
        step = driven.machine.decide(request, self._broker.topic_sizes())
        return self._carry_out(driven, step, request.id)

    def _carry_out(self, driven: _Driven, step: Step, request: Any) -> Any:
        """Make the facts true, then carry out the effects; the answer to `request`."""
        machine, journal = driven.machine, driven.journal
        for fact in step.facts:
            machine.apply(fact)
            journal.append(fact)
            self._tell(machine.group_id, fact)
        if len(journal.facts) > driven.compact_at:
            facts = machine.hard_facts()
            journal.facts[:] = facts
            journal.flush()  # The cleaner flushes what it writes.
            driven.compact_at = COMPACT_ABOVE + 2 * len(facts)
        answer = None
        for effect in step.effects:
            match effect:
                case Reply(to, body):
                    assert to is request, "a heartbeat is answered at once"
                    answer = body
                case SetTimer(name, least_us, _):
                    self._cancel(driven, name)
                    driven.timers[name] = self._node.after(least_us, self._expired, (driven, name))
                case CancelTimer(name):
                    self._cancel(driven, name)
        return answer

    @staticmethod
    def _cancel(driven: _Driven, name: Any) -> None:
        timer = driven.timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, what: tuple[_Driven, Any]) -> None:
        driven, name = what
        driven.timers.pop(name, None)
        step = driven.machine.decide(Timer(name), self._broker.topic_sizes())
        self._carry_out(driven, step, None)

    def _tell(self, group_id: str, fact: Any) -> None:
        match fact:
            case MemberRemoved(member_id, reason):
                self._node.record(("member_removed", group_id, member_id, reason))
            case Assigned(epoch, assignment, _):
                for member_id, partitions in assignment:
                    places = tuple(tuple(one) for one in partitions)
                    event = ("share_assigned", group_id, epoch, member_id, places)
                    self._node.record(event)
