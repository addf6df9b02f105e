"""A captured change and the router's options to the record that comes of it: outbox_router.py."""

from typing import Any

from simulator.errors import BadInput
from simulator.protocol.outbox_router import (
    CapturedChange,
    Dropped,
    Emitted,
    Failed,
    PassedThrough,
    outbox_router,
)


def cases(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": case.get("id", "?"), **case} for case in document["cases"]]


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Compare what is done with the record, and all that is said of the emitted one."""
    got = _routed(case)
    want = {key: value for key, value in case["expected"].items() if key != "why"}
    return None if _same(want, got) else f"expected {want}, got {got}"


def _same(want: Any, got: Any) -> bool:
    """Equal, and of the same type: 1 is not true, and not 1.0."""
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(_same(want[key], got[key]) for key in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(_same, want, got))
    return type(want) is type(got) and bool(want == got)


def _routed(case: dict[str, Any]) -> dict[str, Any]:
    try:
        router = outbox_router(case["options"])
    except BadInput:
        return {"action": "error", "error": "ConfigException"}
    match router.route(_record(case["record"])):
        case Emitted() as event:
            return {
                "action": "emit",
                "topic": event.topic,
                "key": _shown(event.key),
                "value": _shown(event.value),
                "headers": [[name, _shown(value)] for name, value in event.headers],
                "timestamp": event.timestamp_ms,
                "partition": event.partition,
            }
        case Dropped():
            return {"action": "drop"}
        case PassedThrough():
            return {"action": "passthrough"}
        case Failed(error=error):
            return {"action": "error", "error": error}


def _record(record: dict[str, Any]) -> Any:
    value = record["value"]
    if value is None or not record.get("envelope", True):
        return value
    return CapturedChange(
        op=value["op"],
        before=_read(value.get("before")),
        after=_read(value.get("after")),
        ts_ms=value.get("ts_ms"),
        logical=record.get("logical", {}),
        headers=tuple((name, _read(inner)) for name, inner in record.get("headers", ())),
    )


def _read(value: Any) -> Any:
    """A document's value: bytes are written {"$bytes": hexadecimal}."""
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return bytes.fromhex(value["$bytes"])
        return {key: _read(inner) for key, inner in value.items()}
    return [_read(inner) for inner in value] if isinstance(value, list) else value


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value
