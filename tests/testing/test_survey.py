"""A survey knows where chance may strike, and nothing that cannot be struck."""

from collections import Counter

import attrs

from simulator import AT_LEAST_ONCE, Crash, FaultPlan, Link, Topic, Topology, simulate, uniform
from simulator.testing.survey import ends_of, survey
from tests.few_orders import few_orders

SCENARIO = few_orders(AT_LEAST_ONCE)
SEEN = survey(SCENARIO)


def messages_of(trace):
    sent = (entry[4] for entry in trace.flat if entry[4][0] == "message_sent")
    return Counter(f"drop@{source}>{target}/{api}" for _, _, source, target, api, _ in sent)


def test_every_message_of_the_benign_run_is_counted():
    for name, times in messages_of(simulate(SCENARIO)).items():
        assert SEEN.sites["drop"][name] >= times


def test_what_only_a_crash_brings_about_is_known_as_well():
    """No heartbeat comes due in the short benign run."""
    benign = messages_of(simulate(SCENARIO))
    beats = [name for name in SEEN.sites["drop"] if name.endswith("/HeartbeatRequest")]

    assert beats
    assert sum(SEEN.sites["drop"].values()) > sum(benign.values())


def test_nodes_are_those_that_do_something():
    assert sorted(SEEN.nodes) == [
        "billing-0", "billing-1", "broker-0", "broker-1", "ledger", "orders-producer"
    ]  # fmt: skip


def test_choices_are_those_that_are_open():
    """Five keys, and the backoff of a member that asks too early; random wires add messages."""
    wires = Topology(topics=(Topic("orders", 2),), links=(Link(latency=uniform(500, 1_000)),))

    assert 5 <= SEEN.choices < 10
    assert survey(few_orders(AT_LEAST_ONCE, topology=wires)).choices > 50


def test_a_survey_can_be_narrowed_to_nodes_and_messages():
    narrow = SEEN.of(["ledger"], "Transact*")

    assert narrow.nodes == ("ledger",)
    assert list(narrow.sites["crash"]) == ["crash@ledger/after_append"]
    assert narrow.sites["drop"]
    for name in narrow.sites["drop"]:
        ends, message = ends_of(name)
        assert "ledger" in ends
        assert message.startswith("Transact")


def test_a_survey_of_runs_that_fail_is_of_what_they_did_before():
    """The error is for the property that runs into it, which shows the faults."""

    def fragile(context):
        def handle(record):
            raise ZeroDivisionError(record.event_id)

        return handle

    consumers = attrs.evolve(SCENARIO.consumers, handler=fragile)
    seen = survey(few_orders(AT_LEAST_ONCE, consumers=consumers))

    assert "drop@orders-producer>broker-1/ProduceRequest" in seen.sites["drop"]
    assert "orders-producer" in seen.nodes


def test_two_surveys_are_equal():
    assert survey(SCENARIO) == SEEN


def test_a_survey_is_of_what_is_planned_too():
    """What a planned crash brings about is sure to come; and it is not tried as if it were not."""
    planned = FaultPlan((Crash("billing-1", "after_poll"),))
    scenario = attrs.evolve(SCENARIO, faults=planned)
    seen = survey(scenario)

    assert SEEN.ends_ms < seen.ends_ms
    for name, times in messages_of(simulate(scenario)).items():
        assert seen.sure[name] == times
