"""What a consumer says of itself to a transaction: as whom it read what it read."""

import pytest

from simulator.protocol.group_metadata import GroupMetadata
from simulator.scenario.faults import FaultPlan, Pause
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.study.simulate import simulate

CLASSIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
NEW = {"group.protocol": "consumer"}


@pytest.mark.parametrize("settings", [CLASSIC, NEW], ids=["classic", "consumer"])
def test_a_zombie_says_who_it_was_until_it_has_joined_again(settings):
    """Its group gave it up while it stood still. Did it name no member, nobody would be asked
    whether it still is one, and its offsets would count (KIP-447).
    """
    told = []

    def program(cluster, node):
        consumer = cluster.consumer(node, {"group.id": "billing", **settings})
        consumer.subscribe(["in"])
        told.append(consumer.group_metadata())
        while not consumer.assignment():
            yield consumer.poll(500)
        told.append(consumer.group_metadata())
        yield node.sleep(60_000_000)  # It is paused meanwhile, and hears that it is out.
        told.append(consumer.group_metadata())
        while told[-1] == told[1]:
            yield consumer.poll(500)
            told.append(consumer.group_metadata())

    def application(cluster):
        cluster.driver("app", lambda node: program(cluster, node))

    trace = simulate(
        Scenario(
            topology=Topology(topics=(Topic("in", 1),)),
            application=application,
            faults=FaultPlan((Pause("app", 10_000, 55_000),)),
        )
    )

    assert any("UNKNOWN_MEMBER_ID" in str(entry) for entry in trace.flat)
    assert (told[0].group_id, told[0].generation) == ("billing", -1)
    assert isinstance(told[1], GroupMetadata)
    assert told[1].generation > 0
    assert told[2] == told[1]
    assert told[-1].generation > 0
    assert told[-1] != told[1]
