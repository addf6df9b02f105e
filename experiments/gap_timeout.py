"""When may a reader pass a gap in the positions of a log, and what does each answer cost?

Positions are drawn before the commit: a quick transaction shows 7 while a slow one still holds 6,
and one that is rolled back leaves a hole for ever. A reader that passes the hole after a while
loses what a slower transaction puts there; one that never does stops at the first rollback. So
"what timeout makes a gap safe to skip?" has no number for an answer, but there are readers that
ask the database who still runs, and writers that take turns.

Asked in JasperFx/marten#1629, #1879, #4952 and #4964 (events lost under concurrency), #3122 (a low
threshold skips), #3503 and #2681 (a gap stalls), and NEventStore/NEventStore#425 (which timeout?).

Predict before you run it: think times have a median of 20 ms, and one in a hundred takes 300 ms.
Which share of events does each timeout lose, and how late is the slowest event of a hundred? What
do the two that ask the database cost instead, and who pays for the lock?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from models.patterns.read_models import following, gaps
from models.patterns.read_models.follow_load import FollowLoad
from models.patterns.read_models.following import Write
from models.patterns.read_models.read_promises import never_skipped, never_stuck
from simulator import Experiment, Scenario, Topology, lognormal, samples, share

WRITERS, WRITES = 4, 12
EVERY_US, UNTIL_US, POLL_US = 60_000, 12_000_000, 20_000
THINK = lognormal(20_000, 1.2)
ROLLED_BACK = ((0, 3), (2, 9))  # Of (writer, write).


@attrs.frozen
class Reader:
    """A policy, and whether the writers take turns for it."""

    policy: Any
    lock: bool = False


READERS = {
    "id cursor": Reader(gaps.by_id),
    "gap timeout 50 ms": Reader(gaps.waits(gaps.after(50))),
    "gap timeout 200 ms": Reader(gaps.waits(gaps.after(200))),
    "gap timeout 3 s": Reader(gaps.waits(gaps.after(3_000))),
    "waits for ever": Reader(gaps.waits(gaps.never)),
    "takes it later": Reader(gaps.takes_later()),
    "proven dead": Reader(gaps.waits(gaps.proven)),
    "below oldest xid": Reader(gaps.below_xmin),
    "lock, id cursor": Reader(gaps.by_id, lock=True),
}
LOSES = ("id cursor", "gap timeout 50 ms", "gap timeout 200 ms")


def written() -> tuple[tuple[Write, ...], ...]:
    """What the writers do; how long each thinks is drawn."""
    return tuple(
        tuple(
            Write(f"{number}-{place}", place * EVERY_US, 2_000, (number, place) in ROLLED_BACK)
            for place in range(WRITES)
        )
        for number in range(WRITERS)
    )


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Four writers, one reader; nothing fails."""
    reader = factors["reader"]
    return Scenario(
        name="gaps",
        topology=Topology(links=(WIRE,)),
        application=partial(
            following.deploy, writers=written(), think=THINK, policy=reader.policy,
            lock=reader.lock, until_us=UNTIL_US, poll_us=POLL_US,
        ),
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who is impatient loses, who waits for ever is stuck."""
    reader = factors["reader"]
    name = next(name for name, one in READERS.items() if one is reader)
    return {
        "never_skipped": "broken" if name in LOSES else "kept",
        "never_stuck": "broken" if name == "waits for ever" else "kept",
    }


EXPERIMENT = Experiment(
    name="gap_timeout",
    question="When may a reader pass a gap in the positions of a log, and what does it cost?",
    scenario=scenario,
    factors={"reader": READERS},
    measures={
        "skipped": share(lambda run: run.skipped),
        "stuck": share(lambda run: run.stuck),
        "behind": samples(lambda run: run.latencies_us, quantiles=(0.5, 0.99)),
        "write": samples(lambda run: run.writes_us, quantiles=(0.5, 0.99)),
    },
    checks=(never_skipped, never_stuck),
    promises=expected,
    runs=20,
    baseline={"reader": "below oldest xid"},
    gather=FollowLoad,
)

illustrate = plotted
