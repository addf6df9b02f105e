"""Schemas to the verdict of a registry: through simulator.contracts.

A case's section says what it is. A pair comes with its kinds of incompatibility and with data: what
was written, the bytes of it are not compared, and what the reader made of it. Every incompatible
pair must come with a datum of our own that breaks the reader.
"""

from datetime import date
from typing import Any

from simulator.contracts.avro import parse_avro
from simulator.contracts.avro_breaking import breaking_datum
from simulator.contracts.avro_compatibility import avro_incompatibilities, colliding_aliases
from simulator.contracts.avro_reading import Read, Unreadable, fits, read_avro
from simulator.contracts.avro_types import ABSENT, Branch
from simulator.contracts.contracts import JSON, Schema, reasons
from simulator.contracts.json_breaking import breaking_instance
from simulator.contracts.json_difference import json_differences
from simulator.contracts.json_types import parse_json_schema
from simulator.contracts.json_validating import is_valid
from simulator.contracts.levels import Level
from simulator.contracts.protobuf import protobuf_incompatibilities
from simulator.contracts.registry import Refused, Registry
from simulator.errors import BadInput

EPOCH = date(1970, 1, 1)


def is_one(document: dict[str, Any]) -> bool:
    """Whether the document keeps its cases in sections."""
    return document.get("family") == "schema" and "avro_pairs" in document


def cases(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases of every section, each with its section's name."""
    if "cases" in document:
        return document["cases"]
    kinds = document.get("protobuf_change_kinds", {})
    sections = {
        **{name: document.get(name, []) for name in (
            "avro_pairs", "avro_levels", "avro_anomalies", "json_pairs",
        )},
        "avro_parse": document.get("avro_parse", {}).get("cases", []),
        "protobuf": [
            {"id": kind, "compatible": verdict == "compatible"}
            for verdict in ("compatible", "incompatible") for kind in kinds.get(verdict, [])
        ],
    }  # fmt: skip
    return [
        {"name": f"{section} {one['id']}", "section": section, **one}
        for section, found in sections.items() for one in found
    ]  # fmt: skip


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Judge one case as its section asks."""
    return "; ".join(_SECTIONS[case["section"]](case)) or None


def _plain(value: Any) -> Any:
    """A datum of the file as a datum."""
    match value:
        case {"$bytes": text}:
            return bytes.fromhex(text)
        case {"$branch": name, "value": inner}:
            return Branch(name, _plain(inner))
        case {"$iso": text}:
            return (date.fromisoformat(text) - EPOCH).days
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
    return value


def _broken(writer: Any, reader: Any) -> list[str]:
    """Whether the datum found for the pair is one."""
    datum = breaking_datum(writer, reader)
    if datum is ABSENT:
        return ["no datum was found that breaks the reader"]
    if not fits(datum, writer):
        return [f"{datum!r} cannot be written"]
    if not isinstance(read_avro(datum, writer, reader), Unreadable):
        return [f"{datum!r} does not break the reader"]
    return []


def _avro_pair(case: dict[str, Any]) -> list[str]:
    writer, reader = parse_avro(case["writer"]), parse_avro(case["reader"])
    found = sorted({one.kind for one in avro_incompatibilities(writer, reader)})
    failures = []
    if found != sorted(case["java_incompatibility_kinds"]):
        failures.append(f"kinds {found}, not {case['java_incompatibility_kinds']}")
    if (case["expected"] == "compatible") != (not found):
        failures.append(f"{found}, not {case['expected']}")
    if found:
        failures += _broken(writer, reader)
    elif breaking_datum(writer, reader) is not ABSENT:
        failures.append("a datum breaks a compatible reader")
    for one in case["data"]:
        answer = read_avro(_plain(one["written"]), writer, reader)
        if "read" in one:
            # The data were read by fastavro, which takes an alias without its namespace.
            if answer != Read(_plain(one["read"])) and found != ["NAME_MISMATCH"]:
                failures.append(f"{one['written']} is read as {answer}, not {one['read']}")
        elif isinstance(answer, Read):
            failures.append(f"{one['written']} is read as {answer}")
    return failures


def _avro_levels(case: dict[str, Any]) -> list[str]:
    failures = []
    for level, wanted in case["verdict"].items():
        registry = Registry(Level.NONE)
        for document in case["history"]:
            registry.register("orders", Schema(document))
        registry.set_level(level, "orders")
        answer = registry.register("orders", Schema(case["candidate"]))
        if isinstance(answer, Refused) == wanted:
            failures.append(f"{level}: {answer}, not {wanted}")
        if isinstance(answer, Refused):
            failures += [f"{level}: no datum" for one in answer.breaches if one.datum is ABSENT]
    return failures


def _avro_parse(case: dict[str, Any]) -> list[str]:
    failures = []
    for checked in (True, False):
        wanted = case["verdicts"][f"java_validateDefaults_{str(checked).lower()}"] == "ok"
        try:
            parse_avro(case["schema"], check_defaults=checked)
        except BadInput as error:
            if wanted:
                failures.append(f"refused: {error}")
        else:
            if not wanted:
                failures.append("was taken")
    return failures


def _avro_anomaly(case: dict[str, Any]) -> list[str]:
    """An alias that is a live name: the verdict is Java's, and a registry takes no such schema."""
    writer, reader = parse_avro(case["writer"]), parse_avro(case["reader"])
    compatible = not avro_incompatibilities(writer, reader)
    failures = []
    if compatible != (case["java_SchemaCompatibility"] == "compatible"):
        failures.append(f"compatible: {compatible}")
    if not compatible:
        failures += _broken(writer, reader)
    if not colliding_aliases(reader):
        failures.append("the alias is not seen to collide")
    if not isinstance(Registry().register("orders", Schema(case["reader"])), Refused):
        failures.append("the registry takes it")
    return failures


def _json_pair(case: dict[str, Any]) -> list[str]:
    documents = {"BACKWARD": (case["writer"], case["reader"]),
                 "FORWARD": (case["reader"], case["writer"])}  # fmt: skip
    failures = []
    for policy in ("strict", "lenient"):
        got = {
            way: not reasons(*(Schema(one, JSON) for one in pair), policy.upper())
            for way, pair in documents.items()
        }
        got["FULL"] = all(got.values())
        for way, verdict in got.items():
            if verdict != case["expected"][way][policy]:
                failures.append(f"{way} {policy}: {verdict}")
    found = json_differences(*(parse_json_schema(one) for one in documents["BACKWARD"]))
    if sorted(map(" ".join, found)) != sorted(case["confluent_diffs"]):
        failures.append(f"differences {found}, not {case['confluent_diffs']}")
    for way, (writer, reader) in documents.items():
        instance = breaking_instance(writer, reader)
        key = f"counterexample_{way.lower()}"
        if (instance is ABSENT) == (key in case):
            failures.append(f"{way}: counterexample {instance}, not {case.get(key)}")
        shown = [] if instance is ABSENT else [instance, case[key]]
        failures += [
            f"{way}: {one} is no counterexample"
            for one in shown if not is_valid(one, writer) or is_valid(one, reader)
        ]  # fmt: skip
    return failures


def _protobuf(case: dict[str, Any]) -> list[str]:
    compatible = not protobuf_incompatibilities([case["id"]])
    return [] if compatible == case["compatible"] else [f"compatible: {compatible}"]


_SECTIONS = {
    "avro_pairs": _avro_pair,
    "avro_levels": _avro_levels,
    "avro_parse": _avro_parse,
    "avro_anomalies": _avro_anomaly,
    "json_pairs": _json_pair,
    "protobuf": _protobuf,
}
