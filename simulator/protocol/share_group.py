"""A share group on its coordinator: who is in it, and where each member may acquire records.

1. A member joins, subscribes and leaves by heartbeats; who is silent for
   group.share.session.timeout.ms is removed.
2. Whenever members, subscriptions or a topic's size change, the group's epoch rises and everybody
   is assigned anew. A member learns of it with its next heartbeat, and nobody waits for anybody:
   two members may well acquire from one partition, so nothing need be given back first.
3. The simple assignor gives each partition to a member and then each member without one a
   partition, so with more members than partitions some partitions have many.
4. A member's epoch says which assignment it knows. One that names another epoch than its own, or
   the one before that, is fenced, and joins again.

Sources: GroupMetadataManager.java (shareGroupHeartbeat), ShareGroup.java, SimpleAssignor.java of
Kafka 4.0; KIP-932.

Not modelled: an assignor that keeps as much as it can of what was assigned before; a group id that
is also the id of a group of another kind; subscription by pattern; ShareGroupDescribe.
"""

from collections.abc import Mapping
from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.names import TopicPartition
from simulator.protocol.share_messages import (
    JOINS,
    LEAVES,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from simulator.protocol.share_settings import ShareConfig

Partitions = tuple[TopicPartition, ...]

_DEFAULT = ShareConfig()


class MemberWritten(NamedTuple):
    """Hard: a member's subscription."""

    member_id: str
    topics: tuple[str, ...]


class MemberRemoved(NamedTuple):
    """Hard: reason is left or session_timeout."""

    member_id: str
    reason: str


class Assigned(NamedTuple):
    """Hard: the group's new epoch, what it assigns, and how big the topics were."""

    epoch: int
    assignment: tuple[tuple[str, Partitions], ...]
    sizes: tuple[tuple[str, int], ...]


class EpochReached(NamedTuple):
    """Hard: a member has been told the assignment of this epoch."""

    member_id: str
    epoch: int
    previous: int


Fact = MemberWritten | MemberRemoved | Assigned | EpochReached


class Member(NamedTuple):
    """A member as its coordinator knows it."""

    topics: tuple[str, ...]
    epoch: int = 0
    previous: int = -1


def assign_simple(
    members: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]
) -> dict[str, Partitions]:
    """Every partition to somebody, every member something, as evenly as subscriptions allow.

    Args:
        members: member id to the topics that it subscribes to.
        sizes: topic to its number of partitions.
    """
    given: dict[str, list[TopicPartition]] = {member: [] for member in sorted(members)}
    shared: dict[TopicPartition, int] = {}
    topics = sorted({topic for topics in members.values() for topic in topics})
    for topic in topics:
        subscribers = [member for member in given if topic in members[member]]
        for number in range(sizes.get(topic, 0)):
            least = min(subscribers, key=lambda one: len(given[one]))
            given[least].append(TopicPartition(topic, number))
            shared[TopicPartition(topic, number)] = 1
    for member, partitions in given.items():
        open_to = [one for one in shared if one.topic in members[member]]
        if not partitions and open_to:
            where = min(open_to, key=lambda one: shared[one])
            partitions.append(where)
            shared[where] += 1
    return {member: tuple(partitions) for member, partitions in given.items()}


class ShareGroup:
    """One share group.

    Attributes:
        epoch: rises with every new assignment.
        members: by member id.
        assignment: what each member is to know.
    """

    def __init__(self, group_id: str, config: ShareConfig = _DEFAULT) -> None:
        self.group_id = group_id
        self.config = config
        self.epoch = 0
        self.members: dict[str, Member] = {}
        self.assignment: dict[str, Partitions] = {}
        self._sizes: dict[str, int] = {}

    # --- Deciding ----------------------------------------------------------------------------

    def decide(self, message: Request | Timer, sizes: Mapping[str, int]) -> Step:
        """Answer a heartbeat, or remove a member whose time is up; only looks.

        Args:
            sizes: each topic's number of partitions, as far as there is such a topic.
        """
        if isinstance(message, Timer):
            assert isinstance(message.name, tuple), f"there is no timer {message.name!r}"
            expired: str = message.name[1]
            if expired not in self.members:
                return Step()
            return Step(self._without(expired, "session_timeout", sizes))
        body: ShareGroupHeartbeatRequest = message.body
        if body.member_epoch < LEAVES or not body.member_id:
            return self._refuse(message, Error.INVALID_REQUEST)
        if body.member_epoch == LEAVES:
            return self._leave(message, body, sizes)
        error = self._refusal(body)
        if error is not None:
            return self._refuse(message, error)
        return self._beat(message, body, sizes)

    def _refusal(self, body: ShareGroupHeartbeatRequest) -> Error | None:
        member = self.members.get(body.member_id)
        if body.member_epoch == JOINS:
            if not body.topics:
                return Error.INVALID_REQUEST
            if member is None and len(self.members) >= self.config.max_size:
                return Error.GROUP_MAX_SIZE_REACHED
            return None
        if member is None:
            return Error.UNKNOWN_MEMBER_ID
        if body.member_epoch not in (member.epoch, member.previous):
            return Error.FENCED_MEMBER_EPOCH
        return None

    def _beat(
        self, message: Request, body: ShareGroupHeartbeatRequest, sizes: Mapping[str, int]
    ) -> Step:
        member_id = body.member_id
        known = self.members.get(member_id)
        topics = known.topics if known is not None and body.topics is None else body.topics or ()
        facts: list[Fact] = []
        if known is None or known.topics != topics:
            facts.append(MemberWritten(member_id, topics))
        members = {one: member.topics for one, member in self.members.items()}
        members[member_id] = topics
        if facts or self._outdated(members, sizes):
            facts.append(self._assign(members, sizes))
        told = facts[-1] if facts else None
        epoch, target = self.epoch, self.assignment.get(member_id, ())
        if isinstance(told, Assigned):
            epoch, target = told.epoch, dict(told.assignment)[member_id]
        news = known is None or known.epoch != epoch or body.member_epoch != epoch
        if known is None or known.epoch != epoch:
            facts.append(EpochReached(member_id, epoch, known.epoch if known else -1))
        answer = ShareGroupHeartbeatResponse(
            Error.NONE, member_id, epoch, self.config.heartbeat_interval_ms,
            target if news or body.topics is not None else None,
        )  # fmt: skip
        return Step(tuple(facts), (self._session(member_id), Reply(message.id, answer)))

    def _leave(
        self, message: Request, body: ShareGroupHeartbeatRequest, sizes: Mapping[str, int]
    ) -> Step:
        if body.member_id not in self.members:
            return self._refuse(message, Error.UNKNOWN_MEMBER_ID)
        answer = ShareGroupHeartbeatResponse(Error.NONE, body.member_id, LEAVES)
        cancel = CancelTimer(("session", body.member_id))
        return Step(
            self._without(body.member_id, "left", sizes), (cancel, Reply(message.id, answer))
        )

    def _without(self, member_id: str, reason: str, sizes: Mapping[str, int]) -> tuple[Fact, ...]:
        left = {one: member.topics for one, member in self.members.items() if one != member_id}
        return (MemberRemoved(member_id, reason), self._assign(left, sizes))

    def _assign(self, members: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]) -> Assigned:
        return Assigned(
            self.epoch + 1,
            tuple(assign_simple(members, sizes).items()),
            tuple(self._relevant(members, sizes).items()),
        )

    def _outdated(self, members: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]) -> bool:
        """Whether a topic that somebody subscribes to has got partitions."""
        return self._relevant(members, sizes) != self._sizes

    @staticmethod
    def _relevant(
        members: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]
    ) -> dict[str, int]:
        topics = sorted({topic for topics in members.values() for topic in topics})
        return {topic: sizes[topic] for topic in topics if topic in sizes}

    @staticmethod
    def _refuse(message: Request, error: Error) -> Step:
        return Step((), (Reply(message.id, ShareGroupHeartbeatResponse(error)),))

    def _session(self, member_id: str) -> SetTimer:
        timeout_us = self.config.session_timeout_us
        return SetTimer(("session", member_id), timeout_us, timeout_us)

    def recover(self) -> Step:
        """A restarted coordinator gives every member a whole session to be heard of."""
        return Step((), tuple(self._session(member_id) for member_id in self.members))

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true."""
        match fact:
            case MemberWritten(member_id, topics):
                known = self.members.get(member_id, Member(()))
                self.members[member_id] = known._replace(topics=topics)
            case MemberRemoved(member_id, _):
                del self.members[member_id]
            case Assigned(epoch, assignment, sizes):
                assert epoch > self.epoch, f"epoch {epoch} after {self.epoch}"
                self.epoch = epoch
                self.assignment = dict(assignment)
                self._sizes = dict(sizes)
            case EpochReached(member_id, epoch, previous):
                self.members[member_id] = self.members[member_id]._replace(
                    epoch=epoch, previous=previous
                )

    def hard_facts(self) -> tuple[Fact, ...]:
        """The shortest journal from which the same is known."""
        facts: list[Fact] = []
        for member_id, member in self.members.items():
            facts.append(MemberWritten(member_id, member.topics))
            facts.append(EpochReached(member_id, member.epoch, member.previous))
        if self.epoch:
            assignment, sizes = tuple(self.assignment.items()), tuple(self._sizes.items())
            facts.append(Assigned(self.epoch, assignment, sizes))
        return tuple(facts)
