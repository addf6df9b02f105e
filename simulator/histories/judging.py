"""A history, judged: one verdict for each anomaly, and one for the whole.

1. An anomaly that is allowed here is reported and breaks nothing.
2. The whole is broken if anything is; else it cannot be told if the search for cycles was not
   finished, or a value was sent more than once, so that nobody knows whose a record is; else kept.
"""

import difflib
from collections.abc import Mapping
from typing import Any

import attrs

from simulator.checks.verdict import EVIDENCE_MOST, Evidence, Status, Verdict, combine
from simulator.errors import BadInput
from simulator.histories.catalogue import ANOMALIES
from simulator.histories.cycles import Cycles
from simulator.histories.dirty import dirty
from simulator.histories.finding import Finding, Findings
from simulator.histories.lost import lost_write, unseen
from simulator.histories.measures import consume_counts, worst_lag
from simulator.histories.operations import Operations
from simulator.histories.options import Options
from simulator.histories.places import places
from simulator.histories.sessions import polls, sends
from simulator.histories.telling import operations_of, sentence
from simulator.histories.versions import Versions

CYCLES = "cycle-search"
UNIQUE = "unique-values"


@attrs.frozen
class Judgement:
    """What a history shows.

    Attributes:
        operations: how many there are.
        findings: by anomaly, in the order of the catalogue.
        allowed: the anomalies that break nothing here.
        undecided: why something cannot be told; by what it is about.
        measures: worst-realtime-lag and consume-counts, which break nothing.
    """

    operations: int
    findings: Mapping[str, Finding]
    allowed: tuple[str, ...]
    undecided: Mapping[str, str]
    measures: Mapping[str, Any]

    @property
    def met(self) -> tuple[str, ...]:
        """The anomalies that have a case, allowed ones too."""
        return tuple(name for name, found in self.findings.items() if found.count)

    @property
    def bad(self) -> tuple[str, ...]:
        """The anomalies that have a case and are not allowed."""
        return tuple(name for name in self.met if name not in self.allowed)

    @property
    def verdict(self) -> Verdict:
        """All of it: each anomaly is a part, and so is what cannot be told."""
        return combine(self.verdicts(), "history")

    @property
    def status(self) -> Status:
        """Kept, broken or cannot tell."""
        return self.verdict.status

    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict for each anomaly, then one for each thing that leaves the whole undecided."""
        parts = [self._verdict(name, found) for name, found in self.findings.items()]
        parts.extend(
            Verdict(name, Status.CANNOT_TELL, why=why) for name, why in self.undecided.items()
        )
        return tuple(parts)

    def _verdict(self, name: str, found: Finding) -> Verdict:
        broken = bool(found.count) and name not in self.allowed
        status = Status.BROKEN if broken else Status.KEPT
        evidence = tuple(
            Evidence(sentence(name, case), operations_of(case))
            for case in found.shown[:EVIDENCE_MOST]
        )
        why = "what was found is allowed here" if found.count and not broken else ""
        reached = max(found.reached, found.count)
        return Verdict(name, status, evidence, found.count, reached, why)


def judge_operations(operations: Operations, options: Options | None = None) -> Judgement:
    """Judge what was done.

    Raises:
        BadInput: an allowed anomaly has a name that there is not.
    """
    options = options or Options()
    known(options.allow)
    versions = Versions(operations)
    findings: Findings = {
        **places(operations, versions),
        "lost-write": lost_write(operations, versions),
        "unseen": unseen(operations, versions),
        **dirty(operations),
        **polls(operations, versions),
        **sends(operations, versions),
    }
    cycles = Cycles(operations, versions, options)
    findings.update(cycles.findings)
    assert findings.keys() == dict(ANOMALIES).keys(), "the catalogue names what is looked for"
    undecided = {CYCLES: "; ".join(cycles.unfinished)} if cycles.unfinished else {}
    if operations.sent_twice:
        undecided[UNIQUE] = _sent_twice(operations)
    measures: dict[str, Any] = {"worst-realtime-lag": worst_lag(operations)}
    counted = consume_counts(operations)
    if counted["distribution"]:
        measures["consume-counts"] = counted
    ordered = {name: findings[name] for name in ANOMALIES}
    return Judgement(len(operations), ordered, options.allowed, undecided, measures)


def _sent_twice(operations: Operations) -> str:
    value, writers = next(iter(operations.sent_twice.items()))
    key, name = operations.named(value)
    by = " and ".join(str(operations.index[place]) for place in writers[:3])
    many = len(operations.sent_twice)
    return (
        f"{many} value{'s' * (many > 1)} sent more than once, such as {name!r} to {key} by "
        f"operations {by}: values must be unique to their key, or nobody knows whose a record is"
    )


def known(names: tuple[str, ...], where: str = "allow") -> None:
    """Anomalies that there are.

    Raises:
        BadInput: there is none of that name.
    """
    for name in names:
        if name not in ANOMALIES:
            near = difflib.get_close_matches(name, ANOMALIES, n=1)
            fix = f"did you mean {near[0]}?" if near else "known: " + ", ".join(ANOMALIES)
            raise BadInput("there is no anomaly", where, name, fix)
