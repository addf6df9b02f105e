"""What a broker with replicas is asked about them: offsets, epochs' ends, and who leads what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.protocol import messages as m
from simulator.protocol import replica_messages as rm

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.replicas import Replicas


class Asked:
    """The questions that change nothing, each with its answer."""

    def __init__(self, replicas: "Replicas") -> None:
        self._replicas = replicas
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.ListOffsetsRequest: self._list_offsets,
            m.MetadataRequest: self._metadata,
            rm.OffsetForLeaderEpochRequest: self._epoch_ends,
        }

    def _list_offsets(self, _: "Asker", __: int, body: m.ListOffsetsRequest) -> Any:
        results = []
        for where, timestamp_ms, leader_epoch in body.partitions:
            replica = self._replicas.replicas.get(where)
            if replica is None:
                results.append(m.OffsetListed(where, self._replicas.image.not_here(where)))
            elif body.replica:
                results.append(replica.bound(rm.BoundAsked(where, leader_epoch, timestamp_ms)))
            else:
                isolation = body.isolation_level
                results.append(replica.list_offset(timestamp_ms, isolation, leader_epoch))
        return m.ListOffsetsResponse(tuple(results))

    def _epoch_ends(
        self, _: "Asker", __: int, body: rm.OffsetForLeaderEpochRequest
    ) -> rm.OffsetForLeaderEpochResponse:
        results = []
        for asked in body.partitions:
            replica = self._replicas.replicas.get(asked.partition)
            if replica is None:
                error = self._replicas.image.not_here(asked.partition)
                results.append(rm.EpochEnd(asked.partition, error))
            else:
                results.append(replica.epoch_end(asked))
        return rm.OffsetForLeaderEpochResponse(tuple(results))

    def _metadata(self, _: "Asker", __: int, body: m.MetadataRequest) -> Any:
        return self._replicas.image.metadata(body.topics)
