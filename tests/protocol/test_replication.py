"""A leader and its followers, case by case: the in-sync set, the high watermark, who is refused."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.machine import Send
from simulator.protocol.messages import EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, FetchPartition
from simulator.protocol.replica_messages import (
    AlterPartitionRequest,
    BoundAsked,
    EpochAsked,
)
from simulator.protocol.replication_facts import (
    ALLOWED,
    FollowerFetched,
    ReplicationConfig,
    Role,
    RoleChanged,
)
from simulator.protocol.replication_leading import NEVER_US, Progress, after_fetch
from simulator.protocol.truncation import KIP_279
from tests.replicated import HERE, Replicated, batch_of, log_of

STEADY = settings(max_examples=200, derandomize=True, deadline=None, database=None)
TWO = ReplicationConfig(2)


def fetch_at(offset, leader_epoch=-1, last_epoch=-1):
    return FetchPartition(HERE, offset, 1 << 20, leader_epoch, last_epoch)


def three(config=TWO, **more):
    return Replicated("abc", config=config, **more).begin()


def mark(cluster, name="a"):
    return cluster.up[name].high_watermark


# --- The high watermark ----------------------------------------------------------------------


def test_the_mark_passes_what_every_in_sync_replica_has_asked_beyond():
    cluster = three()
    cluster.produce("a", "x", "y")
    for name in "bc":
        cluster.fetch(name)
    cluster.fetch("b")
    assert mark(cluster) == 0

    cluster.fetch("c")
    assert mark(cluster) == 2


def test_a_follower_learns_of_a_commit_one_fetch_later():
    cluster = three()
    cluster.produce("a", "x")
    assert [cluster.fetch("b")["hw"] for _ in range(2)] == [0, 0]
    cluster.fetch("c")

    assert cluster.fetch("c")["hw"] == 1
    assert mark(cluster, "b") == 0
    assert cluster.fetch("b")["hw"] == 1


def test_below_min_insync_replicas_the_mark_stands_still():
    """The write is taken with acks=1, and nobody can read it (KAFKA-15583)."""
    cluster = three(isr="a")
    assert cluster.produce("a", "x", acks=-1).error is Error.NOT_ENOUGH_REPLICAS
    assert cluster.produce("a", "x", acks=1).error is Error.NONE

    assert cluster.consume("a") == []


def test_before_kip_966_it_went_on():
    cluster = three(attrs.evolve(TWO, frozen_below_min_isr=False), isr="a")
    cluster.produce("a", "x", acks=1)

    assert cluster.consume("a") == [(0, "x")]


def test_min_insync_replicas_is_at_most_the_number_of_replicas():
    cluster = Replicated("a", config=ReplicationConfig(3)).begin()

    assert cluster.produce("a", "x").error is Error.NONE
    assert cluster.up["a"].acked(1) is Error.NONE


def test_a_new_leader_keeps_what_lies_above_its_mark_and_cannot_tell_the_end_yet():
    cluster = three()
    cluster.produce("a", "x")
    cluster.fetch("b")
    cluster.stop("a")
    cluster.elect("b", isr=["b", "c"])
    led = cluster.up["b"]

    assert (led.high_watermark, led.log_end_offset) == (0, 1)
    assert led.list_offset(LATEST_TIMESTAMP).error is Error.OFFSET_NOT_AVAILABLE
    assert led.list_offset(EARLIEST_TIMESTAMP).offset == 0
    cluster.fetch("c")
    cluster.fetch("c")
    assert led.list_offset(LATEST_TIMESTAMP).offset == 1
    assert cluster.consume("b") == [(0, "x")]


def test_the_mark_is_on_the_disk_only_as_last_checkpointed():
    cluster = Replicated("a").begin()
    cluster.produce("a", "x")
    cluster.up["a"].checkpoint()
    cluster.produce("a", "y")
    cluster.stop("a")
    assert cluster.replica_of("a").high_watermark == 1

    cluster.start("a")
    cluster.stop("a", clean=True)
    assert cluster.replica_of("a").high_watermark == 2


# --- acks=all --------------------------------------------------------------------------------


def test_a_set_that_has_shrunk_is_told_after_the_append_and_the_record_stays():
    cluster = three(alters=False)
    cluster.produce("a", "x")
    for name in "bc":
        cluster.fetch(name)
    led = cluster.up["a"]
    assert led.acked(1) is None

    for name in "bc":
        cluster.fetch(name)
    cluster.registration = cluster.registration._replace(isr=("a",), partition_epoch=1)
    cluster.tell("a")
    assert led.acked(1) is Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    assert cluster.consume("a") == [(0, "x")]


def test_who_leads_no_more_cannot_say():
    cluster = three()
    cluster.produce("a", "x")
    cluster.elect("b")

    assert cluster.up["a"].acked(1) is Error.NOT_LEADER_OR_FOLLOWER
    assert cluster.produce("a", "y").error is Error.NOT_LEADER_OR_FOLLOWER


def test_a_duplicate_is_acknowledged_when_its_first_copy_is():
    cluster = three()
    batch = batch_of("x")._replace(producer_id=7, producer_epoch=0, base_sequence=0)
    led = cluster.up["a"]
    for again in (False, True):
        fact, answer = led.decide_append(batch, 0, -1)
        assert (fact is None, answer.base_offset) == (again, 0)
        if fact is not None:
            led.apply(fact)
    assert led.acked(1) is None


# --- The in-sync set ---------------------------------------------------------------------------


def test_a_newcomer_counts_from_the_moment_it_is_proposed():
    """It has never had everything, so nothing but the proposal makes the mark wait for it."""
    cluster = three(isr="ab", alters=False)
    cluster.produce("a", "x")
    cluster.fetch("c")
    leading = cluster.up["a"].leading
    assert (leading.isr, leading.maximal_isr) == (("a", "b"), ("a", "b", "c"))

    for _ in range(2):
        cluster.fetch("b")
    assert mark(cluster) == 0
    cluster.alter(Error.INELIGIBLE_REPLICA)
    cluster.produce("a", "y")
    for _ in range(2):
        cluster.fetch("b")
    assert mark(cluster) == 2


def test_who_is_behind_the_mark_does_not_join():
    cluster = three(isr="ab", alters=False)
    cluster.produce("a", "x")
    for _ in range(2):
        cluster.fetch("b")
    cluster.fetch("c")
    assert not cluster.proposals

    cluster.fetch("c")
    assert len(cluster.proposals) == 1


def test_the_fetch_that_makes_a_newcomer_does_not_take_the_mark_past_it():
    """c held the mark while it was caught up; it comes back too late for that, and is proposed."""
    cluster = three(isr="ab", alters=False)
    led = cluster.up["a"]

    def fetches(name, offset):
        cluster.carry_out("a", led.decide_fetch(fetch_at(offset), name, cluster.now_us, 1)[1])

    fetches("c", 0)
    cluster.alter(Error.INELIGIBLE_REPLICA)
    for value in "xyz":
        cluster.produce("a", value)
    fetches("b", 3)
    assert mark(cluster) == 0
    cluster.wait(30_001)

    fetches("c", 2)
    assert mark(cluster) == 2


def test_a_proposal_tells_the_controller_who_and_with_which_incarnation():
    cluster = three(isr="ab", alters=False)
    cluster.alive["c"] = 5
    cluster.ask("c")
    _, step = cluster.up["a"].decide_fetch(fetch_at(0), "c", 0, 5)

    (send,) = step.effects
    assert isinstance(send, Send)
    assert send.to == "controller"
    assert isinstance(send.body, AlterPartitionRequest)
    assert send.body.partitions[0].new_isr == (("a", 1), ("b", -1), ("c", 5))


@pytest.mark.parametrize(("alive", "fetches_as"), [(None, 5), (6, 5), (5, None)])
def test_who_is_not_alive_as_it_fetches_does_not_join(alive, fetches_as):
    """Fenced, or of an older incarnation: its log may not be what the leader thinks (KIP-903)."""
    cluster = three(isr="ab", alters=False)
    cluster.alive.pop("c")
    if alive is not None:
        cluster.alive["c"] = alive
    cluster.carry_out("a", cluster.up["a"].decide_fetch(fetch_at(0), "c", 0, fetches_as or 4)[1])

    assert not cluster.proposals


def test_an_older_incarnation_of_a_follower_is_not_heard():
    cluster = three()
    led = cluster.up["a"]
    cluster.carry_out("a", led.decide_fetch(fetch_at(0), "b", 0, 7)[1])
    answer, step = led.decide_fetch(fetch_at(0), "b", 0, 6)

    assert answer.error is Error.NOT_LEADER_OR_FOLLOWER
    assert not step.facts


def elected_with_more(config):
    """b leads with a record of a's that c does not have; c is not in sync, and asks b for more."""
    cluster = Replicated("abc", "ab", config=config, alters=False).begin()
    cluster.produce("a", "x")
    cluster.fetch("b")
    cluster.elect("b", isr=["a", "b"])
    for _ in range(3):
        cluster.ask("c")
    cluster.carry_out("b", cluster.up["b"].decide_fetch(fetch_at(0), "c", 0)[1])
    return cluster


def test_who_has_not_reached_the_start_of_the_epoch_does_not_join():
    """What earlier leaders wrote may be committed, though this one does not know (KIP-320)."""
    cluster = elected_with_more(ReplicationConfig())
    assert not cluster.proposals

    cluster.fetch("c")
    cluster.fetch("c")
    assert len(cluster.proposals) == 1


def test_before_kip_320_the_high_watermark_was_enough():
    assert elected_with_more(ReplicationConfig(truncation=KIP_279)).proposals


def test_who_lags_is_proposed_out_and_counts_until_the_controller_agrees():
    cluster = three(alters=False)
    cluster.produce("a", "x")
    cluster.fetch("b")
    cluster.wait(30_000)
    cluster.shrink("a")
    assert not cluster.proposals
    cluster.wait(1)
    cluster.fetch("b")
    cluster.shrink("a")

    leading = cluster.up["a"].leading
    assert (leading.isr, leading.maximal_isr) == (("a", "b", "c"),) * 2
    assert mark(cluster) == 0
    cluster.alter()
    assert leading.isr == ("a", "b")
    assert mark(cluster) == 1


def test_a_dead_follower_that_has_everything_is_never_dropped_for_lag():
    """Only the controller does that, when the broker's session has ended."""
    cluster = three(alters=False)
    cluster.produce("a", "x")
    for name in "bcbc":
        cluster.fetch(name)
    cluster.stop("c")
    cluster.wait(1_000_000)
    cluster.shrink("a")

    assert not cluster.proposals


def test_a_slow_reader_is_in_sync_as_long_as_it_had_everything_lately():
    """Each fetch takes what there was at the fetch before: it lags by one, and not by time."""
    cluster = three(isr="ab", alters=False)
    for _ in range(5):
        cluster.produce("a", "x")
        cluster.fetch("b", most=1)
        cluster.wait(15_000)
        cluster.shrink("a")

    assert not cluster.proposals


@pytest.mark.parametrize(
    ("error", "maximal", "pending", "again"),
    [
        (Error.INELIGIBLE_REPLICA, "ab", False, 0),
        (Error.OPERATION_NOT_ATTEMPTED, "ab", False, 0),
        (Error.INVALID_UPDATE_VERSION, "abc", True, 0),
        (Error.NEW_LEADER_ELECTED, "abc", True, 0),
        (Error.FENCED_LEADER_EPOCH, "abc", True, 0),
        (Error.UNKNOWN_TOPIC_OR_PARTITION, "abc", True, 0),
        (Error.NETWORK_EXCEPTION, "abc", True, 1),
        (Error.NOT_CONTROLLER, "abc", True, 1),
    ],
)
def test_a_refused_proposal_is_dropped_left_open_or_sent_again(error, maximal, pending, again):
    cluster = three(isr="ab", alters=False)
    cluster.fetch("c")
    cluster.alter(error)

    leading = cluster.up["a"].leading
    assert leading.maximal_isr == tuple(maximal)
    assert (leading.pending is not None, len(cluster.proposals)) == (pending, again)


def test_an_answer_to_what_is_no_longer_proposed_changes_nothing():
    cluster = three(isr="ab", alters=False)
    cluster.fetch("c")
    cluster.elect("a")
    cluster.alter()

    leading = cluster.up["a"].leading
    assert (leading.isr, leading.pending) == (("a", "b"), None)


def test_what_is_known_already_does_not_end_a_proposal():
    """Kafka forgets it then: the mark passes c, whom the controller takes in all the same."""
    for config, kept in ((TWO, True), (attrs.evolve(TWO, forgets_proposals=True), False)):
        cluster = three(config, isr="ab", alters=False)
        cluster.fetch("c")
        cluster.tell("a")
        assert (cluster.up["a"].leading.pending is not None) is kept


def elected_again(config):
    """b leads, does not hear that a led in between and had c cut, and leads again."""
    cluster = Replicated("abc", config=config, leader="b").begin()
    cluster.produce("b", "x")
    cluster.fetch("c")
    cluster.fetch("c")
    cluster.elect("a", tell=["a", "c"])
    cluster.fetch("c")
    cluster.elect("b", isr=["b", "c"])
    return cluster


def test_who_missed_an_epoch_does_not_know_its_followers():
    assert mark(elected_again(ReplicationConfig()), "b") == 0
    cluster = elected_again(ReplicationConfig(keeps_positions=True))
    assert mark(cluster, "b") == 1
    assert log_of(cluster.up["c"]) == []


# --- Who is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "error"),
    [(4, Error.FENCED_LEADER_EPOCH), (6, Error.UNKNOWN_LEADER_EPOCH), (5, Error.NONE)],
)
def test_a_request_for_another_epoch_of_the_leader_is_refused(epoch, error):
    cluster = three(leader_epoch=5)
    led = cluster.up["a"]
    asked = fetch_at(0, epoch)

    assert led.read(asked).error is error
    assert led.decide_fetch(asked, "b", 0)[0].error is error
    assert led.epoch_end(EpochAsked(HERE, epoch, 5)).error is error
    assert led.bound(BoundAsked(HERE, epoch, LATEST_TIMESTAMP)).error is error
    assert led.list_offset(LATEST_TIMESTAMP, leader_epoch=epoch).error is error


def test_a_follower_answers_no_client_but_one_that_may_read_from_it():
    cluster = three()
    cluster.produce("a", "x")
    for name in "bcbcb":
        cluster.fetch(name)
    follower = cluster.up["b"]

    assert follower.read(fetch_at(0)).error is Error.NOT_LEADER_OR_FOLLOWER
    assert len(follower.read(fetch_at(0), only_leader=False).batches) == 1


def test_a_stranger_is_told_to_wait_for_metadata():
    led = three().up["a"]

    assert led.decide_fetch(fetch_at(0, 0), "z", 0)[0].error is Error.UNKNOWN_LEADER_EPOCH
    assert led.decide_fetch(fetch_at(0), "z", 0)[0].error is Error.NOT_LEADER_OR_FOLLOWER


def test_older_news_is_not_listened_to():
    cluster = three()
    old = cluster.registration
    cluster.elect("b")
    cluster.tell("b", old)

    assert cluster.up["b"].role is Role.LEADING
    assert not cluster.up["b"].decide_registration(old, 0).facts


def test_without_a_leader_a_replica_is_idle():
    cluster = three()
    cluster.elect("")

    assert [replica.role for replica in cluster.up.values()] == [Role.IDLE] * 3
    assert cluster.up["b"].decide_ask() == ((), None)


def test_a_role_that_does_not_follow_from_another_is_our_own_bug():
    with pytest.raises(AssertionError):
        three().up["a"].apply(RoleChanged(Role.FETCHING))
    assert set(ALLOWED[RoleChanged]) < set(Role)


# --- Against a naive leader --------------------------------------------------------------------


class Naive:
    """Every fetch and append that ever was; all is read off them anew each time."""

    def __init__(self, names, isr, min_isr, lag_us):
        self.followers, self.isr = names[1:], isr
        self.min_isr, self.lag_us = min_isr, lag_us
        self.fetches = {name: [] for name in self.followers}  # (offset, leader's end, at_us)
        self.end = self.mark = 0

    def position(self, name):
        return self.fetches[name][-1][0] if self.fetches[name] else -1

    def caught_up_us(self, name):
        """The last time at which it had everything, by all that it has asked since."""
        times = [0 if name in self.isr else NEVER_US]
        fetches = self.fetches[name]
        for at, (offset, end, at_us) in enumerate(fetches):
            if offset >= end:
                times.append(at_us)
            elif at and offset >= max(known for _, known, _ in fetches[:at]):
                times.append(fetches[at - 1][2])
        return max(times)

    def in_sync(self, name, now_us):
        return self.position(name) == self.end or now_us - self.caught_up_us(name) <= self.lag_us

    def move(self, now_us):
        if len(self.isr) >= self.min_isr:
            waits = [
                self.position(name)
                for name in self.followers
                if name in self.isr or (self.fetches[name] and self.in_sync(name, now_us))
            ]
            self.mark = max(self.mark, min([self.end, *waits]))


moves = st.lists(
    st.one_of(
        st.just(("produce",)),
        st.tuples(st.just("fetch"), st.sampled_from("bcd"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from((4_000, 11_000))),
    ),
    max_size=40,
)


@STEADY
@given(moves, st.sampled_from(("abcd", "abc", "ab", "a")), st.integers(1, 3))
def test_the_mark_is_where_all_that_was_ever_asked_puts_it(moves, isr, min_isr):
    """Nobody joins here: the proposals that a fetch leads to are refused at once."""
    config = ReplicationConfig(min_isr, replica_lag_time_max_ms=10_000)
    cluster = Replicated("abcd", isr, config=config, alters=False).begin()
    naive = Naive("abcd", isr, min_isr, 10_000_000)
    naive.move(0)
    for what, *which in moves:
        if what == "produce":
            cluster.produce("a", "x", acks=1)
            naive.end += 1
            naive.move(cluster.now_us)
        elif what == "wait":
            cluster.wait(which[0])
        else:
            name, back = which
            offset = max(0, naive.position(name), naive.end - back)
            moved = offset != naive.position(name)
            step = cluster.up["a"].decide_fetch(fetch_at(offset), name, cluster.now_us)[1]
            for fact in step.facts:
                if isinstance(fact, FollowerFetched):
                    cluster.up["a"].apply(fact)
            naive.fetches[name].append((offset, naive.end, cluster.now_us))
            if moved:
                naive.move(cluster.now_us)

        assert mark(cluster) == naive.mark
        progress = cluster.up["a"].leading.followers
        assert [progress[name].end_offset for name in "bcd"] == [
            naive.position(name) for name in "bcd"
        ]
        assert [progress[name].caught_up_us for name in "bcd"] == [
            naive.caught_up_us(name) for name in "bcd"
        ]


def test_a_progress_does_not_go_back_in_time():
    known = Progress(5, 5, 100, 100, 1)

    assert after_fetch(known, FollowerFetched("b", 5, 9, 200, 1)).caught_up_us == 100
    assert after_fetch(known, FollowerFetched("b", 2, 9, 200, 1)).caught_up_us == 100
    assert after_fetch(known, FollowerFetched("b", 9, 9, 200, 1)).caught_up_us == 200
