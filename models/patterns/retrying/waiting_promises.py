"""What may be promised of those that a failing record keeps waiting: who waits, and how long.

Attempts are those that the service saw (`troubles.py` notes `attempted`).
"""

from collections.abc import Sequence
from typing import Any

from models.patterns.retrying.retry_promises import Place
from models.patterns.retrying.troubles import DEAD, TOPIC
from simulator import Cases, Check, Verdict, Watching


def only_its_partition_waits(
    failing: str, within_ms: int = 200, name: str = "only_its_partition_waits"
) -> Check:
    """The check that those behind a failing event wait for it, and those of other partitions not.

    Args:
        failing: the event.
        within_ms: so soon after it is in the log an event of another partition is tried.
    """

    def start() -> Watching:
        places: dict[str, tuple[Place, int, int]] = {}  # event -> where, since when, its entry
        cases, reached, over = Cases(), 0, False

        def on_acknowledged(entry: Any) -> None:
            nonlocal over
            _, event_id, topic, partition, _ = entry[4]
            if topic == TOPIC:
                places.setdefault(event_id, ((topic, partition), entry[1], entry[0]))
            elif topic == DEAD and event_id == failing:
                over = True

        def on_applied(entry: Any) -> None:
            nonlocal over
            over = over or entry[4][4] == failing

        def on_noted(entry: Any) -> None:
            nonlocal reached
            _, label, event_id = entry[4]
            if label != "attempted" or event_id == failing or event_id not in places:
                return
            where, since_us, seq = places.pop(event_id)
            reached += 1
            if failing not in places:
                return
            late_ms = (entry[1] - since_us) // 1_000
            if where == places[failing][0] and not over:
                said = f"{event_id} did not wait for {failing}, which lies before it"
                cases.add(said, (seq, entry[0]), (event_id,))
            elif where != places[failing][0] and late_ms > within_ms:
                said = f"{event_id} waited {late_ms} ms for {failing} of another partition"
                cases.add(said, (seq, entry[0]), (event_id,))

        observers = {
            "record_acknowledged": on_acknowledged,
            "effect_applied": on_applied,
            "noted": on_noted,
        }
        return Watching(observers, lambda: cases.verdict(name, reached))

    return Check(name, "A failing record delays its own partition, and no other.", start)


def lag_at_most(limit: int, name: str = "lag_at_most") -> Check:
    """The check that no more records than these are ever acknowledged and not yet committed."""

    def start() -> Watching:
        cases, reached = Cases(), 0
        committed: dict[Place, int] = {}
        told: dict[Place, None] = {}

        def on_acknowledged(entry: Any) -> None:
            nonlocal reached
            _, event_id, topic, partition, offset = entry[4]
            where = (topic, partition)
            if topic != TOPIC or where not in committed:
                return  # Before its first commit nobody has begun, perhaps.
            reached += 1
            lag = offset + 1 - committed[where]
            if lag > limit and where not in told:
                told[where] = None
                said = f"with {event_id} the lag of {topic}-{partition} is {lag}"
                cases.add(said, (entry[0],), (event_id,))

        def on_committed(entry: Any) -> None:
            _, _, topic, partition, offset, *_ = entry[4]
            committed[topic, partition] = offset

        observers = {"record_acknowledged": on_acknowledged, "offset_committed": on_committed}
        return Watching(observers, lambda: cases.verdict(name, reached))

    return Check(name, f"No more than {limit} records wait to be committed.", start)


def still_open(reason: str) -> str:
    """Why what has not happened may still happen, by why a run has ended; "": it will not."""
    return "" if reason in {"quiet", "horizon"} else "the run did not come to its end"


def others_go_on(poison: Sequence[str], name: str = "others_go_on") -> Check:
    """The check that each acknowledged event but the poison has had its effect in the end.

    A run that somebody stopped, before its time was up, leaves it open.
    """

    def start() -> Watching:
        reason = ""
        waiting: dict[str, int] = {}
        applied: dict[str, None] = {}
        reached = 0

        def on_acknowledged(entry: Any) -> None:
            nonlocal reached
            event_id = entry[4][1]
            if event_id not in poison and entry[4][2] == TOPIC:
                reached += 1
                if event_id not in applied:
                    waiting.setdefault(event_id, entry[0])

        def on_applied(entry: Any) -> None:
            applied[entry[4][4]] = None
            waiting.pop(entry[4][4], None)

        def on_ended(entry: Any) -> None:
            nonlocal reason
            reason = entry[4][1]

        def finish() -> Verdict:
            cases = Cases()
            for event_id, seq in waiting.items():
                said = f"{event_id} had no effect in all the time that there was"
                cases.add(said, (seq,), (event_id,))
            return cases.verdict(name, reached, open_because=still_open(reason))

        observers = {
            "record_acknowledged": on_acknowledged,
            "effect_applied": on_applied,
            "run_ended": on_ended,
        }
        return Watching(observers, finish)

    return Check(name, "One bad record keeps no other event from its effect.", start)
