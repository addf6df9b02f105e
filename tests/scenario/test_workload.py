"""A workload's events follow from its data and its chooser alone."""

import json
import math
from itertools import pairwise

import pytest

from simulator.chance.choosers import Recording, Seeded, Zero
from simulator.errors import BadInput
from simulator.scenario.workload import (
    WorkItem,
    Workload,
    bursts,
    cumulative_weights,
    hot_key,
    no_keys,
    poisson,
    skewed_keys,
    steady,
    uniform_keys,
)


def stream(seed=1, **fields):
    return list(Workload(**fields).stream(Seeded(seed)))


def times(arrivals, events=6):
    return [item.at_us for item in stream(arrivals=arrivals, events=events)]


# --- When ----------------------------------------------------------------------------------


def test_steady_events_come_at_equal_distances():
    assert times(steady(4)) == [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000]


def test_a_period_that_is_no_whole_number_of_microseconds_does_not_add_up_errors():
    """The n-th event is at floor(n/3 s), not at n times a rounded third."""
    assert times(steady(3), 7)[1::2] == [333_333, 1_000_000, 1_666_666]
    assert times(steady(0.5), 3) == [0, 2_000_000, 4_000_000]


def test_bursts_come_together():
    assert times(bursts(2, 10), 5) == [0, 0, 10_000, 10_000, 20_000]


def test_poisson_events_come_at_their_rate_and_in_order():
    found = times(poisson(50), 5_000)

    assert all(earlier <= later for earlier, later in pairwise(found))
    assert found[-1] == pytest.approx(100_000_000, rel=0.05)


# --- Under which key -----------------------------------------------------------------------


def shares(keys, events=20_000):
    counted = {}
    for item in stream(keys=keys, events=events):
        counted[item.key] = counted.get(item.key, 0) + 1
    return {key: count / events for key, count in counted.items()}


def test_uniform_keys_are_as_frequent_as_each_other():
    found = shares(uniform_keys(4))

    assert sorted(found) == ["k0", "k1", "k2", "k3"]
    assert all(share == pytest.approx(0.25, abs=0.02) for share in found.values())


def test_skewed_keys_follow_zipfs_law():
    found = shares(skewed_keys(3, 1))

    assert found["k0"] == pytest.approx(6 / 11, abs=0.02)
    assert found["k1"] == pytest.approx(3 / 11, abs=0.02)
    assert found["k2"] == pytest.approx(2 / 11, abs=0.02)


def test_zipfs_weights_are_these_integers_on_every_platform():
    assert cumulative_weights(skewed_keys(4, 1.1)) == (1048576, 1537754, 1850914, 2079123)


def test_a_hot_key_gets_its_share():
    found = shares(hot_key(5, 0.6))

    assert found["k0"] == pytest.approx(0.6, abs=0.02)
    assert found["k4"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("share", "keys"), [(0, {"k1", "k2"}), (1, {"k0"})])
def test_a_hot_key_may_get_all_or_nothing(share, keys):
    assert set(shares(hot_key(3, share), 500)) == keys


def test_a_single_hot_key_is_the_only_one():
    assert set(shares(hot_key(1, 0.2), 50)) == {"k0"}


def test_without_keys_the_key_is_none():
    assert set(shares(no_keys(), 50)) == {None}


# --- Chance --------------------------------------------------------------------------------


def test_a_workload_draws_at_two_sites_only():
    chooser = Recording(Seeded(3))
    list(Workload(arrivals=poisson(5), keys=skewed_keys(9, 1.5)).stream(chooser))

    sites = {site for site, _ in chooser.witness}
    assert sites == {"arrival@orders-producer", "key@orders-producer"}


def test_under_one_seed_other_keys_come_at_the_same_times():
    few = stream(arrivals=poisson(5), keys=uniform_keys(2))
    many = stream(arrivals=poisson(5), keys=skewed_keys(90, 1))

    assert [item.at_us for item in few] == [item.at_us for item in many]
    assert [item.key for item in few] != [item.key for item in many]


def test_the_same_seed_gives_the_same_events_and_another_others():
    fields = {"arrivals": poisson(5)}

    assert stream(1, **fields) == stream(1, **fields)
    assert stream(1, **fields) != stream(2, **fields)


def test_without_chance_all_come_at_once_under_the_first_key():
    found = list(Workload(arrivals=poisson(5), events=3).stream(Zero()))

    assert [(item.at_us, item.key) for item in found] == [(0, "k0")] * 3


# --- The events ----------------------------------------------------------------------------


def test_an_event_is_named_and_is_an_envelope():
    first, second = stream(events=2, keys=uniform_keys(1), arrivals=bursts(1, 90_061_001))

    assert (first.event_id, second.event_id) == ("e1", "e2")
    assert (first.topic, first.key) == ("orders", "k0")
    assert json.loads(second.value) == {
        "event_type": "orders",
        "schema_version": 1,
        "event_id": "e2",
        "ts": "1970-01-02T01:01:01.001000Z",
        "payload": {"key": "k0"},
    }
    assert json.loads(stream(events=1, keys=no_keys())[0].value)["payload"] == {"key": None}


def test_the_value_is_what_json_would_write_with_sorted_keys():
    for item in stream(events=3):
        assert json.dumps(json.loads(item.value), sort_keys=True) == item.value


def item(at_us=0, event_id="e1", topic="orders", key="k", value="v"):
    return WorkItem(at_us, topic, key, value, event_id)


def test_explicit_items_win():
    items = [item(), item(5, "e2", "payments", None)]
    workload = Workload(items=items, events=9)

    assert list(workload.stream(Seeded(1))) == items
    assert workload.size == 2
    assert workload.topics == ("orders", "payments")
    assert Workload(events=9).size == 9


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([item(5), item(4, "e2")], r"items\[1\]: comes after an item at 5 us but is at: 4"),
        ([item(), item(1)], r"items\[1\]: has the event id of items\[0\]: 'e1'"),
        ([item(-1)], "at_us must be a whole number from 0: -1"),
        ([item(0.5)], "at_us must be a whole number from 0: 0.5"),
        ([item(topic="a b")], "topic is not a name: 'a b'"),
        ([item(key=3)], "key must be text or None: 3"),
        ([item(value={})], "value must be text: {}"),
        ([item(event_id="")], "event_id must be text: ''"),
        ([(1, 2)], r"must hold work items: \(1, 2\)"),
        (item(), "must hold work items: 0"),
        ("abc", "must be a tuple or a list: 'abc'"),
    ],
)
def test_items_are_checked(items, said):
    with pytest.raises(BadInput, match=said):
        Workload(items=items)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, 10**400, True, "5", None])
def test_a_rate_is_a_finite_number_above_0(rate):
    for arrivals in (steady, poisson):
        with pytest.raises(BadInput, match=r"per_s: must be a finite number above 0"):
            arrivals(rate)


def test_poisson_events_are_at_most_one_a_microsecond():
    with pytest.raises(BadInput, match="at most one a microsecond: 2000000"):
        poisson(2_000_000)


@pytest.mark.parametrize(
    "make",
    [
        lambda: bursts(0, 1),
        lambda: bursts(1, 0),
        lambda: uniform_keys(0),
        lambda: uniform_keys(2.0),
        lambda: skewed_keys(3, 0),
        lambda: skewed_keys(3, math.nan),
        lambda: hot_key(3, 1.5),
        lambda: Workload(events=-1),
        lambda: Workload(events=True),
        lambda: Workload(topic="a/b"),
        lambda: Workload(producer=""),
        lambda: Workload(arrivals=5),
        lambda: Workload(keys="uniform"),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    with pytest.raises(BadInput):
        make()


@pytest.mark.parametrize("arrivals", [steady(1e-300), poisson(1e-12), bursts(1, 10**15)])
def test_events_that_would_come_after_the_year_9999_are_refused(arrivals):
    """No timestamp tells of it."""
    with pytest.raises(BadInput, match="would last until after the year 9999"):
        Workload(events=500, arrivals=arrivals)
    assert Workload(events=0, arrivals=arrivals).size == 0


@pytest.mark.parametrize("exponent", [400.0, 1e300])
def test_of_keys_that_are_ever_so_skewed_all_but_one_are_rare(exponent):
    assert cumulative_weights(skewed_keys(4, exponent)) == (1048576, 1048577, 1048578, 1048579)
