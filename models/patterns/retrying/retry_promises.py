"""What may be promised of records that fail: how often they are tried, when, and where they end.

Attempts are those that the service saw (`troubles.py` notes `attempted` and `failed`), whatever a
pattern believes. A record is kept if it had an effect, if another topic was told to have it (a
letter), or if it is parked (noted `parked`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from models.patterns.retrying.troubles import TOPIC
from simulator import Cases, Check, Watching

Place = tuple[str, int]


class _Kept:
    """Which events are somewhere, and which offsets were passed."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.unfinished = False
        self.kept: dict[str, None] = {}
        self.lying: dict[Place, dict[int, tuple[str, int]]] = {}  # offset -> event, its entry

    def observers(self) -> dict[str, Any]:
        return {
            "record_acknowledged": self.on_acknowledged,
            "effect_applied": lambda entry: self.kept.setdefault(entry[4][4]),
            "noted": self.on_noted,
        }

    def on_acknowledged(self, entry: Any) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if topic == self.topic:
            self.lying.setdefault((topic, partition), {})[offset] = (event_id, entry[0])
        else:
            self.kept[event_id] = None

    def on_noted(self, entry: Any) -> None:
        if entry[4][1] == "parked":
            self.kept[entry[4][2]] = None
        self.unfinished = self.unfinished or entry[4][1] == "unfinished"


def conserved(topic: str = TOPIC, *, always: bool = True, name: str = "conserved") -> Check:
    """The check that no record is passed that has no effect and lies nowhere else.

    Args:
        topic: whose records.
        always: at each commit; else at the end of the run only. A run that came to rest, and of
            which nobody noted that it was `unfinished`, has passed all its records.
    """

    def start() -> Watching:
        records, cases, judged = _Kept(topic), Cases(), 0
        passed: dict[Place, int] = {}

        def on_committed(entry: Any) -> None:
            where, offset = entry[4][2:4], entry[4][4]
            if where[0] == topic:
                passed[where] = max(offset, passed.get(where, 0))
                if always:
                    judge(entry[0])

        def judge(seq: int, *, all_passed: bool = False) -> None:
            nonlocal judged
            for where, lying in records.lying.items():
                end = passed.get(where, 0)
                for offset in [one for one in lying if one < end or all_passed]:
                    event_id, sent = lying.pop(offset)
                    judged += 1
                    if event_id not in records.kept:
                        said = f"{event_id} was passed, had no effect and is nowhere else"
                        cases.add(said, (sent, seq), (event_id,))

        def on_ended(entry: Any) -> None:
            judge(entry[0], all_passed=entry[4][1] == "quiet" and not records.unfinished)

        observers = {
            **records.observers(), "offset_committed": on_committed, "run_ended": on_ended
        }  # fmt: skip
        return Watching(observers, lambda: cases.verdict(name, judged))

    return Check(name, "Each record that is passed had its effect, or lies elsewhere.", start)


def tried_at_most(limit: int, of: Sequence[str] = (), name: str = "tried_at_most") -> Check:
    """The check that the service sees no event more than `limit` times, restarts included.

    Args:
        of: of these events; without any, of all.
    """

    def start() -> Watching:
        cases = Cases()
        tried: dict[str, int] = {}

        def on_noted(entry: Any) -> None:
            _, label, event_id = entry[4]
            if label != "attempted" or (of and event_id not in of):
                return
            tried[event_id] = tried.get(event_id, 0) + 1
            if tried[event_id] == limit + 1:
                said = f"{event_id} was tried {limit + 1} times"
                cases.add(said, (entry[0],), (event_id,))

        return Watching({"noted": on_noted}, lambda: cases.verdict(name, len(tried)))

    return Check(name, f"No event is tried more than {limit} times.", start)


def not_before_due(
    delay_us: Callable[[int], int], name: str = "not_before_due"
) -> Check:
    """The check that an attempt begins no earlier than its delay after the one before has failed.

    Args:
        delay_us: the least delay after so many failed attempts, from 1.
    """

    def start() -> Watching:
        cases, reached = Cases(), 0
        failed: dict[str, tuple[int, int, int]] = {}  # event -> how often, when last, its entry

        def on_noted(entry: Any) -> None:
            nonlocal reached
            _, label, event_id = entry[4]
            if label == "failed":
                count = failed.get(event_id, (0, 0, 0))[0] + 1
                failed[event_id] = (count, entry[1], entry[0])
            elif label == "attempted" and event_id in failed:
                reached += 1
                count, at_us, seq = failed[event_id]
                early_us = at_us + delay_us(count) - entry[1]
                if early_us > 0:
                    said = f"{event_id} was tried again {early_us // 1_000} ms before it was due"
                    cases.add(said, (seq, entry[0]), (event_id,))

        return Watching({"noted": on_noted}, lambda: cases.verdict(name, reached))

    return Check(name, "No attempt begins before it is due.", start)
