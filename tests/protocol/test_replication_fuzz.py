"""Any order of messages, crashes and elections, and what must hold of the logs all the while.

Three brokers, a controller that holds clean elections, and messages that are passed on late or
never. After every step the promises of KafkaReplication.tla are looked at:

* strong: who believes to lead has everything below its high watermark in common with the true
  in-sync set (StrongIsr); weak: with the in-sync set that it believes in (WeakIsr);
* agreed: two replicas have the same records below the lower of their high watermarks;
* kept: what was acknowledged with acks=all is on every member of the in-sync set.

With KIP-320 they hold. Older ways to truncate break them, and so do a power loss and an unclean
election; what breaks them is found by search and made small.
"""

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.replica_messages import NO_LEADER
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.truncation import KIP_101, TO_HIGH_WATERMARK
from tests.replicated import Replicated, log_of

STEADY = settings(max_examples=250, derandomize=True, deadline=None, database=None)
SEARCH = settings(STEADY, max_examples=3_000, phases=[Phase.generate])
NAMES = "abc"

# How often each step is tried, of a hundred or so.
WEIGHTS = {
    "produce": 6, "fetch": 14, "ask": 4, "serve": 5, "answer": 5, "tell": 7, "tell old": 3,
    "elect": 3, "fence": 1, "alter": 4, "lose alter": 1, "crash": 1, "start": 4, "shrink": 1,
    "checkpoint": 2,
}  # fmt: skip


def lives(**more):
    """Long lists of steps; a byte is a step, so they are drawn at once. more: other steps."""
    steps = [
        (what, name)
        for what, weight in (WEIGHTS | more).items()
        for _ in range(weight)
        for name in NAMES
    ]
    assert len(steps) <= 256
    return st.binary(min_size=60, max_size=200).map(
        lambda tape: [steps[byte % len(steps)] for byte in tape]
    )


class Life:
    """A cluster, what is under way in it, and what producers have been promised."""

    def __init__(self, config):
        self.cluster = Replicated(NAMES, config=config, alters=False).begin()
        self.told = [self.cluster.registration]
        self.asked = {}  # follower -> (its replica, ask, whom it asks, its broker epoch)
        self.answered = {}  # follower -> (its replica, ask, answer, who answers)
        self.unacked = []  # (value, replica, leader epoch, end)
        self.acked = []
        self.count = self.cut = 0

    def play(self, what, name):
        """Do one step, where it can be done."""
        cluster = self.cluster
        if what in {"start", "alter", "lose alter", "elect", "unclean", "fence"}:
            getattr(self, what.replace(" ", "_"))(name)
        elif name in cluster.up:
            replica = cluster.up[name]
            match what:
                case "produce":
                    self.produce(name)
                case "fetch":
                    for part in ("ask", "serve", "answer"):
                        self.play(part, name)
                case "ask":
                    ask = cluster.ask(name)
                    if ask is not None:
                        source, epoch = replica.following.leader, cluster.alive[name]
                        self.asked[name] = (replica, ask, source, epoch)
                case "serve" | "answer":
                    getattr(self, what)(name)
                case "tell":
                    cluster.tell(name)
                case "tell old":
                    cluster.tell(name, self.told[-1 - self.count % min(4, len(self.told))])
                case "crash":
                    cluster.stop(name)
                case "power":
                    cluster.stop(name)
                    cluster.journals[name].lose_power()
                case "checkpoint":
                    replica.checkpoint()
                case "shrink":
                    cluster.wait(30_001)
                    cluster.shrink(name)
        self.settle()

    def produce(self, name):
        self.count += 1
        value = f"v{self.count}"
        replica = self.cluster.up[name]
        answer = self.cluster.produce(name, value)
        if answer.error is Error.NONE:
            self.unacked.append((value, replica, replica.leader_epoch, answer.base_offset + 1))

    def serve(self, name):
        """Let whom a follower has asked answer; the question may have come from a former life."""
        if name in self.asked:
            replica, ask, source, epoch = self.asked.pop(name)
            answer = self.cluster.serve(ask, name, source, epoch)
            self.answered[name] = (replica, ask, answer, source)

    def answer(self, name):
        if name in self.answered:
            replica, ask, answer, source = self.answered.pop(name)
            if self.cluster.up[name] is replica:
                end = replica.log_end_offset
                self.cluster.answer(name, ask, answer, source)
                self.cut += replica.log_end_offset < end

    def start(self, name):
        if name not in self.cluster.up:
            self.cluster.start(name)

    def alter(self, _):
        if self.cluster.proposals:
            self.cluster.alter()
            self.told.append(self.cluster.registration)

    def lose_alter(self, _):
        if self.cluster.proposals:
            self.cluster.proposals.pop(0)

    def elect(self, name):
        """A clean election; nobody is told yet."""
        if name in self.cluster.registration.isr:
            self.register(leader=name)

    def unclean(self, name):
        """An election of whoever is at hand."""
        self.register(leader=name, isr=(name,))

    def fence(self, name):
        """The controller takes a broker for dead."""
        known = self.cluster.registration
        isr = tuple(one for one in known.isr if one != name) or known.isr
        alive = [one for one in isr if one != name]
        leader = known.leader if known.leader != name else (alive[0] if alive else NO_LEADER)
        self.register(leader=leader, isr=isr)

    def register(self, **changes):
        known = self.cluster.registration
        epoch = known.leader_epoch + (changes.get("leader") != known.leader)
        self.cluster.registration = known._replace(
            **changes, leader_epoch=epoch, partition_epoch=known.partition_epoch + 1
        )
        self.told.append(self.cluster.registration)

    def settle(self):
        """Answer producers whose records are committed, or whose leader has gone."""
        left = []
        for value, replica, leader_epoch, end in self.unacked:
            if replica not in self.cluster.up.values() or replica.leader_epoch != leader_epoch:
                continue
            error = replica.acked(end)
            if error is None:
                left.append((value, replica, leader_epoch, end))
            elif error is Error.NONE:
                self.acked.append(value)
        self.unacked = left

    # --- What must hold ------------------------------------------------------------------------

    def on_disk(self, name):
        """A broker's replica, or what it would be if it started now."""
        return self.cluster.up.get(name) or self.cluster.replica_of(name)

    def broken(self):
        """Which promise is broken, or None."""
        replicas = {name: self.on_disk(name) for name in self.cluster.names}
        logs = {name: log_of(replica) for name, replica in replicas.items()}
        marks = {name: replica.high_watermark for name, replica in replicas.items()}

        def same(one, other, until):
            below = [[entry for entry in logs[of] if entry[0] < until] for of in (one, other)]
            return below[0] == below[1]

        true_isr = self.cluster.registration.isr
        for name, replica in self.cluster.up.items():
            if replica.leading is not None:
                if not all(same(name, one, marks[name]) for one in true_isr):
                    return "strong"
                if not all(same(name, one, marks[name]) for one in replica.leading.isr):
                    return "weak"
        for one in replicas:
            if not all(same(one, other, min(marks[one], marks[other])) for other in replicas):
                return "agreed"
        for name in true_isr:
            values = {value for _, _, value in logs[name]}
            if not all(value in values for value in self.acked):
                return "kept"
        return None


def reloads(life):
    """Whether each living replica's hard state is what its disk leads to."""
    for name, replica in life.cluster.up.items():
        again = life.cluster.replica_of(name)
        assert again.log.hard_state() == replica.log.hard_state()
        written = [one for one in replica.epochs.entries if one[1] < replica.log_end_offset]
        assert again.epochs.entries == written
        assert again.high_watermark <= again.log_end_offset


def break_of(config, steps):
    """The first promise that a life breaks, or None."""
    life = Life(config)
    for one in steps:
        life.play(*one)
        broken = life.broken()
        if broken:
            return broken
    return None


def smallest(config, of):
    """The steps of a life that breaks a promise, none of which can be left out."""
    steps = find(of, lambda steps: break_of(config, steps) is not None, settings=SEARCH)
    left = []
    while left != steps:
        left = steps
        for size in (16, 4, 2, 1):
            at = 0
            while at < len(steps):
                fewer = steps[:at] + steps[at + size :]
                if break_of(config, fewer):
                    steps = fewer
                else:
                    at += 1
    return steps


@STEADY
@given(lives(), st.integers(1, 3))
def test_with_kip_320_nothing_committed_is_lost_and_no_two_replicas_disagree(steps, min_isr):
    life = Life(ReplicationConfig(min_isr))
    for one in steps:
        before = {name: (r.leading, r.high_watermark) for name, r in life.cluster.up.items()}
        life.play(*one)

        assert life.broken() is None
        for name, replica in life.cluster.up.items():
            leading, mark = before.get(name, (None, 0))
            if leading is not None and replica.leading is leading:
                assert replica.high_watermark >= mark
    reloads(life)


@pytest.mark.parametrize(
    ("config", "more", "most"),
    [
        (ReplicationConfig(2, truncation=TO_HIGH_WATERMARK), {}, 12),
        (ReplicationConfig(2, truncation=KIP_101), {}, 20),
        (ReplicationConfig(forgets_proposals=True), {}, 20),
        (ReplicationConfig(), {"power": 2}, 10),
        (ReplicationConfig(), {"unclean": 1}, 10),
    ],
    ids=["high watermark", "KIP-101", "forgotten proposals", "power loss", "unclean election"],
)
def test_what_is_weaker_breaks_a_promise_in_few_steps(config, more, most):
    """The lives above are wild enough to hurt: without each cure there is a small one that does."""
    steps = smallest(config, lives(**more))

    assert break_of(config, steps) is not None
    assert len(steps) <= most


def test_lives_reach_what_they_are_about():
    """Elections, changed in-sync sets, cuts and acknowledgements: else nothing was tested."""
    reached = []

    @settings(STEADY, max_examples=50)
    @given(lives())
    def lived(steps):
        life = Life(ReplicationConfig(2))
        for one in steps:
            life.play(*one)
        known = life.cluster.registration
        reached.append((known.leader_epoch, known.partition_epoch, len(life.acked), life.cut))

    lived()

    totals = [sum(one) for one in zip(*reached, strict=True)]
    assert min(totals) >= 20, totals
