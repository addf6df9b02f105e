"""One consumer group on its coordinator, classic protocol: who its members are, what they own,
and how far they have come.

Rule 1: `decide` only looks; `apply` is the one writer. Timers are exact.
Rule 2: GroupMetadata and the offsets are on disk (`group_state.HARD`); a coordinator that starts
again applies them in order, then asks `recover` what to do: the group is Stable or Empty, every
session starts afresh, and a rebalance that was under way is forgotten.
Rule 3: a request may be answered much later, or, as in Kafka, never: a JoinGroup or SyncGroup that
waits is forgotten when the same member asks again, and a SyncGroup also when its member is removed.
Rule 4: a heartbeat moves a deadline and touches no timer. The session's timer looks at the
deadline when it fires, and sleeps for the rest.

The rules of each request stand in group_join, group_membership, group_rebalance, group_offsets.
Sources: GroupMetadataManager.java, OffsetMetadataManager.java, GroupCoordinatorService.java.

Not modelled: the consumer protocol of KIP-848 and share groups (KIP-932), listing, describing and
deleting groups, failing writes of the coordinator's log.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.group_join import join
from simulator.protocol.group_members import Members
from simulator.protocol.group_membership import leave, load, session_deadline, sync, unload
from simulator.protocol.group_offsets import Offsets, commit_refusal, expired, fetch
from simulator.protocol.group_rebalance import Decision, join_deadline, sync_deadline
from simulator.protocol.group_state import (
    HARD,
    GroupMetadata,
    GroupRemoved,
    JoinDeadline,
    Load,
    Member,
    MemberSeen,
    OffsetsCommitted,
    OffsetsForgotten,
    RetentionCheck,
    SessionDeadline,
    SessionTimerSet,
    State,
    StateChanged,
    SyncDeadline,
    Unload,
)
from simulator.protocol.machine import NOTHING, Effect, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import MICROS_PER_MS, TopicPartition

_ANSWERS: dict[type, Callable[[Error], Any]] = {
    JoinGroupRequest: JoinGroupResponse,
    SyncGroupRequest: SyncGroupResponse,
    HeartbeatRequest: HeartbeatResponse,
    LeaveGroupRequest: LeaveGroupResponse,
}


@attrs.define
class Group:
    """The machine of one group id.

    incarnation: a number that no earlier life of this group's coordinator had (such as the
    leader epoch of the group's offsets partition), so that no member id is given out twice.
    """

    group_id: str
    config: GroupConfig = attrs.field(factory=GroupConfig)
    incarnation: int = 0
    _members: Members = attrs.field(factory=Members)
    _offsets: Offsets = attrs.field(factory=dict)

    # --- Looking at it ---------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the group is."""
        return self._members.status

    @property
    def generation(self) -> int:
        """The current generation; 0 before the first."""
        return self._members.generation

    @property
    def members(self) -> tuple[Member, ...]:
        """The members, in the order in which they came."""
        return tuple(self._members.members.values())

    @property
    def leader(self) -> str:
        """The leader's member id, or ""."""
        return self._members.leader

    @property
    def pending(self) -> tuple[str, ...]:
        """Member ids that were given out and have not joined yet."""
        return tuple(self._members.pending)

    def committed(self, partition: TopicPartition) -> CommittedOffset | None:
        """What the group has committed for a partition."""
        kept = self._offsets.get(partition)
        return None if kept is None else kept[0]

    def hard_state(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this group: what compaction leaves on disk."""
        metadata = self._members.metadata
        commits = tuple(
            OffsetsCommitted("", -1, (kept,), at_us) for kept, at_us in self._offsets.values()
        )
        return commits if metadata is None else (metadata, *commits)

    # --- Deciding --------------------------------------------------------------------------

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to: a Request, a Timer of ours, RetentionCheck or Unload."""
        if type(message) is Request:
            rule = self._REQUESTS[type(message.body)]
            if not self.group_id and type(message.body) in _ANSWERS:
                refused = _ANSWERS[type(message.body)](Error.INVALID_GROUP_ID)
                return Step((), (Reply(message.id, refused),))
            return rule(self, message, now_us)
        if type(message) is Timer:
            return self._timer(message.name, now_us)
        if type(message) is RetentionCheck:
            return self._retention(now_us)
        assert type(message) is Unload, f"no such message: {message!r}"
        decision = self._decision(Unload, now_us)
        if decision.group.status is not State.DEAD:
            unload(decision)
        return decision.step()

    def recover(self, now_us: int) -> Step:
        """Take up what the hard facts, applied before, have told."""
        decision = self._decision(Load, now_us)
        load(decision, has_offsets=bool(self._offsets))
        return decision.step()

    def _decision(self, on: type, now_us: int) -> Decision:
        return Decision(self._members.copy(), self.config, now_us, on)

    def _name(self, client: str, number: int) -> str:
        return f"{client}-{self.incarnation}.{number}"

    def _join(self, request: Request, now_us: int) -> Step:
        decision = self._decision(JoinGroupRequest, now_us)
        join(decision, request, self._name)
        return decision.step()

    def _sync(self, request: Request, now_us: int) -> Step:
        decision = self._decision(SyncGroupRequest, now_us)
        sync(decision, request)
        return decision.step()

    def _leave(self, request: Request, now_us: int) -> Step:
        decision = self._decision(LeaveGroupRequest, now_us)
        leave(decision, request)
        return decision.step()

    def _timer(self, name: Any, now_us: int) -> Step:
        decision = self._decision(type(name), now_us)
        if type(name) is SessionDeadline:
            session_deadline(decision, name.member_id)
        elif type(name) is JoinDeadline:
            join_deadline(decision)
        else:
            assert type(name) is SyncDeadline, f"no such timer: {name!r}"
            sync_deadline(decision)
        return decision.step()

    def _heartbeat(self, request: Request, now_us: int) -> Step:
        body: HeartbeatRequest = request.body
        group = self._members
        error = group.refusal(body.member_id, body.group_instance_id)
        if group.status is State.DEAD:
            error = Error.COORDINATOR_NOT_AVAILABLE
        elif error is None and body.generation != group.generation:
            error = Error.ILLEGAL_GENERATION
        if error is not None:
            return Step((), (Reply(request.id, HeartbeatResponse(error)),))
        told = Error.REBALANCE_IN_PROGRESS if group.status is State.PREPARING else Error.NONE
        answer = Reply(request.id, HeartbeatResponse(told))
        return self._seen(body.member_id, now_us, (), answer)

    def _seen(self, member_id: str, now_us: int, facts: tuple[Any, ...], answer: Reply) -> Step:
        """The facts and the answer, and the member's session starts anew (Decision.seen)."""
        group = self._members
        deadline_us = now_us + group.members[member_id].session_timeout_ms * MICROS_PER_MS
        seen = MemberSeen(member_id, deadline_us)
        fires_us = group.timers_us.get(member_id)
        if fires_us is not None and fires_us <= deadline_us:
            return Step((*facts, seen), (answer,))
        left_us = deadline_us - now_us
        timer: Effect = SetTimer(SessionDeadline(member_id), left_us, left_us)
        return Step((*facts, seen, SessionTimerSet(member_id, deadline_us)), (answer, timer))

    def _commit(self, request: Request, now_us: int) -> Step:
        body: OffsetCommitRequest = request.body
        group, member_id, generation = self._members, body.member_id, body.generation
        offsets = body.offsets
        error = self.commit_refusal(
            member_id, body.group_instance_id, generation, transactional=False
        )
        if error is not None:
            results = tuple([(one[0], error) for one in offsets])
            return Step((), (Reply(request.id, OffsetCommitResponse(results)),))
        results = tuple([(one[0], Error.NONE) for one in offsets])
        answer = Reply(request.id, OffsetCommitResponse(results))
        fact = OffsetsCommitted(member_id, generation, offsets, now_us)
        if member_id in group.members and generation >= 0:
            return self._seen(member_id, now_us, (fact,), answer)
        if group.status is State.ABSENT:
            born = StateChanged(State.ABSENT, State.EMPTY, OffsetCommitRequest, now_us)
            return Step((born, fact), (answer,))
        return Step((fact,), (answer,))

    def commit_refusal(
        self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool
    ) -> Error | None:
        """Why a commit would be refused now, or None; see group_offsets.commit_refusal."""
        return commit_refusal(
            self._members, member_id, instance_id, generation, transactional=transactional
        )

    def _fetch(self, request: Request, _now_us: int) -> Step:
        return Step((), (Reply(request.id, fetch(self._offsets, request.body)),))

    def _retention(self, now_us: int) -> Step:
        group = self._members
        if group.status in (State.ABSENT, State.DEAD):
            return NOTHING
        gone = expired(group, self._offsets, now_us, self.config.offsets_retention_minutes)
        facts: tuple[Any, ...] = (OffsetsForgotten(gone),) if gone else ()
        if group.status is State.EMPTY and not group.pending and len(gone) == len(self._offsets):
            died = StateChanged(State.EMPTY, State.ABSENT, RetentionCheck, now_us)
            facts = (*facts, died, GroupRemoved())
        return Step(facts)

    # --- Applying --------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make one fact true; hard facts may be applied to a new machine, in their order."""
        kind = type(fact)
        if kind is OffsetsCommitted:
            for one in fact.offsets:
                self._offsets[one[0]] = (one, fact.at_us)
        elif kind is MemberSeen:
            self._members.deadlines_us[fact.member_id] = fact.deadline_us
        elif kind is OffsetsForgotten:
            for partition in fact.partitions:
                del self._offsets[partition]
        elif kind is GroupRemoved:
            self._members.vanish()
        else:
            self._members.apply(fact)

    _REQUESTS: ClassVar[dict[type, Callable[["Group", Request, int], Step]]] = {
        JoinGroupRequest: _join,
        SyncGroupRequest: _sync,
        HeartbeatRequest: _heartbeat,
        LeaveGroupRequest: _leave,
        OffsetCommitRequest: _commit,
        OffsetFetchRequest: _fetch,
    }


def is_hard(fact: Any) -> bool:
    """Whether the fact lies on the coordinator's disk."""
    return isinstance(fact, HARD)


__all__ = ["Group", "GroupConfig", "GroupMetadata", "is_hard"]
