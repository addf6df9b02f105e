"""What a user did wrong, or must know, as exceptions; the protocol's ordinary no is a value.

    SimulatorError
    ├── BadInput                 a value, a file or an option that cannot be used
    │   └── UnknownSite          a witness names a choice that the run never met
    ├── ReplayDiverged           a strict replay met another choice than the recorded one
    ├── EventBudgetExceeded      the run did not end by itself
    ├── UnsupportedAwaitable     a handler waited for something that is not of this world
    ├── UndecidedVerdict         the truth of "cannot tell" was asked for
    └── KafkaError               what a client of the simulated cluster throws
        ├── RetriableError       ... and trying again may help
        │   ├── RequestTimedOut
        │   └── RebalanceInProgress
        ├── CodecError           a value that cannot be read, or written
        ├── CommitFailed         the member was moved on: its commit is refused
        ├── FencedInstance       another member took this group.instance.id
        ├── ProducerFailed       the record was not, or perhaps not, written
        ├── ProducerFenced       another producer has this transactional.id now: close this one
        ├── InvalidProducerEpoch abort the transaction: that tells whether it is fenced
        ├── TransactionAbortable abort the transaction, then go on
        ├── InvalidTxnState      the coordinator knows of no transaction that could end so
        ├── InvalidProducerIdMapping ... nor of this producer
        ├── NoOffsetForPartition auto.offset.reset=none and no committed offset
        │   └── OffsetOutOfRange the log does not have the position any more
        │       └── LogTruncated ... nor what the consumer has read before it
        └── StoreError
            ├── UniqueViolation  a unique constraint refused the transaction
            ├── SerializationFailure others changed what it wants, or has read: do it again
            ├── DeadlockDetected transactions wait for each other: do it again
            ├── LockNotAvailable somebody has the lock, and it was not to be waited for
            ├── SlotLost         the log does not go back so far for this replication slot
            └── StoreTimeout     the answer did not come: it may have committed
"""


class SimulatorError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""


class BadInput(SimulatorError):
    """A value, a file or an option cannot be used: what, where, the value, and what to do."""

    def __init__(self, what: str, where: str = "", value: object = None, fix: str = "") -> None:
        shown = "" if value is None else f" {value!r}"
        place = f"{where}: " if where else ""
        cure = f" ({fix})" if fix else ""
        super().__init__(f"{place}{what}{shown}{cure}")
        self.what = what
        self.where = where
        self.value = value
        self.fix = fix


class UnknownSite(BadInput):
    """A witness names a choice that the run never met."""


class ReplayDiverged(SimulatorError):
    """A strict replay met another choice than the recorded one."""


class EventBudgetExceeded(SimulatorError):
    """The run did not end within its event budget: raise it, or look for a livelock."""


class UnsupportedAwaitable(SimulatorError):
    """A handler waited for something that is not an event of this world."""


class UndecidedVerdict(SimulatorError):
    """The truth of a verdict was asked for which cannot tell: look at `.status`."""


class KafkaError(SimulatorError):
    """What a client of the simulated cluster throws; the text begins with Kafka's error name."""


class RetriableError(KafkaError):
    """Trying the same again may help."""


class RequestTimedOut(RetriableError):
    """No answer came in time: whether the request took effect is unknown."""


class RebalanceInProgress(RetriableError):
    """The group is rebalancing: poll, then commit again."""


class CodecError(KafkaError):
    """A value cannot be read, or written (Kafka's SerializationException): no retry mends that."""


class CommitFailed(KafkaError):
    """The group has moved on without this member: another may own its partitions."""


class FencedInstance(KafkaError):
    """Another member has taken this group.instance.id."""


class ProducerFailed(KafkaError):
    """A record could not be sent; `definite` says whether it is certainly not in the log."""

    def __init__(self, message: str, *, definite: bool = False) -> None:
        super().__init__(message)
        self.definite = definite


class ProducerFenced(KafkaError):
    """Another producer has taken this transactional.id: all that is left to do is to close."""


class InvalidProducerEpoch(KafkaError):
    """A partition has seen a newer epoch: abort the transaction, and it will turn out why.

    Either the coordinator has ended a transaction that took too long, or the producer is fenced.
    """


class TransactionAbortable(KafkaError):
    """The transaction cannot be committed: abort it, then begin anew."""


class InvalidTxnState(KafkaError):
    """The coordinator has no transaction that could end so; no call helps any more."""


class InvalidProducerIdMapping(KafkaError):
    """The coordinator knows another producer by this transactional.id, or none."""


class NoOffsetForPartition(KafkaError):
    """auto.offset.reset=none, and there is no valid position to start from."""


class OffsetOutOfRange(NoOffsetForPartition):
    """auto.offset.reset=none, and the log does not have the position any more, or not yet."""


class LogTruncated(OffsetOutOfRange):
    """auto.offset.reset=none, and the log was cut below the position: others may stand there.

    diverging: for each (topic, partition) the first offset that may differ from what was read, as
    far as the leader knows it, else None. Seek there, and undo what was done with the records.
    """

    def __init__(
        self, message: str, diverging: dict[tuple[str, int], int | None] | None = None
    ) -> None:
        super().__init__(message)
        self.diverging = diverging or {}


class StoreError(KafkaError):
    """The store refused or could not say."""


class UniqueViolation(StoreError):
    """A unique constraint refused the transaction: nothing of it was written."""


class SerializationFailure(StoreError):
    """Somebody has changed what the transaction wants to write, or has read: do all of it again."""


class DeadlockDetected(StoreError):
    """Transactions would wait for each other for ever: this one is rolled back; do it again."""


class LockNotAvailable(StoreError):
    """Somebody else has the lock, and this transaction does not wait for it (any longer)."""


class SlotLost(StoreError):
    """The log that a replication slot, or a reader's position, would need is not kept any more."""


class StoreTimeout(StoreError):
    """The store's answer did not come: the transaction may have been committed."""
