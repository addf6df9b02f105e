"""Why is my JSON Schema incompatible, and what would have happened if the registry had let it pass?

An optional property is added, or one that is required and has a default, or one is removed; the
objects are open (they may have properties that no schema names) or closed. Of the old events of
open objects, some have a promo_code already, a number, because nobody forbade it.

STRICT is how Confluent's registry judges unless it is told otherwise: an optional property added to
an open object is refused (confluentinc/schema-registry#1458, #1529, #1490, #2121, #2927,
Apicurio/apicurio-registry#2135, #2601, #2882), and a required one with a default passes if the
object is closed, although no validator fills a default in (confluentinc/schema-registry#1778).
LENIENT judges as if readers were Avro's. NONE does not judge.

Predict before you run it: which of these changes break the reading of old events, and which of
those does STRICT let pass? Which does it refuse that would have done no harm here?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._contracts import Reading, Written, accepted, deploy, unreadable
from experiments._shared import WIRE, plotted
from models.patterns.contracts.upgrade import TOPIC, everything_is_read
from simulator import (
    ABSENT,
    JSON,
    STRICT,
    Experiment,
    Scenario,
    Schema,
    Seeded,
    Topic,
    Topology,
    Workload,
    counterexample,
    poisson,
    share,
)

OLD, NEW = 20, 5
STRAYS = 5  # One in so many old events of an open object has a promo_code of its own kind.
MODELS = ("open", "closed")
OPTIONAL, REQUIRED, REMOVED = "optional added", "required with default added", "removed"
CHANGES = (OPTIONAL, REQUIRED, REMOVED)
POLICIES = ("STRICT", "LENIENT", "NONE")
TEXT = {"type": "string"}


def payload(model: str, *names: str, filled: bool = False) -> Schema:
    """An object with these properties, all of them texts."""
    kind = {**TEXT, "default": "none"} if filled else TEXT
    document: dict[str, Any] = {"type": "object", "properties": dict.fromkeys(names, kind)}
    if filled:
        document["required"] = ["promo_code"]
    if model == "closed":
        document["additionalProperties"] = False
    return Schema(document, JSON)


def versions(change: str, model: str, seed: int) -> tuple[Written, Written]:
    """Before the change and after it; which old events are strays is drawn."""
    few, many = payload(model, "order_id"), payload(model, "order_id", "promo_code")
    said, more = {"order_id": "o-1"}, {"order_id": "o-1", "promo_code": "SPRING"}
    if change == REMOVED:
        return Written(many, (more,) * OLD), Written(few, (said,) * NEW)
    draws = [
        item.at_us % STRAYS == 0
        for item in Workload(events=OLD, arrivals=poisson(10)).stream(Seeded(seed))
    ]
    strays = [model == "open" and (stray or not at) for at, stray in enumerate(draws)]
    old = tuple({**said, "promo_code": 7} if stray else said for stray in strays)
    after = many if change == OPTIONAL else payload(model, "order_id", "promo_code", filled=True)
    return Written(few, old), Written(after, (more,) * NEW)


def taken(factors: Mapping[str, Any], seed: int) -> list[Written]:
    """What the policy lets pass."""
    level = "NONE" if factors["policy"] == "NONE" else "BACKWARD"
    policy = STRICT if factors["policy"] == "NONE" else factors["policy"]
    return accepted(level, versions(factors["change"], factors["objects"], seed), policy)


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """The change is made, if it passes, and all events are read with the newest schema."""
    application = partial(
        deploy, versions=taken(factors, seed), use=lambda datum: datum["order_id"],
        settings={"json.fail.invalid.schema": True},
    )  # fmt: skip
    return Scenario(
        name="JSON contracts",
        topology=Topology(topics=(Topic(TOPIC, 3),), links=(WIRE,)),
        workload=Workload(events=0),
        application=application,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What is refused harms nobody; what passes does exactly if an instance can be found."""
    stand = taken(factors, 1)
    harmless = len(stand) == 1 or counterexample(stand[0].schema, stand[1].schema) is ABSENT
    return {"everything_is_read": "kept" if harmless else "broken"}


EXPERIMENT = Experiment(
    name="json_contracts",
    question="Why is my JSON Schema incompatible, and what if the registry had let it pass?",
    scenario=scenario,
    factors={"change": CHANGES, "objects": MODELS, "policy": POLICIES},
    measures={
        "refused": share(lambda run: (int(run.seen == OLD), 1), more_is_better=None),
        "unreadable": share(unreadable),
    },
    checks=(everything_is_read,),
    promises=expected,
    runs=10,
    baseline={"policy": "STRICT"},
    gather=Reading,
)

illustrate = plotted
