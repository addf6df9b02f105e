"""A handler's life told line by line: what it was given, what it asked of its store, how it died.

Not told: how the consumer found its group again, which takes seconds; how records came into the
log.
"""

import json
from typing import TYPE_CHECKING, Any

from simulator.checks.sentences import line, sentence
from simulator.testing.own_store import shown

if TYPE_CHECKING:
    from simulator.scenario.workload import WorkItem
    from simulator.testing.played import Played
    from simulator.trace.trace import FlatEntry

LINES_MOST = 40
WHERE = {
    "after_poll": "with records in hand",
    "after_process": "after it has handled the record, before the commit",
    "after_commit": "after the commit",
    "store": "before it asks the store again",
    "produce": "before it sends",
    "wait": "while the handler waits",
}


def narrated(played: "Played") -> list[str]:
    """The lines of a run whose trace was kept."""
    log = [_said(item) for item in played.log]
    lines = [line(None, f"the log holds {', '.join(log)}")]
    teller = _Teller(len(played.log))
    for entry in played.trace.flat:
        lines += teller.tell(entry)
    if len(lines) <= LINES_MOST:
        return lines
    half = LINES_MOST // 2
    left_out = line(None, f"... ({len(lines) - 2 * half} more)")
    return [*lines[:half], left_out, *lines[-half:]]


def _said(item: "WorkItem") -> str:
    value: Any = item.value
    try:
        found = json.loads(value)
        if isinstance(found, dict):
            found = {name: one for name, one in found.items() if name != "event_id"}
            value = json.dumps(found)
    except (TypeError, ValueError):
        value = shown(value)
    return f"{item.event_id} ({item.key}: {value})"


class _Teller:
    """What has been told, as far as a line depends on it."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.given: dict[str, int] = {}

    def tell(self, entry: "FlatEntry") -> list[str]:
        """The lines of an entry; mostly none."""
        _, at_us, node, _, event = entry
        match event:
            case ("processing_started", _, _, _, _, event_id):
                again = " again" if event_id in self.given else ""
                self.given[event_id] = 1
                return [line(at_us, f"{node} is given {event_id}{again}")]
            case ("noted", _, said):
                return [line(None, f"  {said}")]
            case ("node_crashed", _, point):
                where = WHERE.get(point, WHERE.get(point.partition("-")[0], ""))
                return [line(at_us, f"{node} crashes {where} ({point})")]
            case ("node_restarted", _):
                return [line(at_us, f"{node} starts again, its memory empty")]
            case ("offset_committed", _, _, _, offset, _, _):
                return [line(at_us, f"committed: {offset} of the log's {self.records}")]
            case ("effect_applied" | "effect_refused", *_):
                return [line(None, f"  {sentence(entry)}")]
        return []
