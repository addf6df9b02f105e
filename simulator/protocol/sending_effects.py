"""What a producer's client wants done, as values: its driver sends, and tells the application."""

from typing import Any, NamedTuple

from simulator.errors import KafkaError
from simulator.protocol.accumulator import Destination, PendingBatch
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Record
from simulator.protocol.wire import Happened


class Outgoing:
    """A request that awaits its answer; the driver hands it back with the answer.

    `batches` are those of a ProduceRequest; it is empty in a request for metadata, for an id, or
    about transactions.
    """

    __slots__ = ("batches", "destination", "for_id", "for_transaction")

    def __init__(
        self,
        destination: Destination,
        batches: list[PendingBatch],
        *,
        for_id: bool = False,
        for_transaction: bool = False,
    ) -> None:
        self.destination = destination
        self.batches = batches
        self.for_id = for_id
        self.for_transaction = for_transaction


class Transmit(NamedTuple):
    """Send `body` to `target`; `outgoing` is None when no answer will come (acks=0)."""

    target: str
    body: Any
    outgoing: Outgoing | None


class Acknowledged(NamedTuple):
    """The records of a batch are in the log, from `base_offset` on (-1: nobody said where)."""

    partition: TopicPartition
    base_offset: int
    records: list[Record]
    handles: list[Any]


class Failed(NamedTuple):
    """Records were given up; `definite`: they are certainly not in the log."""

    topic: str
    error: str
    detail: str
    definite: bool
    records: list[Record]
    handles: list[Any]


class Retried(NamedTuple):
    """A batch is sent again; attempt 1 is the first retry."""

    partition: TopicPartition
    records: list[Record]
    attempt: int
    error: str


class Flushed(NamedTuple):
    """Everything handed over before this flush() or close() has ended."""

    handle: Any


class Settled(NamedTuple):
    """A call that concerns transactions returns; with an error, it throws."""

    handle: Any
    error: KafkaError | None


Effect = Transmit | Acknowledged | Failed | Retried | Flushed | Settled | Happened

__all__ = [
    "Acknowledged",
    "Effect",
    "Failed",
    "Flushed",
    "Happened",
    "Outgoing",
    "Retried",
    "Settled",
    "Transmit",
]
