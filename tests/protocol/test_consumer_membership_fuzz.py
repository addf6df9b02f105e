"""Whatever is lost, late, doubled or crashed: two members never work on the same partition, every
listener hears a story that makes sense, and all who go on polling come to rest with everything.
A client for which that is not so is caught.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol.consumer_group import ConsumerGroup, is_hard
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_messages import ConsumerGroupHeartbeatRequest
from simulator.protocol.consumer_group_state import ConsumerGroupState, TopicsKnown
from simulator.protocol.consumer_member_states import MembershipState
from simulator.protocol.consumer_membership import ConsumerMembership
from simulator.protocol.consumer_reconciling import ConsumerReconciling
from simulator.protocol.errors import Error
from simulator.protocol.messages import OffsetCommitRequest
from simulator.protocol.names import TopicPartition
from tests.driven import Driven
from tests.membering import Member

SUBSCRIPTIONS = (("t",), ("t", "u"), ("u",))
SIZES = ({"t": 4, "u": 2}, {"t": 5, "u": 2}, {"t": 4, "u": 3})
POLL_MS = 60_000
INSTANCES = (None, None, "i")


class Play:
    """One coordinator, three clients (one of them static), and the promises.

    A client's requests reach the coordinator in order, as on one connection.
    """

    def __init__(self):
        self.sizes = SIZES[0]
        self.driven = Driven(lambda _: ConsumerGroup("g", self.sizes, Rules()), is_hard)
        self.lives = 0
        self.clients = [self.new(number) for number in range(3)]
        self.acknowledged = {}  # Member id to what both say that it owns.
        self.late = []  # Requests that have outlived their connections.

    def new(self, number):
        self.lives += 1
        return Member(
            f"{'abx'[number]}-{self.lives}",
            now_us=self.driven.now_us,
            max_poll_interval_ms=POLL_MS,
            enable_auto_commit=number == 1,
            group_instance_id=INSTANCES[number],
        )

    def do(self, operation, who, number):
        getattr(self, operation)(who % 3, number)
        self.promises()

    # --- The network -----------------------------------------------------------------------

    def deliver(self, who, number):
        """The oldest request is answered; number % 6 == 4: it comes twice; 5: the answer is lost;
        3: the request is lost. With that its connection is closed.
        """
        client, how = self.clients[who], number % 6
        if not client.asked:
            return
        ask, _ = client.asked[0]
        if how == 3:
            client.cut()
            return
        answer = self.coordinate(ask.body, client)
        if how == 4:
            self.coordinate(ask.body, client)
        if how == 5:
            client.cut()
        else:
            client.answer(answer, type(ask.body))

    def outlive(self, who, _):
        """The oldest request will come to the coordinator, when its connection has been closed."""
        client = self.clients[who]
        self.late.append((client, client.asked[0][0].body))
        client.cut()

    def arrive(self, *_):
        client, body = self.late.pop()
        self.coordinate(body, client)

    def coordinate(self, body, client):
        answer = self.driven.ask(body, client.membership.member_id)
        assert answer is not None
        if isinstance(body, ConsumerGroupHeartbeatRequest):
            assert answer.error is not Error.INVALID_REQUEST, f"{body} is malformed"
            if answer.error is Error.NONE and body.owned is not None:
                self.acknowledged[body.member_id] = {*body.owned} & self.counted(body.member_id)
        if isinstance(body, OffsetCommitRequest) and answer.results[0][1] is Error.NONE:
            epochs = {one.member_id: one.epoch for one in self.driven.machine.members}
            assert not epochs or epochs.get(body.member_id) == body.generation, "a zombie commits"
        return answer

    def counted(self, member_id):
        """What the coordinator counts as this member's."""
        members = [one for one in self.driven.machine.members if one.member_id == member_id]
        return {partition for one in members for partition in (*one.assigned, *one.revoking)}

    # --- The clients -----------------------------------------------------------------------

    def poll(self, who, _):
        self.clients[who].poll()

    def hold(self, who, _):
        self.clients[who].holding = True

    def throw(self, who, number):
        self.clients[who].throwing = ValueError("no") if number % 3 == 0 else None

    def listened(self, who, _):
        if self.clients[who].reconciling.listening is not None:
            self.clients[who].listened()

    def subscribe(self, who, number):
        client = self.clients[who]
        client.positions.topics = SUBSCRIPTIONS[number % 3]
        client.membership.rejoin_needed = True

    def leave(self, who, _):
        """It may come back: the next poll joins again."""
        client = self.clients[who]
        if client.reconciling.listening is None:
            client.leave()

    def crash(self, who, _):
        self.clients[who] = self.new(who)

    def grow(self, _, number):
        self.sizes = SIZES[number % len(SIZES)]
        self.driven.tell(TopicsKnown(tuple(self.sizes.items())))

    def restart(self, *_):
        self.driven.start()

    def wait(self, _, number):
        self.passes((100, 5_000, 10_000, 20_000, 61_000)[number % 5])

    def passes(self, ms):
        until_us = self.driven.now_us + ms * 1_000
        while self.driven.now_us < until_us:
            self.driven.wait(min(500, (until_us - self.driven.now_us) // 1_000))
            for client in self.clients:
                client.tick(self.driven.now_us)
                self.promises()

    # --- What must hold --------------------------------------------------------------------

    def promises(self):
        group = self.driven.machine
        members = {one.member_id: one for one in group.members}
        working = []
        for client in self.clients:
            if client.reconciling.listening is None:
                assert client.owned == client.has, "the listener was told something else"
            member = members.get(client.membership.member_id)
            if member is None or member.epoch < 0:
                continue  # A zombie, if it works: its commits are refused.
            assert client.membership.epoch <= member.epoch <= group.target_epoch
            works_on = client.owned & self.acknowledged.get(member.member_id, client.owned)
            assert works_on <= self.counted(member.member_id), "it owns what is not its"
            working += works_on
        assert group.target_epoch <= group.group_epoch
        assert len(working) == len({*working}), "a partition has two owners"

    def ends_well(self):
        """Everybody polls, and nothing is lost any more: all have what they are to have."""
        for who in range(3):
            if self.clients[who].membership.state is MembershipState.FATAL:
                self.crash(who, 0)
        for client in self.clients:
            client.throwing, client.holding = None, False
            if client.reconciling.listening is not None:
                client.listened()
        for _ in range(130):
            for who, client in enumerate(self.clients):
                client.poll()
                for _ in range(20):
                    self.deliver(who, 0)
                assert not client.asked, "it asks without end"
                self.promises()
                if client.membership.state is MembershipState.FATAL:
                    self.crash(who, 0)  # Its instance was not released yet.
            self.passes(1_000)
            if self.looks_well():
                break
        self.has_come_to_rest()

    def looks_well(self):
        """Whether nobody knows of anything to be done."""
        states = {one.membership.state for one in self.clients}
        epochs = {one.membership.epoch for one in self.clients}
        resting = self.driven.machine.state is ConsumerGroupState.STABLE
        members = len(self.driven.machine.members) == len(self.clients)
        told = {one.positions.topics for one in self.clients} == {
            one.topics for one in self.driven.machine.members
        }
        return (
            resting and members and told and states == {MembershipState.STABLE} and len(epochs) == 1
        )

    def has_come_to_rest(self):
        group = self.driven.machine
        assert group.state is ConsumerGroupState.STABLE, "it does not come to rest"
        for client in self.clients:
            assert client.membership.state is MembershipState.STABLE
            assert client.membership.epoch == group.group_epoch
        assert {one.membership.member_id for one in self.clients} == {
            one.member_id for one in group.members
        }
        owned = [one for client in self.clients for one in client.owned]
        wanted = {topic for client in self.clients for topic in client.positions.topics}
        everything = {TopicPartition(t, n) for t in wanted for n in range(self.sizes[t])}
        assert sorted(owned) == sorted(everything), "not everything is read, or something twice"


WEIGHTED = [*["deliver"] * 10, *["poll"] * 8, *["wait"] * 4, *["listened"] * 2, "hold", "throw",
            "subscribe", "leave", "crash", "grow", "restart"]  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 2), st.integers(0, 29)), max_size=80
)


def play(script):
    game = Play()
    for operation, who, number in script:
        game.do(operation, who, number)
    return game


A, B, X = range(3)


def steps(*groups):
    """What clients do: words like poll, beat (a heartbeat is answered), lost (its answer is)."""
    meaning = {"beat": ("deliver", 0), "lost": ("deliver", 5),
               "twice": ("deliver", 4), "held": ("hold", 0), "throws": ("throw", 0),
               "u": ("subscribe", 2), "rest": ("wait", 1), "long": ("wait", 4)}  # fmt: skip
    script = []
    for who, words in groups:
        for word in words.split():
            operation, number = meaning.get(word, (word, 0))
            script.append((operation, who, number))
    return script


BOTH_TO_COME = (A, "poll beat rest")  # A was assigned all, and has not polled since.
JOINED = (A, "poll beat poll beat beat")


@given(scripts)
@example(steps(JOINED, (B, "poll beat poll beat"), (A, "rest beat poll beat"), (B, "rest beat")))
@example(steps((X, "poll beat poll beat leave beat poll lost poll beat"), (X, "crash poll beat")))
@example(steps(JOINED, (A, "held u rest beat poll rest listened restart"), (A, "rest beat")))
@example(steps(JOINED, (B, "poll beat"), (A, "throws rest beat poll poll"), (B, "crash")))
@example(steps(JOINED, (A, "long poll twice lost poll beat")))
def test_members_share_the_partitions_and_come_to_rest(script):
    play(script).ends_well()


def test_the_scripts_reach_what_they_are_to_test():
    """A rebalance with a member that gives back, and is stale later."""
    game = play(steps(JOINED, (B, "poll beat poll beat"), (A, "rest beat poll")))
    a = game.clients[A]
    assert [what for what, _ in a.heard] == ["assigned", "revoked", "assigned"]
    game.wait(A, 4)
    assert a.membership.state is MembershipState.STALE
    game.poll(A, 0)
    assert a.heard[-1][0] == "lost"
    game.ends_well()


# --- What the protocol does not promise --------------------------------------------------------


def works_twice(game):
    """What both A and B read, while the coordinator counts them as members."""
    members = {one.member_id for one in game.driven.machine.members}
    owned = [one.owned for one in game.clients if one.membership.member_id in members]
    return sorted(one for one in owned[0] & owned[1])


def test_what_is_taken_while_a_whole_heartbeat_is_on_its_way_may_be_given_away():
    """No fault of ours. After a lost answer A says everything: so far it owns nothing. While that
    is on its way it takes what it was assigned. The coordinator, with a new target, believes that
    A has given back what it never had, and gives it to B.
    """
    game = play(steps(BOTH_TO_COME, (A, "lost wait poll"), (B, "poll beat"), (A, "beat")))
    game.do("deliver", B, 0)
    assert game.clients[A].membership.state is MembershipState.RECONCILING
    game.passes(5_000)
    game.do("deliver", B, 0)
    game.do("poll", B, 0)
    assert works_twice(game)
    game.ends_well()


def test_a_heartbeat_that_outlives_its_connection_may_give_away_what_is_read():
    """No fault of ours: within an epoch heartbeats have no order but that of their connection. A
    says that it owns nothing yet; that is overtaken by what it says later, and then believed.
    """
    game = play(steps(BOTH_TO_COME, (A, "lost wait outlive poll wait beat"), (B, "poll beat")))
    assert game.clients[A].owned <= game.counted("a-1")

    game.arrive()
    assert not game.clients[A].owned <= game.counted("a-1")


# --- Planted bugs ------------------------------------------------------------------------------


CATCHING = (
    steps(JOINED, (B, "poll beat poll beat"), (A, "rest beat poll beat"), (B, "rest beat")),
    steps(JOINED, (B, "poll beat"), (A, "held rest beat poll long listened poll beat beat")),
)

MUTANTS = {
    "acknowledges before it gives back": (
        ConsumerReconciling,
        "_reconcile",
        lambda self, now_us: self._membership.acknowledge(self._membership.target, now_us) or True,
    ),
    "never says what it owns": (
        ConsumerMembership,
        "acknowledge",
        lambda self, *_: (
            self._become(MembershipState.ACKNOWLEDGING) or self._become(MembershipState.STABLE)
        ),
    ),
    "goes on with what it began before it was fenced": (
        ConsumerReconciling,
        "_relevant",
        lambda *_: True,
    ),
    "is told again of what it has": (
        ConsumerReconciling,
        "_own",
        lambda self, task: (
            setattr(task, "added", task.towards.partitions)
            or self._positions.assign(task.towards.partitions)
        ),
    ),
}


def everything_ends_well(all_scripts):
    for script in all_scripts:
        play(script).ends_well()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name, monkeypatch):
    owner, method, mutant = MUTANTS[name]
    monkeypatch.setattr(owner, method, mutant)

    with pytest.raises(AssertionError):
        everything_ends_well(CATCHING)
