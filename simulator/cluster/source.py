"""The source of load: an application that hands a workload's records to its producer in time.

It is the world's pacemaker, not a model of one: it hands a record over when its time has come,
whether or not those before it are acknowledged (open arrivals). Where it stands in its list
survives a crash, as a cursor in a file does; what it had handed over and was not acknowledged
dies with the producer's memory.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.producer import Producer
from simulator.protocol.producer_settings import producer_settings

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.scenario.workload import WorkItem
    from simulator.world.kernel import Timer
    from simulator.world.node import Node


class Source:
    """One application with one producer, on a node of its own.

    Args:
        items: what to hand over, in the order of their times.
        settings: the producer's, by Kafka's names.

    Raises:
        BadInput: a setting is unknown or not allowed.
    """

    def __init__(
        self,
        cluster: "Cluster",
        name: str,
        items: "Iterator[WorkItem]",
        settings: Mapping[str, Any],
    ) -> None:
        self._cluster = cluster
        self._items = items
        self._settings = producer_settings(settings, f"producer of {name}")
        self._next: Any = next(items, None)  # A WorkItem; a model's may carry bytes.
        self._timer: Timer | None = None
        self._handed_over = 0
        self._ended = False
        self.producer: Producer | None = None
        cluster.world.load_begins()
        self.node = cluster.node(name, self._boot)

    @property
    def at_rest(self) -> bool:
        """Whether everything is handed over, and either acknowledged or given up."""
        producer = self.producer
        return self._next is None and self.node.gate.open and (
            producer is None or producer.pending == 0
        )

    def _boot(self, node: "Node") -> None:
        self.producer = self._cluster.producer(node, self._settings)
        self._wait(node)

    def _wait(self, node: "Node") -> None:
        """Sleep until the next record is due; real time, so that a drifting clock keeps pace."""
        item = self._next
        if item is not None:
            delay_us = max(0, item[0] - int(node.kernel.now))
            self._timer = node.kernel.timer(delay_us, node.gate, self._due, node)
        elif not self._ended:
            self._ended = True
            self._cluster.world.load_ends(self._handed_over)

    def _due(self, node: "Node") -> None:
        producer, timer, kernel = self.producer, self._timer, node.kernel
        assert producer is not None, "a source has a producer once its node has booted"
        assert timer is not None, "a source waits once its node has booted"
        now: int = kernel._now  # noqa: SLF001
        item = self._next
        while item is not None and item[0] <= now:
            _, topic, key, value, event_id = item
            producer.hand_over(topic, value, key, event_id)
            self._handed_over += 1
            item = self._next = next(self._items, None)
        if item is not None and timer.gate.open:  # As ever, but in the hot path.
            kernel.again(timer, item[0] - now)
        else:
            self._wait(node)
