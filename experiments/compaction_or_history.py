"""What can be rebuilt from a compacted topic, and what only from the whole history?

A compacted topic keeps the newest record of each key. If a record says what an account's balance
is, that is all a reader needs; if it says what was added, the sum is gone. And a closed account
is a tombstone, which is kept for delete.retention.ms only: who was away for longer never learns
of it.

Predict before you run it: three readers rebuild twelve accounts, of which four are closed. One
reads all along, one begins late, one sleeps in the middle, past the tombstones. Which of them is
wrong, with which topic, and about which accounts? Which share of the events does the late one
see?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import (
    SECOND_US,
    WIRE,
    plotted,
)
from models.topics.accounts import (
    BALANCES,
    CHANGES,
    Reading,
    Window,
    plan,
    rebuilding,
    rebuilt,
    telling,
    truth,
)
from simulator import Cluster, Experiment, Scenario, Topic, Topology, share

TOPIC = "accounts"
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "all kept": {"cleanup.policy": "delete", "retention.ms": -1},
    "compacted": {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": 0.01,
        "delete.retention.ms": 2_000,
    },
}
CLEANER = {"log.initial.task.delay.ms": 500, "log.cleaner.backoff.ms": 500}
TOLD = {"what was added": CHANGES, "the balance": BALANCES}
ACCOUNTS, TIMES, CLOSED, EVERY_US = 12, 20, 4, 20_000
FROM_US, MIDDLE_US, LATE_US, END_US = (at * SECOND_US for at in (1, 4, 16, 20))
READERS: Mapping[str, tuple[Window, ...]] = {
    "all along": ((0, END_US),),
    "begins late": ((LATE_US, END_US),),
    "sleeps": ((0, MIDDLE_US), (LATE_US, END_US)),
}


def deploy(cluster: Cluster, told: str, windows: tuple[Window, ...]) -> None:
    """A bank and a reader."""
    changes = plan(ACCOUNTS, TIMES, CLOSED, EVERY_US)
    telling(cluster, TOPIC, changes, told, from_us=FROM_US, until_us=LATE_US)
    rebuilding(cluster, TOPIC, told, windows, truth(changes))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Five seconds of changes, and a quarter of a minute for the cleaner."""
    settings = {**factors["topic"], "segment.ms": 1_000}
    return Scenario(
        name="compaction or history",
        topology=Topology(topics=(Topic(TOPIC, 1, settings=settings),), links=(WIRE,)),
        application=partial(deploy, told=factors["told"], windows=factors["reader"]),
        broker=CLEANER,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Sums want the history; states want nobody to sleep past a tombstone."""
    compacted = factors["topic"] is POLICIES["compacted"]
    sums, reader = factors["told"] == CHANGES, factors["reader"]
    wrong = compacted and reader != READERS["all along"] and (sums or reader == READERS["sleeps"])
    return {"rebuilt": "broken" if wrong else "kept"}


EXPERIMENT = Experiment(
    name="compaction_or_history",
    question="What can be rebuilt from a compacted topic, and what only from the whole history?",
    scenario=scenario,
    factors={"topic": POLICIES, "told": TOLD, "reader": READERS},
    measures={
        "accounts wrong": share(lambda run: (run.wrong, run.accounts)),
        "events seen": share(lambda run: (run.seen, run.told), more_is_better=True),
    },
    checks=(rebuilt,),
    promises=expected,
    runs=10,
    baseline={"topic": "all kept"},
    gather=Reading,
)

illustrate = plotted
