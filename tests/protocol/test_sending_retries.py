"""What an answer, or none, means for a batch: retries, backoff, expiry, splitting, order."""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.log import LogConfig
from simulator.protocol.names import TopicPartition
from tests.produced import Bench

PLAIN = {"enable.idempotence": False}

RETRIABLE = (
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.LEADER_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_LEADER_EPOCH,
    Error.REQUEST_TIMED_OUT,
    Error.NOT_ENOUGH_REPLICAS,
    Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Error.CORRUPT_MESSAGE,
)
FINAL = (
    Error.INVALID_RECORD,
    Error.INVALID_TIMESTAMP,
    Error.RECORD_LIST_TOO_LARGE,
    Error.INVALID_REQUIRED_ACKS,
    Error.INVALID_PRODUCER_EPOCH,
    Error.MESSAGE_TOO_LARGE,
)


@pytest.mark.parametrize("error", RETRIABLE, ids=str)
@pytest.mark.parametrize("settings", [{}, PLAIN], ids=["idempotent", "plain"])
def test_a_retriable_error_is_tried_again_after_a_backoff(error, settings):
    bench = Bench(settings)
    bench.send("a")

    bench.refuse(error)
    assert bench.wire["b0"] == type(bench.wire["b0"])()
    bench.wait(79)
    assert bench.on_wire() == []
    bench.wait(1)

    assert bench.on_wire() == [[("a",)]]
    assert bench.retried == [("a",)]
    bench.serve()
    assert bench.acked == [("a", 0, 0)]


@pytest.mark.parametrize("error", FINAL, ids=str)
@pytest.mark.parametrize("settings", [{}, PLAIN], ids=["idempotent", "plain"])
def test_any_other_error_fails_the_batch_definitely(error, settings):
    bench = Bench(settings)
    bench.send("a")

    bench.refuse(error)

    assert bench.failed == [("a", error.name, True)]
    bench.wait(200_000)
    assert bench.on_wire() == []


def test_backoffs_double_up_to_their_maximum():
    bench = Bench({"retry.backoff.ms": 100, "retry.backoff.max.ms": 300})
    bench.send("a")

    for _ in range(4):
        bench.refuse(Error.NOT_ENOUGH_REPLICAS)
        bench.wait(1_000)

    assert bench.waits[-4:] == [
        (80_000, 120_000), (160_000, 240_000), (240_000, 300_000), (240_000, 300_000)
    ]


def test_retries_bound_how_often_a_batch_is_tried_again():
    bench = Bench({"retries": 2})
    bench.send("a")

    for _ in range(3):
        bench.refuse(Error.NOT_ENOUGH_REPLICAS)
        bench.wait(1_000)

    assert bench.retried == [("a",), ("a",)]
    assert bench.failed == [("a", "NOT_ENOUGH_REPLICAS", True)]


def test_without_retries_a_lost_answer_fails_the_batch_and_it_may_have_been_written():
    bench = Bench({"retries": 0})
    bench.send("a")
    bench.take_in()

    bench.disconnect()

    assert bench.failed == [("a", "NETWORK_EXCEPTION", False)]
    assert bench.log() == ["a"]


def test_a_failure_is_indefinite_when_an_earlier_attempt_may_have_been_written():
    bench = Bench({"retries": 1})
    bench.send("a")
    bench.disconnect()
    bench.wait(200)

    bench.refuse(Error.INVALID_RECORD)

    assert bench.failed == [("a", "INVALID_RECORD", False)]


# --- Expiry --------------------------------------------------------------------------------------


def test_a_batch_that_never_left_expires_definitely():
    bench = Bench(
        {"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000,
         "max.in.flight.requests.per.connection": 1}
    )
    bench.send("a")
    bench.wait(500)
    bench.send("b")
    bench.wait(500)
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", False)]  # In flight: it may be written.

    bench.wait(500)

    assert bench.failed[1] == ("b", "REQUEST_TIMED_OUT", True)


def test_the_answer_to_an_expired_batch_tells_its_records_nothing_new():
    bench = Bench({"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000})
    bench.send("a")
    bench.wait(1_000)
    assert bench.failed == [("a", "REQUEST_TIMED_OUT", False)]

    bench.serve()

    assert bench.acked == []
    assert bench.log() == ["a"]  # Failed, and written all the same.
    bench.send("b")
    bench.settle()
    assert bench.acked == [("b", 0, 1)]


def test_the_delivery_timeout_counts_from_when_the_batch_was_opened_over_all_retries():
    bench = Bench({"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000, **PLAIN})
    bench.send("a")
    for _ in range(4):
        bench.refuse(Error.NOT_ENOUGH_REPLICAS)
        bench.wait(330)
        assert bench.failed == [] or bench.now_us >= 1_000_000

    assert bench.failed == [("a", "REQUEST_TIMED_OUT", True)]


# --- Order and duplicates without sequences ------------------------------------------------------


def test_without_idempotence_a_lost_answer_makes_a_duplicate():
    bench = Bench(PLAIN)
    bench.send("a")
    bench.take_in()

    bench.disconnect()
    bench.settle()

    assert bench.log() == ["a", "a"]
    assert bench.acked == [("a", 0, 1)]


def test_without_idempotence_a_batch_that_is_tried_again_may_come_after_its_successor():
    bench = Bench(PLAIN)
    bench.send("a", "b")

    bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.serve()
    bench.settle()

    assert bench.log() == ["b", "a"]


def test_without_idempotence_batches_that_are_lost_together_go_to_the_front_one_by_one():
    bench = Bench(PLAIN)
    bench.send("a", "b", "c")

    bench.disconnect()
    bench.settle()

    assert bench.log() == ["c", "b", "a"]


def test_one_request_in_flight_keeps_the_order_without_sequences():
    """Its partition is muted while its batch is unanswered; a duplicate is possible still."""
    bench = Bench({**PLAIN, "max.in.flight.requests.per.connection": 1})
    bench.send("a")
    bench.send("b")
    bench.take_in()
    bench.disconnect()
    assert bench.on_wire() == []  # b may not overtake a, which waits for its backoff.

    bench.settle()

    assert bench.log() == ["a", "a", "b"]


def test_a_retry_holds_up_the_batches_behind_it_until_its_backoff_is_over():
    bench = Bench({})
    bench.send("a")
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)

    bench.send("b")
    assert bench.on_wire() == []
    bench.wait(80)

    assert bench.on_wire() == [[("a",)], [("b",)]]


# --- Leaders ------------------------------------------------------------------------------------


def test_a_batch_follows_its_partition_to_a_new_leader_without_waiting_for_its_backoff():
    bench = Bench(brokers=2, topics={"t": 1})
    bench.send("a")
    bench.move(TopicPartition("t", 0), "b1")

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER, "b0")

    assert bench.on_wire("b0") == []
    assert bench.on_wire("b1") == [[("a",)]]


def test_a_batch_without_a_leader_waits_for_one():
    bench = Bench(brokers=2, topics={"t": 1})
    bench.send("a")
    bench.move(TopicPartition("t", 0), "")
    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER, "b0")
    bench.send("b")
    bench.wait(2_000)
    assert bench.on_wire("b0") == bench.on_wire("b1") == []

    bench.move(TopicPartition("t", 0), "b1")
    bench.wait(1_000)

    assert bench.on_wire("b1") == [[("a",)], [("b",)]]
    bench.settle()
    assert bench.log() == ["a", "b"]


def test_errors_of_one_partition_do_not_touch_the_others_of_a_request():
    bench = Bench({"linger.ms": 5}, topics={"t": 2}, config=LogConfig())
    bench.send("a", partition=0)
    bench.send("b", partition=1)
    bench.wait(5)
    entry = bench.wire["b0"].popleft()
    answer = bench.work(entry[1])
    first = answer.results[0]._replace(error=Error.INVALID_RECORD)

    bench.machine.answered(
        entry[0], answer._replace(results=(first, answer.results[1])), bench.now_us
    )
    bench.carry_out()

    assert bench.failed == [("a", "INVALID_RECORD", True)]
    assert bench.acked == [("b", 1, 0)]


# --- Splitting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, PLAIN], ids=["idempotent", "plain"])
def test_a_batch_that_is_too_large_is_split_until_it_fits_in_its_order(settings):
    """The broker takes two records at most; the batch has seven."""
    bench = Bench({"linger.ms": 5, **settings}, config=LogConfig(max_message_bytes=61 + 2 * 23))
    values = list("abcdefg")
    bench.send(*values)
    bench.wait(5)
    bench.flush()

    bench.settle()

    assert bench.log() == values
    assert bench.acked == [(value, 0, offset) for offset, value in enumerate(values)]
    assert bench.failed == []
    assert bench.flushed == ["flush"]
    assert bench.retried == []  # Its parts count as not even tried.


def test_a_single_record_that_is_too_large_for_the_broker_fails():
    bench = Bench({"linger.ms": 5}, config=LogConfig(max_message_bytes=100))
    bench.send("a", "b" * 50, "c")
    bench.wait(5)

    bench.settle()

    assert bench.failed == [("b" * 50, "MESSAGE_TOO_LARGE", True)]
    assert bench.log() == ["a", "c"]


def test_memory_is_given_back_by_whatever_ends_a_batch():
    bench = Bench({"buffer.memory": 400, "batch.size": 100}, config=LogConfig())
    for error in (None, Error.INVALID_RECORD, None, Error.INVALID_RECORD) * 3:
        bench.send("a", "b", "c")
        if error:
            bench.refuse(error)
        bench.settle()

    assert bench.machine._store.free_bytes == 400
