"""Who commits is a member, in the generation that it says."""

from simulator.checks.fencing import fenced_never_commits
from simulator.checks.verdict import Status
from tests.checks.test_ownership import GROUP, begins, holds, loaded, replaced, told

PLACE = ("orders", 0)


def commits(member, generation=1, offset=5, node="b"):
    return node, ("offset_committed", GROUP, *PLACE, offset, member, generation)


def asks(number, member, generation=1, offset=5):
    api, about = "OffsetCommitRequest", (GROUP, generation, member, (*PLACE, offset))
    sent = (member, ("message_sent", number, member, "b", api, about))
    return sent, ("b", ("message_delivered", number, member, "b", api))


def refuses(member, generation=1, offset=5):
    error = "REBALANCE_IN_PROGRESS"
    return "b", ("commit_refused", GROUP, *PLACE, offset, member, generation, error)


def removed(member):
    return "b", ("member_removed", GROUP, member, "session_timeout")


def sentences(*entries):
    return [one.sentence for one in fenced_never_commits(told(*entries)).evidence]


BEGUN = begins(1, "c-0.1", "d-0.2")


def test_members_commit():
    verdict = fenced_never_commits(told(BEGUN, commits("c-0.1"), commits("d-0.2")))

    assert verdict
    assert verdict.reached == 2


def test_who_was_removed_does_not():
    said = "b takes orders-0@5 from c-0.1, which is out of billing"

    assert sentences(BEGUN, removed("c-0.1"), commits("c-0.1")) == [said]
    assert sentences(BEGUN, begins(2, "d-0.2"), commits("c-0.1")) == [said]
    assert sentences(BEGUN, replaced("c-0.1", "c-0.3"), commits("c-0.1")) == [said]
    assert fenced_never_commits(told(BEGUN, removed("c-0.1"), commits("c-0.1"))).entries == (1, 2)


def test_nor_who_is_of_an_old_generation():
    said = "b takes orders-0@5 from c-0.1 of 1, which is in 2"

    assert sentences(BEGUN, begins(2, "c-0.1"), commits("c-0.1", 1)) == [said]
    assert sentences(BEGUN, begins(2, "c-0.1"), commits("c-0.1", 2)) == []


def test_a_static_member_is_replaced_by_one_of_the_same_generation():
    assert sentences(BEGUN, replaced("c-0.1", "c-0.3"), commits("c-0.3")) == []


def test_a_member_of_a_consumer_group_is_in_an_epoch_of_its_own():
    joined = (holds("c", PLACE, epoch=3), holds("d", epoch=4))

    assert sentences(*joined, commits("c", 3), commits("d", 4)) == []
    assert sentences(*joined, commits("c", 4)) == ["b takes orders-0@5 from c of 4, which is in 3"]


def test_a_commit_counts_as_of_when_it_was_asked_for():
    """It is told of when replicas have it; a refused one was asked for in vain."""
    asked = (BEGUN, *asks(7, "c-0.1"))

    assert sentences(*asked, removed("c-0.1"), commits("c-0.1")) == []
    assert sentences(*asked, begins(2, "c-0.1"), commits("c-0.1")) == []
    assert sentences(*asked, removed("c-0.1"), commits("c-0.1"), commits("c-0.1"))
    assert sentences(*asked, refuses("c-0.1"), removed("c-0.1"), commits("c-0.1"))
    assert sentences(BEGUN, removed("c-0.1"), *asks(7, "c-0.1"), commits("c-0.1"))


def test_a_refusal_is_of_the_commit_that_came_last():
    """The same was asked for before, when its member was in the group, and is told of later."""
    twice = (BEGUN, *asks(7, "c-0.1"), removed("c-0.1"), *asks(8, "c-0.1"), refuses("c-0.1"))

    assert sentences(*twice, commits("c-0.1")) == []


def test_each_coordinator_knows_its_own_members():
    """Another begins with what it has read; what the old one knew counts there alone."""
    moved = ("b2", ("group_loaded", GROUP, "classic", 1, ("c-0.1",)))

    assert sentences(BEGUN, moved, commits("c-0.1", node="b2"), commits("d-0.2")) == []
    assert sentences(BEGUN, moved, commits("d-0.2", node="b2"))


def test_a_crash_takes_what_a_coordinator_knew():
    crashed = ("b", ("node_crashed", "process", "at"))

    verdict = fenced_never_commits(told(BEGUN, crashed, commits("c-0.1")))
    assert verdict.status is Status.CANNOT_TELL
    assert "has not told" in verdict.why


def test_of_a_group_that_goes_back_to_the_classic_protocol_it_cannot_tell():
    back = ("b", ("group_converted", GROUP, "classic"))
    to = ("b", ("group_converted", GROUP, "consumer"))

    verdict = fenced_never_commits(told(holds("c", PLACE), back, commits("c", 3)))
    assert verdict.status is Status.CANNOT_TELL
    assert sentences(BEGUN, to, holds("d", PLACE), commits("c-0.1"))


def test_an_empty_group_takes_commits_without_a_generation():
    """A consumer of the KIP-848 protocol that was fenced, and knows it, commits so."""
    empty = (loaded(), holds("c", PLACE), removed("c"))

    assert sentences(*empty, commits("c", -1)) == []
    assert sentences(*empty, *asks(7, "c", -1), holds("d", PLACE), commits("c", -1)) == []
    assert sentences(*empty, holds("d", PLACE), commits("c", -1))


def test_who_is_not_named_is_not_judged():
    assert fenced_never_commits(told(BEGUN, commits("", -1))).reached == 0
