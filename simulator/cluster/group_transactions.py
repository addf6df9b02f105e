"""Offsets that groups commit within transactions: staged, verified, and ended by markers.

1. Before the first offsets of a transaction are taken, the transaction coordinator is asked whether
   the group's partition takes part in it (version 1), or lets it (version 2), as for any other
   partition (see `verifying`). The request waits meanwhile.
2. The marker of a transaction stands once in the partition's log, and ends it for all groups there.

Sources: GroupCoordinatorService.commitTransactionalOffsets, CoordinatorRuntime
(scheduleTransactionalWriteOperation, completeTransaction), KIP-447, KIP-890.

Not modelled: that a transaction which ended between question and answer is noticed by its producer
state (here a fenced epoch is, by the group's own memory).
"""

from typing import TYPE_CHECKING, Any

from simulator.cluster.internal_topics import OFFSETS
from simulator.cluster.later import LATER
from simulator.cluster.participation import Participation
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.group_state import TransactionEnded
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest, TxnOffsetCommitResponse
from simulator.protocol.transactions import told_to_producer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.cluster.broker import Broker
    from simulator.cluster.coordinator import Coordinators
    from simulator.world.network import Connection

# What a coordinator of groups answers where the other one has not (commitTransactionalOffsets).
_SAID = {
    Error.NOT_ENOUGH_REPLICAS: Error.COORDINATOR_NOT_AVAILABLE,
    Error.NETWORK_EXCEPTION: Error.COORDINATOR_LOAD_IN_PROGRESS,
}


class GroupTransactions:
    """The transactions that commit offsets to the groups of one incarnation of a broker."""

    def __init__(self, broker: "Broker", coordinators: "Coordinators") -> None:
        self._broker = broker
        self._coordinators = coordinators
        self._asks = Participation(broker)
        self._open: dict[tuple[TopicPartition, int], int] = {}  # The epoch, of those who take part.

    # --- Staging ---------------------------------------------------------------------------------

    def commit(
        self, connection: "Connection", correlation: int, body: TxnOffsetCommitRequest
    ) -> Any:
        """Answer a producer's offsets, or LATER."""
        where = self._broker.layout.coordinator_partition(OFFSETS, body.group_id)
        known = self._open.get((where, body.producer_id))
        if not self._asks.looks or known == body.producer_epoch:
            return self._coordinators.request(connection, correlation, body)
        self._ask((connection, correlation, body), where, self._asks.now_us)
        return LATER

    def _ask(self, request: Any, where: TopicPartition, since_us: int) -> None:
        body: TxnOffsetCommitRequest = request[2]
        producer = (body.producer_id, body.producer_epoch)

        def told(results: "Mapping[TopicPartition, Error]") -> None:
            if not self._asks.asks_again(results, since_us, again):
                self._answered(request, where, results[where])

        def again() -> None:
            self._ask(request, where, since_us)

        self._asks.ask(self._asks.question(body.transactional_id, producer, (where,)), told)

    def _answered(self, request: Any, where: TopicPartition, error: Error) -> None:
        connection, correlation, body = request
        if error is Error.NONE:
            self._open[where, body.producer_id] = body.producer_epoch
            answer = self._coordinators.request(connection, correlation, body)
        else:
            told = _SAID.get(error) or told_to_producer(error, self._asks.version)
            told = _SAID.get(told, told)
            answer = TxnOffsetCommitResponse(tuple((one.partition, told) for one in body.offsets))
        if answer is not LATER:
            self._broker.answer(connection, correlation, answer)

    # --- Ending ----------------------------------------------------------------------------------

    def write_marker(
        self, where: TopicPartition, marker: m.TxnMarker, done: "Callable[[Error], None]"
    ) -> None:
        """Write the end of a transaction into a partition of groups, and let it count."""
        shard = self._coordinators.shard(where)
        if shard is None:
            done(Error.NOT_LEADER_OR_FOLLOWER)
            return
        self._open.pop((where, marker.producer_id), None)
        error = shard.log.mark(marker, done)
        if error is not Error.NONE:
            done(error)
            return
        ended = TransactionEnded(marker.producer_id, marker.producer_epoch, marker.result)
        for driven in shard.groups.values():
            self._coordinators.end_transaction(driven, ended)
        shard.wrote(1)
