"""A connector that captures a database: commits in, records and offsets out (as Debezium does).

Rule 1: it reads a slot of the database's log, makes records of what was committed, and keeps them
in a queue in its memory. A batch of them is published at a time; what is in the queue counts in
no offset.
Rule 2: an offset is stored every offset.flush.interval.ms, of what was acknowledged; then the slot
is confirmed, so that the database may forget. In this order: a crash in between repeats a suffix
of what was told, in the same order, and never loses anything. `Capture` names the mistakes.
Rule 3: an offset moves with records only. Where no captured table changes, none is stored, and
the database keeps its log for ever, unless heartbeats are sent. A database of the same server
whose changes the slot does not show (`elsewhere`) needs a heartbeat that writes a row of its own.
Rule 4: everything here is soft. A restart reads the stored offset and begins with it.

This is a pure machine: it is told commits, rows, acknowledgements and the time, and answers with
records, offsets and orders. It draws nothing and waits for nothing.

Sources: postgresql.adoc, PostgresStreamingChangeEventSource.java, EventDispatcher.java,
ChangeEventQueue.java, WorkerSourceTask.java, SubmittedRecords.java.

Not modelled: several tasks, transactions of the producer (exactly.once.source.support), streaming
of transactions before they commit.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from simulator.protocol.connector_history import Shape
from simulator.protocol.connector_offsets import Acknowledgements, Offset
from simulator.protocol.connector_records import Outgoing, Recorder, Transaction, dumps
from simulator.protocol.connector_routing import routed
from simulator.protocol.connector_snapshots import AS_DEBEZIUM, Capture, Window
from simulator.protocol.connector_telling import Order, ReadChunk, Telling
from simulator.protocol.outbox_router import OutboxRouter


class Published(NamedTuple):
    """A record to hand to the producer; its number is what its acknowledgement names."""

    number: int
    record: Outgoing


class Connector:
    """One life of a connector's task.

    Args:
        recorder: makes the records.
        name: of this life, for its watermarks.
        offset: the stored one, behind which the stream goes on.
        shapes: the tables' columns there.
        capture: which mistakes it makes.
        router: the outbox router; None: records go out as they are.
        elsewhere: tables of other databases on the same server: the slot does not show them.
    """

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        offset: Offset,
        shapes: Mapping[str, Shape],
        *,
        capture: Capture = AS_DEBEZIUM,
        router: OutboxRouter | None = None,
        elsewhere: Iterable[str] = (),
    ) -> None:
        self.recorder = recorder
        self.settings = recorder.settings
        self.capture = capture
        self.shapes = dict(shapes)
        self.acks = Acknowledgements(capture.acks)
        self.place = offset  # Behind everything that was read, and told or of no interest.
        self.sent: Offset | None = None  # Of the last record that was handed over.
        self.stored: Offset | None = None
        self.queue: deque[tuple[Outgoing, Offset]] = deque()
        self.window = Window(
            name, offset.incremental, self.settings.incremental_snapshot_chunk_size,
            deduplicates=capture.window,
        )  # fmt: skip
        self._router = router
        self._elsewhere = frozenset(elsewhere)
        self._resumed = offset
        self._numbers = 0
        self._beats = 0
        self._told: Offset | None = None  # Behind the last record that is no heartbeat.
        self._held: Outgoing | None = None  # The snapshot's last row, until it is known to be.

    # --- Snapshots -------------------------------------------------------------------------

    def read_row(self, table: str, key: Any, value: Any, at: Transaction, now_us: int) -> None:
        """A row that the initial snapshot read, at the position `at`."""
        self._release(Offset(lsn=at.lsn, snapshotting=True))
        shape = self.shapes.get(table, ())
        captured = self.recorder.tables[table]
        self._held = self.recorder.read(
            captured, key, value, at, shape=shape, snapshot="true", now_us=now_us
        )

    def snapshot_read(self, lsn: int) -> None:
        """The initial snapshot has read everything: the stream goes on behind `lsn`."""
        self.place = self._resumed = Offset(done=lsn, lsn=lsn)
        self._release(self.place)

    def _release(self, offset: Offset) -> None:
        if self._held is not None:
            self.enqueue(self._held, offset)
            self._held = None

    def enqueue(self, record: Outgoing, offset: Offset) -> None:
        """One more record to publish; the offset is the place behind it."""
        self.queue.append((record, offset))
        self._told = offset

    def read_blocking(self, table: str, key: Any, value: Any, at: Transaction, now_us: int) -> None:
        """A row that a blocking snapshot read; the stream goes on where it stood."""
        shape = self.shapes.get(table, ())
        captured = self.recorder.tables[table]
        row = self.recorder.read(
            captured, key, value, at, shape=shape, snapshot="blocking", now_us=now_us
        )
        self.enqueue(row, self.place)

    def resume_chunks(self) -> tuple[Order, ...]:
        """What is to be read first, if a restart found an incremental snapshot under way."""
        return () if self.window.state is None else (self.next_chunk(),)

    def chunk(self, rows: Iterable[tuple[Any, Any]], most: Any) -> None:
        """What ReadChunk asked for: (key, value) in order of keys, and the largest key."""
        self.window.chunk(rows, most)

    def next_chunk(self) -> ReadChunk:
        """What is to be read of the incremental snapshot now."""
        state = self.window.state
        assert state is not None, "there is a chunk where there is a snapshot"
        opens, closes = self.window.marks
        limit = self.settings.incremental_snapshot_chunk_size
        return ReadChunk(state.tables[0], state.last, state.most, limit, opens, closes)

    # --- The stream --------------------------------------------------------------------------

    @property
    def wants(self) -> int:
        """How many more events the queue takes; a transaction is taken whole, once begun."""
        return max(0, self.settings.max_queue_size - len(self.queue))

    def committed(self, commit: Any, now_us: int) -> tuple[Order, ...]:
        """A transaction from the slot; the answer is to be carried out before the next is told.

        commit: lsn, xid, at_us, and changes with table, key, before, after and op.

        Raises:
            BadInput: a row does not fit its table's shape.
        """
        skipped = self._skipped(commit)
        if skipped is None:
            return ()
        if commit.changes and all(one.table in self._elsewhere for one in commit.changes):
            return ()
        telling = Telling(self, commit, skipped, now_us)
        for number, change in enumerate(commit.changes):
            telling.change(number, change)
        telling.end()
        return tuple(telling.orders)

    def _skipped(self, commit: Any) -> int | None:
        """How many changes were told before the restart; None: all."""
        resumed, resume = self._resumed, self.capture.resume
        if commit.lsn <= resumed.done:
            return None
        if resume == "lsn" and commit.lsn <= resumed.lsn:
            return None
        if resume == "xid" and commit.xid <= resumed.xid:
            return None
        return resumed.events if commit.lsn == resumed.lsn else 0

    # --- Publishing --------------------------------------------------------------------------

    def batch(self, now_us: int) -> list[Published]:
        """Take the next batch out of the queue, routed, and count it as handed over.

        Raises:
            BadInput: the outbox router cannot make a record of one; the task fails.
        """
        found: list[Published] = []
        for _ in range(min(self.settings.max_batch_size, len(self.queue))):
            record, offset = self.queue.popleft()
            number = self._numbers
            self._numbers += 1
            self.acks.sent(number, offset)
            self.sent = offset
            if self._router is not None:
                outgoing = routed(self._router, record, now_us)
                if outgoing is None:  # Dropped: as good as acknowledged.
                    self.acks.acknowledged(number)
                    continue
                record = outgoing
            if isinstance(record.value, Mapping):
                record = record._replace(value=dumps(record.value))
            found.append(Published(number, record))
        return found

    def acknowledged(self, number: int) -> None:
        """A record lies in its topic."""
        self.acks.acknowledged(number)

    def beat(self, now_us: int) -> None:
        """It is time for a heartbeat: it goes behind all that was read."""
        self._beats += 1
        self.queue.append((self.recorder.heartbeat(now_us, self._beats), self.place))

    # --- Offsets -----------------------------------------------------------------------------

    def to_flush(self) -> Offset | None:
        """The offset to store now; None: nothing new."""
        match self.capture.flush:
            case "sent":
                offset = self.sent
            case "read":
                offset = self.place if self.queue or self.sent is not None else None
            case _:
                offset = self.acks.last
        return None if offset == self.stored else offset

    def flushed(self, offset: Offset) -> int | None:
        """The offset is stored; up to which LSN to confirm the slot, if at all."""
        self.stored = offset
        return offset.done or None

    @property
    def idle(self) -> bool:
        """Whether all that was read is published, acknowledged and, but for heartbeats, stored."""
        if self.window.state is not None or self._held is not None:
            return False
        if self.queue or len(self.acks):
            return False
        if self._told is None:
            return True
        return self.stored is not None and self.stored.place >= self._told.place
