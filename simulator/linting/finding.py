"""What a lint has found: findings with their witness runs, and what it could not tell."""

import attrs

from simulator.chance.scope import NOWHERE
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.scenario.scenario import Scenario
from simulator.searching.schedules import Counterexample


@attrs.frozen
class Found:
    """What a rule has found, before it was shown to do harm.

    Attributes:
        subject: whom it is about, such as `billing handles orders`.
        said: the finding, as a sentence.
    """

    subject: str
    said: str
    facts: tuple[object, ...] = attrs.field(default=(), repr=False)


@attrs.frozen
class Stage:
    """A small run in which the harm is looked for.

    Attributes:
        scenario, check: what is run, and what judges it.
        sites, faults: at which sites of chance faults are tried, and how many at most.
    """

    scenario: Scenario = attrs.field(repr=False)
    check: Check
    sites: tuple[str, ...] = (NOWHERE,)  # The run alone does harm.
    faults: int = 0


@attrs.frozen
class Finding:
    """An anti-pattern that is there, and the smallest run that shows its harm.

    Attributes:
        rule: its name.
        subject, said: see `Found`.
        fix: what to do.
        witness: the run; None if it was not asked for.
        cured_in: in so many runs, all that the same faults allow, the cure does no harm.
    """

    rule: str
    subject: str
    said: str
    fix: str
    witness: Counterexample | None = attrs.field(default=None, repr=False)
    cured_in: int = 0

    @property
    def harm(self) -> str:
        """What the witness shows, as a sentence."""
        if self.witness is None or not self.witness.verdict.evidence:
            return ""
        return self.witness.verdict.evidence[0].sentence

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.said}"


@attrs.frozen
class Open:
    """What a rule could not tell, because the architecture does not."""

    rule: str
    subject: str
    missing: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.missing} is not told"


@attrs.frozen
class Report:
    """What a lint came to.

    Attributes:
        name: of the architecture.
        findings: in the order of the rules.
        open: what could not be told.
        rules: the names of the rules that were asked.
    """

    name: str
    findings: tuple[Finding, ...]
    open: tuple[Open, ...]
    rules: tuple[str, ...]

    @property
    def status(self) -> Status:
        """Broken by a finding; cannot tell if something is open; else kept."""
        if self.findings:
            return Status.BROKEN
        return Status.CANNOT_TELL if self.open else Status.KEPT

    def __bool__(self) -> bool:
        """Whether nothing was found; what is open does not count."""
        return not self.findings
