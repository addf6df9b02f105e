"""Drawn schemas: chains of versions, each a step from the one before; data; changes of JSON.

A record has some of the fields a, b, c, d. A step adds one (with a default or without), drops one,
renames one (with a default, or with an alias), widens or narrows a type, makes one nullable, or
changes the choices of an enum.
"""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from simulator import JSON, Schema
from simulator.contracts.avro_types import AvroSchema, Branch

NAMES = ("a", "b", "c", "d")
DEFAULTS: dict[str, Any] = {"int": 7, "long": 7, "double": 0.5, "string": "none", "boolean": True}
WIDER = {"int": "long", "long": "double"}
NARROWER = {"long": "int", "double": "long"}
FIRST = {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"]}

ADD, ADD_DEFAULT, DROP = "added without a default", "added with a default", "dropped"
RENAME_DEFAULT, RENAME_ALIAS = "renamed with a default", "renamed with an alias"
WIDEN, NARROW, NULLABLE = "widened", "narrowed", "made nullable"
SYMBOL, NO_SYMBOL, NO_DEFAULT = "symbol added", "symbol removed", "default dropped"
RENAMED = "record renamed"


class Version(NamedTuple):
    """One version of a chain: the step that led to it, and its schema."""

    step: str
    schema: Schema


Fields = dict[str, dict[str, Any]]


def record(fields: Fields, name: str = "Order") -> Schema:
    """The schema of a record with these fields."""
    return Schema({"type": "record", "name": name, "fields": list(fields.values())})


@st.composite
def chains(draw: Any, versions: int = 3, least: int | None = None) -> tuple[Version, ...]:
    """A chain of at most so many versions (and at least, which is as many by default)."""
    kinds = st.sampled_from(("int", "string", "long", "Colour"))
    fields: Fields = {
        name: {"name": name, "type": dict(FIRST) if kind == "Colour" else kind}
        for name, kind in zip(("a", "b"), (draw(kinds), draw(st.sampled_from(("int", "string")))),
                              strict=True)
    }
    found = [Version("first", record(fields))]
    name = "Order"
    for _ in range(draw(st.integers((least or versions) - 1, versions - 1))):
        possible = _steps(fields)
        step = draw(st.sampled_from(tuple(dict.fromkeys(one for one, _ in possible))))
        change = draw(st.sampled_from([after for one, after in possible if one == step]))
        if step == RENAMED:
            name += "X"
        else:
            fields = {one["name"]: one for one in change}
        found.append(Version(step, record(fields, name)))
    return tuple(found)


def _steps(fields: Fields) -> list[tuple[str, list[dict[str, Any]]]]:
    """What may be done to a record with these fields, each with the fields after it."""
    now = list(fields.values())
    free = [name for name in NAMES if name not in fields]
    found: list[tuple[str, list[dict[str, Any]]]] = [(RENAMED, now)]
    for name in free[:2]:
        for kind in ("string", "int"):
            found.append((ADD, [*now, {"name": name, "type": kind}]))
            filled = {"name": name, "type": kind, "default": DEFAULTS[kind]}
            found.append((ADD_DEFAULT, [*now, filled]))
    for at, one in enumerate(now):
        def put(new: dict[str, Any], at: int = at) -> list[dict[str, Any]]:
            return [*now[:at], new, *now[at + 1:]]

        kind = one["type"]
        if len(now) > 1:
            found.append((DROP, now[:at] + now[at + 1:]))
        if "default" in one:
            bare = {key: value for key, value in one.items() if key != "default"}
            found.append((NO_DEFAULT, put(bare)))
        if isinstance(kind, dict):
            found += [
                (step, put({**one, "type": {**kind, "symbols": symbols}}))
                for step, symbols in (
                    (SYMBOL, [*kind["symbols"], f"S{len(kind['symbols'])}"]),
                    (NO_SYMBOL, kind["symbols"][:-1]),
                ) if symbols and len(symbols) < 5
            ]  # fmt: skip
        elif isinstance(kind, str):
            for step, to in ((WIDEN, WIDER.get(kind)), (NARROW, NARROWER.get(kind))):
                if to:
                    found.append((step, put({"name": one["name"], "type": to})))
            found.append((NULLABLE, put({"name": one["name"], "type": ["null", kind]})))
            if free:
                filled = {"name": free[0], "type": kind, "default": DEFAULTS[kind]}
                found.append((RENAME_DEFAULT, put(filled)))
                alias = {"name": free[0], "type": kind, "aliases": [one["name"]]}
                found.append((RENAME_ALIAS, put(alias)))
    return found


def data_of(schema: Schema) -> st.SearchStrategy[Any]:
    """Data that may be written under a schema of Avro."""
    assert isinstance(schema.parsed, AvroSchema)
    return _data(schema.parsed)


def _data(schema: AvroSchema) -> st.SearchStrategy[Any]:
    match schema.kind:
        case "record":
            return st.fixed_dictionaries(
                {one.name: _data(one.schema) for one in schema.fields.values()}
            )
        case "enum":
            return st.sampled_from(schema.symbols)
        case "union":
            return st.one_of([
                _data(one).map(lambda value, label=one.label: Branch(label, value))
                for one in schema.branches
            ])  # fmt: skip
    return st.sampled_from({
        "null": [None], "boolean": [True, False], "int": [0, 1, -1, 2**31 - 1],
        "long": [0, -3, 2**40], "double": [0.0, 1.5], "float": [0.0, 0.5],
        "string": ["", "x", "o-1"], "bytes": [b"", b"\xff"],
    }[schema.kind])  # fmt: skip


@st.composite
def written_chains(draw: Any, versions: int = 3) -> tuple[tuple[Version, Any], ...]:
    """A chain, and of each version a datum that was written under it."""
    chain = draw(chains(versions))
    return tuple((one, draw(data_of(one.schema))) for one in chain)


# --- JSON ----------------------------------------------------------------------------------------


class Change(NamedTuple):
    """A change of a JSON Schema: what was done, and both documents."""

    step: str
    before: Schema
    after: Schema
    old_model: Any  # additionalProperties, before and after.
    new_model: Any


def json_object(properties: dict[str, Any], model: Any, **more: Any) -> Schema:
    """An object with these properties; `model` is what additionalProperties says, None nothing."""
    document = {"type": "object", "properties": properties, **more}
    if model is not None:
        document["additionalProperties"] = model
    return Schema(document, JSON)


MODELS = (None, True, False, {"type": "string"})
OPENED = (*((one, one) for one in MODELS), *((shut, open_) for shut in MODELS[2:]
          for open_ in MODELS[:2]))  # fmt: skip
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
PROPERTY_ADDED, PROPERTY_REMOVED = "optional property added", "property removed"


@st.composite
def property_changes(draw: Any) -> Change:
    """A property is added, or removed; the content model stays, or is opened at once."""
    old_model, new_model = draw(st.sampled_from(OPENED))
    kind = draw(st.sampled_from((TEXT, WHOLE)))
    few, many = {"order_id": TEXT}, {"order_id": TEXT, "note": kind}
    if draw(st.booleans()):
        few, many = {**few, "total": WHOLE}, {**many, "total": WHOLE}
    added = draw(st.booleans())
    old, new = (few, many) if added else (many, few)
    return Change(
        PROPERTY_ADDED if added else PROPERTY_REMOVED,
        json_object(old, old_model), json_object(new, new_model), old_model, new_model,
    )  # fmt: skip


# A kind of change, and what the schema of `note` says before it and after.
TIGHTER: dict[str, tuple[Any, Any]] = {
    "choices narrowed": ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}),
    "multiple asked for": ({"type": "number"}, {"type": "number", "multipleOf": 2}),
    "uniqueness asked for": (
        {"type": "array", "items": WHOLE}, {"type": "array", "items": WHOLE, "uniqueItems": True}),
    "everything to nothing": (True, False),
    "another constant": ({"const": "a"}, {"const": "b"}),
    "forbidden": ({"not": {"type": "string"}}, {"not": {"type": ["string", "integer"]}}),
    "type narrowed": ({"type": "number"}, {"type": "integer"}),
    "longest shortened": ({"type": "string", "maxLength": 5}, {"type": "string", "maxLength": 3}),
    "least raised": ({"type": "number", "minimum": 1}, {"type": "number", "minimum": 2}),
}
REQUIRED_DEFAULT = "required with a default, added to a closed model"
REQUIRED = "required, and there before"
STEPS = (*TIGHTER, *(f"not {one}" for one in TIGHTER), REQUIRED_DEFAULT, REQUIRED, PROPERTY_ADDED)


@st.composite
def json_changes(draw: Any) -> Change:
    """One change of a schema: tighter, looser, or of its properties."""
    step = draw(st.sampled_from(STEPS))
    if step == PROPERTY_ADDED:
        return draw(property_changes())
    model = draw(st.sampled_from((None, False)))
    if step == REQUIRED_DEFAULT:
        filled = {"type": "string", "default": "none"}
        before = json_object({"order_id": TEXT}, False)
        after = json_object(
            {"order_id": TEXT, "promo_code": filled}, False, required=["promo_code"]
        )
        return Change(step, before, after, False, False)
    if step == REQUIRED:
        both = {"order_id": TEXT}
        after = json_object(both, model, required=["order_id"])
        return Change(step, json_object(both, model), after, model, model)
    pair = TIGHTER[step.removeprefix("not ")]
    old, new = pair if step in TIGHTER else pair[::-1]
    return Change(
        step, json_object({"note": old}, model), json_object({"note": new}, model), model, model
    )
