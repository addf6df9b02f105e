"""Who a consumer is in its group: what a producer says when it commits the consumer's offsets.

Source: ConsumerGroupMetadata.java, KIP-447.
"""

import attrs

from simulator.protocol.names import NO_GENERATION, UNKNOWN_MEMBER


@attrs.frozen
class GroupMetadata:
    """A consumer's group and its place there.

    By generation and member the group's coordinator finds out a zombie. With the group id alone
    nothing is looked at: then only the transactional.id fences.

    Attributes:
        generation: of the group, or the member epoch (KIP-848); -1: none.
    """

    group_id: str
    generation: int = NO_GENERATION
    member_id: str = UNKNOWN_MEMBER
    group_instance_id: str | None = None
