"""Runs of a scenario for Hypothesis: `@given(runs(scenario, faults))`, then `run.expect(...)`.

Chance is drawn in one of two ways, because neither finds everything: as a few deviations from the
benign run, each placed anywhere (what is rare and late), or as a tape of bytes, read by the
scenario's own laws (what needs many things at once). Both shrink to few choices, and both end as
a witness: one line that replays the run. A scenario that leaves nothing to chance draws nothing.

What Hypothesis prints of a failing property: the workload, the faults as values, the witness, the
story of what happened, and how to have the same run again.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from hypothesis import event, note
from hypothesis import strategies as st

from simulator.chance import Chooser, Law, Recording, Site, Tape, Zero, format_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Status, Verdict
from simulator.scenario.faults import Fault, FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.study.simulate import simulate
from simulator.testing.faults import surveyed
from simulator.trace.trace import Trace

DEVIATIONS_MOST = 4
TAPE_BYTES_MOST = 256
BEYOND = 8  # With faults a run has choices that the benign one has not, such as backoffs.
SHOWN_MOST = 8  # Events of the workload that are told one by one.

Draw = Callable[[st.SearchStrategy[Any]], Any]  # As Hypothesis hands it to a composite.


@attrs.frozen(repr=False)
class Run:
    """One run: its scenario with its faults, the witness of its chance, and its trace.

    Attributes:
        witness: the choices of chance that were not benign; the faults are not among them.
    """

    scenario: Scenario
    witness: Mapping[tuple[str, int], int]
    trace: Trace = attrs.field(eq=False)

    def __repr__(self) -> str:
        return (
            f"Run({self.scenario.guarantee.name}, {self.scenario.workload.size} events, "
            f"faults=({_listed(self.scenario.faults)}), "
            f"witness={format_witness(self.witness)!r})"
        )

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - Hypothesis'
        """In one line, where Hypothesis would print all fields of all parts."""
        printer.text(repr(self))

    def verdicts(self, *checks: Check) -> tuple[Verdict, ...]:
        """What each check says of the run."""
        return tuple(check(self.trace) for check in checks)

    def expect(self, *checks: Check) -> None:
        """Every promise is kept.

        A run that cannot tell (it was cut off before it came to rest) fails as well: a property
        that nobody can judge is not held up by it.

        Raises:
            AssertionError: one is broken, or cannot be told, with the story of it.
        """
        __tracebackhide__ = True
        failed = [
            verdict for verdict in self.verdicts(*checks) if verdict.status is not Status.KEPT
        ]
        if failed:
            stories = "\n".join(verdict.explain(self.trace) for verdict in failed)
            raise AssertionError(f"{stories}\n{self.replay()}")

    def about(self) -> str:
        """The workload, the faults as values, and the witness, a line each."""
        witness = format_witness(self.witness) or "(nothing by chance)"
        faults = [f"fault: {_value(fault)}" for fault in self.scenario.faults] or ["faults: none"]
        return "\n".join((f"workload: {self._workload()}", *faults, f"witness: {witness}"))

    def _workload(self) -> str:
        sent = [entry[4] for entry in self.trace.flat if entry[4][0] == "record_sent"]
        shown = [f"{event_id} (key {key})" for _, event_id, _, key in sent[:SHOWN_MOST]]
        if len(sent) > SHOWN_MOST:
            shown.append(f"and {len(sent) - SHOWN_MOST} more")
        workload, guarantee = self.scenario.workload, self.scenario.guarantee
        whose = f"{workload.size} events to {', '.join(workload.topics)}, {guarantee.name}"
        return f"{whose}: {', '.join(shown) or 'no run to tell of'}"

    def replay(self) -> str:
        """How to have the same run again: lines of Python, given the scenario.

        They need `from simulator import *` and `import attrs`.
        """
        witness = format_witness(self.witness)
        chooser = f'Replay(parse_witness("{witness}"))' if witness else "Zero()"
        plan = f"FaultPlan(({_listed(self.scenario.faults)}))"
        return (
            "Replay:\n"
            f"  faults = {plan}\n"
            f"  trace = simulate(attrs.evolve(scenario, faults=faults), {chooser})"
        )


def _listed(faults: FaultPlan) -> str:
    """As the inside of a tuple."""
    return "".join(f"{_value(fault)}, " for fault in faults).rstrip(" ")


def _value(fault: Fault) -> str:
    """As Python, without what goes without saying."""
    told = (
        f"{field.name}={getattr(fault, field.name)!r}"
        for field in attrs.fields(type(fault))
        if getattr(fault, field.name) != field.default
    )
    return f"{type(fault).__name__}({', '.join(told)})"


def runs(
    scenario: Scenario, faults: st.SearchStrategy[FaultPlan] | None = None
) -> st.SearchStrategy[Run]:
    """Runs of a scenario, under any chance that its laws and hazards leave open.

    Args:
        scenario: what is run. Where its links and hazards are certain, nothing is drawn.
        faults: plans to run it under as well, such as `fault_plans(scenario)`.
    """
    plans = st.just(scenario.faults) if faults is None else faults
    beyond = 0 if faults is None else BEYOND
    choosers = st.deferred(lambda: _choosers(scenario, beyond))

    @st.composite  # It is printed as the value that it drew; and without arguments, in short.
    def run_of_scenario(draw: Draw) -> Run:
        return _run(scenario, draw(plans), draw(choosers))

    return run_of_scenario()


def _run(scenario: Scenario, plan: FaultPlan, chance: Chooser) -> Run:
    chosen = scenario if plan == scenario.faults else attrs.evolve(scenario, faults=plan)
    chooser = Recording(chance)
    trace = Trace()
    try:
        trace = simulate(chosen, chooser)
    except Exception:
        # What a handler, or a bug of the simulator, has thrown is to be had again as well.
        unfinished = Run(chosen, chooser.witness, trace)
        note(f"{unfinished.about()}\n{unfinished.replay()}")
        raise
    run = Run(chosen, chooser.witness, trace)
    note(_Said(run))
    event(f"faults: {len(plan)}")
    for fault in plan:
        event(f"fault: {type(fault).__name__}")
    return run


def _choosers(scenario: Scenario, beyond: int) -> st.SearchStrategy[Chooser]:
    most = 2 * surveyed(scenario).choices + beyond
    if not most:
        return st.builds(Zero)
    places = st.dictionaries(st.integers(0, most), st.integers(0, 255), max_size=DEVIATIONS_MOST)
    tapes = st.binary(max_size=min(most, TAPE_BYTES_MOST))
    return places.map(_Deviating) | tapes.map(Tape)


class _Deviating(Chooser):
    """Benign, but for the choices at these places in the order of asking.

    Args:
        places: of the n-th open choice, which of the answers of its law's grid that are not
            benign is given, counted round and round.
    """

    def __init__(self, places: Mapping[int, int]) -> None:
        self._places = places
        self._asked = 0

    def source(self, site: Site, law: Law) -> Callable[[], int]:  # noqa: ARG002
        benign = law.benign
        if law.certain:
            return lambda: benign
        answers = [value for value in law.grid if value != benign]
        places = self._places

        def draw() -> int:
            place = self._asked
            self._asked = place + 1
            number = places.get(place)
            return benign if number is None else answers[number % len(answers)]

        return draw

    def describe(self) -> str:
        return f"{len(self._places)} deviations"

    def start(self) -> None:
        self._asked = 0


class _Said:
    """What Hypothesis prints of a failing example; written only if it does."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        return self._run.about()


__all__ = ["Run", "runs"]
