"""Sequences: how a producer makes sure that a retry is recognized, and what it does about gaps."""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.log import LogConfig
from simulator.protocol.names import EPOCH_MAX, TopicPartition
from tests.produced import Bench

SHORT = {"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000}


def test_sequences_count_the_records_of_a_partition():
    bench = Bench({"linger.ms": 5}, topics={"t": 2})
    bench.send("a", "b", "c", partition=0)
    bench.send("d", partition=1)
    bench.wait(5)
    bench.serve()
    bench.send("e", partition=0)
    bench.wait(5)

    assert bench.numbers() == [(0, 3)]


def test_a_retry_keeps_its_sequence_and_is_written_once():
    bench = Bench()
    bench.send("a")
    bench.take_in()

    bench.disconnect()
    bench.wait(80)
    assert bench.numbers() == [(0, 0)]
    bench.serve()

    assert bench.log() == ["a"]
    assert bench.acked == [("a", 0, 0)]


def test_batches_that_are_lost_together_go_back_in_the_order_of_their_sequences():
    bench = Bench()
    bench.send("a", "b", "c")

    bench.disconnect()
    bench.settle()

    assert bench.log() == ["a", "b", "c"]


def test_while_one_is_tried_again_its_successors_wait_for_it():
    """a is refused, b and c are answered out of order; then one goes after the other."""
    bench = Bench()
    bench.send("a")
    bench.serve()
    bench.send("b", "c", "d")

    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.serve(times=2)  # OUT_OF_ORDER_SEQUENCE_NUMBER for both: b's are missing.
    assert bench.on_wire() == []
    bench.wait(200)
    assert bench.on_wire() == [[("b",)]]
    bench.serve()
    bench.wait(400)
    assert bench.on_wire() == [[("c",)]]
    bench.settle()

    assert bench.log() == ["a", "b", "c", "d"]
    assert bench.failed == []


def test_a_partition_that_has_not_heard_of_a_producer_takes_its_second_batch_as_its_first():
    """As in Kafka: b is taken with sequence 1, then a's 0 is out of order until it expires."""
    bench = Bench()
    bench.send("a", "b")

    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.settle()

    assert bench.log() == ["b"]
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", True)]
    assert bench.now_us >= 120_000_000


def test_a_gap_that_the_client_knows_of_raises_its_epoch_and_numbers_anew():
    """INVALID_RECORD for the first: its sequence will never come, so the others start at 0."""
    bench = Bench()
    bench.send("z")
    bench.serve()
    bench.send("a", "b", "c")
    assert bench.numbers() == [(0, 1), (0, 2), (0, 3)]

    bench.refuse(Error.INVALID_RECORD)
    bench.serve(times=2)  # Sent with the old numbers: out of order.
    assert bench.failed == [("a", "INVALID_RECORD", True)]
    bench.wait(80)
    assert bench.numbers() == [(1, 0)]
    bench.settle()

    assert bench.log() == ["z", "b", "c"]


def test_other_partitions_take_the_new_epoch_when_their_batches_of_the_old_one_are_done():
    bench = Bench(topics={"t": 2}, brokers=2)
    bench.send("a", partition=0)
    bench.send("b", partition=1)
    bench.refuse(Error.INVALID_RECORD, "b0")

    bench.send("c", partition=1)
    assert bench.numbers("b1") == [(0, 0)]  # c waits for b.
    bench.serve("b1")

    assert bench.numbers("b1") == [(1, 0)]
    bench.settle()
    assert bench.log(1) == ["b", "c"]


def test_a_duplicate_that_the_broker_forgot_the_offset_of_is_a_success_without_offset():
    bench = Bench()
    bench.send("a")

    bench.refuse(Error.DUPLICATE_SEQUENCE_NUMBER)

    assert bench.acked == [("a", 0, -1)]


def test_out_of_order_for_the_next_sequence_in_line_is_a_gap():
    """The broker lost its log: what it expects, the client cannot know. It starts a new epoch."""
    bench = Bench()
    bench.send("a")
    bench.serve()
    bench.send("b")

    bench.refuse(Error.OUT_OF_ORDER_SEQUENCE_NUMBER)
    bench.wait(80)

    assert bench.numbers() == [(1, 0)]
    bench.settle()
    assert bench.log() == ["a", "b"]


def test_unknown_producer_id_starts_a_new_epoch_too():
    bench = Bench()
    bench.send("a")
    bench.serve()
    bench.send("b")

    entry = bench.wire["b0"].popleft()
    answer = bench.work(entry[1])
    refused = answer.results[0]._replace(error=Error.UNKNOWN_PRODUCER_ID, log_start_offset=9)
    bench.machine.answered(entry[0], answer._replace(results=(refused,)), bench.now_us)
    bench.carry_out()
    bench.wait(80)

    assert bench.numbers() == [(1, 0)]


def test_at_its_last_epoch_a_producer_asks_for_a_new_id():
    bench = Bench()
    bench.send("a")
    bench.serve()
    bench.machine._ids.producer_epoch = EPOCH_MAX
    queue = bench.machine._where.topics["t"].queues[0]
    queue.producer_epoch = EPOCH_MAX
    asked = bench.asked.count("InitProducerIdRequest")
    bench.send("b", "c")

    bench.refuse(Error.INVALID_RECORD)
    assert bench.asked.count("InitProducerIdRequest") == asked + 1
    bench.refuse(Error.OUT_OF_ORDER_SEQUENCE_NUMBER)
    bench.wait(80)

    assert bench.numbers() == [(0, 0)]
    bench.settle()
    assert bench.log() == ["a", "c"]


# --- Expired after a retry -----------------------------------------------------------------------


def test_after_a_batch_of_unknown_fate_nothing_new_is_numbered_until_the_others_are_answered():
    """a expires in its second attempt, which is written in the end: no gap, no new epoch."""
    bench = Bench(SHORT)
    bench.send("z")
    bench.serve()
    bench.send("a")
    bench.disconnect()
    bench.wait(500)
    bench.send("b")
    assert bench.on_wire() == [[("a",)], [("b",)]]
    bench.wait(500)
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", False)]

    bench.send("c")
    assert bench.on_wire() == [[("a",)], [("b",)]]  # c waits: rule 5.
    bench.serve(times=2)

    assert bench.numbers() == [(0, 3)]
    bench.settle()
    assert bench.log() == ["z", "a", "b", "c"]


def test_if_they_fail_to_close_the_gap_the_epoch_is_raised():
    bench = Bench(SHORT)
    bench.send("z")
    bench.serve()
    bench.send("a")
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.wait(79)
    bench.move(TopicPartition("t", 0), "b0")
    bench.wait(1)
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.wait(170)
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.wait(330)
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.wait(500)
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", True)]

    bench.send("b")

    assert bench.numbers() == [(1, 0)]
    bench.settle()
    assert bench.log() == ["z", "b"]


def test_a_raised_epoch_after_a_failure_of_unknown_outcome_can_write_a_record_twice():
    """As in Kafka: b was written, its answer was lost, a's expiry raises the epoch, b is new."""
    bench = Bench({**SHORT, "max.in.flight.requests.per.connection": 2})
    bench.send("z")
    bench.serve()
    bench.send("a")
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.wait(600)
    bench.send("b")
    bench.take_in()  # a's second attempt is written,
    bench.take_in()  # and b.
    bench.disconnect()  # Neither answer arrives.
    bench.wait(400)  # a expires while it waits for its next attempt.
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", False)]
    bench.settle()

    assert bench.acked[-1][0] == "b"
    assert bench.log() in (["z", "a", "b"], ["z", "a", "b", "b"])


# --- What it does not cover --------------------------------------------------------------------


def test_a_new_instance_is_a_stranger_whose_repetition_is_not_recognized():
    first = Bench()
    first.send("a")
    first.take_in()
    second = Bench()
    second.logs, second.ids = first.logs, first.ids

    second.send("a")
    second.serve()

    assert second.log() == ["a", "a"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_answers_in_any_order_complete_their_own_batches(order):
    bench = Bench()
    bench.send("a", "b")
    bench.take_in()
    bench.take_in()
    entries = list(bench.wire["b0"])

    for number in order:
        outgoing, _, answer = entries[number]
        bench.machine.answered(outgoing, answer, bench.now_us)
        bench.carry_out()

    assert sorted(bench.acked) == [("a", 0, 0), ("b", 0, 1)]


def test_a_split_batch_shares_its_sequences_among_its_parts():
    """At first it is batched anew, to no effect, then halved, here down to single records."""
    bench = Bench({"linger.ms": 5}, config=LogConfig(max_message_bytes=61 + 2 * 23))
    bench.send("z")
    bench.wait(5)
    bench.serve()
    bench.send(*"abcd")
    bench.wait(5)
    bench.send(*"ef")
    bench.wait(5)
    assert bench.numbers() == [(0, 1), (0, 5)]

    bench.settle()

    assert bench.log() == list("zabcdef")
    facts = bench.logs[TopicPartition("t", 0)].log.journal.facts
    assert [(fact.base_sequence, len(fact.records)) for fact in facts] == [
        (0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 2)
    ]
