"""An outbox, its relays and its reader: nothing is lost, and nothing doubled, under any crash."""

from functools import partial

import pytest

from models.patterns.outboxes.atomic_handler import (
    atomic,
    elsewhere,
    error_queue,
    first_come,
    phases,
)
from models.patterns.outboxes.outbox import (
    LEDGER,
    Request,
    change,
    commit_then_publish,
    insert_only,
    publish_in_process,
    publish_inside,
    publish_then_commit,
    with_outbox,
    with_passing_row,
)
from models.patterns.outboxes.outbox_checks import (
    commit_order,
    never_repeated,
    no_ghost,
    no_loss,
)
from models.patterns.outboxes.outbox_promises import carried_over, nothing_doubled, nothing_lost
from models.patterns.outboxes.outbox_reading import counting, read_by, shipping
from models.patterns.outboxes.outbox_running import handling, outbox_scenario
from models.patterns.outboxes.relay_rows import (
    below_watermark,
    delete,
    move_cursor,
    one_leader,
    per_key,
    skip_locked,
    unsent,
    unsent_unlocked,
)
from models.patterns.outboxes.relays import Relay, each_by_itself
from models.patterns.outboxes.wal_relay import WalRelay, routed
from simulator import (
    CapturedChange,
    Commit,
    Drop,
    FaultPlan,
    Replay,
    RowChange,
    Status,
    explore,
    never_applied_twice,
    outbox_router,
    parse_witness,
    prove,
    simulate,
)

ONE = ((Request(50_000, "o-1", "placed"),),)
TWO = ((Request(50_000, "o-1", "placed"), Request(80_000, "o-1", "paid")),)
# Each waits for the order's row that the one before has locked.
CROWD = tuple((Request(50_000 + 2_000 * n, "o-1", f"step-{n}", 10_000),) for n in range(4))


def told(*relays, requests=TWO, publishing=with_outbox, handler=shipping, **more):
    reader = None if handler is None else read_by(handler)
    return outbox_scenario(requests, publishing, relays, reader=reader, **more)


def pair(**how):
    return [Relay(name=f"relay-{number}", **how) for number in range(2)]


# --- An outbox and a consumer ----------------------------------------------------------------


def test_a_change_of_the_database_takes_effect_once_at_the_reader_whoever_dies():
    """Service, relay, reader, database and broker: each at each of its points, any two of them."""
    proof = prove(told(Relay()), carried_over, "crash@*", budgets={"crash": 2})

    print(proof)
    assert proof
    assert "at most 2 of class crash" in str(proof)
    assert proof.schedules > 200


@pytest.mark.parametrize("relay", [Relay(done=delete), WalRelay()], ids=["delete", "log"])
def test_so_it_does_with_another_relay(relay):
    proof = prove(told(relay), carried_over, "crash@*", budgets={"crash": 1})

    print(proof)
    assert proof


def test_so_it_does_if_a_message_is_lost():
    sites = ("drop@*ledger*", "drop@*/Produce*")

    assert prove(told(Relay(), requests=ONE), carried_over, sites, budgets={"drop": 1})


@pytest.mark.parametrize(
    ("publishing", "handler", "harm"),
    [
        (commit_then_publish, shipping, nothing_lost),
        (publish_in_process, shipping, nothing_lost),
        (with_outbox, counting, nothing_doubled),
    ],
)
def test_without_either_half_one_crash_is_enough(publishing, handler, harm):
    """An outbox without an inbox doubles, an inbox without an outbox loses."""
    relays = () if publishing is publish_in_process else (Relay(),)
    scenario = told(*relays, publishing=publishing, handler=handler)
    proof = prove(scenario, carried_over, "crash@*", budgets={"crash": 1})

    assert not proof
    assert proof.counterexample.verdict.status is Status.BROKEN
    assert prove(scenario, harm, "crash@*", budgets={"crash": 1}).counterexample


# --- The service -------------------------------------------------------------------------------


@pytest.mark.parametrize("publishing", [publish_then_commit, publish_inside])
def test_who_publishes_before_the_commit_tells_of_what_may_never_be(publishing):
    given_up = ((Request(50_000, "o-1", "placed", gives_up=True),),)
    trace = simulate(told(publishing=publishing, requests=given_up))

    assert no_ghost(trace).status is Status.BROKEN
    assert "was never committed" in no_ghost(trace).explain()


@pytest.mark.parametrize("publishing", [with_outbox, commit_then_publish, with_passing_row])
def test_what_is_rolled_back_is_not_told(publishing):
    given_up = ((Request(50_000, "o-1", "placed", gives_up=True),),)
    trace = simulate(told(Relay(), publishing=publishing, requests=given_up, handler=None))

    assert not [entry for entry in trace.flat if entry[4][0] == "record_sent"]


def test_a_request_that_fails_is_its_users_matter():
    twice = ((Request(50_000, "o-1", "placed"), Request(90_000, "o-1", "placed")),)
    trace = simulate(told(Relay(), requests=twice, handler=None))
    refused = [entry[4][2] for entry in trace.flat if entry[4][:2] == ("noted", "refused")]

    assert refused == ["o-1/placed: UniqueViolation"]
    assert no_loss(trace)
    assert never_repeated(trace)


# --- Relays --------------------------------------------------------------------------------------

RELAYS = {
    "unsent": [Relay()],
    "delete": [Relay(done=delete)],
    "watermark": [Relay(rows=below_watermark, done=move_cursor)],
    "leader": pair(rows=one_leader(unsent_unlocked), batch=1),
    "per key": pair(rows=per_key, batch=1),
    "skip locked": pair(rows=skip_locked, batch=1),
    "at once": [Relay(unsent_unlocked, each_by_itself, at_once=3)],
    "log": [WalRelay()],
}


@pytest.mark.parametrize("relays", RELAYS.values(), ids=RELAYS)
def test_without_a_fault_every_relay_tells_each_change_once(relays):
    trace = simulate(told(*relays, requests=CROWD, handler=None))

    assert no_ghost(trace).reached == 4
    assert no_ghost(trace)
    assert no_loss(trace)
    assert never_repeated(trace)


@pytest.mark.parametrize("relays", RELAYS.values(), ids=RELAYS)
def test_no_relay_loses_whatever_fails(relays):
    """Repeat they may, and some of them out of order."""
    scenario = told(*relays, requests=CROWD, handler=None)
    found = explore(scenario, no_loss, budget=20, faults=("crash", "drop"), seed=1)

    assert not found.failures, found


def test_who_waits_at_the_watermark_is_not_done():
    """A client hangs in its transaction till the database ends it; who came later waits so long."""
    slow = (Request(50_000, "o-1", "placed", thinks_us=300_000),)
    quick = (Request(70_000, "o-2", "placed"),)
    relay = Relay(rows=below_watermark, done=move_cursor)
    late = parse_witness(f"delay@orders-0>{LEDGER}/StoreCommitRequest#0=35000000")
    chooser = Replay(late, strict=False)
    trace = simulate(told(relay, requests=(slow, quick), handler=None), chooser)

    assert no_loss(trace)
    assert no_loss(trace).reached == 1


def test_one_delivery_at_a_time_stops_at_a_row_that_fails():
    """No metadata is to be had while the first row waits, and it is when the second would go."""
    relay = Relay(unsent_unlocked, each_by_itself, at_once=1, poll_ms=20)
    mute = ";".join(f"drop@relay-0>broker-0/MetadataRequest#{nth}=1" for nth in range(3))
    deaf = Replay(parse_witness(f"drop@relay-0>ledger/StoreBeginRequest#0=1;{mute}"), strict=False)
    trace = simulate(told(relay, handler=None), deaf)

    assert commit_order(trace)
    assert commit_order(trace).reached == 1


def test_two_relays_of_the_same_rows_double_and_lose_nothing():
    scenario = told(*pair(rows=unsent_unlocked), handler=None)
    trace = simulate(scenario)

    assert never_repeated(trace).status is Status.BROKEN
    assert not explore(scenario, no_loss, budget=20, faults=("crash",), seed=1).failures


def test_who_waits_for_an_orders_row_is_told_after_who_has_it():
    trace = simulate(told(Relay(), requests=CROWD, handler=None))

    assert commit_order(trace).reached == 3
    assert commit_order(trace)


def test_deleted_rows_are_told_by_the_log_alone():
    by_log = told(WalRelay(), publishing=with_passing_row, handler=None)
    by_poll = told(Relay(), publishing=with_passing_row, handler=None)

    assert no_loss(simulate(by_log))
    assert no_loss(simulate(by_poll)).status is Status.BROKEN


def test_the_router_leaves_out_what_the_relay_of_the_table_would_mark():
    """One table cannot have both: marks are updates, and a router drops them with a warning."""
    both = told(Relay(), WalRelay(name="relay-1"), handler=None)
    trace = simulate(both)

    assert len(never_repeated(trace).evidence) == 2  # Once by each of the two.
    assert outbox_router().route(CapturedChange(op="u", after={})).why == "update"


def test_a_relay_of_the_log_routes_the_rows_of_its_table_alone():
    row = {"id": "e1", "aggregatetype": "order", "aggregateid": "o-1", "payload": "{}"}
    changes = (
        RowChange("orders", 1, None, row, "insert"),
        RowChange("outbox", 1, None, row, "insert"),
        RowChange("outbox", 1, row, row, "update"),
        RowChange("outbox", 1, row, None, "delete"),
        RowChange("outbox", None, None, "a note", "message"),
    )
    (event,) = routed(outbox_router(), [Commit(1, 7, 5_000, changes)])

    assert (event.topic, event.key, event.value) == ("outbox.event.order", "o-1", "{}")
    assert (event.headers, event.timestamp_ms) == ((("id", "e1"),), 5)


def test_a_service_waits_for_the_slot_so_that_the_log_has_every_row():
    late = Drop("relay-0", "ledger", "CreateSlotRequest")
    early = ((Request(50_000, "o-1", "early"), Request(6_000_000, "o-1", "placed")),)
    scenario = told(WalRelay(), requests=early, handler=None, faults=FaultPlan((late,)))
    trace = simulate(scenario)

    assert no_loss(trace).reached == 1
    assert no_loss(trace)


# --- A handler that reads and writes -----------------------------------------------------------


def test_a_handler_with_phases_goes_on_where_it_died():
    scenario = handling(phases, payments=2)

    proof = prove(scenario, no_loss, "crash@invoicing-0/*", budgets={"crash": 1})

    assert proof
    assert prove(scenario, never_applied_twice, "crash@invoicing-0/*", budgets={"crash": 1})
    assert not prove(
        handling(first_come, payments=2), no_loss, "crash@invoicing-0/*", budgets={"crash": 1}
    )


@pytest.mark.parametrize("handler", [atomic, elsewhere, phases, error_queue(phases, 2)])
def test_without_a_fault_every_handler_does_its_work(handler):
    trace = simulate(handling(handler, (Relay(),), payments=2))

    assert no_loss(trace).reached == 2
    assert no_loss(trace)
    assert never_repeated(trace)


def test_what_a_handler_has_written_is_waited_for_until_a_relay_has_looked():
    late = FaultPlan((Drop("relay-0", "ledger", "StoreBeginRequest", nth=1),))
    trace = simulate(handling(atomic, (Relay(),), faults=late))

    assert no_loss(trace).reached == 1
    assert no_loss(trace)


@pytest.mark.parametrize(("statements", "kept"), [(change, True), (insert_only, False)])
@pytest.mark.parametrize("rows", [unsent, per_key, one_leader(unsent_unlocked)])
def test_numbers_are_in_order_only_if_writers_lock_the_order(rows, statements, kept):
    """Whoever reads them: both are committed before a relay looks, and it goes by the number."""
    first, second = Request(50_000, "o-1", "placed", 10_000), Request(52_000, "o-1", "paid")
    relays = [Relay(rows, name=f"relay-{number}", poll_ms=200) for number in range(2)]
    writing = partial(with_outbox, statements=statements)

    trace = simulate(outbox_scenario([[first], [second]], writing, relays))

    assert bool(commit_order(trace)) is kept
