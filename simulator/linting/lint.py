"""Lint: ask each rule, show the harm of what it finds, and say what could not be told."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

import attrs

from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.linting import rules_events, rules_handling
from simulator.linting.architecture import Architecture
from simulator.linting.finding import Finding, Found, Report
from simulator.linting.rule import Rule
from simulator.searching.smallest import smallest


@lru_cache(maxsize=1)
def all_rules() -> dict[str, Rule]:
    """Every rule, by its name, in the order in which they are told."""
    return {rule.name: rule for rule in chain(rules_events.rules(), rules_handling.rules())}


def lint(
    architecture: Architecture, rules: Iterable[str] | None = None, *, witnesses: bool = True
) -> Report:
    """Which anti-patterns an architecture has, each with the smallest run that shows its harm.

    Args:
        rules: the names of those to ask; None: all.
        witnesses: whether to look for the runs, which takes a fraction of a second each.

    Raises:
        BadInput: there is no such rule.
        AssertionError: a run does no harm, or its cure does not help, which is a bug of the rule.
    """
    known = all_rules()
    asked = tuple(known if rules is None else rules)
    for name in asked:
        if name not in known:
            raise BadInput("there is no rule called", "lint", name, f"known: {', '.join(known)}")
    chosen = [known[name] for name in asked]
    return Report(
        architecture.name,
        tuple(
            shown(rule, found) if witnesses else plain(rule, found)
            for rule in chosen
            for found in rule.find(architecture)
        ),
        tuple(one for rule in chosen for one in rule.open(architecture, rule.name)),
        asked,
    )


def plain(rule: Rule, found: Found) -> Finding:
    """A finding without its runs."""
    return Finding(rule.name, found.subject, found.said, rule.fix)


def shown(rule: Rule, found: Found) -> Finding:
    """A finding with the smallest run that shows its harm; and its cure, in the same scope."""
    stage, cure = rule.stage(found, cured=False), rule.stage(found, cured=True)
    best = smallest(stage.scenario, stage.check, stage.sites, faults=stage.faults)
    assert best.found is not None, f"{rule.name} cries wolf: {found.subject}: {best}"
    assert best.found.verdict.status is Status.BROKEN
    well = smallest(cure.scenario, cure.check, cure.sites, faults=cure.faults)
    assert well.found is None, f"the cure of {rule.name} does not help: {found.subject}: {well}"
    return attrs.evolve(plain(rule, found), witness=best.found, cured_in=well.smaller)
