"""What a run did to partitions and readers, counted as it happens: a thing for measures to look at.

`Experiment(gather=Load, ...)` gives each run one. What is stored is what producers were told is
stored; what is read is what poll() handed out.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from models.topics.order import aggregate_order
from simulator import Delivery, Watching

Place = tuple[str, int]  # A topic and a partition.


@attrs.define
class Load:
    """Counts of one run.

    Attributes:
        delivery: what became of the events.
        stored: for each partition, how many records were acknowledged.
        read: how many records readers were given, the same ones again included.
        skipped: how many of those they had no use for.
        backlog: how many events were acknowledged and not applied when the load ended.
        appended: how often each event was written to a log by its producer.
        acknowledged_us: for each acknowledged record, how long its producer waited to be told.
        failed: how many records producers gave up.
        stopped: whether a node has warned that it stops, or of anything else.
    """

    delivery: Delivery = attrs.field(factory=Delivery)
    stored: dict[Place, int] = attrs.field(factory=dict)
    read: int = 0
    skipped: int = 0
    backlog: int = 0
    appended: dict[str, int] = attrs.field(factory=dict)
    acknowledged_us: list[int] = attrs.field(factory=list)
    failed: int = 0
    stopped: bool = False
    _sent_us: dict[str, int] = attrs.field(factory=dict)
    _order: Watching = attrs.field(factory=aggregate_order.start)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self.delivery.observers(),
            *self._order.observers.items(),
            ("record_sent", self._on_sent),
            ("record_acknowledged", self._on_acknowledged),
            ("record_failed", self._on_failed),
            ("record_polled", self._on_polled),
            ("batch_appended", self._on_appended),
            ("noted", self._on_noted),
            ("warned", self._on_warned),
            ("workload_ended", self._on_load_ended),
        )

    def _on_sent(self, entry: Any) -> None:
        self._sent_us.setdefault(entry[4][1], entry[1])

    def _on_acknowledged(self, entry: Any) -> None:
        _, event_id, topic, partition, _ = entry[4]
        self.stored[topic, partition] = self.stored.get((topic, partition), 0) + 1
        self.acknowledged_us.append(entry[1] - self._sent_us[event_id])

    def _on_failed(self, _: Any) -> None:
        self.failed += 1

    def _on_polled(self, _: Any) -> None:
        self.read += 1

    def _on_appended(self, entry: Any) -> None:
        for event_id in entry[4][4]:
            self.appended[event_id] = self.appended.get(event_id, 0) + 1

    def _on_noted(self, entry: Any) -> None:
        self.skipped += entry[4][1] == "skipped"

    def _on_warned(self, _: Any) -> None:
        self.stopped = True

    def _on_load_ended(self, _: Any) -> None:
        self.backlog = self.delivery.acknowledged - self.delivery.applied

    @property
    def busiest(self) -> tuple[int, int] | None:
        """(records in the fullest partition, records in all); None if there is no record."""
        if not self.stored:
            return None
        return max(self.stored.values()), sum(self.stored.values())

    @property
    def in_vain(self) -> tuple[int, int]:
        """(records that readers had no use for, records that they were given)."""
        return self.skipped, self.read

    @property
    def out_of_order(self) -> tuple[int, int]:
        """(events that took effect after a later one of their aggregate, events with effect)."""
        verdict = self._order.finish()
        return verdict.cases, verdict.reached

    @property
    def stored_twice(self) -> tuple[int, int]:
        """(events that a log holds more than once, events that a log holds)."""
        return sum(count > 1 for count in self.appended.values()), len(self.appended)
