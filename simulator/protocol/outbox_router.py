"""Debezium's outbox event router: a change of the outbox table becomes the event that it holds.

Rule 1: what is not a change passes through (heartbeats, schema changes, transaction metadata);
a tombstone and a delete are dropped, so rows may be deleted as soon as they are inserted; an
update is dropped too, or stops the connector (`table.op.invalid.behavior`). Rows read by a
snapshot are events: a second snapshot sends every row that is still there again.
Rule 2: the topic is made of one column, the key is another, the header `id` a third. The value is
the payload alone; with one column placed in the envelope it is an object with `payload` in it.
Rule 3: the event's type is read from no column: `table.field.event.type` is declared, and used by
nobody. A type reaches consumers only through `table.fields.additional.placement`.
Rule 4: an error is a value here, named as the exception that stops the connector's task.

Sources: EventRouterDelegate.java, EventRouterConfigDefinition.java, RegexRouter.java.

Not modelled: Connect's schemas (a column's type is that of its value; only the logical type of a
timestamp and the version of the envelope's schema are kept), converters, tracing, and the
`__debezium.context` headers of live connectors.
"""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from simulator.errors import BadInput
from simulator.protocol.java_regex import IllegalReplacement, Rerouting
from simulator.protocol.outbox_json import JsonExpansion, NotExpandable

DEFAULTS: Mapping[str, str | None] = {
    "table.op.invalid.behavior": "warn",
    "table.field.event.id": "id",
    "table.field.event.key": "aggregateid",
    "table.field.event.type": "type",
    "table.field.event.timestamp": None,
    "table.field.event.payload": "payload",
    "table.fields.additional.placement": None,
    "table.field.additional.missing": "error",
    "table.field.event.schema.version": None,
    "route.by.field": "aggregatetype",
    "route.topic.regex": "(?<routedByValue>.*)",
    "route.topic.replacement": "outbox.event.${routedByValue}",
    "route.tombstone.on.empty.payload": "false",
    "table.expand.json.payload": "false",
    "table.json.payload.null.behavior": "ignore",
    "table.json.payload.empty.array.behavior": "ignore",
}

BY_AGGREGATE_TYPE = Rerouting("(?<routedByValue>.*)", "outbox.event.${routedByValue}")
PLACEMENTS = ("header", "envelope", "partition")
_TO_MILLISECONDS = {"millis": 1, "micros": 1_000, "nanos": 1_000_000}
_BLANK = "".join(map(chr, range(0x21)))  # What Java's String.trim takes away.

Operation = Literal["c", "u", "d", "r", "t"]


@attrs.frozen(kw_only=True)
class CapturedChange:
    """One captured change of a row, as Debezium's envelope has it.

    Attributes:
        op: created, updated, deleted, read by a snapshot, or the table was truncated.
        before: the row before, by column; None where there was none, or it is not known.
        after: the row after.
        ts_ms: when the connector processed the change, in milliseconds.
        logical: what a column of time counts: "millis", "micros" or "nanos".
        headers: the headers that the record has already.
    """

    op: Operation
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    ts_ms: int | None = None
    logical: Mapping[str, str] = attrs.field(factory=dict)
    headers: tuple[tuple[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class Emitted:
    """The event's record.

    Attributes:
        topic: where it goes.
        key: the key's column's value, of that column's type; None spreads an aggregate's events
            over partitions.
        value: the payload, or the envelope; None is a tombstone.
        headers: in order; a name may stand twice.
        timestamp_ms: the connector's time, or a column's.
        partition: overrides what the key says; None leaves it to the key.
        schema_version: of the envelope, if a column gives one.
    """

    topic: str
    key: Any
    value: Any
    headers: tuple[tuple[str, Any], ...]
    timestamp_ms: int | None
    partition: int | None = None
    schema_version: int | None = None


@attrs.frozen
class Dropped:
    """No record comes of it: "tombstone", "delete" or "update"; logged as `level` says."""

    why: str
    level: str = "debug"


@attrs.frozen
class PassedThrough:
    """Not a change of a row: the record goes on as it is."""

    record: Any


@attrs.frozen
class Failed:
    """The connector's task stops with this exception."""

    error: str
    why: str


Routed = Emitted | Dropped | PassedThrough | Failed


class _Stopped(Exception):
    """Carries a Failed out of the depth in which it is found."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(why)
        self.failed = Failed(error, why)


@attrs.frozen
class Placement:
    """A column that goes into the event too: where, and under which name."""

    column: str
    place: str
    alias: str


@attrs.frozen(kw_only=True)
class OutboxRouter:
    """The router with its options read; `outbox_router` makes one from Debezium's names.

    Attributes:
        invalid_operation: "warn", "error" or "fatal".
        id_column, key_column, type_column, payload_column, route_column: of the outbox table.
        timestamp_column: of the record's timestamp; None takes the connector's.
        version_column: of the version of the envelope's schema.
        placements: further columns, in order.
        missing_is_error: whether a placed column that the table has not stops the connector.
        rerouting: how the route's column becomes a topic.
        tombstone_on_empty: whether an empty or blank payload becomes a tombstone.
        expansion: how JSON text is made into an object; None leaves it a text.
    """

    invalid_operation: str = "warn"
    id_column: str = "id"
    key_column: str | None = "aggregateid"
    type_column: str = "type"
    payload_column: str = "payload"
    route_column: str = "aggregatetype"
    timestamp_column: str | None = None
    version_column: str | None = None
    placements: tuple[Placement, ...] = ()
    missing_is_error: bool = True
    rerouting: Rerouting = BY_AGGREGATE_TYPE
    tombstone_on_empty: bool = False
    expansion: JsonExpansion | None = None

    def route(self, record: Any) -> Routed:
        """What comes of one record of the connector: a `CapturedChange`, None, or anything else.

        Args:
            record: None is a tombstone; what is no `CapturedChange` has no envelope of Debezium's.
        """
        if record is None:
            return Dropped("tombstone")
        if not isinstance(record, CapturedChange):
            return PassedThrough(record)
        if record.op == "d":
            return Dropped("delete")
        if record.op == "u":
            if self.invalid_operation == "fatal":
                why = "Unexpected update message received, fail."
                return Failed("IllegalStateException", why)
            return Dropped("update", self.invalid_operation)
        try:
            return self._emitted(record)
        except _Stopped as stopped:
            return stopped.failed

    def _emitted(self, change: CapturedChange) -> Emitted:
        row = change.after
        if row is None:
            raise _Stopped("DataException", f"no row after the operation {change.op!r}")
        if self.payload_column not in row:
            why = f"Unable to find payload field {self.payload_column} in event"
            raise _Stopped("ConnectException", why)
        timestamp_ms = self._timestamp_ms(change, row)
        headers = [*change.headers, ("id", _column(row, self.id_column))]
        payload = self._expanded(row[self.payload_column])
        envelope = None
        version = None
        if any(one.place == "envelope" for one in self.placements):
            envelope = {"payload": payload}
            if self.version_column is not None:
                version = _integer(row, self.version_column)
        partition = self._placed(row, envelope, headers)
        if self.tombstone_on_empty and _is_empty(payload):
            value = None
        else:
            value = payload if envelope is None else envelope
        return Emitted(
            topic=self._topic(row),
            key=None if self.key_column is None else _column(row, self.key_column),
            value=value,
            headers=tuple(headers),
            timestamp_ms=timestamp_ms,
            partition=partition,
            schema_version=version,
        )

    def _timestamp_ms(self, change: CapturedChange, row: Mapping[str, Any]) -> int | None:
        name = self.timestamp_column
        if name is None:
            return change.ts_ms
        if name not in row:
            raise _Stopped("ConnectException", f"Unable to find timestamp field {name} in event")
        time = _integer(row, name)
        if time is None:
            return change.ts_ms
        unit = _TO_MILLISECONDS.get(change.logical.get(name, ""))
        if unit is None:
            why = f"Unsupported field type {change.logical.get(name)} for event timestamp"
            raise _Stopped("ConnectException", why)
        return time // unit if time >= 0 else -(-time // unit)  # Java divides towards zero.

    def _expanded(self, payload: Any) -> Any:
        if self.expansion is None or not isinstance(payload, str):
            return payload
        try:
            return self.expansion(payload)
        except NotExpandable:
            return payload  # Logged as a warning.

    def _placed(
        self,
        row: Mapping[str, Any],
        envelope: dict[str, Any] | None,
        headers: list[tuple[str, Any]],
    ) -> int | None:
        """Put the further columns where they belong; answers the partition, if one says it."""
        partition = None
        for one in self.placements:
            if not self.missing_is_error and one.column not in row:
                continue
            if one.place == "partition":
                partition = _integer(row, one.column)
            elif one.place == "header":
                headers.append((one.alias, _column(row, one.column)))
            else:
                assert envelope is not None, f"{one} without an envelope"
                envelope[one.alias] = _column(row, one.column)
        return partition

    def _topic(self, row: Mapping[str, Any]) -> str:
        routed_by = _column(row, self.route_column)
        if routed_by is None:
            raise _Stopped("NullPointerException", f"{self.route_column} is null: no topic")
        if not isinstance(routed_by, str):
            raise _Stopped("DataException", f"Field '{self.route_column}' is not of type STRING")
        try:
            return self.rerouting(routed_by)
        except IllegalReplacement as illegal:
            raise _Stopped(illegal.java, str(illegal)) from None


def _column(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        raise _Stopped("DataException", f"{name} is not a valid field name")
    return row[name]


def _integer(row: Mapping[str, Any], name: str) -> int | None:
    value = _column(row, name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _Stopped("DataException", f"Field '{name}' is not an integer: {value!r}")


def _is_empty(payload: Any) -> bool:
    """Whether Java's `payload.toString().trim().isEmpty()`; only a text can be."""
    return payload is None or (isinstance(payload, str) and not payload.strip(_BLANK))


def _placements(text: str | None) -> tuple[Placement, ...]:
    if text is None:
        return ()
    where = "table.fields.additional.placement"
    placements = []
    for item in text.split(","):
        parts = [part.strip() for part in item.split(":")]
        # "column:place" or "column:place:alias".
        if len(parts) not in (2, 3) or not all(parts):
            fix = "write column:place or column:place:alias, separated by commas"
            raise BadInput("not a placement:", where, item.strip(), fix)
        place = parts[1].lower()
        if place not in PLACEMENTS:
            raise BadInput("not a place:", where, parts[1], f"one of {', '.join(PLACEMENTS)}")
        placements.append(Placement(parts[0], place, parts[-1] if len(parts) == 3 else parts[0]))
    return tuple(placements)


def _one_of(options: Mapping[str, str | None], name: str, *known: str) -> str:
    value = options[name]
    chosen = (value or "").strip().lower()
    if chosen not in known:
        raise BadInput("not an option's value:", name, value, f"one of {', '.join(known)}")
    return chosen


def _named(options: Mapping[str, str | None], name: str) -> str:
    value = options[name]
    if not value:
        raise BadInput("needs the name of a column, not", name, value, f"as {DEFAULTS[name]!r}")
    return value


def outbox_router(options: Mapping[str, Any] | None = None) -> OutboxRouter:
    """The router with these options of Debezium's; what is not given has its default.

    Raises:
        BadInput: an option is unknown or its value is not one (Debezium: ConfigException).
    """
    given = dict(options or {})
    for name in given:
        if name not in DEFAULTS:
            raise BadInput("unknown option", "the outbox router", name, f"known: {list(DEFAULTS)}")
    texts = {name: _text(value) for name, value in given.items()}
    read = {**DEFAULTS, **texts}
    switched = ("true", "false")
    nulls = _one_of(read, "table.json.payload.null.behavior", "ignore", "optional_bytes")
    arrays = _one_of(read, "table.json.payload.empty.array.behavior", "ignore", "optional_string")
    expands = _one_of(read, "table.expand.json.payload", *switched) == "true"
    expansion = JsonExpansion(
        keeps_nulls=nulls == "optional_bytes", keeps_empty_arrays=arrays == "optional_string"
    )
    missing = _one_of(read, "table.field.additional.missing", "error", "ignore")
    regex, replacement = read["route.topic.regex"] or "", read["route.topic.replacement"] or ""
    return OutboxRouter(
        invalid_operation=_one_of(read, "table.op.invalid.behavior", "warn", "error", "fatal"),
        id_column=_named(read, "table.field.event.id"),
        key_column=read["table.field.event.key"],
        type_column=_named(read, "table.field.event.type"),
        payload_column=_named(read, "table.field.event.payload"),
        route_column=_named(read, "route.by.field"),
        timestamp_column=read["table.field.event.timestamp"],
        version_column=read["table.field.event.schema.version"],
        placements=_placements(read["table.fields.additional.placement"]),
        missing_is_error=missing == "error",
        rerouting=Rerouting(regex, replacement),
        tombstone_on_empty=_one_of(read, "route.tombstone.on.empty.payload", *switched) == "true",
        expansion=expansion if expands else None,
    )


def _text(value: Any) -> str | None:
    """An option as Connect gets it: a text; true and 3 may be given as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
