"""An event as a CloudEvent (1.0) in a Kafka record, in either mode, and back.

    binary      the attributes are headers ce_id, ce_source, ...; the value is the data alone
    structured  the value is all of it as JSON; the header content-type says so

1. id, source, specversion and type are required, and not empty. What tells one event from another
   is the PAIR of source and id: two sources may give the same id.
2. `partitionkey` is an attribute beside the others; as the record's key it is mapped, and the event
   stays what it is.
3. `sequence` is a text, compared as texts are: a number is written with zeros in front, or 10 comes
   before 9.
4. An event without data is, in binary mode, a record without a value: on a compacted topic that is
   a tombstone, which deletes the key. In structured mode it is a value like any other.

The envelope's event_type, event_id, ts and payload are type, id, time and data; its version is the
end of `dataschema`, a URI that changes when the schema does.

The twins: `id_alone` for `identity`, `bare_sequence` for `sequence`.

Sources: cloudevents/spec 1.0 (spec.md, kafka-protocol-binding.md, extensions/sequence.md,
extensions/partitioning.md).
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from models.patterns.envelope import Envelope
from simulator import BadInput

REQUIRED = ("id", "source", "specversion", "type")
OPTIONAL = ("datacontenttype", "dataschema", "subject", "time")
STRUCTURED = "application/cloudevents+json"
JSON_DATA = "application/json"
DIGITS = 19  # So many has the greatest number of 64 bits.
NAMED = "urn:schema:"

Headers = tuple[tuple[str, Any], ...]


@attrs.frozen
class CloudEvent:
    """An event: its attributes, extensions among them, and its data (None: it has none).

    Raises:
        BadInput: a required attribute is missing or empty, or one is no text.
    """

    attributes: Mapping[str, str]
    data: Any = None

    def __attrs_post_init__(self) -> None:
        for name in REQUIRED:
            if not self.attributes.get(name):
                raise BadInput(f"a CloudEvent needs {name}, it has", "", dict(self.attributes))
        for name, value in self.attributes.items():
            if not isinstance(value, str) or not (name.isascii() and name.isalnum()):
                raise BadInput("is no attribute of a CloudEvent:", name, value)


@attrs.frozen
class Message:
    """What is sent: the three parts of a record that a CloudEvent fills."""

    key: str | None
    value: str | None
    headers: Headers


def identity(event: CloudEvent) -> tuple[str, str]:
    """What an event is known again by."""
    return event.attributes["source"], event.attributes["id"]


def id_alone(event: CloudEvent) -> str:
    """The twin: events of two sources are taken for one, and the second is dropped."""
    return event.attributes["id"]


def sequence(number: int) -> str:
    """A place in its source's order, so that texts are in the order of numbers."""
    return f"{number:0{DIGITS}d}"


def bare_sequence(number: int) -> str:
    """The twin: "10" comes before "9"."""
    return str(number)


# --- From the envelope, and to it ----------------------------------------------------------------


def cloud_event(
    envelope: Envelope, *, subject: str = "", partition_key: str = "", place: str = ""
) -> CloudEvent:
    """The envelope as a CloudEvent; it must say its source.

    Args:
        subject: what the event is about, such as an order's id.
        partition_key: by which it is partitioned.
        place: its `sequence`.
    """
    known = {
        "specversion": "1.0",
        "id": envelope.event_id,
        "source": envelope.source,
        "type": envelope.event_type,
        "time": envelope.ts,
        "datacontenttype": JSON_DATA,
        "dataschema": f"{NAMED}{envelope.event_type}:{envelope.schema_version}",
        "subject": subject,
        "partitionkey": partition_key,
        "sequence": place,
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
    }
    said = {name: value for name, value in known.items() if value}
    return CloudEvent(said, dict(envelope.payload))


def envelope_of(event: CloudEvent) -> Envelope:
    """The CloudEvent as an envelope; attributes that it does not know are left behind.

    Raises:
        BadInput: it lacks what an envelope must have.
    """
    said = event.attributes
    version = said.get("dataschema", "").rpartition(":")[2]
    return Envelope(
        said["type"],
        int(version) if version.isdecimal() else 0,  # Which the envelope refuses by name.
        said["id"],
        said.get("time", ""),
        {} if event.data is None else event.data,
        said["source"],
        said.get("correlationid", ""),
        said.get("causationid", ""),
    )


# --- From a record, and to it --------------------------------------------------------------------


def binary(event: CloudEvent) -> Message:
    """Attributes as headers, data as the value."""
    said = dict(event.attributes)
    content = said.pop("datacontenttype", None)
    headers = [(f"ce_{name}", value) for name, value in said.items()]
    if content:
        headers.append(("content-type", content))
    value = None if event.data is None else _text(event.data)
    return Message(event.attributes.get("partitionkey"), value, tuple(headers))


def structured(event: CloudEvent) -> Message:
    """All of it in the value."""
    said = dict(event.attributes) | ({} if event.data is None else {"data": event.data})
    content = ("content-type", f"{STRUCTURED}; charset=UTF-8")
    return Message(event.attributes.get("partitionkey"), _text(said), (content,))


def read_cloud_event(value: Any, headers: Headers = ()) -> CloudEvent:
    """The CloudEvent in a record, in whichever mode it was sent.

    Raises:
        BadInput: there is none in it.
    """
    told = {name.lower(): _as_text(one) for name, one in headers}
    content = told.get("content-type", "")
    try:
        found = None if value is None else json.loads(value)
    except ValueError as error:
        raise BadInput(f"its data is not JSON ({error}):", "CloudEvent", value) from None
    if content.startswith(STRUCTURED):
        if not isinstance(found, dict):
            raise BadInput("must be a JSON object:", "CloudEvent", value)
        return CloudEvent({name: found[name] for name in found if name != "data"},
                          found.get("data"))
    said = {name[3:]: one for name, one in told.items() if name.startswith("ce_")}
    if content:
        said["datacontenttype"] = content
    return CloudEvent(said, found)


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
