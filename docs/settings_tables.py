"""Settings as tables made from the classes that read them: docs/settings.md.

A setting stands here because its class has it, so none can be missing, and no default be another
than the one that runs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from simulator.cluster import broker_settings as brokers
from simulator.cluster import serializing as serializers
from simulator.cluster.internal_topics import InternalTopicSettings
from simulator.protocol import connector_settings as connectors
from simulator.protocol import consumer_settings as consumers
from simulator.protocol import producer_settings as producers
from simulator.protocol import share_settings as shares
from simulator.protocol import store_settings as stores
from simulator.protocol import topic_settings as topics
from simulator.protocol.cleaner import CleanerSettings
from simulator.protocol.consumer_group_config import ConsumerGroupConfig
from simulator.protocol.controller_facts import ControllerSettings
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.settings import kafka_name
from simulator.protocol.transactions_facts import TransactionSettings

OPENING = """\
# Settings

Kafka's own names, with the defaults of Apache Kafka 4.0. Every name in the first tables is
accepted, and starts from the default that is shown. A name that Kafka has and the simulator has
not is refused with its reason, and an unknown one with the nearest that there is. What Kafka
refuses is refused with its rule. What Kafka silently changes is changed, and stands in the trace
as a `warned` entry.

Where they are given:

| whose | where in a scenario |
|---|---|
| a topic's | `Topic(settings={...})` |
| the brokers' and the controller's | `Scenario(broker={...})`, the same for all |
| the producer's | `Guarantee(producer={...})` |
| a group's | `Consumers(settings={...})` |
| a share group's | `ShareServing(group={...})` |
| a share group's consumers' | `ShareServing(settings={...})` |
| a store's, by PostgreSQL's names | `cluster.store(name, {...})` |
| a connector's, by Debezium's names | `cluster.connector(..., settings={...})` |
| a serializer's, by Confluent's names | `Serializer(..., {...})` |

A scenario's own consumers begin with `auto.offset.reset` = `earliest`, and the guarantees say
what producers begin with and when offsets are committed; all else is as below.
"""
THREE = "3, or as many as there are brokers if that is less"
UNSET = {
    "enable.idempotence": "true, unless another setting forbids it",
    "delivery.timeout.ms": "120000, or linger.ms + request.timeout.ms if that is more",
    "partitioner.class": "unset: murmur2 of the key; without a key, sticky",
    "group.id": "the group's name",
    "transactional.id": "unset: no transactions",
    "group.instance.id": "unset: a dynamic member",
    "client.rack": "unset: nowhere in particular",
    "group.remote.assignor": "as the brokers say",
    "offsets.topic.replication.factor": THREE,
    "transaction.state.log.replication.factor": THREE,
    "share.session.timeout.ms": "as the brokers say",
    "share.heartbeat.interval.ms": "as the brokers say",
    "share.record.lock.duration.ms": "as the brokers say",
    "topic.prefix": "none: it must be given",
    "heartbeat.action.query": "unset: a heartbeat writes nothing",
    "signal.data.collection": "unset: there are no signals",
    "message.key.columns": "unset: the primary key",
    "schema.history.internal.kafka.topic": "unset: no history is kept",
}
BESIDE = {"partition.assignment.strategy": "; Kafka's list of two acts as its first"}
OF_SECURITY = ("ssl.", "sasl.", "security.")


def page() -> str:
    """All tables."""
    refused = {**topics.NOT_MODELLED, **brokers.NOT_MODELLED}
    return "\n".join(
        (
            OPENING,
            "## Topics, and the brokers' defaults for them\n",
            _topics(),
            "Of several names for one thing the finest unit counts.\n",
            "## Brokers: replicas\n",
            _table(_of(ReplicationConfig, brokers.OF_REPLICATION)),
            "## The controller\n",
            _table(_of(ControllerSettings, set(brokers.OF_CONTROLLERS) - set(brokers.OF_TOPICS))),
            "## Brokers: cleaning, flushing, and what is remembered of producers\n",
            _table([*_of(CleanerSettings), *_of(brokers.OwnSettings)]),
            "## Brokers: group coordinators\n",
            _table([*_of(GroupConfig), *_of(ConsumerGroupConfig)]),
            "## Brokers: transaction coordinators, and the topics of all coordinators\n",
            _table([*_of(TransactionSettings), *_of(InternalTopicSettings)]),
            "## Producers\n",
            _table(_of(producers.ProducerSettings)),
            "## Consumers\n",
            _table(_of(consumers.ConsumerSettings)),
            "## Share groups: of the brokers, of one group, of a share consumer\n",
            _table(_of(shares.ShareSettings)),
            _table(_of(shares.ShareGroupSettings)),
            _table(_of(shares.ShareConsumerSettings)),
            "## Stores\n",
            _table(_of(stores.StoreSettings)),
            "## Connectors\n",
            _table(_of(connectors.ConnectorSettings)),
            "## Serializers\n",
            _table(_of(serializers.SerializerSettings)),
            "## Refused, and why\n\n### Of topics and brokers\n",
            _refused(refused),
            "### Of producers\n",
            _refused(producers.NOT_MODELLED),
            "### Of consumers\n",
            _refused(consumers.NOT_MODELLED),
            "### Of share consumers, and of share groups\n",
            _refused(_of_share_groups_alone()),
            "### Of stores\n",
            _refused(stores.NOT_MODELLED),
            "### Of connectors\n",
            _refused(connectors.NOT_MODELLED),
            "### Of serializers\n",
            _refused(serializers.NOT_MODELLED),
        )
    )


def _of_share_groups_alone() -> dict[str, str]:
    """What is refused of share consumers and not of other ones, or for another reason."""
    others = consumers.NOT_MODELLED
    own = shares.NOT_MODELLED_OF_SHARE_CONSUMERS
    refused = {name: why for name, why in own.items() if others.get(name) != why}
    return {**refused, **shares.NOT_MODELLED_OF_GROUPS}


def _of(cls: Any, names: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Names and defaults, in alphabetical order."""
    wanted = None if names is None else set(names)
    return sorted(
        (name, shown(name, field.default))
        for field in attrs.fields(cls)
        if wanted is None or kafka_name(field) in wanted
        for name in (kafka_name(field),)
    )


def shown(name: str, value: Any) -> str:
    """A default as Kafka's documentation would write it."""
    if value is None or value == "":
        return UNSET[name]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) + BESIDE.get(name, "")
    if value == topics.LONG_MAX:
        return "9223372036854775807: never"
    return str(value)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| `{name}` | {default} |" for name, default in rows]
    return "\n".join(("| setting | default |", "|---|---|", *lines, ""))


def _topics() -> str:
    """A topic's settings, and under what names a broker says them for all topics."""
    named: dict[str, list[str]] = {}
    for name, topic in brokers.OF_TOPICS.items():
        named.setdefault(topic, []).append(name)
    for topic, names in brokers.OF_TIMES.items():
        named.setdefault(topic, []).extend(name for name, _ in names)
    lines = ["| a topic's | default | a broker's, for topics that say nothing |", "|---|---|---|"]
    for name, default in _of(topics.TopicSettings):
        of_broker = ", ".join(f"`{one}`" for one in named[name])
        lines.append(f"| `{name}` | {default} | {of_broker} |")
    return "\n".join((*lines, ""))


def _refused(reasons: Mapping[str, str]) -> str:
    """A table of reasons; the many settings of security are one row."""
    rows = {n: why for n, why in sorted(reasons.items()) if not n.startswith(OF_SECURITY)}
    if len(rows) < len(reasons):
        secure = next(why for n, why in reasons.items() if n.startswith(OF_SECURITY))
        rows = {**rows, "ssl.*`, `sasl.*`, `security.*": secure}
    lines = [f"| `{name}` | {why} |" for name, why in rows.items()]
    return "\n".join(("| setting | why it is refused |", "|---|---|", *lines, ""))
