"""What verdicts are worth: their truth, their sum, their story."""

from typing import Any

import attrs
import pytest

from simulator.checks.catalogue import CHECKS, named
from simulator.checks.check import all_of, judge, watch
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.checks.progress import drained
from simulator.checks.story import sentence
from simulator.checks.verdict import EVIDENCE_MOST, Cases, Status, Verdict, combine
from simulator.errors import BadInput, UndecidedVerdict
from simulator.scenario.guarantee import PROMISES
from simulator.trace.events import EVENTS
from tests.tiny_traces import tiny

KEPT = Verdict("a", Status.KEPT, reached=3)
BROKEN = Cases()
BROKEN.add("it broke", (4, 2))
BROKEN = BROKEN.verdict("b", 5)
OPEN = Verdict("c", Status.CANNOT_TELL, why="the run was cut")

TWICE = (
    "p: sent e1 k", "p: acked e1 5", "c: assigned", "c: polled e1 5", "s: applied e1 ledger",
    "c: processed e1 5", "c: crashed", "c: restarted", "c: assigned", "c: polled e1 5",
    "s: applied e1 ledger", "c: processed e1 5", "b: committed 6", "quiet",
)  # fmt: skip


def test_the_truth_of_a_verdict_is_whether_it_was_kept():
    assert KEPT
    assert not BROKEN
    with pytest.raises(UndecidedVerdict, match="c: cannot tell: the run was cut"):
        bool(OPEN)


def test_broken_beats_unknown_beats_kept():
    assert combine([KEPT, OPEN, BROKEN]).status is Status.BROKEN
    assert combine([KEPT, OPEN]).status is Status.CANNOT_TELL
    assert combine([KEPT, KEPT]).status is Status.KEPT
    assert combine([]).status is Status.KEPT


def test_a_sum_shows_what_decides_it():
    whole = combine([KEPT, OPEN, BROKEN], "promises")

    assert whole.evidence[0].sentence == "b: it broke"
    assert (whole.entries, whole.reached, whole.cases) == ((2, 4), 8, 1)
    assert "b: broken (once of 5 examined)" in whole.explain()


def test_a_verdict_says_in_one_line_what_it_is_worth():
    assert str(KEPT) == "a: kept (3 examined)"
    assert str(OPEN) == "c: cannot tell: the run was cut"
    assert str(Verdict("d", Status.KEPT)) == "d: kept, but nothing was there to be judged"


def test_of_many_cases_the_first_are_shown_and_all_are_counted():
    cases = Cases()
    for number in range(100):
        cases.add(f"case {number}", (number,))
    verdict = cases.verdict("many", 100)

    assert (len(verdict.evidence), verdict.cases) == (EVIDENCE_MOST, 100)
    assert "... and 95 more" in verdict.explain()


def test_the_story_tells_what_led_to_the_case_with_times():
    trace = tiny(*TWICE)
    told = never_applied_twice(trace).explain(trace)

    assert told.splitlines() == [
        "never_applied_twice: broken (once of 2 examined)",
        "  - e1 changed ledger 'row' in a second transaction",
        "What happened to e1:",
        "    0.001 s  p sends it; acknowledged at orders-0@5",
        "    0.004 s  c polls it",
        "    0.005 s  s applies it: ledger 'row' = '1'",
        "    0.007 s  c crashes (after_process), down until 0.008 s; nothing committed on orders-0",
        "    0.009 s  c owns orders-0 (generation 1) and goes back to orders-0@5",
        "    0.010 s  c polls it again",
        "    0.011 s  s applies it again: ledger 'row' = '1'",
    ]


def test_the_story_leaves_out_what_has_nothing_to_do_with_it():
    trace = tiny("p: sent e0 j", "d: polled@1 e0 0", "d: crashed", *TWICE)
    told = never_applied_twice(trace).explain(trace)

    assert "e0" not in told
    assert " d crashes" not in told


def test_without_a_kept_trace_the_cases_are_told_without_their_story():
    trace = tiny(*TWICE, keep=False)
    verdict = never_applied_twice(tiny(*TWICE))

    assert "What happened" not in verdict.explain(trace)
    assert "What happened" not in verdict.explain()


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_every_kind_of_event_can_be_told(kind):
    values = {int: 1, str: "x", bool: True, Any: "k", tuple[str, ...]: ("e1",)}
    fields = [values.get(field.type, (("orders", 0),)) for field in attrs.fields(EVENTS[kind])]

    assert sentence((0, 0, "node", (), (kind, *fields))).startswith("node")


def test_online_and_afterwards_every_check_says_the_same():
    """The evidence names the same entries, whether the trace was kept or not."""
    observers, finish = watch(CHECKS.values())
    tiny(*TWICE, keep=False, observers=observers)

    assert finish() == judge(tiny(*TWICE), CHECKS.values())


def test_a_check_can_watch_many_runs():
    assert never_lost(tiny("p: sent e1", "c: assigned", "p: acked e1 0", "quiet")).cases == 1
    assert never_lost(tiny("c: assigned", "quiet")).cases == 0


def test_several_checks_are_one():
    both = all_of(never_lost, never_applied_twice, name="exactly_once")
    verdict = both(tiny(*TWICE))

    assert verdict.status is Status.BROKEN
    assert [str(part.status) for part in verdict.parts] == ["kept", "broken"]
    assert verdict.check == "exactly_once"


def test_a_trace_that_was_not_kept_cannot_be_judged_afterwards():
    with pytest.raises(BadInput, match="not kept"):
        drained(tiny("quiet", keep=False))


def test_a_check_is_found_by_its_name_or_a_near_one_is_shown():
    assert named(["never_lost"]) == (never_lost,)
    with pytest.raises(BadInput, match="did you mean never_lost"):
        named(["never_lots"])


def test_a_guarantee_may_promise_any_check():
    assert tuple(CHECKS) == PROMISES


def test_every_check_says_what_it_promises():
    for name, check in CHECKS.items():
        assert check.name == name
        assert check.promise.endswith(".")
