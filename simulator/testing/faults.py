"""Fault plans for Hypothesis: values that shrink to the one fault that matters.

A bare seed shrinks to nothing: the faults it stands for are not in it. A list of faults shrinks to
a shorter list of simpler faults, and reads as one says it: "the first answer is lost".

1. Each moment that the benign run has (the k-th message of a kind on a route, the k-th passing of
   a crash point) is as probable as any other, so what happens often is struck often. Those that
   only a fault before brings about (a retry, a heartbeat of a longer run) are a quarter as
   probable: by themselves they never come.
2. A crash is drawn twice as often as a fault of any other kind: it comes at points and at times.
3. A fault at a time strikes mostly right before or after something happens at its node, for
   nothing changes in between.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from math import isqrt
from typing import Any

from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.scenario import faults as f
from simulator.scenario.scenario import Scenario
from simulator.testing.drawing import below, must_be_whole
from simulator.testing.survey import Survey, ends_of, survey

SURVEYS_MOST = 256  # Scenarios may be drawn too.
NONE_IN = 7  # One plan in eight is empty.
SURELY = 4  # So much more probable is a moment that the benign run has.
ANY_TIME = 5  # To so many busy times comes one that may be any.
OF_MESSAGES = ("drop", "duplicate", "delay")  # The classes of faults that strike messages.
BEYOND = 2  # A retry makes more messages than the surveyed runs had.
DOWN_MS = (1_000, 100, 15_000, 60_000)
LATE_MS = (1, 40, 2_000, 35_000)  # From a nuisance to more than any request waits.
JUMPS_MS = (1_000, -1_000, 60_000, -60_000)
DRIFTS_PPM = (0, 500, -500, 100_000, -100_000)

Draw = Callable[[st.SearchStrategy[Any]], Any]  # As Hypothesis hands it to a composite.
Kinds = list[Callable[[Draw], f.Fault]]
Moments = list[tuple[Any, ...]]  # Whom, what, and last the how manieth.


def fault_plans(
    scenario: Scenario,
    *,
    most: int = 3,
    kinds: Sequence[str] | None = None,
    nodes: str | Sequence[str] = "*",
    messages: str = "*",
) -> st.SearchStrategy[f.FaultPlan]:
    """Plans of at most so many faults, at moments that the scenario has.

    Args:
        most: how many faults a plan has at most.
        kinds: some of drop, crash, duplicate, delay, pause, partition, clog, skew, power, disk.
            By default those under which the scenario's guarantee promises anything.
        nodes: names or patterns of nodes: only these fail, and only messages from or to them.
        messages: a pattern such as `Produce*`: only these are lost, doubled or late.

    Raises:
        BadInput: a kind is unknown, or most is no number of faults; when drawn: no node, or no
            message that faults could strike, is of these names.
    """
    must_be_whole("fault_plans.most", most)
    patterns = (nodes,) if isinstance(nodes, str) else tuple(nodes)
    stood = scenario.guarantee.fault_classes
    chosen = [kind for kind in KINDS if KINDS[kind][0] in stood] if kinds is None else list(kinds)
    for one in chosen:
        if one not in KINDS:
            raise BadInput("no such kind of fault:", "fault_plans", one, ", ".join(KINDS))

    def plans() -> st.SearchStrategy[f.FaultPlan]:
        seen = surveyed(scenario).of(patterns, messages)
        if not seen.nodes:
            known = ", ".join(surveyed(scenario).nodes)
            raise BadInput("no node is called", "fault_plans", nodes, f"known: {known}")
        _must_be_sent(surveyed(scenario), messages)
        often = [*chosen, "crash"] if "crash" in chosen and len(chosen) > 1 else chosen
        draws = [found for kind in often if (found := KINDS[kind][1](seen))]
        return _plans([_fault(one) for one in draws], most)

    return st.deferred(plans)


def _must_be_sent(seen: Survey, messages: str) -> None:
    """A name that no message has narrows to nothing: the property would hold of no fault at all.

    Raises:
        BadInput: no message is of this name.
    """
    sites = dict.fromkeys(name for kind in OF_MESSAGES for name in seen.sites.get(kind, ()))
    known = dict.fromkeys(last for ends, last in map(ends_of, sites) if len(ends) > 1)
    if known and not any(fnmatchcase(name, messages) for name in known):
        told = f"known: {', '.join(sorted(known))}"
        raise BadInput("no message is called", "fault_plans", messages, told)


def surveyed(scenario: Scenario) -> Survey:
    """The survey of a scenario, made once."""
    try:
        return _cached(scenario)
    except TypeError:  # A handler that cannot be hashed.
        return survey(scenario)


_cached = lru_cache(maxsize=SURVEYS_MOST)(survey)


# Composites are printed as the values that they drew, others as the calls that led to these.
def _plans(faults: list[st.SearchStrategy[f.Fault]], most: int) -> st.SearchStrategy[f.FaultPlan]:
    # Lists by themselves are empty too often, and a run without faults is the benign one.
    any_at_all = st.integers(0, NONE_IN if faults and most else 0)
    some = st.lists(st.one_of(faults), min_size=1, max_size=max(most, 1), unique_by=_what)

    @st.composite
    def fault_plan(draw: Draw) -> f.FaultPlan:
        return f.FaultPlan(tuple(draw(some)) if draw(any_at_all) else ())

    return fault_plan()


def _fault(ways: Kinds) -> st.SearchStrategy[f.Fault]:
    """One kind, as probable as any other, in however many ways it comes."""
    way = st.integers(0, len(ways) - 1) if len(ways) > 1 else st.just(0)

    @st.composite
    def fault(draw: Draw) -> f.Fault:
        return ways[draw(way)](draw)

    return fault()


def _what(fault: f.Fault) -> object:
    """Two faults at one choice would contradict each other."""
    found = f.deviation(fault)
    return repr(fault) if found is None else found[0]


# --- Of a message or a point ----------------------------------------------------------------

_LATE = st.sampled_from(LATE_MS)
_DOWN = st.sampled_from(DOWN_MS)


def _moments(seen: Survey, fault_class: str) -> Moments:
    """Every message or point that a fault of this class may strike; the first ones first.

    The sure ones come first, and stand there several times: to draw one is to draw a number.
    """
    sure: Moments = []
    more: Moments = []
    for name, asked in seen.sites.get(fault_class, {}).items():
        ends, last = ends_of(name)
        if name.startswith(f"{fault_class}@"):  # Others of the class are waits: backoff@...
            for nth in range(asked + BEYOND):
                (sure if nth < seen.sure.get(name, 0) else more).append((*ends, last, nth))
    for moments in (sure, more):
        moments.sort(key=lambda moment: moment[-1])
    return sure * SURELY + more


def _at_moments(
    seen: Survey, fault_class: str, build: Callable[..., f.Fault], *extra: st.SearchStrategy[int]
) -> Kinds:
    """`build(*moment, *extra)` at one of the moments; nothing if the scenario has none."""
    moments = _moments(seen, fault_class)
    if not moments:
        return []
    # `sampled_from` would name them all when it is asked for its name.
    number = below(len(moments))
    return [lambda draw: build(*moments[draw(number)], *map(draw, extra))]


def _drops(seen: Survey) -> Kinds:
    return _at_moments(seen, "drop", f.Drop)


def _duplicates(seen: Survey) -> Kinds:
    return _at_moments(seen, "duplicate", f.Duplicate, _LATE)


def _delays(seen: Survey) -> Kinds:
    return _at_moments(seen, "delay", f.Delay, _LATE)


def _crashes(seen: Survey) -> Kinds:
    """At points, and at any time: then also in the middle of waiting."""

    def at_point(node: str, point: str, nth: int, down_ms: int) -> f.Fault:
        return f.Crash(node, point, nth, down_ms=down_ms)

    def at_time(node: str, at_ms: int, down_ms: int) -> f.Fault:
        return f.Crash(node, at_ms=at_ms, down_ms=down_ms)

    return [*_at_moments(seen, "crash", at_point, _DOWN), *_at_times(seen, at_time, _DOWN)]


# --- At a time ------------------------------------------------------------------------------


def _at_times(
    seen: Survey, build: Callable[..., f.Fault], *extra: st.SearchStrategy[Any]
) -> Kinds:
    """`build(node, time, *extra)`, mostly at a time at which something happens at the node."""
    moments = _times(seen)
    number = below(len(moments))

    def at_time(draw: Draw) -> f.Fault:
        at_ms, node = moments[draw(number)]
        return build(node, at_ms, *map(draw, extra))

    return [at_time]


def _times(seen: Survey) -> list[tuple[int, str]]:
    """Busy times of nodes, in order, and a few that may be any.

    Of two nodes the one with four times as much to do is drawn twice as often: a fault of who is
    idle hardly matters, but nobody is left out.
    """
    busy = {node: seen.busy_ms.get(node, (0,)) for node in seen.nodes}
    enough = isqrt(max(map(len, busy.values()))) + 1
    moments = []
    for node, times in busy.items():
        share = isqrt(len(times)) * enough
        moments += [(times[number * len(times) // share], node) for number in range(share)]
    moments.sort()
    others = len(moments) // ANY_TIME // len(busy) + 1
    return moments + [
        (number * seen.ends_ms // others, node) for number in range(others) for node in busy
    ]


def _pauses(seen: Survey) -> Kinds:
    return _at_times(seen, f.Pause, _DOWN)


def _partitions(seen: Survey) -> Kinds:
    """Of one node from all others; into it things may still come."""

    def build(node: str, at_ms: int, for_ms: int, cut: str) -> f.Fault:
        return f.Partition((node,), ("*",), at_ms, at_ms + for_ms, symmetric=cut == "both")

    return _at_times(seen, build, _DOWN, st.sampled_from(("both", "out")))


def _clogs(seen: Survey) -> Kinds:
    def build(node: str, at_ms: int, for_ms: int, way: str) -> f.Fault:
        source, target = (node, "*") if way == "out" else ("*", node)
        return f.Clog(source, target, at_ms, at_ms + for_ms)

    return _at_times(seen, build, _DOWN, st.sampled_from(("out", "in")))


def _skews(seen: Survey) -> Kinds:
    return _at_times(seen, f.Skew, st.sampled_from(JUMPS_MS), st.sampled_from(DRIFTS_PPM))


def _power_losses(seen: Survey) -> Kinds:
    def at_point(node: str, point: str, nth: int, down_ms: int) -> f.Fault:
        return f.Crash(node, point, nth, down_ms=down_ms, mode="power")

    def at_time(node: str, at_ms: int, down_ms: int) -> f.Fault:
        return f.Crash(node, at_ms=at_ms, down_ms=down_ms, mode="power")

    return [*_at_moments(seen, "crash", at_point, _DOWN), *_at_times(seen, at_time, _DOWN)]


def _disk_losses(seen: Survey) -> Kinds:
    return _at_times(seen, f.DiskLoss, _DOWN)


# Each kind's class of fault, and what draws it: nothing where the scenario has no such moment.
KINDS: dict[str, tuple[str, Callable[[Survey], Kinds]]] = {
    "drop": ("drop", _drops),
    "crash": ("crash", _crashes),
    "duplicate": ("duplicate", _duplicates),
    "delay": ("delay", _delays),
    "pause": ("pause", _pauses),
    "partition": ("drop", _partitions),
    "clog": ("delay", _clogs),
    "skew": ("skew", _skews),
    "power": ("disk", _power_losses),
    "disk": ("disk", _disk_losses),
}
