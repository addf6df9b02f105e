"""Checks of the harm that anti-patterns do, each for the one small run that shows it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases, Verdict
from simulator.protocol.names import MICROS_PER_MS


def _check(
    name: str,
    promise: str,
    start: Callable[[Cases], tuple[Mapping[str, Any], Callable[[], int]]],
    *,
    in_the_end: bool = False,
) -> Check:
    """A check from its observers, and a function that adds what is missing and counts.

    in_the_end: it speaks of a run's end, and cannot tell of one that was cut.
    """

    def begin() -> Watching:
        cases = Cases()
        observers, count = start(cases)
        reason = ""

        def on_ended(entry: Any) -> None:
            nonlocal reason
            reason = entry[4][1]

        def finish() -> Verdict:
            reached = count()
            cut = in_the_end and reason != "quiet"
            why = f"the run was cut ({reason or 'it has no end'})" if cut else ""
            return cases.verdict(name, reached, open_because=why)

        return Watching({**observers, "run_ended": on_ended}, finish)

    return Check(name, promise, begin)


def acted_once(events: Iterable[str]) -> Check:
    """Each of these events is acted on exactly once."""

    def start(cases: Cases) -> Any:
        acted: dict[str, list[int]] = {event: [] for event in events}

        def on_applied(entry: Any) -> None:
            if entry[4][4] in acted:
                acted[entry[4][4]].append(entry[0])

        def count() -> int:
            for event, seqs in acted.items():
                if len(seqs) != 1:
                    times = f"{len(seqs)} times" if seqs else "by nobody"
                    cases.add(f"{event} was acted on {times}", seqs, (event,))
            return len(acted)

        return {"effect_applied": on_applied}, count

    return _check("acted_once", "Who is told to act does so once.", start, in_the_end=True)


def means_the_same(meant: Mapping[str, int]) -> Check:
    """What a reader makes of an event is what its sender meant."""

    def start(cases: Cases) -> Any:
        read: dict[str, None] = {}

        def on_applied(entry: Any) -> None:
            _, _, value, event = entry[4][1:5]
            if event in meant:
                read[event] = None
                if value != meant[event]:
                    said = f"{event} meant {meant[event]}, and was read as {value}"
                    cases.add(said, (entry[0],), (event,))

        return {"effect_applied": on_applied}, lambda: len(read)

    return _check("means_the_same", "A reader understands what the sender meant.", start)


def acts_within(events: Iterable[str], limit_ms: int) -> Check:
    """Each of these events takes effect within so long of being acknowledged."""

    def start(cases: Cases) -> Any:
        waiting: dict[str, Any] = {}
        applied: dict[str, Any] = {}
        asked = dict.fromkeys(events)

        def on_acknowledged(entry: Any) -> None:
            if entry[4][1] in asked:
                waiting.setdefault(entry[4][1], entry)

        def on_applied(entry: Any) -> None:
            applied.setdefault(entry[4][4], entry)

        def count() -> int:
            for event, entry in waiting.items():
                done = applied.get(event)
                if done is None:
                    cases.add(f"{event} never took effect", (entry[0],), (event,))
                elif done[1] > entry[1] + limit_ms * MICROS_PER_MS:
                    late_ms = (done[1] - entry[1]) // MICROS_PER_MS
                    said = f"{event} took effect after {late_ms} ms, and not within {limit_ms}"
                    cases.add(said, (entry[0], done[0]), (event,))
            return len(waiting)

        return {"record_acknowledged": on_acknowledged, "effect_applied": on_applied}, count

    return _check("acts_within", f"An event takes effect within {limit_ms} ms.", start)


def ends(origin: str, most: int) -> Check:
    """One event causes at most so many."""

    def start(cases: Cases) -> Any:
        sent: list[int] = []

        def on_sent(entry: Any) -> None:
            if entry[4][1].startswith(origin):
                sent.append(entry[0])

        def count() -> int:
            if len(sent) > most:
                said = f"{origin} has caused {len(sent) - 1} events by the end, and goes on"
                cases.add(said, sent[: most + 1], (origin,))
            return len(sent)

        return {"record_sent": on_sent}, count

    return _check("ends", "What an event causes comes to an end.", start)


def in_their_order(events: Iterable[str]) -> Check:
    """Events of one aggregate first take effect in the order in which they were sent."""

    def start(cases: Cases) -> Any:
        places = {event: place for place, event in enumerate(events)}
        newest = [-1, -1]  # The place, and the entry.
        known: dict[str, None] = {}

        def on_applied(entry: Any) -> None:
            event = entry[4][4]
            if event in known:
                return  # It comes again, which is another promise's matter.
            known[event] = None
            place = places.get(event, newest[0])
            if place < newest[0]:
                later = next(name for name, at in places.items() if at == newest[0])
                said = f"{event} took effect after {later}, which was sent later"
                cases.add(said, (newest[1], entry[0]), (event,))
            else:
                newest[:] = [place, entry[0]]

        return {"effect_applied": on_applied}, lambda: len(places)

    return _check("in_their_order", "An aggregate's events take effect in their order.", start)


def applied_or_kept(events: Iterable[str], dead_letters: str = "") -> Check:
    """Each acknowledged event takes effect, or lies in a dead-letter topic."""

    def start(cases: Cases) -> Any:
        waiting: dict[str, int] = {}
        kept: dict[str, None] = {}
        asked = dict.fromkeys(events)

        def on_acknowledged(entry: Any) -> None:
            if entry[4][2] == dead_letters:
                kept[entry[4][1]] = None
            elif entry[4][1] in asked:
                waiting.setdefault(entry[4][1], entry[0])

        def on_applied(entry: Any) -> None:
            kept[entry[4][4]] = None

        def count() -> int:
            for event, seq in waiting.items():
                if event not in kept:
                    said = f"{event} neither took effect nor is kept anywhere"
                    cases.add(said, (seq,), (event,))
            return len(waiting)

        return {"record_acknowledged": on_acknowledged, "effect_applied": on_applied}, count

    promise = "An event takes effect, or a dead letter keeps it."
    return _check("applied_or_kept", promise, start, in_the_end=True)


def told_if_done(topic: str) -> Check:
    """Each change has its event in the log, and each event its change."""

    def start(cases: Cases) -> Any:
        done: dict[str, int] = {}
        told: dict[str, int] = {}

        def on_applied(entry: Any) -> None:
            done.setdefault(entry[4][2], entry[0])

        def on_acknowledged(entry: Any) -> None:
            if entry[4][2] == topic:
                told.setdefault(entry[4][1], entry[0])

        def count() -> int:
            for event, seq in done.items():
                if event not in told:
                    cases.add(f"{event} was done, and nobody was told", (seq,), (event,))
            for event, seq in told.items():
                if event not in done:
                    cases.add(f"{event} was told, and was not done", (seq,), (event,))
            return len(done) + len(told)

        return {"effect_applied": on_applied, "record_acknowledged": on_acknowledged}, count

    promise = "What is done is told, and what is told was done."
    return _check("told_if_done", promise, start, in_the_end=True)


def never_below_zero(table: str) -> Check:
    """What is taken of a stock was there."""

    def start(cases: Cases) -> Any:
        taken: list[int] = []

        def on_applied(entry: Any) -> None:
            _, where, _, value, event = entry[4]
            if where == table:
                taken.append(entry[0])
                if value < 0:
                    said = f"{event} was granted, and {table} is at {value}"
                    cases.add(said, (entry[0],), (event,))

        return {"effect_applied": on_applied}, lambda: len(taken)

    return _check("never_below_zero", "Nothing is granted that is not there.", start)
