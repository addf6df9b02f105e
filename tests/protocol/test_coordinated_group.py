"""A group is classic or speaks the new protocol, whichever its members need, and it changes from
one to the other with its members, its offsets and its transactions in it.
"""

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol.consumer_group import ConsumerGroup
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
)
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    GroupConverted,
    JoinedDeadline,
    RevocationDeadline,
    SyncedDeadline,
)
from simulator.protocol.coordinated_group import CoordinatedGroup, is_hard
from simulator.protocol.coordinator_records import decode, encode
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_state import (
    GroupMetadata,
    JoinDeadline,
    MemberNamed,
    OffsetsForgotten,
    RetentionCheck,
    SessionDeadline,
    State,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    Unload,
)
from simulator.protocol.machine import Request, Timer
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Subscription
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest
from tests.consumer_groups import REBALANCE_MS, T0, T1, T2, T3, Ledger, rules
from tests.driven import Driven

OTHERS = {RevocationDeadline, JoinedDeadline, SyncedDeadline}
REBALANCES = Error.REBALANCE_IN_PROGRESS


class Front(Ledger):
    """A CoordinatedGroup and clients of both protocols."""

    def __init__(self, classic=None, **settings):
        self.topics = {"t": 4}
        by = rules({"group_initial_rebalance_delay_ms": 0, **(classic or {})}, **settings)
        self.driven = Driven(
            lambda life: CoordinatedGroup("g", by, life, dict(self.topics)), is_hard
        )

    @property
    def front(self):
        return self.driven.machine

    @property
    def group(self):
        return self.driven.machine.machine

    def converted(self):
        return [one.protocol for one in self.driven.facts if isinstance(one, GroupConverted)]

    def join_classic(self, member_id, **more):
        """Join and wait: the number of the request."""
        assert self.classic_join(member_id, **more) is None
        return self.driven.sent

    def stable(self, *clients):
        """A Stable classic group, which shares t out: the member ids."""
        first = getattr(self.group, "generation", 0)
        ids = [self.classic_join().member_id for _ in clients]
        for one in ids:
            self.classic_join(one)
        self.wait(1)
        given = [(T0, T1), (T2, T3)] if len(ids) == 2 else [(T0, T1, T2, T3)]
        shares = tuple(zip(ids, given, strict=True))
        self.driven.ask(SyncGroupRequest("g", first + 1, ids[0], shares))
        for one in ids[1:]:
            self.classic_sync(one, first + 1)
        assert self.front.state is State.STABLE
        self.driven.answers.clear()
        return ids

    def offset(self, partition=T0):
        told = self.driven.ask(OffsetFetchRequest("g", (partition,), require_stable=True))
        return told.errors[0][1] if told.errors else told.offsets[0].offset

    def stage(self, producer, offset):
        offsets = (CommittedOffset(T0, offset),)
        return self.driven.ask(TxnOffsetCommitRequest("id", "g", producer, 0, offsets)).results


# --- What the first speaks --------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["bidirectional", "disabled"])
def test_a_group_without_members_is_what_the_next_to_join_speaks(policy):
    front = Front(group_consumer_migration_policy=policy)
    assert front.front.protocol == "classic"
    front.commit("", -1, 5)
    assert front.join("n").member_epoch == 1
    assert (front.front.protocol, front.offset()) == ("consumer", 5)
    front.leave("n")
    assert front.front.state is ConsumerGroupState.EMPTY, "it stays what it was"
    front.stable("a")

    assert (front.front.protocol, front.offset()) == ("classic", 5)
    assert front.converted() == ["consumer", "classic"]


def test_a_classic_group_has_no_member_epochs_and_no_description():
    front = Front()
    front.stable("a")
    not_found = Error.GROUP_ID_NOT_FOUND

    assert front.beat("n", 3).error is not_found
    assert front.leave("n") is not_found
    assert front.driven.ask(ConsumerGroupDescribeRequest("g")).error is not_found


def test_a_request_that_is_refused_converts_nothing():
    front = Front()
    front.stable("a")
    before = front.front.hard_state()

    assert front.join("n", topics=None).error is Error.INVALID_REQUEST
    assert front.join("n", server_assignor="own").error is Error.UNSUPPORTED_ASSIGNOR
    assert front.front.hard_state() == before
    front = Front()
    front.join("n"), front.leave("n")
    assert front.classic_join("unknown").error is Error.UNKNOWN_MEMBER_ID
    assert front.front.protocol == "consumer"


@pytest.mark.parametrize("policy", ["downgrade", "disabled"])
def test_a_group_with_members_is_upgraded_only_where_the_policy_allows_it(policy):
    front = Front(group_consumer_migration_policy=policy)
    front.stable("a")

    assert front.join("n").error is Error.GROUP_ID_NOT_FOUND
    assert front.front.protocol == "classic"


# --- There ---------------------------------------------------------------------------------------


def test_a_stable_group_is_upgraded_under_its_members():
    front = Front()
    a, b = front.stable("a", "b")
    front.commit(a, 1, 5)
    assert front.join("n").assignment == ()

    assert front.front.protocol == "consumer"
    assert front.offset() == 5
    assert front.commit(a, 1, 6) is Error.NONE
    assert front.classic_beat(a, 1) is REBALANCES
    assert front.classic_join(b, owned=(T2, T3)).generation == 1, "it has to give T3 back first"
    assert front.classic_sync(b, 1).assignment == (T2,)


def test_whoever_waits_for_a_rebalance_is_told_to_join_again_and_no_timer_is_left():
    front = Front()
    a, b = front.stable("a", "b")
    waits = front.join_classic(a)
    assert JoinDeadline() in front.driven.timers
    front.join("n")

    assert front.driven.answer_to(waits).error is REBALANCES
    assert sorted(front.driven.timers, key=str) == sorted(
        map(SessionDeadline, (a, b, "n")), key=str
    )
    front.classic_join(a)
    assert front.classic_sync(a, front.member(a).epoch).error is Error.NONE


def test_who_waits_for_the_leader_is_told_so_too():
    front = Front()
    a, b = front.stable("a", "b")
    front.join_classic(a)
    assert front.classic_join(b).generation == 2
    assert front.classic_sync(b, 2) is None
    waits = front.driven.sent
    front.join("n")

    assert front.driven.answer_to(waits).error is REBALANCES


def test_a_group_is_upgraded_before_its_first_generation():
    front = Front(classic={"group_initial_rebalance_delay_ms": 3_000})
    a = front.classic_join().member_id
    waits = front.join_classic(a)
    assert front.join("n").error is Error.NONE

    assert front.driven.answer_to(waits).error is REBALANCES
    front.classic_join(a)
    assert len(front.classic_sync(a, front.member(a).epoch).assignment) == 2


def test_timers_that_fire_too_late_are_nothing_to_the_other_machine():
    front = Front()
    front.stable("a")
    assert front.driven.tell(Timer(RevocationDeadline("n"))).facts == ()
    front.join("n")

    assert front.driven.tell(Timer(JoinDeadline())).facts == ()


# --- And back ---------------------------------------------------------------------------------


def leaves(front):
    assert front.leave("n") is Error.NONE


def dies(front):
    """The classic members go on meanwhile."""
    for _ in range(9):
        front.wait(5_000)
        for one in front.group.members:
            if isinstance(front.group, ConsumerGroup) and one.member_id != "n":
                front.classic_beat(one.member_id, one.epoch)
                front.classic_join(one.member_id, owned=one.assigned)
                front.classic_sync(one.member_id, front.member(one.member_id).epoch)


@pytest.mark.parametrize("goes", [leaves, dies])
def test_a_group_is_classic_again_when_the_last_of_the_new_protocol_is_gone(goes):
    front = Front()
    a, b = front.stable("a", "b")
    front.commit(a, 1, 5)
    front.join("n")
    goes(front)
    generation = front.group.generation

    assert front.front.protocol == "classic"
    assert front.front.state is State.PREPARING
    assert front.converted() == ["consumer", "classic"]
    assert front.offset() == 5
    front.join_classic(a)
    assert front.classic_join(b).generation == generation + 1
    assert front.group.state is State.COMPLETING


def test_members_that_were_up_to_date_are_told_to_rebalance_and_can_commit_before():
    front = Front()
    front.join("n")
    a = front.classic_enter().member_id
    front.beat("n", 1), front.beat("n", 1, front.member("n").assigned)
    front.classic_join(a), front.classic_sync(a, 2)
    front.leave("n")

    assert front.front.protocol == "classic"
    assert front.commit(a, 2) is Error.NONE
    assert front.classic_beat(a, 2) is REBALANCES


@pytest.mark.parametrize("policy", ["upgrade", "disabled"])
def test_a_group_stays_where_the_policy_does_not_allow_it(policy):
    front = Front(group_consumer_migration_policy=policy)
    front.join("n")
    front.classic_enter()
    front.leave("n")

    assert front.front.protocol == "consumer"


def test_the_last_of_the_new_protocol_may_come_back_as_a_classic_static_member():
    front = Front()
    front.join("n", static="i")
    told = front.classic_join(static="i", known=False)

    assert told.error is Error.NONE
    assert front.front.protocol == "classic"
    assert front.classic_sync(told.member_id, told.generation, static="i").error is REBALANCES
    assert sorted(front.driven.timers, key=str) == [
        JoinDeadline(), SessionDeadline(told.member_id)
    ]  # fmt: skip


def test_a_static_member_that_is_away_for_a_while_has_not_gone():
    front = Front()
    front.join("n", static="i")
    front.classic_enter()
    front.leave("n", static="i", epoch=-2)

    assert front.front.protocol == "consumer"


def test_no_member_id_is_given_out_twice_on_the_way():
    front = Front()
    for _ in range(3):
        front.stable("a"), front.join("n")
        front.classic_enter()
        classic = [one.member_id for one in front.group.members if one.classic]
        front.classic_leave(*classic), front.leave("n")

    named = [one.member_id for one in front.driven.facts if isinstance(one, MemberNamed)]
    assert len(named) == len({*named}) == 6


# --- What goes along -----------------------------------------------------------------------------


def test_a_transaction_may_end_after_the_group_has_been_converted():
    front = Front()
    front.stable("a")
    front.stage(7, 9)
    assert front.front.staged(7) == (CommittedOffset(T0, 9),)
    front.join("n")
    assert front.offset() is Error.UNSTABLE_OFFSET_COMMIT
    front.leave("n")
    front.driven.start()
    assert front.offset() is Error.UNSTABLE_OFFSET_COMMIT
    front.driven.tell(TransactionEnded(7, 0, "commit"))

    assert front.offset() == 9


@pytest.mark.parametrize("members", [(), ("n",)])
def test_a_new_coordinator_takes_up_what_the_group_was(members):
    front = Front()
    front.stable("a", "b")
    front.join("n")
    for one in members:
        front.leave(one)
    before = front.front.protocol, front.front.hard_state()
    front.driven.start()

    assert (front.front.protocol, front.front.hard_state()) == before


def test_topics_are_known_whatever_the_group_speaks():
    front = Front()
    front.stable("a")
    front.change_topics(t=6)
    front.join("n")
    assert len(front.group.targets["n"]) == 3
    front.change_topics(t=8)
    front.beat("n", front.member("n").epoch)

    assert len(front.group.targets["n"]) == 4


def test_a_group_that_was_removed_leaves_nothing():
    front = Front()
    front.join("n"), front.commit("n", 1), front.leave("n")
    front.wait(8 * 24 * 60 * 60_000)
    front.driven.tell(RetentionCheck())

    assert front.front.hard_state() == ()
    assert front.front.state is State.ABSENT


def test_whoever_joins_a_group_that_was_removed_finds_nothing_of_it():
    """Neither where a journal was compacted meanwhile, nor where the tombstones are gone."""
    front = Front()
    front.join("n"), front.commit("n", 1), front.leave("n")
    front.join("o"), front.leave("o")
    front.wait(8 * 24 * 60 * 60_000)
    front.driven.tell(RetentionCheck())
    before = len(front.driven.disk)
    front.join("k")
    old, new = front.driven.disk[:before], front.driven.disk[before:]
    records = [one for fact in old for one in encode(("g", fact))]
    newest = {one.key: number for number, one in enumerate(records)}
    kept = [records[number] for number in sorted(newest.values())]
    left = [decode(one)[1] for one in kept if one.value is not None]

    for compacted in ((), left):
        again = CoordinatedGroup("g", front.front.rules, 99, dict(front.topics))
        for fact in (*compacted, *new):
            again.apply(fact)
        assert again.hard_state() == front.front.hard_state()


def test_commits_go_to_the_machine_itself():
    """What the driver does with every commit."""
    front = Front()
    (a,) = front.stable("a")
    body = OffsetCommitRequest("g", 1, a, (CommittedOffset(T0, 5),))
    facts, answer, _ = front.group.decide_commit(body, front.driven.now_us)
    for fact in facts:
        front.group.apply(fact)

    assert answer.results == ((T0, Error.NONE),)
    assert front.front.committed(T0).offset == 5


def test_a_coordinator_that_gave_the_group_up_converts_nothing():
    front = Front()
    front.stable("a")
    front.driven.tell(Unload())
    assert front.join("n").error is Error.NOT_COORDINATOR
    front = Front()
    front.join("n"), front.leave("n")
    front.driven.tell(Unload())

    assert front.classic_join().error is Error.COORDINATOR_NOT_AVAILABLE
    assert front.driven.timers == {}


# --- Whatever happens --------------------------------------------------------------------------


@attrs.define
class Client:
    """What a client knows, which may be old. It speaks the one protocol or the other."""

    name: str
    modern: bool
    member_id: str = ""
    epoch: int = 0  # Or its generation.
    members: tuple = ()
    owned: tuple = ()
    waits_for: int | None = None


class Play:
    """Two classic clients and two of the new protocol, crashes and compaction; and the promises."""

    def __init__(self, hard=is_hard, build=CoordinatedGroup):
        by = rules({"group_initial_rebalance_delay_ms": 100})
        self.build = lambda life: build("g", by, life, {"t": 4})
        self.driven = Driven(self.build, hard)
        self.clients = [Client("a", False), Client("b", False), Client("x", True, "x-0"),
                        Client("y", True, "y-0")]  # fmt: skip
        self.reached = set()
        self.committed = {}

    def do(self, operation, who, number):
        getattr(self, operation)(self.clients[who], number)
        answers, self.driven.answers = self.driven.answers, []
        for to, body in answers:
            for client in self.clients:
                if client.waits_for == to:
                    client.waits_for = None
                    self.learn(client, body)
        self.promises()

    def go(self, client, number):
        """The next thing that a well-behaved client does."""
        if client.modern:
            self.beat(client)
        elif client.epoch == 0 or number % 4 == 0:
            self.join(client)
        elif client.owned == ():
            self.sync(client)
        else:
            body = HeartbeatRequest("g", client.epoch, client.member_id)
            error = self.driven.ask(body).error
            if error is not Error.NONE:
                self.lose(client, error is Error.UNKNOWN_MEMBER_ID)

    def lose(self, client, forgets):
        client.epoch, client.owned = 0, ()
        if forgets:
            client.member_id = "" if not client.modern else f"{client.member_id}'"

    def beat(self, client):
        full = client.epoch == 0
        body = ConsumerGroupHeartbeatRequest(
            "g", client.member_id, client.epoch,
            rebalance_timeout_ms=REBALANCE_MS if full else -1, topics=("t",) if full else None,
            owned=client.owned if not full else (),
        )  # fmt: skip
        answer = self.driven.ask(body, client.name)
        if answer.error is not Error.NONE:
            self.lose(client, forgets=True)
            return
        client.epoch = answer.member_epoch
        if answer.assignment is not None:
            client.owned = answer.assignment

    def join(self, client):
        said = Subscription(("t",), owned=client.owned)
        self.send(client, JoinGroupRequest(
            "g", 10_000, REBALANCE_MS, client.member_id, (("range", said),), None,
        ))  # fmt: skip

    def sync(self, client):
        given = ()
        if client.members:
            parts = [TopicPartition("t", n) for n in range(4)]
            count = len(client.members)
            given = tuple(
                (one.member_id, tuple(parts[place::count]))
                for place, one in enumerate(client.members)
            )
        self.send(client, SyncGroupRequest("g", client.epoch, client.member_id, given))

    def send(self, client, body):
        self.driven.sent += 1
        client.waits_for = self.driven.sent
        self.driven.tell(Request(self.driven.sent, body, client.name))

    def learn(self, client, body):
        match body:
            case JoinGroupResponse(Error.NONE):
                client.epoch, client.member_id = body.generation, body.member_id
                client.members, client.owned = body.members, ()
            case JoinGroupResponse(Error.MEMBER_ID_REQUIRED):
                client.member_id = body.member_id
            case JoinGroupResponse(error):
                self.lose(client, error is Error.UNKNOWN_MEMBER_ID)
            case SyncGroupResponse(Error.NONE):
                client.owned = body.assignment
            case SyncGroupResponse(error):
                self.lose(client, error is Error.UNKNOWN_MEMBER_ID)

    def leave(self, client, _):
        if client.modern:
            self.driven.ask(ConsumerGroupHeartbeatRequest("g", client.member_id, -1))
        else:
            self.driven.ask(LeaveGroupRequest("g", ((client.member_id, None),)))
        client.waits_for = None
        self.lose(client, forgets=True)

    def commit(self, client, number):
        where = TopicPartition("t", number % 4)
        body = OffsetCommitRequest(
            "g", client.epoch, client.member_id, (CommittedOffset(where, number),)
        )
        if self.driven.ask(body).results[0][1] is Error.NONE:
            self.committed[where] = number

    def stage(self, _, number):
        offsets = (CommittedOffset(T0, number),)
        self.driven.ask(TxnOffsetCommitRequest("id", "g", 7, 0, offsets))
        self.driven.tell(TransactionEnded(7, 0, "commit"))
        self.committed[T0] = number

    def wait(self, _, number):
        self.driven.wait((100, 2_000, 5_000, 10_000, 45_000)[number % 5])

    def crash(self, *_):
        self.driven.start()
        for client in self.clients:
            client.waits_for = None

    def compact(self, *_):
        """The newest of each key stays, in its place."""
        newest = {key(fact): place for place, fact in enumerate(self.driven.disk)}
        kept = sorted(newest.values())
        self.driven.disk = [self.driven.disk[place] for place in kept]

    def promises(self):
        front = self.driven.machine
        machine = front.machine
        self.reached.add((front.protocol, front.state.value))
        again = self.build(99)
        for fact in self.driven.disk:
            again.apply(fact)
        same = sorted(map(repr, front.hard_state()))
        assert sorted(map(repr, again.hard_state())) == same, "the disk tells another story"
        small = self.build(99)
        for fact in front.hard_state():
            small.apply(fact)
        assert small.hard_state() == front.hard_state(), "compaction loses something"
        if isinstance(machine, ConsumerGroup):
            held = [p for one in machine.members for p in (*one.assigned, *one.revoking)]
            assert len(held) == len(set(held)), "a partition has two owners"
            assert not {JoinDeadline()} & {*self.driven.timers}, "a timer of the other machine"
        else:
            assert isinstance(machine, Group)
            kinds = {type(one) for one in self.driven.timers}
            assert not kinds & OTHERS, "a timer of the other machine"
        for where, offset in self.committed.items():
            kept = front.committed(where)
            assert kept is not None and kept.offset == offset, "an offset was lost"  # noqa: PT018

    def ends_well(self):
        """Everybody is gone: nobody is waited for."""
        for _ in range(10):
            self.driven.wait(60_000)
        assert self.driven.machine.machine.members == ()
        assert self.driven.timers == {}


def key(fact):
    """What a record of the offsets topic is about. What transactions write is not compacted."""
    kind = type(fact)
    if kind in (TransactionalOffsetsCommitted, TransactionEnded, OffsetsForgotten):
        return (kind.__name__, repr(fact))
    if hasattr(fact, "offsets"):
        return ("offset", fact.offsets[0].partition)
    return ("group" if kind is GroupMetadata else kind.__name__, getattr(fact, "member_id", ""))


WEIGHTED = [*["go"] * 12, *["leave"] * 2, *["commit"] * 2, "stage", *["wait"] * 2, "crash",
            "compact"]  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 3), st.integers(0, 19)), max_size=70
)
A, B, X, Y = range(4)
UP = [("go", A, 1), ("go", A, 1), ("wait", A, 0), ("go", A, 1), ("commit", A, 8), ("go", X, 1)]
BACK = [*UP, ("go", A, 0), ("go", A, 1), ("leave", X, 0), ("go", A, 1), ("go", A, 1), ("go", A, 1)]


def play(script, **more):
    game = Play(**more)
    for step in script:
        game.do(*step)
    return game


@given(scripts)
@example([*UP, ("compact", 0, 0), ("crash", 0, 0), ("leave", A, 0), ("leave", X, 0)])
@example([*BACK, ("compact", 0, 0), ("crash", 0, 0), ("go", Y, 1), ("compact", 0, 0)])
@example([*UP, ("wait", 0, 4), ("go", B, 0), ("go", B, 0), ("wait", 0, 4), ("go", Y, 0)])
def test_a_group_keeps_its_promises_on_the_way_there_and_back(script):
    play(script).ends_well()


def test_the_scripts_reach_what_they_are_to_test():
    reached = play([*BACK, ("go", Y, 1)]).reached
    assert {("classic", "Stable"), ("classic", "PreparingRebalance")} < reached
    assert {("consumer", "Reconciling"), ("consumer", "Stable")} & reached


class ForgetsOffsets(CoordinatedGroup):
    """A planted bug: what the old machine had committed does not go along."""

    def apply(self, fact):
        super().apply(fact)
        if isinstance(fact, GroupConverted):
            self.machine.offsets.committed.clear()


class LeavesTimers(CoordinatedGroup):
    """A planted bug: the old machine's timers go on."""

    def decide(self, message, now_us):
        step = super().decide(message, now_us)
        if any(isinstance(one, GroupConverted) for one in step.facts):
            return step._replace(effects=[
                one for one in step.effects if getattr(one, "name", None) != JoinDeadline()
            ])  # fmt: skip
        return step


@pytest.mark.parametrize(
    ("bug", "caught"),
    [
        ({"build": ForgetsOffsets}, "an offset was lost"),
        ({"build": LeavesTimers}, "a timer of the other machine"),
        (
            {"hard": lambda fact: is_hard(fact) and not isinstance(fact, GroupConverted)},
            "the disk tells another story",
        ),
    ],
)
@pytest.mark.interpreted
def test_a_coordinator_that_converts_badly_is_caught(bug, caught):
    script = [*UP[:-1], ("go", B, 1), ("go", A, 0), ("go", X, 1)]
    play(script)
    with pytest.raises(AssertionError, match=caught):
        play(script, **bug)
