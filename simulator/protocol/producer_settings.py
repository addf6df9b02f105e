"""A producer's settings: Kafka's names, defaults, refusals, and silent changes.

1. Only a setting that changes what happens here is accepted; every other one that Kafka has is
   refused by name, with its reason (`NOT_MODELLED`).
2. Settings that contradict each other are refused as Kafka refuses them.
3. Where Kafka changes a setting on its own, it is changed here too, and `warnings` says so.

Sources: ProducerConfig.java (postProcessAndValidateIdempotenceConfigs), KafkaProducer.java
(configureDeliveryTimeout), KIP-679, KIP-91, KIP-1030 (linger.ms is 5 since 4.0).

Not modelled: compression, interceptors, serializers, security, sockets and metrics
of the producer; and that 4.0 refuses more than five requests in flight even where idempotence was
left unset (KAFKA-17927): here they switch it off, with a warning, as they did until then.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.partitioning import RANDOM, ROUND_ROBIN, OwnPartitioner
from simulator.protocol.settings import kafka_name, parse_settings, switch, whole

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1

_SECURITY = "nothing here is authenticated or encrypted"
_METRICS = "measures are taken from the trace"
_SOCKETS = "connections are made at once, and cost nothing"
_BYTES = "keys and values are bytes or str already"

NOT_MODELLED: Mapping[str, str] = {
    "bootstrap.servers": "the cluster tells its clients where its brokers are",
    "client.dns.lookup": "nodes are found by their names",
    "client.id": "the name of the producer's node is its client id",
    "key.serializer": _BYTES,
    "value.serializer": _BYTES,
    "compression.type": "batches are not compressed",
    "compression.gzip.level": "batches are not compressed",
    "compression.lz4.level": "batches are not compressed",
    "compression.zstd.level": "batches are not compressed",
    "interceptor.classes": "wrap send() instead",
    "metadata.max.idle.ms": "a topic once used stays in the metadata",
    "metadata.recovery.strategy": "the bootstrap brokers are never forgotten",
    "metadata.recovery.rebootstrap.trigger.ms": "the bootstrap brokers are never forgotten",
    "connections.max.idle.ms": "idle connections stay open",
    "socket.connection.setup.timeout.ms": _SOCKETS,
    "socket.connection.setup.timeout.max.ms": _SOCKETS,
    "send.buffer.bytes": _SOCKETS,
    "receive.buffer.bytes": _SOCKETS,
    "metrics.sample.window.ms": _METRICS,
    "metrics.num.samples": _METRICS,
    "metrics.recording.level": _METRICS,
    "metric.reporters": _METRICS,
    "enable.metrics.push": _METRICS,
    "auto.include.jmx.reporter": _METRICS,
    "security.protocol": _SECURITY,
    "security.providers": _SECURITY,
    "config.providers": "settings are given as values",
}
_SECURITY_PREFIXES = ("ssl.", "sasl.", "security.")


def _acks(given: Any) -> Any:
    """Kafka takes "all", "-1", "0", "1"; the numbers are accepted too. "all" and -1 are one."""
    if isinstance(given, bool) or not isinstance(given, str | int):
        return given
    return {"-1": "all"}.get(str(given), str(given))


def _is_acks(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    if value not in ("all", "1", "0"):
        raise BadInput("acks must be one of all, -1, 0, 1:", "", value)


_REMOVED_PARTITIONERS = {
    "DefaultPartitioner": "leave it unset: that is what it did",
    "UniformStickyPartitioner": "leave it unset, and set partitioner.ignore.keys=true",
}


def _short_name(given: Any) -> Any:
    """A partitioner of Kafka's without its package."""
    if isinstance(given, str) and given.startswith("org.apache.kafka.clients.producer."):
        return given.rpartition(".")[2]
    return given


def _is_partitioner(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    if value is None or value in (ROUND_ROBIN, RANDOM):
        return
    if isinstance(value, str) and value in _REMOVED_PARTITIONERS:
        fix = _REMOVED_PARTITIONERS[value]
        raise BadInput("partitioner.class: Kafka 4.0 has no", "", value, fix)
    if not callable(value) or isinstance(value, type):
        fix = f"{ROUND_ROBIN}, {RANDOM}, or a function (topic, key, value, partitions) -> int"
        raise BadInput("partitioner.class cannot be", "", value, fix)


def _text_or_unset(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value):
        raise BadInput(f"{kafka_name(field)} must be a text that is not empty:", "", value)


def _switch_or_unset(owner: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None:
        switch(owner, field, value)


def _whole_or_unset(owner: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None:
        whole(0, _INT_MAX)(owner, field, value)


def _number(default: int, least: int = 0, most: int = _INT_MAX) -> Any:
    return attrs.field(default=default, validator=whole(least, most))


@attrs.frozen
class ProducerSettings:
    """How a producer sends; each field is Kafka's setting of the dotted name.

    `enable_idempotence` and `delivery_timeout_ms` are what was asked for, None when nothing was;
    `idempotent` and `delivery_ms` are what results. `partitioner_class` is a name (Kafka's
    RoundRobinPartitioner, or our own "random"), or a function (topic, key, value, partitions)
    that gives a partition's number.

    Raises:
        BadInput: a value is out of its bounds, or contradicts another.
    """

    acks: str = attrs.field(default="all", converter=_acks, validator=_is_acks)
    enable_idempotence: bool | None = attrs.field(default=None, validator=_switch_or_unset)
    retries: int = _number(_INT_MAX)
    max_in_flight_requests_per_connection: int = _number(5, 1)
    linger_ms: int = _number(5)
    batch_size: int = _number(16_384)
    buffer_memory: int = _number(33_554_432, 0, _LONG_MAX)
    max_request_size: int = _number(1_048_576)
    delivery_timeout_ms: int | None = attrs.field(default=None, validator=_whole_or_unset)
    request_timeout_ms: int = _number(30_000)
    retry_backoff_ms: int = _number(100)
    retry_backoff_max_ms: int = _number(1_000)
    transactional_id: str | None = attrs.field(default=None, validator=_text_or_unset)
    transaction_timeout_ms: int = _number(60_000)
    max_block_ms: int = _number(60_000, 0, _LONG_MAX)
    metadata_max_age_ms: int = _number(300_000)
    reconnect_backoff_ms: int = _number(50)
    reconnect_backoff_max_ms: int = _number(1_000)
    partitioner_ignore_keys: bool = attrs.field(default=False, validator=switch)
    partitioner_adaptive_partitioning_enable: bool = attrs.field(default=True, validator=switch)
    partitioner_availability_timeout_ms: int = _number(0, 0, _LONG_MAX)
    partitioner_class: str | OwnPartitioner | None = attrs.field(
        default=None, converter=_short_name, validator=_is_partitioner
    )

    def __attrs_post_init__(self) -> None:
        conflict = self._conflict_with_idempotence()
        if self.enable_idempotence and conflict:
            name, value, rule = conflict
            raise BadInput(f"enable.idempotence=true needs {rule}, but {name} is", "", value)
        if self.transactional_id is not None and not self.idempotent:
            name, value, rule = conflict or ("enable.idempotence", False, "it")
            what = f"transactional.id needs idempotence, and that needs {rule}, but {name} is"
            raise BadInput(what, "", value)
        least = self.linger_ms + self.request_timeout_ms
        if self.delivery_timeout_ms is not None and self.delivery_timeout_ms < least:
            raise BadInput(
                "delivery.timeout.ms must be at least linger.ms + request.timeout.ms "
                f"({self.linger_ms} + {self.request_timeout_ms}):",
                "",
                self.delivery_timeout_ms,
            )

    def _conflict_with_idempotence(self) -> tuple[str, Any, str] | None:
        """The first setting that idempotence cannot live with: name, value, rule."""
        if self.acks != "all":
            return "acks", self.acks, "acks=all"
        if self.retries == 0:
            return "retries", 0, "retries > 0"
        if self.max_in_flight_requests_per_connection > 5:
            # The broker remembers the last five batches of a producer, no more.
            flights = self.max_in_flight_requests_per_connection
            name = "max.in.flight.requests.per.connection"
            return name, flights, f"{name} <= 5"
        return None

    @property
    def idempotent(self) -> bool:
        """Whether batches carry a producer id and sequences: unless a setting forbids it."""
        if self.enable_idempotence is None:
            return self._conflict_with_idempotence() is None
        return self.enable_idempotence

    @property
    def delivery_ms(self) -> int:
        """How long a record may take, all in all; raised when unset and too short (KIP-91)."""
        if self.delivery_timeout_ms is not None:
            return self.delivery_timeout_ms
        return max(120_000, self.linger_ms + self.request_timeout_ms)

    @property
    def acks_code(self) -> int:
        """What a ProduceRequest carries: 0, 1, or -1 for all."""
        return {"all": -1, "1": 1, "0": 0}[self.acks]

    @property
    def linger_us(self) -> int:
        """linger.ms in microseconds."""
        return self.linger_ms * MICROS_PER_MS

    @property
    def warnings(self) -> tuple[str, ...]:
        """What Kafka changes on its own, one sentence each."""
        told = []
        conflict = self._conflict_with_idempotence()
        if self.enable_idempotence is None and conflict:
            name, value, rule = conflict
            told.append(
                f"idempotence is switched off, because it needs {rule} and {name} is {value}: "
                "retries may write a record twice, and out of order"
            )
        if self.delivery_timeout_ms is None and self.delivery_ms != 120_000:
            told.append(
                f"delivery.timeout.ms is raised to {self.delivery_ms}, which is "
                "linger.ms + request.timeout.ms"
            )
        if self.retry_backoff_ms > self.retry_backoff_max_ms:
            told.append(
                f"retry.backoff.ms {self.retry_backoff_ms} is over retry.backoff.max.ms: every "
                f"backoff is {self.retry_backoff_max_ms} ms"
            )
        if self.partitioner_class is not None and self.partitioner_ignore_keys:
            told.append("partitioner.ignore.keys has no effect, because partitioner.class is set")
        return tuple(told)


def producer_settings(given: Mapping[str, Any], where: str = "producer") -> ProducerSettings:
    """Read a producer's settings by Kafka's names.

    Raises:
        BadInput: a name is unknown, or not modelled; or a value cannot be used.
    """
    refused = dict(NOT_MODELLED)
    for name in given:
        if name.startswith(_SECURITY_PREFIXES):
            refused[name] = _SECURITY
    return parse_settings(ProducerSettings, given, not_modelled=refused, where=where)
