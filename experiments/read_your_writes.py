"""A client writes, and looks at once: how often is the answer older than what it has written?

The read side follows the log and is behind it. A client can take what there is (and refresh, and
refresh); it can bring the position of its write and wait for it; or the write can carry the read
model along in its own transaction, so that everybody who writes waits instead.

Asked in lagom/lagom#2017, commanded/commanded#82, johanhaleby/occurrent#361 and
dilgerma/eventsourcing-book#84.

Predict before you run it: the projector looks every 20 ms, every 200 ms or every 1.5 s. How stale
is a plain read? How long does a reader wait that looks after 100, 200, 400, 800 ms (a second at
most), and how often in vain? What does looking every 10 ms gain?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from models.patterns.read_models import cqrs
from models.patterns.read_models.cqrs import Waiting
from models.patterns.read_models.note_load import NoteLoad
from models.patterns.read_models.read_promises import equals_replay, own_writes_seen
from simulator import Experiment, Scenario, Topology, exponential, samples, share

WRITES = 20
ROWS_WIRE = attrs.evolve(WIRE, latency=exponential(1_500, floor_us=300))


@attrs.frozen
class How:
    """How a client writes and reads."""

    read: Any = cqrs.read_after
    waiting: Waiting = cqrs.PATIENT
    inline: bool = False


READS = {
    "plain read": How(cqrs.plain_read),
    "wait, 100 ms doubling": How(),
    "wait, every 10 ms": How(waiting=Waiting(first_ms=10, longest_ms=10)),
    "inline projection": How(cqrs.plain_read, inline=True),
}
PAUSES = {"20 ms": 20_000, "200 ms": 200_000, "1.5 s": 1_500_000}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """One client, one projector; nothing fails."""
    how, pause_us = factors["read"], factors["projector"]
    client = partial(
        cqrs.write_then_read, quantities=(1,) * WRITES, read=how.read, waiting=how.waiting,
        inline=how.inline, every_us=130_000,
    )  # fmt: skip
    follow = () if how.inline else (("views", pause_us),)
    return Scenario(
        name="read your writes",
        topology=Topology(links=(ROWS_WIRE,)),
        application=partial(
            cqrs.deploy, quantities=(), until=WRITES, replicas=follow, client=client
        ),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only a plain read of a model that follows is older than the write."""
    how = factors["read"]
    plain = how.read is cqrs.plain_read and not how.inline
    return {"own_writes_seen": "broken" if plain else "kept", "equals_replay": "kept"}


def stale(run: NoteLoad) -> tuple[int, int]:
    """Answers that are older than the write, or late, of all."""
    answers = run.notes.get("answered", [])
    behind = sum(seen == "late" or int(seen) < int(wrote) for wrote, seen, *_ in answers)
    return behind, len(answers)


def late(run: NoteLoad) -> tuple[int, int]:
    """Answers that said: not yet."""
    answers = run.notes.get("answered", [])
    return sum(seen == "late" for _, seen, *_ in answers), len(answers)


EXPERIMENT = Experiment(
    name="read_your_writes",
    question="A client writes, and looks at once: how often is the answer older than its write?",
    scenario=scenario,
    factors={"read": READS, "projector": PAUSES},
    measures={
        "own write not seen": share(stale),
        "late": share(late),
        "model behind": samples(lambda run: run.staleness_us, quantiles=(0.5, 0.99)),
        "answer": samples(lambda run: run.column("answered", 2), quantiles=(0.5, 0.99)),
        "write": samples(lambda run: run.column("answered", 3), quantiles=(0.5,)),
    },
    checks=(own_writes_seen, equals_replay),
    promises=expected,
    runs=15,
    baseline={"read": "wait, 100 ms doubling"},
    gather=NoteLoad,
)

illustrate = plotted
