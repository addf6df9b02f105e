"""Brokers, topics and links: what fits together, and what is refused by name."""

import math

import pytest

from simulator.chance.laws import constant, exponential, uniform
from simulator.errors import BadInput
from simulator.scenario.topology import Link, Topic, Topology


def test_a_plain_topology_is_one_broker_and_three_partitions_of_orders():
    topology = Topology()

    assert topology.broker_names == ("broker-0",)
    assert topology.topics == (Topic("orders", 3),)
    assert topology.link("a", "b") == Link(latency=constant(1_000))


def test_the_first_link_that_matches_is_the_wire():
    slow = Link(source="broker-*", target="billing-[01]", latency=constant(9_000))
    topology = Topology(brokers=3, links=[slow, Link(latency=constant(5))])

    assert topology.link("broker-2", "billing-1") is slow
    assert topology.link("broker-2", "billing-2").latency == constant(5)
    assert topology.link("billing-1", "broker-2").latency == constant(5)


def test_where_no_link_matches_the_wire_is_plain():
    topology = Topology(links=(Link(source="a", loss=1),))

    assert topology.link("a", "b").loss == 1
    assert topology.link("b", "a") == Link()


def test_loss_applies_to_the_messages_that_match():
    assert Link().spoils("FetchRequest")
    assert Link(messages="Produce*").spoils("ProduceResponse")
    assert not Link(messages="Produce*").spoils("FetchRequest")


def test_a_case_differs_from_a_case():
    """On any platform: a file system's rule for names is none for nodes."""
    assert not Link(source="Broker-*").joins("broker-0", "x")


@pytest.mark.parametrize("p", [-0.1, 1.01, math.nan, math.inf, "0.5", True, None])
@pytest.mark.parametrize("field", ["loss", "duplicate"])
def test_a_probability_lies_between_0_and_1(field, p):
    with pytest.raises(BadInput, match=rf"Link\.{field}: must be a probability.*{p!r}"):
        Link(**{field: p})


@pytest.mark.parametrize("latency", [1_000, 1.5, "fast", None])
def test_a_latency_is_a_delay_law(latency):
    with pytest.raises(BadInput, match=r"Link\.latency: must be a delay law.*constant\(1_000\)"):
        Link(latency=latency)


@pytest.mark.parametrize("law", [constant, exponential, lambda us: uniform(us, 10)])
@pytest.mark.parametrize("us", [-1, math.nan, 0.5])
def test_a_delay_is_not_negative_nor_nan(law, us):
    with pytest.raises(BadInput, match="microseconds from 0"):
        Link(latency=law(us))


def test_a_topic_has_no_more_replicas_than_there_are_brokers():
    Topology(brokers=3, topics=(Topic("orders", 1, 3),))

    with pytest.raises(BadInput, match=r"'orders' wants more replicas.*: 3 \(at most 2"):
        Topology(brokers=2, topics=(Topic("orders", 1, 3),))


def test_a_topic_stands_once():
    with pytest.raises(BadInput, match=r"Topology\.topics: has a topic twice: 'orders'"):
        Topology(topics=(Topic("orders"), Topic("payments"), Topic("orders")))


@pytest.mark.parametrize("name", ["", "a b", "a>b", "a#1", "..", "x" * 250, 3, "заказы"])
def test_a_name_keeps_to_kafkas_alphabet(name):
    with pytest.raises(BadInput, match=r"Topic\.name: is not a name"):
        Topic(name)


def test_brokers_all_have_racks_or_none_does():
    assert Topology(brokers=2, racks=["east", "west"]).racks == ("east", "west")
    assert Topology(brokers=2).racks == ()

    with pytest.raises(BadInput, match=r"Topology\.racks: must say of every broker.*\(give 3, or"):
        Topology(brokers=3, racks=("east", "west"))


@pytest.mark.parametrize("bad", ["", "a b", None, 1])
def test_a_rack_has_a_name(bad):
    with pytest.raises(BadInput, match=r"Topology\.racks: is not a name"):
        Topology(racks=(bad,))


@pytest.mark.parametrize("bad", [0, -1, 1.0, True, "3", None])
def test_a_count_is_a_whole_number_from_1(bad):
    with pytest.raises(BadInput, match="must be a whole number from 1"):
        Topic("orders", bad)
    with pytest.raises(BadInput, match="must be a whole number from 1"):
        Topology(brokers=bad)


@pytest.mark.parametrize("links", [Link(), "links", None, (1,), {"a": 1}])
def test_links_are_links(links):
    with pytest.raises(BadInput):
        Topology(links=links)


def test_a_mistyped_message_is_asked_about():
    with pytest.raises(BadInput, match="did you mean 'ProduceRequest'"):
        Link(messages="ProduceReqest")


def test_a_link_is_ordered_or_not():
    with pytest.raises(BadInput, match="must be true or false: 1"):
        Link(ordered=1)
