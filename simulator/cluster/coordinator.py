"""The group coordinators of a broker: one machine a group, and its timers.

A group's hard facts lie in a journal of the broker's disk, one for each group, as Kafka's lie in
`__consumer_offsets`; the journal is compacted as that topic is: the newest fact of each kind and
partition counts. After a restart every group is loaded from it.

Not modelled here: the offsets topic as a topic that can be read, and its replication.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_state import (
    HARD,
    GenerationStarted,
    MemberRemoved,
    MemberSeen,
    OffsetsCommitted,
    RetentionCheck,
    StateChanged,
)
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.names import MICROS_PER_MS

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.world.kernel import Timer as KernelTimer
    from simulator.world.network import Connection

LATER: Any = object()  # A handler's word that the answer comes later, or never.
JOURNAL = "__consumer_offsets/"  # No topic's journal begins so: a topic has no slash.
COMPACT_ABOVE = 1_024  # Facts in a group's journal before it is compacted.


class _Driven:
    """One group's machine and what drives it."""

    __slots__ = ("compact_at", "journal", "machine", "timers")

    def __init__(self, machine: Group, journal: Any) -> None:
        self.machine = machine
        self.journal = journal
        self.timers: dict[Any, KernelTimer] = {}
        self.compact_at = COMPACT_ABOVE


class Coordinators:
    """Every group that a broker coordinates."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        self._config = broker.layout.settings.group
        self._tells_commits = self._node.trace.wants("offset_committed")
        self._groups: dict[str, _Driven] = {}
        self.handlers: dict[type, Callable[[Connection, int, Any], Any]] = dict.fromkeys(
            (
                m.JoinGroupRequest,
                m.SyncGroupRequest,
                m.HeartbeatRequest,
                m.LeaveGroupRequest,
                m.OffsetFetchRequest,
            ),
            self._request,
        )
        self.handlers[m.OffsetCommitRequest] = self._commit
        for name in self._node.disk.names():
            if name.startswith(JOURNAL):
                self._load(name.removeprefix(JOURNAL))
        if self._groups:
            self._look_at_retention(None)

    def group(self, group_id: str) -> Group | None:
        """The machine of a group, if there is one here."""
        driven = self._groups.get(group_id)
        return driven.machine if driven else None

    def _load(self, group_id: str) -> _Driven:
        journal = self._node.disk.journal(JOURNAL + group_id)
        machine = Group(group_id, self._config, incarnation=self._node.incarnation)
        for fact in journal.facts:
            machine.apply(fact)
        driven = self._groups[group_id] = _Driven(machine, journal)
        self._carry_out(driven, machine.recover(self._node.now_us), None)
        return driven

    def _of(self, group_id: str) -> _Driven | None:
        """A group's machine; None: another broker coordinates it."""
        if self._broker.layout.coordinator_of(group_id) != self._node.name:
            return None
        if not self._groups:
            self._look_at_retention(None)
        return self._load(group_id)

    def _request(self, connection: "Connection", correlation: int, body: Any) -> Any:
        driven = self._groups.get(body.group_id) or self._of(body.group_id)
        if driven is None:
            return _not_coordinator(body)
        request = (connection, correlation)
        step = driven.machine.decide(
            Request(request, body, connection.client.name), self._node.now_us
        )
        return self._carry_out(driven, step, request)

    def _commit(self, _: "Connection", __: int, body: m.OffsetCommitRequest) -> Any:
        """The hot path: some commit every record. It is answered at once, in any case."""
        group_id = body[0]
        driven = self._groups.get(group_id) or self._of(group_id)
        if driven is None:
            return _not_coordinator(body)
        machine, journal = driven.machine, driven.journal
        facts, answer, timer = machine.decide_commit(body, self._node.now_us)
        for fact in facts:
            machine.apply(fact)
            kind = fact.__class__
            if kind is OffsetsCommitted:
                journal.facts.append(fact)
                self._trace_commit(group_id, fact)
            elif kind is not MemberSeen:
                self._trace(group_id, fact)
        if len(journal.facts) > driven.compact_at:
            self._compact(driven)
        if timer is not None:
            self._set_timer(driven, timer)
        if not facts:
            self._trace_refused(body, answer)
        return answer

    def _carry_out(self, driven: _Driven, step: Step, request: Any) -> Any:
        """Make the facts true, then carry out the effects; the answer to `request`, if it is in."""
        for fact in step.facts:
            driven.machine.apply(fact)
            self._trace(driven.machine.group_id, fact)
            if isinstance(fact, HARD):
                driven.journal.append(fact)
        if len(driven.journal.facts) > driven.compact_at:
            self._compact(driven)
        answer = LATER
        late = None
        for effect in step.effects:
            if type(effect) is Reply:
                if effect.to is request:
                    answer = effect.body
                else:
                    late = [effect] if late is None else [*late, effect]
            elif type(effect) is SetTimer:
                self._set_timer(driven, effect)
            elif type(effect) is CancelTimer:
                timer = driven.timers.pop(effect.name, None)
                if timer is not None:
                    timer.cancel()
        # Last, because an answer lets its connection's next request in, which finds all done.
        for one in late or ():
            connection, correlation = one.to
            self._broker.answer(connection, correlation, one.body)
        return answer

    def _set_timer(self, driven: _Driven, effect: SetTimer) -> None:
        old = driven.timers.pop(effect.name, None)
        if old is not None:
            old.cancel()
        driven.timers[effect.name] = self._node.after(
            effect.least_us, self._expired, (driven, effect.name)
        )

    def _expired(self, what: tuple[_Driven, Any]) -> None:
        driven, name = what
        driven.timers.pop(name, None)
        self._carry_out(driven, driven.machine.decide(Timer(name), self._node.now_us), None)

    def _look_at_retention(self, due: Any) -> None:
        """Every offsets.retention.check.interval.ms each group may forget old offsets."""
        if due is not None:
            for driven in list(self._groups.values()):
                step = driven.machine.decide(RetentionCheck(), self._node.now_us)
                self._carry_out(driven, step, None)
        interval_us = self._config.offsets_retention_check_interval_ms * MICROS_PER_MS
        self._node.after(interval_us, self._look_at_retention, True)

    @staticmethod
    def _compact(driven: _Driven) -> None:
        """Keep what the newest facts say, as compaction of the offsets topic does."""
        facts = driven.machine.hard_state()
        driven.journal.facts[:] = facts
        driven.journal.flush()  # The cleaner flushes what it writes (Cleaner.cleanSegments).
        driven.compact_at = COMPACT_ABOVE + 2 * len(facts)

    def _trace(self, group_id: str, fact: Any) -> None:
        node = self._node
        match fact:
            case OffsetsCommitted():
                self._trace_commit(group_id, fact)
            case StateChanged(before, after):
                node.record(("group_state_changed", group_id, before.value, after.value))
            case GenerationStarted(generation, protocol, leader, members):
                node.record(
                    ("generation_started", group_id, generation, leader, protocol, members)
                )
            case MemberRemoved(member_id, reason):
                node.record(("member_removed", group_id, member_id, reason))

    def _trace_commit(self, group_id: str, fact: OffsetsCommitted) -> None:
        node = self._node
        member_id, generation, offsets, _ = fact
        if not self._tells_commits:
            node.trace.seq += len(offsets)
            return
        for (topic, partition), offset, _, _ in offsets:
            event = ("offset_committed", group_id, topic, partition, offset, member_id, generation)
            node.trace.record(node.kernel._now, node.name, (), event)  # noqa: SLF001

    def _trace_refused(self, body: m.OffsetCommitRequest, answer: m.OffsetCommitResponse) -> None:
        offsets = {one.partition: one.offset for one in body.offsets}
        for where, error in answer.results:
            if error is not Error.NONE:
                self._node.record(
                    ("commit_refused", body.group_id, where.topic, where.partition,
                     offsets[where], body.member_id, body.generation, error.name)
                )


def _not_coordinator(body: Any) -> Any:
    """The answer of a broker that another group's coordinator was asked for."""
    error = Error.NOT_COORDINATOR
    match body:
        case m.JoinGroupRequest():
            return m.JoinGroupResponse(error)
        case m.SyncGroupRequest():
            return m.SyncGroupResponse(error)
        case m.HeartbeatRequest():
            return m.HeartbeatResponse(error)
        case m.LeaveGroupRequest():
            return m.LeaveGroupResponse(error)
        case m.OffsetFetchRequest():
            return m.OffsetFetchResponse(error)
    return m.OffsetCommitResponse(tuple((one.partition, error) for one in body.offsets))
