"""What may be promised of a consumer group, beside that each event takes effect once."""

from typing import Any

from simulator import Cases, Check, Verdict, Watching


def done_within(limit_ms: int, name: str = "done_in_time") -> Check:
    """The check that each acknowledged event takes effect at most `limit_ms` after it was sent.

    One that never does is late as well, unless the run ends before its time is over.
    """

    def start() -> Watching:
        sent: dict[str, int] = {}
        waiting: dict[str, int] = {}  # event -> the entry of its acknowledgement
        applied: dict[str, None] = {}
        cases = Cases()
        ended_us = 0

        def on_sent(entry: Any) -> None:
            sent.setdefault(entry[4][1], entry[1])

        def on_acknowledged(entry: Any) -> None:
            if entry[4][1] not in applied:
                waiting[entry[4][1]] = entry[0]

        def on_applied(entry: Any) -> None:
            event_id = entry[4][4]
            if event_id in applied or event_id not in sent:
                return
            applied[event_id] = None
            waiting.pop(event_id, None)
            late_ms = (entry[1] - sent[event_id]) // 1_000
            if late_ms > limit_ms:
                said = f"{event_id} took effect {late_ms} ms after it was sent"
                cases.add(said, (entry[0],), (event_id,))

        def on_ended(entry: Any) -> None:
            nonlocal ended_us
            ended_us = entry[1]

        def finish() -> Verdict:
            early = Cases()
            for event_id, seq in waiting.items():
                over = ended_us - sent[event_id] > limit_ms * 1_000
                said = f"{event_id} was acknowledged and had taken no effect at the end"
                (cases if over else early).add(said, (seq,), (event_id,))
            reached = len(applied) + len(waiting)
            if cases.count or not early.count:
                return cases.verdict(name, reached)
            why = "the run ended before the time of some events was over"
            return early.verdict(name, reached, open_because=why)

        observers = {
            "record_sent": on_sent,
            "record_acknowledged": on_acknowledged,
            "effect_applied": on_applied,
            "run_ended": on_ended,
        }
        return Watching(observers, finish)

    return Check(name, f"Each event takes effect within {limit_ms} ms of its sending.", start)


def _undisturbed() -> Watching:
    cases = Cases()
    on = False
    handled = 0

    def on_sent(_: Any) -> None:
        nonlocal on
        on = True

    def on_generation(entry: Any) -> None:
        if on:
            said = f"{entry[4][1]} rebalanced: generation {entry[4][2]}"
            cases.add(said, (entry[0],))

    def on_removed(entry: Any) -> None:
        if on:
            cases.add(f"{entry[4][2]} was removed: {entry[4][3]}", (entry[0],))

    def on_handled(_: Any) -> None:
        nonlocal handled
        handled += 1

    def finish() -> Verdict:
        return cases.verdict("never_rebalanced", handled)

    observers = {
        "record_sent": on_sent,
        "generation_started": on_generation,
        "member_removed": on_removed,
        "processing_ended": on_handled,
    }
    return Watching(observers, finish)


def _busy() -> Watching:
    seen: dict[str, int] = {}  # node -> the entry that first names it
    working: dict[str, None] = {}

    def on_assigned(entry: Any) -> None:
        seen.setdefault(entry[2], entry[0])

    def on_started(entry: Any) -> None:
        working[entry[2]] = None

    def finish() -> Verdict:
        cases = Cases()
        for node, seq in seen.items():
            if node not in working:
                cases.add(f"{node} was in the group and never given a record", (seq,))
        return cases.verdict("nobody_idle", len(seen))

    return Watching({"partitions_assigned": on_assigned, "processing_started": on_started}, finish)


def seen_by_all(instances: int, name: str = "seen_by_all") -> Check:
    """The check that each acknowledged event was handled by so many instances."""

    def start() -> Watching:
        acknowledged: dict[str, int] = {}
        seen: dict[str, dict[str, None]] = {}

        def on_acknowledged(entry: Any) -> None:
            acknowledged.setdefault(entry[4][1], entry[0])

        def on_ended(entry: Any) -> None:
            seen.setdefault(entry[4][5], {})[entry[2]] = None

        def finish() -> Verdict:
            cases = Cases()
            for event_id, seq in acknowledged.items():
                count = len(seen.get(event_id, ()))
                if count < instances:
                    said = f"{event_id} was handled by {count} of {instances} instances"
                    cases.add(said, (seq,), (event_id,))
            return cases.verdict(name, len(acknowledged))

        observers = {"record_acknowledged": on_acknowledged, "processing_ended": on_ended}
        return Watching(observers, finish)

    return Check(name, f"Each event is handled by all {instances} instances.", start)


never_rebalanced = Check(
    "never_rebalanced", "While there is work, the group's members stay who they are.", _undisturbed
)
nobody_idle = Check("nobody_idle", "Each member of the group is given something.", _busy)
