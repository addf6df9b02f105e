"""The checks by which the lint judges harm: kept by a cure, broken by a twin, unsure when cut."""

import pytest

from simulator import Replay, Status, Trace, simulate
from simulator.linting.lint import all_rules, lint
from tests.architectures import TWINS

AT_THE_END = ("command-event", "no-dead-letters", "dual-write", "moment-of-delivery")


def staged(rule, *, cured=False):
    found = next(iter(all_rules()[rule].find(TWINS[rule][0])))
    return all_rules()[rule].stage(found, cured=cured)


@pytest.mark.parametrize("rule", TWINS)
def test_a_check_is_kept_where_the_cure_is_tried(rule):
    stage = staged(rule, cured=True)

    verdict = stage.check(simulate(stage.scenario))

    assert verdict.status is Status.KEPT
    assert verdict.reached


@pytest.mark.parametrize("rule", TWINS)
def test_a_check_is_broken_by_the_witness_and_shows_entries(rule):
    (finding,) = lint(TWINS[rule][0], [rule]).findings
    trace = simulate(finding.witness.scenario, Replay(finding.witness.witness))

    verdict = staged(rule).check(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.evidence[0].sentence == finding.harm


@pytest.mark.parametrize("rule", AT_THE_END)
def test_a_check_of_the_end_cannot_tell_of_a_run_that_was_cut(rule):
    """Who is acted on, kept or told later is no harm yet."""
    stage = staged(rule, cured=True)
    cut = Trace()
    for _, at_us, node, causes, event in simulate(stage.scenario).flat:
        if event[0] == "run_ended":
            cut.record(at_us, node, (), ("run_ended", "horizon"))
        elif event[0] != "effect_applied" and event[2:3] != ("dead-letters",):
            cut.record(at_us, node, causes, event)

    verdict = stage.check(cut)

    assert verdict.status is Status.CANNOT_TELL
    assert "the run was cut" in verdict.why


@pytest.mark.parametrize(
    ("rule", "witness"),
    [
        ("dual-write", {("crash@billing-0/after_poll", times): 1 for times in range(5)}),
        ("stale-decision", {("crash@database/after_append", 0): 1}),
    ],
)
def test_a_cure_goes_on_however_long_its_stage_stands_still(rule, witness):
    """A relay waits for who has still to write, and what is there at first is put there again."""
    stage = staged(rule, cured=True)

    trace = simulate(stage.scenario, Replay(witness))

    assert len(trace.of("node_crashed")) == len(witness)
    assert stage.check(trace).status is Status.KEPT
