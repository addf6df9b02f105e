"""What a run did to a group's partitions, counted as it happens: a thing for measures to look at.

`Experiment(gather=Owning, ...)` gives each run one. An owner is who was told that it is one, lives,
and was not told otherwise. So a member that the coordinator has removed counts until it knows,
and one that is paused, or busy with an old record, counts though it handles nothing. That is why
standing still is asked of the records: a partition does so while a record of it is there, its
producer was told so, and none is handled, for longer than a quarter of a second.

It counts one group. Time is counted from the first record's sending to the last effect.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from models.topics.load import Load
from simulator import Delivery

Place = tuple[str, int]  # A topic and a partition.
Span = tuple[int, int]  # From, until, in us.
STILL_US = 250_000  # Less than that is no standing still, but a record that waits its turn.


@attrs.define
class Owning:
    """Counts of one run.

    Attributes:
        load: what a Load counts.
        rebalances: generations (classic protocol) that began while the load was on.
        moves: how often a partition was given to another node than the one that had it before.
        handlings: how often a handler was begun.
        commits: requests to commit, whatever came of them.
        groups: the group ids that committed anything.
        last_us: when the last effect was applied.
        members: the nodes that were given partitions, or none; each with its records handled.
    """

    load: Load = attrs.field(factory=Load)
    rebalances: int = 0
    moves: int = 0
    handlings: int = 0
    commits: int = 0
    groups: dict[str, None] = attrs.field(factory=dict)
    last_us: int = 0
    members: dict[str, int] = attrs.field(factory=dict)
    _first_us: int = -1
    _holders: dict[Place, dict[str, None]] = attrs.field(factory=dict)
    _before: dict[Place, str] = attrs.field(factory=dict)  # The node that had it last.
    _free: dict[Place, int] = attrs.field(factory=dict)  # Since when nobody has it.
    _ownerless: list[Span] = attrs.field(factory=list)
    _handled: dict[Place, int] = attrs.field(factory=dict)  # When one of its records was, last.
    _still: dict[Place, list[Span]] = attrs.field(factory=dict)
    _all_still: list[Span] = attrs.field(factory=list)
    _any_us: int = 0
    _waiting: dict[str, int] = attrs.field(factory=dict)  # event -> since when; the oldest first
    _events: dict[str, None] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self.load.observers(),
            ("record_sent", self._on_sent),
            ("record_acknowledged", self._on_acknowledged),
            ("partitions_assigned", self._on_assigned),
            ("partitions_revoked", self._on_taken),
            ("partitions_lost", self._on_taken),
            ("node_crashed", self._on_crashed),
            ("generation_started", self._on_generation),
            ("processing_started", self._on_handling),
            ("processing_ended", self._on_handled),
            ("offset_committed", self._on_committed),
            ("message_sent", self._on_message),
            ("effect_applied", self._on_applied),
        )

    def _on_sent(self, entry: Any) -> None:
        if self._first_us < 0:
            self._first_us = entry[1]

    def _on_acknowledged(self, entry: Any) -> None:
        if entry[4][1] not in self._events:
            self._waiting[entry[4][1]] = entry[1]

    def _on_assigned(self, entry: Any) -> None:
        node = entry[2]
        self.members.setdefault(node, 0)
        for place in entry[4][3]:
            if self._before.get(place, node) != node and self._first_us >= 0:
                self.moves += 1
            self._before[place] = node
            self._holders.setdefault(place, {})[node] = None
            began = self._free.pop(place, None)
            if began is not None:
                self._ownerless.append((began, entry[1]))

    def _on_taken(self, entry: Any) -> None:
        for place in entry[4][3]:
            self._release(place, entry[2], entry[1])

    def _on_crashed(self, entry: Any) -> None:
        for place in self._holders:
            self._release(place, entry[2], entry[1])

    def _release(self, place: Place, node: str, at_us: int) -> None:
        holders = self._holders.get(place, {})
        if node in holders:
            del holders[node]
            if not holders:
                self._free[place] = at_us

    def _on_generation(self, _: Any) -> None:
        self.rebalances += self._first_us >= 0

    def _on_handling(self, entry: Any) -> None:
        at_us, node, event = entry[1], entry[2], entry[4]
        self.handlings += 1
        self.members[node] = self.members.get(node, 0) + 1
        place, event_id = event[2:4], event[5]
        since_us = max(self._any_us, next(iter(self._waiting.values()), at_us))
        if at_us - since_us > STILL_US:
            self._all_still.append((since_us, at_us))
        since_us = max(self._handled.get(place, 0), self._waiting.pop(event_id, at_us))
        if at_us - since_us > STILL_US:
            self._still.setdefault(place, []).append((since_us, at_us))
        self._events[event_id] = None
        self._handled[place] = self._any_us = at_us

    def _on_handled(self, entry: Any) -> None:
        self._handled[entry[4][2:4]] = self._any_us = entry[1]

    def _on_message(self, entry: Any) -> None:
        self.commits += entry[4][4] == "OffsetCommitRequest"

    def _on_committed(self, entry: Any) -> None:
        self.groups[entry[4][1]] = None

    def _on_applied(self, entry: Any) -> None:
        self.last_us = entry[1]

    # --- What measures ask -------------------------------------------------------------------

    @property
    def delivery(self) -> Delivery:
        """What became of the events."""
        return self.load.delivery

    @property
    def ownerless_us(self) -> float:
        """How long a partition had no living owner, on average over partitions."""
        spans = [*self._ownerless, *((began, self.last_us) for began in self._free.values())]
        return self._total(spans) / max(1, len(self._holders))

    @property
    def still_us(self) -> float:
        """How long a partition stood still, on average: no record of it was handled."""
        return self._total(span for spans in self._still.values() for span in spans) / max(
            1, len(self._handled)
        )

    @property
    def all_still_us(self) -> int:
        """How long the whole group stood still: no record of any partition was handled."""
        return self._total(self._all_still)

    @property
    def longest_us(self) -> int:
        """The longest that any partition stood still at a time; 0 if none did."""
        found = [span for spans in self._still.values() for span in spans]
        return max((self._within(span) for span in found), default=0)

    @property
    def again(self) -> tuple[int, int]:
        """(handlings of what had been begun before, handlings)."""
        return self.handlings - len(self._events), self.handlings

    @property
    def per_event(self) -> tuple[int, int]:
        """(handlings, events)."""
        return self.handlings, len(self._events)

    @property
    def idle(self) -> int:
        """Members of the group that were never given a record."""
        return sum(not handled for handled in self.members.values())

    @property
    def missing(self) -> tuple[int, int]:
        """(events that were acknowledged and had no effect when the run ended, acknowledged)."""
        delivery = self.delivery
        return delivery.acknowledged - delivery.applied, delivery.acknowledged

    @property
    def done_us(self) -> int:
        """From the first record's sending to the last effect."""
        return self.last_us - self._first_us

    def _total(self, spans: Iterable[Span]) -> int:
        return sum(self._within(span) for span in spans)

    def _within(self, span: Span) -> int:
        return max(0, min(span[1], self.last_us) - max(span[0], self._first_us))
