"""What the controller is configured with, is told, and remembers beside its log.

Rule 1: what stands in the metadata log is hard: topics, partitions, brokers' registrations, blocks
of producer ids. It is flushed before anybody is answered.
Rule 2: when a broker was last heard of, how far it has read, and who waits for more of the log is
soft. A controller that starts again takes every broker that is not fenced for just heard of.

Sources: QuorumController.java, BrokerHeartbeatManager.java, BrokerHeartbeatTracker.java,
ReplicationConfigs.java, KRaftConfigs.java.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs

from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.replica_messages import (
    BrokerState,
    PartitionRegistration,
    ProducerIdsAllocated,
    Record,
    TopicRegistered,
)
from simulator.protocol.settings import parse_settings, switch, whole

PRODUCER_IDS = 1_000  # A block (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
MOST_ELECTIONS = 1_000  # At one time, of preferred leaders (MAX_ELECTIONS_PER_IMBALANCE).
NEVER_READ = -1

NOT_MODELLED: Mapping[str, str] = {
    "leader.imbalance.per.broker.percentage": "a KRaft controller moves every leadership that is "
    "not where it is preferred, be they few or many",
    "unclean.leader.election.interval.ms": "a topic's settings do not change while it runs, so "
    "whoever may be elected is elected when he comes back",
    "controller.quorum.voters": "one controller stands for the quorum",
    "controller.quorum.election.timeout.ms": "one controller stands for the quorum",
    "controller.quorum.fetch.timeout.ms": "one controller stands for the quorum",
    "initial.broker.registration.timeout.ms": "a broker tries to register until it may",
    "eligible.leader.replicas.version": "it is part of the variant: eligible_leader_replicas",
    "controlled.shutdown.enable": "an incarnation ends by crashing: there is no shutdown in order",
}


@attrs.frozen(kw_only=True)
class ControllerSettings:
    """A controller's settings, with Kafka's names and defaults.

    min.insync.replicas and unclean.leader.election.enable are for topics that say nothing else.
    """

    broker_heartbeat_interval_ms: int = attrs.field(default=2_000, validator=whole(1))
    broker_session_timeout_ms: int = attrs.field(default=9_000, validator=whole(1))
    auto_leader_rebalance_enable: bool = attrs.field(default=True, validator=switch)
    leader_imbalance_check_interval_seconds: int = attrs.field(default=300, validator=whole(1))
    min_insync_replicas: int = attrs.field(default=1, validator=whole(1))
    unclean_leader_election_enable: bool = attrs.field(default=False, validator=switch)

    @property
    def session_us(self) -> int:
        """How long a broker may be silent."""
        return self.broker_session_timeout_ms * MICROS_PER_MS

    @property
    def session_check_us(self) -> int:
        """How often silent brokers are looked for (QuorumController.registerMaybeFence...)."""
        return max(MICROS_PER_MS, self.session_us // 4)


def controller_settings(
    given: Mapping[str, Any], where: str = "controller settings"
) -> ControllerSettings:
    """Read a controller's settings from Kafka's names.

    Raises:
        BadInput: a name is unknown (with the nearest one) or not modelled (with the reason), or a
            value is not allowed.
    """
    return parse_settings(ControllerSettings, given, not_modelled=NOT_MODELLED, where=where)


class NewTopic(NamedTuple):
    """A topic to be made; None stands for the controller's setting."""

    name: str
    partitions: int = 1
    replication_factor: int = 1
    min_insync_replicas: int | None = None
    unclean_leader_election_enable: bool | None = None


# --- Soft facts ----------------------------------------------------------------------------------


class Session(NamedTuple):
    """What is remembered of a broker's heartbeats.

    Attributes:
        epoch: of the registration that they named.
        seen_us: when the last one came; None: none yet, or the session has expired.
        metadata_offset: how far the broker had read, or NEVER_READ.
        shutdown_offset: it may go when every other broker has read up to here; None: it has not
            asked to go.
    """

    epoch: int
    seen_us: int | None = None
    metadata_offset: int = NEVER_READ
    shutdown_offset: int | None = None


class BrokerSeen(NamedTuple):
    """A broker has sent a heartbeat."""

    broker: str
    epoch: int
    metadata_offset: int
    at_us: int


class SessionEnded(NamedTuple):
    """A broker was silent for too long, or its next incarnation has come."""

    broker: str


class ShutdownAwaits(NamedTuple):
    """A broker may go when all others have read up to `offset`: they know that it leads no more."""

    broker: str
    offset: int


class FetchParked(NamedTuple):
    """A broker that has read everything waits for more."""

    broker: str
    request_id: Any
    offset: int


class FetchesAnswered(NamedTuple):
    """These brokers wait no more."""

    brokers: tuple[str, ...]


Fact = Record | BrokerSeen | SessionEnded | ShutdownAwaits | FetchParked | FetchesAnswered
HARD = (TopicRegistered, PartitionRegistration, BrokerState, ProducerIdsAllocated)


# --- Timers --------------------------------------------------------------------------------------


class SessionCheck(NamedTuple):
    """Time to look for brokers that have fallen silent."""

    about: str = "sessions"


class RebalanceCheck(NamedTuple):
    """Time to move leaderships to where they are preferred."""

    about: str = "preferred leaders"


class FetchDeadline(NamedTuple):
    """A broker has waited for more of the log long enough."""

    broker: str
