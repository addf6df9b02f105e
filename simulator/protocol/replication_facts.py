"""What can become true of a replica beside its log: roles, positions, the in-sync set, its mark.

Rule 1: batches, cuts and the epochs that follow from them are hard: they are on the disk. All that
stands here is soft: a restarted broker is told its role anew, and its followers ask again.
Rule 2: the high watermark is derived. It is never a fact of a leader: whoever replays a leader's
facts comes to the same mark. A follower is told it.
"""

from enum import Enum
from typing import NamedTuple

import attrs

from simulator.protocol.log import Fact as LogFact
from simulator.protocol.replica_messages import AlterPartition, PartitionRegistration
from simulator.protocol.settings import whole
from simulator.protocol.truncation import KIP_320, Truncation

HIGH_WATERMARK = "high_watermark"  # The checkpoint (replication-offset-checkpoint).


@attrs.frozen
class ReplicationConfig:
    """Kafka's settings of replication, with Kafka's names and defaults; and its history.

    Attributes:
        truncation: how a follower cuts its log.
        frozen_below_min_isr: the high watermark stands still while the in-sync set is smaller
            than min.insync.replicas (since 4.0, KAFKA-15583).
        forgets_proposals: a leader that is told again what it knows already forgets the proposal
            that is under way.
        keeps_positions: a leader that is elected again trusts what it knew of its followers, even
            if it has missed an epoch in which they followed another.

    Kafka does the last two (Partition.makeLeader, Replica.resetReplicaState), and each is a hole:
    the high watermark passes an in-sync replica that lacks what lies below it. Both need metadata
    to arrive within milliseconds of an election; they are off, so that who looks for them finds
    them, and nobody else.
    """

    min_insync_replicas: int = attrs.field(default=1, validator=whole(1))
    replica_lag_time_max_ms: int = attrs.field(default=30_000, validator=whole(1))
    replica_fetch_max_bytes: int = attrs.field(default=1_048_576, validator=whole(0))
    replica_fetch_min_bytes: int = attrs.field(default=1, validator=whole(0))
    replica_fetch_wait_max_ms: int = attrs.field(default=500, validator=whole(0))
    replica_fetch_backoff_ms: int = attrs.field(default=1_000, validator=whole(0))
    replica_high_watermark_checkpoint_interval_ms: int = attrs.field(
        default=5_000, validator=whole(1)
    )
    truncation: Truncation = KIP_320
    frozen_below_min_isr: bool = True
    forgets_proposals: bool = False
    keeps_positions: bool = False


class Role(Enum):
    """What a replica does at the moment.

    A follower cuts (CUTTING), fetches, or finds out why its offset is out of the leader's range:
    it asks for the leader's end, then perhaps for its start. One that was fenced, or cannot go on,
    has STOPPED until it is told something new. IDLE: it knows of no leader.
    """

    IDLE = "idle"
    LEADING = "leading"
    CUTTING = "cutting"
    FETCHING = "fetching"
    SEEKING_END = "seeking end"
    SEEKING_START = "seeking start"
    STOPPED = "stopped"


FOLLOWING = (
    Role.CUTTING,
    Role.FETCHING,
    Role.SEEKING_END,
    Role.SEEKING_START,
    Role.STOPPED,
)


# --- Facts -------------------------------------------------------------------------------------


class LeadershipTaken(NamedTuple):
    """The controller says that this replica leads, or leads on with another in-sync set."""

    registration: PartitionRegistration
    at_us: int


class LeaderFollowed(NamedTuple):
    """The controller says that another replica leads, or none. anew: look for a common log."""

    registration: PartitionRegistration
    anew: bool = True


class FollowerFetched(NamedTuple):
    """A follower has asked for `offset`: so it has all that lies before."""

    replica: str
    offset: int
    log_end_offset: int  # The leader's, as it answered.
    at_us: int
    broker_epoch: int


class IsrProposed(NamedTuple):
    """A change of the in-sync set is under way to the controller."""

    asked: AlterPartition
    isr: tuple[str, ...]
    maximal_isr: tuple[str, ...]


class IsrCommitted(NamedTuple):
    """The controller has made this the in-sync set."""

    isr: tuple[str, ...]
    partition_epoch: int
    at_us: int


class IsrReverted(NamedTuple):
    """The controller has not taken the proposal, and says so."""


class HighWatermarkTold(NamedTuple):
    """The leader's high watermark, as a follower was told it; it may be lower than before."""

    offset: int


class RoleChanged(NamedTuple):
    """A follower goes on in another way."""

    role: Role


Fact = (
    LogFact
    | LeadershipTaken
    | LeaderFollowed
    | FollowerFetched
    | IsrProposed
    | IsrCommitted
    | IsrReverted
    | HighWatermarkTold
    | RoleChanged
)

# {type of fact: {role: roles that it may lead to}}; a fact that is not named changes no role.
ALLOWED: dict[type, dict[Role, frozenset[Role]]] = {
    LeadershipTaken: dict.fromkeys(Role, frozenset({Role.LEADING})),
    LeaderFollowed: dict.fromkeys(Role, frozenset(Role) - {Role.LEADING}),
    RoleChanged: {
        Role.CUTTING: frozenset({Role.FETCHING, Role.STOPPED}),
        Role.FETCHING: frozenset({Role.SEEKING_END, Role.STOPPED}),
        Role.SEEKING_END: frozenset({Role.FETCHING, Role.SEEKING_START, Role.STOPPED}),
        Role.SEEKING_START: frozenset({Role.FETCHING, Role.STOPPED}),
    },
}
