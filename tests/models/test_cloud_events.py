"""A CloudEvent is the same event in both modes, and is told apart by its source and its id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.patterns.contracts.cloud_events import (
    CloudEvent,
    bare_sequence,
    binary,
    cloud_event,
    envelope_of,
    id_alone,
    identity,
    read_cloud_event,
    sequence,
    structured,
)
from models.patterns.envelope import Envelope, follows, read_envelope
from simulator import BadInput, Context, Scenario, Serving, Topic, Topology, Workload, simulate

CREATED = Envelope(
    "OrderCreated", 2, "e-1", "2025-12-04T12:00:00Z", {"order_id": "o-42"}, source="/shop"
)
MODES = pytest.mark.parametrize("mode", [binary, structured])


@MODES
def test_an_event_is_read_as_it_was_written(mode):
    event = cloud_event(CREATED, subject="o-42", partition_key="o-42", place=sequence(7))
    message = mode(event)

    assert message.key == "o-42"
    assert read_cloud_event(message.value, message.headers) == event
    assert envelope_of(read_cloud_event(message.value, message.headers)) == CREATED


def test_binary_headers_are_those_of_the_kafka_binding():
    message = binary(cloud_event(CREATED))

    assert message.value == '{"order_id":"o-42"}'
    assert dict(message.headers) == {
        "ce_specversion": "1.0",
        "ce_id": "e-1",
        "ce_source": "/shop",
        "ce_type": "OrderCreated",
        "ce_time": "2025-12-04T12:00:00Z",
        "ce_dataschema": "urn:schema:OrderCreated:2",
        "content-type": "application/json",
    }


def test_a_structured_event_says_its_content_type():
    (header,) = structured(cloud_event(CREATED)).headers

    assert header == ("content-type", "application/cloudevents+json; charset=UTF-8")


def test_an_event_without_data_is_a_tombstone_in_binary_mode_only():
    bare = CloudEvent({"id": "1", "source": "/s", "specversion": "1.0", "type": "T"})

    assert binary(bare).value is None
    assert structured(bare).value is not None
    for mode in (binary, structured):
        message = mode(bare)
        assert read_cloud_event(message.value, message.headers) == bare


def test_sources_may_give_the_same_id():
    shop, mail = (
        cloud_event(Envelope("Told", 1, "1", CREATED.ts, {}, source=one)) for one in ("/s", "/m")
    )

    assert identity(shop) != identity(mail)
    assert id_alone(shop) == id_alone(mail)


@given(st.lists(st.integers(0, 2**63 - 1), unique=True, max_size=6))
def test_sequences_are_in_the_order_of_their_numbers(numbers):
    assert sorted(map(sequence, numbers)) == [sequence(one) for one in sorted(numbers)]


def test_bare_numbers_are_not():
    assert sorted(map(bare_sequence, [9, 10])) == ["10", "9"]


def test_what_follows_says_what_it_follows_from():
    paid = follows(CREATED, "PaymentAuthorized", 1, CREATED.ts, {})
    shipped = follows(paid, "OrderShipped", 1, CREATED.ts, {})

    assert (paid.causation_id, shipped.causation_id) == ("e-1", paid.event_id)
    assert paid.correlation_id == shipped.correlation_id == "e-1"
    assert follows(CREATED, "PaymentAuthorized", 1, CREATED.ts, {}) == paid
    assert read_envelope(paid.to_json()) == paid
    event = cloud_event(paid)
    assert event.attributes["causationid"] == "e-1"
    assert envelope_of(event) == paid


@pytest.mark.parametrize(
    ("value", "headers", "wrong"),
    [
        ("{}", (), "a CloudEvent needs id"),
        ("{}", (("ce_id", "1"), ("ce_source", ""), ("ce_type", "T")), "needs source"),
        ("{", (), "its data is not JSON"),
        ("[]", (("content-type", "application/cloudevents+json"),), "must be a JSON object"),
    ],
)
def test_what_is_no_cloud_event_is_refused(value, headers, wrong):
    with pytest.raises(BadInput, match=wrong):
        read_cloud_event(value, headers)


def test_an_event_that_says_no_version_is_no_envelope():
    event = CloudEvent(
        {"id": "1", "source": "/s", "specversion": "1.0", "type": "T", "time": CREATED.ts}
    )

    with pytest.raises(BadInput, match="schema_version must be a whole number from 1: 0"):
        envelope_of(event)
    with pytest.raises(BadInput, match="is no attribute"):
        CloudEvent({**event.attributes, "ce_id": "1"})


@MODES
def test_an_event_survives_its_way_through_a_log(mode):
    """Headers travel with the record."""
    message = mode(cloud_event(CREATED, partition_key="o-42"))
    found = []

    def reading(context):
        def handle(record):
            found.append((record.key, read_cloud_event(record.value, record.headers)))

        return handle

    def deploy(cluster):
        def send(node):
            context = Context(cluster, node, {})
            yield context.send(
                "orders", message.value, message.key, event_id="e-1", headers=message.headers
            )

        cluster.driver("shop", send)
        serving = Serving(topics=("orders",), settings={"auto.offset.reset": "earliest"})
        cluster.group("billing", 1, reading, serving)

    simulate(
        Scenario(application=deploy, workload=Workload(events=0),
                 topology=Topology(topics=(Topic("orders"),)))
    )  # fmt: skip

    assert found == [("o-42", cloud_event(CREATED, partition_key="o-42"))]
