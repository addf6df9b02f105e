"""A connector's settings are Debezium's, and none is silently ignored."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.connector_records import CapturedTable
from simulator.protocol.connector_settings import (
    NOT_MODELLED,
    SNAPSHOT_MODES,
    connector_settings,
)

PREFIX = {"topic.prefix": "shop"}

# Name -> default, as Debezium 3.0 and Kafka Connect document them.
DEFAULTS = {
    "snapshot.mode": "initial",
    "max.batch.size": 2_048,
    "max.queue.size": 8_192,
    "poll.interval.ms": 500,
    "heartbeat.interval.ms": 0,
    "tombstones.on.delete": True,
    "skipped.operations": ("t",),
    "provide.transaction.metadata": False,
    "incremental.snapshot.chunk.size": 1_024,
    "unavailable.value.placeholder": "__debezium_unavailable_value",
    "offset.mismatch.strategy": "no_validation",
    "slot.name": "debezium",
    "topic.heartbeat.prefix": "__debezium-heartbeat",
    "retriable.restart.connector.wait.ms": 10_000,
    "offset.flush.interval.ms": 60_000,
}
FIELDS = {"topic.heartbeat.prefix": "heartbeat_topics_prefix"}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults_are_debeziums(name, value):
    settings = connector_settings(PREFIX)

    assert getattr(settings, FIELDS.get(name, name.replace(".", "_"))) == value


def test_topics_are_named_by_the_prefix():
    settings = connector_settings(PREFIX)

    assert settings.topic("orders") == "shop.orders"
    assert settings.transaction_topic == "shop.transaction"
    assert settings.heartbeat_topic == "__debezium-heartbeat.shop"


@pytest.mark.parametrize("mode", SNAPSHOT_MODES)
def test_every_snapshot_mode_is_read(mode):
    history = {"schema.history.internal.kafka.topic": "history"}

    assert connector_settings({**PREFIX, **history, "snapshot.mode": mode}).snapshot_mode == mode


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "topic.prefix is missing"),
        ({"snapshot.mode": "never"}, "no_data is what it is called now"),
        ({"snapshot.mode": "sometimes"}, "snapshot.mode must be one of"),
        ({"snapshot.mode": "recovery"}, "schema.history.internal.kafka.topic"),
        ({"max.queue.size": 2_048}, "must be above max.batch.size"),
        ({"max.batch.size": 0}, "max.batch.size must be a whole number from 1"),
        ({"poll.interval": 5}, "did you mean poll.interval.ms"),
        ({"skipped.operations": "x"}, "skipped.operations knows no operation"),
        ({"message.key.columns": "people"}, "write table:column,column"),
        ({"message.key.columns": 7}, "must be a text"),
        ({"offset.mismatch.strategy": "hope"}, "offset.mismatch.strategy must be one of"),
        ({"tombstones.on.delete": "yes"}, "must be true or false"),
        ({"slot.name": 7}, "slot.name must be a text"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_do(given, said):
    with pytest.raises(BadInput, match=said.replace(".", r"\.")):
        connector_settings({**(PREFIX if given else {}), **given})


@pytest.mark.parametrize("name", NOT_MODELLED)
def test_what_is_not_modelled_is_refused_with_its_reason(name):
    with pytest.raises(BadInput, match="is not modelled"):
        connector_settings({**PREFIX, name: "x"})


def test_a_table_has_a_replica_identity():
    with pytest.raises(BadInput, match="REPLICA IDENTITY is one of default, full, nothing"):
        CapturedTable("orders", identity="index")


def test_key_columns_are_read_by_table():
    settings = connector_settings({**PREFIX, "message.key.columns": "a:x,y;b:z"})

    assert settings.key_columns("a") == ("x", "y")
    assert settings.key_columns("b") == ("z",)
    assert settings.key_columns("c") == ()
    assert connector_settings({**PREFIX, "skipped.operations": "none"}).skipped_operations == ()
