"""The page of guarantees is what the matrix finds: its data is checked run by run, rows by samples.

Every witness of the page is replayed, and every planted bug that shows an absence; of a few rows
all is reckoned anew, of the others at night.
"""

import json
from pathlib import Path

import pytest

from simulator import Status
from simulator.matrix import page, planted
from simulator.matrix.columns import COLUMNS
from simulator.matrix.filling import fill
from simulator.matrix.keeping import row_digest
from simulator.matrix.patching import planted as with_bug
from simulator.matrix.rows import ROWS
from simulator.matrix.telling import witnessed
from simulator.matrix.values import ABSENT, HAPPENS

DOCS = Path(__file__).parents[2] / "docs"
AGAIN = "python docs/generate.py guarantees.json guarantees.md"
TOLD = json.loads((DOCS / "guarantees.json").read_text(encoding="utf-8"))
MATRIX = page.matrix_of(TOLD)
IN_SHORT = ("retries", "idempotent", "acks-1", "commit-after", "effect-and-id")


def test_the_page_is_written_from_its_data():
    assert (DOCS / "guarantees.json").read_text(encoding="utf-8") == page.text(MATRIX), AGAIN
    assert (DOCS / "guarantees.md").read_text(encoding="utf-8") == page.page(MATRIX), AGAIN


def test_the_data_is_of_these_rows_and_columns():
    columns = list(COLUMNS.values())
    digests = {one["row"]: one["digest"] for one in TOLD["rows"]}

    assert TOLD["columns"] == list(COLUMNS)
    assert digests == {name: row_digest(row, columns) for name, row in ROWS.items()}, AGAIN
    assert all([cell.column for cell in cells] == list(COLUMNS) for cells in MATRIX.values())


@pytest.mark.parametrize("row", ROWS)
def test_every_witness_of_the_page_shows_its_anomaly(row):
    for cell in MATRIX[row]:
        if cell.verdict == HAPPENS:
            trace = witnessed(ROWS[row], cell.witness.level, cell.witness.line)
            verdict = COLUMNS[cell.column].judge(trace)
            assert verdict.status is Status.BROKEN, (cell.column, AGAIN)
            assert verdict.evidence[0].sentence == cell.witness.sentence, AGAIN
            assert cell.witness.certified
            assert 0 <= cell.probability.low <= cell.probability.high <= 1


@pytest.mark.parametrize("row", ROWS)
def test_every_absence_of_the_page_falls_with_its_planted_bug(row):
    """And stands, in the same run, without it."""
    for cell in MATRIX[row]:
        if cell.verdict == ABSENT:
            bug = getattr(planted, cell.bitten.bug)
            judge = COLUMNS[cell.column].judge
            with with_bug(bug):
                trace = witnessed(ROWS[row], cell.bitten.level, cell.bitten.line)
            assert judge(trace).status is Status.BROKEN, (cell.column, AGAIN)
            assert cell.complete
            assert cell.reached > 0
            assert not cell.undecided
            assert all(cell.struck[one] for one in ROWS[row].scope.budgets)


def test_every_planted_bug_shows_somewhere():
    """One that shows nowhere is none, or is planted where nothing grows."""
    shown = {cell.bitten.bug for cells in MATRIX.values() for cell in cells if cell.bitten}

    assert shown == set(planted.__all__)


@pytest.mark.parametrize("row", IN_SHORT)
def test_a_row_reckoned_anew_is_that_of_the_page(row):
    assert fill(ROWS[row], list(COLUMNS.values())) == MATRIX[row], AGAIN


@pytest.mark.nightly
@pytest.mark.parametrize("row", [row for row in ROWS if row not in IN_SHORT])
def test_every_row_reckoned_anew_is_that_of_the_page(row):
    assert fill(ROWS[row], list(COLUMNS.values())) == MATRIX[row], AGAIN
