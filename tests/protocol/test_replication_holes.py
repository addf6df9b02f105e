"""The holes that Kafka's replication had, each as a short story, under each way to truncate.

A story returns a cluster in which something is lost or replicas disagree, or not: that depends on
the way. Nothing is put into a log by hand but by leaders and followers.
"""

import attrs
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.leader_epochs import LeaderEpochs
from simulator.protocol.replica_messages import EpochAsked
from simulator.protocol.replication_facts import ReplicationConfig, Role
from simulator.protocol.truncation import (
    KIP_101,
    KIP_279,
    KIP_320,
    TO_HIGH_WATERMARK,
    TRUNCATIONS,
    cut_at,
    diverges,
    epoch_end,
)
from tests.replicated import Replicated, log_of

STEADY = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def config_of(way):
    return ReplicationConfig(truncation=way)


def half_a_fetch(cluster, name):
    """A follower asks, its leader counts that, and the answer is lost."""
    cluster.serve(cluster.ask(name), name, cluster.up[name].following.leader)


def catch_up(cluster):
    """Let every follower fetch until nothing changes any more."""
    for _ in range(4):
        for name, replica in cluster.up.items():
            if replica.leading is None and replica.role is not Role.STOPPED:
                cluster.fetch(name)


def committed_then_restarted(way):
    """KIP-101, scenario 1. b has x, does not know that it is committed, restarts, and leads."""
    cluster = Replicated("ab", config=config_of(way)).begin()
    cluster.produce("a", "x")
    cluster.fetch("b")
    half_a_fetch(cluster, "b")
    assert cluster.up["a"].acked(1) is Error.NONE
    cluster.stop("b")
    cluster.start("b")
    cluster.ask("b")
    cluster.stop("a")
    cluster.elect("b")
    cluster.produce("b", "y")
    cluster.start("a")
    return cluster


def power_lost_on_both(way):
    """KIP-101, scenario 2. b has lost x with its page cache, leads, and writes y in its place."""
    cluster = Replicated("ab", config=config_of(way)).begin()
    cluster.produce("a", "w")
    for _ in range(2):
        cluster.fetch("b")
    cluster.journals["b"].flush()
    cluster.produce("a", "x")
    for _ in range(2):
        cluster.fetch("b")
    cluster.up["a"].checkpoint()
    cluster.journals["a"].flush()
    for name in "ab":
        cluster.stop(name)
        cluster.journals[name].lose_power()
    cluster.elect("b", tell=[])
    cluster.start("b")
    cluster.produce("b", "y")
    cluster.start("a")
    return cluster


def fast_fail_over(way):
    """KIP-279. b leads for one record that a, leader before and after, has never seen."""
    cluster = Replicated("ab", config=config_of(way)).begin()
    cluster.produce("a", "x")
    cluster.elect("b", tell=["b"])
    cluster.produce("b", "y")
    cluster.stop("b")
    cluster.elect("a", isr=["a"])
    cluster.produce("a", "z")
    cluster.start("b")
    return cluster


def asked_a_stale_leader(way):
    """KIP-320. b, who led for a moment, asks a, who has not heard of that and leads in epoch 0.

    a cannot tell where b's epoch ends, so b cuts to its high watermark. With KIP-101 b noted no
    epoch, as it wrote nothing.
    """
    cluster = Replicated("ab", config=config_of(way)).begin()
    cluster.produce("a", "x")
    cluster.fetch("b")
    half_a_fetch(cluster, "b")
    assert cluster.up["a"].acked(1) is Error.NONE
    cluster.elect("b", tell=["b"])
    cluster.elect("a", tell=["b"])
    ask = cluster.ask("b")
    if isinstance(ask, EpochAsked):
        cluster.answer("b", ask, cluster.serve(ask, "b", "a"), "a")
    cluster.stop("a")
    cluster.elect("b", isr=["b"])
    cluster.produce("b", "y")
    cluster.start("a")
    return cluster


def missed_an_epoch(way):
    """KAFKA-7164. c follows a, misses that b led, and finds a leading again."""
    cluster = Replicated("abc", config=config_of(way)).begin()
    cluster.produce("a", "x")
    cluster.fetch("c")
    cluster.elect("b", tell=["a", "b"])
    cluster.produce("b", "y")
    for _ in range(3):
        cluster.fetch("a")
    cluster.elect("a")
    return cluster


def is_whole(cluster, *committed):
    """Nothing committed is lost, and all agree about what they take for committed."""
    catch_up(cluster)
    logs = {name: log_of(replica) for name, replica in cluster.up.items()}
    values = [value for _, _, value in logs[cluster.registration.leader]]
    least = min(replica.high_watermark for replica in cluster.up.values())
    known = {tuple(entry for entry in log if entry[0] < least) for log in logs.values()}
    return len(known) == 1 and all(value in values for value in committed)


BROKEN = {
    committed_then_restarted: (("x",), [TO_HIGH_WATERMARK]),
    power_lost_on_both: ((), [TO_HIGH_WATERMARK]),
    fast_fail_over: ((), [KIP_101]),
    asked_a_stale_leader: (("x",), [TO_HIGH_WATERMARK, KIP_279]),
    missed_an_epoch: ((), []),
}


@pytest.mark.parametrize("way", TRUNCATIONS, ids=lambda way: way.name)
@pytest.mark.parametrize("story", BROKEN, ids=lambda story: story.__name__)
def test_each_hole_is_there_until_its_cure(story, way):
    committed, broken = BROKEN[story]

    assert is_whole(story(way), *committed) is (way not in broken)


def test_an_epoch_that_was_missed_mattered_when_only_a_new_leader_did():
    careless = attrs.evolve(KIP_279, same_leader_too=False)

    assert not is_whole(missed_an_epoch(careless))


# --- Against logs compared record by record ------------------------------------------------------


# Who leads, how much it writes, and up to where each of the two others copies it, if it does.
histories = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 3),
        st.tuples(*(2 * [st.none() | st.integers(0, 12)])),
    ),
    max_size=8,
)


def logs_after(history):
    """Three logs, a list of epochs by offset each, and the epochs that each has noted."""
    logs, noted = ([], [], []), ([], [], [])
    for epoch, (leader, writes, copied) in enumerate(history):
        log = logs[leader]
        noted[leader].append((epoch, len(log)))
        log += [epoch] * writes
        others = [other for other in range(3) if other != leader]
        for other, upto in zip(others, copied, strict=True):
            if upto is not None:
                parted = common(logs[other], log)
                logs[other][:] = log[: max(parted, upto)]
                noted[other][:] = [one for one in noted[other] if one[1] < parted]
    return logs, noted


def common(one, other):
    """How far two logs agree."""
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return at


def epochs_of(log, noted):
    epochs = LeaderEpochs(Journal())
    claims = sorted({(epoch, log.index(epoch)) for epoch in log} | set(noted))
    for epoch, start in claims:
        epochs.assign(epoch, start)
    return epochs


def found(way, leader, follower, history):
    """Where the follower's log ends when it has cut all that it was told to."""
    logs, noted = logs_after(history)
    led, own = epochs_of(logs[leader], noted[leader]), epochs_of(logs[follower], noted[follower])
    leader_end, end = len(logs[leader]), len(logs[follower])
    led.assign(len(history), leader_end)
    for _ in range(20):
        if own.latest is None:
            return 0
        if way.on_fetch:
            told = diverges(led, leader_end, end, own.latest)
            if told is None:
                return end
            at, done = cut_at(own, end, 0, told)[0], False
        else:
            told = epoch_end(way, led, own.latest, leader_end)
            at, done = cut_at(own, end, 0, told)
        end = min(end, at)
        own.truncate_from_end(end)
        if done:
            return end
    raise AssertionError("it asks for ever")


PAIRS = [(leader, follower) for leader in range(3) for follower in range(3) if leader != follower]


@pytest.mark.parametrize("way", [KIP_279, KIP_320], ids=lambda way: way.name)
def test_the_cut_is_where_the_logs_part(way):
    @STEADY
    @given(histories)
    def holds(history):
        logs, _ = logs_after(history)
        for leader, follower in PAIRS:
            parted = common(logs[leader], logs[follower])
            assert found(way, leader, follower, history) == parted

    holds()


def test_with_kip_101_it_may_lie_beyond():
    def beyond(history):
        logs, _ = logs_after(history)
        return any(
            found(KIP_101, leader, follower, history) > common(logs[leader], logs[follower])
            for leader, follower in PAIRS
        )

    budget = settings(STEADY, max_examples=2_000)
    assert len(find(histories, beyond, settings=budget)) <= 3
