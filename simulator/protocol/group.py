"""One consumer group on its coordinator, classic protocol: who its members are, what they own,
and how far they have come.

Rule 1: `decide` only looks; `apply` is the one writer. Timers are exact.
Rule 2: GroupMetadata and the offsets are on disk (`group_state.HARD`); a coordinator that starts
again applies them in order, then asks `recover` what to do: the group is Stable or Empty, every
session starts afresh, and a rebalance that was under way is forgotten.
Rule 3: a request may be answered much later, or, as in Kafka, never: a JoinGroup or SyncGroup that
waits is forgotten when the same member asks again, and a SyncGroup also when its member is removed.
Rule 4: what a transaction commits counts when its marker comes, by log order (group_pending).
Rule 5: a heartbeat moves a deadline and touches no timer. The session's timer looks at the
deadline when it fires, and sleeps for the rest.

The rules of each request stand in group_join, group_membership, group_rebalance, group_offsets.
Sources: GroupMetadataManager.java, OffsetMetadataManager.java, GroupCoordinatorService.java.

Not modelled: share groups (KIP-932), listing, describing and deleting groups, failing writes of the
coordinator's log.
"""

from collections.abc import Callable
from typing import Any

from simulator.protocol.errors import Error
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.group_join import join
from simulator.protocol.group_members import Members
from simulator.protocol.group_membership import dismiss, leave, load, session_deadline, sync, unload
from simulator.protocol.group_offsets import commit_refusal, expired, fetch
from simulator.protocol.group_pending import Offsets
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
    TransactionalOffsetsCommitted,
    TransactionEnded,
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
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
_STABLE = State.STABLE

_ANSWERS: dict[type, Callable[[Error], Any]] = {
    JoinGroupRequest: JoinGroupResponse,
    SyncGroupRequest: SyncGroupResponse,
    HeartbeatRequest: HeartbeatResponse,
    LeaveGroupRequest: LeaveGroupResponse,
}


class Group:
    """The machine of one group id.

    incarnation: a number that no earlier life of this group's coordinator had (such as the
    leader epoch of the group's offsets partition), so that no member id is given out twice.
    """

    __slots__ = ("_members", "config", "group_id", "incarnation", "offsets")

    def __init__(
        self,
        group_id: str,
        config: GroupConfig | None = None,
        incarnation: int = 0,
        members: Members | None = None,
        offsets: Offsets | None = None,
    ) -> None:
        self.group_id = group_id
        self.config = GroupConfig() if config is None else config
        self.incarnation = incarnation
        self._members = Members() if members is None else members
        self.offsets = Offsets() if offsets is None else offsets

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
    def protocol(self) -> str:
        """The assignor of this generation, or ""."""
        return self._members.protocol

    @property
    def named(self) -> int:
        """How many member ids were given out."""
        return self._members.named

    @property
    def pending(self) -> tuple[str, ...]:
        """Member ids that were given out and have not joined yet."""
        return tuple(self._members.pending)

    def committed(self, partition: TopicPartition) -> CommittedOffset | None:
        """What the group has committed for a partition."""
        kept = self.offsets.committed.get(partition)
        return None if kept is None else kept[0]

    def staged(self, producer_id: int) -> tuple[CommittedOffset, ...]:
        """What the producer's open transaction has staged."""
        return self.offsets.staged(producer_id)

    def hard_state(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this group: what compaction leaves on disk."""
        metadata = self._members.metadata
        return (*(() if metadata is None else (metadata,)), *self.offsets.facts())

    # --- Deciding --------------------------------------------------------------------------

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to.

        A message is a Request, a Timer of ours, TransactionEnded, RetentionCheck or Unload.
        """
        if type(message) is Request:
            rule = _REQUESTS[type(message.body)]
            if not self.group_id and type(message.body) in _ANSWERS:
                refused = _ANSWERS[type(message.body)](Error.INVALID_GROUP_ID)
                return Step((), (Reply(message.id, refused),))
            return rule(self, message, now_us)
        if type(message) is Timer:
            return self._timer(message.name, now_us)
        if type(message) is RetentionCheck:
            return self._retention(now_us)
        if type(message) is TransactionEnded:
            is_here = self._members.status is not State.DEAD
            return Step(self.offsets.end(message)) if is_here else NOTHING
        assert type(message) is Unload, f"no such message: {message!r}"
        decision = self._decision(Unload, now_us)
        if decision.group.status is not State.DEAD:
            unload(decision)
        return decision.step()

    def recover(self, now_us: int, *, rebalances: bool = False) -> Step:
        """Take up what the hard facts, applied before, have told.

        rebalances: and have all members join again.
        """
        decision = self._decision(Load, now_us)
        load(decision, has_offsets=bool(self.offsets), rebalances=rebalances)
        return decision.step()

    def given_up(self) -> tuple[Effect, ...]:
        """What is to be done when a machine of the other protocol is to go on instead of this one.

        Whoever waits for a rebalance is told so, and joins again; nobody is waited for.
        """
        decision = self._decision(Unload, 0)
        dismiss(decision, Error.REBALANCE_IN_PROGRESS)
        return tuple(decision.effects)

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
        facts, timer = self._seen(body.member_id, now_us)
        return Step(facts, (answer,) if timer is None else (answer, timer))

    def _seen(self, member_id: str, now_us: int) -> tuple[tuple[Any, ...], SetTimer | None]:
        """The member's session starts anew (Decision.seen): facts, and its timer if it moves."""
        group = self._members
        deadline_us = now_us + group.members[member_id].session_timeout_ms * MICROS_PER_MS
        seen = _new(MemberSeen, (member_id, deadline_us))
        fires_us = group.timers_us.get(member_id)
        if fires_us is not None and fires_us <= deadline_us:
            return (seen,), None
        left_us = deadline_us - now_us
        timer = SetTimer(SessionDeadline(member_id), left_us, left_us)
        return (seen, SessionTimerSet(member_id, deadline_us)), timer

    def _commit(self, request: Request, now_us: int) -> Step:
        facts, answer, timer = self.decide_commit(request.body, now_us)
        reply = Reply(request.id, answer)
        return Step(facts, (reply,) if timer is None else (reply, timer))

    def decide_commit(
        self, body: OffsetCommitRequest, now_us: int
    ) -> tuple[tuple[Any, ...], OffsetCommitResponse, SetTimer | None]:
        """The facts, the answer and the timer of a commit; only looks.

        It is what `decide` says of it, in the shape of the hot path: some commit every record.
        """
        _, generation, member_id, offsets, instance_id = body
        group = self._members
        error = self.commit_refusal(member_id, instance_id, generation, transactional=False)
        if error is not None:
            refused = tuple([(one[0], error) for one in offsets])
            return (), _new(OffsetCommitResponse, (refused,)), None
        results = []
        for one in offsets:
            results.append((one[0], _NONE))  # noqa: PERF401 - hot
        answer = _new(OffsetCommitResponse, (tuple(results),))
        fact = _new(OffsetsCommitted, (member_id, generation, offsets, now_us))
        if generation >= 0 and member_id in group.members:
            seen, timer = self._seen(member_id, now_us)
            return (fact, *seen), answer, timer
        if group.status is State.ABSENT:
            born = StateChanged(State.ABSENT, State.EMPTY, OffsetCommitRequest, now_us)
            return (born, fact), answer, None
        return (fact,), answer, None

    def commit_refusal(
        self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool
    ) -> Error | None:
        """Why a commit would be refused now, or None; see group_offsets.commit_refusal."""
        group = self._members
        if (
            group.status is _STABLE
            and generation == group.generation
            and instance_id is None
            and member_id in group.members
        ):
            return None  # As the rules say, in the hot path.
        return commit_refusal(
            group, member_id, instance_id, generation, transactional=transactional
        )

    def _stage(self, request: Request, now_us: int) -> Step:
        """A TxnOffsetCommit: no heartbeat, unlike a plain commit."""
        body: TxnOffsetCommitRequest = request.body
        whose = body.member_id, body.group_instance_id, body.generation
        refusal = self.commit_refusal(*whose, transactional=True)
        facts, answer = self.offsets.stage(body, refusal, now_us)
        if facts and self._members.status is State.ABSENT:
            born = StateChanged(State.ABSENT, State.EMPTY, TxnOffsetCommitRequest, now_us)
            facts = (born, *facts)
        return Step(facts, (Reply(request.id, answer),))

    def _fetch(self, request: Request, _now_us: int) -> Step:
        return Step((), (Reply(request.id, fetch(self.offsets, request.body)),))

    def _retention(self, now_us: int) -> Step:
        group = self._members
        if group.status in (State.ABSENT, State.DEAD):
            return NOTHING
        offsets = self.offsets
        gone = expired(group, offsets, now_us, self.config.offsets_retention_minutes)
        facts: tuple[Any, ...] = (OffsetsForgotten(gone),) if gone else ()
        rest = len(gone) < len(offsets.committed) or offsets.pending or group.pending
        if group.status is State.EMPTY and not rest:
            died = StateChanged(State.EMPTY, State.ABSENT, RetentionCheck, now_us)
            facts = (*facts, died, GroupRemoved())
        return Step(facts)

    # --- Applying --------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make one fact true; hard facts may be applied to a new machine, in their order."""
        kind = type(fact)
        if kind is OffsetsCommitted:
            _, _, offsets, at_us = fact
            kept = self.offsets
            committed = kept.committed
            for one in offsets:
                committed[one[0]] = (one, at_us)
            if kept.pending:
                kept.outrun(offsets)
        elif kind is MemberSeen:
            self._members.deadlines_us[fact[0]] = fact[1]
        elif kind is TransactionalOffsetsCommitted or kind is TransactionEnded:
            self.offsets.apply(fact)
        elif kind is OffsetsForgotten:
            self.offsets.forget(fact.partitions)
        elif kind is GroupRemoved:
            self._members.vanish()
            self.offsets.vanish()
        else:
            self._members.apply(fact)


_REQUESTS: dict[type, Callable[[Group, Request, int], Step]] = {
    JoinGroupRequest: Group._join,
    SyncGroupRequest: Group._sync,
    HeartbeatRequest: Group._heartbeat,
    LeaveGroupRequest: Group._leave,
    OffsetCommitRequest: Group._commit,
    TxnOffsetCommitRequest: Group._stage,
    OffsetFetchRequest: Group._fetch,
}


def is_hard(fact: Any) -> bool:
    """Whether the fact lies on the coordinator's disk."""
    return isinstance(fact, HARD)


__all__ = ["Group", "GroupConfig", "GroupMetadata", "is_hard"]
