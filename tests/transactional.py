"""A transactional producer's client driven by hand, against the real coordinator and real logs."""

from typing import Any

from simulator.protocol.errors import Error
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    InitProducerIdRequest,
    PartitionProduced,
    ProduceRequest,
)
from simulator.protocol.records import marker_batch
from simulator.protocol.sending_effects import Happened, Settled
from simulator.protocol.transaction_messages import (
    AddOffsetsToTxnRequest,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)
from simulator.protocol.transactions import refusal, told_to_producer
from simulator.protocol.variant import Variant
from tests.produced import Bench
from tests.transacting import OFFSETS, Transacting

GROUP = GroupMetadata("g", 3, "m")
TO_COORDINATOR = (
    InitProducerIdRequest,
    AddPartitionsToTxnRequest,
    AddOffsetsToTxnRequest,
    EndTxnRequest,
)
ASKING = (*TO_COORDINATOR, FindCoordinatorRequest, TxnOffsetCommitRequest)


def calls(answer: Any) -> list[str]:
    """The texts of what calls have ended with; "" for a success."""
    return ["" if error is None else f"{type(error).__name__}: {error}" for _, error in answer]


class TransactionalBench(Bench):
    """A `Bench` whose first broker also coordinates the transactional id `a`, and the group.

    Attributes:
        ended: (handle, error) of the calls that have returned.
        told: the trace's events, as flat tuples.
        asking: every request but for metadata and records, in the order in which they left.
        refusing: errors to answer next, by the request's name, instead of working on it.
        prompt: markers are written in the instant in which a transaction is prepared.
    """

    def __init__(
        self, settings: Any = None, *, version: int = 2, prompt: bool = True, **more: Any
    ) -> None:
        self.version = version
        self.prompt = prompt
        self.coordinator = Transacting(version)
        self.ended: list[tuple[Any, Any]] = []
        self.told: list[tuple[Any, ...]] = []
        self.asking: list[Any] = []
        self.refusing: dict[str, list[Error]] = {}
        self.pending: dict[tuple[int, int], dict[Any, int]] = {}
        self.committed: dict[Any, int] = {}
        given = {"transactional.id": "a", **(settings or {})}
        more.setdefault("variant", Variant(transaction_version=version))
        super().__init__(given, **more)
        assert self.machine.transaction is not None
        self.manager = self.machine.transaction

    # --- The application -----------------------------------------------------------------------

    def call(self, name: str, *arguments: Any, handle: Any = None) -> None:
        """Call one of the manager's methods that end later, and let what follows follow."""
        getattr(self.manager, name)(handle or name, *arguments, self.now_us)
        self.go_on()

    def go_on(self) -> None:
        self.machine.wake(self.now_us)
        self.carry_out()

    def ready(self) -> "TransactionalBench":
        """Initialize."""
        self.call("initialize")
        self.wait(1_000)
        assert self.ended.pop() == ("initialize", None), self.ended
        return self

    def begin(self, *values: str, partition: int = 0) -> "TransactionalBench":
        self.manager.begin()
        self.go_on()
        self.send(*values, partition=partition)
        return self

    def send(self, *values: str, partition: int | None = None, topic: str = "t") -> None:
        for value in values:
            self.manager.hand_over(value)
            super().send(value, partition=partition, topic=topic)

    # --- The brokers ---------------------------------------------------------------------------

    def _do(self, effect: Any) -> None:
        match effect:
            case Settled(handle, error):
                self.ended.append((handle, error))
            case Happened(event):
                self.told.append(event)
            case _:
                body = getattr(effect, "body", None)
                if isinstance(body, ASKING):
                    self.asking.append(body)
                super()._do(effect)

    def asked_for(self) -> list[str]:
        """The names of what coordinators were asked, once."""
        names = [type(body).__name__.removesuffix("Request") for body in self.asking]
        self.asking.clear()
        return names

    def work(self, body: Any) -> Any:
        self.coordinator.now_us = max(self.coordinator.now_us, self.now_us)
        refused = self.refusing.get(type(body).__name__)
        if refused:
            return self._refusal(body, refused.pop(0))
        match body:
            case FindCoordinatorRequest():
                return FindCoordinatorResponse(Error.NONE, self.brokers[0])
            case TxnOffsetCommitRequest():
                return self._commit_offsets(body)
            case ProduceRequest() if self.version == 2:
                return super().work(body)
            case _ if isinstance(body, TO_COORDINATOR) and body.transactional_id is not None:
                answer = self.coordinator.ask(body)
                if self.prompt:
                    self.write_markers()
                return answer
        return super().work(body)

    @staticmethod
    def _refusal(body: Any, error: Error) -> Any:
        if isinstance(body, FindCoordinatorRequest):
            return FindCoordinatorResponse(error)
        if isinstance(body, TxnOffsetCommitRequest):
            return TxnOffsetCommitResponse(tuple((one.partition, error) for one in body.offsets))
        return refusal(body, error)

    def _append(self, where: Any, batch: Any) -> PartitionProduced:
        """Under version 2 its leader adds a partition; else it asks whether it takes part."""
        identity = batch.producer_id, batch.producer_epoch
        if batch.transactional:
            ask = self.coordinator.add if self.version == 2 else self.coordinator.verify
            error = ask(identity, where)
            error = error if isinstance(error, Error) else error[0]
            if error is not Error.NONE:
                return PartitionProduced(where, told_to_producer(error, self.version))
        return super()._append(where, batch)

    def _commit_offsets(self, body: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse:
        identity = body.producer_id, body.producer_epoch
        error = Error.NONE
        if self.version == 2:
            error = self.coordinator.add(identity, OFFSETS)
        if error is Error.NONE:
            pending = self.pending.setdefault(identity, {})
            pending.update((one.partition, one.offset) for one in body.offsets)
        return TxnOffsetCommitResponse(tuple((one.partition, error) for one in body.offsets))

    def write_markers(self) -> None:
        """What is prepared is completed."""
        while self.coordinator.markers:
            marker = self.coordinator.markers[0].marker
            for where in marker.partitions:
                if where == OFFSETS:
                    self._end_offsets(marker)
                else:
                    self._write_marker(where, marker)
            self.coordinator.write_markers()

    def _end_offsets(self, marker: Any) -> None:
        for epoch in (marker.producer_epoch, marker.producer_epoch - 1):
            pending = self.pending.pop((marker.producer_id, epoch), {})
            if marker.result == "commit":
                self.committed.update(pending)

    def _write_marker(self, where: Any, marker: Any) -> None:
        end = marker.producer_id, marker.producer_epoch, marker.result, marker.coordinator_epoch
        fact, answer = self.logs[where].decide_append(marker_batch(*end), self.now_us)
        assert answer.error is Error.NONE, answer
        if fact is not None:
            self.logs[where].apply(fact)

    # --- What can be seen ----------------------------------------------------------------------

    def read_committed(self, partition: int = 0) -> list[str]:
        """The event ids that a reader of committed records gets, of what is decided."""
        where = next(one for one in self.logs if one.partition == partition)
        open_ones: dict[int, list[str]] = {}
        seen: list[str] = []
        for batch in self.logs[where].log.journal.facts:
            if batch.control:
                ended = open_ones.pop(batch.producer_id, [])
                seen += ended if batch.control == "commit" else []
            else:
                ids = [record.event_id for record in batch.records]
                open_ones.setdefault(batch.producer_id, []).extend(ids)
        return seen
