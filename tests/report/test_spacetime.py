"""Each kind of row is made of the entries that it stands for, and says what it follows from."""

import pytest

from simulator.errors import BadInput
from simulator.report.drafts import natural
from simulator.report.rows import Lane
from simulator.report.spacetime import follow, spacetime
from simulator.trace.trace import Trace
from tests.report.traces import (
    ORDERS,
    QUIET,
    appended,
    applied,
    assigned,
    commit,
    crashed,
    dropped,
    ended,
    handled,
    message,
    polled,
    produced,
    restarted,
    sent,
    started,
    traced,
)


def rows(*lines, kind=None):
    """The rows of a trace, or those of one kind."""
    return [row for row in spacetime(traced(*lines)).rows if kind in (None, row.kind)]


def one(*lines, kind):
    (row,) = rows(*lines, kind=kind)
    return row


def span(row):
    return row.lane, row.to, row.at_us // 1_000, row.until_us and row.until_us // 1_000


def test_lanes_stand_in_the_order_in_which_events_flow():
    run = spacetime(
        traced(
            *produced(0, 0, "e1", 0),
            *handled(30, 4, "e1", 0, "billing-10"),
            assigned(80, "billing-9", 1),
        )
    )

    assert run.lanes == (
        Lane("shop", "producer"),
        Lane("orders-0", "partition", "broker-0"),
        Lane("billing-9", "consumer", "billing"),
        Lane("billing-10", "consumer", "billing"),
        Lane("ledger", "sink"),
    )
    assert sorted(["a-10", "a-9", "a"], key=natural) == ["a", "a-9", "a-10"]


def test_an_event_can_be_followed_from_its_effect_back_to_its_producer():
    run = spacetime(
        traced(*produced(0, 0, "e1", 0), *handled(30, 4, "e1", 0), *commit(70, 6, 1))
    )
    by_kind = {row.kind: row for row in run.rows}

    assert {kind: span(row) for kind, row in by_kind.items()} == {
        "produce": ("shop", "orders-0", 0, 10),
        "append": ("orders-0", "orders-0", 10, 10),
        "ack": ("orders-0", "shop", 10, 20),
        "poll": ("orders-0", "billing-0", 30, 40),
        "process": ("billing-0", "billing-0", 40, 60),
        "effect": ("billing-0", "ledger", 45, 55),
        "commit": ("billing-0", "orders-0", 70, 80),
    }
    causes = {row.kind: run.rows[row.cause].kind for row in run.rows if row.cause >= 0}
    assert causes == {
        "append": "produce",
        "ack": "append",
        "poll": "append",
        "process": "poll",
        "effect": "process",
        "commit": "process",
    }
    assert [row.id for row in run.rows] == list(range(7))
    assert all(row.event_ids == ("e1",) for row in run.rows if row.kind != "commit")
    assert all(row.key == "k-e1" for row in run.rows if row.kind != "commit")
    assert by_kind["commit"].offset == 1
    assert by_kind["poll"].partition == "orders-0"


def test_a_batch_that_is_sent_again_is_a_resend_and_its_second_append_a_second_time():
    first = (*ORDERS, -1, ("e1",))
    lines = (
        (0, "shop", "record_sent", "e1", "orders", None),
        *message(0, 10, 0, "shop", "broker-0", "ProduceRequest", first),
        appended(10, 0, "e1"),
        sent(10, 1, "broker-0", "shop", "ProduceResponse", (*ORDERS, 0, "NONE")),
        dropped(20, 1, "broker-0", "shop", "ProduceResponse"),
        *message(30, 40, 2, "shop", "broker-0", "ProduceRequest", first),
        appended(40, 1, "e1"),
    )
    resend = one(*lines, kind="resend")
    lost_ack = one(*lines, kind="dropped")

    assert (resend.attempt, resend.key) == (2, "")
    assert rows(*lines)[resend.cause].kind == "produce"
    assert [row.attempt for row in rows(*lines, kind="append")] == [1, 2]
    assert (span(lost_ack), lost_ack.event_ids) == (("orders-0", "shop", 10, 20), ("e1",))
    assert lost_ack.detail == "ProduceResponse: loss"


def test_a_batch_that_the_broker_has_already_is_deduplicated():
    lines = (
        *produced(0, 0, "e1", 0),
        (40, "broker-0", "batch_deduplicated", *ORDERS, 0, ("e1",)),
    )

    assert span(one(*lines, kind="deduplicated")) == ("orders-0", "orders-0", 40, 40)


def test_a_batch_that_is_refused_and_a_record_that_is_given_up_are_rows():
    lines = (
        (0, "shop", "record_sent", "e1", "orders", None),
        (10, "broker-0", "append_refused", *ORDERS, ("e1",), "OUT_OF_ORDER_SEQUENCE_NUMBER"),
        (20, "shop", "record_failed", "e1", "orders", "TIMEOUT", False),
    )
    refused = one(*lines, kind="refused")

    assert (refused.lane, refused.detail) == ("orders-0", "OUT_OF_ORDER_SEQUENCE_NUMBER")
    assert one(*lines, kind="given_up").detail == "TIMEOUT"


def test_what_is_fetched_is_a_row_with_the_records_that_the_application_was_given():
    """Two were fetched, one was given out; the other one was fetched for nothing."""
    lines = (
        *message(0, 10, 0, "broker-0", "billing-0", "FetchResponse", (*ORDERS, 3, ("e1", "e2"))),
        *message(20, 30, 1, "broker-0", "billing-0", "FetchResponse", (*ORDERS, 5, ("e3",))),
        polled(40, "billing-0", 3, "e1"),
    )
    poll = one(*lines, kind="poll")

    assert (poll.event_ids, poll.offset) == (("e1",), 3)
    assert span(poll) == ("orders-0", "billing-0", 0, 10)


def test_what_a_group_was_given_before_is_a_redelivery_to_whichever_member():
    lines = (
        polled(10, "billing-0", 3, "e1"),
        polled(20, "billing-1", 3, "e1"),
        (30, "audit-0", "record_polled", "audit", *ORDERS, 3, "e1"),
    )
    again = one(*lines, kind="redelivery")

    assert (again.to, again.attempt) == ("billing-1", 2)
    assert [row.to for row in rows(*lines, kind="poll")] == ["billing-0", "audit-0"]


def test_handling_that_fails_or_that_a_crash_cuts_is_in_vain():
    lines = (
        started(10, "billing-0", 0, "e1"),
        ended(20, "billing-0", 0, "e1", "StoreTimeout"),
        started(30, "billing-0", 0, "e1"),
        crashed(35, "billing-0", "after_process"),
        restarted(60, "billing-0"),
        started(70, "billing-0", 0, "e1"),
    )
    crash = one(*lines, kind="crash")

    assert [(row.detail, row.attempt) for row in rows(*lines, kind="failed")] == [
        ("StoreTimeout", 1),
        ("crash", 2),
    ]
    assert span(crash) == ("billing-0", "billing-0", 35, 60)
    assert crash.detail == "process, after_process"
    assert one(*lines, kind="process").until_us is None


def test_a_transaction_is_one_effect_and_a_second_one_of_its_event_a_duplicate():
    lines = (
        applied(10, "e1", key="row"),
        applied(10, "e1", key="other row"),
        applied(10, "e1", "stock"),
        (20, "world", "noted", "", ""),
        applied(30, "e1", key="row"),
        applied(40, "e2"),
        applied(50, ""),
    )

    assert [row.event_ids for row in rows(*lines, kind="effect")] == [("e1",), ("e2",), ()]
    assert one(*lines, kind="duplicate").attempt == 2


def test_an_effect_that_the_sink_refuses_is_deduplicated_once_a_transaction():
    refused = (10, "ledger", "effect_refused", "ledger", "row", "e1", "unique_violation")
    row = one(refused, (10, *refused[1:4], "other", *refused[5:]), kind="deduplicated")

    assert (row.to, row.detail) == ("ledger", "unique_violation")


def test_a_commit_says_whether_it_moved_anything():
    lines = (*commit(0, 0, 2), *commit(30, 1, 2), *commit(60, 2, 1))

    assert [row.detail for row in rows(*lines, kind="commit")] == ["", "unmoved", "back from 2"]


def test_a_commit_that_is_refused_says_why():
    about = ("billing", 1, "m", (*ORDERS, 5))
    lines = (
        *message(0, 10, 0, "billing-0", "broker-0", "OffsetCommitRequest", *about),
        (5, "billing-0", "record_polled", "billing", *ORDERS, 4, "e1"),
        (10, "broker-0", "commit_refused", "billing", *ORDERS, 5, "m", 1, "ILLEGAL_GENERATION"),
    )
    row = one(*lines, kind="refused")

    assert (row.lane, row.to, row.offset) == ("billing-0", "orders-0", 5)
    assert row.detail == "ILLEGAL_GENERATION"


def test_a_rebalance_is_one_row_across_all_lanes_of_its_group():
    lines = (
        assigned(5, "audit-0", 1),
        (10, "broker-0", "group_state_changed", "billing", "Empty", "PreparingRebalance"),
        (30, "broker-0", "generation_started", "billing", 1, "m", "range", ("m", "n")),
        assigned(40, "billing-1", 1, ORDERS),
        assigned(45, "billing-0", 1),
        (60, "broker-0", "generation_started", "billing", 2, "m", "range", ("m",)),
    )
    lines = ((5, "audit-0", "partitions_assigned", "audit", 7, ()), *lines[1:])
    audit, first, second = rows(*lines, kind="rebalance")

    assert span(audit) == ("audit-0", "audit-0", 5, 5)
    assert span(first) == ("billing-0", "billing-1", 10, 45)
    assert first.detail == "billing, generation 1, 2 members"
    assert span(second) == ("billing-0", "billing-1", 60, None)


def test_what_befalls_a_broker_befalls_its_partitions():
    lines = (
        appended(0, 0, "e1"),
        appended(0, 0, "e2", partition=1),
        crashed(10, "broker-0"),
        restarted(20, "broker-0"),
        (30, "broker-0", "node_paused", 10_000),
        (40, "broker-0", "node_resumed"),
        crashed(50, "no-lane-has-this-name"),
    )

    assert [(row.lane, row.detail) for row in rows(*lines, kind="crash")] == [
        ("orders-0", "broker-0 process"),
        ("orders-1", "broker-0 process"),
    ]
    assert [span(row)[2:] for row in rows(*lines, kind="pause")] == [(30, 40), (30, 40)]


@pytest.mark.parametrize(
    ("api", "about", "source", "target", "expected"),
    [
        ("ProduceRequest", ((*ORDERS, -1, ("e1",)),), "shop", "broker-0", ("shop", "orders-0")),
        ("FetchResponse", ((*ORDERS, 0, ("e1",)),), "broker-0", "billing-0",
         ("orders-0", "billing-0")),
        ("OffsetCommitRequest", ("billing", 1, "m", (*ORDERS, 1)), "billing-0", "broker-0",
         ("billing-0", "orders-0")),
        ("OffsetCommitResponse", ((*ORDERS, "NONE"),), "broker-0", "billing-0",
         ("orders-0", "billing-0")),
        ("TransactRequest", ("e1", "Add"), "billing-0", "ledger", ("billing-0", "ledger")),
        ("TransactResponse", ("committed",), "ledger", "billing-0", ("ledger", "billing-0")),
        ("HeartbeatRequest", ("billing", 1, "m"), "billing-0", "broker-0", None),
    ],
)  # fmt: skip
def test_a_message_that_never_came_is_a_row_between_the_lanes_of_what_it_carried(
    api, about, source, target, expected
):
    lines = (
        *produced(0, 0, "e1", 0),
        *handled(30, 4, "e1", 0),
        sent(100, 9, source, target, api, *about),
        dropped(110, 9, source, target, api),
    )
    found = [(row.lane, row.to) for row in rows(*lines, kind="dropped")]

    assert found == ([] if expected is None else [expected])


def test_an_event_that_was_acknowledged_and_never_applied_is_lost_where_it_was_last_seen():
    """At its owner's crash if it was given out; in the log if it never was."""
    lines = (
        *produced(0, 0, "e0", 0),
        *handled(30, 2, "e0", 0),
        *produced(100, 4, "e1", 1),
        *produced(200, 6, "e2", 2),
        *produced(300, 8, "e3", 3),
        polled(400, "billing-0", 1, "e1"),
        polled(400, "billing-0", 2, "e2"),
        started(410, "billing-0", 1, "e1"),
        crashed(420, "billing-0"),
        restarted(500, "billing-0"),
    )
    lost = rows(*lines, *QUIET, kind="lost")

    assert [(row.event_ids[0], *span(row)) for row in lost] == [
        ("e3", "orders-0", "ledger", 310, None),
        ("e1", "billing-0", "ledger", 420, None),
        ("e2", "billing-0", "ledger", 420, None),
    ]
    assert rows(*lines, kind="lost") == [], "before the end nobody can tell"


def test_the_same_trace_gives_the_same_rows():
    lines = (*produced(0, 0, "e1", 0), *handled(30, 4, "e1", 0), *QUIET)

    assert spacetime(traced(*lines)) == spacetime(traced(*lines))
    assert spacetime(traced()).rows == ()


def test_a_trace_that_was_not_kept_is_refused():
    with pytest.raises(BadInput, match="not kept"):
        spacetime(Trace(keep=False))


def test_to_follow_an_event_leaves_what_concerns_it_and_no_other_event():
    run = spacetime(
        traced(
            *produced(0, 0, "e1", 0),
            *handled(30, 4, "e1", 0),
            crashed(60, "billing-0"),
            *commit(60, 6, 1),
            assigned(65, "billing-1", 1),
            *produced(100, 8, "e2", 1),
            *handled(130, 10, "e2", 1, "billing-1"),
            crashed(200, "billing-1"),
        )
    )
    followed = follow(run, "e1")

    assert {one for row in followed.rows for one in row.event_ids} == {"e1"}
    assert [row.kind for row in followed.rows] == [
        "produce", "append", "ack", "poll", "process", "effect", "crash", "commit",
    ]  # fmt: skip
    assert [lane.name for lane in followed.lanes] == ["shop", "orders-0", "billing-0", "ledger"]
    assert follow(run, "e9").rows == ()


def test_a_batch_keeps_the_names_of_the_events_that_are_followed():
    run = spacetime(traced(appended(10, 0, "e1", "e2", "e3")))

    assert follow(run, "e3", "e1").rows[0].event_ids == ("e1", "e3")
