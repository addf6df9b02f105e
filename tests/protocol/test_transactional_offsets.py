"""Offsets that a transaction commits count when it commits, by the order of the log; until then
whoever asks for stable offsets is not told of the old ones. It is so in both kinds of group.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol import consumer_group, group
from simulator.protocol.consumer_group import ConsumerGroup
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.errors import Error
from simulator.protocol.group import Group, GroupConfig
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import (
    RetentionCheck,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    Unload,
)
from simulator.protocol.messages import CommittedOffset, OffsetCommitRequest, OffsetFetchRequest
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest
from tests.consumer_groups import Ledger as ConsumerLedger
from tests.driven import Driven
from tests.groups import Ledger as ClassicLedger

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
CONFIG = GroupConfig(offsets_retention_minutes=1)
MINUTE_MS = 60_000
P, Q = 7, 8  # Two producers.


def classic(offsets):
    return lambda life: Group("g", CONFIG, life, offsets=offsets())


def consumer(offsets):
    by = Rules(classic=CONFIG)
    return lambda life: ConsumerGroup("g", {"t": 3}, by, life, offsets=offsets())


HARD = {classic: group.is_hard, consumer: consumer_group.is_hard}


def words(driven):
    """What is said of offsets, in few words."""

    def commit(offset, partition=T0):
        body = OffsetCommitRequest("g", -1, "", (CommittedOffset(partition, offset),))
        return driven.ask(body).results[0][1]

    def stage(producer, offset, partition=T0, *, epoch=0, member=("", -1), static=None):
        offsets = (CommittedOffset(partition, offset),)
        member_id, generation = member
        body = TxnOffsetCommitRequest(
            "id", "g", producer, epoch, offsets, generation, member_id, static
        )
        return driven.ask(body).results[0][1]

    def end(producer, result, epoch=0):
        driven.tell(TransactionEnded(producer, epoch, result))

    def stable(partition=T0, *, asks=True):
        """The offset that is told, or the error."""
        told = driven.ask(OffsetFetchRequest("g", (partition,), require_stable=asks))
        return told.errors[0][1] if told.errors else told.offsets[0].offset

    return commit, stage, end, stable


@pytest.fixture(params=[classic, consumer], ids=["classic", "consumer"])
def driven(request):
    return Driven(request.param(Offsets), HARD[request.param])


def test_an_offset_of_a_transaction_counts_when_it_commits(driven):
    commit, stage, end, stable = words(driven)
    commit(5)
    assert stage(P, 9) is Error.NONE
    assert stable() is Error.UNSTABLE_OFFSET_COMMIT
    assert stable(asks=False) == 5
    assert stable(T1) == -1, "another partition is not concerned"
    end(P, "commit")

    assert stable() == 9


def test_an_aborted_transaction_leaves_nothing(driven):
    commit, stage, end, stable = words(driven)
    commit(5)
    stage(P, 9)
    stage(P, 1, T1)
    end(P, "abort")

    assert (stable(), stable(T1)) == (5, -1)
    end(P, "commit")
    assert stable() == 5, "a transaction ends once"


def test_the_last_that_a_transaction_says_of_a_partition_counts(driven):
    _, stage, end, stable = words(driven)
    stage(P, 9), stage(P, 8), stage(P, 3, T1)
    end(P, "commit")

    assert (stable(), stable(T1)) == (8, 3)


def test_a_plain_commit_that_came_later_outruns_the_transaction(driven):
    """It is by log order: the marker comes last, but the offset was written first."""
    commit, stage, end, stable = words(driven)
    stage(P, 9)
    commit(5)
    assert stable() is Error.UNSTABLE_OFFSET_COMMIT, "it is pending all the same"
    assert stable(asks=False) == 5
    end(P, "commit")

    assert stable() == 5


def test_what_was_outrun_counts_if_the_transaction_says_it_again(driven):
    commit, stage, end, stable = words(driven)
    stage(P, 9), commit(5), stage(P, 10)
    end(P, "commit")

    assert stable() == 10


@pytest.mark.parametrize("first", [P, Q])
def test_of_two_transactions_that_counts_which_wrote_later(driven, first):
    """Whichever commits first. (Two zombies of one group, with a transactional.id each.)"""
    _, stage, end, stable = words(driven)
    stage(P, 9), stage(Q, 4)
    end(first, "commit")
    assert stable() is Error.UNSTABLE_OFFSET_COMMIT
    end(P + Q - first, "commit")

    assert stable() == 4


def test_a_new_owner_cannot_start_from_an_offset_that_is_about_to_change(driven):
    """T04 of KIP-447: with stable offsets it waits for its predecessor's transaction."""
    commit, stage, end, stable = words(driven)
    commit(5)
    stage(P, 10)
    wrong = stable(asks=False)
    right = stable()
    end(P, "commit")

    assert (wrong, right, stable()) == (5, Error.UNSTABLE_OFFSET_COMMIT, 10)


def test_a_pending_offset_ends_with_its_own_transaction_alone(driven):
    """C11 (KAFKA-16371): neither a plain commit nor another producer's end unlocks or locks it."""
    commit, stage, end, stable = words(driven)
    stage(P, 9), stage(Q, 4), commit(6)
    end(Q, "abort")
    assert stable() is Error.UNSTABLE_OFFSET_COMMIT
    end(P, "abort")
    assert stable() == 6


def test_a_refused_offset_is_not_pending(driven):
    """KAFKA-16371: what was not written locks nobody out."""
    commit, stage, _, stable = words(driven)
    commit(5)

    assert stage(P, 9, member=("nobody", 3)) is not Error.NONE
    assert stable() == 5
    assert driven.machine.offsets.pending == {}


def test_all_offsets_are_told_without_the_unstable_ones(driven):
    commit, stage, _, _ = words(driven)
    commit(5), commit(6, T1), stage(P, 9), stage(P, 1, T2)
    told = driven.ask(OffsetFetchRequest("g", None, require_stable=True))

    assert [one.partition for one in told.offsets] == [T1]
    assert told.errors == ((T0, Error.UNSTABLE_OFFSET_COMMIT),)


def test_pending_offsets_outlive_the_coordinator(driven):
    commit, stage, end, stable = words(driven)
    stage(P, 9), commit(5), stage(Q, 7, T1)
    before = driven.machine.hard_state()
    driven.start()

    assert driven.machine.hard_state() == before
    assert stable() is stable(T1) is Error.UNSTABLE_OFFSET_COMMIT
    end(P, "commit"), end(Q, "commit")
    assert (stable(), stable(T1)) == (5, 7)


def test_retention_takes_nothing_where_a_transaction_has_a_pending_offset(driven):
    commit, stage, end, stable = words(driven)
    commit(5), commit(6, T1), stage(P, 9)
    driven.wait(10 * MINUTE_MS)
    driven.tell(RetentionCheck())
    assert (stable(asks=False), stable(T1)) == (5, -1)

    end(P, "abort")
    driven.tell(RetentionCheck())
    assert stable() == -1
    assert driven.machine.hard_state() == ()
    assert driven.machine.state.value == "Absent"


def test_a_group_with_nothing_but_pending_offsets_is_not_removed(driven):
    _, stage, end, stable = words(driven)
    stage(P, 9)
    assert driven.machine.state.value == "Empty"
    driven.wait(10 * MINUTE_MS)
    driven.tell(RetentionCheck())
    end(P, "commit")

    assert stable() == 9


def test_a_producer_of_an_older_epoch_is_not_heard(driven):
    """Else its late offsets would count with the next transaction of its successor."""
    _, stage, end, stable = words(driven)
    stage(P, 9)
    end(P, "abort", epoch=1)
    driven.start()

    assert stage(P, 9) is Error.INVALID_PRODUCER_EPOCH
    assert stage(P, 4, epoch=1) is Error.NONE
    end(P, "commit", epoch=0)
    assert stable() is Error.UNSTABLE_OFFSET_COMMIT, "an old marker ends nothing"
    end(P, "commit", epoch=1)
    assert stable() == 4


def test_the_end_of_a_stranger_transaction_is_nothing_to_a_group(driven):
    commit, _, _, _ = words(driven)
    commit(5)

    before = driven.machine.hard_state()
    assert driven.tell(TransactionEnded(P, 3, "commit")).facts == ()
    driven.machine.apply(TransactionEnded(P, 3, "commit"))  # As a log of several groups is read.
    assert driven.machine.hard_state() == before


def test_a_coordinator_that_gave_the_group_up_takes_no_offsets(driven):
    _, stage, _, _ = words(driven)
    stage(P, 9)
    driven.tell(Unload())

    assert stage(P, 9) is Error.COORDINATOR_NOT_AVAILABLE
    assert driven.tell(TransactionEnded(P, 0, "commit")).facts == ()


def test_a_marker_does_not_bring_a_group_back_that_was_removed(driven):
    _, stage, end, _ = words(driven)
    stage(P, 9), end(P, "abort")
    driven.tell(RetentionCheck())
    assert driven.machine.state.value == "Absent"
    driven.disk.append(TransactionEnded(P, 0, "commit"))
    driven.start()

    assert driven.machine.state.value == "Absent"
    assert driven.machine.hard_state() == ()


# --- Who may --------------------------------------------------------------------------------------


def test_a_zombie_is_found_out_by_its_generation():
    """T05: with the group's metadata it is refused; with the group id alone it is believed."""
    ledger = ClassicLedger()
    a, b = ledger.stable("a", "b")
    _, stage, _, _ = words(ledger.driven)
    ledger.leave(a)

    assert stage(P, 9, member=(a, 1)) is Error.UNKNOWN_MEMBER_ID
    assert stage(P, 9, member=(b, 0)) is Error.ILLEGAL_GENERATION
    assert stage(P, 9, member=(b, 1), static="i") is Error.UNKNOWN_MEMBER_ID
    assert stage(P, 9, member=(b, 1)) is Error.NONE, "while a rebalance is prepared"
    assert stage(P, 9) is Error.NONE


def test_a_transaction_commits_while_the_group_waits_for_its_leader():
    ledger = ClassicLedger()
    a, _ = ledger.enter()
    ledger.wait(3_000)
    _, stage, _, _ = words(ledger.driven)

    assert ledger.commit(a, 1) is Error.REBALANCE_IN_PROGRESS
    assert stage(P, 9, member=(a, 1)) is Error.NONE


def test_a_static_members_successor_fences_it():
    ledger = ClassicLedger()
    old = ledger.join(static="i") and ledger.group.members[0].member_id
    ledger.join(static="i")
    _, stage, _, _ = words(ledger.driven)

    assert stage(P, 9, member=(old, 0), static="i") is Error.FENCED_INSTANCE_ID


def test_a_stale_member_epoch_is_called_an_illegal_generation():
    ledger = ConsumerLedger()
    ledger.join("a"), ledger.join("b"), ledger.settled("a", "b")
    _, stage, _, _ = words(ledger.driven)

    assert stage(P, 9, member=("a", 1)) is Error.ILLEGAL_GENERATION
    assert stage(P, 9, member=("c", 2)) is Error.UNKNOWN_MEMBER_ID
    assert stage(P, 9, member=("a", 2)) is Error.NONE
    assert stage(P, 9) is Error.NONE, "nothing is looked at where nothing is said"


def test_a_generation_without_a_group_is_illegal(driven):
    _, stage, _, _ = words(driven)

    assert stage(P, 9, member=("a", 1)) is Error.ILLEGAL_GENERATION
    assert driven.machine.hard_state() == ()


def test_a_transactions_commit_is_no_heartbeat():
    ledger = ClassicLedger()
    (a,) = ledger.stable("a")
    _, stage, _, _ = words(ledger.driven)
    for _ in range(3):
        ledger.wait(4_000)
        stage(P, 9, member=(a, 1))

    assert ledger.removals() == [(a, "session_timeout")]


# --- Whatever happens --------------------------------------------------------------------------


class Play:
    """Three partitions, two producers, plain commits, crashes, compaction; and a naive log."""

    def __init__(self, kind, offsets=Offsets, hard=None):
        self.build = kind(offsets)
        self.driven = Driven(self.build, hard or HARD[kind])
        self.commit, self.stage, self.end, self.stable = words(self.driven)
        self.log = []  # [partition, offset, producer or None, committed?, at_us]

    def do(self, operation, who, number):
        getattr(self, f"do_{operation}")(who, TopicPartition("t", number % 3), number)
        self.promises()

    def do_commit(self, _, partition, number):
        self.commit(number, partition)
        self.log.append([partition, number, None, True, self.driven.now_us])

    def do_stage(self, who, partition, number):
        self.stage(P + who, number, partition)
        self.log.append([partition, number, P + who, False, self.driven.now_us])

    def do_end(self, who, _, number):
        result = "commit" if number % 3 else "abort"
        self.end(P + who, result)
        mine = [one for one in self.log if one[2] == P + who]
        for one in mine:
            if result == "commit":
                one[2], one[3] = None, True
            else:
                self.log.remove(one)

    def do_retention(self, who, *_):
        """What is old is forgotten, where nothing is pending."""
        self.driven.wait(MINUTE_MS // 2 * (who + 1))
        self.driven.tell(RetentionCheck())
        before_us = self.driven.now_us - MINUTE_MS * 1_000
        for partition in (T0, T1, T2):
            mine = [one for one in self.log if one[0] == partition]
            newest = [one for one in mine if one[3]][-1:]
            if all(one[3] for one in mine) and newest and newest[0][4] <= before_us:
                self.log = [one for one in self.log if one[0] != partition]

    def do_crash(self, *_):
        self.driven.start()

    def do_compact(self, *_):
        self.driven.disk = list(self.driven.machine.hard_state())
        self.driven.start()

    def promises(self):
        for partition in (T0, T1, T2):
            mine = [one for one in self.log if one[0] == partition]
            newest = ([-1] + [offset for _, offset, _, counts, _ in mine if counts])[-1]
            pending = any(not one[3] for one in mine)
            want = Error.UNSTABLE_OFFSET_COMMIT if pending else newest
            assert self.stable(partition) == want, "what is stable is not the newest that counts"
            assert self.stable(partition, asks=False) == newest, "not the newest that counts"
        state = self.driven.machine.hard_state()
        for facts in (self.driven.disk, state):
            again = self.build(99)
            for fact in facts:
                again.apply(fact)
            assert again.hard_state() == state, "the disk tells another story"


steps = st.tuples(
    st.sampled_from([*["commit"] * 3, *["stage"] * 5, *["end"] * 3, "retention", "crash",
                     "compact"]),
    st.integers(0, 1),
    st.integers(0, 29),
)  # fmt: skip


def play(kind, script, **more):
    game = Play(kind, **more)
    for step in script:
        game.do(*step)


OUTRUN = [("stage", 0, 3), ("commit", 0, 6), ("compact", 0, 0), ("end", 0, 1)]
TWO = [("stage", 0, 3), ("stage", 1, 6), ("crash", 0, 0), ("end", 1, 1), ("end", 0, 1)]
KEPT = [("commit", 0, 3), ("stage", 0, 6), ("retention", 1, 0), ("retention", 1, 0)]


@pytest.mark.parametrize("kind", [classic, consumer])
@given(script=st.lists(steps, max_size=40))
@example(script=OUTRUN)
@example(script=TWO)
@example(script=KEPT)
def test_what_is_fetched_stable_is_the_newest_by_log_order_of_what_is_committed(kind, script):
    play(kind, script)


class ByMarker(Offsets):
    """A planted bug: what commits last counts, wherever it was written."""

    def outrun(self, *_):
        pass


class ByPartition(Offsets):
    """A planted bug: whoever's transaction ends, what is pending at its partitions is over."""

    def _end(self, fact):
        mine = list(self.pending.get(fact.producer_id, ()))
        super()._end(fact)
        for staged in self.pending.values():
            for partition in mine:
                staged.pop(partition, None)


class ForEver(Offsets):
    """KAFKA-16371: a pending offset is counted in and never out."""

    def _end(self, fact):
        staged = dict(self.pending.get(fact.producer_id, {}))
        super()._end(fact)
        if staged:
            self.pending[fact.producer_id] = staged


class Unminded(Offsets):
    """A planted bug: nobody asks what is pending."""

    def is_pending(self, _):
        return False


@pytest.mark.parametrize("kind", [classic, consumer])
@pytest.mark.parametrize(
    ("offsets", "script"),
    [(ByMarker, OUTRUN), (ByPartition, TWO), (ForEver, TWO), (Unminded, KEPT)],
)
def test_a_coordinator_that_minds_pending_offsets_wrongly_is_caught(kind, offsets, script):
    play(kind, script)
    with pytest.raises(AssertionError, match="the newest that counts"):
        play(kind, script, offsets=offsets)


@pytest.mark.parametrize("kind", [classic, consumer])
def test_a_coordinator_that_does_not_write_pending_offsets_down_is_caught(kind):
    def hard(fact):
        return HARD[kind](fact) and not isinstance(fact, TransactionalOffsetsCommitted)

    with pytest.raises(AssertionError, match="the disk tells another story"):
        play(kind, KEPT[:2], hard=hard)
