"""A partition's leader asks the coordinator before a transaction's first batch is taken (KIP-890).

1. Whether a transaction is open in a partition, its log knows. If it is not, the leader asks the
   transaction coordinator whether the partition takes part (version 1: the producer has told it),
   or lets it take part (version 2: then the producer tells nothing). The produce request waits.
2. Between question and answer the transaction may have ended: an answer counts only if no batch
   and no marker of the producer was written here since.
3. What is asked, and how often, stands in `participation`.
4. Where nobody looks (`Variant.verifies_transactions`, version 1) every batch is taken.

Sources: ReplicaManager.scala (handleProduceAppend, maybeSendPartitionsToTransactionCoordinator),
UnifiedLog.scala (maybeStartTransactionVerification).

Not modelled: questions about several transactions in one request; a produce request with batches of
several producer ids (its first alone is asked about).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.later import LATER
from simulator.cluster.participation import Participation
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch
from simulator.protocol.transactions import told_to_producer

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker

Again = Callable[["Asker", int, m.ProduceRequest, "Verified"], Any]


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
        self._logs = logs
        self._refusal = refusal
        self._again = again
        self._asks = Participation(broker)

    def look(self, connection: "Asker", number: int, body: m.ProduceRequest) -> Any:
        """What is known of a request that names a transactional id; LATER: it is asked for."""
        verified, unknown = self._known(body)
        if unknown is None:
            return verified
        request = (connection, number, body)
        self._ask(request, self._asks.now_us, verified, unknown)
        return LATER

    def _known(
        self, body: m.ProduceRequest
    ) -> tuple["Verified", m.AddPartitionsToTxnRequest | None]:
        """What is known of a request, and what is to be asked, if anything is."""
        verified = Verified()
        producer: tuple[int, int] | None = None
        for where, batch in body.batches:
            if not (self._asks.looks and batch.transactional) or self._refusal(where) is not None:
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
        states = tuple(verified.states)
        return verified, self._asks.question(body.transactional_id, producer, states)

    def takes(self, where: TopicPartition, batch: Batch, verified: Verified | None) -> bool:
        """Whether a partition may take a batch that opens a transaction there."""
        if not self._asks.looks:
            return True
        if verified is None or where not in verified.states:
            return False
        return self._logs[where].producers.get(batch.producer_id) is verified.states[where]

    def _ask(
        self,
        request: tuple["Asker", int, m.ProduceRequest],
        since_us: int,
        verified: Verified,
        unknown: m.AddPartitionsToTxnRequest,
    ) -> None:
        def told(results: Mapping[TopicPartition, Error]) -> None:
            if not self._asks.asks_again(results, since_us, again):
                self._settle(request, verified, results)

        def again() -> None:  # Look anew: what was known before counts no more.
            verified, unknown = self._known(request[2])
            if unknown is None:
                self._go_on(request, verified)
            else:
                self._ask(request, since_us, verified, unknown)

        self._asks.ask(unknown, told)

    def _settle(
        self,
        request: tuple["Asker", int, m.ProduceRequest],
        verified: Verified,
        results: Mapping[TopicPartition, Error],
    ) -> None:
        for where, error in results.items():
            if error is not Error.NONE:
                del verified.states[where]
                verified.refused[where] = told_to_producer(error, self._asks.version)
        self._go_on(request, verified)

    def _go_on(
        self, request: tuple["Asker", int, m.ProduceRequest], verified: Verified
    ) -> None:
        connection, number, body = request
        answer = self._again(connection, number, body, verified)
        if answer is not LATER:
            self._broker.answer(connection, number, answer)
