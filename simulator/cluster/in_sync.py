"""How a broker's leaders have their in-sync sets changed: one request at a time to the controller.

1. Every half of replica.lag.time.max.ms each leader looks for followers that lag.
2. Proposals that come while a request is under way go with the next one; a second proposal of a
   partition whose first is under way is not attempted.
3. A request that was not answered, or was refused as a whole, is sent again after 50 ms, with the
   broker's epoch as it is then.

Source: ReplicaManager.scala (maybeShrinkIsr), AlterPartitionManager.scala.
"""

from typing import TYPE_CHECKING, Any

from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.replica_messages import (
    AlterPartition,
    AlterPartitionRequest,
    AlterPartitionResponse,
    PartitionAltered,
)

if TYPE_CHECKING:
    from simulator.cluster.replicas import Replicas

AGAIN_US = 50 * MICROS_PER_MS


class InSync:
    """A broker's proposals of in-sync sets."""

    def __init__(self, replicas: "Replicas") -> None:
        self._replicas = replicas
        self._unsent: dict[TopicPartition, AlterPartition] = {}
        self._sent: dict[TopicPartition, AlterPartition] = {}
        self._waits = False  # Before the request is sent again.

    def start(self) -> None:
        """Begin to look for followers that lag."""
        lag_ms = self._replicas.layout.replication.replica_lag_time_max_ms
        self._every_us = max(1, lag_ms * MICROS_PER_MS // 2)
        self._replicas.node.after(self._every_us, self._shrink)

    def _shrink(self, _: Any) -> None:
        replicas = self._replicas
        for where, replica in replicas.replicas.items():
            if replica.leading is not None:
                step = replica.decide_shrink(replicas.node.now_us)
                if step.facts or step.effects:
                    replicas.carry_out(where, replica, step)
        replicas.node.after(self._every_us, self._shrink)

    def propose(self, request: AlterPartitionRequest) -> None:
        """Send a replica's proposal, now or with the next request."""
        for asked in request.partitions:
            where = asked.partition
            if where in self._sent:
                refused = PartitionAltered(where, Error.OPERATION_NOT_ATTEMPTED)
                self._replicas.node.after(0, self._refused, (asked, refused))
            else:
                self._unsent[where] = asked
        self._send()

    def _refused(self, what: tuple[AlterPartition, PartitionAltered]) -> None:
        self._altered(*what)

    def _send(self) -> None:
        if self._sent or self._waits or not self._unsent:
            return
        lifecycle = self._replicas.lifecycle
        self._sent, self._unsent = self._unsent, {}
        proposals = tuple(self._sent.values())
        body = AlterPartitionRequest(self._replicas.name, lifecycle.broker_epoch, proposals)
        lifecycle.ask_controller(body, self._answered, "alter")

    def _answered(self, response: AlterPartitionResponse | None) -> None:
        sent, self._sent = self._sent, {}
        if response is None or response.error is not Error.NONE:
            self._unsent = {**sent, **self._unsent}
            self._waits = True
            self._replicas.node.after(AGAIN_US, self._again)
            return
        for altered in response.results:
            asked = sent.get(altered.partition)
            if asked is not None:
                self._altered(asked, altered)
        self._send()

    def _again(self, _: Any) -> None:
        self._waits = False
        self._send()

    def _altered(self, asked: AlterPartition, altered: PartitionAltered) -> None:
        replicas = self._replicas
        replica = replicas.replicas.get(asked.partition)
        if replica is not None:
            step = replica.decide_altered(asked, altered, replicas.node.now_us)
            replicas.carry_out(asked.partition, replica, step)
