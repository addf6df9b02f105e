"""An instance that handles several records at once, and goes on polling meanwhile.

1. Which records may be begun, and what may be committed, is a machine's matter (`in_progress`).
   What is begun is handled by processes of their own, with the crash points of a service.
2. All of them share one handler, and what it keeps in memory. What its context says of the record
   at hand is true whenever the handler is at work; it says nothing while the handler waits.
3. While too much is in hand all partitions are paused, and polled all the same: so the instance
   stays in its group (max.poll.interval.ms), however long a handler takes. A handler that ends
   wakes the poll when that gives room again, or when nothing is left in hand.
4. Commits are made between polls, of what may be committed by then: one at a time, waited for.
   Handlers work on meanwhile. While there is anything in hand or to commit, no poll waits longer
   than five seconds. With `commit_each` every handler that ends wakes the poll for a commit.
5. When partitions are taken away nothing more of them is begun. Then, if so chosen, what is being
   handled is waited for, though not tried again if it fails; then what may be is committed. If they
   are lost there is nothing to wait for, and nothing to commit.
6. commit=before: what was polled is committed before any of it is begun. commit=auto: the consumer
   commits what it has handed out, handled or not.

Not modelled: threads that share a processor: handlers at work at once do not slow each other down.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.handlers import Steps, handler_waits
from simulator.cluster.rebalance_listener import Partitions, RebalanceListener
from simulator.cluster.service import RETRY_PAUSE_US, Handler, _past
from simulator.cluster.serving import Serving
from simulator.errors import KafkaError
from simulator.protocol.in_progress import InProgress, Task
from simulator.protocol.names import TopicPartition
from simulator.world.node import PowerCut

if TYPE_CHECKING:
    from simulator.cluster.consumer import Consumer, ConsumerRecord
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event

COMMIT_INTERVAL_MS = 5_000  # That library's default, and auto.commit.interval.ms's.

Commit = Callable[[Mapping[Any, int] | None], Steps]


class ParallelWork:
    """One incarnation's records in hand.

    Args:
        commit: the steps of a commit of these offsets, or of all positions; False if it failed.
        busy: told whether the instance is at work.
        stops: whether the instance is to end, once nothing is in hand.
    """

    def __init__(
        self,
        group: str,
        serving: Serving,
        consumer: "Consumer",
        handling: "tuple[Context, Handler]",
        *,
        commit: Commit,
        busy: Callable[[bool], None],
        stops: Callable[[], bool],
    ) -> None:
        parallel = serving.parallel
        assert parallel is not None, "without it a service handles one record after the other"
        self._group = group
        self._serving = serving
        self._consumer = consumer
        self._context, self._handler = handling
        self._commit = commit
        self._busy = busy
        self._stops = stops
        self._waits_for_handlers = parallel.on_revoked == "wait"
        self._machine = InProgress(
            parallel.by, parallel.workers, parallel.most_in_hand, parallel.commits
        )
        self._paused = False
        self._woken = False  # Somebody wants a turn, and no poll was waiting.
        self._ended: Event | None = None  # Whoever waits for a handler to end.
        node = self._node = self._context.node
        self._ticks = node.source(f"process@{node.name}", "delay", serving.processing)
        self._before = node.crash_point("before_process")
        self._after = node.crash_point("after_process")
        self._waits = handler_waits(self._handler)
        self.listener = RebalanceListener(on_revoked=self._revoked, on_lost=self._lost)

    def live(self) -> Steps:
        """Poll, hand over to handlers, and commit, until the instance is to end."""
        node, consumer, machine = self._node, self._consumer, self._machine
        idle_ms = max(1, self._serving.poll_timeout_ms)
        busy_ms = min(idle_ms, COMMIT_INTERVAL_MS)
        while True:
            committed = yield from self._commit_done()
            at_rest = committed and not machine.in_hand
            if not machine.in_hand:
                if self._stops():
                    return
                self._busy(False)
            self._pause()
            woken, self._woken = self._woken, False
            records = yield consumer.poll(0 if woken else idle_ms if at_rest else busy_ms)
            if records:
                self._busy(True)
                if not node.point("after_poll"):
                    yield node.event()
                yield from self._take(records)

    def _take(self, records: "list[ConsumerRecord]") -> Steps:
        """Hand over to handlers, after the commit if that comes before."""
        machine, serving = self._machine, self._serving
        if serving.commit != "before":
            machine.take(records)
            self._begin()
        elif not serving.commit_each:
            if (yield from self._commit(None)):
                machine.take(records)
                self._begin()
        else:
            for record in records:
                if not (yield from self._commit(_past(record))):
                    return
                machine.take((record,))
                self._begin()

    def _pause(self) -> None:
        """Ask for no more while there is too much in hand, or the instance is to end."""
        consumer = self._consumer
        if self._machine.full or self._stops():
            self._paused = True
            consumer.pause(consumer.assignment())  # Each time: what is newly assigned is not.
        elif self._paused:
            self._paused = False
            consumer.resume(consumer.paused())

    # --- Commits -------------------------------------------------------------------------------

    def _commit_done(self) -> Steps:
        """Commit what may be, if commits come after; whether nothing is left to commit."""
        if self._serving.commit != "after":
            return True
        offsets = self._machine.to_commit(self._positions(self._consumer.assignment()))
        if offsets:
            if not (yield from self._commit(offsets)):
                return False
            self._machine.committed(offsets)
        return True

    def _positions(self, partitions: Partitions) -> dict[TopicPartition, int]:
        """Where the consumer goes on in each of them, as far as that is known."""
        position = self._consumer.position
        known = ((one, position(one)) for one in partitions)
        return {one: offset for one, offset in known if offset is not None}

    # --- Partitions that go --------------------------------------------------------------------

    def _revoked(self, partitions: Partitions) -> Steps:
        machine = self._machine
        machine.stop(partitions)
        while self._waits_for_handlers and machine.handles(partitions):
            self._ended = self._node.event()
            yield self._ended
        if self._serving.commit == "after":
            offsets = machine.to_commit(self._positions(partitions))
            if offsets:
                yield from self._commit(offsets)
        machine.forget(partitions)

    def _lost(self, partitions: Partitions) -> None:
        self._machine.forget(partitions)

    # --- Handlers ------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin whatever may be begun."""
        while (task := self._machine.begin()) is not None:
            self._node.start(self._work(task), "handler")

    def _work(self, task: Task | None) -> Steps:
        """Handle a record, and then what is next: an end makes room for one beginning at most."""
        machine = self._machine
        while task is not None:
            done = yield from self._handle(task)
            machine.end(task, done=done)
            room = self._paused and not machine.full
            if room or not machine.in_hand or self._serving.commit_each:
                self._woken = not self._consumer.wakeup() or self._woken
            if self._ended is not None:
                ended, self._ended = self._ended, None
                ended.succeed()
            task = machine.begin()

    def _handle(self, task: Task) -> Steps:
        """Handle one record; whether it is to be handled no more."""
        node, record = self._node, task.record
        topic, partition, offset, _, _, event_id, _, _ = record
        place = (self._group, topic, partition, offset, event_id)
        tries_again = self._serving.commit != "before"  # What is committed is not tried again.
        attempt = 0
        while True:
            attempt += 1
            if self._before is not None and not self._before():
                yield node.event()
            node.record(("processing_started", *place))
            delay_us = self._serving.processing.floor_us + self._ticks()
            if delay_us:
                yield node.sleep(delay_us)
            outcome = yield from self._call(record, attempt)
            node.record(("processing_ended", *place, outcome))
            if self._after is not None and not self._after():
                yield node.event()
            if outcome == "done" or not tries_again:
                return True
            if task.stopped:
                return False
            yield node.sleep(RETRY_PAUSE_US)
            if task.stopped:
                return False

    def _call(self, record: "ConsumerRecord", attempt: int) -> Steps:
        """Run the handler; how it came out: done, or the failure's name."""
        node, context = self._node, self._context
        outcome = "done"
        self._enter(record, attempt, plain=not self._waits)
        try:
            made = self._handler(record)
            if self._waits or hasattr(made, "throw"):  # The latter wraps one that waits.
                yield from self._in_turns(made, record, attempt)
            elif not node.gate.open:  # It swallowed its own death.
                yield node.event()
        except KafkaError as failed:
            outcome = type(failed).__name__
        except PowerCut:
            yield node.event()
        context.record = None
        return outcome

    def _in_turns(self, made: Any, record: "ConsumerRecord", attempt: int) -> Steps:
        """The steps of a handler that waits: between them the context is others'."""
        steps = made.__await__() if inspect.iscoroutine(made) else made
        value, error = None, None
        while True:
            self._enter(record, attempt, plain=False)
            try:
                event = steps.send(value) if error is None else steps.throw(error)
            except StopIteration:
                return
            self._context.record = None
            value, error = None, None
            try:
                value = yield event
            except Exception as failed:  # noqa: BLE001 - the handler's matter
                error = failed

    def _enter(self, record: "ConsumerRecord", attempt: int, *, plain: bool) -> None:
        context = self._context
        context.record, context.attempt, context.calls = record, attempt, 0
        context.plain = plain
