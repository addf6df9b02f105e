"""Policies of retries and the outbox router: right expectations pass, wrong ones are reported."""

import copy

import pytest

from tests.conformance import judge

BACKOFF = {
    "family": "backoff",
    "policies": [
        {
            "id": "spring-fixed",
            "policy": "fixed",
            "params": {"interval": 20, "max_retries": 2},
            "unit": "ms",
            "delays": [20, 20],
            "attempts": 3,
            "exhausted": "recover",
        },
        {
            "id": "nservicebus-two-rounds",
            "policy": "incremental",
            "params": {"initial": 5, "increment": 5, "retries": 2, "immediate": 1},
            "unit": "s",
            "delays": [5, 10],
            "attempts": 6,
        },
        {
            "id": "full",
            "policy": "full-jitter",
            "params": {"base": 100, "cap": 300},
            "unit": "ms",
            "u": [0.5, 0.5, 0.5],
            "delays": [50.0, 100.0, 150.0],
        },
        {
            "id": "masstransit",
            "policy": "exponential-jitter-composite",
            "params": {"min": 1000, "max": 3000, "delta": 1000},
            "unit": "ms",
            "delays": [[1350.0, 2750.0], [1950.0, 3750.0]],
        },
    ],
    "quirks": {
        "kafka_connect_overflow": {
            "rows": [
                {"attempt": 9, "delay": "uniform[0,60000)", "raw": 76800},
                {"attempt": 63, "delay": 0, "raw": 0},
            ]
        }
    },
}
OUTBOX = {
    "family": "outbox_router",
    "cases": [
        {
            "id": "an insert",
            "record": {
                "value": {
                    "op": "c",
                    "after": {
                        "id": "e-1",
                        "aggregatetype": "Order",
                        "aggregateid": 42,
                        "payload": {"$bytes": "00ff"},
                    },
                    "ts_ms": 7,
                }
            },
            "options": {"table.fields.additional.placement": "id:header:same"},
            "expected": {
                "action": "emit",
                "topic": "outbox.event.Order",
                "key": 42,
                "value": {"$bytes": "00ff"},
                "headers": [["id", "e-1"], ["same", "e-1"]],
                "timestamp": 7,
                "partition": None,
            },
        },
        {
            "id": "a heartbeat",
            "record": {"envelope": False, "value": {"ts_ms": 7}},
            "options": {},
            "expected": {"action": "passthrough", "why": "no envelope"},
        },
        {
            "id": "an unknown option",
            "record": {"value": None},
            "options": {"route": "x"},
            "expected": {"action": "error", "error": "ConfigException"},
        },
    ],
}


@pytest.mark.parametrize("document", [BACKOFF, OUTBOX], ids=lambda one: one["family"])
def test_right_expectations_pass(document):
    verdicts = list(judge(document, document["family"]))

    assert [failure for _, failure in verdicts] == [None] * len(verdicts)


@pytest.mark.parametrize("place", range(6))
def test_a_wrong_delay_is_reported(place):
    document = copy.deepcopy(BACKOFF)
    rows = [*document["policies"], *document["quirks"]["kafka_connect_overflow"]["rows"]]
    if "delays" in rows[place]:
        last = rows[place]["delays"].pop()
        rows[place]["delays"].append([1.0, 2.0] if isinstance(last, list) else last + 1)
    else:
        rows[place]["raw"] += 1
    failures = [failure for _, failure in judge(document, "backoff")]

    assert [failure is not None for failure in failures] == [one == place for one in range(6)]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("attempts", 4, "expected 4 attempts, got 3"), ("exhausted", "dlt", "expected 'dlt'")],
)
def test_a_wrong_end_is_reported(key, value, said):
    document = copy.deepcopy(BACKOFF)
    document["policies"][0][key] = value

    assert said in next(judge(document, "backoff"))[1]


@pytest.mark.parametrize(
    ("key", "value"), [("key", 42.0), ("topic", "Order"), ("headers", []), ("action", "drop")]
)
def test_a_wrong_record_is_reported(key, value):
    document = copy.deepcopy(OUTBOX)
    document["cases"][0]["expected"][key] = value

    assert "expected" in next(judge(document, "outbox_router"))[1]
