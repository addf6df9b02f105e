"""What a run shows of an architecture: what was seen, and nothing that it might mean."""

import attrs
import pytest

from simulator import BadInput, Replay, Seeded, Trace, simulate
from simulator.linting.architecture import FOR_EVER, Sends, ServiceDesign, TopicDesign
from simulator.linting.lint import all_rules, lint
from simulator.linting.observed import architecture_of_trace
from tests.architectures import TWINS, with_billing
from tests.few_orders import few_orders
from tests.laws.catalogue import LAWS
from tests.laws.law import Law, Right

# Harm that can be seen in a run; the rest is a matter of what is meant.
VISIBLE = {
    "reaction-cycle", "missing-group-id", "hidden-synchrony", "endless-retries",
    "non-idempotent-sink", "exactly-once-claimed", "dual-write",
}  # fmt: skip
SEEN_AS = {"exactly-once-claimed": "non-idempotent-sink"}  # A claim is not seen.


def observed(trace):
    return lint(architecture_of_trace(trace), witnesses=False)


def twin(rule):
    """The lint's own; but who waits for himself is never seen to be given what he waits for."""
    if rule != "hidden-synchrony":
        return TWINS[rule][0]
    credit = ServiceDesign("credit", sends=[Sends("credits", ["CreditChecked"])])
    waiting = with_billing(awaits="credits")
    return attrs.evolve(waiting, services=(*waiting.services, credit))


def staged(rule, *, cured):
    found = next(iter(all_rules()[rule].find(twin(rule))))
    return all_rules()[rule].stage(found, cured=cured)


def test_a_run_shows_its_services_topics_groups_and_stores():
    found = architecture_of_trace(simulate(few_orders()), "orders")
    services = {service.name: service for service in found.services}

    assert found.name == "orders"
    assert found.topics == (TopicDesign("orders", 2),)
    assert [one.topic for one in services["orders-producer"].sends] == ["orders"]
    (handles,) = services["billing"].handles
    assert (handles.topic, handles.group, handles.stores) == ("orders", "billing", ("ledger",))


def test_what_a_run_does_not_show_is_not_told():
    (handles,) = architecture_of_trace(simulate(few_orders())).services[-1].handles

    assert handles.retries is None
    assert handles.after_limit is None
    assert handles.sink is None


@pytest.mark.parametrize("rule", sorted(VISIBLE))
def test_harm_that_was_done_is_found_in_the_trace(rule):
    """In the run which the rule itself stages, with its witness's faults."""
    (finding,) = lint(twin(rule), [rule]).findings
    stage = staged(rule, cured=False)

    report = observed(simulate(stage.scenario, Replay(finding.witness.witness)))

    assert SEEN_AS.get(rule, rule) in [one.rule for one in report.findings]


@pytest.mark.parametrize("rule", sorted(VISIBLE))
def test_nothing_is_found_in_the_run_of_a_cure(rule):
    assert not observed(simulate(staged(rule, cured=True).scenario)).findings


def test_endless_tries_are_seen():
    found = architecture_of_trace(simulate(staged("endless-retries", cured=False).scenario))
    billing = next(one for one in found.services if one.name == "billing")

    assert billing.handles[0].retries == FOR_EVER


RIGHT = [
    (law.name, variant)
    for law in LAWS
    if isinstance(law, Law)
    for variant in law.right
]


@pytest.mark.parametrize(("name", "variant"), RIGHT)
def test_no_rule_fires_on_a_right_model(name, variant):
    """On a run of it, with whatever its own laws of chance do."""
    law = next(one for one in LAWS if one.name == name)
    right = law.right[variant]
    trace = simulate(right.scenario if isinstance(right, Right) else right, Seeded(1))
    if not any(entry[4][0] in ("record_sent", "record_polled") for entry in trace.flat):
        pytest.skip("it has no topics: nothing goes between services")

    assert not observed(trace).findings


def test_a_trace_that_was_not_kept_shows_nothing():
    with pytest.raises(BadInput, match="was not kept"):
        architecture_of_trace(Trace(keep=False))


def test_a_trace_of_nobody_is_refused():
    with pytest.raises(BadInput, match="nobody sends or reads anything"):
        architecture_of_trace(Trace())
