"""The kill matrix: how many runs each engine needs until a planted bug breaks its promise.

    portfolio       `explore` as it comes: every run is drawn in another way
    natural law     the scenario's own laws alone, which make few faults or none
    swarm, sparse   one of the portfolio's ways alone
    Hypothesis      plans of up to three faults, and chance, as `simulator.testing.search` has them
    deepening       every schedule with no crash or lost message, then with one, two, three

Every engine may do the same: faults of the classes under which the promise is kept. But deepening
knows crashes and lost messages alone, and no faults at a time.

A kill counts if the run that breaks the promise keeps it without the bug. docs/generate.py writes
all of it to docs/mutants.md, which takes ten minutes.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from simulator import Replay, Scenario, Seeded, Status, all_of, simulate
from simulator.chance.likelihood import SPARSE, SWARM
from simulator.searching.properties import as_judge
from simulator.searching.smallest import smallest
from simulator.testing import fault_plans
from simulator.testing.faults import KINDS, surveyed
from simulator.testing.search import search
from tests.mutants import replication, transactions
from tests.mutants.table import MUTANTS, Mutant, broken, explored

BUDGETS = (20, 100, 400)

# Killed by nothing: a promise or a way to make faults is wanting, or another guard suffices.
SURVIVORS: Mapping[Callable[..., Any], str] = {
    replication.acknowledges_when_time_is_up: "The record is in the leader's log all the same; it "
    "is lost only if nobody else has it when that leader goes, which takes two faults in turn.",
    replication.joins_before_it_has_caught_up: "The mark waits for the newcomer; what it lacks is "
    "lost only if it is elected before its next fetch.",
    replication.forgets_who_is_proposed: "It shows only if the newcomer falls behind, and is "
    "elected, while the answer to the proposal is on its way.",
    replication.answers_whatever_epoch_is_meant: "Logs part by the epochs of their batches, which "
    "is looked at as well: one guard of two.",
    transactions.takes_records_of_old_epochs: "A partition asks the coordinator whether the "
    "producer takes part, who tells it that it is fenced: one guard of two.",
}


# In how many runs, and the run that breaks the promise.
Killed = tuple[int, Scenario, Mapping[tuple[str, int], int]]


def _explored(mutant: Mutant, **more: Any) -> Killed | None:
    failure = explored(mutant.promised, BUDGETS[-1], **more).first
    if failure is None or broken(failure.verdict) == ("run",):
        return None  # What stops the run is no verdict on a promise.
    return failure.run + 1, failure.scenario, failure.witness


def _by_hypothesis(mutant: Mutant) -> Killed | None:
    promised = mutant.promised
    classes = promised.fault_classes
    if classes is None:
        classes = promised.scenario.guarantee.fault_classes
    kinds = [kind for kind, (fault_class, _) in KINDS.items() if fault_class in classes]
    plans = fault_plans(promised.scenario, kinds=kinds) if kinds else None
    found = search(
        promised.scenario, all_of(*promised.checks), plans, budget=BUDGETS[-1], shrinking=0
    )
    return None if found is None else (found.runs, found.run.scenario, found.run.witness)


def _by_deepening(mutant: Mutant) -> Killed | None:
    promised = mutant.promised
    scenario = promised.scenario
    found = smallest(
        scenario,
        promised.checks,
        sizes=(1,),
        sized=lambda _: scenario,
        most=BUDGETS[-1],
    )
    if found.found is None:
        return None
    return found.smaller + 1, scenario, found.found.witness


ENGINES: Mapping[str, Callable[[Mutant], Killed | None]] = {
    "portfolio": _explored,
    "natural law": lambda mutant: _explored(mutant, chooser=Seeded),
    "swarm": lambda mutant: _explored(mutant, shares={SWARM: 1}),
    "sparse": lambda mutant: _explored(mutant, shares={SPARSE: 1}),
    "Hypothesis": _by_hypothesis,
    "deepening": _by_deepening,
}
Row = tuple[Mutant, dict[str, int | None]]


def rows() -> Iterator[Row]:
    """Each bug, and how many runs each engine needs; None: more than the largest budget."""
    with ProcessPoolExecutor() as pool:
        yield from zip(MUTANTS.values(), pool.map(_row, MUTANTS), strict=True)


def _row(name: str) -> dict[str, int | None]:
    mutant = MUTANTS[name]
    surveyed(mutant.promised.scenario)  # Where faults may strike, as without the bug.
    needed = {}
    for engine, by in ENGINES.items():
        with mutant.planted():
            killed = _killed_by(by, mutant)
        needed[engine] = killed[0] if killed is not None and _is_clean(mutant, killed) else None
    return needed


def _killed_by(by: Callable[[Mutant], Killed | None], mutant: Mutant) -> Killed | None:
    try:
        return by(mutant)
    except Exception:  # noqa: BLE001 - the bug stopped the run
        return None


def _is_clean(mutant: Mutant, killed: Killed) -> bool:
    """Whether it is the bug that breaks the promise: without it, the same run keeps it."""
    _, scenario, witness = killed
    trace = simulate(scenario, Replay(witness, strict=False))
    return as_judge(mutant.promised.checks)(trace).status is not Status.BROKEN


# --- The page ----------------------------------------------------------------------------------

PAGE = """\
<!-- Written by docs/generate.py from what the searches found: change the bugs there. -->

# Planted bugs

Bugs planted into the product, one at a time: a few lines that somebody might have written. Each
breaks a promise that the product keeps without it, under the same search; and the check that is
named here says so. `tests/test_mutants.py` has the default portfolio kill each of them, within the
budget that stands here, at every test; the other engines are tried when this page is written.

How many of {count} bugs each engine kills, in so many runs for each bug:

"""
MATRIX = """
How many runs each engine needs, all from their first seed; `-`: more than {most}.

"""

SURVIVE = """\
Neither the portfolio nor swarms alone kill these in 1500 runs (the last: the portfolio in 400), so
they do not count above. What it might take is said of each; that any run shows it is not known.

"""


def page(found: list[Row] | None = None) -> str:
    """docs/mutants.md."""
    table = list(rows()) if found is None else found
    lines = [PAGE.format(count=len(table)), _line("budget", ENGINES), _rule(len(ENGINES))]
    for budget in BUDGETS:
        killed = (_killed(table, engine, budget) for engine in ENGINES)
        lines.append(_line(str(budget), killed))
    lines += [MATRIX.format(most=BUDGETS[-1]), _line("bug", ENGINES), _rule(len(ENGINES))]
    for mutant, needed in table:
        cells = ("-" if one is None else str(one) for one in needed.values())
        lines.append(_line(f"`{mutant.name}`", cells))
    lines.append("\n## What they are\n")
    area = ""
    for mutant, _ in table:
        if mutant.area != area:
            area = mutant.area
            lines.append(f"\n### {area[0].upper()}{area[1:]}\n\n")
            lines.append("| bug | what is wrong | breaks | of the promise | budget |\n")
            lines.append("|---|---|---|---|--:|\n")
        cells = (mutant.says, f"`{mutant.check}`", mutant.promised.name, str(mutant.budget))
        lines.append(_line(f"`{mutant.name}`", cells))
    lines.append("\n## What survives\n\n" + _survivors())
    return "".join(lines)


def _killed(table: list[Row], engine: str, budget: int) -> str:
    return str(sum((needed[engine] or budget + 1) <= budget for _, needed in table))


def _line(first: str, cells: Any) -> str:
    return f"| {' | '.join((first, *cells))} |\n"


def _rule(columns: int) -> str:
    return "|---|" + "--:|" * columns + "\n"


def _survivors() -> str:
    told = (f"- `{bug.__name__}`: {_says(bug)} {why}\n" for bug, why in SURVIVORS.items())
    return SURVIVE + "".join(told)


def _says(bug: Callable[..., Any]) -> str:
    return " ".join((bug.__doc__ or "").split())


__all__ = ["BUDGETS", "ENGINES", "SURVIVORS", "page", "rows"]
