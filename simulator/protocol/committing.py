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

Not modelled: commit metadata and leader epochs, interceptors.
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
from simulator.protocol.errors import Error
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
from simulator.protocol.wire import NEVER, CallBack, Happened, Wire

Offsets = dict[TopicPartition, int]
Done = Callable[[KafkaError | None, int], None]
Got = Callable[[dict[TopicPartition, int] | KafkaError, int], None]


class Attempt:
    """Something tried again until it succeeds, fails for good, or its time is up.

    try_once: starts one attempt; it tells `outcome` how that went.
    """

    __slots__ = ("_attempts", "_end", "_give_up_us", "_try_once", "_wire", "busy", "try_at_us")

    def __init__(
        self,
        wire: Wire,
        give_up_us: int,
        try_once: Callable[["Attempt", int], None],
        end: Callable[[Any, int], None],
    ) -> None:
        self._wire = wire
        self._give_up_us = give_up_us
        self._try_once = try_once
        self._end = end
        self._attempts = 0
        self.busy = False
        self.try_at_us = 0

    def go_on(self, now_us: int) -> bool:
        """Try again if it is time to; whether it is over."""
        if now_us >= self._give_up_us:
            self._try_once = _never_again
            self._end(RequestTimedOut("REQUEST_TIMED_OUT: default.api.timeout.ms is over"), now_us)
            return True
        if not self.busy and now_us >= self.try_at_us:
            self.busy = True
            self._try_once(self, now_us)
        return False

    def outcome(self, result: Any, now_us: int) -> bool:
        """An attempt ended with a value or an error; whether that was the last one."""
        if self._try_once is _never_again:
            return True
        self.busy = False
        if (
            result is not None
            and isinstance(result, RetriableError)
            and not isinstance(result, RebalanceInProgress)
        ):
            self.try_at_us = now_us + self._wire.backoff_us(self._attempts)
            self._attempts += 1
            self._wire.want(min(self.try_at_us, self._give_up_us))
            return False
        self._try_once = _never_again
        self._end(result, now_us)
        return True

    def due_us(self, now_us: int) -> int:
        """When to go on, if no answer comes before."""
        if self.busy or self.try_at_us <= now_us:
            return self._give_up_us
        return min(self.try_at_us, self._give_up_us)


def _never_again(_: Attempt, __: int) -> None:
    """What is over is not tried."""


class Committing:
    """A consumer's commits.

    Attributes:
        waiting: what the application waits for: synchronous commits, and what is committed.
        in_flight: how many asynchronous commits have no answer yet.
        has_news: whether `run_callbacks` has something to do.
    """

    def __init__(
        self,
        wire: Wire,
        lookup: Lookup,
        membership: Membership,
        subscribed: Callable[[], bool],
        instance_id: str | None,
    ) -> None:
        self._wire = wire
        self._lookup = lookup
        self._membership = membership
        self._subscribed = subscribed
        self._instance_id = instance_id
        self.waiting: list[Attempt] = []
        self._completed: deque[CallBack] = deque()
        self.in_flight = 0
        self.has_news = False
        self._fenced: FencedInstance | None = None

    # --- Synchronous ------------------------------------------------------------------------

    def sync(self, offsets: Offsets, give_up_us: int, now_us: int, done: Done) -> None:
        """Commit, again and again if need be; `done` is told None, or the error."""
        if not offsets:
            done(None, now_us)
            return

        def try_once(attempt: Attempt, at_us: int) -> None:
            if self._lookup.node is None:
                attempt.busy = False
                self._lookup.find(at_us)
                return
            self._send(offsets, at_us, lambda error, then_us: self._over(attempt, error, then_us))

        self._start(Attempt(self._wire, give_up_us, try_once, done), give_up_us, now_us)

    def get(
        self, partitions: Iterable[TopicPartition], give_up_us: int, now_us: int, got: Got
    ) -> None:
        """Ask what is committed, again and again if need be; see `fetch`."""
        wanted = tuple(partitions)

        def try_once(attempt: Attempt, at_us: int) -> None:
            if self._lookup.node is None:
                attempt.busy = False
                self._lookup.find(at_us)
                return
            self.fetch(wanted, lambda result, then_us: self._over(attempt, result, then_us))

        self._start(Attempt(self._wire, give_up_us, try_once, got), give_up_us, now_us)

    def _start(self, attempt: Attempt, give_up_us: int, now_us: int) -> None:
        self.waiting.append(attempt)
        self._wire.want(give_up_us)
        if attempt.go_on(now_us) and attempt in self.waiting:
            self.waiting.remove(attempt)

    def _over(self, attempt: Attempt, result: Any, now_us: int) -> None:
        if attempt.outcome(result, now_us) and attempt in self.waiting:
            self.waiting.remove(attempt)

    def go_on(self, now_us: int) -> None:
        """Something has changed, or time has passed: try what can be tried."""
        for attempt in tuple(self.waiting):
            if attempt.go_on(now_us) and attempt in self.waiting:
                self.waiting.remove(attempt)

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
                self._wire.outbox.append(callback)

    # --- One request ------------------------------------------------------------------------

    def _send(self, offsets: Offsets, now_us: int, done: Done) -> None:
        membership = self._membership
        if self._subscribed():
            if membership.state is not MemberState.STABLE:
                outside: KafkaError
                if membership.rebalancing:
                    outside = RebalanceInProgress("REBALANCE_IN_PROGRESS: poll, then commit again")
                    self._note(offsets, "REBALANCE_IN_PROGRESS")
                else:
                    outside = CommitFailed("UNKNOWN_MEMBER_ID: this consumer is not in the group")
                    self._note(offsets, "UNKNOWN_MEMBER_ID")
                done(outside, now_us)
                return
            sent = membership.now
            number, member_id = sent.number, sent.member_id
        else:
            sent = membership.now
            number, member_id = NO_GENERATION, ""
        request = OffsetCommitRequest(
            membership.group_id,
            number,
            member_id,
            tuple([CommittedOffset(one, offset) for one, offset in offsets.items()]),
            self._instance_id,
        )
        self._lookup.ask(
            request, lambda body, at_us: done(self._committed(offsets, sent, body), at_us)
        )

    def _committed(
        self, offsets: Offsets, sent: Generation, body: OffsetCommitResponse | None
    ) -> KafkaError | None:
        group = self._lookup.group_id
        outbox = self._wire.outbox
        if body is None:
            self._note(offsets, Error.NETWORK_EXCEPTION.name)
            self._lookup.lose(disconnected=True)
            return RequestTimedOut("NETWORK_EXCEPTION: the commit may have been done")
        first = Error.NONE
        for where, error in body.results:
            name = "NONE"
            if error is not Error.NONE:
                name = error.name
                if first is Error.NONE:
                    first = error
            outbox.append(Happened(("commit_answered", group, *where, offsets[where], name)))
        return None if first is Error.NONE else self._refused(first, sent)

    def _note(self, offsets: Offsets, error: str) -> None:
        for (topic, partition), offset in offsets.items():
            event = ("commit_answered", self._lookup.group_id, topic, partition, offset, error)
            self._wire.outbox.append(Happened(event))

    def _refused(self, error: Error, sent: Generation) -> KafkaError:
        membership = self._membership
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

        request = OffsetFetchRequest(self._lookup.group_id, partitions, require_stable=True)
        self._lookup.ask(request, answered)

    def _fetched(self, body: OffsetFetchResponse | None) -> dict[TopicPartition, int] | KafkaError:
        if body is None:
            self._lookup.lose(disconnected=True)
            return RequestTimedOut("NETWORK_EXCEPTION: what is committed was not told")
        error = body.error
        if error is Error.NONE:
            return {one.partition: one.offset for one in body.offsets if one.offset >= 0}
        if error in COORDINATOR_GONE:
            self._lookup.lose()
        if error.retriable:
            return RetriableError(f"{error.name}: what is committed was not told")
        return KafkaError(f"{error.name}: what is committed was not told")
