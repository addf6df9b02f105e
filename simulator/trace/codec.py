"""A trace as a file: JSON lines that say by themselves what they are, and read back exactly.

    {"format":"simulator-trace/1","scenario":"orders","chooser":"seed 7"}
    {"seq":0,"at_us":0,"node":"shop","causes":[],"kind":"record_sent","event_id":"e1",...}
    {"entries":1}

1. The first line is the header: the format with its version, then the trace's meta.
2. Then one line an entry, its event's fields by name; the last line counts the entries, so that a
   file cut short is known for one.
3. An array is a tuple. What JSON has not stands in an object of one name:
   {"bytes": "00ff"}, {"list": [...]}, {"dict": [[key, value], ...]}, {"float": "nan"}.
4. Reading is strict: nothing is skipped, guessed or repaired.

A file whose name ends in .gz is compressed; the same trace gives the same bytes every time.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import attrs

from simulator.errors import BadInput
from simulator.trace.events import EVENTS
from simulator.trace.trace import FlatEntry, Trace

FORMAT = "simulator-trace/1"
ENTRY_FIELDS = ("seq", "at_us", "node", "causes", "kind")

_PLAIN = frozenset((str, int, bool, type(None)))  # JSON has these as we have them.
_UNREADABLE = (TypeError, ValueError, RecursionError)


@cache
def _fields(kind: str) -> "dict[str, Any]":
    """The fields of a kind of event and their types, in the order of its flat tuple."""
    fields = {field.name: field.type for field in attrs.fields(EVENTS[kind])}
    taken = [name for name in fields if name in (*ENTRY_FIELDS, "entries", "format")]
    assert not taken, f"{kind} may not have a field that each line has already: {taken}"
    return fields


# --- Writing ---------------------------------------------------------------------------------


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write the trace to a file, compressed if the name ends in .gz.

    Raises:
        BadInput: the entries were not kept, the file cannot be written, or an entry holds a value
            that this form has no words for.
    """
    target = Path(path)
    try:
        # No file is ever half a trace: it takes its name when it is whole. What is no file, such
        # as a pipe, is written to where it is: a file in its place would destroy it.
        in_place = target.exists() and not target.is_file()
        part = target if in_place else target.with_name(target.name + ".part")
        try:
            with part.open("wb") as file:
                if target.suffix == ".gz":
                    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                        _write(zipped, trace)
                else:
                    _write(file, trace)
            if not in_place:
                part.replace(target)
        finally:
            if not in_place:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(path)) from None


def _write(file: BinaryIO | gzip.GzipFile, trace: Trace) -> None:
    for line in trace_lines(trace):
        file.write(line.encode("ascii") + b"\n")


def trace_lines(trace: Trace) -> Iterator[str]:
    """The lines of the trace's file.

    Raises:
        BadInput: as `write_trace`.
    """
    if not trace.kept:
        raise BadInput(
            "the entries of this run were not kept", "trace", fix="run it with keep=True"
        )
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    assert "format" not in trace.meta, "the header's first word is the format"
    yield encode({"format": FORMAT, **{name: _to_json(v) for name, v in trace.meta.items()}})
    for seq, at_us, node, causes, event in trace.flat:
        kind, values = event[0], event[1:]
        line: dict[str, Any] = {
            "seq": seq,
            "at_us": at_us,
            "node": node,
            "causes": causes,
            "kind": kind,
        }
        for name, value in zip(_fields(kind), values, strict=True):
            if type(value) in _PLAIN:
                line[name] = value
                continue
            try:
                line[name] = _to_json(value)
            except TypeError:
                fix = "bytes, text, numbers, and tuples, lists and dicts of them"
                raise BadInput(f"{kind}.{name} cannot hold", f"entry {seq}", value, fix) from None
        yield encode(line)
    yield encode({"entries": len(trace)})


def _to_json(value: Any) -> Any:
    """What JSON has in the place of the value.

    Raises:
        TypeError: it has nothing.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return [_to_json(one) for one in value]
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return {"list": [_to_json(one) for one in value]}
    if kind is dict:
        return {"dict": [[_to_json(key), _to_json(one)] for key, one in value.items()]}
    raise TypeError


# --- Reading ---------------------------------------------------------------------------------


def read_trace(path: str | Path) -> Trace:
    """Read the trace of a file.

    Raises:
        BadInput: the file cannot be read, is no trace, is cut short, or a line is not what it
            should be; with the file, the line's number and the value.
    """
    where = str(path)
    try:
        data = Path(path).read_bytes()
        if where.endswith(".gz"):
            data = gzip.decompress(data)
    except gzip.BadGzipFile:
        fix = "a file whose name ends in .gz must be compressed"
        raise BadInput("is not compressed, or damaged", where, fix=fix) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where) from None
    except (EOFError, zlib.error):
        raise BadInput("is cut short or damaged", where, fix="copy it again") from None
    if not data:
        raise BadInput("is empty", where, fix="give a file that `write_trace` wrote")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        fix = "it may be compressed: then its name must end in .gz"
        byte = data[error.start : error.start + 1]
        raise BadInput(f"is not text: at byte {error.start} stands", where, byte, fix) from None
    return trace_from_lines(text.removesuffix("\n").split("\n"), where)


def trace_from_lines(lines: Iterable[str], where: str = "trace") -> Trace:
    """The trace that the lines tell; `where` names them in errors.

    Raises:
        BadInput: as `read_trace`.
    """
    trace = Trace()
    number, ended = 0, False
    for number, line in enumerate(lines, start=1):
        here = f"{where}, line {number}"
        if ended:
            raise BadInput("the trace has ended, but there stands", here, _shown(line))
        found = _object(line, here, first=number == 1)
        if number == 1:
            trace.meta = _header(found, here)
        elif "entries" in found and "seq" not in found:
            if found != {"entries": len(trace)} or type(found["entries"]) is not int:
                _refuse(f"the file ends after {len(trace)} entries, and should say so:", here, line)
            ended = True
        else:
            flat = _entry(found, here, line, trace)
            trace.seq = flat[0]
            trace.record(*flat[1:])
    if not ended:
        fix = 'its last line should be {"entries":...}'
        raise BadInput(f"is cut short after line {number}", where, fix=fix)
    return trace


def _shown(line: str) -> str:
    return line if len(line) <= 120 else line[:117] + "..."


def _refuse(what: str, here: str, value: object, fix: str = "") -> NoReturn:
    shown = _shown(value) if isinstance(value, str) else value
    raise BadInput(what if shown is not None else f"{what} None", here, shown, fix)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(pairs)
    return found


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
_decode_unique = json.JSONDecoder(
    parse_constant=_no_constant, object_pairs_hook=_unique
).decode


def _object(line: str, here: str, *, first: bool) -> dict[str, Any]:
    try:
        found = _decode(line)
        if type(found) is dict and line.count('":') != len(found):
            found = _decode_unique(line)  # A name within a name, or a name twice.
    except _UNREADABLE:  # A JSONDecodeError is a ValueError.
        found = None
    if isinstance(found, dict):
        return found
    if first:
        _refuse(
            "is not a trace: it begins with", here, line, f'a trace begins {{"format":"{FORMAT}"'
        )
    _refuse("is not an entry:", here, line, "the file may be cut short or damaged")


def _header(found: dict[str, Any], here: str) -> dict[str, Any]:
    fix = f'a trace begins {{"format":"{FORMAT}"'
    if "format" not in found:
        _refuse("is not a trace: it begins with", here, json.dumps(found), fix)
    if found["format"] != FORMAT:
        _refuse("is not a trace of this version: its format is", here, found["format"], fix)
    try:
        return {name: _from_json(v) for name, v in found.items() if name != "format"}
    except _UNREADABLE:
        _refuse("cannot be read:", here, json.dumps(found))


def _entry(found: dict[str, Any], here: str, line: str, trace: Trace) -> FlatEntry:
    """The flat entry of a line that may follow what the trace holds."""
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in EVENTS:
        _refuse("there is no kind of event", here, kind if "kind" in found else line, _near(kind))
    fields = _fields(kind)
    needed = (*ENTRY_FIELDS, *fields)
    if found.keys() != dict.fromkeys(needed).keys():
        fix = f"it has {', '.join(needed)}"
        _refuse(f"{kind} does not have the fields", here, ", ".join(found), fix)
    seq, at_us, node, causes = found["seq"], found["at_us"], found["node"], found["causes"]
    last = trace.flat[-1] if len(trace) else None
    if type(seq) is not int or seq < (last[0] + 1 if last else 0):
        _refuse("seq must rise from entry to entry:", here, seq, _after("seq", last and last[0]))
    if type(at_us) is not int or at_us < (last[1] if last else 0):
        _refuse("at_us must not go back:", here, at_us, _after("at_us", last and last[1]))
    if type(node) is not str:
        _refuse("node must be a name:", here, node)
    if type(causes) is not list or any(type(c) is not int or not 0 <= c < seq for c in causes):
        _refuse("causes must be seqs of earlier entries:", here, causes)
    values = []
    for name, wanted in fields.items():
        value = found[name]
        if type(value) not in _PLAIN:
            try:
                value = _from_json(value)
            except _UNREADABLE:
                _refuse(f"{kind}.{name} cannot be read:", here, json.dumps(found[name]))
        if not _fits(value, wanted):
            _refuse(f"{kind}.{name} must be {_called(wanted)}:", here, value)
        values.append(value)
    return (seq, at_us, node, tuple(causes), (kind, *values))


def _near(kind: object) -> str:
    from difflib import get_close_matches

    near = get_close_matches(str(kind), EVENTS, n=1)
    return f"did you mean {near[0]!r}?" if near else "another version may have written it"


def _after(name: str, last: object) -> str:
    return "" if last is None else f"the entry before has {name} {last}"


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a field of this type may hold the value; what stands inside a tuple is its own."""
    if wanted is Any:
        return True
    kind: type = getattr(wanted, "__origin__", wanted)
    return type(value) is kind


def _called(wanted: Any) -> str:
    kind: type = getattr(wanted, "__origin__", wanted)
    return {str: "text", int: "a whole number", bool: "true or false", tuple: "an array"}[kind]


def _from_json(found: Any) -> Any:
    """The value that was written.

    Raises:
        TypeError, ValueError: nothing is written so.
    """
    if type(found) in _PLAIN or type(found) is float:
        return found
    if type(found) is list:
        return tuple(_from_json(one) for one in found)
    (name, inner), *others = found.items()
    if not others:
        match name, inner:
            case "bytes", str():
                return bytes.fromhex(inner)
            case "float", "nan" | "inf" | "-inf":
                return float(inner)
            case "list", list():
                return [_from_json(one) for one in inner]
            case "dict", list():
                return dict(_pair(one) for one in inner)
    raise ValueError(name)


def _pair(found: Any) -> tuple[Any, Any]:
    if type(found) is not list or len(found) != 2:
        raise ValueError(found)
    return _from_json(found[0]), _from_json(found[1])
