"""The promise that a group keeps pace: each event takes effect within a time of its sending."""

from typing import Any

from simulator import Cases, Check, Verdict, Watching


def within(limit_ms: int, name: str = "in_time") -> Check:
    """The check that each event first takes effect at most `limit_ms` after it was first sent.

    An event that never takes effect is not looked at here: never_lost is.
    """

    def start() -> Watching:
        cases = Cases()
        sent: dict[str, Any] = {}
        reached = 0

        def on_sent(entry: Any) -> None:
            sent.setdefault(entry[4][1], entry)

        def on_applied(entry: Any) -> None:
            nonlocal reached
            event_id = entry[4][4]
            begun = sent.get(event_id)
            if begun is None:
                return
            sent[event_id] = None  # Only its first effect counts.
            reached += 1
            late_ms = (entry[1] - begun[1]) // 1_000
            if late_ms > limit_ms:
                said = f"{event_id} took effect {late_ms} ms after it was sent"
                cases.add(said, (begun[0], entry[0]), (event_id,))

        def finish() -> Verdict:
            return cases.verdict(name, reached)

        return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)

    return Check(name, f"Each event takes effect within {limit_ms} ms of its sending.", start)
