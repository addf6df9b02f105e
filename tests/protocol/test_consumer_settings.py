"""A consumer's settings: Kafka's names, defaults and rules; nothing is taken and then ignored."""

import attrs
import pytest

from simulator.errors import BadInput
from simulator.protocol.consumer_settings import NOT_MODELLED, ConsumerSettings, consumer_settings
from simulator.protocol.settings import kafka_name

DEFAULTS = {
    "group.id": None,
    "group.instance.id": None,
    "client.rack": "",
    "session.timeout.ms": 45_000,
    "heartbeat.interval.ms": 3_000,
    "group.protocol": "classic",
    "group.remote.assignor": None,
    "max.poll.interval.ms": 300_000,
    "max.poll.records": 500,
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 5_000,
    "auto.offset.reset": "latest",
    "fetch.min.bytes": 1,
    "fetch.max.wait.ms": 500,
    "fetch.max.bytes": 52_428_800,
    "max.partition.fetch.bytes": 1_048_576,
    "partition.assignment.strategy": ("range", "cooperative-sticky"),
    "default.api.timeout.ms": 60_000,
    "request.timeout.ms": 30_000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
    "retry.backoff.ms": 100,
    "retry.backoff.max.ms": 1_000,
    "metadata.max.age.ms": 300_000,
    "isolation.level": "read_uncommitted",
    "internal.leave.group.on.close": True,
}


def test_defaults_are_kafkas():
    settings = ConsumerSettings()

    found = {
        kafka_name(field): getattr(settings, field.name) for field in attrs.fields(ConsumerSettings)
    }
    assert found == DEFAULTS


@pytest.mark.parametrize("name", NOT_MODELLED)
def test_what_is_not_modelled_is_refused_by_name_with_the_reason(name):
    with pytest.raises(BadInput) as refused:
        consumer_settings({name: "x"})

    assert name in str(refused.value)
    assert NOT_MODELLED[name] in str(refused.value)


def test_nothing_is_both_accepted_and_refused():
    assert not set(DEFAULTS) & set(NOT_MODELLED)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("max.poll.record", "max.poll.records"), ("ssl.protocoll", "ssl.protocol")],
)
def test_a_mistyped_name_is_answered_with_the_nearest(wrong, near):
    with pytest.raises(BadInput, match=f"'{wrong}' .did you mean {near}"):
        consumer_settings({wrong: 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max.poll.records", 0),
        ("max.poll.records", True),
        ("session.timeout.ms", 1.5),
        ("auto.offset.reset", "newest"),
        ("auto.offset.reset", "by_duration"),
        ("auto.offset.reset", "by_duration:"),
        ("auto.offset.reset", "by_duration:P"),
        ("auto.offset.reset", "by_duration:PT"),
        ("auto.offset.reset", "by_duration:-PT1H"),
        ("auto.offset.reset", "by_duration:PT1H2"),
        ("auto.offset.reset", "PT1H"),
        ("isolation.level", "snapshot"),
        ("enable.auto.commit", "yes"),
        ("group.id", " "),
        ("group.id", 7),
        ("client.rack", " "),
        ("client.rack", 7),
        ("fetch.min.bytes", -1),
        ("partition.assignment.strategy", "uniform"),
        ("partition.assignment.strategy", [7]),
        ("partition.assignment.strategy", []),
        ("partition.assignment.strategy", ["range", "RangeAssignor"]),
        (
            "partition.assignment.strategy",
            ["org.apache.kafka.clients.consumer.LazyAssignor"],
        ),
    ],
)
def test_a_value_out_of_range_is_refused_and_shown(name, value):
    with pytest.raises(BadInput, match=name.replace(".", r"\.")) as refused:
        consumer_settings({name: value})

    shown = value[-1] if isinstance(value, list) and value else value
    assert repr(shown) in str(refused.value)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("roundrobin", ("roundrobin",)),
        ("range, roundrobin", ("range", "roundrobin")),
        (
            ["org.apache.kafka.clients.consumer.RoundRobinAssignor", "range"],
            ("roundrobin", "range"),
        ),
        (
            [
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
                "StickyAssignor",
            ],
            ("cooperative-sticky", "sticky"),
        ),
    ],
)
def test_assignors_go_by_their_own_names_and_by_javas(given, names):
    settings = consumer_settings({"partition.assignment.strategy": given})

    assert settings.partition_assignment_strategy == names


@pytest.mark.parametrize(
    ("given", "cooperative"),
    [
        (None, False),
        ("cooperative-sticky", True),
        ("cooperative-sticky, sticky", False),
    ],
)
def test_rebalances_are_cooperative_if_all_assignors_are(given, cooperative):
    """Kafka's default list is not: the way there goes over two rolling restarts (KIP-429)."""
    strategy = {} if given is None else {"partition.assignment.strategy": given}

    assert consumer_settings(strategy).cooperative is cooperative


def test_heartbeats_must_come_more_often_than_the_session_ends():
    with pytest.raises(BadInput, match=r"45000 must be below session\.timeout\.ms 45000"):
        consumer_settings({"heartbeat.interval.ms": 45_000})


def test_without_a_group_nothing_is_committed_automatically():
    assert not ConsumerSettings().auto_commits
    assert ConsumerSettings(group_id="g").auto_commits
    with pytest.raises(BadInput, match=r"enable\.auto\.commit needs a group\.id"):
        consumer_settings({"enable.auto.commit": True})


def test_a_static_member_needs_a_group():
    with pytest.raises(BadInput, match=r"group\.instance\.id needs a group\.id: 'i'"):
        consumer_settings({"group.instance.id": "i"})


def test_a_setting_may_be_given_by_its_fields_name_but_once():
    assert consumer_settings({"group_id": "g"}).group_id == "g"
    with pytest.raises(BadInput, match="twice"):
        consumer_settings({"group_id": "g", "group.id": "g"})


@pytest.mark.parametrize(
    ("policy", "back_us"),
    [
        ("by_duration:PT1H", 3_600_000_000),
        ("by_duration:P7D", 7 * 86_400_000_000),
        ("by_duration:P1DT2H3M4.5S", 93_784_500_000),
        ("by_duration:pt0.000001s", 1),
        ("by_duration:PT0S", 0),
        ("earliest", 0),
    ],
)
def test_a_policy_may_be_a_duration_back_from_now(policy, back_us):
    """KIP-1106: as Java's Duration.parse reads it, but for signs."""
    assert consumer_settings({"auto.offset.reset": policy}).reset_back_us == back_us


@pytest.mark.parametrize(
    ("protocol", "name", "value"),
    [
        ("consumer", "partition.assignment.strategy", "range"),
        ("CONSUMER", "session.timeout.ms", 45_000),
        ("consumer", "heartbeat.interval.ms", 3_000),
        ("classic", "group.remote.assignor", "uniform"),
        (None, "group.remote.assignor", "uniform"),
    ],
)
def test_what_the_group_s_protocol_does_not_have_cannot_be_set(protocol, name, value):
    """Not even to its default; ConsumerConfig.checkUnsupportedConfigs."""
    given = {"group.id": "g", name: value}
    if protocol is not None:
        given["group.protocol"] = protocol
    with pytest.raises(BadInput, match=f"{name} cannot be set when group.protocol="):
        consumer_settings(given)


def test_the_protocol_is_read_in_any_case():
    given = {"group.protocol": "CONSUMER", "group.remote.assignor": "range"}
    settings = consumer_settings(given)

    assert (settings.group_protocol, settings.group_remote_assignor) == ("consumer", "range")
