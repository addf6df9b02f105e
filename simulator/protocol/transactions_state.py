"""What a transaction coordinator knows, and a decision in the making.

Rule 1: `Known` is changed by `apply` alone. Replaying the log, then `Loaded`, rebuilds what is
hard of it.
Rule 2: what was written counts only once it is durable. Until then everybody is answered by what
was there before, or with CONCURRENT_TRANSACTIONS.

Source: TransactionMetadata.java (prepareTransitionTo, completeTransitionTo).
"""

from typing import Any

import attrs

from simulator.protocol.machine import Effect, Reply, Send, Step
from simulator.protocol.messages import TxnMarker
from simulator.protocol.names import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TopicPartition
from simulator.protocol.transactions_facts import (
    COMES_FROM,
    HARD,
    LEADERS,
    PREPARED,
    TRANSITIONS,
    Load,
    Loaded,
    MarkersAbandoned,
    MarkersFailed,
    MarkersResent,
    MarkersToSend,
    MarkersWritten,
    ProducerIdsGranted,
    ProducerIdTaken,
    ScanArmed,
    State,
    TransactionalIdRemoved,
    TransactionMetadata,
    TransactionSettings,
    TransitionBegan,
    TransitionCompleted,
)


def nobody(transactional_id: str) -> TransactionMetadata:
    """An id of which nothing is known: the next epoch of its producer is 0."""
    return TransactionMetadata(
        transactional_id, NO_PRODUCER_ID, NO_PRODUCER_EPOCH, 0, State.EMPTY
    )


@attrs.define
class Entry:
    """One transactional id.

    Attributes:
        current: what counts.
        logged: what was written since, and is not known to be durable.
        on: what `logged` is in answer to.
        last_epoch: the epoch before the current, if its own producer asked for the bump; else -1.
        next_last_epoch: what that is once `logged` counts.
        awaiting: the partitions of a prepared transaction that have no marker yet.
        failed: those of them that wait for another try.
        abandoned: no more markers are sent, since somebody newer owns the transaction.
    """

    current: TransactionMetadata
    logged: TransactionMetadata | TransactionalIdRemoved | None = None
    on: type = Load
    last_epoch: int = NO_PRODUCER_EPOCH
    next_last_epoch: int = NO_PRODUCER_EPOCH
    awaiting: dict[TopicPartition, None] = attrs.field(factory=dict)
    failed: dict[TopicPartition, None] = attrs.field(factory=dict)
    abandoned: bool = False

    @property
    def busy(self) -> bool:
        """Whether a transition is under way.

        It is from the moment at which a transaction is prepared until it is complete: Kafka
        prepares the completion before it sends the first marker.
        """
        return self.logged is not None or self.current.state in PREPARED

    @property
    def exhausted(self) -> bool:
        """Whether the producer id has no epoch left to give out; one is kept to fence with."""
        return self.current.producer_epoch >= EPOCH_EXHAUSTED

    @property
    def becomes(self) -> State:
        """The state once what was written counts."""
        assert self.logged is not None, f"nothing is on its way: {self.current}"
        return State.DEAD if isinstance(self.logged, TransactionalIdRemoved) else self.logged.state

    def complete(self) -> None:
        """What was written counts; its id is not removed."""
        assert isinstance(self.logged, TransactionMetadata), f"no metadata: {self.logged}"
        self.current = self.logged
        self.logged = None
        self.last_epoch, self.next_last_epoch = self.next_last_epoch, NO_PRODUCER_EPOCH
        prepared = self.current.state in PREPARED
        self.awaiting = dict.fromkeys(self.current.partitions) if prepared else {}
        self.failed = {}
        self.abandoned = False


EPOCH_EXHAUSTED = 2**15 - 2  # TransactionMetadata.isEpochExhausted


@attrs.define
class Known:
    """The coordinator's state.

    Attributes:
        entries: by transactional id, in the order in which they came.
        next_producer_id, producer_ids_end: the producer ids that may still be given out.
        armed: which scans' timers are set.
    """

    entries: dict[str, Entry] = attrs.field(factory=dict)
    next_producer_id: int = 0
    producer_ids_end: int = 0
    armed: dict[type, bool] = attrs.field(factory=dict)

    def hard_state(self) -> tuple[Any, ...]:
        """The newest hard fact of each id, but for removals: what compaction leaves in the log."""
        newest = []
        for transactional_id in sorted(self.entries):
            entry = self.entries[transactional_id]
            fact = entry.current if entry.logged is None else entry.logged
            if isinstance(fact, TransactionMetadata) and fact.producer_epoch >= 0:
                newest.append(fact)
        return tuple(newest)

    def apply(self, fact: Any) -> None:
        """Make a fact true."""
        kind = type(fact)
        if kind in HARD:
            self._written(fact)
        elif kind is ProducerIdsGranted:
            self.next_producer_id, self.producer_ids_end = fact.first, fact.first + fact.length
        elif kind is ProducerIdTaken:
            assert fact.producer_id == self.next_producer_id, f"given out twice: {fact}"
            self.next_producer_id += 1
        elif kind is ScanArmed:
            self.armed[fact.scan] = fact.armed
        elif kind is Loaded:
            for transactional_id, entry in list(self.entries.items()):
                if entry.logged is not None:
                    self._completed(transactional_id)
        elif kind is TransitionBegan:
            entry = self._entry(fact.transactional_id)
            entry.on, entry.next_last_epoch = fact.on, fact.last_producer_epoch
        elif kind is TransitionCompleted:
            _check(self.entries[fact.transactional_id], fact)
            self._completed(fact.transactional_id)
        else:
            self._markers(self.entries[fact.transactional_id], fact)

    def _entry(self, transactional_id: str) -> Entry:
        entry = self.entries.get(transactional_id)
        if entry is None:
            entry = self.entries[transactional_id] = Entry(nobody(transactional_id))
        return entry

    def _written(self, fact: TransactionMetadata | TransactionalIdRemoved) -> None:
        entry = self._entry(fact.transactional_id)
        if isinstance(fact, TransactionMetadata):
            known = entry.current if entry.logged is None else entry.logged
            if isinstance(known, TransactionMetadata) and fact.producer_id == known.producer_id:
                assert fact.producer_epoch >= known.producer_epoch, f"went back: {fact}"
        entry.logged = fact

    def _completed(self, transactional_id: str) -> None:
        entry = self.entries[transactional_id]
        if type(entry.logged) is TransactionalIdRemoved:
            del self.entries[transactional_id]
        else:
            entry.complete()

    @staticmethod
    def _markers(entry: Entry, fact: Any) -> None:
        match fact:
            case MarkersWritten(_, partitions):
                for partition in partitions:
                    del entry.awaiting[partition]
                    entry.failed.pop(partition, None)
            case MarkersFailed(_, partitions):
                entry.failed.update(dict.fromkeys(partitions))
            case MarkersResent():
                entry.failed.clear()
            case MarkersAbandoned():
                entry.abandoned = True
                entry.failed.clear()
            case _:
                raise AssertionError(f"a transaction coordinator does not know {fact!r}")


def _check(entry: Entry, fact: TransitionCompleted) -> None:
    """A transition is one of the table's, in both of its forms."""
    before, after = entry.current.state, entry.becomes
    assert (before, after, entry.on) == (fact.before, fact.after, fact.on), f"not so: {fact}"
    assert after in TRANSITIONS.get((before, fact.on), ()), f"no such transition: {fact}"
    assert before in COMES_FROM[after], f"no such transition: {fact}"


@attrs.define
class Decision:
    """What is being decided: reads what is known, and collects facts and effects.

    Attributes:
        known: the state to decide upon; it is only looked at.
        settings: Kafka's.
        version: of transactions, 1 or 2.
        coordinator_epoch: which the markers carry.
        on: the class of the message that is decided upon.
        now_us: the time.
    """

    known: Known
    settings: TransactionSettings
    version: int
    coordinator_epoch: int
    on: type
    now_us: int
    facts: list[Any] = attrs.field(factory=list)
    effects: list[Effect] = attrs.field(factory=list)
    _taken: int = 0

    def step(self) -> Step:
        """What was decided."""
        return Step(tuple(self.facts), tuple(self.effects))

    def reply(self, to: Any, body: Any) -> None:
        """Answer a request, once this decision's hard facts are durable."""
        self.effects.append(Reply(to, body))

    def begin(self, record: TransactionMetadata | TransactionalIdRemoved, last_epoch: int) -> None:
        """Write a new hard fact of an id."""
        self.facts += (TransitionBegan(record.transactional_id, self.on, last_epoch), record)

    def fresh_producer_id(self) -> int | None:
        """A producer id that nobody had, or None while there is none."""
        known = self.known
        producer_id = known.next_producer_id + self._taken
        if producer_id >= known.producer_ids_end:
            return None
        self._taken += 1
        self.facts.append(ProducerIdTaken(producer_id))
        return producer_id

    def send_markers(
        self, prepared: TransactionMetadata, partitions: tuple[TopicPartition, ...]
    ) -> None:
        """Tell partitions' leaders how a prepared transaction ends."""
        marker = self.marker_of(prepared, partitions)
        self.effects.append(Send(LEADERS, MarkersToSend(prepared.transactional_id, marker)))

    def marker_of(
        self, prepared: TransactionMetadata, partitions: tuple[TopicPartition, ...]
    ) -> TxnMarker:
        """The marker of a prepared transaction."""
        _, result = PREPARED[prepared.state]
        identity = prepared.producer_id, prepared.producer_epoch
        return TxnMarker(*identity, result, partitions, self.coordinator_epoch)
