"""A share consumer in a world: the client machine, its connections, its timer and its chance.

It is driven as a consumer is (see `consumer`): every method that may wait answers with an event,
one call at a time; and everything belongs to the node's incarnation, so that a crash closes
nothing and releases nothing. What it held comes back when its lock has timed out.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.cluster.alarm import Alarm
from simulator.cluster.connections import Connections
from simulator.errors import BadInput, KafkaError
from simulator.protocol.fetching import ConsumerRecord
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.share_consumer import ShareConsuming
from simulator.protocol.share_settings import ShareConsumerSettings, share_consumer_settings
from simulator.protocol.wire import Ask, CallBack, Disconnect, Failed, Finished, Happened

if TYPE_CHECKING:
    from simulator.world.kernel import Event
    from simulator.world.node import Node

CLOSE_TIMEOUT_MS = 30_000  # ConsumerUtils.DEFAULT_CLOSE_TIMEOUT_MS

Told = Callable[[dict[TopicPartition, tuple[int, ...]], KafkaError | None], None]


class ShareConsumer:
    """One share consumer of one incarnation of a node.

    Args:
        brokers: names of the brokers to ask first.
        settings: Kafka's names and values, or what was read of them.
        member_id: one that no other consumer has, of this incarnation or another.

    Raises:
        BadInput: a setting is unknown, not modelled, or cannot be used.
    """

    def __init__(
        self,
        node: "Node",
        brokers: Iterable[str],
        settings: Mapping[str, Any] | ShareConsumerSettings,
        member_id: str,
    ) -> None:
        if not isinstance(settings, ShareConsumerSettings):
            settings = share_consumer_settings(settings, f"share consumer of {node.name}")
        self.node = node
        self.settings = settings
        self.connections = Connections(
            node,
            request_timeout_ms=settings.request_timeout_ms,
            reconnect_backoff_ms=settings.reconnect_backoff_ms,
            reconnect_backoff_max_ms=settings.reconnect_backoff_max_ms,
        )
        self._alarm = Alarm(node, self._due)
        self._machine = ShareConsuming(settings, tuple(brokers), member_id, self._alarm.between)
        self._polling: Event | None = None
        self._closes = False
        self._following = False

    @property
    def member_id(self) -> str:
        """As what brokers know it."""
        return self._machine.membership.member_id

    def subscribe(self, topics: Iterable[str]) -> None:
        """Share these topics' records with the group's other members, from the next poll on.

        Raises:
            BadInput: the consumer is closed, or a poll is waiting.
        """
        self._machine.subscribe(tuple(topics), self.node.now_us)
        self._follow()

    def unsubscribe(self) -> None:
        """Leave the group. What is held stays held until its lock times out, or `close`."""
        self.subscribe(())

    def subscription(self) -> tuple[str, ...]:
        """The topics that are subscribed."""
        return self._machine.topics

    def poll(self, timeout_ms: int) -> "Event":
        """Take part in the group, and acquire records: a list of ConsumerRecord, perhaps empty.

        Args:
            timeout_ms: how long to wait for records; 0 takes what is there.

        The event fails with a KafkaError: in explicit mode, if records of the last poll are not
        acknowledged.

        Raises:
            BadInput: nothing is subscribed, or another call is waiting.
        """
        if timeout_ms < 0:
            raise BadInput("a poll waits from 0 ms:", self.node.name, timeout_ms)
        event = self.node.event()
        try:
            records = self._machine.poll(event, self.node.now_us, timeout_ms * MICROS_PER_MS)
        except KafkaError as error:
            event.fail(error)
        else:
            if records is None:
                self._polling = event
            else:
                self._handed_out(records)
                event.succeed(records)
        self._follow()
        return event

    def acknowledge(self, record: ConsumerRecord, kind: str = "accept") -> None:
        """Say what became of a record of the last poll, in explicit mode.

        Args:
            kind: accept (it was processed), release (deliver it again) or reject (never again).

        Raises:
            BadInput: there is no such kind, or the mode is implicit.
            KafkaError: the last poll did not give it, or it is acknowledged already.
        """
        self._machine.acknowledge((TopicPartition(record[0], record[1]), record[2]), kind)

    def commit_sync(self, timeout_ms: int | None = None) -> "Event":
        """Send all acknowledgements, and wait: a dict of each partition to a KafkaError or None.

        In implicit mode, all that the last poll gave is accepted first. What is refused
        (INVALID_RECORD_STATE) had been held for too long; after RequestTimedOut it is not known.
        """
        event = self.node.event()
        most_ms = self.settings.default_api_timeout_ms if timeout_ms is None else timeout_ms
        self._machine.commit_sync(event, self.node.now_us, most_ms * MICROS_PER_MS)
        self._follow()
        return event

    def commit_async(self) -> None:
        """Send all acknowledgements, without waiting; see the callback."""
        self._machine.commit_async(self.node.now_us)
        self._follow()

    def set_acknowledgement_commit_callback(self, callback: Told | None) -> None:
        """Let `callback(offsets, error)` be told what becomes of acknowledgements, in any call."""
        self._machine.callback = callback

    def close(self, timeout_ms: int = CLOSE_TIMEOUT_MS) -> "Event":
        """Send what is acknowledged, release everything else that is held, leave the group."""
        event = self.node.event()
        self._closes = True
        self._machine.close(event, self.node.now_us, timeout_ms * MICROS_PER_MS)
        self._follow()
        return event

    # --- What the machine wants ------------------------------------------------------------

    def _handed_out(self, records: list[ConsumerRecord]) -> None:
        group = self.settings.group_id
        for one in records:
            self.node.record(("record_polled", group, one[0], one[1], one[2], one[5]))

    def _follow(self) -> None:
        """Carry out what the machine has decided, and move the timer to its next time."""
        if self._following:
            return  # An effect has called us: the loop below goes on with what it added.
        wire = self._machine.wire
        self._following = True
        try:
            while wire.outbox:
                effects, wire.outbox = wire.outbox, []
                for effect in effects:
                    self._carry_out(effect)
        finally:
            self._following = False
        if wire.wake_us < self._alarm.at_us:
            self._alarm.set(wire.wake_us)

    def _carry_out(self, effect: Any) -> None:
        match effect:
            case Ask(token, to, body, purpose, timeout_ms):
                answered = partial(self._answered, token)
                self.connections.request(to, body, answered, purpose, timeout_ms)
            case Happened(event):
                self.node.record(event)
            case Finished(event, value):
                if event is self._polling:
                    self._polling = None
                    self._handed_out(value)
                elif self._closes and self._machine.closed:
                    self.connections.close()
                event.succeed(value)
            case Failed(event, error):
                if event is self._polling:
                    self._polling = None
                event.fail(error)
            case Disconnect(to, purpose):
                self.connections.disconnect(to, purpose)
            case CallBack(callback, offsets, error):
                callback(offsets, error)

    def _answered(self, token: int, body: Any) -> None:
        self._machine.answered(token, body, self.node.now_us)
        self._follow()

    def _due(self) -> None:
        self._machine.woken(self.node.now_us)
        self._follow()
