"""A small domain's events, and all that is made of them: state, snapshots, old versions, the past.

The promises of stored events are judged on tiny traces: kept, broken, and not to be told.
"""

from functools import partial

import pytest

from models.patterns.event_sourcing import event_promises, stock_service, stored_events
from models.patterns.event_sourcing.event_sourcing import (
    append_anywhere,
    as_of,
    execute,
    load,
    replay_commands,
    replay_events,
)
from models.patterns.event_sourcing.event_store import (
    Event,
    EventStore,
    WrongExpectedVersion,
)
from models.patterns.event_sourcing.snapshots import Snapshots
from models.patterns.event_sourcing.stock import (
    RECEIVED,
    STOCK,
    Receive,
    Release,
    Reserve,
    Stock,
    decide,
    evolve,
)
from models.patterns.event_sourcing.stored_snapshots import loads_as_folded
from models.patterns.event_sourcing.upcasting import CORRECTED, SKIPPING, lots, migrate, upcast
from models.patterns.read_models.rebuilding import ReadModel, Unknown, holdings, project, rebuilt
from simulator import BadInput, Scenario, Status, Trace, simulate
from tests.stock_histories import STREAM, events_of, stored

BROKEN, KEPT, CANNOT_TELL = Status.BROKEN, Status.KEPT, Status.CANNOT_TELL
DAY = (Receive("d-1", 3), Reserve("o-1", 2), Release("o-1"), Reserve("o-2"))


def test_a_read_model_made_again_from_the_log_equals_the_live_one():
    """The domain's events, a read model that follows them, and one from the whole log."""
    store, live = EventStore(), ReadModel()
    for command in DAY:
        execute(store, STOCK, STREAM, command)
        behind = [(one.position, one.event) for one in store.read_all(live.checkpoint)]
        live = project(live, behind, holdings)

    again = rebuilt(live, [(one.position, one.event) for one in store.read_all()], holdings)

    assert live == again == ReadModel({"left": 2, "o-1": 0, "o-2": 1}, checkpoint=3)
    assert live.rows["left"] == load(store, STOCK, STREAM)[0].available


# --- Deciding -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "command", "happens"),
    [
        (Stock(), Receive("d-1", 2), ["StockReceived"]),
        (Stock(2, {}, ("d-1",)), Receive("d-1", 2), []),
        (Stock(2), Reserve("o-1", 2), ["StockReserved"]),
        (Stock(2), Reserve("o-1", 3), []),
        (Stock(2, {"o-1": 1}), Reserve("o-1"), []),
        (Stock(0, {"o-1": 1}), Release("o-1"), ["StockReleased"]),
        (Stock(1, {"o-1": 0}), Release("o-1"), []),
    ],
)
def test_a_command_is_asked_and_may_be_refused(state, command, happens):
    assert [event.event_type for event in decide(state, command)] == happens


def test_an_event_of_another_kind_changes_nothing():
    assert evolve(Stock(2), Event("StockAudited", {})) == Stock(2)


def race(append):
    """While a command is decided, somebody else takes the last one."""
    store = stored((Receive("d-1", 1),))
    raced = []

    def late(store, stream, events, version):
        if not raced:
            raced.append(1)
            execute(store, STOCK, STREAM, Reserve("o-1"))
        return append(store, stream, events, version)

    happened = execute(store, STOCK, STREAM, Reserve("o-2"), late)
    return happened, load(store, STOCK, STREAM)[0].available


def test_who_was_slower_decides_again():
    assert race(lambda store, *rest: store.append(*rest)) == ((), 0)


def test_any_version_sells_the_last_one_twice():
    happened, available = race(append_anywhere)

    assert len(happened) == 1
    assert available == -1


def test_nobody_tries_for_ever():
    store = stored((Receive("d-1", 1),))

    def always_late(*_):
        raise WrongExpectedVersion("somebody was faster")

    with pytest.raises(WrongExpectedVersion):
        execute(store, STOCK, STREAM, Reserve("o-2"), always_late, attempts=2)


def test_a_replay_of_events_acts_on_nothing_and_one_of_commands_does():
    acts = []

    state = replay_events(STOCK, events_of(DAY), acts.append)
    assert acts == []
    assert replay_commands(STOCK, DAY, acts.append) == state
    assert len(acts) == 4


# --- The past, and what was cut -----------------------------------------------------------------


def test_the_past_is_the_fold_up_to_there():
    store = stored(DAY)

    assert [as_of(store, STOCK, STREAM, n).available for n in range(-1, 4)] == [0, 3, 1, 3, 2]


def test_a_cut_stream_is_not_folded_as_if_it_were_whole():
    store = stored(DAY)
    taken = Snapshots()
    taken.take(store, STOCK, STREAM)
    store.keep(STREAM, 1)
    execute_on = taken.load(store, STOCK, STREAM)

    assert execute_on == (load(stored(DAY), STOCK, STREAM)[0], 3)
    for refused in (
        lambda: load(store, STOCK, STREAM),
        lambda: as_of(store, STOCK, STREAM, 2),
        lambda: Snapshots().load(store, STOCK, STREAM),
    ):
        with pytest.raises(BadInput, match="was cut"):
            refused()


def test_a_snapshot_is_taken_at_every_so_many_versions():
    taken, at = Snapshots(every=3), []
    stored(
        (*DAY, Reserve("o-3"), Release("o-2")),
        each=lambda store, events: (
            taken.appended(store, STOCK, STREAM, events), at.append(dict(taken.kept))
        ),
    )  # fmt: skip

    assert [state[STREAM].version if state else None for state in at] == [None, None, 2, 2, 2, 5]


# --- Old versions -------------------------------------------------------------------------------

OLD = Event(RECEIVED, {"delivery_id": "d-1", "quantity": 2}, "e-1")


def test_an_old_event_may_become_several_or_none():
    def told(missing):
        return [one.event_type for one in upcast(Event(CORRECTED, {"missing": missing}, "e"))]

    assert told(("o-1", "o-2")) == ["StockReleased", "StockReleased"]
    assert told(()) == []


def test_a_missing_step_loses_the_event_in_silence():
    assert lots([OLD]) == {"main": 2}
    assert lots([OLD], SKIPPING) == {}


def test_reading_leaves_what_is_stored_and_a_migration_does_not():
    store = EventStore()
    store.append(STREAM, [OLD])
    lots(one.event for one in store.read(STREAM))
    assert store.log[0].event == OLD

    migrate(store)
    assert store.log[0].event.schema_version == 3


def test_a_projection_refuses_what_it_does_not_know():
    with pytest.raises(Unknown):
        holdings({}, Event("StockAudited", {}))


# --- Promises -----------------------------------------------------------------------------------


def told(*entries, end="quiet"):
    """A trace of rows (version, id, type, data) and of notes, one a millisecond."""
    trace = Trace()
    for at, entry in enumerate(entries):
        event = entry
        if isinstance(entry[0], int):
            version, event_id, kind, data = entry
            row = (STREAM, version, event_id, kind, tuple(data.items()))
            event = ("effect_applied", "events", (STREAM, version), row, "")
        trace.record(at * 1_000, "ledger", (), event)
    if end:
        trace.record(len(entries) * 1_000, "world", (), ("run_ended", end))
    return trace


def received(version, quantity=1, event_id=None):
    data = {"delivery_id": f"d-{version}", "quantity": quantity}
    return (version, event_id or f"d-{version}/received", "StockReceived", data)


def reserved(version, order):
    return (version, f"{order}/reserved", "StockReserved", {"order_id": order, "quantity": 1})


def note(name, text):
    return ("noted", name, text)


PROMISES = [
    (event_promises.versions_contiguous, (received(0), received(1)), (received(0), received(2))),
    (event_promises.versions_contiguous, (received(0),), (received(0), reserved(0, "o"))),
    (event_promises.stored_once_by_id, (received(0), received(1)),
     (received(0), received(1, event_id="d-0/received"))),
    (event_promises.success_is_told, (received(0), note("appended", "s -1 d-0/received")),
     (received(0),)),
    (event_promises.never_changed, (received(0), received(1)), (received(0), received(0, 2))),
    (event_promises.never_oversold, (received(0), reserved(1, "o")),
     (received(0), reserved(1, "o"), reserved(2, "p"))),
    (event_promises.one_winner, (note("appended", "s 0 a"), note("appended", "s 1 b")),
     (note("appended", "s 0 a"), note("appended", "s 0 b"))),
    (loads_as_folded, (received(0), note("loaded", "2 0 1 1 9")),
     (received(0), note("loaded", "2 0 7 1 9"))),
]  # fmt: skip


@pytest.mark.parametrize(("check", "good", "bad"), PROMISES)
def test_a_promise_of_events_is_kept_or_broken_by_what_was_stored(check, good, bad):
    assert check(told(*good)).status is KEPT
    assert check(told(*bad)).status is BROKEN


@pytest.mark.parametrize("check", dict.fromkeys(check for check, *_ in PROMISES))
def test_a_run_in_which_nothing_was_stored_puts_no_promise_to_the_test(check):
    verdict = check(told())

    assert verdict.status is KEPT
    assert verdict.reached == 0


def test_a_promise_about_the_end_cannot_be_told_of_a_run_that_was_cut():
    def judge(entries, cases):
        cases.add("it never came")
        return 1

    check = event_promises.check_of("comes", "It comes.", ("noted",), judge, at_last=True)

    assert check(told(end="horizon")).status is CANNOT_TELL
    assert check(told(end="")).status is CANNOT_TELL
    assert check(told()).status is BROKEN


# --- In a world ---------------------------------------------------------------------------------


def sold(**how):
    sellers = tuple((Reserve(f"o-{seller}"),) for seller in range(3))
    trace = simulate(
        Scenario(application=partial(stock_service.deploy, sellers=sellers, quantity=2, **how))
    )
    changes = [one[4] for one in trace.flat if one[4][0] == "effect_applied"]
    return trace, [value[2] for _, table, _, value, _ in changes if table == "events"]


def test_of_three_sellers_two_sell_what_there_is():
    trace, ids = sold()

    assert len(ids) == 3
    assert event_promises.never_oversold(trace)
    assert event_promises.versions_contiguous(trace)


def test_with_any_version_the_third_sells_as_well():
    trace, ids = sold(append=stored_events.append_anywhere)

    assert len(ids) == 4
    assert event_promises.never_oversold(trace).status is BROKEN


def test_success_is_asked_only_where_nobody_crashed_and_the_run_came_to_its_end():
    crashed = ("node_crashed", "clean", "at")

    assert event_promises.success_is_told(told(received(0), crashed)).status is KEPT
    assert event_promises.success_is_told(told(received(0), end="horizon")).status is CANNOT_TELL
