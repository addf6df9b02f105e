"""Hand-written traces of models: what was sent where, what took effect, and how the run ended.

    told(sent("o-1/placed", "order-events"), applied("sagas", "o-1", "running"), QUIET)
"""

from typing import Any

from simulator.trace.trace import Trace

QUIET = (("faults_ended",), ("run_ended", "quiet"))
CUT = (("faults_ended",), ("run_ended", "horizon"))


def sent(event_id: str, topic: str, key: Any = None) -> tuple[Any, ...]:
    """A record was handed to a producer."""
    return ("record_sent", event_id, topic, key)


def applied(table: str, key: Any, value: Any, event_id: str = "") -> tuple[Any, ...]:
    """A store has committed an effect."""
    return ("effect_applied", table, key, value, event_id)


def processed(event_id: str, topic: str) -> tuple[Any, ...]:
    """A handler has done with a record."""
    return ("processing_ended", "group", topic, 0, 0, event_id, "done")


def told(*events: Any, step_ms: int = 1) -> Trace:
    """A trace of these events, one after the other; several in a tuple are as many events."""
    trace, at_us = Trace(), 0
    for event in events:
        for one in event if isinstance(event[0], tuple) else (event,):
            at_us += step_ms * 1_000
            trace.record(at_us, "store" if one[0] == "effect_applied" else "node", (), one)
    return trace
