"""An envelope is tolerant of what it does not know, and strict with what it does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.patterns.envelope import FIELDS, OPTIONAL, Envelope, follows, read_envelope
from simulator import BadInput

# The lecture's own example, but for the identity.
GOOD = {
    "event_type": "OrderCreated",
    "schema_version": 2,
    "event_id": "uuid-123",
    "ts": "2025-12-04T12:00:00Z",
    "payload": {
        "order_id": "o-42",
        "user_id": "u-7",
        "items": [{"sku": "A1", "qty": 2}],
        "total": 199.99,
        "currency": "USD",
    },
}


def written(**changed):
    return json.dumps({**GOOD, **changed})


def test_an_envelope_is_read_from_text_and_from_bytes():
    envelope = read_envelope(written())

    assert envelope == Envelope(**GOOD)
    assert envelope.payload["items"] == [{"sku": "A1", "qty": 2}]
    assert read_envelope(written().encode()) == envelope


# --- Tolerant --------------------------------------------------------------------------------


def test_a_field_that_is_not_known_is_ignored():
    """So a producer may add one without asking its consumers."""
    assert read_envelope(written(trace_id="t-1", sent_by={"host": "h"})) == Envelope(**GOOD)


def test_a_payload_may_have_fields_that_the_consumer_does_not_know():
    """A promo code is added: who reads the total still finds it."""
    payload = {**GOOD["payload"], "promo_code": "SPRING"}

    assert read_envelope(written(payload=payload)).payload["total"] == 199.99


def test_a_later_version_of_the_schema_is_read():
    """Which versions a consumer understands is its own matter."""
    assert read_envelope(written(schema_version=3)).schema_version == 3


# --- Strict ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name):
    rest = {field: value for field, value in GOOD.items() if field != name}

    with pytest.raises(BadInput, match=f"^envelope: {name} is missing; it has '"):
        read_envelope(json.dumps(rest))


@pytest.mark.parametrize("name", FIELDS)
def test_a_null_is_no_value(name):
    with pytest.raises(BadInput, match=f"^envelope: {name} must be "):
        read_envelope(written(**{name: None}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_type", ""),
        ("event_type", 7),
        ("schema_version", 0),
        ("schema_version", -1),
        ("schema_version", True),
        ("schema_version", 1.0),
        ("schema_version", "2"),
        ("event_id", ""),
        ("event_id", 123),
        ("ts", "yesterday"),
        ("ts", "2025-12-04"),
        ("ts", "2025-12-04T12:00:00"),
        ("ts", "2025-13-04T12:00:00Z"),
        ("ts", 1_764_849_600),
        ("payload", []),
        ("payload", "order"),
    ],
    ids=repr,
)
def test_a_malformed_field_is_named_with_its_value(name, value):
    with pytest.raises(BadInput, match=f"^envelope: {name} must be ") as refused:
        read_envelope(written(**{name: value}))

    assert repr(value) in str(refused.value)


def test_a_malformed_field_cannot_be_made_either():
    """So what one service writes, another can read."""
    with pytest.raises(BadInput, match="event_id must be a text that is not empty: ''"):
        Envelope("OrderCreated", 1, "", "2025-12-04T12:00:00Z", {})


@pytest.mark.parametrize("value", ["", "{", "order o-42", b"\xff\xfe{}", '{"event_type": "A"'])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(BadInput, match=r"^envelope: not JSON"):
        read_envelope(value)


@pytest.mark.parametrize("value", [None, "[]", '"event"', "7", "null"])
def test_what_is_no_object_is_refused(value):
    """None is a record without a value, as compaction deletes by."""
    with pytest.raises(BadInput, match=r"^envelope: must be a JSON object"):
        read_envelope(value)


def test_an_empty_object_lacks_the_first_field():
    with pytest.raises(BadInput, match="event_type is missing; it has 'nothing'"):
        read_envelope("{}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number):
    """Python's reader would let it pass, and another language's would not."""
    with pytest.raises(BadInput, match=r"^envelope: not JSON"):
        read_envelope(written(payload={}).replace("{}", f'{{"total": {number}}}'))


def test_what_json_cannot_say_cannot_be_written():
    with pytest.raises(BadInput, match=r"^envelope: payload cannot be JSON"):
        Envelope(**{**GOOD, "payload": {"total": float("nan")}}).to_json()
    with pytest.raises(BadInput, match=r"^envelope: payload cannot be JSON"):
        Envelope(**{**GOOD, "payload": {"sent": object()}}).to_json()


def test_a_key_that_json_would_turn_into_text_is_refused():
    with pytest.raises(BadInput, match=r"^envelope: payload must be an object"):
        Envelope(**{**GOOD, "payload": {1: "one"}})


def test_what_is_nested_beyond_reason_is_refused():
    with pytest.raises(BadInput, match=r"^envelope: not JSON"):
        read_envelope("[" * 100_000)


# --- Who set it off --------------------------------------------------------------------------


def test_what_nobody_knows_is_left_out():
    known = {"source": "/shop", "correlation_id": "c-1", "causation_id": "e-0"}

    assert not set(json.loads(Envelope(**GOOD).to_json())) & set(OPTIONAL)
    assert read_envelope(written(**known)) == Envelope(**GOOD, **known)
    assert read_envelope(Envelope(**GOOD, **known).to_json()) == Envelope(**GOOD, **known)


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("value", [None, 7, []], ids=repr)
def test_what_may_be_left_out_must_be_a_text_where_it_stands(name, value):
    with pytest.raises(BadInput, match=f"^envelope: {name} must be a text"):
        read_envelope(written(**{name: value}))


def test_causes_make_no_circle():
    """Each effect's cause is another event, and everything leads back to the first."""
    chain = [Envelope(**GOOD)]
    for step in ("PaymentAuthorized", "OrderShipped", "ParcelDelivered"):
        chain.append(follows(chain[-1], step, 1, GOOD["ts"], {}))

    assert [one.causation_id for one in chain[1:]] == [one.event_id for one in chain[:-1]]
    assert len({one.event_id for one in chain}) == len(chain)
    assert {one.correlation_id for one in chain[1:]} == {"uuid-123"}


# --- Round trip ------------------------------------------------------------------------------

words = st.text(min_size=1, max_size=20)
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
plain = plain | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
envelopes = st.builds(
    Envelope,
    event_type=words,
    schema_version=st.integers(1, 1_000),
    event_id=words,
    ts=st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    payload=st.dictionaries(st.text(max_size=10), values, max_size=4),
)


def turn(value):
    """The same, each dictionary filled in the opposite order."""
    if isinstance(value, dict):
        return {key: turn(inner) for key, inner in reversed(value.items())}
    return [turn(inner) for inner in value] if isinstance(value, list) else value


@given(envelopes)
def test_what_is_written_is_read_again(envelope):
    assert read_envelope(envelope.to_json()) == envelope


@given(envelopes)
def test_an_envelope_is_one_line_in_one_order(envelope):
    """Equal envelopes are equal text, in whatever order their payloads were filled."""
    text = envelope.to_json()
    turned = turn(envelope.payload)

    assert "\n" not in text
    assert tuple(json.loads(text)) == FIELDS
    assert Envelope(*(getattr(envelope, name) for name in FIELDS[:-1]), turned).to_json() == text
