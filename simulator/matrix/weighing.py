"""How probable each anomaly is at a level of a row: every schedule weighed by the row's law.

As `searching.exact`, for several columns at once: the likeliest schedules first, and what is not
run widens the interval. No interval here is a guess: the truth lies in it for certain.
"""

from collections.abc import Sequence
from math import fsum

from simulator.chance.exhaustive import LIKELIEST, Exhaustive
from simulator.checks.check import watch
from simulator.checks.verdict import Status
from simulator.matrix.values import Column, Level, Row, Weighed
from simulator.searching.exact import ROUNDING
from simulator.searching.staging import Stage

SCHEDULES_MOST = 150
WIDTH = 1e-6


def weigh(
    row: Row, level: Level, columns: Sequence[Column], *, most: int = SCHEDULES_MOST
) -> dict[str, Weighed]:
    """For each column the probability that a run of the level shows the anomaly.

    Budgets bound what is run, and not what may happen: what lies beyond them is unexplored.
    """
    checks = [column.judge for column in columns]
    chooser = Exhaustive(row.scope, order=LIKELIEST, weighed=True)
    stage = Stage((), chooser, alike=False)
    low: dict[str, list[float]] = {column.name: [] for column in columns}
    undecided: dict[str, list[float]] = {column.name: [] for column in columns}
    masses: list[float] = []
    while chooser.runs < most and chooser.more() and 1.0 - fsum(masses) > WIDTH:
        observers, finish = watch(checks)
        stage.run(level.scenario, observers)
        masses.append(chooser.mass)
        for column, verdict in zip(columns, finish(), strict=True):
            if verdict.status is Status.BROKEN:
                low[column.name].append(chooser.mass)
            elif verdict.status is Status.CANNOT_TELL:
                undecided[column.name].append(chooser.mass)
    mass = fsum(masses)
    unexplored = max(0.0, 1.0 - mass)
    if unexplored <= ROUNDING:
        unexplored = 0.0
    return {
        name: Weighed(
            level=level.label,
            low=fsum(low[name]),
            high=min(1.0, fsum((*low[name], *undecided[name], unexplored))),
            mass=mass,
            schedules=chooser.runs,
        )
        for name in low
    }


__all__ = ["SCHEDULES_MOST", "weigh"]
