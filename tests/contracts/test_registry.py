"""A registry takes a version when its level allows it, and else shows a datum that would break."""

import pytest

from simulator.contracts.avro_types import ABSENT
from simulator.contracts.contracts import JSON, Schema, reasons
from simulator.contracts.levels import Level, level_named
from simulator.contracts.registry import NotDeletable, NotFound, Refused, Registered, Registry, avro
from simulator.errors import BadInput


def order(*fields):
    written = [one if isinstance(one, dict) else {"name": one, "type": "string"} for one in fields]
    return avro({"type": "record", "name": "Order", "fields": written})


def optional(name):
    return {"name": name, "type": ["null", "string"], "default": None}


PLAIN = order("order_id")
WITH_CODE = order("order_id", optional("promo_code"))
NEEDS_CODE = order("order_id", "promo_code")


def test_the_first_version_is_taken_and_the_same_again_changes_nothing():
    registry = Registry()

    assert registry.register("orders", PLAIN) == Registered(1, 1, new=True)
    assert registry.register("orders", PLAIN) == Registered(1, 1, new=False)
    assert registry.register("refunds", PLAIN) == Registered(1, 1, new=True)
    assert registry.register("orders", WITH_CODE) == Registered(2, 2, new=True)
    assert registry.versions("orders") == [1, 2]
    assert registry.subjects() == ["orders", "refunds"]
    assert registry.schema(2) == WITH_CODE
    assert registry.version("orders") == WITH_CODE
    assert registry.version("orders", 1) == PLAIN


def test_backward_is_the_default_and_a_refusal_shows_what_would_break():
    registry = Registry()
    registry.register("orders", PLAIN)

    refused = registry.register("orders", NEEDS_CODE)

    assert isinstance(refused, Refused)
    (breach,) = refused.breaches
    assert (breach.direction, breach.version, breach.datum) == ("BACKWARD", 1, {"order_id": ""})
    assert [one.kind for one in breach.reasons] == ["READER_FIELD_MISSING_DEFAULT_VALUE"]
    assert str(refused) == (
        "orders at BACKWARD: the new schema does not read what version 1 wrote: "
        "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1: the writer has no field promo_code, and "
        "the reader no default for it (for example {'order_id': ''})"
    )
    assert registry.versions("orders") == [1]


@pytest.mark.parametrize(
    ("history", "new", "taken"),
    [
        ([PLAIN], WITH_CODE, "all"),
        ([PLAIN], NEEDS_CODE, "NONE FORWARD FORWARD_TRANSITIVE"),
        ([NEEDS_CODE], PLAIN, "NONE BACKWARD BACKWARD_TRANSITIVE"),
        ([PLAIN, WITH_CODE], NEEDS_CODE, "NONE FORWARD FORWARD_TRANSITIVE"),
        ([PLAIN, order("order_id", {"name": "code", "type": "string", "default": ""})],
         order("order_id", "code"), "NONE BACKWARD FORWARD FORWARD_TRANSITIVE FULL"),
    ],
)  # fmt: skip
def test_each_level_looks_one_way_or_both_at_the_last_or_at_all(history, new, taken):
    wanted = list(Level) if taken == "all" else [Level(one) for one in taken.split()]
    found = []
    for level in Level:
        registry = Registry("none")
        for schema in history:
            registry.register("orders", schema)
        registry.set_level(level, "orders")
        if registry.check("orders", new) is None:
            found.append(level)

    assert sorted(found) == sorted(wanted)


def test_a_level_belongs_to_a_subject_or_to_all_the_others():
    registry = Registry()
    registry.set_level("full", "orders")
    registry.set_level(Level.NONE)

    assert registry.level_of("orders") is Level.FULL
    assert registry.level_of("refunds") is Level.NONE
    with pytest.raises(BadInput, match="no compatibility level: 'SIDEWARD'"):
        level_named("SIDEWARD")


def test_another_format_is_another_contract():
    registry = Registry()
    registry.register("orders", PLAIN)

    refused = registry.register("orders", Schema({"type": "object"}, JSON))

    assert isinstance(refused, Refused)
    assert refused.breaches[0].reasons[0].kind == "FORMAT_CHANGED"
    assert refused.breaches[0].datum is ABSENT


def test_a_softly_deleted_version_counts_for_its_readers_only():
    registry = Registry()
    registry.register("orders", PLAIN)
    registry.register("orders", WITH_CODE)

    assert registry.delete("orders", 1, permanent=True) == NotDeletable(
        "orders version 1 is not deleted softly"
    )
    assert registry.delete("orders", 1) == 1
    assert registry.delete("orders", 1) == NotFound("orders version 1")
    assert registry.versions("orders") == [2]
    assert registry.versions("orders", deleted=True) == [1, 2]
    assert registry.version("orders", 1) == NotFound("orders version 1")
    assert registry.schema(1) == PLAIN
    assert registry.register("orders", PLAIN) == Registered(1, 3, new=True)


def test_what_is_deleted_for_good_is_gone_and_its_id_is_not_used_again():
    registry = Registry()
    registry.register("orders", PLAIN)
    registry.delete("orders", 1)
    registry.delete("orders", 1, permanent=True)

    assert registry.schema(1) == NotFound("schema 1")
    assert registry.version("orders") == NotFound("orders version latest")
    assert registry.register("orders", NEEDS_CODE) == Registered(2, 1, new=True)
    with pytest.raises(BadInput):
        registry.delete("orders", 0)


def test_an_alias_that_is_another_fields_name_is_refused():
    registry = Registry(Level.NONE)

    refused = registry.register(
        "orders", order({"name": "code", "type": "string", "aliases": ["order_id"]}, "order_id")
    )

    assert isinstance(refused, Refused)
    assert refused.faults == ("the alias order_id of Order.code is taken",)


def test_a_schema_is_known_by_its_text():
    assert avro('"string"') == avro("string") == avro({"type": "string"})
    assert avro("string") != Schema({"type": "string"}, JSON)
    assert repr(avro("int")) == "Schema(\"int\", 'AVRO')"
    with pytest.raises(BadInput, match="no format"):
        Schema({}, "XML")
    with pytest.raises(BadInput, match="no policy"):
        reasons(PLAIN, PLAIN, "GENTLE")
