"""Racks in a world: who of a group is assigned what, where brokers and members stand in racks.

Partition p is led by broker p modulo the brokers, and its further replicas are on those after it.
"""

import pytest

from simulator.cluster.image import Image
from simulator.protocol.replica_messages import BrokerState
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.study.simulate import simulate
from tests.clustered import run
from tests.reading import BROKER as QUICK
from tests.reading import SETTINGS

RACK_AWARE = ("range", "sticky", "cooperative-sticky")


def grouped(racks, stand, *, partitions=4, replicas=1, brokers=2, faults=(), until_ms=20_000,
            **given):  # fmt: skip
    """The trace of a group of m-0, m-1 ... that stand in racks ("" is none) and poll for ever."""

    def application(cluster):
        for number, rack in enumerate(stand):
            mine = {"client.rack": rack} if rack else {}
            settings = {**SETTINGS, **given, **mine}
            if "group.protocol" in given:
                del settings["session.timeout.ms"]

            def boot(node, settings=settings):
                consumer = cluster.consumer(node, settings)
                node.start(life(consumer), "life")

            cluster.node(f"m-{number}", boot)

        def life(consumer):
            consumer.subscribe(["orders"])
            while True:
                yield consumer.poll(500)

        def wait(node):
            yield node.sleep(until_ms * 1_000)

        cluster.driver("clock", wait)

    topics = (Topic("orders", partitions, replicas),)
    return simulate(
        Scenario(
            topology=Topology(brokers, topics, racks=racks),
            faults=FaultPlan(tuple(faults)),
            broker=QUICK,
            application=application,
            event_budget=400_000,
        )
    )


def owners(trace, members=2):
    """What each member has at the end."""
    has = {f"m-{number}": set() for number in range(members)}
    for entry in trace.of("partitions_assigned", "partitions_revoked", "partitions_lost"):
        numbers = {number for _, number in entry[4][3]}
        if entry[4][0] == "partitions_assigned":
            has[entry[2]] |= numbers
        else:
            has[entry[2]] -= numbers
    return [sorted(numbers) for numbers in has.values()]


def strategy(name):
    return {"partition.assignment.strategy": name}


# --- Assignments -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RACK_AWARE)
def test_each_member_has_the_partitions_of_its_rack(name):
    """Without racks range gives 0 and 1 to the first, and so does no other of the three."""
    trace = grouped(("east", "west"), ("west", "east"), **strategy(name))

    assert owners(trace) == [[1, 3], [0, 2]]


def test_balance_comes_before_racks():
    """East leads 0, 1, 3 and 4, west 2 and 5; three are for each."""
    trace = grouped(("east", "east", "west"), ("east", "west"), brokers=3, partitions=6)
    east, west = owners(trace)

    assert (len(east), len(west)) == (3, 3)
    assert {2, 5} <= set(west)


@pytest.mark.parametrize("name", RACK_AWARE)
def test_any_replica_counts_and_not_the_leader_alone(name):
    """0 is in the east only, 2 in the west only, 1 and 3 in both: their leaders do not matter."""
    racks = ("east", "east", "west", "west")
    trace = grouped(racks, ("west", "east"), brokers=4, replicas=2, **strategy(name))
    west, east = owners(trace)

    assert 2 in west
    assert 0 in east
    assert (len(west), len(east)) == (2, 2)


@pytest.mark.parametrize("name", [*RACK_AWARE, "roundrobin"])
@pytest.mark.parametrize(
    ("racks", "stand"),
    [
        ((), ("west", "east")),  # The brokers have none.
        (("east", "west"), ("", "")),  # The members have none.
        (("here", "here"), ("west", "east")),  # They do not meet.
        (("here", "here"), ("here", "here")),  # All is everywhere.
    ],
)
def test_racks_that_tell_nothing_apart_change_nothing(name, racks, stand):
    """Entry for entry the same, but for what the trace says of the scenario."""
    plain = grouped((), ("", ""), until_ms=5_000, **strategy(name))

    assert grouped(racks, stand, until_ms=5_000, **strategy(name)).flat == plain.flat


@pytest.mark.parametrize("more", [strategy("roundrobin"), {"group.protocol": "consumer"}])
def test_other_assignors_do_not_look_at_racks(more):
    """Nor do those of the coordinator, who is told the rack (KIP-848)."""
    plain = grouped((), ("", ""), **more)

    assert owners(grouped(("east", "west"), ("west", "east"), **more)) == owners(plain)


@pytest.mark.parametrize(("stand", "generations"), [(("west", "east"), 3), (("", ""), 1)])
def test_a_leader_with_a_rack_rejoins_when_a_broker_goes_and_when_it_is_back(stand, generations):
    """What was in both racks is in one then. A leader without a rack does not care."""
    trace = grouped(
        ("east", "east", "west"), stand, brokers=3, replicas=2, until_ms=90_000,
        faults=[Crash("broker-2", at_ms=20_000, down_ms=30_000)],
        **{"metadata.max.age.ms": 2_000},
    )  # fmt: skip
    seen = {entry[4][2] for entry in trace.of("partitions_assigned")}

    assert len(seen) == generations


# --- What clients are told ---------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [1, 2])
def test_clients_are_told_the_rack_of_each_broker(replicas):
    told = []

    def application(cluster):
        told.append(cluster.layout.metadata(None))

    topics = (Topic("orders", 2, replicas),)
    simulate(
        Scenario(topology=Topology(2, topics, racks=("east", "west")), application=application)
    )

    assert (told[0].brokers, told[0].racks) == (("broker-0", "broker-1"), ("east", "west"))


def test_with_a_controller_clients_are_told_the_racks_of_brokers_that_are_there():
    image = Image(("broker-0", "broker-1"), {"broker-0": "east", "broker-1": "west"})
    image.learn([BrokerState("broker-1", 7, False, False)])

    assert image.metadata(()) == (("broker-1",), (), ("west",))


def test_without_racks_nothing_is_told_of_them():
    image = Image(("broker-0",), {})
    image.learn([BrokerState("broker-0", 7, False, False)])
    told = []
    run(None, deploy=lambda cluster: told.append(cluster.layout.metadata(None)))

    assert image.metadata(()).racks == told[0].racks == ()
