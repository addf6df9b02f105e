"""Whatever clients do, slowly, twice, late or never, a partition has one owner at most, and all who
keep beating come to rest: and a coordinator for which that is not so is caught.
"""

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol.consumer_group import ConsumerGroup, is_hard
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.consumer_group_messages import ConsumerGroupHeartbeatRequest
from simulator.protocol.consumer_group_reconciling import reconcile
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    MemberMoved,
    MemberState,
    TopicsKnown,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_state import OffsetsCommitted
from simulator.protocol.messages import CommittedOffset, OffsetCommitRequest
from simulator.protocol.names import TopicPartition
from tests.driven import Driven

REBALANCE_MS = 20_000
SUBSCRIPTIONS = (("t",), ("t", "u"), ("u",))
SIZES = ({"t": 4, "u": 2}, {"t": 5, "u": 2}, {"t": 4}, {"t": 4, "u": 3})
FENCED = (Error.UNKNOWN_MEMBER_ID, Error.FENCED_MEMBER_EPOCH, Error.GROUP_ID_NOT_FOUND)


@attrs.define
class Client:
    """What a client knows, which may be old. It works on what it owns, and has one request at a
    time on its way: an answer that comes too late is thrown away.
    """

    name: str
    static: str | None = None
    lives: int = 0
    epoch: int = 0
    topics: tuple = ("t",)
    owned: set = attrs.field(factory=set)
    told: tuple = ()
    unsure: bool = True  # It has to say everything: it joins, or an answer was lost.
    news: bool = False  # What it owns has changed since it last said it.
    gone: bool = False  # Fenced by its instance for good, or told that another has it.

    @property
    def member_id(self):
        return f"{self.name}-{self.lives}"

    def lose_everything(self):
        self.epoch, self.told, self.unsure, self.news = 0, (), True, False
        self.owned.clear()


class Play:
    """One group, four clients (two of them static under the same instance), and the promises."""

    def __init__(self, build=ConsumerGroup, rules=None, members=ConsumerMembers, hard=is_hard):
        self.sizes = SIZES[0]
        rules = rules or Rules()

        def started(_):
            return build("g", self.sizes, rules, members=members())

        self.started = started
        self.driven = Driven(started, hard)
        self.clients = [Client("a"), Client("b"), Client("x", "i"), Client("y", "i")]
        self.committed = {}

    def do(self, operation, who, number):
        getattr(self, operation)(self.clients[who], number)
        self.promises()

    # --- What may happen -----------------------------------------------------------------

    def beat(self, client, number):
        """number % 4 == 3: the answer is lost."""
        if client.gone:
            return
        full = client.unsure or client.epoch == 0
        body = ConsumerGroupHeartbeatRequest(
            "g",
            client.member_id,
            client.epoch,
            client.static,
            rebalance_timeout_ms=REBALANCE_MS if full else -1,
            topics=client.topics if full else None,
            owned=tuple(sorted(client.owned)) if full or client.news else None,
        )
        answer = self.driven.ask(body, client.name)
        assert answer is not None, "a heartbeat waits for nothing"
        if number % 4 == 3:
            client.unsure = True
            return
        client.news = False
        if answer.error in FENCED:
            client.lose_everything()
        elif answer.error is not Error.NONE:
            assert answer.error in (Error.UNRELEASED_INSTANCE_ID, Error.FENCED_INSTANCE_ID)
            client.lose_everything()
            client.gone = True
        else:
            client.epoch, client.unsure = answer.member_epoch, False
            if answer.assignment is not None:
                client.told = answer.assignment

    def settle(self, client, number):
        """The client gives back what it may not hold any more, or takes what is new, or not yet."""
        before = set(client.owned)
        if number % 3 == 0:
            client.owned &= {*client.told}
        elif client.owned <= {*client.told}:
            client.owned |= {*client.told}
        client.news |= client.owned != before

    def subscribe(self, client, number):
        client.topics = SUBSCRIPTIONS[number % len(SUBSCRIPTIONS)]
        client.unsure = True

    def leave(self, client, number):
        """It gives everything up first; number % 2: it forgets to say so."""
        epoch = -2 if client.static else -1
        client.owned.clear()
        if number % 2 == 0 and not client.gone:
            self.driven.ask(
                ConsumerGroupHeartbeatRequest("g", client.member_id, epoch, client.static)
            )
        self.crash(client, number)

    def crash(self, client, _):
        """A process that starts again has another name, and knows nothing."""
        client.lose_everything()
        client.lives += 1
        client.gone = False

    def commit(self, client, number):
        partition = TopicPartition("t", number % 4)
        epoch = client.epoch - number % 2
        offsets = (CommittedOffset(partition, number),)
        members = {one.member_id: one.epoch for one in self.driven.machine.members}
        answer = self.driven.ask(OffsetCommitRequest("g", epoch, client.member_id, offsets))
        if answer.results[0][1] is Error.NONE:
            outside = epoch < 0 and not members
            assert outside or members.get(client.member_id) == epoch, "a zombie has committed"
            self.committed[partition] = number
        elif client.epoch > 0 and members.get(client.member_id) == epoch:
            raise AssertionError("a member's commit was refused")

    def grow(self, _client, number):
        self.sizes = SIZES[number % len(SIZES)]
        self.driven.tell(TopicsKnown(tuple(self.sizes.items())))

    def wait(self, _client, number):
        self.driven.wait((100, 5_000, 10_000, 20_000, 45_000)[number % 5])

    def restart(self, *_):
        self.driven.start()

    # --- What must hold ------------------------------------------------------------------

    def promises(self):
        group = self.driven.machine
        replayed = self.started(99)
        for fact in self.driven.disk:
            replayed.apply(fact)
        assert replayed.hard_state() == group.hard_state(), "the disk tells another story"
        again = self.started(99)
        for fact in group.hard_state():
            again.apply(fact)
        assert again.hard_state() == group.hard_state(), "compaction loses something"
        held = [one for member in group.members for one in (*member.assigned, *member.revoking)]
        assert len(held) == len(set(held)), "a partition has two owners"
        for member in group.members:
            assert member.epoch <= group.target_epoch <= group.group_epoch
            for one in (*member.assigned, *member.revoking):
                assert group.partition_epoch(one) == member.epoch, "the partition has no epoch"
        for partition, offset in self.committed.items():
            assert group.committed(partition).offset == offset
        self.clients_work_on_what_is_theirs({one.member_id: one for one in group.members})

    def clients_work_on_what_is_theirs(self, members):
        """A client that is a member owns nothing but what the coordinator counts as its own.

        So two members never work on the same partition. (One who was removed and has not heard of
        it may still work: that is the zombie that every group has, and its commits are refused.)
        """
        for client in self.clients:
            member = members.get(client.member_id)
            if member is not None and client.owned:
                mine = {*member.assigned, *member.revoking}
                assert client.owned <= mine, "a member works on what is not its own"

    def ends_well(self):
        """Everybody beats, gives back and takes: after a while all have what they are to have."""
        for client in self.clients:
            if client.gone:
                self.crash(client, 0)
        for _ in range(40):
            for client in self.clients:
                self.beat(client, 0)
                self.settle(client, 0)
                self.settle(client, 1)
                self.promises()
            self.driven.wait(5_000)
        group = self.driven.machine
        living = [one for one in self.clients if not one.gone]
        assert {one.member_id for one in living} == {one.member_id for one in group.members}
        assert group.state is ConsumerGroupState.STABLE, "it does not come to rest"
        owned = [partition for one in living for partition in one.owned]
        wanted = {topic for one in living for topic in one.topics if topic in self.sizes}
        everything = {TopicPartition(t, n) for t in wanted for n in range(self.sizes[t])}
        assert sorted(owned) == sorted(everything), "not everything is read, or something twice"


WEIGHTED = [*["beat"] * 8, *["settle"] * 6, *["commit"] * 2, "subscribe", "leave", "crash", "grow",
            *["wait"] * 3, "restart"]  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 3), st.integers(0, 23)), max_size=60
)


def play(script, **more):
    game = Play(**more)
    for operation, who, number in script:
        game.do(operation, who, number)
    return game


def goes(who, *words):
    """What one client does: words like beat, lost (a beat whose answer is lost), back, take."""
    meaning = {"beat": ("beat", 0), "lost": ("beat", 3), "back": ("settle", 0),
               "take": ("settle", 1), "u": ("subscribe", 2), "tu": ("subscribe", 1),
               "t": ("subscribe", 0), "leave": ("leave", 0), "crash": ("crash", 0)}  # fmt: skip
    return [(meaning[word][0], who, meaning[word][1]) for word in words]


A, B, X, Y = range(4)
MOVES = [*goes(A, "beat", "take"), *goes(B, "beat"), *goes(A, "beat")]  # A has to give back.
THERE_AND_BACK = [*MOVES, *goes(B, "leave"), *goes(A, "beat", "back", "beat", "beat")]


@given(scripts)
@example([*MOVES, *goes(A, "back", "beat"), *goes(B, "beat", "take", "beat")])
@example([*goes(X, "beat", "take", "leave"), *goes(Y, "beat", "take"), *goes(X, "beat")])
@example([*MOVES, ("restart", 0, 0), *goes(A, "beat", "back", "lost", "beat")])
@example([*goes(A, "beat", "take"), *goes(B, "beat"), ("wait", 0, 3), *goes(A, "beat")])
@example(THERE_AND_BACK)
def test_a_partition_has_one_owner_and_everybody_comes_to_rest(script):
    play(script).ends_well()


def test_the_scripts_reach_what_they_are_to_test():
    """Members that give back, members that wait, lost answers, and an instance handed over."""
    script = [*MOVES, *goes(A, "back", "beat"), *goes(B, "beat"), *goes(X, "beat", "leave"),
              *goes(Y, "lost", "beat"), ("commit", A, 2)]  # fmt: skip
    game = play(script)
    states = [one.state for one in game.driven.facts if isinstance(one, MemberMoved)]

    assert {*states} == {*MemberState}
    assert any(isinstance(one, OffsetsCommitted) for one in game.driven.facts)
    assert [one.member_id for one in game.driven.machine.members] == ["a-0", "b-0", "y-0"]


# --- Planted bugs ------------------------------------------------------------------------------


class LosesEpochs(ConsumerMembers):
    """KAFKA-16147: what was given back is struck off after what is held has been written down."""

    def _hand_over(self, before, after):
        for one in before.assigned:
            self.epochs.pop(one, None)
        for one in (*after.assigned, *after.revoking):
            self.epochs[one] = after.epoch
        for one in before.revoking:
            if one not in after.revoking:
                self.epochs.pop(one, None)

    def _release(self, member):
        for one in (*member.assigned, *member.revoking):
            self.epochs.pop(one, None)


def gets_back_at_once(member, target_epoch, target, owned, held):
    """As from KAFKA-19449 on: what a member is giving back is free for itself."""
    others = [one for one in held if one not in member.revoking]
    return reconcile(member, target_epoch, target, owned, others)


def takes_before_it_gives_back(member, target_epoch, target, owned, held):
    del owned, held
    if member.epoch == target_epoch:
        return member
    return attrs.evolve(member, epoch=target_epoch, previous_epoch=member.epoch, assigned=target)


def believes_the_silent(member, target_epoch, target, owned, held):
    """Who says nothing of what it owns is taken to own nothing."""
    return reconcile(member, target_epoch, target, owned or (), held)


def never_gets_the_rest(member, target_epoch, target, owned, held):
    if member.state is MemberState.UNRELEASED_PARTITIONS and member.epoch == target_epoch:
        return member
    return reconcile(member, target_epoch, target, owned, held)


class Unchecked(ConsumerMembers):
    """As careless as the planted bugs need it: whoever comes last is written down as owner."""

    def _hand_over(self, before, after):
        self._release(before)
        self.epochs.update(dict.fromkeys((*after.assigned, *after.revoking), after.epoch))

    def _release(self, member):
        for one in (*member.assigned, *member.revoking):
            self.epochs.pop(one, None)


class AcceptsAnyEpoch(ConsumerMembers):
    def epoch_refusal(self, member_id, _):
        return None if member_id in self.members else Error.UNKNOWN_MEMBER_ID


def test_what_a_member_gives_back_may_come_back_to_it_at_once():
    """The rule of KAFKA-19449 alone is no fault: the bookkeeping holds."""
    play(THERE_AND_BACK, rules=Rules(reconcile=gets_back_at_once)).ends_well()


@pytest.mark.parametrize(
    ("script", "bug", "caught"),
    [
        (
            THERE_AND_BACK,
            {"members": LosesEpochs, "rules": Rules(reconcile=gets_back_at_once)},
            "the partition has no epoch",
        ),
        (
            MOVES,
            {"members": Unchecked, "rules": Rules(reconcile=takes_before_it_gives_back)},
            "a partition has two owners",
        ),
        (
            [*goes(A, "beat", "take", "beat"), *goes(B, "beat"), *goes(A, "beat")],
            {"rules": Rules(reconcile=believes_the_silent)},
            "a member works on what is not its own",
        ),
        (
            [*MOVES, *goes(A, "back", "beat"), ("commit", A, 1)],
            {"members": AcceptsAnyEpoch},
            "a zombie has committed",
        ),
        (
            MOVES,
            {"hard": lambda fact: is_hard(fact) and not isinstance(fact, MemberMoved)},
            "the disk tells another story",
        ),
    ],
)
def test_a_planted_bug_is_caught(script, bug, caught):
    play(script)
    with pytest.raises(AssertionError, match=caught):
        play(script, **bug)


def test_a_coordinator_that_lets_members_wait_for_ever_is_caught():
    with pytest.raises(AssertionError, match="does not come to rest"):
        play(MOVES, rules=Rules(reconcile=never_gets_the_rest)).ends_well()


def test_two_members_own_a_partition_whose_epoch_was_lost():
    """KAFKA-16147 to its end: p comes back to A while it gives it back, and then goes to B at once,
    because nobody seems to hold it.
    """
    p = TopicPartition("t", 0)

    def theirs(owner):
        return lambda members, _: {
            one.member_id: (p,) if one.member_id == owner() else () for one in members
        }

    def run(members):
        owner = ["a"]
        by = Rules(assignors={"uniform": theirs(lambda: owner[0])}, reconcile=gets_back_at_once)
        driven = Driven(lambda _: ConsumerGroup("g", {"t": 1}, by, members=members()), is_hard)

        def beat(name, epoch, owned=None, topics=None):
            joins = {"rebalance_timeout_ms": REBALANCE_MS} if epoch == 0 else {}
            body = ConsumerGroupHeartbeatRequest(
                "g", name, epoch, topics=topics, owned=owned, **joins
            )
            return driven.ask(body)

        beat("a", 0, (), ("t",))
        owner[0] = "b"
        beat("b", 0, (), ("t",))
        assert beat("a", 1).assignment == (), "a is to give p back"
        owner[0] = "a"
        beat("b", 2, topics=("t", "u"))  # A new target: p is a's again.
        assert beat("a", 1, ()).assignment == (p,)
        owner[0] = "b"
        beat("b", 3, topics=("t",))
        return [one.member_id for one in driven.machine.members if p in one.assigned]

    assert run(ConsumerMembers) == ["a"]
    assert run(LosesEpochs) == ["a", "b"]
