"""Producer settings: Kafka's defaults, refusals and silent changes."""

import attrs
import pytest

from simulator.errors import BadInput
from simulator.protocol.producer_settings import NOT_MODELLED, ProducerSettings, producer_settings
from simulator.protocol.settings import kafka_name


def test_the_defaults_are_those_of_kafka_4_0():
    settings = producer_settings({})

    assert settings.acks == "all"
    assert settings.idempotent
    assert settings.retries == 2**31 - 1
    assert settings.max_in_flight_requests_per_connection == 5
    assert settings.linger_ms == 5
    assert settings.batch_size == 16_384
    assert settings.buffer_memory == 33_554_432
    assert settings.max_request_size == 1_048_576
    assert settings.delivery_ms == 120_000
    assert settings.request_timeout_ms == 30_000
    assert (settings.retry_backoff_ms, settings.retry_backoff_max_ms) == (100, 1_000)
    assert settings.max_block_ms == 60_000
    assert settings.metadata_max_age_ms == 300_000
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("given", "code"), [("all", -1), ("-1", -1), (-1, -1), ("1", 1), (1, 1), ("0", 0), (0, 0)]
)
def test_acks_may_be_a_word_or_a_number(given, code):
    assert producer_settings({"acks": given}).acks_code == code


@pytest.mark.parametrize("given", ["two", 2, -2, True, None, 1.0])
def test_other_acks_are_refused_with_their_value(given):
    with pytest.raises(BadInput, match="acks must be one of"):
        producer_settings({"acks": given})


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("acks", "1", "acks=all"),
        ("retries", 0, "retries > 0"),
        ("max.in.flight.requests.per.connection", 6, "<= 5"),
    ],
)
def test_what_idempotence_cannot_live_with_is_refused_if_asked_for_and_else_switches_it_off(
    setting, value, rule
):
    with pytest.raises(BadInput, match=rule):
        producer_settings({"enable.idempotence": True, setting: value})

    settings = producer_settings({setting: value})
    assert not settings.idempotent
    assert "idempotence is switched off" in settings.warnings[0]
    assert rule in settings.warnings[0]


def test_idempotence_that_is_switched_off_by_name_needs_no_warning():
    settings = producer_settings({"enable.idempotence": False, "acks": 1})

    assert not settings.idempotent
    assert settings.warnings == ()


def test_a_delivery_timeout_that_cannot_be_met_is_refused_when_set_and_raised_when_not():
    with pytest.raises(BadInput, match=r"linger.ms \+ request.timeout.ms .5 \+ 30000.*30004"):
        producer_settings({"delivery.timeout.ms": 30_004})

    assert producer_settings({"delivery.timeout.ms": 30_005}).delivery_ms == 30_005
    raised = producer_settings({"request.timeout.ms": 200_000})
    assert raised.delivery_ms == 200_005
    assert "raised to 200005" in raised.warnings[0]


def test_a_backoff_over_its_maximum_is_told():
    settings = producer_settings({"retry.backoff.ms": 2_000})

    assert "every backoff is 1000 ms" in settings.warnings[0]


@pytest.mark.parametrize("name", [*NOT_MODELLED, "ssl.protocol", "sasl.mechanism"])
def test_every_other_setting_of_kafka_is_refused_with_its_reason(name):
    with pytest.raises(BadInput, match=f"{name} is not modelled") as caught:
        producer_settings({name: "x"}, "orders-producer")

    assert str(caught.value).startswith("orders-producer: ")
    assert caught.value.fix


def test_an_unknown_setting_is_answered_with_the_nearest():
    with pytest.raises(BadInput, match=r"did you mean linger\.ms\?"):
        producer_settings({"linger.mz": 1})


@pytest.mark.parametrize(
    "name",
    [
        kafka_name(field)
        for field in attrs.fields(ProducerSettings)
        if field.name not in {"acks", "enable_idempotence", "partitioner_ignore_keys",
                              "partitioner_adaptive_partitioning_enable",
                              "partitioner_class", "transactional_id"}
    ],
)
@pytest.mark.parametrize("value", [-1, 1.5, "1", True, 2**63])
def test_numbers_must_be_whole_and_within_kafkas_bounds(name, value):
    with pytest.raises(BadInput, match=f"{name} must be a whole number"):
        producer_settings({name: value})


# --- partitioner.class ---------------------------------------------------------------------------


def a_partition(topic, key, value, partitions):
    return 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("RoundRobinPartitioner", "RoundRobinPartitioner"),
        ("org.apache.kafka.clients.producer.RoundRobinPartitioner", "RoundRobinPartitioner"),
        ("random", "random"),
        (a_partition, a_partition),
    ],
)
def test_a_partitioner_is_named_as_kafka_names_it_or_is_a_function(given, kept):
    settings = producer_settings({"partitioner.class": given})

    assert settings.partitioner_class == kept
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("org.apache.kafka.clients.producer.internals.DefaultPartitioner", "leave it unset"),
        ("org.apache.kafka.clients.producer.UniformStickyPartitioner", "partitioner.ignore.keys"),
    ],
)
def test_a_partitioner_that_kafka_has_removed_is_refused_with_what_to_do(given, cure):
    with pytest.raises(BadInput, match=r"Kafka 4\.0 has no") as caught:
        producer_settings({"partitioner.class": given})

    assert cure in caught.value.fix


@pytest.mark.parametrize("given", ["com.example.Mine", "", 1, int, ["random"]])
def test_what_can_be_no_partitioner_is_refused_with_what_can(given):
    with pytest.raises(BadInput, match=r"partitioner\.class cannot be .*RoundRobinPartitioner"):
        producer_settings({"partitioner.class": given})


def test_ignoring_keys_means_nothing_to_a_partitioner_of_ones_own():
    settings = producer_settings(
        {"partitioner.class": "random", "partitioner.ignore.keys": True}
    )

    assert "has no effect" in settings.warnings[0]


# --- Transactions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acks", "1"),
        ("retries", 0),
        ("max.in.flight.requests.per.connection", 6),
        ("enable.idempotence", False),
    ],
)
def test_transactions_need_idempotence(name, value):
    with pytest.raises(BadInput, match=rf"transactional\.id needs idempotence, .* {name} is"):
        producer_settings({"transactional.id": "orders", name: value})


@pytest.mark.parametrize("value", ["", 3, b"orders"])
def test_a_transactional_id_is_a_text(value):
    with pytest.raises(BadInput, match=r"transactional\.id must be a text that is not empty"):
        producer_settings({"transactional.id": value})


def test_a_transaction_may_take_a_minute_by_default():
    settings = producer_settings({"transactional.id": "orders"})

    assert (settings.transaction_timeout_ms, settings.idempotent) == (60_000, True)
