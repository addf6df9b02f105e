"""A broker's settings, by Kafka's names: those of its logs and those of its coordinators."""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.group_config import NOT_MODELLED as NOT_MODELLED_OF_GROUPS
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.log import LogConfig
from simulator.protocol.settings import kafka_name, parse_settings

# Topic settings that a broker gives a default for, under the broker's name for them.
OF_LOGS = {
    "message.max.bytes": "max_message_bytes",
    "log.segment.bytes": "segment_bytes",
    "producer.id.expiration.ms": "producer_id_expiration_ms",
}

NOT_MODELLED = {
    **NOT_MODELLED_OF_GROUPS,
    "producer.id.expiration.check.interval.ms": "producers are looked at every 600000 ms",
    "min.insync.replicas": "partitions have one replica",
    "default.replication.factor": "partitions have one replica",
    "unclean.leader.election.enable": "leaders are fixed",
    "replica.lag.time.max.ms": "partitions have one replica",
    "auto.create.topics.enable": "topics are part of the topology",
    "num.partitions": "topics are part of the topology",
    "log.cleanup.policy": "nothing is compacted or deleted",
    "log.retention.ms": "nothing is deleted",
    "log.retention.bytes": "nothing is deleted",
    "log.flush.interval.messages": "a log is never flushed by count, as is Kafka's default",
    "log.flush.interval.ms": "a log is never flushed by time, as is Kafka's default",
    "transaction.max.timeout.ms": "there are no transactions",
}


@attrs.frozen
class BrokerSettings:
    """What every broker of a cluster is configured with."""

    group: GroupConfig = attrs.field(factory=GroupConfig)
    log: LogConfig = attrs.field(factory=LogConfig)

    @classmethod
    def parse(cls, given: Mapping[str, Any], where: str = "broker") -> "BrokerSettings":
        """Read Kafka's dotted names.

        Raises:
            BadInput: a name is unknown or not modelled, or a value is not allowed.
        """
        of_groups = {kafka_name(field) for field in attrs.fields(GroupConfig)}
        log: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for name, value in given.items():
            if name in OF_LOGS:
                log[OF_LOGS[name]] = value
            else:
                rest[name] = value
        unknown = [name for name in rest if name not in of_groups and name not in NOT_MODELLED]
        if unknown:
            known = ", ".join(sorted({*OF_LOGS, *of_groups}))
            raise BadInput("unknown setting", where, unknown[0], f"known: {known}")
        return cls(
            parse_settings(GroupConfig, rest, not_modelled=NOT_MODELLED, where=where),
            LogConfig(**log),
        )
