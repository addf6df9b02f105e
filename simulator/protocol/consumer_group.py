"""One consumer group of KIP-848 on its coordinator: who is in it, who holds which partitions, and
how far it has come.

Rule 1: `decide` only looks; `apply` is the one writer. Timers are exact.
Rule 2: all of the membership is on disk (`consumer_group_state.HARD`); a coordinator that starts
again applies it in order, then asks `recover` what to do: every session starts afresh, and so does
the time of those who have to give partitions back.
Rule 3: every request is answered at once.
Rule 4: what a transaction commits counts when its marker comes, by log order (group_pending).
Rule 5: a heartbeat moves a deadline and touches no timer. The session's timer looks at the
deadline when it fires, and sleeps for the rest.

The rules of each request stand in consumer_group_heartbeat, _classic and _offsets, those of a
member's next step in consumer_group_reconciling, those of targets in assignors_server.
Sources: GroupMetadataManager.java, OffsetMetadataManager.java, ConsumerGroup.java of Kafka 4.0.

Not modelled: subscriptions by regular expression, racks of partitions, assignors of one's own,
failing writes of the coordinator's log.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import attrs

from simulator.protocol import consumer_group_classic as classic
from simulator.protocol.consumer_group_decision import Decision, Rules
from simulator.protocol.consumer_group_heartbeat import heartbeat
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.consumer_group_messages import (
    JOINS,
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_group_offsets import (
    born,
    commit_refusal,
    fetch_refusal,
    forgotten,
)
from simulator.protocol.consumer_group_state import (
    HARD,
    ConsumerGroupState,
    ConsumerGroupStateChanged,
    ConsumerMember,
    JoinedDeadline,
    MemberState,
    RevocationAwaited,
    RevocationDeadline,
    TopicsKnown,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_offsets import fetch
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import (
    GroupRemoved,
    Load,
    MemberSeen,
    OffsetsCommitted,
    OffsetsForgotten,
    RetentionCheck,
    SessionDeadline,
    SessionTimerSet,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    Unload,
)
from simulator.protocol.machine import NOTHING, Effect, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    SyncGroupRequest,
)
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
_STABLE = MemberState.STABLE


@attrs.define
class ConsumerGroup:
    """The machine of one group id.

    topics: the cluster's topics with their sizes; later ones come as TopicsKnown.
    incarnation: a number that no earlier life of this group's coordinator had, so that no member id
    is given out twice (to classic members: others name themselves).
    """

    group_id: str
    topics: Mapping[str, int] = attrs.field(factory=dict)
    rules: Rules = attrs.field(factory=Rules)
    incarnation: int = 0
    _members: ConsumerMembers = attrs.field(factory=ConsumerMembers, alias="members")
    offsets: Offsets = attrs.field(factory=Offsets)

    def __attrs_post_init__(self) -> None:
        self._members.known = dict(self.topics)
        self._members.exists |= bool(self.offsets)

    # --- Looking at it ---------------------------------------------------------------------

    @property
    def state(self) -> ConsumerGroupState:
        """Where the group is."""
        return self._members.status

    @property
    def group_epoch(self) -> int:
        """How often anything has changed that the target depends on; 0 before the first."""
        return self._members.group_epoch

    @property
    def target_epoch(self) -> int:
        """The group epoch for which the target was computed."""
        return self._members.target_epoch

    @property
    def members(self) -> tuple[ConsumerMember, ...]:
        """The members, in the order in which they came."""
        return tuple(self._members.members.values())

    @property
    def targets(self) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Member id to what it is to hold."""
        return dict(self._members.targets)

    @property
    def named(self) -> int:
        """How many member ids were given out."""
        return self._members.named

    def partition_epoch(self, partition: TopicPartition) -> int | None:
        """The epoch of the member that holds the partition, or has not given it back; or None."""
        return self._members.epochs.get(partition)

    def committed(self, partition: TopicPartition) -> CommittedOffset | None:
        """What the group has committed for a partition."""
        kept = self.offsets.committed.get(partition)
        return None if kept is None else kept[0]

    def staged(self, producer_id: int) -> tuple[CommittedOffset, ...]:
        """What the producer's open transaction has staged."""
        return self.offsets.staged(producer_id)

    def hard_state(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this group: what compaction leaves on disk."""
        return (*self.offsets.facts(), *self._members.facts())

    # --- Deciding --------------------------------------------------------------------------

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to.

        A message is a Request, a Timer of ours, TopicsKnown, TransactionEnded, RetentionCheck or
        Unload.
        """
        kind = type(message)
        if kind is Request:
            return self._REQUESTS[type(message.body)](self, message, now_us)
        if kind is Timer:
            return self._timer(message.name, now_us)
        if kind is TopicsKnown:
            return NOTHING if dict(message.topics) == self._members.known else Step((message,))
        if kind is RetentionCheck:
            minutes = self.rules.classic.offsets_retention_minutes
            return Step(forgotten(self._members, self.offsets, now_us, minutes))
        if kind is TransactionEnded:
            is_here = self._members.status is not ConsumerGroupState.DEAD
            return Step(self.offsets.end(message)) if is_here else NOTHING
        assert kind is Unload, f"no such message: {message!r}"
        decision = self._decision(Unload, now_us)
        if decision.group.status is not ConsumerGroupState.DEAD:
            decision.effects += self.given_up()
            before = decision.group.status
            decision.tell(
                ConsumerGroupStateChanged(before, ConsumerGroupState.DEAD, Unload, now_us)
            )
        return decision.step()

    def recover(self, now_us: int) -> Step:
        """Take up what the hard facts, applied before, have told (onLoaded)."""
        decision = self._decision(Load, now_us)
        for member in list(decision.group.members.values()):
            decision.seen(member.member_id)
            if member.state is MemberState.UNREVOKED_PARTITIONS and member.classic is None:
                decision.tell(RevocationAwaited(member.member_id, member.epoch))
                decision.set_timer(
                    RevocationDeadline(member.member_id), member.rebalance_timeout_ms
                )
        return decision.step()

    def given_up(self) -> tuple[Effect, ...]:
        """What is to be done when this machine is not to go on: nobody is waited for."""
        decision = self._decision(Unload, 0)
        for member_id in decision.group.members:
            decision.cancel_timers(member_id)
        return tuple(decision.effects)

    def after(self, facts: Iterable[Any]) -> "ConsumerGroup":
        """A machine that is as this one will be when its members have these facts behind them."""
        members, topics = self._members.copy(), self._members.known
        later = ConsumerGroup(
            self.group_id, topics, self.rules, self.incarnation, members, self.offsets
        )
        for fact in facts:
            members.apply(fact)
        return later

    def _decision(self, on: type, now_us: int) -> Decision:
        return Decision(self._members.copy(), self.rules, now_us, on)

    def _heartbeat(self, request: Request, now_us: int) -> Step:
        """A heartbeat without news is answered without a copy of the group."""
        body: ConsumerGroupHeartbeatRequest = request.body
        _, member_id, epoch, instance_id, rack, timeout_ms, topics, assignor, _ = body
        group = self._members
        member = group.members.get(member_id)
        if (
            member is None
            or epoch != group.group_epoch
            or epoch != member.epoch
            or epoch != group.target_epoch
            or epoch <= JOINS
            or member.state is not _STABLE
            or group.stale
            or instance_id != member.group_instance_id
            or topics is not None
            or assignor is not None
            or rack is not None
            or timeout_ms != -1
            or request.client != member.client_id
            or member.classic is not None
            or group.status is ConsumerGroupState.DEAD
            or not body.group_id
        ):
            return heartbeat(self._decision(ConsumerGroupHeartbeatRequest, now_us), request)
        config = self.rules.config
        answer = _new(
            ConsumerGroupHeartbeatResponse,
            (_NONE, member_id, epoch, config.group_consumer_heartbeat_interval_ms, None),
        )
        reply = _new(Reply, (request.id, answer))
        deadline_us = now_us + config.group_consumer_session_timeout_ms * MICROS_PER_MS
        seen = _new(MemberSeen, (member_id, deadline_us))
        fires_us = group.timers_us.get(member_id)
        if fires_us is not None and fires_us <= deadline_us:
            return _new(Step, ((seen,), (reply,)))
        left_us = deadline_us - now_us
        timer = SetTimer(SessionDeadline(member_id), left_us, left_us)
        return Step((seen, SessionTimerSet(member_id, deadline_us)), (reply, timer))

    def _describe(self, request: Request, _now_us: int) -> Step:
        assignor = self._decision(ConsumerGroupDescribeRequest, 0).assignor()
        return Step((), (Reply(request.id, self._members.describe(self.group_id, assignor)),))

    def _timer(self, name: Any, now_us: int) -> Step:
        group, member_id = self._members, name.member_id
        decision = self._decision(type(name), now_us)
        if type(name) is SessionDeadline:
            if member_id not in group.timers_us:
                return NOTHING
            deadline_us = group.deadlines_us[member_id]
            if deadline_us > now_us:
                left_us = deadline_us - now_us
                again = SetTimer(name, left_us, left_us)
                return Step((SessionTimerSet(member_id, deadline_us),), (again,))
            decision.fence(member_id, "session_timeout")
        elif type(name) is RevocationDeadline:
            member = group.members.get(member_id)
            if member is None or group.revocations.get(member_id) != member.epoch:
                return NOTHING
            decision.fence(member_id, "rebalance_timeout")
        else:
            if (member_id, type(name)) not in group.awaited:
                return NOTHING
            never = "never_joined" if type(name) is JoinedDeadline else "never_synced"
            decision.fence(member_id, never)
        return decision.step()

    # --- Members that speak the classic protocol ---------------------------------------------

    def _classic_join(self, request: Request, now_us: int) -> Step:
        return classic.join(self._decision(JoinGroupRequest, now_us), request, self._name)

    def _name(self, client: str, number: int) -> str:
        return f"{client}-{self.incarnation}-{number}"

    def _classic_sync(self, request: Request, now_us: int) -> Step:
        return classic.sync(self._decision(SyncGroupRequest, now_us), request)

    def _classic_heartbeat(self, request: Request, now_us: int) -> Step:
        return classic.heartbeat(self._decision(HeartbeatRequest, now_us), request)

    def _classic_leave(self, request: Request, now_us: int) -> Step:
        return classic.leave(self._decision(LeaveGroupRequest, now_us), request)

    # --- Offsets ---------------------------------------------------------------------------

    def _commit(self, request: Request, now_us: int) -> Step:
        facts, answer, timer = self.decide_commit(request.body, now_us)
        reply = Reply(request.id, answer)
        return Step(facts, (reply,) if timer is None else (reply, timer))

    def decide_commit(
        self, body: OffsetCommitRequest, now_us: int
    ) -> tuple[tuple[Any, ...], OffsetCommitResponse, SetTimer | None]:
        """The facts, the answer and the timer (none: a commit is no heartbeat); only looks.

        The same shape as the classic group's, whose driver it may share.
        """
        _, epoch, member_id, offsets, instance_id = body
        error = self.commit_refusal(member_id, instance_id, epoch, transactional=False)
        if error is not None:
            refused = tuple([(one[0], error) for one in offsets])
            return (), OffsetCommitResponse(refused), None
        answer = OffsetCommitResponse(tuple([(one[0], _NONE) for one in offsets]))
        fact = _new(OffsetsCommitted, (member_id, epoch, offsets, now_us))
        if not self._members.exists:
            return (fact, born(OffsetCommitRequest, now_us)), answer, None
        return (fact,), answer, None

    def commit_refusal(
        self, member_id: str, instance_id: str | None, generation: int, *, transactional: bool
    ) -> Error | None:
        """Why a commit would be refused now; generation: the member's epoch."""
        del instance_id
        return commit_refusal(self._members, member_id, generation, transactional=transactional)

    def _fetch(self, request: Request, _now_us: int) -> Step:
        body: OffsetFetchRequest = request.body
        error = fetch_refusal(self._members, body.member_id, body.member_epoch)
        answer = OffsetFetchResponse(error) if error else fetch(self.offsets, body)
        return Step((), (Reply(request.id, answer),))

    def _stage(self, request: Request, now_us: int) -> Step:
        body: TxnOffsetCommitRequest = request.body
        whose = body.member_id, body.group_instance_id, body.generation
        refusal = self.commit_refusal(*whose, transactional=True)
        facts, answer = self.offsets.stage(body, refusal, now_us)
        if facts and not self._members.exists:
            facts = (*facts, born(TxnOffsetCommitRequest, now_us))
        return Step(facts, (Reply(request.id, answer),))

    # --- Applying --------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make one fact true; hard facts may be applied to a new machine, in their order."""
        kind = type(fact)
        if kind is MemberSeen:
            self._members.deadlines_us[fact[0]] = fact[1]
        elif kind is OffsetsCommitted:
            self._members.exists = True
            _, _, offsets, at_us = fact
            kept = self.offsets
            for one in offsets:
                kept.committed[one[0]] = (one, at_us)
            if kept.pending:
                kept.outrun(offsets)
        elif kind is TransactionalOffsetsCommitted or kind is TransactionEnded:
            self._members.exists |= kind is TransactionalOffsetsCommitted
            self.offsets.apply(fact)
        elif kind is OffsetsForgotten:
            self.offsets.forget(fact.partitions)
        else:
            if kind is GroupRemoved:
                self.offsets.vanish()
            self._members.apply(fact)

    _REQUESTS: ClassVar[dict[type, Callable[["ConsumerGroup", Request, int], Step]]] = {
        ConsumerGroupHeartbeatRequest: _heartbeat,
        ConsumerGroupDescribeRequest: _describe,
        JoinGroupRequest: _classic_join,
        SyncGroupRequest: _classic_sync,
        HeartbeatRequest: _classic_heartbeat,
        LeaveGroupRequest: _classic_leave,
        OffsetCommitRequest: _commit,
        TxnOffsetCommitRequest: _stage,
        OffsetFetchRequest: _fetch,
    }


def is_hard(fact: Any) -> bool:
    """Whether the fact lies on the coordinator's disk."""
    return isinstance(fact, HARD)


__all__ = ["ConsumerGroup", "is_hard"]
