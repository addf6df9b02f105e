"""An architecture in a TOML file: read strictly, every problem at once.

    name = "shop"

    [topics.orders]
    partitions = 3

    [events.OrderCreated]
    schema_version = 1

    [[services.billing.handles]]
    topic = "orders"
    group = "billing"
    retries = "for ever"

    [[services.billing.sends]]
    topic = "payments"
    events = ["PaymentAuthorized"]
    key = "order_id"

The tables have the fields of `Topic`, `EventDesign`, `Handles` and `Sends` under their own names;
what is absent is not told.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.linting.architecture import (
    FOR_EVER,
    Architecture,
    EventDesign,
    Handles,
    Sends,
    ServiceDesign,
    TopicDesign,
)
from simulator.scenario.toml import table_of, text_of

SAID_FOR_EVER = "for ever"
_PLURAL = ("events", "stores", "after")
_TYPES: dict[str, type] = {
    "partitions": int, "schema_version": int, "instances": int, "within_ms": int,
    "guarded": bool,
}  # fmt: skip


def load_architecture(path: str | Path) -> Architecture:
    """Read a TOML file in UTF-8.

    Raises:
        BadInput: it cannot be read, is no TOML, or says something it may not; then all problems
            are told, a line each.
    """
    return architecture_of_toml(text_of(path), str(path))


def architecture_of_toml(text: str, where: str = "architecture") -> Architecture:
    """Read TOML text; `where` names it in errors.

    Raises:
        BadInput: as `load_architecture`.
    """
    return _Reader(where).architecture(table_of(text, where))


class _Reader:
    """Reads tables, and keeps what is wrong with them."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []

    def architecture(self, table: dict[str, Any]) -> Architecture:
        self._only(table, ("name", "topics", "events", "services"), "")
        name = table.get("name", "architecture")
        if not isinstance(name, str):
            self._wrong("name", "must be a text", name)
            name = "architecture"
        found = Architecture(
            name,
            tuple(self._each(table, "topics", TopicDesign)),
            tuple(self._each(table, "events", EventDesign)),
            tuple(self._services(table)),
        )
        if self.problems:
            raise BadInput("\n  ".join(self.problems), self.where)
        if not found.services:
            raise BadInput("has no services, so there is nothing to look at", self.where)
        return found

    def _each(self, table: dict[str, Any], part: str, kind: Any) -> Iterator[Any]:
        for name, fields in self._table(table.get(part, {}), part).items():
            made = self._made(kind, fields, f"{part}.{name}", name=name)
            if made is not None:
                yield made

    def _services(self, table: dict[str, Any]) -> Iterator[ServiceDesign]:
        for name, rows in self._table(table.get("services", {}), "services").items():
            path = f"services.{name}"
            fields = self._table(rows, path)
            self._only(fields, ("handles", "sends"), path)
            yield ServiceDesign(
                name,
                tuple(self._many(fields, "handles", Handles, path)),
                tuple(self._many(fields, "sends", Sends, path)),
            )

    def _many(self, fields: dict[str, Any], part: str, kind: Any, path: str) -> Iterator[Any]:
        rows = fields.get(part, [])
        if not isinstance(rows, list):
            self._wrong(f"{path}.{part}", f"must be a list: [[{path}.{part}]]", rows)
            return
        for number, row in enumerate(rows):
            made = self._made(kind, row, f"{path}.{part}[{number}]")
            if made is not None:
                yield made

    def _made(self, kind: Any, fields: Any, path: str, **more: Any) -> Any:
        fields = self._table(fields, path)
        known = [one.name for one in attrs.fields(kind) if one.name not in more]
        before = len(self.problems)
        self._only(fields, known, path)
        values = {name: self._value(name, fields[name], path) for name in known if name in fields}
        if "topic" in known and "topic" not in values:
            self._wrong(path, "says no topic", None)
        if len(self.problems) > before:
            return None
        try:
            return kind(**more, **values)
        except BadInput as problem:
            field = problem.where.rpartition(".")[2]
            self._wrong(f"{path}.{field}", problem.what.rstrip(":"), problem.value)
        return None

    def _value(self, name: str, value: Any, path: str) -> Any:
        if name == "retries":
            if value == SAID_FOR_EVER:
                return FOR_EVER
            if type(value) is not int or value < 0:
                said = f'must be a whole number from 0, or "{SAID_FOR_EVER}"'
                self._wrong(f"{path}.{name}", said, value)
            return value
        if name in _PLURAL:
            rows = [value] if isinstance(value, str) else value
            if not isinstance(rows, list) or not all(isinstance(one, str) for one in rows):
                self._wrong(f"{path}.{name}", "must be a list of names", value)
                return ()
            return tuple(rows)
        kind = _TYPES.get(name, str)
        if type(value) is not kind:
            called = {int: "a whole number", bool: "true or false"}.get(kind, "a text")
            self._wrong(f"{path}.{name}", f"must be {called}", value)
        return value

    def _table(self, value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._wrong(path, "must be a table", value)
        return {}

    def _only(self, fields: dict[str, Any], known: Any, path: str) -> None:
        for name in fields:
            if name not in known:
                said = f"is no field (known: {', '.join(known)})"
                self._wrong(f"{path}.{name}".lstrip("."), said, None)

    def _wrong(self, path: str, said: str, value: Any) -> None:
        shown = "" if value is None else f": {value!r}"
        self.problems.append(f"{path} {said}{shown}")
