"""Who counts the attempts at a record that kills whoever handles it?

Asked in MassTransit/MassTransit#2076 and pipeshub-ai/pipeshub-ai#3037: a limit of five attempts,
and a record of which the process dies. What is counted in memory begins anew with each process,
so the limit is never reached, and nothing behind the record is ever handled. Half a minute after
the last event somebody deploys a version that survives it.

Predict before you run it: how often does a process die if attempts are counted in memory, with
one instance and with two? If they are counted in a store, before each attempt? If the broker
counts deliveries (a share group)? How long do the others wait in each case, and where is the
record in the end?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, CRASHES, LONGEST, LOST, NOT_APPLIED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.redelivered import counted_by_broker
from models.patterns.retrying.retries import in_memory, persisted
from models.patterns.retrying.retry_promises import conserved, tried_at_most
from models.patterns.retrying.retry_setups import in_place, shared
from models.patterns.retrying.troubled import BROKER, troubled
from models.patterns.retrying.troubles import LEDGER, Troubles, changes
from simulator import Experiment, Scenario, lecture_loop

MEMORY, STORE, SHARED = "in memory", "in a store", "by the broker"
COUNTING = {MEMORY: in_memory, STORE: persisted(LEDGER)}
LIMIT = 5
LOCK = {
    "group.share.record.lock.duration.ms": 2_000,
    "group.share.min.record.lock.duration.ms": 1_000,
}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Twelve events, the first of which kills."""
    who, instances = factors["counted"], factors["instances"]
    application = (
        shared(counted_by_broker, instances=instances)
        if who == SHARED
        else in_place(lecture_loop(LIMIT), counting=COUNTING[who], instances=instances)
    )
    return troubled(
        application,
        Troubles(kills=("k0/1",)),
        items=changes(4, 3),
        links=(WIRE,),
        more={"broker": {**BROKER, **LOCK}},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who counts outside of the process keeps the limit; a share group has no dead letters."""
    who = factors["counted"]
    return {
        "tried_at_most": "broken" if who == MEMORY else "kept",
        "conserved": "broken" if who == SHARED else "kept",
    }


EXPERIMENT = Experiment(
    name="poison",
    question="Who counts the attempts at a record that kills whoever handles it?",
    scenario=scenario,
    factors={"counted": (MEMORY, STORE, SHARED), "instances": (1, 2)},
    measures={
        "attempts": ATTEMPTS,
        "processes that died": CRASHES,
        "longest wait of another": LONGEST,
        "not applied": NOT_APPLIED,
        "lost": LOST,
    },
    checks={"tried_at_most": tried_at_most(LIMIT), "conserved": conserved(always=False)},
    promises=expected,
    runs=5,
    baseline={"counted": MEMORY},
    gather=Handled,
)

illustrate = plotted
