"""A partition's leader asks the coordinator before a transaction's first batch is taken (KIP-890).

1. Whether a transaction is open in a partition, its log knows. If it is not, the leader asks the
   transaction coordinator whether the partition takes part (version 1: the producer has told it),
   or lets it take part (version 2: then the producer tells nothing). The produce request waits.
2. Between question and answer the transaction may have ended: an answer counts only if no batch
   and no marker of the producer was written here since.
3. Under version 2 a transaction may have to wait for the markers of the one before
   (CONCURRENT_TRANSACTIONS): the leader asks again every add.partitions.to.txn.retry.backoff.ms
   until add.partitions.to.txn.retry.backoff.max.ms have passed, then its producer has to.
4. Where nobody looks (`Variant.verifies_transactions`, version 1) every batch is taken.

Sources: ReplicaManager.scala (handleProduceAppend, maybeSendPartitionsToTransactionCoordinator),
AddPartitionsToTxnManager.scala, UnifiedLog.scala (maybeStartTransactionVerification), KAFKA-18654.

Not modelled: questions about several transactions in one request; a produce request with batches of
several producer ids (its first alone is asked about).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.connections import Answered
from simulator.cluster.internal_topics import TRANSACTIONS
from simulator.cluster.later import LATER
from simulator.cluster.peers import NOBODY
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch
from simulator.protocol.transactions import told_to_producer

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.world.network import Connection

VERIFYING = "verifying"  # A purpose of connections.

Again = Callable[["Connection", int, m.ProduceRequest, "Verified"], Any]


class Verified:
    """What is known of the transactional batches of one request.

    Attributes:
        states: of the partitions that may take their batch, what was known there of its producer
            when its coordinator was asked.
        refused: what the producer is told of the others.
    """

    __slots__ = ("refused", "states")

    def __init__(self) -> None:
        self.states: dict[TopicPartition, Any] = {}
        self.refused: dict[TopicPartition, Error] = {}


class Verifying:
    """The produce requests of one incarnation of a broker that wait for a coordinator's word.

    Args:
        logs: the partitions that the broker has.
        refusal: why it does not lead one of them, or None.
        again: handles a request once its coordinator has answered.
    """

    def __init__(
        self,
        broker: "Broker",
        logs: Mapping[TopicPartition, Partition],
        refusal: Callable[[TopicPartition], Error | None],
        again: Again,
    ) -> None:
        self._broker = broker
        self._node = broker.node
        self._logs = logs
        self._refusal = refusal
        self._again = again
        variant = broker.layout.variant
        self._version = variant.transaction_version
        self._looks = variant.verifies_transactions or self._version > 1
        own = broker.layout.settings.own
        self._backoff_us = own.add_partitions_to_txn_retry_backoff_ms * MICROS_PER_MS
        self._patience_us = own.add_partitions_to_txn_retry_backoff_max_ms * MICROS_PER_MS

    def look(self, connection: "Connection", number: int, body: m.ProduceRequest) -> Any:
        """What is known of a request that names a transactional id; LATER: it is asked for."""
        verified, unknown = self._known(body)
        if unknown is None:
            return verified
        _Asking(self, (connection, number, body), self.now_us).ask(verified, unknown)
        return LATER

    def _known(
        self, body: m.ProduceRequest
    ) -> tuple["Verified", m.AddPartitionsToTxnRequest | None]:
        """What is known of a request, and what is to be asked, if anything is."""
        verified = Verified()
        producer: tuple[int, int] | None = None
        for where, batch in body.batches:
            if not (self._looks and batch.transactional) or self._refusal(where) is not None:
                continue
            identity = batch.producer_id, batch.producer_epoch
            state = self._logs[where].producers.get(batch.producer_id)
            open_here = (
                state is not None
                and state.transaction_first_offset != UNKNOWN_OFFSET
                and state.epoch == batch.producer_epoch
            )
            if open_here or (producer or identity) != identity:
                continue
            producer = identity
            verified.states[where] = state
        if producer is None:
            return verified, None
        assert body.transactional_id is not None, "only named transactions have a coordinator"
        asks = m.AddPartitionsToTxnRequest(
            body.transactional_id, *producer, tuple(verified.states), self._version == 1
        )
        return verified, asks

    def takes(self, where: TopicPartition, batch: Batch, verified: Verified | None) -> bool:
        """Whether a partition may take a batch that opens a transaction there."""
        if not self._looks:
            return True
        if verified is None or where not in verified.states:
            return False
        return self._logs[where].producers.get(batch.producer_id) is verified.states[where]

    @property
    def now_us(self) -> int:
        """By a clock that does not jump."""
        return self._node.steady_us

    def again(self, asking: "_Asking") -> None:
        """Look anew: what was known before counts no more."""
        verified, unknown = self._known(asking.request[2])
        if unknown is None:
            self._go_on(asking, verified)
        else:
            asking.ask(verified, unknown)

    def answered(
        self, asking: "_Asking", verified: Verified, results: Mapping[TopicPartition, Error]
    ) -> None:
        """A coordinator has answered, or nobody has."""
        waits = self._version > 1 and Error.CONCURRENT_TRANSACTIONS in results.values()
        if waits and self.now_us - asking.began_us < self._patience_us:
            self._node.after(self._backoff_us, self.again, asking)
            return
        for where, error in results.items():
            if error is not Error.NONE:
                del verified.states[where]
                verified.refused[where] = told_to_producer(error, self._version)
        self._go_on(asking, verified)

    def _go_on(self, asking: "_Asking", verified: Verified) -> None:
        connection, number, body = asking.request
        answer = self._again(connection, number, body, verified)
        if answer is not LATER:
            self._broker.answer(connection, number, answer)

    def coordinator(self, transactional_id: str) -> str | None:
        """Who is to be asked, as far as this broker knows; None or NOBODY: nobody."""
        layout, peers = self._broker.layout, self._broker.peers
        return peers.leader(layout.coordinator_partition(TRANSACTIONS, transactional_id))

    def ask(self, target: str, body: Any, answered: Answered) -> None:
        """Ask a coordinator."""
        self._broker.peers.request(target, body, answered, VERIFYING)

    def later(self, function: Callable[[Any], None]) -> None:
        """In this instant, when all else is done."""
        self._node.after(0, function)


class _Asking:
    """One produce request that waits."""

    __slots__ = ("_verifying", "began_us", "request")

    def __init__(
        self,
        verifying: Verifying,
        request: tuple["Connection", int, m.ProduceRequest],
        began_us: int,
    ) -> None:
        self._verifying = verifying
        self.request = request
        self.began_us = began_us

    def ask(self, verified: Verified, body: m.AddPartitionsToTxnRequest) -> None:
        """Ask whoever coordinates the transaction now."""
        verifying = self._verifying

        def answered(response: m.AddPartitionsToTxnResponse | None) -> None:
            if response is None:
                tell(Error.NETWORK_EXCEPTION)
            else:
                verifying.answered(self, verified, dict(response.results))

        def tell(error: Error) -> None:
            verifying.answered(self, verified, dict.fromkeys(body.partitions, error))

        target = verifying.coordinator(body.transactional_id)
        if target is None or target == NOBODY:
            verifying.later(lambda _: tell(Error.COORDINATOR_NOT_AVAILABLE))
        else:
            verifying.ask(target, body, answered)
