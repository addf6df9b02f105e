"""What is promised of who asks another service, and what is counted of it."""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.asking.asking import ORDERS, REQUESTS
from simulator import Cases, Check, Verdict, Watching

BEHIND_MS = 1_000  # So late no prepaid order may be billed.


def _start() -> Watching:
    cases, reached = Cases(), 0
    sent: dict[str, Any] = {}

    def on_sent(entry: Any) -> None:
        if entry[4][2] == ORDERS and not int(entry[4][1].partition("-")[2]) % 2:
            sent.setdefault(entry[4][1], entry)

    def on_applied(entry: Any) -> None:
        nonlocal reached
        began = sent.pop(entry[4][2], None)
        if began is not None:
            reached += 1
            late_ms = (entry[1] - began[1]) // 1_000
            if late_ms > BEHIND_MS:
                said = f"{entry[4][2]} is prepaid, and was billed after {late_ms} ms"
                cases.add(said, (began[0], entry[0]), (entry[4][2],))

    def finish() -> Verdict:
        for order, entry in sent.items():
            cases.add(f"{order} is prepaid, and was never billed", (entry[0],), (order,))
        return cases.verdict("nobody_in_the_way", reached + len(sent))

    return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)


nobody_in_the_way = Check(
    "nobody_in_the_way", f"A prepaid order is billed within {BEHIND_MS} ms.", _start
)


@attrs.define
class Billed:
    """Counts of one run: a thing for measures to look at.

    Attributes:
        latencies_us: of each order on credit, from its sending to its bill.
        prepaid_us: of each that was prepaid.
        orders: how many were sent.
        twice: bills beyond the first of an order.
        asked: how often credit was asked.
    """

    latencies_us: list[int] = attrs.field(factory=list)
    prepaid_us: list[int] = attrs.field(factory=list)
    orders: int = 0
    twice: int = 0
    asked: int = 0
    _sent_us: dict[str, int] = attrs.field(factory=dict)
    _billed: dict[str, None] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            ("record_sent", self._on_sent),
            ("message_sent", self._on_message),
            ("effect_applied", self._on_applied),
        )

    def _on_sent(self, entry: Any) -> None:
        _, event_id, topic, _ = entry[4]
        if topic == ORDERS:
            self.orders += 1
            self._sent_us[event_id] = entry[1]
        self.asked += topic == REQUESTS

    def _on_message(self, entry: Any) -> None:
        self.asked += entry[4][4] == "CallRequest"

    def _on_applied(self, entry: Any) -> None:
        _, table, order, _, _ = entry[4]
        if table != "billed":
            return
        if order in self._billed:
            self.twice += 1
            return
        self._billed[order] = None
        on_credit = int(order.partition("-")[2]) % 2
        took = self.latencies_us if on_credit else self.prepaid_us
        took.append(entry[1] - self._sent_us[order])

    @property
    def billed(self) -> tuple[int, int]:
        """(orders that were billed, orders)."""
        return len(self._billed), self.orders
