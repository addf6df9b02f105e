"""Partitions are made, their in-sync sets changed, their leaders chosen: what is asked of them.

Rule 1: partition p of topic number t is kept by broker (p + t) modulo the brokers and those that
follow it; the first is the preferred leader. Brokers and topics are counted from 0.
Rule 2: only brokers that are active are in sync at the beginning, and the first of them leads.
Rule 3: a leader may change the in-sync set if it is the leader of the epoch that it names, of the
partition epoch that it names, in the incarnation that is registered; and only to active replicas,
each in the incarnation that has fetched (KIP-903). Without the last rule a broker that lost the
end of its log, and has come back since, is taken for what it was.

Sources: ReplicationControlManager (validateAlterPartitionData, ineligibleReplicasForIsr,
electLeader, createPartitions), ProducerIdControlManager.java.

Not modelled: racks, placement by chance (StripedReplicaPlacer begins at a random broker) and away
from fenced brokers, deleting topics, changing their settings, NEW_LEADER_ELECTED (only a finished
reassignment changes the leader when the leader asks).
"""

from simulator.errors import BadInput
from simulator.protocol.controller_elections import Election
from simulator.protocol.controller_facts import (
    MOST_ELECTIONS,
    PRODUCER_IDS,
    ControllerSettings,
    NewTopic,
)
from simulator.protocol.controller_state import Decision, Known
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.replica_messages import (
    NO_LEADER,
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
    AlterPartition,
    AlterPartitionRequest,
    AlterPartitionResponse,
    CreateInternalPartitionRequest,
    CreateInternalPartitionResponse,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionAltered,
    PartitionRegistration,
    ProducerIdsAllocated,
    TopicRegistered,
)

# --- Making topics and partitions ------------------------------------------------------------


def place(brokers: tuple[str, ...], partition: int, topic: int, count: int) -> tuple[str, ...]:
    """The brokers that keep a partition of a topic (by its number), the preferred leader first."""
    first = partition + topic
    return tuple(brokers[(first + at) % len(brokers)] for at in range(count))


def registered(new: NewTopic, number: int, settings: ControllerSettings) -> TopicRegistered:
    """A topic as it is written down."""
    min_isr, unclean = new.min_insync_replicas, new.unclean_leader_election_enable
    return TopicRegistered(
        new.name,
        number,
        new.partitions,
        new.replication_factor,
        settings.min_insync_replicas if min_isr is None else min_isr,
        settings.unclean_leader_election_enable if unclean is None else unclean,
    )


def placed(
    topic: TopicRegistered, numbers: range, brokers: tuple[str, ...], active: tuple[str, ...]
) -> list[PartitionRegistration] | None:
    """New partitions of a topic; None: one of them would be kept by no active broker."""
    made = []
    for number in numbers:
        replicas = place(brokers, number, topic.number, topic.replication_factor)
        isr = tuple(name for name in replicas if name in active)
        if not isr:
            return None
        where = TopicPartition(topic.topic, number)
        made.append(PartitionRegistration(where, isr[0], 0, 0, replicas, isr))
    return made


def create(
    decision: Decision,
    new: NewTopic,
    number: int,
    brokers: tuple[str, ...],
    active: tuple[str, ...],
) -> None:
    """Make a topic on these brokers.

    Raises:
        BadInput: the topic wants more replicas than there are brokers, or there is no active
            broker for a partition.
    """
    if not 1 <= new.replication_factor <= len(brokers):
        asked, fix = new.replication_factor, f"from 1 to {len(brokers)}"
        raise BadInput("as many replicas as there are brokers at most:", new.name, asked, fix)
    topic = registered(new, number, decision.settings)
    made = placed(topic, range(new.partitions), brokers, active)
    if made is None:
        raise BadInput("no active broker for a partition of", new.name, None, "wait for one")
    decision.facts.append(topic)
    decision.facts.extend(made)


def create_partitions(
    decision: Decision, body: CreatePartitionsRequest
) -> CreatePartitionsResponse:
    """Add partitions to a topic while it is in use."""
    known = decision.known
    topic = known.topics.get(body.topic)
    if topic is None:
        return CreatePartitionsResponse(Error.UNKNOWN_TOPIC_OR_PARTITION)
    if body.partitions <= topic.partitions:
        return CreatePartitionsResponse(Error.INVALID_PARTITIONS)
    numbers = range(topic.partitions, body.partitions)
    made = placed(topic, numbers, tuple(known.brokers), active_brokers(known))
    if made is None:
        return CreatePartitionsResponse(Error.INVALID_REPLICATION_FACTOR)
    decision.facts.append(topic._replace(partitions=body.partitions))
    decision.facts.extend(made)
    return CreatePartitionsResponse(Error.NONE)


def create_internal(
    decision: Decision, body: CreateInternalPartitionRequest
) -> CreateInternalPartitionResponse:
    """Make one partition in which coordinators write, and register its topic before the first.

    Partition p of such a topic begins at broker p modulo the brokers (its topic's number is 0).
    """
    known = decision.known
    where = body.partition
    if where in known.partitions:
        return CreateInternalPartitionResponse(Error.NONE)
    topic = known.topics.get(where.topic)
    asked = topic or TopicRegistered(where.topic, 0, *body[1:])
    brokers = tuple(known.brokers)
    if asked.replication_factor > len(brokers):
        return CreateInternalPartitionResponse(Error.INVALID_REPLICATION_FACTOR)
    number = where.partition
    made = placed(asked, range(number, number + 1), brokers, active_brokers(known))
    if made is None:
        return CreateInternalPartitionResponse(Error.INVALID_REPLICATION_FACTOR)
    if topic is None:
        decision.facts.append(asked)
    decision.facts.extend(made)
    return CreateInternalPartitionResponse(Error.NONE)


def active_brokers(known: Known) -> tuple[str, ...]:
    """The brokers that are neither fenced nor shutting down."""
    return tuple(name for name in known.brokers if known.is_active(name))


# --- The in-sync set -------------------------------------------------------------------------


def alter(decision: Decision, body: AlterPartitionRequest) -> AlterPartitionResponse:
    """A leader proposes in-sync sets."""
    known = decision.known
    broker = known.brokers.get(body.broker)
    if broker is None or broker.epoch != body.broker_epoch:
        return AlterPartitionResponse(Error.STALE_BROKER_EPOCH)
    now = {asked.partition: known.partitions.get(asked.partition) for asked in body.partitions}
    results = []
    for asked in body.partitions:
        where = asked.partition
        partition = now[where]
        error = _refusal(known, body.broker, partition, asked)
        if partition is None or error is not Error.NONE:
            results.append(PartitionAltered(where, error))
            continue
        isr = tuple(name for name, _ in asked.new_isr)
        after = decision.change(partition, isr=isr) or partition
        assert after.leader == body.broker, "a leader that is in sync and active leads on"
        now[where] = after
        _, leader, leader_epoch, partition_epoch, _, isr, *_ = after
        result = PartitionAltered(where, error, leader, leader_epoch, partition_epoch, isr)
        results.append(result)
    return AlterPartitionResponse(Error.NONE, tuple(results))


def _refusal(
    known: Known, broker: str, partition: PartitionRegistration | None, asked: AlterPartition
) -> Error:
    """Why a proposal is not taken (validateAlterPartitionData), or NONE."""
    if partition is None:
        return Error.UNKNOWN_TOPIC_OR_PARTITION
    _, leader, leader_epoch, partition_epoch, replicas, *_ = partition
    if asked.leader_epoch > leader_epoch or asked.partition_epoch > partition_epoch:
        # Whoever knows more has heard it of another controller.
        return Error.NOT_CONTROLLER
    if asked.leader_epoch < leader_epoch:
        return Error.FENCED_LEADER_EPOCH
    if broker != leader:
        return Error.INVALID_REQUEST
    if asked.partition_epoch < partition_epoch:
        return Error.INVALID_UPDATE_VERSION
    names = [name for name, _ in asked.new_isr]
    strangers = any(name not in replicas for name in names)
    if strangers or len(dict.fromkeys(names)) < len(names) or leader not in names:
        return Error.INVALID_REQUEST
    if not all(_may_be_in_sync(known, name, epoch) for name, epoch in asked.new_isr):
        return Error.INELIGIBLE_REPLICA
    return Error.NONE


def _may_be_in_sync(known: Known, name: str, broker_epoch: int) -> bool:
    """Whether a replica is active, and the incarnation that is meant (-1: any, before KIP-903)."""
    return known.is_active(name) and broker_epoch in (-1, known.brokers[name].epoch)


# --- Elections -------------------------------------------------------------------------------


def elect(decision: Decision, body: ElectLeadersRequest) -> ElectLeadersResponse:
    """Somebody asks for preferred leaders, or for unclean elections where nobody leads.

    When all partitions are asked for, those that need no election are not answered for.
    """
    known = decision.known
    if body.election not in ("preferred", "unclean"):
        return ElectLeadersResponse(Error.INVALID_REQUEST)
    every = body.partitions is None
    wanted = known.partitions if body.partitions is None else dict.fromkeys(body.partitions)
    results = []
    for where in wanted:
        error = _elect_one(decision, where, body.election)
        if not every or error is not Error.ELECTION_NOT_NEEDED:
            results.append((where, error))
    return ElectLeadersResponse(Error.NONE, tuple(results))


def _elect_one(decision: Decision, where: TopicPartition, kind: str) -> Error:
    partition = decision.known.partitions.get(where)
    if partition is None:
        return Error.UNKNOWN_TOPIC_OR_PARTITION
    preferred = kind == "preferred"
    leader = partition.leader
    if leader == partition.replicas[0] if preferred else leader != NO_LEADER:
        return Error.ELECTION_NOT_NEEDED
    if decision.change(partition, election=Election(kind)) is not None:
        return Error.NONE
    if preferred:
        return Error.PREFERRED_LEADER_NOT_AVAILABLE
    return Error.ELIGIBLE_LEADERS_NOT_AVAILABLE


def rebalance(decision: Decision) -> bool:
    """Give leaderships back to preferred leaders that can lead; whether there may be more."""
    moved = 0
    for partition in decision.known.partitions.values():
        if partition.leader != partition.replicas[0]:
            moved += decision.change(partition, election=Election.PREFERRED) is not None
            if moved == MOST_ELECTIONS:
                return True
    return False


# --- Producer ids ----------------------------------------------------------------------------


def allocate(decision: Decision, body: AllocateProducerIdsRequest) -> AllocateProducerIdsResponse:
    """Give a broker a block of producer ids (KIP-730)."""
    known = decision.known
    broker = known.brokers.get(body.broker)
    if broker is None or broker.epoch != body.broker_epoch:
        return AllocateProducerIdsResponse(Error.STALE_BROKER_EPOCH)
    first = known.next_producer_id
    decision.facts.append(ProducerIdsAllocated(body.broker, broker.epoch, first, PRODUCER_IDS))
    return AllocateProducerIdsResponse(Error.NONE, first, PRODUCER_IDS)
