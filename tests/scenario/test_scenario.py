"""The parts of a scenario fit together, or the one that does not is named."""

import copy
import pickle
import subprocess
import sys

import attrs
import pytest

from simulator.errors import BadInput
from simulator.scenario.faults import Crash, Drop, FaultPlan, Pause
from simulator.scenario.guarantee import AT_LEAST_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem, Workload


def test_a_scenario_needs_nothing_to_be_said():
    scenario = Scenario()

    assert scenario.guarantee is AT_LEAST_ONCE
    assert scenario.node_names == ("broker-0", "orders-producer", "billing-0", "billing-1")
    assert (scenario.horizon_ms, scenario.heal_after_ms) == (1_200_000, None)


def test_a_scenario_cannot_be_changed_but_evolved():
    scenario = Scenario(broker={"num.partitions": 3})

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        scenario.horizon_ms = 3
    with pytest.raises(TypeError):
        scenario.broker["num.partitions"] = 4
    assert attrs.evolve(scenario, horizon_ms=3).broker == {"num.partitions": 3}


def test_a_scenario_is_a_value():
    """It goes to other processes, stands in sets, and equals its copies."""
    scenario = Scenario(
        broker={"num.partitions": 3},
        consumers=Consumers(settings={"session.timeout.ms": 10_000}),
        faults=FaultPlan((Crash("billing-0", "after_process"),)),
    )
    again = pickle.loads(pickle.dumps(scenario))

    assert again == scenario == copy.deepcopy(scenario)
    assert len({again, scenario, Scenario()}) == 2
    assert scenario != Scenario()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"workload": Workload(topic="order")},
            r"Scenario\.workload\.topic: is no topic: 'order' \(did you mean 'orders'",
        ),
        (
            {"workload": Workload(items=(WorkItem(0, "payments", None, "", "e1"),))},
            r"is no topic: 'payments' \(known: orders\)",
        ),
        ({"topology": Topology(topics=())}, "is no topic: 'orders'"),
        ({"workload": Workload(producer="billing-1")}, "two nodes have the name: 'billing-1'"),
        ({"consumers": Consumers(group="broker")}, "two nodes have the name: 'broker-0'"),
        (
            {"faults": FaultPlan((Pause("billing-2", 1, 1),))},
            r"Scenario\.faults: Pause\(.*is of no node: 'billing-2' \(did you mean",
        ),
        (
            {"faults": FaultPlan((Drop("broker-1", "billing-0", "FetchResponse"),))},
            "is of no node: 'broker-1'",
        ),
        ({"horizon_ms": -1}, r"Scenario\.horizon_ms: must be a whole number from 0: -1"),
        ({"horizon_ms": 2.7}, "2.7"),
        ({"heal_after_ms": True}, r"Scenario\.heal_after_ms: .*True"),
        ({"event_budget": 0}, "from 1: 0"),
        ({"guarantee": "at-least-once"}, "must be a Guarantee: 'at-least-once'"),
        ({"workload": None}, "must be a Workload: None"),
        ({"application": 3}, "must be a function or None: 3"),
        ({"broker": {"a": None}}, "the setting a cannot have the value"),
    ],
)
def test_what_does_not_fit_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        Scenario(**fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"instances": -1}, "from 0 to 1000: -1"),
        ({"group": "a b"}, r"Consumers\.group: is not a name"),
        ({"processing": 5}, "must be a delay law: 5"),
        ({"poll_timeout_ms": -1}, "poll_timeout_ms"),
        ({"handler": "f"}, "must be a function or None: 'f'"),
    ],
)
def test_consumers_are_checked(fields, said):
    with pytest.raises(BadInput, match=said):
        Consumers(**fields)


def test_a_store_or_a_models_nodes_may_fail():
    """Which nodes a model has, only its run can tell."""
    ledger = Crash("ledger", at_ms=3)
    crossing = Crash("broker-9", at_ms=3)

    assert Scenario(faults=FaultPlan((ledger,))).faults.timed == (ledger,)
    assert Scenario(faults=FaultPlan((crossing,)), application=print).faults.timed == (crossing,)


def test_a_scenario_without_files_loads_nothing_heavy():
    """`tomllib`, `cattrs`, `csv` and their like are loaded by who reads a file."""
    code = (
        "import sys, simulator.scenario.scenario, simulator.scenario.event_log\n"
        "heavy = {'cattrs', 'tomllib', 'csv', 'json', 'datetime'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert found.strip() == "[]"


def test_a_mistyped_topic_is_refused_though_explicit_items_overrule_it():
    items = (WorkItem(0, "orders", None, "v", "e1"),)
    with pytest.raises(BadInput, match=r"'ordrs' \(did you mean 'orders'"):
        Scenario(workload=Workload(topic="ordrs", items=items))


def test_items_of_another_topic_do_not_need_the_default_one():
    items = (WorkItem(0, "payments", None, "v", "e1"),)
    topology = Topology(topics=(Topic("payments"),))

    assert Scenario(topology=topology, workload=Workload(items=items)).workload.topics == (
        "payments",
    )
