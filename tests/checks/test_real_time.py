"""The order of time in a partition, and where logs end: kept, broken, and where nothing is said."""

import pytest

from simulator.checks.real_time import end_offset_never_falls, real_time_order
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace
from tests.tiny_traces import tiny

FIRST = ("p: sent e1", "p: acked e1 5")


def test_what_is_sent_after_an_acknowledgement_lies_behind_it():
    verdict = real_time_order(tiny(*FIRST, "q: sent e2", "q: acked e2 6"))

    assert verdict
    assert verdict.reached == 1


def test_what_is_sent_after_an_acknowledgement_and_lies_before_it_breaks_the_order():
    trace = tiny(*FIRST, "q: sent e2", "q: acked e2 4")
    verdict = real_time_order(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (1, 2, 3)
    said = "e2 was handed over after e1 was acknowledged (orders-0@5), and lies before it (@4)"
    assert verdict.evidence[0].sentence == said
    assert said in verdict.explain(trace)


def test_what_was_under_way_together_may_lie_either_way():
    assert real_time_order(
        tiny("p: sent e1", "q: sent e2", "p: acked e1 5", "q: acked e2 4")
    ).reached == 0


def test_partitions_have_orders_of_their_own():
    assert real_time_order(tiny(*FIRST, "q: sent e2", "q: acked@1 e2 0")).reached == 0


def test_who_polls_a_record_that_was_never_acknowledged_says_where_it_lies():
    assert not real_time_order(tiny(*FIRST, "q: sent e2", "c: polled e2 4"))


def test_what_is_handed_over_again_began_with_its_first_try():
    """Its first copy may have come late."""
    again = ("p: sent e2", *FIRST, "p: failed e2 maybe", "p: sent e2", "p: acked e2 4")

    assert real_time_order(tiny(*again)).status is Status.KEPT


def test_where_an_unwatched_record_lies_nobody_can_tell():
    """acks=0: its producer is told of no offset."""
    assert real_time_order(tiny("p: sent e1", "p: acked e1 -1", "q: sent e2", "q: acked e2 0"))


# --- Where logs end ------------------------------------------------------------------------------

WHERE = ("orders", 0)


def conversation(*steps):
    """A trace of steps: (node, event)."""
    trace = Trace()
    for number, (node, event) in enumerate(steps):
        trace.record(number * 1_000, node, (), event)
    return trace


def asks(message, who="c", isolation="read_uncommitted", when=-1, broker="b"):
    about = (isolation, (*WHERE, when))
    return who, ("message_sent", message, who, broker, "ListOffsetsRequest", about)


def comes(message, who="c", broker="b"):
    return broker, ("message_delivered", message, who, broker, "ListOffsetsRequest")


def answers(message, end, who="c", error="NONE", broker="b"):
    about = ((*WHERE, error, end),)
    return broker, ("message_sent", message, broker, who, "ListOffsetsResponse", about)


def learns(message, who="c", broker="b"):
    return who, ("message_delivered", message, broker, who, "ListOffsetsResponse")


def polls(offset):
    return "r", ("record_polled", "g", *WHERE, offset, f"e{offset}")


def told(number, end, **how):
    """A question and its answer."""
    who = {key: value for key, value in how.items() if key in {"who", "broker"}}
    return (
        asks(2 * number, **how),
        comes(2 * number, **who),
        answers(2 * number + 1, end, **who),
        learns(2 * number + 1, **who),
    )


def test_an_end_that_grows_is_as_it_should_be():
    verdict = end_offset_never_falls(conversation(*told(0, 3), polls(4), *told(1, 5)))

    assert verdict
    assert verdict.reached == 1


@pytest.mark.parametrize("known", [told(0, 6, who="d", broker="a"), (polls(5),)])
def test_an_end_before_what_was_known_has_fallen(known):
    trace = conversation(*known, *told(1, 5))
    verdict = end_offset_never_falls(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (len(known) - 1, len(known) + 3)
    said = "c learns from b that orders-0 ends at @5, and it had ended at @6 before it asked"
    assert verdict.evidence[0].sentence == said
    assert said in verdict.explain(trace)


def test_what_is_learnt_while_one_asks_counts_for_nobody():
    assert end_offset_never_falls(
        conversation(asks(0), comes(0), polls(5), answers(1, 5), learns(1))
    ).reached == 0


def test_readers_of_committed_records_are_told_of_another_end():
    """The last stable offset; an open transaction's records lie behind it."""
    committed = {"isolation": "read_committed"}

    assert end_offset_never_falls(conversation(*told(0, 6), polls(5), *told(1, 3, **committed)))
    assert not end_offset_never_falls(
        conversation(*told(0, 6, **committed), *told(1, 3, **committed))
    )


@pytest.mark.parametrize(
    "answered",
    [
        (asks(2), answers(3, 1), learns(3)),  # Of a question that never came.
        (asks(2), comes(2), answers(3, 1)),  # It was lost.
        told(1, -1, who="c"),
        told(1, 1, when=1_000),  # Of a time.
        (asks(2), comes(2), ("b", ("node_crashed", "process", "at")), answers(3, 1), learns(3)),
    ],
)
def test_what_is_no_answer_of_an_end_is_no_case(answered):
    assert end_offset_never_falls(conversation(*told(0, 6), *answered)).reached == 0


def test_the_log_goes_on_at_least_to_where_its_committed_records_end():
    committed = told(0, 6, isolation="read_committed")

    assert end_offset_never_falls(conversation(*committed, *told(1, 6))).reached == 1
    assert not end_offset_never_falls(conversation(*committed, *told(1, 5)))


def test_a_question_that_is_never_answered_is_not_taken_for_the_next():
    """Its connection was gone before the broker came to it, and its asker wants to know another end
    since; that one may be lower, and not fall."""
    known = (*told(0, 6), *told(1, 3, isolation="read_committed"))
    unanswered = (asks(4), comes(4))
    next_one = told(3, 3, isolation="read_committed")

    assert end_offset_never_falls(conversation(*known, *unanswered, *next_one))
    assert not end_offset_never_falls(
        conversation(*known, *unanswered, *told(3, 2, isolation="read_committed"))
    )


def test_an_answer_of_where_a_log_begins_is_not_taken_for_one_of_its_end():
    """There, too, the other may be a question that is never answered."""
    begins = told(3, 0, when=-2)

    assert end_offset_never_falls(conversation(*told(0, 6), asks(4), comes(4), *begins))
    assert end_offset_never_falls(conversation(*told(0, 6), *begins)).reached == 0


def test_an_answer_is_compared_with_what_the_oldest_open_question_knew():
    before = (*told(0, 6), asks(2), comes(2), polls(7))

    assert end_offset_never_falls(conversation(*before, *told(2, 7)))
    assert not end_offset_never_falls(conversation(*before, *told(2, 5)))
