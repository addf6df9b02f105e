"""What came out of an experiment, as a value that can be written to a file and read back.

Rule 1: the exit code is 0 when every promise came out as declared, 1 when one did not, 2 when
none contradicts but one cannot tell, or the study is partial.
Rule 2: the file is the same for the same runs: keys are sorted, nothing tells when or where it
was made, numbers keep nine digits.
Rule 3: the file appears whole or not at all, and says so itself when the study is partial.
"""

import json
import os
from pathlib import Path
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.stats.compare import Comparison
from simulator.stats.estimate import Estimate, from_plain, rounded, to_plain
from simulator.study.experiment import Labels, cell_name

FORMAT = "simulator results"
VERSION = 1

AS_DECLARED = "as declared"
NOT_AS_DECLARED = "not as declared"
CANNOT_TELL = "cannot tell"
NOT_DECLARED = "not declared"


@attrs.frozen
class PromiseOutcome:
    """What a check said over the runs of one cell.

    Args:
        check: its name.
        expected: `kept`, `broken`, or None when the declaration does not judge it.
        outcome: `as declared`, `not as declared`, `cannot tell` or `not declared`.
        kept: in how many runs it was kept.
        broken: in how many it was broken.
        undecided: in how many it could not tell.
        first_broken_seed: the first seed that breaks it, if any.
        witness: the line that replays that run.
    """

    check: str
    expected: str | None
    outcome: str
    kept: int
    broken: int
    undecided: int
    first_broken_seed: int | None = None
    witness: str = ""


@attrs.frozen
class CellResult:
    """What came out of one cell.

    Args:
        labels: its levels.
        runs: how many runs there were.
        estimates: by the name of a column: a measure, or a measure and its quantile.
        promises: what each check said.
    """

    labels: Labels
    runs: int
    estimates: tuple[tuple[str, Estimate], ...]
    promises: tuple[PromiseOutcome, ...]

    def __str__(self) -> str:
        return cell_name(self.labels)

    def estimate(self, column: str) -> Estimate:
        """The estimate of a column.

        Raises:
            KeyError: there is no such column.
        """
        return dict(self.estimates)[column]


@attrs.frozen
class Results:
    """What came out of an experiment.

    Args:
        experiment: its name.
        question: what it asked.
        factors: each factor with its levels' labels.
        confidence: of each interval, and of all comparisons together.
        first_seed: where the common seeds begin.
        columns: the estimates' names, in order.
        cells: what came out of each.
        comparisons: between cells that differ in one factor, corrected together.
        partial: why the study is not whole; empty if it is.
        notes: what a reader of the numbers must know.
    """

    experiment: str
    question: str
    factors: tuple[tuple[str, tuple[str, ...]], ...]
    confidence: float
    first_seed: int
    columns: tuple[str, ...]
    cells: tuple[CellResult, ...]
    comparisons: tuple[Comparison, ...] = ()
    partial: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: all as declared; 1: something is not; 2: cannot tell."""
        outcomes = [promise.outcome for cell in self.cells for promise in cell.promises]
        if NOT_AS_DECLARED in outcomes:
            return 1
        return 2 if self.partial or CANNOT_TELL in outcomes else 0

    def cell(self, **labels: str) -> CellResult:
        """The cell with these levels.

        Raises:
            BadInput: there is none.
        """
        for cell in self.cells:
            if dict(cell.labels) == labels:
                return cell
        known = "; ".join(str(cell) for cell in self.cells[:6])
        raise BadInput("no such cell:", self.experiment, labels, f"such as {known}")


def to_json(results: Results) -> str:
    """The results as text: sorted keys, an empty line never, a newline at the end."""
    plain = {
        "format": FORMAT,
        "version": VERSION,
        "experiment": results.experiment,
        "question": results.question,
        "factors": [[name, list(levels)] for name, levels in results.factors],
        "confidence": results.confidence,
        "first_seed": results.first_seed,
        "columns": list(results.columns),
        "cells": [_cell_plain(cell) for cell in results.cells],
        "comparisons": [_comparison_plain(one) for one in results.comparisons],
        "partial": results.partial,
        "notes": list(results.notes),
        "exit_code": results.exit_code,
    }
    return json.dumps(plain, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _cell_plain(cell: CellResult) -> dict[str, Any]:
    return {
        "labels": [list(pair) for pair in cell.labels],
        "runs": cell.runs,
        "estimates": [[column, to_plain(estimate)] for column, estimate in cell.estimates],
        "promises": [attrs.asdict(promise) for promise in cell.promises],
    }


def _comparison_plain(one: Comparison) -> dict[str, Any]:
    plain = attrs.asdict(one, recurse=False)
    plain["difference"] = to_plain(one.difference)
    for name in ("p_value", "adjusted", "variance_reduction"):
        plain[name] = rounded(plain[name])
    return plain


def from_json(text: str, where: str = "") -> Results:
    """The results of a text that `to_json` made.

    Raises:
        BadInput: it is not JSON, not of this format or version, or lacks something.
    """
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise BadInput(f"not a results file ({error})", where) from None
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise BadInput("not a results file: its format should be", where, FORMAT)
    if plain.get("version") != VERSION:
        fix = f"this program reads version {VERSION}"
        raise BadInput("a results file of version", where, plain.get("version"), fix)
    try:
        return Results(
            experiment=plain["experiment"],
            question=plain["question"],
            factors=tuple((name, tuple(levels)) for name, levels in plain["factors"]),
            confidence=plain["confidence"],
            first_seed=plain["first_seed"],
            columns=tuple(plain["columns"]),
            cells=tuple(_cell(cell) for cell in plain["cells"]),
            comparisons=tuple(
                Comparison(**{**one, "difference": from_plain(one["difference"])})
                for one in plain["comparisons"]
            ),
            partial=plain["partial"],
            notes=tuple(plain["notes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        shown = f"{type(error).__name__}: {error}"
        raise BadInput(f"a damaged results file ({shown})", where) from None


def _cell(plain: dict[str, Any]) -> CellResult:
    return CellResult(
        labels=tuple((factor, level) for factor, level in plain["labels"]),
        runs=plain["runs"],
        estimates=tuple((column, from_plain(one)) for column, one in plain["estimates"]),
        promises=tuple(PromiseOutcome(**one) for one in plain["promises"]),
    )


def write_results(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the results file; until it is whole the old one, if any, stays as it was.

    Raises:
        BadInput: it cannot be written there.
    """
    write_whole(to_json(results), path)


def write_whole(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file whole or not at all.

    Raises:
        BadInput: it cannot be written there.
    """
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror}):", "", str(target)) from None


def read_results(path: str | os.PathLike[str]) -> Results:
    """Read a results file.

    Raises:
        BadInput: there is none, or it is not one.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror}):", "", str(path)) from None
    except UnicodeDecodeError:
        raise BadInput("not a results file: it is not text", str(path)) from None
    return from_json(text, str(path))
