"""A topic's settings of what its log keeps, and how safely: Kafka's names, defaults and refusals.

1. cleanup.policy names what may remove records: delete (whole segments, by age and size), compact
   (all but the newest record of each key), both, or neither.
2. A compacted topic closes its active segment at the latest after max.compaction.lag.ms, or what
   lies in it could not be cleaned in time.
3. What a topic does not say, its brokers say, under names of their own (BrokerSettings).

Source: LogConfig.java (storage), TopicConfig.java (clients). segment.bytes may be as small as 14
here, as in 4.0: 1 MiB is the least for a topic since KAFKA-19080 (4.1), for a broker since KIP-1030
(4.0).

Not modelled: tiered storage, throttled replicas, bounds on record timestamps.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.log import LogConfig
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.settings import kafka_name, parse_settings, switch, whole

LONG_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
POLICIES = ("compact", "delete")

NOT_MODELLED: Mapping[str, str] = {
    "file.delete.delay.ms": "a deleted segment is gone at once: nobody reads it any more",
    "segment.index.bytes": "index files do not fill up",
    "index.interval.bytes": "every batch has its entry in the index",
    "preallocate": "files grow as they are written",
    "compression.type": "batches are not compressed",
    "remote.storage.enable": "there is no tiered storage",
    "local.retention.ms": "there is no tiered storage",
    "local.retention.bytes": "there is no tiered storage",
    "message.timestamp.type": "records keep the time that their producer gave them",
    "message.timestamp.before.max.ms": "records may have any time",
    "message.timestamp.after.max.ms": "records may have any time",
}


def _policy(given: Any) -> Any:
    """Kafka's list, in the one order in which it is kept here."""
    if not isinstance(given, str):
        return given
    named = {one.strip() for one in given.split(",") if one.strip()}
    return ",".join(sorted(named))


def _known_policy(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    known = isinstance(value, str) and all(one in POLICIES for one in value.split(",") if one)
    if not known:
        raise BadInput(
            f"{kafka_name(field)} is a list of compact and delete:", "", value, "such as delete"
        )


def _share(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise BadInput(f"{kafka_name(field)} must be a number from 0 to 1:", "", value)


def _retention(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < -1:
        name = kafka_name(field)
        raise BadInput(f"{name} must be a whole number from -1:", "", value, "-1 is for ever")


@attrs.frozen(kw_only=True)
class TopicSettings:
    """A topic's settings; the field `retention_ms` is Kafka's `retention.ms`.

    Any negative retention.bytes means that size does not matter, as in Kafka, which refuses a
    retention.ms below -1 alone.

    Raises:
        BadInput: a value is out of its range, or min.compaction.lag.ms is above
            max.compaction.lag.ms.
    """

    cleanup_policy: str = attrs.field(default="delete", converter=_policy, validator=_known_policy)
    retention_ms: int = attrs.field(default=604_800_000, validator=_retention)
    retention_bytes: int = attrs.field(default=-1, validator=whole(-LONG_MAX - 1, LONG_MAX))
    segment_bytes: int = attrs.field(default=1_073_741_824, validator=whole(14, INT_MAX))
    segment_ms: int = attrs.field(default=604_800_000, validator=whole(1, LONG_MAX))
    segment_jitter_ms: int = attrs.field(default=0, validator=whole(0, LONG_MAX))
    max_message_bytes: int = attrs.field(default=1_048_588, validator=whole(0, INT_MAX))
    delete_retention_ms: int = attrs.field(default=86_400_000, validator=whole(0, LONG_MAX))
    min_compaction_lag_ms: int = attrs.field(default=0, validator=whole(0, LONG_MAX))
    max_compaction_lag_ms: int = attrs.field(default=LONG_MAX, validator=whole(1, LONG_MAX))
    min_cleanable_dirty_ratio: float = attrs.field(default=0.5, validator=_share)
    flush_messages: int = attrs.field(default=LONG_MAX, validator=whole(1, LONG_MAX))
    flush_ms: int = attrs.field(default=LONG_MAX, validator=whole(0, LONG_MAX))
    min_insync_replicas: int = attrs.field(default=1, validator=whole(1, INT_MAX))
    unclean_leader_election_enable: bool = attrs.field(default=False, validator=switch)

    def __attrs_post_init__(self) -> None:
        if self.min_compaction_lag_ms > self.max_compaction_lag_ms:
            raise BadInput(
                f"min.compaction.lag.ms {self.min_compaction_lag_ms} must not be above "
                f"max.compaction.lag.ms {self.max_compaction_lag_ms}"
            )

    @property
    def compacts(self) -> bool:
        """Whether the cleaner compacts it, and deletes its old segments too."""
        return "compact" in self.cleanup_policy

    @property
    def deletes(self) -> bool:
        """Whether old segments are deleted by age and size."""
        return "delete" in self.cleanup_policy

    @property
    def rolling_ms(self) -> int:
        """After how long the active segment is closed (LogConfig.maxSegmentMs)."""
        if self.compacts:
            return min(self.max_compaction_lag_ms, self.segment_ms)
        return self.segment_ms

    @property
    def jitter_below_ms(self) -> int:
        """Each segment's jitter is drawn from 0 up to, not with, this; 0: none is drawn.

        Source: LogConfig.randomSegmentJitter.
        """
        return min(self.segment_jitter_ms, self.segment_ms)

    @property
    def delete_retention_us(self) -> int:
        """How long a tombstone or marker stays after the first cleaning that could remove it."""
        return self.delete_retention_ms * MICROS_PER_MS

    def log_config(self, **of_broker: Any) -> LogConfig:
        """What a log must know of these; `of_broker` are the settings that no topic has."""
        # A log asks its policy for compaction alone.
        return LogConfig(
            max_message_bytes=self.max_message_bytes,
            segment_bytes=self.segment_bytes,
            segment_ms=self.rolling_ms,
            cleanup_policy=self.cleanup_policy or "delete",
            **of_broker,
        )


def topic_settings(
    given: Mapping[str, Any],
    where: str = "topic settings",
    defaults: TopicSettings | None = None,
) -> TopicSettings:
    """Read a topic's settings from Kafka's names.

    Args:
        given: what the topic says itself.
        where: whose settings they are, for the error's text.
        defaults: what its brokers say of topics; None: Kafka's defaults.

    Raises:
        BadInput: a name is unknown (with the nearest one) or not modelled (with the reason), or a
            value is not allowed, also beside what the brokers say.
    """
    merged = dict(given)
    if defaults is not None:
        for field in attrs.fields(TopicSettings):
            if field.name not in given:
                merged.setdefault(kafka_name(field), getattr(defaults, field.name))
    return parse_settings(TopicSettings, merged, not_modelled=NOT_MODELLED, where=where)
