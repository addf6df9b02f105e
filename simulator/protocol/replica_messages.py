"""What brokers say to each other and to the controller, named and shaped after Kafka's APIs.

Brokers are called by their nodes' names. A follower fetches with the same Fetch API as a consumer
and is told apart by its name; what it is answered for a partition is `ReplicaFetched`.

Not modelled: topic ids, directories, reassignment (adding and removing replicas), leader recovery
state, features and listeners in a registration, fetch sessions; a record of a change tells the
whole partition or broker anew, where Kafka's tells what has changed.
"""

from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.records import Batch

NO_BROKER_EPOCH = -1
NO_LEADER = ""

# --- Between brokers -------------------------------------------------------------------------


class ReplicaFetched(NamedTuple):
    """A follower's fetch, answered for one partition.

    diverging_epoch, diverging_end_offset: the follower's log has more than the leader's, or other
    records; the leader's part of it ends there. Then there are no batches (KIP-595).
    """

    partition: TopicPartition
    error: Error
    high_watermark: int = UNKNOWN_OFFSET
    log_start_offset: int = UNKNOWN_OFFSET
    batches: tuple[Batch, ...] = ()
    diverging_epoch: int = NO_EPOCH
    diverging_end_offset: int = UNKNOWN_OFFSET

    @property
    def is_empty(self) -> bool:
        """Nothing to tell but the high watermark: the answer may wait for a batch."""
        parted = self.diverging_end_offset != UNKNOWN_OFFSET
        return self.error is Error.NONE and not self.batches and not parted


class EpochAsked(NamedTuple):
    """Where does `epoch` end? leader_epoch: of the leader that is meant, or -1 (unfenced)."""

    partition: TopicPartition
    leader_epoch: int
    epoch: int


class OffsetForLeaderEpochRequest(NamedTuple):
    """From a follower (`replica` is its name), or from a consumer (`replica` is empty)."""

    partitions: tuple[EpochAsked, ...]
    replica: str = ""


class EpochEnd(NamedTuple):
    """The largest epoch up to the one asked for, and where it ends; -1, -1 is undefined."""

    partition: TopicPartition
    error: Error
    leader_epoch: int = NO_EPOCH
    end_offset: int = UNKNOWN_OFFSET


class OffsetForLeaderEpochResponse(NamedTuple):
    """One result a partition."""

    results: tuple[EpochEnd, ...]


class BoundAsked(NamedTuple):
    """A follower's ListOffsets: timestamp_ms is EARLIEST_TIMESTAMP or LATEST_TIMESTAMP.

    A replica's latest offset is the log's end, not the high watermark.
    """

    partition: TopicPartition
    leader_epoch: int
    timestamp_ms: int


# --- What the controller knows -----------------------------------------------------------------


class PartitionRegistration(NamedTuple):
    """A partition as the controller has it; brokers are told each change of it.

    leader: a broker's name, or NO_LEADER. replicas: in the order of assignment, the preferred
    leader first. eligible: eligible leader replicas outside the in-sync set (KIP-966).
    partition_epoch rises with every change, leader_epoch with every change of the leader.
    """

    partition: TopicPartition
    leader: str
    leader_epoch: int
    partition_epoch: int
    replicas: tuple[str, ...]
    isr: tuple[str, ...]
    eligible: tuple[str, ...] = ()
    last_known_leader: str = NO_LEADER


class BrokerState(NamedTuple):
    """A broker as the controller has it. epoch: of its registration, new with every incarnation.

    shutting_down: it has asked to go, and no longer leads. incarnation: which life of the broker
    has registered.
    """

    broker: str
    epoch: int
    fenced: bool = False
    shutting_down: bool = False
    incarnation: int = 0


class TopicRegistered(NamedTuple):
    """A topic exists, with this many partitions; told anew when it gets more of them.

    number: topics are counted from 0 in the order of their making.
    """

    topic: str
    number: int
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    unclean_leader_election_enable: bool


class ProducerIdsAllocated(NamedTuple):
    """A broker may give out the producer ids from `first` on, `length` of them."""

    broker: str
    broker_epoch: int
    first: int
    length: int


Record = TopicRegistered | PartitionRegistration | BrokerState | ProducerIdsAllocated


class MetadataFetchRequest(NamedTuple):
    """A broker reads on in the controller's log, and waits when there is nothing new (KIP-630)."""

    broker: str
    offset: int
    max_wait_ms: int = 500


class MetadataFetchResponse(NamedTuple):
    """Records from the asked offset on; next_offset is where to go on."""

    error: Error
    next_offset: int = UNKNOWN_OFFSET
    records: tuple[Record, ...] = ()


# --- To the controller -------------------------------------------------------------------------


class AlterPartition(NamedTuple):
    """A leader proposes an in-sync set: (broker, its epoch as last fetched with, or -1)."""

    partition: TopicPartition
    leader_epoch: int
    partition_epoch: int
    new_isr: tuple[tuple[str, int], ...]


class AlterPartitionRequest(NamedTuple):
    """At most one change a partition is under way; a broker sends one request at a time."""

    broker: str
    broker_epoch: int
    partitions: tuple[AlterPartition, ...]


class PartitionAltered(NamedTuple):
    """The partition as it is now; or why it was not changed."""

    partition: TopicPartition
    error: Error
    leader: str = NO_LEADER
    leader_epoch: int = NO_EPOCH
    partition_epoch: int = -1
    isr: tuple[str, ...] = ()


class AlterPartitionResponse(NamedTuple):
    """error is of the request as a whole, such as STALE_BROKER_EPOCH."""

    error: Error
    results: tuple[PartitionAltered, ...] = ()


class BrokerRegistrationRequest(NamedTuple):
    """A new incarnation of a broker asks for an epoch.

    previous_broker_epoch: from its disk after a clean shutdown, else -1: then its logs may have
    lost their ends (KIP-966).
    """

    broker: str
    incarnation: int
    previous_broker_epoch: int = NO_BROKER_EPOCH


class BrokerRegistrationResponse(NamedTuple):
    """A broker is fenced until its heartbeats say that it has read its own registration."""

    error: Error
    broker_epoch: int = NO_BROKER_EPOCH


class BrokerHeartbeatRequest(NamedTuple):
    """metadata_offset: up to where, without it, the broker has read the controller's log."""

    broker: str
    broker_epoch: int
    metadata_offset: int
    wants_fence: bool = False
    wants_shutdown: bool = False


class BrokerHeartbeatResponse(NamedTuple):
    """should_shut_down: its leaderships have moved, and it may go."""

    error: Error
    caught_up: bool = False
    fenced: bool = True
    should_shut_down: bool = False


class ElectLeadersRequest(NamedTuple):
    """election: preferred or unclean; partitions: None asks for all."""

    election: str
    partitions: tuple[TopicPartition, ...] | None = None


class ElectLeadersResponse(NamedTuple):
    """One result a partition."""

    error: Error
    results: tuple[tuple[TopicPartition, Error], ...] = ()


class CreatePartitionsRequest(NamedTuple):
    """A topic is to have so many partitions, more than it has."""

    topic: str
    partitions: int


class CreatePartitionsResponse(NamedTuple):
    """Whether the topic has them now."""

    error: Error


class CreateInternalPartitionRequest(NamedTuple):
    """A partition in which coordinators write is to be there; with it, if need be, its topic.

    partitions, min_insync_replicas and the rest: what the topic is made with.
    """

    partition: TopicPartition
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    unclean_leader_election_enable: bool


class CreateInternalPartitionResponse(NamedTuple):
    """NONE: it is there now, or was before."""

    error: Error


class AllocateProducerIdsRequest(NamedTuple):
    """A broker has given out all of the producer ids that it had (KIP-730)."""

    broker: str
    broker_epoch: int


class AllocateProducerIdsResponse(NamedTuple):
    """A block of ids that nobody else gets: `length` of them, from `first` on."""

    error: Error
    first: int = -1
    length: int = 0
