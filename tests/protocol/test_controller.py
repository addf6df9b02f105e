"""The controller's log, topics, in-sync sets, elections that are asked for, and producer ids."""

import pytest

from simulator.errors import BadInput
from simulator.protocol import replica_messages as rm
from simulator.protocol.controller_facts import (
    ControllerSettings,
    FetchDeadline,
    NewTopic,
    controller_settings,
)
from simulator.protocol.controller_partitions import place
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from tests.controlled import Asked

HERE = TopicPartition("orders", 0)
ORDERS = NewTopic("orders", 1, 3, 2)


def alter(
    machine, isr, *, name="a", broker_epoch=0, leader_epoch=0, partition_epoch=0, epochs=None
):
    """A leader proposes an in-sync set; the result for the partition, or the request's error."""
    known = {broker: state.epoch for broker, state in machine.controller.brokers.items()}
    known |= epochs or {}
    told = tuple((one, known.get(one, 0)) for one in isr)
    asked = rm.AlterPartition(HERE, leader_epoch, partition_epoch, told)
    answer = machine.ask(rm.AlterPartitionRequest(name, broker_epoch, (asked,)))
    return answer.results[0] if answer.error is Error.NONE else answer


# --- Topics ------------------------------------------------------------------------------------


def test_a_cluster_begins_with_every_broker_let_in_and_every_replica_in_sync():
    machine = Asked(topics=(NewTopic("orders", 2, 2), NewTopic("payments", 1, 3)))
    controller = machine.controller

    assert [tuple(state) for state in controller.brokers.values()] == [
        ("a", 0, False, False, 0),
        ("b", 1, False, False, 0),
        ("c", 2, False, False, 0),
    ]
    assert [
        (str(one.partition), one.leader, one.isr) for one in controller.partitions.values()
    ] == [
        ("orders-0", "a", ("a", "b")),
        ("orders-1", "b", ("b", "c")),
        ("payments-0", "b", ("b", "c", "a")),
    ]


def test_partitions_and_topics_begin_at_one_broker_after_the_other():
    """So many partitions are led by all brokers, and two topics do not begin at the same one."""
    brokers = ("a", "b", "c")

    assert [place(brokers, number, 0, 1) for number in range(4)] == [("a",), ("b",), ("c",), ("a",)]
    assert place(brokers, 0, 1, 3) == ("b", "c", "a")


def test_a_topic_takes_what_it_does_not_say_from_the_controllers_settings():
    settings = ControllerSettings(min_insync_replicas=2, unclean_leader_election_enable=True)
    machine = Asked(settings, topics=(NewTopic("orders"), NewTopic("payments", 1, 1, 1, False)))
    topics = machine.controller.topics

    assert topics["orders"][4:] == (2, True)
    assert topics["payments"][4:] == (1, False)


def test_a_topic_with_more_replicas_than_brokers_is_refused():
    with pytest.raises(BadInput, match="as many replicas as there are brokers"):
        Asked(topics=(NewTopic("orders", 1, 4),))


def test_a_topic_that_stands_twice_is_refused():
    with pytest.raises(BadInput, match="twice"):
        Asked(topics=(NewTopic("orders"), NewTopic("orders")))


def test_a_topic_may_be_made_while_the_cluster_runs():
    machine = Asked(topics=(ORDERS,))
    machine.expire("b")
    machine.carry_out(machine.controller.decide_create(NewTopic("payments", 1, 3)))
    made = machine.controller.partitions[TopicPartition("payments", 0)]

    assert (made.leader, made.replicas, made.isr) == ("c", ("b", "c", "a"), ("c", "a"))
    with pytest.raises(BadInput, match="twice"):
        machine.controller.decide_create(NewTopic("payments"))


def test_partitions_are_added_while_the_topic_is_in_use():
    machine = Asked(topics=(ORDERS,))
    machine.expire("b")
    machine.events.clear()
    answer = machine.ask(rm.CreatePartitionsRequest("orders", 3))
    made = [machine.controller.partitions[TopicPartition("orders", number)] for number in (1, 2)]

    assert answer.error is Error.NONE
    assert [(one.leader, "".join(one.isr)) for one in made] == [("c", "ca"), ("c", "ca")]
    assert machine.events == [
        ("partitions_added", "orders", 3),
        ("leader_elected", "orders", 1, "c", 0, ("c", "a"), "clean"),
        ("leader_elected", "orders", 2, "c", 0, ("c", "a"), "clean"),
    ]


@pytest.mark.parametrize(
    ("topic", "count", "error"),
    [
        ("orders", 1, Error.INVALID_PARTITIONS),
        ("orders", 0, Error.INVALID_PARTITIONS),
        ("payments", 3, Error.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_partitions_are_never_taken_away(topic, count, error):
    machine = Asked(topics=(ORDERS,))

    assert machine.ask(rm.CreatePartitionsRequest(topic, count)).error is error


def test_a_partition_that_no_active_broker_would_keep_is_refused():
    machine = Asked(topics=(NewTopic("orders"),))
    machine.expire("b")

    answer = machine.ask(rm.CreatePartitionsRequest("orders", 2))
    assert answer.error is Error.INVALID_REPLICATION_FACTOR


# --- The in-sync set ---------------------------------------------------------------------------


def test_a_leader_changes_the_in_sync_set():
    machine = Asked(topics=(ORDERS,))
    answer = alter(machine, "ab")

    assert answer == rm.PartitionAltered(HERE, Error.NONE, "a", 0, 1, ("a", "b"))
    assert machine.events == [("isr_changed", "orders", 0, 0, ("a", "b"), ())]


def test_a_proposal_that_changes_nothing_is_answered_and_not_written():
    machine = Asked(topics=(ORDERS,))
    answer = alter(machine, "abc")

    assert (answer.error, answer.partition_epoch) == (Error.NONE, 0)
    assert machine.events == []


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"broker_epoch": 7}, Error.STALE_BROKER_EPOCH),
        ({"name": "d"}, Error.STALE_BROKER_EPOCH),
        ({"leader_epoch": 1}, Error.NOT_CONTROLLER),
        ({"partition_epoch": 1}, Error.NOT_CONTROLLER),
        ({"name": "b", "broker_epoch": 1}, Error.INVALID_REQUEST),
        ({"isr": "bc"}, Error.INVALID_REQUEST),
        ({"isr": "aab"}, Error.INVALID_REQUEST),
        ({"isr": "ad"}, Error.INVALID_REQUEST),
        ({"epochs": {"b": 0}}, Error.INELIGIBLE_REPLICA),
    ],
)
def test_a_proposal_of_another_time_or_place_is_refused(how, error):
    machine = Asked(topics=(ORDERS,))
    end = machine.controller.next_offset

    assert alter(machine, **({"isr": "ab"} | how)).error is error
    assert machine.controller.next_offset == end


def test_a_proposal_upon_an_older_in_sync_set_is_refused():
    machine = Asked(topics=(ORDERS,))
    alter(machine, "ab")

    assert alter(machine, "a").error is Error.INVALID_UPDATE_VERSION


def test_a_proposal_of_a_leader_that_was_deposed_is_fenced():
    machine = Asked(topics=(ORDERS,))
    machine.beat("a", wants_fence=True)

    assert alter(machine, "abc").error is Error.FENCED_LEADER_EPOCH


def test_an_unknown_partition_is_not_changed():
    machine = Asked(topics=(NewTopic("payments"),))

    assert alter(machine, "a").error is Error.UNKNOWN_TOPIC_OR_PARTITION


def test_nobody_who_is_fenced_or_going_is_taken_in():
    for wants in ({"wants_fence": True}, {"wants_shutdown": True}):
        machine = Asked(topics=(ORDERS, NewTopic("payments", 1, 2)))
        machine.beat("b", **wants)  # It leads payments, so its shutdown waits.
        assert machine.controller.partitions[HERE].isr == ("a", "c")

        answer = alter(machine, "abc", partition_epoch=1)
        assert answer.error is Error.INELIGIBLE_REPLICA


def test_whoever_does_not_say_which_life_he_means_is_believed():
    """The broker epoch -1 is of brokers before KIP-903."""
    machine = Asked(topics=(ORDERS,))

    assert alter(machine, "ab", epochs={"b": -1}).error is Error.NONE


# --- Elections ---------------------------------------------------------------------------------


def moved(settings=None):
    """A partition that b leads, though a is preferred and in sync."""
    machine = Asked(settings, topics=(ORDERS,))
    machine.beat("a", wants_fence=True)
    machine.beat("a")
    epoch = machine.controller.partitions[HERE].partition_epoch
    answer = alter(machine, "abc", name="b", broker_epoch=1, leader_epoch=1, partition_epoch=epoch)
    assert answer.error is Error.NONE
    machine.events.clear()
    return machine


def test_a_preferred_leader_is_elected_when_it_is_asked_for():
    machine = moved()
    answer = machine.ask(rm.ElectLeadersRequest("preferred", (HERE,)))

    assert answer.results == ((HERE, Error.NONE),)
    assert machine.events == [("leader_elected", "orders", 0, "a", 2, ("a", "b", "c"), "preferred")]
    answer = machine.ask(rm.ElectLeadersRequest("preferred", (HERE,)))
    assert answer.results == ((HERE, Error.ELECTION_NOT_NEEDED),)
    assert machine.ask(rm.ElectLeadersRequest("preferred")).results == ()


def test_a_preferred_leader_that_is_not_in_sync_is_not_elected():
    machine = Asked(topics=(ORDERS,))
    machine.beat("a", wants_fence=True)
    machine.beat("a")

    answer = machine.ask(rm.ElectLeadersRequest("preferred"))
    assert answer.results == ((HERE, Error.PREFERRED_LEADER_NOT_AVAILABLE),)


def test_leaderships_go_back_every_five_minutes():
    machine = moved()
    while machine.now_us < 299_000_000:
        machine.wait(1_000)
        machine.beat_all_but()
    assert machine.controller.partitions[HERE].leader == "b"
    machine.wait(1_000)

    assert machine.controller.partitions[HERE].leader == "a"


def test_leaderships_stay_where_they_are_without_auto_leader_rebalance():
    machine = moved(ControllerSettings(auto_leader_rebalance_enable=False))
    for _ in range(310):
        machine.wait(1_000)
        machine.beat_all_but()

    assert machine.controller.partitions[HERE].leader == "b"


def test_an_unclean_election_is_held_when_it_is_asked_for():
    machine = Asked(topics=(ORDERS,))
    machine.expire("b", "c")
    machine.expire("a", "b", "c")
    answer = machine.ask(rm.ElectLeadersRequest("unclean", (HERE,)))
    assert answer.results == ((HERE, Error.ELIGIBLE_LEADERS_NOT_AVAILABLE),)
    machine.beat("c")
    answer = machine.ask(rm.ElectLeadersRequest("unclean", (HERE,)))

    assert answer.results == ((HERE, Error.NONE),)
    assert machine.events[-1] == ("leader_elected", "orders", 0, "c", 2, ("c",), "unclean")
    answer = machine.ask(rm.ElectLeadersRequest("unclean", (HERE,)))
    assert answer.results == ((HERE, Error.ELECTION_NOT_NEEDED),)


def test_an_election_of_nothing_that_is_known_is_refused():
    machine = Asked(topics=(ORDERS,))
    nowhere = TopicPartition("payments", 0)

    assert machine.ask(rm.ElectLeadersRequest("dirty")).error is Error.INVALID_REQUEST
    answer = machine.ask(rm.ElectLeadersRequest("unclean", (nowhere,)))
    assert answer.results == ((nowhere, Error.UNKNOWN_TOPIC_OR_PARTITION),)


# --- The log -----------------------------------------------------------------------------------


def test_a_broker_reads_on_from_where_it_is():
    machine = Asked(topics=(ORDERS,))
    answer = machine.ask(rm.MetadataFetchRequest("a", 3))

    assert answer.next_offset == 5
    assert [type(record) for record in answer.records] == [
        rm.TopicRegistered,
        rm.PartitionRegistration,
    ]


def test_a_broker_that_has_read_everything_is_answered_by_the_next_record():
    machine = Asked(topics=(ORDERS,))
    waits = machine.send(rm.MetadataFetchRequest("b", 5))
    assert waits not in machine.answers
    alter(machine, "ab")

    assert machine.answers[waits].records == (machine.controller.partitions[HERE],)
    assert FetchDeadline("b") not in machine.timers


def test_a_broker_that_has_waited_long_enough_is_told_that_there_is_nothing():
    machine = Asked(topics=(ORDERS,))
    waits = machine.send(rm.MetadataFetchRequest("b", 5))
    machine.wait(500)

    assert machine.answers[waits] == rm.MetadataFetchResponse(Error.NONE, 5)


def test_a_broker_waits_once_and_for_its_newest_question():
    machine = Asked(topics=(ORDERS,))
    first = machine.send(rm.MetadataFetchRequest("b", 5))
    second = machine.send(rm.MetadataFetchRequest("b", 5))
    assert machine.answers[first] == rm.MetadataFetchResponse(Error.NONE, 5)
    alter(machine, "ab")

    assert machine.answers[second].records


def test_a_heartbeat_that_changes_nothing_wakes_nobody():
    machine = Asked(topics=(ORDERS,))
    waits = machine.send(rm.MetadataFetchRequest("b", 5))
    machine.beat_all_but()

    assert waits not in machine.answers


def test_nobody_reads_beyond_the_end():
    machine = Asked(topics=(ORDERS,))

    answer = machine.ask(rm.MetadataFetchRequest("b", 6))
    assert answer.error is Error.OFFSET_OUT_OF_RANGE


def test_a_power_loss_of_the_controller_takes_nothing_that_was_told():
    machine = Asked(topics=(ORDERS,))
    alter(machine, "ab")
    machine.ask(rm.AllocateProducerIdsRequest("a", 0))
    machine.restart()

    assert machine.controller.partitions[HERE].isr == ("a", "b")
    assert not machine.controller.is_new


# --- Producer ids ------------------------------------------------------------------------------


def test_no_producer_id_is_given_twice():
    machine = Asked()
    blocks = [machine.ask(rm.AllocateProducerIdsRequest(name, at)) for at, name in enumerate("ab")]
    machine.restart()
    blocks.append(machine.ask(rm.AllocateProducerIdsRequest("c", 2)))

    assert [(block.first, block.length) for block in blocks] == [
        (0, 1_000),
        (1_000, 1_000),
        (2_000, 1_000),
    ]


def test_a_former_life_gets_no_producer_ids():
    machine = Asked()

    answer = machine.ask(rm.AllocateProducerIdsRequest("a", 7))
    assert answer == rm.AllocateProducerIdsResponse(Error.STALE_BROKER_EPOCH)


# --- Settings ----------------------------------------------------------------------------------


def test_settings_have_kafkas_names_and_defaults():
    settings = controller_settings({"broker.session.timeout.ms": 6_000})

    assert (settings.session_us, settings.session_check_us) == (6_000_000, 1_500_000)
    assert settings.broker_heartbeat_interval_ms == 2_000
    assert settings.leader_imbalance_check_interval_seconds == 300


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("broker.sesion.timeout.ms", 1, "did you mean broker.session.timeout.ms"),
        ("leader.imbalance.per.broker.percentage", 10, "every leadership"),
        ("broker.session.timeout.ms", 0, "a whole number from 1"),
        ("auto.leader.rebalance.enable", 1, "true or false"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(name, value, why):
    with pytest.raises(BadInput, match=why):
        controller_settings({name: value})
