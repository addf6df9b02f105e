"""Who is in a classic group, and what each waits for: the state, and how each fact changes it.

Everything here can be rebuilt or is lost in a crash: the hard part of a group is the newest
GroupMetadata, which `load` reads, and the offsets. Dicts keep the order of arrival, so that a
choice "the first member that ..." is the same in every run (Kafka's is by hash).

Source: ClassicGroup.java.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar

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


@attrs.define
class Members:
    """The membership of one group; `apply` is its one writer."""

    status: State = State.ABSENT
    previous: State = State.ABSENT
    since_us: int = 0
    generation: int = 0
    protocol_type: str = ""
    protocol: str = ""
    leader: str = ""
    members: dict[str, Member] = attrs.field(factory=dict)
    instances: dict[str, str] = attrs.field(factory=dict)  # group.instance.id to member id.
    pending: dict[str, None] = attrs.field(factory=dict)  # Named, and not yet joined.
    newcomers: dict[str, None] = attrs.field(factory=dict)  # Not yet told a generation.
    unsynced: dict[str, None] = attrs.field(factory=dict)
    joins: dict[str, Any] = attrs.field(factory=dict)  # Member id to its parked request's id.
    syncs: dict[str, Any] = attrs.field(factory=dict)
    deadlines_us: dict[str, int] = attrs.field(factory=dict)
    timers_us: dict[str, int] = attrs.field(factory=dict)
    named: int = 0
    grew: bool = False  # A member was added since the initial delay was last extended.
    initial: InitialDelayed | None = None
    metadata: GroupMetadata | None = None  # Hard: the newest on disk.

    # --- Reading ---------------------------------------------------------------------------

    def copy(self) -> "Members":
        """Another of the same contents, to try facts on."""
        values = list(_VALUES(self))
        for position in _COPIED:
            values[position] = values[position].copy()
        return Members(*values)

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
        self._WRITERS[type(fact)](self, fact)

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

    _WRITERS: ClassVar[dict[type, Callable[["Members", Any], None]]] = {
        GroupMetadata: _metadata,
        Loaded: _loaded,
        StateChanged: _state,
        GenerationStarted: _generation,
        MemberAdded: _added,
        MemberUpdated: _updated,
        MemberReplaced: _replaced,
        MemberRemoved: _removed,
        MemberNamed: _named,
        PendingAdded: _pending,
        PendingRemoved: _pending_removed,
        LeaderElected: _elected,
        JoinParked: _join_parked,
        JoinAnswered: _join_answered,
        SyncParked: _sync_parked,
        SyncAnswered: _sync_answered,
        MemberSynced: _synced,
        SyncsForgotten: _syncs_forgotten,
        Assigned: _assigned,
        InitialDelayed: _delayed,
        MemberSeen: _seen,
        SessionTimerSet: _timer_set,
        SessionTimerLapsed: _timer_lapsed,
    }


_FIELDS = tuple(field.name for field in attrs.fields(Members))
_VALUES = attrgetter(*_FIELDS)
_COPIED = tuple(at for at, value in enumerate(_VALUES(Members())) if isinstance(value, dict))
