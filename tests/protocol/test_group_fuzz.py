"""Whatever clients ask in whatever order, and whenever the coordinator crashes, a group keeps
its promises: and a coordinator that breaks one of them is caught.
"""

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol.assignors import Subscription, assign_range
from simulator.protocol.errors import Error
from simulator.protocol.group import Group, GroupConfig, is_hard
from simulator.protocol.group_state import GenerationStarted, OffsetsCommitted, State
from simulator.protocol.machine import Request
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    OffsetCommitRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import TopicPartition
from tests.driven import Driven

CONFIG = GroupConfig(group_initial_rebalance_delay_ms=100, group_max_size=3)
SESSION_MS, REBALANCE_MS = 6_000, 8_000
PARTITIONS = {"t": range(4)}


@attrs.define
class Client:
    """What a client knows, which may be old; it has one request under way at a time."""

    name: str
    static: str | None
    member_id: str = ""
    generation: int = -1
    members: tuple = ()
    owned: tuple = ()
    waits_for: int | None = None


class Play:
    """One group, four clients (two of them static under the same id), and the promises."""

    def __init__(self, build=Group, hard=is_hard, assign=assign_range):
        self.build, self.assign = build, assign
        self.driven = Driven(lambda life: build("g", CONFIG, life), hard)
        self.clients = [Client("a", None), Client("b", None), Client("x", "i"), Client("y", "i")]
        self.answered = set()
        self.generation = 0

    def do(self, operation, who, number):
        client = self.clients[who]
        before = self.driven.machine
        known = {one.member_id for one in before.members}, before.generation, before.state
        getattr(self, operation)(client, number, *known)
        self.read_answers()
        self.promises()

    # --- What may happen -----------------------------------------------------------------

    def join(self, client, number, *_):
        """number: what the client says of itself, and whether it remembers its id."""
        said = Subscription(("t",), rack=str(number % 2))
        own = "" if number % 3 == 2 else client.member_id
        body = JoinGroupRequest(
            "g", SESSION_MS, REBALANCE_MS, own, (("range", said),), client.static
        )
        self.send(client, body)

    def sync(self, client, *_):
        given = tuple(self.assign(client.members, PARTITIONS).items()) if client.members else ()
        body = SyncGroupRequest("g", client.generation, client.member_id, given, client.static)
        self.send(client, body)

    def send(self, client, body):
        """Ask and remember it; an answer, even a late one, is for this request only."""
        self.driven.sent += 1
        client.waits_for = self.driven.sent
        self.driven.tell(Request(self.driven.sent, body, client.name))

    def heartbeat(self, client, *_):
        self.plain(HeartbeatRequest("g", client.generation, client.member_id, client.static))

    def leave(self, client, *_):
        self.plain(LeaveGroupRequest("g", ((client.member_id, client.static),)))

    def commit(self, client, number, members, generation, state):
        """number: the offset, and how old a generation the client believes in."""
        believed = max(-1, client.generation - number % 2)
        offsets = (CommittedOffset(TopicPartition("t", 0), number),)
        body = OffsetCommitRequest("g", believed, client.member_id, offsets, client.static)
        error = self.plain(body).results[0][1]
        if error is Error.NONE:
            outside = believed == -1 and state in (State.ABSENT, State.EMPTY)
            inside = client.member_id in members and believed == generation
            assert outside or inside, "accepted from an old generation or an unknown member"
            assert self.driven.machine.committed(TopicPartition("t", 0)).offset == number

    def plain(self, body):
        answer = self.driven.ask(body)
        assert answer is not None, "a plain request waits for nothing"
        return answer

    def wait(self, _client, number, *_):
        self.driven.wait((50, 100, 2_000, 6_000, 8_000)[number % 5])

    def crash(self, *_):
        self.driven.start()
        self.generation = 0

    # --- What must hold ------------------------------------------------------------------

    def read_answers(self):
        answers, self.driven.answers = self.driven.answers, []
        for number, body in answers:
            assert number not in self.answered, "answered twice"
            self.answered.add(number)
            for client in self.clients:
                if client.waits_for == number:
                    client.waits_for = None
                    self.learn(client, body)

    def learn(self, client, body):
        match body:
            case JoinGroupResponse(Error.NONE, generation, _, _, member_id, members):
                client.member_id, client.generation = member_id, generation
                client.members, client.owned = members, ()
            case JoinGroupResponse(Error.MEMBER_ID_REQUIRED, member_id=member_id):
                client.member_id = member_id
            case SyncGroupResponse(Error.NONE, owned):
                client.owned = owned

    def promises(self):
        group = self.driven.machine
        replayed = self.build("g", CONFIG, 99)
        for fact in self.driven.disk:
            replayed.apply(fact)
        assert replayed.hard_state() == group.hard_state(), "the disk tells another story"
        assert group.generation >= self.generation, "the generation went back"
        self.generation = group.generation
        if group.state is State.STABLE:
            owned = [one for member in group.members for one in member.assignment]
            assert len(owned) == len(set(owned)), "a partition has two owners"

    def ends_well(self):
        """Nobody asks any more: every session ends, and nobody waits for ever."""
        for _ in range(10):
            self.driven.wait(60_000)
        self.read_answers()
        assert self.driven.machine.state in (State.ABSENT, State.EMPTY)
        assert self.driven.machine.members == ()
        assert self.driven.machine.pending == ()
        assert self.driven.timers == {}


WEIGHTED = [*["join"] * 6, *["sync"] * 4, "heartbeat", *["commit"] * 3, "leave", *["wait"] * 4,
            "crash"]  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 3), st.integers(0, 29)), max_size=60
)
FIRST_GENERATION = [("join", 0, 0), ("join", 0, 0), ("wait", 0, 1), ("sync", 0, 0)]


def play(script, **more):
    game = Play(**more)
    for operation, who, number in script:
        game.do(operation, who, number)
    return game


@given(scripts)
@example([*FIRST_GENERATION, ("commit", 0, 2), ("crash", 0, 0), ("commit", 0, 4)])
@example([("join", 2, 0), ("wait", 0, 1), ("sync", 2, 0), ("join", 3, 2), ("commit", 2, 0)])
def test_a_group_keeps_its_promises(script):
    play(script).ends_well()


def test_the_scripts_reach_what_they_are_to_test():
    """Two members commit in the second generation, one of them after a crash."""
    game = play([*FIRST_GENERATION, ("join", 1, 0), ("join", 1, 0), ("join", 0, 0), ("sync", 0, 0),
                 ("sync", 1, 0), ("commit", 0, 2), ("crash", 0, 0), ("commit", 1, 4)])  # fmt: skip

    facts = game.driven.facts
    assert [one.generation for one in facts if isinstance(one, GenerationStarted)] == [1, 2]
    commits = [one for one in facts if isinstance(one, OffsetsCommitted)]
    assert [(one.member_id, one.generation) for one in commits] == [("a-0.1", 2), ("b-0.2", 2)]
    assert game.clients[0].owned == (TopicPartition("t", 0), TopicPartition("t", 1))


class AcceptsAnyGeneration(Group):
    """A planted bug: the generation of a commit is not looked at."""

    def commit_refusal(self, member_id, instance_id, generation, **_):
        del generation
        return super().commit_refusal(member_id, instance_id, self.generation, transactional=False)


class AcceptsAnyMember(Group):
    """A planted bug: whoever commits is believed."""

    def commit_refusal(self, *_, **__):
        return None


@pytest.mark.parametrize(
    ("build", "script"),
    [
        (AcceptsAnyGeneration, [*FIRST_GENERATION, ("commit", 0, 3)]),
        (AcceptsAnyMember, [*FIRST_GENERATION, ("leave", 0, 0), ("commit", 0, 2)]),
    ],
)
@pytest.mark.interpreted
def test_a_coordinator_that_believes_zombies_is_caught(build, script):
    play(script)
    with pytest.raises(AssertionError, match="old generation or an unknown member"):
        play(script, build=build)


def test_a_coordinator_that_does_not_write_commits_down_is_caught():
    script = [*FIRST_GENERATION, ("commit", 0, 2)]
    with pytest.raises(AssertionError, match="the disk tells another story"):
        play(script, hard=lambda fact: is_hard(fact) and not isinstance(fact, OffsetsCommitted))


def test_a_leader_that_assigns_a_partition_twice_is_caught():
    everything = tuple(TopicPartition("t", number) for number in range(4))
    script = [("join", 0, 0), ("join", 0, 0), ("join", 1, 0), ("join", 1, 0), ("wait", 0, 1),
              ("wait", 0, 1), ("sync", 0, 0)]  # fmt: skip
    with pytest.raises(AssertionError, match="two owners"):
        play(script, assign=lambda members, _: {one.member_id: everything for one in members})
