"""How long to wait before a next try, and when there is none any more.

`exponential_backoff` is that of Kafka's clients, as a range: doubled each time, bounded, give or
take 20 %; whoever drives the machine draws from it. Source: ExponentialBackoff.java (KIP-580).

`Backoff` is a retry policy for the handling of one record: a law of delays (`backoff_laws.py`),
limits, and what is done when they are reached. `backoff_presets.py` has those of real systems.

Rule 1: a policy remembers nothing. `Progress` is all that there is to remember: who keeps it in
memory forgets it with a crash and begins again; who writes it down does not.
Rule 2: limits are looked at after each failed attempt, before the delay is computed; so the sum
of the delays may exceed a limit of waiting (Spring), but not one that `clips` (Connect).
Rule 3: delays become microseconds by cutting; a delay below 0 is none.
"""

from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.backoff_laws import Law, Number

JITTER_PERCENT = 20

MILLISECOND_US = 1_000
SECOND_US = 1_000_000

RECOVER = "recover"  # A recoverer of the user's.
LOG_AND_SKIP = "log-and-skip"
DEAD_LETTER_TOPIC = "dlt"
ERROR_QUEUE = "error-queue"
PARK = "park"
SKIP = "skip"
FAIL = "fail"  # The task or the caller gets the error.
EXHAUSTIONS = (RECOVER, LOG_AND_SKIP, DEAD_LETTER_TOPIC, ERROR_QUEUE, PARK, SKIP, FAIL)


def exponential_backoff(attempts: int, base_us: int, max_us: int) -> tuple[int, int]:
    """The range (least, most) of the wait after so many failed attempts, 0 being the first.

    A base that is not under the maximum makes a fixed wait, without jitter.
    """
    if base_us >= max_us:
        return max_us, max_us
    term_us = min(base_us << min(attempts, 40), max_us)
    spread_us = term_us * JITTER_PERCENT // 100
    return term_us - spread_us, min(term_us + spread_us, max_us)


@attrs.frozen(kw_only=True)
class Progress:
    """How far the retries of one record have come.

    Attributes:
        retries: how many delays were given.
        previous: the last of them, in the law's unit; None before the first.
        waited_us: their sum.
    """

    retries: int = 0
    previous: Number | None = None
    waited_us: int = 0


NOT_TRIED = Progress()


@attrs.frozen
class Wait:
    """Try again after so long; `progress` is what to remember."""

    delay_us: int
    progress: Progress


@attrs.frozen
class Exhausted:
    """Do not try again: do what the policy says, after `delay_us`.

    Attributes:
        does: one of EXHAUSTIONS.
        attempts: how many failed.
        delay_us: almost always 0; a loop that also sleeps after its last attempt makes it wait.
    """

    does: str
    attempts: int
    delay_us: int = 0


def _not_negative(_instance: object, attribute: Any, value: int | None) -> None:
    if value is not None and value < 0:
        where = f"Backoff.{attribute.name}"
        raise BadInput("must not be negative:", where, value, "None is no limit")


def _known(_instance: object, _attribute: Any, value: str) -> None:
    if value not in EXHAUSTIONS:
        raise BadInput("unknown:", "Backoff.exhausted", value, f"one of {', '.join(EXHAUSTIONS)}")


@attrs.frozen(kw_only=True)
class Backoff:
    """When to try a failed record again.

    Attributes:
        law: the delays.
        unit_us: what the law counts in, in microseconds.
        max_retries: attempts after the first; None is no limit.
        max_waited_us: no retry once the delays add up to this (Spring's maxElapsedTime).
        max_elapsed_us: no retry so long after the first attempt began (Connect's
            errors.retry.timeout); None is no limit, 0 no retry.
        clips: a delay does not go beyond `max_elapsed_us`.
        waits_before_giving_up: there is a delay after the last attempt too.
        exhausted: what is done with the record in the end: one of EXHAUSTIONS.

    Raises:
        BadInput: a limit is negative, or `exhausted` is unknown.
    """

    law: Law
    unit_us: int = MILLISECOND_US
    max_retries: int | None = attrs.field(default=None, validator=_not_negative)
    max_waited_us: int | None = attrs.field(default=None, validator=_not_negative)
    max_elapsed_us: int | None = attrs.field(default=None, validator=_not_negative)
    clips: bool = True
    waits_before_giving_up: bool = False
    exhausted: str = attrs.field(default=RECOVER, validator=_known)

    @property
    def attempts(self) -> int | None:
        """How often a record is tried at most, by count; None is without end."""
        return None if self.max_retries is None else self.max_retries + 1

    def after_failure(
        self,
        progress: Progress = NOT_TRIED,
        *,
        u: float = 0.0,
        v: float = 0.0,
        elapsed_us: int | None = None,
    ) -> Wait | Exhausted:
        """What to do now that an attempt has failed.

        Args:
            progress: as the last `Wait` gave it.
            u: a draw in [0, 1), for laws with jitter.
            v: another, which the policy keeps for this retry; few laws have it.
            elapsed_us: since the first attempt began; without it, the sum of the delays.
        """
        assert 0.0 <= u < 1.0, f"a draw outside [0, 1): {u}"
        assert 0.0 <= v < 1.0, f"a draw outside [0, 1): {v}"
        elapsed_us = progress.waited_us if elapsed_us is None else elapsed_us
        raw = self.law.delay(progress.retries, progress.previous, u, v)
        delay_us = max(0, int(raw * self.unit_us))
        if self._is_exhausted(progress, elapsed_us):
            last_us = delay_us if self.waits_before_giving_up else 0
            return Exhausted(self.exhausted, progress.retries + 1, last_us)
        if self.max_elapsed_us is not None and self.clips:
            delay_us = min(delay_us, self.max_elapsed_us - elapsed_us)
        waited_us = progress.waited_us + delay_us
        retries = progress.retries + 1
        return Wait(delay_us, Progress(retries=retries, previous=raw, waited_us=waited_us))

    def _is_exhausted(self, progress: Progress, elapsed_us: int) -> bool:
        return (
            (self.max_retries is not None and progress.retries >= self.max_retries)
            or (self.max_waited_us is not None and progress.waited_us >= self.max_waited_us)
            or (self.max_elapsed_us is not None and elapsed_us >= self.max_elapsed_us)
        )
