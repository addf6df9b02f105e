"""The topics in which coordinators write: `__consumer_offsets` and `__transaction_state`.

1. A group, or a transactional id, belongs to the partition that Java's String.hashCode of its name
   says; whoever leads that partition is its coordinator.
2. Where a cluster has a controller these are topics as any other: replicated, compacted, with
   leaders that move. Without one each broker keeps the partitions that it leads for good.

Sources: GroupCoordinatorConfig.java, TransactionLogConfig.java, GroupMetadataManager.partitionFor,
TransactionStateManager.partitionFor, Utils.abs.

Not modelled: partitions that nobody has asked for yet are made when somebody does, not with their
topic (an idle partition would only cost time); a replication factor that is left unset is 3, but
no more than there are brokers, where Kafka would wait for more of them; both topics are compacted
with the brokers' own settings of cleaning.
"""

from functools import lru_cache
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.java_order import java_hash
from simulator.protocol.names import INTERNAL_TOPICS as INTERNAL
from simulator.protocol.names import OFFSETS_TOPIC as OFFSETS
from simulator.protocol.names import TRANSACTIONS_TOPIC as TRANSACTIONS
from simulator.protocol.names import TopicPartition
from simulator.protocol.settings import kafka_name, whole
from simulator.protocol.topic_settings import INT_MAX

USUAL_REPLICATION_FACTOR = 3


@lru_cache(maxsize=512)
def partition_for(name: str, partitions: int) -> int:
    """The partition of a group id or transactional id (Utils.abs: the least number counts as 0)."""
    value = java_hash(name)
    return (0 if value == -(2**31) else abs(value)) % partitions


def _factor(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and (not whole_number or value < 1):
        raise BadInput(f"{kafka_name(field)} must be a whole number from 1:", "", value)


@attrs.frozen(kw_only=True)
class InternalTopicSettings:
    """How coordinators' topics are kept, by Kafka's names."""

    offsets_topic_num_partitions: int = attrs.field(default=50, validator=whole(1, INT_MAX))
    offsets_topic_replication_factor: int | None = attrs.field(default=None, validator=_factor)
    offsets_topic_segment_bytes: int = attrs.field(
        default=104_857_600, validator=whole(1, INT_MAX)
    )
    transaction_state_log_num_partitions: int = attrs.field(
        default=50, validator=whole(1, INT_MAX)
    )
    transaction_state_log_replication_factor: int | None = attrs.field(
        default=None, validator=_factor
    )
    transaction_state_log_min_isr: int = attrs.field(default=2, validator=whole(1, INT_MAX))
    transaction_state_log_segment_bytes: int = attrs.field(
        default=104_857_600, validator=whole(1, INT_MAX)
    )

    def partitions(self, topic: str) -> int:
        """How many partitions one of the two topics has."""
        if topic == OFFSETS:
            return self.offsets_topic_num_partitions
        return self.transaction_state_log_num_partitions

    def replication_factor(self, topic: str, brokers: int) -> int:
        """How often its records are kept.

        Raises:
            BadInput: more often than there are brokers.
        """
        name, asked = "offsets.topic", self.offsets_topic_replication_factor
        if topic == TRANSACTIONS:
            name, asked = "transaction.state.log", self.transaction_state_log_replication_factor
        if asked is None:
            return min(USUAL_REPLICATION_FACTOR, brokers)
        if asked > brokers:
            what = f"{name}.replication.factor wants more replicas than there are brokers:"
            raise BadInput(what, "broker", asked, f"at most {brokers}, or add brokers")
        return asked

    def settings(self, topic: str) -> dict[str, Any]:
        """What its topic settings are, over the brokers' own."""
        if topic == OFFSETS:
            size = self.offsets_topic_segment_bytes
            return {"cleanup.policy": "compact", "segment.bytes": size}
        return {
            "cleanup.policy": "compact",
            "segment.bytes": self.transaction_state_log_segment_bytes,
            "min.insync.replicas": self.transaction_state_log_min_isr,
            "unclean.leader.election.enable": False,
        }

    def partition_of(self, topic: str, name: str) -> TopicPartition:
        """Where a group (of the offsets' topic) or a transactional id has its coordinator."""
        return TopicPartition(topic, partition_for(name, self.partitions(topic)))


__all__ = [
    "INTERNAL",
    "OFFSETS",
    "TRANSACTIONS",
    "InternalTopicSettings",
    "partition_for",
]
