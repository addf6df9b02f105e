"""Drawn workloads are valid and small; event by event they shrink to the events that matter."""

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import simulator
from simulator import BadInput, WorkItem, Workload, Zero
from simulator.scenario.spelling import spelled
from simulator.testing.quick import quick
from simulator.testing.workloads import workloads

FEW = quick(max_examples=50, derandomize=True, database=None, print_blob=False)
NAMES = {name: getattr(simulator, name) for name in simulator.__all__}


@FEW
@given(workloads(events=6, least=2, keys=2))
def test_a_workload_is_within_its_bounds(workload):
    sent = list(workload.stream(Zero()))

    assert 2 <= len(sent) <= 6
    assert {item.key for item in sent} <= {"k0", "k1", None}
    assert workload.topics == ("orders",)


@FEW
@given(workloads())
def test_a_workload_can_be_pasted(workload):
    assert eval(spelled(workload), dict(NAMES)) == workload


@FEW
@given(workloads(("orders", "bills")))
def test_events_to_several_topics_come_one_by_one(workload):
    assert workload.items
    assert {*workload.topics} <= {"orders", "bills"}


def test_the_smallest_workload_is_one_event_at_once():
    found = find(workloads(), lambda _: True, settings=FEW)

    ((at_us, topic, key, _, event_id),) = found.items
    assert (at_us, topic, key, event_id) == (0, "orders", "k0", "e1")


def test_a_workload_shrinks_to_the_events_that_matter():
    """Two keys are two events, at one instant."""
    found = find(
        workloads(keys=5),
        lambda workload: len({item.key for item in workload.items}) == 2,
        settings=quick(max_examples=500, derandomize=True, database=None),
    )

    assert [(item.at_us, item.key) for item in found.items] == [(0, "k0"), (0, "k1")]


def test_a_law_and_its_absence_can_be_asked_for():
    assert find(workloads(by_law=True), lambda _: True, settings=FEW) == Workload(
        events=1, arrivals=simulator.steady(10), keys=simulator.uniform_keys(1)
    )
    with pytest.raises(NoSuchExample):
        find(workloads(by_law=False), lambda workload: not workload.items, settings=FEW)


@FEW
@given(workloads(values=st.sampled_from(["a", "b"])))
def test_values_can_be_given(workload):
    assert {item.value for item in workload.items} <= {"a", "b"}


def test_a_failing_example_is_printed_as_its_making():
    @FEW
    @given(workloads())
    def single(workload):
        assert workload.size == 1

    with pytest.raises(AssertionError) as caught:
        single()
    printed = "\n".join(caught.value.__notes__).partition("single")[2]

    made = eval(f"dict{printed}", dict(NAMES))["workload"]
    assert made.size == 2
    assert all(isinstance(item, WorkItem) for item in made.items)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"events": 2, "least": 3}, "events from least on"),
        ({"events": 0}, "workloads.events: must be a whole number from 1, not 0"),
        ({"events": 1.5}, "workloads.events: must be a whole number from 1, not 1.5"),
        ({"least": -1}, "workloads.least: must be a whole number from 0, not -1"),
        ({"keys": None}, "workloads.keys: must be a whole number from 1, not None"),
        ({"values": ["a"]}, r"workloads.values: must be a strategy of Hypothesis, not \['a'\]"),
        ({"topics": ()}, "needs a topic"),
        ({"topics": ("a", "b"), "by_law": True}, r"goes to one topic, not to \('a', 'b'\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(asked, said):
    with pytest.raises(BadInput, match=said):
        workloads(**asked)
