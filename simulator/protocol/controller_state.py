"""What the controller knows, and a decision in the making: records first, then answers.

Rule 1: `Known` is changed by `apply` alone. Replaying the log's records rebuilds its hard half.
Rule 2: a decision writes all of its records at once, as Kafka's controller writes an atomic batch:
nobody reads a part of them.

Sources: ClusterControlManager.java, ReplicationControlManager.java, BrokersToIsrs.java.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from simulator.protocol.controller_elections import Election, changed
from simulator.protocol.controller_facts import (
    HARD,
    BrokerSeen,
    ControllerSettings,
    Fact,
    FetchesAnswered,
    FetchParked,
    Session,
    SessionEnded,
    ShutdownAwaits,
)
from simulator.protocol.machine import Effect, Step
from simulator.protocol.names import TopicPartition
from simulator.protocol.replica_messages import (
    NO_LEADER,
    BrokerState,
    PartitionRegistration,
    ProducerIdsAllocated,
    TopicRegistered,
)


@attrs.define
class Known:
    """The controller's state: hard (from the log), then soft.

    Attributes:
        brokers: by name, in the order of their first registration.
        topics: by name, in the order of their making.
        partitions: in the order of their making.
        next_producer_id: where the next block begins.
        next_offset: the end of the metadata log.
        sessions: what is remembered of heartbeats.
        parked: who waits for more of the log: {broker: (request, offset)}.
    """

    brokers: dict[str, BrokerState] = attrs.field(factory=dict)
    topics: dict[str, TopicRegistered] = attrs.field(factory=dict)
    partitions: dict[TopicPartition, PartitionRegistration] = attrs.field(factory=dict)
    next_producer_id: int = 0
    next_offset: int = 0
    sessions: dict[str, Session] = attrs.field(factory=dict)
    parked: dict[str, tuple[Any, int]] = attrs.field(factory=dict)

    def hard_state(self) -> Any:
        """All that the log's records lead to."""
        registered = dict(self.brokers), dict(self.topics), dict(self.partitions)
        return (*registered, self.next_producer_id, self.next_offset)

    # --- Looking -------------------------------------------------------------------------------

    def is_active(self, broker: str) -> bool:
        """Whether a broker may lead and be taken in sync: neither fenced nor shutting down."""
        known = self.brokers.get(broker)
        return known is not None and not known.fenced and not known.shutting_down

    def has_session(self, broker: str, now_us: int, session_us: int) -> bool:
        """Whether a broker was heard of lately (BrokerHeartbeatTracker.isExpired)."""
        session = self.sessions.get(broker)
        if session is None or session.seen_us is None:
            return False
        return now_us - session.seen_us <= session_us

    def session_of(self, broker: str) -> Session:
        """What is remembered of the heartbeats of a broker's present incarnation."""
        epoch = self.brokers[broker].epoch
        session = self.sessions.get(broker)
        return session if session is not None and session.epoch == epoch else Session(epoch)

    def is_leaving(self, broker: str) -> bool:
        """Whether a broker has been told to wait until it may go."""
        return self.session_of(broker).shutdown_offset is not None

    def leads(self, broker: str) -> bool:
        """Whether a broker leads any partition."""
        return any(one.leader == broker for one in self.partitions.values())

    def least_read(self) -> int | None:
        """Up to where every broker that stays has read the log; None: there is none."""
        staying = [
            self.session_of(one.broker).metadata_offset
            for one in self.brokers.values()
            if not one.fenced and not self.is_leaving(one.broker)
        ]
        return min(staying, default=None)

    def in_sync_at(self, broker: str) -> list[PartitionRegistration]:
        """The partitions that count a broker as in sync."""
        return [one for one in self.partitions.values() if broker in one.isr]

    def eligible_at(self, broker: str) -> list[PartitionRegistration]:
        """The partitions that a broker is eligible for, outside the in-sync set."""
        return [one for one in self.partitions.values() if broker in one.eligible]

    def leaderless(self) -> list[PartitionRegistration]:
        """The partitions that nobody leads."""
        return [one for one in self.partitions.values() if one.leader == NO_LEADER]

    # --- Applying --------------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true."""
        match fact:
            case PartitionRegistration():
                self._register(fact)
            case BrokerState():
                self._state(fact)
            case TopicRegistered():
                self.topics[fact.topic] = fact
            case ProducerIdsAllocated():
                assert fact.first == self.next_producer_id, f"ids twice: {fact!r}"
                self.next_producer_id = fact.first + fact.length
            case BrokerSeen(broker, epoch, metadata_offset, at_us):
                session = self.session_of(broker)
                self.sessions[broker] = session._replace(
                    epoch=epoch, seen_us=at_us, metadata_offset=metadata_offset
                )
            case SessionEnded(broker):
                self.sessions[broker] = self.session_of(broker)._replace(seen_us=None)
            case ShutdownAwaits(broker, offset):
                self.sessions[broker] = self.session_of(broker)._replace(shutdown_offset=offset)
            case FetchParked(broker, request_id, offset):
                self.parked[broker] = request_id, offset
            case FetchesAnswered(brokers):
                for broker in brokers:
                    del self.parked[broker]
        if isinstance(fact, HARD):
            self.next_offset += 1

    def _register(self, fact: PartitionRegistration) -> None:
        before = self.partitions.get(fact.partition)
        if before is not None:
            assert fact.partition_epoch == before.partition_epoch + 1, f"no next epoch: {fact!r}"
            higher = before.leader_epoch + (fact.leader != before.leader)
            assert fact.leader_epoch == higher, f"no next leader epoch: {fact!r}"
        assert fact.leader == NO_LEADER or fact.leader in fact.isr, f"not in sync: {fact!r}"
        self.partitions[fact.partition] = fact

    def _state(self, fact: BrokerState) -> None:
        before = self.brokers.get(fact.broker)
        self.brokers[fact.broker] = fact
        if before is None or before.epoch != fact.epoch:
            self.sessions.pop(fact.broker, None)
        elif fact.fenced:
            # Whoever is fenced leaves the shutdown: its next heartbeat lets it go at once.
            self.sessions[fact.broker] = self.session_of(fact.broker)._replace(shutdown_offset=None)


class Decision:
    """What is being decided: reads what is known, and collects records, soft facts and effects.

    Args:
        known: the state to decide upon; it is only looked at.
        eligible_leader_replicas: whether KIP-966 is on.
    """

    __slots__ = ("effects", "eligible_leader_replicas", "facts", "known", "now_us", "settings")

    def __init__(
        self,
        known: Known,
        settings: ControllerSettings,
        now_us: int,
        *,
        eligible_leader_replicas: bool,
    ) -> None:
        self.known = known
        self.settings = settings
        self.now_us = now_us
        self.eligible_leader_replicas = eligible_leader_replicas
        self.facts: list[Fact] = []
        self.effects: list[Effect] = []

    @property
    def next_offset(self) -> int:
        """The end of the metadata log, once this is written."""
        return self.known.next_offset + len(self.records)

    @property
    def records(self) -> tuple[Any, ...]:
        """The hard facts so far."""
        return tuple(fact for fact in self.facts if isinstance(fact, HARD))

    def step(self) -> Step:
        """What was decided."""
        return Step(tuple(self.facts), tuple(self.effects))

    def change(
        self,
        partition: PartitionRegistration,
        *,
        removed: str = "",
        added: str = "",
        unclean: str = "",
        isr: tuple[str, ...] | None = None,
        election: Election | None = None,
    ) -> PartitionRegistration | None:
        """Change a partition, if there is something to change; what it is then.

        Args:
            partition: as it is now.
            removed: who leaves the in-sync set and may not lead.
            added: who may lead, though the records so far do not say so.
            unclean: who leaves it, and is not eligible either.
            isr: the in-sync set otherwise; None: as it is.
            election: None: unclean where the topic allows it, else online.
        """
        known = self.known
        topic = known.topics[partition.partition.topic]
        if election is None:
            may_lose = topic.unclean_leader_election_enable
            election = Election.UNCLEAN if may_lose else Election.ONLINE
        gone = (removed, unclean)
        in_sync = partition.isr if isr is None else isr
        after = changed(
            partition,
            lambda name: name not in gone and (name == added or known.is_active(name)),
            min_isr=min(topic.min_insync_replicas, len(partition.replicas)),
            eligible_leader_replicas=self.eligible_leader_replicas,
            isr=tuple(name for name in in_sync if name not in gone),
            election=election,
            unclean=(unclean,),
        )
        if after is not None:
            self.facts.append(after)
        return after

    def change_all(self, partitions: Iterable[PartitionRegistration], **how: Any) -> None:
        """Change each of several partitions (generateLeaderAndIsrUpdates)."""
        for partition in partitions:
            self.change(partition, **how)
