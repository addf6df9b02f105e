"""What a saga promises, as checks; they know the steps' names, and the words of the trace.

A step's effect is counted in a table of its name, under the saga's id: 1 is done, 0 undone. A
saga's phase is a row of `sagas`. What was asked for are the records of `...-requests` and
`...-cancellations`, whose ids begin with saga/step/verb. So an orchestrated saga and a
choreographed one are judged alike where both have what is judged. In which order steps are done
and undone is judged in `saga_order`; what sagas do to each other, in `saga_isolation`.
"""

from typing import Any

from models.patterns.sagas.saga import COMPLETED, DO, ENDS, UNDO
from simulator import Cases, Check, Verdict, Watching

SECOND_US = 1_000_000
PLACED = ("placed", "OrderPlaced")


def parts(event_id: str) -> tuple[str, str, str]:
    """Saga, step and verb of a command's id, however often it was minted."""
    saga, step, verb = event_id.split("~", maxsplit=1)[0].split("/")[:3]
    return saga, step, verb


def asked_for(entry: Any) -> str:
    """The lane of a sent record: do, undo, or "" for what is no command."""
    topic = entry[4][2]
    return DO if topic.endswith("-requests") else UNDO if topic.endswith("-cancellations") else ""


def sagas_end(within_s: int = 20) -> Check:
    """Each saga whose order was placed is completed or compensated in time.

    The time begins when it was placed, the faults have ended, and everybody is back.
    """

    def start() -> Watching:
        placed: dict[str, Any] = {}
        ended: dict[str, Any] = {}
        since_us = now_us = 0

        def on_sent(entry: Any) -> None:
            name, _, what = entry[4][1].partition("/")
            if what in PLACED:
                placed.setdefault(name, entry)

        def on_applied(entry: Any) -> None:
            _, table, name, phase, _ = entry[4]
            if table == "sagas" and phase in ENDS:
                ended.setdefault(name, entry)

        def on_back(entry: Any) -> None:
            nonlocal since_us
            since_us = entry[1]

        def on_ended(entry: Any) -> None:
            nonlocal now_us
            now_us = entry[1]

        def finish() -> Verdict:
            cases, early = Cases(), ""
            for name, entry in placed.items():
                due_us = max(entry[1], since_us) + within_s * SECOND_US
                if name not in ended:
                    cases.add(f"{name} never ended", (entry[0],), (f"{name}/placed",))
                    early = early or ("the run was over too early" if now_us < due_us else "")
                elif ended[name][1] > due_us:
                    cases.add(f"{name} ended later than in {within_s} s", (ended[name][0],))
            return cases.verdict("sagas_end", len(placed), open_because=early)

        back = ("faults_ended", "node_restarted", "node_resumed", "link_healed")
        observers = {"record_sent": on_sent, "effect_applied": on_applied, "run_ended": on_ended}
        return Watching({**observers, **dict.fromkeys(back, on_back)}, finish)

    return Check("sagas_end", "Each saga ends, completed or compensated, in time.", start)


def all_or_nothing(*steps: str) -> Check:
    """Of the steps' effects each is there once in a completed saga, and none in a compensated."""

    def start() -> Watching:
        phases: dict[str, tuple[str, int]] = {}
        counts: dict[tuple[str, str], tuple[int, int]] = {}
        reason = ""

        def on_applied(entry: Any) -> None:
            _, table, name, value, _ = entry[4]
            if table == "sagas":
                phases[name] = value, entry[0]
            elif table in steps:
                counts[name, table] = value, entry[0]

        def on_ended(entry: Any) -> None:
            nonlocal reason
            reason = entry[4][1]

        def finish() -> Verdict:
            cases = Cases()
            ended = {name: found for name, found in phases.items() if found[0] in ENDS}
            for name, (phase, seq) in ended.items():
                due = 1 if phase == COMPLETED else 0
                for step in steps:
                    count, at = counts.get((name, step), (0, seq))
                    if count != due:
                        said = f"{name} is {phase}, and {step} is there {count} times"
                        cases.add(said, (seq, at), (f"{name}/{step}/{DO}",))
            cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
            return cases.verdict("all_or_nothing", len(ended), open_because=cut)

        return Watching({"effect_applied": on_applied, "run_ended": on_ended}, finish)

    return Check(
        "all_or_nothing", "A completed saga has all its effects, a compensated one none.", start
    )


def _one_command() -> Watching:
    sent: dict[tuple[str, ...], str] = {}
    counts: dict[tuple[str, str], int] = {}
    cases = Cases()

    def on_sent(entry: Any) -> None:
        if asked_for(entry):
            event_id = entry[4][1]
            first = sent.setdefault(parts(event_id), event_id)
            if first != event_id:
                said = f"{first} was sent as {event_id} as well"
                cases.add(said, (entry[0],), (first, event_id))

    def on_applied(entry: Any) -> None:
        _, table, saga, value, event_id = entry[4]
        if value.__class__ is int and value not in (0, 1):
            cases.add(f"{saga}: {table} is there {value} times", (entry[0],), (event_id,))
        if value.__class__ is int:
            rises = counts[saga, table] = counts.get((saga, table), 0) + value
            if value == 1 and rises > 1:
                cases.add(f"{saga}: {table} was done once more", (entry[0],), (event_id,))

    return Watching(
        {"record_sent": on_sent, "effect_applied": on_applied},
        lambda: cases.verdict("one_command_a_step", len(sent)),
    )


one_command_a_step = Check(
    "one_command_a_step", "A step has one command, which is done once.", _one_command
)


def _late_is_refused() -> Watching:
    cancelled: dict[tuple[str, str], int] = {}
    answered: dict[str, None] = {}
    asked: dict[str, int] = {}
    cases = Cases()

    def on_processed(entry: Any) -> None:
        _, _, topic, _, _, event_id, outcome = entry[4]
        if topic.endswith("-cancellations") and outcome == "done":
            cancelled.setdefault(parts(event_id)[:2], entry[0])
            asked.setdefault(event_id, entry[0])

    def on_sent(entry: Any) -> None:
        answered[entry[4][1]] = None

    def on_applied(entry: Any) -> None:
        _, table, saga, value, event_id = entry[4]
        if value == 1 and (saga, table) in cancelled:
            said = f"{saga}: {table} is done after it was cancelled"
            cases.add(said, (cancelled[saga, table], entry[0]), (event_id,))

    def finish() -> Verdict:
        for event_id, seq in asked.items():
            if f"{event_id}/reply" not in answered:
                cases.add(f"{event_id} had no answer", (seq,), (event_id,))
        return cases.verdict("late_is_refused", len(cancelled))

    return Watching(
        {
            "processing_ended": on_processed, "effect_applied": on_applied,
            "record_sent": on_sent,
        },
        finish,
    )  # fmt: skip


late_is_refused = Check(
    "late_is_refused", "What was cancelled is not done; to cancel succeeds.", _late_is_refused
)
