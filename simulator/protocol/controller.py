"""The controller of a cluster: it says who leads, who is in sync, and which brokers are there.

Rule 1: `decide` only looks; `apply` is the one writer, and puts hard facts into the metadata log.
Rule 2: the metadata log is the journal, an offset a record. It is flushed with every record, so
nothing that anybody was told is lost, by a power loss neither.
Rule 3: a controller that starts again replays its log, then asks `recover` what to do: sessions
begin afresh, so a broker that died meanwhile is fenced a whole session later.
Rule 4: brokers read the log from where they are. Who has read all of it waits for more.
Rule 5: every quarter of broker.session.timeout.ms it looks for brokers that have fallen silent, and
every leader.imbalance.check.interval.seconds for leaderships that are not where they are preferred.

The rules of each request stand in controller_brokers, controller_partitions, controller_elections.
Sources: QuorumController.java, ReplicationControlManager.java, ClusterControlManager.java.

Not modelled: the quorum of controllers (one stands for it: what it has flushed counts as what a
majority has, and nobody takes over while it is down), snapshots of the metadata log, the first
formation of a cluster (it begins with its brokers registered and its topics made), ACLs, quotas,
features, delegation tokens.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.errors import BadInput
from simulator.protocol import controller_brokers, controller_partitions
from simulator.protocol import replica_messages as rm
from simulator.protocol.controller_elections import kind_of_election
from simulator.protocol.controller_facts import (
    HARD,
    BrokerSeen,
    ControllerSettings,
    Fact,
    FetchDeadline,
    FetchesAnswered,
    FetchParked,
    NewTopic,
    RebalanceCheck,
    Session,
    SessionCheck,
)
from simulator.protocol.controller_state import Decision, Known
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S, TopicPartition
from simulator.protocol.variant import PRESENT, Variant

_DEFAULT = ControllerSettings()

_RULES: Mapping[type, Callable[[Decision, Any], Any]] = {
    rm.BrokerRegistrationRequest: controller_brokers.register,
    rm.BrokerHeartbeatRequest: controller_brokers.heartbeat,
    rm.AlterPartitionRequest: controller_partitions.alter,
    rm.ElectLeadersRequest: controller_partitions.elect,
    rm.CreatePartitionsRequest: controller_partitions.create_partitions,
    rm.CreateInternalPartitionRequest: controller_partitions.create_internal,
    rm.AllocateProducerIdsRequest: controller_partitions.allocate,
}


class Controller:
    """The machine.

    Args:
        journal: the metadata log on the controller's disk; what is in it is replayed.
        settings: Kafka's.
        variant: whether there are eligible leader replicas.
        brokers: those that the cluster begins with, in the order in which they are counted.
    """

    __slots__ = ("_brokers", "_eligible", "_known", "journal", "settings")

    def __init__(
        self,
        journal: Journal,
        settings: ControllerSettings = _DEFAULT,
        variant: Variant = PRESENT,
        *,
        brokers: tuple[str, ...] = (),
    ) -> None:
        self.journal = journal
        self._brokers = brokers
        self.settings = settings
        self._eligible = variant.eligible_leader_replicas
        self._known = Known()
        for fact in journal.facts:
            self._known.apply(fact)

    # --- Looking -------------------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written: `boot` comes next, else `recover`."""
        return not self.journal.facts

    @property
    def next_offset(self) -> int:
        """The end of the metadata log."""
        return self._known.next_offset

    @property
    def brokers(self) -> Mapping[str, rm.BrokerState]:
        """The brokers that have ever registered."""
        return self._known.brokers

    @property
    def topics(self) -> Mapping[str, rm.TopicRegistered]:
        """The topics, in the order of their making."""
        return self._known.topics

    @property
    def partitions(self) -> Mapping[TopicPartition, rm.PartitionRegistration]:
        """The partitions, as the newest record of each tells."""
        return self._known.partitions

    def session(self, broker: str) -> Session:
        """What is remembered of a registered broker's heartbeats."""
        return self._known.session_of(broker)

    def records(self, offset: int = 0) -> tuple[rm.Record, ...]:
        """The metadata log, from an offset on."""
        return tuple(self.journal.facts[offset:])

    def hard_state(self) -> Any:
        """What replaying the journal leads to."""
        return self._known.hard_state()

    # --- Deciding ------------------------------------------------------------------------------

    def boot(self, topics: Iterable[NewTopic], now_us: int, incarnation: int = 0) -> Step:
        """Begin a cluster: the brokers are registered and unfenced, the topics are there.

        The broker of number k has the broker epoch k.

        Args:
            topics: those of a cluster's own, such as the offsets', among them.
            now_us: when every session begins.
            incarnation: that of the brokers' first lives.

        Raises:
            BadInput: a topic wants more replicas than there are brokers, or stands twice.
        """
        assert self.is_new, "a cluster begins once"
        decision = self._decision(now_us)
        names = self._brokers
        for number, name in enumerate(names):
            decision.facts.append(rm.BrokerState(name, number, incarnation=incarnation))
        made: dict[str, None] = {}
        for number, topic in enumerate(topics):
            if topic.name in made:
                raise BadInput("a topic stands twice:", "", topic.name, "leave one")
            made[topic.name] = None
            controller_partitions.create(decision, topic, number, names, names)
        end = decision.next_offset
        for number, name in enumerate(names):
            decision.facts.append(BrokerSeen(name, number, end, now_us))
        self._arm(decision)
        return decision.step()

    def recover(self, now_us: int) -> Step:
        """Take up what the log has told: whoever is not fenced counts as just heard of."""
        decision = self._decision(now_us)
        for state in self._known.brokers.values():
            if not state.fenced:
                offset = self._known.session_of(state.broker).metadata_offset
                decision.facts.append(BrokerSeen(state.broker, state.epoch, offset, now_us))
        self._arm(decision)
        return decision.step()

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to: a Request, or a Timer of ours."""
        decision = self._decision(now_us)
        if type(message) is Timer:
            self._timer(decision, message.name)
        else:
            assert type(message) is Request, f"no such message: {message!r}"
            if type(message.body) is rm.MetadataFetchRequest:
                self._fetch(decision, message)
            else:
                answer = _RULES[type(message.body)](decision, message.body)
                decision.effects.append(Reply(message.id, answer))
        return self._finished(decision)

    def decide_create(self, topic: NewTopic, now_us: int = 0) -> Step:
        """Make one more topic while the cluster runs.

        Raises:
            BadInput: there is such a topic, it wants more replicas than there are brokers, or
                no broker that could keep a partition of it is active.
        """
        known = self._known
        if topic.name in known.topics:
            raise BadInput("a topic stands twice:", "", topic.name, "leave one")
        decision = self._decision(now_us)
        active = controller_partitions.active_brokers(known)
        brokers = tuple(known.brokers)
        controller_partitions.create(decision, topic, len(known.topics), brokers, active)
        return self._finished(decision)

    def _decision(self, now_us: int) -> Decision:
        return Decision(self._known, self.settings, now_us, eligible_leader_replicas=self._eligible)

    def _arm(self, decision: Decision) -> None:
        every_us = self.settings.session_check_us
        decision.effects.append(SetTimer(SessionCheck(), every_us, every_us))
        if self.settings.auto_leader_rebalance_enable:
            self._arm_rebalance(decision)

    def _arm_rebalance(self, decision: Decision, *, at_once: bool = False) -> None:
        every_us = self.settings.leader_imbalance_check_interval_seconds * MICROS_PER_S
        wait_us = 0 if at_once else every_us
        decision.effects.append(SetTimer(RebalanceCheck(), wait_us, wait_us))

    def _timer(self, decision: Decision, name: Any) -> None:
        match name:
            case SessionCheck():
                more = controller_brokers.fence_one_silent(decision)
                wait_us = 0 if more else self.settings.session_check_us
                decision.effects.append(SetTimer(SessionCheck(), wait_us, wait_us))
            case RebalanceCheck():
                more = controller_partitions.rebalance(decision)
                self._arm_rebalance(decision, at_once=more)
            case FetchDeadline(broker):
                if broker in self._known.parked:
                    self._answer_fetches(decision, (broker,))
            case _:
                raise AssertionError(f"no such timer: {name!r}")

    # --- Reading the log -------------------------------------------------------------------------

    def _fetch(self, decision: Decision, request: Request) -> None:
        body: rm.MetadataFetchRequest = request.body
        end = self.next_offset
        wait_us = body.max_wait_ms * MICROS_PER_MS
        if not 0 <= body.offset <= end:
            refused = rm.MetadataFetchResponse(Error.OFFSET_OUT_OF_RANGE)
            decision.effects.append(Reply(request.id, refused))
        elif body.offset < end or wait_us == 0:
            told = rm.MetadataFetchResponse(Error.NONE, end, self.records(body.offset))
            decision.effects.append(Reply(request.id, told))
        else:
            waiting = self._known.parked.get(body.broker)
            if waiting is not None:  # One at a time: the older one came late, or came twice.
                nothing = rm.MetadataFetchResponse(Error.NONE, end)
                decision.effects.append(Reply(waiting[0], nothing))
            decision.facts.append(FetchParked(body.broker, request.id, body.offset))
            decision.effects.append(SetTimer(FetchDeadline(body.broker), wait_us, wait_us))

    def _answer_fetches(self, decision: Decision, brokers: tuple[str, ...]) -> None:
        """Tell brokers that wait for more of the log what there is now."""
        new, end = decision.records, decision.next_offset
        for broker in brokers:
            request_id, offset = self._known.parked[broker]
            told = rm.MetadataFetchResponse(Error.NONE, end, self.records(offset) + new)
            decision.effects.append(Reply(request_id, told))
        decision.facts.append(FetchesAnswered(brokers))

    def _finished(self, decision: Decision) -> Step:
        waiting = tuple(self._known.parked)
        if waiting and decision.records:
            self._answer_fetches(decision, waiting)
            decision.effects.extend(CancelTimer(FetchDeadline(broker)) for broker in waiting)
        return decision.step()

    # --- Applying --------------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true; a hard one is put into the journal, which is flushed."""
        self._known.apply(fact)
        if isinstance(fact, HARD):
            self.journal.append(fact)
            self.journal.flush()

    def told(self, fact: Fact) -> tuple[tuple[Any, ...], ...]:
        """What a trace says of a fact that is about to be applied: events as flat tuples.

        leader_elected, isr_changed, broker_fenced, broker_unfenced, partitions_added; most facts
        say nothing.
        """
        known = self._known
        match fact:
            case rm.PartitionRegistration():
                return _told_of_partition(known.partitions.get(fact.partition), fact)
            case rm.BrokerState(broker, epoch, fenced):
                before = known.brokers.get(broker)
                was_fenced = before is None or before.fenced
                if fenced:
                    return () if was_fenced else (("broker_fenced", broker),)
                return (("broker_unfenced", broker, epoch),) if was_fenced else ()
            case rm.TopicRegistered(topic, _, partitions) if topic in known.topics:
                return (("partitions_added", topic, partitions),)
        return ()


def _told_of_partition(
    before: rm.PartitionRegistration | None, after: rm.PartitionRegistration
) -> tuple[tuple[Any, ...], ...]:
    where, leader, leader_epoch, _, _, isr, eligible, _ = after
    if before is None or leader_epoch != before.leader_epoch:
        election = kind_of_election(before, after)
        return (("leader_elected", *where, leader, leader_epoch, isr, election),)
    if isr == before.isr and eligible == before.eligible:
        return ()
    return (("isr_changed", *where, leader_epoch, isr, eligible),)
