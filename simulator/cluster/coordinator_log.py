"""Where a coordinator writes: one partition of an internal topic that its broker leads.

1. Facts are appended as one batch. They count when they are committed: below the high watermark,
   which is at once where there is one replica. Whoever waits for that is told in the log's order.
2. Who begins to lead such a partition reads it from its start, and is the coordinator of all that
   stands in it; who ceases to lead it forgets, and whatever waits to be committed is refused.
   What it has read and is not known to be committed is answered for when it is.
3. A partition that is not there is made when somebody looks for his coordinator; until then he is
   told that there is none (COORDINATOR_NOT_AVAILABLE), and tries again.

Sources: CoordinatorRuntime.java, CoordinatorLoaderImpl.java, DefaultAutoTopicCreationManager.scala.

Not modelled: reading takes no time (COORDINATOR_LOAD_IN_PROGRESS is never answered);
group.coordinator.append.linger.ms: every append is a batch of its own; what is appended and cannot
be committed stays in the coordinator's memory until another broker leads, where Kafka also serves
reads from what is committed alone (here their answers wait for it).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from simulator.protocol import replica_messages as rm
from simulator.protocol.coordinator_records import Entry, decode, encode
from simulator.protocol.errors import Error
from simulator.protocol.group_state import TransactionEnded
from simulator.protocol.messages import TxnMarker
from simulator.protocol.names import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TopicPartition
from simulator.protocol.packed import unpacked
from simulator.protocol.records import Batch, marker_batch

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.protocol.journal import Journal
    from simulator.protocol.replication import Replica

_NONE = Error.NONE
Done = Callable[[Error], None]
Elected = Callable[["CoordinatorLog"], None]
Resigned = Callable[[TopicPartition], None]
NO_PRODUCER = (NO_PRODUCER_ID, NO_PRODUCER_EPOCH)


class CoordinatorLog(Protocol):
    """One partition, as its coordinator has it.

    Attributes:
        where: which one.
        epoch: the leader epoch in which its coordinator stands for it.
        alone: whether there is one replica, so that an append counts at once.
    """

    where: TopicPartition
    epoch: int
    alone: bool

    def read(self) -> Iterable[Entry]:
        """All of it, in order: whose each fact is (a group's id, or ""), and the fact.

        The end of a transaction that wrote here stands as ("", TransactionEnded).
        """

    def append(
        self, entries: Iterable[Entry], done: Done, producer: tuple[int, int] = NO_PRODUCER
    ) -> Error:
        """Append facts; NONE: `done` hears whether they are committed, perhaps at once.

        Otherwise nothing was written, and `done` hears nothing. producer: the id and epoch of
        whose transaction they are part.
        """

    def mark(self, marker: TxnMarker, done: Done) -> Error:
        """Append the end of a transaction, as `append` does facts."""

    def settle(self, done: Done) -> None:
        """Tell `done` when all that was appended so far is committed, perhaps at once."""

    def compact(self, entries: Iterable[Entry]) -> None:
        """Keep these instead of all that was read and appended, where the log is of one's own."""


# --- Without a controller ------------------------------------------------------------------------


class LocalLog:
    """A partition without replicas: a journal on the broker's disk."""

    __slots__ = ("alone", "epoch", "journal", "where")

    def __init__(self, where: TopicPartition, journal: "Journal") -> None:
        self.where = where
        self.epoch = 0
        self.alone = True
        self.journal = journal

    def read(self) -> Iterable[Entry]:
        """See CoordinatorLog."""
        return tuple(self.journal.facts)

    def append(
        self, entries: Iterable[Entry], done: Done, producer: tuple[int, int] = NO_PRODUCER
    ) -> Error:
        """See CoordinatorLog; it counts at once."""
        del producer  # A journal has no producers.
        self.journal.facts.extend(entries)
        done(_NONE)
        return _NONE

    def mark(self, marker: TxnMarker, done: Done) -> Error:
        """See CoordinatorLog."""
        ended = TransactionEnded(marker.producer_id, marker.producer_epoch, marker.result)
        return self.append((("", ended),), done)

    def settle(self, done: Done) -> None:
        """See CoordinatorLog."""
        done(_NONE)

    def compact(self, entries: Iterable[Entry]) -> None:
        """See CoordinatorLog."""
        self.journal.facts[:] = entries
        self.journal.flush()  # The cleaner flushes what it writes (Cleaner.cleanSegments).


class LocalLogs:
    """The coordinators' partitions of a broker in a cluster in which nothing moves."""

    def __init__(self, broker: "Broker") -> None:
        self._node = broker.node
        self._layout = broker.layout
        self._elected: dict[str, Elected] = {}
        self._logs: dict[TopicPartition, LocalLog] = {}

    def watch(self, topic: str, elected: Elected, _resigned: Resigned) -> None:
        """Be told of the partitions of a topic that this broker has; at once of those there are."""
        self._elected[topic] = elected
        for name in self._node.disk.names():
            begin, _, number = name.rpartition("-")
            if begin == topic:
                self.of(topic, int(number))

    def of(self, topic: str, partition: int) -> LocalLog | None:
        """A partition; None: another broker leads it."""
        where = TopicPartition(topic, partition)
        log = self._logs.get(where)
        if log is None:
            if self._layout.coordinator_at(where) != self._node.name:
                return None
            journal = self._node.disk.journal(f"{topic}-{partition}")
            log = self._logs[where] = LocalLog(where, journal)
            self._elected[topic](log)
        return log

    def find(self, where: TopicPartition) -> tuple[Error, str]:
        """Who leads a partition, for whoever looks for his coordinator."""
        return _NONE, self._layout.coordinator_at(where)


# --- With a controller ---------------------------------------------------------------------------


class ReplicatedLog:
    """A partition as its leader has it: what is appended is committed when replicas have it."""

    __slots__ = ("_logs", "_mark", "_replica", "_tells", "_waiting", "alone", "epoch", "where")

    def __init__(self, logs: "ReplicatedLogs", where: TopicPartition, replica: "Replica") -> None:
        self.where = where
        self.epoch = replica.leader_epoch
        self.alone = False
        self._logs = logs
        self._replica = replica
        self._waiting: deque[tuple[int, Done]] = deque()  # Up to which offset, and who waits.
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
        records = tuple(record for entry in entries for record in encode(entry))
        if not records:  # A commit of no offsets.
            self.settle(done)
            return _NONE
        producer_id, epoch = producer
        batch = Batch(
            records,
            producer_id=producer_id,
            producer_epoch=epoch,
            transactional=producer_id != NO_PRODUCER_ID,
        )
        return self._write(batch, done)

    def mark(self, marker: TxnMarker, done: Done) -> Error:
        """See CoordinatorLog."""
        producer_id, epoch, result, _, coordinator_epoch = marker
        return self._write(marker_batch(producer_id, epoch, result, coordinator_epoch), done)

    def _write(self, batch: Batch, done: Done) -> Error:
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
        waiting = self._waiting
        while waiting and waiting[0][0] <= self._mark:
            waiting.popleft()[1](_NONE)
        self._tells = False

    def close(self) -> None:
        """Another broker leads now."""
        waiting, self._waiting = self._waiting, deque()
        for _, done in waiting:
            done(Error.NOT_COORDINATOR)

    def compact(self, entries: Iterable[Entry]) -> None:
        """Nothing: the cleaner does that."""


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
            del self._logs[where]
            self._watching[where.topic][1](where)
            log.close()
            log = None
        if leads and log is None:
            log = self._logs[where] = ReplicatedLog(self, where, replica)
            self._watching[where.topic][0](log)

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
