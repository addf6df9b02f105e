"""A broker's settings, by Kafka's names: of its logs, their replicas, and its coordinators.

1. What a topic does not say itself, its brokers say, mostly under another name: a topic's
   `retention.ms` is a broker's `log.retention.ms`.
2. Of several names for one thing the finest unit counts: log.retention.ms before .minutes before
   .hours; so with log.roll and log.roll.jitter.
3. What Kafka refuses is refused with its rule. What Kafka takes and then changes is taken,
   changed, and told as a warning (`BrokerSettings.warnings`, `warnings`).

Source: ServerTopicConfigSynonyms.java, ServerLogConfigs.java, ReplicationConfigs.java,
CleanerConfig.java, KafkaConfig.scala (validateValues), KIP-1030.

Not modelled: settings that change while a broker runs; brokers of one cluster that are configured
differently.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from simulator.cluster.internal_topics import InternalTopicSettings
from simulator.errors import BadInput
from simulator.protocol.cleaner import NOT_MODELLED as NOT_MODELLED_OF_CLEANERS
from simulator.protocol.cleaner import CleanerSettings, cleaner_settings
from simulator.protocol.consumer_group_config import ConsumerGroupConfig
from simulator.protocol.controller_facts import NOT_MODELLED as NOT_MODELLED_OF_CONTROLLERS
from simulator.protocol.controller_facts import ControllerSettings
from simulator.protocol.group_config import NOT_MODELLED as NOT_MODELLED_OF_GROUPS
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.log import LogConfig
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.settings import MADE_MOST, kafka_name, parse_settings, whole
from simulator.protocol.share_settings import NOT_MODELLED as NOT_MODELLED_OF_SHARE_GROUPS
from simulator.protocol.share_settings import ShareSettings
from simulator.protocol.topic_settings import INT_MAX, LONG_MAX, TopicSettings, topic_settings
from simulator.protocol.transactions_facts import NOT_MODELLED as NOT_MODELLED_OF_TRANSACTIONS
from simulator.protocol.transactions_facts import TransactionSettings

if TYPE_CHECKING:
    from simulator.scenario.topology import Topic

SEGMENT_BYTES_LEAST = 1_048_576
MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000

# A broker's name -> the topic's setting that it is the default of.
OF_TOPICS: Mapping[str, str] = {
    "log.retention.bytes": "retention.bytes",
    "log.segment.bytes": "segment.bytes",
    "log.cleanup.policy": "cleanup.policy",
    "log.cleaner.delete.retention.ms": "delete.retention.ms",
    "log.cleaner.min.cleanable.ratio": "min.cleanable.dirty.ratio",
    "log.cleaner.min.compaction.lag.ms": "min.compaction.lag.ms",
    "log.cleaner.max.compaction.lag.ms": "max.compaction.lag.ms",
    "message.max.bytes": "max.message.bytes",
    "log.flush.interval.messages": "flush.messages",
    "min.insync.replicas": "min.insync.replicas",
    "unclean.leader.election.enable": "unclean.leader.election.enable",
}

# A topic's setting -> the broker's names for it, the first given counts, with their milliseconds.
OF_TIMES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "retention.ms": (
        ("log.retention.ms", 1),
        ("log.retention.minutes", MS_PER_MINUTE),
        ("log.retention.hours", MS_PER_HOUR),
    ),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", MS_PER_HOUR)),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", MS_PER_HOUR)),
    "flush.ms": (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
}

NOT_MODELLED = {
    **NOT_MODELLED_OF_GROUPS,
    **NOT_MODELLED_OF_CLEANERS,
    **NOT_MODELLED_OF_CONTROLLERS,
    **NOT_MODELLED_OF_TRANSACTIONS,
    **NOT_MODELLED_OF_SHARE_GROUPS,
    "broker.rack": "the racks of the topology say where each broker stands",
    "default.replication.factor": "each topic of the topology says how often it is kept",
    "auto.create.topics.enable": "topics are part of the topology",
    "num.partitions": "each topic of the topology says how many it has",
    "num.replica.fetchers": "a follower asks each leader for all its partitions at once",
    "log.message.timestamp.type": "records keep the time that their producer gave them",
    "log.flush.offset.checkpoint.interval.ms": "a recovery loses nothing, and takes no time",
    "log.flush.start.offset.checkpoint.interval.ms": "a log's start is on the disk at once",
    "log.segment.delete.delay.ms": "a deleted segment is gone at once: nobody reads it any more",
    "transaction.partition.verification.enable": "the verifies_transactions of a Variant does that",
}


@attrs.frozen(kw_only=True)
class OwnSettings:
    """Settings of a broker itself: its coordinators', cleaner's and replicas' stand elsewhere."""

    producer_id_expiration_ms: int = attrs.field(default=86_400_000, validator=whole(1, INT_MAX))
    producer_id_expiration_check_interval_ms: int = attrs.field(
        default=600_000, validator=whole(1, INT_MAX)
    )
    log_flush_scheduler_interval_ms: int = attrs.field(
        default=LONG_MAX, validator=whole(1, LONG_MAX)
    )
    add_partitions_to_txn_retry_backoff_ms: int = attrs.field(
        default=20, validator=whole(1, INT_MAX)
    )
    add_partitions_to_txn_retry_backoff_max_ms: int = attrs.field(
        default=100, validator=whole(0, INT_MAX)
    )


OF_REPLICATION = (
    "replica.lag.time.max.ms",
    "replica.fetch.max.bytes",
    "replica.fetch.min.bytes",
    "replica.fetch.wait.max.ms",
    "replica.fetch.backoff.ms",
    "replica.high.watermark.checkpoint.interval.ms",
)


@lru_cache(maxsize=64)
def _names(cls: Any) -> frozenset[str]:
    return frozenset(kafka_name(field) for field in attrs.fields(cls))


OF_CONTROLLERS = tuple(sorted(_names(ControllerSettings)))
OF_GROUPS = tuple(sorted(_names(GroupConfig)))
OF_CONSUMER_GROUPS = tuple(sorted(_names(ConsumerGroupConfig)))
OF_CLEANERS = tuple(sorted(_names(CleanerSettings)))
OF_BROKERS = tuple(sorted(_names(OwnSettings)))
OF_INTERNAL = tuple(sorted(_names(InternalTopicSettings)))
OF_TRANSACTIONS = tuple(sorted(_names(TransactionSettings)))
OF_SHARE_GROUPS = tuple(sorted(_names(ShareSettings)))
KNOWN = tuple(
    sorted(
        {
            *OF_TOPICS,
            *(name for names in OF_TIMES.values() for name, _ in names),
            *OF_CONTROLLERS,
            *OF_REPLICATION,
            *OF_GROUPS,
            *OF_CONSUMER_GROUPS,
            *OF_CLEANERS,
            *OF_BROKERS,
            *OF_INTERNAL,
            *OF_TRANSACTIONS,
            *OF_SHARE_GROUPS,
        }
    )
)


@attrs.frozen(kw_only=True, cache_hash=True)
class BrokerSettings:
    """What every broker of a cluster is configured with.

    Attributes:
        group: of the group coordinators.
        consumer_group: of the same, where members speak the protocol of KIP-848.
        topic: what topics are given that say nothing themselves.
        cleaner: of the cleaner, and of the tasks that delete.
        replication: of replicas; its min.insync.replicas is the topics' default.
        own: what else a broker has.
        internal: of the topics in which coordinators write.
        transactions: of the transaction coordinators.
        share: of share groups.
        controller: what was given of the controller's, for it to read (`controller_settings`).
        warnings: what Kafka takes and changes, a sentence each.
    """

    group: GroupConfig = attrs.field(factory=GroupConfig)
    consumer_group: ConsumerGroupConfig = attrs.field(factory=ConsumerGroupConfig)
    topic: TopicSettings = attrs.field(factory=TopicSettings)
    cleaner: CleanerSettings = attrs.field(factory=CleanerSettings)
    replication: ReplicationConfig = attrs.field(factory=ReplicationConfig)
    own: OwnSettings = attrs.field(factory=OwnSettings)
    internal: InternalTopicSettings = attrs.field(factory=InternalTopicSettings)
    transactions: TransactionSettings = attrs.field(factory=TransactionSettings)
    share: ShareSettings = attrs.field(factory=ShareSettings)
    controller: Mapping[str, Any] = attrs.field(factory=lambda: MappingProxyType({}), hash=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Mapping[str, Any], where: str = "broker") -> "BrokerSettings":
        """Read Kafka's dotted names.

        Raises:
            BadInput: a name is unknown or not modelled, or a value is not allowed.
        """
        # Worlds by the thousand have the same; 1, 1.0 and True are equal, and not the same.
        key = tuple((name, type(value), value) for name, value in given.items())
        try:
            known = _PARSED.get(key)
        except TypeError:  # A value that cannot be a key, such as a list.
            return cls._read(given, where)
        if known is None:
            if len(_PARSED) >= MADE_MOST:
                _PARSED.clear()
            known = _PARSED[key] = cls._read(given, where)
        return known

    @classmethod
    def _read(cls, given: Mapping[str, Any], where: str) -> "BrokerSettings":
        _refuse_unknown(given, where)
        warned: list[str] = []
        topic = topic_settings(_of_topics(given, where, warned), where)
        replication = ReplicationConfig(
            min_insync_replicas=topic.min_insync_replicas,
            **{name.replace(".", "_"): given[name] for name in OF_REPLICATION if name in given},
        )
        if replication.replica_fetch_wait_max_ms > replication.replica_lag_time_max_ms:
            raise BadInput(
                "replica.fetch.wait.max.ms must not be above replica.lag.time.max.ms, or followers "
                "would leave the in-sync set again and again:",
                where,
                replication.replica_fetch_wait_max_ms,
                f"at most {replication.replica_lag_time_max_ms}",
            )
        return cls(
            group=GroupConfig.parse(_some(given, OF_GROUPS), where),
            consumer_group=ConsumerGroupConfig.parse(_some(given, OF_CONSUMER_GROUPS), where),
            topic=topic,
            cleaner=cleaner_settings(_some(given, OF_CLEANERS), where),
            replication=replication,
            own=_parsed(OwnSettings, given, where),
            internal=_parsed(InternalTopicSettings, given, where),
            transactions=_parsed(TransactionSettings, given, where),
            share=_parsed(ShareSettings, given, where),
            controller=MappingProxyType(_some(given, OF_CONTROLLERS)),
            warnings=tuple(warned),
        )

    # --- Of one topic --------------------------------------------------------------------------

    def of_topic(self, given: Mapping[str, Any], where: str = "topic settings") -> TopicSettings:
        """A topic's settings: what it says itself, over what its brokers say.

        Raises:
            BadInput: a name is unknown or not modelled, or a value is not allowed.
        """
        return topic_settings(given, where, self.topic) if given else self.topic

    def log_config(self, topic: TopicSettings) -> LogConfig:
        """What the log of a topic with these settings must know."""
        return topic.log_config(producer_id_expiration_ms=self.own.producer_id_expiration_ms)

    @property
    def log(self) -> LogConfig:
        """What the log of a topic must know that says nothing itself."""
        return self.log_config(self.topic)


_PARSED: dict[tuple[tuple[str, type, Any], ...], BrokerSettings] = {}


def _parsed(cls: Any, given: Mapping[str, Any], where: str) -> Any:
    return parse_settings(cls, _some(given, tuple(_names(cls))), not_modelled={}, where=where)


def _some(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _refuse_unknown(given: Mapping[str, Any], where: str) -> None:
    for name, value in given.items():
        if name in NOT_MODELLED:
            raise BadInput(f"{name} is not modelled:", where, value, NOT_MODELLED[name])
        if name not in KNOWN:
            raise BadInput("unknown setting", where, name, f"known: {', '.join(KNOWN)}")


def _of_topics(given: Mapping[str, Any], where: str, warned: list[str]) -> dict[str, Any]:
    """What a broker says of topics, under the topics' names."""
    found = {topic: given[name] for name, topic in OF_TOPICS.items() if name in given}
    # Kafka's own message would bear the broker's name too; so here, and all at its own bounds.
    for name, topic in OF_TOPICS.items():
        if name in given:
            _check(name, topic, given[name], where)
    size = given.get("log.segment.bytes", SEGMENT_BYTES_LEAST)
    if size < SEGMENT_BYTES_LEAST:
        raise BadInput(
            f"log.segment.bytes must be at least {SEGMENT_BYTES_LEAST}:",
            where,
            size,
            "a topic's own segment.bytes may be as small as 14",
        )
    for topic, names in OF_TIMES.items():
        told = [(name, unit_ms) for name, unit_ms in names if name in given]
        for name, unit_ms in told[:1]:
            value = given[name]
            if isinstance(value, bool) or not isinstance(value, int):
                raise BadInput(f"{name} must be a whole number:", where, value)
            found[topic] = value * unit_ms
        if len(told) > 1 and topic != "flush.ms":
            rest = ", ".join(name for name, _ in told[1:])
            warned.append(f"{told[0][0]} is given, so {rest} counts for nothing")
    _check_times(found, given, where, warned)
    return found


def _check(name: str, topic: str, value: Any, where: str) -> None:
    """Refuse a value that no topic may have, under the broker's name for it."""
    try:
        topic_settings({topic: value}, where)
    except BadInput as refused:
        what = refused.what.replace(topic, name, 1)
        raise BadInput(what, where, value, refused.fix) from None


def _check_times(
    found: dict[str, Any], given: Mapping[str, Any], where: str, warned: list[str]
) -> None:
    retention = found.get("retention.ms", 1)
    name = next((one for one, _ in OF_TIMES["retention.ms"] if one in given), "log.retention.ms")
    if retention == 0:
        raise BadInput(f"{name} must be -1, for ever, or at least 1:", where, retention)
    if retention < 0:
        if given[name] != -1:
            warned.append(f"{name} {given[name]} is taken as -1: nothing is deleted by its age")
        found["retention.ms"] = -1
    for topic, least in (("segment.ms", 1), ("segment.jitter.ms", 0), ("flush.ms", 0)):
        if found.get(topic, least) < least:
            told = next(one for one, _ in OF_TIMES[topic] if one in given)
            raise BadInput(f"{told} must be a whole number from {least}:", where, given[told])
    for topic, value in found.items():
        if topic in OF_TIMES and value > LONG_MAX:
            told = next(one for one, _ in OF_TIMES[topic] if one in given)
            raise BadInput(f"{told} must be at most {LONG_MAX} ms:", where, given[told])


def warnings(topic: "Topic", settings: BrokerSettings) -> tuple[str, ...]:
    """What Kafka takes of a topic's settings and then does otherwise, a sentence each.

    Source: Partition.scala (effectiveMinIsr), LogManager.scala (startup, flushDirtyLogs),
    LogConfig.java (maxSegmentMs, randomSegmentJitter).
    """
    merged = settings.of_topic(topic.settings)
    told = []
    copies = topic.replication_factor
    if merged.min_insync_replicas > copies:
        told.append(
            f"min.insync.replicas {merged.min_insync_replicas} of topic {topic.name} is above its "
            f"replication factor and counts as {copies}"
        )
    never = settings.own.log_flush_scheduler_interval_ms == LONG_MAX
    if merged.flush_ms < LONG_MAX and never:
        told.append(
            f"flush.ms {merged.flush_ms} of topic {topic.name} is looked at once, and never again: "
            f"log.flush.scheduler.interval.ms is not set"
        )
    if merged.rolling_ms < merged.segment_ms and "segment.ms" in topic.settings:
        told.append(
            f"segment.ms {merged.segment_ms} of topic {topic.name} counts as {merged.rolling_ms}, "
            f"its max.compaction.lag.ms"
        )
    if merged.segment_jitter_ms > merged.segment_ms:
        told.append(
            f"segment.jitter.ms {merged.segment_jitter_ms} of topic {topic.name} counts as "
            f"{merged.segment_ms}, its segment.ms"
        )
    return tuple(told)
