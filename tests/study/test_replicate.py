"""A study gives the same results whoever runs it, and says so when it is not whole."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator.errors import BadInput
from simulator.stats.proportions import share as pooled
from simulator.stats.stopping import UntilNarrow
from simulator.study.experiment import Promise
from simulator.study.reference import Reference
from simulator.study.replicate import Observed, one_run, replicate
from simulator.study.results import to_json
from tests.study.fake import EXPERIMENT, fails_badly, fake, run

HERE = Reference("tests.study.fake", "EXPERIMENT")


@pytest.fixture(scope="module")
def results():
    return replicate(EXPERIMENT, run, workers=1)


def test_one_process_two_and_threads_give_the_same_results(results):
    text = to_json(results)

    assert to_json(replicate(EXPERIMENT, run, reference=HERE, workers=1, chunk=3)) == text
    assert to_json(replicate(EXPERIMENT, run, reference=HERE, workers=2)) == text
    assert to_json(replicate(EXPERIMENT, run, workers=2, chunk=100)) == text
    with ThreadPoolExecutor(3) as threads:
        assert to_json(replicate(EXPERIMENT, run, executor=threads, chunk=1)) == text


def test_an_experiment_may_be_built_where_it_runs():
    place = Reference("tests.study.fake", "build", (("events", 3),))

    made = replicate(fake(name="built", runs=3), run, reference=place, workers=2, chunk=2)

    assert made.cells[0].runs == 3


def test_a_run_leaves_a_small_row_and_a_witness_only_if_broken():
    broken = one_run(EXPERIMENT, EXPERIMENT.cells()[1], 3, run)
    kept = one_run(EXPERIMENT, EXPERIMENT.cells()[2], 3, run)

    assert broken[0] == 3
    assert broken[2:] == ("bk", "crash@sink-0/after_process#3=1")
    assert kept[2:] == ("k?", "")


def test_cells_share_their_seeds(results):
    """The accidents are the same, so that what the sinks share differs nowhere."""
    naive = results.cell(sink="naive", crash="0.2")
    careful = results.cell(sink="careful", crash="0.2")

    assert naive.estimate("sends") == careful.estimate("sends")
    assert naive.estimate("latency p50") == careful.estimate("latency p50")
    assert naive.estimate("lost") != careful.estimate("lost")


def test_estimates_are_those_of_the_rows(results):
    rows = [one_run(EXPERIMENT, EXPERIMENT.cells()[1], seed, run) for seed in range(1, 41)]

    assert results.cells[1].estimate("lost") == pooled([row[1][0] for row in rows])
    assert results.cells[1].runs == 40
    assert str(results.cells[3].estimate("lost")) == "<= 8.8 %"
    assert results.columns == (
        "lost", "any lost", "sends", "odd sends", "latency p50", "latency p99.9",
    )  # fmt: skip


def test_comparisons_are_between_cells_that_differ_in_one_factor(results):
    lost = [one for one in results.comparisons if one.measure == "lost"]

    assert [(one.base, one.other, one.verdict, one.better) for one in lost] == [
        ("sink=naive crash=0.0", "sink=careful crash=0.0", "cannot tell", None),
        ("sink=naive crash=0.2", "sink=careful crash=0.2", "less", True),
    ]
    assert len(results.comparisons) == 2 * len(results.columns)


def test_without_a_baseline_level_all_pairs_are_compared():
    made = replicate(
        fake(baseline={"crash": None}, factors={"sink": ["naive"], "crash": [0.0, 0.1, 0.2]},
             promises=(), runs=5),
        run,
        workers=1,
    )  # fmt: skip

    pairs = [(one.base, one.other) for one in made.comparisons if one.measure == "lost"]
    assert pairs == [
        ("sink=naive crash=0.0", "sink=naive crash=0.1"),
        ("sink=naive crash=0.0", "sink=naive crash=0.2"),
        ("sink=naive crash=0.1", "sink=naive crash=0.2"),
    ]


# --- Promises ------------------------------------------------------------------------------


def outcome(promises, **changed):
    made = replicate(fake(promises=promises, runs=20, **changed), run, workers=1)
    return made, made.cell(sink="naive", crash="0.2").promises


def test_promises_that_come_out_as_declared_exit_with_0(results):
    told = results.cell(sink="naive", crash="0.2").promises[0]

    assert results.exit_code == 0
    assert (told.expected, told.outcome, told.undecided) == ("broken", "as declared", 0)
    assert told.broken + told.kept == 40
    assert told.witness == f"crash@sink-0/after_process#{told.first_broken_seed}=1"


def test_a_promise_that_should_be_kept_and_is_broken_exits_with_1():
    made, (told, undeclared) = outcome((Promise("nothing_lost", "kept"),))

    assert made.exit_code == 1
    assert told.outcome == "not as declared"
    assert undeclared.outcome == "not declared"


def test_a_promise_that_should_be_broken_and_never_is_exits_with_1():
    made, _ = outcome((Promise("nothing_lost", "broken", where={"sink": "careful"}),))

    assert made.exit_code == 1
    assert made.cell(sink="careful", crash="0.2").promises[0].outcome == "not as declared"


def test_runs_that_cannot_tell_exit_with_2():
    """Without a crash the second check reaches nothing, and says so."""
    made, (_, told) = outcome((Promise("crashed_at_all", "kept"),))

    assert made.exit_code == 2
    assert told.outcome == "cannot tell"
    assert 0 < told.undecided < 20
    assert made.cell(sink="naive", crash="0.0").promises[1].undecided == 20


def test_a_few_undecided_runs_may_be_allowed_but_not_all():
    where = {"crash": "0.2"}
    made, (_, told) = outcome((Promise("crashed_at_all", "kept", where=where),), undecided=0.5)

    assert told.outcome == "as declared"
    assert made.exit_code == 0


# --- Stopping and partial studies ----------------------------------------------------------


def test_a_study_runs_until_its_intervals_are_narrow():
    rule = UntilNarrow("any lost", 0.2, first=4, most=256)
    made = replicate(fake(stopping=rule), run, workers=1)

    runs = made.cells[0].runs
    assert 4 < runs < 256
    assert all(cell.runs == runs for cell in made.cells)
    assert all(cell.estimate("any lost").half_width <= 0.2 for cell in made.cells)
    assert "to pay for the looks" in made.notes[0]
    assert made.cells[0].estimate("lost").confidence == 0.95


def test_a_run_that_fails_leaves_a_partial_study_that_names_it():
    made = replicate(EXPERIMENT, fails_badly, workers=1)

    assert made.partial == (
        "the run of sink=naive crash=0.0 with seed 7 failed: KeyError: 'no such broker'"
    )
    assert [cell.runs for cell in made.cells] == [6, 6, 6, 6]
    assert made.exit_code == 2, "what was kept so far may yet be broken"
    assert made.cells[1].promises[0].outcome == "as declared", "broken once is broken"
    assert made.cells[2].promises[0].outcome == "cannot tell"


def test_an_interrupted_study_compares_the_seeds_that_both_sides_have():
    def stop(done, total):
        if done == 10:
            raise KeyboardInterrupt

    made = replicate(EXPERIMENT, run, workers=1, chunk=1, progress=stop)

    assert made.partial == "interrupted"
    assert [cell.runs for cell in made.cells] == [3, 3, 2, 2]
    assert all(one.difference.n <= 2 for one in made.comparisons)


def test_a_check_without_a_verdict_is_refused_by_name():
    def silent(planned, seed, checks):
        return Observed(run(planned, seed, checks).left, {"nothing_lost": "kept"})

    with pytest.raises(BadInput, match="no verdict of check crashed_at_all: 'none'"):
        one_run(EXPERIMENT, EXPERIMENT.cells()[0], 1, silent)
