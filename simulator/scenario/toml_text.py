"""How a scenario is written as TOML text, and the words that its kinds of values have there.

A field that is None is left out; every other one is written, defaults too, so that the file says
all of it.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from simulator.chance import laws
from simulator.errors import BadInput
from simulator.scenario import faults, workload
from simulator.scenario.guarantee import GUARANTEES, Guarantee
from simulator.scenario.scenario import Scenario

FUNCTIONS = ("handler", "application")
KINDS: dict[str, type] = {
    "steady": workload.Steady,
    "poisson": workload.Poisson,
    "bursts": workload.Bursts,
    "uniform_keys": workload.UniformKeys,
    "skewed_keys": workload.SkewedKeys,
    "hot_key": workload.HotKey,
    "no_keys": workload.NoKeys,
    "drop": faults.Drop,
    "duplicate": faults.Duplicate,
    "delay": faults.Delay,
    "crash": faults.Crash,
    "pause": faults.Pause,
    "partition": faults.Partition,
    "clog": faults.Clog,
    "skew": faults.Skew,
    "disk_loss": faults.DiskLoss,
}
LAWS: dict[str, type] = {
    "constant": laws.Constant,
    "uniform": laws.Uniform,
    "exponential": laws.Exponential,
    "lognormal": laws.Lognormal,
    "empirical": laws.Empirical,
}
WORD_OF: dict[type, str] = {cls: word for word, cls in (KINDS | LAWS).items()}


class _Inline(dict[str, Any]):
    """A table to be written on one line."""


def dumps(scenario: Scenario) -> str:
    """The scenario as TOML text, every field of it; `loads` reads an equal one back.

    Raises:
        BadInput: it has a handler or an application: functions have no place in a file.
    """
    lines: list[str] = []
    _write(lines, (), _plain(scenario))
    return "\n".join(lines).lstrip("\n") + "\n"


def _plain(value: Any) -> Any:
    """A value as tables, arrays and plain values; fields that are None are left out."""
    if isinstance(value, Guarantee) and GUARANTEES.get(value.name) == value:
        return value.name
    if isinstance(value, faults.FaultPlan):
        return [_plain(fault) for fault in value]
    if isinstance(value, workload.WorkItem):
        return _Inline((name, one) for name, one in value._asdict().items() if one is not None)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return dict(value)
    if not attrs.has(type(value)):
        return value
    table: dict[str, Any] = {}
    if type(value) in WORD_OF:
        label = "law" if type(value) in LAWS.values() else "kind"
        kept = dict if type(value) in faults.FAULTS else _Inline
        table = kept({label: WORD_OF[type(value)]})
    for field in attrs.fields(type(value)):
        one = getattr(value, field.name)
        if one is not None and field.name in FUNCTIONS:
            where = f"{type(value).__name__}.{field.name}"
            raise BadInput("functions have no place in a file:", where, one, "leave it out")
        if one is not None:
            table[field.name] = _plain(one)
    return table


def _write(lines: list[str], path: tuple[str, ...], table: dict[str, Any]) -> None:
    """The plain fields first: what follows a table's heading belongs to that table."""
    tables = {}
    for name, value in table.items():
        if (isinstance(value, dict) and not isinstance(value, _Inline)) or _is_tables(value):
            tables[name] = value
        else:
            lines.append(f"{_key(name)} = {_value(value)}")
    for name, value in tables.items():
        below = (*path, name)
        heading = ".".join(_key(step) for step in below)
        if isinstance(value, list):
            for one in value:
                lines.extend(("", f"[[{heading}]]"))
                _write(lines, below, one)
        else:
            lines.extend(("", f"[{heading}]"))
            _write(lines, below, value)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and type(value[0]) is dict


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list() if value and isinstance(value[0], dict):
            return "[\n" + "".join(f"    {_value(one)},\n" for one in value) + "]"
        case list():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
        case _:
            return repr(value)


def _text(value: str) -> str:
    """A basic string: quotes, backslashes and control characters escaped."""
    escaped = re.sub(r'["\\\x00-\x1f\x7f]', lambda found: _escape(found[0]), value)
    return f'"{escaped}"'


def _escape(sign: str) -> str:
    return f"\\{sign}" if sign in '"\\' else f"\\u{ord(sign):04x}"
