"""The promise that nothing goes missing without a word: lost is lost, but somebody was told.

A reader that stops with an error has handled nothing more, and everybody can see it; one that goes
on from elsewhere looks healthy.
"""

from typing import Any

from simulator import Cases, Check, Verdict, Watching


def told_by_warning(name: str = "never_lost_unnoticed") -> Check:
    """The check that every acknowledged event took effect, or a node has said that it stopped.

    A `warned` entry is that word. A run that was cut, without one, leaves it open.
    """

    def start() -> Watching:
        missing: dict[str, int] = {}
        applied: dict[str, None] = {}
        warned: list[int] = []
        reason = ""

        def on_acknowledged(entry: Any) -> None:
            if entry[4][1] not in applied:
                missing.setdefault(entry[4][1], entry[0])

        def on_applied(entry: Any) -> None:
            applied[entry[4][4]] = None
            missing.pop(entry[4][4], None)

        def on_warned(entry: Any) -> None:
            warned.append(entry[0])

        def on_ended(entry: Any) -> None:
            nonlocal reason
            reason = entry[4][1]

        def finish() -> Verdict:
            cases = Cases()
            reached = len(applied) + len(missing)
            if not warned:
                for event_id, seq in missing.items():
                    said = f"{event_id} was acknowledged, never took effect, and nobody said so"
                    cases.add(said, (seq,), (event_id,))
            open_because = "" if reason == "quiet" else f"the run was cut ({reason})"
            return cases.verdict(name, reached, open_because=open_because)

        observers = {
            "record_acknowledged": on_acknowledged,
            "effect_applied": on_applied,
            "warned": on_warned,
            "run_ended": on_ended,
        }
        return Watching(observers, finish)

    return Check(name, "What was acknowledged takes effect, or a node says that it stops.", start)
