"""Bugs planted in the product: each takes one guard away, so that an anomaly must appear.

A cell says that an anomaly is absent only where one of these brings it about, in the same scope:
so what was searched could have found it. Each is given a patch, and is undone with it.
"""

# Bugs are planted in what is private, in the place of functions with as many arguments.
# ruff: noqa: ARG005, SLF001

from collections import deque
from typing import Any

import attrs

from simulator.cluster.consumer import Consumer
from simulator.cluster.later import LATER
from simulator.cluster.store import StoreNode
from simulator.cluster.transforming_life import Life
from simulator.matrix.patching import Patch
from simulator.protocol import (
    consumer_group,
    consumer_group_reconciling,
    group,
    partition,
    producer_state,
    sending,
)
from simulator.protocol.assignors import ASSIGNORS
from simulator.protocol.committing import Committing
from simulator.protocol.controller import Controller
from simulator.protocol.dispatch import Dispatch
from simulator.protocol.errors import Error
from simulator.protocol.fetching import Fetching, _Fetched
from simulator.protocol.idempotence import Idempotence
from simulator.protocol.log import Log
from simulator.protocol.messages import CommittedOffset, OffsetFetchResponse, TransactRequest
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.replication_leading import Leading
from simulator.protocol.sending_effects import Acknowledged, Transmit
from simulator.world.disk import Disk

# --- Producers -------------------------------------------------------------------------------


def acknowledges_what_it_sends(patch: Patch) -> None:
    """A producer takes for stored what it has sent."""
    transmit = Dispatch._transmit

    def hasty(self: Any, destination: Any, batches: Any) -> None:
        transmit(self, destination, batches)
        for batch in batches:
            if not batch.done:
                self._store.finish(batch)
                where = batch.queue.partition
                said = Acknowledged(where, UNKNOWN_OFFSET, batch.records, batch.handles)
                self.effects.append(said)

    patch.setattr(Dispatch, "_transmit", hasty)


def retries_what_it_may_not(patch: Patch) -> None:
    """A producer sends again what it was told to send once."""

    def again(_: Any, batch: Any, result: Any, __: int) -> bool:
        return not batch.done and batch.attempts < 3 and result.error.retriable

    patch.setattr(Dispatch, "_can_retry", again)


def has_several_in_flight(patch: Patch) -> None:
    """A producer that should wait for each answer does not."""
    build = Dispatch.__init__

    def hasty(self: Any, *given: Any, **more: Any) -> None:
        build(self, *given, **more)
        self._most_in_flight, self._mute = 5, False

    patch.setattr(Dispatch, "__init__", hasty)


class _Overtaking(Dispatch):
    """Its first request leaves when the second does, and after it."""

    __slots__ = ("late",)
    late: Any

    def _transmit(self, destination: Any, batches: Any) -> None:
        super()._transmit(destination, batches)
        place = max(at for at, one in enumerate(self.effects) if type(one) is Transmit)
        late: Any = getattr(self, "late", None)
        if late is None:
            self.late = self.effects.pop(place)
        elif late:
            self.effects.insert(place + 1, late)
            self.late = ()  # Nothing is late any more.


def sends_the_second_first(patch: Patch) -> None:
    """A producer's second request overtakes its first."""
    patch.setattr(sending, "Dispatch", _Overtaking)


def sends_each_record_twice(patch: Patch) -> None:
    """A producer puts each record into its batch twice."""
    transmit = Dispatch._transmit

    def doubled(self: Any, destination: Any, batches: Any) -> None:
        for batch in batches:
            if batch.body is None:
                batch.records = batch.records * 2
                batch.handles = batch.handles * 2
        transmit(self, destination, batches)

    patch.setattr(Dispatch, "_transmit", doubled)


def says_another_offset(patch: Patch) -> None:
    """A producer tells for each batch that it lies at the beginning of its partition."""
    completed = Dispatch._completed

    def mistaken(self: Any, batch: Any, base_offset: int) -> None:
        completed(self, batch, min(base_offset, 0))

    patch.setattr(Dispatch, "_completed", mistaken)


# --- Logs ------------------------------------------------------------------------------------


def forgets_producers(patch: Patch) -> None:
    """A log knows nothing of its producers, so a retry is a new batch."""
    patch.setattr(Log, "_learn", lambda self, batch, latest_us: None)


def retries_in_any_order(patch: Patch) -> None:
    """A producer sends the last first that it has to send again, and a log takes any sequence."""
    patch.setattr(Idempotence, "place_of", lambda self, batch: 0)
    patch.setattr(Idempotence, "must_wait", lambda self, queue, head: False)
    refuse = producer_state.refuse_data

    def believing(*given: Any, **more: Any) -> Any:
        refused = refuse(*given, **more)
        return None if refused is Error.OUT_OF_ORDER_SEQUENCE_NUMBER else refused

    patch.setattr(partition, "refuse_data", believing)


def acknowledges_before_followers_have_it(patch: Patch) -> None:
    """A leader answers acks=all when it has the record itself."""
    patch.setattr(Leading, "acked", lambda self, offset: Error.NONE)


def moves_its_mark_alone(patch: Patch) -> None:
    """What the leader has is committed, whatever its followers have."""

    def advance(self: Any, _: int) -> Any:
        log = self._log
        return log.log_end_offset > log.high_watermark and log.advance_high_watermark(
            log.log_end_offset
        )

    patch.setattr(Leading, "advance", advance)


def takes_what_too_few_would_have(patch: Patch) -> None:
    """A leader does not look at min.insync.replicas."""
    build = Leading.__init__

    def careless(self: Any, *given: Any, **more: Any) -> None:
        build(self, *given, **more)
        self._config = attrs.evolve(self._config, min_insync_replicas=1)

    patch.setattr(Leading, "__init__", careless)


def loses_what_was_not_flushed(patch: Patch) -> None:
    """What a broker wrote dies with its process, as if the power had failed."""
    crash = Disk.crash

    def lossy(self: Any, mode: Any, *given: Any, **more: Any) -> None:
        crash(self, "power" if mode == "process" else mode, *given, **more)

    patch.setattr(Disk, "crash", lossy)


def believes_whoever_was_in_sync(patch: Patch) -> None:
    """A controller keeps no eligible replicas, and takes one that lost its power for complete."""
    build = Controller.__init__

    def credulous(self: Any, *given: Any, **more: Any) -> None:
        build(self, *given, **more)
        self._eligible = False

    patch.setattr(Controller, "__init__", credulous)


# --- Stores and consumers ---------------------------------------------------------------------


def applies_before_it_marks(patch: Patch) -> None:
    """A store makes of one transaction two: the effect, then the mark."""
    transact = StoreNode.transact

    def by_halves(self: Any, node: Any, body: Any) -> Any:
        answer = None
        for operation in sorted(body.operations, key=lambda one: not getattr(one, "effect", False)):
            answer = transact(self, node, TransactRequest((operation,), body.event_id))
            if answer is None or answer is LATER or answer.status != "committed":
                return answer
        return answer

    patch.setattr(StoreNode, "transact", by_halves)


def commits_what_it_hands_out(patch: Patch) -> None:
    """A consumer commits when it hands records out, not when they are processed."""
    poll = Consumer.poll

    def eager(self: Any, timeout_ms: int) -> Any:
        event = poll(self, timeout_ms)
        if event.callbacks is None:
            if event.value:
                self.commit_async()
        else:
            event.callbacks.append(lambda done: self.commit_async() if done.value else None)
        return event

    patch.setattr(Consumer, "poll", eager)


def commits_where_it_began(patch: Patch) -> None:
    """A consumer commits every second record as the one before it."""
    request, offsets = Committing._request, Life._offsets

    def back(offset: int) -> int:
        return offset if offset % 2 else max(0, offset - 2)

    def asked(self: Any, given: Any) -> Any:
        made = request(self, given)
        lower = tuple(one._replace(offset=back(one.offset)) for one in made.offsets)
        return made._replace(offsets=lower)

    def staged(self: Any, records: Any) -> Any:
        return {where: back(offset) for where, offset in offsets(self, records).items()}

    patch.setattr(Committing, "_request", asked)
    patch.setattr(Life, "_offsets", staged)


def forgets_commits(patch: Patch) -> None:
    """A coordinator keeps offsets, and tells nobody of them."""

    def nothing(_: Any, body: Any) -> OffsetFetchResponse:
        told = tuple(CommittedOffset(one, UNKNOWN_OFFSET) for one in body.partitions or ())
        return OffsetFetchResponse(Error.NONE, told, ())

    patch.setattr(group, "fetch", nothing)
    patch.setattr(consumer_group, "fetch", nothing)


def holds_one_back(patch: Patch) -> None:
    """A consumer hands the first record out when it has the second."""
    collect = Fetching.collect

    def late(self: Any) -> Any:
        records, moved = collect(self)
        held = self.__dict__.setdefault("held", deque())
        if records and "passed" not in self.__dict__:
            if held:
                self.passed = True
                records = [*records, held.popleft()]
            else:
                held.append(records.pop(0))
                if records:
                    self.passed = True
                    records = [*records, held.popleft()]
        return records, moved

    patch.setattr(Fetching, "collect", late)


def hands_out_one_only(patch: Patch) -> None:
    """A consumer hands out the first record of each partition, and none that comes after it."""
    collect = Fetching.collect

    def silent(self: Any) -> Any:
        records, moved = collect(self)
        return [record for record in records if not record.offset], moved

    patch.setattr(Fetching, "collect", silent)


# --- Groups ------------------------------------------------------------------------------------


def gives_to_everybody(patch: Patch) -> None:
    """Each member is given every partition."""

    def everything(members: Any, partitions: Any, _racks: Any) -> Any:
        all_of_them = tuple(
            TopicPartition(topic, number) for topic in partitions for number in partitions[topic]
        )
        return {member.member_id: all_of_them for member in members}

    for name in list(ASSIGNORS):
        patch.setitem(ASSIGNORS, name, everything)


def waits_for_no_former_owner(patch: Patch) -> None:
    """What a member by KIP-848 is told to give back is another's at once."""
    patch.setattr(consumer_group_reconciling, "_holds", lambda *_: False)


# --- Transactions -------------------------------------------------------------------------------


def reads_what_was_aborted(patch: Patch) -> None:
    """A consumer passes over markers, and over nothing else."""
    patch.setattr(_Fetched, "_skips", lambda self, batch: bool(batch.control))


def reads_up_to_the_high_watermark(patch: Patch) -> None:
    """What is open is read as if it were committed."""
    patch.setattr(Partition, "last_stable_offset", property(lambda self: self.high_watermark))


def skips_what_was_committed(patch: Patch) -> None:
    """A consumer passes over the first batch of each transaction."""
    skips = _Fetched._skips

    def skipping(self: Any, batch: Any) -> bool:
        return skips(self, batch) or batch.base_sequence == 0

    patch.setattr(_Fetched, "_skips", skipping)


__all__ = [
    "acknowledges_before_followers_have_it",
    "acknowledges_what_it_sends",
    "applies_before_it_marks",
    "believes_whoever_was_in_sync",
    "commits_what_it_hands_out",
    "commits_where_it_began",
    "forgets_commits",
    "forgets_producers",
    "gives_to_everybody",
    "hands_out_one_only",
    "has_several_in_flight",
    "holds_one_back",
    "loses_what_was_not_flushed",
    "moves_its_mark_alone",
    "reads_up_to_the_high_watermark",
    "reads_what_was_aborted",
    "retries_in_any_order",
    "retries_what_it_may_not",
    "says_another_offset",
    "sends_each_record_twice",
    "sends_the_second_first",
    "skips_what_was_committed",
    "takes_what_too_few_would_have",
    "waits_for_no_former_owner",
]
