"""A cooperative member gives up and gets a part of its partitions: the rest stays as it was.

`partitions_assigned` tells what is new, `partitions_revoked` what is given up, and neither says
anything of the others (KIP-429).
"""

import pytest

from simulator.checks.logs import acknowledged_is_read, polls_in_order
from simulator.checks.order import partition_order
from simulator.checks.sentences import sentence
from simulator.trace.trace import Trace
from tests.log_checks import owned_by_one
from tests.tiny_traces import tiny

BOTH = ("c: assigned", "c: assigned@1")


@pytest.mark.parametrize("check", [partition_order, polls_in_order])
@pytest.mark.parametrize("of_the_other", ["c: revoked@1", "c: assigned@1", "c: lost@1"])
def test_what_happens_to_one_partition_is_no_new_beginning_of_another(check, of_the_other):
    kept = (*BOTH, "c: polled e1 1", of_the_other)

    assert check(tiny(*kept, "c: polled e2 2"))
    assert not check(tiny(*kept, "c: polled e1 1"))


@pytest.mark.parametrize("check", [partition_order, polls_in_order])
def test_a_partition_that_was_given_up_and_came_back_may_begin_again(check):
    assert check(
        tiny(*BOTH, "c: polled@1 e1 1", "c: revoked@1", "c: assigned@1", "c: polled@1 e1 1")
    )


def test_a_member_goes_on_owning_what_it_did_not_give_up():
    """So the group should read it to the end."""
    kept = (*BOTH, "c: revoked@1", "p: acked e1 5")

    assert acknowledged_is_read(tiny(*kept, "c: polled e1 5", "quiet"))
    assert not acknowledged_is_read(tiny(*kept, "quiet"))


def test_what_was_given_up_is_read_by_its_next_owner():
    moved = (*BOTH, "c: revoked@1", "d: assigned@1", "p: acked@1 e1 5")

    assert acknowledged_is_read(tiny(*moved, "d: polled@1 e1 5", "quiet"))
    assert not acknowledged_is_read(tiny(*moved, "quiet"))


def test_a_kept_partition_counts_as_owned_in_the_next_generation():
    """c keeps partition 0 without a word, and so d must not get it."""

    def moved(number):
        trace = Trace()
        steps = (
            ("c", "assigned", 1, (0, 1)),
            ("c", "revoked", 2, (1,)),
            ("c", "assigned", 2, ()),
            ("c", "assigned", 3, ()),
            ("d", "assigned", 3, (number,)),
        )
        for at_us, (node, what, generation, numbers) in enumerate(steps):
            places = tuple(("orders", one) for one in numbers)
            trace.record(at_us, node, (), (f"partitions_{what}", "g", generation, places))
        return trace

    assert owned_by_one(moved(1))
    assert not owned_by_one(moved(0))


def test_a_rebalance_that_changed_nothing_says_no_more_than_that():
    """It may own others, which it kept."""
    nothing = (0, 0, "c", (), ("partitions_assigned", "billing", 3, ()))

    assert sentence(nothing).endswith("is assigned nothing (billing, generation 3)")
