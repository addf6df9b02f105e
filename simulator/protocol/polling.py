"""A consumer, as rules: everything but heartbeats happens inside the application's calls.

One turn of poll's loop, in this order (ClassicKafkaConsumer.poll, ConsumerCoordinator.poll):

1. run the callbacks of asynchronous commits that have been answered;
2. tell the group that the application is alive; find the coordinator (nothing goes on without);
   if a rebalance is called for, take part in it as far as that goes without waiting;
3. commit automatically if it is time to;
4. validate positions that new leaders may not have, and find positions for partitions without:
   what is committed (nothing goes on without), else by auto.offset.reset;
5. hand out what is buffered, or send fetches and wait for an answer, any answer;
6. before handing out, send the next fetches for partitions with nothing buffered.

When the poll's time is up it hands out what is there, whatever 2 and 4 still wait for.

The machine knows no clock, no network and no chance. What it wants done stands in `outbox`; the
driver gives back `answered`, `listened` and `tick`. There is nothing to replay: a consumer keeps
nothing on disk.

Not modelled: WakeupException (wakeup() just ends a poll), subscription by pattern, quotas, metrics.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.errors import BadInput, KafkaError
from simulator.protocol.autocommit import AutoCommit
from simulator.protocol.closing import Closing
from simulator.protocol.committing import Committing, Offsets
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.fetching import ConsumerRecord, Fetching
from simulator.protocol.group_roles import MemberRole, RebalanceRole, member_of, rebalancing_of
from simulator.protocol.leaders import Leaders
from simulator.protocol.listing import Listing, listed_wanted
from simulator.protocol.lookup import Lookup
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.positions import Positions, partition_of
from simulator.protocol.rebalancing import Rebalancing
from simulator.protocol.starting import Starting
from simulator.protocol.wire import NEVER, Draw, Failed, Finished, Wire

Records = list[ConsumerRecord]


class Polling:
    """One consumer.

    Args:
        brokers: the nodes to ask first.
        client_id: the name that member ids begin with.
        draw: chooses the length of a backoff between a least and a most, in microseconds.
        validates: it heeds leader epochs and validates positions, as consumers since 2.3 do.
        from_followers: it reads from followers (KIP-392); see `fetching`.
        waits_for_commit: see `rebalancing`.
        member_id: of a member that names itself (group.protocol=consumer); no other member of the
            group, of this incarnation or another, may have the same. By default the client id.

    Calls that may wait take a `call`, which comes back in `Finished` or `Failed`.

    Attributes:
        settings: as given.
        positions: what is assigned, and where; seek, pause and the like are its methods.
        wire: its `outbox` is what is to be done, in order; its `wake_us` when to `tick` at last.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        brokers: Sequence[str],
        client_id: str,
        draw: Draw,
        *,
        validates: bool = True,
        from_followers: bool = False,
        waits_for_commit: bool = True,
        member_id: str = "",
    ) -> None:
        self.settings = settings
        self.wire = wire = Wire(draw, settings.backoff_range_us)
        self.positions = positions = Positions()
        max_age_us = settings.metadata_max_age_ms * MICROS_PER_MS
        self._leaders = leaders = Leaders(wire, brokers, max_age_us, self._metadata_changed)
        leaders.heeds_epochs = validates
        # Without a group.id these three do nothing: the application cannot get at them.
        self._lookup = lookup = Lookup(settings.group_id or "", wire, leaders)
        names = (client_id, member_id or client_id)
        membership = member_of(settings, wire, lookup, positions, names)
        self._membership: MemberRole = membership
        self._committing = committing = Committing(
            wire, lookup, membership, positions, settings.group_instance_id
        )
        group = None if settings.group_id is None else (lookup, committing)
        self._starting = Starting(settings, wire, positions, leaders, group)
        self._fetching = Fetching(settings, wire, positions, leaders, self._starting.reset)
        self._fetching.from_followers = from_followers
        self._listing = Listing(wire, leaders, committing, settings.isolation_level)
        self._auto = AutoCommit(settings, wire, positions, committing)
        rebalancing = rebalancing_of(
            settings,
            wire,
            (leaders, positions, self._fetching, self._auto),
            (lookup, membership, committing),
        )
        if isinstance(rebalancing, Rebalancing):
            rebalancing.waits_for_commit = waits_for_commit
        self._rebalancing: RebalanceRole = rebalancing
        # Members of the classic protocol do nothing else while they look for their coordinator, or
        # join; others read on.
        self._group_first = isinstance(rebalancing, Rebalancing)
        self._poll: Any = None  # The call that waits in poll.
        self._poll_until_us = 0
        self._closing: Closing | None = None

    # --- For the driver --------------------------------------------------------------------

    def answered(self, token: int, body: Any, now_us: int) -> None:
        """The answer to `Ask(token, ...)`, or None when there will be none."""
        fetching, wire = self._fetching, self.wire
        fetching.again = wire.unchanged = False
        wire.answer(token, body, now_us)
        if fetching.again and self._poll is not None:
            fetching.send(now_us)  # The shortest turn: nothing is new, so ask the same again.
        elif not wire.unchanged:
            self._go_on(now_us)

    def listened(self, error: Exception | None, now_us: int) -> None:
        """The listener called by `Listen` is done; error: what it threw."""
        self._rebalancing.listened(error, now_us)
        self._go_on(now_us)

    def hurry(self, now_us: int) -> bool:
        """Let a poll that waits end as if its time were up; whether one waits."""
        if self._poll is None:
            return False
        self._poll_until_us = now_us
        self._go_on(now_us)
        return True

    def tick(self, now_us: int) -> None:
        """Time has passed."""
        wire = self.wire
        wire.wake_us = NEVER
        polling = self._poll is not None
        self._membership.beat(now_us, polling=polling)
        self._go_on(now_us)
        self._want(self._membership.due_us(), now_us)
        if self._committing.waiting or self._closing is not None:
            self._want(self._committing.due_us(now_us), now_us)
            self._want(self._lookup.due_us(), now_us)
            self._want(self._closing.give_up_us if self._closing else NEVER, now_us)
        if self._poll is not None:
            self._want(self._poll_until_us, now_us)
            self._want(self._auto.at_us, now_us)
            self._want(self._leaders.due_us, now_us)
            self._want(self._lookup.due_us(), now_us)
            self._want(self._rebalancing.due_us(), now_us)
            self._want(self._starting.due_us(now_us), now_us)
            self._want(self._fetching.due_us(now_us), now_us)

    def _want(self, at_us: int, now_us: int) -> None:
        """What was due by now has had its chance: it waits for an answer, not for the clock."""
        if now_us < at_us < self.wire.wake_us:
            self.wire.wake_us = at_us

    def _go_on(self, now_us: int) -> None:
        """Something has changed: go on with every call of the application that waits."""
        if self._committing.waiting:
            self._committing.go_on(now_us)
        if self._closing is not None:
            self._closing.go_on(now_us)
        elif self._poll is not None and self._rebalancing.listening is None:
            try:
                records = self._turn(now_us, self._poll_until_us)
            except KafkaError as error:
                self._end_poll(Failed(self._poll, error))
            else:
                if records is not None:
                    self._end_poll(Finished(self._poll, records))
        self._membership.in_call = self._waiting

    def _end_poll(self, end: Finished | Failed) -> None:
        self._poll = None
        self.wire.outbox.append(end)

    @property
    def _waiting(self) -> bool:
        busy = self._poll is not None or self._closing is not None
        return busy or bool(self._committing.waiting)

    # --- poll ------------------------------------------------------------------------------

    def poll(self, call: Any, now_us: int, timeout_us: int) -> Records | None:
        """Hand out records at once, or None: then the call goes on until `Finished`.

        Raises:
            BadInput: nothing is subscribed or assigned, or another call is waiting.
            KafkaError: see `simulator.errors`; the poll is over.
        """
        self._enter(now_us)
        if not self.positions.subscribed and not self.positions.by_hand:
            raise BadInput("poll needs topics: subscribe or assign first")
        until_us = now_us + timeout_us
        try:
            records = self._turn(now_us, until_us)
        finally:
            self._membership.in_call = False
        if records is None:
            self._poll = call
            self._poll_until_us = until_us
            self._membership.in_call = True
            self.wire.want(until_us)
            self.wire.want(self._auto.at_us)
            self.wire.want(self._leaders.due_us)
        return records

    def _turn(self, now_us: int, until_us: int) -> Records | None:
        """One turn of the loop: records, or None to wait; nothing is waited for at `until_us`."""
        if self._committing.has_news:
            self._committing.run_callbacks()
        settles = True  # Whether 3 and 4 have their turn.
        waits = False  # Whether nothing goes on for now.
        if self.positions.subscribed:
            membership = self._membership
            membership.poll_by_us = now_us + membership.poll_us
            if self._lookup.node is None and self._group_first:
                self._lookup.find(now_us)
                settles, waits = False, True
            elif membership.rejoin_needed or membership.joining:
                self._rebalancing.go_on(now_us)
                joins = membership.rejoin_needed or membership.joining
                settles = not (joins and self._group_first)
            self.wire.throw()
            if self._rebalancing.listening is not None:
                return None
        if now_us >= self._leaders.due_us:
            self._leaders.refresh(now_us)
        if settles:
            if now_us >= self._auto.at_us:
                self._auto.maybe(now_us)
            if self.positions.unsettled:
                waits = self._starting.settle(now_us)
                self.wire.throw()
        if waits and now_us < until_us:
            return None
        fetching = self._fetching
        records, moved = fetching.collect()
        fetching.send(now_us)
        if records or moved or now_us >= until_us:
            return records
        # What was collected may have shown that a leader or a position is no good.
        if now_us >= self._leaders.due_us:
            self._leaders.refresh(now_us)
        if settles and self.positions.unsettled:
            self._starting.settle(now_us)
        return None

    def _metadata_changed(self) -> None:
        self.positions.led(self._leaders.epochs)
        self._rebalancing.metadata_changed()

    # --- Commits ---------------------------------------------------------------------------

    def commit_sync(
        self, call: Any, now_us: int, offsets: Mapping[Any, Any] | None, timeout_us: int
    ) -> None:
        """Commit positions, or the given offsets, until done or refused or out of time.

        The call finishes with None, or fails with CommitFailed, RebalanceInProgress,
        FencedInstance or RequestTimedOut.
        """
        self._enter(now_us, in_listener=True)
        wanted = self._offsets(offsets)
        self._committing.commit(call, wanted, now_us + timeout_us, now_us)
        self._membership.in_call = bool(self._committing.waiting) or self._waiting

    def commit_async(
        self, now_us: int, offsets: Mapping[Any, Any] | None, callback: Any = None
    ) -> None:
        """Commit once; `callback(offsets, error)` runs inside a later call of the application."""
        self._enter(now_us, in_listener=True)
        if self._committing.has_news:
            self._committing.run_callbacks()
        self._committing.commit_async(self._offsets(offsets), callback, now_us)
        self._membership.in_call = self._waiting

    def committed(self, call: Any, now_us: int, partitions: Iterable[Any], timeout_us: int) -> None:
        """Ask what the group has committed; finishes with a dict, None where nothing is."""
        self._enter(now_us, in_listener=True)
        self._needs_group("committed")
        wanted = tuple(partition_of(one) for one in partitions)
        self._committing.tell(call, wanted, now_us + timeout_us, now_us)
        self._membership.in_call = self._waiting

    def list_offsets(
        self, call: Any, now_us: int, times: Mapping[Any, Any], timeout_us: int
    ) -> None:
        """Ask leaders for a "beginning", an "end" or a time in ms; see `listing`."""
        self._enter(now_us, in_listener=True)
        self._listing.ask(call, now_us, listed_wanted(times), timeout_us)
        self._membership.in_call = self._waiting

    def _offsets(self, offsets: Mapping[Any, Any] | None) -> Offsets:
        self._needs_group("a commit")
        return self.positions.consumed() if offsets is None else self.positions.given(offsets)

    # --- What is consumed ------------------------------------------------------------------

    def subscribe(self, now_us: int, topics: Iterable[str]) -> None:
        """Be assigned partitions of these topics by the group, from the next poll on.

        Raises:
            BadInput: no topic, no group.id, or partitions are assigned by hand.
        """
        self._enter(now_us)
        self._needs_group("subscribe")
        if self.positions.subscribe(topics):
            self._membership.rejoin_needed = True
        self._leaders.want(self.positions.topics)
        self._membership.in_call = self._waiting

    def assign(self, now_us: int, partitions: Iterable[Any]) -> None:
        """Consume exactly these partitions, whatever others do.

        Raises:
            BadInput: topics are subscribed.
        """
        self._enter(now_us)
        if not self.positions.subscribed:
            self._auto.maybe(now_us)
        self.positions.assign_by_hand(partitions)
        self._fetching.forget()
        self._leaders.want(self.positions.by_hand)
        self._membership.in_call = self._waiting

    def enforce_rebalance(self, now_us: int) -> None:
        """Join the group anew in the next poll (KIP-568)."""
        self._enter(now_us)
        self._needs_group("enforce_rebalance")
        self._membership.rejoin_needed = True
        self._membership.in_call = self._waiting

    def unsubscribe(self, call: Any, now_us: int) -> None:
        """Give everything back, leave the group, and consume nothing."""
        self._enter(now_us)
        self._auto.maybe(now_us)

        def given_back(error: Exception | None, _: int) -> None:
            if self.positions.subscribed:
                self._membership.leave()
            self.positions.unsubscribe()
            self._fetching.forget()
            self._leaders.want(())
            self.wire.outbox.append(Finished(call, None) if not error else Failed(call, error))

        self._rebalancing.leave(now_us, given_back)
        self._membership.in_call = self._waiting

    def close(self, call: Any, now_us: int, timeout_us: int) -> None:
        """Commit automatically if that is on, give everything back, leave, and end."""
        self._enter(now_us)
        settings = self.settings
        # The coordinator is waited for no longer than for any request.
        give_up_us = now_us + min(timeout_us, settings.request_timeout_ms * MICROS_PER_MS)
        self._closing = Closing(
            call,
            give_up_us,
            self.wire,
            rebalancing=self._rebalancing,
            group=(self._lookup, self._membership, self._committing),
            leaves=settings.internal_leave_group_on_close and self.positions.subscribed,
        )
        self.wire.want(give_up_us)
        self._membership.in_call = True
        self._closing.begin(self.positions.consumed() if self._auto.on else {}, now_us)

    @property
    def closed(self) -> bool:
        """Whether `close` has come to its end."""
        return self._closing is not None and self._closing.over

    # --- Rules of the face -----------------------------------------------------------------

    def _enter(self, now_us: int, *, in_listener: bool = False) -> None:
        """The application calls: one call at a time, but for what a listener at work may call."""
        listening = self._rebalancing.listening is not None
        if self._closing is not None and not (listening and in_listener):
            raise BadInput("this consumer has been closed", fix="make a new one")
        if listening and not in_listener:
            raise BadInput("a rebalance listener may commit, seek and pause, and no more")
        if self._poll is not None and not listening:
            raise BadInput(
                "a consumer serves one call at a time, and a poll is waiting",
                fix="wait for the poll's event first",
            )
        self._membership.enter(now_us)

    def _needs_group(self, what: str) -> None:
        if self.settings.group_id is None:
            why = f"InvalidGroupIdException: {what} needs a group.id"
            raise BadInput(why, fix="set group.id, or assign partitions by hand")
