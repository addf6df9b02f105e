"""Faults at a time, for searches: what no choice of a run stands for.

A pause, a partition, a clock that jumps, a power cut in the middle of waiting: nobody is asked
whether they happen, so they are put into the plan before the run, as values.
"""

from collections.abc import Callable, Sequence

from simulator.chance.dice import Dice
from simulator.scenario.faults import Clog, Crash, DiskLoss, Fault, Partition, Pause, Skew
from simulator.trace.trace import Trace

LAST_MS = (1_000, 100, 5_000, 15_000, 60_000)
JUMPS_MS = (1_000, -1_000, 60_000, -60_000)
DRIFTS_PPM = (0, 500, -500, 100_000, -100_000)
MOST = 2

_Make = Callable[[Dice, str, int], Fault]


def _partition(dice: Dice, node: str, at_ms: int) -> Fault:
    until_ms = at_ms + dice.of(LAST_MS)
    return Partition((node,), ("*",), at_ms, until_ms, symmetric=dice.one_in(2))


def _clog(dice: Dice, node: str, at_ms: int) -> Fault:
    source, target = (node, "*") if dice.one_in(2) else ("*", node)
    return Clog(source, target, at_ms, at_ms + dice.of(LAST_MS))


def _crash(dice: Dice, node: str, at_ms: int) -> Fault:
    return Crash(node, at_ms=at_ms, down_ms=dice.of(LAST_MS))


def _power(dice: Dice, node: str, at_ms: int) -> Fault:
    return Crash(node, at_ms=at_ms, down_ms=dice.of(LAST_MS), mode="power")


def _disk(dice: Dice, node: str, at_ms: int) -> Fault:
    return DiskLoss(node, at_ms, down_ms=dice.of(LAST_MS))


def _pause(dice: Dice, node: str, at_ms: int) -> Fault:
    return Pause(node, at_ms, dice.of(LAST_MS))


def _skew(dice: Dice, node: str, at_ms: int) -> Fault:
    return Skew(node, at_ms, dice.of(JUMPS_MS), dice.of(DRIFTS_PPM))


_OF_CLASS: dict[str, tuple[_Make, ...]] = {
    "drop": (_partition,),
    "delay": (_clog,),
    "crash": (_crash,),
    "pause": (_pause,),
    "skew": (_skew,),
    "disk": (_power, _disk),
}


def timed_faults(
    dice: Dice, classes: Sequence[str], nodes: Sequence[str], ends_ms: int
) -> tuple[Fault, ...]:
    """One or two faults of these classes, at these nodes, while a benign run would last."""
    makes = [make for one in classes for make in _OF_CLASS.get(one, ())]
    if not makes or not nodes:
        return ()
    return tuple(
        dice.of(makes)(dice, dice.of(nodes), dice.below(ends_ms + 1))
        for _ in range(1 + dice.below(MOST))
    )


def nodes_of(sites: Sequence[str]) -> tuple[str, ...]:
    """The nodes that the sites of messages and of crash points name, in that order."""
    found: dict[str, None] = {}
    for site in sites:
        kind, _, place = site.partition("@")
        if kind in ("crash", "drop"):
            found.update(dict.fromkeys(place.rpartition("/")[0].split(">")))
    return tuple(found)


def talking(trace: Trace) -> tuple[str, ...]:
    """The nodes that send or are sent anything, in the order of their first message."""
    found: dict[str, None] = {}
    for entry in trace.flat:
        event = entry[4]
        if event[0] == "message_sent":
            found.update(dict.fromkeys(event[2:4]))
    return tuple(found)
