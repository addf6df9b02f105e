"""Where do duplicates come from when answers get lost, and who can stop them?

A broker has stored a record and its answer is lost. The producer's retry stores it again, unless
the producer is idempotent. But an application may lose patience before its producer does, and send
the event once more: to the producer that is another record. The last line of defence is a reader
that remembers the events' ids in the transaction of their effects.

Predict before you run it: which of the three senders doubles events at 5 % lost answers? Which of
the two readers lets a doubled event be applied twice?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import (
    APPLIED_TWICE,
    FROM_US,
    LATENCY,
    LOST,
    PATIENCE,
    SESSION,
    STORED_TWICE,
    lossy,
    plotted,
)
from models.systems.orders import LEDGER, SINKS, TOPIC, work
from models.topics.load import Load
from models.topics.resending import resending
from simulator import Cluster, Experiment, Scenario, Serving, Topic, Topology, uniform


@attrs.frozen
class Sender:
    """Who sends: its producer's settings, and how long the application waits for it."""

    name: str
    idempotence: bool
    patience_ms: int | None = None


PLAIN = Sender("retries", idempotence=False)
IDEMPOTENT = Sender("idempotent", idempotence=True)
IMPATIENT = Sender("idempotent, sends again", idempotence=True, patience_ms=600)
SENDERS = (PLAIN, IDEMPOTENT, IMPATIENT)
READERS = {"naive": "naive", "remembers ids": "idempotent"}
LOST_ANSWERS = {"none": 0.0, "5%": 0.05, "20%": 0.2}
ORDERS, EVERY_US = 20, 40_000


def deploy(cluster: Cluster, sender: Sender, sink: str) -> None:
    """One application that sends orders, and a group of two that bills them."""
    cluster.store(LEDGER)
    resending(
        cluster,
        "order-service",
        work(ORDERS, EVERY_US, FROM_US),
        {**PATIENCE, "linger.ms": 0, "enable.idempotence": sender.idempotence},
        patience_ms=sender.patience_ms,
    )
    serving = Serving(
        topics=(TOPIC,),
        settings={**SESSION, "auto.offset.reset": "earliest"},
        processing=uniform(1_000, 5_000),
    )
    cluster.group("billing", 2, SINKS[sink], serving)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders from an application of its own, over wires that lose answers."""
    return Scenario(
        name="lost answers",
        topology=Topology(topics=(Topic(TOPIC, 3),), links=lossy(answers=factors["lost answers"])),
        application=partial(deploy, sender=factors["sender"], sink=READERS[factors["reader"]]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Stored twice by a sender that doubles, applied twice where a naive reader meets it."""
    doubles = factors["lost answers"] and factors["sender"] is not IDEMPOTENT
    twice = doubles and factors["reader"] == "naive"
    return {
        "stored_once": "broken" if doubles else "kept",
        "never_applied_twice": "broken" if twice else "kept",
        "never_lost": "kept",
    }


EXPERIMENT = Experiment(
    name="lost_answer_duplicates",
    question="Where do duplicates come from when answers get lost, and who can stop them?",
    scenario=scenario,
    factors={"sender": SENDERS, "reader": tuple(READERS), "lost answers": LOST_ANSWERS},
    measures={
        "stored twice": STORED_TWICE,
        "applied twice": APPLIED_TWICE,
        "lost": LOST,
        "latency": LATENCY,
    },
    checks=("stored_once", "never_applied_twice", "never_lost"),
    promises=expected,
    runs=40,
    baseline={"sender": IDEMPOTENT.name, "reader": "naive"},
    gather=Load,
)

illustrate = plotted
