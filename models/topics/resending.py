"""An application that does not wait for its producer to give up, and sends the event once more.

It waits a while for the acknowledgement; if none comes it hands the same event to the producer
again. Idempotence cannot help: to the producer that is a new record, with a sequence of its own.
Only a reader that knows the event's id can tell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from simulator import Cluster, ProducerFailed, WorkItem


def resending(
    cluster: Cluster,
    name: str,
    items: Sequence[WorkItem],
    settings: Mapping[str, Any],
    *,
    patience_ms: int | None,
    attempts: int = 5,
) -> None:
    """Deploy the application on a node of its own.

    Args:
        name: the node's.
        items: what it sends, at their times.
        settings: the producer's, by Kafka's names.
        patience_ms: after so long without an acknowledgement it sends again; None: never.
        attempts: how often it sends an event at most.
    """

    def deliver(node: Any, producer: Any, item: WorkItem) -> Any:
        for attempt in range(1, attempts + 1):
            sent = producer.send(item.topic, item.value, item.key, event_id=item.event_id)
            try:
                if patience_ms is None or attempt == attempts:
                    yield sent
                    return
                if (yield from _within(node, sent, patience_ms)):
                    return
            except ProducerFailed:
                if patience_ms is None:
                    return

    def drive(node: Any) -> Any:
        producer = cluster.producer(node, settings)
        under_way = []
        for item in items:
            if item.at_us > node.now_us:
                yield node.sleep(item.at_us - node.now_us)
            under_way.append(node.start(deliver(node, producer, item), "deliver"))
        yield from under_way
        yield producer.flush()

    cluster.driver(name, drive)


def _within(node: Any, event: Any, patience_ms: int) -> Any:
    """Wait for an event, but not longer than that; the answer is whether it came."""
    first = node.event()
    timer = node.after(patience_ms * 1_000, lambda _: first.triggered or first.succeed(False))

    def happened(_: Any) -> None:
        timer.cancel()
        if not first.triggered:
            first.succeed(True)

    if event.callbacks is None:
        happened(event)
    else:
        event.callbacks.append(happened)
    came = yield first
    if came and not event.ok:
        raise event.value
    return came
