"""Drawn topologies are valid and small, and print as what can be pasted."""

import pytest
from hypothesis import find, given

import simulator
from simulator import BadInput, Topic, Topology
from simulator.testing.quick import quick
from simulator.testing.topologies import topologies

FEW = quick(max_examples=50, derandomize=True, database=None, print_blob=False)


@FEW
@given(topologies(("orders", "bills"), brokers=4, partitions=5, links=2, racks=2))
def test_a_topology_is_valid_and_within_its_bounds(topology):
    """Were it not, it could not have been made."""
    assert [topic.name for topic in topology.topics] == ["orders", "bills"]
    for topic in topology.topics:
        assert topic.partitions <= 5
        assert topic.replication_factor <= min(3, topology.brokers)
    assert topology.brokers <= 4
    assert len(topology.links) <= 2
    assert len(dict.fromkeys(topology.racks)) <= 2


def test_the_smallest_topology_is_one_broker_with_one_partition():
    assert find(topologies(), lambda _: True, settings=FEW) == Topology(
        topics=(Topic("orders"),)
    )


def test_a_topology_shrinks_to_what_is_needed():
    found = find(
        topologies(brokers=3),
        lambda topology: topology.topics[0].replication_factor == 2,
        settings=quick(max_examples=500, derandomize=True, database=None),
    )

    assert found == Topology(brokers=2, topics=(Topic("orders", replication_factor=2),))


def test_a_failing_example_can_be_pasted():
    seen = []

    @FEW
    @given(topologies(links=1))
    def lossless(topology):
        seen.append(topology)
        assert not any(link.loss for link in topology.links)

    with pytest.raises(AssertionError) as caught:
        lossless()
    printed = "\n".join(caught.value.__notes__).partition("lossless")[2]
    names = {name: getattr(simulator, name) for name in simulator.__all__}

    assert eval(f"dict{printed}", names) == {"topology": seen[-1]}
    assert "loss=0.01" in printed


@pytest.mark.parametrize("bound", ["brokers", "partitions", "replication", "links", "racks"])
def test_a_bound_below_the_least_is_refused(bound):
    with pytest.raises(BadInput, match=rf"topologies.{bound}: must be .*, not -1"):
        topologies(**{bound: -1})


def test_without_a_topic_there_is_nothing_to_send_to():
    with pytest.raises(BadInput, match=r"topologies.topics.*not 0"):
        topologies(())
