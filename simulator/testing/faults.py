"""Fault plans for Hypothesis: values that shrink to the one fault that matters.

A bare seed shrinks to nothing: the faults it stands for are not in it. A list of faults shrinks to
a shorter list of simpler faults, and reads as one says it: "the first answer is lost".

Each moment that the scenario has (the k-th message of a kind on a route, the k-th passing of a
crash point) is as probable as any other, so what happens often is struck often.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.scenario import faults as f
from simulator.scenario.scenario import Scenario
from simulator.testing.survey import Survey, survey

BEYOND = 2  # A retry makes more messages than the surveyed runs had.
DOWN_MS = (1_000, 100, 15_000, 60_000)
LATE_MS = (1, 40, 2_000, 35_000)  # From a nuisance to more than any request waits.
JUMPS_MS = (1_000, -1_000, 60_000, -60_000)
DRIFTS_PPM = (0, 500, -500, 100_000, -100_000)

Faults = st.SearchStrategy[f.Fault]
Moments = list[tuple[Any, ...]]


def fault_plans(
    scenario: Scenario, *, most: int = 3, kinds: Sequence[str] | None = None
) -> st.SearchStrategy[f.FaultPlan]:
    """Plans of at most so many faults, at moments that the scenario has.

    Args:
        most: how many faults a plan has at most.
        kinds: some of drop, crash, duplicate, delay, pause, partition, clog, skew, disk. By
            default those under which the scenario's guarantee promises anything.

    Raises:
        BadInput: a kind is unknown.
    """
    stood = scenario.guarantee.fault_classes
    chosen = [kind for kind in KINDS if KINDS[kind][0] in stood] if kinds is None else list(kinds)
    for one in chosen:
        if one not in KINDS:
            raise BadInput("no such kind of fault:", "fault_plans", one, ", ".join(KINDS))

    def plans() -> st.SearchStrategy[f.FaultPlan]:
        seen = surveyed(scenario)
        found = [strategy for kind in chosen if (strategy := KINDS[kind][1](seen)) is not None]
        if not found:
            return st.just(f.FaultPlan())
        return st.lists(st.one_of(found), max_size=most, unique_by=_what).map(_plan)

    return st.deferred(plans)


def surveyed(scenario: Scenario) -> Survey:
    """The survey of a scenario, made once."""
    try:
        return _cached(scenario)
    except TypeError:  # A handler that cannot be hashed.
        return survey(scenario)


_cached = cache(survey)


def _plan(faults: list[f.Fault]) -> f.FaultPlan:
    return f.FaultPlan(tuple(faults))


def _what(fault: f.Fault) -> object:
    """Two faults at one choice would contradict each other."""
    found = f.deviation(fault)
    return repr(fault) if found is None else found[0]


def _moments(seen: Survey, fault_class: str) -> Moments:
    """Every message or point that a fault of this class may strike; the first ones first."""
    found: Moments = []
    for name, asked in seen.sites.get(fault_class, {}).items():
        head, _, place = name.partition("@")
        ends, _, last = place.rpartition("/")
        if head == fault_class:  # Others of the class are waits, such as backoff@...
            found += [(*ends.split(">"), last, nth) for nth in range(asked + BEYOND)]
    return sorted(found, key=lambda moment: moment[-1])


def _at_moments(seen: Survey, fault_class: str, build: Callable[..., f.Fault]) -> Faults | None:
    """`build(*moment, extra)` at one of the moments."""
    moments = _moments(seen, fault_class)
    if not moments:
        return None
    lasting = DOWN_MS if fault_class == "crash" else LATE_MS
    return st.builds(build, st.sampled_from(moments), st.sampled_from(lasting))


def _times(seen: Survey) -> st.SearchStrategy[int]:
    return st.integers(0, max(1, seen.ends_ms))


def _drops(seen: Survey) -> Faults | None:
    moments = _moments(seen, "drop")
    return st.sampled_from(moments).map(lambda at: f.Drop(*at)) if moments else None


def _duplicates(seen: Survey) -> Faults | None:
    return _at_moments(seen, "duplicate", lambda at, ms: f.Duplicate(*at, later_ms=ms))


def _delays(seen: Survey) -> Faults | None:
    return _at_moments(seen, "delay", lambda at, ms: f.Delay(*at, extra_ms=ms))


def _crashes(seen: Survey) -> Faults | None:
    """At points, and at any time: then also in the middle of waiting."""
    at_points = _at_moments(seen, "crash", lambda at, ms: f.Crash(*at, down_ms=ms))
    at_times = _of_nodes(seen, lambda node, at, ms: f.Crash(node, at_ms=at, down_ms=ms))
    return at_times if at_points is None else st.one_of(at_points, at_times)


def _of_nodes(seen: Survey, build: Callable[[str, int, int], f.Fault]) -> Faults:
    return st.builds(
        build, st.sampled_from(seen.nodes), _times(seen), st.sampled_from(DOWN_MS)
    )


def _pauses(seen: Survey) -> Faults:
    return _of_nodes(seen, f.Pause)


def _disks(seen: Survey) -> Faults:
    return _of_nodes(seen, f.DiskLoss) | _of_nodes(
        seen, lambda node, at, ms: f.Crash(node, at_ms=at, down_ms=ms, mode="power")
    )


def _partitions(seen: Survey) -> Faults:
    def build(node: str, at_ms: int, ms: int, symmetric: bool) -> f.Fault:  # noqa: FBT001
        return f.Partition((node,), ("*",), at_ms, at_ms + ms, symmetric)

    return st.builds(
        build,
        st.sampled_from(seen.nodes),
        _times(seen),
        st.sampled_from(DOWN_MS),
        st.sampled_from((True, False)),
    )


def _clogs(seen: Survey) -> Faults:
    def build(node: str, at_ms: int, ms: int, inward: bool) -> f.Fault:  # noqa: FBT001
        ends = ("*", node) if inward else (node, "*")
        return f.Clog(*ends, at_ms, at_ms + ms)

    return st.builds(
        build,
        st.sampled_from(seen.nodes),
        _times(seen),
        st.sampled_from(DOWN_MS),
        st.booleans(),
    )


def _skews(seen: Survey) -> Faults:
    return st.builds(
        f.Skew,
        node=st.sampled_from(seen.nodes),
        at_ms=_times(seen),
        jump_ms=st.sampled_from(JUMPS_MS),
        drift_ppm=st.sampled_from(DRIFTS_PPM),
    )


# Each kind's class of fault, and what draws it; None where the scenario has no such moment.
KINDS: dict[str, tuple[str, Callable[[Survey], Faults | None]]] = {
    "drop": ("drop", _drops),
    "crash": ("crash", _crashes),
    "duplicate": ("duplicate", _duplicates),
    "delay": ("delay", _delays),
    "pause": ("pause", _pauses),
    "partition": ("drop", _partitions),
    "clog": ("delay", _clogs),
    "skew": ("skew", _skews),
    "disk": ("disk", _disks),
}
