"""Who is in a classic group, and what each waits for: the state, and how each fact changes it.

Everything here can be rebuilt or is lost in a crash: the hard part of a group is the newest
GroupMetadata, which `load` reads, and the offsets. Dicts keep the order of arrival, so that a
choice "the first member that ..." is the same in every run (Kafka's is by hash).

Source: ClassicGroup.java.
"""

from collections.abc import Callable
from typing import Any

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    EMPTY_ASSIGNMENT,
    TRANSITIONS,
    Assigned,
    GenerationStarted,
    GroupMetadata,
    InitialDelayed,
    JoinAnswered,
    JoinParked,
    LeaderElected,
    Loaded,
    Member,
    MemberAdded,
    MemberNamed,
    MemberRemoved,
    MemberReplaced,
    MemberSeen,
    MemberSynced,
    MemberUpdated,
    PendingAdded,
    PendingRemoved,
    SessionTimerLapsed,
    SessionTimerSet,
    State,
    StateChanged,
    SyncAnswered,
    SyncParked,
    SyncsForgotten,
)


class Members:
    """The membership of one group; `apply` is its one writer."""

    __slots__ = (
        "deadlines_us", "generation", "grew", "initial", "instances", "joins", "leader", "members",
        "metadata", "named", "newcomers", "pending", "previous", "protocol", "protocol_type",
        "since_us", "status", "syncs", "timers_us", "unsynced",
    )

    def __init__(
        self,
        generation: int = 0,
        protocol_type: str = "",
        leader: str = "",
        members: dict[str, Member] | None = None,
        named: int = 0,
    ) -> None:
        self.status = State.ABSENT
        self.previous = State.ABSENT
        self.since_us = 0
        self.generation = generation
        self.protocol_type = protocol_type
        self.protocol = ""
        self.leader = leader
        self.members: dict[str, Member] = {} if members is None else members
        self.instances: dict[str, str] = {}  # group.instance.id to member id.
        self.pending: dict[str, None] = {}  # Named, and not yet joined.
        self.newcomers: dict[str, None] = {}  # Not yet told a generation.
        self.unsynced: dict[str, None] = {}
        self.joins: dict[str, Any] = {}  # Member id to its parked request's id.
        self.syncs: dict[str, Any] = {}
        self.deadlines_us: dict[str, int] = {}
        self.timers_us: dict[str, int] = {}
        self.named = named
        self.grew = False  # A member was added since the initial delay was last extended.
        self.initial: InitialDelayed | None = None
        self.metadata: GroupMetadata | None = None  # Hard: the newest on disk.

    # --- Reading ---------------------------------------------------------------------------

    def copy(self) -> "Members":
        """Another of the same contents, to try facts on."""
        members = self.members.copy()
        other = Members(self.generation, self.protocol_type, self.leader, members, self.named)
        other.status = self.status
        other.previous = self.previous
        other.since_us = self.since_us
        other.protocol = self.protocol
        other.instances = self.instances.copy()
        other.pending = self.pending.copy()
        other.newcomers = self.newcomers.copy()
        other.unsynced = self.unsynced.copy()
        other.joins = self.joins.copy()
        other.syncs = self.syncs.copy()
        other.deadlines_us = self.deadlines_us.copy()
        other.timers_us = self.timers_us.copy()
        other.grew = self.grew
        other.initial = self.initial
        other.metadata = self.metadata
        return other

    @property
    def everyone_joined(self) -> bool:
        """Every member's JoinGroup is here, and no id is out that has not come back."""
        return len(self.joins) == len(self.members) and not self.pending

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest of the members'."""
        return max((one.rebalance_timeout_ms for one in self.members.values()), default=0)

    def supports(self, protocol_type: str, protocols: tuple[tuple[str, Any], ...]) -> bool:
        """Whether a member with these protocols has one in common with all members."""
        if self.status is State.EMPTY:
            return bool(protocol_type) and bool(protocols)
        if protocol_type != self.protocol_type:
            return False
        common = self.common_protocols() if self.members else [name for name, _ in protocols]
        return any(name in common for name, _ in protocols)

    def common_protocols(self) -> list[str]:
        """The protocols that every member supports, in the first member's order."""
        everyone = list(self.members.values())
        return [
            name
            for name, _ in everyone[0].protocols
            if all(any(name == other for other, _ in one.protocols) for one in everyone)
        ]

    def chosen_protocol(self) -> str:
        """Each member votes for the first of its protocols that all support; most votes win.

        Among equals the one that was voted for first wins (Kafka leaves that to a hash map).
        """
        common = self.common_protocols()
        votes: dict[str, int] = {}
        for member in self.members.values():
            vote = next(name for name, _ in member.protocols if name in common)
            votes[vote] = votes.get(vote, 0) + 1
        return max(votes, key=votes.__getitem__)

    def refusal(self, member_id: str, instance_id: str | None) -> Error | None:
        """Why a request under this id is refused, or None (ClassicGroup.validateMember)."""
        if instance_id is not None:
            known = self.instances.get(instance_id)
            if known is None:
                return Error.UNKNOWN_MEMBER_ID
            if known != member_id:
                return Error.FENCED_INSTANCE_ID
        return None if member_id in self.members else Error.UNKNOWN_MEMBER_ID

    def record(self, now_us: int) -> GroupMetadata:
        """The group as the disk keeps it: of each member only the chosen protocol."""
        protocol = self.protocol
        return GroupMetadata(
            self.generation,
            self.protocol_type,
            protocol,
            self.leader,
            tuple(
                attrs.evolve(one, protocols=((protocol, one.metadata(protocol)),))
                for one in self.members.values()
            ),
            now_us,
        )

    # --- Writing ---------------------------------------------------------------------------

    def vanish(self) -> None:
        """There is no such group any more; ids that were given out stay given out."""
        assert not self.members
        self.metadata, self.generation = None, 0
        self.protocol_type = self.protocol = ""

    def apply(self, fact: Any) -> None:
        """Make a fact true."""
        _WRITERS[type(fact)](self, fact)

    def _metadata(self, fact: GroupMetadata) -> None:
        self.metadata = fact

    def _loaded(self, _: Loaded) -> None:
        assert self.metadata is not None
        kept = self.metadata
        self.generation = kept.generation
        self.protocol_type, self.protocol = kept.protocol_type, kept.protocol
        self.leader, self.since_us = kept.leader, kept.since_us
        self.members = {one.member_id: one for one in kept.members}
        self.instances = {
            one.group_instance_id: one.member_id
            for one in kept.members
            if one.group_instance_id is not None
        }

    def _state(self, fact: StateChanged) -> None:
        assert fact.before is self.status, f"{fact} in {self.status}"
        assert fact.after in TRANSITIONS.get((fact.before, fact.on), ()), f"no such change: {fact}"
        self.previous, self.status, self.since_us = fact.before, fact.after, fact.at_us

    def _generation(self, fact: GenerationStarted) -> None:
        assert fact.generation == self.generation + 1, f"{fact} after {self.generation}"
        assert fact.members == tuple(self.members)
        self.generation, self.protocol, self.leader = fact.generation, fact.protocol, fact.leader
        self.unsynced = dict.fromkeys(fact.members)
        self.newcomers.clear()
        self.initial = None

    def _added(self, fact: MemberAdded) -> None:
        member = fact.member
        if not self.members:
            self.protocol_type = member.protocol_type
        if self.status is State.PREPARING and self.previous is State.EMPTY:
            self.grew = True
        self._put(member)
        self.newcomers[member.member_id] = None
        self.pending.pop(member.member_id, None)
        self.leader = self.leader or member.member_id

    def _put(self, member: Member) -> None:
        self.members[member.member_id] = member
        if member.group_instance_id is not None:
            self.instances[member.group_instance_id] = member.member_id

    def _updated(self, fact: MemberUpdated) -> None:
        assert fact.member.member_id in self.members
        self._put(fact.member)

    def _replaced(self, fact: MemberReplaced) -> None:
        was_leader = self.leader == fact.old_id
        self._forget(fact.old_id)
        self._put(fact.member)
        if was_leader:
            self.leader = fact.member.member_id

    def _removed(self, fact: MemberRemoved) -> None:
        instance_id = self.members[fact.member_id].group_instance_id
        self._forget(fact.member_id)
        if instance_id is not None:
            del self.instances[instance_id]
        if self.leader == fact.member_id:
            self.leader = next(iter(self.members), "")

    def _forget(self, member_id: str) -> None:
        del self.members[member_id]
        for kept in (self.newcomers, self.unsynced, self.joins, self.syncs):
            kept.pop(member_id, None)
        self.deadlines_us.pop(member_id, None)
        self.timers_us.pop(member_id, None)

    def _named(self, _: MemberNamed) -> None:
        self.named += 1

    def _pending(self, fact: PendingAdded) -> None:
        self.pending[fact.member_id] = None

    def _pending_removed(self, fact: PendingRemoved) -> None:
        del self.pending[fact.member_id]
        self.deadlines_us.pop(fact.member_id, None)
        self.timers_us.pop(fact.member_id, None)

    def _elected(self, fact: LeaderElected) -> None:
        self.leader = fact.member_id

    def _join_parked(self, fact: JoinParked) -> None:
        self.joins[fact.member_id] = fact.request_id

    def _join_answered(self, fact: JoinAnswered) -> None:
        del self.joins[fact.member_id]

    def _sync_parked(self, fact: SyncParked) -> None:
        self.syncs[fact.member_id] = fact.request_id

    def _sync_answered(self, fact: SyncAnswered) -> None:
        del self.syncs[fact.member_id]

    def _synced(self, fact: MemberSynced) -> None:
        self.unsynced.pop(fact.member_id, None)

    def _syncs_forgotten(self, _: SyncsForgotten) -> None:
        self.unsynced.clear()

    def _assigned(self, fact: Assigned) -> None:
        given = dict(fact.assignments)
        self.members = {
            member_id: attrs.evolve(one, assignment=given.get(member_id, EMPTY_ASSIGNMENT))
            for member_id, one in self.members.items()
        }

    def _delayed(self, fact: InitialDelayed) -> None:
        if self.initial is not None:
            self.grew = False
        self.initial = fact

    def _seen(self, fact: MemberSeen) -> None:
        self.deadlines_us[fact.member_id] = fact.deadline_us

    def _timer_set(self, fact: SessionTimerSet) -> None:
        self.timers_us[fact.member_id] = fact.at_us

    def _timer_lapsed(self, fact: SessionTimerLapsed) -> None:
        del self.timers_us[fact.member_id]


_WRITERS: dict[type, Callable[[Members, Any], None]] = {
    GroupMetadata: Members._metadata,
    Loaded: Members._loaded,
    StateChanged: Members._state,
    GenerationStarted: Members._generation,
    MemberAdded: Members._added,
    MemberUpdated: Members._updated,
    MemberReplaced: Members._replaced,
    MemberRemoved: Members._removed,
    MemberNamed: Members._named,
    PendingAdded: Members._pending,
    PendingRemoved: Members._pending_removed,
    LeaderElected: Members._elected,
    JoinParked: Members._join_parked,
    JoinAnswered: Members._join_answered,
    SyncParked: Members._sync_parked,
    SyncAnswered: Members._sync_answered,
    MemberSynced: Members._synced,
    SyncsForgotten: Members._syncs_forgotten,
    Assigned: Members._assigned,
    InitialDelayed: Members._delayed,
    MemberSeen: Members._seen,
    SessionTimerSet: Members._timer_set,
    SessionTimerLapsed: Members._timer_lapsed,
}
