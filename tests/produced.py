"""A producer's client driven by hand: its brokers are logs, and the wire is a list to look at."""

from collections import deque
from typing import Any

from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.log import LogConfig
from simulator.protocol.messages import (
    InitProducerIdRequest,
    InitProducerIdResponse,
    MetadataRequest,
    MetadataResponse,
    PartitionMetadata,
    PartitionProduced,
    ProduceRequest,
    ProduceResponse,
    TopicMetadata,
)
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.producer_settings import producer_settings
from simulator.protocol.records import Record
from simulator.protocol.sending import Sending
from simulator.protocol.sending_effects import Acknowledged, Failed, Flushed, Retried, Transmit
from simulator.protocol.variant import PRESENT, Variant


class Bench:
    """One client, some brokers, one clock.

    Requests stand in `wire[broker]`, in their order, as [outgoing, body, answer]; the answer is
    None until the broker has worked on it. With `handshake`, metadata and ids are told at once.
    Settings that a test does not name are Kafka's, but linger.ms=0.
    """

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        *,
        topics: dict[str, int] | None = None,
        brokers: int = 1,
        handshake: bool = True,
        config: LogConfig | None = None,
        draw: Any = None,
        pick: Any = None,
        variant: Variant = PRESENT,
    ) -> None:
        self.now_us = 0
        self.handshake = handshake
        self.brokers = tuple(f"b{number}" for number in range(brokers))
        self.wire: dict[str, deque[list[Any]]] = {name: deque() for name in self.brokers}
        self.acked: list[tuple[str, int, int]] = []  # event id, partition, offset
        self.failed: list[tuple[str, str, bool]] = []  # event id, error, definite
        self.retried: list[tuple[str, ...]] = []
        self.flushed: list[Any] = []
        self.asked: list[str] = []  # Names of all requests, in order.
        self.logs: dict[TopicPartition, Partition] = {}
        self.leaders: dict[TopicPartition, str] = {}
        self.epochs: dict[TopicPartition, int] = {}
        self.ids = 7_000
        self.waits: list[tuple[int, int]] = []
        self.draw = draw or (lambda least, most: least)
        self.config = config or LogConfig()
        for topic, partitions in (topics if topics is not None else {"t": 1}).items():
            for number in range(partitions):
                self.add(TopicPartition(topic, number))
        self.machine = Sending(
            producer_settings({"linger.ms": 0, **(settings or {})}),
            self.brokers,
            pick=pick or (lambda topic, options: 0),
            between=self._between,
            variant=variant,
        )

    def add(self, where: TopicPartition) -> None:
        """One more partition."""
        journal = Journal(str(where))
        self.logs[where] = Partition(where, journal, self.config)
        self.leaders[where] = self.brokers[where.partition % len(self.brokers)]
        self.epochs[where] = 0

    def move(self, where: TopicPartition, broker: str) -> None:
        """Another broker leads it now; its log went along."""
        self.leaders[where] = broker
        self.epochs[where] += 1

    def _between(self, least: int, most: int) -> int:
        self.waits.append((least, most))
        return self.draw(least, most)

    # --- The application -----------------------------------------------------------------------

    def send(self, *values: str, partition: int | None = None, topic: str = "t") -> None:
        """Hand records over; a record's value is its event id, and its key, too."""
        for value in values:
            record = Record(None if partition is not None else value, value, value, self.now_us)
            self.machine.send(topic, partition, record, value, self.now_us)
            self.carry_out()

    def put(self, value: str, key: str | None = None, topic: str = "t") -> None:
        """Hand one record over that names no partition."""
        record = Record(key, value, value, self.now_us)
        self.machine.send(topic, None, record, value, self.now_us)
        self.carry_out()

    def flush(self, handle: Any = "flush") -> None:
        self.machine.flush(handle, self.now_us)
        self.carry_out()

    def wait(self, ms: int) -> None:
        """Let time pass; the machine is woken when it asked to be."""
        until_us = self.now_us + ms * 1_000
        for _ in range(100_000):
            if self.machine.wake_us > until_us:
                break
            self.now_us = max(self.now_us, self.machine.wake_us)
            self.machine.wake(self.now_us)
            assert self.machine.wake_us > self.now_us, "it would be woken for ever"
            self.carry_out()
        self.now_us = until_us

    # --- The brokers ---------------------------------------------------------------------------

    def carry_out(self) -> None:
        while effects := self.machine.take_effects():
            for effect in effects:
                self._do(effect)

    def _do(self, effect: Any) -> None:
        match effect:
            case Transmit(target, body, outgoing):
                self.asked.append(type(body).__name__)
                if outgoing is None:
                    self.work(body)
                elif self.handshake and not isinstance(body, ProduceRequest):
                    self.machine.answered(outgoing, self.work(body), self.now_us)
                else:
                    self.wire[target].append([outgoing, body, None])
            case Acknowledged(where, base, records, handles):
                assert [record.event_id for record in records] == handles
                step = 1 if base >= 0 else 0
                for number, record in enumerate(records):
                    self.acked.append((record.event_id, where.partition, base + step * number))
            case Failed(_, error, _, definite, records, _):
                self.failed.extend((record.event_id, error, definite) for record in records)
            case Retried(_, records, _, _):
                self.retried.append(tuple(record.event_id for record in records))
            case Flushed(handle):
                self.flushed.append(handle)

    def work(self, body: Any) -> Any:
        """What a broker answers, having done it."""
        match body:
            case MetadataRequest(topics):
                assert topics is not None
                return MetadataResponse(self.brokers, tuple(map(self._topic, topics)))
            case InitProducerIdRequest():
                self.ids += 1
                return InitProducerIdResponse(Error.NONE, self.ids, 0)
            case ProduceRequest(_, _, batches):
                return ProduceResponse(tuple(self._append(*one) for one in batches))
        raise AssertionError(body)

    def _topic(self, topic: str) -> TopicMetadata:
        found = tuple(self._leader(where) for where in self.logs if where.topic == topic)
        error = Error.NONE if found else Error.UNKNOWN_TOPIC_OR_PARTITION
        return TopicMetadata(topic, error, found)

    def _leader(self, where: TopicPartition) -> PartitionMetadata:
        return PartitionMetadata(where, self.leaders[where], self.epochs[where])

    def _append(self, where: TopicPartition, batch: Any) -> PartitionProduced:
        fact, answer = self.logs[where].decide_append(batch, self.now_us)
        if fact is not None:
            self.logs[where].apply(fact)
        return answer

    def take_in(self, broker: str = "b0") -> None:
        """The broker works on its oldest request; the answer does not leave yet."""
        entry = next(entry for entry in self.wire[broker] if entry[2] is None)
        entry[2] = self.work(entry[1])

    def serve(self, broker: str = "b0", times: int = 1) -> None:
        """The oldest request is worked on, unless it was, and answered."""
        for _ in range(times):
            entry = self.wire[broker].popleft()
            answer = entry[2] if entry[2] is not None else self.work(entry[1])
            self.machine.answered(entry[0], answer, self.now_us)
            self.carry_out()

    def settle(self, limit: int = 1_000) -> None:
        """Serve everything, and let time pass for what waits, until the client is idle."""
        for _ in range(limit):
            busy = [name for name in self.brokers if self.wire[name]]
            for name in busy:
                self.serve(name)
            if not busy:
                if self.machine.idle:
                    return
                self.wait(max(0, self.machine.wake_us - self.now_us) // 1_000 + 1)
        raise AssertionError("it does not come to rest")

    def refuse(self, error: Error, broker: str = "b0", *, telling: bool = False) -> None:
        """The oldest request is answered with an error, without having been worked on.

        `telling`: the broker knows who leads by now, and says so.
        """
        places = [where for where, _ in self.wire[broker][0][1].batches]
        leaders = tuple(map(self._leader, places)) if telling else ()
        self._refuse_with(error, broker, leaders=leaders)

    def deny(self, log_start_offset: int, broker: str = "b0") -> None:
        """The oldest request is answered by a broker that does not know the producer."""
        self._refuse_with(Error.UNKNOWN_PRODUCER_ID, broker, log_start_offset)

    def _refuse_with(
        self,
        error: Error,
        broker: str,
        log_start_offset: int = UNKNOWN_OFFSET,
        leaders: tuple[PartitionMetadata, ...] = (),
    ) -> None:
        outgoing, body, _ = self.wire[broker].popleft()
        results = tuple(
            PartitionProduced(where, error, UNKNOWN_OFFSET, log_start_offset)
            for where, _ in body.batches
        )
        self.machine.answered(outgoing, ProduceResponse(results, leaders), self.now_us)
        self.carry_out()

    def disconnect(self, broker: str = "b0") -> None:
        """Nothing in flight to the broker will be answered."""
        lost, self.wire[broker] = self.wire[broker], deque()
        for outgoing, _, _ in lost:
            self.machine.answered(outgoing, None, self.now_us)
            self.carry_out()

    # --- What can be seen ----------------------------------------------------------------------

    def log(self, partition: int = 0, topic: str = "t") -> list[str]:
        """The event ids in a partition, in order."""
        batches = self.logs[TopicPartition(topic, partition)].log.journal.facts
        return [record.event_id for batch in batches for record in batch.records]

    def on_wire(self, broker: str = "b0") -> list[list[tuple[str, ...]]]:
        """The event ids of each batch of each request in flight."""
        return [
            [tuple(record.event_id for record in batch.records) for _, batch in body.batches]
            for _, body, _ in self.wire[broker]
        ]

    def numbers(self, broker: str = "b0") -> list[tuple[int, int]]:
        """(epoch, base sequence) of the first batch of each request in flight."""
        return [
            (body.batches[0][1].producer_epoch, body.batches[0][1].base_sequence)
            for _, body, _ in self.wire[broker]
        ]
