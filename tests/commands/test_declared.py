"""An experiment's own options are the keyword arguments of the function that declares it."""

import sys

import pytest

from simulator.commands.declared import arguments, declared, labels_of
from simulator.commands.outcome import WrongUsage

EXPERIMENT = '''"""Does it?"""
from simulator.study.experiment import Experiment

def experiment(*, events: str | None = None, span_ms: int = 60_000) -> Experiment:
    return Experiment(
        name="own", question="Does it?", scenario=lambda factors, seed: (events, span_ms)
    )
'''


def build(*, events: str | None = None, span_ms: int = 60_000, rate: float = 1.0):
    """As a file would declare it."""


@pytest.fixture(autouse=True)
def _own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_an_option_is_read_as_its_parameter_says():
    words = ["--events", "a.csv", "--span-ms=500", "--rate", "2.5"]

    assert arguments(build, words) == {"events": "a.csv", "span_ms": 500, "rate": 2.5}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--event", "a.csv"], "no option '--event'.*--events, --span-ms"),
        (["--events"], "missing after '--events'"),
        (["--span-ms", "long"], "--span-ms is a whole number, not 'long'"),
        (["stray"], "no option 'stray'"),
    ],
)
def test_an_option_that_it_has_not_is_refused_by_name(words, said):
    with pytest.raises(WrongUsage, match=said):
        arguments(build, words)


def test_an_experiment_is_built_with_its_options(tmp_path):
    """And a worker finds it again, by place and plain arguments."""
    path = tmp_path / "own.py"
    path.write_text(EXPERIMENT)

    found = declared(path, ["--events", "a.csv"])

    assert found.experiment.scenario({}, 1) == ("a.csv", 60_000)
    assert found.reference.arguments == (("events", "a.csv"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"""Empty."""', "no experiment is declared"),
        ("EXPERIMENT = 3\n", "not an Experiment.* 3"),
    ],
)
def test_a_file_without_an_experiment_is_refused(tmp_path, text, said):
    path = tmp_path / "own.py"
    path.write_text(text)

    with pytest.raises(WrongUsage, match=said):
        declared(path, [])


def test_a_cell_is_named_by_its_levels():
    """As a result names it: factors and levels may hold blanks."""
    factors = ("guarantee", "lost answers")

    assert labels_of("guarantee=at least once lost answers=5%", factors) == {
        "guarantee": "at least once",
        "lost answers": "5%",
    }
    assert labels_of("", factors) == {}
    assert labels_of("", ()) == {}


@pytest.mark.parametrize("text", ["guarantee", "guarantee=", "=0.05", "crash=0.05"])
def test_a_cell_that_names_no_level_is_refused(text):
    with pytest.raises(WrongUsage, match="factor=level"):
        labels_of(text, ("guarantee", "lost answers"))


def test_a_cell_has_one_level_of_a_factor():
    with pytest.raises(WrongUsage, match="factor crashes is given twice"):
        labels_of("crashes=none guarantee=mine crashes=2%", ("guarantee", "crashes"))
