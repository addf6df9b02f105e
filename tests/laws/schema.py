"""Schema evolution: what a level promises, of data, of a replay, of an upgrade (S01 to S13)."""

from itertools import pairwise
from typing import Any

from models.patterns.contracts.rollouts import (
    BACKWARD,
    CONSUMERS_FIRST,
    FORWARD,
    FULL,
    PRODUCERS_FIRST,
    PRODUCERS_FIRST_DRAINED,
    TOGETHER,
    Rollout,
)
from models.patterns.contracts.upgrade import everything_is_read, upgrading
from models.patterns.retrying.dead_letters import publishing, reserialised
from models.patterns.retrying.retries import retrying
from simulator import (
    ABSENT,
    Backoff,
    CodecError,
    Fixed,
    Registered,
    Registry,
    Schema,
    counterexample,
    reasons,
)
from simulator.contracts.avro_reading import Read, read_avro
from simulator.contracts.contracts import faults
from simulator.contracts.json_difference import STRICT, json_incompatibilities
from simulator.contracts.levels import Level
from tests.few_orders import BROKER, SESSION
from tests.laws.law import Law, Right, Rule, Twin
from tests.laws.poison import DEAD, billing, poisoned, undecodable_is_laid_aside
from tests.laws.schemas import (
    ADD_DEFAULT,
    DROP,
    NULLABLE,
    PROPERTY_ADDED,
    RENAME_ALIAS,
    RENAME_DEFAULT,
    REQUIRED,
    REQUIRED_DEFAULT,
    SYMBOL,
    Change,
    chains,
    json_changes,
    property_changes,
    written_chains,
)

LEVELS = tuple(Level)


def reads(datum: Any, writer: Schema, reader: Schema) -> bool:
    """Whether the reader can make something of what was written."""
    return isinstance(read_avro(datum, writer.parsed, reader.parsed), Read)


def seen(datum: Any, writer: Schema, reader: Schema) -> Any:
    return read_avro(datum, writer.parsed, reader.parsed).value


def accepts(level: str, history: Any, candidate: Schema) -> bool:
    """Whether a registry with this history takes the candidate at the level."""
    registry = Registry(Level.NONE)
    for schema in history:
        registry.register("orders-value", schema)
    registry.set_level(level)
    return registry.check("orders-value", candidate) is None


def standing(level: str, chain: Any) -> list[Any]:
    """Those versions of a chain (with what belongs to each) which the registry takes in turn."""
    registry, stand = Registry(level), []
    for version in chain:
        answer = registry.register("orders-value", version[0].schema)
        if isinstance(answer, Registered) and answer.new:  # What stands already is not newer.
            stand.append(version)
    return stand


# --- S01 to S03: a level's promise, of data ------------------------------------------------------

UNSEEN = ("NAME_MISMATCH", "MISSING_ENUM_SYMBOLS", "MISSING_UNION_BRANCH")


def by_schema_compatibility(writer: Schema, reader: Schema) -> bool:
    return not reasons(writer, reader)


def by_resolver_alone(writer: Schema, reader: Schema) -> bool:
    """As a resolver that fails on a datum, not on a schema, would see it (SchemaValidator)."""
    return all(one.kind in UNSEEN for one in reasons(writer, reader))


def s01(compatible: Any, case: Any) -> bool:
    (old, datum), (new, _) = case
    return not compatible(old.schema, new.schema) or reads(datum, old.schema, new.schema)


def s02(variant: tuple[str, str], case: Any) -> bool:
    """`variant` is the level, and what kind of breach counts ("" is any)."""
    level, kind = variant
    stand = standing(level, case)
    return all(
        reads(datum, old.schema, stand[-1][0].schema)
        or kind not in ("", *(one.kind for one in reasons(old.schema, stand[-1][0].schema)))
        for old, datum in stand
    )


def s03(variant: tuple[str, str], case: Any) -> bool:
    """`variant` is the level, and which step is looked at ("" is any)."""
    level, step = variant
    return all(
        reads(datum, new.schema, old.schema)
        for (old, _), (new, datum) in pairwise(standing(level, case))
        if step in ("", new.step)
    )


# --- S04 to S08 ----------------------------------------------------------------------------------


def s04(full: Any, case: Any) -> bool:
    history, candidate = [one.schema for one in case[:-1]], case[-1].schema
    both = all(accepts(level, history, candidate) for level in ("BACKWARD", "FORWARD"))
    return bool(full(history, candidate)) == both


def only_one_way(history: Any, candidate: Schema) -> bool:
    return any(accepts(level, history, candidate) for level in ("BACKWARD", "FORWARD"))


def s05(judge: Any, case: Any) -> bool:
    history, candidate = [one.schema for one in case[:-1]], case[-1].schema
    taken = {level: judge(level, history, candidate) for level in LEVELS}
    strictest = not taken[Level.FULL_TRANSITIVE] or all(taken.values())
    return strictest and all(
        not taken[Level(f"{level}_TRANSITIVE")] or taken[level]
        for level in (Level.BACKWARD, Level.FORWARD, Level.FULL)
    )


def oldest_only(level: str, history: Any, candidate: Schema) -> bool:
    """A registry whose transitive levels compare with the first version alone."""
    history = history[:1] if level.endswith("TRANSITIVE") else history
    return accepts(level, history, candidate)


def s06(judge: Any, case: Any) -> bool:
    schema = case[0].schema
    return bool(faults(schema)) or all(judge(level, [schema], schema) for level in LEVELS)


def wants_defaults(level: str, history: Any, candidate: Schema) -> bool:
    """A registry which takes it that a nullable field of a reader needs a default of its own."""
    fields = candidate.document["fields"]
    needy = any(isinstance(one["type"], list) and "default" not in one for one in fields)
    return accepts(level, history, candidate) and (level == "NONE" or not needy)


def by_both_schemas(datum: Any, writer: Schema, reader: Schema) -> Any:
    return seen(datum, writer, reader)


def by_the_writers_alone(datum: Any, writer: Schema, _: Schema) -> Any:
    return seen(datum, writer, writer)


def s07(read: Any, case: Any) -> bool:
    (old, datum), (new, _) = case
    if reasons(old.schema, new.schema):
        return True
    wrote = {one["name"] for one in old.schema.document["fields"]}
    found = read(datum, old.schema, new.schema)
    fields = {one["name"]: one for one in new.schema.document["fields"]}
    filled = {
        name: one["default"] for name, one in fields.items()
        if name not in wrote and not one.get("aliases")
    }  # fmt: skip
    return found.keys() == fields.keys() and filled.items() <= found.items()


def s08(level: str, case: Any) -> bool:
    """The newest reads everything; and where the chain is not transitive, something breaks it."""
    stand = standing(level, case)
    newest = stand[-1][0].schema
    replayed = all(reads(datum, old.schema, newest) for old, datum in stand)
    transitive = accepts("BACKWARD_TRANSITIVE", [old.schema for old, _ in stand[:-1]], newest)
    breaking = [counterexample(old.schema, newest) for old, _ in stand[:-1]]
    return replayed and transitive == all(one is ABSENT for one in breaking)


# --- S09: an upgrade -----------------------------------------------------------------------------


def s09(change: Any, order: str, pause_ms: int = 300, *, waits: bool = False) -> Any:
    rollout = Rollout(order, pause_ms=pause_ms, waits=waits)
    return upgrading(change, rollout, every_ms=700, settings=SESSION, broker=BROKER)


# --- S10 to S12 ----------------------------------------------------------------------------------


def s10(step: str, case: Any) -> bool:
    """A rename that the registry accepts keeps the value."""
    (old, datum), (new, _) = case
    if new.step != step or reasons(old.schema, new.schema):
        return True
    gone = [one["name"] for one in old.schema.document["fields"]]
    fields = [one["name"] for one in new.schema.document["fields"]]
    at = next(place for place, name in enumerate(gone) if name not in fields)
    return bool(seen(datum, old.schema, new.schema)[fields[at]] == datum[gone[at]])


def covers(model: Any, kind: Any) -> bool:
    return isinstance(model, dict) and model == kind


def s11(variant: tuple[str, bool], change: Change) -> bool:
    """Added: iff the old model is closed, or covers it. Removed: iff the new is open, or does.

    `variant` is the policy, and whether it is (wrongly) the other of the two models that counts.
    """
    policy, other = variant
    added = change.step == PROPERTY_ADDED
    model = change.old_model if added != other else change.new_model
    kind = (change.after if added else change.before).document["properties"]["note"]
    free = model is False if added else model in (None, True)
    accepted = not reasons(change.before, change.after, policy)
    return accepted == (free or covers(model, kind))


def s12(variant: tuple[frozenset[str], str], change: Change) -> bool:
    """`variant` is what is allowed, and which step counts ("" is any)."""
    allowed, step = variant
    if step not in ("", change.step):
        return True
    if json_incompatibilities(change.before.parsed, change.after.parsed, allowed):
        return True
    return counterexample(change.before, change.after) is ABSENT


FILLED = {
    "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
}
KARAPACE = STRICT | {
    "ENUM_ARRAY_NARROWED", "ENUM_ARRAY_CHANGED", "MULTIPLE_OF_ADDED", "UNIQUE_ITEMS_ADDED",
    "REQUIRED_ATTRIBUTE_ADDED", "NOT_TYPE_EXTENDED", "SCHEMA_ADDED", "TYPE_CHANGED",
    "COMBINED_TYPE_CHANGED",
}  # fmt: skip
MISSED = (
    "choices narrowed", "multiple asked for", "uniqueness asked for", "everything to nothing",
    "another constant", "forbidden",
)  # fmt: skip


# --- S13 -----------------------------------------------------------------------------------------

POLICY = Backoff(law=Fixed(10_000), max_retries=2)


def laid_aside(write: Any = None, permanent: Any = (CodecError,)) -> Any:
    letters = publishing(DEAD, "billing") if write is None else publishing(DEAD, "billing", write)
    return poisoned(retrying(billing, POLICY, giving_up=letters, permanent=permanent))


LAWS = (
    Rule(
        "S01",
        "At BACKWARD, whatever was written under a version is read by the next.",
        written_chains(2),
        s01,
        right={"Java's SchemaCompatibility": by_schema_compatibility},
        twins={"resolver alone": by_resolver_alone},
        situation=lambda case: not reasons(case[0][0].schema, case[1][0].schema),
        situated="pairs that are accepted",
    ),
    Rule(
        "S02",
        "At BACKWARD_TRANSITIVE, whatever was written under any version is read by the newest.",
        written_chains(3),
        s02,
        right={"BACKWARD_TRANSITIVE": ("BACKWARD_TRANSITIVE", "")},
        twins={
            "BACKWARD, a default dropped in two steps":
                ("BACKWARD", "READER_FIELD_MISSING_DEFAULT_VALUE"),
            "BACKWARD, deleted and added again": ("BACKWARD", "TYPE_MISMATCH"),
        },
        situation=lambda case: len(standing("BACKWARD_TRANSITIVE", case)) == 3,
        situated="chains of which all three stand",
        examples=150,
    ),
    Rule(
        "S03",
        "At FORWARD, whatever is written under a version is read by the one before.",
        written_chains(2),
        s03,
        right={"FORWARD": ("FORWARD", "")},
        twins={
            f"BACKWARD, {step}": ("BACKWARD", step) for step in (RENAME_ALIAS, NULLABLE, SYMBOL)
        },
        situation=lambda case: len(standing("FORWARD", case)) == 2,
        situated="pairs that stand",
    ),
    Rule(
        "S04",
        "FULL is BACKWARD and FORWARD, pair by pair.",
        chains(3, least=2),
        s04,
        right={"FULL": lambda *case: accepts("FULL", *case)},
        twins={
            "one way is enough": only_one_way,
            "BACKWARD": lambda *case: accepts("BACKWARD", *case),
        },
        situation=lambda case: only_one_way([one.schema for one in case[:-1]], case[-1].schema),
        situated="candidates that one way at least accepts",
    ),
    Rule(
        "S05",
        "What a stricter level accepts, every laxer one accepts.",
        chains(3),
        s05,
        right={"the registry": accepts},
        twins={"transitive is the oldest alone": oldest_only},
        situation=lambda case: accepts(
            "FULL_TRANSITIVE", [one.schema for one in case[:-1]], case[-1].schema
        ),
        situated="candidates that the strictest accepts",
        examples=150,
    ),
    Rule(
        "S06",
        "A schema is compatible with itself at every level.",
        chains(4, least=1).map(lambda chain: chain[-1:]),
        s06,
        right={"the registry": accepts},
        twins={"null is its own default": wants_defaults},
    ),
    Rule(
        "S07",
        "A field that was not written has its default, and one that is not known vanishes.",
        written_chains(2),
        s07,
        right={"by the writer's schema and the reader's": by_both_schemas},
        twins={"by the writer's alone": by_the_writers_alone},
        situation=lambda case: case[1][0].step in (ADD_DEFAULT, DROP),
        situated="pairs with a field more, or less",
    ),
    Rule(
        "S08",
        "The newest consumer can replay everything, exactly if the chain is transitive.",
        written_chains(3),
        s08,
        right={"BACKWARD_TRANSITIVE": "BACKWARD_TRANSITIVE"},
        twins={"BACKWARD": "BACKWARD"},
        situation=lambda case: len(standing("BACKWARD_TRANSITIVE", case)) == 3,
        situated="chains of which all three stand",
        examples=150,
    ),
    Law(
        "S09",
        "Upgraded in the order of its level, no instance meets what it cannot read.",
        everything_is_read,
        "noted/across versions",
        right={
            "BACKWARD, consumers first": s09(BACKWARD, CONSUMERS_FIRST),
            # What an old shop has sent, and is late on the wire, no operator knows of.
            "FORWARD, producers first, and the rest read": Right(
                s09(FORWARD, PRODUCERS_FIRST_DRAINED, 5_000, waits=True),
                sites=("crash@billing-*", "delay@billing-*", "delay@*>billing-*"),
            ),
            "FULL, producers first": s09(FULL, PRODUCERS_FIRST),
            "FULL, one by one": s09(FULL, TOGETHER),
        },
        twins={
            "BACKWARD, producers first": Twin(s09(BACKWARD, PRODUCERS_FIRST), 0, "crash@none"),
            "FORWARD, consumers first": Twin(s09(FORWARD, CONSUMERS_FIRST), 0, "crash@none"),
            "FORWARD, producers first, the rest unread":
                Twin(s09(FORWARD, PRODUCERS_FIRST), 1, "crash@billing-*/before_commit"),
        },
        classes=("crash", "delay"),
        sites=("crash@billing-*", "delay@*"),
        runs=16,
    ),
    Rule(
        "S10",
        "A rename that is accepted keeps the value.",
        written_chains(2),
        s10,
        right={"with an alias": RENAME_ALIAS},
        twins={"with a default": RENAME_DEFAULT},
        situation=lambda case: case[1][0].step == RENAME_ALIAS,
        situated="renames with an alias",
        examples=150,
    ),
    Rule(
        "S11",
        "A property is added where the old model is closed, and removed where the new is open.",
        property_changes(),
        s11,
        right={"STRICT": ("STRICT", False)},
        twins={
            "LENIENT": ("LENIENT", False),
            "STRICT, by the model of the other version": ("STRICT", True),
        },
    ),
    Rule(
        "S12",
        "No instance that was valid before an accepted change is invalid after it.",
        json_changes(),
        s12,
        right={"STRICT without filled defaults": (STRICT - FILLED, "")},
        twins={
            "STRICT: required with a default": (STRICT, REQUIRED_DEFAULT),
            "as Karapace: required, and there before": (KARAPACE, REQUIRED),
            **{f"as Karapace: {step}": (KARAPACE, step) for step in MISSED},
        },
        situation=lambda case: not json_incompatibilities(
            case.before.parsed, case.after.parsed, STRICT - FILLED),
        situated="changes that are accepted",
        examples=40,
    ),
    Law(
        "S13",
        "What cannot be decoded is tried once, and reaches the dead letters with its bytes.",
        undecodable_is_laid_aside,
        "noted/undecodable",
        right={"a decode error is permanent": laid_aside()},
        twins={
            "tried again and again": Twin(poisoned(billing, horizon_ms=2_000), 0, "crash@none"),
            "tried three times": Twin(laid_aside(permanent=()), 0, "crash@none"),
            "serialised anew": Twin(laid_aside(reserialised), 0, "crash@none"),
        },
        classes=("crash", "delay"),
        sites=("crash@*", "delay@*"),
    ),
)


