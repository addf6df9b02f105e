"""Policies to their delays: the laws and presets of simulator/protocol/backoff*.py."""

import math
from typing import Any

from simulator.protocol import backoff_presets as presets
from simulator.protocol.backoff import (
    DEAD_LETTER_TOPIC,
    ERROR_QUEUE,
    FAIL,
    LOG_AND_SKIP,
    NOT_TRIED,
    RECOVER,
    SECOND_US,
    SKIP,
    Backoff,
    Exhausted,
    Wait,
)
from simulator.protocol.backoff_laws import Exponential, Fixed, KafkaConnect, Linear, bounds

# Words of a document's `exhausted`, and what may be meant by them; the first that fits holds.
ENDS = (
    (("dlt", "dlq", "dead"), (DEAD_LETTER_TOPIC,)),
    (("error",), (ERROR_QUEUE,)),
    (("log",), (LOG_AND_SKIP, RECOVER)),
    (("recover",), (RECOVER, LOG_AND_SKIP)),
    (("skip",), (SKIP, LOG_AND_SKIP)),
    (("fail", "throw", "raise"), (FAIL,)),
)


def is_one(document: dict[str, Any]) -> bool:
    return document.get("family") == "backoff" and isinstance(document.get("policies"), list)


def cases(document: dict[str, Any]) -> list[dict[str, Any]]:
    rows = document.get("policies", document.get("cases", []))
    overflow = document.get("quirks", {}).get("kafka_connect_overflow", {})
    named = [{"name": row.get("id", "?"), **row} for row in rows]
    return named + [
        {"name": f"kafka_connect_overflow {row['attempt']}", "overflow": row}
        for row in overflow.get("rows", ())
    ]


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Compare a policy's delays, how often it tries, and what it does in the end."""
    if "overflow" in case:
        return _overflown(case["overflow"])
    if case["policy"] == "incremental" and _immediate(case):
        # The document shows the delayed retries alone, and counts all attempts.
        at_once = [0] * _immediate(case)
        delays = [one for delay in case["delays"] for one in (*at_once, delay)]
        case = {**case, "delays": [*delays, *at_once]}
    policy, delays = _policy(case), case["delays"]
    if any(isinstance(delay, list) for delay in delays):
        got = [list(bounds(policy.law, retry)) for retry in range(len(delays))]
        same = all(_close(a, b) for want, had in zip(delays, got, strict=True)
                   for a, b in zip(want, had, strict=True))  # fmt: skip
        return None if same else f"expected {delays}, got {got}"
    return _walked(case, policy)


def _walked(case: dict[str, Any], policy: Backoff) -> str | None:
    """Fail again and again: each delay, then what there is after the last."""
    draws = case.get("u") or [0.0] * len(case["delays"])
    progress, got = NOT_TRIED, []
    for u in draws[: len(case["delays"])]:
        step = policy.after_failure(progress, u=u)
        if not isinstance(step, Wait):
            return f"ended after {got}: {step}"
        progress = step.progress
        if step.delay_us != int(progress.previous * policy.unit_us):
            return f"{step.delay_us} us are not {progress.previous} of {policy.unit_us} us"
        got.append(progress.previous)
    if not all(map(_close, case["delays"], got)):
        return f"expected {case['delays']}, got {got}"
    if "attempts" not in case:
        return None
    if policy.attempts != case["attempts"]:
        return f"expected {case['attempts']} attempts, got {policy.attempts}"
    return _ended(case, policy.after_failure(progress))


def _ended(case: dict[str, Any], step: Wait | Exhausted) -> str | None:
    if case["attempts"] is None or len(case["delays"]) + 1 < case["attempts"]:
        return None if isinstance(step, Wait) else f"ended: {step}"
    if not isinstance(step, Exhausted):
        return f"did not end after {case['attempts']} attempts: {step}"
    text = case.get("exhausted", "").lower()
    for words, meant in ENDS:
        if any(word in text for word in words):
            return None if step.does in meant else f"expected {text!r}, got {step.does!r}"
    return None


def _close(want: float, got: float) -> bool:
    """Integers are equal; what is computed in fractions is equal but for its last digits."""
    if isinstance(want, int) and isinstance(got, int):
        return want == got
    return math.isclose(want, got, rel_tol=1e-12, abs_tol=1e-9)


def _overflown(row: dict[str, Any]) -> str | None:
    law, retry = KafkaConnect(), row["attempt"] - 1
    low, high = bounds(law, retry)
    want = (0, 60_000) if isinstance(row["delay"], str) else (row["delay"], row["delay"])
    if (low, high) == want and law.doubled(retry) == row["raw"]:
        return None
    return f"expected {row}, got [{low}, {high}), {law.doubled(retry)}"


def _policy(row: dict[str, Any]) -> Backoff:
    """The preset that the row's kind, and for what it alone does not say its name, stand for."""
    name, params = row["id"], row["params"]
    retries = params.get("max_retries", (params.get("max_attempts") or 0) - 1)
    retries = None if retries < 0 else retries
    match row["policy"]:
        case "fixed" | "immediate":
            return _fixed(name, params.get("interval", params.get("delay", 0)), retries)
        case "linear" if name.startswith("lecture"):
            return presets.lecture_loop((retries or 4) + 1, params["increment"])
        case "linear":
            start, cap = params.get("start", params.get("initial", 0)), params.get("max")
            law = Linear(start, params["increment"], cap)
            return Backoff(law=law, unit_us=_unit(row), max_retries=retries)
        case "incremental" if _immediate(row):
            assert params["initial"] == params["increment"], "NServiceBus has but one number"
            return presets.nservicebus(_immediate(row), params["retries"], params["increment"])
        case "incremental":
            law = Linear(params["initial"], params["increment"])
            return Backoff(law=law, unit_us=_unit(row), max_retries=params.get("retries", retries))
        case "composite" if "redelivery_min" in params:
            minutes = tuple(params["redelivery_min"])
            return presets.masstransit_redelivery(minutes, params["immediate"])
        case "composite":
            delayed = params["delayed"]
            return presets.nservicebus(params["immediate"], len(delayed), delayed[0])
        case "fibonacci":
            return presets.backoff_fibo(max_s=params.get("max"), jitter="u" in row)
        case "exponential-jitter-composite":
            return presets.masstransit_exponential(
                1_000, params["min"], params["max"], params["delta"]
            )
        case "full-jitter" | "equal-jitter" | "decorrelated-jitter" as kind:
            make = getattr(presets, kind.replace("-", "_"))
            return make(params["base"], params["cap"], retries)
        case "kafka-connect":
            return presets.kafka_connect(retry_timeout_ms=-1, delay_max_ms=params["max"])
        case "exponential" | "exponential-jitter-ms":
            return _exponential(row, params, retries)
    raise ValueError(f"unknown policy {row['policy']!r}")


def _immediate(row: dict[str, Any]) -> int:
    """How many retries of each round are not delayed."""
    default = 5 if row["id"].startswith("nservicebus") else 0
    return row["params"].get("immediate", default)


def _fixed(name: str, interval: int, retries: int | None) -> Backoff:
    if name.startswith("spring-retryable-topic"):
        return presets.retryable_topic((retries or 0) + 1, interval)
    if name.startswith("spring-default"):
        return presets.spring_default_error_handler()
    if name.startswith("spring"):
        return presets.spring_fixed(interval, retries)
    return Backoff(law=Fixed(interval), max_retries=retries)


def _exponential(row: dict[str, Any], params: dict[str, Any], retries: int | None) -> Backoff:
    name, cap = row["id"], params.get("max", params.get("cap"))
    initial = params.get("initial", params.get("factor", params.get("base")))
    multiplier = params.get("multiplier", params.get("base", 2) if "factor" in params else 2)
    if row["policy"] == "exponential-jitter-ms" or name.startswith("spring-exp"):
        return presets.spring_exponential(
            initial_ms=initial,
            multiplier=multiplier,
            max_ms=cap or 30_000,
            max_retries=retries,
            jitter_ms=params.get("jitter", 0),
        )
    if name.startswith("spring-retryable-topic"):
        return presets.retryable_topic((retries or 0) + 1, initial, multiplier, cap or 0)
    if "jitter" in params:
        return presets.kafka_client(initial, cap, params["jitter"])
    if name.startswith("tenacity"):
        return presets.tenacity_exponential(
            multiplier=params.get("multiplier", 1),
            base=params.get("exp_base", 2),
            min_s=params.get("min", 0),
            max_s=cap,
        )
    factor = params.get("randomization", params.get("randomization_factor", 0))
    if name.startswith("resilience4j"):
        return presets.resilience4j(
            max_attempts=100 if retries is None else retries + 1,
            interval_ms=initial,
            multiplier=multiplier,
            max_ms=cap,
            randomization=factor,
        )
    if "factor" in params:
        return presets.backoff_expo(base=multiplier, factor=initial, max_s=cap, jitter="u" in row)
    if name.startswith("temporal"):
        return presets.temporal_activity(
            initial_s=initial, coefficient=multiplier, max_s=cap,
            max_attempts=params.get("max_attempts", 0),
        )  # fmt: skip
    law = Exponential(initial, multiplier, cap, whole=row["unit"] == "ms")
    return Backoff(law=law, unit_us=_unit(row), max_retries=retries)


def _unit(row: dict[str, Any]) -> int:
    return SECOND_US if row["unit"] == "s" else 1_000
