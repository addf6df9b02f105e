"""Exponential backoff, as a range; and the retry policies of real systems."""

import pytest

from simulator.errors import BadInput
from simulator.protocol import backoff_presets as presets
from simulator.protocol.backoff import (
    DEAD_LETTER_TOPIC,
    ERROR_QUEUE,
    FAIL,
    LOG_AND_SKIP,
    NOT_TRIED,
    RECOVER,
    SKIP,
    Exhausted,
    Progress,
    Wait,
    exponential_backoff,
)
from simulator.protocol.backoff_laws import (
    Exponential,
    Fibonacci,
    KafkaClient,
    KafkaConnect,
    Listed,
    SpringJitter,
    bounds,
)


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


def milliseconds(policy, draws=(), steps=None):
    """The waits, in milliseconds, until the policy has enough, or for so many steps."""
    progress, waits = NOT_TRIED, []
    for number in range(steps or 100):
        u = draws[number] if number < len(draws) else 0.0
        step = policy.after_failure(progress, u=u)
        if isinstance(step, Exhausted):
            return waits, step
        waits.append(step.delay_us / 1_000)
        progress = step.progress
    return waits, None


@pytest.mark.parametrize(
    ("policy", "waits", "does"),
    [
        (presets.spring_default_error_handler(), [0] * 9, LOG_AND_SKIP),
        (presets.spring_fixed(1_000, 2), [1_000, 1_000], RECOVER),
        (presets.retryable_topic(), [1_000, 1_000], DEAD_LETTER_TOPIC),
        (presets.retryable_topic(4, 1_000, 2), [1_000, 2_000, 4_000], DEAD_LETTER_TOPIC),
        (presets.retryable_topic(2, 10, 0, 20), [10], DEAD_LETTER_TOPIC),
        (presets.resilience4j(max_attempts=5, multiplier=1.5), [500, 750, 1_125, 1_687], FAIL),
        (presets.nservicebus(1, 2, 10), [0, 10_000, 0, 20_000, 0], ERROR_QUEUE),
        (presets.masstransit_redelivery((1,), 1), [0, 60_000, 0], ERROR_QUEUE),
        (presets.masstransit_redelivery((), 2), [0, 0], ERROR_QUEUE),
        (presets.masstransit_incremental(3, 100, 50), [100, 150, 200], ERROR_QUEUE),
        (presets.kafka_connect(), [], FAIL),
        (presets.lecture_promise(), [500, 1_000, 2_000, 4_000], DEAD_LETTER_TOPIC),
    ],
)
def test_a_preset_waits_as_its_system_does_and_ends_as_it_does(policy, waits, does):
    got, end = milliseconds(policy)

    assert (got, end) == (waits, Exhausted(does, len(waits) + 1))
    assert policy.attempts in (None, len(waits) + 1)


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (presets.temporal_activity(max_s=3), [1_000, 2_000, 3_000, 3_000]),
        (presets.axon_streaming_processor(), [1_000, 2_000, 4_000, 8_000]),
        (presets.spring_exponential(), [2_000, 3_000, 4_500, 6_750]),
        (presets.tenacity_incrementing(1, 2, 4), [1_000, 3_000, 4_000, 4_000]),
        (presets.tenacity_exponential(min_s=2, max_s=5), [2_000, 2_000, 4_000, 5_000]),
        (presets.backoff_expo(max_s=3, jitter=False), [1_000, 2_000, 3_000, 3_000]),
        (presets.backoff_fibo(max_s=3, jitter=False), [1_000, 1_000, 2_000, 3_000]),
        (presets.for_ever(7), [7, 7, 7, 7]),
    ],
)
def test_without_a_limit_there_is_always_another_retry(policy, waits):
    assert milliseconds(policy, steps=4) == (waits, None)
    assert policy.attempts is None


def test_the_lectures_loop_also_sleeps_before_the_dead_letters():
    waits, end = milliseconds(presets.lecture_loop())

    assert waits == [500, 1_000, 1_500, 2_000]
    assert end == Exhausted(DEAD_LETTER_TOPIC, attempts=5, delay_us=2_500_000)


def test_each_jitter_spreads_its_delay_in_its_own_way():
    draws = [0.5] * 3

    assert milliseconds(presets.full_jitter(100, 300), draws, 3)[0] == [50, 100, 150]
    assert milliseconds(presets.equal_jitter(100, 300), draws, 3)[0] == [75, 150, 225]
    assert milliseconds(presets.decorrelated_jitter(100, 500), draws, 3)[0] == [200, 350, 500]
    tenacity = presets.tenacity_exponential(jitter_s=1, max_s=4)
    assert milliseconds(tenacity, draws, 3)[0] == [1_500, 2_500, 4_000]
    randomized = presets.resilience4j(multiplier=2, randomization=0.5)
    assert bounds(randomized.law, 1) == (500, 1_500)
    assert bounds(presets.retryable_topic(2, 10, 0, 20).law, 0) == (10, 20)


def test_decorrelated_jitter_goes_on_from_the_delay_before_and_may_shrink():
    waits, _ = milliseconds(presets.decorrelated_jitter(100, 10_000), [0.75, 0.0, 0.5], 3)

    assert waits == [250, 100, 200]


def test_springs_jitter_never_leaves_the_first_and_the_greatest_delay():
    law = SpringJitter(1_000, 2.0, 10_000, 100)

    assert [bounds(law, retry) for retry in range(5)] == [
        (1_000, 1_100),
        (1_800, 2_200),
        (3_600, 4_400),
        (7_200, 8_800),
        (9_000, 10_000),
    ]
    assert bounds(SpringJitter(0, 2.0, 10_000, 100), 3) == (0, 100)  # No division by zero.


def test_kafkas_clients_cut_to_milliseconds_after_the_jitter():
    law = KafkaClient()

    assert [bounds(law, retry) for retry in (0, 1, 4)] == [(80, 120), (160, 240), (800, 1_000)]
    assert bounds(KafkaClient(2_000, 1_000), 3) == (1_000, 1_000)


def test_kafka_connect_draws_above_its_maximum_and_overflows_as_java_does():
    law = KafkaConnect(60_000)

    assert bounds(law, 7) == (38_400, 38_400)
    assert bounds(law, 8) == (0, 60_000)
    assert law.delay(62, None, 0.5, 0.0) == 0
    assert bounds(law, 64) == (300, 300)
    policy = presets.kafka_connect(retry_timeout_ms=-1)
    assert policy.after_failure(Progress(retries=55)).delay_us == 0  # Less than nothing.


def test_masstransit_may_exceed_its_maximum_by_a_quarter():
    law = presets.masstransit_exponential().law

    assert [bounds(law, retry) for retry in (0, 1, 9)] == [
        (4_050.0, 8_250.0),
        (5_850.0, 12_750.0),
        (22_500.0, 37_500.0),
    ]


def test_a_limit_of_waiting_is_looked_at_before_the_delay_is_added():
    policy = presets.spring_exponential(initial_ms=1_000, multiplier=2, max_elapsed_ms=2_500)

    assert milliseconds(policy) == ([1_000, 2_000], Exhausted(RECOVER, 3))


def test_a_limit_of_time_cuts_the_last_delay_and_counts_the_work_too():
    policy = presets.kafka_connect(retry_timeout_ms=1_000, tolerance="all", dead_letters=True)

    assert milliseconds(policy)[0] == [300, 600, 100]
    assert policy.after_failure(elapsed_us=900_000).delay_us == 100_000
    assert policy.after_failure(elapsed_us=1_000_000) == Exhausted(DEAD_LETTER_TOPIC, 1)
    assert presets.kafka_connect(tolerance="all").exhausted == SKIP


def test_progress_is_all_that_there_is_to_remember():
    """Forgotten with a crash, the retries begin again; written down, they go on."""
    policy = presets.spring_fixed(10, 1)
    progress = policy.after_failure().progress

    assert isinstance(policy.after_failure(progress), Exhausted)
    assert isinstance(policy.after_failure(), Wait)


def test_many_retries_do_not_overflow():
    assert Exponential(500, 1.5).delay(10_000, None, 0.0, 0.0) == (1 << 63) - 1
    assert Exponential(0, 2).delay(10**9, None, 0.0, 0.0) == 0
    assert Exponential(5, 2, 60).delay(10**9, None, 0.0, 0.0) == 60
    assert Fibonacci(20).delay(10**9, None, 0.0, 0.0) == 20
    assert Listed((1, 2)).delay(10**9, None, 0.0, 0.0) == 2


def test_what_cannot_be_is_refused():
    with pytest.raises(BadInput, match="max_retries: must not be negative: -1"):
        presets.spring_fixed(1, -1)
    with pytest.raises(BadInput, match="unknown: 'shrug'"):
        presets.spring_fixed(1, 1, "shrug")
    with pytest.raises(BadInput, match="at least one attempt, not 0"):
        presets.retryable_topic(0)
    with pytest.raises(BadInput, match="not a tolerance: 'some'"):
        presets.kafka_connect(tolerance="some")
