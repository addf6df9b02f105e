"""Each rule fires on its twin, shows the harm in a run, and is silent on what is right."""

import attrs
import pytest

from simulator import BadInput, Status
from simulator.linting.architecture import Architecture, Handles, Sends, ServiceDesign, TopicDesign
from simulator.linting.declared import architecture_of_toml
from simulator.linting.lint import all_rules, lint
from simulator.linting.naming import is_command
from tests.architectures import RIGHT, TWINS, with_billing, with_payments, with_services
from tests.fuzzed import ARCHITECTURE


def test_every_rule_has_a_twin():
    assert tuple(TWINS) == tuple(all_rules())


def test_nothing_is_found_and_nothing_open_where_all_is_right():
    report = lint(RIGHT)

    assert report
    assert not report.open
    assert report.status is Status.KEPT


@pytest.mark.parametrize("rule", TWINS)
def test_a_rule_fires_on_its_twin_alone(rule):
    """On one subject, and no other rule does."""
    twin, subject, _ = TWINS[rule]

    report = lint(twin, witnesses=False)

    assert [(one.rule, one.subject) for one in report.findings] == [(rule, subject)]
    assert not report
    assert report.status is Status.BROKEN


@pytest.mark.parametrize("rule", TWINS)
def test_a_finding_comes_with_the_smallest_run_that_shows_its_harm(rule):
    """Judged again from its witness alone."""
    twin, _, faults = TWINS[rule]

    (finding,) = lint(twin, [rule]).findings

    assert finding.witness.faults == faults
    assert finding.harm
    again = finding.witness.trace()
    assert any(seq < len(again.flat) for seq in finding.witness.verdict.entries)


def test_a_rule_is_asked_alone():
    report = lint(TWINS["random-key"][0], ["dual-write"])

    assert report
    assert report.rules == ("dual-write",)


def test_a_rule_that_there_is_not_is_refused_by_name():
    with pytest.raises(BadInput, match=r"there is no rule called 'no-such'.*known: command-event"):
        lint(RIGHT, ["no-such"])


# --- Near misses: as like as can be, and no finding -----------------------------------------------


@pytest.mark.parametrize(
    "architecture",
    [
        with_payments(guarded=True),
        with_billing(sink="none"),
        with_billing(claims="exactly-once"),
        with_billing(retries=0),
        attrs.evolve(RIGHT, topics=(TopicDesign("orders", 3), TopicDesign("payments", 1))),
    ],
)
def test_near_misses_are_no_findings(architecture):
    assert not lint(architecture, witnesses=False).findings


def test_one_partition_forgives_any_key():
    one = attrs.evolve(with_payments(key="random"), topics=(TopicDesign("payments", 1),))

    assert not lint(one, ["random-key"]).findings


def test_a_command_to_one_service_is_no_event():
    sends = Sends("mails", ["SendReceipt"], key="order_id")
    to_one = with_services(
        ServiceDesign("office", sends=[sends]),
        ServiceDesign("mail", [Handles("mails", ["SendReceipt"])]),
    )

    assert not lint(to_one, ["command-event"]).findings


def test_a_command_that_nobody_handles_is_found():
    to_nobody = with_services(ServiceDesign("office", sends=[Sends("mails", ["SendReceipt"])]))

    (finding,) = lint(to_nobody, ["command-event"]).findings

    assert "by 0 services (nobody)" in finding.said
    assert finding.harm == "SendReceipt/1 was acted on by nobody"


def test_who_waits_for_another_service_waits_for_its_crash():
    shop, _, shipping = RIGHT.services
    credit = ServiceDesign("credit", sends=[Sends("credits", ["CreditChecked"])])
    waiting = with_billing(awaits="credits").services[1]
    architecture = attrs.evolve(RIGHT, services=(shop, waiting, shipping, credit))

    (finding,) = lint(architecture, ["hidden-synchrony"]).findings

    assert finding.witness.line.startswith("crash@credit-0/")


def test_records_without_a_key_follow_their_producer():
    (finding,) = lint(with_payments(key="none"), ["random-key"]).findings

    assert finding.witness.line.startswith("partition@billing-")


# --- What is not told -----------------------------------------------------------------------------


def test_what_is_not_told_is_open_and_not_taken_for_right():
    bare = Architecture(services=(ServiceDesign("a", [Handles("t")], [Sends("u", ["ThingDone"])]),))

    report = lint(bare)

    assert not report.findings
    assert report.status is Status.CANNOT_TELL
    assert {one.rule for one in report.open} == {
        "unversioned-event", "reaction-cycle", "random-key", "missing-group-id",
        "endless-retries", "no-dead-letters", "dual-write", "non-idempotent-sink",
    }  # fmt: skip
    assert str(report.open[0]) == "unversioned-event: ThingDone: schema_version is not told"


# --- Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["SendEmail", "send-email", "com.shop.create_order.v2", "SendEmailRequested", "ReserveStock"],
)
def test_a_name_that_tells_somebody_to_act_is_a_command(name):
    assert is_command(name)


@pytest.mark.parametrize(
    "name",
    ["EmailSent", "OrderCreated", "OrderPaid", "order-shipped", "PaymentAuthorized", "SetPointLost",
     "Heartbeat", "OrderCreated.v2", "PriceChangeRequested"],
)  # fmt: skip
def test_a_name_that_says_what_happened_is_an_event(name):
    assert not is_command(name)


# --- The names of the stage ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "topic"),
    [
        ("broker", "commands"),
        ("database", "requests"),
        ("reader", "granted"),
        ("projection", "dead-letters"),
        ("an other", "replies"),
    ],
)
def test_whatever_things_are_called_each_finding_can_be_shown(service, topic):
    """A stage has parts of its own, and the architecture's names may be the same."""
    text = ARCHITECTURE.decode().replace("broker", service).replace("orders", topic)
    text = text.replace(f"services.{service}", f'services."{service}"')
    text = text.replace(f"topics.{topic}", f'topics."{topic}"')

    report = lint(architecture_of_toml(text))

    assert len(report.findings) == len(dict.fromkeys(one.rule for one in report.findings)) == 12
    assert all(finding.harm for finding in report.findings)
