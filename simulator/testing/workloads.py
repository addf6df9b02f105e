"""Workloads for Hypothesis: what is sent, when, and under which key.

They come in two shapes. Event by event, each has its time, its key and its value: these shrink to
the events that matter, sent together under one key. By law, a number of events comes steadily, at
random or in bursts, to keys that are alike or not: of these a chooser draws, as any scenario's.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.workload import (
    WorkItem,
    Workload,
    bursts,
    hot_key,
    poisson,
    skewed_keys,
    steady,
    uniform_keys,
)
from simulator.testing.drawing import must_be_strategy, must_be_whole
from simulator.testing.staging import envelope

GAPS_MS = (0, 1, 10, 100, 1_000)
RATES = st.sampled_from((10, 100, 1_000, 1))
SIZES = st.integers(1, 8)
Draw = Callable[[st.SearchStrategy[Any]], Any]  # As Hypothesis hands it to a composite.


def workloads(
    topics: str | Sequence[str] = "orders",
    *,
    events: int = 8,
    least: int = 1,
    keys: int = 3,
    values: st.SearchStrategy[str] | None = None,
    by_law: bool | None = None,
) -> st.SearchStrategy[Workload]:
    """Workloads of at most so many events to these topics.

    Args:
        least: how many events there are at least.
        keys: under how many keys at most, k0, k1, ...; some events have none.
        values: of single events; by default each is an envelope, as in any workload.
        by_law: whether the events come by a law: only so, never, or (None) either.

    Raises:
        BadInput: there is no topic; a number is too small or none; the values are no strategy; or
            by law to several topics.
    """
    names = (topics,) if isinstance(topics, str) else tuple(topics)
    must_be_whole("workloads.least", least)
    must_be_whole("workloads.events", events, least=1)
    must_be_whole("workloads.keys", keys, least=1)
    if values is not None:
        must_be_strategy("workloads.values", values, "such as st.sampled_from([...])")
    if not names or events < least:
        told = f"topics={names}, events={events}, least={least}"
        raise BadInput("needs a topic, and events from least on:", "workloads", told)
    if by_law and len(names) > 1:
        raise BadInput("what comes by a law goes to one topic, not to", "workloads", names)
    one_by_one = st.builds(Workload, items=_items(names, (least, events), keys, values))
    if by_law is False or (by_law is None and (len(names) > 1 or values is not None)):
        return one_by_one
    lawful = st.builds(
        Workload,
        topic=st.just(names[0]),
        events=st.integers(least, events),
        arrivals=_arrivals(),
        keys=_keys(keys),
    )
    return lawful if by_law else one_by_one | lawful


def _arrivals() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(steady, RATES),
        st.builds(bursts, SIZES, st.sampled_from((100, 10, 1_000))),
        st.builds(poisson, RATES),
    )


def _keys(most: int) -> st.SearchStrategy[Any]:
    number = st.integers(1, most)
    return st.one_of(
        st.builds(uniform_keys, number),
        st.builds(hot_key, number, st.sampled_from((0.5, 0.9))),
        st.builds(skewed_keys, number, st.sampled_from((1, 2))),
    )


def _items(
    topics: tuple[str, ...],
    sizes: tuple[int, int],
    keys: int,
    values: st.SearchStrategy[str] | None,
) -> st.SearchStrategy[tuple[WorkItem, ...]]:
    """One draw an event where values are not drawn: its gap, key and topic are one number."""
    names = [*(f"k{number}" for number in range(keys)), None]
    kinds = [(gap, key, topic) for gap in GAPS_MS for key in names for topic in topics]
    lists = st.lists(st.integers(0, len(kinds) - 1), min_size=sizes[0], max_size=sizes[1])

    @st.composite  # It is printed as the items that it made.
    def items(draw: Draw) -> tuple[WorkItem, ...]:
        made = []
        at_us = 0
        for number, kind in enumerate(draw(lists), start=1):
            gap_ms, key, topic = kinds[kind]
            at_us += gap_ms * MICROS_PER_MS
            event_id = f"e{number}"
            value = envelope(at_us, event_id, topic, key) if values is None else draw(values)
            made.append(WorkItem(at_us, topic, key, value, event_id))
        return tuple(made)

    return items()


__all__ = ["workloads"]
