"""Keys, topics and order: what each choice does, and the checks that say so."""

import pytest

from models.systems.orders import LIFE, TOPIC, naive, orders_scenario, work
from models.topics.accounts import BALANCES, CHANGES, Change, plan, rebuilt, truth
from models.topics.designs import (
    BY_AGGREGATE,
    BY_TYPE,
    DESIGNS,
    OF_ALL,
    OF_ORDERS,
    OF_PAGES,
    UNIVERSAL,
    VIEWED,
    page_views,
    wanting,
)
from models.topics.keys import KEYS, by_chance, by_order, by_type, keyed, split, unkeyed
from models.topics.load import Load
from models.topics.loss import told_by_warning
from models.topics.order import aggregate_order, in_order_of
from models.topics.pace import within
from simulator import (
    Consumers,
    Scenario,
    Seeded,
    Status,
    Topic,
    Topology,
    Trace,
    simulate,
)
from tests.tiny_traces import tiny

ITEMS = work(6, every_us=5_000, from_us=8_000_000)
BROKEN, KEPT, CANNOT_TELL = Status.BROKEN, Status.KEPT, Status.CANNOT_TELL


# --- Keys ------------------------------------------------------------------------------------


def test_a_key_is_the_orders_id_its_events_type_one_of_its_own_or_none():
    item = next(one for one in ITEMS if one.event_id == "o-2/OrderShipped")

    assert by_order(item) == "o-2"
    assert by_type(item) == "OrderShipped"
    assert by_chance(item, 7) == "7:o-2/OrderShipped"
    assert unkeyed(item) is None


def test_a_split_key_is_given_in_parts_in_turn():
    item = ITEMS[0]
    keys = [split(item._replace(key="k0", event_id=f"k0/e{number}"), 3) for number in range(9, 13)]

    assert keys == ["k0#0", "k0#1", "k0#2", "k0#0"]
    assert split(item._replace(key="k0", event_id="once"), 3) == "k0#0"


@pytest.mark.parametrize("name", KEYS)
def test_other_keys_are_all_that_changes(name):
    changed = keyed(ITEMS, KEYS[name], 3)

    assert [one._replace(key=None) for one in changed] == [one._replace(key=None) for one in ITEMS]


@pytest.mark.parametrize("name", KEYS)
def test_one_partition_keeps_every_order_and_of_many_only_the_orders_key_does(name):
    """So that random keys are seen to break it, some runs are tried."""

    def verdict(partitions, seed):
        scenario = orders_scenario(
            items=keyed(work(30, 5_000, 8_000_000), KEYS[name], seed),
            topology=Topology(topics=(Topic(TOPIC, partitions),)),
            consumers=Consumers(instances=3, handler=naive),
        )
        return aggregate_order(simulate(scenario, Seeded(seed))).status

    assert verdict(1, 0) is KEPT
    assert (BROKEN in [verdict(12, seed) for seed in range(3)]) == (name != "order id")


# --- Designs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("design", "topics", "for_billing"),
    [
        (BY_AGGREGATE, (OF_ORDERS, OF_PAGES), (OF_ORDERS,)),
        (BY_TYPE, (*LIFE, VIEWED), LIFE),
        (UNIVERSAL, (OF_ALL,), (OF_ALL,)),
    ],
)
def test_a_design_says_which_topics_there_are_and_which_of_them_a_reader_must_read(
    design, topics, for_billing
):
    assert tuple(topic.name for topic in design.topics((*LIFE, VIEWED), 3)) == topics
    assert {topic.partitions for topic in design.topics(LIFE, 3)} == {3}
    assert design.read_by(LIFE) == for_billing


@pytest.mark.parametrize("design", DESIGNS)
def test_events_are_placed_by_their_type_and_nothing_else_changes(design):
    items = (*ITEMS, *page_views(3, 1_000))
    placed = design.placed(items)

    assert [one._replace(topic="") for one in placed] == [one._replace(topic="") for one in items]
    assert {one.topic for one in placed} == set(design.read_by((*LIFE, VIEWED)))


def test_a_reader_passes_over_what_it_does_not_want_having_read_it():
    load = Load()
    scenario = orders_scenario(
        items=ITEMS, consumers=Consumers(instances=1, handler=wanting(LIFE[:1], naive))
    )
    simulate(scenario, observers=load.observers())

    assert load.in_vain == (12, 18)
    assert load.delivery.applied == 6


# --- Order, pace, loss -------------------------------------------------------------------------

SWAPPED = ("p: sent e1", "p: sent e2", "s: applied e2 t", "s: applied e1 t")
SENT = ("p: sent o-1/a", "p: sent o-1/b", "p: sent o-2/a")


def test_an_aggregates_effects_in_the_order_of_sending_are_in_order():
    verdict = aggregate_order(
        tiny(*SENT, "s: applied o-2/a t", "s: applied o-1/a t", "s: applied o-1/b t")
    )

    assert verdict
    assert verdict.reached == 3


def test_an_effect_after_a_later_one_of_its_aggregate_is_out_of_order_whatever_its_key():
    verdict = aggregate_order(tiny(*SENT, "s: applied o-1/b t", "s: applied o-1/a t"))

    assert verdict.status is BROKEN
    assert verdict.evidence[0].event_ids == ("o-1/a", "o-1/b")
    assert verdict.entries == (3, 4)


def test_only_an_events_first_effect_and_first_sending_count():
    again = ("p: sent o-1/a", "s: applied o-1/a t")

    assert aggregate_order(tiny(*SENT, "s: applied o-1/a t", "s: applied o-1/b t", *again))


def test_an_event_of_no_aggregate_has_no_order():
    verdict = aggregate_order(tiny(*SWAPPED))

    assert verdict
    assert not verdict.reached


def test_what_the_aggregate_is_can_be_said():
    of_all = in_order_of(lambda _: "one", "total_order")
    verdict = of_all(tiny(*SWAPPED))

    assert (verdict.check, verdict.status) == ("total_order", BROKEN)


def test_an_event_is_in_time_or_late():
    """In these traces entries are one millisecond apart."""
    trace = tiny(*SWAPPED, "s: applied e1 t")

    assert within(3)(trace)
    assert within(3)(trace).reached == 2
    verdict = within(2, "quick")(trace)
    assert (verdict.check, verdict.status, verdict.cases) == ("quick", BROKEN, 1)


LOST = ("p: acked e1 0", "p: acked e2 1", "s: applied e2 t")


def test_what_is_missing_without_a_word_is_lost_unnoticed():
    check = told_by_warning()

    assert check(tiny(*LOST, "quiet")).status is BROKEN
    assert check(tiny(*LOST, "quiet")).evidence[0].event_ids == ("e1",)
    assert check(tiny(*LOST, "s: applied e1 t", "quiet")).status is KEPT


def test_what_is_missing_in_a_run_that_was_cut_cannot_be_told():
    assert told_by_warning()(tiny(*LOST)).status is CANNOT_TELL


def test_a_node_that_says_that_it_stops_has_lost_nothing_unnoticed():
    trace = Trace()
    for event in (
        ("record_acknowledged", "e1", "orders", 0, 0),
        ("warned", "billing-0 stops: NoOffsetForPartition"),
        ("run_ended", "horizon"),
    ):
        trace.record(0, "billing-0", (), event)

    assert told_by_warning()(trace).status is KEPT


# --- Load --------------------------------------------------------------------------------------


def test_a_load_counts_what_a_run_stored_read_and_left_behind():
    load = Load()
    simulate(
        orders_scenario(items=ITEMS, consumers=Consumers(instances=0)),
        Seeded(1),
        observers=load.observers(),
    )

    assert sum(load.stored.values()) == 18
    assert load.busiest == (max(load.stored.values()), 18)
    assert 0 < load.backlog <= len(load.acknowledged_us) == 18
    assert load.stored_twice == (0, 18)
    assert (load.read, load.failed, load.stopped) == (0, 0, False)


def test_a_run_without_records_has_no_busiest_partition():
    load = Load()
    simulate(Scenario(application=lambda _: None), observers=load.observers())

    assert load.busiest is None
    assert load.out_of_order == (0, 0)


# --- Accounts ------------------------------------------------------------------------------------


def test_the_truth_is_the_sum_of_an_accounts_changes_until_it_is_closed():
    changes = [Change(0, "a", 3), Change(1, "b", 2), Change(2, "a", 4), Change(3, "b", None)]

    assert truth(changes) == {"a": 7}


def test_a_plan_changes_each_account_in_turn_and_closes_the_first():
    changes = plan(3, 2, 1, every_us=10)

    assert [change.account for change in changes] == ["a-0", "a-1", "a-2"] * 2 + ["a-0"]
    assert [change.at_us for change in changes] == list(range(0, 70, 10))
    assert sorted(truth(changes)) == ["a-1", "a-2"]


def test_a_reader_is_right_if_it_notes_no_account_as_wrong():
    assert {CHANGES, BALANCES} == {"changes", "balances"}
    for said, status in (("right", KEPT), ("wrong", BROKEN)):
        trace = Trace()
        trace.record(0, "reader", (), ("noted", said, "a-1: 3, and is 4"))

        assert rebuilt(trace).status is status
        assert rebuilt(trace).reached == 1


def test_of_a_reader_who_has_not_read_to_the_end_nobody_can_tell():
    trace = Trace()
    told = ("batch_appended", "accounts", 0, 0, ("a-1/0", "a-1/1"), 0, 0, 0)
    trace.record(0, "broker-0", (), told)
    trace.record(1, "reader", (), ("record_polled", "", "accounts", 0, 0, "a-1/0"))
    trace.record(2, "reader", (), ("noted", "wrong", "a-1: 3, and is 4"))

    verdict = rebuilt(trace)

    assert verdict.status is Status.CANNOT_TELL
    assert verdict.why == "reader had not read to the end"
