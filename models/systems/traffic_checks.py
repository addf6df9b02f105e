"""What traffic lights promise, as checks: never two greens, and nobody waits for ever.

What a signal head shows is a row of `shows`: its colour, until when (0: for ever; a lamp goes out
by itself, whatever happens to the head), and the number of the command.
"""

from typing import Any

from models.systems.crossing import GREEN, RED
from simulator import Cases, Check, Verdict, Watching


def _two_greens() -> Watching:
    shows: dict[str, tuple[int, int, int]] = {}  # lamp -> seq, when it turned green, until when
    cases, reached = Cases(), 0

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, lamp, value, event_id = entry[4]
        if table != "shows":
            return
        colour, until_us, _ = value
        if colour == RED or (until_us and until_us <= entry[1]):
            shows.pop(lamp, None)
            return
        reached += 1
        crossing = lamp.rpartition("-")[0]
        for other, (seq, _, ends_us) in shows.items():
            together = not ends_us or ends_us > entry[1]
            if other != lamp and other.rpartition("-")[0] == crossing and together:
                said = f"{lamp} turned green while {other} was"
                cases.add(said, (seq, entry[0]), (event_id,))
        shows[lamp] = entry[0], entry[1], until_us

    return Watching(
        {"effect_applied": on_applied}, lambda: cases.verdict("never_two_greens", reached)
    )


never_two_greens = Check(
    "never_two_greens", "No two sides of a crossing are green together.", _two_greens
)


def _waits() -> Watching:
    waiting: dict[str, tuple[int, str]] = {}  # lamp -> the first arrival that waits for it
    green: dict[str, None] = {}
    cases, reached, reason = Cases(), 0, ""

    def on_sent(entry: Any) -> None:
        nonlocal reached
        _, event_id, topic, side = entry[4]
        lamp = topic.removesuffix("street") + str(side)
        if topic.endswith("-street"):
            reached += 1
            if lamp not in green:
                waiting.setdefault(lamp, (entry[0], event_id))

    def on_applied(entry: Any) -> None:
        _, table, lamp, value, _ = entry[4]
        if table == "shows":
            green.pop(lamp, None)
            if value[0] == GREEN:
                green[lamp] = None
                waiting.pop(lamp, None)

    def on_ended(entry: Any) -> None:
        nonlocal reason
        reason = entry[4][1]

    def finish() -> Verdict:
        for lamp, (seq, event_id) in waiting.items():
            cases.add(f"{lamp} never turned green for {event_id}", (seq,), (event_id,))
        cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
        return cases.verdict("nobody_waits_for_ever", reached, open_because=cut)

    return Watching(
        {"record_sent": on_sent, "effect_applied": on_applied, "run_ended": on_ended}, finish
    )


nobody_waits_for_ever = Check(
    "nobody_waits_for_ever", "Who comes has green in the end.", _waits
)
