"""Declaring does nothing, except saying at once what cannot be."""

import attrs
import pytest

from simulator.errors import BadInput
from simulator.stats.stopping import FixedRuns, UntilNarrow
from simulator.study.experiment import Experiment, Promise, check_names, label
from tests.study.fake import EXPERIMENT, fake


def never(factors, seed):
    raise AssertionError("declared, not run")


def test_declaring_runs_nothing():
    Experiment("quiet", "Is it quiet?", never, factors={"a": [1]})


def test_cells_are_all_combinations_the_last_factor_first():
    cells = EXPERIMENT.cells()

    assert [str(cell) for cell in cells] == [
        "sink=naive crash=0.0",
        "sink=naive crash=0.2",
        "sink=careful crash=0.0",
        "sink=careful crash=0.2",
    ]
    assert cells[1].factors == {"sink": "naive", "crash": 0.2}
    assert cells == tuple(EXPERIMENT.cell_at(index) for index in range(4))
    assert [str(cell) for cell in Experiment("one", "Is it?", never).cells()] == ["all"]


@attrs.frozen
class Named:
    name: str


def test_a_level_is_called_by_its_key_its_name_or_its_text():
    declared = fake(
        factors={"sink": [Named("naive"), Named("careful")], "crash": {"0.0": 0, "0.2": 1}}
    )

    assert str(declared.cells()[0]) == "sink=naive crash=0.0"
    assert declared.cells()[1].factors["crash"] == 1
    assert label(0.05) == "0.05"


def test_a_cell_is_found_by_its_labels():
    assert EXPERIMENT.cell({"crash": "0.2", "sink": "naive"}) == EXPERIMENT.cells()[1]
    with pytest.raises(BadInput, match="missing: crash"):
        EXPERIMENT.cell({"sink": "naive"})
    with pytest.raises(BadInput, match=r"no level '0.3' \(known: 0.0, 0.2\)"):
        EXPERIMENT.cell({"sink": "naive", "crash": "0.3"})


def test_promises_come_from_a_table_or_a_function():
    def promises(factors):
        return {"nothing_lost": "broken" if factors["crash"] else "kept"}

    cells = EXPERIMENT.cells()
    assert [EXPERIMENT.expected(cell).get("nothing_lost") for cell in cells] == [
        "kept", "broken", "kept", "kept",
    ]  # fmt: skip
    by_function = fake(promises=promises)
    assert [by_function.expected(cell)["nothing_lost"] for cell in cells] == [
        "kept", "broken", "kept", "broken",
    ]  # fmt: skip


def test_a_promise_may_speak_of_several_levels():
    promise = Promise("x", "kept", where={"crash": ("0.0", "0.2")})

    assert all(promise.speaks_of(cell.labels) for cell in EXPERIMENT.cells())


def test_checks_are_called_by_key_text_name_or_function():
    assert check_names({"a": 1, "b": 2}) == ("a", "b")
    assert check_names(["a", Named("b"), never]) == ("a", "b", "never")


def test_the_rule_is_the_number_of_runs_unless_one_is_given():
    rule = UntilNarrow("latency p50", 100.0)

    assert EXPERIMENT.rule == FixedRuns(40)
    assert fake(stopping=rule).rule is rule


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"name": "two words"}, "one word: 'two words'"),
        ({"runs": 0}, "0"),
        ({"confidence": 95}, "95"),
        ({"undecided": 1.0}, "1.0"),
        ({"factors": {"sink": []}}, r"factor sink wants a list of levels: \[\]"),
        ({"factors": {"sink": "naive"}}, "'naive'"),
        ({"factors": {"sink": [1, 1]}}, "two levels called '1'"),
        ({"baseline": {"sinks": "naive"}}, r"no such factor: 'sinks' \(known: sink, crash\)"),
        ({"baseline": {"sink": "best"}}, r"no level 'best' \(known: naive, careful\)"),
        ({"promises": (Promise("nope", "kept"),)}, "unknown check: 'nope'"),
        ({"promises": (Promise("nothing_lost", "kept", where={"x": "1"}),)}, "'x'"),
        (
            {"promises": (Promise("nothing_lost", "kept"), Promise("nothing_lost", "broken"))},
            "both kept and broken: 'nothing_lost'",
        ),
        ({"promises": lambda factors: {"nope": "kept"}}, "'nope'"),
        ({"promises": lambda factors: {"nothing_lost": "yes"}}, "'yes'"),
        ({"checks": ("a", "a"), "promises": ()}, "two checks are called 'a'"),
        ({"stopping": UntilNarrow("latency", 1.0)}, "'latency'"),
    ],
)
def test_what_cannot_be_is_said_at_once(changed, shown):
    with pytest.raises(BadInput, match=shown):
        fake(**changed)


def test_a_promise_is_kept_or_broken():
    with pytest.raises(BadInput, match="'perhaps'"):
        Promise("x", "perhaps")
