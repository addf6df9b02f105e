"""Serializers: between data and records' values, with a registry's word on what may be written.

To write: the schema's id is asked for (registered, looked up, or that of the subject's latest
version, see the settings), then framed with the body. To read: the writer's schema is asked for by
the frame's id, and resolved into the reader's own. What a client has been told once it does not ask
again.

The settings are Confluent's, with Confluent's defaults: auto.register.schemas=true lets anybody who
deploys a producer change a topic's contract, within the subject's level; json.fail.invalid.schema
=false validates nothing at all.

A record without a value is null, in and out: that is a tombstone, and no datum.

Source: AbstractKafkaSchemaSerDe(Config), KafkaJsonSchemaSerializerConfig of Confluent's registry.

Not modelled: normalize.schemas, use.schema.id, references, rules, keys' own schemas besides their
subjects' names.
"""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simulator.contracts.avro_types import AvroSchema
from simulator.contracts.codecs import codec_for, complaint, frame, read_body, unframe
from simulator.contracts.contracts import JSON, Schema, reasons
from simulator.contracts.registry import Latest, Refused, Registered
from simulator.errors import BadInput, CodecError
from simulator.protocol.settings import one_of, parse_settings, switch

if TYPE_CHECKING:
    from simulator.cluster.registry import SchemaClient
    from simulator.world.kernel import Process

TOPIC_NAME, RECORD_NAME = "TopicNameStrategy", "RecordNameStrategy"
TOPIC_RECORD_NAME = "TopicRecordNameStrategy"
STRATEGIES = (TOPIC_NAME, RECORD_NAME, TOPIC_RECORD_NAME)
NOT_MODELLED: Mapping[str, str] = {
    "normalize.schemas": "schemas are compared by their canonical text",
    "use.schema.id": "a schema is written by its subject",
    "id.compatibility.strict": "it speaks of use.schema.id",
    "latest.cache.ttl.sec": "-1: what a subject's latest version is, is asked for once",
    "avro.use.logical.type.converters": "logical types are left aside",
}


def _strategy(given: Any) -> Any:
    """A strategy's class, without its package."""
    return given.rpartition(".")[2] if isinstance(given, str) else given


@attrs.frozen(kw_only=True)
class SerializerSettings:
    """A serializer's settings, by Confluent's names."""

    auto_register_schemas: bool = attrs.field(default=True, validator=switch)
    use_latest_version: bool = attrs.field(default=False, validator=switch)
    latest_compatibility_strict: bool = attrs.field(default=True, validator=switch)
    key_subject_name_strategy: str = attrs.field(
        default=TOPIC_NAME, converter=_strategy, validator=one_of(*STRATEGIES)
    )
    value_subject_name_strategy: str = attrs.field(
        default=TOPIC_NAME, converter=_strategy, validator=one_of(*STRATEGIES)
    )
    json_fail_invalid_schema: bool = attrs.field(default=False, validator=switch)


def serializer_settings(given: Mapping[str, Any], where: str = "serializer") -> SerializerSettings:
    """Read settings by Confluent's names.

    Raises:
        BadInput: one is unknown, not modelled, or not allowed.
    """
    return parse_settings(SerializerSettings, given, not_modelled=NOT_MODELLED, where=where)


def subject_of(strategy: str, topic: str, schema: Schema, *, key: bool = False) -> str:
    """The subject under which a schema stands.

    TopicNameStrategy: `orders-value`; RecordNameStrategy: the record's full name;
    TopicRecordNameStrategy: both, `orders-com.shop.Order`.

    Raises:
        BadInput: the strategy goes by a record's name, and the schema has none.
    """
    if strategy == TOPIC_NAME:
        return f"{topic}-{'key' if key else 'value'}"
    if isinstance(schema.parsed, AvroSchema):
        name = schema.parsed.name
    else:
        name = schema.document.get("title", "") if isinstance(schema.document, Mapping) else ""
    if not name:
        raise BadInput("goes by a name, and the schema has none:", strategy, schema.text)
    return name if strategy == RECORD_NAME else f"{topic}-{name}"


class Serializer:
    """Writes data under schemas that the registry has.

    Args:
        registry: the client that is asked.
        settings: Confluent's names to values.
        key: whether it writes records' keys.
        plain: use the codec that needs no extra (see `simulator.contracts.codecs`).

    Raises:
        BadInput: a setting is unknown or not allowed.
    """

    def __init__(
        self,
        registry: "SchemaClient",
        settings: Mapping[str, Any] | None = None,
        *,
        key: bool = False,
        plain: bool = False,
    ) -> None:
        self.settings = serializer_settings(settings or {})
        self._registry = registry
        self._key = key
        self._plain = plain

    def serialize(self, topic: str, datum: Any, schema: Schema) -> "Process":
        """The value of a record for `topic`: an event that gives its bytes.

        Raises:
            CodecError: the registry refuses the schema or does not know it, or the datum does not
                fit it.
            RequestTimedOut: the registry gave no answer.
        """
        return self._registry.context.node.start(self._steps(topic, datum, schema), "serializer")

    def _steps(self, topic: str, datum: Any, schema: Schema) -> Generator[Any, Any, bytes | None]:
        if datum is None:
            return None
        settings = self.settings
        strategy = settings.value_subject_name_strategy
        if self._key:
            strategy = settings.key_subject_name_strategy
        subject = subject_of(strategy, topic, schema, key=self._key)
        schema_id, written = yield from self._identified(subject, schema)
        wrong = ""
        if settings.json_fail_invalid_schema and written.format == JSON:
            wrong = complaint(datum, written, plain=self._plain)
        if wrong:
            raise CodecError(wrong)
        return frame(schema_id, codec_for(written, plain=self._plain).write(written, datum))

    def _identified(
        self, subject: str, schema: Schema
    ) -> Generator[Any, Any, tuple[int, Schema]]:
        """The id to write under, and its schema."""
        settings, registry = self.settings, self._registry
        if settings.auto_register_schemas:
            placed = yield registry.register(subject, schema)
        elif settings.use_latest_version:
            latest = yield registry.latest(subject)
            if not isinstance(latest, Latest):
                raise CodecError(f"{registry.name} knows no {latest.what}")
            wrong = reasons(schema, latest.schema) if settings.latest_compatibility_strict else ()
            if wrong:
                why = "; ".join(f"{one.kind} at {one.path}" for one in wrong)
                raise CodecError(f"{subject}: the latest version does not read this schema: {why}")
            return latest.schema_id, latest.schema
        else:
            placed = yield registry.find(subject, schema)
        if isinstance(placed, Refused):
            raise CodecError(f"{registry.name} refuses: {placed}")
        if not isinstance(placed, Registered):
            raise CodecError(f"{registry.name} knows no {placed.what}")
        return placed.schema_id, schema


class Deserializer:
    """Reads values that say their writer's schema.

    Args:
        registry: the client that is asked for it.
        reader: the schema that the program was written for; None: it takes what was written, with
            the writer's fields and no defaults.
        plain: as the serializer's.
    """

    def __init__(
        self, registry: "SchemaClient", reader: Schema | None = None, *, plain: bool = False
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._plain = plain

    def deserialize(self, value: bytes | str | None) -> "Process":
        """What the reader makes of a record's value: an event that gives the datum.

        Raises:
            CodecError: it cannot be read, now or ever.
            RequestTimedOut: the registry gave no answer: it may be readable later.
        """
        return self._registry.context.node.start(self._steps(value), "deserializer")

    def _steps(self, value: bytes | str | None) -> Generator[Any, Any, Any]:
        if value is None:
            return None
        schema_id, body = unframe(value)
        writer = yield self._registry.schema(schema_id)
        return read_body(body, writer, self._reader, plain=self._plain)
