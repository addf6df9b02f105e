"""What may be set on a consumer: Kafka's names and defaults, and nothing that would be ignored.

1. A setting stands here only if a run can differ by it; every other setting that Kafka's consumer
   has is refused by its name with the reason (`NOT_MODELLED`).
2. Kafka's own rules hold: heartbeat.interval.ms is below session.timeout.ms, and without a
   group.id nothing is committed automatically.
3. A member rebalances as all assignors of its list can: eagerly, unless each of them is
   cooperative. So Kafka's default list, range and cooperative-sticky, acts as range with the
   eager protocol, until range is taken off it (KIP-429).

4. What a protocol does not have cannot be set with it: the coordinator assigns and counts sessions
   where group.protocol is consumer (KIP-848), the members' assignors do where it is classic.

Sources: ConsumerConfig.java, Heartbeat.java, KIP-62, KIP-345; the version claimed is 4.0.

Not modelled: assignors of one's own, fetching from the follower in one's rack (client.rack is for
the assignors alone), automatic topic creation, signs within a duration, subscription by pattern.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.settings import one_of, parse_settings, switch, whole

INT_MAX = 2**31 - 1

ASSIGNORS = {  # By Java's class names.
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}
COOPERATIVE = ("cooperative-sticky",)  # The others are eager alone.
_PACKAGE = "org.apache.kafka.clients.consumer."

# Java's Duration.parse, without signs: P2DT3H4M5.678S.
_DURATION = re.compile(
    r"P(?:(\d+)D)?(T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{0,9}))?S)?)?", re.IGNORECASE
)
_BY_DURATION = "by_duration:"

_SECURITY = "there is no security in the simulated cluster"
_METRICS = "a trace is the only record; measure from it"
_SOCKETS = "a link's delay, loss and cut are part of the topology"

NOT_MODELLED: Mapping[str, str] = {
    "allow.auto.create.topics": "topics are part of the topology and are never created by asking",
    "bootstrap.servers": "a consumer is given its cluster's brokers",
    "check.crcs": "records are not corrupted in the simulated network",
    "client.dns.lookup": _SOCKETS,
    "client.id": "the node's name is the client id",
    "config.providers": "write the values themselves",
    "connections.max.idle.ms": _SOCKETS,
    "enable.metrics.push": _METRICS,
    "exclude.internal.topics": "only patterns match internal topics, and patterns are not modelled",
    "interceptor.classes": "wrap the handler instead",
    "internal.throw.on.fetch.stable.offset.unsupported": "all brokers are of one version",
    "key.deserializer": "records carry bytes or str; decode in the handler",
    "metadata.recovery.rebootstrap.trigger.ms": "bootstrap brokers never change",
    "metadata.recovery.strategy": "bootstrap brokers never change",
    "metric.reporters": _METRICS,
    "metrics.num.samples": _METRICS,
    "metrics.recording.level": _METRICS,
    "metrics.sample.window.ms": _METRICS,
    "receive.buffer.bytes": _SOCKETS,
    "sasl.client.callback.handler.class": _SECURITY,
    "sasl.jaas.config": _SECURITY,
    "sasl.kerberos.kinit.cmd": _SECURITY,
    "sasl.kerberos.min.time.before.relogin": _SECURITY,
    "sasl.kerberos.service.name": _SECURITY,
    "sasl.kerberos.ticket.renew.jitter": _SECURITY,
    "sasl.kerberos.ticket.renew.window.factor": _SECURITY,
    "sasl.login.callback.handler.class": _SECURITY,
    "sasl.login.class": _SECURITY,
    "sasl.login.connect.timeout.ms": _SECURITY,
    "sasl.login.read.timeout.ms": _SECURITY,
    "sasl.login.refresh.buffer.seconds": _SECURITY,
    "sasl.login.refresh.min.period.seconds": _SECURITY,
    "sasl.login.refresh.window.factor": _SECURITY,
    "sasl.login.refresh.window.jitter": _SECURITY,
    "sasl.login.retry.backoff.max.ms": _SECURITY,
    "sasl.login.retry.backoff.ms": _SECURITY,
    "sasl.mechanism": _SECURITY,
    "sasl.oauthbearer.clock.skew.seconds": _SECURITY,
    "sasl.oauthbearer.expected.audience": _SECURITY,
    "sasl.oauthbearer.expected.issuer": _SECURITY,
    "sasl.oauthbearer.header.urlencode": _SECURITY,
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": _SECURITY,
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": _SECURITY,
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": _SECURITY,
    "sasl.oauthbearer.jwks.endpoint.url": _SECURITY,
    "sasl.oauthbearer.scope.claim.name": _SECURITY,
    "sasl.oauthbearer.sub.claim.name": _SECURITY,
    "sasl.oauthbearer.token.endpoint.url": _SECURITY,
    "security.protocol": _SECURITY,
    "security.providers": _SECURITY,
    "send.buffer.bytes": _SOCKETS,
    "socket.connection.setup.timeout.max.ms": _SOCKETS,
    "socket.connection.setup.timeout.ms": _SOCKETS,
    "ssl.cipher.suites": _SECURITY,
    "ssl.enabled.protocols": _SECURITY,
    "ssl.endpoint.identification.algorithm": _SECURITY,
    "ssl.engine.factory.class": _SECURITY,
    "ssl.key.password": _SECURITY,
    "ssl.keymanager.algorithm": _SECURITY,
    "ssl.keystore.certificate.chain": _SECURITY,
    "ssl.keystore.key": _SECURITY,
    "ssl.keystore.location": _SECURITY,
    "ssl.keystore.password": _SECURITY,
    "ssl.keystore.type": _SECURITY,
    "ssl.protocol": _SECURITY,
    "ssl.provider": _SECURITY,
    "ssl.secure.random.implementation": _SECURITY,
    "ssl.trustmanager.algorithm": _SECURITY,
    "ssl.truststore.certificates": _SECURITY,
    "ssl.truststore.location": _SECURITY,
    "ssl.truststore.password": _SECURITY,
    "ssl.truststore.type": _SECURITY,
    "value.deserializer": "records carry bytes or str; decode in the handler",
}

# What cannot be set with a group.protocol, and why.
OF_THE_OTHER: Mapping[str, Mapping[str, str]] = {
    "consumer": {
        "partition_assignment_strategy": "the coordinator assigns: set group.remote.assignor",
        "session_timeout_ms": "set group.consumer.session.timeout.ms, of the brokers",
        "heartbeat_interval_ms": "set group.consumer.heartbeat.interval.ms, of the brokers",
    },
    "classic": {"group_remote_assignor": "the group's leader assigns: see group.protocol"},
}


def _strategy(given: Any) -> tuple[str, ...]:
    """The assignors' names, from one name, a comma-separated text or a list of either spelling."""
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",")]
    names: list[str] = []
    for name in given:
        assignor = ASSIGNORS.get(str(name).removeprefix(_PACKAGE), name)
        if assignor not in ASSIGNORS.values():
            raise BadInput(
                "partition.assignment.strategy knows no assignor",
                "",
                name,
                "range, roundrobin, sticky, cooperative-sticky, or their Java class names",
            )
        if assignor in names:
            raise BadInput("partition.assignment.strategy names an assignor twice:", "", name)
        names.append(assignor)
    if not names:
        raise BadInput("partition.assignment.strategy is empty:", "", given, "such as range")
    return tuple(names)


def _duration_us(policy: str) -> int | None:
    """How far back `by_duration:<ISO 8601>` goes, in whole microseconds; None if it is no such."""
    found = _DURATION.fullmatch(policy.removeprefix(_BY_DURATION))
    if not policy.startswith(_BY_DURATION) or found is None or not any(found.groups()):
        return None
    days, _, hours, minutes, seconds, fraction = found.groups(default="0")
    whole_s = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_s * 1_000 * MICROS_PER_MS + int(f"{fraction or 0:0<9}") // 1_000


def _policy(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    """Kafka 4.0's policies (AutoOffsetResetStrategy.java, KIP-1106)."""
    if isinstance(value, str) and _duration_us(value) is not None:
        return
    if value not in ("latest", "earliest", "none"):
        raise BadInput(
            "auto.offset.reset must be one of latest, earliest, none, or by_duration: and an "
            "ISO 8601 duration:",
            "",
            value,
            "such as by_duration:PT1H, or by_duration:P7D",
        )


def _text(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """None, or a text with something in it (Kafka 4.0 refuses an empty group.id)."""
    if value is not None and (not isinstance(value, str) or not value.strip()):
        name = field.name.replace("_", ".")
        raise BadInput(f"{name} must be a text that is not empty:", "", value)


def _rack(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    """A text; the empty one is no rack, and one of blanks would be none of a broker's."""
    if not isinstance(value, str) or (value and not value.strip()):
        raise BadInput("client.rack must be a text:", "", value, "leave it out for no rack")


def _lower(value: Any) -> Any:
    """Kafka reads it in any case."""
    return value.lower() if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class ConsumerSettings:
    """A consumer's settings; the field `max_poll_records` is Kafka's `max.poll.records`.

    Raises:
        BadInput: a value is out of its range, or heartbeat.interval.ms is not below
            session.timeout.ms.
    """

    group_id: str | None = attrs.field(default=None, validator=_text)
    group_instance_id: str | None = attrs.field(default=None, validator=_text)
    client_rack: str = attrs.field(default="", validator=_rack)
    session_timeout_ms: int = attrs.field(default=45_000, validator=whole(1, INT_MAX))
    heartbeat_interval_ms: int = attrs.field(default=3_000, validator=whole(1, INT_MAX))
    group_protocol: str = attrs.field(
        default="classic", converter=_lower, validator=one_of("classic", "consumer")
    )
    group_remote_assignor: str | None = attrs.field(default=None, validator=_text)
    max_poll_interval_ms: int = attrs.field(default=300_000, validator=whole(1, INT_MAX))
    max_poll_records: int = attrs.field(default=500, validator=whole(1, INT_MAX))
    enable_auto_commit: bool = attrs.field(default=True, validator=switch)
    auto_commit_interval_ms: int = attrs.field(default=5_000, validator=whole(0, INT_MAX))
    auto_offset_reset: str = attrs.field(default="latest", validator=_policy)
    fetch_min_bytes: int = attrs.field(default=1, validator=whole(0, INT_MAX))
    fetch_max_wait_ms: int = attrs.field(default=500, validator=whole(0, INT_MAX))
    fetch_max_bytes: int = attrs.field(default=52_428_800, validator=whole(0, INT_MAX))
    max_partition_fetch_bytes: int = attrs.field(default=1_048_576, validator=whole(0, INT_MAX))
    partition_assignment_strategy: tuple[str, ...] = attrs.field(
        default=("range", "cooperative-sticky"), converter=_strategy
    )
    default_api_timeout_ms: int = attrs.field(default=60_000, validator=whole(0, INT_MAX))
    request_timeout_ms: int = attrs.field(default=30_000, validator=whole(1, INT_MAX))
    reconnect_backoff_ms: int = attrs.field(default=50, validator=whole(0, INT_MAX))
    reconnect_backoff_max_ms: int = attrs.field(default=1_000, validator=whole(0, INT_MAX))
    retry_backoff_ms: int = attrs.field(default=100, validator=whole(0, INT_MAX))
    retry_backoff_max_ms: int = attrs.field(default=1_000, validator=whole(0, INT_MAX))
    metadata_max_age_ms: int = attrs.field(default=300_000, validator=whole(0, INT_MAX))
    isolation_level: str = attrs.field(
        default="read_uncommitted", validator=one_of("read_uncommitted", "read_committed")
    )
    internal_leave_group_on_close: bool = attrs.field(default=True, validator=switch)

    def __attrs_post_init__(self) -> None:
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            raise BadInput(
                f"heartbeat.interval.ms {self.heartbeat_interval_ms} must be below "
                f"session.timeout.ms {self.session_timeout_ms}",
                fix="a third of it is usual",
            )
        if self.group_instance_id is not None and self.group_id is None:
            raise BadInput(
                "group.instance.id needs a group.id:", "", self.group_instance_id, "set group.id"
            )

    @property
    def auto_commits(self) -> bool:
        """Whether offsets are committed automatically: never without a group.id."""
        return self.enable_auto_commit and self.group_id is not None

    @property
    def cooperative(self) -> bool:
        """Whether rebalances are cooperative: all of its assignors must be (KIP-429)."""
        return all(name in COOPERATIVE for name in self.partition_assignment_strategy)

    @property
    def reset_back_us(self) -> int:
        """How far back auto.offset.reset=by_duration goes; 0 for another policy."""
        return _duration_us(self.auto_offset_reset) or 0

    def backoff_range_us(self, attempts: int) -> tuple[int, int]:
        """How long to wait after `attempts` failures before this one: least and most, in us.

        Source: KIP-580; see `exponential_backoff`.
        """
        base_us = self.retry_backoff_ms * MICROS_PER_MS
        return exponential_backoff(attempts, base_us, self.retry_backoff_max_ms * MICROS_PER_MS)


def consumer_settings(
    given: Mapping[str, Any], where: str = "consumer settings"
) -> ConsumerSettings:
    """Read a consumer's settings from Kafka's names.

    Raises:
        BadInput: a name is unknown (with the nearest one) or not modelled (with the reason), a
            value is not allowed, enable.auto.commit is asked for without a group.id, or a setting
            is of the other group.protocol.
    """
    settings = parse_settings(ConsumerSettings, given, not_modelled=NOT_MODELLED, where=where)
    protocol = settings.group_protocol
    for field, why in OF_THE_OTHER[protocol].items():
        name = field.replace("_", ".")
        if (value := given.get(name, given.get(field))) is not None:
            raise BadInput(
                f"{name} cannot be set when group.protocol={protocol}:", where, value, why
            )
    asked = given.get("enable.auto.commit", given.get("enable_auto_commit", False))
    if asked and settings.group_id is None:
        raise BadInput("enable.auto.commit needs a group.id:", where, asked, "set group.id")
    return settings
