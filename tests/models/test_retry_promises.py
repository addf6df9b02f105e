"""What is promised of records that fail, on hand-made traces: kept, broken, nothing to judge."""

import pytest

from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import (
    as_without_trouble,
    behind_what_is_parked,
    in_one_place,
    loops_at_most,
)
from models.patterns.retrying.retry_promises import conserved, not_before_due, tried_at_most
from models.patterns.retrying.retry_setups import RETRY
from models.patterns.retrying.storm import SLOT_US, Service, Storm, served_within, storming
from models.patterns.retrying.troubles import DEAD, TOPIC
from models.patterns.retrying.waiting_promises import (
    lag_at_most,
    only_its_partition_waits,
    others_go_on,
)
from simulator import Backoff, BadInput, Fixed, Scenario, Status, Trace, all_of, simulate

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL


def told(*events, observers=()):
    """A trace of events, 10 ms apart; (at ms, event) gives one its time."""
    trace, at_ms = Trace(observers=observers), 0
    for one in events:
        at_ms, event = one if isinstance(one[0], int) else (at_ms + 10, one)
        trace.record(at_ms * 1_000, "billing-0", (), event)
    return trace


def sent(event, topic=TOPIC):
    return ("record_sent", event, topic, event.partition("/")[0])


def acked(event, offset=0, topic=TOPIC, partition=0):
    return ("record_acknowledged", event, topic, partition, offset)


def committed(offset, partition=0, topic=TOPIC):
    return ("offset_committed", "billing", topic, partition, offset, "m", 1)


def applied(event, table="state"):
    key, _, version = event.partition("/")
    return ("effect_applied", table, key, int(version), event)


def noted(label, event):
    return ("noted", label, event)


def tried(event):
    return noted("attempted", event)


def failed(event):
    return noted("failed", event)


def appended(event, topic=DEAD):
    return ("batch_appended", topic, 0, 0, (event,), 0, 0, 0)


QUIET, CUT = ("run_ended", "quiet"), ("run_ended", "horizon")
STOPPED = ("run_ended", "stopped")
IN_LOG = acked("k0/1")


# --- Passed, and yet somewhere --------------------------------------------------------------


@pytest.mark.parametrize(
    "kept", [applied("k0/1"), acked("k0/1", 0, DEAD), noted("parked", "k0/1")]
)
def test_a_record_that_is_passed_is_conserved_by_its_effect_a_letter_or_a_place_to_park(kept):
    verdict = conserved()(told(IN_LOG, kept, committed(1), QUIET))

    assert verdict.status is KEPT
    assert verdict.reached == 1


def test_a_record_that_is_passed_and_nowhere_is_not_conserved():
    verdict = conserved()(told(IN_LOG, committed(1), QUIET))

    assert verdict.status is BROKEN
    assert verdict.evidence[0].event_ids == ("k0/1",)


def test_a_letter_that_is_written_after_the_commit_is_too_late_unless_only_the_end_counts():
    trace = told(IN_LOG, committed(1), acked("k0/1", 0, DEAD), QUIET)

    assert conserved()(trace).status is BROKEN
    assert conserved(always=False)(trace).status is KEPT


def test_what_is_not_passed_may_still_be_handled():
    """Of a run that was cut, or that somebody called unfinished, nothing can be told."""
    for ending in ((CUT,), (noted("unfinished", ""), QUIET)):
        verdict = conserved()(told(IN_LOG, *ending))
        assert (verdict.status, verdict.reached) == (KEPT, 0)

    assert conserved()(told(IN_LOG, QUIET)).status is BROKEN


# --- How often, and when ------------------------------------------------------------------------


def test_attempts_are_counted_by_event():
    trace = told(tried("k0/1"), tried("k1/1"), tried("k0/1"))

    assert tried_at_most(2)(trace).status is KEPT
    assert tried_at_most(1)(trace).status is BROKEN
    assert tried_at_most(1, ("k1/1",))(trace).status is KEPT
    assert tried_at_most(1)(told()).reached == 0


def test_an_attempt_is_due_its_delay_after_the_last_failure():
    check = not_before_due(lambda count: 100_000 * count)
    early = ((10, tried("e")), (20, failed("e")), (119, tried("e")))
    due = ((10, tried("e")), (20, failed("e")), (120, tried("e")), (130, failed("e")))

    assert check(told(*early)).status is BROKEN
    assert check(told(*due)).status is KEPT
    assert check(told(*due, (330, tried("e")))).status is KEPT
    assert check(told(*due, (329, tried("e")))).status is BROKEN
    assert check(told(tried("e"))).reached == 0


# --- Who waits -----------------------------------------------------------------------------------

HERE = (acked("k0/1", 0), acked("k0/2", 1), acked("k1/1", 0, TOPIC, 1))
WAITS = only_its_partition_waits("k0/1")


def test_those_behind_a_failing_record_wait_and_others_do_not():
    good = told(*HERE, tried("k0/1"), tried("k1/1"), applied("k0/1"), tried("k0/2"))
    letter = told(*HERE, tried("k0/1"), acked("k0/1", 0, DEAD), tried("k0/2"))

    assert WAITS(good).status is KEPT
    assert WAITS(letter).status is KEPT


def test_to_pass_a_failing_record_or_to_wait_for_one_of_another_partition_is_wrong():
    assert WAITS(told(*HERE, tried("k0/1"), tried("k0/2"))).status is BROKEN
    assert WAITS(told(*HERE, (999, tried("k1/1")))).status is BROKEN
    assert WAITS(told(acked("k1/1"), tried("k1/1"))).reached == 1, "nothing fails"


def test_all_others_have_their_effect_in_the_end():
    check = others_go_on(("k0/1",))

    assert check(told(IN_LOG, acked("k1/1"), applied("k1/1"))).status is KEPT
    assert check(told(IN_LOG, acked("k1/1"), CUT)).status is BROKEN
    assert check(told(IN_LOG, acked("k1/1"), STOPPED)).status is CANNOT_TELL
    assert check(told(IN_LOG)).reached == 0


# --- Letters --------------------------------------------------------------------------------------

TWO = (sent("k0/1"), sent("k0/2"), noted("dead_lettered", "k0/1"))


def test_a_later_event_of_a_key_takes_no_effect_before_one_that_is_put_aside():
    assert behind_what_is_parked(told(*TWO, applied("k0/1"), applied("k0/2"))).status is KEPT
    assert behind_what_is_parked(told(*TWO, applied("k0/2"))).status is BROKEN
    assert behind_what_is_parked(told(*TWO, sent("k1/1"), applied("k1/1"))).status is KEPT
    assert behind_what_is_parked(told(*TWO[:2], applied("k0/2"))).reached == 0


def test_in_the_end_a_row_is_what_its_newest_event_or_all_of_them_made_it():
    there = (acked("k0/1"), acked("k0/2"))
    total = ("effect_applied", "total", "k0", 3, "k0/1")

    assert as_without_trouble(told(*there, applied("k0/1"), applied("k0/2"))).status is KEPT
    assert as_without_trouble(told(*there, applied("k0/2"), applied("k0/1"), CUT)).status is BROKEN
    assert as_without_trouble(told(*there, QUIET)).status is BROKEN
    assert as_without_trouble(told(*there, STOPPED)).status is CANNOT_TELL
    assert as_without_trouble(told(*there, total)).status is KEPT
    assert as_without_trouble(told(acked("e1"))).reached == 0


def test_letters_of_an_event_are_counted_in_one_topic():
    trace = told(appended("k0/1"), appended("k0/1"), appended("k0/1", TOPIC))

    assert loops_at_most(2, DEAD)(trace).status is KEPT
    assert loops_at_most(1, DEAD)(trace).status is BROKEN
    assert loops_at_most(0, "another")(trace).reached == 0


def test_promises_can_be_asked_together():
    """Whoever loses the record, and tries it twice, breaks two of three."""
    trace = told(IN_LOG, tried("k0/1"), tried("k0/1"), committed(1), QUIET)
    verdict = all_of(conserved(), tried_at_most(1), loops_at_most(0, DEAD))(trace)

    assert [part.status for part in verdict.parts] == [BROKEN, BROKEN, KEPT]


# --- What is counted ------------------------------------------------------------------------------


def test_what_became_of_records_is_counted():
    handled = Handled()
    told(
        *(sent("k0/1"), sent("k0/2"), sent("k1/1")),
        *(acked("k0/1", 0), acked("k0/2", 1), acked("k1/1", 2)),
        (100, tried("k0/1")),
        (200, tried("k0/1")),
        (300, noted("skipped", "k0/1")),
        *((310, tried("k0/2")), (320, applied("k0/2"))),
        appended("k0/1"),
        ("node_crashed", "process", "at"),
        ("generation_started", "billing", 2, "m", "range", ("m",)),
        committed(2),
        QUIET,
        observers=handled.observers(),
    )

    assert handled.most_attempts == 2
    assert handled.gave_up_after_us == 200_000
    assert handled.waited_us == [320_000 - 20_000]
    assert handled.lost == (2, 3), "it came to rest, and k1/1 was never handled"
    assert handled.not_applied == (2, 3)
    assert handled.dead == (1, 3)
    assert handled.wrong == (1, 2), "of k1 there is no row"
    assert handled.rounds(DEAD) == 1
    assert (handled.crashes, handled.rebalances) == (1, 1)
    assert Handled().gave_up_after_us is None


# --- Storms ---------------------------------------------------------------------------------------


def stormed(policy, clients=6, capacity=2):
    storm = Storm(1_500_000)
    service = Service(capacity, (1_000, 1_500))
    scenario = Scenario(application=storming(clients, policy, service), horizon_ms=30_000)
    return simulate(scenario, observers=storm.observers()), storm


def test_who_comes_back_together_is_served_a_slot_at_a_time():
    trace, storm = stormed(Backoff(law=Fixed(1_000)))

    assert storm.busiest == 6
    assert storm.total == 6 + 6 + 4 + 2
    assert storm.done_us == 2_500_000
    assert served_within(2_500, 1_500)(trace).status is KEPT
    assert served_within(2_000, 1_500)(trace).status is BROKEN
    assert served_within(1, 0)(told()).reached == 0
    assert SLOT_US == 50_000


def test_a_client_whose_policy_ends_is_not_served():
    _, storm = stormed(Backoff(law=Fixed(100), max_retries=2))

    assert storm.served_us == {}
    with pytest.raises(BadInput):
        Backoff(law=Fixed(1), max_retries=-1)


# --- One place only, and no growing lag ---------------------------------------------------------


def test_what_took_effect_lies_not_among_the_dead_letters_as_well():
    assert in_one_place(told(appended("k0/1"), applied("k0/2"), QUIET)).status is KEPT
    assert in_one_place(told(appended("k0/1"), applied("k0/1"), CUT)).status is BROKEN
    assert in_one_place(told(applied("k0/1"), appended("k0/1"), CUT)).status is BROKEN
    assert in_one_place(told(appended("k0/1", RETRY), applied("k0/1"))).reached == 0


def test_a_lag_is_counted_from_the_first_commit_on():
    begun = acked("k0/1"), committed(1)
    more = acked("k0/2", 1), acked("k0/3", 2)

    assert lag_at_most(2)(told(*begun, *more)).status is KEPT
    assert lag_at_most(1)(told(*begun, *more)).status is BROKEN
    assert lag_at_most(1)(told(*begun, more[0], committed(2), more[1])).status is KEPT
    assert lag_at_most(0)(told(acked("k0/1"), *more)).reached == 0
