"""What is counted of a group's partitions, and what is promised of a group, of hand-made traces."""

import pytest

from models.groups.owning import Owning
from models.groups.promises import done_within, never_rebalanced, nobody_idle, seen_by_all
from models.groups.running import Restart, deploy, rolling, steady_orders
from simulator import Crash, Scenario, Status, Topic, Topology, Trace, simulate

BROKEN, KEPT, CANNOT_TELL = Status.BROKEN, Status.KEPT, Status.CANNOT_TELL
SECOND = 1_000_000


def told(*lines):
    """A trace, and what Owning counts of it: (second, node, event) each."""
    owning = Owning()
    trace = Trace(observers=owning.observers())
    for at_s, node, *event in lines:
        trace.record(int(at_s * SECOND), node, (), tuple(event))
    return trace, owning


def sent(at_s, event):
    return (at_s, "writer", "record_sent", event, "orders", "k")


def acked(at_s, event, partition=0):
    return (at_s, "writer", "record_acknowledged", event, "orders", partition, 0)


def owns(at_s, node, *partitions):
    where = tuple(("orders", one) for one in partitions)
    return (at_s, node, "partitions_assigned", "billing", 1, where)


def gives(at_s, node, *partitions):
    where = tuple(("orders", one) for one in partitions)
    return (at_s, node, "partitions_revoked", "billing", 1, where)


def begins(at_s, node, event, partition=0):
    return (at_s, node, "processing_started", "billing", "orders", partition, 0, event)


def ends(at_s, node, event, partition=0):
    return (at_s, node, "processing_ended", "billing", "orders", partition, 0, event, "done")


def applied(at_s, event):
    return (at_s, "ledger", "effect_applied", "total", "k", 1, event)


def crashed(at_s, node):
    return (at_s, node, "node_crashed", "process", "at")


def generation(at_s):
    return (at_s, "broker-0", "generation_started", "billing", 2, "m", "range", ("m",))


def ended(at_s, reason="quiet"):
    return (at_s, "world", "run_ended", reason)


# --- What is counted -----------------------------------------------------------------------------


def test_a_partition_is_without_an_owner_from_a_crash_or_a_revocation_to_the_next_assignment():
    _, owning = told(
        owns(0, "b-0", 0),
        owns(0, "b-1", 1),
        sent(1, "e0"),
        crashed(2, "b-0"),
        gives(3, "b-1", 1),
        owns(4, "b-1", 0, 1),
        applied(9, "e0"),
    )

    assert owning.ownerless_us == (2 + 1) * SECOND / 2, "on average over two partitions"
    assert owning.moves == 1


def test_only_the_time_between_the_first_record_and_the_last_effect_counts():
    _, owning = told(
        owns(0, "b-0", 0), crashed(1, "b-0"), sent(4, "e0"), applied(6, "e0"), owns(9, "b-1", 0)
    )

    assert owning.ownerless_us == 2 * SECOND
    assert owning.done_us == 2 * SECOND


def test_a_partition_stands_still_only_while_there_is_something_to_handle():
    _, owning = told(
        *(sent(0, "e0"), sent(0, "e1"), sent(0, "x")),
        *(acked(1, "e0"), begins(1.1, "b-0", "e0"), ends(1.2, "b-0", "e0")),
        *(acked(5, "e1"), acked(5, "x", 1), begins(7, "b-0", "e1"), ends(8, "b-0", "e1")),
        *(begins(8.1, "b-0", "x", 1), applied(9, "e0")),
    )

    assert owning.longest_us == 3.1 * SECOND, "x waited from the fifth second on"
    assert owning.still_us == (2 + 3.1) * SECOND / 2
    assert owning.all_still_us == 2 * SECOND, "then e1 was handled"


def test_what_is_handled_again_and_by_whom_is_counted():
    trace, owning = told(
        owns(0, "b-0", 0),
        owns(0, "b-1"),
        sent(0, "e0"),
        begins(1, "b-0", "e0"),
        begins(2, "b-0", "e0"),
        generation(3),
        (3, "b-0", "message_sent", 1, "b-0", "broker-0", "OffsetCommitRequest", ()),
        (3, "broker-0", "offset_committed", "billing", "orders", 0, 1, "m", 1),
    )

    assert owning.again == (1, 2)
    assert owning.per_event == (2, 1)
    assert (owning.idle, owning.rebalances, owning.commits) == (1, 1, 1)
    assert list(owning.groups) == ["billing"]
    assert nobody_idle(trace).status is BROKEN


# --- What is promised ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([sent(0, "e0"), acked(0, "e0"), applied(1, "e0"), ended(9)], KEPT),
        ([sent(0, "e0"), acked(0, "e0"), applied(3, "e0"), ended(9)], BROKEN),
        ([sent(0, "e0"), acked(0, "e0"), ended(9)], BROKEN),
        ([sent(0, "e0"), acked(0, "e0"), ended(1)], CANNOT_TELL),
        ([sent(0, "e0"), applied(1, "e0"), acked(1, "e0"), applied(5, "e0"), ended(9)], KEPT),
    ],
)
def test_done_in_time_looks_at_what_never_took_effect_as_well(lines, status):
    assert done_within(2_000)(told(*lines)[0]).status is status


def test_a_rebalance_before_there_is_work_disturbs_nobody():
    work = (begins(2, "b-0", "e0"), ends(2, "b-0", "e0"))

    assert never_rebalanced(told(generation(0), sent(1, "e0"), *work)[0]).status is KEPT
    assert never_rebalanced(told(sent(1, "e0"), generation(2), *work)[0]).status is BROKEN
    removed = (2, "broker-0", "member_removed", "billing", "m", "session_timeout")
    assert never_rebalanced(told(sent(1, "e0"), removed, *work)[0]).status is BROKEN


def test_seen_by_all_counts_nodes():
    lines = [sent(0, "e0"), acked(0, "e0"), ends(1, "b-0", "e0"), ends(2, "b-0", "e0")]

    assert seen_by_all(1)(told(*lines)[0]).status is KEPT
    assert seen_by_all(2)(told(*lines)[0]).status is BROKEN
    assert nobody_idle(told(owns(0, "b-0", 0), begins(1, "b-0", "e0"))[0]).status is KEPT


# --- A group under orders ------------------------------------------------------------------------


def test_a_deployment_restarts_one_instance_after_the_other():
    turns = rolling(2, from_ms=5_000, every_ms=2_000, away_ms=1_500, grace_ms=500)

    assert [one.crash for one in turns] == [
        Crash("billing-0", at_ms=5_500, down_ms=1_000),
        Crash("billing-1", at_ms=7_500, down_ms=1_000),
    ]


def test_one_that_is_asked_to_end_leaves_before_its_process_does():
    restart = Restart("billing-1", 6_000, away_ms=2_000, grace_ms=1_000)
    items = steady_orders(10, 100_000, 5_000_000)

    def application(cluster):
        deploy(
            cluster, items, 2, serving={"poll_timeout_ms": 100}, restarts=(restart,),
        )  # fmt: skip

    trace = simulate(
        Scenario(application=application, topology=Topology(topics=(Topic("orders", 2),)))
    )

    (removed,) = [entry for entry in trace if entry.event.kind == "member_removed"]
    assert removed.event.reason == "left"
    assert 6_000_000 < removed.at_us < 6_200_000
    assert [item.at_us for item in items[:3]] == [5_000_000, 5_100_000, 5_200_000]
