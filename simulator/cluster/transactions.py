"""The transaction coordinators of a broker: one machine for each partition of their log it leads.

1. Whoever leads partition `hash(transactional id) % transaction.state.log.num.partitions` of
   `__transaction_state` coordinates that id's transactions. It reads the partition when it is
   elected, and completes what was prepared; who leads it no more forgets all of it.
2. What a machine decides is written first. Only when it is committed does it count, are effects
   let go, and is its request answered. What the log refuses has not happened.
3. A machine is told one thing after the other: what comes while it is at work waits.
4. Markers go to whoever leads their partitions at that moment, one request a broker.

Sources: TransactionCoordinator.scala, TransactionStateManager.scala (appendTransactionToLog),
TransactionMarkerChannelManager.scala, KafkaApis.scala (handleAddPartitionsToTxnRequest).

Not modelled here: markers of several transactions in one request, loading that takes time.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from simulator.cluster.internal_topics import OFFSETS, TRANSACTIONS
from simulator.cluster.later import LATER
from simulator.cluster.peers import NOBODY
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.machine import (
    CancelTimer,
    Effect,
    Reply,
    Request,
    Send,
    SetTimer,
    Step,
    Timer,
)
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest
from simulator.protocol.transactions import TransactionCoordinator, is_hard, refusal
from simulator.protocol.transactions_facts import (
    RESTING,
    RETRY_MS,
    Durable,
    Loaded,
    MarkersAnswered,
    MarkersToSend,
    ProducerIdsGranted,
    TransitionCompleted,
)

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker
    from simulator.cluster.coordinator_log import CoordinatorLog
    from simulator.world.kernel import Timer as KernelTimer

MARKERS = "markers"  # A purpose of connections.
COMPACT_ABOVE = 1_024  # Facts in a log without replicas before it is compacted.
MAY_TAKE_A_PRODUCER_ID = (m.InitProducerIdRequest, m.EndTxnRequest)

# What a client is told when the log does not take a fact (appendTransactionToLog).
NOT_AVAILABLE = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.NOT_ENOUGH_REPLICAS,
    Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Error.REQUEST_TIMED_OUT,
)
NOT_HERE = (Error.NOT_LEADER_OR_FOLLOWER, Error.KAFKA_STORAGE_ERROR, Error.NOT_COORDINATOR)


@attrs.frozen
class _Release:
    """The effects of a step whose facts count now."""

    effects: tuple[Effect, ...]


class Transactions:
    """Every transaction coordinator of one incarnation of a broker."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.began_us = broker.node.now_us
        self._led: dict[int, _Coordinator] = {}
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.AddPartitionsToTxnRequest: self._add_partitions,
            AddOffsetsToTxnRequest: self.request,
            m.EndTxnRequest: self.request,
        }
        broker.logs.watch(TRANSACTIONS, self._elected, self._resigned)

    def machine(self, transactional_id: str) -> TransactionCoordinator | None:
        """The machine that coordinates an id here, for tests and pictures; None: none does."""
        where = self._partition_of(transactional_id)
        found = self._led.get(where.partition)
        return None if found is None else found.machine

    @property
    def at_rest(self) -> bool:
        """Whether no transaction is open, or prepared and not complete, as far as is known here."""
        return all(one.at_rest for one in self._led.values())

    def _partition_of(self, transactional_id: str) -> TopicPartition:
        return self.broker.layout.coordinator_partition(TRANSACTIONS, transactional_id)

    # --- Requests --------------------------------------------------------------------------------

    def request(self, connection: "Asker", number: int, body: Any) -> Any:
        """Answer what names a transactional id, or LATER."""
        if not body.transactional_id:
            return refusal(body, Error.INVALID_REQUEST)
        where = self._partition_of(body.transactional_id)
        log = self.broker.logs.of(*where)
        if log is None:
            return refusal(body, Error.NOT_COORDINATOR)
        found = self._led.get(where.partition)
        if found is None or found.log.epoch != log.epoch:
            self._elected(log)
            found = self._led[where.partition]
        return found.request(Request((connection, number), body, connection.client.name))

    def _add_partitions(
        self, connection: "Asker", number: int, body: m.AddPartitionsToTxnRequest
    ) -> Any:
        """All of the partitions, or none."""
        leader = self.broker.peers.leader
        unknown = [where for where in body.partitions if leader(where) is None]
        if not unknown:
            return self.request(connection, number, body)
        told = Error.UNKNOWN_TOPIC_OR_PARTITION, Error.OPERATION_NOT_ATTEMPTED
        return m.AddPartitionsToTxnResponse(
            tuple((where, told[where not in unknown]) for where in body.partitions)
        )

    # --- Elections -------------------------------------------------------------------------------

    def _elected(self, log: "CoordinatorLog") -> None:
        """Load a partition of the log."""
        self._resigned(log.where)
        new = self._led[log.where.partition] = _Coordinator(self, log)
        new.begin()

    def _resigned(self, where: TopicPartition) -> None:
        known = self._led.pop(where.partition, None)
        if known is not None:
            known.drop(Error.NOT_COORDINATOR)


class _Coordinator:
    """One machine with its log, its timers, and whoever waits for its answer."""

    def __init__(self, owner: Transactions, log: "CoordinatorLog") -> None:
        self._owner = owner
        self._broker = owner.broker
        self._node = owner.broker.node
        self.log = log
        layout = self._broker.layout
        self.machine = TransactionCoordinator(
            lambda group_id: layout.coordinator_partition(OFFSETS, group_id),
            layout.settings.transactions,
            layout.variant.transaction_version,
            log.epoch,
            owner.began_us,
        )
        self._written = 0  # Facts in the log, as far as that matters.
        for _, fact in log.read():
            self.machine.apply(fact)
            self._written += 1
        self._compact_at = COMPACT_ABOVE
        self._queue: deque[Any] = deque()
        self._at_work = False
        self._over = False
        self._timers: dict[Any, KernelTimer] = {}
        self._waiting: dict[Any, Any] = {}  # Requests without an answer.
        self._direct: Any = None  # The request whose answer its handler can give itself.
        self._answer: Any = LATER

    def begin(self, _: Any = None) -> None:
        """Complete what the log tells of; until that is written all else waits."""
        self._at_work = True
        if not self._over and self._carry_out(self.machine.recover(self._node.now_us), None):
            self._work()

    @property
    def at_rest(self) -> bool:
        """Whether every transaction has ended."""
        machine = self.machine
        known = (machine.transaction(one) for one in machine.transactional_ids)
        return all(one is None or one.state in RESTING for one in known)

    def drop(self, error: Error) -> None:
        """It is the coordinator no more."""
        self._over = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        waiting, self._waiting = self._waiting, {}
        for to, body in waiting.items():
            self._give(to, refusal(body, error))

    # --- One thing after the other -----------------------------------------------------------

    def request(self, request: Request) -> Any:
        """The answer, or LATER."""
        self._waiting[request.id] = request.body
        if self._at_work:
            self._queue.append(request)
            return LATER
        self._direct, self._answer = request.id, LATER
        self.tell(request)
        self._direct = None
        return LATER if self._broker.is_dead else self._answer

    def tell(self, message: Any) -> None:
        """Let the machine decide on a message, now or after those before."""
        if self._over:
            return
        self._queue.append(message)
        if not self._at_work:
            self._at_work = True
            self._work()

    def _work(self) -> None:
        queue = self._queue
        while queue and not self._over and not self._broker.is_dead:
            message = queue.popleft()
            if type(message) is _Release:
                self._release(message.effects)
                continue
            if type(message) is Request:
                self._want_producer_id(type(message.body))
            self._carry_out(self.machine.decide(message, self._node.now_us), message)
        self._at_work = False

    def _want_producer_id(self, kind: type) -> None:
        if kind in MAY_TAKE_A_PRODUCER_ID and not self.machine.producer_ids_left:
            self.machine.apply(ProducerIdsGranted(self._broker.layout.next_producer_id(), 1))

    # --- Carrying out ------------------------------------------------------------------------

    def _carry_out(self, step: Step, message: Any) -> bool:
        """Write a step's hard facts, if it has any, then make all of them true; if that went."""
        hard = [fact for fact in step.facts if is_hard(fact)]
        told: list[Error] = []
        applied = False

        def done(error: Error) -> None:
            if applied:
                self._counts(step, hard, error)
            else:
                told.append(error)

        if hard:
            error = self.log.append([("", fact) for fact in hard], done)
            if self._over or self._broker.is_dead:
                return False
            if error is not Error.NONE:
                self._refused(message, error)
                return False
        for fact in step.facts:
            self._apply(fact)
        applied = True
        if not hard:
            self._release(step.effects)
        elif told:
            self._counts(step, hard, told[0])
        if hard and self.log.alone:
            self._compact(len(hard))
        return True

    def _counts(self, step: Step, hard: list[Any], error: Error) -> None:
        """A step's facts are committed; or there is another coordinator."""
        if self._over or self._broker.is_dead:
            return
        assert error is Error.NONE, f"who writes here still: {error}"
        follows = [*(Durable(fact.transactional_id) for fact in hard), _Release(step.effects)]
        self._queue.extendleft(reversed(follows))
        if not self._at_work:
            self._at_work = True
            self._work()

    def _compact(self, more: int) -> None:
        """Keep the newest fact of each id, where no cleaner does that."""
        self._written += more
        if self._written > self._compact_at:
            facts = self.machine.hard_state()
            self.log.compact([("", fact) for fact in facts])
            self._written = len(facts)
            self._compact_at = COMPACT_ABOVE + 2 * len(facts)

    def _refused(self, message: Any, error: Error) -> None:
        """The log has not taken a step: nothing has changed."""
        if type(message) is Request:
            self._reply(message.id, refusal(message.body, _told_to_client(error)))
        else:
            again = self.begin if message is None else self.tell
            self._node.after(RETRY_MS * MICROS_PER_MS, again, message)

    def _apply(self, fact: Any) -> None:
        if type(fact) is not TransitionCompleted:
            self.machine.apply(fact)
            if type(fact) is Loaded:
                self._tell_loaded()
            return
        before = self.machine.transaction(fact.transactional_id)
        self.machine.apply(fact)
        now = self.machine.transaction(fact.transactional_id) or before
        assert now is not None, f"of whom nothing was known: {fact}"
        self._node.record(
            ("transaction_state_changed", fact.transactional_id, now.producer_id,
             now.producer_epoch, fact.before.value, fact.after.value)
        )  # fmt: skip

    def _tell_loaded(self) -> None:
        for transactional_id in self.machine.transactional_ids:
            known = self.machine.transaction(transactional_id)
            if known is not None:
                told = (known.producer_id, known.producer_epoch, known.state.value)
                self._node.record(("transaction_loaded", transactional_id, *told))

    def _release(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if self._broker.is_dead:  # An answer let another request in.
                return
            if type(effect) is Reply:
                self._reply(effect.to, effect.body)
            elif type(effect) is SetTimer:
                self._cancel(effect.name)
                self._timers[effect.name] = self._node.after(
                    effect.least_us, self._expired, effect.name
                )
            elif type(effect) is CancelTimer:
                self._cancel(effect.name)
            elif type(effect) is Send:
                self._send(effect.body)

    def _cancel(self, name: Any) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, name: Any) -> None:
        del self._timers[name]
        self.tell(Timer(name))

    def _reply(self, to: Any, body: Any) -> None:
        del self._waiting[to]
        self._give(to, body)

    def _give(self, to: Any, body: Any) -> None:
        if to is self._direct:
            self._answer = body
        else:
            connection, number = to
            self._broker.answer(connection, number, body)

    # --- Markers -----------------------------------------------------------------------------

    def _send(self, body: MarkersToSend) -> None:
        transactional_id, marker = body.transactional_id, body.marker
        peers = self._broker.peers
        # Markers that end offsets go to a coordinator of groups: those are requests of their own.
        groups: dict[tuple[str, bool], list[TopicPartition]] = {}
        known: list[tuple[TopicPartition, Error | None]] = []
        for where in marker.partitions:
            leader = peers.leader(where)
            if leader is None:
                known.append((where, None))
            elif leader == NOBODY:
                known.append((where, Error.LEADER_NOT_AVAILABLE))
            else:
                groups.setdefault((leader, where.topic == OFFSETS), []).append(where)
        if known:
            part = marker._replace(partitions=tuple(where for where, _ in known))
            self.tell(MarkersAnswered(transactional_id, part, tuple(known)))
        for (leader, _), partitions in groups.items():
            part = marker._replace(partitions=tuple(partitions))
            answered = partial(self._marked, transactional_id, part)
            peers.request(leader, m.WriteTxnMarkersRequest((part,)), answered, MARKERS)

    def _marked(
        self,
        transactional_id: str,
        marker: m.TxnMarker,
        response: m.WriteTxnMarkersResponse | None,
    ) -> None:
        results: tuple[tuple[TopicPartition, Error | None], ...]
        if response is None:
            results = tuple((where, Error.NETWORK_EXCEPTION) for where in marker.partitions)
        else:
            results = tuple((where, error) for _, where, error in response.results)
        self.tell(MarkersAnswered(transactional_id, marker, results))


def _told_to_client(error: Error) -> Error:
    if error in NOT_AVAILABLE:
        return Error.COORDINATOR_NOT_AVAILABLE
    return Error.NOT_COORDINATOR if error in NOT_HERE else Error.UNKNOWN_SERVER_ERROR
