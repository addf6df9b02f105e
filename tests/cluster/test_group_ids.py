"""Instances of a service: whose group they are in, under which name, and how they end."""

import pytest

from simulator.chance import Seeded, constant
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.cluster.serving import Serving
from simulator.errors import BadInput
from simulator.protocol.store import Add
from simulator.scenario.faults import Crash
from simulator.scenario.topology import Topic
from simulator.scenario.workload import WorkItem
from tests.clustered import events, run

QUICK = {"group.initial.rebalance.delay.ms": 0}
SETTINGS = {
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 1_000,
    "auto.offset.reset": "earliest",
}
APART = [{"group_ids": "none", "commit": "none"}, {"group_ids": "random"}]


def counting(context):
    ledger = context.store("ledger")

    def handle(record):
        yield ledger.transact(Add("total", record.key, 1))

    return handle


def slow_at_first(context):
    """As above, but that g-0 needs a second for each."""
    count = counting(context)

    def handle(record):
        if context.node.name == "g-0":
            yield context.sleep(1_000_000)
        yield from count(record)

    return handle


def served(
    *faults, instances=3, stops=(), settings=None, partitions=3, factory=counting, **serving
):
    """The trace of a group `g` that is sent 60 records, one each tenth of a second, from 4 s on.

    stops: (when in ms, which instance) is asked to end.
    """
    if (settings or {}).get("group.protocol") == "consumer":
        given_all = {"auto.offset.reset": "earliest"}
    else:
        given_all = SETTINGS

    def deploy(cluster):
        cluster.store("ledger")
        stream = [
            WorkItem(4_000_000 + n * 100_000, "orders", f"k{n}", "v", f"e{n}")
            for n in range(60)
        ]
        cluster.source("writer", stream, {"linger.ms": 0})
        given = {"processing": constant(1_000), "poll_timeout_ms": 100, **serving}
        settled = {**given_all, **(settings or {})}
        service = cluster.group("g", instances, factory, Serving(("orders",), settled, **given))

        def operator(node):
            for at_ms, name in stops:
                yield node.sleep(at_ms * 1_000 - node.now_us)
                service.stop(name)

        if stops:
            cluster.driver("operator", operator)

    return run(
        None, *faults, deploy=deploy, topics=[Topic("orders", partitions)], broker=QUICK,
        chooser=Seeded(1),
    )  # fmt: skip


def handled(trace):
    """Each node, with the events that it handled."""
    found = {}
    for entry in trace.of("processing_ended"):
        found.setdefault(entry[2], []).append(entry[4][5])
    return found


# --- Whose group ---------------------------------------------------------------------------------


def test_instances_of_one_group_share_the_work():
    trace = served()

    assert sorted(event for own in handled(trace).values() for event in own) == sorted(
        f"e{n}" for n in range(60)
    )
    assert never_applied_twice(trace)


@pytest.mark.parametrize("given", APART)
def test_without_a_group_of_their_own_each_instance_handles_everything(given):
    trace = served(**given)

    assert {node: len(own) for node, own in handled(trace).items()} == dict.fromkeys(
        ("g-0", "g-1", "g-2"), 60
    )
    assert not never_applied_twice(trace)
    assert events(trace, "run_ended") == [("quiet",)]


@pytest.mark.parametrize("given", APART)
@pytest.mark.parametrize(("reset", "more"), [("earliest", True), ("latest", False)])
def test_and_when_it_is_started_again_it_begins_where_the_reset_says(given, reset, more):
    settings = {"auto.offset.reset": reset}
    trace = served(Crash("g-1", at_ms=7_050, down_ms=1_000), settings=settings, **given)

    count = len(handled(trace)["g-1"])
    assert count == 60 + 31 if more else count < 60 - 9
    assert len(handled(trace)["g-0"]) == 60


def test_a_random_group_is_another_at_each_start():
    trace = served(Crash("g-1", at_ms=7_050, down_ms=1_000), group_ids="random")

    groups = {event[0] for event in events(trace, "offset_committed")}
    assert len(groups) == 4
    assert all(group.startswith("g-") for group in groups)


def test_what_no_consumer_without_a_group_can_do_is_refused():
    with pytest.raises(BadInput, match="without a group"):
        Serving(("orders",), group_ids="none")
    with pytest.raises(BadInput, match="static"):
        Serving(("orders",), group_ids="none", commit="none", static=True)
    with pytest.raises(BadInput, match="one, none, random"):
        Serving(("orders",), group_ids="each")


# --- Under which name ----------------------------------------------------------------------------


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_static_instance_is_back_without_anybody_noticing(static, protocol):
    trace = served(
        Crash("g-1", at_ms=6_050, down_ms=2_000),
        stops=[(5_500, "g-1")],
        settings={"group.protocol": protocol},
        static=static,
    )

    given = [
        (entry[2], entry[4][3])
        for entry in trace.of("partitions_assigned")
        if entry[1] > 5_500_000 and entry[4][3]
    ]
    reasons = [event[2] for event in events(trace, "member_removed")]
    assert ("left" in reasons) is not static
    if static:
        assert [node for node, _ in given] == ["g-1"], "it gets again what it had"
    assert never_lost(trace)


def test_two_instances_of_one_name_fence_each_other_and_the_older_one_ends():
    """It closes its consumer as an application does that catches nothing; the run goes on."""
    trace = served(instances=2, settings={"group.instance.id": "one"})

    (text,) = [event[0] for event in events(trace, "warned")]
    assert "stops: FencedInstance" in text
    assert len(handled(trace)) >= 1
    assert never_lost(trace)
    assert events(trace, "run_ended") == [("quiet",)]


# --- How they end --------------------------------------------------------------------------------


def test_an_instance_that_is_asked_to_end_leaves_its_group_at_once():
    trace = served(stops=[(6_000, "g-2")])

    (removed,) = trace.of("member_removed")
    assert removed[4][3] == "left"
    assert 6_000_000 < removed[1] < 6_300_000
    assert max(entry[1] for entry in trace.of("processing_ended") if entry[2] == "g-2") < removed[1]
    assert never_lost(trace)
    assert never_applied_twice(trace)


def test_whom_there_is_not_nobody_can_ask():
    with pytest.raises(BadInput, match=r"no instance called.*g-7"):
        served(stops=[(6_000, "g-7")])


def test_it_lives_again_when_its_node_is_started_again():
    trace = served(Crash("g-2", at_ms=7_000, down_ms=500), stops=[(6_000, "g-2")])

    late = [entry for entry in trace.of("processing_ended") if entry[2] == "g-2"]
    assert late[-1][1] > 8_000_000


@pytest.mark.parametrize("commit_revoked", [True, False])
def test_what_a_cooperative_rebalance_takes_is_done_again_unless_committed(commit_revoked):
    """g-2 comes late. Until g-0 rejoins as well, g-1 reads on, and cannot commit that."""
    trace = served(
        Crash("g-2", at_ms=0, down_ms=6_000),
        settings={"partition.assignment.strategy": "cooperative-sticky", "max.poll.records": 1},
        factory=slow_at_first,
        commit_revoked=commit_revoked,
        partitions=6,
    )

    assert never_lost(trace)
    assert bool(never_applied_twice(trace)) is commit_revoked
