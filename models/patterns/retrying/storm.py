"""Many clients of one service that was away: who comes back when, and who is served.

Each client calls until it is served; in between it waits as its policy says. The service answers so
many calls in a slot of time, and refuses those beyond that. So clients that come back together stay
together, but for the few that are served: a storm. Jitter takes them apart.

Source: Exponential Backoff And Jitter, AWS Architecture Blog.
"""

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from simulator import NOT_TRIED, Backoff, Cases, Check, Cluster, Verdict, Wait, Watching, uniform

MILLION = 1_000_000
SLOT_US = 50_000


@attrs.frozen
class Service:
    """What the clients call.

    Args:
        capacity: calls that are answered in a slot.
        down_ms: from when until when none is.
    """

    capacity: int
    down_ms: tuple[int, int]


def storming(clients: int, policy: Backoff, service: Service) -> Callable[[Cluster], None]:
    """An application: so many clients, all of which call in the first slot of the outage."""

    def application(cluster: Cluster) -> None:
        taken: dict[int, int] = {}  # Slot -> calls that were answered in it.
        from_us, until_us = (1_000 * at_ms for at_ms in service.down_ms)

        def answers(now_us: int) -> bool:
            slot = now_us // SLOT_US
            if from_us <= now_us < until_us or taken.get(slot, 0) >= service.capacity:
                return False
            taken[slot] = taken.get(slot, 0) + 1
            return True

        def drive(node: Any) -> Any:
            draw = node.source(f"retry@{node.name}", "choice", uniform(0, MILLION - 1))
            yield node.sleep(from_us)
            progress = NOT_TRIED
            while True:
                node.record(("noted", "called", node.name))
                if answers(node.now_us):
                    node.record(("noted", "served", node.name))
                    return
                step = policy.after_failure(progress, u=draw() / MILLION, v=draw() / MILLION)
                if not isinstance(step, Wait):
                    return
                progress = step.progress
                yield node.sleep(step.delay_us)

        for number in range(clients):
            cluster.driver(f"client-{number}", drive)

    return application


@attrs.define
class Storm:
    """Counts of one run, for measures to look at: calls by slot, and when each was served."""

    since_us: int
    calls: dict[int, int] = attrs.field(factory=dict)
    served_us: dict[str, int] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (("noted", self._on_noted),)

    def _on_noted(self, entry: Any) -> None:
        _, label, client = entry[4]
        if label == "called":
            slot = entry[1] // SLOT_US
            self.calls[slot] = self.calls.get(slot, 0) + 1
        elif label == "served":
            self.served_us.setdefault(client, entry[1] - self.since_us)

    @property
    def busiest(self) -> int:
        """The most calls in a slot, once the service is back."""
        first = self.since_us // SLOT_US
        return max((calls for slot, calls in self.calls.items() if slot >= first), default=0)

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.calls.values())

    @property
    def done_us(self) -> int:
        """From the service's return until the last client was served."""
        return max(self.served_us.values(), default=0)


def served_within(limit_ms: int, since_ms: int, name: str = "served_in_time") -> Check:
    """The check that each client is served at most `limit_ms` after the service has come back."""

    def start() -> Watching:
        called: dict[str, int] = {}
        late = Cases()

        def on_noted(entry: Any) -> None:
            _, label, client = entry[4]
            if label == "called":
                called.setdefault(client, entry[0])
            elif label == "served":
                after_ms = entry[1] // 1_000 - since_ms
                if after_ms > limit_ms:
                    said = f"{client} was served {after_ms} ms after the service had come back"
                    late.add(said, (called[client], entry[0]))

        def finish() -> Verdict:
            return late.verdict(name, len(called))

        return Watching({"noted": on_noted}, finish)

    promise = f"Each client is served within {limit_ms} ms of the service's return."
    return Check(name, promise, start)
