"""In which order a saga's steps are asked for, done and undone, as checks.

Each is judged on a saga's story: what was asked for (the first time), what was done and undone,
and what was answered; see `saga_checks` for the words of the trace.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.sagas.saga import DO, PIVOT, UNDO, Saga
from models.patterns.sagas.saga_checks import asked_for, parts
from simulator import Cases, Check, Verdict, Watching


def _commands(
    name: str, promise: str, judge: Callable[[Cases, dict[str, list[Any]]], int]
) -> Check:
    """A check of each saga's story: (what, step, entry); it is judged at the end, and is safety.

    what: do and undo (the first time that it was asked for), answered (an undo), up and down (the
    effect).
    """

    def start() -> Watching:
        stories: dict[str, list[Any]] = {}
        known: dict[tuple[str, ...], int] = {}

        def tell(saga: str, what: str, step: str, entry: Any) -> None:
            stories.setdefault(saga, []).append((what, step, entry))

        def on_sent(entry: Any) -> None:
            event_id = entry[4][1]
            if event_id.endswith("/undo/reply"):
                saga, step, _ = parts(event_id)
                tell(saga, "answered", step, entry)
            elif verb := asked_for(entry):
                saga, step, _ = parts(event_id)
                if known.setdefault((saga, step, verb), entry[0]) == entry[0]:
                    tell(saga, verb, step, entry)

        def on_applied(entry: Any) -> None:
            _, table, saga, value, _ = entry[4]
            if value.__class__ is int:
                before = known.get((saga, table), 0)
                known[saga, table] = value
                tell(saga, "up" if value > before else "down", table, entry)

        def finish() -> Verdict:
            cases = Cases()
            return cases.verdict(name, judge(cases, stories))

        return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)

    return Check(name, promise, start)


def _in_reverse(cases: Cases, stories: dict[str, list[Any]]) -> int:
    reached = 0
    for saga, story in stories.items():
        asked: list[str] = []
        done: list[str] = []
        undone: list[str] = []
        unanswered = ""
        for what, step, entry in story:
            if what == DO:
                asked.append(step)
            elif what == "up":
                done.append(step)
            elif what == "answered":
                unanswered = ""
            elif what == UNDO:
                reached += 1
                behind = done[done.index(step) + 1 :] if step in done else []
                left = [one for one in behind if one not in undone]
                if left:
                    said = f"{saga}: {step} is undone before {left[-1]}, which was done later"
                    cases.add(said, (entry[0],), (entry[4][1],))
                elif unanswered:
                    said = f"{saga}: {step} is undone before {unanswered} is known to be"
                    cases.add(said, (entry[0],), (entry[4][1],))
                elif step not in asked:
                    cases.add(f"{saga}: {step} is undone, and was never asked for", (entry[0],))
                undone.append(step)
                unanswered = step
    return reached


compensated_in_reverse = _commands(
    "compensated_in_reverse", "What was done last is undone first, each after the other.",
    _in_reverse,
)  # fmt: skip


def _not_forward(cases: Cases, stories: dict[str, list[Any]]) -> int:
    reached = 0
    for saga, story in stories.items():
        back = ""
        for what, step, entry in story:
            if what == UNDO:
                reached += not back
                back = back or step
            elif what == DO and back:
                said = f"{saga}: {step} is begun after {back} began to be undone"
                cases.add(said, (entry[0],), (entry[4][1],))
    return reached


never_forward_again = _commands(
    "never_forward_again", "No step is begun once a compensation was asked for.", _not_forward
)


def no_way_back(saga: Saga) -> Check:
    """After the pivot nothing is undone."""
    pivot = next(step.name for step in saga if step.kind == PIVOT)

    def judge(cases: Cases, stories: dict[str, list[Any]]) -> int:
        reached = 0
        for name, story in stories.items():
            past = False
            for what, step, entry in story:
                if (what, step) == ("up", pivot):
                    reached, past = reached + 1, True
                elif what == UNDO and past:
                    said = f"{name}: {step} is undone after {pivot} was done"
                    cases.add(said, (entry[0],), (entry[4][1],))
        return reached

    return _commands("no_way_back", "After the pivot has succeeded nothing is undone.", judge)
