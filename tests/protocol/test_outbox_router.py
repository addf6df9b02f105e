"""Debezium's outbox event router: what becomes of a change of the outbox table."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.java_regex import IllegalReplacement, Rerouting, java_pattern
from simulator.protocol.outbox_json import JsonExpansion, NotExpandable
from simulator.protocol.outbox_router import (
    DEFAULTS,
    CapturedChange,
    Dropped,
    Emitted,
    Failed,
    OutboxRouter,
    PassedThrough,
    outbox_router,
)

ROW = {"id": "e-1", "aggregatetype": "Order", "aggregateid": "o-42", "type": "Paid"}


def routed(options=None, op="c", headers=(), logical=None, **columns):
    row = {**ROW, "payload": "{}", **columns}
    change = CapturedChange(op=op, after=row, ts_ms=1_000, headers=headers, logical=logical or {})
    return outbox_router(options).route(change)


def test_an_inserted_row_becomes_its_event():
    assert routed() == Emitted(
        topic="outbox.event.Order",
        key="o-42",
        value="{}",
        headers=(("id", "e-1"),),
        timestamp_ms=1_000,
    )


def test_a_row_read_by_a_snapshot_is_an_event_again():
    assert routed(op="r") == routed()


def test_the_options_defaults_are_the_routers_own():
    assert outbox_router() == outbox_router(DEFAULTS) == OutboxRouter()


def test_deletes_and_tombstones_are_dropped_and_foreign_records_pass():
    router = outbox_router()

    assert router.route(None) == Dropped("tombstone")
    assert router.route(CapturedChange(op="d", before=ROW)) == Dropped("delete")
    assert router.route({"ts_ms": 5}) == PassedThrough({"ts_ms": 5})


@pytest.mark.parametrize(
    ("behavior", "done"),
    [
        ("warn", Dropped("update", "warn")),
        ("ERROR", Dropped("update", "error")),
        ("fatal", Failed("IllegalStateException", "Unexpected update message received, fail.")),
    ],
)
def test_an_update_is_dropped_or_stops_the_connector(behavior, done):
    assert routed({"table.op.invalid.behavior": behavior}, op="u") == done


@pytest.mark.parametrize(
    ("options", "columns", "error"),
    [
        ({"table.field.event.payload": "body"}, {}, "ConnectException"),
        ({"table.field.event.timestamp": "at"}, {}, "ConnectException"),
        ({"table.field.event.timestamp": "at"}, {"at": 5}, "ConnectException"),
        ({"table.field.event.timestamp": "at"}, {"at": "noon"}, "DataException"),
        ({"table.field.event.id": "nr"}, {}, "DataException"),
        ({"table.field.event.key": "nr"}, {}, "DataException"),
        ({"route.by.field": "nr"}, {}, "DataException"),
        ({}, {"aggregatetype": 7}, "DataException"),
        ({}, {"aggregatetype": None}, "NullPointerException"),
        ({"table.fields.additional.placement": "nr:header"}, {}, "DataException"),
        ({"table.fields.additional.placement": "nr:envelope"}, {}, "DataException"),
        ({"table.fields.additional.placement": "type:partition"}, {}, "DataException"),
        ({"route.topic.replacement": "$7"}, {}, "IndexOutOfBoundsException"),
        ({"route.topic.replacement": "${no}"}, {}, "IllegalArgumentException"),
    ],
)
def test_what_the_row_does_not_have_stops_the_connector(options, columns, error):
    assert routed(options, **columns).error == error


def test_a_truncated_table_has_no_row_to_send():
    assert outbox_router().route(CapturedChange(op="t")).error == "DataException"


@pytest.mark.parametrize(
    ("logical", "value", "timestamp_ms"),
    [
        ("millis", 1_999, 1_999),
        ("micros", 1_999, 1),
        ("nanos", 1_999_999, 1),
        ("micros", -1_999, -1),  # Java divides towards zero.
        ("micros", None, 1_000),
    ],
)
def test_a_column_gives_the_timestamp_in_its_own_unit(logical, value, timestamp_ms):
    event = routed({"table.field.event.timestamp": "at"}, logical={"at": logical}, at=value)

    assert event.timestamp_ms == timestamp_ms


def test_columns_are_placed_in_headers_the_envelope_and_the_partition():
    places = "type:header , type:Envelope:kind,part:partition,gone:header:x"
    options = {
        "table.fields.additional.placement": places,
        "table.field.additional.missing": "ignore",
        "table.field.event.schema.version": "version",
    }
    event = routed(options, headers=(("trace", b"\x01"),), part=3, version=2)

    assert event.headers == (("trace", b"\x01"), ("id", "e-1"), ("type", "Paid"))
    assert event.value == {"payload": "{}", "kind": "Paid"}
    assert (event.partition, event.schema_version) == (3, 2)


def test_the_type_is_no_part_of_the_event_unless_it_is_placed():
    assert routed({"table.field.event.type": "type"}) == routed(type="Shipped")


@pytest.mark.parametrize("payload", [None, "", " \t\n"])
def test_an_empty_payload_is_a_tombstone_only_if_that_is_asked_for(payload):
    asked = {"route.tombstone.on.empty.payload": True}
    placed = {"table.fields.additional.placement": "type:envelope"}

    assert routed(payload=payload).value == payload
    assert routed(asked, payload=payload).value is None
    assert routed(placed, payload=payload).value == {"payload": payload, "type": "Paid"}
    assert routed({**asked, **placed}, payload=payload).value is None
    assert routed({**asked, "table.expand.json.payload": "true"}, payload="{}").value == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": null, "c": [], "d": {"e": null}}', {"a": 1, "d": {}}),
        ('{"a": [null, 2]} and more', {"a": [None, 2]}),
        # A sibling gives the empty array its schema.
        ('{"a": [{"b": []}, {"b": [{"c": 1}]}]}', {"a": [{"b": []}, {"b": [{"c": 1}]}]}),
        ('{"a": [{"b": null}, {"b": "x"}]}', {"a": [{"b": None}, {"b": "x"}]}),
        ('{"a": [[1], []]}', {"a": [[1], []]}),
        ('{"a": 3000000000, "b": 1.5, "c": true}', {"a": 3_000_000_000, "b": 1.5, "c": True}),
    ],
)
def test_json_is_expanded_without_what_has_no_schema(text, value):
    assert routed({"table.expand.json.payload": "true"}, payload=text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        " {}",
        "[1, 2]",
        '{"a": ',
        '{"a": NaN}',
        '{"a": [1, "x"]}',
        '{"a": [1, 1.5]}',
        '{"a": [1, 3000000000]}',
        '{"a": [null]}',
        '{"a": [[], [1]]}',
        '{"a": [[1], ["x"]]}',
        '{"a": [{"b": 1}, {"b": "x"}]}',
        '{"a": 99999999999999999999}',
    ],
)
def test_what_cannot_be_expanded_stays_a_text(text):
    with pytest.raises(NotExpandable):
        JsonExpansion()(text)
    assert routed({"table.expand.json.payload": "true"}, payload=text).value == text


def test_nulls_and_empty_arrays_stay_if_that_is_asked_for():
    text = '{"a": null, "b": [], "c": [null]}'
    options = {"table.expand.json.payload": "true"}
    nulls = {"table.json.payload.null.behavior": "optional_bytes"}
    arrays = {"table.json.payload.empty.array.behavior": "optional_string"}

    assert routed({**options, **nulls}, payload=text).value == {"a": None, "c": [None]}
    assert routed({**options, **arrays}, payload='{"a": [], "b": null}').value == {"a": []}


def test_bytes_are_neither_expanded_nor_empty():
    options = {"table.expand.json.payload": "true", "route.tombstone.on.empty.payload": "true"}

    assert routed(options, payload=b"").value == b""


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("table.fields.additional.placement", ""),
        ("table.fields.additional.placement", "type"),
        ("table.fields.additional.placement", "a:header:b:c"),
        ("table.fields.additional.placement", "a:footer"),
        ("table.op.invalid.behavior", "shrug"),
        ("table.field.additional.missing", "shrug"),
        ("table.expand.json.payload", "perhaps"),
        ("table.json.payload.null.behavior", "keep"),
        ("table.field.event.payload", ""),
        ("route.topic.regex", "("),
        ("route.topic", "orders"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_its_value(option, value):
    with pytest.raises(BadInput):
        outbox_router({option: value})


@pytest.mark.parametrize(
    ("regex", "replacement", "topic", "renamed"),
    [
        ("Order(.*)", "shop.$1", "OrderLine", "shop.Line"),
        ("Order(.*)", "shop.$1", "User", "User"),
        ("rder(.*)", "shop.$1", "OrderLine", "OrderLine"),  # To match is to match the whole.
        ("(?<first>.)(?<rest>.*)", "${rest}.${first}", "User", "ser.U"),
        ("(.*)", "$11", "User", "User1"),  # There is no eleventh group.
        ("(.*)", r"\$1\\", "User", "$1\\"),
        ("(x)?.*", "[$1]", "User", "[]"),
        ("a|ab", "c", "ab", "cb"),  # What is replaced is the first match found.
        (".*", "$0$0", "ab", "abab"),
        (r"\p{Upper}(\w+)", "$1", "User", "ser"),
        (r"[\p{Lower}.]+", "x", "a.b", "x"),
        (r"\Qa.b\E(?=c|$).*", "x", "a.bc", "x"),
        (r"(?<a>.)\k<a>(?<!c)", "$1", "bb", "b"),
        (r"(?<a>.)\P{Digit}\z", "$1", "bb", "b"),
        (r"[^\]]+\h?", "x", "a b", "x"),
    ],
)
def test_a_topic_is_rewritten_as_java_does(regex, replacement, topic, renamed):
    assert Rerouting(regex, replacement)(topic) == renamed


@pytest.mark.parametrize(
    ("replacement", "java"),
    [
        ("$", "IllegalArgumentException"),
        ("$x", "IllegalArgumentException"),
        ("${}", "IllegalArgumentException"),
        ("${a", "IllegalArgumentException"),
        ("\\", "IllegalArgumentException"),
        ("$2", "IndexOutOfBoundsException"),
    ],
)
def test_a_replacement_that_java_refuses_is_refused(replacement, java):
    with pytest.raises(IllegalReplacement) as refused:
        Rerouting("(?<a>.*)", replacement)("User")
    assert refused.value.java == java


@pytest.mark.parametrize(
    "regex", ["[a-z&&[^b]]", r"\p{IsGreek}", r"\G", "(?<a_b>.)", "[]a]", "a(?i)b", "*"]
)
def test_a_pattern_that_is_not_modelled_is_refused(regex):
    with pytest.raises(BadInput):
        java_pattern(regex)
