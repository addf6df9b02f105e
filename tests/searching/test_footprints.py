"""What cannot be told apart is run once: the same histories, from far fewer runs.

Twenty-five small configurations, with every tie in the scope, are searched with and without the
cache of beginnings: with one or two events, consumers, brokers and partitions, three guarantees,
and at most one crash or one lost message.
"""

from typing import Any

import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    Consumers,
    Topic,
    Topology,
    all_of,
    constant,
    never_applied_twice,
    never_lost,
)
from simulator.chance.dice import Dice
from simulator.chance.exhaustive import Exhaustive
from simulator.chance.scope import Scope
from simulator.searching.footprints import Histories
from simulator.searching.prove import prove
from simulator.searching.schedules import judged
from simulator.searching.staging import Stage, keeps_to_itself
from tests.few_orders import few_orders
from tests.searching.small import IMPATIENT, consumed

GUARANTEES = (AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE)
# Nobody beats or comes back empty-handed while the runs last: that would only add ties.
QUIET = {
    **IMPATIENT,
    "session.timeout.ms": 3_500,
    "heartbeat.interval.ms": 3_000,
    "fetch.max.wait.ms": 3_000,
}
FAULTS = ((), ("crash@billing-*/after_process",), ("drop@*/OffsetCommitRequest",),
          ("drop@*/ProduceResponse",))  # fmt: skip
OPENS = ("batch_appended", "record_polled", "effect_applied", ("record_sent", 2))
CHECK = all_of(never_lost, never_applied_twice)
# Of the first drawn those with 13 to 500 schedules: fewer show nothing, more take their time.
CONFIGURATIONS = (
    1, 3, 7, 8, 10, 13, 16, 18, 19, 21, 26, 27, 32,
    40, 42, 46, 51, 52, 55, 60, 62, 63, 67, 69, 74,
)


def configuration(number: int) -> tuple[Any, Scope]:
    """A scenario and a scope, drawn; the same ones each time."""
    dice = Dice("footprints", number)
    events, consumers, brokers, partitions = (1 + dice.below(2) for _ in range(4))
    scenario = few_orders(
        GUARANTEES[dice.below(3)],
        events=events,
        per_s=(1_000, 500)[dice.below(2)],
        topology=Topology(brokers=brokers, topics=(Topic("orders", partitions),)),
        consumers=Consumers(
            instances=consumers, settings=QUIET, processing=constant(1_000 * dice.below(2))
        ),
        producer={"request.timeout.ms": 300},
    )
    sites = ("tie@*", *FAULTS[dice.below(4)])
    return scenario, Scope(sites, {"crash": 1, "drop": 1}, opens=OPENS[dice.below(4)])


def searched(
    scenario: Any, scope: Scope, histories: Histories, *, ordered: bool
) -> tuple[dict[Any, Any], int]:
    """Every history with its verdict, and how many runs it took."""
    chooser = Exhaustive(scope)
    stage = Stage((), chooser, alike=False, histories=histories, ordered=ordered)
    found = {}
    while chooser.more():
        verdict = judged(scenario, chooser, CHECK, stage)
        if verdict is not None:
            found[histories.present()] = verdict.status
    return found, chooser.runs


def test_the_cache_finds_the_same_histories_in_a_fifth_of_the_runs():
    """Of all configurations together; each of them has the very same set, with its verdicts."""
    with_cache = without = 0
    for number in CONFIGURATIONS:
        scenario, scope = configuration(number)
        histories = Histories()  # One numbering for both: equal numbers, equal histories.
        each, many = searched(scenario, scope, histories, ordered=False)
        once, fewer = searched(scenario, scope, histories, ordered=True)
        assert once == each, (number, scope)
        assert fewer <= many
        with_cache, without = with_cache + fewer, without + many

    assert len(CONFIGURATIONS) == 25
    assert without >= 5 * with_cache, (without, with_cache)


def test_histories_do_not_know_the_order_of_unrelated_things():
    histories = Histories()
    a, b = (1, 5, "a", (), ("node_paused", 1)), (2, 5, "b", (), ("node_paused", 1))
    numbers = []
    for entries in ((a, b), (b, a)):
        observers = dict(histories.begin())
        for entry in entries:
            observers["node_paused"](entry)
        numbers.append(histories.present())

    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("change", ["time", "order on a node", "cause"])
def test_histories_know_times_order_and_causes(change):
    def numbered(entries, histories):
        observers = dict(histories.begin())
        for entry in entries:
            observers[entry[4][0]](entry)
        return histories.present()

    first = [
        (1, 5, "a", (), ("node_paused", 1)),
        (2, 5, "a", (), ("node_resumed",)),
        (3, 6, "b", (1,), ("node_resumed",)),
    ]
    match change:
        case "time":
            other = [*first[:2], (3, 7, "b", (1,), ("node_resumed",))]
        case "order on a node":
            other = [(1, 5, *first[1][2:]), (2, 5, *first[0][2:]), first[2]]
        case _:
            other = [*first[:2], (3, 6, "b", (2,), ("node_resumed",))]
    histories = Histories()

    assert numbered(first, histories) != numbered(other, histories)
    assert numbered(first, histories) == numbered(first, histories)


def test_a_proof_with_ties_uses_the_cache_unless_handlers_may_share():
    """A handler of one's own is not trusted to keep to its node, unless that is said."""

    def own(context):
        ledger = context.store("ledger")

        def handle(record):
            yield ledger.transact()

        return handle

    def proof(scenario, **more):
        return prove(
            scenario, never_lost, ("tie@*",), opens="batch_appended", most=300, **more
        )

    trusted = consumed(messages=1)
    with_handler = consumed(messages=1, handler=own)

    assert keeps_to_itself(trusted)
    assert not keeps_to_itself(with_handler)
    assert proof(trusted).covered > 0
    assert proof(with_handler).covered == 0
    assert proof(with_handler, shares_nothing=True).covered > 0


@pytest.mark.parametrize("bounds", [{"tie": 1}, {}])
def test_bounded_ties_keep_their_order_in_a_beginning(bounds):
    """Where not all orders are tried, an order is not free; the search is sound all the same."""
    scenario, _ = configuration(CONFIGURATIONS[0])
    scope = Scope(("tie@*",), bounds, None if bounds else 1, opens="batch_appended")
    histories = Histories()

    each, _ = searched(scenario, scope, histories, ordered=False)
    once, _ = searched(scenario, scope, histories, ordered=True)

    assert once == each
