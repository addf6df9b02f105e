"""The fixture `simulation`: runs of a scenario that belong to one test.

With `--witness` one of them, the first unless it says which, answers chance by that line instead.
"""

from typing import TYPE_CHECKING

from simulator.chance import Chooser, Recording, Replay, Seeded, Zero, format_witness, parse_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.errors import BadInput, ReplayDiverged
from simulator.scenario.scenario import Scenario
from simulator.study.simulate import simulate
from simulator.testing import marks
from simulator.testing.broken import PromiseBroken

if TYPE_CHECKING:
    from simulator.trace.trace import Trace


class Simulation:
    """Runs of a scenario, the last of which is told of if the test fails.

    Attributes:
        scenario: that of `@pytest.mark.simulation(scenario)`.
        seed: who answers for chance; None: nothing happens by chance.
        trace: the last run; None if there is none, or if it raised.
        raised: whether the last run raised, by a handler or a bug: its witness has that again.
        question: which of its test's questions the last run was, from 1; 0: nobody counts.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.trace: Trace | None = None
        self.raised = False
        self.question = 0
        self._recording = Recording(Zero())

    @property
    def witness(self) -> str:
        """The choices of the last run that were not benign; the planned faults are not in it."""
        return format_witness(self._recording.witness)

    def simulate(
        self, scenario: Scenario | None = None, chooser: Chooser | None = None
    ) -> "Trace":
        """Run the scenario: this one, or the marker's.

        Args:
            chooser: who answers for chance, instead of the seed.

        Raises:
            BadInput: there is neither.
        """
        chosen = scenario or self.scenario
        if chosen is None:
            fix = "give simulate() one, or mark the test: @pytest.mark.simulation(scenario)"
            raise BadInput("there is no scenario to run", "simulation", fix=fix)
        self.question, forced = marks.next_question()
        if forced is not None:
            return self._run(chosen, Replay(parse_witness(forced)))
        seeded = Zero() if self.seed is None else Seeded(self.seed)
        return self._run(chosen, chooser or seeded)

    def replay(self, witness: str, scenario: Scenario | None = None) -> "Trace":
        """Run the scenario once more, as a witness says.

        Raises:
            BadInput: it cannot be read, or there is no scenario.
            UnknownSite, ReplayDiverged: it is of another scenario.
        """
        chosen = scenario or self.scenario
        if chosen is None:
            raise BadInput("there is no scenario to run", "simulation", fix="give replay() one")
        self.question, _ = marks.next_question()
        return self._run(chosen, Replay(parse_witness(witness)))

    def _run(self, scenario: Scenario, chooser: Chooser) -> "Trace":
        self._recording = Recording(chooser)
        self.trace, self.raised = None, False
        try:
            self.trace = simulate(scenario, self._recording)
        except (BadInput, ReplayDiverged):  # Such a run there is not.
            raise
        except Exception:
            self.raised = True
            raise
        return self.trace

    def expect(self, *checks: Check) -> None:
        """Every promise is kept by the last run.

        Raises:
            PromiseBroken: one is broken, or cannot be told; an AssertionError.
            BadInput: nothing has run.
        """
        __tracebackhide__ = True
        if self.trace is None:
            raise BadInput("nothing has run yet", "simulation", fix="call simulate() first")
        verdicts = [check(self.trace) for check in checks]
        failed = [one for one in verdicts if one.status is not Status.KEPT]
        if failed:
            raise PromiseBroken(
                "\n".join(verdict.explain(self.trace) for verdict in failed),
                witness=self.witness,
                trace=self.trace,
                event_ids=next((one.event_ids for v in failed for one in v.evidence), ()),
                question=self.question,
            )

    def sometimes(self, condition: object, name: str) -> bool:
        """As `sometimes`."""
        return marks.sometimes(condition, name)
