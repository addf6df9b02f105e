"""A story is short, ends where its case ends, and says why it came to that."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    Crash,
    Drop,
    Duplicate,
    FaultPlan,
    Pause,
    Seeded,
    simulate,
)
from simulator.checks.delivery import (
    never_applied_twice,
    never_delivered_twice,
    never_invented,
    never_lost,
)
from simulator.checks.groups import committed_never_regresses, never_committed_past_processed
from simulator.checks.order import key_order, partition_order
from simulator.checks.progress import drained
from simulator.checks.story import LINES_MOST, story
from simulator.trace.trace import Trace
from tests.few_orders import PRODUCER, few_orders
from tests.tiny_traces import GROUP, TOPIC, tiny

USUAL = 12  # Lines of a usual case.
CARELESS = {"enable.idempotence": False}


def told(check, trace):
    """The story of a check's first case, without times."""
    first = check(trace).evidence[0]
    return [line[11:] for line in story(trace, first.entries, first.event_ids)]


def recorded(*entries):
    """A trace of (milliseconds, node, event)."""
    trace = Trace()
    for at_ms, node, event in entries:
        trace.record(at_ms * 1_000, node, (), event)
    return trace


# --- Applied twice -------------------------------------------------------------------------------


def removed(node):
    return ("member_removed", GROUP, f"{node}-0.1", "session_timeout")


def test_a_case_ends_with_its_second_effect_however_often_it_goes_on():
    again = ("c: crashed", "c: restarted", "c: polled e1 5", "s: applied e1 ledger")
    trace = tiny("p: sent e1", "c: polled e1 5", "s: applied e1 ledger", *again, *again, "quiet")

    assert told(never_applied_twice, trace)[-1] == "s applies it again: ledger 'row' = '1'"
    assert len(told(never_applied_twice, trace)) == 6


def test_what_was_tried_before_the_first_effect_is_skipped():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: polled e1 5", "c: crashed", "c: restarted",
                 "d: polled e1 5", "s: applied e1 ledger", "d: polled e1 5",
                 "s: applied e1 ledger", "quiet")  # fmt: skip

    assert told(never_applied_twice, trace) == [
        "p sends it; acknowledged at orders-0@5",
        "d polls it",
        "s applies it: ledger 'row' = '1'",
        "d polls it again",
        "s applies it again: ledger 'row' = '1'",
    ]


@pytest.mark.parametrize(("offset", "past"), [(5, "5, not past it"), (6, "6, past it")])
def test_a_crash_says_what_was_committed_by_then(offset, past):
    trace = tiny("p: sent e1", "c: polled e1 5", "s: applied e1 ledger", f"b: committed {offset}",
                 "c: crashed", "d: polled e1 5", "s: applied e1 ledger", "quiet")  # fmt: skip
    said = "c crashes (after_process), and stays down; committed on orders-0: "

    assert said + past in told(never_applied_twice, trace)


def test_of_the_members_that_are_removed_only_those_who_had_the_event_are_named():
    polled = ("record_polled", GROUP, TOPIC, 0, 5, "e1")
    applied = ("effect_applied", "ledger", "k", 1, "e1")
    trace = recorded(
        (1, "c-0", polled), (2, "s", applied), (3, "c-0", ("node_crashed", "process", "at")),
        (4, "c-1", ("node_crashed", "process", "at")), (5, "b", removed("c-1")),
        (6, "b", removed("c-0")), (7, "c-2", polled), (8, "s", applied),
    )  # fmt: skip

    assert told(never_applied_twice, trace) == [
        "c-0 polls it",
        "s applies it: ledger 'k' = 1",
        "c-0 crashes, and stays down; nothing committed on orders-0",
        "b removes c-0 from billing (session_timeout)",
        "c-2 polls it again",
        "s applies it again: ledger 'k' = 1",
    ]


def test_an_assignment_says_where_its_owner_goes_on_and_by_which_policy():
    trace = tiny("c: polled e1 5", "s: applied e1 ledger", "d: assigned",
                 "d: reset 4 earliest", "d: polled e0 4", "d: polled e1 5",
                 "s: applied e1 ledger", "quiet")  # fmt: skip

    lines = told(never_applied_twice, trace)
    assert "d owns orders-0 (generation 1) and goes back to orders-0@4 (earliest)" in lines
    assert [line for line in lines if "earliest" in line] == lines[2:3]


def test_the_rows_of_one_transaction_are_one_line():
    trace = tiny("c: polled e1 5", "s: applied e1 ledger a", "s: applied e1 ledger b",
                 "c: polled e1 5", "s: applied e1 ledger a", "quiet")  # fmt: skip

    assert told(never_applied_twice, trace)[1] == (
        "s applies it: ledger 'a' = '1'; ledger 'b' = '1'"
    )


def test_a_handler_that_failed_and_tried_again_is_told():
    trace = tiny("c: polled e1 5", "c: started e1 5", "s: applied e1 ledger",
                 "c: processed e1 5 StoreTimeout", "c: started e1 5", "s: applied e1 ledger",
                 "c: processed e1 5", "quiet")  # fmt: skip

    assert told(never_applied_twice, trace) == [
        "c polls it",
        "s applies it: ledger 'row' = '1'",
        "c fails to process it (StoreTimeout)",
        "c tries it again",
        "s applies it again: ledger 'row' = '1'",
    ]


def test_failures_in_a_row_are_one_line():
    tries = ("c: started e1 5", "c: processed e1 5 StoreTimeout") * 4
    again = ("c: started e1 5", "s: applied e1 ledger", "c: processed e1 5", "c: polled e1 5")
    trace = tiny("c: polled e1 5", *tries, *again, "s: applied e1 ledger", "quiet")

    assert told(never_applied_twice, trace)[:4] == [
        "c polls it",
        "c fails to process it, and again until 0.009 s (StoreTimeout)",
        "c tries it again",
        "s applies it: ledger 'row' = '1'",
    ]


def test_a_zombies_pause_is_told_although_it_began_before_the_case():
    polled = ("record_polled", GROUP, TOPIC, 0, 5, "e1")
    applied = ("effect_applied", "ledger", "k", 1, "e1")
    trace = recorded(
        (1, "c-0", ("node_paused", 9_000)), (2, "b", removed("c-0")),
        (3, "c-1", polled), (4, "s", applied),
        (10, "c-0", ("node_resumed",)), (11, "c-0", polled), (12, "s", applied),
    )  # fmt: skip

    assert told(never_applied_twice, trace)[:3] == [
        "c-0 stands still until 0.010 s",
        "b removes c-0 from billing (session_timeout)",
        "c-1 polls it",
    ]


# --- Lost ----------------------------------------------------------------------------------------


def test_a_loss_ends_with_the_crash_behind_the_commit_and_why_nobody_reads_it_again():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: assigned", "c: polled e1 5", "b: committed 6",
                 "c: crashed", "c: restarted", "d: polled e2 6", "quiet")  # fmt: skip

    assert told(never_lost, trace) == [
        "p sends it; acknowledged at orders-0@5",
        "c polls it",
        "b commits orders-0@6 for billing: past it",
        "c crashes (after_process); it was never applied",
        "the group goes on from orders-0@6: nobody reads it again",
    ]


def test_a_loss_of_what_was_committed_and_then_failed():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: polled e1 5", "b: committed 6",
                 "c: started e1 5", "c: processed e1 5 StoreTimeout", "quiet")  # fmt: skip

    assert told(never_lost, trace)[-2:] == [
        "c fails to process it (StoreTimeout)",
        "it was never applied, and the group goes on from orders-0@6: nobody reads it again",
    ]


def test_a_loss_to_a_reader_that_began_behind_it():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: assigned", "c: reset 9 latest", "quiet")

    assert told(never_lost, trace) == [
        "p sends it; acknowledged at orders-0@5",
        "c begins (latest) at orders-0@9: past it",
        "nobody was ever given it",
    ]


def test_a_loss_of_the_log_itself():
    """The page cache dies with the power; what is appended next takes its place."""
    trace = recorded(
        (1, "p", ("record_sent", "e1", TOPIC, None)),
        (2, "b", ("batch_appended", TOPIC, 0, 0, ("e1",), 0, 0, 0)),
        (3, "p", ("record_acknowledged", "e1", TOPIC, 0, 0)),
        (4, "b", ("node_crashed", "power", "at")), (5, "b", ("node_restarted", 1)),
        (6, "b", ("batch_appended", TOPIC, 0, 0, ("e2", "e3"), 0, 0, 1)),
        (7, "c", ("partitions_assigned", GROUP, 1, ((TOPIC, 0),))),
        (8, "c", ("record_polled", GROUP, TOPIC, 0, 0, "e2")),
        (9, "world", ("faults_ended",)), (9, "world", ("run_ended", "quiet")),
    )  # fmt: skip

    assert told(never_lost, trace) == [
        "p sends it; acknowledged at orders-0@0",
        "b crashes (power), down until 0.005 s",
        "b appends e2, e3 at orders-0@0 instead",
        "nobody was ever given it",
    ]


def test_a_loss_of_a_log_to_which_nothing_was_written_after_that():
    trace = recorded(
        (1, "p", ("record_sent", "e1", TOPIC, None)),
        (2, "b", ("batch_appended", TOPIC, 0, 0, ("e1",), 0, 0, 0)),
        (3, "p", ("record_acknowledged", "e1", TOPIC, 0, 0)),
        (4, "b", ("node_crashed", "disk", "at")), (5, "b", ("node_restarted", 1)),
        (7, "c", ("partitions_assigned", GROUP, 1, ((TOPIC, 0),))),
        (9, "world", ("faults_ended",)), (9, "world", ("run_ended", "quiet")),
    )  # fmt: skip

    assert told(never_lost, trace)[1:] == [
        "b crashes (disk), down until 0.005 s",
        "nobody was ever given it",
    ]


def test_what_is_not_drained_says_what_is_left():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: assigned", "c: polled e1 5",
                 "s: applied e1 ledger", "b: committed 4", "quiet")  # fmt: skip

    assert told(drained, trace)[-2:] == [
        "s applies it: ledger 'row' = '1'",
        "nothing is committed past it",
    ]


# --- How it came into the log --------------------------------------------------------------------


def test_a_producers_duplicate_shows_the_answer_that_was_lost():
    """Real: the second answer is lost, and the producer has no number by which to be known."""
    lost = FaultPlan((Drop("broker-1", PRODUCER, "ProduceResponse", 1),))
    trace = simulate(few_orders(producer=CARELESS, faults=lost), Seeded(1))
    case = next(one for one in never_applied_twice(trace).evidence if one.event_ids == ("e2",))
    lines = [line[11:] for line in story(trace, case.entries, case.event_ids)]

    assert lines[:3] == [
        "orders-producer sends it",
        "broker-1 appends it at orders-1@1",
        "ProduceResponse from broker-1 to orders-producer is lost",
    ]
    assert "orders-producer sends it again (retry 1, NETWORK_EXCEPTION)" in lines
    assert any("broker-1 appends it again at orders-1@" in line for line in lines)
    assert lines[-1].startswith("ledger applies it again: ")
    assert len(lines) <= USUAL


def test_two_events_of_a_key_out_of_order_are_told_from_their_sending():
    """Real: several requests in flight, the first of which is lost."""
    settings = {**CARELESS, "linger.ms": 0, "retry.backoff.ms": 50}
    lost = FaultPlan((Drop(PRODUCER, "broker-1", "ProduceRequest", 1),))
    trace = simulate(few_orders(events=12, per_s=60, producer=settings, faults=lost), Seeded(1))
    one, other = key_order(trace).evidence[0].event_ids
    lines = told(key_order, trace)

    assert f"{PRODUCER} sends {one}" in lines
    assert any(line.startswith(f"{PRODUCER} sends {other} again (retry 1") for line in lines)
    assert sum("ProduceRequest" in line for line in lines) == 2
    assert lines[-1].startswith(f"ledger applies {one}: ")
    assert len(lines) <= USUAL


def test_a_drop_that_did_no_harm_is_not_told():
    """Nor a message to a node that was down: its crash says it all."""
    trace = Trace()
    trace.record(0, "p", (), ("record_sent", "e1", TOPIC, None))
    where = (1, "p", "broker-0", "ProduceRequest")
    trace.record(0, "p", (), ("message_sent", *where, ((TOPIC, 0, 0, ("e1",)),)))
    trace.record(1, "world", (), ("message_dropped", *where, "target_down"))
    for _ in range(2):
        trace.record(2, "c", (), ("record_polled", "g", TOPIC, 0, 0, "e1"))

    assert told(never_delivered_twice, trace) == ["p sends it", "c polls it", "c polls it again"]


# --- Other cases ---------------------------------------------------------------------------------


def test_a_commit_that_went_back_says_whose_it_was_and_when_it_was_asked_for():
    """Real: a request that the network had doubled arrives a second time, too late."""
    doubled = FaultPlan((Duplicate("billing-1", "broker-1", "OffsetCommitRequest", 1, 250),))
    trace = simulate(few_orders(events=20, faults=doubled), Seeded(1))

    first, before, last = told(committed_never_regresses, trace)
    assert first == "OffsetCommitRequest from billing-1 to broker-1 arrives twice"
    assert before == "broker-1 commits orders-1@4 for billing-1"
    assert last.startswith("broker-1 commits orders-1@2 for billing-1 (asked for at 0.")
    assert last.endswith("s), back from 4")


def test_a_commit_ahead_of_the_work_is_where_its_story_ends():
    trace = tiny("p: sent e1", "c: polled e1 5", "b: committed 6", "c: started e1 5",
                 "c: processed e1 5", "quiet")  # fmt: skip

    assert told(never_committed_past_processed, trace) == [
        "p sends it",
        "c polls it",
        "b commits orders-0@6 for billing: past it",
    ]


def test_of_offsets_out_of_order_both_polls_are_told():
    trace = tiny("p: sent e1", "c: polled e2 6", "c: polled e1 5", "quiet")

    assert told(partition_order, trace) == ["p sends it", "c polls e2 at orders-0@6", "c polls it"]


def test_an_invention_is_its_own_story():
    assert told(never_invented, tiny("c: polled e9 5", "quiet")) == ["c polls it"]


def test_an_entry_that_shows_a_case_is_told_whatever_it_is():
    trace = recorded((0, "b", ("link_cut", "a", "b")), (1, "c", ("noted", "paid", "e1")))

    assert story(trace, [0]) == ["  0.000 s  b: link cut a b"]
    assert story(trace, (), ["e1"]) == []
    assert story(trace, [1], ["e1"]) == ["  0.001 s  c: noted paid e1"]


def test_without_entries_an_event_is_followed_to_its_last_work():
    trace = tiny("p: sent e1", "p: acked e1 5", "c: polled e1 5", "s: applied e1 ledger", "quiet")

    assert [line[11:] for line in story(trace, (), ["e1"])] == [
        "p sends it; acknowledged at orders-0@5",
        "c polls it",
        "s applies it: ledger 'row' = '1'",
    ]


def test_a_story_that_is_long_all_the_same_is_cut_in_its_middle():
    trace = tiny("p: sent e1", *("c: polled e1 5", "s: applied e1 t 1") * 40, "quiet")
    effects = [entry[0] for entry in trace.of("effect_applied")]
    lines = story(trace, [effects[0], effects[-1]], ["e1"])

    assert len(lines) == LINES_MOST
    assert any("more)" in line for line in lines)


COMMITTED_BY_POLL = attrs.evolve(AT_LEAST_ONCE, name="auto", commit="auto")


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, AT_MOST_ONCE, COMMITTED_BY_POLL],
                         ids=lambda one: one.name)  # fmt: skip
@pytest.mark.parametrize("point", ["after_poll", "after_process", "before_commit"])
def test_the_usual_cases_are_short(guarantee, point):
    """Whatever is broken by a crash, and by a pause."""
    crash, pause = Crash("billing-1", point, down_ms=3_000), Pause("billing-0", 900, for_ms=6_000)
    trace = simulate(few_orders(guarantee, faults=FaultPlan((crash, pause))), Seeded(2))

    for check in (never_lost, never_applied_twice, never_delivered_twice):
        for one in check(trace).evidence:
            assert 2 < len(story(trace, one.entries, one.event_ids)) <= USUAL
