"""Runs of a scenario for Hypothesis: `@given(runs(scenario, faults))`, then `run.expect(...)`.

Parts of the scenario may be drawn too: `runs(scenario, fault_plans, topology=topologies(),
workload=workloads())` makes the system, its load and its faults small together.

Chance is drawn in one of two ways, because neither finds everything: as a few deviations from the
benign run, each placed anywhere (what is rare and late), or as a tape of bytes, read by the
scenario's own laws (what needs many things at once). Both shrink to few choices, and both end as
a witness: one line that replays the run. A scenario that leaves nothing to chance draws nothing.

What Hypothesis prints of a failing property: the workload, the faults as values, the witness, the
story of what happened, and how to have the same run again.

What the scenario has planned happens in every run: plans that are drawn come on top of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from hypothesis import event, note
from hypothesis import strategies as st

from simulator.chance import Chooser, Law, Recording, Site, Tape, Zero, format_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Verdict
from simulator.errors import BadInput
from simulator.scenario.faults import Fault, FaultPlan, deviation
from simulator.scenario.scenario import Scenario
from simulator.scenario.spelling import changes, spelled
from simulator.study.simulate import simulate
from simulator.testing.drawing import BASE, below, must_be_strategy
from simulator.testing.expecting import expect
from simulator.testing.faults import surveyed
from simulator.trace.trace import Trace

DEVIATIONS_MOST = 4
TAPE_BYTES_MOST = 256
BEYOND = 8  # With faults a run has choices that the benign one has not, such as backoffs.
PLANS = "such as fault_plans(scenario), or fault_plans itself; planned faults are the scenario's"
SHOWN_MOST = 8  # Events of the workload that are told one by one.

Draw = Callable[[st.SearchStrategy[Any]], Any]  # As Hypothesis hands it to a composite.
Plans = st.SearchStrategy[FaultPlan] | Callable[[Scenario], st.SearchStrategy[FaultPlan]]


@attrs.frozen(repr=False)
class Run:
    """One run: its scenario with its faults, the witness of its chance, and its trace.

    Attributes:
        witness: the choices of chance that were not benign; the faults are not among them.
        base: the scenario that it was made of, where that was drawn too; None where it is as given.
        added: those of the scenario's faults that were drawn; all others are its own.
    """

    scenario: Scenario
    witness: Mapping[tuple[str, int], int]
    trace: Trace = attrs.field(eq=False)
    base: Scenario | None = None
    added: tuple[Fault, ...] = ()

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
            PromiseBroken: (an AssertionError) one is broken, or cannot be told, with its story.
        """
        __tracebackhide__ = True
        expect(
            self.trace, checks, witness=self.witness, replay=self.replay, scenario=self.scenario,
            added=self.added,
        )  # fmt: skip

    def about(self) -> str:
        """The workload, the faults as values, and the witness, a line each."""
        witness = format_witness(self.witness) or "(nothing by chance)"
        faults = [f"fault: {spelled(fault)}" for fault in self.scenario.faults] or ["faults: none"]
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
        made = ""
        if self.base is not None:
            plain = attrs.evolve(self.scenario, faults=self.base.faults)
            made = changes(self.base, plain)
        made = f"  scenario = attrs.evolve(scenario, {made})\n" if made else ""
        plan = f"FaultPlan(({_listed(self.scenario.faults)}))"
        return (
            f"Replay:\n{made}"
            f"  faults = {plan}\n"
            f"  trace = simulate(attrs.evolve(scenario, faults=faults), {chooser})"
        )


def _listed(faults: FaultPlan) -> str:
    """As the inside of a tuple."""
    return "".join(f"{spelled(fault)}, " for fault in faults).rstrip(" ")


def runs(
    scenario: Scenario, faults: Plans | None = None, **parts: st.SearchStrategy[Any]
) -> st.SearchStrategy[Run]:
    """Runs of a scenario, under any chance that its laws and hazards leave open.

    Args:
        scenario: what is run. Where its links and hazards are certain, nothing of chance is drawn.
        faults: plans to run it under as well, such as `fault_plans(scenario)`; or a function that
            gives plans for a scenario, such as `fault_plans` itself. Where a plan strikes a moment
            for which the scenario has planned something, that is what happens.
        parts: fields of the scenario that are drawn: `topology=topologies()`.

    Raises:
        BadInput: a scenario has no such field; a part is no strategy, or the plans are neither a
            strategy nor a function that gives one; or parts are drawn and the plans are not made
            for each; when drawn: the parts do not go together.
    """
    if not (faults is None or isinstance(faults, st.SearchStrategy) or callable(faults)):
        must_be_strategy("runs.faults", faults, PLANS)
    if not parts:
        return _runs_of(scenario, faults)
    fields = attrs.fields_dict(Scenario)
    for name, part in parts.items():
        if name not in fields:
            raise BadInput("a scenario has no field called", "runs", name, ", ".join(fields))
        must_be_strategy(f"runs.{name}", part, "such as st.just(...) or one of simulator.testing")
    if isinstance(faults, st.SearchStrategy):
        fix = "give a function of a scenario: runs(scenario, fault_plans, ...)"
        raise BadInput("each drawn scenario needs plans of its own:", "runs", faults, fix)

    @st.composite
    def run_of_drawn(draw: Draw) -> Run:
        chosen = {name: draw(part) for name, part in parts.items()}
        run: Run = draw(_runs_of(attrs.evolve(scenario, **chosen), faults))
        return attrs.evolve(run, base=scenario)

    return run_of_drawn()


def _runs_of(scenario: Scenario, faults: Plans | None) -> st.SearchStrategy[Run]:
    plans = _plans(scenario, faults)
    beyond = 0 if faults is None else BEYOND
    choosers = st.deferred(lambda: _choosers(scenario, beyond))

    @st.composite  # It is printed as the value that it drew; and without arguments, in short.
    def run_of_scenario(draw: Draw) -> Run:
        return _run(scenario, draw(plans), draw(choosers))

    return run_of_scenario()


def _plans(scenario: Scenario, faults: Plans | None) -> st.SearchStrategy[FaultPlan]:
    """What is drawn beside the scenario's own faults."""
    if faults is None:
        return st.just(FaultPlan())
    if isinstance(faults, st.SearchStrategy):
        return faults
    plans = faults(scenario)
    must_be_strategy("runs.faults", plans, PLANS)
    return plans


def _beside(own: FaultPlan, drawn: FaultPlan) -> tuple[Fault, ...]:
    """What of a drawn plan does not strike a moment for which something is planned."""
    taken = own.deviations()
    found = ((fault, deviation(fault)) for fault in drawn)
    return tuple(fault for fault, at in found if at is None or at[0] not in taken)


def _run(scenario: Scenario, plan: FaultPlan, chance: Chooser) -> Run:
    if not isinstance(plan, FaultPlan):
        raise BadInput("what is drawn must be a FaultPlan, not", "runs.faults", plan, PLANS)
    added = _beside(scenario.faults, plan)
    planned = scenario.faults + FaultPlan(added)
    chosen = attrs.evolve(scenario, faults=planned) if added else scenario
    chooser = Recording(chance)
    trace = Trace()
    try:
        trace = simulate(chosen, chooser)
    except Exception:
        # What a handler, or a bug of the simulator, has thrown is to be had again as well.
        unfinished = Run(chosen, chooser.witness, trace, added=added)
        note(f"{unfinished.about()}\n{unfinished.replay()}")
        raise
    run = Run(chosen, chooser.witness, trace, added=added)
    note(_Said(run))
    _count(run)
    return run


def _count(run: Run) -> None:
    """For Hypothesis' statistics: how much went wrong that was not planned, and what."""
    faults = run.added
    event(f"faults: {len(faults)}")
    for kind in dict.fromkeys(type(fault).__name__ for fault in faults):
        event(f"fault: {kind}")
    for kind in dict.fromkeys(site.partition("@")[0] for site, _ in run.witness):
        event(f"by chance: {kind}")


def _choosers(scenario: Scenario, beyond: int) -> st.SearchStrategy[Chooser]:
    return choosers_for(2 * surveyed(scenario).choices + beyond)


def choosers_for(most: int) -> st.SearchStrategy[Chooser]:
    """Choosers for runs of at most so many choices, or whose later ones may be benign."""
    if not most:
        return st.builds(Zero)
    places = st.dictionaries(below(most + 1), below(BASE), max_size=DEVIATIONS_MOST)
    tapes = st.binary(max_size=min(most, TAPE_BYTES_MOST))
    return places.map(Deviating) | tapes.map(Tape)


class Deviating(Chooser):
    """Benign, but for the choices at these places in the order of asking.

    Args:
        places: of the n-th open choice, which of the answers of its law's grid that are not
            benign is given, counted round and round.
    """

    def __init__(self, places: Mapping[int, int]) -> None:
        self._places = places
        self._asked = 0

    def source(self, site: Site, law: Law) -> Callable[[], int]:  # noqa: ARG002
        """Benign answers, but for those at the places."""
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
        """3 deviations."""
        return f"{len(self._places)} deviations"

    def start(self) -> None:
        """Nothing has been asked."""
        self._asked = 0

    def __repr__(self) -> str:
        return f"Deviating({self._places!r})"


class _Said:
    """What Hypothesis prints of a failing example; written only if it does."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        return self._run.about()


__all__ = ["Deviating", "Run", "choosers_for", "runs"]
