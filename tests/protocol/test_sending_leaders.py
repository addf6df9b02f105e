"""When a partition's leader changes: what a producer does with what it had sent to the old one."""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.messages import ProduceRequest
from simulator.protocol.names import TopicPartition
from tests.produced import Bench

FIRST = TopicPartition("t", 0)
PLAIN = {"enable.idempotence": False}

# Whether the leaders are asked for again, and whether the record is certainly not in the log.
OF_LEADERS = [
    (Error.NOT_LEADER_OR_FOLLOWER, True, False),
    (Error.LEADER_NOT_AVAILABLE, True, True),
    (Error.FENCED_LEADER_EPOCH, True, True),
    (Error.UNKNOWN_TOPIC_OR_PARTITION, True, True),
    (Error.KAFKA_STORAGE_ERROR, True, False),
    (Error.UNKNOWN_LEADER_EPOCH, False, True),
    (Error.NOT_ENOUGH_REPLICAS, False, True),
    (Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND, False, False),
    (Error.REQUEST_TIMED_OUT, False, False),
]


def named(case):
    return case.name if isinstance(case, Error) else ""


@pytest.mark.parametrize("settings", [{}, PLAIN], ids=["idempotent", "plain"])
@pytest.mark.parametrize(("error", "asks", "definite"), OF_LEADERS, ids=named)
def test_what_a_leader_says_is_retried_and_only_some_of_it_asks_for_the_leaders(
    error, asks, definite, settings
):
    """Definite is what is known of the record when the retries are used up (KAFKA-13574)."""
    bench = Bench({"retries": 1, **settings})
    bench.send("a")
    before = bench.asked.count("MetadataRequest")

    bench.refuse(error)
    assert bench.asked.count("MetadataRequest") - before == asks
    bench.wait(200)
    assert bench.retried == [("a",)]
    bench.refuse(error)

    assert bench.failed == [("a", error.name, definite)]


def test_a_refusal_after_an_append_leaves_the_failure_indefinite_whatever_comes_later():
    bench = Bench({"retries": 1})
    bench.send("a")

    bench.refuse(Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    bench.wait(200)
    bench.refuse(Error.NOT_ENOUGH_REPLICAS)

    assert bench.failed == [("a", "NOT_ENOUGH_REPLICAS", False)]


# --- The new leader ------------------------------------------------------------------------------


def test_a_new_leader_is_tried_as_soon_as_it_is_known():
    """The metadata are asked for at once, and what they tell ends the backoff (KAFKA-15415)."""
    bench = Bench(brokers=2)
    bench.send("a")
    bench.move(FIRST, "b1")

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER)

    assert bench.on_wire("b1") == [[("a",)]]
    assert bench.now_us == 0


def test_a_refusal_may_name_the_new_leader_itself():
    """Nobody has to answer for the metadata first (KIP-951)."""
    bench = Bench(brokers=2, handshake=False)
    bench.send("a")
    bench.settle()
    bench.send("b")
    bench.move(FIRST, "b1")

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER, telling=True)

    (asked,) = [body for _, body, _ in bench.wire["b1"] if isinstance(body, ProduceRequest)]
    assert asked.batches[0][1].records[0].event_id == "b"
    assert bench.retried == [("b",)]


def test_a_refusal_that_names_the_leader_of_an_older_epoch_is_not_believed():
    bench = Bench(brokers=2)
    bench.move(FIRST, "b1")
    bench.send("a")
    bench.leaders[FIRST] = "b0"

    bench.epochs[FIRST] = 0
    bench.refuse(Error.NOT_ENOUGH_REPLICAS, "b1", telling=True)
    bench.wait(200)

    assert bench.on_wire("b0") == []
    assert bench.on_wire("b1") == [[("a",)]]


def test_with_the_same_leader_in_the_same_epoch_the_backoff_is_waited_for():
    bench = Bench()
    bench.send("a")

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER, telling=True)

    assert bench.on_wire() == []
    bench.wait(80)
    assert bench.on_wire() == [[("a",)]]


def test_the_same_leader_in_a_newer_epoch_is_tried_at_once():
    bench = Bench()
    bench.send("a")
    bench.move(FIRST, "b0")

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER)

    assert bench.on_wire() == [[("a",)]]


def test_all_that_waits_to_be_tried_again_goes_to_the_new_leader_without_a_backoff():
    bench = Bench(brokers=2)
    bench.send("a")
    bench.serve()
    bench.send("b", "c", "d")
    for _ in range(3):
        bench.refuse(Error.NOT_ENOUGH_REPLICAS)
    bench.move(FIRST, "b1")
    bench.send("unknown", topic="u")  # What makes it ask.

    for _ in range(3):
        bench.serve("b1")

    assert bench.now_us == 0
    assert bench.log() == ["a", "b", "c", "d"]


def test_what_was_in_flight_to_the_old_leader_is_tried_at_the_new_one_without_a_backoff():
    """Its answer comes after the client has heard of the new leader."""
    bench = Bench(brokers=2)
    bench.send("a")
    bench.move(FIRST, "b1")
    bench.send("unknown", topic="u")
    assert bench.on_wire("b0") == [[("a",)]]

    bench.refuse(Error.NOT_LEADER_OR_FOLLOWER)

    assert bench.on_wire("b1") == [[("a",)]]
    assert bench.now_us == 0


def test_a_lost_leader_is_waited_for_and_the_batch_keeps_its_sequence():
    bench = Bench(brokers=2)
    bench.send("a")
    bench.take_in()
    bench.move(FIRST, "")
    bench.disconnect()
    bench.wait(500)
    assert bench.on_wire("b0") == bench.on_wire("b1") == []

    bench.move(FIRST, "b1")
    bench.settle()

    assert bench.log() == ["a"]
    assert bench.acked == [("a", 0, 0)]


def test_metadata_of_an_older_epoch_are_not_believed():
    """A broker that is behind still names the old leader."""
    bench = Bench({"metadata.max.age.ms": 1_000}, brokers=2)
    bench.move(FIRST, "b1")
    bench.send("a")
    bench.settle()

    bench.leaders[FIRST] = "b0"
    bench.epochs[FIRST] = 0
    bench.wait(1_100)
    bench.send("b")

    assert bench.on_wire("b0") == []
    assert bench.on_wire("b1") == [[("b",)]]


def test_a_broker_that_tells_of_fewer_partitions_takes_none_away():
    bench = Bench({"metadata.max.age.ms": 1_000}, topics={"t": 2})
    bench.send("a", partition=1)
    bench.settle()

    del bench.logs[TopicPartition("t", 1)]
    bench.wait(1_100)
    bench.add(TopicPartition("t", 1))
    bench.send("b", partition=1)
    bench.settle()

    assert bench.log(1) == ["b"]
