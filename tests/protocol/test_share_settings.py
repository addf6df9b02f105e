"""Share groups' settings: Kafka's names, defaults, bounds and refusals."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.share_settings import (
    ShareConfig,
    ShareGroupSettings,
    ShareSettings,
    share_config,
    share_consumer_settings,
    share_group_settings,
    share_settings,
)


def test_nothing_given_is_what_kafka_starts_from():
    assert share_config(ShareSettings(), ShareGroupSettings(), "") == ShareConfig()
    assert ShareConfig() == ShareConfig(
        session_timeout_us=45_000_000,
        heartbeat_interval_ms=5_000,
        max_size=200,
        delivery_count_limit=5,
        lock_us=30_000_000,
        max_record_locks=200,
        begins="latest",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group.share.delivery.count.limit", 1),
        ("group.share.delivery.count.limit", 11),
        ("group.share.record.lock.duration.ms", 14_999),  # Below its min.
        ("group.share.partition.max.record.locks", 99),
        ("group.share.session.timeout.ms", 44_999),
        ("group.share.heartbeat.interval.ms", 15_001),
    ],
)
def test_what_kafka_refuses_is_refused(name, value):
    with pytest.raises(BadInput, match=name):
        share_settings({name: value})


def test_a_lock_may_be_shorter_if_its_least_is():
    given = {
        "group.share.record.lock.duration.ms": 1_000,
        "group.share.min.record.lock.duration.ms": 1_000,
    }

    assert share_config(share_settings(given), ShareGroupSettings(), "").lock_us == 1_000_000


def test_a_group_has_its_own_within_its_brokers_bounds():
    own = share_group_settings({"share.record.lock.duration.ms": 20_000}, "share group work")
    assert share_config(ShareSettings(), own, "").lock_us == 20_000_000

    own = share_group_settings({"share.record.lock.duration.ms": 70_000}, "share group work")
    with pytest.raises(BadInput, match="70000"):
        share_config(ShareSettings(), own, "share group work")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("auto.offset.reset", "share.auto.offset.reset"),
        ("enable.auto.commit", "keeps no offsets"),
        ("group.instance.id", "static"),
        ("isolation.level", "uncommitted"),
        ("session.timeout.ms", "group.share.session.timeout.ms"),
        ("max.poll.record", "did you mean max.poll.records"),
    ],
)
def test_what_a_share_consumer_has_not_is_refused_with_the_reason(name, text):
    with pytest.raises(BadInput, match=text):
        share_consumer_settings({"group.id": "work", name: 1})


def test_a_share_consumer_needs_a_group():
    with pytest.raises(BadInput, match=r"group\.id"):
        share_consumer_settings({})
