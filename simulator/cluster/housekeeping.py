"""A broker's housekeeping: it deletes, cleans, flushes and forgets, each at its times.

1. Every replica keeps its own log small, whether it leads or follows, by its own clock, and never
   at or beyond its high watermark. A follower besides goes where its leader's log starts.
2. Old segments of logs that are not compacted are deleted every log.retention.check.interval.ms,
   those of compacted logs in every round of the cleaner, which comes at once after a log was
   cleaned, and else after log.cleaner.backoff.ms.
3. A log is flushed when a segment is closed (the log does that itself), when flush.messages have
   been appended since, and every log.flush.scheduler.interval.ms if the last flush is flush.ms
   ago. By default neither: only replication makes a record safe from a power loss.
4. A task has fixed times, counted from the broker's start. It is not woken at those at which it
   could not find anything: before records can be old enough (nobody writes records from before
   the world's beginning), or where no topic asks for it. So by default nothing happens here in a
   run of less than a day. Where a plan moves the node's clock, every time is kept.

Source: LogManager.scala (startup, cleanupLogs, flushDirtyLogs), LogCleaner.scala, UnifiedLog.scala,
Partition.scala (deleteRecordsOnLeader).

Not modelled: DeleteRecords waits until the followers' logs start as late (it is answered at once);
the jitter of a segment that was active when its broker started; a roll does not count as the last
flush of flush.ms.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.chance import CHOICE, Pick
from simulator.protocol import messages as m
from simulator.protocol.cleaned import Cleaned, records_of
from simulator.protocol.cleaner import decide_cleaning
from simulator.protocol.errors import Error
from simulator.protocol.log import Fact, Log
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.retention import AGE, SIZE, decide_deletion
from simulator.protocol.topic_settings import LONG_MAX, TopicSettings
from simulator.scenario.faults import Skew

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker_settings import BrokerSettings
    from simulator.protocol.partition import Partition
    from simulator.world.kernel import Timer
    from simulator.world.node import Node
    from simulator.world.route import Draw

NEVER_US = LONG_MAX * MICROS_PER_MS
REASONS = {AGE: "retention.ms", SIZE: "retention.bytes"}


class _Task:
    """What is done at fixed times since the broker's start, from when on it may find something.

    Args:
        node: whose clock counts.
        delay_ms, every_ms: the first of its times, and from one to the next.
        work: what is done.
    """

    __slots__ = ("_at_us", "_every_us", "_first_us", "_from_us", "_node", "_timer", "_work")

    def __init__(
        self, node: "Node", delay_ms: int, every_ms: int, work: Callable[[], None]
    ) -> None:
        self._node = node
        self._first_us = node.now_us + delay_ms * MICROS_PER_MS
        self._every_us = max(1, every_ms) * MICROS_PER_MS  # A rest of 0 would stop the clock.
        self._work = work
        self._from_us = NEVER_US
        self._at_us = NEVER_US
        self._timer: Timer | None = None

    def needed(self, from_us: int) -> None:
        """It may find something at `from_us`, and at any time after it; 0: always."""
        self._from_us = min(self._from_us, from_us)
        self._arm(self._node.now_us)

    def _arm(self, earliest_us: int) -> None:
        """Set the timer to the first of its times at or after `earliest_us` that is of use."""
        since = max(self._from_us, earliest_us) - self._first_us
        rounds = max(0, -(-since // self._every_us))
        at_us = self._first_us + rounds * self._every_us
        if at_us >= self._at_us:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at_us = at_us
        self._timer = self._node.after(at_us - self._node.now_us, self._due)

    def _due(self, _: Any) -> None:
        self._timer = None
        self._at_us = NEVER_US
        self._work()
        now_us = self._node.now_us
        if now_us < self._first_us or not self._from_us:
            # The clock may jump, the times do not: they are so far from one another.
            self._first_us = now_us + self._every_us
        self._arm(now_us + 1)


class Housekeeping:
    """One incarnation of a broker keeps house in its logs.

    Args:
        node: the broker's.
        settings: the broker's.
        logs: its replicas' logs, read as they are at each time; there may come more (`opened`).
        settings_of: a topic's settings, over the broker's.
        refusal: why this broker may not delete records of a partition on a client's word (it does
            not lead it, or there is none); None: it may.
        apply: makes a fact true in a log.
        changed: hears of a log of which the start or the content has changed: fetches that wait
            are to be looked at again.

    Attributes:
        handlers: the requests that are answered here, to be taken into the broker's.
        watches_appends: whether `appended` must be called after each batch.
    """

    def __init__(
        self,
        node: "Node",
        settings: "BrokerSettings",
        logs: "Mapping[TopicPartition, Partition]",
        settings_of: Callable[[TopicPartition], TopicSettings],
        *,
        refusal: Callable[[TopicPartition], Error | None],
        apply: Callable[[TopicPartition, Fact], None],
        changed: Callable[[TopicPartition], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._logs = logs
        self._settings_of = settings_of
        self._refusal = refusal
        self._apply = apply
        self._changed = changed
        self.watches_appends = False
        self._flush_every: dict[TopicPartition, int] = {}
        self._flushed_us: dict[TopicPartition, int] = {}
        self._jitters: dict[TopicPartition, tuple[Draw, int]] = {}
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.DeleteRecordsRequest: self._delete_records
        }
        faults = node.world.scenario.faults.timed
        self._clock_moves = any(isinstance(one, Skew) and one.node == node.name for one in faults)
        cleaner, own = settings.cleaner, settings.own
        later_ms = cleaner.log_initial_task_delay_ms
        retention_ms = cleaner.log_retention_check_interval_ms
        self._retention = _Task(node, later_ms, retention_ms, self._delete_old)
        self._cleaner = _Task(node, 0, cleaner.log_cleaner_backoff_ms, self._clean)
        self._flusher = _Task(
            node, later_ms, own.log_flush_scheduler_interval_ms, self._flush_by_time
        )
        check_ms = own.producer_id_expiration_check_interval_ms
        self._expirer = _Task(node, check_ms, check_ms, self._expire_producers)
        self._expirer.needed(self._since(own.producer_id_expiration_ms))
        for where in logs:
            self.opened(where)

    def _since(self, age_ms: int) -> int:
        """When the first thing can be that old, by the node's clock."""
        return 0 if self._clock_moves else age_ms * MICROS_PER_MS

    def opened(self, where: TopicPartition) -> None:
        """There is one more log, or its topic has other settings."""
        topic = self._settings_of(where)
        log = self._logs[where].log
        if topic.compacts:
            self._cleaner.needed(0)
        elif topic.deletes and topic.retention_bytes >= 0:
            self._retention.needed(0)
        elif topic.deletes and topic.retention_ms >= 0:
            self._retention.needed(self._since(topic.retention_ms))
        self._flushed_us[where] = self._node.now_us
        if topic.flush_ms < LONG_MAX:
            self._flusher.needed(0)
        if topic.flush_messages < LONG_MAX:
            self._flush_every[where] = topic.flush_messages
            self.watches_appends = True
        if topic.jitter_below_ms > 1:
            site = f"jitter@{self._node.name}/{where}"
            draw = self._node.source(site, CHOICE, Pick(topic.jitter_below_ms))
            self._draw_jitter(where, draw, log)
            self.watches_appends = True

    def appended(self, where: TopicPartition) -> None:
        """A batch has been appended, by a producer or from the leader; it is not answered yet."""
        log = self._logs[where].log
        most = self._flush_every.get(where)
        if most is not None:
            journal = log.journal
            first = journal.flushed
            dirty = first < len(journal.facts)
            if dirty and log.log_end_offset - journal.facts[first].base_offset >= most:
                self._flush(where, log)
        jitter = self._jitters.get(where)
        if jitter is not None and jitter[1] != log.index.segments[-1][0]:
            self._draw_jitter(where, jitter[0], log)

    def _draw_jitter(self, where: TopicPartition, draw: "Draw", log: Log) -> None:
        """Draw the jitter of the segment that comes after the one that is active now."""
        log.segment_jitter_ms = draw()
        self._jitters[where] = draw, log.index.segments[-1][0]

    # --- Flushing ------------------------------------------------------------------------------

    def _flush(self, where: TopicPartition, log: Log) -> None:
        if log.journal.flushed < len(log.journal.facts):
            log.journal.flush()
            self._flushed_us[where] = self._node.now_us

    def _flush_by_time(self) -> None:
        now_us = self._node.now_us
        for where, partition in self._logs.items():
            flush_us = self._settings_of(where).flush_ms * MICROS_PER_MS
            if now_us - self._flushed_us[where] >= flush_us:
                self._flush(where, partition.log)

    # --- Deleting and cleaning -----------------------------------------------------------------

    def _delete_old(self) -> None:
        for where in tuple(self._logs):
            topic = self._settings_of(where)
            if not topic.compacts:
                self._delete(where, topic)

    def _delete(self, where: TopicPartition, topic: TopicSettings) -> None:
        """Delete the segments of one log that are too old or too many."""
        log = self._logs[where].log
        deletion = decide_deletion(log, topic, self._node.now_us)
        if not deletion.facts:
            return
        start = log.log_start_offset
        for fact in deletion.facts:
            self._apply(where, fact)
        told = list(zip(deletion.segments, deletion.reasons, strict=True))
        for at, (segment, reason) in enumerate(told):
            last = at + 1 == len(told) or told[at + 1][1] != reason
            if last and reason in REASONS and segment.next_base_offset > start:
                self._tell_start(where, segment.next_base_offset, REASONS[reason])
        self._changed(where)

    def _tell_start(self, where: TopicPartition, offset: int, reason: str) -> None:
        self._node.record(("log_start_moved", where.topic, where.partition, offset, reason))

    def _clean(self) -> None:
        """One round: clean what is due, the dirtiest first, then delete."""
        compacted = []
        for where, partition in self._logs.items():
            topic = self._settings_of(where)
            if topic.compacts:
                compacted.append((partition, topic))
        now_us = self._node.now_us
        keys_a_pass = self._settings.cleaner.keys_a_pass
        reached: dict[TopicPartition, int] = {}
        while (chosen := decide_cleaning(compacted, now_us, keys_a_pass)) is not None:
            partition, fact = chosen
            where = partition.partition
            assert reached.get(where, -1) < fact.next_dirty_offset, f"{where} is never clean"
            reached[where] = fact.next_dirty_offset
            self._replace(where, partition.log, fact)
        for partition, topic in compacted:
            self._delete(partition.partition, topic)

    def _replace(self, where: TopicPartition, log: Log, fact: Cleaned) -> None:
        """Put the cleaned segments in place of the old ones."""
        kept = {offset for batch in fact.batches for offset, _ in records_of(batch)}
        removed = []
        for batch in log.journal.facts:
            if batch.base_offset >= fact.end_offset:
                break
            removed += [
                record.event_id
                for offset, record in records_of(batch)
                if offset not in kept and record.event_id
            ]
        start = log.log_start_offset
        self._apply(where, fact)
        self._node.record(
            ("log_cleaned", where.topic, where.partition, start, fact.end_offset, tuple(removed))
        )
        self._changed(where)

    def _delete_records(
        self, _: "Asker", __: int, body: m.DeleteRecordsRequest
    ) -> m.DeleteRecordsResponse:
        """A client lets records go that lie below an offset, which must be committed."""
        return m.DeleteRecordsResponse(
            tuple(self._delete_below(where, offset) for where, offset in body.partitions)
        )

    def _delete_below(self, where: TopicPartition, offset: int) -> m.RecordsDeleted:
        error = self._refusal(where)
        if error is None and not self._settings_of(where).deletes:
            error = Error.POLICY_VIOLATION
        if error is not None:
            return m.RecordsDeleted(where, error, UNKNOWN_OFFSET)
        partition = self._logs[where]
        fact, error = partition.decide_delete_records(offset)
        if error is not Error.NONE:
            return m.RecordsDeleted(where, error, UNKNOWN_OFFSET)
        if fact is not None:
            self._apply(where, fact)
            self._tell_start(where, fact.offset, "delete_records")
            self._changed(where)
        return m.RecordsDeleted(where, Error.NONE, partition.log_start_offset)

    # --- Forgetting ----------------------------------------------------------------------------

    def _expire_producers(self) -> None:
        for partition in self._logs.values():
            partition.expire_producers(self._node.now_us)
