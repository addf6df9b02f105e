"""One partition of one share group, on the partition's leader: who may have which record.

1. Between the start offset (SPSO) and the end offset (SPEO) each record is available, acquired by
   one member, acknowledged, or archived. The last two are for ever, and the start moves over them.
2. To acquire is to hold a record until its lock times out; it counts one delivery. Available
   records come first, by their offsets; then new ones, while fewer than
   group.share.partition.max.record.locks are in flight. A log's batch is acquired whole, so both
   limits are soft.
3. Only who holds a record may acknowledge it. Otherwise, and if anything else is wrong with it,
   the whole request for the partition is refused, and nothing changes.
4. What is released, by its member, by the end of its session or by its lock, is available again;
   unless it was delivered group.share.delivery.count.limit times: then it is archived.
5. What changes a record for longer than a lock is written (`StateWritten`) before it is answered.
   A new leader knows what was written: what was acquired is available again, and a delivery that
   nobody gave an account of is not counted. So each death of a leader may give a record out once
   more than the limit says ("memory of the in-flight delivery will be lost", KIP-932).
6. Acknowledgements of what lies below the start are ignored: somebody else, or retention, was
   faster.

The rules are the same for every offset, so an offset where the log has no record (compacted away,
or a marker) is acquired too; the client says that it is a gap.

Source: SharePartition.java, InFlightState.java of Kafka 4.0; KIP-932.

Not modelled: a write to the share coordinator that is under way, or fails (state is written at
once, or the leader dies); read_committed; records cut off the log by an unclean election.
"""

from collections.abc import Callable, Iterable, Sequence

from simulator.protocol.errors import Error
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.share_facts import (
    ACKNOWLEDGED,
    ACQUIRED,
    ARCHIVED,
    AVAILABLE,
    TRANSITIONS,
    Acquired,
    Fact,
    RecordState,
    StartFound,
    StartMoved,
    StateBatch,
    StateWritten,
)
from simulator.protocol.share_messages import (
    ACCEPT,
    GAP,
    KINDS,
    REJECT,
    RELEASE,
    Acknowledgement,
    AcquiredRecords,
)
from simulator.protocol.share_settings import ShareConfig

NEVER_US = 1 << 62
_NONE = Error.NONE
_TERMINAL = (ACKNOWLEDGED, ARCHIVED)
_BECOMES = {ACCEPT: ACKNOWLEDGED, RELEASE: AVAILABLE, REJECT: ARCHIVED, GAP: ARCHIVED}

_DEFAULT = ShareConfig()

Change = tuple[int, RecordState, int, str, str]  # offset, state, delivery count, member, why
HardState = tuple[int, tuple[tuple[RecordState, int], ...]]


class _Record:
    """One record between the start and the end offset."""

    __slots__ = ("count", "member", "state", "until_us", "written")

    def __init__(self) -> None:
        self.state = AVAILABLE
        self.count = 0  # How often it was delivered, as far as this leader knows.
        self.written = 0  # The same, as it was last written.
        self.member = ""
        self.until_us = NEVER_US


class SharePartition:
    """What one share group knows of one partition.

    Attributes:
        start_offset: the first record that is not finished (SPSO); -1: not known yet.
    """

    def __init__(
        self, group_id: str, partition: TopicPartition, config: ShareConfig = _DEFAULT
    ) -> None:
        self.group_id = group_id
        self.partition = partition
        self.config = config
        self.start_offset = UNKNOWN_OFFSET
        self._records: list[_Record] = []  # From the start offset on, without holes.
        self._was_written = False

    # --- Looking -----------------------------------------------------------------------------

    @property
    def end_offset(self) -> int:
        """The offset after the last record that was ever acquired (SPEO + 1)."""
        return self.start_offset + len(self._records)

    @property
    def next_fetch_offset(self) -> int:
        """Where to read on: the first available record, or what comes after the end."""
        for number, record in enumerate(self._records):
            if record.state is AVAILABLE:
                return self.start_offset + number
        return self.end_offset

    @property
    def can_acquire(self) -> bool:
        """Whether a record may be acquired, if the log has one."""
        if len(self._records) < self.config.max_record_locks:
            return self.start_offset != UNKNOWN_OFFSET
        return self.next_fetch_offset < self.end_offset

    @property
    def due_us(self) -> int:
        """When the first lock times out."""
        held = (one.until_us for one in self._records if one.state is ACQUIRED)
        return min(held, default=NEVER_US)

    def state_of(self, offset: int) -> tuple[RecordState, int, str] | None:
        """A record's state, how often it was delivered, and to whom; None outside the window."""
        number = offset - self.start_offset
        if not 0 <= number < len(self._records):
            return None
        record = self._records[number]
        return record.state, record.count, record.member

    def held_by(self, member: str) -> tuple[int, ...]:
        """The offsets that a member holds."""
        return tuple(
            self.start_offset + number
            for number, one in enumerate(self._records)
            if one.state is ACQUIRED and one.member == member
        )

    @property
    def hard_state(self) -> HardState | None:
        """What a new leader would know; None: nothing was written."""
        if not self._was_written:
            return None
        known = [
            (AVAILABLE if one.state is ACQUIRED else one.state, one.written)
            for one in self._records
        ]
        while known and known[-1] == (AVAILABLE, 0):
            known.pop()
        return self.start_offset, tuple(known)

    def hard_facts(self) -> tuple[StateWritten, ...]:
        """The shortest journal from which the same is known."""
        hard = self.hard_state
        if hard is None:
            return ()
        start, known = hard
        changes: list[Change] = [
            (start + number, state, count, "", "") for number, (state, count) in enumerate(known)
        ]
        return (StateWritten(start, _batches(changes)),)

    # --- Deciding ----------------------------------------------------------------------------

    def decide_begin(self, log_start: int, log_end: int) -> tuple[Fact, ...]:
        """Where to begin, or what the log has lost since.

        Args:
            log_start: the log's start offset.
            log_end: its high watermark.
        """
        if self.start_offset == UNKNOWN_OFFSET:
            return (StartFound(log_start if self.config.begins == "earliest" else log_end),)
        return (StartMoved(log_start),) if log_start > self.start_offset else ()

    def decide_acquire(
        self,
        member: str,
        fetch_offset: int,
        next_offsets: Iterable[int],
        max_records: int,
        now_us: int,
    ) -> tuple[Acquired, ...]:
        """What a member gets of the batches that were read from `fetch_offset` on.

        Args:
            next_offsets: for each batch, the offset after its last record.
            max_records: after so many no further batch is begun.
        """
        until_us = now_us + self.config.lock_us
        known, start = len(self._records), self.start_offset
        most = self.config.max_record_locks
        taken: list[tuple[int, int]] = []  # offset, delivery count
        offset = max(fetch_offset, start)
        new = 0
        for next_offset in next_offsets:
            if len(taken) >= max_records:
                break
            may_grow = known + new < most
            while offset < next_offset:
                number = offset - start
                if number < known:
                    record = self._records[number]
                    if record.state is AVAILABLE:
                        taken.append((offset, record.count + 1))
                elif may_grow:
                    taken.append((offset, 1))
                    new += 1
                offset += 1
        return tuple(
            Acquired(first, last, member, count, until_us) for first, last, count in _runs(taken)
        )

    def decide_acknowledge(
        self, member: str, acknowledgements: Sequence[Acknowledgement]
    ) -> tuple[tuple[StateWritten, ...], Error]:
        """What becomes of records by their holder's word: all of it, or nothing and an error."""
        changes: list[Change] = []
        before = -1
        for first, last, types in acknowledgements:
            size = last - first + 1
            if first <= before or size < 1 or len(types) not in (1, size):
                return (), Error.INVALID_REQUEST
            if any(one not in KINDS for one in types):
                return (), Error.INVALID_REQUEST
            before = last
            if last < self.start_offset:
                continue
            if not self._records:
                return (), Error.INVALID_RECORD_STATE
            if last >= self.end_offset:
                return (), Error.INVALID_REQUEST
            for offset in range(max(first, self.start_offset), last + 1):
                record = self._records[offset - self.start_offset]
                if record.state is not ACQUIRED or record.member != member:
                    return (), Error.INVALID_RECORD_STATE
                kind = types[offset - first] if len(types) > 1 else types[0]
                state = self._let_go(record) if kind == RELEASE else _BECOMES[kind]
                changes.append((offset, state, record.count, member, KINDS[kind]))
        return self._written(changes), _NONE

    def decide_release(self, member: str) -> tuple[StateWritten, ...]:
        """A member's session is over: all that it holds is let go."""
        return self._let_all_go(lambda record: record.member == member, "session_closed")

    def decide_time(self, now_us: int) -> tuple[StateWritten, ...]:
        """Some locks may have timed out: what they held is let go."""
        return self._let_all_go(lambda record: record.until_us <= now_us, "lock_expired")

    def _let_all_go(self, whose: Callable[[_Record], bool], why: str) -> tuple[StateWritten, ...]:
        changes: list[Change] = [
            (self.start_offset + number, self._let_go(one), one.count, one.member, why)
            for number, one in enumerate(self._records)
            if one.state is ACQUIRED and whose(one)
        ]
        return self._written(changes)

    def _let_go(self, record: _Record) -> RecordState:
        """A record that was not finished: once more, or too often."""
        return ARCHIVED if record.count >= self.config.delivery_count_limit else AVAILABLE

    def _written(self, changes: list[Change]) -> tuple[StateWritten, ...]:
        if not changes:
            return ()
        return (StateWritten(self.start_offset, _batches(changes)),)

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true."""
        match fact:
            case Acquired(first, last, member, count, until_us):
                self._extend(last)
                for record in self._between(first, last):
                    self._change(record, ACQUIRED)
                    record.count, record.member, record.until_us = count, member, until_us
            case StateWritten(start_offset, batches):
                self._was_written = True
                self._start_at(start_offset)
                for batch in batches:
                    self._apply_batch(batch)
                self._advance()
            case StartFound(offset):
                assert self.start_offset == UNKNOWN_OFFSET, f"{self.partition} has a start"
                self.start_offset = offset
            case StartMoved(offset):
                self._start_at(offset)
                self._advance()

    def _apply_batch(self, batch: StateBatch) -> None:
        self._extend(batch.last)
        for record in self._between(batch.first, batch.last):
            if record.state is AVAILABLE:  # It is read from a journal: who held it is not known.
                record.state = ACQUIRED
            self._change(record, batch.state)
            record.count = record.written = batch.delivery_count
            record.member, record.until_us = "", NEVER_US

    @staticmethod
    def _change(record: _Record, state: RecordState) -> None:
        assert state in TRANSITIONS[record.state], f"{record.state} -> {state}"
        record.state = state

    def _between(self, first: int, last: int) -> list[_Record]:
        start = self.start_offset
        return self._records[max(first - start, 0) : max(last - start + 1, 0)]

    def _extend(self, last: int) -> None:
        self._records.extend(_Record() for _ in range(last + 1 - self.end_offset))

    def _start_at(self, offset: int) -> None:
        if offset > self.start_offset:
            if self.start_offset != UNKNOWN_OFFSET:
                del self._records[: offset - self.start_offset]
            self.start_offset = offset

    def _advance(self) -> None:
        """Move the start over what is finished."""
        done = 0
        for record in self._records:
            if record.state not in _TERMINAL:
                break
            done += 1
        if done:
            del self._records[:done]
            self.start_offset += done


def _runs(taken: list[tuple[int, int]]) -> list[AcquiredRecords]:
    """Neighbours that were delivered equally often, together."""
    runs: list[AcquiredRecords] = []
    for offset, count in taken:
        if runs and runs[-1].last == offset - 1 and runs[-1].delivery_count == count:
            runs[-1] = runs[-1]._replace(last=offset)
        else:
            runs.append(AcquiredRecords(offset, offset, count))
    return runs


def _batches(changes: list[Change]) -> tuple[StateBatch, ...]:
    """Neighbours that changed alike, together."""
    batches: list[StateBatch] = []
    for offset, state, count, member, why in changes:
        last = batches[-1] if batches else None
        if last is not None and last == (last.first, offset - 1, state, count, member, why):
            batches[-1] = last._replace(last=offset)
        else:
            batches.append(StateBatch(offset, offset, state, count, member, why))
    return tuple(batches)
