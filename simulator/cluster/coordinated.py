"""What a broker keeps of the groups that it coordinates, and what it says where it cannot write."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinator_log import CoordinatorLog
from simulator.protocol import messages as m
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.coordinated_group import CoordinatedGroup
from simulator.protocol.errors import Error
from simulator.protocol.group_state import OffsetsCommitted
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest, TxnOffsetCommitResponse

if TYPE_CHECKING:
    from simulator.cluster.coordinator import Coordinators
    from simulator.world.kernel import Timer as KernelTimer

COMPACT_ABOVE = 1_024  # Facts in a log of one's own before it is compacted.

# What a coordinator says where its log has refused; of anything else: COORDINATOR_NOT_AVAILABLE
# (GroupCoordinatorService.handleOperationException).
SAID = {
    Error.NOT_LEADER_OR_FOLLOWER: Error.NOT_COORDINATOR,
    Error.NOT_COORDINATOR: Error.NOT_COORDINATOR,
    Error.INVALID_PRODUCER_EPOCH: Error.INVALID_PRODUCER_EPOCH,  # Of a transaction, fenced there.
}


class Shard:
    """One partition: its log, and the groups in it."""

    __slots__ = ("compact_at", "groups", "log", "written")

    def __init__(self, log: CoordinatorLog) -> None:
        self.log = log
        self.groups: dict[str, Driven] = {}
        self.written = 0
        self.compact_at = COMPACT_ABOVE

    def wrote(self, count: int) -> None:
        """So many facts more are in the log; of one's own, it may have to be compacted."""
        self.written += count
        if self.written > self.compact_at and self.log.alone:
            entries = [
                (group_id, fact)
                for group_id, driven in self.groups.items()
                for fact in driven.machine.hard_state()
            ]
            self.log.compact(entries)
            self.written = len(entries)
            self.compact_at = COMPACT_ABOVE + 2 * len(entries)


class Driven:
    """One group's machine and what drives it."""

    __slots__ = ("group_id", "machine", "shard", "timers")

    def __init__(self, group_id: str, machine: CoordinatedGroup, shard: Shard) -> None:
        self.group_id = group_id
        self.machine = machine
        self.shard = shard
        self.timers: dict[Any, KernelTimer] = {}


class Commit:
    """One request to commit offsets, until they are committed: called with how that went."""

    __slots__ = ("_coordinators", "answer", "done", "fact", "group_id", "to", "waits")

    def __init__(
        self,
        coordinators: "Coordinators",
        group_id: str,
        facts: tuple[Any, ...],
        to: tuple[Any, int],
        answer: Any,
    ) -> None:
        self._coordinators = coordinators
        self.group_id = group_id
        self.fact = next(fact for fact in facts if type(fact) is OffsetsCommitted)
        self.to = to
        self.answer = answer
        self.done = False
        self.waits = False

    def __call__(self, error: Error) -> None:
        """It is committed (NONE), or will not be."""
        self.done = True
        self._coordinators.committed(self, error)


_ANSWERS: dict[type, Callable[[Error], Any]] = {
    m.JoinGroupRequest: m.JoinGroupResponse,
    m.SyncGroupRequest: m.SyncGroupResponse,
    m.HeartbeatRequest: m.HeartbeatResponse,
    m.LeaveGroupRequest: m.LeaveGroupResponse,
    m.OffsetFetchRequest: m.OffsetFetchResponse,
    ConsumerGroupHeartbeatRequest: ConsumerGroupHeartbeatResponse,
}


def refused(body: Any, error: Error) -> Any:
    """The answer to a request that was not decided."""
    if isinstance(body, m.OffsetCommitRequest | TxnOffsetCommitRequest):
        failed = tuple((one.partition, error) for one in body.offsets)
        if isinstance(body, m.OffsetCommitRequest):
            return m.OffsetCommitResponse(failed)
        return TxnOffsetCommitResponse(failed)
    if isinstance(body, ConsumerGroupDescribeRequest):
        return ConsumerGroupDescribeResponse(error, body.group_id)
    return _ANSWERS[type(body)](error)


def failed(answer: Any, error: Error) -> Any:
    """An answer that was decided, and whose facts were not committed."""
    if isinstance(answer, m.OffsetCommitResponse | TxnOffsetCommitResponse):
        return type(answer)(tuple((where, error) for where, _ in answer.results))
    if isinstance(answer, ConsumerGroupDescribeResponse):
        return ConsumerGroupDescribeResponse(error, answer.group_id)
    return type(answer)(error)
