"""The group coordinators of a broker: one machine a group, its timers, and its log.

1. A group belongs to one partition of `__consumer_offsets`; whoever leads that coordinates it. When
   a broker begins to lead it, every group in it is loaded from its log; when it ceases to, whoever
   waits is told so, and the group is forgotten here.
2. What a step decides is written before anybody hears of it. Where the log has replicas its facts
   count in the coordinator's memory at once, and answers wait until all that was written before
   them is committed (CoordinatorRuntime.java). What the log does not take is not decided: its
   requester is refused, and a timer is looked at again after half a second.
3. A commit is told to the trace when it is committed.

Not modelled here: offsets.commit.timeout.ms (an answer waits until its write is committed, or
another broker leads); requests that could be decided without a write are refused with those that
could not, while a log takes nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinated import SAID, Commit, Driven, Shard, failed, refused
from simulator.cluster.coordinator_log import NO_PRODUCER, CoordinatorLog
from simulator.cluster.group_events import TOLD, member_reconciled
from simulator.cluster.group_transactions import GroupTransactions
from simulator.cluster.internal_topics import OFFSETS
from simulator.cluster.later import LATER
from simulator.protocol import messages as m
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
)
from simulator.protocol.consumer_group_state import TopicsKnown
from simulator.protocol.coordinated_group import HARD, CoordinatedGroup
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_state import (
    OffsetsCommitted,
    RetentionCheck,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    Unload,
)
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker

NOT_WRITTEN: Any = object()  # A timer's step that the log has refused.
TIMER_AGAIN_US = 500 * MICROS_PER_MS  # CoordinatorRuntime.CoordinatorTimerImpl, retryBackoff
_NONE = Error.NONE


class Coordinators:
    """Every group that a broker coordinates."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        settings = broker.layout.settings
        self._config = settings.group
        self._rules = Rules(config=settings.consumer_group, classic=settings.group)
        self._tells_commits = self._node.trace.wants("offset_committed")
        self._groups: dict[str, Driven] = {}
        self._shards: dict[TopicPartition, Shard] = {}
        self._looks = False
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = dict.fromkeys(
            (
                m.JoinGroupRequest,
                m.SyncGroupRequest,
                m.HeartbeatRequest,
                m.LeaveGroupRequest,
                m.OffsetFetchRequest,
                ConsumerGroupDescribeRequest,
            ),
            self.request,
        )
        self.handlers[m.OffsetCommitRequest] = self._commit
        self.handlers[ConsumerGroupHeartbeatRequest] = self._heartbeat
        self.transactions = GroupTransactions(broker, self)
        self.handlers[TxnOffsetCommitRequest] = self.transactions.commit
        broker.logs.watch(OFFSETS, self._elected, self._resigned)

    def group(self, group_id: str) -> CoordinatedGroup | None:
        """The machine of a group, if there is one here."""
        driven = self._groups.get(group_id)
        return driven.machine if driven else None

    # --- Leading and not leading -----------------------------------------------------------------

    def _elected(self, log: CoordinatorLog) -> None:
        shard = self._shards[log.where] = Shard(log)
        for group_id, fact in log.read():
            shard.written += 1
            if type(fact) is TransactionEnded:
                for driven in shard.groups.values():
                    driven.machine.apply(fact)
            else:
                driven = shard.groups.get(group_id) or self._driven(group_id, shard)
                driven.machine.apply(fact)
        for driven in shard.groups.values():
            self._carry_out(driven, driven.machine.recover(self._node.now_us), None)
            self._trace_loaded(driven)

    def _resigned(self, where: TopicPartition) -> None:
        shard = self._shards.pop(where)
        for group_id, driven in shard.groups.items():
            del self._groups[group_id]
            for timer in driven.timers.values():
                timer.cancel()
            for effect in driven.machine.decide(Unload(), self._node.now_us).effects:
                if type(effect) is Reply:
                    connection, correlation = effect.to
                    self._broker.answer(connection, correlation, effect.body)

    def _driven(self, group_id: str, shard: Shard) -> Driven:
        """A group that nothing is known of yet."""
        # What no earlier life of its coordinator had: of this broker, or of any.
        life = self._node.incarnation if shard.log.alone else shard.log.epoch
        machine = CoordinatedGroup(group_id, self._rules, life, self._broker.topic_sizes())
        driven = self._groups[group_id] = shard.groups[group_id] = Driven(group_id, machine, shard)
        self._look_at_retention()
        return driven

    def _of(self, group_id: str) -> Driven | None:
        """A group's machine; None: another broker coordinates it."""
        where = self._broker.layout.coordinator_partition(OFFSETS, group_id)
        log = self._broker.logs.of(OFFSETS, where.partition)
        if log is None:
            return None
        known = self._groups.get(group_id)  # Reading the log may have brought it.
        return known or self._driven(group_id, self._shards[where])

    def shard(self, where: TopicPartition) -> Shard | None:
        """A partition that this broker leads, with its groups; None: it does not."""
        log = self._broker.logs.of(where.topic, where.partition)
        return None if log is None else self._shards[where]

    # --- Requests --------------------------------------------------------------------------------

    def request(self, connection: "Asker", correlation: int, body: Any) -> Any:
        """Answer a member or a producer, or LATER."""
        driven = self._groups.get(body.group_id) or self._of(body.group_id)
        if driven is None:
            return refused(body, Error.NOT_COORDINATOR)
        request = Request((connection, correlation), body, connection.client.name)
        return self._carry_out(driven, driven.machine.decide(request, self._node.now_us), request)

    def _heartbeat(
        self, connection: "Asker", correlation: int, body: ConsumerGroupHeartbeatRequest
    ) -> Any:
        """Answer a member of a consumer group, which looks at the topics there are meanwhile."""
        driven = self._groups.get(body.group_id) or self._of(body.group_id)
        sizes = self._broker.topic_sizes()
        if driven is not None and driven.machine.topics != sizes:
            known = TopicsKnown(tuple(sizes.items()))
            self._carry_out(driven, driven.machine.decide(known, self._node.now_us), None)
        return self.request(connection, correlation, body)

    def _commit(
        self, connection: "Asker", correlation: int, body: m.OffsetCommitRequest
    ) -> Any:
        """The hot path: some commit every record."""
        group_id = body[0]
        driven = self._groups.get(group_id) or self._of(group_id)
        if driven is None:
            return refused(body, Error.NOT_COORDINATOR)
        machine, shard = driven.machine.machine, driven.shard
        if type(machine) is not Group:
            request = Request((connection, correlation), body, connection.client.name)
            step = driven.machine.decide(request, self._node.now_us)
            told = step.effects[0]
            if not step.facts and type(told) is Reply:
                self._trace_refused(body, told.body)
            return self._carry_out(driven, step, request)
        answer: Any  # Or LATER.
        facts, answer, timer = machine.decide_commit(body, self._node.now_us)
        if not facts:
            self._trace_refused(body, answer)
            return answer
        alone = shard.log.alone
        if not alone:
            commit = Commit(self, group_id, facts, (connection, correlation), answer)
            error = shard.log.append(((group_id, commit.fact),), commit)
            if error is not _NONE:
                return refused(body, SAID.get(error, Error.COORDINATOR_NOT_AVAILABLE))
            if not commit.done:
                commit.waits, answer = True, LATER
        for fact in facts:
            machine.apply(fact)
            kind = fact.__class__
            if kind is OffsetsCommitted:
                if alone:
                    shard.log.append(((group_id, fact),), _nothing)
                    self._trace_commit(group_id, fact)
            elif kind in TOLD:
                self._node.record(TOLD[kind](group_id, fact))
        shard.wrote(1)
        if timer is not None:
            self._set_timer(driven, timer)
        return answer

    def committed(self, commit: Commit, error: Error) -> None:
        """A commit is committed, or will not be."""
        if error is _NONE:
            self._trace_commit(commit.group_id, commit.fact)
        if commit.waits:
            answer = commit.answer
            if error is not _NONE:
                answer = failed(answer, SAID.get(error, Error.COORDINATOR_NOT_AVAILABLE))
            self._broker.answer(*commit.to, answer)

    # --- Carrying out ----------------------------------------------------------------------------

    def _carry_out(self, driven: Driven, step: Step, request: Request | None) -> Any:
        """Write and make true what was decided, and answer; the answer to `request`, or LATER."""
        group_id, log = driven.group_id, driven.shard.log
        hard = [fact for fact in step.facts if type(fact) in HARD]
        if hard:
            error = self._write(driven, hard)
            if error is not _NONE:
                return self._not_written(request, error)
        for fact in step.facts:
            driven.machine.apply(fact)
            event = TOLD.get(type(fact))
            if event is not None:
                self._node.record(event(group_id, fact))
        driven.shard.wrote(len(hard))
        replies: list[Reply] = []
        for effect in step.effects:
            if type(effect) is Reply:
                replies.append(effect)
            elif type(effect) is SetTimer:
                self._set_timer(driven, effect)
            elif type(effect) is CancelTimer:
                timer = driven.timers.pop(effect.name, None)
                if timer is not None:
                    timer.cancel()
        return self._answer(log, replies, request) if replies else LATER

    def _write(self, driven: Driven, hard: list[Any]) -> Error:
        """Write a step's hard facts; commits among them are told when they are committed."""
        group_id = driven.group_id
        commits = [fact for fact in hard if type(fact) is OffsetsCommitted]
        producer = NO_PRODUCER
        if type(hard[0]) is TransactionalOffsetsCommitted:
            producer = (hard[0].producer_id, hard[0].producer_epoch)

        def committed(error: Error) -> None:
            if error is _NONE:
                for fact in commits:
                    self._trace_commit(group_id, fact)

        return driven.shard.log.append([(group_id, fact) for fact in hard], committed, producer)

    @staticmethod
    def _not_written(request: Request | None, error: Error) -> Any:
        """The log has taken nothing: so nothing was decided."""
        if request is None:
            return NOT_WRITTEN
        return refused(request.body, SAID.get(error, Error.COORDINATOR_NOT_AVAILABLE))

    def _answer(self, log: CoordinatorLog, replies: list[Reply], request: Request | None) -> Any:
        """Answer when all that was written so far is committed; the own answer if that is now."""
        first = replies[0]
        if log.alone and len(replies) == 1 and request is not None and first.to is request.id:
            return first.body  # Most are such.
        own: Any = LATER
        waits = False

        def settled(error: Error) -> None:
            nonlocal own
            said = SAID.get(error, Error.COORDINATOR_NOT_AVAILABLE)
            mine = []
            for one in replies:
                body = one.body if error is _NONE else failed(one.body, said)
                if request is not None and one.to is request.id and not waits:
                    own = body
                else:
                    mine.append((one.to, body))
            # Last, because an answer lets its connection's next request in, which finds all done.
            for (connection, correlation), body in mine:
                self._broker.answer(connection, correlation, body)

        log.settle(settled)
        waits = True
        return own

    def end_transaction(self, driven: Driven, ended: TransactionEnded) -> list[tuple[Any, ...]]:
        """A marker was written: what was staged is void, or counts; events of what counts now."""
        machine, group_id = driven.machine, driven.group_id
        staged = machine.staged(ended.producer_id) if ended.result == "commit" else ()
        for fact in machine.decide(ended, self._node.now_us).facts:
            machine.apply(fact)
        now = [one for one in staged if machine.committed(one.partition) == one]
        return [("offset_committed", group_id, *one.partition, one.offset, "", -1) for one in now]

    # --- Time ------------------------------------------------------------------------------------

    def _set_timer(self, driven: Driven, effect: SetTimer) -> None:
        self._arm(driven, effect.name, effect.least_us)

    def _arm(self, driven: Driven, name: Any, delay_us: int) -> None:
        old = driven.timers.pop(name, None)
        if old is not None:
            old.cancel()
        driven.timers[name] = self._node.after(delay_us, self._expired, (driven, name))

    def _expired(self, what: tuple[Driven, Any]) -> None:
        driven, name = what
        driven.timers.pop(name, None)
        step = driven.machine.decide(Timer(name), self._node.now_us)
        if self._carry_out(driven, step, None) is NOT_WRITTEN:
            self._arm(driven, name, TIMER_AGAIN_US)

    def _look_at_retention(self, due: Any = None) -> None:
        """Every offsets.retention.check.interval.ms each group may forget old offsets."""
        if due is None and self._looks:
            return
        self._looks = True
        if due is not None:
            for driven in list(self._groups.values()):
                step = driven.machine.decide(RetentionCheck(), self._node.now_us)
                self._carry_out(driven, step, None)
        interval_us = self._config.offsets_retention_check_interval_ms * MICROS_PER_MS
        self._node.after(interval_us, self._look_at_retention, True)

    # --- Telling ---------------------------------------------------------------------------------

    def _trace_loaded(self, driven: Driven) -> None:
        node, group_id, machine = self._node, driven.group_id, driven.machine.machine
        members = tuple([one.member_id for one in machine.members])
        if isinstance(machine, Group):
            node.record(("group_loaded", group_id, "classic", machine.generation, members))
            return
        node.record(("group_loaded", group_id, "consumer", machine.group_epoch, members))
        for one in machine.members:
            node.record(member_reconciled(group_id, one))

    def _trace_commit(self, group_id: str, fact: OffsetsCommitted) -> None:
        node = self._node
        member_id, generation, offsets, _ = fact
        if not self._tells_commits:
            node.trace.seq += len(offsets)
            return
        for (topic, partition), offset, _, _ in offsets:
            event = ("offset_committed", group_id, topic, partition, offset, member_id, generation)
            node.trace.record(node.kernel._now, node.name, (), event)  # noqa: SLF001

    def _trace_refused(self, body: m.OffsetCommitRequest, answer: m.OffsetCommitResponse) -> None:
        offsets = {one.partition: one.offset for one in body.offsets}
        for where, error in answer.results:
            if error is not _NONE:
                self._node.record(
                    ("commit_refused", body.group_id, where.topic, where.partition,
                     offsets[where], body.member_id, body.generation, error.name)
                )


def _nothing(_: Error) -> None:
    """Whoever appends where it counts at once need not be told."""
