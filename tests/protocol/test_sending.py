"""From the record to the wire: batches, lingering, memory, metadata, flush and close."""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.messages import InitProducerIdResponse
from simulator.protocol.names import TopicPartition
from simulator.protocol.partitioning import partition_of_key
from simulator.protocol.records import BATCH_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES
from tests.produced import Bench

RECORD = RECORD_OVERHEAD_BYTES + 2  # A key and a value of one letter each.
ONE = RECORD + BATCH_OVERHEAD_BYTES  # A batch of one of them.


# --- Batches -----------------------------------------------------------------------------------


def test_without_lingering_a_record_leaves_at_once():
    bench = Bench()

    bench.send("a")

    assert bench.on_wire() == [[("a",)]]
    bench.serve()
    assert bench.acked == [("a", 0, 0)]
    assert bench.log() == ["a"]


def test_records_linger_together_and_leave_when_the_first_has_waited_long_enough():
    bench = Bench({"linger.ms": 5})

    bench.send("a")
    bench.wait(4)
    bench.send("b")
    assert bench.on_wire() == []
    bench.wait(1)

    assert bench.on_wire() == [[("a", "b")]]
    bench.serve()
    assert bench.acked == [("a", 0, 0), ("b", 0, 1)]


def test_a_full_batch_does_not_linger():
    bench = Bench({"linger.ms": 1_000, "batch.size": ONE + RECORD})

    bench.send("a", "b")
    assert bench.on_wire() == [[("a", "b")]]
    bench.send("c")
    assert bench.on_wire() == [[("a", "b")]]
    bench.wait(1_000)
    assert bench.on_wire() == [[("a", "b")], [("c",)]]


def test_a_record_without_room_closes_the_batch_before_it():
    bench = Bench({"linger.ms": 1_000, "batch.size": ONE + RECORD + 1})

    bench.send("a", "b", "c")

    assert bench.on_wire() == [[("a", "b")]]


def test_a_request_takes_one_batch_of_each_partition_of_its_broker_along():
    """b's batch has not lingered long enough, but the request goes there anyway."""
    bench = Bench({"linger.ms": 5}, topics={"t": 3}, brokers=2)

    bench.send("a", partition=0)
    bench.wait(3)
    bench.send("b", partition=2)
    bench.send("c", partition=1)
    bench.wait(2)

    assert bench.on_wire("b0") == [[("a",), ("b",)]]
    assert bench.on_wire("b1") == []
    bench.wait(3)
    assert bench.on_wire("b1") == [[("c",)]]


def test_a_request_is_no_larger_than_max_request_size_unless_one_batch_is():
    bench = Bench({"linger.ms": 5, "max.request.size": 2 * ONE - 3}, topics={"t": 2})

    bench.send("a", partition=0)
    bench.send("b", partition=1)
    bench.wait(5)

    assert bench.on_wire() == [[("a",)], [("b",)]]


def test_at_most_so_many_requests_are_in_flight_to_one_broker():
    bench = Bench({"max.in.flight.requests.per.connection": 2}, topics={"t": 2}, brokers=2)

    for value in ("a", "b", "c", "d"):
        bench.send(value, partition=0)
    bench.send("e", partition=1)

    assert bench.on_wire("b0") == [[("a",)], [("b",)]]
    assert bench.on_wire("b1") == [[("e",)]]
    bench.serve("b0")
    assert bench.on_wire("b0") == [[("b",)], [("c", "d")]]  # Meanwhile they were batched.


def test_with_acks_0_a_record_is_acknowledged_as_it_leaves_and_errors_are_never_seen():
    bench = Bench({"acks": 0})

    bench.send("a", "b")

    assert bench.acked == [("a", 0, -1), ("b", 0, -1)]
    assert bench.machine.idle
    assert bench.log() == ["a", "b"]


def test_a_record_over_max_request_size_fails_at_once_and_definitely():
    bench = Bench({"max.request.size": ONE})
    bench.send("a")
    bench.serve()

    bench.send("bb")

    assert bench.failed == [("bb", "MESSAGE_TOO_LARGE", True)]
    assert bench.acked == [("a", 0, 0)]


def test_a_record_larger_than_a_batch_has_one_of_its_own():
    bench = Bench({"batch.size": 1, "linger.ms": 1_000})

    bench.send("a", "b")

    assert bench.on_wire() == [[("a",)], [("b",)]]


# --- Partitions --------------------------------------------------------------------------------


def test_a_key_belongs_to_its_partition_and_an_explicit_partition_wins():
    bench = Bench(topics={"t": 4})

    bench.send("21")
    there = bench.on_wire()[0]
    bench.settle()
    partition = bench.acked[0][1]
    assert partition == partition_of_key("21", 4)
    bench.send("x", partition=(partition + 1) % 4)
    bench.settle()

    assert there == [("21",)]
    assert bench.acked[1][1] == (partition + 1) % 4


def test_a_partition_that_does_not_exist_is_waited_for():
    bench = Bench(topics={"t": 1})
    bench.send("a", partition=0)
    bench.settle()

    bench.send("b", partition=1)
    bench.wait(30_000)
    assert bench.failed == []
    bench.add(TopicPartition("t", 1))
    bench.wait(2_000)
    bench.settle()
    assert ("b", 1, 0) in bench.acked

    bench.send("c", partition=2)
    bench.wait(60_000)
    assert bench.failed == [("c", "REQUEST_TIMED_OUT", True)]


# --- Metadata and ids --------------------------------------------------------------------------


def test_the_first_record_asks_where_its_topic_is_and_who_the_producer_is():
    bench = Bench(handshake=False)
    assert bench.asked == []

    bench.send("a")
    assert bench.asked == ["MetadataRequest", "InitProducerIdRequest"]
    bench.serve(times=2)

    assert bench.asked[2:] == ["ProduceRequest"]
    assert bench.numbers() == [(0, 0)]


def test_a_producer_without_idempotence_asks_for_no_id():
    bench = Bench({"enable.idempotence": False})

    bench.send("a")

    assert "InitProducerIdRequest" not in bench.asked
    assert bench.numbers() == [(-1, -1)]


def test_an_unknown_topic_is_asked_for_until_max_block_ms_is_over():
    bench = Bench({"max.block.ms": 10_000}, topics={})

    bench.send("a")
    bench.wait(9_999)
    asked = bench.asked.count("MetadataRequest")
    assert bench.failed == []
    assert asked > 8  # With backoffs of 80, 160, 320, 640, 800, 800, ... ms.
    bench.wait(1)

    assert bench.failed == [("a", "REQUEST_TIMED_OUT", True)]
    bench.wait(60_000)
    assert bench.asked.count("MetadataRequest") <= asked + 1  # Nobody waits for it any more.


def test_a_topic_that_appears_in_time_lets_its_records_go_in_their_order():
    bench = Bench(topics={})
    bench.send("a", "b")
    bench.wait(5_000)
    bench.add(TopicPartition("t", 0))

    bench.wait(1_000)
    bench.settle()

    assert bench.log() == ["a", "b"]


def test_metadata_are_refreshed_when_they_are_old():
    bench = Bench({"metadata.max.age.ms": 10_000})
    bench.send("a")
    bench.settle()
    before = bench.asked.count("MetadataRequest")

    bench.wait(9_900)
    assert bench.asked.count("MetadataRequest") == before
    bench.wait(200)
    assert bench.asked.count("MetadataRequest") == before + 1
    bench.wait(10_000)
    assert bench.asked.count("MetadataRequest") == before + 2


def test_an_idle_producer_is_woken_seldom():
    bench = Bench()
    bench.send("a")
    bench.settle()
    asked = len(bench.asked)

    bench.wait(3_600_000)

    assert len(bench.asked) - asked == 12  # One hour: a refresh each five minutes, no more.


def test_a_lost_metadata_answer_is_asked_for_again():
    bench = Bench(handshake=False)
    bench.send("a")
    bench.disconnect()
    assert bench.on_wire() == [] or len(bench.wire["b0"]) == 0

    bench.handshake = True
    bench.wait(200)
    bench.settle()

    assert bench.acked == [("a", 0, 0)]


def test_an_id_that_is_not_to_be_had_fails_all_records():
    bench = Bench(handshake=False)
    bench.send("a")
    bench.serve()
    outgoing = bench.wire["b0"].popleft()[0]

    refusal = InitProducerIdResponse(Error.INVALID_TXN_STATE)
    bench.machine.answered(outgoing, refusal, bench.now_us)
    bench.carry_out()
    bench.send("b")

    assert bench.failed == [("a", "INVALID_TXN_STATE", True), ("b", "INVALID_TXN_STATE", True)]


def test_requests_for_metadata_count_as_in_flight():
    bench = Bench({"max.in.flight.requests.per.connection": 1}, handshake=False)

    bench.send("a")
    assert bench.asked == ["MetadataRequest"]
    bench.serve()
    assert bench.asked == ["MetadataRequest", "InitProducerIdRequest"]
    bench.serve()
    assert bench.asked[2:] == ["ProduceRequest"]


# --- Memory ------------------------------------------------------------------------------------


def test_without_memory_records_wait_in_order_and_nothing_lingers():
    """Two batches fit; the third record waits until one of them is done."""
    bench = Bench(
        {"buffer.memory": 2 * 200, "batch.size": 200, "linger.ms": 10_000}, topics={"t": 3}
    )
    bench.send("a", partition=0)
    bench.send("b", partition=1)
    assert bench.on_wire() == []

    bench.send("c", partition=2)
    bench.send("d", partition=2)
    assert bench.on_wire() == [[("a",), ("b",)]]
    bench.serve()
    assert bench.on_wire() == []  # c and d are batched now, and linger.
    bench.wait(10_000)
    bench.settle()

    assert bench.log(2) == ["c", "d"]


def test_a_record_that_waits_too_long_for_memory_fails_definitely():
    bench = Bench({"buffer.memory": 200, "batch.size": 200, "max.block.ms": 1_000})
    bench.send("a", "b")
    bench.wait(999)
    assert bench.failed == []

    bench.wait(1)

    assert bench.failed == [("b", "REQUEST_TIMED_OUT", True)]
    bench.settle()
    assert bench.log() == ["a"]


# --- Flush and close ---------------------------------------------------------------------------


def test_flush_makes_nothing_linger_and_waits_for_what_was_sent_before_it():
    bench = Bench({"linger.ms": 10_000}, topics={"t": 2})
    bench.send("a", partition=0)
    bench.send("b", partition=1)

    bench.flush()
    assert bench.on_wire() == [[("a",), ("b",)]]
    assert bench.flushed == []
    bench.serve()

    assert bench.flushed == ["flush"]
    bench.send("c", partition=0)
    assert bench.on_wire() == []  # It lingers again.


def test_flush_of_nothing_is_done_at_once():
    bench = Bench()

    bench.flush()

    assert bench.flushed == ["flush"]


def test_flush_waits_for_records_that_have_no_metadata_yet():
    bench = Bench({"linger.ms": 10_000}, handshake=False)
    bench.send("a", "b")
    bench.flush(1)
    bench.flush(2)

    bench.serve(times=2)
    assert bench.flushed == []
    bench.serve()

    assert bench.flushed == [1, 2]
    assert bench.log() == ["a", "b"]


def test_flush_ends_with_failures_too():
    bench = Bench({"max.block.ms": 1_000}, topics={})
    bench.send("a")
    bench.flush()

    bench.wait(1_000)

    assert bench.failed[0][0] == "a"
    assert bench.flushed == ["flush"]


def test_a_closed_producer_lets_its_records_end_and_then_does_nothing_any_more():
    bench = Bench({"linger.ms": 10_000})
    bench.send("a")
    bench.machine.close("closed", bench.now_us)
    bench.carry_out()
    bench.serve()
    asked = len(bench.asked)

    bench.wait(10_000_000)

    assert bench.flushed == ["closed"]
    assert bench.log() == ["a"]
    assert len(bench.asked) == asked
    with pytest.raises(AssertionError):
        bench.send("b")


def test_a_forced_close_is_definite_only_about_what_never_left():
    bench = Bench({"max.in.flight.requests.per.connection": 1})
    bench.send("a", "b")

    bench.machine.close("closed", bench.now_us)
    bench.machine.abort(bench.now_us)
    bench.carry_out()

    assert bench.failed == [("a", "PRODUCER_CLOSED", False), ("b", "PRODUCER_CLOSED", True)]
    assert bench.flushed == ["closed"]
    bench.serve()
    assert bench.acked == []
