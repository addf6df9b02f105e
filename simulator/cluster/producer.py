"""A producer in a world: the client machine, its connections, its timer and its chance.

1. `send` hands a record over and answers with an event at once; the event succeeds when the
   record is acknowledged and fails when it is given up. Nobody needs to wait for it: a failure
   that nobody waits for is an entry in the trace, and no more.
2. What the machine decides is carried out in the instant in which it is decided. One timer moves
   to the machine's next time; nothing is polled.
3. With a transactional.id records are sent inside transactions only. Calls that wait for a
   coordinator answer with an event; one that failed with RequestTimedOut goes on, and is to be
   called again. What is called when it is not its turn raises BadInput.
4. Everything belongs to the node's incarnation. After a crash nothing of it is heard again, and
   records that were not acknowledged are forgotten.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.chance import Pick
from simulator.cluster.alarm import Alarm
from simulator.cluster.connections import Connections
from simulator.errors import BadInput, KafkaError, ProducerFailed
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.producer_settings import ProducerSettings, producer_settings
from simulator.protocol.records import Bytes, Record
from simulator.protocol.sending import Sending
from simulator.protocol.sending_effects import (
    Acknowledged,
    Effect,
    Failed,
    Flushed,
    Happened,
    Retried,
    Settled,
    Transmit,
)
from simulator.protocol.transaction_manager import TransactionManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.world.kernel import Event
    from simulator.world.node import Node

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.


class RecordMetadata(NamedTuple):
    """Where a record lies; offset -1: nobody said (acks=0, or a duplicate of long ago)."""

    topic: str
    partition: int
    offset: int


class Producer:
    """One producer of one incarnation of a node.

    Args:
        bootstrap: names of the brokers to ask first.
        settings: Kafka's names and values, or what was read of them.

    Raises:
        BadInput: a setting is unknown, not modelled, or cannot be used.
    """

    def __init__(
        self,
        node: "Node",
        bootstrap: "Iterable[str]",
        settings: "Mapping[str, Any] | ProducerSettings | None" = None,
    ) -> None:
        if not isinstance(settings, ProducerSettings):
            settings = producer_settings(settings or {}, f"producer of {node.name}")
        self.node = node
        self.settings = settings
        self.pending = 0  # Records that were handed over and have not ended.
        self.connections = Connections.configured(node, settings)
        self._picks: dict[tuple[str, int], Callable[[], int]] = {}
        self._alarm = Alarm(node, self._due)
        self._machine = Sending(
            settings,
            tuple(bootstrap),
            pick=self._pick,
            between=self._alarm.between,
            variant=node.world.scenario.variant,
        )
        self._transaction = self._machine.transaction
        self._tells_sent = node.trace.wants("record_sent")
        self._tells_acknowledged = node.trace.wants("record_acknowledged")
        if settings.acks_code == 0:
            self.connections.watch = self._connected
        for text in settings.warnings:
            node.record(("warned", f"{node.name}: {text}"))

    # --- What an application does ----------------------------------------------------------

    def send(
        self,
        topic: str,
        value: Bytes | None,
        key: Bytes | None = None,
        *,
        event_id: str | None = None,
        partition: int | None = None,
        headers: tuple[tuple[str, Bytes], ...] = (),
    ) -> "Event":
        """Hand a record over.

        Args:
            event_id: the identity of the fact that the record tells, by which checks know it
                again; by default a new one.
            partition: where it shall go; by default where its key belongs.

        Returns:
            An event: it succeeds with RecordMetadata, or fails with ProducerFailed.

        Raises:
            BadInput: the producer is closed, no transaction is open where there must be one, or
                an argument cannot be used.
        """
        event = self.node.event()
        if event_id is None:
            event_id = f"{self.node.name}-{next(self.node.numbers)}"
        self.hand_over(topic, value, key, event_id, event, partition, headers)
        return event

    def hand_over(  # noqa: PLR0917 - the hot path
        self,
        topic: str,
        value: Bytes | None,
        key: Bytes | None,
        event_id: str,
        event: "Event | None" = None,
        partition: int | None = None,
        headers: tuple[tuple[str, Bytes], ...] = (),
    ) -> None:
        """As `send`, for who does not wait: without an event nobody is told what became of it."""
        machine = self._machine
        if machine.closed or (partition is not None and partition < 0):
            self._complain(partition)
        if self._transaction is not None:
            self._transaction.hand_over(event_id)
        node = self.node
        if self._tells_sent:
            node.record(("record_sent", event_id, topic, key))
        else:
            node.trace.seq += 1
        self.pending += 1
        now_us = node.now_us
        record = _new(Record, (key, value, event_id, now_us, headers))
        if machine.send(topic, partition, record, event, now_us):
            self._follow()

    def flush(self) -> "Event":
        """An event that happens when all records handed over until now have ended."""
        event = self.node.event()
        self._machine.flush(event, self.node.now_us)
        self._follow()
        return event

    def close(self, timeout_ms: int | None = None) -> "Event":
        """Take no more records; the event happens when those taken have ended.

        Args:
            timeout_ms: after so long, what has not ended is given up; by default never.
        """
        event = self.node.event()
        self._machine.close(event, self.node.now_us)
        if timeout_ms is not None and not event.triggered:
            self.node.after(timeout_ms * MICROS_PER_MS, self._abort)
        event.callbacks.append(lambda _: self.connections.close())  # Also if it is done already.
        self._follow()
        return event

    def _abort(self, _: Any) -> None:
        self._machine.abort(self.node.now_us)
        self._follow()

    def _complain(self, partition: int | None) -> None:
        if self._machine.closed:
            raise BadInput("the producer is closed: nothing can be sent", self.node.name)
        raise BadInput("a partition is a whole number from 0:", self.node.name, partition)

    # --- Transactions ----------------------------------------------------------------------

    def init_transactions(self) -> "Event":
        """Get a producer id from the coordinator of the transactional.id; once, before all else.

        Whoever had this transactional.id before is fenced, and what it left open is aborted.
        This event, and those below, fail with RequestTimedOut after max.block.ms, with
        ProducerFenced, or with another KafkaError.

        Raises:
            BadInput: there is no transactional.id, or it is not this call's turn (as below).
        """
        event = self.node.event()
        return self._call(event, self._manager.initialize, event, self.node.now_us)

    def begin_transaction(self) -> None:
        """Begin a transaction; the coordinator learns of it with the first record or offset.

        Raises:
            KafkaError: the producer is fenced, or cannot go on for another reason.
        """
        self._manager.begin()
        self._machine.wake(self.node.now_us)
        self._follow()

    def send_offsets_to_transaction(
        self, offsets: "Mapping[tuple[str, int], int]", group_metadata: GroupMetadata
    ) -> "Event":
        """Commit a consumer's offsets with the transaction, for the next records to read.

        Args:
            group_metadata: what the consumer says of itself (Consumer.group_metadata), so that a
                zombie is found out (KIP-447): then the event fails with CommitFailed.
        """
        event = self.node.event()
        arguments = event, offsets, group_metadata, self.node.now_us
        return self._call(event, self._manager.send_offsets, *arguments)

    def commit_transaction(self) -> "Event":
        """Flush, then commit; the event fails with the first error of any record.

        It has happened when the commit is decided: readers may see it a little later.
        """
        event = self.node.event()
        return self._call(event, self._manager.commit, event, self.node.now_us)

    def abort_transaction(self) -> "Event":
        """Drop what was not sent, wait for what was, and abort.

        Consumers of this application stay where they are: whoever wants to read again seeks.
        """
        event = self.node.event()
        return self._call(event, self._manager.abort, event, self.node.now_us)

    def _call(self, event: "Event", call: "Callable[..., None]", *arguments: Any) -> "Event":
        try:
            call(*arguments)
        except KafkaError as error:
            event.fail(error)
        self._machine.wake(self.node.now_us)
        self._follow()
        return event

    @property
    def _manager(self) -> TransactionManager:
        if self._transaction is None:
            fix = "set transactional.id"
            raise BadInput("there are no transactions here", self.node.name, fix=fix)
        if self._machine.closed:
            raise BadInput("the producer is closed: no transaction can go on", self.node.name)
        return self._transaction

    # --- What the machine wants ------------------------------------------------------------

    def _follow(self) -> None:
        """Carry out what the machine has decided, and move the timer to its next time."""
        machine = self._machine
        for effect in machine.take_effects():
            if type(effect) is Transmit:
                target, body, outgoing = effect
                answered = None if outgoing is None else partial(self._answered, outgoing)
                self.connections.request(target, body, answered)
            elif type(effect) is Acknowledged:
                self._acknowledge(effect)
            else:
                self._tell(effect)
        if machine.wake_us < self._alarm.at_us:
            self._alarm.set(machine.wake_us)

    def _acknowledge(self, effect: Acknowledged) -> None:
        (topic, partition), offset, records, handles = effect
        node = self.node
        self.pending -= len(records)
        step = 1 if offset >= 0 else 0
        if self._tells_acknowledged:
            kind, told = "record_acknowledged", offset
            events = []
            for record in records:
                events.append((kind, record[2], topic, partition, told))
                told += step
            node.trace.record_each(node.kernel._now, node.name, kind, events)  # noqa: SLF001
        else:
            node.trace.seq += len(records)
        for event in handles:
            if event is not None:
                event.settle(_new(RecordMetadata, (topic, partition, offset)))
            offset += step

    def _tell(self, effect: Effect) -> None:
        record_event = self.node.record
        match effect:
            case Retried(partition, records, attempt, error):
                ids = tuple(record.event_id for record in records)
                record_event(("batch_retried", *partition, ids, attempt, error))
            case Failed(topic, error, detail, definite, records, handles):
                self.pending -= len(records)
                text = f"{error}: {detail}" if detail else error
                for record, event in zip(records, handles, strict=True):
                    record_event(("record_failed", record.event_id, topic, error, definite))
                    if event is not None:
                        event.defused = True  # Whoever waits is told; nobody has to.
                        event.fail(ProducerFailed(text, definite=definite))
            case Flushed(handle) | Settled(handle, None):
                handle.succeed()
            case Settled(handle, KafkaError() as error):
                handle.fail(error)
            case Happened(event):
                record_event(event)

    def _answered(self, outgoing: Any, body: Any) -> None:
        self._machine.answered(outgoing, body, self.node.now_us)
        self._follow()

    def _connected(self, target: str, usable: bool) -> None:  # noqa: FBT001 - as it is told
        """Records that nobody answers are sent only where somebody listens."""
        if usable and not self.connections.ready(target):
            return  # It was tried, and will be tried again.
        self._machine.connected(target, self.node.now_us, usable=usable)
        self._follow()

    # --- Time and chance -------------------------------------------------------------------

    def _due(self) -> None:
        self._machine.wake(self.node.now_us)
        self._follow()

    def _pick(self, topic: str, options: int) -> int:
        """Which partition is drawn next for a topic's records."""
        if options == 1:
            return 0
        draw = self._picks.get((topic, options))
        if draw is None:
            site = f"partition@{self.node.name}/{topic}"
            draw = self._picks[topic, options] = self.node.source(site, "choice", Pick(options))
        return draw()
