"""Which partition a producer chooses, and how it gets along with partitions that are added."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.names import TopicPartition
from simulator.protocol.partitioning import partition_of_key
from tests.produced import Bench

REFRESH = {"metadata.max.age.ms": 1_000}


def in_turn():
    """A pick of 0, 1, 2, ... for each topic, and what was asked of it."""
    asked = []

    def pick(topic, options):
        asked.append(options)
        return (len(asked) - 1) % options

    return pick, asked


def where(bench):
    """The partition of each event id."""
    return {
        event: partition
        for (_, partition) in bench.logs
        for event in bench.log(partition)
    }


# --- partitioner.class ---------------------------------------------------------------------------


def test_round_robin_takes_the_partitions_in_turn_whatever_the_key():
    bench = Bench({"partitioner.class": "RoundRobinPartitioner"}, topics={"t": 3})

    for value in "abcd":
        bench.put(value, "one key")
    bench.settle()

    assert where(bench) == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_random_draws_a_partition_for_each_record():
    pick, asked = in_turn()
    bench = Bench({"partitioner.class": "random"}, topics={"t": 2}, pick=pick)

    for value in "abc":
        bench.put(value, "one key")
    bench.settle()

    assert asked == [2, 2, 2]
    assert where(bench) == {"a": 0, "b": 1, "c": 0}


def test_a_function_of_ones_own_chooses():
    def by_first_letter(topic, key, value, partitions):
        return ord(key[0]) % partitions

    bench = Bench({"partitioner.class": by_first_letter}, topics={"t": 4})

    bench.put("a", "anna")
    bench.put("b", "bert")
    bench.settle()

    assert where(bench) == {"a": ord("a") % 4, "b": ord("b") % 4}


def test_a_partition_that_the_record_names_goes_before_any_partitioner():
    bench = Bench({"partitioner.class": lambda *_: 0}, topics={"t": 2})

    bench.send("a", partition=1)
    bench.settle()

    assert where(bench) == {"a": 1}


def test_a_partitioner_that_names_no_partition_is_told_so_at_the_send():
    bench = Bench({"partitioner.class": lambda *_: 2}, topics={"t": 2})
    bench.send("known", partition=0)

    with pytest.raises(BadInput, match="no partition of t: 2"):
        bench.put("a", "k")


def test_a_partitioner_is_asked_once_a_record_even_if_the_record_waits_for_memory():
    """buffer.memory has room for one batch: b and c wait, and keep their turns."""
    bench = Bench(
        {
            "partitioner.class": "RoundRobinPartitioner",
            "batch.size": 500,
            "buffer.memory": 500,
            "max.request.size": 500,
        },
        topics={"t": 3},
    )

    for value in "abcd":
        bench.put(value)
    bench.settle()

    assert where(bench) == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_a_partitioner_is_asked_when_the_topic_is_known():
    told = []

    def note(topic, key, value, partitions):
        told.append((key, partitions))
        return 1

    bench = Bench({"partitioner.class": note}, topics={"t": 2}, handshake=False)
    bench.put("a", "k")
    assert told == []
    bench.settle()

    assert told == [("k", 2)]
    assert where(bench) == {"a": 1}


# --- Partitions that are added -------------------------------------------------------------------


def grown(settings, pick=None, brokers=1):
    """A client that knew two partitions, of a topic that has four since, and learnt of it."""
    bench = Bench({**REFRESH, **settings}, topics={"t": 2}, brokers=brokers, pick=pick)
    bench.put("before", "k")
    bench.settle()
    for number in (2, 3):
        bench.add(TopicPartition("t", number))
    return bench


def test_keys_keep_their_partition_until_the_client_hears_of_more_and_then_move():
    key = next(key for key in map(str, range(100)) if partition_of_key(key, 4) >= 2)
    bench = grown({})

    bench.put("meanwhile", key)
    bench.settle()
    bench.wait(1_100)
    bench.put("after", key)
    bench.settle()

    found = where(bench)
    assert found["meanwhile"] == partition_of_key(key, 2)
    assert found["after"] == partition_of_key(key, 4)


def test_round_robin_takes_the_added_ones_in_without_starting_again():
    bench = grown({"partitioner.class": "RoundRobinPartitioner"})
    bench.wait(1_100)

    for value in "abcde":
        bench.put(value)
    bench.settle()

    assert where(bench) == {"before": 0, "a": 1, "b": 2, "c": 3, "d": 0, "e": 1}


def test_a_record_for_an_added_partition_waits_until_the_client_hears_of_it():
    bench = grown({})

    bench.send("a", partition=3)
    bench.settle()

    assert where(bench)["a"] == 3
    assert bench.asked.count("MetadataRequest") == 2


def test_records_without_a_key_are_spread_over_the_added_ones_too():
    pick, asked = in_turn()
    bench = grown({"batch.size": 1}, pick=pick)
    bench.wait(1_100)

    for number in range(12):
        bench.put(f"v{number}")
        bench.settle()

    assert asked[-1] == 4
    assert set(where(bench).values()) == {0, 1, 2, 3}


def test_load_is_not_looked_at_before_every_partition_has_had_a_batch():
    """As long as one has had none, the draw is uniform; then the longer queue is less likely."""
    pick, asked = in_turn()
    bench = Bench(
        {"batch.size": 1, "max.in.flight.requests.per.connection": 1},
        topics={"t": 2},
        pick=pick,
    )

    bench.send(*"abcd", partition=0)  # The first is in flight, three wait.
    bench.put("e")
    bench.put("f")
    assert set(asked) == {2}
    bench.send("g", partition=1)
    bench.put("h")
    bench.put("i")

    assert asked[-1] > 2


def test_an_added_partition_brings_the_uniform_draw_back():
    pick, asked = in_turn()
    bench = Bench(
        {"batch.size": 1, "max.in.flight.requests.per.connection": 1, **REFRESH},
        topics={"t": 2},
        pick=pick,
    )
    bench.send(*"abcd", partition=0)
    bench.send("e", partition=1)
    bench.put("f")
    bench.put("g")
    assert asked[-1] > 2

    bench.add(TopicPartition("t", 2))
    bench.wait(1_100)
    bench.settle()
    bench.send("h", "i", partition=0)
    bench.put("j")
    bench.put("k")

    assert asked[-1] == 3


# --- partitioner.availability.timeout.ms ---------------------------------------------------------


@pytest.mark.parametrize(("timeout_ms", "drawn"), [(0, {0, 1}), (50, {1})])
def test_a_partition_whose_broker_takes_nothing_is_left_out_after_a_while(timeout_ms, drawn):
    """b0 does not answer, and a batch for it waits; b1 answers at once."""
    pick, _ = in_turn()
    bench = Bench(
        {
            "batch.size": 1,
            "max.in.flight.requests.per.connection": 2,
            "partitioner.availability.timeout.ms": timeout_ms,
        },
        topics={"t": 2},
        brokers=2,
        pick=pick,
    )
    bench.send("a", "b", "c", partition=0)
    bench.send("x", partition=1)
    bench.serve("b1")
    bench.wait(60)
    bench.send("d", partition=0)  # Its broker is looked at again, 60 ms after it took something.

    for number in range(12):
        bench.put(f"v{number}")
        while bench.wire["b1"]:
            bench.serve("b1")
    bench.settle()

    found = where(bench)
    assert {found[f"v{number}"] for number in range(2, 12)} == drawn
