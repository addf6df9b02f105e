"""Rows of runs become estimates, comparisons and the outcomes of promises; nothing is run here.

Rule 1: cells are compared seed by seed; a seed that only one of them has is left out.
Rule 2: all comparisons of an experiment are one family: with the stated confidence none of its
"more" and "less" is wrong.
Rule 3: a promise broken once is broken. Declared broken and never seen so is not as declared; not
to have been seen, in runs that cannot tell, is "cannot tell".
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from simulator.stats.compare import Asked, Comparison, compared
from simulator.stats.estimate import Estimate
from simulator.stats.stopping import Look
from simulator.study.experiment import BROKEN, KEPT, Cell, Experiment, cell_name
from simulator.study.measures import columns, difference, estimated
from simulator.study.results import (
    AS_DECLARED,
    CANNOT_TELL,
    NOT_AS_DECLARED,
    NOT_DECLARED,
    CellResult,
    PromiseOutcome,
    Results,
)

Row = tuple[int, tuple[Any, ...], str, str]
"""One run: its seed, what each measure tells, a letter a check (k, b or ?), the witness."""


@attrs.frozen
class _Column:
    """One column of estimates: which measure, which quantile, and where rows keep it."""

    name: str
    measure: str
    place: int
    quantile: float | None


def _columns(experiment: Experiment) -> list[_Column]:
    return [
        _Column(name, measure, place, quantile)
        for place, (measure, declared) in enumerate(experiment.measures.items())
        for name, quantile in columns(measure, declared)
    ]


def column_estimate(
    experiment: Experiment, column: str, rows: Sequence[Row], confidence: float
) -> Estimate:
    """The estimate of a column by name from the rows of one cell."""
    for one in _columns(experiment):
        if one.name == column:
            return _estimate(experiment, one, rows, confidence)
    raise AssertionError(f"no column {column!r}")


def _estimate(
    experiment: Experiment, column: _Column, rows: Sequence[Row], confidence: float
) -> Estimate:
    told = [row[1][column.place] for row in rows]
    return estimated(experiment.measures[column.measure], column.quantile, told, confidence)


def analysed(
    experiment: Experiment,
    rows: Sequence[Sequence[Row]],
    look: Look,
    looked: int,
    *,
    partial: str = "",
) -> Results:
    """The results of the rows of each cell.

    Args:
        look: the last look of the stopping rule, whose confidence the intervals take.
        looked: how many looks there were.
        partial: why rows are missing; empty if none are.
    """
    cells = experiment.cells()
    table = _columns(experiment)
    results = tuple(
        CellResult(
            labels=cell.labels,
            runs=len(of),
            estimates=tuple(
                (column.name, _told(_estimate(experiment, column, of, look.confidence), experiment))
                for column in table
            ),
            promises=_promises(experiment, cell, of, partial=bool(partial)),
        )
        for cell, of in zip(cells, rows, strict=True)
    )
    notes: tuple[str, ...] = ()
    if look.confidence != experiment.confidence:
        share = f"{100 * look.confidence:.6g} %"
        notes = (f"stopped at look {looked}: intervals are made at {share} to pay for the looks",)
    return Results(
        experiment=experiment.name,
        question=experiment.question,
        factors=tuple(
            (factor, tuple(name for name, _ in experiment.levels(factor)))
            for factor in experiment.factors
        ),
        confidence=experiment.confidence,
        first_seed=experiment.first_seed,
        columns=tuple(column.name for column in table),
        cells=results,
        comparisons=_comparisons(experiment, cells, rows, look.confidence),
        partial=partial,
        notes=notes,
    )


def _told(estimate: Estimate, experiment: Experiment) -> Estimate:
    """After several looks an interval holds with the confidence of the whole."""
    return attrs.evolve(estimate, confidence=experiment.confidence)


# --- Promises ------------------------------------------------------------------------------


def _promises(
    experiment: Experiment, cell: Cell, rows: Sequence[Row], *, partial: bool
) -> tuple[PromiseOutcome, ...]:
    expected = experiment.expected(cell)
    outcomes = []
    for place, check in enumerate(experiment.check_names):
        letters = [row[2][place] for row in rows]
        kept, broken = letters.count("k"), letters.count("b")
        first = next((row for row in rows if row[2][place] == "b"), None)
        undecided = len(letters) - kept - broken
        wanted = expected.get(check)
        outcomes.append(
            PromiseOutcome(
                check=check,
                expected=wanted,
                outcome=_outcome(
                    wanted, kept, broken, undecided, allowed=experiment.undecided, partial=partial
                ),
                kept=kept,
                broken=broken,
                undecided=undecided,
                first_broken_seed=None if first is None else first[0],
                witness="" if first is None else first[3],
            )
        )
    return tuple(outcomes)


def _outcome(
    expected: str | None, kept: int, broken: int, undecided: int, *, allowed: float, partial: bool
) -> str:
    if expected is None:
        return NOT_DECLARED
    if broken:
        return AS_DECLARED if expected == BROKEN else NOT_AS_DECLARED
    runs = kept + undecided
    if partial or not kept or undecided > allowed * runs:
        return CANNOT_TELL
    return AS_DECLARED if expected == KEPT else NOT_AS_DECLARED


# --- Comparisons ---------------------------------------------------------------------------


def _pairs(experiment: Experiment, cells: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Which cells are compared, as places of (base, other): they differ in one factor alone."""
    place = {cell.labels: index for index, cell in enumerate(cells)}
    for factor, base in experiment.baseline.items():
        names = [name for name, _ in experiment.levels(factor)]
        wanted = (
            list(itertools.combinations(names, 2))
            if base is None
            else [(base, name) for name in names if name != base]
        )
        for cell in cells:
            for one, other in wanted:
                if dict(cell.labels)[factor] == one:
                    changed = tuple(
                        (name, other if name == factor else level) for name, level in cell.labels
                    )
                    yield place[cell.labels], place[changed]


def _comparisons(
    experiment: Experiment,
    cells: Sequence[Cell],
    rows: Sequence[Sequence[Row]],
    confidence: float,
) -> tuple[Comparison, ...]:
    asked = []
    for base, other in _pairs(experiment, cells):
        by_seed = {row[0]: row for row in rows[other]}
        both = [(row, by_seed[row[0]]) for row in rows[base] if row[0] in by_seed]
        for column in _columns(experiment):
            measure = experiment.measures[column.measure]
            asked.append(
                Asked(
                    measure=column.name,
                    base=cell_name(cells[base].labels),
                    other=cell_name(cells[other].labels),
                    difference=difference(
                        measure,
                        column.quantile,
                        [pair[0][1][column.place] for pair in both],
                        [pair[1][1][column.place] for pair in both],
                        confidence,
                    ),
                    more_is_better=measure.more_is_better,
                )
            )
    return compared(asked, confidence=confidence)
