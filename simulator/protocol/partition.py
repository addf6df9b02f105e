"""One partition on its leader: what may be appended, and what a producer and a reader are told.

Rule 1: `decide...` only looks; `apply` is the one writer, of the journal and of the state.
Rule 2: the duplicate test comes first. A retry of one of a producer's last 5 batches is a success
with its first offset, and nothing is written.
Rule 3: a refusal writes nothing, and other partitions of the same request do not feel it.
Rule 4: nobody reads beyond the high watermark, and with read_committed nobody beyond the first
offset of an open transaction.

Source: UnifiedLog.scala (append, read, fetchOffsetByTimestamp), ReplicaManager.scala.

Not modelled: MAX_TIMESTAMP in ListOffsets, fetching from followers, message format conversion,
bounds on record timestamps (message.timestamp.before.max.ms and after.max.ms).
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter

from simulator.protocol.cleaned import records_of
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.log import Fact, Log, LogConfig, LogStartMoved, Truncated, base_offset_of
from simulator.protocol.log_index import measure
from simulator.protocol.machine import Reply, Request, Step
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    FetchPartition,
    OffsetListed,
    PartitionFetched,
    PartitionProduced,
)
from simulator.protocol.names import (
    MICROS_PER_MS,
    NO_PRODUCER_ID,
    SEQUENCE_MAX,
    UNKNOWN_OFFSET,
    TopicPartition,
)
from simulator.protocol.packed import Unpacked
from simulator.protocol.producer_state import (
    NO_STATE,
    ProducerState,
    duplicate_of,
    refuse_data,
    refuse_marker,
    refuse_stranger,
)
from simulator.protocol.records import Batch

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
_CURSORS_KEPT = 1_024

_DEFAULT = LogConfig()


class Partition:
    """One partition on its leader.

    Args:
        partition: its topic and number.
        journal: the file on the node's disk; what is in it is loaded.
        config: the log's settings.
        now_us: when it is loaded: producers that have expired are not.
        alone: this replica is all of the in-sync set, so the high watermark is the log's end;
            otherwise `advance_high_watermark` moves it.
        leader_epoch: what batches appended here are marked with.
    """

    __slots__ = (
        "_compacted", "_cursors", "_cuts", "_forgets", "_unpacked", "leader_epoch", "log",
        "partition",
    )

    def __init__(
        self,
        partition: TopicPartition,
        journal: Journal,
        config: LogConfig = _DEFAULT,
        *,
        now_us: int = 0,
        alone: bool = True,
        leader_epoch: int = 0,
    ) -> None:
        self.partition = partition
        self.leader_epoch = leader_epoch
        self.log = Log(journal, config, now_us, alone=alone)
        self._compacted = "compact" in config.cleanup_policy
        self._forgets = not config.keeps_idle_producers
        # Where readers are likely to go on: an offset where a batch begins -> its position.
        self._cursors: dict[int, int] = {}
        self._unpacked = Unpacked()
        self._cuts = 0

    # --- Deciding ----------------------------------------------------------------------------

    def decide(self, request: Request, now_us: int) -> Step:
        """Answer a Batch to append or a FetchPartition to read; only looks.

        Whoever leads replicas that are not alone holds an answer to acks=all back until the high
        watermark has passed the batch.
        """
        match request.body:
            case Batch() as batch:
                fact, answer = self.decide_append(batch, now_us)
                return Step(() if fact is None else (fact,), (Reply(request.id, answer),))
            case FetchPartition(_, offset, max_bytes):
                return Step((), (Reply(request.id, self.read(offset, max_bytes)),))
        raise AssertionError(f"a partition does not know {request.body!r}")

    def decide_append(
        self, batch: Batch, now_us: int, origin: str = "client", *, verified: bool = True
    ) -> tuple[Batch | None, PartitionProduced]:
        """The batch as it is to be applied (None: nothing is to be written), and the answer.

        None with the error NONE is a duplicate: a success, with its first offset.

        Args:
            batch: as the producer sent it, or a transaction's marker.
            now_us: the leader's clock.
            origin: client, or coordinator for what a group coordinator writes.
            verified: the transaction coordinator knows that this partition takes part; otherwise
                the batch may not open a transaction (KIP-890).
        """
        records, _, producer_id, epoch, first, _, transactional, control, fence, _ = batch
        assert records or control, "a batch without records"
        log = self.log
        size, latest = measure(records, now_us)
        log.measured = (records, now_us, size, latest)
        config = log.config
        if size > config.max_message_bytes:
            return self._refuse(Error.MESSAGE_TOO_LARGE)
        if size > config.segment_bytes:
            return self._refuse(Error.RECORD_LIST_TOO_LARGE)
        if self._compacted and any(record[0] is None for record in records):
            return self._refuse(Error.INVALID_RECORD)
        if producer_id != NO_PRODUCER_ID:
            state = log.producers.get(producer_id, NO_STATE)
            if control:
                error = refuse_marker(state, epoch, fence)
            else:
                from_client = origin == "client"
                if from_client:
                    last = (first + len(records) - 1) % (SEQUENCE_MAX + 1)
                    known = duplicate_of(state, epoch, first, last)
                    if known is not None:
                        start = log.log_start_offset
                        return None, PartitionProduced(self.partition, _NONE, known[2], start)
                if transactional and not verified and state[3] == UNKNOWN_OFFSET:
                    error = Error.INVALID_TXN_STATE
                elif self._forgets and from_client and refuse_stranger(state, epoch, first):
                    error = Error.UNKNOWN_PRODUCER_ID
                else:
                    error = refuse_data(
                        state, epoch, first, transactional=transactional, sequenced=from_client
                    )
            if error is not None:
                return self._refuse(error)
        base = log.log_end_offset
        flags = (transactional, control, fence, now_us)
        fact = _new(Batch, (records, base, producer_id, epoch, first, self.leader_epoch, *flags))
        answer = (self.partition, _NONE, base, log.log_start_offset)
        return fact, _new(PartitionProduced, answer)

    def _refuse(self, error: Error) -> tuple[None, PartitionProduced]:
        start = self.log.log_start_offset
        return None, PartitionProduced(self.partition, error, UNKNOWN_OFFSET, start)

    def decide_delete_records(self, offset: int) -> tuple[LogStartMoved | None, Error]:
        """Whether everything below `offset` (-1: the high watermark) may be deleted."""
        high_watermark = self.log.high_watermark
        if offset == UNKNOWN_OFFSET:
            offset = high_watermark
        if not 0 <= offset <= high_watermark:
            return None, Error.OFFSET_OUT_OF_RANGE
        return (LogStartMoved(offset) if offset > self.log.log_start_offset else None), _NONE

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true, in the journal and in memory."""
        self.log.apply(fact)

    def follower_append(self, batch: Batch) -> None:
        """Take over a leader's batch at its own offset, without any test of its producer."""
        self.log.apply(batch)

    def truncate_to(self, offset: int) -> bool:
        """Cut everything from `offset` on; False if there is nothing to cut."""
        if offset >= self.log.log_end_offset:
            return False
        self.log.apply(Truncated(offset))
        return True

    def truncate_fully_and_start_at(self, offset: int) -> None:
        """Cut everything; the next batch gets `offset`."""
        self.log.apply(Truncated(offset, fully=True))

    def delete_records(self, offset: int) -> Error:
        """Delete everything below `offset`; -1 means the high watermark."""
        fact, error = self.decide_delete_records(offset)
        if fact is not None:
            self.log.apply(fact)
        return error

    def advance_high_watermark(self, offset: int) -> bool:
        """Every in-sync replica has what lies below `offset`; True if the mark moved."""
        return self.log.advance_high_watermark(offset)

    def expire_producers(self, now_us: int) -> list[int]:
        """Forget producers idle for producer.id.expiration.ms; the answer is their ids."""
        return self.log.expire_producers(now_us)

    def close(self) -> None:
        """Shut down in order; a crash is simply never to call this."""
        self.log.close()

    # --- Looking -----------------------------------------------------------------------------

    @property
    def log_start_offset(self) -> int:
        """The first offset that may be read."""
        return self.log.log_start_offset

    @property
    def log_end_offset(self) -> int:
        """The offset that the next record gets."""
        return self.log.log_end_offset

    @property
    def high_watermark(self) -> int:
        """Below it every in-sync replica has everything."""
        return self.log.high_watermark

    @property
    def producers(self) -> dict[int, ProducerState]:
        """What is known of each producer id. Do not change."""
        return self.log.producers

    @property
    def first_unstable_offset(self) -> int | None:
        """The first offset of a transaction that is open or not yet replicated, or None."""
        log = self.log
        first = next(iter(log.opened), None)
        if log.replicating:
            ended = min(log.replicating)
            return ended if first is None else min(first, ended)
        return first

    @property
    def last_stable_offset(self) -> int:
        """Below it every transaction has ended, and is replicated."""
        first = self.first_unstable_offset
        high_watermark = self.log.high_watermark
        return high_watermark if first is None else min(first, high_watermark)

    def read(
        self, offset: int, max_bytes: int, isolation: str = "read_uncommitted"
    ) -> PartitionFetched:
        """Whole batches from the one that contains `offset` on, at least one if there is one.

        The reader drops what lies below `offset` in the first. isolation: read_uncommitted,
        read_committed, or follower (up to the log's end).
        """
        log = self.log
        high_watermark = bound = stable = log.high_watermark
        if log.opened or log.replicating:
            stable = self.last_stable_offset
        if isolation == "read_committed":
            bound = stable
        elif isolation == "follower":
            bound = log.log_end_offset
        start = log.log_start_offset
        if offset < start or offset > log.log_end_offset:
            error = Error.OFFSET_OUT_OF_RANGE
            return PartitionFetched(self.partition, error, high_watermark, stable, start)
        batches: tuple[Batch, ...] = ()
        if offset < bound:
            batches = self._batches_from(offset, max_bytes, bound)
        aborted: tuple[tuple[int, int], ...] = ()
        if batches and isolation == "read_committed" and log.index.aborted:
            aborted = self._aborted_between(offset, batches[-1].next_offset)
        answer = (self.partition, _NONE, high_watermark, stable, start, batches, aborted)
        return _new(PartitionFetched, answer)

    def _batches_from(self, offset: int, max_bytes: int, bound: int) -> tuple[Batch, ...]:
        log = self.log
        facts: list[Batch] = log.journal.facts
        count = len(facts)
        cursors = self._cursors
        if self._cuts != log.cuts or len(cursors) >= _CURSORS_KEPT:
            if self._cuts != log.cuts:
                self._cuts = log.cuts
                self._unpacked.clear()
            cursors.clear()
        first = cursors.get(offset, -1)
        if first < 0:
            first = self._position_of(offset)
        if first >= count:
            return ()
        stop = first + 1
        if stop < count:
            index = log.index
            ends = index.ends
            most = (ends[first - 1] if first else index.start_bytes) + max_bytes
            # Look a little ahead, then further: the cost follows the answer, not the log.
            reach = 64
            while first + reach < count and ends[first + reach] <= most:
                reach *= 2
            stop = bisect_right(ends, most, stop, min(count, first + reach + 1))
        last = facts[stop - 1]
        next_offset = last[1] + (len(last[0]) or 1)
        while next_offset > bound:
            stop -= 1
            if stop == first:
                return ()
            next_offset = facts[stop - 1].next_offset
        cursors[next_offset] = stop
        if first < log.packed:
            return self._unpacked.batches(facts, first, stop)
        return (facts[first],) if stop == first + 1 else tuple(facts[first:stop])

    def bytes_of(self, batches: tuple[Batch, ...]) -> int:
        """The size of batches that were just read here, from the index: nothing is measured."""
        if not batches:
            return 0
        first = self._position_of(batches[0][1])
        index = self.log.index
        return index.ends[first + len(batches) - 1] - (
            index.ends[first - 1] if first else index.start_bytes
        )

    def _position_of(self, offset: int) -> int:
        """The position of the batch that contains `offset`, or of the next one after a hole.

        Batches are much alike, so the place is guessed first, and then searched around the guess:
        the cost follows how wrong the guess was, not how long the log is.
        """
        facts: list[Batch] = self.log.journal.facts
        count = len(facts)
        if not count or offset < facts[0][1]:
            return 0
        begins = facts[0][1]
        guess = (offset - begins) * count // (self.log.log_end_offset - begins)
        low = high = min(guess, count - 1)
        reach = 1
        while low > 0 and facts[low][1] > offset:
            high, low = low, max(0, low - reach)
            reach *= 2
        while high < count and facts[high][1] <= offset:
            low, high = high, min(count, high + reach)
            reach *= 2
        position = bisect_right(facts, offset, low, high, key=base_offset_of)
        if facts[position - 1].next_offset > offset:
            return position - 1
        return position

    def _aborted_between(self, offset: int, upper: int) -> tuple[tuple[int, int], ...]:
        """Aborted transactions whose data may lie in [offset, upper)."""
        aborted = self.log.index.aborted
        since = bisect_left(aborted, offset, key=itemgetter(2))
        return tuple((one[0], one[1]) for one in aborted[since:] if one[1] < upper)

    def list_offset(self, timestamp_ms: int, isolation: str = "read_uncommitted") -> OffsetListed:
        """The first offset whose record is at or after a time; or the log's start or end.

        timestamp_ms: milliseconds, EARLIEST_TIMESTAMP or LATEST_TIMESTAMP. A time after every
        record's is answered with offset -1, which a client shows as null.
        """
        log = self.log
        bound = self.last_stable_offset if isolation == "read_committed" else log.high_watermark
        if timestamp_ms == EARLIEST_TIMESTAMP:
            return OffsetListed(self.partition, _NONE, log.log_start_offset)
        if timestamp_ms == LATEST_TIMESTAMP:
            return OffsetListed(self.partition, _NONE, bound)
        wanted_us = timestamp_ms * MICROS_PER_MS
        start = log.log_start_offset
        facts: list[Batch] = log.journal.facts
        since = max(bisect_left(log.index.times, wanted_us), self._position_of(start))
        for position in range(since, len(facts)):
            batch = facts[position]
            for offset, record in records_of(batch):
                if offset >= bound:
                    return OffsetListed(self.partition, _NONE)
                at_us = record.timestamp_us if record.timestamp_us >= 0 else batch.append_time_us
                if at_us >= wanted_us and offset >= start:
                    found_ms = at_us // MICROS_PER_MS
                    return OffsetListed(self.partition, _NONE, offset, found_ms)
        return OffsetListed(self.partition, _NONE)
