"""A read model and the log that it is made of: equal, different, and where nobody can tell."""

import pytest

from simulator.checks.read_models import read_model
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny

LAST = read_model("seen", lambda _, event: event.event_id)
COUNT = read_model("counts", lambda count, _: str(int(count or 0) + 1))
LOGGED = ("p: sent e1 k", "p: sent e2 k", "p: acked e1 0", "c: polled e2 1")


def test_a_table_that_holds_what_the_log_makes_of_it_is_kept():
    """Redelivery does no harm where the last one wins, and is repeated as well."""
    trace = tiny(
        *LOGGED, "s: applied e1 seen k e1", "s: applied e2 seen k e2", "s: applied e1 seen k e1",
        "s: applied e2 seen k e2", "quiet",
    )  # fmt: skip
    verdict = LAST(trace)

    assert verdict
    assert verdict.reached == 1


def test_a_stale_write_at_last_is_no_fold():
    trace = tiny(*LOGGED, "s: applied e2 seen k e2", "s: applied e1 seen k e1", "quiet")
    verdict = LAST(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (2, 3, 5)
    said = "seen 'k' is 'e1' at last, and its events make 'e2' of it"
    assert verdict.evidence[0].sentence == said
    assert said in verdict.explain(trace)


@pytest.mark.parametrize(
    ("effects", "status"),
    [
        (("s: applied e1 counts k 1", "s: applied e2 counts k 2"), Status.KEPT),
        (("s: applied e1 counts k 1", "s: applied e2 counts k 3"), Status.BROKEN),
        (("s: applied e1 counts k 1",), Status.BROKEN),  # e2 was lost.
        ((), Status.BROKEN),
    ],
)
def test_what_is_counted_twice_or_never_is_no_fold(effects, status):
    assert COUNT(tiny(*LOGGED, *effects, "quiet")).status is status


def test_the_order_is_that_of_the_log():
    """Not that of sending, of acknowledgements, or of polls."""
    crossed = ("p: sent e1 k", "p: sent e2 k", "p: acked e2 0", "p: acked e1 1")

    assert LAST(tiny(*crossed, "s: applied e1 seen k e1", "quiet"))


def test_the_first_copy_of_an_event_counts():
    twice = (*LOGGED, "c: polled e1 2")

    assert LAST(tiny(*twice, "s: applied e2 seen k e2", "quiet"))


def test_a_row_that_no_event_makes_is_wrong():
    trace = tiny(*LOGGED, "s: applied e2 seen k e2", "s: applied e2 seen other e2", "quiet")

    assert "its events make no row of it" in LAST(trace).evidence[0].sentence


def test_events_may_have_rows_of_their_own_or_none():
    each = read_model(
        "seen",
        lambda _, event: event.event_id,
        row=lambda event: event.event_id if event.event_id != "e1" else None,
    )

    assert each(tiny(*LOGGED, "s: applied e2 seen e2 e2", "quiet"))


def test_of_other_topics_it_is_no_read_model():
    elsewhere = read_model("seen", lambda _, event: event.event_id, topic="payments")

    assert elsewhere(tiny(*LOGGED, "quiet")).reached == 0


def test_while_the_run_is_not_over_it_may_catch_up():
    assert LAST(tiny(*LOGGED, "horizon")).status is Status.CANNOT_TELL
