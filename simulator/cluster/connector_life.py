"""One life of a connector's task: how it starts, its snapshots, and the stream.

The stream and the publishing are two processes with the machine's queue between them, as
Debezium's threads are; offsets and heartbeats have timers of their own (`connector_publishing`).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.connector_publishing import Publishing
from simulator.protocol.connector import Connector as Machine
from simulator.protocol.connector_history import Altered, read_altered, shapes_at
from simulator.protocol.connector_offsets import Offset, read_offset
from simulator.protocol.connector_records import Recorder, Transaction
from simulator.protocol.connector_snapshots import Plan, plan
from simulator.protocol.connector_telling import KeepHistory, Order, ReadChunk, ReadTables
from simulator.protocol.store_operations import Insert, Select

if TYPE_CHECKING:
    from simulator.cluster.connector import Connector
    from simulator.cluster.handlers import Steps
    from simulator.world.node import Node

READ_MOST = 1_000  # Commits in one read of the slot.
READ_WAIT_MS = 10_000  # How long such a read waits; the store answers at once when there is one.
REPLAY_POLL_MS = 1_000


class Life:
    """From a start to the next; it dies with its node's incarnation, or by `end`."""

    def __init__(self, connector: "Connector", node: "Node", name: str) -> None:
        self.connector = connector
        self.settings = connector.settings
        self.node = node
        self.name = name
        self.streams = False
        self.read_lsn = 0  # Up to where the slot was read.
        self._context = connector.cluster.context(node)
        self._store = self._context.store(connector.store)
        self.publishing = Publishing(connector, node, self._store)

    def end(self) -> None:
        """Nothing of this life has an effect any more, and the slot has no reader."""
        self.publishing.end()
        self._context.connections.close()

    @property
    def machine(self) -> "Machine | None":
        """The machine, once the stored offset is known."""
        return self.publishing.machine

    # --- Starting ----------------------------------------------------------------------------

    def run(self) -> "Steps":
        """Live; the answer is why the task has nothing more to do."""
        own = self.settings
        stored = yield from self._stored_offset()
        slot = yield self._store.slot(own.slot_name)
        confirmed = None if slot is None or slot.lost else slot.confirmed_lsn
        planned = plan(own.snapshot_mode, own.offset_mismatch_strategy, stored, confirmed)
        if planned.error:
            return self._stop(planned.error)
        if planned.creates and slot is not None:  # What it would need is gone: a new one.
            yield self._store.drop_slot(own.slot_name)
        # A heartbeat amid the snapshot must not look as if it were complete.
        offset = planned.start or Offset(snapshotting=planned.snapshots)
        shapes = yield from self._shapes(planned, offset)
        if shapes is None:
            fix = "rebuild it by snapshot.mode=recovery"
            return self._stop(f"the schema history or its content is missing: {fix}")
        self._begin(offset, shapes)
        if planned.snapshots:
            yield from self._snapshot(planned)
        elif not planned.streams:
            return "initial_only: the snapshot was made before"
        elif planned.creates:
            made = yield self._store.create_slot(own.slot_name)
            self._machine.snapshot_read(made.lsn)
            self.node.record(("noted", "stream begins", f"behind LSN {made.lsn}"))
        elif planned.start is None:
            assert confirmed is not None, "a slot that is not to be created is there"
            self._machine.snapshot_read(confirmed)
        if not planned.streams:
            yield from self.publishing.until_stored()
            return "initial_only: the snapshot is made"
        yield from self._stream()
        return ""

    def _begin(self, offset: Offset, shapes: Mapping[str, tuple[str, ...]]) -> None:
        connector = self.connector
        recorder = Recorder(self.settings, connector.store, connector.tables)
        machine = Machine(
            recorder, self.name, offset, shapes,
            capture=connector.capture, router=connector.router, elsewhere=connector.elsewhere,
        )  # fmt: skip
        self.publishing.start(machine)

    @property
    def _machine(self) -> Machine:
        assert self.machine is not None, "there is a machine once the offset is known"
        return self.machine

    def _stop(self, why: str) -> str:
        self.node.record(("warned", f"{self.connector.name} stops: {why}"))
        return why

    def _stored_offset(self) -> "Steps":
        """The newest offset of this connector in Connect's topic."""
        newest = None
        key = self.publishing.offset_key
        for record in (yield from self._replayed(self.settings.offset_storage_topic)):
            if record.key == key and record.value is not None:
                newest = read_offset(record.value)
        return newest

    def _replayed(self, topic: str) -> "Steps":
        """Everything in a topic of one partition, to the end that it has now."""
        consumer = self.connector.cluster.consumer(
            self.node, {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )
        where = (topic, 0)
        consumer.assign([where])
        ends = yield consumer.end_offsets([where])
        found = []
        while (consumer.position(where) or 0) < ends[where]:
            found += yield consumer.poll(REPLAY_POLL_MS)
        yield consumer.close()
        return [record for record in found if record.offset < ends[where]]

    # --- Schema history ------------------------------------------------------------------------

    def _shapes(self, planned: Plan, offset: Offset) -> "Steps":
        """The tables' columns where the stream or the snapshot begins; None: nobody knows."""
        topic = self.settings.schema_history_internal_kafka_topic
        known = {table.name: table.columns for table in self.connector.tables.values()}
        if not topic:
            return {**known, **self._columns_now()} if planned.snapshots else known
        recovers = self.settings.snapshot_mode == "recovery"
        if planned.snapshots or planned.start is None or recovers:
            # A query of the catalogue, which takes no time here.
            shapes = {**known, **self._columns_now()}
            for table in self.connector.tables:
                yield from self._keep(Altered(offset.done, table, shapes[table]))
            return shapes
        history = [
            read_altered(record.value) for record in (yield from self._replayed(topic))
        ]
        return shapes_at(history, offset.done, known) if history else None

    def _columns_now(self) -> dict[str, tuple[str, ...]]:
        _, store = self.connector.cluster.store_node(self.connector.store)
        columns = store.machine.columns if store.machine is not None else {}
        return {name: tuple(columns[name]) for name in self.connector.tables if name in columns}

    def _keep(self, altered: Altered) -> "Steps":
        topic = self.settings.schema_history_internal_kafka_topic
        if topic:
            event_id = f"{topic}@{altered.lsn}/{altered.table}"
            yield self.publishing.producer.send(
                topic, altered.to_json(), None, event_id=event_id
            )

    # --- Snapshots -----------------------------------------------------------------------------

    def _snapshot(self, planned: Plan) -> "Steps":
        """Read every captured table, and fix the place in the log behind which to stream."""
        machine, tables = self._machine, tuple(self.connector.tables)
        how = self.connector.capture.snapshot
        self.node.record(("noted", "snapshot begins", ", ".join(tables)))
        if how == "select_first":
            rows = yield from self._select(tables, "")
            yield from self._pass("after_select")
            lsn, _ = yield from self._position(planned)
        else:
            lsn, snapshot = yield from self._position(planned)
            yield from self._pass("after_position")
            rows = yield from self._select(tables, snapshot if how == "atomic" else "")
            yield from self._pass("after_select")
        at = Transaction(lsn, 0, self.node.now_us)
        for table, row in rows:
            yield from self.publishing.room()
            machine.read_row(table, row.key, row.value, at, self.node.now_us)
            self.publishing.notify()
        machine.snapshot_read(lsn)
        self.publishing.notify()
        self.node.record(("noted", "snapshot read", f"{len(rows)} rows as of LSN {lsn}"))

    def _position(self, planned: Plan) -> "Steps":
        """A place in the log, and the name of the view that belongs to it."""
        name = self.settings.slot_name
        if planned.creates:
            made = yield self._store.create_slot(name)
            return made.lsn, made.snapshot
        # The slot stays where it is; one that lives for this moment says where the log is.
        if (yield self._store.slot(f"{name}_snapshot")) is not None:
            yield self._store.drop_slot(f"{name}_snapshot")
        made = yield self._store.create_slot(f"{name}_snapshot")
        return made.lsn, made.snapshot

    def _select(self, tables: Iterable[str], snapshot: str) -> "Steps":
        """All rows of the tables: in one view, or, without one, each table when its turn comes."""
        found = []
        if snapshot:
            transaction = yield self._store.begin(isolation="repeatable read", snapshot=snapshot)
            for table in tables:
                (rows,) = yield transaction.run(Select(table))
                found += [(table, row) for row in rows]
            yield transaction.rollback()
            temporary = f"{self.settings.slot_name}_snapshot"
            if (yield self._store.slot(temporary)) is not None:
                yield self._store.drop_slot(temporary)
            return found
        for table in tables:
            (rows,) = yield self._store.transact(Select(table))
            found += [(table, row) for row in rows]
        return found

    def _read_chunk(self, order: ReadChunk) -> "Steps":
        """Open the window, read, close the window; meanwhile the stream waits."""
        signals, store = self.settings.signal_data_collection, self._store
        table, after, most = order.table, order.after, order.most
        opened = {"type": "snapshot-window-open", "data": ""}
        yield store.transact(Insert(signals, order.opens, opened, effect=False))
        yield from self._pass("after_open")
        if most is None:
            (rows,) = yield store.transact(Select(table))
            most = rows[-1].key if rows else None

        def wanted(row: Any) -> bool:
            return most is not None and row.key <= most and (after is None or row.key > after)

        (rows,) = yield store.transact(Select(table, where=wanted, limit=order.limit))
        yield from self._pass("after_chunk")
        closed = {"type": "snapshot-window-close", "data": ""}
        yield store.transact(Insert(signals, order.closes, closed, effect=False))
        yield from self._pass("after_close")
        self._machine.chunk([(row.key, row.value) for row in rows], most)

    # --- The stream ------------------------------------------------------------------------------

    def _stream(self) -> "Steps":
        """Read the slot, for ever."""
        machine, store, slot = self._machine, self._store, self.settings.slot_name
        for order in machine.resume_chunks():
            yield from self._carry_out(order)
        self.streams = True
        after = self._begins_after()
        state = yield store.slot(slot)  # What it has confirmed is not given again.
        self.read_lsn = max(after, state.confirmed_lsn if state is not None else 0)
        while True:
            yield from self.publishing.room()
            limit = min(READ_MOST, machine.wants)
            commits = yield store.read_slot(slot, after, limit, READ_WAIT_MS)
            self.publishing.raise_failure()
            for commit in commits:
                yield from self._pass("after_read")
                yield from self.publishing.room()
                for order in machine.committed(commit, self.node.now_us):
                    yield from self._carry_out(order)
                after = self.read_lsn = commit.lsn
                self.publishing.notify()
            if commits and self.connector.capture.confirms == "read":
                yield store.confirm(slot, after)

    def _begins_after(self) -> int:
        """The LSN that the slot is asked for; what was told of the next is skipped later."""
        place = self._machine.place
        return place.lsn if self.connector.capture.resume == "lsn" else place.done

    def _carry_out(self, order: Order) -> "Steps":
        match order:
            case KeepHistory(altered):
                yield from self._keep(altered)
            case ReadTables(tables):
                at = Transaction(self._machine.place.done, 0, self.node.now_us)
                rows = yield from self._select(tables, "")
                for table, row in rows:
                    self._machine.read_blocking(table, row.key, row.value, at, self.node.now_us)
            case ReadChunk():
                yield from self._read_chunk(order)

    def _pass(self, point: str) -> "Steps":
        """A crash point."""
        if not self.node.point(point):
            yield self.node.event()
