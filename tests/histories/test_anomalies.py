"""Each anomaly is found where it is, named with its operations, and not found where it is not."""

import pytest

from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.histories.catalogue import ANOMALIES
from simulator.histories.judging import judge_operations
from simulator.histories.options import Options
from simulator.histories.reading import history_of
from simulator.histories.telling import operations_of, sentence
from tests.recorded import found, judged, ops, recorded

KEPT = ("0 ok send x!a@0 x!b@1", "1 ok poll x?a@0", "1 ok poll x?b@1")


def test_a_history_without_anomalies_is_kept():
    judgement = judged(*KEPT)

    assert judgement.met == ()
    assert judgement.status is Status.KEPT
    assert bool(judgement.verdict)


# --- Places --------------------------------------------------------------------------------------


def test_two_values_at_one_offset_are_inconsistent():
    (case,) = found(
        "inconsistent-offsets", "0 ok send x!a@4", "1 ok send x!b@4", "2 ok poll x?b@4"
    )

    assert case == {"key": "x", "offset": 4, "index": 0, "values": ["a", "b"], "ops": [1, 3, 5]}


def test_an_unproven_send_is_not_believed():
    """That the second operation ended is not known: perhaps it never happened."""
    assert not found("inconsistent-offsets", "0 ok send x!a@0", "1 info send x!b@0 y!c")


def test_one_value_that_was_read_proves_the_whole_operation():
    lines = ("0 ok send x!a@0", "1 info send x!b@0 y!c", "2 ok poll y?c@0")

    assert found("inconsistent-offsets", *lines)[0]["values"] == ["a", "b"]
    assert not found("inconsistent-offsets", *lines[:-1], "2 fail poll y?c@0")


def test_a_value_at_two_offsets_is_a_duplicate():
    (case,) = found("duplicate", "0 ok send x!a@1", "1 info send x!b@2", "2 fail poll x?b@2,a@3")

    assert case == {"key": "x", "value": "a", "count": 2, "offsets": [1, 3], "ops": [1, 5]}


def test_reading_an_offset_twice_is_no_duplicate():
    assert not found("duplicate", "0 ok send x!a@1", "1 ok poll x?a@1", "1 ok poll x?a@1")


def test_what_a_failed_operation_was_told_lies_nowhere():
    lines = ("0 ok send x!a@1", "0 fail send x!b@2", "1 fail poll x?a@11,b@12")

    assert [case["value"] for case in found("duplicate", *lines)] == ["a"]


def test_ten_values_at_two_offsets_are_each_named():
    lines = [f"{part}" for n in range(10) for part in (f"0 ok send x!{n}@0", f"1 ok poll x?{n}@1")]

    judgement = judged(*lines)

    assert [case["value"] for case in judgement.findings["duplicate"].shown] == list(range(10))
    assert [case["values"] for case in judgement.findings["inconsistent-offsets"].shown] == [
        list(range(10)), list(range(10))
    ]  # fmt: skip


# --- Lost and unseen -----------------------------------------------------------------------------


def test_what_lies_below_a_value_that_was_read_is_lost_if_nobody_was_given_it():
    lines = ("0 ok send x!a@0", "0 ok send x!b@1 x!d@3", "1 info send x!c", "2 ok poll x?c@2")

    cases = found("lost-write", *lines)

    assert cases == [
        {"key": "x", "value": "a", "index": 0, "max-read-index": 2, "writer": 1, "max-read": 7},
        {"key": "x", "value": "b", "index": 1, "max-read-index": 2, "writer": 3, "max-read": 7},
    ]


def test_what_lies_beyond_all_that_was_read_is_only_unseen():
    lines = ("0 ok send x!a@0 x!b@1", "1 ok poll x?a@0")

    assert not found("lost-write", *lines)
    (case,) = found("unseen", *lines)
    assert (case["key"], case["unseen"], case["messages"], case["ops"]) == ("x", 1, ["b"], [1])


def test_an_overwritten_value_is_lost():
    """Both were told offset 0; which of them a version order would name there is chance."""
    cases = found("lost-write", "0 ok send x!a@0", "0 ok send x!b@0 x!c@2", "1 ok poll x?b@0,c@2")

    assert [(case["value"], case["max-read-index"]) for case in cases] == [("a", 1)]


def test_a_write_that_nobody_can_prove_is_not_lost():
    lines = ("0 info send x!a y!b@0", "1 info send y!c", "2 ok poll y?c@1")

    assert not found("lost-write", *lines)
    assert found("lost-write", *lines, "3 ok poll x?a@0")[0]["value"] == "b"


def test_an_unanswered_send_is_not_unseen():
    assert not found("unseen", "0 info send x!a@0", "0 fail send x!b@1")


def test_a_key_that_was_polled_and_never_acknowledged_is_not_unseen():
    assert not found("unseen", "0 info send x!a", "1 ok poll x?a@0")


# --- Dirty reads ---------------------------------------------------------------------------------


def test_what_a_failed_operation_sent_is_an_aborted_read():
    (case,) = found("G1a", "0 fail send x!2 y!3", "1 ok poll x?2@0")

    assert case == {"key": "x", "value": 2, "writer": 1, "reader": 3}


@pytest.mark.parametrize("how", ["fail", "info"])
def test_an_aborted_read_counts_whatever_becomes_of_the_reader(how):
    lines = ("0 fail send x!a", f"1 {how} txn x?a@0")

    assert not found("G1a", *lines)
    assert judged(*lines).bad == ("G1a-unconfirmed",)


def test_a_read_of_what_may_have_happened_is_no_aborted_read():
    assert not found("G1a", "0 info send x!a", "1 ok poll x?a@0")


def test_an_operation_that_is_given_its_own_record_reads_too_early():
    assert found("precommitted-read", "0 ok txn x!a@0 x?a@0") == [
        {"op": 1, "key": "x", "value": "a"}
    ]
    assert not found("precommitted-read", "0 ok txn x!a@0", "0 ok txn x?a@0")


def test_a_record_that_nobody_sent_is_a_phantom_once():
    lines = ("0 ok send x!a@0", "1 ok poll x?a@0,b@1", "2 fail poll x?a@0,b@1")

    assert found("phantom", *lines) == [{"key": "x", "value": "b", "op": 3}]
    assert judged(*lines).bad == ("phantom",)


# --- Skips and steps back ------------------------------------------------------------------------

SENT = "9 ok send x!a@0 x!b@1 x!c@3 x!d@4"  # Offset 2 is a marker, which is no record.


def test_a_marker_between_two_records_is_no_skip():
    assert judged(SENT, "0 ok poll x?a@0,b@1", "0 ok poll x?c@3,d@4").met == ()


def test_a_poll_that_goes_on_too_far_skips():
    (case,) = found("poll-skip", SENT, "0 ok poll x?a@0", "0 ok poll x?d@4")

    assert case == {
        "key": "x", "values": ["a", "d"], "delta": 3, "skipped": ["b", "c"], "ops": [3, 5]
    }  # fmt: skip


def test_a_poll_that_begins_where_it_was_or_before_goes_back():
    (back,) = found("nonmonotonic-poll", SENT, "0 ok poll x?a@0,b@1,c@3", "0 ok poll x?b@1")
    (again,) = found("nonmonotonic-poll", SENT, "0 ok poll x?a@0", "0 ok poll x?a@0")

    assert (back["values"], back["delta"], back["ops"]) == (["c", "b"], -1, [3, 5])
    assert (again["values"], again["delta"]) == (["a", "a"], 0)


def test_a_failed_poll_is_compared_and_moves_nothing():
    begun = (SENT, "0 ok poll x?a@0")
    rewound = (*begun, "0 fail txn x?b@1,c@3", "0 info txn x?b@1", "0 ok txn x?b@1")
    went_on = (*begun, "0 fail txn x?c@3", "0 info txn x?d@4")

    assert not found("poll-skip", *rewound)
    assert not found("nonmonotonic-poll", *rewound)
    assert [case["ops"] for case in found("poll-skip", *went_on)] == [[3, 5], [3, 7]]


@pytest.mark.parametrize("f", ["assign", "subscribe"])
@pytest.mark.parametrize("how", ["ok", "info"])
def test_positions_of_keys_that_are_kept_are_kept(f, how):
    """And those of others are forgotten."""
    kept = (SENT, "0 ok poll x?c@3", f"0 {how} {f} x y", "0 ok poll x?b@1")
    gone = (SENT, "0 ok poll x?c@3", f"0 {how} {f} y", "0 ok poll x?b@1")

    assert found("nonmonotonic-poll", *kept)
    assert not found("nonmonotonic-poll", *gone)


def test_an_assignment_that_failed_changes_nothing():
    assert found("nonmonotonic-poll", SENT, "0 ok poll x?c@3", "0 fail assign y", "0 ok poll x?b@1")


def test_an_empty_poll_does_not_hide_a_skip():
    assert found("poll-skip", SENT, "0 ok poll x?a@0", "0 ok poll x?", "0 ok poll x?d@4")


def test_after_a_crash_a_new_process_begins_anew():
    assert not found(
        "nonmonotonic-poll", SENT, "0 ok poll x?a@0,b@1", "0 info crash", "10 ok poll x?a@0"
    )


def test_skips_and_steps_back_between_polls_are_allowed_with_subscribe():
    lines = (SENT, "0 ok poll x?a@0", "0 ok poll x?d@4", "0 ok poll x?b@1", "1 ok poll x?c@3")

    assert judged(*lines, sub_via=["subscribe"]).status is Status.KEPT
    assert judged(*lines).bad == ("poll-skip", "nonmonotonic-poll")


def test_one_poll_skips_within_itself():
    """Within one poll of an operation, or from its one poll to its next."""
    for poll in ("0 ok poll x?a@0,c@3", "0 ok poll x?a@0 x?c@3"):
        (case,) = found("int-poll-skip", SENT, poll)
        assert case == {
            "key": "x", "values": ["a", "c"], "delta": 2, "skipped": ["b"], "op": 3
        }  # fmt: skip


def test_one_poll_goes_back_within_itself():
    cases = found("int-nonmonotonic-poll", SENT, "0 ok poll x?c@3,a@0", "1 ok poll x?b@1 x?b@1")

    assert [(case["op"], case["values"], case["delta"]) for case in cases] == [
        (3, ["c", "a"], -2), (5, ["b", "b"], 0)
    ]  # fmt: skip


def test_a_partition_that_came_or_went_meanwhile_is_let_pass():
    operations = ops(SENT, "0 ok poll x?a@0,d@4 x?b@1")
    operations[-1]["rebalance_log"] = [{"keys": ["x"]}]
    let_pass = judge_operations(history_of(operations).operations)
    operations[-1]["rebalance_log"] = [{"keys": ["y"]}]
    not_that = judge_operations(history_of(operations).operations)

    assert "int-poll-skip" not in let_pass.met
    assert "int-poll-skip" in not_that.met


def test_others_may_write_between_two_sends():
    lines = ("0 ok send x!a@1 x!c", "1 info send x!b", "2 ok poll x?a@1,b@2,c@3")

    assert found("int-send-skip", *lines) == [
        {"key": "x", "values": ["a", "c"], "delta": 2, "skipped": ["b"], "op": 1}
    ]
    assert judged(*lines).status is Status.KEPT


def test_sends_that_lie_in_another_order_are_bad():
    """The place of the second is known from a poll alone."""
    (case,) = found("int-nonmonotonic-send", "0 ok send x!b@1 x!a", "1 ok poll x?a@0,b@1")

    assert case == {"key": "x", "values": ["b", "a"], "delta": -1, "op": 1}


def test_a_later_send_that_lies_before_an_earlier_one_is_bad():
    lines = ("0 ok send x!c@3", "0 info send x!a", "1 ok poll x?a@0,c@3")

    (case,) = found("nonmonotonic-send", *lines)

    assert case == {"key": "x", "values": ["c", "a"], "delta": -1, "ops": [1, 3]}
    assert not found("nonmonotonic-send", lines[0], "0 ok assign y", *lines[1:])
    assert not found("nonmonotonic-send", "0 fail send x!c@3", *lines[1:])


# --- The whole -----------------------------------------------------------------------------------


def test_a_history_that_shows_nothing_does_not_pass():
    assert judged("0 ok assign x").bad == ("empty-transaction-graph",)
    assert judged().bad == ("empty-transaction-graph",)


def test_what_ended_before_another_began_is_something():
    assert judged("0 ok send x!a@0", "1 info send x!b").bad == ("unseen",)


def test_where_clocks_cannot_be_compared_only_what_one_process_did_is_in_order():
    """Two strangers, one after the other, show nothing then; one who goes on shows something."""
    strangers = recorded("0 ok send x!a@0", "1 info send x!b").operations
    one_goes_on = recorded("0 ok send x!a@0", "1 ok send x!b@1", "1 info send x!c").operations
    by_process = Options(order="process")

    assert judge_operations(strangers, by_process).bad == ("unseen", "empty-transaction-graph")
    assert judge_operations(one_goes_on, by_process).bad == ("unseen",)


def test_a_value_that_was_sent_twice_leaves_the_whole_undecided():
    """Whose record is it that was read? Nothing is inferred from it."""
    lines = ("0 fail send x!a", "0 ok send x!a@1", "1 ok poll x?a@1")

    judgement = judged(*lines)

    assert judgement.met == ()
    assert judgement.status is Status.CANNOT_TELL
    assert "such as 'a' to x by operations 1 and 3" in judgement.verdict.why


def test_two_sends_of_a_value_may_lie_at_two_offsets_and_not_at_three():
    lines = ("0 ok send x!a@1", "0 ok send x!a@2", "1 ok poll x?a@1")

    assert not found("duplicate", *lines)
    assert found("duplicate", *lines, "2 ok poll x?a@7")


def test_broken_beats_what_cannot_be_told():
    judgement = judged("0 ok send x!a@1", "0 ok send x!a@2", "1 ok poll x?b@3")

    assert judgement.status is Status.BROKEN


def test_what_is_allowed_breaks_nothing():
    history = recorded("0 ok send x!a@0 x!b@1", "1 ok poll x?a@0")

    judgement = judge_operations(history.operations, Options(allow=("unseen",)))

    assert judgement.status is Status.KEPT
    assert judgement.met == ("unseen",)


def test_an_anomaly_that_there_is_not_cannot_be_allowed():
    with pytest.raises(BadInput, match="did you mean G1c"):
        judge_operations(recorded(*KEPT).operations, Options(allow=("G1b",)))


def test_there_is_no_other_order():
    with pytest.raises(BadInput, match="'clock'"):
        Options(order="clock")


def test_every_case_is_told_and_names_its_operations():
    """Of a history in which everything is wrong."""
    judgement = judged(
        "0 invoke txn", "1 invoke txn", "0 ok txn x!a@0 y!b@9 y?c@1", "1 ok txn y!c@1 x?a@0 y?q@3",
        "2 ok txn x!e@5 x!d@0 x!z@0", "2 ok txn x!f@1 x?f@1 x?a@8", "3 fail txn x!g",
        "3 ok txn x?g@9", "4 fail txn x?g@9", "2 ok txn x!k@10", "2 ok txn x!l@4 x!m@2",
        "2 ok txn x?m@2,f@1",
    )  # fmt: skip

    assert len(judgement.met) > 12
    for name in judgement.met:
        for case in judgement.findings[name].shown:
            assert sentence(name, case)
            if name != "empty-transaction-graph":
                assert operations_of(case)
    assert judgement.verdict.explain().count("\n") > 12


def test_every_anomaly_has_a_verdict():
    names = [verdict.check for verdict in judged(*KEPT).verdicts()]

    assert names == list(ANOMALIES)
