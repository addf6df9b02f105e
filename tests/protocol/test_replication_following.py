"""A follower, case by case: what it asks, what it takes over, and what it does when it cannot."""

import attrs
import pytest

from simulator.protocol.cleaned import CleanedBatch
from simulator.protocol.errors import Error
from simulator.protocol.log import LogStartMoved, Truncated
from simulator.protocol.machine import SetTimer
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    FetchPartition,
    OffsetListed,
)
from simulator.protocol.records import Batch
from simulator.protocol.replica_messages import BoundAsked, EpochAsked, EpochEnd, ReplicaFetched
from simulator.protocol.replication_facts import HighWatermarkTold, ReplicationConfig, Role
from simulator.protocol.segments import Rolled, SegmentsDeleted
from simulator.protocol.truncation import KIP_101, KIP_279, KIP_320, TO_HIGH_WATERMARK
from tests.replicated import HERE, Replicated, batch_of, log_of


def follower_with(*epochs, leader_epoch=7, mark=0, way=KIP_320):
    """Broker b with a batch of each epoch, told to follow a."""
    cluster = Replicated("ab", leader_epoch=leader_epoch, config=ReplicationConfig(truncation=way))
    cluster.seed("b", list(epochs))
    cluster.checkpoint("b", mark)
    cluster.start("b")
    return cluster, cluster.up["b"]


def fetched(*batches, mark=0, start=0, diverging=(-1, -1), error=Error.NONE):
    return ReplicaFetched(HERE, error, mark, start, batches, *diverging)


def at(offset, *values, epoch=7):
    return batch_of(*values)._replace(base_offset=offset, leader_epoch=epoch)


def test_it_asks_for_what_comes_after_its_own_and_says_whose_that_is():
    _, follower = follower_with(0, 3, 3)

    assert follower.decide_ask() == ((), FetchPartition(HERE, 3, 1_048_576, 7, 3))


def test_with_no_epochs_it_begins_at_its_high_watermark():
    cluster, follower = follower_with()
    facts, ask = follower.decide_ask()

    assert facts[0] == Truncated(0)
    assert ask == FetchPartition(HERE, 0, 1_048_576, 7, -1)
    assert follower.role is Role.CUTTING
    assert cluster.ask("b") == ask
    assert follower.role is Role.FETCHING


def test_it_takes_batches_over_at_their_offsets_and_notes_their_epochs():
    cluster, follower = follower_with(0)
    ask = cluster.ask("b")
    cluster.answer("b", ask, fetched(at(1, "x", "y", epoch=2), at(3, "z"), mark=2), "a")

    assert log_of(follower)[1:] == [(1, 2, "x"), (2, 2, "y"), (3, 7, "z")]
    assert follower.epochs.entries == [(0, 0), (2, 1), (7, 3)]
    assert follower.high_watermark == 2


@pytest.mark.parametrize(("told", "mark"), [(1, 1), (9, 2), (0, 0)])
def test_its_mark_is_its_leaders_but_not_beyond_its_own_end(told, mark):
    cluster, follower = follower_with(0, 0, mark=1)
    cluster.answer("b", cluster.ask("b"), fetched(mark=told), "a")

    assert follower.high_watermark == mark


def test_where_the_logs_part_it_cuts_and_takes_no_mark_over():
    """The mark is of a log that it does not have yet (KAFKA-14704)."""
    cluster, follower = follower_with(0, 4, 4, mark=1)
    step = cluster.answer("b", cluster.ask("b"), fetched(mark=3, diverging=(0, 1)), "a")

    assert step.facts == (Truncated(1),)
    assert (follower.log_end_offset, follower.high_watermark) == (1, 1)


def test_before_that_was_mended_its_readers_saw_what_it_then_cut():
    hasty = attrs.evolve(KIP_320, high_watermark_first=True)
    cluster, follower = follower_with(0, 4, 4, mark=1, way=hasty)
    seen = []
    ask = cluster.ask("b")
    for fact in follower.decide_answer(ask, fetched(mark=3, diverging=(0, 1)), "a").facts:
        follower.apply(fact)
        seen.append((follower.high_watermark, follower.log_end_offset))

    assert seen == [(3, 3), (1, 1)]


def test_an_answer_counts_only_if_it_fits():
    """Another broker's, of another epoch, or for an offset where the log no longer ends."""
    cluster, follower = follower_with(0, 0)
    ask = cluster.ask("b")
    answer = fetched(at(2, "x"), mark=9)

    assert follower.decide_answer(ask, answer, "a").facts
    assert not follower.decide_answer(ask, answer, "c").facts
    assert not follower.decide_answer(ask._replace(leader_epoch=6), answer, "a").facts
    assert not follower.decide_answer(ask._replace(offset=1), answer, "a").facts
    cluster.elect("b")
    assert not follower.decide_answer(ask, answer, "a").facts


@pytest.mark.parametrize(
    "answer",
    [
        None,
        fetched(error=Error.UNKNOWN_LEADER_EPOCH),
        fetched(error=Error.NOT_LEADER_OR_FOLLOWER),
        fetched(error=Error.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_what_may_pass_is_tried_again_after_a_while(answer):
    cluster, follower = follower_with(0)
    step = follower.decide_answer(cluster.ask("b"), answer, "a")

    assert step.facts == ()
    assert step.effects == (SetTimer(("fetch", HERE), 1_000_000, 1_000_000),)


def test_who_is_fenced_waits_to_be_told_who_leads():
    cluster, follower = follower_with(0)
    cluster.answer("b", cluster.ask("b"), fetched(error=Error.FENCED_LEADER_EPOCH), "a")

    assert follower.role is Role.STOPPED
    assert follower.decide_ask() == ((), None)
    cluster.elect("a", tell=["b"])
    assert follower.role is Role.FETCHING


# --- Out of the leader's range -----------------------------------------------------------------


def out_of_range(*epochs):
    cluster, follower = follower_with(*epochs)
    cluster.answer("b", cluster.ask("b"), fetched(error=Error.OFFSET_OUT_OF_RANGE), "a")
    return cluster, follower


def test_with_more_than_its_leader_it_cuts_to_the_leaders_end():
    cluster, follower = out_of_range(0, 0, 5)
    ask = cluster.ask("b")
    assert ask == BoundAsked(HERE, 7, LATEST_TIMESTAMP)
    cluster.answer("b", ask, OffsetListed(HERE, Error.NONE, 2), "a")

    assert (follower.log_end_offset, follower.role) == (2, Role.FETCHING)


@pytest.mark.parametrize(("start", "end", "left"), [(6, 6, 0), (1, 2, 2)])
def test_behind_its_leaders_start_it_begins_anew(start, end, left):
    cluster, follower = out_of_range(0, 0)
    cluster.answer("b", cluster.ask("b"), OffsetListed(HERE, Error.NONE, 9), "a")
    ask = cluster.ask("b")
    assert ask == BoundAsked(HERE, 7, EARLIEST_TIMESTAMP)
    cluster.answer("b", ask, OffsetListed(HERE, Error.NONE, start), "a")

    assert (follower.log_end_offset, len(log_of(follower))) == (end, left)
    assert follower.role is Role.FETCHING


def test_the_leaders_start_is_taken_over():
    cluster, follower = follower_with(0, 0)
    step = cluster.answer("b", cluster.ask("b"), fetched(at(2, "x"), mark=3, start=2), "a")

    assert step.facts[1:] == (HighWatermarkTold(3), LogStartMoved(2))
    assert follower.log.log_start_offset == 2


def test_a_batch_that_the_leader_has_cleaned_is_taken_over_with_its_holes():
    cluster, follower = follower_with(0)
    left = at(1, "x", "y", epoch=2)
    cleaned = CleanedBatch(*left._replace(records=(None, left.records[1])))
    cluster.answer("b", cluster.ask("b"), fetched(cleaned), "a")

    assert follower.log.journal.facts[-1] is cleaned
    assert (follower.log_end_offset, follower.epochs.entries) == (3, [(0, 0), (2, 1)])


@pytest.mark.parametrize("fact", [LogStartMoved(2), SegmentsDeleted(2)])
def test_what_is_deleted_takes_its_epochs_along(fact):
    _, follower = follower_with(0, 1, 4, mark=3)
    for offset in (1, 2):
        follower.apply(Rolled(offset))
    follower.apply(fact)

    assert follower.log.log_start_offset == 2
    assert follower.epochs.entries == [(4, 2)]


def test_a_batch_that_the_leaders_start_lies_in_is_where_an_empty_log_begins():
    cluster, follower = follower_with()
    ask = cluster.ask("b")
    cluster.answer("b", ask, fetched(error=Error.OFFSET_OUT_OF_RANGE), "a")
    cluster.answer("b", cluster.ask("b"), OffsetListed(HERE, Error.NONE, 9), "a")
    cluster.answer("b", cluster.ask("b"), OffsetListed(HERE, Error.NONE, 5), "a")
    cluster.answer("b", cluster.ask("b"), fetched(at(4, "x", "y"), mark=6, start=5), "a")

    assert log_of(follower) == [(4, 7, "x"), (5, 7, "y")]
    assert (follower.log.log_start_offset, follower.high_watermark) == (5, 6)


def test_who_cut_within_a_batch_cannot_go_on():
    """A mark of another log may lie within a batch: such a cut takes all of it."""
    cluster, follower = follower_with(0)
    follower.apply(at(1, "x", "y", epoch=0))
    follower.apply(Truncated(2))
    ask = cluster.ask("b")
    cluster.answer("b", ask, fetched(at(1, "x", "y")), "a")

    assert (ask.offset, follower.role) == (2, Role.STOPPED)


# --- Older ways ----------------------------------------------------------------------------------


def test_to_its_mark_it_cuts_without_asking():
    cluster, follower = follower_with(0, 0, 3, mark=1, way=TO_HIGH_WATERMARK)

    assert cluster.ask("b") == FetchPartition(HERE, 1, 1_048_576, -1, -1)
    assert follower.log_end_offset == 1


@pytest.mark.parametrize(
    ("way", "told", "ends"),
    [
        (KIP_101, (-1, 2), [2]),  # The leader's first epoch after 3 begins at 2.
        (KIP_279, (1, 2), [1, 1]),  # It means epoch 1, unknown here: ask for epoch 0.
        (KIP_279, (2, 2), [2]),
        (KIP_279, (0, 2), [1]),  # Where its own epoch 0 ends.
        (KIP_101, (-1, -1), [1]),  # It cannot say: the high watermark.
        (KIP_279, (-1, -1), [1]),
    ],
)
def test_by_epochs_it_asks_until_it_is_answered_of_one_that_it_knows(way, told, ends):
    cluster, follower = follower_with(0, 2, 2, mark=1, way=way)
    follower.apply(at(3, "z", epoch=3))
    seen = []
    while follower.role is Role.CUTTING:
        ask = cluster.ask("b")
        assert ask == EpochAsked(HERE, -1, follower.epochs.latest)
        cluster.answer("b", ask, EpochEnd(HERE, Error.NONE, *told), "a")
        seen.append(follower.log_end_offset)
        told = (0, 1)

    assert seen == ends


def test_an_answer_for_an_epoch_that_is_gone_changes_nothing():
    cluster, follower = follower_with(0, 2, way=KIP_279)
    ask = cluster.ask("b")

    old = ask._replace(epoch=0)
    assert not follower.decide_answer(old, EpochEnd(HERE, Error.NONE, 0, 0), "a").facts


def test_a_leader_of_kip_101_notes_its_epoch_with_its_first_batch():
    for way, before in ((KIP_101, []), (KIP_279, [(4, 0)])):
        config = ReplicationConfig(truncation=way)
        cluster = Replicated("a", leader_epoch=4, config=config).begin()
        assert cluster.up["a"].epochs.entries == before
        cluster.produce("a", "x")
        assert cluster.up["a"].epochs.entries == [(4, 0)]


def test_a_batch_without_an_epoch_is_of_none():
    _, follower = follower_with()
    follower.apply(Batch(batch_of("x").records, 0))

    assert follower.epochs.entries == []
