"""What a broker does for share groups with the partitions that it leads: acquire and acknowledge.

1. A share fetch first acknowledges, then acquires from the log what its group's machine allows;
   while there is nothing, it waits. Who has waited longest is served first.
2. What is written (`StateWritten`) is in the leader's journal before it is answered. A crash in
   between (point `after_append`) leaves it written, and its member without an answer.
3. Locks are timed by a clock that never jumps. What a lock, a release or a closed session sets
   free is offered to whoever waits, in that instant.
4. A session is known to this incarnation of the broker only; after that the member opens another.
   Its end releases what it holds; its connection's end does not: there only the lock helps.

Source: SharePartitionManager.java, DelayedShareFetch.java, ShareSession.java of Kafka 4.0; KIP-932.

Not modelled: `__share_group_state` as a replicated topic with share coordinators of its own: a
group's state stays on the disk of the partition's leader, so that a broker which comes to lead the
partition knows only what it wrote itself when it last led it.
"""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from simulator.cluster.later import LATER
from simulator.cluster.share_trace import tell
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.share_facts import Acquired, Fact, StateWritten
from simulator.protocol.share_messages import (
    CLOSES,
    OPENS,
    Acknowledgement,
    AcquiredRecords,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareFetched,
    ShareFetchRequest,
    ShareFetchResponse,
)
from simulator.protocol.share_partition import NEVER_US, SharePartition
from simulator.protocol.share_settings import ShareConfig, ShareGroupSettings, share_config

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker
    from simulator.world.kernel import Timer

JOURNAL = "__share_group_state/"  # No topic's journal begins so: a topic has no slash.
COMPACT_ABOVE = 1_024  # Facts in a journal before it is compacted.
WATCH_MS = 300_000
_NONE = Error.NONE
_NOBODY: Any = None  # Who asks for what is read at once.


class _Waiting:
    """A share fetch that waits; `said` is what became of its acknowledgements."""

    __slots__ = ("body", "connection", "correlation", "done", "said", "timer")

    def __init__(
        self, asked: "tuple[Asker, int]", body: ShareFetchRequest, said: dict[Any, Error]
    ) -> None:
        self.connection, self.correlation = asked
        self.body = body
        self.said = said
        self.done = False
        self.timer: Timer | None = None


class _Watch:
    """A fetch of the broker's own that waits at the log's end; it stands for a connection."""

    __slots__ = ("back", "busy", "called", "queue", "state")

    def __init__(self, called: Any) -> None:
        self.called = called
        self.back = self.state = self
        self.busy = False
        self.queue: deque[Any] = deque()

    def send(self, _: int, __: Any) -> None:
        """The answer: there is something, or the broker leads no more, or time is up."""
        self.called()


class _Driven:
    """One share partition, and what drives it."""

    __slots__ = ("compact_at", "epoch", "journal", "machine", "timer", "waiting", "watched")

    def __init__(self, machine: SharePartition, journal: Any, epoch: int) -> None:
        self.machine = machine
        self.journal = journal
        self.epoch = epoch
        self.timer: Timer | None = None
        self.waiting: list[_Waiting] = []
        self.watched = False
        self.compact_at = COMPACT_ABOVE


class SharePartitions:
    """The share partitions of one incarnation of a broker."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        self._driven: dict[tuple[str, TopicPartition], _Driven] = {}
        self._sessions: dict[tuple[str, str], int] = {}  # (group, member) -> the next epoch

    def config(self, group_id: str) -> ShareConfig:
        """What holds for a share group."""
        layout = self._broker.layout
        own = layout.share_groups.get(group_id, ShareGroupSettings())
        return share_config(layout.settings.share, own, f"share group {group_id}")

    def machine(self, group_id: str, where: TopicPartition) -> SharePartition | None:
        """The machine of a share partition, if it is loaded here."""
        driven = self._driven.get((group_id, where))
        return None if driven is None else driven.machine

    # --- Loading -----------------------------------------------------------------------------

    def _of(self, group_id: str, where: TopicPartition) -> _Driven | Error:
        """A share partition that this broker leads, brought up to its log's start."""
        refusal = self._broker.refusal(where)
        driven = self._driven.get((group_id, where))
        log = self._broker.partitions.get(where)
        if refusal is not None or log is None:
            if driven is not None:
                self._forget(group_id, where, driven)
            return refusal or Error.NOT_LEADER_OR_FOLLOWER
        if driven is not None and driven.epoch != log.leader_epoch:
            self._forget(group_id, where, driven)
            driven = self._driven.get((group_id, where))  # Who waited may have had it loaded.
        if driven is None:
            driven = self._load(group_id, where, log.leader_epoch)
        begun = driven.machine.decide_begin(log.log_start_offset, log.high_watermark)
        self._carry_out(driven, begun)
        return driven

    def _load(self, group_id: str, where: TopicPartition, epoch: int) -> _Driven:
        journal = self._node.disk.journal(f"{JOURNAL}{group_id}/{where}")
        machine = SharePartition(group_id, where, self.config(group_id))
        for fact in journal.facts:
            machine.apply(fact)
        self._node.record(("share_loaded", group_id, *where, machine.start_offset))
        driven = self._driven[group_id, where] = _Driven(machine, journal, epoch)
        return driven

    def _forget(self, group_id: str, where: TopicPartition, driven: _Driven) -> None:
        """Another leads it now, or this broker does anew: nobody knows what was acquired."""
        del self._driven[group_id, where]
        if driven.timer is not None:
            driven.timer.cancel()
        for waiting in tuple(driven.waiting):
            self._finish(waiting)

    # --- Requests ------------------------------------------------------------------------------

    def fetch(self, connection: "Asker", correlation: int, body: ShareFetchRequest) -> Any:
        """Acknowledge, then acquire; the answer comes later if there is nothing."""
        said = any(one.acknowledgements for one in body.partitions)
        error = self._enter(body.group_id, body.member_id, body.session_epoch)
        if error is _NONE and body.session_epoch == OPENS and said:
            error = Error.INVALID_REQUEST
        if error is not _NONE:
            return ShareFetchResponse(error)
        by_place = {one.partition: one.acknowledgements for one in body.partitions}
        answers = self._acknowledge(body.group_id, body.member_id, by_place)
        if self._broker.is_dead or (said and not self._node.point("after_append")):
            return LATER
        if body.session_epoch == CLOSES:
            self._release(body.group_id, body.member_id)
            results = tuple(ShareFetched(one, _NONE, error) for one, error in answers.items())
            return ShareFetchResponse(_NONE, 0, results)
        waiting = _Waiting((connection, correlation), body, answers)
        response, enough = self._look(waiting)
        if self._broker.is_dead:
            return LATER
        if enough or not body.max_wait_ms:
            return response
        self._hold(waiting)
        return LATER

    def acknowledge(self, _: "Asker", __: int, body: ShareAcknowledgeRequest) -> Any:
        """Acknowledge alone; with the last epoch, end the session too."""
        error = self._enter(body.group_id, body.member_id, body.session_epoch)
        if error is _NONE and body.session_epoch == OPENS:
            error = Error.INVALID_SHARE_SESSION_EPOCH
        if error is not _NONE:
            return ShareAcknowledgeResponse(error)
        answers = self._acknowledge(body.group_id, body.member_id, dict(body.partitions))
        if body.session_epoch == CLOSES:
            self._release(body.group_id, body.member_id)
        if self._broker.is_dead or not self._node.point("after_append"):
            return LATER
        return ShareAcknowledgeResponse(_NONE, tuple(answers.items()))

    def _enter(self, group_id: str, member_id: str, epoch: int) -> Error:
        """Find the session, and count its requests."""
        session = (group_id, member_id)
        if epoch == OPENS:
            self._sessions[session] = 1
            return _NONE
        expected = self._sessions.get(session)
        if expected is None:
            return Error.SHARE_SESSION_NOT_FOUND
        if epoch == CLOSES:
            del self._sessions[session]
            return _NONE
        if epoch != expected:
            return Error.INVALID_SHARE_SESSION_EPOCH
        self._sessions[session] = expected + 1
        return _NONE

    def _acknowledge(
        self,
        group_id: str,
        member_id: str,
        by_place: dict[TopicPartition, tuple[Acknowledgement, ...]],
    ) -> dict[TopicPartition, Error]:
        """What becomes of each partition's acknowledgements."""
        answers = {}
        for where, said in by_place.items():
            driven = self._of(group_id, where) if said else _NONE
            if isinstance(driven, Error):
                answers[where] = driven
                continue
            facts, error = driven.machine.decide_acknowledge(member_id, said)
            answers[where] = error
            if error is not _NONE:
                event = (group_id, *where, said[0].first, said[-1].last, member_id, error.name)
                self._node.record(("share_acknowledge_refused", *event))
            self._carry_out(driven, facts)
        for where, said in by_place.items():
            if said:
                self._offer(group_id, where)
        return answers

    def _release(self, group_id: str, member_id: str) -> None:
        """A session has ended: what its member holds here is let go."""
        for (group, where), driven in tuple(self._driven.items()):
            if group == group_id:
                self._carry_out(driven, driven.machine.decide_release(member_id))
                self._offer(group, where)

    # --- Acquiring -----------------------------------------------------------------------------

    def _look(self, waiting: _Waiting) -> tuple[ShareFetchResponse, bool]:
        """The answer as of now, and whether there is reason to give it now."""
        body = waiting.body
        left, enough = body.max_records, not body.partitions
        results = []
        lock_us = 0
        for where, max_bytes, _ in body.partitions:
            said = waiting.said.get(where, _NONE)
            driven = self._of(body.group_id, where) if max_bytes else _NONE
            if isinstance(driven, Error):
                results.append(ShareFetched(where, driven, said))
                enough = enough or driven is not _NONE
                continue
            batches, acquired = self._acquire(driven, body.member_id, max_bytes, left)
            left -= sum(one.last - one.first + 1 for one in acquired)
            enough = enough or bool(acquired)
            lock_us = driven.machine.config.lock_us
            results.append(ShareFetched(where, _NONE, said, batches, acquired))
        return ShareFetchResponse(_NONE, lock_us // MICROS_PER_MS, tuple(results)), enough

    def _acquire(
        self, driven: _Driven, member_id: str, max_bytes: int, most: int
    ) -> tuple[tuple[Any, ...], tuple[AcquiredRecords, ...]]:
        machine = driven.machine
        if most <= 0 or not machine.can_acquire:
            return (), ()
        offset = machine.next_fetch_offset
        read = self._read(machine.partition, offset, max_bytes)
        facts = machine.decide_acquire(
            member_id, offset, [one.next_offset for one in read], most, self._node.steady_us
        )
        self._carry_out(driven, facts)
        if not facts:
            return (), ()
        self._arm(driven)
        first, last = facts[0].first, facts[-1].last
        batches = tuple(one for one in read if one.next_offset > first and one.base_offset <= last)
        return batches, tuple(
            AcquiredRecords(one.first, one.last, one.delivery_count) for one in facts
        )

    def _read(self, where: TopicPartition, offset: int, max_bytes: int) -> tuple[Any, ...]:
        """Batches from an offset on, as any consumer would be answered at once."""
        asked = m.FetchPartition(where, offset, max_bytes)
        request = m.FetchRequest(0, 1, max_bytes, (asked,))
        response = self._broker.handlers[m.FetchRequest](_NOBODY, 0, request)
        return cast("tuple[Any, ...]", response.results[0].batches)

    # --- Waiting -------------------------------------------------------------------------------

    def _hold(self, waiting: _Waiting) -> None:
        body = waiting.body
        for one in body.partitions:
            driven = self._driven.get((body.group_id, one.partition))
            if driven is not None and one.max_bytes:
                driven.waiting.append(waiting)
                self._watch(body.group_id, driven)
        waiting.timer = self._node.after(body.max_wait_ms * MICROS_PER_MS, self._time_up, waiting)

    def _time_up(self, waiting: _Waiting) -> None:
        self._finish(waiting)

    def _finish(self, waiting: _Waiting, response: ShareFetchResponse | None = None) -> None:
        """Answer a fetch that waits; without an answer: look once more, and give that."""
        if waiting.done:
            return
        waiting.done = True
        body = waiting.body
        for one in body.partitions:
            driven = self._driven.get((body.group_id, one.partition))
            if driven is not None and waiting in driven.waiting:
                driven.waiting.remove(waiting)
        if waiting.timer is not None:
            waiting.timer.cancel()
        if response is None:
            response, _ = self._look(waiting)
        self._broker.answer(waiting.connection, waiting.correlation, response)

    def _offer(self, group_id: str, where: TopicPartition) -> None:
        """Something may be available: serve whoever has waited longest, until there is nothing."""
        driven = self._driven.get((group_id, where))
        while driven is not None and driven.waiting and not self._broker.is_dead:
            waiting = driven.waiting[0]
            response, enough = self._look(waiting)
            if not enough:
                self._watch(group_id, driven)
                return
            self._finish(waiting, response)
            driven = self._driven.get((group_id, where))

    def _watch(self, group_id: str, driven: _Driven) -> None:
        """Be told when the log has more."""
        machine = driven.machine
        if driven.watched or not machine.can_acquire:
            return
        where = machine.partition
        watch = _Watch(partial(self._seen, group_id, driven))
        asked = (m.FetchPartition(where, machine.next_fetch_offset, 1),)
        driven.watched = True
        handler = self._broker.handlers[m.FetchRequest]
        answer = handler(cast("Any", watch), 0, m.FetchRequest(WATCH_MS, 1, 1, asked))
        if answer is not LATER:
            # There is something, or an error: not within this call, which has just looked.
            self._node.after(0, lambda _: self._seen(group_id, driven))

    def _seen(self, group_id: str, driven: _Driven) -> None:
        driven.watched = False
        if driven.waiting:
            self._offer(group_id, driven.machine.partition)

    # --- Carrying out ----------------------------------------------------------------------------

    def _carry_out(self, driven: _Driven, facts: "tuple[Fact, ...]") -> None:
        machine, journal = driven.machine, driven.journal
        where = (machine.group_id, *machine.partition)
        for fact in facts:
            before = machine.start_offset
            machine.apply(fact)
            if isinstance(fact, StateWritten):
                journal.append(fact)
                for batch in fact.batches:
                    tell(self._node, where, batch)
            elif isinstance(fact, Acquired):
                self._node.record(("share_acquired", *where, *fact[:4]))
            if machine.start_offset != before:
                self._node.record(("share_start_moved", *where, machine.start_offset))
        if len(journal.facts) > driven.compact_at:
            journal.facts[:] = machine.hard_facts()
            journal.flush()  # A snapshot of the share coordinator.

    def _arm(self, driven: _Driven) -> None:
        """Be told when the first lock times out."""
        due_us = driven.machine.due_us
        if driven.timer is None and due_us < NEVER_US:
            delay_us = max(due_us - self._node.steady_us, 0)
            driven.timer = self._node.after(delay_us, self._expired, driven)

    def _expired(self, driven: _Driven) -> None:
        driven.timer = None
        machine = driven.machine
        self._carry_out(driven, machine.decide_time(self._node.steady_us))
        self._arm(driven)
        self._offer(machine.group_id, machine.partition)
