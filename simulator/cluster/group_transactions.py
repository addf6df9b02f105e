"""Offsets that groups commit within transactions: staged, verified, and ended by markers.

1. Before the first offsets of a transaction are taken, the transaction coordinator is asked whether
   the group's partition takes part in it (version 1), or lets it (version 2), as for any other
   partition (see `verifying`). The request waits meanwhile, and an answer counts only if no marker
   of the producer came in between.
2. The marker of a transaction stands once in the partition's log, and ends it for all groups there.

Sources: GroupCoordinatorService.commitTransactionalOffsets, CoordinatorRuntime
(scheduleTransactionalWriteOperation, completeTransaction), KIP-447, KIP-890.
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

    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker
    from simulator.cluster.coordinator import Coordinators

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
        # By partition, leader epoch (what another leader wrote since is not known here) and
        # producer: the epoch of those who take part.
        self._open: dict[tuple[TopicPartition, int, int], int] = {}
        self._markers: dict[tuple[TopicPartition, int, int], int] = {}  # How many were written.

    # --- Staging ---------------------------------------------------------------------------------

    def commit(
        self, connection: "Asker", correlation: int, body: TxnOffsetCommitRequest
    ) -> Any:
        """Answer a producer's offsets, or LATER."""
        where = self._broker.layout.coordinator_partition(OFFSETS, body.group_id)
        shard = self._coordinators.shard(where)
        epoch = -1 if shard is None else shard.log.epoch
        known = self._open.get((where, epoch, body.producer_id))
        if shard is None or not self._asks.looks or known == body.producer_epoch:
            return self._coordinators.request(connection, correlation, body)
        self._ask((connection, correlation, body), where, self._asks.now_us)
        return LATER

    def _ask(self, request: Any, where: TopicPartition, since_us: int) -> None:
        body: TxnOffsetCommitRequest = request[2]
        producer = (body.producer_id, body.producer_epoch)
        known = self._marked(where, body.producer_id)

        def told(results: "Mapping[TopicPartition, Error]") -> None:
            if self._asks.asks_again(results, since_us, again):
                return
            error = results[where]
            if error is Error.NONE and known != self._marked(where, body.producer_id):
                error = Error.INVALID_TXN_STATE  # It has ended since the question.
            self._answered(request, where, error)

        def again() -> None:
            self._ask(request, where, since_us)

        self._asks.ask(self._asks.question(body.transactional_id, producer, (where,)), told)

    def _marked(self, where: TopicPartition, producer_id: int) -> tuple[int, int]:
        """In which leader epoch it is, and how many markers of a producer this leader wrote."""
        shard = self._coordinators.shard(where)
        epoch = -1 if shard is None else shard.log.epoch
        return epoch, self._markers.get((where, epoch, producer_id), 0)

    def _answered(self, request: Any, where: TopicPartition, error: Error) -> None:
        connection, correlation, body = request
        if error is Error.NONE:
            shard = self._coordinators.shard(where)
            if shard is not None:
                self._open[where, shard.log.epoch, body.producer_id] = body.producer_epoch
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
        whose = (where, shard.log.epoch, marker.producer_id)
        self._open.pop(whose, None)
        self._markers[whose] = self._markers.get(whose, 0) + 1

        commits: list[tuple[Any, ...]] = []
        at_once: list[Error] = []  # What was told before the marker counts here.
        counts = False

        def marked(error: Error) -> None:
            if not counts:
                at_once.append(error)
                return
            for event in commits if error is Error.NONE else ():
                self._broker.node.record(event)
            # handleWriteTxnMarkersRequest: its sender looks for the leader, not for a coordinator.
            away = error is Error.NOT_COORDINATOR
            done(Error.NOT_LEADER_OR_FOLLOWER if away else error)

        error = shard.log.mark(marker, marked)
        if error is not Error.NONE:
            done(error)
            return
        ended = TransactionEnded(marker.producer_id, marker.producer_epoch, marker.result)
        for driven in shard.groups.values():
            commits += self._coordinators.end_transaction(driven, ended)
        shard.wrote(1)
        counts = True
        for told in at_once:
            marked(told)
