"""The publishing half of a connector's life: batches, acknowledgements, offsets and heartbeats.

A batch is handed over when it is full, or when poll.interval.ms comes round; an offset is stored
every offset.flush.interval.ms, and then, in this order, the slot is confirmed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulator.errors import BadInput, KafkaError
from simulator.protocol.connector import Connector as Machine
from simulator.protocol.connector import Published
from simulator.protocol.connector_records import dumps
from simulator.protocol.names import MICROS_PER_MS

if TYPE_CHECKING:
    from simulator.cluster.connector import Connector
    from simulator.cluster.handlers import Steps
    from simulator.world.kernel import Event
    from simulator.world.node import Node

# As Connect sets it for its source tasks (Worker.baseProducerConfigs); linger.ms was 0 with them.
PRODUCER: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": False,
    "max.in.flight.requests.per.connection": 1,
    "delivery.timeout.ms": 2**31 - 1,
    "linger.ms": 0,
}


class Publishing:
    """What takes events out of the machine's queue, and keeps its offsets.

    Args:
        store: the store's client, to confirm the slot with.
    """

    def __init__(self, connector: "Connector", node: "Node", store: Any) -> None:
        self.machine: Machine | None = None
        self.producer = connector.cluster.producer(node, connector.producer)
        self.settings = connector.settings
        self.offset_key = dumps([connector.name, {"server": connector.settings.topic_prefix}])
        self._node = node
        self._store = store
        self._name = connector.name
        self._over = False
        self._failure: Exception | None = None
        self._filled: Event | None = None  # What the publisher waits for.
        self._emptied: Event | None = None  # What the stream waits for.
        self._stored: Event | None = None  # What the end waits for.
        self._began_us = node.now_us

    def start(self, machine: Machine) -> None:
        """Begin to publish what comes into the machine's queue."""
        self.machine = machine
        node = self._node
        for steps, name in (
            (self._publish(machine), "publish"),
            (self._store_offsets(machine), "offsets"),
        ):
            node.start(steps, name)
        if self.settings.heartbeat_interval_ms:
            node.start(self._beat(machine), "heartbeat")

    def end(self) -> None:
        """Publish nothing more."""
        self._over = True
        self.producer.close(timeout_ms=0)

    def raise_failure(self) -> None:
        """Raise what has gone wrong here.

        Raises:
            KafkaError: a record or an offset could not be published, or a slot not be confirmed.
            BadInput: the router stopped.
        """
        if self._failure is not None:
            raise self._failure

    # --- The queue ---------------------------------------------------------------------------

    def notify(self) -> None:
        """Something may have come into the queue."""
        filled = self._filled
        if filled is not None and self.machine is not None and self.machine.queue:
            self._filled = None
            filled.succeed()

    def room(self) -> "Steps":
        """Wait until the queue takes more events (max.queue.size)."""
        assert self.machine is not None, "there is a queue once the machine is there"
        while not self.machine.wants:
            self._emptied = self._node.event()
            yield self._emptied

    def _pass(self, point: str) -> "Steps":
        if not self._node.point(point):
            yield self._node.event()

    def _publish(self, machine: Machine) -> "Steps":
        node, settings = self._node, self.settings
        interval_us = settings.poll_interval_ms * MICROS_PER_MS
        while not self._over:
            if not machine.queue:
                self._filled = node.event()
                yield self._filled
            if len(machine.queue) < settings.max_batch_size:
                passed_us = (node.now_us - self._began_us) % interval_us
                yield node.sleep(interval_us - passed_us)
            yield from self._pass("before_send")
            if self._over:
                return
            try:
                batch = machine.batch(node.now_us)
            except BadInput as wrong:
                self._failure = wrong
                return
            emptied, self._emptied = self._emptied, None
            if emptied is not None:
                emptied.succeed()
            for published in batch:
                self._send(machine, published)
            if batch:
                yield from self._pass("after_send")

    def _send(self, machine: Machine, published: Published) -> None:
        number, record = published
        if record.told is not None:
            self._node.record(("change_captured", record.event_id, *record.told))
        sent = self.producer.send(
            record.topic, record.value, record.key,
            event_id=record.event_id, partition=record.partition, headers=record.headers,
        )  # fmt: skip

        def ended(event: "Event") -> None:
            if self._over:
                return
            if event.ok:
                machine.acknowledged(number)
            else:
                self._failure = event.value

        sent.callbacks.append(ended)

    # --- Offsets and heartbeats ----------------------------------------------------------------

    def _store_offsets(self, machine: Machine) -> "Steps":
        interval_us = self.settings.offset_flush_interval_ms * MICROS_PER_MS
        while True:
            yield self._node.sleep(interval_us)
            if self._over:
                return
            try:
                yield from self._flush(machine)
            except KafkaError as failed:
                self._failure = failed
                return

    def _flush(self, machine: Machine) -> "Steps":
        """Store the offset, then confirm the slot."""
        offset = machine.to_flush()
        if offset is None:
            return
        yield from self._pass("before_flush")
        done, lsn, events = offset.place
        event_id = f"{self._name}/offset@{done}-{lsn}/{events}"
        topic = self.settings.offset_storage_topic
        yield self.producer.send(topic, offset.to_json(), self.offset_key, event_id=event_id)
        if self._over:
            return
        self._node.record(("source_offset_stored", done, lsn, events))
        confirmed = machine.flushed(offset)
        yield from self._pass("after_flush")
        if confirmed is not None:
            yield self._store.confirm(self.settings.slot_name, confirmed)
            yield from self._pass("after_confirm")
        stored, self._stored = self._stored, None
        if stored is not None:
            stored.succeed()

    def until_stored(self) -> "Steps":
        """Wait until everything is published and its offset stored."""
        assert self.machine is not None, "there is a queue once the machine is there"
        while not self.machine.idle:
            self._stored = self._node.event()
            yield self._stored
            self.raise_failure()

    def _beat(self, machine: Machine) -> "Steps":
        action = self.settings.heartbeat_action_query
        interval_us = self.settings.heartbeat_interval_ms * MICROS_PER_MS
        while True:
            yield self._node.sleep(interval_us)
            if self._over:
                return
            try:
                if action is not None:
                    yield self._store.transact(action)
            except KafkaError as failed:
                self._failure = failed
                return
            machine.beat(self._node.now_us)
            self.notify()
