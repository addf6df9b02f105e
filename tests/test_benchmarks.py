"""The benchmarks run, in a tiny size: what they measure exists, and their command works.

No time is asserted here: how fast anything is, is for `python -m benchmarks` to say.
"""

import json
from itertools import count

import pytest

from benchmarks import __main__ as command
from benchmarks import clusters
from benchmarks.measuring import Case, Costs, Result, measure
from simulator.errors import SimulatorError

SIZE = 0.002


def named(case):
    return case.name


@pytest.mark.parametrize("case", command.CASES, ids=named)
def test_a_case_can_be_measured(case):
    result = measure(case, 1, SIZE)

    assert len(result.values) == 1
    assert result.value > 0


def test_names_are_unique():
    names = [case.name for case in command.CASES]

    assert sorted(set(names)) == sorted(names)


def test_a_batch_that_loses_a_record_is_no_measurement(monkeypatch):
    """A fast run that does not do its work is not fast."""
    monkeypatch.setattr(clusters, "simulate", lambda *_, **__: None)

    with pytest.raises(SimulatorError, match="handled 0 of 50"):
        clusters.batch(50)


# --- Arithmetic ------------------------------------------------------------------------------


def costs(*own):
    """The base costs 2, then 4: 3 on average; the case as given."""
    base = count(1)
    return Costs(iter(own).__next__, lambda: 2.0 if next(base) % 2 else 4.0)


def case(**more):
    return Case("one", "", 0.5, lambda _: costs(1.0, 6.0, 12.0, 4.0), **more)


def test_a_lower_bound_is_of_rates_and_an_upper_bound_of_costs():
    assert case().value(costs(6.0)) == 0.5
    assert case(at_most=True).value(costs(6.0)) == 2.0
    assert case(at_most=True).value(Costs(lambda: 7.0)) == 7.0


def test_a_value_is_the_median_of_its_rounds_and_the_first_only_warms_up():
    result = measure(case(), 3)

    assert result.values == (0.5, 0.25, 0.75)
    assert result.value == 0.5


def test_a_case_is_measured_no_more_often_than_it_says():
    """So few rounds take long, and need no warming up."""
    assert measure(case(rounds_most=2), 3).values == (3.0, 0.5)


def test_a_target_is_met_within_the_slack():
    """0.5 is wanted: 0.35 is 30 % less, and 0.65 is 30 % more."""
    assert Result(case(), (0.5,)).is_met()
    assert not Result(case(), (0.36,)).is_met()
    assert Result(case(), (0.36,)).is_met(0.3)
    assert not Result(case(), (0.34,)).is_met(0.3)
    assert Result(case(at_most=True), (0.5,)).is_met()
    assert Result(case(at_most=True), (0.64,)).is_met(0.3)
    assert not Result(case(at_most=True), (0.66,)).is_met(0.3)


# --- The command -----------------------------------------------------------------------------


@pytest.fixture
def reported(monkeypatch):
    """The command with one case, whose value is 0.36 where 0.5 is wanted."""
    slow = Case("slow", "what is slow", 0.5, lambda _: Costs(lambda: 1.0, lambda: 0.36))
    monkeypatch.setattr(command, "CASES", (slow,))


def test_the_table_shows_target_value_and_verdict(reported, capsys):
    assert command.main(["--rounds", "1"]) == 0

    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["case", "target", "value"]
    assert row.split()[:5] == ["slow", ">=", "0.5", "0.36", "short"]


def test_strict_grants_no_slack(reported):
    assert command.main(["--rounds", "1", "--strict"]) == 1


def test_the_results_are_written_with_every_round(reported, tmp_path):
    command.main(["--rounds", "2", "--json", str(tmp_path / "speed.json")])

    (found,) = json.loads((tmp_path / "speed.json").read_text())["cases"]
    assert found["name"] == "slow"
    assert found["bound"] == "at least"
    assert not found["met"]
    assert found["rounds"] == [0.36, 0.36]


def test_a_case_that_does_not_do_its_work_spares_the_others(monkeypatch, capsys):
    def broken(_):
        raise SimulatorError("it lost a record")

    good = Case("good", "", 0.5, lambda _: Costs(lambda: 1.0, lambda: 1.0))
    monkeypatch.setattr(command, "CASES", (Case("bad", "", 0.5, broken), good))

    assert command.main(["--rounds", "1"]) == 1
    _, bad, well = capsys.readouterr().out.splitlines()
    assert bad.split(maxsplit=1) == ["bad", "cannot be measured: it lost a record"]
    assert well.split()[4] == "ok"


def test_a_profile_shows_functions(reported, capsys):
    assert command.main(["--profile", "slow"]) == 0

    assert "function calls" in capsys.readouterr().out


def test_a_case_that_there_is_not_is_refused(reported, capsys):
    with pytest.raises(SystemExit):
        command.main(["--only", "fast"])

    assert "slow" in capsys.readouterr().err
