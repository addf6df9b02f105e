"""A log that was cleaned, loaded again, replicated, read by a client and rolled by time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.cleaned import CLEANED_TO, CleanedBatch, is_empty
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.fetching import _Fetched
from simulator.protocol.log import LogConfig
from simulator.protocol.positions import Position
from simulator.trace.about import event_ids
from tests.kept import START_MS, KeptLog

STEADY = settings(max_examples=100, derandomize=True, deadline=None, database=None)


def cleaned(**config):
    """a=1 of a producer is gone, b=1 lies beside its hole, and a=2 hides it."""
    kept = KeptLog(cleanup_policy="compact", **config)
    shared = {"producer_id": 1, "producer_epoch": 0}
    kept.append(("a", "1"), ("b", "1"), base_sequence=0, **shared)
    kept.append(("a", "2"), ("c", "1"), base_sequence=2, **shared)
    kept.append(("c", "2"))
    kept.roll()
    kept.clean()
    return kept


def known(kept):
    """What a restart must find again of each producer."""
    return {
        one: (state.epoch, state.last_sequence, state.transaction_first_offset)
        for one, state in kept.log.producers.items()
    }


# --- Loading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["nothing", "snapshots", "index", "both"])
def test_a_restart_finds_a_cleaned_log_and_its_producers_again(lost):
    kept = cleaned()
    before = kept.records(), kept.ends(), known(kept), kept.partition.log_end_offset
    if lost in {"snapshots", "both"}:
        kept.journal.snapshots.clear()
    if lost in {"index", "both"}:
        kept.journal.index = None
    kept.restart(clean=False)

    assert (kept.records(), kept.ends(), known(kept), kept.partition.log_end_offset) == before
    assert kept.append(("a", "3"), producer_id=1, producer_epoch=0, base_sequence=4)["status"] == (
        "ok"
    )


def test_a_rebuilt_index_knows_the_same_bytes_and_times():
    kept = cleaned()
    index = kept.log.index
    before = [index.size_of(at) for at in range(3)], list(index.times)
    kept.journal.index = None
    kept.restart(clean=False)
    index = kept.log.index

    assert ([index.size_of(at) for at in range(3)], list(index.times)) == before


STEPS = st.one_of(
    st.tuples(st.just("data"), st.integers(1, 2), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("data"), st.integers(1, 2), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("end"), st.integers(1, 2), st.sampled_from(["commit", "abort"])),
    st.tuples(st.just("roll")),
    st.tuples(st.just("clean")),
)


@STEADY
@given(st.lists(STEPS, max_size=20), st.booleans())
def test_after_any_cleaning_a_producer_goes_on_over_a_restart(steps, with_snapshots):
    kept = KeptLog(cleanup_policy="compact", delete_retention_ms=0)
    sequences = {1: 0, 2: 0}
    opened = {1: False, 2: False}
    for step in steps:
        match step:
            case ("data", pid, key, transactional):
                opened[pid] |= transactional
                fields = {"producer_id": pid, "producer_epoch": 0, "transactional": opened[pid]}
                kept.append((key, "1"), base_sequence=sequences[pid], **fields)
                sequences[pid] += 1
            case ("end", pid, control):
                fields = {"producer_id": pid, "producer_epoch": 0, "coordinator_epoch": 0}
                kept.append(control=control, **fields)
                opened[pid] = False
            case ("roll",):
                kept.roll()
            case ("clean",):
                kept.clean(uncleanable=kept.partition.last_stable_offset)
                kept.clean(first_dirty=0, uncleanable=kept.partition.last_stable_offset)
    before = known(kept)
    if not with_snapshots:
        kept.journal.snapshots.clear()
    kept.restart(clean=False)

    for pid, sequence in sequences.items():
        if sequence:
            assert known(kept)[pid] == before[pid]
            fields = {"producer_id": pid, "producer_epoch": 0, "transactional": opened[pid]}
            assert kept.append(("a", "1"), base_sequence=sequence, **fields)["status"] == "ok"


def test_a_truncation_takes_the_cleaners_checkpoint_back():
    """Or what is appended there next would count as cleaned."""
    kept = cleaned()
    kept.append(("d", "1"))
    kept.partition.truncate_to(4)

    assert kept.journal.checkpoints[CLEANED_TO] == 4


# --- Replication -------------------------------------------------------------------------------


def test_a_follower_takes_cleaned_batches_over_as_they_are():
    leader = cleaned()
    follower = KeptLog(cleanup_policy="compact")
    for batch in leader.journal.facts:
        follower.replicate(batch)

    assert follower.journal.facts == leader.journal.facts
    assert follower.partition.log_end_offset == 5
    assert known(follower) == known(leader)
    assert [follower.log.index.size_of(at) for at in range(3)] == [
        leader.log.index.size_of(at) for at in range(3)
    ]
    assert follower.append(("a", "3"))["base_offset"] == 5


def test_a_follower_learns_nothing_of_an_emptied_marker():
    follower = KeptLog(cleanup_policy="compact")
    follower.replicate(
        CleanedBatch((None,), 7, 1, 0, control="abort", coordinator_epoch=0, latest_us=9)
    )

    assert follower.log.producers == {}
    assert follower.partition.log_end_offset == 8
    assert is_empty(follower.journal.facts[0])


# --- Reading -----------------------------------------------------------------------------------


def fetched(kept, offset):
    """What a client makes of a fetch, one record at a time: offsets, and where it goes on."""
    kept.commit_to()
    told = kept.partition.read(offset, 10**9)
    position = Position(kept.where)
    answer = _Fetched(position, offset, Error.NONE, told.batches, told.aborted)
    taken = []
    for _ in range(20):
        answer.take(1, taken)
    return [one.offset for one in taken], answer.offset


def test_a_client_passes_over_holes():
    kept = cleaned()

    assert fetched(kept, 0) == ([1, 2, 4], 5)
    assert fetched(kept, 2) == ([2, 4], 5)
    assert fetched(kept, 3) == ([4], 5)


def test_holes_do_not_count_as_records_of_a_poll():
    kept = cleaned()
    kept.commit_to()
    told = kept.partition.read(0, 10**9)
    answer = _Fetched(Position(kept.where), 0, Error.NONE, told.batches, ())
    taken = []

    assert answer.take(ConsumerSettings().max_poll_records, taken) == 497
    assert len(taken) == 3


def test_a_time_is_looked_up_among_the_records_that_are_left():
    kept = KeptLog(cleanup_policy="compact")
    kept.append(("a", "1"), ("b", "1"), at_ms=5)
    kept.append(("a", "2"), at_ms=9)
    kept.roll()
    kept.clean()

    assert kept.partition.list_offset(START_MS).offset == 1
    assert kept.partition.list_offset(START_MS + 6).offset == 2


def test_a_trace_tells_of_the_records_that_are_left():
    kept = cleaned()

    assert len(event_ids(tuple(kept.journal.facts))) == 3


# --- Rolling by time ---------------------------------------------------------------------------


def test_a_log_begins_a_new_segment_when_a_record_is_younger_than_the_first_by_segment_ms():
    kept = KeptLog(segment_ms=10)
    for at_ms in (5, 15, 3, 16, 26, 27):
        kept.append(("a", "1"), at_ms=at_ms)

    assert kept.segments() == [0, 3, 5]
    assert [kind for _, kind, _ in kept.journal.snapshots] == ["segment", "segment"]


def test_a_segments_jitter_closes_it_earlier():
    kept = KeptLog(segment_ms=10)
    kept.log.segment_jitter_ms = 4
    for at_ms in (0, 6, 7):
        kept.append(("a", "1"), at_ms=at_ms)

    assert kept.segments() == [0, 2]


@pytest.mark.parametrize("how", ["restart", "truncate", "roll", "delete"])
def test_the_age_of_the_active_segment_is_found_again(how):
    kept = KeptLog(segment_ms=10, retention_ms=1)
    kept.append(("a", "1"), at_ms=0)
    if how == "truncate":
        kept.append(("a", "1"), at_ms=8)
        kept.partition.truncate_to(1)
    elif how == "restart":
        kept.restart(clean=False)
    elif how == "roll":
        kept.roll()
    else:
        kept.commit_to()
        kept.now_ms = 2
        kept.retain()
    kept.append(("a", "2"), at_ms=9)
    kept.append(("a", "3"), at_ms=11)

    expected = {"roll": [0, 1], "delete": [1]}.get(how, [0, 2])
    assert kept.segments() == expected


def test_by_default_a_segment_is_closed_after_seven_days():
    assert LogConfig().segment_ms == 604_800_000
