"""What came out of putting a handler to the test: kept, broken or cannot tell, and the story."""

import attrs

from simulator.checks.verdict import Status
from simulator.errors import UndecidedVerdict
from simulator.testing.broken import PromiseBroken
from simulator.testing.narration import narrated
from simulator.testing.played import Played
from simulator.testing.states import differences


@attrs.frozen
class Counterexample:
    """One run that ended otherwise than it should.

    Attributes:
        played: the run.
        expected: the state in which it should have ended.
        witness: the line that has it again; it may be empty, if nothing but the events is needed.
    """

    played: Played
    expected: object
    witness: str

    def story(self) -> list[str]:
        """What happened, and what came of it."""
        lines = ["What happened:", *(f"  {line}" for line in narrated(self.played))]
        if self.played.raised is not None:
            error = self.played.raised
            said = f"{type(error).__name__}: {error}"
            return [*lines, f"and would again at each start of the consumer: {said}"]
        if self.played.stuck:
            return [*lines, "and it never came to the end of its events"]
        told = differences(self.expected, self.played.state)
        return [*lines, "At the end:", *(f"  {line}" for line in told or ["all as it should be"])]


@attrs.frozen
class Outcome:
    """What was found out about a handler.

    Attributes:
        name: idempotent, exactly_once or order_insensitive.
        status: kept, broken or cannot tell.
        events: how many were in the log; of a counterexample, how many it needs.
        crashes: within how many a run it is kept; how many a counterexample needs.
        runs: how many schedules were tried.
        points: at how many places the run without a fault could have crashed.
        variants: how many other logs were tried: with an event doubled, or in another order.
        complete: no schedule of the scope was left out.
        case: the counterexample.
        smallest: no fewer events, and no fewer crashes, break it.
        replayed: it was one run, by a witness.
        lists: how many lists of events Hypothesis drew; drawn: the one that breaks it.
        why: it cannot be told.
        question: which of its test's questions it was, from 1; 0: nobody counts.
    """

    name: str
    status: Status
    events: int
    crashes: int = 0
    runs: int = 0
    points: int = 0
    variants: int = 0
    complete: bool = True
    case: Counterexample | None = None
    smallest: bool = False
    replayed: bool = False
    lists: int = 1
    drawn: str = ""
    why: str = ""
    question: int = attrs.field(default=0, eq=False, repr=False)

    @property
    def witness(self) -> str | None:
        """The line that has the counterexample again."""
        return None if self.case is None else self.case.witness

    def __bool__(self) -> bool:
        """Whether it is kept.

        Raises:
            UndecidedVerdict: it cannot be told; look at `.why`.
        """
        if self.status is Status.CANNOT_TELL:
            raise UndecidedVerdict(str(self))
        return self.status is Status.KEPT

    def __str__(self) -> str:
        """One line: how it came out, and within which scope."""
        needs = f"{_many(self.events, 'event')} and {_many(self.crashes, 'crash')}"
        if self.status is Status.CANNOT_TELL:
            return f"{self.name}: cannot tell: {self.why}"
        if self.replayed:
            return f"{self.name}: {self.status} in this one run of {needs}"
        if self.status is Status.BROKEN:
            least = "nothing smaller breaks it; " if self.smallest else ""
            return f"{self.name}: broken by {needs} ({least}{_many(self.runs, 'run')})"
        return f"{self.name}: kept ({self.scope()})"

    def scope(self) -> str:
        """Within what it is kept."""
        parts = [f"{'at most ' if self.lists > 1 else ''}{_many(self.events, 'event')}"]
        if self.lists > 1:
            parts.insert(0, f"{self.lists} lists of events")
        if self.crashes:
            parts.append(f"at most {_many(self.crashes, 'crash')} at {_many(self.points, 'point')}")
        else:
            parts.append("no crash")
        if self.variants:
            what = "other order" if self.name == "order_insensitive" else "log with a double"
            parts.append(_many(self.variants, what))
        tried = _many(self.runs, "run")
        parts.append(f"all {tried}" if self.complete else f"the first {tried}, NOT all")
        return ", ".join(parts)

    def explain(self) -> str:
        """The line, the story, and how to have it again."""
        if self.case is None:
            return str(self)
        lines = [str(self), *self.case.story()]
        if not self.replayed:
            lines += [f"witness: {self.case.witness}", self.replay()]
        return "\n".join(lines)

    def replay(self) -> str:
        """How to have the same run again."""
        if self.drawn:
            return f"replay:  {self.name}(..., events={self.drawn}, witness={self.witness!r})"
        which = f" '{self.question}: ...'" if self.question > 1 else ""
        return f"replay:  {self.name}(..., witness={self.witness!r}), or pytest --witness{which}"

    def check(self) -> "Outcome":
        """Fail the test unless it is kept; the answer is the outcome, to be printed.

        Raises:
            PromiseBroken: it is broken, or cannot be told, with the story; an AssertionError.
        """
        __tracebackhide__ = True
        if self.status is Status.KEPT:
            return self
        played = self.case.played if self.case is not None else None
        raise PromiseBroken(
            self.explain(),
            witness=None if self.drawn else self.witness,
            trace=None if played is None else played.trace,
            event_ids=() if played is None else tuple({one.event_id: 0 for one in played.log}),
            question=self.question,
        )


def _many(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    if what.startswith("log "):
        return f"{number} logs {what.removeprefix('log ')}"
    return f"{number} {what}{'es' if what.endswith('sh') else 's'}"
