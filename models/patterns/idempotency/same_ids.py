"""Promises about ids: what is one event has one id, and what has one id is one event.

ids_stable      what a handler sends for one event has the same ids, however often it runs
conflicts_told  an id that comes with two payloads is told of
"""

from typing import Any

from models.patterns.idempotency.inbox_limits import CONFLICT, GIVEN
from simulator import Cases, Check, Verdict, Watching


def ids_stable(topic: str, each: int = 1, name: str = "ids_stable") -> Check:
    """The check that a topic is sent at most so many ids for one incoming event: for one key.

    Args:
        each: how many records a handler makes of an event.
    """

    def start() -> Watching:
        cases = Cases()
        ids: dict[Any, dict[str, int]] = {}
        sends = 0

        def on_sent(entry: Any) -> None:
            nonlocal sends
            _, event_id, where, key = entry[4]
            if where != topic:
                return
            sends += 1
            known = ids.setdefault(key, {})
            known.setdefault(event_id, entry[0])
            if len(known) > each:
                said = f"{event_id} is the {len(known)}. id that {topic} was sent for {key}"
                cases.add(said, (*known.values(),), (*known,))

        def finish() -> Verdict:
            return cases.verdict(name, sends - len(ids) * each)

        return Watching({"record_sent": on_sent}, finish)

    return Check(name, "What is made of one event has the same ids every time.", start)


def _conflicts_told() -> Watching:
    given: dict[str, dict[str, int]] = {}
    told: dict[str, None] = {}

    def on_noted(entry: Any) -> None:
        _, name, detail = entry[4]
        if name == GIVEN:
            event_id, _, payload = detail.partition("=")
            given.setdefault(event_id, {}).setdefault(payload, entry[0])
        elif name == CONFLICT:
            told[detail] = None

    def finish() -> Verdict:
        cases, conflicts = Cases(), 0
        for event_id, payloads in given.items():
            if len(payloads) > 1:
                conflicts += 1
                if event_id not in told:
                    said = f"{event_id} came with {' and with '.join(payloads)}: nobody said so"
                    cases.add(said, tuple(payloads.values()), (event_id,))
        return cases.verdict("conflicts_told", conflicts)

    return Watching({"noted": on_noted}, finish)


conflicts_told = Check(
    "conflicts_told", "An id that comes with two payloads is told of.", _conflicts_told
)
