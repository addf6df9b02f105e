"""The markers of transactions that a broker writes, as their coordinators ask.

1. A marker is appended as a producer's batch with acks=all is, and answered when it is committed,
   or cannot be. A second marker of a transaction is written too, and ends nothing.
2. Where somebody else keeps a topic's logs (coordinators of groups keep theirs), he writes it.

Source: KafkaApis.scala (handleWriteTxnMarkersRequest).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.later import LATER
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, marker_batch

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker

TIMEOUT_MS = 30_000  # request.timeout.ms of brokers.

Finish = Callable[[m.ProduceResponse], m.ProduceResponse]
# Ends a transaction in a partition, then tells how it went.
WriteMarker = Callable[[TopicPartition, m.TxnMarker, Callable[[Error], None]], None]


class Markers:
    """The markers that one incarnation of a broker is asked to write.

    Args:
        produce: appends batches, and answers or lets the request wait, as for a producer.
        finished: what is added to an answer to a producer when it leaves.

    Attributes:
        elsewhere: who writes the markers of a topic, if that is not `produce`. A request is about
            such a topic alone, or about none.
    """

    def __init__(
        self,
        broker: "Broker",
        produce: "Callable[[Asker, int, m.ProduceRequest], Any]",
        finished: Finish,
    ) -> None:
        self.elsewhere: dict[str, WriteMarker] = {}
        self._broker = broker
        self._produce = produce
        self._finished = finished
        # By connection and number: the producer whose marker each result is of.
        self._asked: dict[Any, tuple[int, ...]] = {}

    def write(
        self, connection: "Asker", number: int, body: m.WriteTxnMarkersRequest
    ) -> Any:
        """Answer a coordinator, or LATER."""
        batches = tuple((where, _batch(one)) for one in body.markers for where in one.partitions)
        if self.elsewhere and batches[0][0].topic in self.elsewhere:
            _Elsewhere(self._broker, (connection, number), body).write(self.elsewhere)
            return LATER
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


class _Elsewhere:
    """One request about partitions whose markers others write."""

    def __init__(
        self, broker: "Broker", to: "tuple[Asker, int]", body: m.WriteTxnMarkersRequest
    ) -> None:
        self._broker = broker
        self._to = to
        self._body = body
        self._told: dict[tuple[int, TopicPartition], Error] = {}

    def write(self, by: dict[str, WriteMarker]) -> None:
        """Have all of them written; it is answered in another instant's turn, or later."""
        for marker in self._body.markers:
            for where in marker.partitions:
                self._broker.node.after(0, self._write_one, (by[where.topic], where, marker))

    def _write_one(self, what: tuple[WriteMarker, TopicPartition, m.TxnMarker]) -> None:
        by, where, marker = what

        def done(error: Error) -> None:
            self._told[marker.producer_id, where] = error
            asked = [(one.producer_id, at) for one in self._body.markers for at in one.partitions]
            if all(one in self._told for one in asked):
                results = tuple((*one, self._told[one]) for one in asked)
                self._broker.answer(*self._to, m.WriteTxnMarkersResponse(results))

        by(where, marker, done)


def _batch(marker: m.TxnMarker) -> Batch:
    producer_id, epoch, result, _, coordinator_epoch = marker
    return marker_batch(producer_id, epoch, result, coordinator_epoch)
