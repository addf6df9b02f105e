"""Who leads next, and which epochs rise: the rules of one change, by hand."""

import pytest

from simulator.protocol.controller_elections import Election, changed, kind_of_election
from simulator.protocol.names import TopicPartition
from simulator.protocol.replica_messages import NO_LEADER, PartitionRegistration

HERE = TopicPartition("orders", 0)


def partition(leader="a", isr="abc", eligible="", last="", epochs=(3, 7)):
    return PartitionRegistration(
        HERE, leader, *epochs, ("a", "b", "c"), tuple(isr), tuple(eligible), last
    )


def change(known, alive="abc", min_isr=1, elr=False, isr=None, **how):
    wanted = None if isr is None else tuple(isr)
    return changed(
        known,
        lambda name: name in alive,
        min_isr=min_isr,
        eligible_leader_replicas=elr,
        isr=wanted,
        **how,
    )


def outcome(after):
    return after.leader, "".join(after.isr), "".join(after.eligible), after.last_known_leader


def test_a_leader_that_may_go_on_leads_on():
    assert change(partition(leader="c"), isr="bc").leader == "c"


def test_the_next_leader_is_the_first_in_sync_in_the_order_of_assignment():
    assert change(partition(leader="a", isr="cab"), alive="bc", isr="cb").leader == "b"


def test_nothing_changes_when_nothing_is_asked_for():
    assert change(partition()) is None


def test_a_smaller_in_sync_set_raises_the_partition_epoch_alone():
    """Since metadata version 3.6 (KAFKA-15021)."""
    after = change(partition(), isr="ab")

    assert (after.leader_epoch, after.partition_epoch) == (3, 8)


def test_another_leader_raises_both_epochs():
    after = change(partition(), alive="bc", isr="bc")

    assert (after.leader, after.leader_epoch, after.partition_epoch) == ("b", 4, 8)


def test_a_lost_leader_raises_both_epochs_and_its_return_does_so_again():
    gone = change(partition(isr="a"), alive="bc", isr="")
    back = change(gone, alive="abc")

    assert (gone.leader, gone.leader_epoch) == (NO_LEADER, 4)
    assert (back.leader, back.leader_epoch) == ("a", 5)


def test_the_last_one_in_sync_stays_in_the_set_and_nobody_leads():
    after = change(partition(isr="a"), alive="bc", isr="")

    assert outcome(after) == (NO_LEADER, "a", "", "")


def test_an_unclean_election_makes_the_first_active_replica_the_whole_in_sync_set():
    after = change(partition(isr="a"), alive="bc", isr="", election=Election.UNCLEAN)

    assert outcome(after) == ("b", "b", "", "")


def test_an_unclean_election_is_clean_when_it_can_be():
    after = change(partition(), alive="bc", isr="c", election=Election.UNCLEAN)

    assert outcome(after) == ("c", "c", "", "")


def test_a_preferred_leader_takes_over_only_when_it_is_in_sync():
    assert change(partition(leader="b"), election=Election.PREFERRED).leader == "a"
    assert change(partition(leader="b", isr="bc"), election=Election.PREFERRED) is None
    assert change(partition(leader="b"), alive="bc", election=Election.PREFERRED) is None


def test_whoever_leaves_a_set_that_is_too_small_stays_eligible():
    after = change(partition(isr="ab"), alive="ac", min_isr=2, elr=True, isr="a")

    assert outcome(after) == ("a", "a", "b", "")


def test_whoever_leaves_a_set_that_is_large_enough_is_not_eligible():
    after = change(partition(), min_isr=2, elr=True, isr="ab")

    assert outcome(after) == ("a", "ab", "", "")


def test_nobody_is_eligible_once_the_set_is_large_enough_again():
    after = change(partition(isr="a", eligible="b"), min_isr=2, elr=True, isr="ac")

    assert outcome(after) == ("a", "ac", "", "")


def test_with_eligible_replicas_the_in_sync_set_may_become_empty():
    """And the last leader is known."""
    after = change(partition(isr="a", eligible="b"), alive="c", min_isr=2, elr=True, isr="")

    assert outcome(after) == (NO_LEADER, "", "ab", "a")


def test_an_eligible_replica_leads_when_nobody_is_in_sync():
    known = partition(leader="", isr="", eligible="ab", last="a")
    after = change(known, alive="bc", min_isr=2, elr=True)

    assert outcome(after) == ("b", "b", "a", "")


def test_an_eligible_replica_does_not_lead_while_somebody_is_in_sync():
    known = partition(leader="", isr="a", eligible="b")

    assert change(known, alive="bc", min_isr=2, elr=True) is None


def test_an_unclean_shutdown_ends_being_in_sync_and_being_eligible():
    of_the_set = change(partition(isr="ab"), min_isr=2, elr=True, isr="a", unclean=("b",))
    of_the_others = change(partition(isr="a", eligible="bc"), min_isr=2, elr=True, unclean=("b",))

    assert outcome(of_the_set) == ("a", "a", "", "")
    assert outcome(of_the_others) == ("a", "a", "c", "")


def test_the_last_known_leader_leads_when_nobody_else_may():
    known = partition(leader="", isr="", last="b")
    after = change(known, alive="abc", min_isr=2, elr=True)

    assert outcome(after) == ("b", "b", "", "")
    assert kind_of_election(known, after) == "unclean"


def test_the_last_known_leader_does_not_lead_while_it_is_away():
    known = partition(leader="", isr="", last="b")

    assert change(known, alive="ac", min_isr=2, elr=True) is None


def test_an_unclean_election_leaves_nobody_eligible():
    known = partition(leader="", isr="", eligible="a", last="a")
    after = change(known, alive="c", min_isr=2, elr=True, election=Election.UNCLEAN)

    assert outcome(after) == ("c", "c", "", "")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, partition(), "clean"),
        (partition(), partition(leader="b", isr="bc"), "clean"),
        (partition(leader="b"), partition(leader="a"), "preferred"),
        (partition(leader="", isr="a"), partition(leader="a", isr="a"), "clean"),
        (partition(leader="", isr="", eligible="b"), partition(leader="b", isr="b"), "eligible"),
        (partition(isr="a"), partition(leader="b", isr="b"), "unclean"),
        (partition(isr="a"), partition(leader="", isr="a"), "none"),
    ],
)
def test_how_a_leader_was_found_is_seen_from_before_and_after(before, after, kind):
    assert kind_of_election(before, after) == kind
