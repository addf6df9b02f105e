"""A replicated partition is drawn as it was kept: by whom, led by whom, and what its logs lost."""

import attrs
import pytest

from docs import pictures
from simulator import Crash, FaultPlan, Seeded, Zero, figure, follow, simulate, spacetime
from simulator.report.rows import Lane
from simulator.scenario.faults import Clog, DiskLoss, Partition, Pause
from tests.replicated_orders import replicated_orders
from tests.report.traces import ORDERS, appended, crashed, message, produced, restarted, traced

PLACE = "orders-0"
LANES = tuple(f"{PLACE}/broker-{number}" for number in range(3))
LEADER, SECOND, THIRD = LANES


def follower(at_ms, node, leader="broker-0", epoch=0):
    return (at_ms, node, "became_follower", *ORDERS, epoch, leader)


def leader(at_ms, node, epoch=0, end=0):
    return (at_ms, node, "became_leader", *ORDERS, epoch, end)


def elected(at_ms, node, *isr, how="clean", epoch=1):
    return (at_ms, "controller", "leader_elected", *ORDERS, node, epoch, isr, how)


def in_sync(at_ms, *isr, epoch=0):
    return (at_ms, "controller", "isr_changed", *ORDERS, epoch, isr, ())


def took(at_ms, node, offset, *event_ids):
    return (at_ms, node, "replica_appended", *ORDERS, offset, event_ids, 0)


def committed_to(at_ms, node, offset):
    return (at_ms, node, "high_watermark_moved", *ORDERS, offset)


def cut(at_ms, node, offset, *event_ids):
    return (at_ms, node, "log_truncated", *ORDERS, offset, event_ids)


START = (leader(0, "broker-0"), follower(0, "broker-1"), follower(0, "broker-2"))


def replicated(at_ms, number, offset, event_id, node="broker-1"):
    """A record on its way to a follower, in 10 ms, and taken over."""
    fetched = message(
        at_ms, at_ms + 10, number, "broker-0", node, "FetchResponse", (*ORDERS, offset, (event_id,))
    )
    return (*fetched, took(at_ms + 10, node, offset, event_id))


def rows(*lines, kind=None):
    return [row for row in spacetime(traced(*lines)).rows if kind in (None, row.kind)]


def told(rows_of_kind):
    """Where, from when until when, in milliseconds, and a word more."""
    return [
        (row.lane, row.at_us // 1_000, row.until_us and row.until_us // 1_000, row.detail)
        for row in rows_of_kind
    ]


# --- Rows --------------------------------------------------------------------------------------


def test_each_replica_has_a_lane_below_the_producers():
    run = spacetime(traced(*START, *produced(5, 0, "e1", 0)))

    assert run.lanes == (
        Lane("shop", "producer"),
        *(Lane(name, "replica", name.partition("/")[2]) for name in LANES),
    )
    assert [lane.shown for lane in run.lanes] == ["shop", "broker-0", "broker-1", "broker-2"]
    assert {lane.partition for lane in run.lanes} == {"", PLACE}


def test_a_partition_that_one_broker_keeps_stays_one_lane():
    """Also where a controller says who leads, and that nobody does."""
    run = spacetime(
        traced(leader(0, "broker-0"), *produced(5, 0, "e1", 0), follower(30, "broker-0", ""))
    )

    assert [lane.name for lane in run.lanes] == ["shop", PLACE]
    assert {row.kind for row in run.rows} == {"produce", "append", "ack"}


def test_producers_talk_to_the_leaders_replica():
    made = rows(*START, *produced(5, 0, "e1", 0))

    assert [(row.kind, row.lane, row.to) for row in made if row.event_ids] == [
        ("produce", "shop", LEADER),
        ("append", LEADER, LEADER),
        ("ack", LEADER, "shop"),
    ]


def test_what_a_follower_takes_over_is_on_its_way_and_in_its_log():
    made = rows(*START, *produced(5, 0, "e1", 0), *replicated(20, 4, 0, "e1"))
    by_kind = {row.kind: row for row in made}
    arrow, copy = by_kind["replicate"], by_kind["copy"]

    assert (arrow.lane, arrow.to, arrow.at_us, arrow.until_us) == (LEADER, SECOND, 20_000, 30_000)
    assert (copy.lane, copy.offset, copy.event_ids) == (SECOND, 0, ("e1",))
    assert made[copy.cause] is arrow
    assert made[arrow.cause].kind == "append"


def test_a_fetch_that_carries_nothing_is_no_row():
    idle = message(20, 30, 4, "broker-0", "broker-1", "FetchResponse")

    assert not rows(*START, *idle, kind="replicate")


def test_a_broker_leads_until_it_learns_otherwise_or_crashes():
    """A deposed leader that nobody told still thinks that it leads: two stretches overlap."""
    lines = (
        *START, elected(50, "broker-1", "broker-1", "broker-2"), leader(60, "broker-1", 1),
        follower(90, "broker-0", "broker-1", 1), crashed(100, "broker-1"),
    )  # fmt: skip

    assert told(rows(*lines, kind="leads")) == [
        (LEADER, 0, 90, "epoch 0"),
        (SECOND, 60, 100, "epoch 1"),
    ]


def test_an_election_stands_on_the_lane_of_the_elected():
    (made,) = rows(*START, elected(50, "broker-1", "broker-1", how="unclean"), kind="election")

    assert (made.lane, made.detail) == (SECOND, "unclean, epoch 1, in sync: broker-1")


def test_where_nobody_can_lead_that_is_told_of_the_last_leader():
    (made,) = rows(*START, elected(50, "", how="none"), kind="election")

    assert (made.lane, made.detail) == (LEADER, "none, epoch 1, in sync: nobody")


def test_a_replica_is_out_of_sync_from_when_the_set_shrinks_to_when_it_grows_again():
    lines = (
        *START, in_sync(40, "broker-0", "broker-1"), in_sync(60, "broker-0"),
        in_sync(90, "broker-0", "broker-2"),
    )  # fmt: skip

    assert told(rows(*lines, kind="out_of_sync")) == [
        (THIRD, 40, 90, ""),
        (SECOND, 60, None, ""),
    ]


def test_a_log_is_exposed_until_its_own_high_watermark_reaches_its_end():
    lines = (
        *START, *produced(0, 0, "e1", 0), *replicated(10, 4, 0, "e1"),
        committed_to(40, "broker-0", 1), committed_to(70, "broker-1", 1),
    )  # fmt: skip

    assert told(rows(*lines, kind="exposed")) == [
        (LEADER, 10, 40, "leads"),
        (SECOND, 20, 70, "settled"),
    ]


def test_a_follower_that_is_elected_before_it_heard_of_the_high_watermark_is_told():
    lines = (
        *START, *produced(0, 0, "e1", 0), *replicated(10, 4, 0, "e1"), crashed(30, "broker-0"),
        leader(50, "broker-1", 1, 1), committed_to(60, "broker-1", 1),
    )  # fmt: skip

    assert told(rows(*lines, kind="exposed")) == [
        (LEADER, 10, 30, "crash"),
        (SECOND, 20, 50, "elected"),
        (SECOND, 50, 60, "leads"),
    ]


def test_a_cut_says_what_the_log_held_no_more():
    lines = (*START, *produced(0, 0, "e1", 0), appended(30, 1, "e2"), cut(50, "broker-0", 1, "e2"))
    (made,) = rows(*lines, kind="cut")

    assert (made.lane, made.offset, made.event_ids, made.detail) == (LEADER, 1, ("e2",), "cut")


def test_a_power_loss_takes_what_the_disk_had_not():
    lost_power = (40, "broker-1", "node_crashed", "power", "at")
    lines = (
        *START, *produced(0, 0, "e1", 0), *replicated(10, 4, 0, "e1"), lost_power,
        restarted(60, "broker-1"), (65, "broker-1", "log_recovered", *ORDERS, 0, 0),
    )  # fmt: skip
    (made,) = rows(*lines, kind="cut")

    assert (made.lane, made.event_ids, made.detail) == (SECOND, ("e1",), "power loss")
    assert [row.lane for row in rows(*lines, kind="crash")] == [SECOND]


def test_a_log_that_comes_back_whole_lost_nothing():
    lines = (
        *START, *produced(0, 0, "e1", 0), crashed(40, "broker-0"), restarted(60, "broker-0"),
        (65, "broker-0", "log_recovered", *ORDERS, 0, 1),
    )  # fmt: skip

    assert not rows(*lines, kind="cut")


# --- Whole runs --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lost_leader():
    return spacetime(simulate(pictures.lost_leader_scenario(), Zero()))


def test_the_lost_leader_shows_one_survivor_and_one_loss(lost_leader):
    kinds = {}
    for row in lost_leader.rows:
        kinds.setdefault(row.kind, []).append(row)

    assert [row.event_ids for row in kinds["ack"]] == [("e1",), ("e2",)]
    assert {(row.to, row.event_ids) for row in kinds["replicate"]} == {
        (SECOND, ("e1",)),
        (THIRD, ("e1",)),
    }
    assert [row.event_ids for row in kinds["cut"]] == [("e2",)]
    assert [row.event_ids for row in kinds["lost"]] == [("e2",)]
    assert [row.event_ids for row in kinds["effect"]] == [("e1",)]
    assert [(row.lane, row.detail[:5]) for row in kinds["election"]] == [(SECOND, "clean")]
    assert len(kinds["crash"]) == 1


def test_an_event_is_followed_with_all_replicas_of_its_partition_and_the_election(lost_leader):
    run = follow(lost_leader, "e2")

    assert {lane.name for lane in run.lanes if lane.role == "replica"} == set(LANES)
    assert {"election", "leads", "crash", "cut", "lost"} <= {row.kind for row in run.rows}
    assert {one for row in run.rows for one in row.event_ids} == {"e2"}


def test_a_figure_says_for_who_cannot_see_it_what_became_of_the_leader(lost_leader):
    drawn = figure([("acks=1", "lost 1", lost_leader)], title="Lost")

    for said in (
        "broker-0 crashes",
        "broker-1 is elected to lead orders-0 (clean)",
        "broker-0 is out of sync on orders-0",
        "broker-0 has e2 in its log no more (cut)",
    ):
        assert said in drawn
    for shown in (">elected<", ">e2 cut off<", ">replica · orders-0<", ">the leader's log<"):
        assert shown in drawn


def test_elections_of_one_instant_are_one_pill():
    lines = (
        *START, *produced(5, 0, "e1", 0), elected(50, "broker-1", "broker-1"),
        elected(50, "", how="none", epoch=2),
    )  # fmt: skip
    drawn = figure([("", "", spacetime(traced(*lines)))], title="Nobody")

    assert ">no leader<" in drawn
    assert ">elected<" not in drawn


FAULTS = (
    (Crash("broker-0", at_ms=150, down_ms=4_000), Clog("broker-1", "broker-0", 0, 300)),
    (Crash("broker-1", at_ms=450, down_ms=4_000, mode="power"), Pause("broker-0", 150, 5_000)),
    (Partition(("broker-2",), ("broker-0", "broker-1"), 0, 8_000), DiskLoss("broker-1", 700, 900)),
    (Crash("controller", at_ms=100, down_ms=3_000), Crash("broker-0", at_ms=200, down_ms=2_000)),
)


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("acks", ["1", "all"])
def test_whatever_befalls_a_cluster_can_be_drawn(faults, acks):
    producer = {"acks": acks, "enable.idempotence": False, "delivery.timeout.ms": 60_000}
    made = replicated_orders(producer=producer, partitions=2)
    run = spacetime(simulate(attrs.evolve(made, faults=FaultPlan(faults)), Seeded(3)))

    assert "<svg" in figure([("run", "", run)], title="Any")
    names = {lane.name for lane in run.lanes}
    assert sum(lane.role == "replica" for lane in run.lanes) == 6
    assert not any(lane.role == "partition" for lane in run.lanes)
    for row in run.rows:
        assert {row.lane, row.to} <= names
        assert row.until_us is None or row.until_us >= row.at_us
        assert row.cause < len(run.rows)
