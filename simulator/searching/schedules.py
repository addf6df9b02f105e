"""One schedule of a search, run and judged; and what a search over a scope says of its scope.

A run is judged as it happens, so that its trace need not be kept: whoever wants to see it runs the
witness again.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from simulator.chance import Replay, format_witness
from simulator.chance.exhaustive import CoveredError, Exhaustive
from simulator.chance.scope import NOT, Scope
from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Status, Verdict
from simulator.errors import BadInput
from simulator.scenario.faults import Fault
from simulator.scenario.scenario import Scenario
from simulator.scenario.validation import near
from simulator.searching.properties import Promised, as_judge, name_of
from simulator.searching.staging import Stage
from simulator.study.simulate import simulate
from simulator.trace.events import EVENTS
from simulator.trace.trace import FlatEntry, Trace

KINDS_SHOWN = 6  # So many kinds of message or point are named of a class that is partly left out.


@attrs.frozen
class Counterexample:
    """A run that breaks a promise, as data: what to run again, and what was found.

    A fault that the scenario plans is part of the question: every run has it, and it is none of
    the faults that were found.

    Attributes:
        scenario: what was run, with the faults that the scenario asked about has planned, and
            with those that the search has added.
        witness: the choices that were not benign; `Replay(witness)` gives the run again.
        verdict: what the check says of it.
        added: those of the scenario's faults which the search has added.
    """

    scenario: Scenario = attrs.field(repr=False)
    witness: Mapping[tuple[str, int], int]
    verdict: Verdict = attrs.field(repr=False)
    added: tuple[Fault, ...] = ()

    @property
    def faults(self) -> int:
        """How many were found: those added, and the choices that were not benign."""
        return len(self.added) + len(self.witness)

    @property
    def planned(self) -> tuple[Fault, ...]:
        """The scenario's own faults, which no search leaves out."""
        return self.scenario.faults.without(self.added).faults

    @property
    def line(self) -> str:
        """The witness as one line of text, as `simulator replay` and `parse_witness` read it."""
        return format_witness(self.witness)

    def trace(self) -> Trace:
        """Run it again.

        Raises:
            ReplayDiverged: the scenario does not do any more what it did.
        """
        return simulate(self.scenario, Replay(self.witness))

    def explain(self) -> str:
        """Run it again, and tell its story."""
        return self.verdict.explain(self.trace())

    def __str__(self) -> str:
        told = [repr(fault) for fault in self.added]
        if self.witness or not told:
            told.append(self.line or "nothing went wrong by chance")
        return "; ".join((*told, *(f"as planned: {fault!r}" for fault in self.planned)))


def as_check(promised: Promised) -> Check:
    """One check: of a check, its name, several of these, or a function of the trace.

    Raises:
        BadInput: there is no check of that name, or it is nothing that could judge.
    """
    judge = as_judge(promised)
    name = name_of(promised)
    if isinstance(judge, Check):
        return attrs.evolve(judge, name=name)

    def start() -> Watching:
        trace = Trace()

        def keep(entry: FlatEntry) -> None:
            trace.record(*entry[1:])

        return Watching(dict.fromkeys(EVENTS, keep), lambda: judge(trace))

    return Check(name, f"{name} holds of the trace.", start)


def judged(scenario: Scenario, chooser: Exhaustive, check: Check, stage: Stage) -> Verdict | None:
    """Run the chooser's next schedule on a stage; None: it ended where others cover it.

    Raises:
        Exception: what the run raised, with a note that names the schedule.
    """
    watching = check.start()
    try:
        stage.run(scenario, watching.observers.items())
    except CoveredError:
        return None
    except Exception as error:
        error.add_note(f"in the run with {chooser.describe()}")
        raise
    return watching.finish()


def counterexample(
    scenario: Scenario, chooser: Exhaustive, verdict: Verdict, added: tuple[Fault, ...] = ()
) -> Counterexample:
    """Of the schedule that was run last."""
    return Counterexample(scenario, dict(chooser.witness), verdict, added)


def broken(verdict: Verdict | None) -> bool:
    """Whether the run broke the promise."""
    return verdict is not None and verdict.status is Status.BROKEN


def left_benign(left: Mapping[str, str], met: Mapping[str, str]) -> tuple[str, ...]:
    """The classes of sites that a search answered benignly: `delay: all`, `drop: HeartbeatRequest`.

    Args:
        left: site names outside of the scope that its runs came to, and their classes of fault.
        met: those inside of it.
    """
    partly = set(met.values())
    kinds: dict[str, dict[str, int]] = {}
    for name, fault_class in left.items():
        kinds.setdefault(fault_class, {})[_kind(name)] = 1
    told = []
    for fault_class in sorted(kinds):
        names = sorted(kinds[fault_class])
        if fault_class not in partly:
            told.append(f"{fault_class}: all")
        elif len(names) > KINDS_SHOWN:
            more = len(names) - KINDS_SHOWN
            told.append(f"{fault_class}: {', '.join(names[:KINDS_SHOWN])} and {more} more")
        else:
            told.append(f"{fault_class}: {', '.join(names)}")
    return tuple(told)


def _kind(name: str) -> str:
    """The message or the point of a site's name; else what stands before its node."""
    what, _, rest = name.partition("@")
    return rest.rpartition("/")[2] if "/" in rest else what


def must_be_told(scope: Scope) -> Scope:
    """The scope, if what opens it is an event that there is.

    Raises:
        BadInput: no event is of this kind.
    """
    if scope.opens is not None and scope.opens[0] not in EVENTS:
        kind = scope.opens[0]
        raise BadInput("no event is of the kind", "scope.opens", kind, near(kind, EVENTS))
    return scope


def unmet(scope: Scope, choosers: Iterable[Exhaustive]) -> tuple[str, ...]:
    """What of a scope no run came to: what opens it, and patterns of its sites.

    A name was misspelt, or there is no such thing here: nothing was tried there.
    """
    known: dict[str, bool] = {}
    opened = scope.opens is None
    for chooser in choosers:
        known.update(chooser.known)
        opened = opened or chooser.window.ever
    opening = () if opened or scope.opens is None else (scope.opens[0],)
    return (*opening, *scope.unmet(known))


def is_vacuous(scope: Scope, missing: Sequence[str]) -> bool:
    """Whether all of a scope is unmet: then what holds in it says nothing."""
    if scope.opens is not None and scope.opens[0] in missing:
        return True
    return bool(missing) and all(one in missing or one.startswith(NOT) for one in scope.sites)


def counted(count: int, one: str, several: str = "") -> str:
    """`1 schedule`, `2 648 schedules`."""
    shown = f"{count:,}".replace(",", " ")
    return f"{shown} {one if count == 1 else several or one + 's'}"


def indented(lines: Iterable[str]) -> str:
    """The lines, each two blanks in."""
    return "\n".join(f"  {line}" for line in lines)


__all__ = [
    "Counterexample",
    "as_check",
    "broken",
    "counted",
    "counterexample",
    "indented",
    "is_vacuous",
    "judged",
    "left_benign",
    "must_be_told",
    "unmet",
]
