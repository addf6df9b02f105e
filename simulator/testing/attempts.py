"""The search for a schedule that breaks a property of a handler, and for the smallest of them.

Rule 1: schedules of fewer faults come first: crashes, and another log in the place of the first.
Each crash is put at every point that the run passes after the one before, so no schedule is tried
twice, and none of that scope is left out.
Rule 2: whether a smaller log breaks it, with no more crashes, is tried from one event up.
"""

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from simulator.chance.witness import format_witness, parse_witness
from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.testing import marks
from simulator.testing.events import Log, events_of, smaller
from simulator.testing.outcome import Counterexample, Outcome
from simulator.testing.played import LOG_SITE, Crash, Played, Subject, play, witness_of
from simulator.testing.states import differences

SMALLER_MOST = 6  # Of more events not every choice is tried: one is left out at a time.
DRAWN_CRASHES = 1
EXAMPLES = 50
SEED = 20_251_204

Variants = Callable[[Log], Iterable[Log]]


@attrs.frozen
class Property:
    """What is asked of a handler.

    Args:
        variants: other logs that must lead to the same state.
        crashes: at most so many with the log as it is.
        varied_crashes: ... and with the others.
        most: runs.
        effects: what is compared are effects, so an empty list of them is no answer.
        orders: it is asked by other orders: without one it cannot be told.
    """

    name: str
    subject: Subject
    variants: Variants
    crashes: int
    most: int
    varied_crashes: int = 0
    effects: bool = False
    orders: bool = False

    def __attrs_post_init__(self) -> None:
        for what, number in (("crashes", self.crashes), ("most", self.most)):
            if type(number) is not int or number < 0:
                raise BadInput("is a whole number from 0, not", what, number)


@attrs.define
class _Tally:
    """How far a search has come."""

    left: int
    runs: int = 0
    points: int = 0  # Of the run without a crash.
    crashed: int = 0
    variants: int = 0
    complete: bool = True

    def spend(self) -> bool:
        """Whether one more run may be made."""
        if not self.left:
            self.complete = False
            return False
        self.left -= 1
        self.runs += 1
        return True


def decide(asked: Property, events: Any, witness: str | None = None) -> Outcome:
    """Kept, broken by the smallest, or not to be told."""
    question, forced = marks.next_question()
    outcome = _decided(asked, events, forced if witness is None else witness)
    return attrs.evolve(outcome, question=question)


def _decided(asked: Property, events: Any, witness: str | None) -> Outcome:
    if not isinstance(witness, str | None):
        raise BadInput("is the line that a failure printed, not", "witness", witness)
    if hasattr(events, "example") and hasattr(events, "map"):  # A Hypothesis strategy.
        if witness is not None:
            fix = "give the list of events that was printed with it"
            raise BadInput("a witness is of certain events, not of a", "events", events, fix)
        return _drawn(asked, events)
    log = events_of(events)
    if witness is not None:
        return _replayed(asked, log, witness)
    return _searched(asked, log)


# --- One log --------------------------------------------------------------------------------------


def _searched(asked: Property, log: Log) -> Outcome:
    expected = _reference(asked, log)
    doubt = _doubt(asked, log, expected)
    if doubt:
        return Outcome(asked.name, Status.CANNOT_TELL, len(log), why=doubt)
    tally = _Tally(asked.most)
    found = _first_broken(asked, log, expected, tally)
    if found is None:
        if not tally.crashed and not tally.variants:
            why = "no crash struck, and there was no other log: nothing was put to the test"
            return Outcome(asked.name, Status.CANNOT_TELL, len(log), why=why)
        return Outcome(
            asked.name, Status.KEPT, len(log), crashes=asked.crashes, runs=tally.runs,
            points=tally.points, variants=tally.variants, complete=tally.complete,
        )  # fmt: skip
    smallest, least = _smallest(asked, log, found, tally)
    return _told(asked, log, smallest, tally, least=least)


def _reference(asked: Property, log: Log) -> Played:
    """The run in which nothing goes wrong."""
    played = play(asked.subject, log)
    if played.raised is not None:
        played.raised.add_note(
            f"{asked.name}: raised although nothing had gone wrong, in the handling of "
            f"{', '.join(item.event_id for item in log)}, each once"
        )
        raise played.raised
    return played


def _doubt(asked: Property, log: Log, expected: Played) -> str:
    """Why nothing could be said of the handler, whatever its runs."""
    if not log:
        return "there are no events"
    if expected.stuck:
        return "the handler did not come to an end, although nothing went wrong"
    if not expected.handled:
        return "the handler was never called"
    if differences(expected.state, play(asked.subject, log).state):
        return (
            "two equal runs ended in different states: the handler asks a clock or chance, or "
            "store= does not open a new store each time"
        )
    if expected.state == expected.before and expected.makes_another:
        return (
            "the handler returned a function, and changed nothing: make_handler is called once at "
            "each start, and returns the handler itself"
        )
    if expected.state == expected.before or (asked.effects and not expected.state):
        return "the events changed nothing that is compared: is it committed? is state= right?"
    if asked.orders and next(iter(asked.variants(log)), None) is None:
        return "there is one order only: the events are all of one key"
    return ""


def _first_broken(
    asked: Property, log: Log, expected: Played, tally: _Tally
) -> tuple[Log, tuple[Crash, ...]] | None:
    """The first schedule that breaks it, of the fewest crashes."""
    varied: dict[Log, None] = {}
    for other in asked.variants(log):
        if len(varied) >= asked.most:
            tally.complete = False
            break
        varied[other] = None
    tally.variants = len(varied)
    level: list[tuple[Log, tuple[Crash, ...]]] = [(log, ())]
    to_come = [(other, ()) for other in varied]  # Another log is a fault, as a crash is one.
    while level or to_come:
        deeper: list[tuple[Log, tuple[Crash, ...]]] = []
        for records, crashes in level:
            if not tally.spend():
                return None
            played = play(asked.subject, records, crashes)
            tally.crashed += bool(crashes)
            if not crashes and records is log:
                tally.points = len(played.points)
            if _breaks(played, expected):
                return records, crashes
            if len(crashes) < (asked.crashes if records is log else asked.varied_crashes):
                deeper += ((records, (*crashes, point)) for point in _after(played))
        level, to_come = [*deeper, *to_come], []
    return None


def _after(played: Played) -> tuple[Crash, ...]:
    """The points that were passed after the last crash."""
    if not played.crashes:
        return played.points
    return played.points[played.points.index(played.crashes[-1]) + 1 :]


def _breaks(played: Played, expected: Played) -> bool:
    if played.raised is not None or played.stuck:
        return True
    return bool(played.state != expected.state)


def _smallest(
    asked: Property, log: Log, found: tuple[Log, tuple[Crash, ...]], tally: _Tally
) -> tuple[tuple[Log, Log, tuple[Crash, ...]], bool]:
    """The events, their log and the crashes; and whether nothing smaller was left untried."""
    most = len(found[1])
    bounded = attrs.evolve(asked, crashes=most, varied_crashes=min(most, asked.varied_crashes))
    best, least = (log, *found), True
    if len(log) > SMALLER_MOST:
        return _one_at_a_time(bounded, best, tally), False
    for fewer in smaller(log):
        broken, whole = _tried(bounded, fewer, tally)
        least &= whole
        if broken is not None:
            return (fewer, *broken), least
    return best, least


def _one_at_a_time(
    asked: Property, best: tuple[Log, Log, tuple[Crash, ...]], tally: _Tally
) -> tuple[Log, Log, tuple[Crash, ...]]:
    place = 0
    while place < len(best[0]) and len(best[0]) > 1:
        fewer = (*best[0][:place], *best[0][place + 1 :])
        broken, _ = _tried(asked, fewer, tally)
        if broken is None:
            place += 1
        else:
            best = (fewer, *broken)
    return best


def _tried(
    asked: Property, log: Log, tally: _Tally
) -> tuple[tuple[Log, tuple[Crash, ...]] | None, bool]:
    expected = play(asked.subject, log)
    if expected.raised is not None or expected.stuck:
        return None, True  # Without the others this makes no sense: an update without its insert.
    own = _Tally(asked.most)
    broken = _first_broken(asked, log, expected, own)
    tally.runs += own.runs
    return broken, own.complete


def _told(
    asked: Property,
    log: Log,
    found: tuple[Log, Log, tuple[Crash, ...]],
    tally: _Tally,
    *,
    least: bool,
) -> Outcome:
    events, records, crashes = found
    case = _case(asked, log, events, play(asked.subject, records, crashes, keep=True))
    return Outcome(
        asked.name, Status.BROKEN, len(events), crashes=len(crashes), runs=tally.runs,
        case=case, smallest=least, variants=tally.variants,
    )  # fmt: skip


def _case(asked: Property, log: Log, events: Log, played: Played) -> Counterexample:
    expected = play(asked.subject, events)
    ids = [item.event_id for item in log]
    choices: dict[Crash, int] = {}
    if played.log != log:
        for k, item in enumerate(played.log):
            choices[LOG_SITE, k] = ids.index(item.event_id) + 1
    choices |= dict.fromkeys(played.crashes, 1)
    return Counterexample(played, expected.state, format_witness(choices))


# --- By a witness, and by Hypothesis ------------------------------------------------------------


def _replayed(asked: Property, log: Log, witness: str) -> Outcome:
    numbers, crashes = witness_of(parse_witness(witness))
    for number in numbers:
        if not 0 < number <= len(log):
            fix = f"there are {len(log)} events"
            raise BadInput("the witness names an event which there is not:", LOG_SITE, number, fix)
    records = tuple(log[number - 1] for number in numbers) or log
    events = tuple(item for item in log if item in records)
    played = play(asked.subject, records, crashes, keep=True)
    for name, k in crashes:
        if (name, k) not in played.points:
            fix = "the handler has changed since, or these are other events"
            raise BadInput("the run never came to", "witness", f"{name}#{k}", fix)
    case = _case(asked, log, events, played)
    broken = played.raised is not None or played.stuck or played.state != case.expected
    status = Status.BROKEN if broken else Status.KEPT
    return Outcome(
        asked.name, status, len(events), crashes=len(crashes), runs=1, case=case, replayed=True
    )


def _drawn(asked: Property, events: Any) -> Outcome:
    """The smallest list of events, as Hypothesis finds and shrinks it, that breaks it."""
    from contextlib import suppress

    from hypothesis import HealthCheck, Phase, given, seed, settings

    outcomes: list[Outcome] = []
    bounded = attrs.evolve(asked, crashes=min(asked.crashes, DRAWN_CRASHES), varied_crashes=0)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, report_multiple_bugs=False,
        suppress_health_check=tuple(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(events)
    def holds(drawn: Any) -> None:
        outcome = attrs.evolve(_searched(bounded, events_of(drawn)), drawn=repr(drawn))
        outcomes.append(outcome)
        if outcome.status is Status.BROKEN:
            raise _BrokenError

    with suppress(_BrokenError):
        holds()
    return summed(asked.name, outcomes)


class _BrokenError(Exception):
    """These events break the property: make them fewer."""


def summed(name: str, outcomes: list[Outcome]) -> Outcome:
    """Many outcomes as one: the smallest broken one, or how many were kept."""
    runs = sum(one.runs for one in outcomes)
    if outcomes and outcomes[-1].status is Status.BROKEN:  # Hypothesis ends with the smallest.
        return attrs.evolve(outcomes[-1], runs=runs, smallest=False)
    kept = [one for one in outcomes if one.status is Status.KEPT]
    if not kept:
        why = next((one.why for one in outcomes), "no events were drawn")
        return Outcome(name, Status.CANNOT_TELL, 0, why=why)
    return attrs.evolve(
        max(kept, key=lambda one: one.events), runs=runs, lists=len(kept),
        complete=all(one.complete for one in kept),
    )  # fmt: skip
