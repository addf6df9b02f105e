"""One partition's log that is rolled, cleaned and shortened by hand: for ledgers and vectors.

Everything goes through the classes and facts that a broker uses; times are milliseconds from the
start, which lies far enough from 0 that a record may be older than the log.
"""

from simulator.protocol.cleaned import CLEANED_TO, records_of
from simulator.protocol.compaction import UNBOUNDED, clean
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch, Record
from simulator.protocol.retention import decide_deletion
from simulator.protocol.segments import Rolled
from simulator.protocol.topic_settings import TopicSettings

START_MS = 10**12


class KeptLog:
    """A log, its topic's settings and a clock.

    Settings are given as fields: `retention_ms=1000`. Its high watermark moves by hand.
    """

    def __init__(self, topic="kept", **settings):
        self.settings = TopicSettings(**settings)
        self.where = TopicPartition(topic, 0)
        self.journal = Journal()
        self.now_ms = 0
        self.open()

    @property
    def now_us(self):
        return self.us(None)

    def us(self, at_ms):
        """Microseconds of the world for milliseconds from the start; None is now."""
        return (START_MS + (self.now_ms if at_ms is None else at_ms)) * MICROS_PER_MS

    def open(self):
        """Load what lies in the journal, as a broker that starts does."""
        config = self.settings.log_config()
        self.partition = Partition(
            self.where, self.journal, config, now_us=self.now_us, alone=False
        )
        self.log = self.partition.log

    def restart(self, *, clean=True):
        """Start the broker again, after an orderly shutdown or a crash of its process."""
        if clean:
            self.partition.close()
        self.open()

    # --- Writing ---

    def batch(self, pairs, at_ms=None, **fields):
        """A batch of (key, value) pairs, or a marker where there are none."""
        at_us = self.us(at_ms)
        return Batch(tuple(Record(*pair, "", at_us) for pair in pairs), **fields)

    def append(self, *pairs, at_ms=None, **fields):
        """Decide and apply a batch: what its producer is told, in words."""
        batch = self.batch(pairs, at_ms, **fields)
        fact, told = self.partition.decide_append(batch, self.now_us)
        if told.error is not Error.NONE:
            return {"status": "error", "error": told.error.name}
        if fact is not None:
            self.partition.apply(fact)
        last_offset = told.base_offset + batch.offsets_taken - 1
        status = "duplicate" if fact is None else "ok"
        return {"status": status, "base_offset": told.base_offset, "last_offset": last_offset}

    def replicate(self, batch):
        """Take a leader's batch over, at its offset if it has one."""
        if batch.base_offset < 0:
            batch = batch._replace(base_offset=self.partition.log_end_offset)
        self.partition.follower_append(batch)
        return {"status": "ok", "last_offset": self.partition.log_end_offset - 1}

    def commit_to(self, offset=None):
        """Move the high watermark; None: to the log's end."""
        end = self.partition.log_end_offset
        self.partition.advance_high_watermark(end if offset is None else offset)

    # --- Keeping ---

    def roll(self, at=None):
        self.log.apply(Rolled(self.partition.log_end_offset if at is None else at))

    def clean(self, first_dirty=None, uncleanable=None, at_ms=None, keys_a_pass=UNBOUNDED):
        """One cleaning of everything committed: the first offset that is still dirty."""
        self.commit_to()
        if first_dirty is None:
            first_dirty = self.journal.checkpoints.get(CLEANED_TO, 0)
        fact = clean(
            self.log,
            self.settings,
            self.us(at_ms),
            first_dirty_offset=first_dirty,
            uncleanable_offset=self.segments()[-1] if uncleanable is None else uncleanable,
            keys_a_pass=keys_a_pass,
        )
        self.log.apply(fact)
        return fact.next_dirty_offset

    def retain(self):
        """One run of the retention task: why each segment was deleted."""
        deletion = decide_deletion(self.log, self.settings, self.now_us)
        for fact in deletion.facts:
            self.log.apply(fact)
        return list(deletion.reasons)

    # --- Looking ---

    def segments(self):
        """The base offset of each segment."""
        return [base_offset for base_offset, _ in self.log.index.segments]

    def records(self):
        """What lies in the log: (offset, key, value)."""
        return [
            (offset, record.key, record.value)
            for batch in self.journal.facts
            for offset, record in records_of(batch)
        ]

    def markers(self):
        """The transaction markers that lie in the log: (offset, commit or abort)."""
        facts = self.journal.facts
        return [(one.base_offset, one.control) for one in facts if one.control and not one.records]

    def ends(self):
        """The last offset of each batch, empty ones too."""
        return [batch.last_offset for batch in self.journal.facts]

    def read(self, offset, isolation="read_uncommitted", max_bytes=10**9):
        """What a reader from `offset` on gets: (error, records, where it goes on)."""
        told = self.partition.read(offset, max_bytes, isolation)
        aborted = dict.fromkeys(told.aborted)  # (producer id, first offset) of transactions.
        seen, after = [], offset
        for batch in told.batches:
            after = batch.next_offset
            mine = [one for one in aborted if one[0] == batch.producer_id and one[1] < after]
            if batch.control:
                for one in mine:
                    del aborted[one]
            elif not (mine and batch.transactional):
                seen += [(at, one.key, one.value) for at, one in records_of(batch) if at >= offset]
        return told.error.name, seen, after
