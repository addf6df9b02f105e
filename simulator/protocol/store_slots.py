"""Replication slots: the log as others read it, and what is kept for them.

Rule 1: readers get whole transactions, in the order of their commits; what was rolled back is not
there. Reading forgets nothing: only `confirm` does, and it never goes back.
Rule 2: the log is kept from the first transaction that some slot has not confirmed, for as long as
it takes, unless max_slot_wal_keep_size says how much may be kept: then the slot is lost
(`slot_lost`), and only a new one, with a new snapshot, helps.
Rule 3: whoever asks for less than the slot has confirmed is given what follows that, and not told
(as PostgreSQL forwards START_REPLICATION to confirmed_flush_lsn): look at the slot before, if the
position comes from elsewhere.
Rule 4: a slot begins where its exported snapshot ends: together they are everything, once. The
snapshot can be taken up until its connection asks for something else, or ends.
Rule 5: a slot has one reader at a time; another is refused (`object_in_use`) while the first is
there, and has been heard of within wal_sender_timeout.

The images before a change are whole rows (REPLICA IDENTITY FULL); under PostgreSQL's default they
are the keys alone, and a reader should not rely on more.

Not modelled: waiting for the transactions that run when a slot is created (they appear whole, at
their commit), transactions streamed before their commit, physical replication and slots that are
carried over to a standby, publications (a slot gives all tables), logical messages that are not
transactional.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.store import Store
from simulator.protocol.store_messages import (
    ConfirmSlotRequest,
    ConfirmSlotResponse,
    CreateSlotRequest,
    CreateSlotResponse,
    DropSlotRequest,
    DropSlotResponse,
    ReadSlotRequest,
    ReadSlotResponse,
    ShowSlotRequest,
    ShowSlotResponse,
)
from simulator.protocol.store_operations import ABSENT, Committed
from simulator.protocol.store_outcomes import Outcome, Outcomes
from simulator.protocol.store_settings import StoreSettings

DONE = "done"
SLOT_LOST = "slot_lost"
IN_USE = "object_in_use"
DUPLICATE = "duplicate_object"
UNKNOWN = "undefined_object"
REQUESTS = (
    CreateSlotRequest, ReadSlotRequest, ConfirmSlotRequest, DropSlotRequest, ShowSlotRequest
)  # fmt: skip


class RowChange(NamedTuple):
    """What happened to one row: op is insert, update or delete; None: there was, or is, no row.

    op message: table is the prefix, and after the content. op ddl: after is the table's columns.
    """

    table: str
    key: Any
    before: Any
    after: Any
    op: str


class Commit(NamedTuple):
    """A committed transaction as a slot's reader gets it; at_us: when, by the store's clock."""

    lsn: int
    xid: int
    at_us: int
    changes: tuple[RowChange, ...]


class Slot(NamedTuple):
    """A slot that was created: it gives what is committed behind `lsn`.

    snapshot: the name of the one that sees everything until there.
    """

    name: str
    lsn: int
    snapshot: str


class SlotState(NamedTuple):
    """What a slot is now (pg_replication_slots).

    Args:
        confirmed_lsn: what is behind it is still to be read; it may be read from there at least.
        lsn: of the store's last commit.
        retained_transactions: how many are kept for it.
        retained_bytes: about how much log that is.
        active: whether somebody reads it.
        lost: whether what it would need is gone.
    """

    name: str
    confirmed_lsn: int
    lsn: int
    retained_transactions: int
    retained_bytes: int
    active: bool
    lost: bool


class _Known:
    """What a store knows of a slot, besides what is in the file."""

    __slots__ = ("heard_us", "reader", "retained_bytes", "waiting")

    def __init__(self, retained_bytes: int = 0) -> None:
        self.retained_bytes = retained_bytes
        self.reader: Any = None  # The session that reads it.
        self.heard_us = 0
        self.waiting: Request | None = None


class Slots:
    """The slots of a store.

    Attributes:
        known: by name; empty when there are none, so that nobody needs to be told of a commit.
        exported: snapshots that can be taken up, by name: the number of each, and the oldest
            transaction that was in flight.
    """

    def __init__(
        self, store: Store, settings: StoreSettings, oldest_xid: Callable[[], int]
    ) -> None:
        self._store = store
        self._settings = settings
        self._oldest_xid = oldest_xid
        self.exported: dict[str, tuple[int, int]] = {}
        self._exported_by: dict[Any, tuple[str, Any]] = {}  # session -> its name, and the request
        self.known = {
            name: _Known(self._size_behind(store.slots.get(name)))
            for name in (*store.slots, *store.lost_slots)
        }

    def handle(self, session: Any, request: Request, now_us: int) -> Outcomes:
        """What comes of a request for a slot."""
        exported = self._exported_by.get(session)
        if exported is not None and exported[1] == request.id:
            return  # The network delivers it once more.
        self._take_back(session)
        match request.body:
            case CreateSlotRequest(name):
                yield self._create(session, request, name)
            case ReadSlotRequest():
                yield self._read(session, request, now_us)
            case ConfirmSlotRequest(name, lsn):
                yield self._confirm(session, request, name, lsn, now_us)
            case DropSlotRequest(name):
                yield from self._drop(session, request, name, now_us)
            case _:
                state = self.state(request.body.name, now_us)
                yield _answer(request, ShowSlotResponse(DONE, state))

    def committed(self, fact: Committed) -> Outcomes:
        """A transaction was committed and flushed: whoever waits for it is given it."""
        size = size_of(fact)
        most = self._settings.max_slot_wal_keep_size
        for name, slot in self.known.items():
            if name in self._store.lost_slots:
                continue
            slot.retained_bytes += size
            if 0 <= most < slot.retained_bytes:
                self._store.save_slots(lost=name)
                slot.retained_bytes = 0
                slot.reader = None
            request, slot.waiting = slot.waiting, None
            if request is not None:
                yield Outcome(effects=(CancelTimer(("slot", name)),))
                refused = self._refused(name, None, 0)
                if refused is not None:
                    yield _answer(request, ReadSlotResponse(*refused))
                else:
                    yield self._batch(request)

    def time_up(self, name: str) -> Outcomes:
        """A reader has waited as long as it wants."""
        slot = self.known.get(name)
        if slot is not None and slot.waiting is not None:
            request, slot.waiting = slot.waiting, None
            yield _answer(request, ReadSlotResponse(DONE))

    def end(self, session: Any) -> Iterator[Outcome]:
        """A session has ended: it reads no more, and its snapshot is nobody's."""
        self._take_back(session)
        for name, slot in self.known.items():
            if slot.reader is session:
                slot.reader = None
                if slot.waiting is not None:
                    slot.waiting = None
                    yield Outcome(effects=(CancelTimer(("slot", name)),))

    def state(self, name: str, now_us: int) -> SlotState | None:
        """What a slot is now; None: there is none."""
        slot = self.known.get(name)
        if slot is None:
            return None
        lost = name in self._store.lost_slots
        lsn = self._store.lsn
        confirmed = (self._store.lost_slots if lost else self._store.slots)[name]
        kept = 0 if lost else lsn - confirmed
        active = self._is_read(slot, now_us)
        return SlotState(name, confirmed, lsn, kept, slot.retained_bytes, active, lost)

    # --- Each request --------------------------------------------------------------------------

    def _create(self, session: Any, request: Request, name: str) -> Outcome:
        if name in self.known:
            detail = f"replication slot {name!r} already exists"
            return _answer(request, CreateSlotResponse(DUPLICATE, (), detail))
        store = self._store
        store.save_slots(name, store.lsn)
        self.known[name] = _Known()
        number = store.versions.hold(store.lsn)
        exported = f"{name}-{store.lsn}-{number}"
        self.exported[exported] = (number, self._oldest_xid())
        self._exported_by[session] = (exported, request.id)
        return _answer(request, CreateSlotResponse(DONE, Slot(name, store.lsn, exported)))

    def _take_back(self, session: Any) -> None:
        """The connection that exported a snapshot asks for something else."""
        exported = self._exported_by.pop(session, None)
        if exported is not None:
            number, _ = self.exported.pop(exported[0])
            self._store.versions.release(number)

    def _refused(self, name: str, session: Any, now_us: int) -> tuple[str, tuple[()], str] | None:
        """Why a session may not read a slot."""
        slot = self.known.get(name)
        if slot is None:
            return UNKNOWN, (), f"replication slot {name!r} does not exist"
        if name in self._store.lost_slots:
            detail = f"can no longer get changes from replication slot {name!r}: its log is gone"
            return SLOT_LOST, (), detail
        if session is not None and slot.reader is not session and self._is_read(slot, now_us):
            return IN_USE, (), f"replication slot {name!r} is active for another connection"
        return None

    def _is_read(self, slot: _Known, now_us: int) -> bool:
        if slot.reader is None:
            return False
        limit_us = self._settings.wal_sender_timeout * MICROS_PER_MS
        waits = slot.waiting is not None and slot.reader.open
        return waits or not limit_us or now_us - slot.heard_us < limit_us

    def _read(self, session: Any, request: Request, now_us: int) -> Outcome:
        body: ReadSlotRequest = request.body
        refused = self._refused(body.name, session, now_us)
        if refused is not None:
            return _answer(request, ReadSlotResponse(*refused))
        slot = self.known[body.name]
        slot.reader = session
        slot.heard_us = now_us
        slot.waiting = None  # It was asked again: nobody listens for the earlier answer.
        given = self._batch(request)
        wait_us = body.timeout_ms * MICROS_PER_MS
        if wait_us <= 0 or given.effects[0].body.results:  # type: ignore[union-attr]
            return given
        slot.waiting = request
        return Outcome(effects=(SetTimer(("slot", body.name), wait_us, wait_us),))

    def _batch(self, request: Request) -> Outcome:
        body: ReadSlotRequest = request.body
        store = self._store
        after = max(body.after_lsn, store.slots[body.name])
        facts = store.journal.facts
        found: list[Commit] = []
        for at in range(store.position(after), len(facts)):
            if len(found) >= body.limit:
                break
            if facts[at].__class__ is Committed:
                found.append(commit_of(facts[at]))
        return _answer(request, ReadSlotResponse(DONE, tuple(found)))

    def _confirm(
        self, session: Any, request: Request, name: str, lsn: int, now_us: int
    ) -> Outcome:
        refused = self._refused(name, session, now_us)
        if refused is not None:
            return _answer(request, ConfirmSlotResponse(*refused))
        store = self._store
        slot = self.known[name]
        if slot.reader is session:
            slot.heard_us = now_us
        before = store.slots[name]
        confirmed = max(before, min(lsn, store.lsn))
        slot.retained_bytes -= self._size_behind(before, confirmed)
        store.save_slots(name, confirmed)
        return _answer(request, ConfirmSlotResponse(DONE, confirmed))

    def _drop(self, session: Any, request: Request, name: str, now_us: int) -> Outcomes:
        refused = self._refused(name, session, now_us)
        if refused is not None and refused[0] != SLOT_LOST:
            yield _answer(request, DropSlotResponse(*refused))
            return
        slot = self.known.pop(name)
        self._store.save_slots(dropped=name)
        if slot.waiting is not None:
            yield Outcome(effects=(CancelTimer(("slot", name)),))
            gone = (UNKNOWN, (), f"replication slot {name!r} does not exist")
            yield _answer(slot.waiting, ReadSlotResponse(*gone))
        yield _answer(request, DropSlotResponse(DONE))

    def _size_behind(self, lsn: int | None, upto: int | None = None) -> int:
        """The size of the transactions behind an lsn, up to and with another."""
        if lsn is None:
            return 0
        store = self._store
        facts = store.journal.facts
        end = len(facts) if upto is None else store.position(upto)
        kept = (facts[at] for at in range(store.position(lsn), end))
        return sum(size_of(fact) for fact in kept if fact.__class__ is Committed)


def size_of(fact: Any) -> int:
    """About how many bytes an entry of the log takes: those of its text."""
    return len(repr(fact))


def commit_of(fact: Committed) -> Commit:
    """A transaction as a reader gets it."""
    changes = [
        RowChange(
            change.table,
            change.key,
            None if change.before is ABSENT else change.before,
            change.value,
            "delete" if change.deleted else "insert" if change.before is ABSENT else "update",
        )
        for change in fact.changes
    ]
    for after, note in enumerate(fact.notes):
        changes.insert(
            note.position + after, RowChange(note.name, None, None, note.content, note.op)
        )
    return Commit(fact.lsn, fact.xid, fact.at_us, tuple(changes))


def _answer(request: Request, body: Any) -> Outcome:
    return Outcome(effects=(Reply(request.id, body),))
