"""A verdict: was the promise kept, was it broken, or can nobody tell from what was seen?

Rule 1: broken beats unknown beats kept. One broken promise breaks a whole; one that nobody can
tell leaves the whole undecided, if nothing is broken.
Rule 2: what is broken is shown: the trace's entries, and a sentence for each case.
Rule 3: a check that met nothing to judge says so (`reached` is 0): then kept means little.
Rule 4: the truth value of "cannot tell" is asked for by mistake, so it raises.
"""

from collections.abc import Iterable
from enum import Enum

import attrs

from simulator.checks.story import about, story
from simulator.errors import UndecidedVerdict
from simulator.trace.trace import Trace

EVIDENCE_MOST = 20  # Cases that are kept; the others are only counted.
SHOWN_MOST = 5  # Cases that an explanation names.


class Status(Enum):
    """How a promise came out."""

    KEPT = "kept"
    BROKEN = "broken"
    CANNOT_TELL = "cannot tell"

    def __str__(self) -> str:
        return self.value


_WEIGHT = {Status.KEPT: 0, Status.CANNOT_TELL: 1, Status.BROKEN: 2}


@attrs.frozen
class Evidence:
    """One case: a sentence, the seqs of the entries that show it, and whose story it is.

    `event_ids` are the events that the case is about, for `explain` to follow.
    """

    sentence: str
    entries: tuple[int, ...] = ()
    event_ids: tuple[str, ...] = ()


@attrs.frozen
class Verdict:
    """What one check has to say of one run.

    Attributes:
        check: the check's name.
        status: kept, broken or cannot tell.
        evidence: cases that break the promise, or that leave it open; the first few.
        cases: how many there are in all.
        reached: how many situations were examined in which the promise could have been broken.
        why: why it cannot be told, or what the check never met.
        parts: the verdicts that this one is made of.
    """

    check: str
    status: Status
    evidence: tuple[Evidence, ...] = ()
    cases: int = 0
    reached: int = 0
    why: str = ""
    parts: "tuple[Verdict, ...]" = ()

    def __bool__(self) -> bool:
        """Whether it was kept.

        Raises:
            UndecidedVerdict: it cannot be told; look at `.status`.
        """
        if self.status is Status.CANNOT_TELL:
            raise UndecidedVerdict(f"{self.check}: cannot tell: {self.why}")
        return self.status is Status.KEPT

    @property
    def entries(self) -> tuple[int, ...]:
        """The seqs of all evidence, each once, in order."""
        return tuple(sorted({seq for one in self.evidence for seq in one.entries}))

    def __str__(self) -> str:
        """One line: the check, how it came out, and how much it is worth."""
        if self.status is Status.BROKEN:
            return f"{self.check}: broken ({_times(self.cases)} of {self.reached} examined)"
        if self.status is Status.CANNOT_TELL:
            return f"{self.check}: cannot tell: {self.why}"
        if not self.reached:
            why = self.why or "nothing was there to be judged"
            return f"{self.check}: kept, but {why}"
        return f"{self.check}: kept ({self.reached} examined)"

    def explain(self, trace: Trace | None = None) -> str:
        """A short story of what happened: the verdict, its cases, and what led to the first.

        Args:
            trace: the run's trace; if it was kept, the story tells the entries that matter.
        """
        lines = [str(self)]
        told = [part for part in self.parts if part.status is self.status]
        if told and self.status is not Status.KEPT:
            lines.extend(part.explain(trace) for part in told)
            return "\n".join(lines)
        lines.extend(f"  - {one.sentence}" for one in self.evidence[:SHOWN_MOST])
        if self.cases > SHOWN_MOST:
            lines.append(f"  - ... and {self.cases - SHOWN_MOST} more")
        if trace is not None and trace.kept and self.evidence:
            first = self.evidence[0]
            lines.append(about(first.event_ids))
            lines.extend(f"  {line}" for line in story(trace, first.entries, first.event_ids))
        return "\n".join(lines)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class Cases:
    """Counts the cases of a check, and keeps the first of them as evidence."""

    __slots__ = ("count", "shown")

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[Evidence] = []

    def add(
        self, sentence: str, entries: Iterable[int] = (), event_ids: Iterable[str] = ()
    ) -> None:
        """Note one case."""
        self.count += 1
        if len(self.shown) < EVIDENCE_MOST:
            self.shown.append(Evidence(sentence, tuple(entries), tuple(event_ids)))

    def verdict(self, check: str, reached: int, *, open_because: str = "") -> Verdict:
        """Broken if there is a case, unless it is still open; kept if there is none."""
        status = Status.KEPT
        if self.count:
            status = Status.CANNOT_TELL if open_because else Status.BROKEN
        why = open_because if self.count else ""
        return Verdict(check, status, tuple(self.shown), self.count, reached, why)


def combine(verdicts: Iterable[Verdict], name: str = "all") -> Verdict:
    """Several verdicts as one: broken beats unknown beats kept."""
    parts = tuple(verdicts)
    worst = max((part.status for part in parts), key=_WEIGHT.__getitem__, default=Status.KEPT)
    deciding = [part for part in parts if part.status is worst]
    evidence = [
        attrs.evolve(one, sentence=f"{part.check}: {one.sentence}")
        for part in deciding
        for one in part.evidence
    ]
    return Verdict(
        name,
        worst,
        tuple(evidence[:EVIDENCE_MOST]),
        sum(part.cases for part in deciding),
        sum(part.reached for part in parts),
        "; ".join(f"{part.check}: {part.why}" for part in deciding if part.why),
        parts,
    )
