"""Exponential backoff, as a range."""

from simulator.protocol.backoff import exponential_backoff


def test_a_wait_is_doubled_up_to_its_maximum_give_or_take_a_fifth():
    waits = [exponential_backoff(attempts, 100_000, 1_000_000) for attempts in range(6)]

    assert waits == [
        (80_000, 120_000),
        (160_000, 240_000),
        (320_000, 480_000),
        (640_000, 960_000),
        (800_000, 1_000_000),  # Jitter never exceeds the maximum.
        (800_000, 1_000_000),
    ]


def test_a_base_that_is_not_under_the_maximum_makes_a_fixed_wait():
    assert exponential_backoff(3, 1_000, 1_000) == (1_000, 1_000)
    assert exponential_backoff(0, 9_000, 1_000) == (1_000, 1_000)


def test_many_attempts_do_not_overflow():
    assert exponential_backoff(10_000, 1, 1_000_000) == (800_000, 1_000_000)
