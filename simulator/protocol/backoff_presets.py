"""Retry policies of real systems, under their names and with their defaults.

Each answers a `Backoff`; what one writes in the system's configuration are the arguments. A limit
that is not there by default is None here: Temporal, Axon and Spring's ExponentialBackOff retry
without end unless told otherwise.

Not modelled: which errors a system retries at all (its classification of permanent errors).
"""

from simulator.errors import BadInput
from simulator.protocol.backoff import (
    DEAD_LETTER_TOPIC,
    ERROR_QUEUE,
    FAIL,
    LOG_AND_SKIP,
    MILLISECOND_US,
    RECOVER,
    SECOND_US,
    SKIP,
    Backoff,
)
from simulator.protocol.backoff_laws import (
    AddedJitter,
    DecorrelatedJitter,
    EqualJitter,
    Exponential,
    Fibonacci,
    Fixed,
    FullJitter,
    KafkaClient,
    KafkaConnect,
    Law,
    Linear,
    Listed,
    MassTransitExponential,
    Number,
    Randomized,
    Rounds,
    SpringJitter,
    Uniform,
)

_SPRING_RETRY_MAX_MS = 30_000


def _after_attempts(attempts: int, where: str) -> int:
    """The retries of so many attempts, where the first is counted."""
    if attempts < 1:
        raise BadInput("needs at least one attempt, not", where, attempts)
    return attempts - 1


def spring_default_error_handler() -> Backoff:
    """spring-kafka's DefaultErrorHandler: 10 attempts at once, then a line in a log: a loss."""
    return Backoff(law=Fixed(0), max_retries=9, exhausted=LOG_AND_SKIP)


def spring_fixed(
    interval_ms: int = 5_000, max_retries: int | None = None, exhausted: str = RECOVER
) -> Backoff:
    """Spring's FixedBackOff, as for a DefaultErrorHandler with a recoverer."""
    return Backoff(law=Fixed(interval_ms), max_retries=max_retries, exhausted=exhausted)


def spring_exponential(
    *,
    initial_ms: int = 2_000,
    multiplier: Number = 1.5,
    max_ms: int = 30_000,
    max_retries: int | None = None,
    max_elapsed_ms: int | None = None,
    jitter_ms: int = 0,
    exhausted: str = RECOVER,
) -> Backoff:
    """Spring's ExponentialBackOff, and spring-kafka's ExponentialBackOffWithMaxRetries."""
    waited_us = None if max_elapsed_ms is None else max_elapsed_ms * MILLISECOND_US
    return Backoff(
        law=SpringJitter(initial_ms, multiplier, max_ms, jitter_ms),
        max_retries=max_retries,
        max_waited_us=waited_us,
        exhausted=exhausted,
    )


def retryable_topic(
    attempts: int = 3, delay_ms: int = 1_000, multiplier: Number = 0, max_delay_ms: int = 0
) -> Backoff:
    """spring-kafka's @RetryableTopic with its @Backoff: a topic for each delay, then the DLT.

    Without a multiplier the delay is fixed or, under a greater `max_delay_ms`, drawn up to it.
    """
    law: Law = Fixed(delay_ms)
    if multiplier > 0:
        cap_ms = max_delay_ms if max_delay_ms > delay_ms else _SPRING_RETRY_MAX_MS
        law = Exponential(delay_ms, multiplier, cap_ms)
    elif max_delay_ms > delay_ms:
        law = Uniform(delay_ms, max_delay_ms)
    retries = _after_attempts(attempts, "retryable_topic")
    return Backoff(law=law, max_retries=retries, exhausted=DEAD_LETTER_TOPIC)


def kafka_client(initial_ms: int = 100, max_ms: int = 1_000, jitter: float = 0.2) -> Backoff:
    """retry.backoff.ms and retry.backoff.max.ms of Kafka's clients; ends by other limits."""
    return Backoff(law=KafkaClient(initial_ms, max_ms, 2, jitter), exhausted=FAIL)


def kafka_connect(
    *,
    retry_timeout_ms: int = 0,
    delay_max_ms: int = 60_000,
    tolerance: str = "none",
    dead_letters: bool = False,
) -> Backoff:
    """errors.retry.timeout (-1: no end), errors.retry.delay.max.ms and errors.tolerance.

    Without retries by default, and the task fails. Tolerance `all` skips; only a sink that names
    a dead letter topic keeps what it skips.

    Raises:
        BadInput: the tolerance is neither "none" nor "all".
    """
    if tolerance not in ("none", "all"):
        raise BadInput("not a tolerance:", "errors.tolerance", tolerance, "none or all")
    kept = DEAD_LETTER_TOPIC if dead_letters else SKIP
    return Backoff(
        law=KafkaConnect(delay_max_ms),
        max_elapsed_us=None if retry_timeout_ms < 0 else retry_timeout_ms * MILLISECOND_US,
        exhausted=kept if tolerance == "all" else FAIL,
    )


def nservicebus(immediate: int = 5, delayed: int = 3, increase_s: int = 10) -> Backoff:
    """Recoverability: rounds of immediate retries, each delayed 10 s more: 24 attempts."""
    return Backoff(
        law=Rounds(immediate, Linear(increase_s, increase_s)),
        unit_us=SECOND_US,
        max_retries=immediate + delayed * (immediate + 1),
        exhausted=ERROR_QUEUE,
    )


def masstransit_redelivery(minutes: tuple[int, ...] = (5, 15, 30), immediate: int = 5) -> Backoff:
    """UseDelayedRedelivery(Intervals) around UseMessageRetry(Immediate): then `_error`."""
    delays: tuple[Number, ...] = tuple(60 * one for one in minutes)
    return Backoff(
        law=Rounds(immediate, Listed(delays)) if delays else Fixed(0),
        unit_us=SECOND_US,
        max_retries=immediate + len(delays) * (immediate + 1),
        exhausted=ERROR_QUEUE,
    )


def masstransit_incremental(retries: int, initial_ms: int, increment_ms: int) -> Backoff:
    """r.Incremental(limit, initial, increment)."""
    law = Linear(initial_ms, increment_ms)
    return Backoff(law=law, max_retries=retries, exhausted=ERROR_QUEUE)


def masstransit_exponential(
    retries: int = 1_000, min_ms: int = 3_000, max_ms: int = 30_000, delta_ms: int = 3_000
) -> Backoff:
    """r.Exponential(limit, min, max, delta); the defaults are those of its outbox's delivery."""
    law = MassTransitExponential(min_ms, max_ms, delta_ms)
    return Backoff(law=law, max_retries=retries, exhausted=ERROR_QUEUE)


def axon_streaming_processor() -> Backoff:
    """A processor in error mode: 1 s doubled up to 60 s, for ever, of this segment here."""
    return Backoff(law=Exponential(1, 2, 60), unit_us=SECOND_US, exhausted=FAIL)


def temporal_activity(
    *,
    initial_s: Number = 1,
    coefficient: Number = 2.0,
    max_s: Number | None = None,
    max_attempts: int = 0,
) -> Backoff:
    """Temporal's RetryPolicy: to a hundred times the first delay, without end (0 attempts)."""
    cap = 100 * initial_s if max_s is None else max_s
    retries = None if max_attempts == 0 else _after_attempts(max_attempts, "temporal_activity")
    law = Exponential(initial_s, coefficient, cap, whole=False)
    return Backoff(law=law, unit_us=SECOND_US, max_retries=retries, exhausted=FAIL)


def resilience4j(
    *,
    max_attempts: int = 3,
    interval_ms: int = 500,
    multiplier: Number = 1,
    max_ms: int | None = None,
    randomization: float = 0,
) -> Backoff:
    """RetryConfig: 3 attempts, 500 ms; exponential with a multiplier (its own default is 1.5)."""
    law: Law = Exponential(interval_ms, multiplier, max_ms)
    law = Randomized(law, randomization) if randomization else law
    retries = _after_attempts(max_attempts, "resilience4j")
    return Backoff(law=law, max_retries=retries, exhausted=FAIL)


def tenacity_incrementing(
    start_s: Number = 0, increment_s: Number = 100, max_s: Number | None = None
) -> Backoff:
    """The wait_incrementing of tenacity; it stops never, unless told."""
    return Backoff(law=Linear(start_s, increment_s, max_s), unit_us=SECOND_US, exhausted=FAIL)


def tenacity_exponential(
    *,
    multiplier: Number = 1,
    base: Number = 2,
    min_s: Number = 0,
    max_s: Number | None = None,
    jitter_s: Number = 0,
) -> Backoff:
    """The wait_exponential of tenacity and, with jitter, wait_exponential_jitter."""
    steps = Exponential(multiplier, base, max_s, whole=False, least=min_s)
    law: Law = AddedJitter(steps, jitter_s, max_s) if jitter_s else steps
    return Backoff(law=law, unit_us=SECOND_US, exhausted=FAIL)


def backoff_expo(
    *, base: Number = 2, factor: Number = 1, max_s: Number | None = None, jitter: bool = True
) -> Backoff:
    """The package backoff's expo, under its default full jitter."""
    steps = Exponential(factor, base, max_s, whole=False)
    return Backoff(law=FullJitter(steps) if jitter else steps, unit_us=SECOND_US, exhausted=FAIL)


def backoff_fibo(*, max_s: Number | None = None, jitter: bool = True) -> Backoff:
    """The package backoff's fibo, under its default full jitter."""
    steps = Fibonacci(max_s)
    return Backoff(law=FullJitter(steps) if jitter else steps, unit_us=SECOND_US, exhausted=FAIL)


def full_jitter(base_ms: int, cap_ms: int, max_retries: int | None = None) -> Backoff:
    """AWS: anything up to the doubled delay."""
    law = FullJitter(Exponential(base_ms, 2, cap_ms))
    return Backoff(law=law, max_retries=max_retries, exhausted=DEAD_LETTER_TOPIC)


def equal_jitter(base_ms: int, cap_ms: int, max_retries: int | None = None) -> Backoff:
    """AWS: half of the doubled delay, and up to as much again."""
    law = EqualJitter(Exponential(base_ms, 2, cap_ms))
    return Backoff(law=law, max_retries=max_retries, exhausted=DEAD_LETTER_TOPIC)


def decorrelated_jitter(base_ms: int, cap_ms: int, max_retries: int | None = None) -> Backoff:
    """AWS: from the base up to three times the delay before."""
    law = DecorrelatedJitter(base_ms, cap_ms)
    return Backoff(law=law, max_retries=max_retries, exhausted=DEAD_LETTER_TOPIC)


def lecture_loop(attempts: int = 5, step_ms: int = 500) -> Backoff:
    """The loop of the lecture: sleep 0.5 s x attempt after each failure, also before the DLQ."""
    return Backoff(
        law=Linear(step_ms, step_ms),
        max_retries=_after_attempts(attempts, "lecture_loop"),
        waits_before_giving_up=True,
        exhausted=DEAD_LETTER_TOPIC,
    )


def lecture_promise(attempts: int = 5, step_ms: int = 500) -> Backoff:
    """The exponential law that the lecture's text promises: no sleep after the last attempt."""
    retries = _after_attempts(attempts, "lecture_promise")
    return Backoff(law=Exponential(step_ms, 2), max_retries=retries, exhausted=DEAD_LETTER_TOPIC)


def for_ever(delay_ms: int = 0) -> Backoff:
    """No limit and no dead letters: the record that cannot be handled blocks its partition."""
    return Backoff(law=Fixed(delay_ms))
