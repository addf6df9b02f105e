"""What telemetry promises, as checks: of the seconds' counts, and of the alarms.

A reading's id ends in the time at which it was taken, `lift@1200`. Counts are rows of `window`,
by device and second; a row of `closed` says that somebody has been told a count.
"""

from typing import Any

from models.systems.telemetry import ALARMS, WINDOW_MS
from simulator import Cases, Check, Verdict, Watching


def _windows() -> Watching:
    closed: dict[Any, int] = {}
    counted: dict[str, int] = {}
    cases, reached = Cases(), 0

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, key, _, event_id = entry[4]
        if table == "closed":
            closed[key] = entry[0]
        if table != "window":
            return
        reached += 1
        at_ms = int(event_id.rpartition("@")[2])
        if at_ms - at_ms % WINDOW_MS != key[1]:
            cases.add(f"{event_id} was counted in the second {key[1]}", (entry[0],), (event_id,))
        if key in closed:
            said = f"{event_id} changed the count of {key[1]}, which was closed"
            cases.add(said, (closed[key], entry[0]), (event_id,))
        if counted.setdefault(event_id, entry[0]) != entry[0]:
            said = f"{event_id} was counted again"
            cases.add(said, (counted[event_id], entry[0]), (event_id,))

    return Watching(
        {"effect_applied": on_applied}, lambda: cases.verdict("windows_hold", reached)
    )


windows_hold = Check(
    "windows_hold",
    "A reading counts once, in the second in which it was taken, unless that is closed.",
    _windows,
)


def _alarms() -> Watching:
    raised: dict[str, int] = {}
    rung: dict[str, int] = {}
    cases, reason = Cases(), ""

    def on_sent(entry: Any) -> None:
        if entry[4][2] == ALARMS:
            raised.setdefault(entry[4][1], entry[0])

    def on_applied(entry: Any) -> None:
        if entry[4][1] == "alarms":
            event_id = entry[4][4]
            if rung.setdefault(event_id, entry[0]) != entry[0]:
                cases.add(f"{event_id} rang twice", (rung[event_id], entry[0]), (event_id,))

    def on_ended(entry: Any) -> None:
        nonlocal reason
        reason = entry[4][1]

    def finish() -> Verdict:
        for event_id, seq in raised.items():
            if event_id not in rung:
                cases.add(f"{event_id} never rang", (seq,), (event_id,))
        cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
        return cases.verdict("alarms_ring", len(raised), open_because=cut)

    return Watching(
        {"record_sent": on_sent, "effect_applied": on_applied, "run_ended": on_ended}, finish
    )


alarms_ring = Check("alarms_ring", "Each alarm rings, and once.", _alarms)
