"""The subject is BACKWARD: why does an old event crash the new consumer?

Three versions of an order: without a promo_code, with one that has a default, with one that has
none. Each reads the one before, so BACKWARD takes them all; and the third does not read the first
(confluentinc/schema-registry#209). A consumer that is deployed today reads the topic from its
beginning: five orders of each version. And some consumers decode by the writer's schema alone: for
them nobody fills in a default (confluentinc/confluent-kafka-python#892, schema-registry#2309).

Predict before you run it: which share of the events cannot be read under each level, with the
reader's own schema and without it? What does the transitive level cost the team?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._contracts import Reading, Written, accepted, deploy, unreadable
from experiments._shared import WIRE, plotted
from models.patterns.contracts.upgrade import TOPIC, everything_is_read
from simulator import Experiment, Scenario, Schema, Topic, Topology, Workload, share

LEVELS = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE")
EACH = 5
READERS = {"its own schema": True, "the writer's alone": False}


def order(*fields: Any) -> Schema:
    """An order with these fields beside its id."""
    return Schema({
        "type": "record", "name": "OrderPlaced",
        "fields": [{"name": "order_id", "type": "string"}, *fields],
    })  # fmt: skip


CODE = {"name": "promo_code", "type": "string"}
PLAIN = tuple({"order_id": f"o-{number}"} for number in range(EACH))
CODED = tuple({**one, "promo_code": "SPRING"} for one in PLAIN)
VERSIONS = (
    Written(order(), PLAIN),
    Written(order({**CODE, "default": "none"}), CODED),
    Written(order(CODE), CODED),
)


def with_promo_code(datum: Any) -> str:
    """What the program needs: promo_code is in its schema, since the second version."""
    return str(datum["promo_code"])


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """What the level takes is deployed, and read from the beginning."""
    versions = accepted(factors["level"], VERSIONS)
    application = partial(
        deploy, versions=versions, use=with_promo_code, resolves=factors["reader"]
    )
    return Scenario(
        name="schema levels",
        topology=Topology(topics=(Topic(TOPIC, 3),), links=(WIRE,)),
        workload=Workload(events=0),
        application=application,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A replay needs the transitive level, and a reader with a schema of its own."""
    kept = factors["level"] == "BACKWARD_TRANSITIVE" and factors["reader"]
    return {"everything_is_read": "kept" if kept else "broken"}


EXPERIMENT = Experiment(
    name="schema_levels",
    question="The subject is BACKWARD: why does an old event crash the new consumer?",
    scenario=scenario,
    factors={"level": LEVELS, "reader": READERS},
    measures={
        "unreadable": share(unreadable),
        "versions deployed": share(
            lambda run: (run.seen // EACH, len(VERSIONS)), more_is_better=True
        ),
    },
    checks=(everything_is_read,),
    promises=expected,
    runs=10,
    baseline={"level": "BACKWARD"},
    gather=Reading,
)

illustrate = plotted
