"""A law of event-driven patterns: the right variants keep it, and each wrong twin breaks it.

A `Law` is judged in the world: a check, and scenarios that differ from each other in one function
or argument. A `Rule` is judged without one: a predicate, and functions over drawn cases. Both say
how often the situation that they speak of was reached, for a law that was never put to the test
would hold as well; and of each twin they tell the smallest run, or case, that breaks it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from simulator import Check, Scenario, SimulatorError, Smallest, Status, explore, finish, smallest

SEED = 20_251_204
RUNS = 25  # Of each right variant; every one with other faults.
EXAMPLES = 60
SEARCH = 400  # Runs in which a twin's failure must be found, where its scope is not enumerated.
# What a law that says "whatever happens" is run under: every class of fault of nodes and network.
ANYTHING = ("crash", "drop", "delay", "duplicate", "pause")
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
STEADY = settings(
    database=None, deadline=None, derandomize=True, max_examples=EXAMPLES,
    phases=(Phase.generate,), report_multiple_bugs=False, suppress_health_check=QUIET,
)  # fmt: skip


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class Twin:
    """A variant that breaks a law.

    Args:
        scenario: as the right variant's, but for one function or argument.
        faults: how many faults (choices of chance that are not benign) its smallest run has; those
            that are planned in the scenario do not count.
        sites: where the smallest run is looked for, all of it enumerated; (): random search finds
            a failure first, and what it does not need is left out.
        grids: the answers that are tried at patterns of sites, such as delays in microseconds.
        check: what it breaks, if that is not the law's own check.
        budget: runs of the random search.
        classes: of faults that the random search makes; None: the law's.
    """

    scenario: Scenario
    faults: int
    sites: tuple[str, ...] = attrs.field(default=("crash@*",), converter=_names)
    grids: Mapping[str, Iterable[int]] | None = None
    check: Check | None = None
    budget: int = SEARCH
    classes: tuple[str, ...] | None = None


@attrs.frozen
class Right:
    """A variant that keeps a law, and in what it is judged otherwise than the others.

    Args:
        scenario: as the twins', but for one function or argument.
        check: what it keeps, if that is not the law's own check: a bound of its own, say.
        situation: the mark that it was put to the test, if another than the law's says so.
        classes: of faults that it is run under; None: the law's.
        sites: where faults are made; (): where the law makes them.
    """

    scenario: Scenario
    check: Check | None = None
    situation: str = ""
    classes: tuple[str, ...] | None = None
    sites: tuple[str, ...] = attrs.field(default=(), converter=_names)


@attrs.frozen
class Law:
    """What a check says of every run of the right variants, and of some run of each twin.

    Args:
        name: its place in the catalogue, such as D01.
        says: the law, in the present tense.
        check: its judge.
        right: the variants that keep it, by what they are called.
        twins: those that break it.
        situation: the mark that says that it was put to the test: a kind of event, a check's name
            (it had something to judge), or `noted/label`.
        classes: of faults that the right variants are run under.
        sites: patterns of site names: only there are faults made.
        timed: whether pauses and partitions may come at a time as well.
        runs: of each right variant.
        undecided: whether a run may end undecided; by default each says kept.
        aside: why no twin, or no right variant, is to be had where there is none.
    """

    name: str
    says: str
    check: Check
    situation: str
    right: Mapping[str, Scenario | Right] = attrs.field(factory=dict)
    twins: Mapping[str, Twin] = attrs.field(factory=dict)
    classes: tuple[str, ...] = ("crash",)
    sites: tuple[str, ...] = attrs.field(default=("*",), converter=_names)
    timed: bool = False
    runs: int = RUNS
    undecided: bool = False
    aside: str = ""


@attrs.frozen
class Rule:
    """What a predicate says of every drawn case for the right functions, and not for the twins'.

    Args:
        cases: a Hypothesis strategy.
        holds: whether the law holds of (variant, case).
        situation: whether a case is one that the law speaks of; `situated` says which those are.
    """

    name: str
    says: str
    cases: st.SearchStrategy[Any]
    holds: Callable[[Any, Any], bool]
    right: Mapping[str, Any]
    twins: Mapping[str, Any]
    situation: Callable[[Any], bool] = attrs.field(default=lambda _: True)
    situated: str = "cases"
    examples: int = EXAMPLES
    aside: str = ""


@attrs.frozen
class Outcome:
    """What came of one variant of a law.

    Attributes:
        law, variant, kept: which, and whether it is to keep the law.
        tried: runs, or cases; for a twin, what was tried to find its smallest.
        reached: in how many of them the situation was.
        faults: of the smallest run that breaks it; None for what keeps it, and for rules.
        story: of the failure: one sentence.
        witness: how to have it again; or the case.
    """

    law: str
    variant: str
    kept: bool
    tried: int
    reached: int
    faults: int | None = None
    story: str = ""
    witness: str = ""

    def __str__(self) -> str:
        """One line, or two."""
        if self.kept:
            return (
                f"{self.law} kept by {self.variant}: {self.tried} tried, situation reached in "
                f"{self.reached}"
            )
        faults = "" if self.faults is None else f" with {self.faults} faults"
        return (
            f"{self.law} broken by {self.variant}{faults}: {self.story}\n"
            f"    {self.witness or '(no choice of chance)'}"
        )


def keeps(law: Law | Rule, variant: str) -> Outcome:
    """The law holds for a right variant, whatever is drawn; AssertionError tells where not."""
    if isinstance(law, Rule):
        return _keeps_rule(law, variant)
    given = law.right[variant]
    right = given if isinstance(given, Right) else Right(given)
    situation = right.situation or law.situation
    found = explore(
        right.scenario, right.check or law.check, budget=law.runs, seed=SEED, timed=law.timed,
        faults=law.classes if right.classes is None else right.classes,
        sites=right.sites or law.sites, sometimes=(situation,),
    )  # fmt: skip
    assert not found.failures, f"{law.name}, {variant}: {found}"
    undecided = sum(tally.undecided for tally in found.tallies)
    assert law.undecided or not undecided, f"{law.name}, {variant}: {undecided} runs undecided"
    reached = found.reached.get(situation, 0)
    assert reached, f"{law.name}, {variant}: {situation} was never reached: {found.reached}"
    return Outcome(law.name, variant, kept=True, tried=law.runs, reached=reached)


def breaks(law: Law | Rule, variant: str) -> Outcome:
    """The law does not hold for a twin: the smallest run, or case, that breaks it."""
    if isinstance(law, Rule):
        return _breaks_rule(law, variant)
    twin = law.twins[variant]
    best = _smallest(law, twin)
    assert best, f"{law.name}, {variant}: nothing breaks it\n{best}"
    assert best.found is not None
    assert best.certified, f"{law.name}, {variant}: not certified\n{best}"
    found = best.found
    said = found.verdict.evidence[0].sentence if found.verdict.evidence else ""
    assert found.faults == twin.faults, f"{law.name}, {variant}: {best}"
    return Outcome(
        law.name, variant, kept=False, tried=best.smaller + 1, reached=1, faults=found.faults,
        story=said, witness=found.line,
    )  # fmt: skip


def _smallest(law: Law, twin: Twin) -> Smallest:
    check = twin.check or law.check
    if twin.sites:
        return smallest(
            twin.scenario, check, twin.sites, faults=max(1, twin.faults), grids=twin.grids,
            sizes=None,
        )  # fmt: skip
    found = explore(
        twin.scenario, check, budget=twin.budget, seed=SEED, sites=law.sites, timed=law.timed,
        faults=law.classes if twin.classes is None else twin.classes,
    )  # fmt: skip
    assert found.failures, f"{law.name}: {found}"
    failure = found.failures[0]
    finished = finish(failure.scenario, check, failure.witness, added=failure.faults)
    return finished.smallest


def _keeps_rule(rule: Rule, variant: str) -> Outcome:
    right = rule.right[variant]
    tried = reached = 0

    @seed(SEED)
    @settings(STEADY, max_examples=rule.examples)
    @given(rule.cases)
    def look(case: Any) -> None:
        nonlocal tried, reached
        tried += 1
        reached += bool(rule.situation(case))
        assert rule.holds(right, case), f"{rule.name}, {variant}: {case!r}"

    look()
    assert reached, f"{rule.name}, {variant}: no case was one of {rule.situated}"
    return Outcome(rule.name, variant, kept=True, tried=tried, reached=reached)


def _breaks_rule(rule: Rule, variant: str) -> Outcome:
    twin = rule.twins[variant]
    tried = 0

    def wrong(case: Any) -> bool:
        nonlocal tried
        tried += 1
        return not rule.holds(twin, case)

    shrinking = settings(
        STEADY, max_examples=2_000, phases=(Phase.generate, Phase.shrink)
    )
    try:
        case = find(rule.cases, wrong, settings=shrinking)
    except NoSuchExample as none:
        raise AssertionError(f"{rule.name}, {variant}: no case breaks it") from none
    return Outcome(
        rule.name, variant, kept=False, tried=tried, reached=1, story=rule.says, witness=repr(case)
    )


__all__ = [
    "ANYTHING", "Law", "Outcome", "Right", "Rule", "SimulatorError", "Status", "Twin", "breaks",
    "keeps",
]  # fmt: skip
