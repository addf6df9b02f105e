"""A registry on a node: what it promised stands after a crash, and who knows an id needs it not."""

import pytest

from simulator import BadInput, Crash, FaultPlan, RequestTimedOut, Scenario, Topology, simulate
from simulator.cluster.context import Context
from simulator.cluster.registry import SchemaClient, schema_registry
from simulator.cluster.serializing import (
    Deserializer,
    Serializer,
    serializer_settings,
    subject_of,
)
from simulator.contracts.contracts import JSON, Schema
from simulator.contracts.levels import Level
from simulator.contracts.registry import Latest, NotFound, Refused, Registered
from simulator.errors import CodecError


def order(*fields, name="com.shop.Order"):
    written = [one if isinstance(one, dict) else {"name": one, "type": "string"} for one in fields]
    return Schema({"type": "record", "name": name, "fields": written})


PLAIN = order("order_id")
WITH_CODE = order("order_id", {"name": "promo_code", "type": "string", "default": "none"})
NEEDS_CODE = order("order_id", "promo_code")
BOX = Schema({"type": "object", "properties": {"kg": {"type": "integer"}}, "title": "Box"}, JSON)


def run(steps, *faults, **registry):
    """Let a driver do its steps with a client of a registry; the trace."""

    def deploy(cluster):
        schema_registry(cluster, "schemas", **registry)
        cluster.driver("shop", lambda node: steps(Context(cluster, node, {})))

    return simulate(
        Scenario(topology=Topology(brokers=1, topics=()), application=deploy,
                 faults=FaultPlan(faults), horizon_ms=60_000)
    )  # fmt: skip


def asked(steps, *faults, **registry):
    """What the steps told."""
    told = []
    run(lambda context: steps(context, told.append), *faults, **registry)
    return told


def requests(trace):
    return [e[4][4] for e in trace.flat if e[4][0] == "message_sent" and e[4][3] == "schemas"]


def test_every_question_of_the_registry_can_be_asked_of_its_node():
    def steps(context, tell):
        client = SchemaClient(context, "schemas")
        tell((yield client.register("orders-value", PLAIN)))
        tell((yield client.check("orders-value", NEEDS_CODE)))
        tell((yield client.register("orders-value", NEEDS_CODE)))
        yield client.set_level("none", "orders-value")
        tell((yield client.register("orders-value", NEEDS_CODE)))
        tell((yield client.find("orders-value", WITH_CODE)))
        tell((yield client.latest("orders-value")))
        tell((yield client.delete("orders-value", 1)))
        tell((yield client.schema(2)))

    first, checked, refused, taken, found, latest, deleted, schema = asked(steps)

    assert (first, taken) == (Registered(1, 1, new=True), Registered(2, 2, new=True))
    assert isinstance(checked, Refused)
    assert checked == refused
    assert checked.level is Level.BACKWARD
    assert found == NotFound("orders-value with this schema")
    assert latest == Latest(2, 2, NEEDS_CODE)
    assert deleted == 1
    assert schema == NEEDS_CODE


@pytest.mark.parametrize("mode", ["process", "power"])
def test_what_was_answered_stands_after_a_crash(mode):
    """The answer to the second never leaves; what it asked for stands all the same."""

    def steps(context, tell):
        client = SchemaClient(context, "schemas", timeout_ms=500)
        tell((yield client.register("orders-value", PLAIN)))
        try:
            yield client.register("orders-value", WITH_CODE)
        except RequestTimedOut as unknown:
            tell(str(unknown))
        yield context.sleep(3_000_000)
        tell((yield client.find("orders-value", PLAIN)))
        tell((yield client.register("orders-value", WITH_CODE)))

    crash = Crash("schemas", "after_append", nth=1, down_ms=1_000, mode=mode)
    first, unknown, known, again = asked(steps, crash)

    assert first == Registered(1, 1, new=True)
    assert unknown == "schemas gave no answer to RegisterSchemaRequest"
    assert known == Registered(1, 1, new=True), "the client remembers its first answer"
    assert again == Registered(2, 2, new=False)


def test_an_id_is_asked_for_once_and_then_known_for_ever():
    def steps(context):
        client = SchemaClient(context, "schemas")
        yield client.register("orders-value", PLAIN)
        for _ in range(3):
            yield client.schema(1)
            yield client.register("orders-value", PLAIN)

    def uncached(context):
        client = SchemaClient(context, "schemas", cached=False)
        yield client.register("orders-value", PLAIN)
        yield client.schema(1)
        yield client.schema(1)

    assert requests(run(steps)) == ["RegisterSchemaRequest"]
    assert requests(run(uncached)) == ["RegisterSchemaRequest", "SchemaRequest", "SchemaRequest"]


def test_a_registry_that_is_down_stalls_only_who_meets_an_id_for_the_first_time():
    """The crash at 100 ms lasts two seconds."""

    def steps(context, tell):
        writer = SchemaClient(context, "schemas")
        value = yield Serializer(writer, plain=True).serialize("orders", {"order_id": "o"}, PLAIN)
        reader = Deserializer(SchemaClient(context, "schemas", timeout_ms=300), PLAIN, plain=True)
        knows = Deserializer(writer, PLAIN, plain=True)
        yield context.sleep(200_000)
        tell((yield knows.deserialize(value)))
        failures = 0
        while True:
            try:
                tell((yield reader.deserialize(value)))
                break
            except RequestTimedOut:
                failures += 1
                yield context.sleep(100_000)
        tell(failures > 1)
        tell(context.node.now_us >= 2_100_000)

    crash = Crash("schemas", at_ms=100, down_ms=2_000)

    assert asked(steps, crash) == [{"order_id": "o"}, {"order_id": "o"}, True, True]


def serialized(settings, topic, datum, schema, before=(), **more):
    """What came of one serialization: the value, or why not."""

    def steps(context, tell):
        client = SchemaClient(context, "schemas")
        for subject, one in before:
            yield client.register(subject, one)
        try:
            tell((yield Serializer(client, settings, **more).serialize(topic, datum, schema)))
        except CodecError as refused:
            tell(str(refused))

    (told,) = asked(steps)
    return told


STANDS = (("orders-value", PLAIN),)


def test_a_serializer_registers_what_it_writes_unless_told_otherwise():
    datum = {"order_id": "o"}

    assert serialized({}, "orders", datum, PLAIN) == b"\x00\x00\x00\x00\x01\x02o"
    assert serialized({}, "orders", None, PLAIN) is None
    refused = serialized({}, "orders", {**datum, "promo_code": ""}, NEEDS_CODE, STANDS)
    assert refused.startswith("schemas refuses: orders-value at BACKWARD: the new schema does not")


def test_without_auto_register_only_what_stands_is_written():
    settings = {"auto.register.schemas": False}

    assert serialized(settings, "orders", {"order_id": ""}, PLAIN, STANDS)[:5] == bytes(4) + b"\x01"
    assert serialized(settings, "orders", {"order_id": ""}, PLAIN) == (
        "schemas knows no orders-value with this schema"
    )


def test_the_latest_version_is_written_if_it_reads_the_program_s_own():
    settings = {"auto.register.schemas": False, "use.latest.version": True}
    loose = {**settings, "latest.compatibility.strict": False}
    stands = (("orders-value", order("order_id", "user_id")),)
    datum = {"order_id": "o", "user_id": "u"}

    assert serialized(settings, "orders", {"order_id": "o"}, PLAIN) == (
        "schemas knows no orders-value version latest"
    )
    assert serialized(settings, "orders", {"order_id": "o"}, WITH_CODE, STANDS)[5:] == b"\x02o"
    assert serialized(settings, "orders", datum, PLAIN, stands) == (
        "orders-value: the latest version does not read this schema: "
        "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1"
    )
    assert serialized(loose, "orders", datum, PLAIN, stands)[5:] == b"\x02o\x02u"


def test_json_is_written_unvalidated_unless_it_is_asked_for():
    wrong, asks = {"kg": "heavy"}, {"json.fail.invalid.schema": True}

    assert serialized({}, "boxes", wrong, BOX)[5:] == b'{"kg":"heavy"}'
    assert "heavy" in serialized(asks, "boxes", wrong, BOX)


def test_a_value_of_another_registry_is_never_readable():
    def steps(context, tell):
        reader = Deserializer(SchemaClient(context, "schemas"), PLAIN)
        for value in (b"\x00\x00\x00\x00\x09\x02o", b'{"order_id": "o"}'):
            try:
                yield reader.deserialize(value)
            except CodecError as refused:
                tell(str(refused))
        tell((yield reader.deserialize(None)))

    unknown, unframed, tombstone = asked(steps)

    assert unknown == "schemas knows no schema 9"
    assert unframed.startswith("unknown magic byte")
    assert tombstone is None


def test_a_subject_is_named_by_topic_or_record_or_both():
    names = ("TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy")

    assert [subject_of(one, "orders", PLAIN) for one in names] == [
        "orders-value", "com.shop.Order", "orders-com.shop.Order",
    ]  # fmt: skip
    assert subject_of(names[0], "orders", PLAIN, key=True) == "orders-key"
    assert subject_of(names[1], "boxes", BOX) == "Box"
    with pytest.raises(BadInput, match="goes by a name"):
        subject_of(names[1], "orders", Schema("string"))


def test_settings_have_confluents_names_and_defaults():
    settings = serializer_settings({})

    assert settings.auto_register_schemas
    assert not settings.use_latest_version
    assert settings.latest_compatibility_strict
    assert settings.value_subject_name_strategy == "TopicNameStrategy"
    named = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
    named = serializer_settings({"value.subject.name.strategy": named})
    assert named.value_subject_name_strategy == "RecordNameStrategy"
    with pytest.raises(BadInput, match=r"normalize\.schemas is not modelled"):
        serializer_settings({"normalize.schemas": True})
    with pytest.raises(BadInput, match=r"did you mean auto\.register\.schemas"):
        serializer_settings({"auto.register.schema": True})


def test_what_cannot_be_asked_is_told():
    def nobody(context):
        SchemaClient(context, "registry")
        yield context.sleep(1)

    def plain(context):
        context.plain = True
        SchemaClient(context, "schemas").schema(1)
        yield context.sleep(1)

    with pytest.raises(BadInput, match="there is no registry called 'registry'"):
        run(nobody)
    with pytest.raises(BadInput, match="a plain function cannot wait for 'schemas'"):
        run(plain)
    with pytest.raises(BadInput, match="no compatibility level"):
        run(lambda context: iter(()), level="sideward")
