"""One member of a group of KIP-848: its heartbeats carry its joining, its news and its leaving.

1. The member names itself once for its whole life. It joins with epoch 0, and leaves with -1, or
   with -2 when it is static (group.instance.id) and so means to come back.
2. One heartbeat is on its way at a time. The next is due after the interval that the coordinator
   told; at once while the member joins, or has something to acknowledge.
3. A heartbeat says everything when the member joins, and after any error or lost answer; otherwise
   what has changed since it was last said, and no more.
4. Whatever the coordinator assigns is a target: `consumer_reconciling` brings the member there,
   inside the application's polls, and what it has come to is acknowledged.
5. FENCED_MEMBER_EPOCH and UNKNOWN_MEMBER_ID: the member has lost everything. It says so to its
   listener in the next poll, and then joins anew. Any other refusal that is no matter of the
   coordinator's whereabouts is for good; UNRELEASED_INSTANCE_ID is, too.
6. Without a poll for max.poll.interval.ms the member leaves, and is stale: in the next poll it
   loses everything and joins anew. No answer, and no silence of the coordinator, takes anything
   away from it: only the coordinator counts the session.

Sources: AbstractMembershipManager.java, AbstractHeartbeatRequestManager.java and
ConsumerHeartbeatRequestManager.java of Kafka 4.0; KIP-848, KIP-1082.

Not modelled: the pauses between the background thread's looks at its timers (it acts on time
here); an answer to a heartbeat from before the member was fenced or left, which comes after it has
joined anew (it is thrown away here); joining anew at once, without a pause, when a member is
fenced although it was just joining (it waits for retry.backoff.ms here).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulator.errors import FencedInstance, KafkaError
from simulator.protocol.consumer_group_messages import (
    JOINS,
    LEAVES,
    LEAVES_FOR_A_WHILE,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_member_states import (
    BEATING,
    NOTHING_YET,
    TRANSITIONS,
    URGENT,
    Assignment,
    MembershipState,
)
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.lookup import COORDINATOR_GONE, Lookup
from simulator.protocol.membership import Generation
from simulator.protocol.names import MICROS_PER_MS, NO_GENERATION
from simulator.protocol.positions import Positions
from simulator.protocol.wire import NEVER, Wire

FENCED_BY = (Error.FENCED_MEMBER_EPOCH, Error.UNKNOWN_MEMBER_ID)


class _Said(NamedTuple):
    """What the coordinator was last told; None: it has to be told again."""

    rebalance_timeout_ms: int | None = None
    topics: tuple[str, ...] | None = None
    assignor: str | None = None
    assignment: Assignment | None = None
    rack: str | None = None


class ConsumerMembership:
    """One consumer's part in its group.

    Args:
        member_id: no other member of the group, of this life or another, may have the same.
        positions: whose topics are those that it is subscribed to.

    Attributes:
        now: its epoch as the group's commits know it (none while it is outside), and member id.
        epoch: as heartbeats say it; 0 until it has joined, below 0 when it has left.
        target: what it is to have; current: what it has come to.
        rejoin_needed: the application's next poll has something to do for it.
        calling_back: a listener is at work, so that a poll that goes on is no sign of life.
        life: counts how often it was fenced or has left.
        failure: why it is in nobody's group for good, until a poll has thrown it.
        joining, in_call: as in `membership`; here nothing waits for them.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        wire: Wire,
        lookup: Lookup,
        member_id: str,
        *,
        positions: Positions,
    ) -> None:
        self.group_id = lookup.group_id
        self._settings = settings
        self._wire = wire
        self._lookup = lookup
        self._positions = positions
        self._assignor = settings.group_remote_assignor
        self._rack = settings.client_rack or None  # No assignor of the coordinator's heeds it.
        self.member_id = member_id
        self.state = MembershipState.UNSUBSCRIBED
        self.epoch = JOINS
        self.now = self.joined = Generation(NO_GENERATION, member_id)
        self.target = NOTHING_YET
        self.current = NOTHING_YET
        self.life = 0
        self.failure: KafkaError | None = None
        self.rejoin_needed = True
        self.joining = False
        self.in_call = False
        self.calling_back = False
        self.closed = False
        self.poll_us = settings.max_poll_interval_ms * MICROS_PER_MS
        self.poll_by_us = NEVER
        self._said = _Said()
        self._in_flight = False
        self._interval_us = 0  # Until the coordinator tells.
        self._heartbeat_at_us = 0
        self._attempts = 0
        self._retry_at_us = 0
        lookup.found = self._found

    # --- What happens in polls -----------------------------------------------------------------

    def join(self, now_us: int) -> None:
        """Everything that was lost has been let go: join, as if for the first time."""
        self._set_epoch(JOINS)
        self.target = self.current = NOTHING_YET
        self._become(MembershipState.JOINING)
        self.pulse(now_us)

    def acknowledge(self, assignment: Assignment, now_us: int) -> None:
        """The member has come to `assignment`: let the coordinator know."""
        self.current = assignment
        self._become(MembershipState.ACKNOWLEDGING)
        self.pulse(now_us)

    def prepare_leaving(self) -> None:
        """The application wants to leave: its listener is told first."""
        if self.state in BEATING:
            self._become(MembershipState.PREPARE_LEAVING)

    def enter(self, _now_us: int) -> None:
        """The application is inside a call."""
        self.in_call = True

    # --- In the background -----------------------------------------------------------------

    def polled(self, now_us: int) -> None:
        """The application is alive: max.poll.interval.ms begins anew."""
        self.poll_by_us = now_us + self.poll_us

    def beat(self, now_us: int, *, polling: bool) -> None:
        """What the background thread does when it is time: look up, leave, or beat.

        polling: the application waits inside poll, so it does not miss max.poll.interval.ms,
        unless its listener is at work.
        """
        if not self._beats:
            return
        if self._lookup.node is None:
            self._lookup.find(now_us)
            return
        if polling and not self.calling_back:
            self.polled(now_us)
        elif now_us >= self.poll_by_us and self.state is not MembershipState.PREPARE_LEAVING:
            self._expire()
            return
        self.pulse(now_us)

    def pulse(self, now_us: int) -> None:
        """Send a heartbeat if one is due."""
        if not self._beats or self._in_flight or self._lookup.node is None:
            self._wire.want(self.due_us())
            return
        at_us = self._due_at_us()
        if now_us < at_us:
            self._wire.want(self.due_us())
            return
        self._in_flight = True
        self._heartbeat_at_us = now_us + self._interval_us
        life = self.life
        self._lookup.ask(
            self._request(), lambda body, answered_us: self._answered(life, body, answered_us)
        )
        self._wire.want(self.due_us())
        if self.state is MembershipState.ACKNOWLEDGING:
            if self.current == self.target:
                self._become(MembershipState.STABLE)
            else:
                self._reconcile()

    def due_us(self) -> int:
        """When `beat` has something to do."""
        if not self._beats:
            return NEVER
        if self._lookup.node is None:
            return self._lookup.due_us()
        leaving = self.state is MembershipState.PREPARE_LEAVING
        by_us = NEVER if leaving else self.poll_by_us
        return by_us if self._in_flight else min(self._due_at_us(), by_us)

    def _due_at_us(self) -> int:
        """When the next heartbeat is due, if none is on its way."""
        if self.state in URGENT:
            return self._retry_at_us
        return max(self._heartbeat_at_us, self._retry_at_us)

    @property
    def _beats(self) -> bool:
        return not self.closed and self.state in BEATING

    def _found(self, now_us: int) -> None:
        self.pulse(now_us)

    # --- One heartbeat -------------------------------------------------------------------------

    def _request(self) -> ConsumerGroupHeartbeatRequest:
        """Say what has to be said: see rule 3."""
        said = _Said() if self.state is MembershipState.JOINING else self._said
        settings, topics = self._settings, self._positions.topics
        timeout_ms = settings.max_poll_interval_ms
        self._said = _Said(timeout_ms, topics, self._assignor, self.current, self._rack)
        return ConsumerGroupHeartbeatRequest(
            self.group_id,
            self.member_id,
            self.epoch,
            settings.group_instance_id,
            None if self._rack == said.rack else self._rack,
            -1 if timeout_ms == said.rebalance_timeout_ms else timeout_ms,
            None if topics == said.topics else topics,
            None if self._assignor == said.assignor else self._assignor,
            None if self.current == said.assignment else self.current.partitions,
        )

    def _answered(
        self, life: int, body: ConsumerGroupHeartbeatResponse | None, now_us: int
    ) -> None:
        if life != self.life:
            return  # It was fenced, or has left, since it asked.
        self._in_flight = False
        if body is None:
            self._failed(now_us)
            self._lookup.lose(disconnected=True)
        elif body.error is Error.NONE:
            self._heard(body, now_us)
        else:
            self._refused(body.error, now_us)
        self.pulse(now_us)

    def _heard(self, body: ConsumerGroupHeartbeatResponse, now_us: int) -> None:
        self._attempts = self._retry_at_us = 0
        interval_us = body.heartbeat_interval_ms * MICROS_PER_MS
        if interval_us != self._interval_us:
            self._interval_us = interval_us
            self._heartbeat_at_us = now_us + interval_us
        if self.state not in BEATING:
            return
        self._set_epoch(body.member_epoch)
        if body.assignment is None or self.state is MembershipState.PREPARE_LEAVING:
            return
        self.target = self.target.followed_by(tuple(sorted(body.assignment)))
        if self.target != self.current:
            self._reconcile()

    def _reconcile(self) -> None:
        self._become(MembershipState.RECONCILING)
        self.rejoin_needed = True

    def _failed(self, now_us: int) -> None:
        """The next heartbeat says everything, after a pause instead of the interval."""
        self._said = _Said()
        self._heartbeat_at_us = now_us
        self._retry_at_us = now_us + self._wire.backoff_us(self._attempts)
        self._attempts += 1

    def _refused(self, error: Error, now_us: int) -> None:
        self._failed(now_us)
        if error in COORDINATOR_GONE:
            self._attempts = self._retry_at_us = 0  # As soon as the new one is found.
            self._lookup.lose()
        elif error in FENCED_BY:
            if self.state is not MembershipState.JOINING:
                self._attempts = self._retry_at_us = 0
            self._fenced()
        elif error is not Error.COORDINATOR_LOAD_IN_PROGRESS:
            self._fail(error)

    # --- Outside of the group --------------------------------------------------------------

    def _fenced(self) -> None:
        """The coordinator does not count it as a member, or not as this one."""
        if self.state is MembershipState.PREPARE_LEAVING:
            self._become(MembershipState.LEAVING)
            self._gone(MembershipState.UNSUBSCRIBED)
        else:
            self._gone(MembershipState.FENCED)
        self._set_epoch(JOINS)

    def _fail(self, error: Error) -> None:
        """No group for this member any more; a poll throws why."""
        said = f"{error.name}: {self.group_id} does not take this member"
        if error is Error.FENCED_INSTANCE_ID:
            self.failure = FencedInstance(f"{error.name}: {self._settings.group_instance_id}")
        else:
            self.failure = KafkaError(said)
        self._gone(MembershipState.FATAL)
        self._set_epoch(JOINS)

    def _expire(self) -> None:
        """Nobody polls: leave, and keep what is lost until a poll can tell the listener so."""
        self._become(MembershipState.PREPARE_LEAVING)
        self._say_goodbye(self._left)
        self._gone(MembershipState.STALE)

    def leave(self, left: Callable[[Any, int], None] | None = None) -> bool:
        """Leave the group; whether the coordinator was told. It is never told a second time.

        left: told its answer, or None; whatever it is, the member has left.
        """
        if self.state not in BEATING:
            return False
        self.prepare_leaving()
        said = self._lookup.node is not None
        if said:
            self._say_goodbye(left or self._left)
        else:
            self._become(MembershipState.LEAVING)
        self._gone(MembershipState.UNSUBSCRIBED)
        return said

    def _say_goodbye(self, left: Callable[[Any, int], None]) -> None:
        self._become(MembershipState.LEAVING)
        static = self._settings.group_instance_id is not None
        self._set_epoch(LEAVES_FOR_A_WHILE if static else LEAVES)
        self.current = NOTHING_YET
        self._lookup.ask(self._request(), left)

    def _left(self, body: Any, _: int) -> None:
        if body is None:
            self._lookup.lose(disconnected=True)

    def _gone(self, state: MembershipState) -> None:
        """What is on its way concerns it no more, and the next poll looks at `state`."""
        self._become(state)
        self.life += 1
        self._in_flight = False
        self._said = _Said()
        self.current = NOTHING_YET
        self.rejoin_needed = True

    def _set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.now = Generation(epoch if epoch > JOINS else NO_GENERATION, self.member_id)
        if epoch > JOINS:
            self.joined = self.now

    def _become(self, state: MembershipState) -> None:
        if state is not self.state:
            assert state in TRANSITIONS[self.state], f"from {self.state} to {state}"
            self.state = state

    @property
    def lost(self) -> bool:
        """Whether it is no member that the coordinator knows of."""
        return self.epoch <= JOINS

    # --- Commits -------------------------------------------------------------------------------

    def commit_refused(self, error: Error) -> str | None:
        """What a refused commit means for this member, or None: no more than for anybody.

        The membership stays what it is: heartbeats are what tells it. Source:
        CommitRequestManager.java.
        """
        if error is Error.STALE_MEMBER_EPOCH:
            return "the member has gone on to another epoch since it asked: commit again"
        if error is Error.UNKNOWN_MEMBER_ID:
            return "the group has moved on without this member"
        return None
