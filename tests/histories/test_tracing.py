"""A run of our own is judged as anybody's history is: by the same code, and with its own words."""

import pytest

from simulator import AT_LEAST_ONCE, Drop, FaultPlan
from simulator.chance import Seeded
from simulator.checks.verdict import Status
from simulator.histories.judging import judge_operations
from simulator.histories.tracing import Converter, history_of_trace
from simulator.scenario.scenario import Scenario
from simulator.scenario.workload import Workload
from simulator.study.simulate import simulate
from simulator.trace.trace import Trace
from tests.few_orders import few_orders

TOPIC, GROUP = "orders", "billing"


def traced(*entries):
    """`(node, event)` one microsecond apart."""
    trace = Trace()
    for at_us, (node, event) in enumerate(entries):
        trace.record(at_us, node, (), event)
    return trace


def sent(event_id, node="p"):
    return node, ("record_sent", event_id, TOPIC, None)


def acked(event_id, offset, partition=0, node="p"):
    return node, ("record_acknowledged", event_id, TOPIC, partition, offset)


def failed(event_id, *, definite):
    return "p", ("record_failed", event_id, TOPIC, "REQUEST_TIMED_OUT", definite)


def polled(event_id, offset, partition=0, node="c", group=GROUP):
    return node, ("record_polled", group, TOPIC, partition, offset, event_id)


def moved(how, *partitions, node="c"):
    return node, (f"partitions_{how}", GROUP, 1, tuple((TOPIC, one) for one in partitions))


def began(node="p"):
    return node, ("transaction_began", "t", 1, 0)


def asked(result, *event_ids, node="p"):
    return node, ("transaction_ending", "t", result, event_ids, ())


def ended(result, outcome, node="p"):
    return node, ("transaction_ended", "t", result, outcome, "NONE")


def crash(node="p"):
    return node, ("node_crashed", "process", "at")


def judged(*entries):
    history = history_of_trace(traced(*entries))
    return judge_operations(history.operations, history.options)


def shown(name, *entries):
    return judged(*entries).findings[name].shown


def test_a_run_without_anomalies_is_kept():
    judgement = judged(sent("a"), acked("a", 0), polled("a", 0))

    assert judgement.met == ()
    assert judgement.status is Status.KEPT


def test_operations_are_named_by_their_entries():
    """A send by that at which it began, a poll by its last record's."""
    cases = shown("lost-write", sent("a"), sent("b"), acked("a", 0), acked("b", 1), polled("b", 1))

    assert [(case["value"], case["writer"], case["max-read"]) for case in cases] == [("a", 0, 4)]


def test_a_record_at_two_offsets_is_a_duplicate():
    (case,) = shown(
        "duplicate", sent("a"), acked("a", 0), polled("a", 0), polled("a", 1, node="d")
    )

    assert case["offsets"] == [0, 1]


def test_a_send_without_an_answer_is_neither_lost_nor_unseen():
    assert judged(sent("a"), acked("a", 0), sent("b"), crash(), polled("a", 0)).met == ()
    assert judged(sent("a"), acked("a", 0), sent("b"), polled("a", 0)).met == ()


def test_what_has_certainly_failed_is_read_by_nobody():
    entries = (sent("a"), failed("a", definite=True), polled("a", 0))

    assert len(shown("G1a", *entries)) == 1
    assert not shown("G1a", sent("a"), failed("a", definite=False), polled("a", 0))


def test_sends_that_overtake_each_other_are_in_the_wrong_order():
    """The first is answered last, and its record lies behind the second one's."""
    cases = shown(
        "nonmonotonic-send", sent("a"), sent("b"), acked("b", 0), acked("a", 1),
        polled("b", 0), polled("a", 1),
    )  # fmt: skip

    assert [(case["values"], case["ops"]) for case in cases] == [(["a", "b"], [0, 1])]


def test_records_that_come_together_are_one_poll():
    entries = (sent("a"), acked("a", 0), sent("b"), acked("b", 1), sent("d"), acked("d", 2))
    trace = traced(*entries)
    for node, event in (polled("a", 0), polled("d", 2)):
        trace.record(10, node, (), event)
    trace.record(11, "d", (), polled("b", 1)[1])
    history = history_of_trace(trace)

    judgement = judge_operations(history.operations, history.options)

    assert judgement.findings["int-poll-skip"].count == 1
    assert judgement.bad == ("int-poll-skip",)


def test_a_poll_that_goes_back_is_allowed_to_subscribers_and_shown():
    entries = (sent("a"), acked("a", 0), sent("b"), acked("b", 1), polled("a", 0), polled("b", 1))

    judgement = judged(*entries, polled("a", 0))

    assert judgement.met == ("nonmonotonic-poll",)
    assert judgement.status is Status.KEPT


@pytest.mark.parametrize(
    "anew",
    [
        moved("revoked", 0),
        moved("lost", 0),
        moved("assigned", 0),
        ("c", ("position_reset", GROUP, TOPIC, 0, 0, "seek")),
        crash("c"),
    ],
)
def test_after_a_new_beginning_a_poll_may_go_back(anew):
    entries = (sent("a"), acked("a", 0), sent("b"), acked("b", 1), polled("a", 0), polled("b", 1))
    back = [("c", ("node_restarted", 1))] if anew[1][0] == "node_crashed" else []

    assert judged(*entries, anew, *back, polled("a", 0)).met == ()


def test_a_new_beginning_on_one_partition_leaves_the_others():
    entries = (
        sent("a"), acked("a", 0), sent("b"), acked("b", 0, partition=1), polled("a", 0),
        polled("b", 0, partition=1), moved("revoked", 1), polled("a", 0),
    )  # fmt: skip

    assert judged(*entries).met == ("nonmonotonic-poll",)


# --- Transactions --------------------------------------------------------------------------------

IN_ONE = (began(), sent("a"), acked("a", 0), sent("b"), acked("b", 0, partition=1))


def test_what_is_aborted_is_read_by_nobody():
    aborted = (*IN_ONE, asked("abort", "a", "b"), ended("abort", "done"))

    (case,) = shown("G1a", *aborted, polled("a", 0))

    assert (case["writer"], case["reader"]) == (0, 7)
    assert judged(*aborted, sent("d"), acked("d", 2), polled("d", 2)).met == ()


def test_what_is_committed_is_lost_if_nobody_is_given_it():
    committed = (*IN_ONE, asked("commit", "a", "b"), ended("commit", "done"))

    judgement = judged(*committed, sent("d"), acked("d", 2), polled("d", 2))

    assert judgement.bad == ("lost-write", "unseen")


def test_a_commit_of_which_nothing_was_learnt_is_proven_by_one_record():
    """And then all of its records must be there."""
    perhaps = (*IN_ONE, asked("commit", "a", "b"), ended("commit", "unknown"))
    later = (sent("d"), acked("d", 2, partition=1), polled("d", 2, partition=1))

    assert judged(*perhaps, *later).met == ()
    assert judged(*perhaps, *later, polled("a", 0)).bad == ("lost-write",)


@pytest.mark.parametrize(("asking", "bad"), [((), ("G1a",)), ((asked("commit", "a", "b"),), ())])
def test_a_crash_before_the_commit_was_asked_for_is_an_abort(asking, bad):
    assert judged(*IN_ONE, *asking, crash(), polled("a", 0), polled("b", 0, partition=1)).bad == bad


# --- What is nobody's fault ----------------------------------------------------------------------


def test_what_retention_or_the_cleaner_took_need_not_be_read():
    entries = (
        sent("a"), acked("a", 0), sent("b"), acked("b", 1), sent("d"), acked("d", 2),
        ("broker-0", ("log_start_moved", TOPIC, 0, 1, "retention.ms")),
        ("broker-0", ("log_cleaned", TOPIC, 0, 0, 2, ("b",))),
    )  # fmt: skip

    assert judged(*entries, polled("d", 2)).met == ()


def test_members_of_a_share_group_are_given_what_others_are_not():
    shared = ("broker-0", ("share_assigned", GROUP, 1, "m", ((TOPIC, 0),)))
    trace = traced(shared, *(
        one for n in range(3) for one in (sent(f"e{n}"), acked(f"e{n}", n))
    ), polled("e1", 1, node="d"))  # fmt: skip
    for event_id, offset in (("e0", 0), ("e2", 2)):
        trace.record(20, "c", (), polled(event_id, offset)[1])
    history = history_of_trace(trace)

    assert judge_operations(history.operations, history.options).met == ()


def test_a_topic_that_nobody_reads_leaves_nothing_unseen():
    assert "unseen" not in judged(sent("a"), acked("a", 0)).met
    assert "unseen" in judged(moved("assigned", 0), sent("a"), acked("a", 0)).met


def test_acknowledgements_without_an_offset_say_nothing_of_places():
    assert judged(sent("a"), acked("a", -1), sent("b"), acked("b", -1), polled("a", 0),
                  polled("b", 1)).met == ()  # fmt: skip


# --- Whole runs ----------------------------------------------------------------------------------


def test_a_run_need_not_keep_its_trace():
    scenario = Scenario(workload=Workload(events=30))
    converter = Converter()
    simulate(scenario, Seeded(3), observers=converter.observers(), keep=False)
    kept = history_of_trace(simulate(scenario, Seeded(3)))

    online = judge_operations(converter.operations(), kept.options)

    assert online == judge_operations(kept.operations, kept.options)
    assert online.status is Status.KEPT
    assert online.operations > 30


def test_an_answer_that_is_lost_makes_a_duplicate_without_idempotence():
    scenario = few_orders(
        AT_LEAST_ONCE,
        producer={"enable.idempotence": False},
        faults=FaultPlan((Drop("broker-1", "orders-producer", "ProduceResponse"),)),
    )

    history = history_of_trace(simulate(scenario))
    judgement = judge_operations(history.operations, history.options)

    assert "duplicate" in judgement.bad


def test_a_run_that_shows_nothing_has_broken_nothing():
    judgement = judged(sent("a"), sent("b"), acked("a", 0), acked("b", 1))

    assert judgement.met == ("empty-transaction-graph",)
    assert judgement.status is Status.KEPT
