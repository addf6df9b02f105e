"""One group and its clients, driven by hand in as few words as a ledger has."""

from simulator.protocol.errors import Error
from simulator.protocol.group import Group, GroupConfig, is_hard
from simulator.protocol.group_state import (
    MemberRemoved,
    PendingRemoved,
    State,
    StateChanged,
)
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    OffsetCommitRequest,
    SyncGroupRequest,
)
from simulator.protocol.names import TopicPartition
from tests.driven import Driven

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
MINUTE_MS = 60_000


class Ledger:
    """One group and its clients, in as few words as a ledger has."""

    def __init__(self, group_id="g", **settings):
        self.driven = Driven(
            lambda life: Group(group_id, GroupConfig(**settings), incarnation=life), is_hard
        )

    @property
    def group(self):
        return self.driven.machine

    def join(self, member_id="", client="c", *, session_ms=10_000, rebalance_ms=30_000,
             protocols=("range",), said="", static=None, known=True):  # fmt: skip
        """Send a JoinGroup: the answer, or the number of a request that waits."""
        body = JoinGroupRequest(
            "g", session_ms, rebalance_ms, member_id, tuple((one, said) for one in protocols),
            static, requires_known_member_id=known,
        )  # fmt: skip
        return self.driven.ask(body, client) or self.driven.sent

    def enter(self, client="c", **more):
        """Get a member id and join with it: the id, and what the second join led to."""
        told = self.join(client=client, **more)
        assert told.error is Error.MEMBER_ID_REQUIRED
        return told.member_id, self.join(told.member_id, client, **more)

    def sync(self, member_id, generation, assignments=(), static=None, protocol=None):
        body = SyncGroupRequest("g", generation, member_id, tuple(assignments), static, protocol)
        return self.driven.ask(body) or self.driven.sent

    def heartbeat(self, member_id, generation, static=None):
        return self.driven.ask(HeartbeatRequest("g", generation, member_id, static)).error

    def commit(self, member_id, generation, offset=1, partition=T0, static=None):
        offsets = (CommittedOffset(partition, offset),)
        answer = self.driven.ask(OffsetCommitRequest("g", generation, member_id, offsets, static))
        ((_, error),) = answer.results
        return error

    def leave(self, *members):
        """Each a member id, or (member id, instance id): the error of each."""
        named = tuple((one, None) if isinstance(one, str) else one for one in members)
        answer = self.driven.ask(LeaveGroupRequest("g", named))
        return [error for _, _, error in answer.members]

    def wait(self, ms):
        self.driven.wait(ms)

    def answer_to(self, number):
        return self.driven.answer_to(number)

    def stable(self, *clients, **more):
        """A Stable group of these clients in generation 1: their member ids, leader first."""
        entered = [self.enter(client, **more) for client in clients]
        self.wait(3_000 if len(clients) == 1 else 6_000)
        ids = [member_id for member_id, _ in entered]
        for member_id in ids:
            given = [(one, f"of {one}") for one in ids] if member_id == ids[0] else ()
            assert self.sync(member_id, 1, given).error is Error.NONE
        assert self.group.state is State.STABLE
        self.driven.answers.clear()
        return ids

    def removals(self):
        """Who was removed, and why."""
        kinds = MemberRemoved, PendingRemoved
        return [(f.member_id, f.reason) for f in self.driven.facts if isinstance(f, kinds)]

    def changes(self):
        return [f.after for f in self.driven.facts if isinstance(f, StateChanged)]
