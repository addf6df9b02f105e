"""Share groups' checks: each kept, each broken, and where each cannot tell."""

import pytest

from simulator.checks.share import (
    share_acknowledged_never_redelivered,
    share_delivered_at_most,
    share_delivered_at_most_limit,
    share_records_in_one_state,
)
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace

PLACE = ("work", "orders", 0)
ANSWERED = ("share_commit_answered", *PLACE)
ONE, TWO = (0, 0), (0, 1)


def told(*events):
    """A trace of these events; one that begins with @node was told by that node."""
    trace = Trace()
    for number, event in enumerate(events):
        elsewhere = event[0].startswith("@")
        node = event[0][1:] if elsewhere else "b"
        trace.record(number * 1_000, node, (), event[1:] if elsewhere else event)
    return trace


def acquired(member, records=ONE, count=1):
    return ("share_acquired", *PLACE, *records, member, count)


def said(member, kind="accept", records=ONE):
    return ("share_acknowledged", *PLACE, *records, member, kind)


def answered(kind="accept", error="NONE", records=ONE):
    return (*ANSWERED, *records, kind, error)


def expired(member, records=ONE):
    return ("share_lock_expired", *PLACE, *records, member)


LOADED = ("share_loaded", *PLACE, 0)
ELSEWHERE = ("@other", *LOADED)
CRASHED = ("node_crashed", "process", "after_append")
MOVED = ("share_start_moved", *PLACE, 1)
ARCHIVED = ("share_archived", *PLACE, 0, 0, 5)


@pytest.mark.parametrize(
    "events",
    [
        (acquired("a", TWO), said("a", "release", TWO), acquired("b", TWO, 2), said("b")),
        (acquired("a"), expired("a"), acquired("b", count=2), said("b"), MOVED),
        (acquired("a"), ("share_released", *PLACE, 0, 0, "a"), acquired("b", count=2)),
        (acquired("a"), LOADED, acquired("b")),
        (acquired("a"), said("a"), ELSEWHERE, ("@other", *acquired("b"))),
    ],
)
def test_one_holder_after_the_other_is_one_state_at_a_time(events):
    verdict = share_records_in_one_state(told(*events))

    assert verdict
    assert verdict.reached


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ((acquired("a"), acquired("b")), "is held by a and was given to b"),
        ((LOADED, acquired("a"), said("a"), ELSEWHERE, LOADED, acquired("b")), "is finished"),
        ((acquired("a"), said("a"), acquired("b")), "is finished and was given to b"),
        ((acquired("a"), said("a"), LOADED, acquired("b")), "is finished"),
        ((acquired("a"), said("a"), MOVED, acquired("b")), "is finished"),
        ((acquired("a"), expired("a"), ARCHIVED, acquired("b")), "is finished"),
        ((acquired("a"), said("b")), "was not held by b"),
        ((acquired("a"), said("a"), said("a")), "was not held by a"),
        ((acquired("a"), expired("a"), said("a")), "was not held by a"),
    ],
)
def test_two_states_at_a_time_are_broken(events, text):
    verdict = share_records_in_one_state(told(*events))

    assert verdict.status is Status.BROKEN
    assert text in verdict.evidence[0].sentence


LEFT = (LOADED, acquired("a"), ELSEWHERE, ("@other", *acquired("c")))


@pytest.mark.parametrize("former", [said("a"), expired("a"), acquired("b", (1, 1))])
def test_a_former_leader_that_does_not_know_it_speaks_of_its_own_members(former):
    """It stood still when its successor began, which gave the same record to another."""
    trace = told(*LEFT, former, ("@other", *said("c")))

    assert share_records_in_one_state(trace)


@pytest.mark.parametrize("former", [said("b"), acquired("b")])
def test_a_former_leader_too_gives_a_record_to_one_member_at_a_time(former):
    assert share_records_in_one_state(told(*LEFT, former)).status is Status.BROKEN


def test_what_was_answered_and_stays_finished_is_kept():
    verdict = share_acknowledged_never_redelivered(
        told(acquired("a"), said("a"), answered(), acquired("b", (1, 1)))
    )

    assert verdict
    assert verdict.reached == 1


@pytest.mark.parametrize("answer", [answered("release"), answered(error="INVALID_RECORD_STATE"),
                                    answered(error="NETWORK_EXCEPTION")])  # fmt: skip
def test_what_is_not_finished_by_its_members_knowledge_may_come_again(answer):
    assert share_acknowledged_never_redelivered(
        told(acquired("a"), said("a"), answer, acquired("b", count=2))
    )


@pytest.mark.parametrize("kind", ["accept", "reject"])
def test_what_was_answered_and_comes_again_is_broken(kind):
    verdict = share_acknowledged_never_redelivered(
        told(acquired("a"), said("a", kind), answered(kind), acquired("b", count=2))
    )

    assert not verdict
    assert verdict.entries == (2, 3)


def test_of_another_leader_it_cannot_be_told_what_it_ought_to_know():
    verdict = share_acknowledged_never_redelivered(
        told(LOADED, acquired("a"), said("a"), answered(), ELSEWHERE, ("@other", *acquired("b")))
    )

    assert verdict.status is Status.CANNOT_TELL


def test_a_leader_that_took_the_word_itself_knows_it_whoever_has_led_since():
    answer = (LOADED, acquired("a"), said("a"), answered(), ELSEWHERE, LOADED)

    assert share_acknowledged_never_redelivered(
        told(*answer, acquired("b"))
    ).status is Status.BROKEN
    assert share_acknowledged_never_redelivered(
        told(*answer[:2], said("a", "release"), *answer[3:], acquired("b"))
    ).status is Status.CANNOT_TELL


@pytest.mark.parametrize("mode", ["power", "disk"])
def test_of_a_leader_that_lost_its_disk_it_cannot_be_told_what_it_ought_to_know(mode):
    """Others have the partition, and Kafka would have kept its share group's state there, too."""
    follows = ("@other", "became_follower", "orders", 0, 0, "b")
    lost = (LOADED, acquired("a"), said("a"), answered(), ("node_crashed", mode, "at"), LOADED)
    again = told(follows, *lost, acquired("b"))

    assert share_acknowledged_never_redelivered(again).status is Status.CANNOT_TELL
    assert share_records_in_one_state(again)
    assert not share_records_in_one_state(told(follows, *lost, acquired("b"), acquired("c")))


@pytest.mark.parametrize("mode", ["power", "disk"])
def test_what_the_only_broker_loses_is_lost(mode):
    lost = (LOADED, acquired("a"), said("a"), answered(), ("node_crashed", mode, "at"), LOADED)

    assert not share_acknowledged_never_redelivered(told(*lost, acquired("b")))
    assert not share_records_in_one_state(told(*lost, acquired("b")))


def test_a_leader_whose_process_alone_died_has_its_disk():
    again = told(LOADED, acquired("a"), said("a"), answered(), CRASHED, LOADED, acquired("b"))

    assert not share_acknowledged_never_redelivered(again)
    assert not share_records_in_one_state(again)


def test_of_members_that_do_not_tell_it_cannot_be_told():
    verdict = share_acknowledged_never_redelivered(told(acquired("a"), said("a")))

    assert verdict.status is Status.CANNOT_TELL


def _delivered(times):
    return [step for _ in range(times) for step in (acquired("a"), expired("a"))]


def test_as_often_as_the_limit_is_kept_and_more_often_is_broken():
    assert share_delivered_at_most_limit(told(*_delivered(5)))
    assert not share_delivered_at_most_limit(told(*_delivered(6)))
    assert not share_delivered_at_most(2)(told(*_delivered(3)))


def test_a_delivery_that_a_dead_leader_had_not_written_does_not_count():
    """KIP-932: "memory of the in-flight delivery will be lost"; each death costs one at most."""
    held = (LOADED, acquired("a"), CRASHED, LOADED)

    assert share_delivered_at_most(2)(told(*held, *_delivered(2)))
    assert share_delivered_at_most(2)(told(*held, acquired("a"), CRASHED, LOADED, *_delivered(2)))
    assert not share_delivered_at_most(2)(told(*held, *_delivered(3)))


@pytest.mark.parametrize("settled", [expired("a"), ("share_released", *PLACE, *ONE, "a"),
                                     said("a", "release")])  # fmt: skip
def test_a_delivery_of_which_an_account_was_given_counts_after_the_leaders_death(settled):
    delivered = (LOADED, acquired("a"), settled, CRASHED, LOADED)

    assert share_delivered_at_most(2)(told(*delivered, *_delivered(1)))
    assert not share_delivered_at_most(2)(told(*delivered, *_delivered(2)))


@pytest.mark.parametrize("lost", [("node_crashed", "power", "at"), ("node_crashed", "disk", "at"),
                                  ELSEWHERE])  # fmt: skip
def test_of_deliveries_that_a_lost_leader_had_written_it_cannot_tell(lost):
    verdict = share_delivered_at_most(2)(told(LOADED, *_delivered(2), lost, LOADED, acquired("b")))

    assert verdict.status is Status.CANNOT_TELL
    assert "lost" in verdict.why


def test_a_run_without_share_groups_reaches_nothing():
    for check in (share_records_in_one_state, share_acknowledged_never_redelivered,
                  share_delivered_at_most_limit):  # fmt: skip
        assert check(told()).reached == 0
