"""The group coordinator's settings, by Kafka's names and with Kafka's defaults."""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.protocol.settings import parse_settings, whole

# A new member cannot heartbeat while its JoinGroup waits, so its session is not enforced; this
# bounds how long a client that is gone may hold up a rebalance (GroupCoordinatorService.java).
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1_000

NOT_MODELLED = {
    "offset.metadata.max.bytes": "a commit's metadata is not limited",
    "offsets.commit.timeout.ms": "a commit is answered when it is on the coordinator's disk",
    "group.coordinator.threads": "a group is a machine of its own",
}


@attrs.frozen
class GroupConfig:
    """How one coordinator treats its groups (GroupCoordinatorConfig.java).

    group.coordinator.append.linger.ms counts in clusters with a controller.
    """

    group_initial_rebalance_delay_ms: int = attrs.field(default=3_000, validator=whole(0))
    group_min_session_timeout_ms: int = attrs.field(default=6_000, validator=whole(1))
    group_max_session_timeout_ms: int = attrs.field(default=1_800_000, validator=whole(1))
    group_max_size: int = attrs.field(default=2_147_483_647, validator=whole(1))
    offsets_retention_minutes: int = attrs.field(default=10_080, validator=whole(1))
    offsets_retention_check_interval_ms: int = attrs.field(default=600_000, validator=whole(1))
    group_coordinator_append_linger_ms: int = attrs.field(default=5, validator=whole(0))

    def __attrs_post_init__(self) -> None:
        if self.group_max_session_timeout_ms < self.group_min_session_timeout_ms:
            raise BadInput(
                "group.max.session.timeout.ms is below group.min.session.timeout.ms:",
                "",
                self.group_max_session_timeout_ms,
                f"give at least {self.group_min_session_timeout_ms}",
            )

    @classmethod
    def parse(cls, given: Mapping[str, Any], where: str = "group coordinator") -> "GroupConfig":
        """Read Kafka's dotted names.

        Raises:
            BadInput: a name is unknown or not modelled, or a value is not allowed.
        """
        return parse_settings(cls, given, not_modelled=NOT_MODELLED, where=where)
