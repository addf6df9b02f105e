"""What one partition's log must be told of its settings; they do not change while it is open.

Source: LogConfig.java (storage).
"""

import attrs

from simulator.protocol.settings import one_of, switch, whole


@attrs.frozen
class LogConfig:
    """Kafka's settings of one log, with Kafka's names and defaults.

    `window_every_batches` is ours: how many batches an unclean restart reads again at most; and
    `keeps_idle_producers` is no setting of Kafka's: see `Variant`.
    """

    max_message_bytes: int = attrs.field(default=1_048_588, validator=whole(1))
    segment_bytes: int = attrs.field(default=1_073_741_824, validator=whole(14))
    segment_ms: int = attrs.field(default=604_800_000, validator=whole(1))
    cleanup_policy: str = attrs.field(
        default="delete", validator=one_of("delete", "compact", "compact,delete")
    )
    producer_id_expiration_ms: int = attrs.field(default=86_400_000, validator=whole(1))
    window_every_batches: int = attrs.field(default=4_096, validator=whole(1))
    keeps_idle_producers: bool = attrs.field(default=True, validator=switch)
