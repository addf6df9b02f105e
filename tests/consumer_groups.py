"""One consumer group of KIP-848 and its clients, driven by hand in as few words as a ledger has."""

from simulator.protocol.consumer_group import ConsumerGroup, is_hard
from simulator.protocol.consumer_group_config import ConsumerGroupConfig
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
)
from simulator.protocol.consumer_group_state import MemberFenced, TopicsKnown
from simulator.protocol.errors import Error
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    OffsetCommitRequest,
    SyncGroupRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Subscription
from tests.driven import Driven

T0, T1, T2, T3 = (TopicPartition("t", number) for number in range(4))
REBALANCE_MS = 30_000


def rules(classic=None, **settings):
    return Rules(config=ConsumerGroupConfig(**settings), classic=GroupConfig(**(classic or {})))


class Ledger:
    """A group on a cluster with topic t of four partitions and u of two."""

    def __init__(self, group_id="g", topics=(("t", 4), ("u", 2)), by=None):
        self.topics = dict(topics)
        by = by or Rules()
        self.driven = Driven(
            lambda life: ConsumerGroup(group_id, self.topics, by, incarnation=life), is_hard
        )

    @property
    def group(self):
        return self.driven.machine

    def beat(self, member_id, epoch, owned=None, *, static=None, topics=None, **more):
        """A heartbeat: the whole answer."""
        body = ConsumerGroupHeartbeatRequest(
            "g", member_id, epoch, static, topics=topics, owned=owned, **more
        )
        return self.driven.ask(body, more.get("client", "client"))

    def join(self, member_id, static=None, topics=("t",), **more):
        return self.beat(
            member_id,
            0,
            (),
            static=static,
            topics=topics,
            rebalance_timeout_ms=REBALANCE_MS,
            **more,
        )

    def leave(self, member_id, static=None, epoch=-1):
        return self.beat(member_id, epoch, static=static).error

    def settled(self, *members, rounds=6):
        """Let these members, each willing, beat until the group stands still."""
        for _ in range(rounds):
            for member_id in members:
                member = self.member(member_id)
                self.beat(member_id, member.epoch, member.assigned, static=member.group_instance_id)
        return {one: self.member(one).assigned for one in members}

    def member(self, member_id):
        return next(one for one in self.group.members if one.member_id == member_id)

    def commit(self, member_id, epoch, offset=1, partition=T0):
        body = OffsetCommitRequest("g", epoch, member_id, (CommittedOffset(partition, offset),))
        ((_, error),) = self.driven.ask(body).results
        return error

    def change_topics(self, **topics):
        """The cluster's topics change, and the coordinator hears of it."""
        self.topics.update(topics)
        for gone in [name for name, size in self.topics.items() if size is None]:
            del self.topics[gone]
        self.driven.tell(TopicsKnown(tuple(self.topics.items())))

    def describe(self):
        return self.driven.ask(ConsumerGroupDescribeRequest("g"))

    def wait(self, ms):
        self.driven.wait(ms)

    def removals(self):
        """Who was removed, and why."""
        facts = self.driven.facts
        return [(f.member_id, f.reason) for f in facts if isinstance(f, MemberFenced)]

    # --- Members that speak the classic protocol ---------------------------------------------

    def classic_join(self, member_id="", *, owned=(), protocol="range", static=None, known=True):
        said = Subscription(("t",), owned=owned)
        body = JoinGroupRequest(
            "g", 10_000, REBALANCE_MS, member_id, ((protocol, said),), static, client_id="c",
            requires_known_member_id=known,
        )  # fmt: skip
        return self.driven.ask(body)

    def classic_enter(self, **more):
        told = self.classic_join(**more)
        assert told.error is Error.MEMBER_ID_REQUIRED
        return self.classic_join(told.member_id, **more)

    def classic_sync(self, member_id, generation, static=None):
        return self.driven.ask(SyncGroupRequest("g", generation, member_id, (), static))

    def classic_beat(self, member_id, generation, static=None):
        return self.driven.ask(HeartbeatRequest("g", generation, member_id, static)).error

    def classic_leave(self, *members):
        named = tuple((one, None) if isinstance(one, str) else one for one in members)
        answer = self.driven.ask(LeaveGroupRequest("g", named))
        return [error for _, _, error in answer.members]
