"""Producers whose last batch was deleted: kept since Kafka 2.4, forgotten before (KAFKA-7190).

And what the client makes of UNKNOWN_PRODUCER_ID, before KIP-360 and since.
"""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.log import LogConfig
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch, Record
from simulator.protocol.variant import Variant
from tests.produced import Bench

WHERE = TopicPartition("t", 0)
FORGETS = LogConfig(keeps_idle_producers=False)
KEEPS = LogConfig()
RESETS = Variant(bumps_own_epoch=False)
PRODUCER = 7


def batch(first, count=1, epoch=0, **more):
    records = tuple(Record("k", "v", f"e{first + number}") for number in range(count))
    return Batch(records, -1, PRODUCER, epoch, first, **more)


def partition(config, *batches):
    made = Partition(WHERE, Journal("t-0"), config)
    for one in batches:
        assert append(made, one) is Error.NONE
    return made


def append(made, one):
    fact, answer = made.decide_append(one, 0)
    if fact is not None:
        made.apply(fact)
    return answer.error


# --- The broker ----------------------------------------------------------------------------------


def test_a_producer_is_forgotten_with_its_last_batch_and_then_unknown():
    made = partition(FORGETS, batch(0), batch(1))

    made.delete_records(2)

    assert made.producers == {}
    assert append(made, batch(2)) is Error.UNKNOWN_PRODUCER_ID
    assert made.log_end_offset == 2
    assert append(made, batch(0)) is Error.NONE


def test_a_producer_is_kept_without_its_batches_since_2_4():
    made = partition(KEEPS, batch(0), batch(1))

    made.delete_records(2)

    assert append(made, batch(1)) is Error.NONE  # The retry of what was deleted.
    assert made.log_end_offset == 2
    assert append(made, batch(2)) is Error.NONE


def test_a_batch_is_forgotten_with_its_record_and_the_later_ones_are_not():
    made = partition(FORGETS, batch(0, 2), batch(2, 2))

    made.delete_records(3)  # In the middle of the second batch.

    assert append(made, batch(2, 2)) is Error.NONE
    assert made.log_end_offset == 4
    assert append(made, batch(0, 2)) is Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert append(made, batch(4)) is Error.NONE


def test_a_stranger_may_not_begin_in_the_middle():
    """Since then any first sequence is taken of a producer that nobody knows."""
    assert append(partition(FORGETS), batch(5)) is Error.UNKNOWN_PRODUCER_ID
    assert append(partition(KEEPS), batch(5)) is Error.NONE


def test_a_higher_epoch_that_does_not_begin_at_0_is_out_of_order_then_as_now():
    for config in (FORGETS, KEEPS):
        made = partition(config, batch(0))
        assert append(made, batch(3, epoch=1)) is Error.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert append(made, batch(0, epoch=1)) is Error.NONE


def test_of_whom_only_a_marker_is_left_nothing_is_known():
    marker = Batch((), -1, PRODUCER, 0, control="abort", coordinator_epoch=0)
    made = partition(FORGETS, batch(0, transactional=True), marker)
    made.delete_records(1)

    error = append(made, batch(1, transactional=True))

    assert error is Error.UNKNOWN_PRODUCER_ID


def test_a_fenced_zombie_that_was_forgotten_opens_a_transaction_that_nobody_ends():
    """Its epoch, too, is forgotten with the marker that raised it (KIP-360, the second story)."""
    marker = Batch((), -1, PRODUCER, 1, control="abort", coordinator_epoch=0)
    for config, error, hangs in (
        (FORGETS, Error.NONE, True),
        (KEEPS, Error.INVALID_PRODUCER_EPOCH, False),
    ):
        made = partition(config, batch(0, transactional=True), marker)
        made.delete_records(2)

        assert append(made, batch(0, transactional=True)) is error
        assert (made.first_unstable_offset is not None) == hangs


def test_a_restart_knows_no_more_than_was_known_before():
    journal = Journal("t-0")
    made = Partition(WHERE, journal, FORGETS)
    for one in (batch(0, 2), batch(2, 2), batch(4, 2)):
        append(made, one)
    made.delete_records(3)
    before = made.log.hard_state()

    again = Partition(WHERE, journal, FORGETS)

    assert again.log.hard_state() == before
    made.delete_records(6)
    assert Partition(WHERE, journal, FORGETS).producers == made.producers == {}


# --- The client ----------------------------------------------------------------------------------


def answer_is_lost_and_all_is_deleted(bench):
    """b is written and read, its answer is lost; then everything is deleted; then b comes again."""
    bench.send("a")
    bench.serve()
    bench.send("b")
    bench.take_in()
    bench.disconnect()
    bench.logs[WHERE].delete_records(-1)
    bench.settle()


@pytest.mark.parametrize(
    ("config", "variant", "expected"),
    [
        (FORGETS, RESETS, ["a", "b", "b"]),
        (FORGETS, Variant(), ["a", "b", "b"]),  # A new epoch knows no more of b.
        (KEEPS, RESETS, ["a", "b"]),
        (KEEPS, Variant(), ["a", "b"]),
    ],
    ids=["2.3", "client 2.5", "broker 2.4", "4.0"],
)
def test_a_producer_that_the_broker_forgot_writes_again_what_was_written(
    config, variant, expected
):
    """What a reader sees who read all of it in time. The cure is the broker's: KAFKA-7190."""
    bench = Bench(config=config, variant=variant)

    answer_is_lost_and_all_is_deleted(bench)

    assert bench.log() == expected
    assert [event for event, _, _ in bench.acked] == ["a", "b"]


@pytest.mark.parametrize(
    ("variant", "numbers"), [(RESETS, (0, 0)), (Variant(), (1, 0))], ids=["2.4", "4.0"]
)
def test_sequences_begin_anew_in_the_next_epoch_or_before_kip_360_in_the_same(variant, numbers):
    bench = Bench(variant=variant)
    bench.send("a")
    bench.serve()
    bench.send("b")
    assert bench.numbers() == [(0, 1)]

    bench.deny(1)
    bench.wait(200)

    assert bench.numbers() == [numbers]
    bench.send("c")
    assert bench.numbers() == [numbers, (numbers[0], 1)]


def test_before_kip_360_all_in_flight_begin_anew_once_and_in_their_order():
    """The answers to the others say the same, and do not begin a third time."""
    bench = Bench(variant=RESETS, config=FORGETS)
    bench.send("a")
    bench.serve()
    bench.logs[WHERE].delete_records(-1)
    bench.send("b", "c", "d")

    bench.settle()

    assert bench.log()[-3:] == ["b", "c", "d"]
    assert bench.logs[WHERE].producers[7_001].epoch == 0
    assert bench.logs[WHERE].producers[7_001].last_sequence == 2


def test_before_kip_360_a_producer_whose_records_are_still_there_fails():
    """It was forgotten, but not by deletion: something else is wrong, and nothing is resent."""
    bench = Bench(variant=RESETS)
    bench.send("a")
    bench.serve()
    bench.send("b")

    bench.deny(0)

    assert bench.failed == [("b", "UNKNOWN_PRODUCER_ID", True)]


@pytest.mark.parametrize("variant", [RESETS, Variant()], ids=["2.4", "4.0"])
def test_without_a_log_start_offset_it_is_simply_tried_again(variant):
    bench = Bench(variant=variant)
    bench.send("a")
    bench.serve()
    bench.send("b")

    bench.deny(-1)
    bench.wait(200)

    assert bench.numbers() == [(0, 1)]


def test_before_kip_360_a_sequence_used_twice_loses_a_record():
    """One leader has forgotten the producer, the next one has not.

    b begins anew at sequence 0 in the old epoch; the new leader remembers a under that number,
    takes b for a retry of a, and acknowledges what it does not write. A new epoch does not.
    """
    for variant, expected in ((RESETS, ["a"]), (Variant(), ["a", "b"])):
        bench = Bench(variant=variant)
        bench.send("a")
        bench.serve()
        bench.send("b")
        bench.deny(1)
        bench.settle()

        assert [event for event, _, _ in bench.acked] == ["a", "b"]
        assert bench.log() == expected
