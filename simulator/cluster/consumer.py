"""A consumer in a world: the client machine, its connections, its timer and its chance.

1. Every method that may wait answers with an event: `records = yield consumer.poll(100)`, or
   `await`. A poll that finds records buffered answers with an event that has happened already.
2. One call at a time, as in Kafka, but for what a rebalance listener calls while it is at work.
3. The rebalance listener is called inside poll, and may be a plain function, a generator function
   or an `async def`; the poll goes on when it is done.
4. What the machine decides is carried out in the instant in which it is decided. One timer moves
   to the machine's next time; nothing is polled, so an idle consumer costs its fetches, which
   wait at the brokers, and its heartbeats.
5. Everything belongs to the node's incarnation: a crash closes, commits and leaves nothing.

Methods bear Kafka's names; offsets to commit are a dict of (topic, partition) to the offset of the
next record to read.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.cluster.alarm import Alarm
from simulator.cluster.connections import Connections
from simulator.cluster.rebalance_listener import Partitions, RebalanceListener, heard_by
from simulator.errors import BadInput, KafkaError
from simulator.protocol.consumer_settings import ConsumerSettings, consumer_settings
from simulator.protocol.fetching import ConsumerRecord
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.polling import Polling
from simulator.protocol.wire import (
    Ask,
    CallBack,
    Disconnect,
    Effect,
    Failed,
    Finished,
    Happened,
    Listen,
)

if TYPE_CHECKING:
    from simulator.world.kernel import Event
    from simulator.world.node import Node

CLOSE_TIMEOUT_MS = 30_000  # ConsumerUtils.DEFAULT_CLOSE_TIMEOUT_MS


class Consumer:
    """One consumer of one incarnation of a node.

    Args:
        brokers: names of the brokers to ask first.
        settings: Kafka's names and values, or what was read of them.
        member_id: one that no other consumer has, of this incarnation or another; a group with
            group.protocol=consumer knows it by that. By default the node's name.

    Raises:
        BadInput: a setting is unknown, not modelled, or cannot be used.
    """

    def __init__(
        self,
        node: "Node",
        brokers: Iterable[str],
        settings: Mapping[str, Any] | ConsumerSettings | None = None,
        member_id: str = "",
    ) -> None:
        if not isinstance(settings, ConsumerSettings):
            settings = consumer_settings(settings or {}, f"consumer of {node.name}")
        self.node = node
        self.settings = settings
        self.connections = Connections.configured(node, settings)
        self._alarm = Alarm(node, self._due)
        variant = node.world.scenario.variant
        self._machine = Polling(
            settings,
            tuple(brokers),
            node.name,
            self._alarm.between,
            validates=variant.consumers_validate,
            from_followers=variant.consumers_fetch_from_followers,
            waits_for_commit=variant.consumers_wait_for_commit,
            member_id=member_id,
        )
        self._wire = self._machine.wire
        self._machine._committing.stable = variant.consumers_wait_for_stable_offsets  # noqa: SLF001
        self._group = settings.group_id or ""
        self._tells_polled = node.trace.wants("record_polled")
        self._api_us = settings.default_api_timeout_ms * MICROS_PER_MS
        self._listener: Any = None
        self._polling: Event | None = None
        self._closes = False
        self._following = False

    # --- What is consumed ------------------------------------------------------------------

    def subscribe(self, topics: Iterable[str], listener: Any = None) -> None:
        """Share these topics with the group's other members, from the next poll on.

        Args:
            listener: a RebalanceListener, or anything with functions of its names.

        Raises:
            BadInput: no topic or group.id, or partitions were assigned by hand.
        """
        self._machine.subscribe(self.node.now_us, topics)
        self._listener = listener
        self._follow()

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Consume exactly these partitions, whatever others do; no group assigns them.

        Raises:
            BadInput: topics are subscribed.
        """
        self._machine.assign(self.node.now_us, partitions)
        self._follow()

    def enforce_rebalance(self) -> None:
        """Have the group rebalance in the next poll, though nothing calls for it (KIP-568).

        Raises:
            BadInput: there is no group.id.
        """
        self._machine.enforce_rebalance(self.node.now_us)
        self._follow()

    def unsubscribe(self) -> "Event":
        """Give everything back and leave the group."""
        event = self.node.event()
        self._machine.unsubscribe(event, self.node.now_us)
        self._follow()
        return event

    def assignment(self) -> Partitions:
        """The partitions that are consumed just now."""
        return tuple(self._machine.positions.assigned)

    def subscription(self) -> tuple[str, ...]:
        """The topics that are subscribed."""
        return self._machine.positions.topics

    # --- Records ---------------------------------------------------------------------------

    def poll(self, timeout_ms: int) -> "Event":
        """Take part in the group, and get records: a list of ConsumerRecord, perhaps empty.

        Args:
            timeout_ms: how long to wait for records; 0 takes what is there.

        The event fails with a KafkaError (such as FencedInstance, NoOffsetForPartition,
        OffsetOutOfRange, LogTruncated, or what the rebalance listener threw).

        Raises:
            BadInput: nothing is subscribed or assigned, or another call is waiting.
        """
        if timeout_ms < 0:
            raise BadInput("a poll waits from 0 ms:", self.node.name, timeout_ms)
        event = self.node.event()
        machine = self._machine
        try:
            records = machine.poll(event, self.node.now_us, timeout_ms * MICROS_PER_MS)
        except KafkaError as error:
            event.fail(error)
        else:
            if records is None:
                self._polling = event
            else:
                if records:
                    self._handed_out(records)
                # It has happened: whoever waits for it goes on without the kernel's help.
                event._ok, event._value = True, records  # noqa: SLF001
                event.callbacks = None
        self._follow()
        return event

    def wakeup(self) -> bool:
        """Let a poll that waits end at once, as if its time were up; whether one waited."""
        waited = self._machine.hurry(self.node.now_us)
        self._follow()
        return waited

    def _handed_out(self, records: list[ConsumerRecord]) -> None:
        node, group = self.node, self._group
        if not self._tells_polled:
            node.trace.seq += len(records)
            return
        kind = "record_polled"
        events = [(kind, group, one[0], one[1], one[2], one[5]) for one in records]
        node.trace.record_each(node.kernel._now, node.name, kind, events)  # noqa: SLF001

    def seek(self, partition: tuple[str, int], offset: int) -> None:
        """Read on from `offset`.

        Raises:
            BadInput: the partition is not assigned (so in all methods down to `paused`).
        """
        self._machine.positions.seek(partition, offset)
        topic, number = partition
        self.node.record(("position_reset", self._group, topic, number, offset, "seek"))

    def seek_to_beginning(self, partitions: Iterable[tuple[str, int]] | None = None) -> None:
        """Read these (or all) from the log's beginning, from the next poll on."""
        self._machine.positions.seek_to("earliest", partitions)

    def seek_to_end(self, partitions: Iterable[tuple[str, int]] | None = None) -> None:
        """Read these (or all) from the log's end, as it is at the next poll."""
        self._machine.positions.seek_to("latest", partitions)

    def position(self, partition: tuple[str, int]) -> int | None:
        """The offset of the next record to get; None while it is not known (poll finds it)."""
        return self._machine.positions.position(partition)

    def begun_at(self, partition: tuple[str, int]) -> int | None:
        """Its position if a reset or a seek has put it there and no record has moved it since."""
        position = self._machine.positions.assigned.get(TopicPartition(*partition))
        known = position is not None and position.epoch == NO_EPOCH
        return position.offset if position is not None and known else None

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Get no records of these until they are resumed, or revoked; keep polling."""
        self._machine.positions.pause(partitions)

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Get records of these again."""
        self._machine.positions.pause(partitions, paused=False)

    def paused(self) -> Partitions:
        """The partitions that are paused."""
        return self._machine.positions.paused

    def beginning_offsets(self, partitions: Iterable[tuple[str, int]]) -> "Event":
        """The first offset of each log, asked of its leader: a dict by partition.

        The event (and those of the next two methods) fails with RequestTimedOut after
        default.api.timeout.ms, or another KafkaError. No position moves.

        Raises:
            BadInput: a partition is no pair of topic and number, or a time is none.
        """
        return self._list(dict.fromkeys(partitions, "beginning"))

    def end_offsets(self, partitions: Iterable[tuple[str, int]]) -> "Event":
        """Where reading would end just now: the high watermark, or the last stable offset."""
        return self._list(dict.fromkeys(partitions, "end"))

    def offsets_for_times(self, times_ms: Mapping[tuple[str, int], int]) -> "Event":
        """The first record of each that is not older: an OffsetAndTimestamp, None if there is none.

        Args:
            times_ms: by partition, on the clock of the records' timestamps.
        """
        return self._list(times_ms)

    def _list(self, times: Mapping[tuple[str, int], Any]) -> "Event":
        event = self.node.event()
        self._machine.list_offsets(event, self.node.now_us, times, self._api_us)
        self._follow()
        return event

    def group_metadata(self) -> GroupMetadata:
        """Who it is in its group, for `Producer.send_offsets_to_transaction`.

        One that was told that it is a member no more is, until it has joined again, who it was:
        what it read it read as that one (ConsumerCoordinator.onJoinComplete sets it).

        Raises:
            BadInput: there is no group.id.
        """
        if self.settings.group_id is None:
            raise BadInput("group_metadata() needs a group.id", self.node.name)
        now = self._machine._membership.joined  # noqa: SLF001
        instance = self.settings.group_instance_id
        return GroupMetadata(self._group, now.number, now.member_id, instance)

    # --- Commits ---------------------------------------------------------------------------

    def commit_sync(self, offsets: Mapping[tuple[str, int], int] | None = None) -> "Event":
        """Commit `offsets`, or all positions; try again for default.api.timeout.ms if need be.

        The event fails with CommitFailed, RebalanceInProgress, FencedInstance, RequestTimedOut,
        or another KafkaError. Only after RequestTimedOut may the offsets be committed or not.

        Raises:
            BadInput: there is no group.id, or an offset is negative.
        """
        node = self.node
        event = node.event()
        self._machine.commit_sync(event, node.now_us, offsets, self._api_us)
        self._follow()
        return event

    def commit_async(
        self,
        offsets: Mapping[tuple[str, int], int] | None = None,
        callback: Callable[[dict[TopicPartition, int], KafkaError | None], None] | None = None,
    ) -> None:
        """Commit once, without waiting; `callback(offsets, error)` runs in a later call."""
        self._machine.commit_async(self.node.now_us, offsets, callback)
        self._follow()

    def committed(self, partitions: Iterable[tuple[str, int]]) -> "Event":
        """What the group has committed, asked of its coordinator: a dict, None where nothing is."""
        event = self.node.event()
        self._machine.committed(event, self.node.now_us, partitions, self._api_us)
        self._follow()
        return event

    def close(self, timeout_ms: int = CLOSE_TIMEOUT_MS) -> "Event":
        """Commit automatically if that is on, give everything back, leave the group, and end."""
        event = self.node.event()
        self._closes = True
        self._machine.close(event, self.node.now_us, timeout_ms * MICROS_PER_MS)
        self._follow()
        return event

    # --- What the machine wants ------------------------------------------------------------

    def _follow(self) -> None:
        """Carry out what the machine has decided, and move the timer to its next time."""
        if self._following:
            return  # An effect has called us: the loop below goes on with what it added.
        wire = self._wire
        self._following = True
        try:
            while wire.outbox:
                effects, wire.outbox = wire.outbox, []
                for effect in effects:
                    if type(effect) is Ask:
                        token, to, body, purpose, timeout_ms = effect
                        answered = partial(self._answered, token)
                        self.connections.request(to, body, answered, purpose, timeout_ms)
                    elif type(effect) is Happened:
                        self.node.record(effect[0])
                    elif type(effect) is Finished:
                        self._finish(*effect)
                    else:
                        self._carry_out(effect)
        finally:
            self._following = False
        if wire.wake_us < self._alarm.at_us:
            self._alarm.set(wire.wake_us)

    def _finish(self, event: "Event", value: Any) -> None:
        if event is self._polling:
            self._polling = None
            if value:
                self._handed_out(value)
        elif self._closes and self._machine.closed:
            self.connections.close()
        event.succeed(value)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Failed(event, error):
                if event is self._polling:
                    self._polling = None
                event.fail(error)
            case Disconnect(to, purpose):
                self.connections.disconnect(to, purpose)
            case CallBack(callback, offsets, error):
                callback(offsets, error)
            case Listen(what, partitions):
                self._listen(what, partitions)

    def _answered(self, token: int, body: Any) -> None:
        self._machine.answered(token, body, self.node.now_us)
        self._follow()

    def _listen(self, what: str, partitions: Partitions) -> None:
        """Call the rebalance listener; if it waits, the machine goes on when it is done."""
        heard = heard_by(self._listener, what)
        error: Exception | None = None
        if heard is not None:
            try:
                steps = heard(partitions)
            except Exception as thrown:  # noqa: BLE001 - poll throws it on
                error = thrown
            else:
                if hasattr(steps, "throw"):
                    self.node.start(self._listening(steps), f"on_{what}")
                    return
        self._machine.listened(error, self.node.now_us)

    def _listening(self, steps: Any) -> Generator[Any, Any, None]:
        error: Exception | None = None
        try:
            yield from (steps.__await__() if hasattr(steps, "__await__") else steps)
        except Exception as thrown:  # noqa: BLE001 - poll throws it on
            error = thrown
        self._machine.listened(error, self.node.now_us)
        self._follow()

    def _due(self) -> None:
        self._machine.tick(self.node.now_us)
        self._follow()


__all__ = ["Consumer", "ConsumerRecord", "RebalanceListener"]
