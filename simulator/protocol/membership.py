"""One member of a classic group: how it joins, syncs, heartbeats and leaves.

1. Joining happens only while the application is inside a call (poll, commit, close): an answer
   to JoinGroup that comes when it is elsewhere waits for it. Heartbeats go on in the background.
2. Heartbeats are sent from the answer to JoinGroup on, every heartbeat.interval.ms, whether or
   not those before were answered; while joining none are sent.
3. Without an answered heartbeat for session.timeout.ms the coordinator is looked up anew: that is
   no reason to believe that the partitions are lost.
4. Without a poll for max.poll.interval.ms the member leaves: a dynamic one tells the coordinator,
   a static one (group.instance.id) just falls silent.
5. ILLEGAL_GENERATION takes the generation away, UNKNOWN_MEMBER_ID the member id too. So does a
   rebalance that overtakes SyncGroup: what the member holds is of a generation before the one it
   missed, and it must not say otherwise (KAFKA-13419, KAFKA-13891).
6. A static member that is back under its group.instance.id, and leads, assigns nothing anew; it
   only watches the group's topics (skip_assignment, KIP-814).

Sources: AbstractCoordinator.java, Heartbeat.java; KIP-62, KIP-345, KIP-394.

Not modelled: the pause of up to retry.backoff.ms between the background thread's looks at its
timers (it acts on time here); reasons given to the coordinator (KIP-800).
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from simulator.errors import FencedInstance, KafkaError
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.lookup import COORDINATOR_GONE, Lookup
from simulator.protocol.messages import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupMember,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import MICROS_PER_MS, NO_GENERATION, TopicPartition
from simulator.protocol.subscriptions import Subscription, topics_of
from simulator.protocol.wire import NEVER, Wire

JOIN_TIMEOUT_LAPSE_MS = 5_000  # AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE

REJOIN_AT_ONCE = (
    Error.UNKNOWN_MEMBER_ID,
    Error.ILLEGAL_GENERATION,
    Error.REBALANCE_IN_PROGRESS,
    Error.MEMBER_ID_REQUIRED,
)


class MemberState(Enum):
    """Where a member is in the life of a generation."""

    UNJOINED = "Unjoined"
    PREPARING = "PreparingRebalance"  # JoinGroup is on its way, or was refused.
    COMPLETING = "CompletingRebalance"  # SyncGroup is on its way.
    STABLE = "Stable"


# What may follow what; checked at each change.
TRANSITIONS: dict[MemberState, tuple[MemberState, ...]] = {
    MemberState.UNJOINED: (MemberState.PREPARING,),
    MemberState.PREPARING: (MemberState.COMPLETING, MemberState.UNJOINED),
    MemberState.COMPLETING: (MemberState.STABLE, MemberState.PREPARING, MemberState.UNJOINED),
    MemberState.STABLE: (MemberState.PREPARING, MemberState.UNJOINED),
}


class Generation(NamedTuple):
    """Which member of which generation one is, and the assignor it chose."""

    number: int = NO_GENERATION
    member_id: str = ""
    protocol: str = ""


NO_MEMBER = Generation()


class Membership:
    """One consumer's part in its group.

    Attributes:
        in_call: whether the application is inside a call, so that joining may go on.
        to_assign: the members that this one, the leader, must assign partitions to; or None.
        watched: the topics of all members, once a leader that need not assign knows them.
        assignment: what SyncGroup gave and `take_assignment` has not yet taken; or None.
    """

    def __init__(
        self, settings: ConsumerSettings, wire: Wire, lookup: Lookup, client_id: str
    ) -> None:
        self.group_id = lookup.group_id
        self._settings = settings
        self._wire = wire
        self._lookup = lookup
        self._client_id = client_id
        self._session_us = settings.session_timeout_ms * MICROS_PER_MS
        self._heartbeat_us = settings.heartbeat_interval_ms * MICROS_PER_MS
        self.poll_us = settings.max_poll_interval_ms * MICROS_PER_MS
        self.state = MemberState.UNJOINED
        self.now = self.joined = NO_MEMBER
        self.rejoin_needed = True
        self.needs_prepare = True
        self.joining = False
        self.is_leader = False
        self.in_call = False
        self.closed = False
        self.to_assign: tuple[JoinGroupMember, ...] | None = None
        self.watched: tuple[str, ...] = ()
        self.assignment: tuple[TopicPartition, ...] | None = None
        self.join_at_us = 0
        self.poll_by_us = NEVER
        self._parked: tuple[Generation, Any] | None = None
        self._join_attempts = 0
        self._heartbeat_at_us = NEVER
        self._session_by_us = NEVER
        lookup.found = self._found

    def _found(self, now_us: int) -> None:
        self._session_by_us = now_us + self._session_us
        self._want_beat()

    # --- Joining ---------------------------------------------------------------------------

    def enter(self, now_us: int) -> None:
        """The application is inside a call: joining may go on."""
        self.in_call = True
        if self._parked is not None:
            (sent, body), self._parked = self._parked, None
            self._joined(sent, body, now_us)

    def join(self, protocols: tuple[tuple[str, Subscription], ...], now_us: int) -> None:
        """Send JoinGroup: everything that must be done before it has been done."""
        if now_us < self.join_at_us:
            self._wire.want(self.join_at_us)
            return
        settings = self._settings
        self._become(MemberState.PREPARING)
        self.joining = True
        request = JoinGroupRequest(
            self.group_id,
            settings.session_timeout_ms,
            settings.max_poll_interval_ms,
            self.now.member_id,
            protocols,
            settings.group_instance_id,
            "consumer",
            self._client_id,
        )
        sent = self.now
        # JoinGroup may be answered as late as the rebalance timeout, and a little more.
        timeout_ms = max(
            settings.request_timeout_ms, settings.max_poll_interval_ms + JOIN_TIMEOUT_LAPSE_MS
        )
        self._lookup.ask(
            request, lambda body, at_us: self._join_answered(sent, body, at_us), timeout_ms
        )

    def _join_answered(self, sent: Generation, body: JoinGroupResponse | None, now_us: int) -> None:
        if self.in_call:
            self._joined(sent, body, now_us)
        else:
            self._parked = (sent, body)

    def _joined(self, sent: Generation, body: JoinGroupResponse | None, now_us: int) -> None:
        if body is None:
            self._lookup.lose(disconnected=True)
            self._join_failed(Error.NETWORK_EXCEPTION, now_us)
        elif body.error is not Error.NONE:
            if body.error is Error.UNKNOWN_MEMBER_ID and self.now == sent:
                self.reset(member_too=True)
            elif body.error is Error.MEMBER_ID_REQUIRED:
                self.now = Generation(NO_GENERATION, body.member_id)
            elif body.error in COORDINATOR_GONE:
                self._lookup.lose()
            self._join_failed(body.error, now_us)
        elif self.state is not MemberState.PREPARING:  # It left the group meanwhile.
            self._join_failed(Error.ILLEGAL_GENERATION, now_us)
        else:
            self._become(MemberState.COMPLETING)
            self.now = Generation(body.generation, body.member_id, body.protocol)
            self._heartbeat_at_us = now_us + self._heartbeat_us
            self._session_by_us = now_us + self._session_us
            self.poll_by_us = now_us + self.poll_us
            self._want_beat()
            self.is_leader = body.leader == body.member_id
            self.watched = topics_of(body.members) if body.skip_assignment else ()
            if self.is_leader and not body.skip_assignment:
                self.to_assign = body.members
            else:
                self.sync((), now_us)

    def sync(self, assignments: tuple[tuple[str, Any], ...], now_us: int) -> None:
        """Send SyncGroup: with the assignments from the leader, with none from the others."""
        self.to_assign = None
        if self._lookup.node is None:
            self._join_failed(Error.COORDINATOR_NOT_AVAILABLE, now_us)
            return
        sent = self.now
        request = SyncGroupRequest(
            self.group_id,
            sent.number,
            sent.member_id,
            assignments,
            self._settings.group_instance_id,
            sent.protocol,
            "consumer",
        )
        self._lookup.ask(request, lambda body, at_us: self._synced(sent, body, at_us), None)

    def _synced(self, sent: Generation, body: SyncGroupResponse | None, now_us: int) -> None:
        if body is None:
            self._lookup.lose(disconnected=True)
            self._join_failed(Error.NETWORK_EXCEPTION, now_us)
        elif body.error is not Error.NONE:
            if body.error in (Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION):
                if self.now == sent:
                    self.reset(member_too=body.error is Error.UNKNOWN_MEMBER_ID)
            elif body.error is Error.REBALANCE_IN_PROGRESS:
                self.reset(member_too=False)
            elif body.error in COORDINATOR_GONE:
                self._lookup.lose()
            self._join_failed(body.error, now_us)
        elif self.state is not MemberState.COMPLETING or self.now != sent:
            self._join_failed(Error.ILLEGAL_GENERATION, now_us)
        else:
            self._become(MemberState.STABLE)
            self.joined = self.now
            self.rejoin_needed = False
            self._join_attempts = 0
            self.assignment = tuple(body.assignment or ())

    def take_assignment(self) -> tuple[TopicPartition, ...] | None:
        """The assignment, once; or None when the generation was lost before it was taken."""
        assignment, self.assignment = self.assignment, None
        self.joining = False
        if self.state is not MemberState.STABLE:
            self.reset(member_too=True)
            return None
        self.needs_prepare = True
        return assignment

    def _join_failed(self, error: Error, now_us: int) -> None:
        self.joining = False
        self.to_assign = None
        self.rejoin_needed = True
        if error in REJOIN_AT_ONCE:
            self.join_at_us = 0
        elif error is Error.FENCED_INSTANCE_ID:
            self._wire.failure = FencedInstance(f"{error.name}: {self._settings.group_instance_id}")
        elif not error.retriable:
            self._wire.failure = KafkaError(
                f"{error.name}: {self.group_id} does not take this member"
            )
        else:
            self.join_at_us = now_us + self._wire.backoff_us(self._join_attempts)
            self._join_attempts += 1
            self._wire.want(self.join_at_us)

    def reset(self, *, member_too: bool) -> None:
        """The generation is gone: what is owned is lost, and the next poll joins anew."""
        if self.state is not MemberState.UNJOINED:
            self._become(MemberState.UNJOINED)
        self.now = NO_MEMBER if member_too else Generation(NO_GENERATION, self.now.member_id)
        self.rejoin_needed = True
        self.needs_prepare = True
        if self.to_assign is not None:
            # The leader still waited for metadata: no answer is due that would end the join.
            self.to_assign = None
            self.joining = False

    @property
    def lost(self) -> bool:
        """Whether there is no generation to speak for."""
        return self.now.number == NO_GENERATION or not self.now.member_id

    @property
    def rebalancing(self) -> bool:
        """Whether this member knows itself to be in a rebalance."""
        return self.state in (MemberState.PREPARING, MemberState.COMPLETING)

    def _become(self, state: MemberState) -> None:
        if state is not self.state:
            assert state in TRANSITIONS[self.state], f"from {self.state} to {state}"
            self.state = state

    # --- Heartbeats ------------------------------------------------------------------------

    def polled(self, now_us: int) -> None:
        """The application is alive: max.poll.interval.ms begins anew."""
        self.poll_by_us = now_us + self.poll_us

    def beat(self, now_us: int, *, polling: bool) -> None:
        """What the background thread does when it is time: look up, give up, leave, or beat.

        polling: the application waits inside poll, so it does not miss max.poll.interval.ms.
        """
        if not self._beats:
            return
        if self._lookup.node is None:
            self._lookup.find(now_us)
        elif now_us >= self._session_by_us:
            self._lookup.lose()
            self._lookup.find(now_us)
        elif now_us >= self.poll_by_us and not polling:
            self.leave()
        else:
            if polling:
                self.polled(now_us)
            if now_us >= self._heartbeat_at_us:
                self._heartbeat_at_us = now_us + self._heartbeat_us
                sent = self.now
                request = HeartbeatRequest(
                    self.group_id, sent.number, sent.member_id, self._settings.group_instance_id
                )
                self._lookup.ask(request, lambda body, at_us: self._beaten(sent, body, at_us), None)

    def _beaten(self, sent: Generation, body: HeartbeatResponse | None, now_us: int) -> None:
        error = Error.NETWORK_EXCEPTION if body is None else body.error
        if error is Error.NONE:
            self._session_by_us = now_us + self._session_us
            self._wire.unchanged = True
            return
        if error is Error.REBALANCE_IN_PROGRESS:
            self._session_by_us = now_us + self._session_us
            if self.state is MemberState.STABLE:
                self.rejoin_needed = True
            return
        if error in (Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION, Error.FENCED_INSTANCE_ID):
            if self.now != sent:
                self._session_by_us = now_us + self._session_us
                return
            self.reset(member_too=error is not Error.ILLEGAL_GENERATION)
            if error is Error.FENCED_INSTANCE_ID:
                self._wire.failure = FencedInstance(
                    f"{error.name}: {self._settings.group_instance_id}"
                )
        elif error is Error.NETWORK_EXCEPTION:
            self._lookup.lose(disconnected=True)
        elif error in COORDINATOR_GONE:
            self._lookup.lose()
        self._heartbeat_at_us = now_us + self._wire.backoff_us(0)
        self._want_beat()

    @property
    def _beats(self) -> bool:
        return not self.closed and self.state in (MemberState.COMPLETING, MemberState.STABLE)

    def due_us(self) -> int:
        """When `beat` has something to do."""
        if not self._beats:
            return NEVER
        if self._lookup.node is None:
            return self._lookup.due_us()
        return min(self._heartbeat_at_us, self._session_by_us, self.poll_by_us)

    def _want_beat(self) -> None:
        self._wire.want(self.due_us())

    # --- Leaving ---------------------------------------------------------------------------

    def leave(self, left: Callable[[Any, int], None] | None = None) -> bool:
        """Leave the group; whether LeaveGroup was sent. It is never sent a second time.

        A static member does not say so: it keeps its partitions until its session expires.
        """
        said = (
            self._settings.group_instance_id is None
            and self._lookup.node is not None
            and self.state is not MemberState.UNJOINED
            and self.now.member_id != ""
        )
        if said:
            request = LeaveGroupRequest(self.group_id, ((self.now.member_id, None),))
            self._lookup.ask(request, left or self._left, None)
        self.reset(member_too=True)
        return said

    def _left(self, body: Any, _: int) -> None:
        if body is None:
            self._lookup.lose(disconnected=True)
