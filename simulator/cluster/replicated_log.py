"""A coordinator's partition with replicas: what is appended counts when they have it.

1. Who begins to lead such a partition reads it from its start, and is the coordinator of all that
   stands in it; who ceases to lead it forgets, and whatever waits to be committed is refused.
   What it has read and is not known to be committed is answered for when it is.
2. Groups' facts are gathered for group.coordinator.append.linger.ms, and are written as one batch
   then, or as soon as no more fits into it; what belongs to a transaction is not. They are true for
   the coordinator before they are written: if the log refuses them then, it reads it again.
3. A partition that is not there is made when somebody looks for his coordinator; until then he is
   told that there is none (COORDINATOR_NOT_AVAILABLE), and tries again.

Sources: CoordinatorRuntime.java, CoordinatorLoaderImpl.java, DefaultAutoTopicCreationManager.scala.

Not modelled: reading takes no time (COORDINATOR_LOAD_IN_PROGRESS is never answered); what the log
would refuse at once is not gathered; a coordinator whose gathered facts are refused turns its
members away as if another broker led, where Kafka takes back these facts alone; what is appended
and cannot be committed stays in the coordinator's memory until another broker leads, where Kafka
also serves reads from what is committed alone (here their answers wait for it).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinator_log import NO_PRODUCER, Done, Elected, Resigned
from simulator.cluster.internal_topics import OFFSETS
from simulator.protocol import replica_messages as rm
from simulator.protocol.coordinator_records import Entry, decode, encode
from simulator.protocol.errors import Error
from simulator.protocol.group_state import TransactionEnded
from simulator.protocol.messages import TxnMarker
from simulator.protocol.names import MICROS_PER_MS, NO_PRODUCER_ID, TopicPartition
from simulator.protocol.packed import unpacked
from simulator.protocol.records import (
    BATCH_OVERHEAD_BYTES,
    Batch,
    Record,
    marker_batch,
    record_bytes,
)

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.protocol.replication import Replica
    from simulator.world.kernel import Timer as KernelTimer

_NONE = Error.NONE


class ReplicatedLog:
    """A partition as its leader has it: what is appended is committed when replicas have it."""

    __slots__ = (
        "_gathered",
        "_linger_us",
        "_logs",
        "_mark",
        "_replica",
        "_size",
        "_tells",
        "_timer",
        "_waiting",
        "alone",
        "epoch",
        "where",
    )

    def __init__(
        self, logs: "ReplicatedLogs", where: TopicPartition, replica: "Replica", linger_us: int
    ) -> None:
        self.where = where
        self.epoch = replica.leader_epoch
        self.alone = False
        self._logs = logs
        self._replica = replica
        self._waiting: deque[tuple[int, Done]] = deque()  # Up to which offset, and who waits.
        self._linger_us = linger_us
        self._gathered: list[Record] = []
        self._size = 0  # In bytes.
        self._timer: KernelTimer | None = None
        log = replica.log
        self._mark = log.high_watermark
        self._tells = False
        if self._mark < log.log_end_offset:  # It is read too, and may be lost yet.
            self._waiting.append((log.log_end_offset, _nobody))

    def read(self) -> Iterator[Entry]:
        """See CoordinatorLog."""
        for batch in self._replica.log.journal.facts:
            if batch.control:
                yield "", TransactionEnded(batch.producer_id, batch.producer_epoch, batch.control)
                continue
            for record in unpacked(batch).records:
                if record is not None:  # A hole, where the cleaner was.
                    yield decode(record)

    def append(
        self, entries: Iterable[Entry], done: Done, producer: tuple[int, int] = NO_PRODUCER
    ) -> Error:
        """See CoordinatorLog."""
        records = [record for entry in entries for record in encode(entry)]
        if not records:  # A commit of no offsets.
            self.settle(done)
            return _NONE
        producer_id, epoch = producer
        if self._linger_us and producer_id == NO_PRODUCER_ID:
            return self._gather(records, done)
        batch = Batch(
            tuple(records),
            producer_id=producer_id,
            producer_epoch=epoch,
            transactional=producer_id != NO_PRODUCER_ID,
        )
        return self._write(batch, done)

    def mark(self, marker: TxnMarker, done: Done) -> Error:
        """See CoordinatorLog."""
        producer_id, epoch, result, _, coordinator_epoch = marker
        return self._write(marker_batch(producer_id, epoch, result, coordinator_epoch), done)

    def _gather(self, records: list[Record], done: Done) -> Error:
        """Write them with what comes in the next milliseconds (CoordinatorRuntime.append)."""
        replica, gathered = self._replica, self._gathered
        size = sum(map(record_bytes, records))
        error = _refusal(replica, size + BATCH_OVERHEAD_BYTES)
        if error is not None:
            return error
        if gathered and _refusal(replica, self._size + size) is not None and not self.flush():
            return Error.NOT_COORDINATOR
        if not gathered:
            self._size = BATCH_OVERHEAD_BYTES
            self._timer = self._logs.after(self._linger_us, self._time_up)
        gathered += records
        self._size += size
        self._waiting.append((replica.log.log_end_offset + len(gathered), done))
        return _NONE

    def _time_up(self, _: Any) -> None:
        self.flush()

    def flush(self) -> bool:
        """Write what was gathered; whether this is still the log of its coordinator."""
        gathered, log = self._gathered, self._replica.log
        if not gathered:
            return True
        batch = Batch(tuple(gathered))
        gathered.clear()
        if self._timer is not None:
            self._timer.cancel()
        error = self._logs.write(self.where, batch)
        if error is _NONE:
            return True
        # They are true for the coordinator, and will never be in the log.
        refused = [done for offset, done in self._waiting if offset > log.log_end_offset]
        self._waiting = deque(one for one in self._waiting if one[0] <= log.log_end_offset)
        self._logs.read_again(self.where)
        for done in refused:
            done(error)
        return False

    def _write(self, batch: Batch, done: Done) -> Error:
        if not self.flush():
            return Error.NOT_COORDINATOR
        error = self._logs.write(self.where, batch)
        if error is not _NONE:
            return error
        log = self._replica.log
        # Behind whoever waits: he is about to be told (see `committed`).
        if not self._waiting and log.high_watermark >= log.log_end_offset:
            done(_NONE)
        else:
            self._waiting.append((log.log_end_offset, done))
        return _NONE

    def settle(self, done: Done) -> None:
        """See CoordinatorLog."""
        if self._waiting:
            self._waiting.append((self._waiting[-1][0], done))
        else:
            done(_NONE)

    def committed(self, high_watermark: int) -> None:
        """The mark has moved.

        Who is told may answer, and so let a request in whose append moves the mark again. The
        others hear of it when that append is done: else what they let in would be decided before
        what was appended earlier counts.
        """
        self._mark = high_watermark
        if self._tells:
            return
        self._tells = True
        while self._waiting and self._waiting[0][0] <= self._mark:  # `close` may end it.
            self._waiting.popleft()[1](_NONE)
        self._tells = False

    def close(self) -> None:
        """Another broker leads now, or this one reads it again."""
        self._gathered.clear()
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, deque()
        for _, done in waiting:
            done(Error.NOT_COORDINATOR)

    def compact(self, entries: Iterable[Entry]) -> None:
        """Nothing: the cleaner does that."""


def _refusal(replica: "Replica", size: int) -> Error | None:
    """Why a coordinator's batch of so many bytes would be refused now."""
    leading = replica.leading
    if leading is None:
        return Error.NOT_LEADER_OR_FOLLOWER
    if len(leading.isr) < leading.min_isr:
        return Error.NOT_ENOUGH_REPLICAS
    return Error.MESSAGE_TOO_LARGE if size > replica.log.config.max_message_bytes else None


def _nobody(_: Error) -> None:
    """Whoever wrote it has led before, and hears nothing."""


class ReplicatedLogs:
    """The coordinators' partitions that a broker leads, by the controller's word."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._layout = broker.layout
        self._watching: dict[str, tuple[Elected, Resigned]] = {}
        self._logs: dict[TopicPartition, ReplicatedLog] = {}
        self._asked: dict[TopicPartition, None] = {}
        linger_ms = broker.layout.settings.group.group_coordinator_append_linger_ms
        self._linger_us = {OFFSETS: linger_ms * MICROS_PER_MS}
        self.after = broker.node.after

    def watch(self, topic: str, elected: Elected, resigned: Resigned) -> None:
        """Be told when this broker begins or ceases to lead a partition of a topic."""
        self._watching[topic] = (elected, resigned)

    def of(self, topic: str, partition: int) -> ReplicatedLog | None:
        """A partition that this broker leads, or None."""
        return self._logs.get(TopicPartition(topic, partition))

    def told(self, where: TopicPartition, replica: "Replica") -> None:
        """The controller has said something of a replica of a coordinators' partition."""
        log = self._logs.get(where)
        leads = replica.leading is not None
        if log is not None and not (leads and log.epoch == replica.leader_epoch):
            self._close(where, log)
            log = None
        if leads and log is None:
            self._open(where, replica)

    def _open(self, where: TopicPartition, replica: "Replica") -> None:
        linger_us = self._linger_us.get(where.topic, 0)
        log = self._logs[where] = ReplicatedLog(self, where, replica, linger_us)
        self._watching[where.topic][0](log)

    def _close(self, where: TopicPartition, log: ReplicatedLog) -> None:
        del self._logs[where]
        self._watching[where.topic][1](where)
        log.close()

    def read_again(self, where: TopicPartition) -> None:
        """What stands in a partition is not what its coordinator believes."""
        replicas = self._broker.replicas
        assert replicas is not None, "a cluster with a controller has replicas"
        self._close(where, self._logs[where])
        replica = replicas.replicas.get(where)
        if replica is not None and replica.leading is not None:
            self._open(where, replica)

    def moved(self, where: TopicPartition, high_watermark: int) -> None:
        """The high watermark of a coordinators' partition has moved."""
        log = self._logs.get(where)
        if log is not None:
            log.committed(high_watermark)

    def write(self, where: TopicPartition, batch: Batch) -> Error:
        """Append a coordinator's batch to what this broker leads; NONE, or why not."""
        replicas = self._broker.replicas
        assert replicas is not None, "a cluster with a controller has replicas"
        return replicas.write(where, batch)

    # --- Who is where ----------------------------------------------------------------------------

    def find(self, where: TopicPartition) -> tuple[Error, str]:
        """Who leads a partition, for whoever looks for his coordinator; perhaps it is made now."""
        replicas = self._broker.replicas
        assert replicas is not None, "a cluster with a controller has replicas"
        known = replicas.image.partitions.get(where)
        if known is None:
            self._make(where)
        elif known.leader in replicas.image.alive:
            return _NONE, known.leader
        return Error.COORDINATOR_NOT_AVAILABLE, ""

    def _make(self, where: TopicPartition) -> None:
        """Ask the controller for a partition, unless it was asked and has not answered."""
        if where in self._asked:
            return
        layout, replicas = self._layout, self._broker.replicas
        assert replicas is not None, "a cluster with a controller has replicas"
        self._asked[where] = None
        internal, settings = layout.settings.internal, layout.topic_settings(where.topic)
        body = rm.CreateInternalPartitionRequest(
            where,
            internal.partitions(where.topic),
            internal.replication_factor(where.topic, len(layout.brokers)),
            settings.min_insync_replicas,
            settings.unclean_leader_election_enable,
        )

        def answered(_: Any) -> None:
            self._asked.pop(where, None)

        replicas.lifecycle.ask_controller(body, answered, "topics")
