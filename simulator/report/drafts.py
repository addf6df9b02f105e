"""Rows while a trace is being read: drafts, into which what is learnt later can still be written.

A draft is a dict of a row's fields; its `cause` is the draft that it follows from. Only at the end
is it known which lanes there are, and in which order the rows stand.
"""

import re
from collections.abc import Iterator
from typing import Any

import attrs

from simulator.report.rows import REPLICA, ROLES, Lane, Row, Spacetime
from simulator.trace.trace import FlatEntry

Draft = dict[str, Any]

_DOWN = frozenset(("crash", "pause"))
_FIELDS = tuple(field.name for field in attrs.fields(Row))


class Drafts:
    """The rows so far, and what is known of the lanes.

    Attributes:
        roles: of each lane.
        groups: each member's.
        leaders: the broker of each partition, or of each replica.
        keys: each event's.
    """

    def __init__(self) -> None:
        self.rows: list[Draft] = []
        self.roles: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        self.leaders: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self._times: dict[tuple[Any, ...], int] = {}

    def add(
        self, began: FlatEntry, kind: str, lane: str, to: str, until_us: int | None, **more: Any
    ) -> Draft:
        """A row that begins with an entry of the trace; `more` are other fields."""
        event_ids = more.get("event_ids", ())
        made: Draft = {
            "seq": began[0],
            "kind": kind,
            "lane": lane,
            "to": to,
            "at_us": began[1],
            "until_us": until_us,
            "key": self.keys.get(event_ids[0], "") if event_ids else "",
            **more,
        }
        self.rows.append(made)
        return made

    def lane(self, name: str, role: str) -> str:
        """Note that there is such a lane; a consumer that also produces is a consumer."""
        if self.roles.get(name) not in {"consumer", REPLICA}:
            self.roles[name] = role
        return name

    def again(self, *what: Any) -> int:
        """Count one more of these: from 1."""
        times = self._times[what] = self._times.get(what, 0) + 1
        return times

    def finish(self, ends_us: int) -> Spacetime:
        """All rows, in order."""
        lanes = tuple(self._lanes())
        names = frozenset(lane.name for lane in lanes)
        drafts = [one for draft in self.rows for one in self._placed(draft, lanes, names)]
        drafts.sort(key=lambda one: (one["at_us"], one["seq"]))
        for number, draft in enumerate(drafts):
            draft["id"] = number
        rows = []
        for draft in drafts:
            cause = draft.get("cause")
            known = {name: draft[name] for name in _FIELDS if name in draft}
            known["cause"] = -1 if cause is None else cause.get("id", -1)
            rows.append(Row(**known))
        return Spacetime(lanes, tuple(rows), ends_us)

    def _lanes(self) -> Iterator[Lane]:
        named = sorted(self.roles, key=lambda name: (self.groups.get(name, ""), natural(name)))
        for role in ROLES:
            for name in named:
                if self.roles[name] == role:
                    yield Lane(name, role, self.leaders.get(name) or self.groups.get(name, ""))

    def _placed(
        self, draft: Draft, lanes: tuple[Lane, ...], names: frozenset[str]
    ) -> Iterator[Draft]:
        """The row on lanes that there are: what befalls a broker befalls its partitions."""
        if draft["kind"] == "rebalance":
            members = [
                lane.name
                for lane in lanes
                if lane.role == "consumer" and lane.of == draft["group"]
            ]
            if members:
                yield {**draft, "lane": members[0], "to": members[-1]}
        elif draft["lane"] in names and draft["to"] in names:
            yield draft
        elif draft["kind"] in _DOWN:
            for lane in lanes:
                if lane.partition and lane.of == draft["lane"]:
                    detail = f"{draft['lane']} {draft.get('detail', '')}".strip()
                    yield {**draft, "lane": lane.name, "to": lane.name, "detail": detail}


def natural(name: str) -> list[tuple[int, str]]:
    """A key which puts `billing-10` behind `billing-9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
