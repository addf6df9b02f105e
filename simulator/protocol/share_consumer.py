"""A share consumer, as a machine: poll, acknowledge, commit, close.

1. Records come in no promised order, and may come again, to whoever: a share group keeps no
   positions. What became of each is acknowledged.
2. With share.acknowledgement.mode=implicit the next poll, or a commit, accepts all that the last
   poll gave. With explicit the application acknowledges each record (accept, release, reject)
   before it polls again; what it has said goes out with the next poll, commit or close.
3. poll gives what has arrived; only when nothing has, it asks the leaders of what is assigned.
4. close says what was acknowledged, ends the sessions, by which everything else that is held is
   released, and leaves the group. What the last poll gave, and nobody acknowledged, is released.
5. Whether an acknowledgement was refused is told by commit_sync, or to the callback, as soon as it
   is known: the lock may have timed out, and another may have the record.

Source: ShareConsumerImpl.java, ShareConsumeRequestManager.java; KIP-932. Share groups are in early
access in Apache Kafka 4.0, where the first acknowledge() chose the mode; here it is a setting.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.errors import BadInput, KafkaError, RequestTimedOut
from simulator.protocol.errors import Error
from simulator.protocol.fetching import ConsumerRecord
from simulator.protocol.leaders import Leaders
from simulator.protocol.lookup import Lookup
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.share_membership import ShareMembership
from simulator.protocol.share_messages import ACCEPT, KINDS, OPENS, REJECT, RELEASE
from simulator.protocol.share_sessions import Given, Session, ShareSessions
from simulator.protocol.share_settings import ShareConsumerSettings
from simulator.protocol.wire import NEVER, CallBack, Draw, Failed, Finished, Happened, Wire

TYPES: Mapping[str, int] = {"accept": ACCEPT, "release": RELEASE, "reject": REJECT}

Place = tuple[TopicPartition, int]
Committed = dict[TopicPartition, KafkaError | None]


class _Commit:
    """A commit_sync that waits."""

    __slots__ = ("call", "due_us", "left", "number", "results")

    def __init__(self, call: Any, number: int, due_us: int) -> None:
        self.call = call
        self.number = number
        self.due_us = due_us
        self.left: dict[Place, None] = {}
        self.results: Committed = {}


class ShareConsuming:
    """One share consumer.

    Args:
        brokers: the nodes to ask first.
        member_id: unlike any other's.
        draw: chooses a delay between a least and a most.

    Attributes:
        wire: what is to be carried out, and when the machine wants to be told the time.
        callback: told (offsets by partition, error) of acknowledgements; see commit_async.
        closed: whether `close` has come to its end.
    """

    def __init__(
        self,
        settings: ShareConsumerSettings,
        brokers: Sequence[str],
        member_id: str,
        draw: Draw,
    ) -> None:
        self.settings = settings
        self.wire = wire = Wire(draw, settings.backoff_range_us)
        self.callback: Callable[..., None] | None = None
        self.closed = False
        self._leaders = Leaders(
            wire, brokers, settings.metadata_max_age_ms * MICROS_PER_MS, self._news
        )
        self._lookup = Lookup(settings.group_id, wire, self._leaders)
        self.membership = ShareMembership(
            wire, self._lookup, member_id, settings.max_poll_interval_ms * MICROS_PER_MS,
            self._assigned,
        )  # fmt: skip
        self._lookup.found = self.membership.tick
        self._sessions = ShareSessions(
            settings, member_id, wire, self._leaders, self._arrived, self._completed
        )
        self.topics: tuple[str, ...] = ()
        self._explicit = settings.share_acknowledgement_mode == "explicit"
        self._buffer: list[tuple[Session, ConsumerRecord]] = []
        self._given: dict[Place, Session] = {}  # By the last poll, and not acknowledged.
        self._said: list[tuple[Session, Given]] = []  # By the application, since its last call.
        self._poll: tuple[Any, int] | None = None  # The call, and until when it waits.
        self._commits: list[_Commit] = []
        self._commit_number = 0
        self._closing: tuple[Any, int] | None = None
        self._leaving = False
        self._now_us = 0

    # --- The application's calls ---------------------------------------------------------------

    def subscribe(self, topics: Sequence[str], now_us: int) -> None:
        """Share these topics' records with the group; none: leave it.

        Raises:
            BadInput: the consumer is closed.
        """
        self._enter(now_us)
        self.topics = tuple(sorted(dict.fromkeys(topics)))
        self._leaders.want(self.topics)
        self.membership.subscribe(self.topics, now_us)
        self.tick(now_us)

    def poll(self, call: Any, now_us: int, timeout_us: int) -> list[ConsumerRecord] | None:
        """Records, or None: `Finished(call, records)` comes when there are some or time is up.

        Raises:
            BadInput: nothing is subscribed, another call waits, or the consumer is closed.
            KafkaError: records of the last poll are not acknowledged (explicit mode), or the
                group refuses this member.
        """
        self._enter(now_us)
        self.wire.throw()
        if not self.topics:
            raise BadInput("a share consumer polls what it subscribes to:", fix="subscribe first")
        if self._explicit and self._given:
            (where, offset), *_ = self._given
            raise KafkaError(
                f"IllegalState: {len(self._given)} records of the last poll are not acknowledged, "
                f"{where}@{offset} first: acknowledge each before the next poll"
            )
        self._account()
        self.membership.polled(now_us)
        records = self._take()
        if records:
            self._say()
            return records
        if not timeout_us:
            self.tick(now_us)
            self._ask(now_us)
            return []
        self._poll = (call, now_us + timeout_us)
        self.tick(now_us)
        return None

    def acknowledge(self, place: Place, kind: str) -> None:
        """Say what became of a record of the last poll: accept, release or reject.

        Raises:
            BadInput: there is no such type, or the mode is implicit.
            KafkaError: the last poll did not give that record, or it is acknowledged already.
        """
        if kind not in TYPES:
            raise BadInput("a record is accepted, released or rejected, not", "", kind,
                           "one of " + ", ".join(TYPES))  # fmt: skip
        if not self._explicit:
            raise BadInput(
                "records are acknowledged by the next poll in implicit mode:", "", kind,
                "set share.acknowledgement.mode to explicit",
            )  # fmt: skip
        session = self._given.pop(place, None)
        if session is None:
            where, offset = place
            raise KafkaError(f"IllegalState: {where}@{offset} is not to be acknowledged")
        self._said.append((session, Given(*place, TYPES[kind])))

    def commit_sync(self, call: Any, now_us: int, timeout_us: int) -> None:
        """Send what is acknowledged, and wait: each partition's error, or None."""
        self._enter(now_us)
        self._commit_number += 1
        commit = _Commit(call, self._commit_number, now_us + timeout_us)
        self._account()
        for session in self._sessions.by_node.values():
            session.pending = [
                one if one.commit else one._replace(commit=commit.number) for one in session.pending
            ]
            for one in session.pending:
                if one.commit == commit.number:
                    commit.left[one.partition, one.offset] = None
        self._commits.append(commit)
        self.wire.want(commit.due_us)
        self._say()
        self._settle(now_us)

    def commit_async(self, now_us: int) -> None:
        """Send what is acknowledged; what becomes of it is told to `callback`."""
        self._enter(now_us)
        self._account()
        self._say()

    def close(self, call: Any, now_us: int, timeout_us: int) -> None:
        """Say what is acknowledged, release the rest, leave the group, and end."""
        self._enter(now_us)
        due_us = now_us + min(timeout_us, self.settings.request_timeout_ms * MICROS_PER_MS)
        self._closing = (call, due_us)
        if not self._explicit:
            self._given.clear()
        self._account()
        self._buffer.clear()
        self.wire.want(due_us)
        self._end_sessions(now_us)

    def _enter(self, now_us: int) -> None:
        self._now_us = now_us
        if self._closing is not None:
            raise BadInput("this share consumer has been closed", fix="make a new one")
        if self._poll is not None:
            raise BadInput(
                "a share consumer serves one call at a time, and a poll is waiting",
                fix="wait for the poll's event first",
            )

    # --- Records -------------------------------------------------------------------------------

    def _take(self) -> list[ConsumerRecord]:
        """What has arrived, at most max.poll.records of it."""
        most = self.settings.max_poll_records
        taken, self._buffer = self._buffer[:most], self._buffer[most:]
        for session, record in taken:
            self._given[TopicPartition(record[0], record[1]), record[2]] = session
        return [record for _, record in taken]

    def _account(self) -> None:
        """What the application has said goes out next; implicitly, that is: accept everything."""
        for session, given in self._said:
            session.pending.append(given)
        self._said.clear()
        if not self._explicit:
            for place, session in self._given.items():
                session.pending.append(Given(*place, ACCEPT))
            self._given.clear()

    def _say(self) -> None:
        """Send acknowledgements to every leader that is not being asked something."""
        for session in self._sessions.by_node.values():
            self._sessions.acknowledge(session)

    def _arrived(self, session: Session, records: list[ConsumerRecord], now_us: int) -> None:
        """A leader has answered."""
        self._now_us = now_us
        if self._closing is not None:
            self._end_sessions(now_us)
            return
        self._buffer += [(session, record) for record in records]
        if self._poll is not None and self._buffer:
            call, _ = self._poll
            self._poll = None
            self.wire.outbox.append(Finished(call, self._take()))
        if self._poll is None:
            self._say()
        self.tick(now_us)

    # --- Acknowledgements ------------------------------------------------------------------------

    def _completed(self, given: list[Given], error: Error) -> None:
        """What became of acknowledgements: for the trace, the callback, and who waits."""
        by_place: dict[TopicPartition, list[Given]] = {}
        for one in given:
            by_place.setdefault(one.partition, []).append(one)
        for where, these in by_place.items():
            these.sort(key=lambda one: one.offset)
            for first, last, kind in _alike(these):
                event = (self.settings.group_id, *where, first, last, KINDS[kind], error.name)
                self.wire.outbox.append(Happened(("share_commit_answered", *event)))
            thrown = _thrown(error, where)
            if self.callback is not None:
                offsets: Any = {where: tuple(one.offset for one in these)}
                self.wire.outbox.append(CallBack(self.callback, offsets, thrown))
            for commit in self._commits:
                for one in these:
                    if one.commit == commit.number:
                        commit.left.pop((one.partition, one.offset), None)
                        commit.results[where] = commit.results.get(where) or thrown
        self._settle(self._now_us)

    def _settle(self, now_us: int) -> None:
        """End the commits that are answered, or whose time is up."""
        for commit in tuple(self._commits):
            if commit.left and now_us < commit.due_us:
                continue
            for where, offset in commit.left:
                text = f"REQUEST_TIMED_OUT: the acknowledgement of {where}@{offset} is not answered"
                commit.results[where] = RequestTimedOut(text)
            self._commits.remove(commit)
            self.wire.outbox.append(Finished(commit.call, commit.results))

    # --- Ending ----------------------------------------------------------------------------------

    def _end_sessions(self, now_us: int) -> None:
        """Close what is open; when nothing is, leave the group."""
        for session in self._sessions.by_node.values():
            self._sessions.acknowledge(session, closes=session.epoch != OPENS)
        if not self._leaving and not any(one.busy for one in self._sessions.by_node.values()):
            self._leaving = True
            self.membership.close(self._end, now_us)

    def _end(self, _: int) -> None:
        if not self.closed and self._closing is not None:
            self.closed = True
            self.wire.forget()
            self.wire.outbox.append(Finished(self._closing[0], None))

    # --- Time ------------------------------------------------------------------------------------

    def answered(self, token: int, body: Any, now_us: int) -> None:
        """The answer to a request has come, or will not come (None)."""
        self._now_us = now_us
        self.wire.answer(token, body, now_us)
        self._look_at_failure()

    def tick(self, now_us: int) -> None:
        """Do what is due."""
        self._now_us = now_us
        if self.closed:
            return
        if self._closing is not None:
            if now_us >= self._closing[1]:
                self._end(now_us)
            else:
                self.wire.want(self._closing[1])
            return
        self._leaders.refresh(now_us)
        self.membership.tick(now_us)
        for commit in self._commits:
            self.wire.want(commit.due_us)
        self._settle(now_us)
        self._look_at_failure()
        self._wait(now_us)

    def woken(self, now_us: int) -> None:
        """The timer has rung: what was wanted before is wanted anew."""
        self.wire.wake_us = NEVER
        self.tick(now_us)
        if self._leaders.due_us < NEVER:
            self.wire.want(self._leaders.due_us)

    def _wait(self, now_us: int) -> None:
        """A poll waits: ask for records, or end it."""
        if self._poll is None:
            return
        call, until_us = self._poll
        if now_us >= until_us:
            self._poll = None
            self.wire.outbox.append(Finished(call, []))
            return
        self.wire.want(until_us)
        self._ask(now_us)

    def _ask(self, now_us: int) -> None:
        """Ask for records, and say what is to be said to those who are not asked."""
        self._sessions.fetch(self.membership.assigned, self.settings.max_poll_records, now_us)
        self._say()

    def _look_at_failure(self) -> None:
        """What was found for the application goes to the poll that waits, if one does."""
        if self.wire.failure is not None and self._poll is not None:
            call, _ = self._poll
            self._poll = None
            failure, self.wire.failure = self.wire.failure, None
            self.wire.outbox.append(Failed(call, failure))

    def _news(self) -> None:
        """Metadata have come."""
        self._wait(self._now_us)

    def _assigned(self, now_us: int) -> None:
        self._wait(now_us)


def _alike(given: list[Given]) -> list[tuple[int, int, int]]:
    """Neighbours with the same acknowledgement, together: first, last, type."""
    runs: list[tuple[int, int, int]] = []
    for one in given:
        if runs and runs[-1][1] + 1 == one.offset and runs[-1][2] == one.type:
            runs[-1] = (runs[-1][0], one.offset, one.type)
        else:
            runs.append((one.offset, one.offset, one.type))
    return runs


def _thrown(error: Error, where: TopicPartition) -> KafkaError | None:
    """What the application is told of an error."""
    if error is Error.NONE:
        return None
    text = f"{error.name}: acknowledgements of {where} failed"
    return RequestTimedOut(text) if error is Error.NETWORK_EXCEPTION else KafkaError(text)
