"""What real systems do by default with a record that fails: when, how often, and in the end.

    PRESETS["spring-kafka default"]

where is `in place` (the record blocks its partition), `elsewhere` (it goes to a retry topic or a
delayed queue, and others pass) or `parked` (others pass, but not those of its key: `parking.py`).
The policies are the simulator's own; what becomes of the record in the end is
`ending`'s answer to the policy's word for it.

Not modelled: that NServiceBus makes its immediate retries in place and only the delayed ones
elsewhere (here all go elsewhere, which costs a record the same time).
"""

import attrs

from models.patterns.retrying.dead_letters import GivingUp, log_and_skip, publishing, stopping
from simulator import (
    DEAD_LETTER_TOPIC,
    ERROR_QUEUE,
    FAIL,
    LOG_AND_SKIP,
    PARK,
    RECOVER,
    SKIP,
    Backoff,
    BadInput,
    Fixed,
    for_ever,
    kafka_connect,
    lecture_loop,
    lecture_promise,
    masstransit_redelivery,
    nservicebus,
    retryable_topic,
    spring_default_error_handler,
    spring_exponential,
)

IN_PLACE, ELSEWHERE, PARKED = "in place", "elsewhere", "parked"


@attrs.frozen
class Preset:
    """A system's way with a record that fails.

    Attributes:
        policy: when it is tried again, and how often.
        where: it waits in place, elsewhere or parked.
        source: what says so.
    """

    name: str
    policy: Backoff
    where: str
    source: str


def ending(policy: Backoff, dead: str, group: str) -> GivingUp:
    """What becomes of a record at the end of a policy.

    Raises:
        BadInput: it parks: that is a pattern of its own.
    """
    if policy.exhausted in {DEAD_LETTER_TOPIC, ERROR_QUEUE}:
        return publishing(dead, group)
    if policy.exhausted in {LOG_AND_SKIP, SKIP, RECOVER}:
        return log_and_skip
    if policy.exhausted == FAIL:
        return stopping
    raise BadInput("this is no end of a record:", "policy", policy.exhausted, "use parking()")


_ALL = (
    Preset(
        "spring-kafka default", spring_default_error_handler(), IN_PLACE,
        "DefaultErrorHandler(): FixedBackOff(0, 9), and a recoverer that logs",
    ),
    Preset(
        "spring-kafka exponential",
        spring_exponential(max_retries=6, exhausted=DEAD_LETTER_TOPIC), IN_PLACE,
        "ExponentialBackOffWithMaxRetries(6), DeadLetterPublishingRecoverer",
    ),
    Preset(
        "spring-kafka retry topic", retryable_topic(), ELSEWHERE,
        "@RetryableTopic: attempts 3, delay 1000 ms, DltStrategy.ALWAYS_RETRY_ON_ERROR",
    ),
    Preset(
        "connect none", kafka_connect(), IN_PLACE,
        "errors.tolerance=none, errors.retry.timeout=0: the task fails",
    ),
    Preset(
        "connect all", kafka_connect(tolerance="all"), IN_PLACE,
        "errors.tolerance=all and no errors.deadletterqueue.topic.name: skipped",
    ),
    Preset(
        "connect all, dead letters",
        kafka_connect(tolerance="all", dead_letters=True), IN_PLACE,
        "errors.tolerance=all, errors.deadletterqueue.topic.name: kept (sinks only)",
    ),
    Preset(
        "nservicebus", nservicebus(), ELSEWHERE,
        "Recoverability: 5 immediate, 3 delayed by 10 s more each: 24 attempts, error queue",
    ),
    Preset(
        "masstransit", masstransit_redelivery(), ELSEWHERE,
        "UseMessageRetry(Immediate(5)), UseDelayedRedelivery(5, 15, 30 min), _error queue",
    ),
    Preset(
        "axon sequenced", Backoff(law=Fixed(0), max_retries=0, exhausted=PARK), PARKED,
        "SequencedDeadLetterQueue: parked at the first failure, with its sequence behind it",
    ),
    Preset(
        "lecture loop", lecture_loop(), IN_PLACE,
        "5 attempts, sleep 0.5 s x attempt after each, also before the DLQ",
    ),
    Preset(
        "lecture promise", lecture_promise(), IN_PLACE,
        "the exponential delays that its text promises: 0.5 s doubled, none before the DLQ",
    ),
    Preset("for ever", for_ever(500), IN_PLACE, "while (true) { try ... sleep(500) }"),
)  # fmt: skip

PRESETS = {preset.name: preset for preset in _ALL}
