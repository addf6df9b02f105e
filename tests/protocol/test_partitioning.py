"""A key always finds its partition; records without one stick to a partition for a while."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.protocol.partitioning import (
    RANDOM,
    ROUND_ROBIN,
    StickyPartitioner,
    chosen_by,
    cumulative_weights,
    murmur2,
    partition_of_key,
    positive_hash,
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107), (b"", 275646681)],
)
def test_murmur2_is_the_hash_that_kafkas_clients_take(key, expected):
    assert murmur2(key) == expected


def test_the_sign_is_masked_away_and_not_negated():
    assert murmur2(b"foobar") < 0
    assert positive_hash(b"foobar") == 1357151166 != -murmur2(b"foobar")


def test_an_empty_key_is_a_key():
    assert partition_of_key(b"", 7) == 275646681 % 7


@given(st.text())
def test_a_str_key_is_hashed_as_its_utf_8_bytes(key):
    assert partition_of_key(key, 12) == partition_of_key(key.encode(), 12)


@given(st.binary(max_size=40), st.integers(1, 50))
def test_every_key_has_a_partition_within_the_topic(key, partitions):
    assert 0 <= partition_of_key(key, partitions) < partitions


def sticky(batch_bytes=100):
    """A partitioner that picks 0, 1, 2, ... in turn."""
    numbers = count()
    return StickyPartitioner(batch_bytes, lambda n: next(numbers) % n)


def test_records_stick_to_a_partition_until_a_batch_has_gone_there():
    partitioner = sticky()

    chosen = []
    for _ in range(6):
        chosen.append(partitioner.partition([0, 1, 2], 3))
        partitioner.appended(50, [0, 1, 2], 3, batch_closed=True)

    assert chosen == [0, 0, 1, 1, 2, 2]


def test_an_open_batch_delays_the_switch_to_twice_its_share():
    partitioner = sticky()

    chosen = []
    for _ in range(6):
        chosen.append(partitioner.partition([0, 1, 2], 3))
        partitioner.appended(50, [0, 1, 2], 3, batch_closed=False)

    assert chosen == [0, 0, 0, 0, 1, 1]


def test_a_partition_without_leader_is_drawn_only_when_none_has_one():
    assert sticky().partition([2], 3) == 2
    assert sticky().partition([], 3) == 0


def test_a_long_queue_makes_a_partition_less_likely():
    partitioner = sticky(batch_bytes=1)
    partitioner.load([2, 0], [0, 1], 2)

    chosen = []
    for _ in range(8):
        chosen.append(partitioner.partition([0, 1], 2))
        partitioner.appended(1, [0, 1], 2, batch_closed=True)

    assert cumulative_weights([2, 0]) == (1, 4)
    assert chosen.count(0) == 2
    assert chosen.count(1) == 6


def test_equal_queues_bring_the_uniform_draw_back():
    partitioner = sticky()
    partitioner.load([5, 0], [0, 1], 2)
    partitioner.load([3, 3], [0, 1], 2)

    assert partitioner.partition([1], 2) == 1


def test_one_known_queue_says_nothing():
    partitioner = sticky()
    partitioner.load([5], [0], 1)

    assert partitioner.partition([1], 2) == 1


def test_a_partition_that_was_left_out_is_not_drawn_even_if_all_others_are_alike():
    partitioner = sticky(batch_bytes=1)
    partitioner.load([0, 0], [0, 2], 3)

    chosen = set()
    for _ in range(6):
        chosen.add(partitioner.partition([0, 1, 2], 3))
        partitioner.appended(1, [0, 1, 2], 3, batch_closed=True)

    assert chosen == {0, 2}


def test_where_all_partitions_are_left_out_all_are_drawn_alike():
    partitioner = sticky()
    partitioner.load([], [], 2)

    assert partitioner.partition([1], 2) == 1


# --- partitioner.class ---------------------------------------------------------------------------


def test_round_robin_counts_for_each_topic_and_looks_at_no_key():
    choose = chosen_by(ROUND_ROBIN, lambda topic, options: 0)

    first = [choose("a", key, None, (0, 1, 2), 3) for key in ("k", "k", None, "k")]

    assert first == [0, 1, 2, 0]
    assert choose("b", None, None, (0, 1, 2), 3) == 0


def test_round_robin_counts_over_the_partitions_with_a_leader_or_else_over_all():
    """RoundRobinPartitioner.partition: the count goes on, whatever it is taken modulo."""
    choose = chosen_by(ROUND_ROBIN, lambda topic, options: 0)

    assert [choose("t", None, None, (1, 3), 4) for _ in range(3)] == [1, 3, 1]
    assert [choose("t", None, None, (), 4) for _ in range(3)] == [3, 0, 1]


def test_random_draws_for_each_record_among_the_partitions_with_a_leader_or_else_among_all():
    drawn = []

    def pick(topic, options):
        drawn.append((topic, options))
        return options - 1

    choose = chosen_by(RANDOM, pick)

    assert choose("t", "k", None, (0, 2), 3) == 2
    assert choose("t", "k", None, (), 3) == 2
    assert drawn == [("t", 2), ("t", 3)]


def test_a_function_of_ones_own_is_told_topic_key_value_and_how_many_partitions_there_are():
    told = []

    def last(*given):
        told.append(given)
        return given[-1] - 1

    choose = chosen_by(last, lambda topic, options: 0)

    assert choose("t", "k", b"v", (0,), 3) == 2
    assert told == [("t", "k", b"v", 3)]


@pytest.mark.parametrize("given", [-1, 3, 1.0, True, None, "1"])
def test_what_is_no_partition_of_the_topic_is_refused_with_its_value(given):
    choose = chosen_by(lambda *_: given, lambda topic, options: 0)

    with pytest.raises(BadInput, match="gave for the key 'k' no partition of t") as caught:
        choose("t", "k", None, (0, 1, 2), 3)

    assert caught.value.value is given
    assert "from 0 to 2" in caught.value.fix
