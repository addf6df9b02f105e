"""One group id on its coordinator, whatever its members speak: a classic group or a consumer group.

Rule 1: there is one machine at a time, a classic `Group` until somebody joins who speaks otherwise.
What a request means that the machine does not understand is said here; all else it decides itself.
Rule 2: a conversion is a step like any other: GroupConverted is a hard fact, what follows it tells
of the new machine's members, and the offsets go along. So the disk tells which machine it was.
Rule 3: the step that converts also decides the request that brought it about, on the new machine.
If that is refused, nothing was converted.
Rule 4: the old machine waits for nobody: whoever waits for a rebalance of it is told to join again,
and its timers are cancelled.
Rule 5: what a compacted disk has kept of an earlier machine of the other kind is passed over.
Rule 6: a consumer group that is removed is a classic group without anything: what a compacted disk
has kept of it is passed over too, and whoever comes next begins anew.

When a group converts stands in consumer_group_conversion.

Source: GroupMetadataManager.java of Kafka 4.0 (getOrMaybeCreateConsumerGroup, classicGroupJoin,
convertToConsumerGroup, convertToClassicGroup).
"""

from collections.abc import Mapping
from typing import Any

from simulator.protocol.consumer_group import ConsumerGroup
from simulator.protocol.consumer_group_conversion import (
    downgrade_refusal,
    downgraded,
    upgrade_refusal,
    upgraded,
)
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.consumer_group_messages import (
    JOINS,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_group_state import HARD as CONSUMER_HARD
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    GroupConverted,
    JoinedDeadline,
    MemberDescribed,
    MemberFenced,
    RevocationDeadline,
    SyncedDeadline,
    TopicsKnown,
)
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_members import Members
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import HARD as CLASSIC_HARD
from simulator.protocol.group_state import GroupRemoved, JoinDeadline, State, SyncDeadline
from simulator.protocol.machine import NOTHING, Reply, Request, Step, Timer
from simulator.protocol.messages import CommittedOffset, JoinGroupRequest
from simulator.protocol.names import TopicPartition

Machine = Group | ConsumerGroup

# Hard facts that only a machine of the one kind understands, and timers that only it has set.
_CLASSIC_FACTS = frozenset(CLASSIC_HARD) - frozenset(CONSUMER_HARD)
_CONSUMER_FACTS = frozenset(CONSUMER_HARD) - frozenset(CLASSIC_HARD)
HARD = frozenset((GroupConverted, *CLASSIC_HARD, *CONSUMER_HARD))
_CLASSIC_TIMERS = frozenset((JoinDeadline, SyncDeadline))
_CONSUMER_TIMERS = frozenset((RevocationDeadline, JoinedDeadline, SyncedDeadline))


class CoordinatedGroup:
    """What the driver of a group holds: `decide`, `apply` and `recover`, as any machine.

    A driver may ask `machine` itself for `decide_commit` and let it `apply` what comes of that.

    Attributes:
        rules: of consumer groups; those of classic ones are `rules.classic`.
        incarnation: a number that no earlier life of this group's coordinator had.
        topics: the cluster's topics with their sizes; later ones come as TopicsKnown.
        machine: the group as it is now.
    """

    __slots__ = ("group_id", "incarnation", "machine", "rules", "topics")

    def __init__(
        self,
        group_id: str,
        rules: Rules | None = None,
        incarnation: int = 0,
        topics: Mapping[str, int] | None = None,
    ) -> None:
        self.group_id = group_id
        self.rules = Rules() if rules is None else rules
        self.incarnation = incarnation
        self.topics: Mapping[str, int] = {} if topics is None else topics
        self.machine: Machine = self._classic(0, Offsets())

    def _classic(self, named: int, offsets: Offsets) -> Group:
        members, config = Members(named=named), self.rules.classic
        return Group(self.group_id, config, self.incarnation, members, offsets)

    def _consumer(self, named: int, offsets: Offsets) -> ConsumerGroup:
        members = ConsumerMembers(named=named)
        by = self.topics, self.rules, self.incarnation
        return ConsumerGroup(self.group_id, *by, members, offsets)

    # --- Looking at it ---------------------------------------------------------------------

    @property
    def protocol(self) -> str:
        """What the group speaks: "classic" or "consumer"."""
        return "classic" if type(self.machine) is Group else "consumer"

    @property
    def state(self) -> State | ConsumerGroupState:
        """Where the group is."""
        return self.machine.state

    @property
    def offsets(self) -> Offsets:
        """What it has committed, and what transactions have staged."""
        return self.machine.offsets

    def committed(self, partition: TopicPartition) -> CommittedOffset | None:
        """What the group has committed for a partition."""
        return self.machine.committed(partition)

    def staged(self, producer_id: int) -> tuple[CommittedOffset, ...]:
        """What the producer's open transaction has staged."""
        return self.machine.offsets.staged(producer_id)

    def hard_state(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this group: what compaction leaves on disk."""
        facts = self.machine.hard_state()
        if type(self.machine) is Group or not facts:
            return facts
        return (GroupConverted("consumer"), *facts)

    # --- Deciding --------------------------------------------------------------------------

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to.

        A message is a Request, a Timer of ours, TopicsKnown, TransactionEnded, RetentionCheck or
        Unload.
        """
        machine, kind = self.machine, type(message)
        if kind is TopicsKnown:
            return NOTHING if dict(message.topics) == dict(self.topics) else Step((message,))
        if isinstance(machine, Group):
            if kind is Request:
                asked = type(message.body)
                if asked is ConsumerGroupHeartbeatRequest:
                    return self._upgrade(machine, message, now_us)
                if asked is ConsumerGroupDescribeRequest:
                    told = ConsumerGroupDescribeResponse(Error.GROUP_ID_NOT_FOUND, self.group_id)
                    return Step((), (Reply(message.id, told),))
            elif kind is Timer and type(message.name) in _CONSUMER_TIMERS:
                return NOTHING
            return machine.decide(message, now_us)
        if kind is Request and type(message.body) is JoinGroupRequest:
            if not machine.members and machine.state is not ConsumerGroupState.DEAD:
                return self._begin_classic(machine, message, now_us)
        elif kind is Timer and type(message.name) in _CLASSIC_TIMERS:
            return NOTHING
        return self._downgrade(machine, machine.decide(message, now_us), now_us)

    def recover(self, now_us: int) -> Step:
        """Take up what the hard facts, applied before, have told."""
        return self.machine.recover(now_us)

    def _upgrade(self, old: Group, request: Request, now_us: int) -> Step:
        """One who speaks the new protocol has come to a classic group."""
        body: ConsumerGroupHeartbeatRequest = request.body
        error = Error.GROUP_ID_NOT_FOUND
        if old.state is State.DEAD:
            error = Error.NOT_COORDINATOR
        elif body.member_epoch == JOINS and upgrade_refusal(old, self.rules) is None:
            facts = upgraded(old)
            new = self._consumer(old.named, old.offsets)
            return self._converted(old, facts, new, request, now_us)
        told = ConsumerGroupHeartbeatResponse(error, body.member_id)
        return Step((), (Reply(request.id, told),))

    def _begin_classic(self, old: ConsumerGroup, request: Request, now_us: int) -> Step:
        """One who speaks the classic protocol has come to a group without members."""
        facts = downgraded(old, old.group_epoch, now_us)
        new = self._classic(old.named, old.offsets)
        return self._converted(old, facts, new, request, now_us)

    @staticmethod
    def _converted(
        old: Machine, facts: tuple[Any, ...], new: Machine, request: Request, now_us: int
    ) -> Step:
        """Convert and decide the request, unless the new machine refuses it."""
        for fact in facts[1:]:
            new.apply(fact)
        taken_up = new.recover(now_us)
        for fact in taken_up.facts:
            new.apply(fact)
        decided = new.decide(request, now_us)
        if not decided.facts:
            return decided
        return Step(
            (*facts, *taken_up.facts, *decided.facts),
            (*old.given_up(), *taken_up.effects, *decided.effects),
        )

    def _downgrade(self, old: ConsumerGroup, step: Step, now_us: int) -> Step:
        """After a step in which a member has gone: perhaps it was the last of the new protocol."""
        kinds = [type(fact) for fact in step.facts]
        if GroupRemoved in kinds:  # Rule 6.
            return Step((*step.facts, GroupConverted("classic")), step.effects)
        if MemberFenced not in kinds:
            return step
        left = old.after(step.facts)
        if not left.members or downgrade_refusal(left, self.rules) is not None:
            return step
        # A classic static member that took the last one's place is in the epoch it was just told.
        generation = left.group_epoch if MemberDescribed in kinds else old.group_epoch
        facts = downgraded(left, generation, now_us)
        new = self._classic(left.named, left.offsets)
        for fact in facts[1:]:
            new.apply(fact)
        taken_up = new.recover(now_us, rebalances=True)
        return Step(
            (*step.facts, *facts, *taken_up.facts),
            (*step.effects, *left.given_up(), *taken_up.effects),
        )

    # --- Applying --------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make one fact true; hard facts may be applied to a new machine, in their order."""
        kind = type(fact)
        if kind is GroupConverted:
            begin = self._classic if fact.protocol == "classic" else self._consumer
            self.machine = begin(self.machine.named, self.machine.offsets)
        elif kind is TopicsKnown:
            self.topics = dict(fact.topics)
            if isinstance(self.machine, ConsumerGroup):
                self.machine.apply(fact)
        elif kind not in (_CONSUMER_FACTS if type(self.machine) is Group else _CLASSIC_FACTS):
            self.machine.apply(fact)


def is_hard(fact: Any) -> bool:
    """Whether the fact lies on the coordinator's disk."""
    return type(fact) in HARD
