"""Consumer groups of KIP-848 in a world, and their members' way there from the classic protocol."""

import attrs
import pytest

from simulator import Consumers, Crash, FaultPlan, Seeded, Topic, simulate
from simulator.checks.catalogue import CHECKS
from simulator.errors import KafkaError
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topology
from simulator.scenario.workload import WorkItem
from tests.clustered import events
from tests.few_orders import few_orders
from tests.reading import SETTINGS
from tests.replicated_orders import QUICK

CLASSIC = {**SETTINGS, "enable.auto.commit": False}
OWNED_BY_CLASSIC = ("session.timeout.ms", "heartbeat.interval.ms")
CONSUMER = {
    **{name: value for name, value in CLASSIC.items() if name not in OWNED_BY_CLASSIC},
    "group.protocol": "consumer",
}
EVENTS = 200


def upgraded(members, *faults, replicas=1, until_ms=60_000, chooser=None):
    """The trace of a group: name -> (settings, when it comes, when it closes or None), in ms."""

    def application(cluster):
        stream = (
            WorkItem(n * 100_000, "orders", f"k{n}", "v", f"e{n}") for n in range(EVENTS)
        )
        cluster.source("writer", stream, {"linger.ms": 0})
        for name, (settings, comes_ms, closes_ms) in members.items():

            def life(node, settings=settings, comes_ms=comes_ms, closes_ms=closes_ms):
                if node.now_us < comes_ms * 1_000:
                    yield node.sleep(comes_ms * 1_000 - node.now_us)
                consumer = cluster.consumer(node, settings)
                consumer.subscribe(["orders"])
                while closes_ms is None or node.now_us < closes_ms * 1_000:
                    if not (yield consumer.poll(500)):
                        continue
                    try:
                        yield consumer.commit_sync()
                    except KafkaError:
                        continue
                yield consumer.close()

            cluster.node(name, lambda node, life=life: node.start(life(node), "life"))

        def wait(node):
            yield node.sleep(until_ms * 1_000)

        cluster.driver("clock", wait)

    made = Scenario(
        topology=Topology(replicas, (Topic("orders", 4, replicas),)),
        broker={**QUICK, "group.initial.rebalance.delay.ms": 0}
        if replicas > 1
        else {"group.initial.rebalance.delay.ms": 0},
        application=application,
        faults=FaultPlan(faults),
        event_budget=1_000_000,
    )
    return simulate(made, chooser)


def owners(trace):
    """What each member holds in the end, by its own word."""
    held = {}
    for entry in trace.of("partitions_assigned", "partitions_revoked", "partitions_lost"):
        kind, _, _, partitions = entry[4]
        mine = held.setdefault(entry[2], set())
        if kind == "partitions_assigned":
            mine.update(partitions)
        else:
            mine.difference_update(partitions)
    return held


def everything_is_read(trace):
    given = {one[4] for one in events(trace, "record_polled")}
    return len(given) == EVENTS


def spread_over(trace, *names):
    held = owners(trace)
    whose = [held[name] for name in names]
    return sum(map(len, whose)) == 4 == len(set().union(*whose))


def test_a_group_is_upgraded_by_the_first_who_speaks_otherwise_and_comes_back_with_the_last():
    """A rolling restart, one member at a time; nobody's partitions are without an owner in the
    end, and what was committed stays."""
    trace = upgraded(
        {
            "old-0": (CLASSIC, 0, 15_000),
            "old-1": (CLASSIC, 0, None),
            "new-0": (CONSUMER, 10_000, 30_000),
        }
    )

    converted = [(entry[1] // 1_000_000, entry[4][2]) for entry in trace.of("group_converted")]
    assert [protocol for _, protocol in converted] == ["consumer", "classic"]
    assert 10 <= converted[0][0] < 15
    assert 30 <= converted[1][0] < 40
    assert everything_is_read(trace)
    assert spread_over(trace, "old-1")
    assert CHECKS["committed_never_regresses"](trace)


def test_when_all_have_moved_the_group_stays_a_consumer_group():
    trace = upgraded(
        {
            "old-0": (CLASSIC, 0, 12_000),
            "old-1": (CLASSIC, 0, 16_000),
            "new-0": (CONSUMER, 12_100, None),
            "new-1": (CONSUMER, 16_100, None),
        }
    )

    assert [one[1] for one in events(trace, "group_converted")] == ["consumer"]
    assert everything_is_read(trace)
    assert spread_over(trace, "new-0", "new-1")
    assert CHECKS["committed_never_regresses"](trace)


@pytest.mark.parametrize("settings", [CLASSIC, CONSUMER], ids=["classic", "consumer"])
@pytest.mark.parametrize("broker", ["broker-0", "broker-1", "broker-2"])
def test_a_group_outlives_any_broker(settings, broker):
    """Its coordinator moves with what was committed; partitions move with what was acknowledged."""
    members = dict.fromkeys(("m-0", "m-1"), (settings, 0, None))
    crash = Crash(broker, at_ms=9_000, down_ms=5_000)
    trace = upgraded(members, crash, replicas=3, chooser=Seeded(3))

    assert trace.of("node_crashed")
    assert everything_is_read(trace)
    assert spread_over(trace, "m-0", "m-1")
    assert CHECKS["committed_never_regresses"](trace)


def test_an_upgrade_under_way_survives_the_loss_of_its_coordinator():
    """The conversion is a fact of the log: the next coordinator goes on with it."""
    trace = upgraded(
        {
            "old-0": (CLASSIC, 0, None),
            "new-0": (CONSUMER, 10_000, None),
        },
        Crash("broker-0", at_ms=10_100, down_ms=20_000),
        replicas=3,
    )

    assert "consumer" in [one[1] for one in events(trace, "group_converted")]
    assert everything_is_read(trace)
    assert spread_over(trace, "old-0", "new-0")


def test_the_same_seed_is_the_same_run():
    members = {"m-0": (CONSUMER, 0, None), "m-1": (CLASSIC, 3_000, None)}
    digests = {upgraded(members, chooser=Seeded(5), until_ms=20_000).digest() for _ in range(2)}

    assert len(digests) == 1


def test_a_member_whose_group_is_gone_ends_as_an_application_does():
    """Its coordinator lost its only record of it: no member goes on as if it were in it."""
    members = Consumers(instances=1, settings={"group.protocol": "consumer"})
    made = few_orders(per_s=2, events=60, consumers=members)
    crash = Crash("broker-1", at_ms=3_000, mode="power")  # billing belongs to partition 9.
    trace = simulate(attrs.evolve(made, faults=FaultPlan((crash,))))

    (told,) = [one for (one,) in events(trace, "warned") if "stops" in one]
    assert "GROUP_ID_NOT_FOUND" in told
