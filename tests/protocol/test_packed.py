"""Old batches are kept as columns, and nobody can tell but by the memory that they take."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.journal import Journal
from simulator.protocol.log import LIVE_BATCHES
from simulator.protocol.names import TopicPartition
from simulator.protocol.packed import PackedRecords, Unpacked, packed, unpacked
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch, Record

TWO = (Record("k", "v", "e0", 5), Record(None, b"\x00w", "e1"))
WHERE = TopicPartition("t", 0)
ENOUGH = 10**9

texts = st.none() | st.text(max_size=3) | st.binary(max_size=3)
times = st.integers(-1, 2**62)
records = st.builds(Record, texts, texts, st.text(max_size=5), times)


@given(st.lists(records, max_size=6).map(tuple))
def test_packing_changes_nothing_that_can_be_seen(some):
    batch = Batch(some, 3, 7, 0, 2)

    kept = packed(batch)

    assert kept == batch
    assert batch == kept
    assert unpacked(kept) == batch
    assert type(unpacked(kept).records) is tuple
    assert len(kept.records) == len(some)
    assert list(kept.records) == list(some)
    assert kept.next_offset == batch.next_offset
    assert repr(kept) == repr(batch)


def test_packed_records_are_a_sequence():
    kept = packed(Batch(TWO)).records

    assert isinstance(kept, PackedRecords)
    assert kept[1] == TWO[1]
    assert kept[:1] == TWO[:1]
    assert type(kept[0]) is Record
    assert kept != TWO[:1]
    assert kept == packed(Batch(TWO)).records


@pytest.mark.parametrize(
    "some",
    [
        TWO[:1],
        (),
        (*TWO, Record("k", "v", "e2", 0, (("name", "x"),))),
        (*TWO, Record("k", "v", "e\x1f2")),
    ],
    ids=["one record", "none", "headers", "an id with the separator"],
)
def test_what_would_gain_nothing_or_could_not_be_told_apart_is_left_as_it_is(some):
    batch = Batch(some)

    assert packed(batch) is batch
    assert unpacked(batch) is batch


def filled(batches, *, alone=True):
    """A partition with so many batches of two records, and what was put in."""
    partition = Partition(WHERE, Journal("t-0"), alone=alone)
    for number in range(batches):
        pair = tuple(Record("k", "v", f"e{number}-{place}", number) for place in range(2))
        fact, _ = partition.decide_append(Batch(pair, -1, 7, 0, 2 * number), number)
        assert fact is not None
        partition.apply(fact)
    return partition


def is_packed(batch):
    return isinstance(batch.records, PackedRecords)


def test_a_log_packs_all_but_its_newest_batches():
    facts = filled(3 * LIVE_BATCHES).log.journal.facts

    assert all(map(is_packed, facts[:LIVE_BATCHES]))
    assert not any(map(is_packed, facts[-LIVE_BATCHES:]))


def test_what_replicas_hold_in_common_is_not_packed():
    assert not any(map(is_packed, filled(3 * LIVE_BATCHES, alone=False).log.journal.facts))


def test_a_reader_is_given_what_was_appended_wherever_it_reads():
    partition = filled(3 * LIVE_BATCHES)

    for offset in (0, 1, 2 * LIVE_BATCHES - 1, 4 * LIVE_BATCHES, 0):
        batches = partition.read(offset, ENOUGH).batches
        found = [record.event_id for batch in batches for record in batch.records]
        assert found == [f"e{at // 2}-{at % 2}" for at in range(offset & ~1, 6 * LIVE_BATCHES)]
        assert all(type(batch.records) is tuple for batch in batches)


def test_after_a_cut_a_reader_is_given_what_stands_there_now():
    """Positions have moved, and what was unpacked by position is not of use any more."""
    partition = filled(3 * LIVE_BATCHES)
    partition.read(0, ENOUGH)

    partition.truncate_to(10)
    fact, _ = partition.decide_append(Batch((Record("k", "v", "new"),)), 0)
    assert fact is not None
    partition.apply(fact)

    batches = partition.read(0, ENOUGH).batches
    assert [batch.base_offset for batch in batches] == [0, 2, 4, 6, 8, 10]
    assert batches[-1].records[0].event_id == "new"


def test_a_log_with_packed_batches_is_loaded_as_it_was():
    partition = filled(3 * LIVE_BATCHES)

    again = Partition(WHERE, partition.log.journal)

    assert again.log.hard_state() == partition.log.hard_state()
    assert again.read(0, 100).batches == partition.read(0, 100).batches
    partition.log.journal.index = None
    assert Partition(WHERE, partition.log.journal).log.index.ends == partition.log.index.ends


def test_only_so_much_stays_unpacked_after_it_was_read():
    facts = [packed(Batch(TWO, 2 * number)) for number in range(2_000)]
    known = Unpacked()

    for number in range(2_000):
        (batch,) = known.batches(facts, number, number + 1)
        assert batch == facts[number]

    assert len(known._known) < 1_000


def test_a_packed_record_takes_less_than_half_of_what_it_took():
    def batches(keep):
        return [
            keep(Batch(tuple(Record("k", "v", f"order-{at}", at) for at in range(at, at + 10))))
            for at in range(100_000, 110_000, 10)
        ]

    sizes = []
    for keep in (packed, unpacked):
        tracemalloc.start()
        held = batches(keep)
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(held) == 1_000

    assert sizes[0] * 2 < sizes[1]
