"""A promo code is added to the payload: old consumers ignore it, and charge what they charged."""

import json

import pytest

from models.patterns.contracts.evolution import strict, tolerant_1, version_1, version_2
from models.patterns.contracts.evolution_running import charged_rightly, orders_of, reading
from models.systems.orders import TOPIC, idempotent, orders_scenario, work
from simulator import (
    AT_LEAST_ONCE,
    JSON,
    Consumers,
    Refused,
    Registered,
    Registry,
    Schema,
    Seeded,
    Status,
    Topic,
    Topology,
    decode,
    encode,
    simulate,
)


def with_promo_codes(items):
    """The lecture's orders, each created with a promo code by a newer producer."""
    found = []
    for item in items:
        said = json.loads(item.value)
        if said["event_type"] == "OrderCreated":
            said["payload"]["promo_code"] = "SPRING"
            said["schema_version"] = 2
        found.append(item._replace(value=json.dumps(said)))
    return tuple(found)


def effects(items):
    scenario = orders_scenario(
        AT_LEAST_ONCE, items=items, instances=1, topology=Topology(topics=(Topic(TOPIC, 3),)),
        consumers=Consumers(instances=1, handler=idempotent),
    )  # fmt: skip
    trace = simulate(scenario, Seeded(1))
    return sorted(entry[4][1:4] for entry in trace.flat if entry[4][0] == "effect_applied")


def test_old_consumers_of_the_lectures_orders_do_what_they_did():
    plain = work(4)

    assert effects(with_promo_codes(plain)) == effects(plain)
    assert len(effects(plain)) == 12


def test_old_and_new_producers_at_once_are_charged_rightly():
    items = orders_of(version_1, version_2, version_1, version_2)
    found = charged_rightly(simulate(reading(items, {"billing": tolerant_1})))

    assert found.status is Status.KEPT
    assert found.reached == 4


def test_a_consumer_that_refuses_what_it_does_not_know_stops_charging():
    found = charged_rightly(simulate(reading(orders_of(version_2), {"billing": strict})))

    assert found.status is Status.BROKEN
    assert "fields that are not known: 'promo_code'" in found.evidence[0].sentence


# --- As contracts --------------------------------------------------------------------------------


def order(*fields):
    return Schema({"type": "record", "name": "OrderCreated", "fields": list(fields)})


ID = {"name": "order_id", "type": "string"}
OLD = order(ID)
OPTIONAL = order(ID, {"name": "promo_code", "type": ["null", "string"], "default": None})
REQUIRED = order(ID, {"name": "promo_code", "type": "string"})


@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL", "FULL_TRANSITIVE"])
def test_with_a_default_every_level_takes_it_and_either_side_reads_the_other(level):
    registry = Registry(level)
    registry.register("orders-value", OLD)

    assert isinstance(registry.register("orders-value", OPTIONAL), Registered)
    new = encode({"order_id": "o-42", "promo_code": "SPRING"}, OPTIONAL, 2)
    old = encode({"order_id": "o-42"}, OLD, 1)
    assert decode(new, {2: OPTIONAL}.__getitem__, OLD) == {"order_id": "o-42"}
    assert decode(old, {1: OLD}.__getitem__, OPTIONAL) == {"order_id": "o-42", "promo_code": None}


def test_without_a_default_the_registry_refuses_it_and_shows_who_would_break():
    registry = Registry()
    registry.register("orders-value", OLD)
    refused = registry.register("orders-value", REQUIRED)

    assert isinstance(refused, Refused)
    assert refused.breaches[0].datum == {"order_id": ""}


@pytest.mark.parametrize(("closed", "taken"), [(True, True), (False, False)])
def test_in_json_schema_it_depends_on_whether_the_payload_was_closed(closed, taken):
    """Under an open model anybody may have written a promo_code of any type before."""

    def box(properties):
        document = {"type": "object", "properties": properties}
        return Schema({**document, "additionalProperties": False} if closed else document, JSON)

    registry, text = Registry(), {"type": "string"}
    registry.register("orders-value", box({"order_id": text}))
    answer = registry.register("orders-value", box({"order_id": text, "promo_code": text}))

    assert isinstance(answer, Registered) == taken
    if isinstance(answer, Refused):
        datum = answer.breaches[0].datum
        assert isinstance(datum, dict)
        assert not isinstance(datum["promo_code"], str)
