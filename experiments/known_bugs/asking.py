"""What an application of a row asks brokers itself, without a client's machinery.

It knows one partition, and each question is one request; what has no answer is None, and may have
taken effect.
"""

from collections.abc import Generator
from typing import Any

from experiments.known_bugs.scenarios import TOPIC
from simulator.cluster.connections import Connections
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record

WHERE = TopicPartition(TOPIC, 0)
TIMEOUT_MS = 1_000
ALL = -1  # Of acks; and of records to delete.

Answer = Generator[Any, Any, Any]


class Line:
    """A node's connections to brokers."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self._connections = Connections(node, request_timeout_ms=TIMEOUT_MS)

    def _asked(self, broker: str, body: Any) -> Answer:
        answer = self.node.event()

        def answered(told: Any) -> None:
            answer.succeed(told)

        self._connections.request(broker, body, answered)
        return (yield answer)

    def leader(self, broker: str) -> Answer:
        """Who leads the partition, by the word of a broker; "" is nobody."""
        told = yield from self._asked(broker, m.MetadataRequest((TOPIC,)))
        return "" if told is None else told.topics[0].partitions[0].leader

    def end(self, broker: str) -> Answer:
        """Where the log ends, by the word of a broker that leads; None if it refuses."""
        asked = m.OffsetAsked(WHERE, m.LATEST_TIMESTAMP)
        told = yield from self._asked(broker, m.ListOffsetsRequest((asked,)))
        return told.results[0].offset if _succeeded(told) else None

    def write(self, broker: str, event_id: str, producer: tuple[int, int], sequence: int) -> Answer:
        """Write a record in the transaction of a producer id and epoch: the error, the offset."""
        record = Record("k0", "moved", event_id)
        batch = Batch((record,), -1, *producer, sequence, transactional=True)
        body = m.ProduceRequest(ALL, TIMEOUT_MS, ((WHERE, batch),), self.node.name)
        told = yield from self._asked(broker, body)
        return None if told is None else (told.results[0].error.name, told.results[0].base_offset)

    def begin(self, broker: str, timeout_ms: int) -> Answer:
        """Begin a transaction of version 1, by whatever it takes: its producer id and epoch."""
        name = self.node.name
        told = None
        while told is None or told.error is not Error.NONE:
            told = yield from self._asked(broker, m.InitProducerIdRequest(name, timeout_ms))
        producer = told.producer_id, told.producer_epoch
        body = m.AddPartitionsToTxnRequest(name, *producer, (WHERE,))
        while not (yield from self._takes_part(broker, body)):
            pass
        return producer

    def _takes_part(self, broker: str, body: m.AddPartitionsToTxnRequest) -> Answer:
        told = yield from self._asked(broker, body)
        return told is not None and told.results[0][1] is Error.NONE

    def commit(self, broker: str, producer: tuple[int, int]) -> Answer:
        """Commit a transaction; False if it is over, or others have its producer id."""
        body = m.EndTxnRequest(self.node.name, *producer, "commit")
        while True:
            told = yield from self._asked(broker, body)
            if told is not None and told.error is not Error.CONCURRENT_TRANSACTIONS:
                return told.error is Error.NONE

    def delete_all(self, broker: str) -> Answer:
        """Delete all that is committed by now."""
        return (yield from self._asked(broker, m.DeleteRecordsRequest(((WHERE, ALL),))))


def _succeeded(told: Any) -> bool:
    return told is not None and told.results[0].error is Error.NONE
