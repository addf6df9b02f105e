"""What experiments of retries and dead letters have in common: measures, and who is in trouble."""

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from experiments._shared import MILLISECOND_US, SECOND_US
from models.patterns.retrying.handled import Handled
from simulator import number, samples, share

HOURS = {"session.timeout.ms": 45_000, "heartbeat.interval.ms": 15_000}


def some(event_ids: Iterable[str], seed: int, percent: int) -> tuple[str, ...]:
    """Some of the events, others under each seed; the same for every variant."""
    return tuple(one for one in event_ids if crc32(f"{seed}/{one}".encode()) % 100 < percent)


def gave_up_after_s(run: Handled) -> float | None:
    """From its first attempt until the first event was given up."""
    after_us = run.gave_up_after_us
    return None if after_us is None else after_us / SECOND_US


def _longest_ms(run: Any) -> float | None:
    return max(run.waited_us) / MILLISECOND_US if run.waited_us else None


ATTEMPTS = number(lambda run: run.most_attempts, unit="attempts", more_is_better=False)
GAVE_UP = number(gave_up_after_s, unit="s", more_is_better=None)
LOST = share(lambda run: run.lost)
DEAD_ONES = share(lambda run: run.dead)
NOT_APPLIED = share(lambda run: run.not_applied)
OUT_OF_ORDER = share(lambda run: run.out_of_order)
WRONG = share(lambda run: run.wrong)
WAITED = samples(lambda run: run.waited_us, quantiles=(0.5, 0.99))
LONGEST = number(_longest_ms, unit="ms", more_is_better=False)
CRASHES = number(lambda run: run.crashes, unit="crashes", more_is_better=False)
REBALANCES = number(lambda run: run.rebalances, unit="rebalances", more_is_better=False)
