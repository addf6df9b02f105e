"""What does a snapshot every N events save, and what does it know after the code has changed?

Each command loads its stream first. Without snapshots that is all of its events; with one every N
it is N at most. But at noon a new version of the code comes, whose fold counts what the old one
did not. A snapshot says by which code it was made; who does not ask goes on from a state that
today's code would never have reached, and every later snapshot hands it down.

Asked in AxonFramework/AxonFramework#566, #1391, #3518, eventflow/EventFlow#910,
proteanhq/protean#1362 and noddde/noddde#152.

Predict before you run it: two hundred commands. How many events does the median load read with a
snapshot every 5, 20, 100? How long does the one load take that finds its snapshot too old? And
which of these see it if the version is not asked for?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import WIRE, plotted
from models.patterns.event_sourcing import snapshots, stored_snapshots
from models.patterns.event_sourcing.stock import Receive, Release, Reserve
from models.patterns.event_sourcing.stored_snapshots import loads_as_folded
from models.patterns.read_models.note_load import NoteLoad
from simulator import Experiment, Scenario, Topology, number, samples

ORDERS = 66
EVERY = {"none": 0, "5": 5, "20": 20, "100": 100}
USABLE = {"of this code": snapshots.of_this_code, "of any code": snapshots.trusts_any_code}
COMMANDS = (
    Receive("d-1", ORDERS),
    *(
        command
        for order in range(ORDERS)
        for command in (Reserve(f"o-{order}"), Release(f"o-{order}"), Reserve(f"again-{order}"))
    ),
)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """One service, and two hundred commands; nothing fails."""
    return Scenario(
        name="snapshots",
        topology=Topology(links=(WIRE,)),
        application=partial(
            stored_snapshots.deploy, commands=COMMANDS, every=factors["every"],
            usable=factors["snapshots"],
        ),
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Broken where an old snapshot is trusted."""
    trusts = factors["snapshots"] is snapshots.trusts_any_code
    return {"loads_as_folded": "broken" if trusts and factors["every"] else "kept"}


def most_read(run: NoteLoad) -> int:
    """The most events that one load has read."""
    return max(run.column("loaded", 3), default=0)


EXPERIMENT = Experiment(
    name="snapshots",
    question="What does a snapshot every N events save, and what if the code has changed?",
    scenario=scenario,
    factors={"every": EVERY, "snapshots": USABLE},
    measures={
        "load": samples(lambda run: run.column("loaded", 4), quantiles=(0.5, 0.99)),
        "most events read": number(most_read, unit="events", more_is_better=False),
    },
    checks=(loads_as_folded,),
    promises=expected,
    runs=6,
    baseline={"every": "none"},
    gather=NoteLoad,
)

illustrate = plotted
