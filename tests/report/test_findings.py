"""What a study found reads as tables: estimates, comparisons, promises, replays, one last line."""

import pytest

from simulator.report.findings import (
    comparisons_table,
    estimates_tables,
    findings,
    promises_table,
    replay_lines,
    summary,
)
from simulator.report.table import plain
from simulator.study.experiment import Promise
from simulator.study.replicate import replicate
from tests.study.fake import EXPERIMENT, fails_badly, fake, run


@pytest.fixture(scope="module")
def results():
    return replicate(EXPERIMENT, run, workers=1)


def replay(cell, promise):
    return f"simulator replay fake {cell} --seed {promise.first_broken_seed}"


def test_nothing_lost_reads_as_a_bound(results):
    table = estimates_tables(results)[0]

    assert table.rows[3][:3] == ("careful", "0.2", "<= 8.8 %")
    assert table.title == "40 runs of each, intervals at 95 %"


def test_a_wide_table_is_split_and_its_factors_repeated(results):
    tables = estimates_tables(results, width=60)

    assert len(tables) > 1
    assert all(table.columns[:2] == ("sink", "crash") for table in tables)
    assert sum((table.columns[2:] for table in tables), ()) == results.columns
    assert all(len(line) <= 60 for table in tables for line in plain(table).splitlines())


def test_a_comparison_names_what_changed_and_where(results):
    rows = [row for row in comparisons_table(results).rows if row[0] == "lost"]

    assert rows[1][:5] == ("lost", "crash=0.2", "sink=careful", "less", "sink=naive")
    assert rows[1][6] == "<0.001"
    assert rows[0][3] == "cannot tell"
    decided = comparisons_table(results, decided_only=True)
    assert [row[0] for row in decided.rows] == ["lost", "any lost"]


def test_levels_with_blanks_do_not_confuse_a_comparison():
    made = replicate(
        fake(
            factors={"sink": {"naive set": "naive", "careful one": "careful"}, "crash": [0.2]},
            baseline={"sink": "naive set"},
            promises=(),
            runs=3,
        ),
        run,
        workers=1,
    )

    row = comparisons_table(made).rows[0]
    assert (row[1], row[2], row[4]) == ("crash=0.2", "sink=careful one", "sink=naive set")


def test_promises_read_as_what_the_runs_said(results):
    rows = promises_table(results).rows
    told = results.cells[1].promises[0]

    assert rows[1][2] == f"broken {told.broken}/40"
    assert rows[2][2:] == ("kept", "(cannot tell 40/40)")
    assert promises_table(results).marked == ()


def test_what_is_not_as_declared_is_marked():
    made = replicate(fake(promises=(Promise("nothing_lost", "kept"),)), run, workers=1)

    table = promises_table(made)
    assert table.marked == (1,)
    assert table.rows[1][2].endswith(", not kept!")
    assert summary(made) == "3 of 4 promises as declared; 1 not as declared"


def test_every_broken_promise_has_its_replay(results):
    (line,) = replay_lines(results, replay)

    again = "simulator replay fake sink=naive crash=0.2 --seed 3"
    assert line == f"nothing_lost broken in sink=naive crash=0.2: {again}"


def test_a_partial_study_says_so_in_its_last_line():
    made = replicate(EXPERIMENT, fails_badly, workers=1)

    assert findings(made).splitlines()[-1].startswith("1 of 4 promises as declared; 3 cannot tell")
    assert "PARTIAL: the run of" in findings(made).splitlines()[-1]


def test_findings_are_one_text_that_is_the_same_each_time(results):
    text = findings(results, replay=replay)

    assert text == findings(replicate(EXPERIMENT, run, workers=1), replay=replay)
    assert text.startswith("Does a careful sink lose less?\n")
    assert text.endswith("4 of 4 promises as declared\n")
    assert "simulator replay fake" in text
