"""Results as tables: what was measured, what differs, which promise held, how to see it again."""

import re
from collections.abc import Callable, Sequence

from simulator.report.table import Table, plain
from simulator.stats.compare import CANNOT_TELL as CANNOT_COMPARE
from simulator.stats.compare import Comparison
from simulator.study.results import (
    CANNOT_TELL,
    NOT_AS_DECLARED,
    CellResult,
    PromiseOutcome,
    Results,
)

Replay = Callable[[CellResult, PromiseOutcome], str]
"""The command that shows a broken promise again."""


def estimates_tables(results: Results, *, width: int = 120) -> tuple[Table, ...]:
    """What was measured: a row for each cell; too wide a table is split, factors repeated.

    Args:
        width: how many columns of text a table should not exceed.
    """
    factors = tuple(name for name, _ in results.factors)
    texts = {
        column: [str(cell.estimate(column)) for cell in results.cells] for column in results.columns
    }
    labels = [dict(cell.labels) for cell in results.cells]
    margin = sum(2 + max(len(name), *(len(label[name]) for label in labels)) for name in factors)
    groups: list[list[str]] = []
    used = 0
    for column in results.columns:
        wide = 2 + max(len(column), *(len(text) for text in texts[column]))
        if not groups or used + wide > width:
            groups.append([])
            used = margin
        groups[-1].append(column)
        used += wide
    return tuple(
        Table(
            columns=(*factors, *group),
            rows=tuple(
                (
                    *(label[name] for name in factors),
                    *(texts[column][place] for column in group),
                )
                for place, label in enumerate(labels)
            ),
            title="" if index else _estimates_title(results),
        )
        for index, group in enumerate(groups)
    )


def _estimates_title(results: Results) -> str:
    runs = sorted({cell.runs for cell in results.cells})
    counted = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return f"{counted} runs of each, intervals at {100 * results.confidence:g} %"


def comparisons_table(results: Results, *, decided_only: bool = False) -> Table:
    """What differs under the same seeds.

    Args:
        decided_only: leave out what cannot be told apart.
    """
    rows = []
    for one in results.comparisons:
        if decided_only and one.verdict == CANNOT_COMPARE:
            continue
        base, other, alike = _changed(one, [name for name, _ in results.factors])
        gain = one.variance_reduction
        rows.append(
            (
                one.measure,
                alike or "all",
                other,
                one.verdict,
                base,
                str(one.difference),
                _p_value(one.adjusted),
                "" if gain is None else f"x{gain:.1f}",
            )
        )
    return Table(
        columns=("measure", "where", "this", "has", "than", "difference", "p", "gain"),
        rows=tuple(rows),
        title="Compared under common seeds; p corrected by Holm for "
        f"{len(results.comparisons)} comparisons",
        right=("p", "gain"),
    )


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _changed(one: Comparison, factors: Sequence[str]) -> tuple[str, str, str]:
    """The level of each side that differs, and what both share."""
    # A level may hold blanks: a name is cut only where a factor begins.
    cut = re.compile(" (?=(?:" + "|".join(re.escape(name) for name in factors) + ")=)")
    base, other = cut.split(one.base), cut.split(one.other)
    if len(base) != len(other):
        return one.base, one.other, ""
    differ = [(b, o) for b, o in zip(base, other, strict=True) if b != o]
    alike = [b for b, o in zip(base, other, strict=True) if b == o]
    return " ".join(b for b, _ in differ), " ".join(o for _, o in differ), " ".join(alike)


def promises_table(results: Results) -> Table:
    """Which promise held where; a row that is not as declared, or cannot tell, is marked.

    An entry says what the runs said; what was not declared stands in brackets.
    """
    factors = tuple(name for name, _ in results.factors)
    checks = tuple(promise.check for promise in results.cells[0].promises) if results.cells else ()
    rows, marked = [], []
    for place, cell in enumerate(results.cells):
        labels = dict(cell.labels)
        rows.append((*(labels[name] for name in factors), *(_entry(one) for one in cell.promises)))
        if any(one.outcome in (NOT_AS_DECLARED, CANNOT_TELL) for one in cell.promises):
            marked.append(place)
    return Table((*factors, *checks), tuple(rows), "Promises", marked=tuple(marked))


def _entry(one: PromiseOutcome) -> str:
    runs = one.kept + one.broken + one.undecided
    if one.broken:
        said = f"broken {one.broken}/{runs}"
    elif one.undecided:
        said = f"cannot tell {one.undecided}/{runs}"
    else:
        said = "kept" if runs else "no run"
    if one.expected is None:
        return f"({said})"
    if one.outcome == NOT_AS_DECLARED:
        return f"{said}, not {one.expected}!"
    return f"{said}?" if one.outcome == CANNOT_TELL and one.broken == one.undecided == 0 else said


def replay_lines(results: Results, replay: Replay) -> tuple[str, ...]:
    """For every broken promise, the command that shows it again."""
    return tuple(
        f"{promise.check} broken in {cell}: {replay(cell, promise)}"
        for cell in results.cells
        for promise in cell.promises
        if promise.first_broken_seed is not None and promise.expected is not None
    )


def summary(results: Results) -> str:
    """One line: how many promises came out as declared."""
    outcomes = [
        promise.outcome
        for cell in results.cells
        for promise in cell.promises
        if promise.expected is not None
    ]
    wrong, open_ = outcomes.count(NOT_AS_DECLARED), outcomes.count(CANNOT_TELL)
    parts = [f"{len(outcomes) - wrong - open_} of {len(outcomes)} promises as declared"]
    if wrong:
        parts.append(f"{wrong} not as declared")
    if open_:
        parts.append(f"{open_} cannot tell")
    if results.partial:
        parts.append(f"PARTIAL: {results.partial}")
    return "; ".join(parts)


def findings(results: Results, *, replay: Replay | None = None, width: int = 120) -> str:
    """Everything as plain text: for files, pipes and golden outputs."""
    tables: Sequence[Table] = estimates_tables(results, width=width)
    parts = [results.question + "\n", *(plain(table) for table in tables)]
    if results.comparisons:
        parts.append(plain(comparisons_table(results)))
    if any(cell.promises for cell in results.cells):
        parts.append(plain(promises_table(results)))
    if replay is not None and (lines := replay_lines(results, replay)):
        parts.append("\n".join(lines) + "\n")
    parts.extend(note + "\n" for note in results.notes)
    parts.append(summary(results) + "\n")
    return "\n".join(parts)
