"""A scenario file as an experiment of one cell: does its guarantee keep what it promises?"""

from pathlib import Path

from simulator.commands.declared import Declared
from simulator.study.experiment import KEPT, Experiment, Promise
from simulator.study.reference import Reference

RUNS = 100


def scenario_experiment(*, path: str) -> Experiment:
    """The experiment of a TOML file.

    Raises:
        BadInput: the file cannot be used as a scenario.
    """
    from simulator.scenario.toml import load

    scenario = load(path)
    guarantee = scenario.guarantee
    return Experiment(
        name=Path(path).stem.replace(" ", "_"),
        question=f"Does {guarantee.name} keep what it promises in this scenario?",
        scenario=lambda _factors, _seed: scenario,  # Workers build it again, from the file.
        checks=guarantee.promises,
        promises=tuple(Promise(check, KEPT) for check in guarantee.promises),
        runs=RUNS,
    )


def declared_scenario(path: Path) -> Declared:
    """The experiment, and where a worker finds it.

    Raises:
        BadInput: the file cannot be used as a scenario.
    """
    arguments = (("path", str(path)),)
    reference = Reference(__name__, scenario_experiment.__name__, arguments)
    return Declared(path, reference, scenario_experiment(path=str(path)), None)
