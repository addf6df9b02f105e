"""Whether partitions take part in a transaction: what leaders ask its coordinator (KIP-890).

Under version 1 the producer has told the coordinator, and it is asked whether that is so. Under
version 2 the question makes them take part, and may have to wait for the markers of the transaction
before (CONCURRENT_TRANSACTIONS): it is asked again every add.partitions.to.txn.retry.backoff.ms
until add.partitions.to.txn.retry.backoff.max.ms have passed, then its producer has to.

Source: AddPartitionsToTxnManager.scala, KAFKA-18654.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from simulator.cluster.internal_topics import TRANSACTIONS
from simulator.cluster.peers import NOBODY
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS, TopicPartition

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker

VERIFYING = "verifying"  # A purpose of connections.

Told = Callable[[Mapping[TopicPartition, Error]], None]


class Participation:
    """The questions of one incarnation of a broker.

    Attributes:
        version: of transactions.
        looks: whether anything is asked at all (`Variant.verifies_transactions`, or version 2).
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        variant = broker.layout.variant
        self.version = variant.transaction_version
        self.looks = variant.verifies_transactions or self.version > 1
        own = broker.layout.settings.own
        self._backoff_us = own.add_partitions_to_txn_retry_backoff_ms * MICROS_PER_MS
        self._patience_us = own.add_partitions_to_txn_retry_backoff_max_ms * MICROS_PER_MS

    @property
    def now_us(self) -> int:
        """By a clock that does not jump."""
        return self._node.steady_us

    def question(
        self,
        transactional_id: str,
        producer: tuple[int, int],
        partitions: tuple[TopicPartition, ...],
    ) -> m.AddPartitionsToTxnRequest:
        """Whether a producer, an id with its epoch, writes to these in its transaction."""
        verify_only = self.version == 1
        return m.AddPartitionsToTxnRequest(transactional_id, *producer, partitions, verify_only)

    def ask(self, body: m.AddPartitionsToTxnRequest, told: Told) -> None:
        """Ask whoever coordinates the transaction now; `told` hears an error for each partition."""

        def answered(response: m.AddPartitionsToTxnResponse | None) -> None:
            if response is None:
                told(dict.fromkeys(body.partitions, Error.NETWORK_EXCEPTION))
            else:
                told(dict(response.results))

        layout, peers = self._broker.layout, self._broker.peers
        target = peers.leader(layout.coordinator_partition(TRANSACTIONS, body.transactional_id))
        if target is None or target == NOBODY:
            nobody = dict.fromkeys(body.partitions, Error.COORDINATOR_NOT_AVAILABLE)
            self._node.after(0, told, nobody)  # In this instant, when all else is done.
        else:
            self._broker.peers.request(target, body, answered, VERIFYING)

    def asks_again(
        self, results: Mapping[TopicPartition, Error], since_us: int, again: Callable[[], None]
    ) -> bool:
        """Whether it is too early for an answer, and then `again` will be called in a moment."""
        waits = self.version > 1 and Error.CONCURRENT_TRANSACTIONS in results.values()
        if not waits or self.now_us - since_us >= self._patience_us:
            return False
        self._node.after(self._backoff_us, lambda _: again())
        return True
