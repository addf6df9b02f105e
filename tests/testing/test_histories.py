"""Drawn histories are what they say: legal, or spoilt by one anomaly, as the judge names it."""

import pytest
from hypothesis import HealthCheck, find, given, settings

from simulator.errors import BadInput
from simulator.histories.judging import judge_operations
from simulator.histories.reading import history_of
from simulator.testing.histories import SPOILERS, histories

FEW = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
HARMLESS = {"empty-transaction-graph"}  # Nothing has happened.


def judged(history):
    recorded = history_of(history)
    return judge_operations(recorded.operations, recorded.options)


@FEW
@given(histories())
def test_a_legal_history_has_no_anomaly(history):
    assert {*judged(history).bad} <= HARMLESS


@pytest.mark.parametrize("anomaly", SPOILERS)
def test_a_spoilt_history_has_its_anomaly(anomaly):
    @FEW
    @given(histories(anomaly))
    def spoilt(history):
        assert anomaly in judged(history).met

    spoilt()


SIZES = ({}, {"steps": 1}, {"processes": 1, "keys": 1, "steps": 6})


@pytest.mark.parametrize("anomaly", SPOILERS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_spoilt_history_is_drawn_in_vain(anomaly, size):
    """Hypothesis gives up where most of what is drawn is rejected; so do those who use it."""

    @settings(max_examples=60, derandomize=True, database=None, deadline=None)
    @given(histories(anomaly, **size))
    def spoilt(history):
        assert anomaly in judged(history).met

    spoilt()


def test_the_simplest_history_is_one_read_of_nothing():
    invoked, ended = find(histories(), lambda _: True, settings=FEW)

    assert (invoked["type"], ended["type"]) == ("invoke", "ok")
    assert ended["value"] == [["poll", {}]]


def test_a_history_shrinks_to_what_is_asked_for():
    """One failed send, and the read at the end; and it can be pasted."""
    history = find(
        histories(), lambda ops: any(one["type"] == "fail" for one in ops), settings=FEW
    )

    assert [(one["f"], one["type"]) for one in history] == [
        ("send", "invoke"), ("send", "fail"), ("poll", "invoke"), ("poll", "ok")
    ]  # fmt: skip
    assert eval(repr(history)) == history


def test_sends_of_several_processes_overlap():
    def overlaps(history):
        return [one["type"] for one in history[:2]] == ["invoke", "invoke"]

    assert find(histories(), overlaps, settings=FEW)


@pytest.mark.parametrize(("asked", "said"), [({"spoilt": "meteor"}, "nobody can plant"),
                                             ({"spoilt": ["G1a"]}, "nobody can plant"),
                                             ({"keys": 0}, "histories.keys: .* from 1, not 0"),
                                             ({"steps": "3"}, "steps: .* from 1, not '3'")])
def test_what_cannot_be_drawn_is_refused(asked, said):
    with pytest.raises(BadInput, match=said):
        histories(**asked)
