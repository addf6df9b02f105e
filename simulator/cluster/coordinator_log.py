"""Where a coordinator writes: one partition of an internal topic that its broker leads.

1. Facts are appended as one batch. They count when they are committed: below the high watermark,
   which is at once where there is one replica. Whoever waits for that is told in the log's order.
2. In a cluster without a controller nothing moves, and a partition is a journal on its broker's
   disk, to which every append is written at once. With one it is a replicated log.

Sources: CoordinatorRuntime.java.

Not modelled: without a controller group.coordinator.append.linger.ms does not count.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from simulator.protocol.coordinator_records import Entry
from simulator.protocol.errors import Error
from simulator.protocol.group_state import TransactionEnded
from simulator.protocol.messages import TxnMarker
from simulator.protocol.names import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TopicPartition

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.protocol.journal import Journal

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
