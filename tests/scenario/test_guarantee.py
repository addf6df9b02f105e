"""What each guarantee's word means."""

import pickle

import pytest

from simulator.errors import BadInput
from simulator.scenario.guarantee import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    GUARANTEES,
    IN_MEMORY_SET,
    Guarantee,
)
from simulator.scenario.spelling import spelled


@pytest.mark.parametrize(
    ("name", "commit", "sink", "promises"),
    [
        ("at-most-once", "before", "naive", {"never_applied_twice"}),
        ("at-least-once", "after", "naive", {"never_lost"}),
        ("exactly-once", "after", "idempotent", {"never_lost", "never_applied_twice"}),
        (
            "exactly-once-transactions",
            "transaction",
            "transaction",
            {"never_lost", "never_applied_twice"},
        ),
        ("in-memory-set", "after", "memory", {"never_lost", "never_applied_twice"}),
    ],
)
def test_a_guarantee_is_found_by_its_name(name, commit, sink, promises):
    guarantee = GUARANTEES[name]

    assert guarantee.name == name
    assert (guarantee.commit, guarantee.sink) == (commit, sink)
    assert set(guarantee.promises) == promises
    assert guarantee.producer["acks"] == "all"


def test_at_most_once_never_sends_again():
    assert AT_MOST_ONCE.producer["retries"] == 0
    assert AT_MOST_ONCE.producer["enable.idempotence"] is False
    assert AT_LEAST_ONCE.producer["enable.idempotence"] is True


def test_without_a_producer_id_nothing_is_promised_under_duplication():
    assert "duplicate" not in AT_MOST_ONCE.fault_classes
    assert "duplicate" in AT_LEAST_ONCE.fault_classes


def test_at_one_replica_nothing_is_promised_under_loss_of_a_disk():
    assert all("disk" not in guarantee.fault_classes for guarantee in GUARANTEES.values())


def test_the_set_in_memory_promises_what_exactly_once_does():
    assert IN_MEMORY_SET.promises == EXACTLY_ONCE.promises
    assert IN_MEMORY_SET.fault_classes == EXACTLY_ONCE.fault_classes


def test_settings_cannot_be_changed_behind_its_back():
    settings = {"acks": "all"}
    guarantee = Guarantee("mine", producer=settings)
    settings["acks"] = "0"

    assert guarantee.producer == {"acks": "all"}
    with pytest.raises(TypeError):
        guarantee.producer["acks"] = "1"


def test_a_guarantee_is_a_value():
    again = pickle.loads(pickle.dumps(AT_LEAST_ONCE))

    assert again == AT_LEAST_ONCE
    assert len({again, AT_LEAST_ONCE, AT_MOST_ONCE}) == 2
    assert Guarantee("mine", producer={"acks": "all"}) != Guarantee("mine")
    assert repr(again.producer) == "{'acks': 'all', 'enable.idempotence': True}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"commit": "afterwards"}, r"Guarantee\.commit: .*'afterwards' .did you mean 'after'"),
        ({"sink": "idempotant"}, "did you mean 'idempotent'"),
        ({"promises": ("never_lots",)}, "did you mean 'never_lost'"),
        ({"promises": "never_lost"}, "must be a tuple or a list"),
        ({"promises": ("never_lost", "never_lost")}, "stands twice: 'never_lost'"),
        ({"fault_classes": ("choice",)}, "fault_classes: must be taken from"),
        ({"producer": [("acks", 1)]}, "must be a mapping of settings"),
        ({"producer": {"acks": None}}, "the setting acks cannot have the value"),
        ({"producer": {"acks": [1]}}, "the setting acks cannot have the value"),
        ({"producer": {"linger.ms": float("nan")}}, "cannot have the value nan"),
        ({"producer": {3: 4}}, "a setting's name must be text: 3"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        Guarantee("mine", **fields)


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE])
def test_a_guarantee_is_spelled_as_python_that_makes_it(guarantee):
    """What a failing run of a drawn guarantee prints can be pasted: settings are a dict."""
    assert eval(spelled(guarantee), {"Guarantee": Guarantee}) == guarantee
