"""The settings of consumer groups (KIP-848) on their coordinator, by Kafka's names and defaults.

Source: GroupCoordinatorConfig.java of Kafka 4.0.

Not modelled: a group's own session timeout and heartbeat interval (the dynamic settings of a
group), and assignors that are not Kafka's own.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.assignors_server import SERVER_ASSIGNORS
from simulator.protocol.settings import kafka_name, one_of, parse_settings, whole

POLICIES = ("bidirectional", "upgrade", "downgrade", "disabled")


def _assignors(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    known = ", ".join(SERVER_ASSIGNORS)
    if not isinstance(value, tuple) or not value:
        raise BadInput("group.consumer.assignors must name one at least:", "", value)
    for name in value:
        if name not in SERVER_ASSIGNORS:
            raise BadInput("group.consumer.assignors has no such assignor:", "", name, known)
    if len(set(value)) < len(value):
        raise BadInput("group.consumer.assignors names one twice:", "", value)


def _names(value: Any) -> Any:
    """Kafka's own form of a list is `uniform,range`."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(","))
    return tuple(value) if isinstance(value, list) else value


def _policy(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


@attrs.frozen
class ConsumerGroupConfig:
    """How one coordinator treats its consumer groups."""

    group_consumer_session_timeout_ms: int = attrs.field(default=45_000, validator=whole(1))
    group_consumer_min_session_timeout_ms: int = attrs.field(default=45_000, validator=whole(1))
    group_consumer_max_session_timeout_ms: int = attrs.field(default=60_000, validator=whole(1))
    group_consumer_heartbeat_interval_ms: int = attrs.field(default=5_000, validator=whole(1))
    group_consumer_min_heartbeat_interval_ms: int = attrs.field(default=5_000, validator=whole(1))
    group_consumer_max_heartbeat_interval_ms: int = attrs.field(default=15_000, validator=whole(1))
    group_consumer_max_size: int = attrs.field(default=2_147_483_647, validator=whole(1))
    group_consumer_assignors: tuple[str, ...] = attrs.field(
        default=tuple(SERVER_ASSIGNORS), converter=_names, validator=_assignors
    )
    group_consumer_migration_policy: str = attrs.field(
        default="bidirectional", converter=_policy, validator=one_of(*POLICIES)
    )

    def __attrs_post_init__(self) -> None:
        for what in ("session_timeout", "heartbeat_interval"):
            least = getattr(self, f"group_consumer_min_{what}_ms")
            most = getattr(self, f"group_consumer_max_{what}_ms")
            name = f"group_consumer_{what}_ms"
            value = getattr(self, name)
            if not least <= value <= most:
                field = kafka_name(getattr(attrs.fields(ConsumerGroupConfig), name))
                bounds = f"its min is {least} and its max {most}: change them too"
                raise BadInput(f"{field} is out of bounds:", "", value, bounds)
        interval_ms = self.group_consumer_heartbeat_interval_ms
        if interval_ms >= self.group_consumer_session_timeout_ms:
            raise BadInput(
                "group.consumer.heartbeat.interval.ms must be below the session timeout:",
                "",
                interval_ms,
                f"give less than {self.group_consumer_session_timeout_ms}",
            )

    @property
    def upgrades(self) -> bool:
        """Whether a classic group with members may become a consumer group."""
        return self.group_consumer_migration_policy in ("bidirectional", "upgrade")

    @property
    def downgrades(self) -> bool:
        """Whether a consumer group whose members are all classic becomes a classic group."""
        return self.group_consumer_migration_policy in ("bidirectional", "downgrade")

    @classmethod
    def parse(
        cls, given: Mapping[str, Any], where: str = "group coordinator"
    ) -> "ConsumerGroupConfig":
        """Read Kafka's dotted names.

        Raises:
            BadInput: a name is unknown, or a value is not allowed.
        """
        return parse_settings(cls, given, not_modelled={}, where=where)
