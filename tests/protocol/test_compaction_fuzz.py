"""Any life of a compacted log, against the last value of each key and a list of all that was said.

The reference never forgets: it knows every record ever appended, and which transactions were
aborted. From that it says what may be left of the log, and since when a tombstone may be gone.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.protocol import compaction
from simulator.protocol.cleaner import log_to_clean
from simulator.protocol.compaction import clean
from tests.kept import KeptLog

STEADY = settings(max_examples=150, derandomize=True, deadline=None, database=None)
RETENTION_MS = 10

PAIRS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", None])), min_size=1, max_size=3
)
STEPS = st.one_of(
    st.tuples(st.just("plain"), PAIRS),
    st.tuples(st.just("plain"), PAIRS),
    st.tuples(st.just("data"), st.integers(1, 2), st.booleans(), PAIRS),
    st.tuples(st.just("end"), st.integers(1, 2), st.sampled_from(["commit", "abort"])),
    st.tuples(st.just("roll")),
    st.tuples(st.just("roll")),
    st.tuples(st.just("tick"), st.sampled_from([1, RETENTION_MS])),
    st.tuples(st.just("clean"), st.sampled_from([1, 2, 99])),
    st.tuples(st.just("clean"), st.just(99)),
)
LIVES = st.lists(STEPS, max_size=25)


class Everything:
    """A log that is cleaned, and all that was ever said to it."""

    def __init__(self):
        self.kept = KeptLog(
            cleanup_policy="compact", delete_retention_ms=RETENTION_MS, segment_bytes=700
        )
        self.said = {}  # Offset -> (key, value).
        self.aborted = {}  # Offsets of aborted records.
        self.sequences = {1: 0, 2: 0}
        self.open = {1: [], 2: []}
        self.seen = {}  # Offset of a tombstone -> when a cleaning first left it.

    def play(self, step):
        kept = self.kept
        match step:
            case ("plain", pairs):
                self.note(kept.append(*pairs), pairs)
            case ("data", pid, transactional, pairs):
                told = kept.append(
                    *pairs,
                    producer_id=pid,
                    producer_epoch=0,
                    base_sequence=self.sequences[pid],
                    transactional=transactional or bool(self.open[pid]),
                )
                self.sequences[pid] += len(pairs)
                offsets = self.note(told, pairs)
                if transactional or self.open[pid]:
                    self.open[pid] += offsets
            case ("end", pid, control):
                kept.append(producer_id=pid, producer_epoch=0, control=control, coordinator_epoch=0)
                if control == "abort":
                    self.aborted.update(dict.fromkeys(self.open[pid]))
                self.open[pid] = []
            case ("roll",):
                kept.roll()
            case ("tick", ms):
                kept.now_ms += ms
            case ("clean", keys):
                kept.commit_to()
                self.clean(keys)

    def note(self, told, pairs):
        assert told["status"] == "ok", told
        offsets = range(told["base_offset"], told["last_offset"] + 1)
        self.said.update(zip(offsets, pairs, strict=True))
        return [*offsets]

    def clean(self, keys):
        kept = self.kept
        ltc = log_to_clean(kept.partition, kept.settings, kept.now_us)
        fact = clean(
            kept.log,
            kept.settings,
            kept.now_us,
            first_dirty_offset=ltc.first_dirty_offset,
            uncleanable_offset=ltc.uncleanable_offset,
            keys_a_pass=keys,
        )
        assert fact.end_offset <= min(kept.segments()[-1], kept.partition.last_stable_offset) or (
            not fact.segments
        )
        stable = kept.partition.last_stable_offset, kept.partition.log_end_offset
        above = [one for one in kept.journal.facts if one.base_offset >= fact.end_offset]
        kept.log.apply(fact)

        assert (kept.partition.last_stable_offset, kept.partition.log_end_offset) == stable
        after = [one for one in kept.journal.facts if one.base_offset >= fact.end_offset]
        assert all(one is other for one, other in zip(after, above, strict=True))
        self.check(fact)

    def check(self, fact):
        left = {offset: (key, value) for offset, key, value in self.kept.records()}
        assert list(left) == sorted(left)
        assert all(self.said[offset] == pair for offset, pair in left.items())
        done = fact.next_dirty_offset if fact.segments else 0
        newest = {}
        for offset, (key, _) in self.said.items():
            if offset < done and offset not in self.aborted:
                newest[key] = offset
        expected = sorted(newest.values())
        expired = [one for one in expected if self.said[one][1] is None and one not in left]
        assert [one for one in left if one < done] == [o for o in expected if o not in expired]
        for one in expired:
            assert self.kept.now_ms >= self.seen[one] + RETENTION_MS, f"{one} is gone too early"
        for one in expected:
            if self.said[one][1] is None and one in left and one in self.seen:
                assert self.kept.now_ms < self.seen[one] + RETENTION_MS, f"{one} stayed too long"
        for offset, (_, value) in left.items():
            if value is None and offset < fact.end_offset:
                self.seen.setdefault(offset, self.kept.now_ms)
        between = [o for o in self.said if done <= o < fact.end_offset and o not in self.aborted]
        assert [one for one in left if done <= one < fact.end_offset] == between
        self.check_headers()
        self.check_readers(left)

    def check_headers(self):
        """A producer that goes on finds its sequence and epoch again."""
        kept = self.kept
        ends = kept.ends()
        assert ends == sorted(set(ends))
        for state in kept.log.producers.values():
            assert not state.batches or state.batches[-1][3] in ends

    def check_readers(self, left):
        """From every offset on, a reader gets what is left there and nothing else."""
        kept = self.kept
        end = kept.partition.last_stable_offset
        readable = [one for one in left if one < end and one not in self.aborted]
        for start in range(kept.partition.log_start_offset, end + 1):
            offset, seen = start, []
            while offset < end:
                _, more, after = kept.read(offset, "read_committed", max_bytes=150)
                if after == offset:
                    break  # Nothing is left up to the end.
                seen += [at for at, _, _ in more]
                offset = after
            assert seen == [one for one in readable if one >= start]


def live(steps):
    everything = Everything()
    for step in [*steps, ("roll",), ("clean", 99), ("tick", RETENTION_MS), ("clean", 99)]:
        everything.play(step)


@STEADY
@given(LIVES)
@example([("plain", [("a", "1"), ("b", None)]), ("roll",), ("clean", 1), ("clean", 1)])
@example(
    [("data", 1, True, [("a", "1")]), ("roll",), ("end", 1, "abort"), ("roll",), ("clean", 99)]
)
def test_a_cleaning_keeps_the_last_of_each_key_and_nothing_else(steps):
    live(steps)


# --- Planted bugs ------------------------------------------------------------------------------


def tombstones_go_at_once(monkeypatch):
    rewrite = compaction._Rewriting._kept_records
    monkeypatch.setattr(
        compaction._Rewriting,
        "_kept_records",
        lambda self, batch, *, tombstones_go: rewrite(self, batch, tombstones_go=True),
    )


def tombstones_stay_for_ever(monkeypatch):
    rewrite = compaction._Rewriting._kept_records
    monkeypatch.setattr(
        compaction._Rewriting,
        "_kept_records",
        lambda self, batch, *, tombstones_go: rewrite(self, batch, tombstones_go=False),
    )


def no_header_is_kept(monkeypatch):
    monkeypatch.setattr(compaction._Rewriting, "_emptied", lambda _self, _batch: None)


def aborted_records_count(monkeypatch):
    monkeypatch.setattr(compaction._Transactions, "passes", lambda _self, _batch: False)


def the_newest_goes_too(monkeypatch):
    newest = compaction._newest_offsets

    def later(*given):
        offsets, reached = newest(*given)
        return {key: offset + 1 for key, offset in offsets.items()}, reached

    monkeypatch.setattr(compaction, "_newest_offsets", later)


def a_full_memory_counts_as_the_end(monkeypatch):
    newest = compaction._newest_offsets

    def all_read(*given):
        log, segments, first_dirty, bound, most_keys = given
        return newest(log, segments, first_dirty, bound, most_keys)[0], bound

    monkeypatch.setattr(compaction, "_newest_offsets", all_read)


@pytest.mark.parametrize(
    "plant",
    [
        tombstones_go_at_once,
        tombstones_stay_for_ever,
        no_header_is_kept,
        aborted_records_count,
        the_newest_goes_too,
        a_full_memory_counts_as_the_end,
    ],
)
def test_a_planted_bug_is_found(monkeypatch, plant):
    """Were the lives too mild, the property would hold for the wrong reason."""
    plant(monkeypatch)
    search = settings(STEADY, report_multiple_bugs=False)(given(LIVES)(live))

    with pytest.raises((AssertionError, KeyError)):
        search()
