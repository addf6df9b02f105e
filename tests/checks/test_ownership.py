"""One owner: by the word of classic members, by the account of a consumer group's coordinator."""

import pytest

from simulator.checks.ownership import one_owner
from simulator.trace.trace import Trace

GROUP = "billing"
P0, P1 = ("orders", 0), ("orders", 1)


def told(*entries):
    """A trace of these: who, and an event."""
    trace = Trace()
    for number, (node, event) in enumerate(entries):
        trace.record(number * 1_000, node, (), event)
    return trace


# --- Classic groups --------------------------------------------------------------------------


def begins(generation, *members, node="b"):
    return node, ("generation_started", GROUP, generation, members[0], "range", members)


def assigned(node, generation, *partitions):
    return node, ("partitions_assigned", GROUP, generation, partitions)


def revoked(node, generation, *partitions):
    return node, ("partitions_revoked", GROUP, generation, partitions)


def lost(node, *partitions):
    return node, ("partitions_lost", GROUP, -1, partitions)


def replaced(old, by):
    return "b", ("member_replaced", GROUP, old, by)


def joins(number, node, member, *, knows=None, answered=True):
    """A member joins under the id that it knows; the answer says which it has."""
    api = "JoinGroupRequest"
    asked = (GROUP, member if knows is None else knows)
    sent = (node, ("message_sent", number, node, "b", api, asked))
    arrived = ("b", ("message_delivered", number, node, "b", api))
    told_it = ("NONE", 1, member)
    answer = ("b", ("message_sent", -number, "b", node, "JoinGroupResponse", told_it))
    return (sent, arrived, answer) if answered else (sent, arrived)


CRASHED = ("c", ("node_crashed", "process", "at"))
FIRST = (begins(1, "c-0.1", "d-0.2"), assigned("c", 1, P0), assigned("d", 1, P1))


def test_one_after_the_other_is_one_at_a_time():
    verdict = one_owner(told(*FIRST, revoked("c", 1, P0), begins(2, "d-0.2"),
                             assigned("d", 2, P0, P1)))  # fmt: skip

    assert verdict
    assert verdict.reached


def test_two_of_one_generation_are_two_too_many():
    verdict = one_owner(told(*FIRST, assigned("d", 1, P0)))

    assert verdict.entries == (1, 3)
    assert verdict.evidence[0].sentence == "c and d both have orders-0 in generation 1 of billing"


def test_what_is_kept_through_a_rebalance_is_had_in_the_next_generation():
    """An assignment tells what came on top; with it a member says that it is in the generation."""
    begun = (*FIRST, begins(2, "c-0.1", "d-0.2"))

    assert one_owner(told(*begun, assigned("c", 2), assigned("d", 2)))
    assert not one_owner(told(*begun, assigned("c", 2), assigned("d", 2, P0)))


def test_what_is_given_up_on_a_generations_word_was_not_withheld():
    """Cooperative: what moves is nobody's in the generation in which it is given up."""
    begun = (*FIRST, begins(2, "c-0.1", "d-0.2"), revoked("c", 2, P0), assigned("c", 2))

    assert one_owner(told(*begun, assigned("d", 2), begins(3, "d-0.2"), assigned("d", 3, P0)))
    assert not one_owner(told(*begun, assigned("d", 2, P0)))


def test_a_zombie_is_of_an_older_generation():
    """c has not heard of the second one, and believes on."""
    taken = (*FIRST, begins(2, "d-0.2"), assigned("d", 2, P0))

    assert one_owner(told(*taken, lost("c", P0)))
    assert one_owner(told(*taken, revoked("c", 1, P0)))


def test_a_crash_ends_what_was_held():
    assert one_owner(told(*FIRST, CRASHED, begins(2, "c-1.1", "d-0.2"), assigned("d", 2, P0),
                          assigned("c", 2)))  # fmt: skip


def test_a_static_member_may_be_replaced_within_a_generation():
    replacing = (*FIRST, replaced("c-0.1", "e-0.3"), assigned("e", 1, P0))

    assert one_owner(told(*replacing, revoked("c", 1, P0)))
    assert not one_owner(told(*FIRST, assigned("e", 1, P0)))


def test_a_static_member_lives_where_it_is_told_its_id():
    """The id begins with its group.instance.id, which is the same on its next node."""
    first = (begins(1, "till-0.1"), *joins(1, "c", "till-0.1"), assigned("c", 1, P0))
    replacing = (*first, replaced("till-0.1", "till-0.2"))
    elsewhere = (*joins(2, "e", "till-0.2", knows=""), assigned("e", 1, P0))

    assert one_owner(told(*replacing, *elsewhere))
    assert not one_owner(told(*replacing, *joins(2, "c", "till-0.2", knows=""), *elsewhere[3:]))


def test_a_generation_that_is_begun_again_is_another_one():
    """Its coordinator has lost what it knew."""
    again = (begins(1, "d-1.1", node="b2"), assigned("d", 1, P0))

    assert one_owner(told(*FIRST, lost("c", P0), *again))
    assert one_owner(told(*FIRST, *again, revoked("c", 1, P0)))


def test_without_a_group_there_is_nothing_to_judge():
    assert one_owner(told(CRASHED)).reached == 0


# --- Consumer groups -------------------------------------------------------------------------


def holds(member, *assigned, revoking=(), node="b", epoch=1):
    state = "UnrevokedPartitions" if revoking else "Stable"
    return node, ("member_reconciled", GROUP, member, epoch, state, assigned, tuple(revoking))


def removed(member):
    return "b", ("member_removed", GROUP, member, "session_timeout")


def says(number, member, *owned, answered=False):
    about = (GROUP, 1, member, "owned", *owned)
    api = "ConsumerGroupHeartbeatRequest"
    sent = (member, ("message_sent", number, member, "b", api, about))
    arrived = ("b", ("message_delivered", number, member, "b", api))
    answer = ("b", ("message_sent", -number, "b", member, "ConsumerGroupHeartbeatResponse", ()))
    return (sent, arrived, answer) if answered else (sent, arrived)


def loaded(node="b", protocol="consumer"):
    return node, ("group_loaded", GROUP, protocol, 1, ())


ASKED = (holds("c", P0, P1), holds("c", P0, revoking=(P1,)))


def test_what_is_given_back_is_given_on():
    verdict = one_owner(told(*ASKED, *says(7, "c", P0), holds("c", P0, epoch=2), holds("d", P1)))

    assert verdict
    assert verdict.reached == 3


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((*ASKED, holds("d", P1)), "b gives orders-1 of billing to d, which c holds"),
        (
            (*ASKED, holds("c", P0, epoch=2), holds("d", P1)),
            "b gives orders-1 of billing to d, before c has given it back",
        ),
        (
            (*ASKED, *says(7, "c", P0, P1), holds("c", P0, epoch=2), holds("d", P1)),
            "b gives orders-1 of billing to d, before c has given it back",
        ),
        (
            (*says(7, "c", answered=True), *ASKED, holds("c", P0, epoch=2), holds("d", P1)),
            "b gives orders-1 of billing to d, before c has given it back",
        ),
    ],
)
def test_what_is_not_given_back_is_not_given_on(events, said):
    """Nor does it count what was said before the member was given it."""
    verdict = one_owner(told(*events))

    assert [one.sentence for one in verdict.evidence] == [said]


def test_what_was_given_back_is_not_taken_back_by_an_old_heartbeat():
    """It comes a second time, after the one that gave the partition back."""
    given_back = (*ASKED, *says(7, "c", P0), *says(8, "c", P0, P1), holds("c", P0, epoch=2))

    assert one_owner(told(*given_back, holds("d", P1)))


def test_a_word_counts_once():
    """What it gave back, and was given again, it has to give back again."""
    once = (*ASKED, *says(7, "c", P0, answered=True), holds("c", P0, P1), holds("c", P0))

    assert not one_owner(told(*once, holds("d", P1)))
    assert one_owner(told(*once, *says(8, "c", P0), holds("d", P1)))


def test_who_says_later_that_it_holds_a_partition_has_not_given_it_back():
    """The first is sent before the answer that gives it the partition comes, the second after."""
    given = (holds("c", P0, P1), *says(7, "c", answered=True))
    before = (*given, *says(8, "c", P0, P1, answered=True), holds("c", P0, epoch=2))

    assert not one_owner(told(*before, holds("d", P1)))


def test_what_a_coordinator_has_not_read_yet_counts_when_it_reads_it():
    """It stood still when the second heartbeat came, and reads both when it goes on."""
    given = (*says(7, "c"), *says(8, "c"), holds("c", P0, P1), holds("c", P0, epoch=2))

    assert one_owner(told(*given, holds("d", P1)))


def test_a_member_of_the_classic_protocol_gives_back_as_it_joins_again():
    """In a group that speaks both: it revokes, and its JoinGroup says what it has."""
    has = (("b", ("group_converted", GROUP, "consumer")), assigned("c", 1, P0, P1),
           holds("c-0.1", P0, P1), holds("c-0.1", P0, revoking=(P1,)))  # fmt: skip
    again = (*joins(7, "c", "c-0.1", answered=False), holds("c-0.1", P0, epoch=2))

    assert one_owner(told(*has, revoked("c", 1, P1), *again, holds("d", P1)))
    assert not one_owner(told(*has, *again, holds("d", P1)))


def test_who_has_just_replaced_a_static_member_holds_nothing_yet():
    """The coordinator takes over what the former one had, and nobody was told of it."""
    replacing = (holds("c", P0, P1), removed("c"), holds("c-2", P0, P1, epoch=0))

    assert one_owner(told(*replacing, holds("c-2", P0, epoch=3), holds("d", P1)))
    assert not one_owner(
        told(*replacing, holds("c-2", P0, P1, epoch=3), holds("c-2", P0), holds("d", P1))
    )


def test_who_is_removed_holds_nothing():
    assert one_owner(told(*ASKED, removed("c"), holds("d", P0, P1)))


def test_each_coordinator_speaks_for_itself():
    """The old one does not know yet that it is none; the new one tells all that it has read."""
    moved = (*ASKED, loaded("b2"), holds("c", P0, node="b2"), holds("d", P1, node="b2"))

    assert one_owner(told(*moved, holds("c", P0, revoking=(P1,))))
    assert not one_owner(told(*moved, holds("d", P0, node="b2")))


def test_what_a_coordinator_knew_before_its_crash_it_reads_again():
    crashed = ("b", ("node_crashed", "process", "at"))

    assert one_owner(told(*ASKED, crashed, loaded(), holds("d", P1), holds("c", P0)))


def test_members_of_a_consumer_group_are_not_asked():
    """One whose answer was lost is told of the next epoch's partitions when it reads the last's."""
    assert one_owner(told(loaded(), assigned("c", 1, P0), assigned("d", 1, P0)))
    assert not one_owner(
        told(loaded(), loaded(protocol="classic"), assigned("c", 1, P0), assigned("d", 1, P0))
    )


def test_what_members_have_is_noted_while_their_coordinator_is_asked():
    """A group may come back to the classic protocol, with members who were there all the time."""
    both = (assigned("c", 1, P0, P1), ("b", ("group_converted", GROUP, "consumer")),
            revoked("c", 2, P1))  # fmt: skip
    back = (("b", ("group_converted", GROUP, "classic")), begins(3, "c-0.1", "d-0.2"))
    in_turn = (*both, *back, assigned("d", 3, P1))

    assert one_owner(told(*in_turn, assigned("c", 3)))
    assert not one_owner(told(*in_turn, assigned("c", 3, P1)))
