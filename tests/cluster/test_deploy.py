"""What a scenario without a model of its own runs, and the three sinks that are the difference."""

import attrs
import pytest

from simulator.chance import constant
from simulator.checks.catalogue import CHECKS
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.cluster.deploy import SINKS
from simulator.errors import BadInput
from simulator.scenario import toml
from simulator.scenario.faults import Crash, Drop, FaultPlan
from simulator.scenario.guarantee import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    EXACTLY_ONCE_TRANSACTIONS,
    IN_MEMORY_SET,
)
from simulator.scenario.guarantee import (
    SINKS as NAMED_SINKS,
)
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem, Workload, bursts
from simulator.study.simulate import simulate
from tests.clustered import events
from tests.few_orders import few_orders

QUICK = {"group.initial.rebalance.delay.ms": 0}


def scenario(guarantee, *faults, records=4, **consumers):
    """Records in one burst, to one instance: they are polled together."""
    return Scenario(
        guarantee=guarantee,
        topology=Topology(topics=(Topic("orders", 1),)),
        workload=Workload(events=records, arrivals=bursts(records, 1)),
        consumers=Consumers(instances=1, **consumers),
        faults=FaultPlan(faults),
        broker=QUICK,
    )


def outcome(guarantee, *faults, **consumers):
    trace = simulate(scenario(guarantee, *faults, **consumers))
    assert events(trace, "run_ended") == [("quiet",)]
    return never_lost(trace).cases, never_applied_twice(trace).cases


CRASH = Crash("billing-0", "after_process", nth=1, down_ms=100)
LOST = Drop("ledger", "billing-0", "TransactResponse", nth=1)


@pytest.mark.parametrize(
    ("guarantee", "crash", "lost_answer"),
    [
        (AT_MOST_ONCE, (2, 0), (0, 0)),
        (AT_LEAST_ONCE, (0, 2), (0, 1)),
        (EXACTLY_ONCE, (0, 0), (0, 0)),
        (IN_MEMORY_SET, (0, 2), (0, 1)),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_each_guarantee_loses_or_doubles_as_its_word_says(guarantee, crash, lost_answer):
    """(lost, applied twice) after a crash behind the second record, and after a lost answer."""
    assert outcome(guarantee) == (0, 0)
    assert outcome(guarantee, CRASH) == crash
    assert outcome(guarantee, LOST) == lost_answer


@pytest.mark.parametrize(
    ("guarantee", "expected"), [(AT_MOST_ONCE, (0, 0)), (AT_LEAST_ONCE, (0, 1))]
)
def test_commits_for_each_record_make_less_of_a_crash(guarantee, expected):
    assert outcome(guarantee, CRASH, commit_each=True) == expected


def test_consumers_commit_for_each_poll_unless_told():
    def commits(**consumers):
        trace = simulate(scenario(AT_LEAST_ONCE, **consumers))
        return [event[3] for event in events(trace, "offset_committed")]

    assert commits() == commits(commit_each=False) == [4]
    assert commits(commit_each=True) == [1, 2, 3, 4]


@pytest.mark.parametrize("commit_each", [True, False])
def test_a_file_says_whether_commits_are_for_each_record(commit_each):
    made = scenario(AT_LEAST_ONCE, commit_each=commit_each)

    text = toml.dumps(made)
    assert f"commit_each = {str(commit_each).lower()}\n" in text
    assert toml.loads(text) == made


@pytest.mark.parametrize("value", [1, "true", None])
def test_whether_commits_are_for_each_record_is_true_or_false(value):
    with pytest.raises(BadInput, match=r"Consumers\.commit_each: must be true or false: "):
        Consumers(commit_each=value)


def test_there_is_a_sink_for_each_word_but_the_one_that_is_a_topic():
    assert [*SINKS, "transaction"] == list(NAMED_SINKS)


@pytest.mark.parametrize(
    "guarantee",
    [
        attrs.evolve(AT_LEAST_ONCE, commit="transaction"),
        attrs.evolve(AT_LEAST_ONCE, sink="transaction"),
    ],
)
def test_half_a_transaction_is_refused(guarantee):
    with pytest.raises(BadInput, match="commits in transactions need a sink in transactions"):
        simulate(scenario(guarantee))


@pytest.mark.parametrize(
    "faults",
    [(), (Crash("billing-1", "before_commit"),), (Crash("billing-reader-0", "after_process"),)],
)
def test_transactions_and_a_reader_that_counts_each_place_once_are_exactly_once(faults):
    trace = simulate(few_orders(EXACTLY_ONCE_TRANSACTIONS, faults=FaultPlan(faults)))

    for name in ("never_lost", "never_applied_twice", "exactly_once_output", "drained"):
        assert CHECKS[name](trace), name


def test_a_handler_of_ones_own_takes_the_place_of_the_sink():
    handled = []

    def factory(context):
        return lambda record: handled.append(record.event_id)

    simulate(scenario(AT_LEAST_ONCE, handler=factory))

    assert handled == ["e1", "e2", "e3", "e4"]


def test_what_the_scenario_says_of_its_consumers_and_topics_is_deployed():
    """Two topics by explicit items, three instances, a group of another name, a slow handler."""
    stream = tuple(
        WorkItem(number, topic, "k", "v", f"e{number}")
        for number, topic in enumerate(["orders", "payments"])
    )
    trace = simulate(
        Scenario(
            topology=Topology(topics=(Topic("orders", 2), Topic("payments", 2))),
            workload=Workload(items=stream, producer="shop"),
            consumers=Consumers("readers", 3, {"max.poll.records": 1}, constant(9_000)),
            broker=QUICK,
        )
    )

    nodes = {entry[2] for entry in trace.of("partitions_assigned")}
    assert nodes == {"readers-0", "readers-1", "readers-2"}
    assert {event[1] for event in events(trace, "record_polled")} == {"orders", "payments"}
    assert {entry[2] for entry in trace.of("record_sent")} == {"shop"}


def test_a_group_reads_from_the_beginning_unless_told():
    """A record that was there before the group's first poll is applied."""
    said = Consumers(instances=1, settings={"auto.offset.reset": "latest"})
    late = attrs.evolve(scenario(AT_LEAST_ONCE), consumers=said, horizon_ms=5_000)

    assert len(events(simulate(scenario(AT_LEAST_ONCE)), "effect_applied")) == 4
    assert len(events(simulate(late), "effect_applied")) == 0


def test_an_application_is_deployed_instead():
    trace = simulate(Scenario(application=lambda cluster: cluster.topic("other")))

    assert events(trace, "record_sent") == []
    assert events(trace, "run_ended") == [("quiet",)]
