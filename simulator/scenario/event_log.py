"""A real event log becomes a workload: its order and its rhythm, in virtual time.

1. CSV (.csv) with a header line, or JSON lines (.jsonl, .ndjson, .json), in UTF-8.
2. Events are ordered by their timestamps, those of one instant as in the file; the first is at
   the start of the run. Unless told to keep the real pace, time is compressed so that the last
   one comes `span_ms` later; the arithmetic is of whole microseconds.
3. The case is the key. The value is an envelope as JSON text: event_type, schema_version 1,
   event_id, ts (as the file has it), and as payload the other columns.
4. A timestamp is ISO 8601, with a zone or without (then UTC is meant, for all of the file), or
   a number counted from 1970: of seconds, milliseconds, microseconds or nanoseconds, told
   apart by its size. Blank lines are skipped; anything else that is not as it should be is
   refused, with its line.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S
from simulator.scenario import validation
from simulator.scenario.workload import WorkItem

CSV_ENDINGS = (".csv",)
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
DEFAULT_SPAN_MS = 60_000

_NUMBER = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,12}))?\Z")
_DAY = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])\Z")
_ISO_DAY = re.compile(r"[0-9]{4}-")
# The whole part of a number of seconds has at most 11 digits until the year 5138, and so on.
_UNITS = ((11, 1), (14, 1_000), (17, 1_000_000), (19, 1_000_000_000))

Row = tuple[int, dict[str, Any]]  # (line number, column to value)


class Columns(NamedTuple):
    """What the columns are called; event_id None: the events are numbered e1, e2, ... ."""

    case_id: str
    event_type: str
    timestamp: str
    event_id: str | None


def read_event_log(
    path: str | Path,
    *,
    topic: str = "orders",
    span_ms: int | None = DEFAULT_SPAN_MS,
    case_id: str = "case_id",
    event_type: str = "event_type",
    timestamp: str = "timestamp",
    event_id: str | None = "event_id",
    delimiter: str = ",",
) -> tuple[WorkItem, ...]:
    """Read a file of events; give it as `Workload(items=...)`.

    Args:
        topic: where the events are sent.
        span_ms: how long the workload lasts in virtual time; None keeps the real pace.
        case_id, event_type, timestamp, event_id: the names of these columns; event_id None
            if there is none: then the events are numbered in the order of the file.
        delimiter: between the columns of a CSV file.

    Raises:
        BadInput: the file cannot be read, lacks a column, or has a line that is ragged, whose
            timestamp cannot be read, or whose event id stood before.
    """
    where = str(path)
    if not validation.is_name(topic):
        raise BadInput("is not a topic's name:", "topic", topic)
    if span_ms is not None and (type(span_ms) is not int or span_ms < 0):
        raise BadInput("must be a whole number of milliseconds from 0:", "span_ms", span_ms)
    if not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise BadInput("must be one character:", "delimiter", delimiter, "',' or ';' or a tab")
    ending = Path(path).suffix.lower()
    if ending not in CSV_ENDINGS + JSON_ENDINGS:
        fix = "name it .csv, or .jsonl for JSON lines"
        raise BadInput("is not an event log, by its ending", where, ending, fix)
    columns = Columns(case_id, event_type, timestamp, event_id)
    text = _text(Path(path), where)
    if ending in CSV_ENDINGS:
        rows = _csv_rows(text, columns, delimiter, where)
    else:
        rows = _json_rows(text, columns, where)
    return _work_items(list(rows), columns, topic, span_ms, where)


# --- The file ------------------------------------------------------------------------------


def _text(path: Path, where: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise BadInput(f"cannot be read: {reason}", where, None, "give a file") from None
    if bytes(1) in data:
        raise BadInput("is binary, or not in UTF-8", where, None, "save it as text in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        bad = data[problem.start : problem.start + 1]
        fix = "save the file in UTF-8"
        raise BadInput("is not UTF-8:", f"{where}, line {line}", bad, fix) from None
    if not text.strip():
        raise BadInput("is empty", where, None, "give a file with at least one event")
    return text


def _csv_rows(text: str, columns: Columns, delimiter: str, where: str) -> Iterator[Row]:
    import csv
    import io

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for fields in reader:
            here = f"{where}, line {line}"
            if header is None and fields:
                header = fields
                _check_header(header, columns, here)
            elif header is not None and fields:
                if len(fields) != len(header):
                    rule = f"has not {len(header)} columns as the first line, but"
                    raise BadInput(rule, here, len(fields), "quote what holds a delimiter")
                yield line, dict(zip(header, fields, strict=True))
            line = reader.line_num + 1  # A quoted field may run over several lines.
    except csv.Error as problem:
        raise BadInput(f"is not CSV: {problem}", f"{where}, line {line}") from None


def _check_header(header: list[str], columns: Columns, here: str) -> None:
    for name in header:
        if header.count(name) > 1:
            raise BadInput("has two columns of the name", here, name, "rename one")
    for column in columns:
        if column is not None and column not in header:
            _refuse_missing(column, header, here)


def _refuse_missing(name: str, present: list[str], here: str) -> None:
    fix = "present: " + ", ".join(present) + "; name the column that holds it"
    raise BadInput("has no column", here, name, fix)


def _json_rows(text: str, columns: Columns, where: str) -> Iterator[Row]:
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the name {twice!r} stands twice")
        return found

    def finite(constant: str) -> Any:
        raise ValueError(f"{constant} is not a JSON number")

    # Not splitlines(): JSON text may hold U+2028 and its like.
    for line, one in enumerate(text.split("\n"), start=1):
        if not one.strip():
            continue
        here = f"{where}, line {line}"
        try:
            row = json.loads(one, object_pairs_hook=unique, parse_constant=finite)
        except (ValueError, RecursionError) as problem:
            fix = "write one JSON object a line"
            raise BadInput(f"is not JSON ({problem}):", here, one.strip()[:60], fix) from None
        if not isinstance(row, dict):
            fix = "write one JSON object a line"
            raise BadInput("is not a JSON object:", here, one.strip()[:60], fix)
        for name in columns:
            if name is not None and name not in row:
                _refuse_missing(name, list(row), here)
        yield line, row


# --- The events ----------------------------------------------------------------------------


def _work_items(
    rows: list[Row], columns: Columns, topic: str, span_ms: int | None, where: str
) -> tuple[WorkItem, ...]:
    import json

    if not rows:
        raise BadInput("holds no event", where, None, "give a file with at least one event")
    clock = _Clock()
    lines: dict[str, int] = {}
    found: list[tuple[int, str, str, str]] = []
    own = [name for name in columns if name is not None]
    for number, (line, row) in enumerate(rows, start=1):
        here = f"{where}, line {line}"
        key = _word(row[columns.case_id], columns.case_id, here)
        kind = _word(row[columns.event_type], columns.event_type, here)
        stamp = row[columns.timestamp]
        identity = f"e{number}"
        if columns.event_id is not None:
            identity = _word(row[columns.event_id], columns.event_id, here)
        if (first := lines.setdefault(identity, line)) != line:
            rule = f"has the event id of line {first}:"
            raise BadInput(rule, here, identity, "an event's id must be its own")
        value = {
            "event_type": kind,
            "schema_version": 1,
            "event_id": identity,
            "ts": stamp,
            "payload": {name: row[name] for name in row if name not in own},
        }
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        found.append((clock.read_us(stamp, here, columns.timestamp), key, text, identity))
    found.sort(key=_time)  # Stable: events of one instant stay in the order of the file.
    start_us = found[0][0]
    real_us = found[-1][0] - start_us
    span_us = real_us if span_ms is None else span_ms * MICROS_PER_MS
    return tuple(
        WorkItem((at_us - start_us) * span_us // (real_us or 1), topic, key, text, identity)
        for at_us, key, text, identity in found
    )


def _time(event: tuple[int, str, str, str]) -> int:
    return event[0]


def _word(value: Any, column: Any, here: str) -> str:
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value:
        shown = f"column {column!r} must hold text or a whole number, not"
        raise BadInput(shown, here, "nothing" if value is None else value)
    return value


class _Clock:
    """Reads the timestamps of one file, which are either all zoned or all not."""

    def __init__(self) -> None:
        self._zoned: bool | None = None

    def read_us(self, value: Any, here: str, column: str) -> int:
        """Microseconds since 1970."""
        text = repr(value) if type(value) in (int, float) else value
        found_us = self._text_us(text.strip(), here) if isinstance(text, str) else None
        if found_us is None:
            fix = "write 2025-12-04T12:00:00Z, or a number since 1970"
            shown = "nothing" if value is None else value
            raise BadInput(f"column {column!r} holds no timestamp:", here, shown, fix)
        return found_us

    def _text_us(self, text: str, here: str) -> int | None:
        if _DAY.match(text):
            fix = "write it with hyphens, 2025-12-04"
            raise BadInput("may be a day or a number:", here, text, fix)
        if number := _NUMBER.match(text):
            return _number_us(*number.groups(default=""))
        return self._iso_us(text, here) if _ISO_DAY.match(text) else None

    def _iso_us(self, text: str, here: str) -> int | None:
        from datetime import UTC, datetime, timedelta

        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        zoned = moment.tzinfo is not None
        if self._zoned not in (None, zoned):
            rule = "has a zone, and those before have none:" if zoned else "has no zone:"
            raise BadInput(rule, here, text, "give all timestamps a zone, or none")
        self._zoned = zoned
        if not zoned:
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _number_us(sign: str, whole: str, fraction: str) -> int:
    digits = len(whole.lstrip("0"))
    per_s = next(per_s for most, per_s in _UNITS if digits <= most)
    scaled: int = int(whole + fraction) * MICROS_PER_S // (per_s * 10 ** len(fraction))
    return -scaled if sign else scaled
