"""What a broker does for transactions: it verifies their first batches, and writes their markers.

1. A partition takes the first batch of a transaction only if the coordinator knows that it takes
   part in that transaction, which is open (KIP-890, part 1); otherwise INVALID_TXN_STATE. Later
   batches need no look: the partition itself knows that the transaction is open.
2. A marker is appended as a producer's batch with acks=all is, and answered when it is committed,
   or cannot be. A second marker of a transaction is written too, and ends nothing.

Source: KafkaApis.scala (handleWriteTxnMarkersRequest), ReplicaManager.scala
(maybeSendPartitionsToTransactionCoordinator), AddPartitionsToTxnManager.scala.

Not modelled: transaction coordinators. Which transactions are open is kept in one place for the
whole cluster (`OpenTransactions`), by whoever plays the coordinator; brokers look there without a
message, so verification takes no time and never fails, and a fenced producer is told
INVALID_TXN_STATE by it, not INVALID_PRODUCER_EPOCH.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinator import LATER
from simulator.protocol import messages as m
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch

if TYPE_CHECKING:
    from simulator.world.network import Connection

TIMEOUT_MS = 30_000  # request.timeout.ms of brokers.

Finish = Callable[[m.ProduceResponse], m.ProduceResponse]


class OpenTransactions:
    """Which partitions take part in which open transaction: it stands for the coordinators.

    Args:
        verifies: whether partitions look here at all (`Variant.verifies_transactions`).
    """

    __slots__ = ("_open", "_verifies")

    def __init__(self, *, verifies: bool) -> None:
        self._verifies = verifies
        self._open: dict[int, tuple[int, dict[TopicPartition, None]]] = {}

    def __bool__(self) -> bool:
        """Whether any transaction is open."""
        return bool(self._open)

    def add(self, producer_id: int, epoch: int, partitions: Iterable[TopicPartition]) -> None:
        """Partitions take part in a producer's transaction, which is open from the first on."""
        known = self._open.get(producer_id)
        if known is None or known[0] != epoch:
            known = self._open[producer_id] = (epoch, {})
        known[1].update(dict.fromkeys(partitions))

    def end(self, producer_id: int) -> tuple[TopicPartition, ...]:
        """A producer's transaction is open no more; who took part in it."""
        known = self._open.pop(producer_id, None)
        return () if known is None else tuple(known[1])

    def takes_part(self, where: TopicPartition, batch: Batch) -> bool:
        """Whether a partition may take this as the first batch of a transaction."""
        if not self._verifies:
            return True
        known = self._open.get(batch.producer_id)
        return known is not None and known[0] == batch.producer_epoch and where in known[1]


class Markers:
    """The markers that one incarnation of a broker is asked to write.

    Args:
        produce: appends batches, and answers or lets the request wait, as for a producer.
        finished: what is added to an answer to a producer when it leaves.
    """

    def __init__(
        self, produce: "Callable[[Connection, int, m.ProduceRequest], Any]", finished: Finish
    ) -> None:
        self._produce = produce
        self._finished = finished
        # By connection and number: the producer whose marker each result is of.
        self._asked: dict[Any, tuple[int, ...]] = {}

    def write(
        self, connection: "Connection", number: int, body: m.WriteTxnMarkersRequest
    ) -> Any:
        """Answer a coordinator, or LATER."""
        batches = tuple((where, _batch(one)) for one in body.markers for where in one.partitions)
        to = (connection, number)
        self._asked[to] = tuple(batch.producer_id for _, batch in batches)
        answer = self._produce(connection, number, m.ProduceRequest(-1, TIMEOUT_MS, batches))
        # Where it had to look for acknowledgements, it has come by `finished` already.
        return answer if answer is LATER or to not in self._asked else self.finished(to, answer)

    def finished(self, to: Any, answer: m.ProduceResponse) -> Any:
        """The answer to `to`, a connection and a number, as it leaves."""
        asked = self._asked.pop(to, None) if self._asked else None
        if asked is None:
            return self._finished(answer)
        told = zip(asked, answer.results, strict=True)
        return m.WriteTxnMarkersResponse(
            tuple((producer_id, one.partition, one.error) for producer_id, one in told)
        )


def _batch(marker: m.TxnMarker) -> Batch:
    return Batch(
        (),
        producer_id=marker.producer_id,
        producer_epoch=marker.producer_epoch,
        transactional=True,
        control=marker.result,
        coordinator_epoch=marker.coordinator_epoch,
    )
