"""Inboxes, versions, hops and owners: what each remembers, and the checks that say so."""

import pytest

from models.patterns.idempotency.around import marking_after, marking_before, remembering
from models.patterns.idempotency.fencing import (
    FENCE,
    WRITERS,
    checked_before,
    fenced,
    fenced_offsets,
    group_offsets,
    stored_offsets,
)
from models.patterns.idempotency.hops import (
    cause_of,
    drawn,
    name_after,
    named_after,
    stored,
    without_inbox,
)
from models.patterns.idempotency.in_the_end import (
    applied_by_each,
    ends_as,
    ends_with_the_newest,
    numbered,
)
from models.patterns.idempotency.in_turn import (
    applied_in_log_order,
    causes_first,
    keys_stay,
    no_stale_write,
    times_rise,
)
from models.patterns.idempotency.inbox import (
    by_event_id,
    by_payload,
    by_place,
    check_then_act,
    counted,
    in_memory,
    mark_after,
    mark_before,
    no_memory,
    one_transaction,
)
from models.patterns.idempotency.inbox_limits import (
    CONFLICT,
    GIVEN,
    PURGED,
    dated,
    purging,
    telling_conflicts,
    windowed,
)
from models.patterns.idempotency.inbox_modes import mailing, optimistic, pessimistic, unguarded
from models.patterns.idempotency.owners import owners
from models.patterns.idempotency.repeats import (
    RAN,
    handled_once,
    repeats_at_most,
    repeats_explained,
)
from models.patterns.idempotency.same_ids import conflicts_told, ids_stable
from models.patterns.idempotency.versions import (
    added,
    blind,
    guarded,
    highest,
    next_only,
    next_parked,
    once_by_natural_key,
    read,
    told,
)
from simulator import (
    ConsumerRecord,
    FaultPlan,
    Pause,
    Status,
    StoreError,
    Topic,
    Trace,
    never_applied_twice,
    never_lost,
    simulate,
)
from tests.few_orders import SESSION
from tests.laws.shops import ORDERS, Group, Producer, company, events
from tests.tiny_traces import tiny

BROKEN, KEPT, CANNOT_TELL = Status.BROKEN, Status.KEPT, Status.CANNOT_TELL
TWICE = ((0, "a/1"), (500, "a/1"))


def billed(handler, events=TWICE, *, instances=1, partitions=1, more=None, faults=()):
    group = Group("billing", handler, instances=instances)
    topics = (Topic(ORDERS, partitions),)
    return simulate(
        company((group,), events, topics=topics, more=more, faults=FaultPlan(faults))
    )


def effects(trace):
    return [entry[4][4] for entry in trace.of("effect_applied")]


def rows(trace):
    return {entry[4][2]: entry[4][3] for entry in trace.of("effect_applied")}


def notes(trace, name):
    return [entry[4][2] for entry in trace.of("noted") if entry[4][1] == name]


def trace_of(*told_events):
    """Entries of (node, event), one millisecond apart."""
    trace = Trace()
    for number, (node, event) in enumerate(told_events):
        trace.record(number * 1_000, node, (), event)
    return trace


def changed(event_id, table="ledger", key="a", value=1):
    return "ledger", ("effect_applied", table, key, value, event_id)


QUIET = ("world", ("run_ended", "quiet"))
CUT = ("world", ("run_ended", "horizon"))


def acknowledged(event_id, offset=0):
    return "shop", ("record_acknowledged", event_id, ORDERS, 0, offset)


# --- Ways to remember -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "times"),
    [
        (no_memory(counted), 2),
        (one_transaction(counted), 1),
        (mark_before(counted), 1),
        (mark_after(counted), 1),
        (in_memory(counted), 1),
        (check_then_act(counted), 1),
        (one_transaction(counted, identity=by_place), 2),
        (one_transaction(counted, identity=by_payload), 1),
    ],
)
def test_when_nothing_fails_only_places_and_no_memory_let_a_repetition_through(handler, times):
    trace = billed(handler)

    assert effects(trace) == ["a/1"] * times
    assert never_lost(trace)


def test_an_id_in_memory_is_forgotten_when_there_are_too_many():
    events = ((0, "a/1"), (100, "a/2"), (200, "a/1"))

    assert effects(billed(in_memory(counted, at_most=2), events)) == ["a/1", "a/2"]
    assert effects(billed(in_memory(counted, at_most=1), events)) == ["a/1", "a/2", "a/1"]


def test_an_event_is_known_by_its_id_its_place_or_its_payload():
    record = ConsumerRecord("orders", 2, 7, "k", "paid", "e1")

    assert by_event_id(record) == "e1"
    assert by_place(record) == "orders-2@7"
    assert by_payload(record) == "'k': 'paid'"


def test_two_facts_that_say_the_same_are_one_to_who_knows_them_by_their_payload():
    events = ((0, "a/1", "a", "5"), (100, "a/2", "a", "5"))

    assert effects(billed(one_transaction(counted, identity=by_payload), events)) == ["a/1"]
    assert effects(billed(one_transaction(counted), events)) == ["a/1", "a/2"]


@pytest.mark.parametrize("guard", [marking_before, marking_after, remembering])
def test_a_guard_is_had_around_any_handler(guard):
    """Plain functions, too, which do all they do in one instant."""

    def plain(context):
        ledger = context.store("ledger")

        def handle(record):
            ledger.transact(*counted(record))

        return handle

    for handler in (plain, no_memory(counted)):
        trace = billed(guard(handler))
        assert effects(trace) == ["a/1"]
        assert never_lost(trace)


# --- Limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_ms", "times"), [(999, 1), (1_000, 2), (1_001, 2)])
def test_a_window_ends_when_it_is_over_to_the_millisecond(age_ms, times):
    events = ((0, "w/1"), (500, "a/1"), (500 + age_ms, "a/1"))
    trace = billed(windowed(counted, 1_000_000), events)

    assert effects(trace).count("a/1") == times


def test_a_purger_takes_away_what_is_old_and_only_that():
    def more(cluster):
        purging(cluster, 1_000_000, 200_000, 3_000_000)

    again = billed(dated(counted), ((0, "a/1"), (2_000, "a/1")), more=more)
    soon = billed(dated(counted), ((0, "a/1"), (500, "a/1")), more=more)

    assert effects(again) == ["a/1"] * 2
    assert effects(soon) == ["a/1"]
    assert sum(int(found) for found in notes(again, PURGED)) == 2


@pytest.mark.parametrize("tells", [True, False])
def test_another_payload_under_the_same_id_is_told_of_if_the_mark_keeps_the_payload(tells):
    events = ((0, "a/1", "a", "5"), (100, "a/1", "a", "6"), (200, "a/1", "a", "5"))
    trace = billed(telling_conflicts(counted, tells=tells), events)

    assert effects(trace) == ["a/1"]
    assert notes(trace, CONFLICT) == (["a/1"] if tells else [])
    assert conflicts_told(trace).status is (KEPT if tells else BROKEN)


# --- Modes ----------------------------------------------------------------------------------------

AT_ONCE = ((0, "a/1", "k0"), (0, "a/1", "k3"))


@pytest.mark.parametrize(
    ("mode", "mails", "times"), [(unguarded, 2, 2), (optimistic, 2, 1), (pessimistic, 1, 1)]
)
def test_of_two_at_once_an_optimistic_inbox_runs_both_and_a_pessimistic_one_only_one(
    mode, mails, times
):
    trace = billed(mode(counted, mailing(20_000)), AT_ONCE, instances=2, partitions=2)

    assert len(notes(trace, RAN)) == mails
    assert len(effects(trace)) == times
    assert handled_once(trace).status is (KEPT if mails == 1 else BROKEN)


@pytest.mark.parametrize("mode", [unguarded, optimistic, pessimistic])
def test_one_after_the_other_every_mode_runs_once(mode):
    trace = billed(mode(counted, mailing(20_000)))

    assert notes(trace, RAN) == effects(trace) == ["a/1"]


# --- Versions -------------------------------------------------------------------------------------


def versions(*order):
    return tuple(
        (place * 100, f"a/{one}", "a", told(one, one)) for place, one in enumerate(order)
    )


@pytest.mark.parametrize(
    ("handler", "order", "last"),
    [
        (no_memory(blind), (1, 2, 1), (1, 1)),
        (no_memory(guarded), (1, 2, 1), (2, 2)),
        (no_memory(guarded), (3, 1, 2), (3, 3)),
        (next_only(), (2, 1, 3), (1, 1)),
        (next_parked(), (3, 2, 1), (3, 3)),
        (next_parked(), (1, 1, 2), (2, 2)),
        (no_memory(highest), (3, 1, 2), 3),
        (no_memory(added), (3, 1, 1), 5),
    ],
)
def test_what_a_row_is_after_versions_in_this_order(handler, order, last):
    assert rows(billed(handler, versions(*order)))["a"] == last


def test_two_who_have_the_first_versions_at_the_same_time_wait_for_each_other():
    """Of a key that has no row yet."""
    first, second = versions(1)[0], (0, "a/2", "a", told(2, 2))
    groups = (
        Group("billing", next_parked(), ("first",)), Group("retry", next_parked(), ("second",))
    )
    producers = (
        Producer("shop", events([first], "first")), Producer("till", events([second], "second"))
    )
    topics = Topic("first", 1), Topic("second", 1)

    trace = simulate(company(groups, producers=producers, topics=topics))

    assert rows(trace)["a"] == (2, 2)


def test_a_natural_key_is_inserted_once():
    def handler(context):
        insert = no_memory(once_by_natural_key)(context)

        def handle(record):
            try:
                yield from insert(record)
            except StoreError:
                context.note("there already", record.event_id)

        return handle

    trace = billed(handler, versions(1, 1))

    assert effects(trace) == ["a/1"]
    assert notes(trace, "there already") == ["a/1"]


def test_a_version_is_read_as_it_was_told():
    assert read(ConsumerRecord("orders", 0, 0, "a", told(2, "paid"), "a/2")) == (2, "paid")


# --- Hops -----------------------------------------------------------------------------------------


def sent_to(trace, topic):
    return [entry[4][1] for entry in trace.of("record_sent") if entry[4][2] == topic]


@pytest.mark.parametrize(
    ("hop", "ids", "times"),
    [(named_after, 1, 1), (stored, 1, 1), (drawn, 2, 1), (without_inbox, 1, 2)],
)
def test_a_hop_that_runs_twice_sends_twice_and_only_a_drawn_id_is_another(hop, ids, times):
    group = Group("billing", hop(counted, "bills", scope="billing"))
    trace = simulate(company((group,), TWICE, topics=(Topic(ORDERS, 1), Topic("bills", 1))))

    assert len(sent_to(trace, "bills")) == 2
    assert len(set(sent_to(trace, "bills"))) == ids
    assert len(effects(trace)) == times
    assert ids_stable("bills")(trace).status is (KEPT if ids == 1 else BROKEN)


def test_an_id_leads_back_to_its_cause():
    assert name_after("e1", 2) == "e1>2"
    assert cause_of("e1>2") == "e1"
    assert cause_of(name_after("e1>2")) == "e1>2"
    assert cause_of("e1") == ""


# --- Owners ---------------------------------------------------------------------------------------

SLEEPS = Pause("billing-0", 1_030, 8_000)  # Between the look and the effect.
HAS_ACTED = Pause("billing-0", 1_062, 8_000)  # Between the effect and the commit.


def owned(applying, *faults):
    def more(cluster):
        owners(cluster, "billing", 2, (ORDERS,), applying, settings=SESSION)
        cluster.driver("clock", lambda node: (yield node.sleep(15_000_000)))

    return simulate(company((), ((1_000, "a/1"),), more=more, faults=FaultPlan(faults)))


@pytest.mark.parametrize(
    ("applying", "stale", "twice"),
    [
        (group_offsets, True, True),
        (checked_before, True, True),
        (fenced, False, False),
        (stored_offsets, False, False),
        (fenced_offsets, False, False),
    ],
)
def test_an_owner_that_sleeps_is_kept_out_by_what_its_transaction_looks_at(applying, stale, twice):
    trace = owned(applying, SLEEPS)

    assert no_stale_write(trace).status is (BROKEN if stale else KEPT)
    assert never_applied_twice(trace).status is (BROKEN if twice else KEPT)


@pytest.mark.parametrize(("applying", "twice"), [(fenced, True), (fenced_offsets, False)])
def test_a_fence_does_not_tell_the_successor_what_was_done(applying, twice):
    trace = owned(applying, HAS_ACTED)

    assert no_stale_write(trace)
    assert never_applied_twice(trace).status is (BROKEN if twice else KEPT)


@pytest.mark.parametrize(
    "applying", [group_offsets, checked_before, fenced, stored_offsets, fenced_offsets]
)
def test_an_owner_that_lives_applies_each_event_once(applying):
    assert effects(owned(applying)).count("a/1") == 2  # The ledger's row, and who has written.


# --- The checks -----------------------------------------------------------------------------------


def test_handled_once_counts_the_runs_that_handlers_note():
    ran = "billing-0", ("noted", RAN, "e1")

    assert handled_once(trace_of(ran)).status is KEPT
    assert handled_once(trace_of(ran, ran)).status is BROKEN
    assert handled_once(trace_of()).reached == 0


def test_repeats_at_most_counts_what_one_life_had_done():
    done = "c: processed e1 0", "c: processed e2 1"
    again = "d: started e1 0", "d: started e2 1"

    assert repeats_at_most(2)(tiny(*done, "c: crashed", *again)).status is KEPT
    assert repeats_at_most(1)(tiny(*done, "c: crashed", *again)).status is BROKEN
    assert repeats_at_most(0)(tiny("c: processed e1 0 StoreError", "c: started e1 0"))
    two_lives = tiny("c: processed e1 0", "c: crashed", "c: started e1 0", "c: processed e1 0",
                     "c: crashed", "c: started e1 0")  # fmt: skip
    assert repeats_at_most(1)(two_lives).status is KEPT


@pytest.mark.parametrize(
    ("between", "status"),
    [((), BROKEN), (("c: crashed",), KEPT), (("c: revoked",), KEPT), (("d: revoked",), BROKEN)],
)
def test_repeats_explained_wants_a_crash_or_a_revocation_in_between(between, status):
    begun = "c: started e1 0", "s: applied e1 ledger"

    assert repeats_explained(tiny(*begun, *between, *begun)).status is status
    assert repeats_explained(tiny(*begun)).reached == 0


def test_conflicts_told_wants_a_word_for_each_id_with_two_payloads():
    def given(value):
        return "c", ("noted", GIVEN, f"e1={value}")

    said = "c", ("noted", CONFLICT, "e1")

    assert conflicts_told(trace_of(given(5), given(5))).status is KEPT
    assert conflicts_told(trace_of(given(5), given(6))).status is BROKEN
    assert conflicts_told(trace_of(given(5), given(6), said)).status is KEPT


def test_ids_stable_counts_the_ids_of_one_cause():
    def sent(event_id, key="e1"):
        return "c", ("record_sent", event_id, "bills", key)

    assert ids_stable("bills")(trace_of(sent("x"), sent("x"), sent("y", "e2"))).status is KEPT
    assert ids_stable("bills")(trace_of(sent("x"), sent("y"))).status is BROKEN
    assert ids_stable("bills", each=2)(trace_of(sent("x"), sent("y"))).status is KEPT
    assert ids_stable("other")(trace_of(sent("x"), sent("y"))).status is KEPT


def test_applied_in_log_order_goes_by_the_first_place_in_the_log():
    log = "b: appended 0 e1 e2", "b: appended 2 e1"
    first, second = "s: applied e1 ledger", "s: applied e2 ledger"

    assert applied_in_log_order(tiny(*log, first, second, first)).status is KEPT
    assert applied_in_log_order(tiny(*log, second, first)).status is BROKEN
    assert applied_in_log_order(tiny(*log, second, "s: applied e1 audit")).status is KEPT


def test_keys_stay_goes_by_the_key_or_by_what_is_asked_for():
    sent = "p: sent a/1 k", "p: sent a/2 k"
    here, there = "b: appended 0 a/1", "b: appended@1 0 a/2"

    assert keys_stay()(tiny(*sent, here, "b: appended 1 a/2")).status is KEPT
    assert keys_stay()(tiny(*sent, here, there)).status is BROKEN
    assert keys_stay(lambda event_id: event_id)(tiny(*sent, here, there)).status is KEPT


def test_causes_first_wants_the_cause_before_its_effect_in_each_table():
    def judged(*ids):
        return causes_first(cause_of)(trace_of(*(changed(one) for one in ids))).status

    assert judged("e1", "e1>0") is KEPT
    assert judged("e1>0", "e1") is BROKEN
    assert judged("e1>0") is KEPT  # A table that is never told of the cause.


def test_times_rise_goes_by_the_keys():
    def at(offset, at_us):
        return changed(f"e{offset}", "times", offset, at_us)

    assert times_rise("times")(trace_of(at(1, 20), at(0, 10), at(1, 20))).status is KEPT
    assert times_rise("times")(trace_of(at(0, 20), at(1, 10))).status is BROKEN
    assert times_rise("other")(trace_of(at(0, 20), at(1, 10))).reached == 0


def test_no_stale_write_goes_by_who_took_over_in_the_store():
    def writes(epoch):
        return changed("e1", WRITERS, (ORDERS, 0), epoch)

    taken = changed("", FENCE, (ORDERS, 0), 2)

    assert no_stale_write(trace_of(writes(1), taken, writes(2))).status is KEPT
    assert no_stale_write(trace_of(taken, writes(1))).status is BROKEN
    assert no_stale_write(trace_of(taken)).reached == 0


def test_ends_as_looks_at_the_last_of_each_row():
    one, five = changed("e1"), changed("e2", value=5)
    wanted = ends_as("ledger", {"a": 5})

    assert wanted(trace_of(one, five, QUIET)).status is KEPT
    assert wanted(trace_of(five, one, QUIET)).status is BROKEN
    assert wanted(trace_of(QUIET)).status is BROKEN
    assert wanted(trace_of(one, CUT)).status is CANNOT_TELL
    assert wanted(trace_of(one)).status is CANNOT_TELL
    sent = "shop", ("record_sent", "e2", ORDERS, "a")
    assert wanted(trace_of(sent, one, QUIET)).status is CANNOT_TELL
    assert wanted(trace_of(sent, one, acknowledged("e2"), QUIET)).status is BROKEN
    assert ends_as("ledger", {"a": 10}, of=lambda value: 2 * value)(trace_of(five, QUIET))


def test_the_newest_wins_goes_by_what_was_sent():
    def row(version):
        return changed(f"a/{version}", value=(version, "state"))

    sent = acknowledged("a/1"), acknowledged("a/2", 1)

    assert ends_with_the_newest(trace_of(*sent, row(1), row(2), QUIET)).status is KEPT
    assert ends_with_the_newest(trace_of(*sent, row(2), row(1), QUIET)).status is BROKEN
    assert ends_with_the_newest(trace_of(*sent, QUIET)).status is BROKEN
    assert ends_with_the_newest(trace_of(*sent, row(1), CUT)).status is CANNOT_TELL


def test_a_numbered_event_is_a_version_of_its_aggregate():
    assert numbered("a/3") == ("a", 3)
    assert numbered("o-1/OrderPaid") == ("", 0)
    assert numbered("e1") == ("", 0)


def test_applied_by_each_asks_every_table():
    both = applied_by_each("billing", "shipping")
    told_to = acknowledged("e1"), changed("e1", "billing"), changed("e1", "shipping")

    assert both(trace_of(*told_to, QUIET)).status is KEPT
    assert both(trace_of(*told_to[:2], QUIET)).status is BROKEN
    assert both(trace_of(*told_to[:2], CUT)).status is CANNOT_TELL
