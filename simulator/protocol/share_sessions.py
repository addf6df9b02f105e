"""A share consumer's sessions with leaders: what it fetches, and what it says became of records.

1. One request at a time is under way to each leader: a fetch, which takes along what is to be
   acknowledged there, or acknowledgements alone.
2. Each request bears the session's epoch, one more than the last. After a failure the next one
   opens a new session; what was to be acknowledged in the failed request is reported as failed,
   and never sent again: whether it was done is unknown, and the lock decides.
3. Acknowledgements go to the broker that the records were acquired from.
4. An offset that was acquired, and of which there is no record, is acknowledged as a gap.

Sources: ShareConsumeRequestManager.java, ShareSessionHandler.java, ShareCompletedFetch.java;
KIP-932.

Not modelled: synchronous commits that are tried again after a retriable error.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from simulator.protocol.cleaned import records_of
from simulator.protocol.errors import Error
from simulator.protocol.fetching import LEADER_MOVED, ConsumerRecord
from simulator.protocol.leaders import Leaders
from simulator.protocol.names import TopicPartition
from simulator.protocol.share_messages import (
    CLOSES,
    GAP,
    OPENS,
    Acknowledgement,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareFetched,
    ShareFetchPartition,
    ShareFetchRequest,
    ShareFetchResponse,
)
from simulator.protocol.share_settings import ShareConsumerSettings
from simulator.protocol.wire import Wire

_new = tuple.__new__


class Given(NamedTuple):
    """One acknowledgement: of which record, its type, and for which commit (0: for none)."""

    partition: TopicPartition
    offset: int
    type: int
    commit: int = 0


class Session:
    """All there is between the consumer and one leader."""

    __slots__ = ("attempts", "busy", "epoch", "node", "not_before_us", "pending")

    def __init__(self, node: str) -> None:
        self.node = node
        self.epoch = OPENS
        self.busy = False
        self.not_before_us = 0
        self.attempts = 0
        self.pending: list[Given] = []  # Acknowledgements to send.


Completed = Callable[[list[Given], Error], None]
Arrived = Callable[[Session, list[ConsumerRecord], int], None]


class ShareSessions:
    """The sessions of one share consumer.

    Args:
        arrived: told of each answer to a fetch, with its records, perhaps none.
        completed: told what became of acknowledgements.
    """

    def __init__(  # noqa: PLR0917 - whom it speaks for, and to whom
        self,
        settings: ShareConsumerSettings,
        member_id: str,
        wire: Wire,
        leaders: Leaders,
        arrived: Arrived,
        completed: Completed,
    ) -> None:
        self._settings = settings
        self._member_id = member_id
        self._wire = wire
        self._leaders = leaders
        self._arrived = arrived
        self._completed = completed
        self.by_node: dict[str, Session] = {}

    def session(self, node: str) -> Session:
        """The session with a leader, opened by its first request."""
        found = self.by_node.get(node)
        if found is None:
            found = self.by_node[node] = Session(node)
        return found

    # --- Asking ------------------------------------------------------------------------------

    def fetch(self, partitions: Iterable[TopicPartition], most: int, now_us: int) -> bool:
        """Ask every leader of these that is not being asked; whether any of them is asked now."""
        led: dict[str, list[TopicPartition]] = {}
        for where in partitions:
            node = self._leaders.nodes.get(where)
            if node is None:
                self._leaders.stale()
            else:
                led.setdefault(node, []).append(where)
        for node, wanted in led.items():
            session = self.session(node)
            if session.busy:
                continue
            if now_us < session.not_before_us:
                self._wire.want(session.not_before_us)
                continue
            self._fetch(session, wanted, most)
        return any(session.busy for session in self.by_node.values())

    def _fetch(self, session: Session, wanted: list[TopicPartition], most: int) -> None:
        settings = self._settings
        if session.epoch == OPENS:
            self.acknowledge(session)  # That cannot come with the request that opens.
        taken = self._take(session)
        by_place = _by_place(taken)
        bytes_most = settings.fetch_max_bytes
        asked = tuple(
            ShareFetchPartition(where, bytes_most, by_place.pop(where, ())) for where in wanted
        )
        # Of partitions that are assigned no more, nothing is wanted: 0 bytes.
        asked += tuple(ShareFetchPartition(where, 0, said) for where, said in by_place.items())
        request = ShareFetchRequest(
            settings.group_id, self._member_id, session.epoch, settings.fetch_max_wait_ms,
            bytes_most, most, asked,
        )  # fmt: skip
        session.busy = True
        self._wire.ask(
            session.node,
            request,
            lambda body, now_us: self._fetched(session, taken, body, now_us),
        )

    def acknowledge(self, session: Session, *, closes: bool = False) -> bool:
        """Say what is to be said to a leader that is not being asked; whether it is asked."""
        if session.busy or not (session.pending or closes):
            return False
        taken = self._take(session)
        if session.epoch == OPENS:
            # Without a session nothing can be said: the lock decides.
            self._completed(taken, Error.INVALID_SHARE_SESSION_EPOCH)
            return False
        request = ShareAcknowledgeRequest(
            self._settings.group_id,
            self._member_id,
            CLOSES if closes else session.epoch,
            tuple(_by_place(taken).items()),
        )
        session.busy = True
        self._wire.ask(
            session.node,
            request,
            lambda body, now_us: self._acknowledged(session, taken, body, now_us),
        )
        if closes:
            session.epoch = CLOSES  # The answer counts it up: it may be opened again.
        return True

    @staticmethod
    def _take(session: Session) -> list[Given]:
        taken, session.pending = session.pending, []
        return taken

    # --- Answers -----------------------------------------------------------------------------

    def _failed(self, session: Session, taken: list[Given], error: Error, now_us: int) -> None:
        """There is no session any more; the next one waits for the backoff."""
        session.epoch = OPENS
        session.not_before_us = now_us + self._wire.backoff_us(session.attempts)
        session.attempts += 1
        self._wire.want(session.not_before_us)
        self._completed(taken, error)

    def _fetched(
        self,
        session: Session,
        taken: list[Given],
        body: ShareFetchResponse | None,
        now_us: int,
    ) -> None:
        session.busy = False
        records: list[ConsumerRecord] = []
        if body is None or body.error is not Error.NONE:
            if body is None:
                self._leaders.stale()
            error = Error.NETWORK_EXCEPTION if body is None else body.error
            self._failed(session, taken, error, now_us)
        else:
            session.epoch += 1
            self._results(session, taken, body.results, now_us)
            for one in body.results:
                records += self._records(session, one)
        self._arrived(session, records, now_us)

    def _results(
        self, session: Session, taken: list[Given], results: Iterable[ShareFetched], now_us: int
    ) -> None:
        session.attempts = 0
        errors = {one.partition: one.acknowledge_error for one in results}
        self._complete_each(taken, errors)
        for one in results:
            if one.error in LEADER_MOVED:
                self._leaders.stale()
                session.not_before_us = now_us + self._wire.backoff_us(0)
                self._wire.want(session.not_before_us)

    def _acknowledged(
        self,
        session: Session,
        taken: list[Given],
        body: ShareAcknowledgeResponse | None,
        now_us: int,
    ) -> None:
        session.busy = False
        if body is None or body.error is not Error.NONE:
            error = Error.NETWORK_EXCEPTION if body is None else body.error
            self._failed(session, taken, error, now_us)
        else:
            session.epoch += 1
            session.attempts = 0
            self._complete_each(taken, dict(body.results))
        self._arrived(session, [], now_us)

    def _complete_each(self, taken: list[Given], errors: dict[TopicPartition, Error]) -> None:
        by_error: dict[Error, list[Given]] = {}
        for one in taken:
            error = errors.get(one.partition, Error.UNKNOWN_SERVER_ERROR)
            by_error.setdefault(error, []).append(one)
        for error, these in by_error.items():
            self._completed(these, error)

    @staticmethod
    def _records(session: Session, fetched: ShareFetched) -> list[ConsumerRecord]:
        """What was acquired; where there is no record, that is said."""
        if not fetched.acquired:
            return []
        there = {
            offset: record
            for batch in fetched.batches
            if not batch.control
            for offset, record in records_of(batch)
        }
        found = []
        where = fetched.partition
        for first, last, _ in fetched.acquired:
            for offset in range(first, last + 1):
                record = there.get(offset)
                if record is None:
                    session.pending.append(Given(where, offset, GAP))
                else:
                    found.append(_new(ConsumerRecord, (*where, offset, *record)))
        return found


def _by_place(given: list[Given]) -> dict[TopicPartition, tuple[Acknowledgement, ...]]:
    """What to say of each partition: neighbours together, with a type for each or one for all."""
    by_place: dict[TopicPartition, list[tuple[int, int]]] = {}
    for where, offset, kind, _ in given:
        by_place.setdefault(where, []).append((offset, kind))
    return {where: _ranges(sorted(said)) for where, said in by_place.items()}


def _ranges(said: list[tuple[int, int]]) -> tuple[Acknowledgement, ...]:
    ranges: list[tuple[int, list[int]]] = []
    for offset, kind in said:
        if ranges and ranges[-1][0] + len(ranges[-1][1]) == offset:
            ranges[-1][1].append(kind)
        else:
            ranges.append((offset, [kind]))
    return tuple(
        Acknowledgement(
            first,
            first + len(kinds) - 1,
            (kinds[0],) if kinds.count(kinds[0]) == len(kinds) else tuple(kinds),
        )
        for first, kinds in ranges
    )
