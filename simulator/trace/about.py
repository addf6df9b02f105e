"""What a reader of a trace wants to know of a message: a few words, as a flat tuple.

Not the whole message: a trace tells what went by, the log keeps what was said.
"""

from collections.abc import Callable
from typing import Any

from simulator.protocol import messages as m
from simulator.protocol import replica_messages as rm
from simulator.protocol import share_messages as sm
from simulator.protocol import store_messages as stm
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch


def about(message: Any) -> tuple[Any, ...]:
    """A flat tuple of str and int (and tuples of them) that is the same in every run."""
    tell = _TELLERS.get(type(message))
    return tell(message) if tell else ()


def event_ids(batches: tuple[Batch, ...]) -> tuple[str, ...]:
    """The event ids of all records of some batches, in order."""
    return tuple(record.event_id for batch in batches for record in batch.records if record)


def _produce(message: m.ProduceRequest) -> tuple[Any, ...]:
    return tuple(
        (where.topic, where.partition, batch.base_sequence, event_ids((batch,)))
        for where, batch in message.batches
    )


def _produced(message: m.ProduceResponse) -> tuple[Any, ...]:
    return tuple(
        (one.partition.topic, one.partition.partition, one.base_offset, one.error.name)
        for one in message.results
    )


def _fetch(message: m.FetchRequest) -> tuple[Any, ...]:
    return tuple(
        (one.partition.topic, one.partition.partition, one.offset) for one in message.partitions
    )


def _fetched(message: m.FetchResponse) -> tuple[Any, ...]:
    return tuple(
        (
            one.partition.topic,
            one.partition.partition,
            one.batches[0].base_offset if one.batches else -1,
            event_ids(one.batches),
        )
        for one in message.results
        if one.batches
    )


def _commit(message: m.OffsetCommitRequest) -> tuple[Any, ...]:
    return (
        message.group_id,
        message.generation,
        message.member_id,
        *((one.partition.topic, one.partition.partition, one.offset) for one in message.offsets),
    )


def _committed(message: m.OffsetCommitResponse) -> tuple[Any, ...]:
    return tuple((where.topic, where.partition, error.name) for where, error in message.results)


def _member(message: Any) -> tuple[Any, ...]:
    return (message.group_id, message.generation, message.member_id)


def _beat(message: ConsumerGroupHeartbeatRequest) -> tuple[Any, ...]:
    """Who, in which epoch, and what it says that it holds, if it says so."""
    who = (message.group_id, message.member_epoch, message.member_id)
    owned = message.owned
    return who if owned is None else (*who, "owned", *((*where,) for where in owned))


def _altering(message: rm.AlterPartitionRequest) -> tuple[Any, ...]:
    return tuple(
        (*one.partition, one.leader_epoch, *(name for name, _ in one.new_isr))
        for one in message.partitions
    )


def _altered(message: rm.AlterPartitionResponse) -> tuple[Any, ...]:
    results = ((*one.partition, one.error.name, *one.isr) for one in message.results)
    return (message.error.name, *results)


def _listing(message: m.ListOffsetsRequest) -> tuple[Any, ...]:
    """How, and of which partition what is asked; nothing if it is a follower that asks."""
    if message.replica:
        return ()
    asked = ((*one.partition, one.timestamp_ms) for one in message.partitions)
    return (message.isolation_level, *asked)


def _listed(message: m.ListOffsetsResponse) -> tuple[Any, ...]:
    return tuple((*one.partition, one.error.name, one.offset) for one in message.results)


def _epochs(message: rm.OffsetForLeaderEpochRequest) -> tuple[Any, ...]:
    return tuple((*one.partition, one.epoch) for one in message.partitions)


def _epoch_ends(message: rm.OffsetForLeaderEpochResponse) -> tuple[Any, ...]:
    return tuple(
        (*one.partition, one.error.name, one.leader_epoch, one.end_offset)
        for one in message.results
    )


def _acknowledged(
    where: TopicPartition, said: tuple[sm.Acknowledgement, ...]
) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (*where, one.first, one.last, *(sm.KINDS.get(kind, "?") for kind in one.types))
        for one in said
    )


def _share_fetch(message: sm.ShareFetchRequest) -> tuple[Any, ...]:
    """Who asks, and what it says on the way: partition, offsets and types."""
    said = (_acknowledged(one.partition, one.acknowledgements) for one in message.partitions)
    return (message.member_id, message.session_epoch, *(one for these in said for one in these))


def _share_fetched(message: sm.ShareFetchResponse) -> tuple[Any, ...]:
    return (
        message.error.name,
        *((*one.partition, *run) for one in message.results for run in one.acquired),
    )


def _share_acknowledge(message: sm.ShareAcknowledgeRequest) -> tuple[Any, ...]:
    said = (_acknowledged(where, these) for where, these in message.partitions)
    return (message.member_id, message.session_epoch, *(one for these in said for one in these))


_TELLERS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    m.ProduceRequest: _produce,
    m.ProduceResponse: _produced,
    m.FetchRequest: _fetch,
    m.FetchResponse: _fetched,
    m.OffsetCommitRequest: _commit,
    m.OffsetCommitResponse: _committed,
    m.ListOffsetsRequest: _listing,
    m.ListOffsetsResponse: _listed,
    m.HeartbeatRequest: _member,
    m.SyncGroupRequest: _member,
    ConsumerGroupHeartbeatRequest: _beat,
    ConsumerGroupHeartbeatResponse: lambda message: (message.error.name, message.member_epoch),
    m.HeartbeatResponse: lambda message: (message.error.name,),
    m.JoinGroupRequest: lambda message: (message.group_id, message.member_id),
    m.JoinGroupResponse: lambda message: (
        message.error.name,
        message.generation,
        message.member_id,
    ),
    m.SyncGroupResponse: lambda message: (message.error.name,),
    m.LeaveGroupRequest: lambda message: (
        message.group_id,
        *(member for member, _ in message.members),
    ),
    m.InitProducerIdResponse: lambda message: (
        message.error.name,
        message.producer_id,
        message.producer_epoch,
    ),
    rm.AlterPartitionRequest: _altering,
    rm.AlterPartitionResponse: _altered,
    rm.OffsetForLeaderEpochRequest: _epochs,
    rm.OffsetForLeaderEpochResponse: _epoch_ends,
    rm.BrokerRegistrationResponse: lambda message: (message.error.name, message.broker_epoch),
    rm.BrokerHeartbeatResponse: lambda message: (message.error.name,),
    sm.ShareGroupHeartbeatRequest: lambda message: (
        message.group_id,
        message.member_epoch,
        message.member_id,
    ),
    sm.ShareGroupHeartbeatResponse: lambda message: (message.error.name, message.member_epoch),
    sm.ShareFetchRequest: _share_fetch,
    sm.ShareFetchResponse: _share_fetched,
    sm.ShareAcknowledgeRequest: _share_acknowledge,
    sm.ShareAcknowledgeResponse: lambda message: (
        message.error.name,
        *((*where, error.name) for where, error in message.results),
    ),
    m.TransactRequest: lambda message: (
        message.event_id,
        *(type(one).__name__ for one in message.operations),
    ),
    m.TransactResponse: lambda message: (message.status,),
    stm.StoreRunRequest: lambda message: (
        message.event_id,
        *(type(one).__name__ for one in message.operations),
    ),
    stm.StoreRunResponse: lambda message: (message.status,),
    stm.StoreCommitResponse: lambda message: (message.status,),
    stm.ReadSlotRequest: lambda message: (message.name, message.after_lsn),
    stm.ReadSlotResponse: lambda message: (
        message.status,
        *(commit.lsn for commit in message.results),
    ),
    stm.ConfirmSlotRequest: lambda message: (message.name, message.lsn),
}
