"""Delays between retries as their sources compute them: the same numbers, cut in the same places.

A law is a function of how many retries went before, of the delay before this one, and of draws in
[0, 1) that the caller makes: nothing here draws. It answers in its source's own unit, an integer
where the source has one, else a fraction; `backoff.py` makes microseconds of it.

Rule 1: a draw of 0 is the shortest delay and towards 1 the longest, so `bounds` is two calls.
Rule 2: what a source cuts to whole milliseconds at every step is cut at every step.
Rule 3: only products and sums are computed, never a power of fractions: these are the same on
every machine.

Sources: spring-framework ExponentialBackOff.java, spring-retry's policies, resilience4j
IntervalFunction.java, Kafka's ExponentialBackoff.java and RetryWithToleranceOperator.java,
MassTransit ExponentialRetryPolicy.cs, the AWS Architecture Blog on jitter, and the packages
tenacity and backoff.
"""

# ruff: noqa: ARG002, D102 - `Law` says what each delay is; most need but a part of what they get.

from typing import Protocol

import attrs

Number = int | float

_LONG_MOST = (1 << 63) - 1
_RETRIES_DELAY_MIN_MS = 300


class Law(Protocol):
    """How long to wait before a retry."""

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        """The delay, in the law's unit.

        Args:
            retry: 0 is the first retry, after the first attempt failed.
            previous: the delay before; None at the first retry.
            u: a draw in [0, 1) of this moment; laws without jitter ignore it.
            v: a second draw, which a policy makes for this retry once in its life.
        """


def bounds(law: Law, retry: int, previous: Number | None = None) -> tuple[Number, Number]:
    """The least delay, and what delays stay below; equal without jitter."""
    return law.delay(retry, previous, 0.0, 0.0), law.delay(retry, previous, 1.0, 1.0)


def _capped(delay: Number, cap: Number | None) -> Number:
    return delay if cap is None or delay < cap else cap


@attrs.frozen
class Fixed:
    """The same delay each time."""

    interval: Number

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return self.interval


@attrs.frozen
class Uniform:
    """Anything from `low` up to `high`, cut to whole units (spring-retry's UniformRandom)."""

    low: int
    high: int

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return self.low + int(u * (self.high - self.low))


@attrs.frozen
class Linear:
    """`initial`, and `increment` more each time, up to `cap`."""

    initial: Number
    increment: Number
    cap: Number | None = None

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return max(0, _capped(self.initial + self.increment * retry, self.cap))


@attrs.frozen
class Exponential:
    """`initial`, multiplied each time, up to `cap`.

    Attributes:
        whole: each product is cut to an integer before the next (Spring, resilience4j: Java's
            cast to long, which ends at its greatest number).
        least: no delay is shorter.
    """

    initial: Number
    multiplier: Number = 2
    cap: Number | None = None
    whole: bool = True
    least: Number = 0

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        delay = self.initial
        for _ in range(retry):
            if self.cap is not None and delay >= self.cap and self.multiplier >= 1:
                break
            if self.multiplier == 1 or delay == 0:
                break
            product = delay * self.multiplier
            if product > _LONG_MOST:
                delay = _LONG_MOST
                break
            delay = int(product) if self.whole else product
        return max(self.least, _capped(delay, self.cap))


@attrs.frozen
class Fibonacci:
    """1, 1, 2, 3, 5 ... up to `cap` (the package backoff)."""

    cap: Number | None = None

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        delay, following = 1, 1
        for _ in range(retry):
            if self.cap is not None and delay >= self.cap:
                break
            delay, following = following, delay + following
        return _capped(delay, self.cap)


@attrs.frozen
class Listed:
    """These delays in this order; the last goes on."""

    delays: tuple[Number, ...]

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return self.delays[min(retry, len(self.delays) - 1)]


@attrs.frozen
class Rounds:
    """So many retries at once, then a delayed one that begins the next round, and so on."""

    immediate: int
    delayed: Law

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        done, position = divmod(retry, self.immediate + 1)
        return 0 if position < self.immediate else self.delayed.delay(done, previous, u, v)


@attrs.frozen
class FullJitter:
    """Anything from nothing up to what `of` says."""

    of: Law

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return u * self.of.delay(retry, previous, u, v)


@attrs.frozen
class EqualJitter:
    """Half of what `of` says, and up to as much again."""

    of: Law

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        half = self.of.delay(retry, previous, u, v) / 2
        return half + u * half


@attrs.frozen
class DecorrelatedJitter:
    """From `base` up to three times the delay before, at most `cap`: it may shrink too."""

    base: Number
    cap: Number

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        before = self.base if previous is None else previous
        return min(self.cap, self.base + u * (before * 3 - self.base))


@attrs.frozen
class AddedJitter:
    """What `of` says and up to `jitter` more, at most `cap` (tenacity's exponential jitter)."""

    of: Law
    jitter: Number
    cap: Number | None = None

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        return _capped(self.of.delay(retry, previous, u, v) + u * self.jitter, self.cap)


@attrs.frozen
class Randomized:
    """What `of` says, a factor more or less, cut to an integer (resilience4j)."""

    of: Law
    factor: float = 0.5

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        middle = self.of.delay(retry, previous, u, v)
        spread = self.factor * middle
        low, high = middle - spread, middle + spread
        return int(low + u * (high - low))


@attrs.frozen
class SpringJitter:
    """Spring's exponential with `jitter` milliseconds of the first delay, growing with it.

    Never under the first delay and never above the last: so the first delay is only ever made
    longer, and a capped one only ever shorter.
    """

    initial: int
    multiplier: Number = 1.5
    cap: int = 30_000
    jitter: int = 0

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        steps = Exponential(self.initial, self.multiplier, self.cap)
        interval = int(steps.delay(retry, previous, u, v))
        if self.jitter <= 0:
            return interval
        grown = interval // self.initial if self.initial > 0 else 1
        low = max(interval - self.jitter * grown, self.initial)
        high = min(interval + self.jitter * grown, self.cap)
        return min(low + int(u * (high - low)), self.cap)


@attrs.frozen
class KafkaClient:
    """Kafka's clients: doubled, give or take a share, cut to milliseconds, at most `cap`.

    An initial delay that is not under the cap is fixed, without jitter (KIP-580).
    """

    initial: int = 100
    cap: int = 1_000
    multiplier: Number = 2
    jitter: float = 0.2

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        if self.initial >= self.cap:
            return self.cap
        steps = Exponential(self.initial, self.multiplier, self.cap, whole=False)
        term = steps.delay(retry, previous, u, v)
        low, high = 1 - self.jitter, 1 + self.jitter
        factor = 1.0 if self.jitter == 0 else low + u * (high - low)
        return min(int(factor * term), self.cap)


@attrs.frozen
class KafkaConnect:
    """errors.retry.*: 300 ms doubled; once that is above `cap`, anything in [0, cap).

    Reproduced with its overflow: doubling is a shift of 64 bits, so from the 56th retry on some
    delays are negative or 0, which is no wait at all, and the 65th begins at 300 again.
    """

    cap: int = 60_000

    @staticmethod
    def doubled(retry: int) -> int:
        """Java's `300L << retry`: only the shift's last six bits count, and it overflows."""
        shifted = (_RETRIES_DELAY_MIN_MS << (retry & 63)) & ((1 << 64) - 1)
        return shifted - (1 << 64) if shifted > _LONG_MOST else shifted

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        doubled = self.doubled(retry)
        return int(u * self.cap) if doubled > self.cap else doubled


@attrs.frozen
class MassTransitExponential:
    """`least` and a doubled share of `delta`, capped; then a quarter more or less, also of the cap.

    The share is drawn once for each retry of a policy (v), the quarter at each retry (u).
    """

    least: int
    most: int
    delta: int

    def delay(self, retry: int, previous: Number | None, u: float, v: float) -> Number:
        low, high = int(self.delta * 0.8), int(self.delta * 1.2)
        share = low + int(v * (high - low))
        # Beyond 62 doublings every interval is capped, unless there is no delta at all.
        interval = min(self.least + (share << min(retry, 62)), self.most)
        return interval * (u * 0.5 + 0.75)
