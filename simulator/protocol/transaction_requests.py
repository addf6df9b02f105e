"""What a transactional producer asks of coordinators, in which order, and what each no means.

1. Requests wait in the order of their priority: to find a coordinator, to get a producer id, to
   add partitions or offsets, to end the transaction, to raise the epoch after it.
2. An error of an answer is one of: the request is repeated, at once asking who coordinates where
   that is in doubt; the transaction must be aborted; or the producer can only be closed.

Sources: TransactionManager.java (Priority and the handlers), KIP-360, KIP-588, KIP-890.

Not modelled: authorization; coordinators before Kafka 2.5, under which epochs cannot be raised.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from simulator.errors import (
    CommitFailed,
    FencedInstance,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
    RequestTimedOut,
    TransactionAbortable,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    CommittedOffset,
    EndTxnRequest,
    FindCoordinatorRequest,
    InitProducerIdRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest, TxnOffsetCommitRequest

GROUP, TRANSACTION = "group", "transaction"  # Types of coordinators.

PRIORITIES: Mapping[type, int] = {
    FindCoordinatorRequest: 0,
    InitProducerIdRequest: 1,
    AddPartitionsToTxnRequest: 2,
    AddOffsetsToTxnRequest: 2,
    TxnOffsetCommitRequest: 2,
    EndTxnRequest: 3,
}
RAISES_EPOCH = 4  # InitProducerId after an end.


class Failure(NamedTuple):
    """Why calls throw: Kafka's name of the error, more about it, and the class thrown.

    fatal: no abort helps.
    """

    name: str
    detail: str
    kind: type[KafkaError]
    fatal: bool = False

    def thrown(self) -> KafkaError:
        """A new exception."""
        return self.kind(f"{self.name}: {self.detail}")

    def thrown_later(self) -> KafkaError:
        """What later calls throw: only who is fenced is told so again (maybeFailWithError)."""
        if self.kind in (ProducerFenced, InvalidProducerEpoch):
            return self.thrown()
        return KafkaError(f"{self.name}: an earlier call or record has failed ({self.detail})")


KINDS: Mapping[Error, type[KafkaError]] = {
    Error.PRODUCER_FENCED: ProducerFenced,
    Error.INVALID_PRODUCER_EPOCH: InvalidProducerEpoch,
    Error.TRANSACTION_ABORTABLE: TransactionAbortable,
    Error.INVALID_TXN_STATE: InvalidTxnState,
    Error.INVALID_PRODUCER_ID_MAPPING: InvalidProducerIdMapping,
    Error.FENCED_INSTANCE_ID: FencedInstance,
    Error.UNKNOWN_MEMBER_ID: CommitFailed,
    Error.ILLEGAL_GENERATION: CommitFailed,
    Error.STALE_MEMBER_EPOCH: CommitFailed,
    Error.REQUEST_TIMED_OUT: RequestTimedOut,
}


def failure(error: Error, detail: str, *, fatal: bool = False) -> Failure:
    """The failure that an error of the protocol becomes."""
    return Failure(error.name, detail, KINDS.get(error, KafkaError), fatal)


class Fate:
    """Why a producer takes no records, if it does not."""

    __slots__ = ("failure",)

    def __init__(self) -> None:
        self.failure: Failure | None = None


class Call:
    """Something that an application waits for.

    Attributes:
        name: the method's.
        waiting: (handle, until when) of whoever waits.
        heard: the end of it was told to somebody.
    """

    __slots__ = ("done", "failure", "heard", "name", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[tuple[Any, int]] = []
        self.done = False
        self.failure: Failure | None = None
        self.heard = False


class TransactionRequest:
    """A request that waits for its turn, or for its answer.

    Attributes:
        coordinator: of which type the one is that it goes to; "": any broker.
        key: what that one coordinates.
        call: who waits for it, if anybody does.
        again: it waits for `backoff_us` before it is sent.
        pending: what of it has not succeeded yet.
    """

    __slots__ = ("again", "backoff_us", "body", "call", "coordinator", "key", "pending", "priority")

    def __init__(self, body: Any, coordinator: str, key: str, call: Call | None) -> None:
        self.body = body
        self.coordinator = coordinator
        self.key = key
        self.call = call
        self.priority = PRIORITIES[type(body)]
        self.again = False
        self.backoff_us = 0
        self.pending: dict[Any, None] = {}

    @property
    def ends(self) -> bool:
        """Whether it asks for the end of the transaction."""
        return type(self.body) is EndTxnRequest


Identity = tuple[str, int, int]  # A transactional id, a producer id and its epoch.


def commits_offsets(
    identity: Identity, offsets: Mapping[tuple[str, int], int], group: GroupMetadata, call: Call
) -> TransactionRequest:
    """Tell a group's coordinator of offsets; `pending` are the partitions."""
    name, producer_id, epoch = identity
    committed = tuple(
        CommittedOffset(TopicPartition(*where), offset) for where, offset in offsets.items()
    )
    member = group.generation, group.member_id, group.group_instance_id
    body = TxnOffsetCommitRequest(name, group.group_id, producer_id, epoch, committed, *member)
    request = TransactionRequest(body, GROUP, group.group_id, call)
    request.pending = dict.fromkeys(one.partition for one in committed)
    return request


def adds_offsets(
    identity: Identity, group_id: str, commits: TransactionRequest
) -> TransactionRequest:
    """Add a group's offsets to the transaction, before `commits`."""
    body = AddOffsetsToTxnRequest(*identity, group_id)
    request = TransactionRequest(body, TRANSACTION, identity[0], commits.call)
    request.pending = {commits: None}
    return request


class Meaning(Enum):
    """What an error in an answer leads to."""

    AGAIN = "the request is repeated"
    SEEK = "the coordinator is looked up, and the request is repeated"
    ABORT = "the transaction must be aborted"
    ABORT_AND_RAISE = "the transaction must be aborted, and the epoch raised"
    FATAL = "the producer must be closed"


_COORDINATORS: Mapping[Error, Meaning] = {
    Error.COORDINATOR_NOT_AVAILABLE: Meaning.SEEK,
    Error.NOT_COORDINATOR: Meaning.SEEK,
    Error.TRANSACTION_ABORTABLE: Meaning.ABORT,
}
_IN_TRANSACTION: Mapping[Error, Meaning] = {
    **_COORDINATORS,
    Error.UNKNOWN_PRODUCER_ID: Meaning.ABORT_AND_RAISE,
}
MEANINGS: Mapping[type, Mapping[Error, Meaning]] = {
    FindCoordinatorRequest: {Error.TRANSACTION_ABORTABLE: Meaning.ABORT},
    InitProducerIdRequest: _COORDINATORS,
    AddPartitionsToTxnRequest: {
        **_IN_TRANSACTION,
        Error.INVALID_PRODUCER_EPOCH: Meaning.FATAL,
        Error.PRODUCER_FENCED: Meaning.FATAL,
        Error.INVALID_TXN_STATE: Meaning.FATAL,
        Error.INVALID_PRODUCER_ID_MAPPING: Meaning.FATAL,
    },
    AddOffsetsToTxnRequest: _IN_TRANSACTION,
    TxnOffsetCommitRequest: {
        **_COORDINATORS,
        Error.REQUEST_TIMED_OUT: Meaning.SEEK,
        Error.FENCED_INSTANCE_ID: Meaning.ABORT,
        Error.UNKNOWN_MEMBER_ID: Meaning.ABORT,
        Error.ILLEGAL_GENERATION: Meaning.ABORT,
        Error.STALE_MEMBER_EPOCH: Meaning.ABORT,
    },
    EndTxnRequest: _IN_TRANSACTION,
}


def meaning(request: type, error: Error) -> Meaning:
    """What an error means in the answer to a kind of request."""
    known = MEANINGS[request].get(error)
    if known is not None:
        return known
    if error.retriable:
        return Meaning.AGAIN
    # What nobody expects of a partition is not held against the whole producer.
    return Meaning.ABORT if request is AddPartitionsToTxnRequest else Meaning.FATAL


def told(error: Error) -> Error:
    """A coordinator's old word for a fenced producer means the same (KIP-588)."""
    return Error.PRODUCER_FENCED if error is Error.INVALID_PRODUCER_EPOCH else error
