"""An append gets no answer and is sent again: when is the event in the stream twice?

With the version that was looked at, the second try finds its own ids in its places, and is told
that it has happened. With any version there is nothing to compare. And a client that first looks
where the stream is now, and appends there, has told the store that it means a new event: ids are
compared place by place, and not looked up in an index.

Asked in kurrent-io/KurrentDB#1949, #1970, #2274 (duplicate ids in one stream) and #1898 (the same
ids at a newer version are appended again).

Predict before you run it: one answer in twenty is lost. Which share of events is stored twice by
each? Who sells more than there is, even when nothing is lost? What does it cost to be exact?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import plotted
from models.patterns.event_sourcing import stock_service, stored_events
from models.patterns.event_sourcing.event_promises import never_oversold, stored_once_by_id
from models.patterns.event_sourcing.stock import Reserve
from models.patterns.read_models.note_load import NoteLoad
from simulator import Experiment, Link, Scenario, Topology, exponential, number, share

SELLERS, ORDERS, STOCKED = 8, 4, 28
APPENDS = {
    "exact version": stored_events.append_exactly,
    "any version": stored_events.append_anywhere,
    "reload, append there": stored_events.append_reloading,
}
LOSSES = {"none": 0.0, "5 %": 0.05}
SLOW = exponential(2_000, floor_us=500)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Four sellers of one thing, of which there is not enough."""
    sellers = tuple(
        tuple(Reserve(f"o-{seller}-{order}") for order in range(ORDERS))
        for seller in range(SELLERS)
    )
    links = (
        Link("ledger", "seller-*", SLOW, loss=factors["answers lost"], messages="TransactResponse"),
        Link(latency=SLOW),
    )
    return Scenario(
        name="appends",
        topology=Topology(links=links),
        application=partial(
            stock_service.deploy, sellers=sellers, quantity=STOCKED, append=factors["append"]
        ),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Exact appends keep both; the others double what was not answered, and `any` oversells.

    With answers lost the sellers are seldom at the last piece together: whether one of them sells
    it twice is chance, and promised of the exact append alone.
    """
    append, lost = factors["append"], factors["answers lost"] > 0
    exact = append is stored_events.append_exactly
    promised = {"stored_once_by_id": "kept" if exact or not lost else "broken"}
    if exact or not lost:
        anywhere = append is stored_events.append_anywhere
        promised["never_oversold"] = "broken" if anywhere else "kept"
    return promised


EXPERIMENT = Experiment(
    name="append_retried",
    question="An append gets no answer and is sent again: when is the event stored twice?",
    scenario=scenario,
    factors={"append": APPENDS, "answers lost": LOSSES},
    measures={
        "stored twice": share(lambda run: run.doubled),
        "refused": number(lambda run: run.refused, unit="appends", more_is_better=False),
    },
    checks=(stored_once_by_id, never_oversold),
    promises=expected,
    runs=20,
    baseline={"append": "exact version"},
    gather=NoteLoad,
)

illustrate = plotted
