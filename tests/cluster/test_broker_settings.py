"""A broker's settings: what topics are given, what is refused, and what is taken with a warning."""

import pytest

from simulator.cluster.broker_settings import (
    KNOWN,
    NOT_MODELLED,
    OF_TIMES,
    OF_TOPICS,
    BrokerSettings,
    warnings,
)
from simulator.errors import BadInput
from simulator.protocol.topic_settings import LONG_MAX, TopicSettings
from simulator.scenario.topology import Topic

MIB = 2**20

# A value of each setting that is not its default, and what of a topic it sets, if anything.
OTHER = {
    "auto.leader.rebalance.enable": False,
    "log.cleaner.io.buffer.load.factor": 0.5,
    "log.cleaner.min.cleanable.ratio": 0.1,
    "log.cleanup.policy": "compact",
    "log.cleaner.dedupe.buffer.size": 2 * MIB,
    "log.segment.bytes": 2 * MIB,
    "log.retention.hours": 1,
    "log.roll.hours": 1,
    "min.insync.replicas": 2,
    "unclean.leader.election.enable": True,
    "group.max.session.timeout.ms": 70_000,
    "replica.lag.time.max.ms": 1_000,
    "group.consumer.session.timeout.ms": 50_000,
    "group.consumer.min.session.timeout.ms": 40_000,
    "group.consumer.max.session.timeout.ms": 70_000,
    "group.consumer.heartbeat.interval.ms": 6_000,
    "group.consumer.max.heartbeat.interval.ms": 16_000,
    "group.consumer.assignors": "range",
    "group.consumer.migration.policy": "upgrade",
    "group.share.session.timeout.ms": 50_000,
    "group.share.max.session.timeout.ms": 70_000,
    "group.share.heartbeat.interval.ms": 6_000,
    "group.share.max.heartbeat.interval.ms": 16_000,
    "group.share.delivery.count.limit": 7,
    "group.share.record.lock.duration.ms": 20_000,
    "group.share.min.record.lock.duration.ms": 16_000,
    "group.share.max.record.lock.duration.ms": 70_000,
}


def other(name):
    """A value that no setting has by default."""
    return OTHER.get(name, 457)


# --- Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_every_accepted_setting_changes_what_a_broker_is_configured_with(name):
    assert BrokerSettings.parse({name: other(name)}) != BrokerSettings.parse({})


def test_the_defaults_are_kafkas():
    settings = BrokerSettings.parse({})

    assert settings == BrokerSettings()
    assert settings.topic == TopicSettings()
    assert settings.warnings == ()
    assert settings.own.producer_id_expiration_check_interval_ms == 600_000
    assert settings.own.log_flush_scheduler_interval_ms == LONG_MAX


@pytest.mark.parametrize(("name", "topic"), OF_TOPICS.items())
def test_what_a_topic_does_not_say_its_brokers_say_under_another_name(name, topic):
    of_topic = topic.replace(".", "_")

    assert getattr(BrokerSettings.parse({name: other(name)}).topic, of_topic) == other(name)


def test_a_topic_overrules_its_brokers_setting_by_setting():
    broker = BrokerSettings.parse({"log.retention.ms": 1_000, "log.cleanup.policy": "compact"})
    topic = broker.of_topic({"retention.ms": 2_000})

    assert (topic.retention_ms, topic.cleanup_policy) == (2_000, "compact")
    assert broker.of_topic({"retention_ms": 2_000}) == topic
    assert broker.of_topic({}) is broker.topic
    assert broker.log_config(topic).cleanup_policy == "compact"


@pytest.mark.parametrize(
    ("given", "retention_ms"),
    [
        ({"log.retention.hours": 1}, 3_600_000),
        ({"log.retention.minutes": 1}, 60_000),
        ({"log.retention.hours": 1, "log.retention.minutes": 1}, 60_000),
        ({"log.retention.hours": 1, "log.retention.minutes": 1, "log.retention.ms": 1}, 1),
        ({"log.retention.hours": -1}, -1),
    ],
)
def test_the_finest_unit_counts(given, retention_ms):
    assert BrokerSettings.parse(given).topic.retention_ms == retention_ms


def test_of_two_units_one_counts_and_that_is_told():
    told = BrokerSettings.parse({"log.roll.ms": 5, "log.roll.hours": 1})

    assert told.topic.segment_ms == 5
    assert told.warnings == ("log.roll.ms is given, so log.roll.hours counts for nothing",)


def test_flush_ms_is_that_of_the_scheduler_where_nothing_else_is_said():
    """KafkaConfig: log.flush.interval.ms falls back to log.flush.scheduler.interval.ms."""
    assert BrokerSettings.parse({"log.flush.scheduler.interval.ms": 7}).topic.flush_ms == 7
    both = {"log.flush.scheduler.interval.ms": 7, "log.flush.interval.ms": 9}
    assert BrokerSettings.parse(both).topic.flush_ms == 9
    assert BrokerSettings.parse(both).warnings == ()


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log.cleanup.policy": "shrink"}, "log.cleanup.policy is a list of compact and delete"),
        ({"log.retention.ms": 0}, "log.retention.ms must be -1, for ever, or at least 1: 0"),
        ({"log.retention.hours": 0}, "log.retention.hours must be -1, for ever, or at least 1: 0"),
        ({"log.retention.ms": "1d"}, "log.retention.ms must be a whole number: '1d'"),
        ({"log.retention.ms": True}, "log.retention.ms must be a whole number: True"),
        ({"log.retention.hours": 2**63}, "log.retention.hours must be at most"),
        ({"log.segment.bytes": MIB - 1}, "log.segment.bytes must be at least 1048576: 1048575"),
        ({"log.segment.bytes": "1"}, "log.segment.bytes must be a whole number from 14"),
        ({"log.roll.ms": 0}, "log.roll.ms must be a whole number from 1: 0"),
        ({"log.roll.jitter.hours": -1}, "log.roll.jitter.hours must be a whole number from 0: -1"),
        ({"log.flush.interval.ms": -1}, "log.flush.interval.ms must be a whole number from 0: -1"),
        ({"log.flush.interval.messages": 0}, "log.flush.interval.messages must be a whole number"),
        ({"min.insync.replicas": 0}, "min.insync.replicas must be a whole number from 1"),
        ({"unclean.leader.election.enable": 1}, "enable must be true or false: 1"),
        ({"log.cleaner.min.cleanable.ratio": 2}, "min.cleanable.ratio must be a number from 0"),
        ({"message.max.bytes": -1}, "message.max.bytes must be a whole number from 0"),
        (
            {"log.cleaner.min.compaction.lag.ms": 2, "log.cleaner.max.compaction.lag.ms": 1},
            "min.compaction.lag.ms 2 must not be above max.compaction.lag.ms 1",
        ),
        (
            {"replica.fetch.wait.max.ms": 11, "replica.lag.time.max.ms": 10},
            "replica.fetch.wait.max.ms must not be above replica.lag.time.max.ms",
        ),
        ({"no.such.setting": 1}, "unknown setting 'no.such.setting'"),
        ({"num.partitions": 1}, "num.partitions is not modelled: 1 (each topic"),
    ],
)
def test_what_kafka_refuses_is_refused_by_its_brokers_name(given, said):
    with pytest.raises(BadInput) as refused:
        BrokerSettings.parse(given)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retention.ms": -2}, "retention.ms must be a whole number from -1: -2"),
        ({"flush.messages": 0}, "flush.messages must be a whole number from 1"),
        ({"flush.ms": -1}, "flush.ms must be a whole number from 0"),
        ({"min.insync.replicas": 0}, "min.insync.replicas must be a whole number from 1"),
        ({"unclean.leader.election.enable": "yes"}, "must be true or false: 'yes'"),
        ({"min.compaction.lag.ms": 60}, "lag.ms 60 must not be above max.compaction.lag.ms 50"),
        ({"segment.bytes": 13}, "segment.bytes must be a whole number from 14"),
        ({"message.timestamp.type": "LogAppendTime"}, "message.timestamp.type is not modelled"),
    ],
)
def test_what_kafka_refuses_of_a_topic_is_refused_beside_what_its_brokers_say(given, said):
    broker = BrokerSettings.parse({"log.cleaner.max.compaction.lag.ms": 50})

    with pytest.raises(BadInput) as refused:
        broker.of_topic(given)
    assert said in str(refused.value)


def test_no_setting_is_both_known_and_refused():
    assert not {*KNOWN, *(name for names in OF_TIMES.values() for name, _ in names)} & {
        *NOT_MODELLED
    }


# --- Warnings ------------------------------------------------------------------------------------


def warned(settings, copies=1, **broker):
    return warnings(Topic("orders", 1, copies, settings), BrokerSettings.parse(broker))


def test_a_negative_retention_of_a_broker_is_taken_as_for_ever():
    told = BrokerSettings.parse({"log.retention.ms": -5})

    assert told.topic.retention_ms == -1
    assert told.warnings == ("log.retention.ms -5 is taken as -1: nothing is deleted by its age",)
    assert BrokerSettings.parse({"log.retention.ms": -1}).warnings == ()


def test_more_in_sync_replicas_than_there_are_replicas_count_as_all():
    text = "min.insync.replicas 3 of topic orders is above its replication factor and counts as 2"

    assert warned({"min.insync.replicas": 3}, copies=2) == (text,)
    assert warned({}, copies=2, **{"min.insync.replicas": 3}) == (text,)
    assert warned({"min.insync.replicas": 2}, copies=2) == ()


def test_flush_ms_without_a_scheduler_is_told():
    said = "looked at once, and never again: log.flush.scheduler.interval.ms is not set"

    assert said in warned({"flush.ms": 10})[0]
    assert warned({"flush.ms": 10}, **{"log.flush.scheduler.interval.ms": 5}) == ()


def test_segments_that_close_earlier_than_they_say_are_told():
    compacted = {"cleanup.policy": "compact", "segment.ms": 100, "max.compaction.lag.ms": 50}

    assert "segment.ms 100 of topic orders counts as 50" in warned(compacted)[0]
    assert (
        "segment.jitter.ms 7 of topic orders counts as 5"
        in (warned({"segment.ms": 5, "segment.jitter.ms": 7})[0])
    )
    assert warned({}) == ()
