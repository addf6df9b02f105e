"""What may be set on a connector that captures a database: Debezium's names and defaults.

1. A setting stands here only if a run can differ by it; others that Debezium or its Connect worker
   have are refused by name, with the reason (`NOT_MODELLED`).
2. A setting of the Connect worker stands here too, where one connector is all there is:
   offset.flush.interval.ms, offset.storage.topic.
3. heartbeat.action.query and the like are SQL in Debezium; here it is a store's operation.

Sources: postgresql.adoc, mysql.adoc, eos.adoc and engine.adoc of Debezium 3.0,
PostgresConnectorConfig.java, CommonConnectorConfig.java, WorkerConfig.java.

Not modelled: exactly.once.source.support (a connector is at-least-once, as Debezium's is by
default), several tasks or workers, the sinks of Connect, tables chosen by regular expressions,
column masks and filters, signals by other channels than the signal table, read-only incremental
snapshots, time zones and types of columns.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.settings import one_of, parse_settings, switch, whole

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
UNAVAILABLE = "__debezium_unavailable_value"

SNAPSHOT_MODES = ("always", "initial", "initial_only", "no_data", "when_needed", "recovery")
STRATEGIES = ("no_validation", "trust_offset", "trust_slot", "trust_greater_lsn")
OPERATIONS = ("c", "u", "d", "t")

_CONNECTION = "a connector is given its store"
_TASK = "there is one task on one worker"
_TYPES = "rows carry plain values"
_TABLES = "say which tables are captured by their names (tables=...)"

NOT_MODELLED: Mapping[str, str] = {
    "binary.handling.mode": _TYPES,
    "column.exclude.list": _TABLES,
    "column.include.list": _TABLES,
    "connector.class": "it is a PostgreSQL-like connector",
    "database.dbname": _CONNECTION,
    "database.hostname": _CONNECTION,
    "database.password": _CONNECTION,
    "database.port": _CONNECTION,
    "database.server.id": _CONNECTION,
    "database.user": _CONNECTION,
    "decimal.handling.mode": _TYPES,
    "event.processing.failure.handling.mode": "an event that cannot be processed ends the task",
    "exactly.once.source.support": "a connector is at-least-once; dedupe by event id downstream",
    "exactly.once.support": "a connector is at-least-once; dedupe by event id downstream",
    "incremental.snapshot.watermarking.strategy": "windows are opened and closed by inserts",
    "key.converter": "keys and values are JSON without schemas",
    "max.queue.size.in.bytes": "the queue is measured in events",
    "plugin.name": "the store has one logical decoding",
    "publication.autocreate.mode": _TABLES,
    "publication.name": _TABLES,
    "read.only": "windows are marked in the signal table",
    "schema.exclude.list": _TABLES,
    "schema.include.list": _TABLES,
    "signal.kafka.topic": "signals come by the signal table",
    "snapshot.fetch.size": "a snapshot's rows are read at once",
    "snapshot.isolation.mode": "see Capture.snapshot",
    "snapshot.locking.mode": "see Capture.snapshot",
    "snapshot.max.threads": "a snapshot reads table after table",
    "snapshot.mode.custom.name": "choose among the built-in modes",
    "snapshot.select.statement.overrides": "a snapshot reads whole tables",
    "table.exclude.list": _TABLES,
    "table.include.list": _TABLES,
    "tasks.max": _TASK,
    "time.precision.mode": _TYPES,
    "transaction.boundary": "a connector is at-least-once; dedupe by event id downstream",
    "transforms": "give the outbox router as a value (router=...)",
    "value.converter": "keys and values are JSON without schemas",
}

# Modes that Debezium has, by other names or by a class of one's own.
_OTHER_MODES: Mapping[str, str] = {
    "never": "no_data is what it is called now",
    "schema_only": "no_data is what it is called now",
    "schema_only_recovery": "recovery is what it is called now",
    "configuration_based": "say which of the others it comes to",
    "custom": "say which of the others it comes to",
}


def _text(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str):
        raise BadInput(f"{field.name.replace('_', '.')} must be a text:", "", value)


def _mode(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    if value in SNAPSHOT_MODES:
        return
    fix = _OTHER_MODES.get(value, "") if isinstance(value, str) else ""
    raise BadInput(f"snapshot.mode must be one of {', '.join(SNAPSHOT_MODES)}:", "", value, fix)


def _operations(given: Any) -> tuple[str, ...]:
    """From "t", "c,u" or "none"."""
    names = [one.strip() for one in given.split(",")] if isinstance(given, str) else list(given)
    if names == ["none"]:
        return ()
    for name in names:
        if name not in OPERATIONS:
            fix = f"some of {', '.join(OPERATIONS)}, or none"
            raise BadInput("skipped.operations knows no operation", "", name, fix)
    return tuple(names)


def _key_columns(given: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """From "table:one,two;other:three"."""
    if not isinstance(given, str):
        raise BadInput("message.key.columns must be a text:", "", given, "such as users:email")
    found = []
    for part in given.split(";") if given else ():
        table, colon, columns = part.strip().partition(":")
        names = tuple(name.strip() for name in columns.split(","))
        if not colon or not table or not all(names):
            raise BadInput("not a table's key columns:", "message.key.columns", part,
                           "write table:column,column")
        found.append((table, names))
    return tuple(found)


@attrs.frozen(kw_only=True)
class ConnectorSettings:
    """A connector's settings; the field `max_batch_size` is Debezium's `max.batch.size`.

    Raises:
        BadInput: a value is out of its range, or max.queue.size is not above max.batch.size.
    """

    topic_prefix: str = attrs.field(default="", validator=_text)
    slot_name: str = attrs.field(default="debezium", validator=_text)
    snapshot_mode: str = attrs.field(default="initial", validator=_mode)
    max_batch_size: int = attrs.field(default=2_048, validator=whole(1, INT_MAX))
    max_queue_size: int = attrs.field(default=8_192, validator=whole(1, INT_MAX))
    poll_interval_ms: int = attrs.field(default=500, validator=whole(1, LONG_MAX))
    heartbeat_interval_ms: int = attrs.field(default=0, validator=whole(0, LONG_MAX))
    heartbeat_action_query: Any = None
    heartbeat_topics_prefix: str = attrs.field(
        default="__debezium-heartbeat",
        validator=_text,
        metadata={"kafka": "topic.heartbeat.prefix"},
    )
    tombstones_on_delete: bool = attrs.field(default=True, validator=switch)
    skipped_operations: tuple[str, ...] = attrs.field(default="t", converter=_operations)
    provide_transaction_metadata: bool = attrs.field(default=False, validator=switch)
    incremental_snapshot_chunk_size: int = attrs.field(default=1_024, validator=whole(1, INT_MAX))
    signal_data_collection: str = attrs.field(default="", validator=_text)
    message_key_columns: tuple[tuple[str, tuple[str, ...]], ...] = attrs.field(
        default="", converter=_key_columns
    )
    unavailable_value_placeholder: str = attrs.field(default=UNAVAILABLE, validator=_text)
    offset_mismatch_strategy: str = attrs.field(
        default="no_validation", validator=one_of(*STRATEGIES)
    )
    slot_drop_on_stop: bool = attrs.field(default=False, validator=switch)
    retriable_restart_connector_wait_ms: int = attrs.field(
        default=10_000, validator=whole(0, LONG_MAX)
    )
    schema_history_internal_kafka_topic: str = attrs.field(default="", validator=_text)
    offset_flush_interval_ms: int = attrs.field(default=60_000, validator=whole(1, LONG_MAX))
    offset_storage_topic: str = attrs.field(default="connect-offsets", validator=_text)

    def __attrs_post_init__(self) -> None:
        if self.max_queue_size <= self.max_batch_size:
            raise BadInput(
                f"max.queue.size {self.max_queue_size} must be above max.batch.size "
                f"{self.max_batch_size}"
            )
        if self.snapshot_mode == "recovery" and not self.schema_history_internal_kafka_topic:
            raise BadInput(
                "snapshot.mode=recovery rebuilds a schema history, and there is none:", "",
                self.schema_history_internal_kafka_topic,
                "set schema.history.internal.kafka.topic",
            )  # fmt: skip

    @property
    def transaction_topic(self) -> str:
        """Where BEGIN and END go."""
        return f"{self.topic_prefix}.transaction"

    @property
    def message_topic(self) -> str:
        """Where logical decoding messages go."""
        return f"{self.topic_prefix}.message"

    @property
    def heartbeat_topic(self) -> str:
        """Where heartbeats go."""
        return f"{self.heartbeat_topics_prefix}.{self.topic_prefix}"

    def topic(self, table: str) -> str:
        """Where a table's changes go; Debezium puts the table's schema in between."""
        return f"{self.topic_prefix}.{table}"

    def key_columns(self, table: str) -> tuple[str, ...]:
        """The columns that are a message's key instead of the primary key; () if none are."""
        return dict(self.message_key_columns).get(table, ())


def connector_settings(
    given: Mapping[str, Any], where: str = "connector settings"
) -> ConnectorSettings:
    """Read a connector's settings from Debezium's names.

    Raises:
        BadInput: a name is unknown (with the nearest one) or not modelled (with the reason), a
            value is not allowed, or topic.prefix is missing.
    """
    settings = parse_settings(ConnectorSettings, given, not_modelled=NOT_MODELLED, where=where)
    if not settings.topic_prefix:
        raise BadInput("topic.prefix is missing:", where, settings.topic_prefix, "such as shop")
    return settings
