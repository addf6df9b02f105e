"""Brokers register, beat, fall silent and go: what the controller answers, and who leads then."""

from simulator.protocol.controller_facts import NewTopic, Session
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.replica_messages import (
    NO_LEADER,
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
)
from simulator.protocol.variant import Variant
from tests.controlled import Asked

HERE = TopicPartition("orders", 0)
ELIGIBLE = Variant(eligible_leader_replicas=True)


def asked(replicas=3, min_isr=2, **how):
    """Brokers a, b, c; one partition, kept by the first of them."""
    return Asked(topics=(NewTopic("orders", 1, replicas, min_isr),), **how)


def here(machine):
    known = machine.controller.partitions[HERE]
    return known.leader, "".join(known.isr), "".join(known.eligible)


def register(machine, name, incarnation=1, previous=-1):
    return machine.ask(BrokerRegistrationRequest(name, incarnation, previous))


# --- Sessions ----------------------------------------------------------------------------------


def test_a_broker_that_beats_is_not_fenced():
    machine = asked()
    machine.expire()

    assert not any(state.fenced for state in machine.controller.brokers.values())
    assert machine.events == []


def test_a_silent_broker_is_fenced_within_a_session_and_a_quarter():
    """broker.session.timeout.ms is 9000, and it is looked every 2250 ms."""
    machine = asked()
    machine.wait(9_000)
    machine.beat_all_but("a")
    assert here(machine) == ("a", "abc", "")
    machine.wait(2_250)

    assert here(machine) == ("b", "bc", "")
    assert machine.events == [
        ("leader_elected", "orders", 0, "b", 1, ("b", "c"), "clean"),
        ("broker_fenced", "a"),
    ]


def test_brokers_that_fall_silent_together_are_fenced_one_by_one():
    """So the partition goes from one to the next, and the last one in sync stays in the set."""
    machine = asked()
    machine.wait(12_000)

    assert here(machine) == (NO_LEADER, "c", "")
    assert [event[-1] for event in machine.events if event[0] == "leader_elected"] == [
        "clean",
        "clean",
        "none",
    ]


def test_a_follower_that_is_fenced_leaves_the_in_sync_set_under_the_same_leader_epoch():
    machine = asked()
    machine.expire("c")

    assert here(machine) == ("a", "ab", "")
    assert ("isr_changed", "orders", 0, 0, ("a", "b"), ()) in machine.events


def test_a_fenced_broker_that_beats_is_let_in_again_and_leads_what_nobody_leads():
    machine = asked(replicas=1)
    machine.expire("a")
    assert here(machine) == (NO_LEADER, "a", "")
    answer = machine.beat("a")

    assert answer == BrokerHeartbeatResponse(Error.NONE, caught_up=True, fenced=False)
    assert here(machine) == ("a", "a", "")
    assert machine.events[-2:] == [
        ("broker_unfenced", "a", 0),
        ("leader_elected", "orders", 0, "a", 2, ("a",), "clean"),
    ]


def test_with_unclean_elections_allowed_somebody_leads_at_once():
    machine = Asked(topics=(NewTopic("orders", 1, 3, 1, True),))
    machine.expire("b", "c")
    assert here(machine) == ("a", "a", "")
    machine.beat_all_but("a")
    machine.expire("a")

    assert here(machine) == ("b", "b", "")
    assert machine.events[-2][-1] == "unclean"


def test_without_unclean_elections_the_last_one_in_sync_is_awaited():
    machine = asked()
    machine.expire("b", "c")
    machine.beat_all_but("a")
    machine.expire("a")

    assert here(machine) == (NO_LEADER, "a", "")


def test_with_eligible_replicas_the_last_one_in_sync_is_not_awaited():
    machine = asked(variant=ELIGIBLE)
    machine.expire("b", "c")
    assert here(machine) == ("a", "a", "c")
    machine.beat_all_but("a")
    machine.expire("a")

    assert here(machine) == ("c", "c", "a")
    assert machine.events[-2] == ("leader_elected", "orders", 0, "c", 1, ("c",), "eligible")


def test_a_controller_that_starts_again_gives_every_broker_a_whole_session():
    machine = asked()
    machine.wait(8_000)
    machine.restart()
    machine.wait(9_000)
    assert machine.controller.session("a") == Session(0, 8_000_000)
    assert not machine.controller.brokers["a"].fenced
    machine.wait(2_250)

    assert machine.controller.brokers["a"].fenced


# --- Heartbeats --------------------------------------------------------------------------------


def test_an_unknown_broker_is_told_to_register():
    machine = asked()
    answer = machine.ask(BrokerHeartbeatRequest("d", 0, 0))

    assert answer.error is Error.BROKER_ID_NOT_REGISTERED


def test_a_heartbeat_of_a_former_life_is_stale_and_keeps_nobody_alive():
    machine = asked()
    machine.expire("a")
    epoch = register(machine, "a").broker_epoch
    answer = machine.ask(BrokerHeartbeatRequest("a", 0, 100))

    assert answer.error is Error.STALE_BROKER_EPOCH
    assert machine.controller.session("a") == Session(epoch)


def test_a_broker_stays_fenced_until_it_has_read_its_own_registration():
    machine = asked()
    machine.expire("a")
    epoch = register(machine, "a").broker_epoch

    assert machine.beat("a", read=epoch) == BrokerHeartbeatResponse(Error.NONE)
    assert not machine.beat("a", read=epoch + 1).fenced


def test_a_broker_that_wants_to_be_fenced_is():
    machine = asked()

    assert machine.beat("a", wants_fence=True).fenced
    assert here(machine) == ("b", "bc", "")
    assert machine.beat("a", wants_fence=True).fenced


# --- Registrations -----------------------------------------------------------------------------


def test_a_broker_epoch_is_the_offset_of_its_registration():
    machine = asked()
    machine.expire("a")
    epoch = register(machine, "a").broker_epoch
    record = machine.controller.records(epoch)[0]

    assert (record.broker, record.epoch, record.fenced, record.incarnation) == ("a", epoch, True, 1)


def test_another_life_is_refused_while_the_former_one_is_alive():
    machine = asked()
    machine.beat("a")
    machine.wait(9_000)
    assert register(machine, "a").error is Error.DUPLICATE_BROKER_REGISTRATION
    machine.wait(1)

    assert register(machine, "a").error is Error.NONE


def test_a_registration_that_is_asked_for_twice_is_answered_alike():
    machine = asked()
    machine.expire("a")
    first = register(machine, "a")
    end = machine.controller.next_offset

    assert register(machine, "a") == first
    assert machine.controller.next_offset == end


def test_a_new_life_leads_nothing_and_is_in_sync_nowhere():
    """Its session has expired, and nobody has looked yet."""
    machine = asked()
    machine.timers.clear()
    machine.wait(9_001)
    machine.beat_all_but("a")
    register(machine, "a")

    assert here(machine) == ("b", "bc", "")
    assert machine.events[-1] == ("broker_fenced", "a")


def test_an_unclean_shutdown_leaves_the_last_one_in_sync_where_it_was():
    """So after a power loss it leads again, whatever it has lost (before KIP-966)."""
    machine = asked(replicas=1)
    machine.expire("a")
    register(machine, "a")
    assert here(machine) == (NO_LEADER, "a", "")
    machine.beat("a")

    assert here(machine) == ("a", "a", "")


def test_an_unclean_shutdown_ends_being_eligible_and_a_clean_one_does_not():
    for previous, eligible in ((-1, ""), (0, "a")):
        machine = asked(replicas=2, variant=ELIGIBLE)
        machine.expire("a")
        assert here(machine) == ("b", "b", "a")
        register(machine, "a", previous=previous)

        assert here(machine) == ("b", "b", eligible)


def test_after_an_unclean_shutdown_of_the_only_eligible_one_the_last_known_leader_leads():
    machine = asked(replicas=1, min_isr=1, variant=ELIGIBLE)
    machine.expire("a")
    assert here(machine) == (NO_LEADER, "", "a")
    register(machine, "a")
    assert here(machine) == (NO_LEADER, "", "")
    machine.beat("a")

    assert here(machine) == ("a", "a", "")
    assert machine.events[-1][-1] == "unclean"


# --- Going in order ----------------------------------------------------------------------------


def test_a_broker_that_leads_nothing_may_go_at_once():
    machine = asked()
    answer = machine.beat("c", wants_shutdown=True)

    assert answer == BrokerHeartbeatResponse(Error.NONE, True, True, should_shut_down=True)
    assert here(machine) == ("a", "ab", "")


def test_a_leader_hands_over_and_goes_when_the_others_have_read_so():
    machine = asked()
    answer = machine.beat("a", wants_shutdown=True)
    end = machine.controller.next_offset
    assert (answer.fenced, answer.should_shut_down) == (False, False)
    assert here(machine) == ("b", "bc", "")
    machine.beat("b")
    assert not machine.beat("a", wants_shutdown=True).should_shut_down
    machine.beat("c", read=end - 1)
    assert not machine.beat("a", wants_shutdown=True).should_shut_down
    machine.beat("c", read=end)

    assert machine.beat("a", wants_shutdown=True).should_shut_down
    assert machine.controller.brokers["a"].fenced


def test_a_leader_without_a_successor_may_not_go_by_itself():
    """A leader that nobody can follow stays in sync, and nobody leads: then it may go."""
    machine = asked(replicas=1)
    assert not machine.beat("a", wants_shutdown=True).should_shut_down
    assert here(machine) == (NO_LEADER, "a", "")
    machine.beat_all_but("a")

    assert machine.beat("a", wants_shutdown=True).should_shut_down


def test_a_broker_that_is_shutting_down_may_be_replaced_at_once():
    machine = asked()
    machine.beat("a", wants_shutdown=True)

    assert register(machine, "a", previous=0).error is Error.NONE
    assert not machine.controller.brokers["a"].shutting_down


def test_a_shutdown_goes_on_under_a_controller_that_has_started_again():
    machine = asked()
    machine.beat("a", wants_shutdown=True)
    machine.restart()

    assert machine.beat("a", wants_shutdown=True).should_shut_down


def test_a_fenced_broker_may_go_at_once():
    machine = asked()
    machine.expire("a")

    assert machine.beat("a", wants_shutdown=True).should_shut_down
