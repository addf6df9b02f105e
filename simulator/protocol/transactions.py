"""A transaction coordinator: who may write under a transactional id, and how each transaction ends.

Rule 1: one machine stands for one partition of __transaction_state. Its hard facts are that
partition's records; a coordinator that takes over applies them in order, then asks `recover`.
Rule 2: a step's effects wait until its hard facts are durable (in a replicated log: below the high
watermark). Then its driver says `Durable` of each of their ids, carries that out, and lets the
effects go. Until then the id is busy, and what was before counts.
Rule 3: a step whose hard facts the log refuses is dropped: nothing has changed. Its request is
answered by `refusal`; what was no request is told again later.
Rule 4: once a transaction is prepared nothing but the failure of everybody stops it: markers are
sent until each partition has one, by this coordinator or the next. Its producer is answered before.
Rule 5: transactions that are open for too long are looked for every 10 s, ids that have expired
every hour; both from `began_us` on, and only while there is something to find.

What a producer may do stands in transactions_rules, what becomes of markers in
transactions_markers. Sources: TransactionCoordinator.scala, TransactionStateManager.scala.

Not modelled: clients of several versions at one coordinator, two-phase commit by others (KIP-939),
listing and describing transactions, forced termination (KIP-664), records that are written but not
acknowledged in time (they wait until they are durable, or another coordinator is elected), and the
mark that Kafka's memory keeps of a fence that could not be written.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.machine import NOTHING, Request, SetTimer, Step, Timer
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    EndTxnRequest,
    EndTxnResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from simulator.protocol.names import (
    MICROS_PER_MS,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    TopicPartition,
)
from simulator.protocol.settings import one_of
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from simulator.protocol.transactions_facts import (
    PREPARED,
    RESTING,
    Durable,
    ExpirationScan,
    Load,
    Loaded,
    MarkerRetry,
    MarkersAnswered,
    ScanArmed,
    State,
    TimeoutScan,
    TransactionalIdRemoved,
    TransactionMetadata,
    TransactionSettings,
    TransitionCompleted,
    is_hard,
)
from simulator.protocol.transactions_markers import answered, retry, send
from simulator.protocol.transactions_rules import (
    Change,
    add_partitions,
    completed,
    end_1,
    end_2,
    fence,
    init_producer_id,
    timed_out,
    verify_partitions,
)
from simulator.protocol.transactions_state import Decision, Known

VERSIONS = (1, 2)
NEWEST = 2

@attrs.define
class TransactionCoordinator:
    """The machine.

    Attributes:
        offsets_partition: in which partition a group's offsets lie.
        settings: Kafka's.
        version: of transactions: 1, or 2 as in KIP-890.
        coordinator_epoch: the leader epoch of the partition that it stands for.
        began_us: when its broker started: scans are counted from there.
    """

    offsets_partition: Callable[[str], TopicPartition]
    settings: TransactionSettings = attrs.field(factory=TransactionSettings)
    version: int = attrs.field(default=NEWEST, validator=one_of(*VERSIONS))
    coordinator_epoch: int = 0
    began_us: int = 0
    _known: Known = attrs.field(factory=Known)

    # --- Looking at it -------------------------------------------------------------------------

    @property
    def transactional_ids(self) -> tuple[str, ...]:
        """Those that are known, in the order in which they came."""
        return tuple(self._known.entries)

    def transaction(self, transactional_id: str) -> TransactionMetadata | None:
        """What counts of an id now; None: nothing does."""
        entry = self._known.entries.get(transactional_id)
        known = entry is not None and entry.current.producer_id != NO_PRODUCER_ID
        return entry.current if entry is not None and known else None

    def awaiting(self, transactional_id: str) -> tuple[TopicPartition, ...]:
        """Which partitions of a prepared transaction are not known to have their marker."""
        entry = self._known.entries.get(transactional_id)
        return () if entry is None else tuple(entry.awaiting)

    @property
    def producer_ids_left(self) -> int:
        """How many producer ids it may still give out; see ProducerIdsGranted."""
        return self._known.producer_ids_end - self._known.next_producer_id

    def hard_state(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this coordinator: what a compacted log holds."""
        return self._known.hard_state()

    # --- Deciding ------------------------------------------------------------------------------

    def decide(self, message: Any, now_us: int) -> Step:
        """What a message leads to: a Request, a Timer of ours, Durable or MarkersAnswered."""
        match message:
            case Request(_, body):
                decision = self._decision(type(body), now_us)
                self._REQUESTS[type(body)](self, decision, message)
            case Timer(name):
                decision = self._decision(type(name), now_us)
                self._timer(decision, name)
            case Durable(transactional_id):
                decision = self._decision(Durable, now_us)
                self._durable(decision, transactional_id)
            case MarkersAnswered():
                decision = self._decision(MarkersAnswered, now_us)
                answered(decision, message)
            case _:
                raise AssertionError(f"no such message: {message!r}")
        return decision.step()

    def recover(self, now_us: int) -> Step:
        """Take up what the log has told: whatever is prepared is completed."""
        if not self._known.entries:
            return NOTHING
        decision = self._decision(Load, now_us)
        decision.facts.append(Loaded())
        states = []
        for entry in self._known.entries.values():
            current = entry.current if entry.logged is None else entry.logged
            if isinstance(current, TransactionMetadata):
                states.append(current.state)
                if current.state in PREPARED:
                    send(decision, current, NO_PRODUCER_EPOCH)
        self._arm(decision, TimeoutScan, needed=State.ONGOING in states)
        self._arm(decision, ExpirationScan, needed=bool(states))
        return decision.step()

    def _decision(self, on: type, now_us: int) -> Decision:
        mine = self._known, self.settings, self.version, self.coordinator_epoch
        return Decision(*mine, on, now_us)

    # --- Requests ------------------------------------------------------------------------------

    def _init(self, decision: Decision, request: Request) -> None:
        body: InitProducerIdRequest = request.body
        if not body.transactional_id:
            return decision.reply(request.id, refusal(body, Error.INVALID_REQUEST))
        entry = self._known.entries.get(body.transactional_id)
        outcome = init_producer_id(decision, entry, body)
        error = self._write(decision, outcome)
        if not isinstance(outcome, Change) or outcome.record.state is not State.EMPTY:
            # What was open must end first: the retry finds it ended, and bumps once more.
            error = error if error is not Error.NONE else Error.CONCURRENT_TRANSACTIONS
            return decision.reply(request.id, refusal(body, error))
        given = outcome.record.producer_id, outcome.record.producer_epoch
        return decision.reply(request.id, InitProducerIdResponse(error, *given))

    def _add_partitions(self, decision: Decision, request: Request) -> None:
        body: AddPartitionsToTxnRequest = request.body
        entry = self._known.entries.get(body.transactional_id)
        if body.verify_only and body.transactional_id:
            told = verify_partitions(entry, body)
            return decision.reply(request.id, AddPartitionsToTxnResponse(told))
        return self._add(decision, request, body.partitions)

    def _add_offsets(self, decision: Decision, request: Request) -> None:
        body: AddOffsetsToTxnRequest = request.body
        self._add(decision, request, (self.offsets_partition(body.group_id),))

    def _add(
        self, decision: Decision, request: Request, partitions: tuple[TopicPartition, ...]
    ) -> None:
        body = request.body
        error = Error.INVALID_REQUEST
        if body.transactional_id:
            entry = self._known.entries.get(body.transactional_id)
            identity = body.producer_id, body.producer_epoch
            error = self._write(decision, add_partitions(decision, entry, identity, partitions))
        decision.reply(request.id, refusal(body, error))

    def _end(self, decision: Decision, request: Request) -> None:
        body: EndTxnRequest = request.body
        if not body.transactional_id:
            return decision.reply(request.id, refusal(body, Error.INVALID_REQUEST))
        entry = self._known.entries.get(body.transactional_id)
        ends = end_2 if self.version > 1 else end_1
        outcome = ends(decision, entry, body)
        error = self._write(decision, outcome)
        if error is not Error.NONE or self.version == 1 or entry is None:
            return decision.reply(request.id, refusal(body, error))
        now = entry.current
        if isinstance(outcome, Change):
            now = completed(outcome.record, decision.now_us)
        told = EndTxnResponse(error, now.producer_id, now.producer_epoch)
        return decision.reply(request.id, told)

    @staticmethod
    def _write(decision: Decision, outcome: Error | Change) -> Error:
        """Write what a rule asks for; what its producer is told."""
        if not isinstance(outcome, Change):
            return outcome
        decision.begin(*outcome)
        return Error.NONE

    # --- What was written counts ---------------------------------------------------------------

    def _durable(self, decision: Decision, transactional_id: str) -> None:
        entry = self._known.entries.get(transactional_id)
        if entry is None or entry.logged is None:
            return
        before, after, on = entry.current.state, entry.becomes, entry.on
        decision.facts.append(
            TransitionCompleted(transactional_id, before, after, on, decision.now_us)
        )
        if isinstance(entry.logged, TransactionMetadata):
            if after in PREPARED:
                send(decision, entry.logged, entry.next_last_epoch)
            self._arm(decision, TimeoutScan, needed=after is State.ONGOING)
            self._arm(decision, ExpirationScan, needed=True)

    # --- Scans ---------------------------------------------------------------------------------

    def _timer(self, decision: Decision, name: Any) -> None:
        match name:
            case MarkerRetry(transactional_id):
                retry(decision, transactional_id)
            case TimeoutScan():
                self._abort_timed_out(decision)
            case ExpirationScan():
                self._remove_expired(decision)
            case _:
                raise AssertionError(f"no such timer: {name!r}")

    def _abort_timed_out(self, decision: Decision) -> None:
        open_still = False
        for entry in self._known.entries.values():
            if timed_out(entry, decision.now_us):
                decision.begin(*fence(decision, entry))
            else:
                open_still = open_still or entry.current.state is State.ONGOING
        self._arm(decision, TimeoutScan, needed=open_still, rings=True)

    def _remove_expired(self, decision: Decision) -> None:
        expiration_us = self.settings.transactional_id_expiration_ms * MICROS_PER_MS
        for transactional_id, entry in self._known.entries.items():
            rests = not entry.busy and entry.current.state in RESTING
            if rests and entry.current.update_us <= decision.now_us - expiration_us:
                decision.begin(TransactionalIdRemoved(transactional_id), NO_PRODUCER_EPOCH)
        self._arm(decision, ExpirationScan, needed=bool(self._known.entries), rings=True)

    def _arm(self, decision: Decision, scan: type, *, needed: bool, rings: bool = False) -> None:
        """Set a scan's timer to its next time, if it is needed and not set.

        rings: it has just gone off.
        """
        armed = self._known.armed.get(scan, False) and not rings
        if needed and not armed:
            settings = self.settings
            every_ms = settings.transaction_abort_timed_out_transaction_cleanup_interval_ms
            if scan is ExpirationScan:
                every_ms = settings.transaction_remove_expired_transaction_cleanup_interval_ms
            every_us = every_ms * MICROS_PER_MS
            wait_us = every_us - (decision.now_us - self.began_us) % every_us
            decision.effects.append(SetTimer(scan(), wait_us, wait_us))
        if rings != needed and (rings or not armed):
            decision.facts.append(ScanArmed(scan, needed))

    # --- Applying ------------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make one fact true; hard facts may be applied to a new machine, in their order."""
        self._known.apply(fact)

    _REQUESTS: ClassVar[
        dict[type, Callable[["TransactionCoordinator", Decision, Request], None]]
    ] = {
        InitProducerIdRequest: _init,
        AddPartitionsToTxnRequest: _add_partitions,
        AddOffsetsToTxnRequest: _add_offsets,
        EndTxnRequest: _end,
    }


def refusal(body: Any, error: Error) -> Any:
    """The answer to a request with one error for all of it; with NONE: nothing more to tell.

    For whoever is not the coordinator, or cannot write (COORDINATOR_NOT_AVAILABLE).
    """
    match body:
        case InitProducerIdRequest():
            return InitProducerIdResponse(error)
        case AddPartitionsToTxnRequest():
            return AddPartitionsToTxnResponse(tuple((one, error) for one in body.partitions))
        case AddOffsetsToTxnRequest():
            return AddOffsetsToTxnResponse(error)
        case EndTxnRequest():
            return EndTxnResponse(error)
    raise AssertionError(f"a transaction coordinator does not know {body!r}")


def told_to_producer(error: Error, version: int = NEWEST) -> Error:
    """What a producer is told when its coordinator answers a leader's question with `error`.

    A producer of version 1 retries NOT_ENOUGH_REPLICAS without looking for another leader.
    Source: AddPartitionsToTxnManager.scala, ReplicaManager.scala (handleProduceAppend).
    """
    match error:
        case Error.PRODUCER_FENCED:
            return Error.INVALID_PRODUCER_EPOCH
        case (
            Error.NETWORK_EXCEPTION
            | Error.COORDINATOR_LOAD_IN_PROGRESS
            | Error.COORDINATOR_NOT_AVAILABLE
            | Error.NOT_COORDINATOR
        ):
            return Error.NOT_ENOUGH_REPLICAS
        case Error.CONCURRENT_TRANSACTIONS if version == 1:
            return Error.NOT_ENOUGH_REPLICAS
    return error


__all__ = ["NEWEST", "VERSIONS", "TransactionCoordinator", "is_hard", "refusal", "told_to_producer"]
