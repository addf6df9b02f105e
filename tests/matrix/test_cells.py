"""A cell is worth what it rests on: all of a scope, something judged, a bug that would be seen."""

import attrs
import pytest

from simulator import AT_LEAST_ONCE, CHECKS, EXACTLY_ONCE, Status
from simulator.chance.scope import Scope
from simulator.errors import BadInput
from simulator.matrix.columns import COLUMNS
from simulator.matrix.filling import fill, hunted
from simulator.matrix.patching import Patch, planted
from simulator.matrix.planted import (
    applies_before_it_marks,
    forgets_producers,
    hands_out_one_only,
)
from simulator.matrix.rows import ROWS
from simulator.matrix.scenarios import one_by_one, small
from simulator.matrix.sweep import sweep
from simulator.matrix.telling import story, tell, witnessed, word
from simulator.matrix.values import ABSENT, HAPPENS, NOT_SHOWN, NOTHING, Level, Row
from simulator.searching.exact import probability
from simulator.searching.prove import Outcome, prove
from simulator.searching.smallest import smallest

SITES = ("crash@billing-*/*", "drop@*/OffsetCommitRequest")
ONE_OF_EACH = Scope(SITES, {"crash": 1, "drop": 1}, opens="record_sent")


def row(guarantee, scope=ONE_OF_EACH, events=(1, 2)):
    levels = tuple(Level(number, small(guarantee, one_by_one(number))) for number in events)
    return Row("tiny", {"commit": "after"}, levels, scope)


def column(name, **changes):
    return attrs.evolve(COLUMNS[name], **changes)


def only(guarantee, name, scope=ONE_OF_EACH, **changes):
    (cell,) = fill(row(guarantee, scope), [column(name, **changes)])
    return cell


def test_an_anomaly_that_happens_has_its_smallest_witness():
    """As `smallest` finds it, and as many smaller schedules were run."""
    cell = only(AT_LEAST_ONCE, "applied-twice")
    made = row(AT_LEAST_ONCE)
    certified = smallest(
        made.levels[-1].scenario, "never_applied_twice", SITES, faults=2,
        budgets={"crash": 1, "drop": 1}, opens="record_sent", sizes=(1, 2),
        sized=lambda number: made.levels[number - 1].scenario,
    )  # fmt: skip

    assert cell.verdict == HAPPENS
    assert cell.witness.certified
    assert cell.witness.line == certified.found.line
    assert (cell.witness.faults, cell.witness.level) == (1, "1 event")
    assert cell.witness.by_faults[0] == certified.by_faults[0] == 2
    assert word(cell) == "1 fault"


def test_a_witness_is_had_again_and_told():
    made, asked = row(AT_LEAST_ONCE), column("applied-twice")
    (cell,) = fill(made, [asked])

    trace = witnessed(made, cell.witness.level, cell.witness.line)

    assert asked.judge(trace).status is Status.BROKEN
    assert "twice" in story(made, asked, cell) or "second" in story(made, asked, cell)
    assert "certified: none of the" in tell(made, asked, cell)
    assert "for certain" in tell(made, asked, cell)


def test_a_probability_is_the_exact_one():
    """Of the largest size, under the laws of its own scenario."""
    cell = only(AT_LEAST_ONCE, "applied-twice")
    exact = probability(
        row(AT_LEAST_ONCE).levels[-1].scenario, "never_applied_twice", SITES,
        budgets={"crash": 1, "drop": 1}, opens="record_sent",
    )  # fmt: skip

    assert cell.probability.level == "2 events"
    assert cell.probability.low == pytest.approx(exact.low, abs=1e-6)
    assert cell.probability.high == pytest.approx(exact.high, abs=1e-5)
    assert 0.001 < cell.probability.low <= cell.probability.high < 0.02


def test_an_absence_is_a_proof_with_a_bug_that_shows():
    cell = only(EXACTLY_ONCE, "applied-twice")
    proofs = [
        prove(level.scenario, "never_applied_twice", SITES, budgets={"crash": 1, "drop": 1},
              opens="record_sent")
        for level in row(EXACTLY_ONCE).levels
    ]  # fmt: skip

    assert cell.verdict == ABSENT
    assert cell.complete
    assert cell.reached > 0
    assert set(cell.struck) == {"crash", "drop"}
    assert cell.schedules >= sum(proof.schedules for proof in proofs)
    assert all(proof.outcome is Outcome.PROVED for proof in proofs)
    assert cell.bitten.bug == "applies_before_it_marks"
    assert word(cell) == "absent"


def test_a_planted_bug_is_replayed_only_with_the_bug():
    made, asked = row(EXACTLY_ONCE), column("applied-twice")
    bitten = hunted(made, [asked], applies_before_it_marks)["applied-twice"]

    without = asked.judge(witnessed(made, bitten.level, bitten.line))
    with planted(applies_before_it_marks):
        having = asked.judge(witnessed(made, bitten.level, bitten.line))

    assert (without.status, having.status) == (Status.KEPT, Status.BROKEN)


# --- When nothing is shown -------------------------------------------------------------------


def test_an_absence_whose_bug_does_not_bite_is_not_shown():
    cell = only(EXACTLY_ONCE, "applied-twice", bugs=(forgets_producers,))

    assert cell.verdict == NOT_SHOWN
    assert cell.why == "no planted bug shows it here (tried: forgets_producers)"
    assert cell.bitten is None
    assert word(cell) == "?"


def test_an_absence_without_any_bug_is_not_shown():
    assert only(EXACTLY_ONCE, "applied-twice", bugs=()).verdict == NOT_SHOWN


def test_a_scope_that_was_not_run_to_its_end_shows_no_absence():
    (cell,) = fill(row(EXACTLY_ONCE), [column("applied-twice")], most=5)

    assert cell.verdict == NOT_SHOWN
    assert cell.why == "only 5 schedules of the scope were run"


def test_a_fault_that_never_struck_shows_no_absence():
    """The sites of this class are never come to."""
    nowhere = Scope(
        ("crash@billing-*/*", "pause@nobody"), {"crash": 1, "pause": 1}, opens="record_sent"
    )
    cell = only(EXACTLY_ONCE, "applied-twice", nowhere)

    assert cell.verdict == NOT_SHOWN
    assert cell.why == "no schedule had a fault of class pause"


def test_nothing_to_judge_is_no_absence():
    """Without transactions none is aborted, and with one consumer no partition has two owners."""
    aborted = only(EXACTLY_ONCE, "aborted-read")
    owners = only(EXACTLY_ONCE, "two-owners")

    assert (aborted.verdict, aborted.reached, word(aborted)) == (NOTHING, 0, "-")
    assert (owners.verdict, owners.why) == (NOTHING, "it takes 2 consumers, and there is 1")


def test_what_never_comes_to_rest_is_stuck():
    """Judged in every run, for a run that is cut off is none that `drained` can judge."""
    made = row(EXACTLY_ONCE, events=(2,))
    bug = hands_out_one_only
    bitten = hunted(made, [COLUMNS["stuck"]], bug)["stuck"]

    assert "was still to be done" in bitten.sentence
    with planted(bug):
        trace = witnessed(made, bitten.level, bitten.line)
    assert CHECKS["drained"](trace).status is Status.CANNOT_TELL


def test_a_run_that_raises_under_a_planted_bug_shows_nothing():
    def raises(patch):
        def fail(*_):
            raise ZeroDivisionError

        from simulator.protocol.log import Log

        patch.setattr(Log, "_learn", fail)

    asked = [column("applied-twice")]
    with planted(raises):
        swept = sweep(row(EXACTLY_ONCE, events=(1,)), asked, hunting=True)
        with pytest.raises(ZeroDivisionError):
            sweep(row(EXACTLY_ONCE, events=(1,)), asked)

    assert swept.raised == swept.schedules
    assert swept.columns["applied-twice"].witness is None


# --- Patches ------------------------------------------------------------------------------------


def fail_if(condition):
    if condition:
        raise ZeroDivisionError


class Parent:
    kept = 1


class Child(Parent):
    pass


def test_a_patch_is_taken_back_whatever_happens():
    table = {"a": 1}

    def bug(patch: Patch):
        patch.setattr(Parent, "kept", 2)
        patch.setattr(Child, "kept", 3)
        patch.setitem(table, "a", 4)
        patch.setitem(table, "b", 5)

    with pytest.raises(ZeroDivisionError), planted(bug):
        fail_if((Parent.kept, Child.kept, table) == (2, 3, {"a": 4, "b": 5}))

    assert (Parent.kept, Child.kept, table) == (1, 1, {"a": 1})
    assert "kept" not in vars(Child)


@pytest.mark.parametrize("bug", dict.fromkeys(b for c in COLUMNS.values() for b in c.bugs))
def test_every_planted_bug_says_what_it_is_and_leaves_nothing_behind(bug):
    """The same run before and after; a bug that is planted twice is undone twice."""
    scenario = small(EXACTLY_ONCE, one_by_one(2))
    from simulator import simulate

    before = simulate(scenario).digest()
    with planted(bug), planted(bug):
        pass

    assert bug.__doc__
    assert simulate(scenario).digest() == before


# --- The matrix itself --------------------------------------------------------------------------


def test_rows_and_columns_are_many_and_well_named():
    assert len(ROWS) >= 12
    assert len(COLUMNS) >= 7
    assert all(one.bugs for one in COLUMNS.values())
    for one in ROWS.values():
        assert one.levels[-1].scenario.name == ""
        assert len({level.label for level in one.levels}) == len(one.levels)


def test_no_bug_is_planted_in_what_is_compiled(monkeypatch):
    """It would have no effect, and every cell would say that nothing shows it."""
    monkeypatch.setattr("simulator.world.world.__file__", "/site/world.cpython-313.so")

    with pytest.raises(BadInput, match="install the pure package"), planted(lambda _: None):
        pass
