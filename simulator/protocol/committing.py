"""Offsets committed to a group, and asked back from it.

1. A synchronous commit is sent again after every retriable failure until default.api.timeout.ms;
   an asynchronous one is never sent again, so that an older one cannot overtake a newer.
2. Callbacks of asynchronous commits run inside the application's next call, in order, and before
   a synchronous commit returns.
3. A subscribed consumer commits only as a member of a stable generation; one that knows itself to
   be outside does not even ask.

What an answer means (ConsumerCoordinator.OffsetCommitResponseHandler):

    UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION   CommitFailed, and rejoin; RebalanceInProgress if it is
                                            rejoining already since it sent the commit
    REBALANCE_IN_PROGRESS                   RebalanceInProgress, and rejoin
    FENCED_INSTANCE_ID                      FencedInstance, for good
    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, REQUEST_TIMED_OUT, no answer
                                            look the coordinator up, and try again
    COORDINATOR_LOAD_IN_PROGRESS, UNKNOWN_TOPIC_OR_PARTITION
                                            try again
    UNSTABLE_OFFSET_COMMIT (of what is committed)
                                            try again: a transaction is about to commit there

4. A commit of positions carries the leader epoch of the last record before each; a commit of the
   application's own offsets carries none (KIP-320).
5. In a group of KIP-848 a commit carries the member's epoch, or none when it has none, and is sent
   whatever the member is about: rule 3 and rejoining are not for it. STALE_MEMBER_EPOCH and
   UNKNOWN_MEMBER_ID mean CommitFailed.

Not modelled: commit metadata, leader epochs given by the application, interceptors.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from simulator.errors import (
    CommitFailed,
    FencedInstance,
    KafkaError,
    RebalanceInProgress,
    RequestTimedOut,
    RetriableError,
)
from simulator.protocol.attempts import Attempt
from simulator.protocol.consumer_membership import ConsumerMembership
from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.lookup import COORDINATOR_GONE, Lookup
from simulator.protocol.membership import Generation, Membership, MemberState
from simulator.protocol.messages import (
    CommittedOffset,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from simulator.protocol.names import NO_GENERATION, TopicPartition
from simulator.protocol.positions import Consumed, Positions
from simulator.protocol.wire import NEVER, CallBack, Failed, Finished, Happened, Wire

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE  # An enum's member costs a look-up in its class.

Offsets = dict[TopicPartition, int]
Done = Callable[[KafkaError | None, int], None]
Got = Callable[[Consumed | KafkaError, int], None]


class Committing:
    """A consumer's commits.

    Attributes:
        waiting: what the application waits for: synchronous commits, and what is committed.
        in_flight: how many asynchronous commits have no answer yet.
        has_news: whether `run_callbacks` has something to do.
        stable: what is committed is not told while a transaction may change it (KIP-447).
    """

    def __init__(
        self,
        wire: Wire,
        lookup: Lookup,
        membership: Membership | ConsumerMembership,
        positions: Positions,
        instance_id: str | None,
    ) -> None:
        self.wire = wire
        self._lookup = lookup
        self._membership = membership
        self._positions = positions
        self._instance_id = instance_id
        self.waiting: list[Attempt] = []
        self._completed: deque[CallBack] = deque()
        self.in_flight = 0
        self.has_news = False
        self.stable = True
        self._fenced: FencedInstance | None = None

    # --- Synchronous ------------------------------------------------------------------------

    def sync(self, offsets: Offsets, give_up_us: int, now_us: int, done: Done) -> None:
        """Commit, again and again if need be; `done` is told None, or the error."""
        if offsets:
            self.start(Attempt(self, offsets, self._commit_once, give_up_us, done), now_us)
        else:
            done(None, now_us)

    def commit(self, call: Any, offsets: Offsets, give_up_us: int, now_us: int) -> None:
        """`sync` for a call of the application, which finishes with None or fails."""

        def done(error: KafkaError | None, _: int) -> None:
            if self.has_news:
                try:
                    self.run_callbacks()
                except KafkaError as fenced:
                    error = error or fenced
            ended = _new(Finished, (call, None)) if error is None else Failed(call, error)
            self.wire.outbox.append(ended)

        if self.has_news:
            self.run_callbacks()
        self.sync(offsets, give_up_us, now_us, done)

    def _commit_once(self, attempt: Attempt, now_us: int) -> None:
        lookup = self._lookup
        if lookup.node is None:
            attempt.busy = False
            lookup.find(now_us)
            return
        offsets: Offsets = attempt.subject
        membership = self._membership
        if membership.state is not MemberState.STABLE:
            outside = self._outside(offsets)
            if outside is not None:
                attempt.outcome(outside, now_us)
                return
        attempt.sent = membership.now
        lookup.ask(self._request(offsets), attempt.committed)

    def get(
        self, partitions: Iterable[TopicPartition], give_up_us: int, now_us: int, got: Got
    ) -> None:
        """Ask what is committed, again and again if need be; see `fetch`."""
        self.start(Attempt(self, tuple(partitions), self._get_once, give_up_us, got), now_us)

    def tell(
        self, call: Any, partitions: tuple[TopicPartition, ...], give_up_us: int, now_us: int
    ) -> None:
        """`get` for a call of the application: a dict, None where nothing is committed."""

        def got(result: Consumed | KafkaError, _: int) -> None:
            if isinstance(result, KafkaError):
                self.wire.outbox.append(Failed(call, result))
            else:
                found = {one: result.get(one) for one in partitions}
                self.wire.outbox.append(Finished(call, found))

        self.get(partitions, give_up_us, now_us, got)

    def _get_once(self, attempt: Attempt, now_us: int) -> None:
        if self._lookup.node is None:
            attempt.busy = False
            self._lookup.find(now_us)
        else:
            self.fetch(attempt.subject, attempt.outcome)

    def start(self, attempt: Attempt, now_us: int) -> None:
        """Try until it is over; the application waits."""
        self.waiting.append(attempt)
        self.wire.wake_us = min(self.wire.wake_us, attempt.give_up_us)
        attempt.go_on(now_us)

    def go_on(self, now_us: int) -> None:
        """Something has changed, or time has passed: try what can be tried."""
        for attempt in tuple(self.waiting):
            attempt.go_on(now_us)

    def due_us(self, now_us: int) -> int:
        """When to `go_on`."""
        return min((attempt.due_us(now_us) for attempt in self.waiting), default=NEVER)

    # --- Asynchronous -----------------------------------------------------------------------

    def send_async(self, offsets: Offsets, now_us: int, done: Done) -> None:
        """Commit once; `done` is told None or the error when the answer comes."""
        self.in_flight += 1

        def answered(error: KafkaError | None, at_us: int) -> None:
            self.in_flight -= 1
            done(error, at_us)

        def found(coordinator: str | None, at_us: int) -> None:
            if coordinator is not None:
                self._send(offsets, at_us, answered)
            else:
                unsent = RetriableError("COORDINATOR_NOT_AVAILABLE: the commit was not sent")
                answered(unsent, at_us)

        if not offsets:
            answered(None, now_us)
        elif self._lookup.node is None:
            self._lookup.find(now_us, found)
        else:
            self._send(offsets, now_us, answered)

    def commit_async(self, offsets: Offsets, callback: Any, now_us: int) -> None:
        """As the application asks for it: its callback waits for the next call."""

        def done(error: KafkaError | None, _: int) -> None:
            self._completed.append(CallBack(callback, offsets, error))
            if isinstance(error, FencedInstance):
                self._fenced = error
            self.has_news = True

        self.send_async(offsets, now_us, done)

    def run_callbacks(self) -> None:
        """The application is inside a call: run the callbacks of what has been answered.

        Raises:
            FencedInstance: one of the answers said so.
        """
        if self._fenced is not None:
            raise self._fenced
        self.has_news = False
        while self._completed:
            callback = self._completed.popleft()
            if callback.callback is not None:
                self.wire.outbox.append(callback)

    # --- One request ------------------------------------------------------------------------

    def _send(self, offsets: Offsets, now_us: int, done: Done) -> None:
        outside = self._outside(offsets)
        if outside is not None:
            done(outside, now_us)
            return
        sent = self._membership.now
        self._lookup.ask(
            self._request(offsets),
            lambda body, at_us: done(self.committed(offsets, sent, body), at_us),
        )

    def _outside(self, offsets: Offsets) -> KafkaError | None:
        """Why this client must not even ask, or None: see rule 3."""
        membership = self._membership
        if membership.state is MemberState.STABLE or not self._positions.subscribed:
            return None
        if isinstance(membership, ConsumerMembership):
            return None  # Rule 5.
        if membership.rebalancing:
            self._note(offsets, "REBALANCE_IN_PROGRESS")
            return RebalanceInProgress("REBALANCE_IN_PROGRESS: poll, then commit again")
        self._note(offsets, "UNKNOWN_MEMBER_ID")
        return CommitFailed("UNKNOWN_MEMBER_ID: this consumer is not in the group")

    def _request(self, offsets: Offsets) -> OffsetCommitRequest:
        membership = self._membership
        number, member_id, _ = membership.now
        if not self._positions.subscribed:
            number, member_id = NO_GENERATION, ""
        asked: list[CommittedOffset] = []
        epochs = offsets.epochs if isinstance(offsets, Consumed) else {}
        for where, offset in offsets.items():
            asked.append(_new(CommittedOffset, (where, offset, epochs.get(where, NO_EPOCH), "")))
        fields = (membership.group_id, number, member_id, tuple(asked), self._instance_id)
        return _new(OffsetCommitRequest, fields)

    def committed(
        self, offsets: Offsets, sent: Generation, body: OffsetCommitResponse | None
    ) -> KafkaError | None:
        """What an answer means for the commit: None, it is done."""
        group = self._lookup.group_id
        outbox = self.wire.outbox
        if body is None:
            self._note(offsets, Error.NETWORK_EXCEPTION.name)
            self._lookup.lose(disconnected=True)
            return RequestTimedOut("NETWORK_EXCEPTION: the commit may have been done")
        first = _NONE
        for where, error in body.results:
            name = "NONE"
            if error is not _NONE:
                name = error.name
                if first is _NONE:
                    first = error
            event = ("commit_answered", group, *where, offsets[where], name)
            outbox.append(_new(Happened, (event,)))
        return None if first is _NONE else self._refused(first, sent)

    def _note(self, offsets: Offsets, error: str) -> None:
        for (topic, partition), offset in offsets.items():
            event = ("commit_answered", self._lookup.group_id, topic, partition, offset, error)
            self.wire.outbox.append(Happened(event))

    def _refused(self, error: Error, sent: Generation) -> KafkaError:
        membership = self._membership
        if isinstance(membership, ConsumerMembership):
            meant = membership.commit_refused(error)
            return self._failed(error) if meant is None else CommitFailed(f"{error.name}: {meant}")
        unchanged = membership.now == sent
        rejoining = not unchanged and membership.state is MemberState.PREPARING
        moved_on = RebalanceInProgress(f"{error.name}: poll, then commit again")
        if error is Error.REBALANCE_IN_PROGRESS:
            membership.rejoin_needed = True
            return moved_on
        if error in (Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION):
            if rejoining:
                return moved_on
            membership.reset(member_too=error is Error.UNKNOWN_MEMBER_ID)
            return CommitFailed(f"{error.name}: the group has moved on without this member")
        if error is Error.FENCED_INSTANCE_ID:
            if unchanged:
                return FencedInstance(f"{error.name}: {self._instance_id}")
            return moved_on if rejoining else CommitFailed(f"{error.name}: an old generation's")
        return self._failed(error)

    def _failed(self, error: Error) -> KafkaError:
        if error in COORDINATOR_GONE or error is Error.REQUEST_TIMED_OUT:
            self._lookup.lose()
        if error.retriable:
            return RetriableError(f"{error.name}: the commit was not done")
        return KafkaError(f"{error.name}: the commit was refused")

    # --- What is committed --------------------------------------------------------------------

    def fetch(self, partitions: tuple[TopicPartition, ...], got: Got) -> None:
        """Ask the coordinator once what is committed; a partition without a commit is left out."""

        def answered(body: OffsetFetchResponse | None, now_us: int) -> None:
            got(self._fetched(body), now_us)

        request = OffsetFetchRequest(self._lookup.group_id, partitions, self.stable)
        self._lookup.ask(request, answered)

    def _fetched(self, body: OffsetFetchResponse | None) -> Consumed | KafkaError:
        if body is None:
            self._lookup.lose(disconnected=True)
            return RequestTimedOut("NETWORK_EXCEPTION: what is committed was not told")
        error = body.error
        if error is Error.NONE and body.errors:
            where, error = body.errors[0]
            if error.retriable:
                return RetriableError(f"{error.name}: what is committed for {where} was not told")
        elif error is Error.NONE:
            committed = Consumed()
            for one in body.offsets:
                if one.offset >= 0:
                    committed[one.partition] = one.offset
                    committed.epochs[one.partition] = one.leader_epoch
            return committed
        if error in COORDINATOR_GONE:
            self._lookup.lose()
        if error.retriable:
            return RetriableError(f"{error.name}: what is committed was not told")
        return KafkaError(f"{error.name}: what is committed was not told")
