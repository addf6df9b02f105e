"""What may be set on share groups, by Kafka's names: of brokers, of one group, of a share consumer.

1. A broker says what holds for every share group; a group may have some settings of its own
   (`share.record.lock.duration.ms` over `group.share.record.lock.duration.ms`), within the
   broker's bounds.
2. A share consumer has no auto.offset.reset and nothing to commit automatically: where a group
   begins is the group's own setting, and what is processed is acknowledged.

Sources: ShareGroupConfig.java, GroupCoordinatorConfig.java, GroupConfig.java, ConsumerConfig.java
(SHARE_GROUP_UNSUPPORTED_CONFIGS); KIP-932. Share groups are in early access in Apache Kafka 4.0:
share.acknowledgement.mode and the limit of records in a ShareFetch are as the KIP has them.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.consumer_settings import NOT_MODELLED as NOT_MODELLED_OF_CONSUMERS
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.settings import one_of, parse_settings, whole

INT_MAX = 2**31 - 1

NOT_MODELLED: Mapping[str, str] = {
    "group.share.enable": "a group is a share group because share consumers join it",
    "group.share.max.groups": "the number of share groups is not limited",
    "group.share.assignors": "there is one assignor, and it is the simple one",
    "share.coordinator.append.linger.ms": "state is written at once",
    "share.coordinator.snapshot.update.records.per.snapshot": "state is compacted by its size",
    "share.coordinator.state.topic.num.partitions": "state lies with its partition's leader",
    "share.coordinator.state.topic.replication.factor": "state lies with its partition's leader",
    "share.fetch.purgatory.purge.interval.requests": "who waits is found without searching",
    "group.share.max.share.sessions": "share sessions are not limited",
}

_NO_OFFSETS = "a share group keeps no offsets: set share.auto.offset.reset on the group"
NOT_MODELLED_OF_GROUPS: Mapping[str, str] = {
    "share.isolation.level": "a share group reads uncommitted, which is Kafka's default",
}
NOT_MODELLED_OF_SHARE_CONSUMERS: Mapping[str, str] = {
    **NOT_MODELLED_OF_CONSUMERS,
    "auto.offset.reset": _NO_OFFSETS,
    "client.rack": "the assignor of share groups does not look at racks",
    "auto.commit.interval.ms": _NO_OFFSETS,
    "enable.auto.commit": _NO_OFFSETS,
    "group.instance.id": "share groups have no static members (Kafka refuses it too)",
    "group.protocol": "share groups have a protocol of their own",
    "group.remote.assignor": "there is one assignor, and it is the simple one",
    "isolation.level": "a share group reads uncommitted (Kafka refuses it too)",
    "partition.assignment.strategy": "the coordinator assigns (Kafka refuses it too)",
    "session.timeout.ms": "the brokers say it: group.share.session.timeout.ms",
    "heartbeat.interval.ms": "the brokers say it: group.share.heartbeat.interval.ms",
    "fetch.min.bytes": "a share fetch is answered with whatever can be acquired",
    "max.partition.fetch.bytes": "fetch.max.bytes bounds a share fetch",
}


def _ordered(settings: Any, least: str, value: str, most: str) -> None:
    """Refuse settings of which the second is not between the others."""
    low, middle, high = (getattr(settings, name) for name in (least, value, most))
    if not low <= middle <= high:
        names = [name.replace("_", ".") for name in (least, value, most)]
        raise BadInput(
            f"{names[1]} must be between {names[0]} {low} and {names[2]} {high}:", "", middle
        )


@attrs.frozen(kw_only=True)
class ShareSettings:
    """A broker's settings of share groups; the defaults and bounds are Kafka 4.0's.

    Raises:
        BadInput: a value is out of its range, or not between its min and max.
    """

    group_share_session_timeout_ms: int = attrs.field(default=45_000, validator=whole(1, INT_MAX))
    group_share_min_session_timeout_ms: int = attrs.field(
        default=45_000, validator=whole(1, INT_MAX)
    )
    group_share_max_session_timeout_ms: int = attrs.field(
        default=60_000, validator=whole(1, INT_MAX)
    )
    group_share_heartbeat_interval_ms: int = attrs.field(default=5_000, validator=whole(1, INT_MAX))
    group_share_min_heartbeat_interval_ms: int = attrs.field(
        default=5_000, validator=whole(1, INT_MAX)
    )
    group_share_max_heartbeat_interval_ms: int = attrs.field(
        default=15_000, validator=whole(1, INT_MAX)
    )
    group_share_max_size: int = attrs.field(default=200, validator=whole(10, 1_000))
    group_share_delivery_count_limit: int = attrs.field(default=5, validator=whole(2, 10))
    group_share_record_lock_duration_ms: int = attrs.field(
        default=30_000, validator=whole(1_000, 60_000)
    )
    group_share_min_record_lock_duration_ms: int = attrs.field(
        default=15_000, validator=whole(1_000, 30_000)
    )
    group_share_max_record_lock_duration_ms: int = attrs.field(
        default=60_000, validator=whole(30_000, 3_600_000)
    )
    group_share_partition_max_record_locks: int = attrs.field(
        default=200, validator=whole(100, 10_000)
    )

    def __attrs_post_init__(self) -> None:
        for name in ("session_timeout_ms", "heartbeat_interval_ms", "record_lock_duration_ms"):
            _ordered(self, f"group_share_min_{name}", f"group_share_{name}",
                     f"group_share_max_{name}")  # fmt: skip
        if self.group_share_heartbeat_interval_ms >= self.group_share_session_timeout_ms:
            raise BadInput(
                "group.share.heartbeat.interval.ms must be below group.share.session.timeout.ms:",
                "",
                self.group_share_heartbeat_interval_ms,
                f"below {self.group_share_session_timeout_ms}",
            )


@attrs.frozen(kw_only=True)
class ShareGroupSettings:
    """A group's own settings; None is as its brokers say.

    share.auto.offset.reset says where a group begins that has no state yet: at what is produced
    from then on (latest, the default), or at the log's beginning (earliest).
    """

    share_auto_offset_reset: str = attrs.field(
        default="latest", validator=one_of("latest", "earliest")
    )
    share_session_timeout_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(whole(1, INT_MAX))
    )
    share_heartbeat_interval_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(whole(1, INT_MAX))
    )
    share_record_lock_duration_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(whole(1_000, INT_MAX))
    )


@attrs.frozen(kw_only=True)
class ShareConfig:
    """What holds for one share group: its own settings over its brokers'. Times in microseconds."""

    session_timeout_us: int = 45_000_000
    heartbeat_interval_ms: int = 5_000
    max_size: int = 200
    delivery_count_limit: int = 5
    lock_us: int = 30_000_000
    max_record_locks: int = 200
    begins: str = "latest"


def share_config(brokers: ShareSettings, group: ShareGroupSettings, where: str) -> ShareConfig:
    """What holds for a group.

    Raises:
        BadInput: a setting of the group is outside its brokers' bounds.
    """
    own = {
        "group_" + name: value
        for name, value in attrs.asdict(group).items()
        if value is not None and hasattr(brokers, "group_" + name)
    }
    try:
        merged = attrs.evolve(brokers, **own)
    except BadInput as refused:
        raise BadInput(refused.what, where, refused.value, refused.fix) from None
    return ShareConfig(
        session_timeout_us=merged.group_share_session_timeout_ms * MICROS_PER_MS,
        heartbeat_interval_ms=merged.group_share_heartbeat_interval_ms,
        max_size=merged.group_share_max_size,
        delivery_count_limit=merged.group_share_delivery_count_limit,
        lock_us=merged.group_share_record_lock_duration_ms * MICROS_PER_MS,
        max_record_locks=merged.group_share_partition_max_record_locks,
        begins=group.share_auto_offset_reset,
    )


def _group_id(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise BadInput("a share consumer needs a group.id:", "", value, "name its share group")


@attrs.frozen(kw_only=True)
class ShareConsumerSettings:
    """A share consumer's settings; the field `max_poll_records` is Kafka's `max.poll.records`.

    share.acknowledgement.mode: implicit (the next poll accepts what the last one gave) or explicit
    (each record is acknowledged by the application before the next poll).
    """

    group_id: str = attrs.field(default="", validator=_group_id)
    share_acknowledgement_mode: str = attrs.field(
        default="implicit", validator=one_of("implicit", "explicit")
    )
    max_poll_records: int = attrs.field(default=500, validator=whole(1, INT_MAX))
    max_poll_interval_ms: int = attrs.field(default=300_000, validator=whole(1, INT_MAX))
    fetch_max_wait_ms: int = attrs.field(default=500, validator=whole(0, INT_MAX))
    fetch_max_bytes: int = attrs.field(default=52_428_800, validator=whole(0, INT_MAX))
    default_api_timeout_ms: int = attrs.field(default=60_000, validator=whole(0, INT_MAX))
    request_timeout_ms: int = attrs.field(default=30_000, validator=whole(1, INT_MAX))
    reconnect_backoff_ms: int = attrs.field(default=50, validator=whole(0, INT_MAX))
    reconnect_backoff_max_ms: int = attrs.field(default=1_000, validator=whole(0, INT_MAX))
    retry_backoff_ms: int = attrs.field(default=100, validator=whole(0, INT_MAX))
    retry_backoff_max_ms: int = attrs.field(default=1_000, validator=whole(0, INT_MAX))
    metadata_max_age_ms: int = attrs.field(default=300_000, validator=whole(0, INT_MAX))

    def backoff_range_us(self, attempts: int) -> tuple[int, int]:
        """How long to wait after `attempts` failures before this one: least and most, in us."""
        base_us = self.retry_backoff_ms * MICROS_PER_MS
        return exponential_backoff(attempts, base_us, self.retry_backoff_max_ms * MICROS_PER_MS)


def share_settings(given: Mapping[str, Any], where: str = "broker") -> ShareSettings:
    """Read a broker's settings of share groups.

    Raises:
        BadInput: a name is unknown or not modelled, or a value is not allowed.
    """
    return parse_settings(ShareSettings, given, not_modelled=NOT_MODELLED, where=where)


def share_group_settings(given: Mapping[str, Any], where: str) -> ShareGroupSettings:
    """Read a share group's own settings.

    Raises:
        BadInput: a name is unknown, or a value is not allowed.
    """
    return parse_settings(
        ShareGroupSettings, given, not_modelled=NOT_MODELLED_OF_GROUPS, where=where
    )


def share_consumer_settings(
    given: Mapping[str, Any], where: str = "share consumer settings"
) -> ShareConsumerSettings:
    """Read a share consumer's settings.

    Raises:
        BadInput: a name is unknown or not modelled (with the reason), or a value is not allowed.
    """
    refused = NOT_MODELLED_OF_SHARE_CONSUMERS
    return parse_settings(ShareConsumerSettings, given, not_modelled=refused, where=where)
