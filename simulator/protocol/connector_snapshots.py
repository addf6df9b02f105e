"""Snapshots of a connector: whether to make one at a start, and the window of an incremental one.

Rule 1: snapshot.mode and what is there (a stored offset, the slot) decide at each start what
happens: a snapshot and then the stream, the stream alone, or an error (`plan`).
Rule 2: a slot that is further than the stored offset cannot give what lies between. Unless
offset.mismatch.strategy looks, nobody notices: silent loss (debezium/debezium#3970).
Rule 3: a second snapshot tells what is there, and nothing of what is gone: a row that was told of
before, and deleted while nobody captured (or told, but no offset was stored), stays in every copy
(debezium/debezium#7811 documents it, confluentinc/kafka-connect-jdbc#1502 suffers from it).
Rule 4: an incremental snapshot reads a table chunk by chunk while the stream goes on. Before and
after each chunk a row is inserted into the signal table: the open and the close watermark. Every
key that the stream shows between the two is dropped from the chunk, because what the stream says
of it may be newer; the rest is told as `r` when the window closes.
Rule 5: it goes on, after a restart, behind the last key that was told.

Sources: postgresql.adoc (snapshot.mode, offset.mismatch.strategy), snapshot/mode/*.java,
con-connector-incremental-snapshot.adoc, AbstractIncrementalSnapshotChangeEventSource.java
(deduplicateWindow), DDD-3 of debezium/debezium-design-documents.

Not modelled: snapshots of parts of a table (additional-conditions, surrogate keys), stopping,
pausing and resuming an incremental snapshot by signals.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.connector_offsets import Incremental, Offset
from simulator.protocol.settings import one_of, switch

GONE = (
    "The connector is trying to read the change stream from its stored offset, but this is no "
    "longer available on the server"
)


@attrs.frozen
class Capture:
    """How a connector captures; each value but the first of a field is a known mistake.

    Args:
        snapshot: "atomic": the slot's position and the view that is read belong together.
            "position_first": the view is taken later: rows changed in between are told twice
            (debezium/debezium#6498). "select_first": rows are read, then the position is taken:
            what changes in between is never told.
        window: whether keys that the stream showed are dropped from a chunk; without, old rows
            overwrite new ones, and deleted rows come back.
        flush: which offset is stored: of what is "acknowledged"; of what was "sent", or "read",
            loses the rest at a crash (airbytehq/airbyte#12821).
        acks: "in order": an offset waits for all before it. "any order": it is that of the
            furthest acknowledged record (yugabyte/yugabyte-db#33126).
        resume: where a restart goes on: at the "event" behind the last one told. "lsn": behind
            that event's LSN, so that the rest of its transaction is skipped (debezium#7531,
            #4152). "xid": behind its transaction's id, so that transactions which began before
            and committed later are skipped (debezium#7760).
        confirms: what the slot is told: what is "stored"; or what was "read", so that the slot
            runs ahead of the offset.
    """

    snapshot: str = attrs.field(
        default="atomic", validator=one_of("atomic", "position_first", "select_first")
    )
    window: bool = attrs.field(default=True, validator=switch)
    flush: str = attrs.field(
        default="acknowledged", validator=one_of("acknowledged", "sent", "read")
    )
    acks: str = attrs.field(default="in order", validator=one_of("in order", "any order"))
    resume: str = attrs.field(default="event", validator=one_of("event", "lsn", "xid"))
    confirms: str = attrs.field(default="stored", validator=one_of("stored", "read"))


AS_DEBEZIUM = Capture()


@attrs.frozen
class Plan:
    """What a connector does at its start.

    Attributes:
        snapshots: read all captured tables first.
        streams: read the log, behind the snapshot or from `start` on.
        creates: the slot, which is not there.
        start: where the stream begins; None: where the slot or the snapshot says.
        error: why the task fails instead; "": it does not.
    """

    snapshots: bool = False
    streams: bool = True
    creates: bool = False
    start: Offset | None = None
    error: str = ""


def plan(mode: str, strategy: str, offset: Offset | None, slot: int | None) -> Plan:
    """What snapshot.mode says.

    Args:
        strategy: offset.mismatch.strategy.
        offset: the stored one.
        slot: up to where the slot was confirmed; None: there is no slot.
    """
    complete = offset is not None and not offset.snapshotting
    creates = slot is None
    if mode == "initial_only":
        if complete:
            return Plan(streams=False)
        return Plan(snapshots=True, streams=False, creates=creates)
    if mode == "always" or not complete:
        if mode == "recovery":
            return Plan(error="snapshot.mode=recovery needs a stored offset, and there is none")
        return Plan(snapshots=mode != "no_data", creates=creates)
    assert offset is not None
    if slot is None:
        match mode:
            case "when_needed":
                return Plan(snapshots=True, creates=True)
            case "no_data":
                return Plan(creates=True)  # Wherever the log is now.
        return Plan(error=f"{GONE}: there is no slot. Use snapshot.mode=when_needed")
    return _validated(strategy, mode, offset, slot)


def _validated(strategy: str, mode: str, offset: Offset, slot: int) -> Plan:
    ahead = slot > offset.done
    match strategy:
        case "trust_offset" if ahead:
            if mode == "when_needed":
                return Plan(snapshots=True)
            return Plan(error=f"{GONE}: the slot is at {slot}, the offset at {offset.done}")
        case "trust_slot" if slot != offset.done:
            return Plan(start=Offset(done=slot, lsn=slot))
        case "trust_greater_lsn" if ahead:
            return Plan(start=Offset(done=slot, lsn=slot))
    return Plan(start=offset)


class Window:
    """The incremental snapshot of one connector; `state` is what its offset keeps of it.

    Args:
        name: of this incarnation: watermarks of a former one are not its own.
        deduplicates: whether keys that the stream shows are dropped (see `Capture.window`).
    """

    def __init__(
        self, name: str, state: Incremental | None, chunk_size: int, *, deduplicates: bool = True
    ) -> None:
        self._name = name
        self._size = chunk_size
        self._deduplicates = deduplicates
        self._rows: dict[Any, Any] = {}
        self._read = 0  # Rows of the chunk, before any was dropped.
        self._chunks = 0
        self._last: Any = None  # The chunk's last key.
        self._open = False
        self.state = state

    @property
    def marks(self) -> tuple[str, str]:
        """The ids of the present chunk's two watermarks."""
        name = f"{self._name}-{self._chunks}"
        return f"{name}-open", f"{name}-close"

    def ask(self, tables: Iterable[str]) -> bool:
        """Read these tables too; whether a chunk is to be read now (none was under way)."""
        wanted = tuple(tables)
        if not wanted:
            raise BadInput("a signal names no table:", "incremental snapshot", wanted)
        if self.state is not None:
            more = tuple(one for one in wanted if one not in self.state.tables)
            self.state = attrs.evolve(self.state, tables=(*self.state.tables, *more))
            return False
        self.state = Incremental(wanted)
        return True

    def chunk(self, rows: Iterable[tuple[Any, Any]], most: Any) -> None:
        """A chunk was read: (key, value) in order of keys; `most` is the table's largest key."""
        assert self.state is not None, "a chunk belongs to a snapshot"
        self._rows = dict(rows)
        self._read = len(self._rows)
        self._last = next(reversed(self._rows), None)
        self._open = False
        self.state = attrs.evolve(self.state, most=most)

    def marked(self, mark: str) -> list[tuple[Any, Any]] | None:
        """A watermark came by in the stream; at a close, what is left of the chunk."""
        opens, closes = self.marks
        if mark == opens:
            self._open = True
        if mark != closes or not self._open:
            return None
        self._open = False
        rows, self._rows = list(self._rows.items()), {}
        self._chunks += 1
        return rows

    def saw(self, table: str, key: Any) -> None:
        """The stream showed a change of a row."""
        if self._open and self._deduplicates and self.state and self.state.tables[0] == table:
            self._rows.pop(key, None)

    def told(self, key: Any) -> Incremental:
        """What the offset keeps once this key of the chunk was told."""
        assert self.state is not None, "a row of a chunk belongs to a snapshot"
        return attrs.evolve(self.state, last=key)

    def advance(self) -> bool:
        """Go on behind the chunk that was closed; whether there is another to read."""
        state = self.state
        assert state is not None, "a chunk belongs to a snapshot"
        done = self._read < self._size or self._last == state.most
        if not done:
            self.state = attrs.evolve(state, last=self._last)
        elif len(state.tables) > 1:
            self.state = Incremental(state.tables[1:])
        else:
            self.state = None
        return self.state is not None
