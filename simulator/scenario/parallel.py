"""How an instance of a group handles several records at once.

| by | at once, at most | keeps the order of |
|---|---|---|
| partition | one record of each partition | partitions, and so keys |
| key | one record of each key of a partition; those without a key share one | keys |
| record | any | nothing |

| commits | what | a crash |
|---|---|---|
| gap_aware | the offset below which all is done | has what is done above it handled again |
| naive | the highest offset that is done, and one | loses what is not done below it |

Without `Parallel` a service handles one record after the other, and commits when it is done.
"""

import attrs

from simulator.protocol.in_progress import COMMITS, LANES
from simulator.scenario import validation

MAX_WORKERS = 10_000
ON_REVOKED = ("wait", "drop")


@attrs.frozen
class Parallel:
    """Handlers at work at the same time, in one instance.

    Args:
        by: of what there is one handler at a time: partition, key or record; see above.
        workers: how many handlers are at work at once, at most.
        commits: gap_aware or naive; see above. It matters where the guarantee commits after
            processing.
        on_revoked: what is done with a partition that is taken away. What is not begun is left to
            its next owner. `wait` first waits for what is being handled, and commits it; `drop`
            commits what is done, and what is still being handled is done twice.
        in_hand: with so many records handed out and not done, the consumer is paused, and polled
            all the same; one poll may bring max.poll.records more. By default twice the workers.

    Raises:
        BadInput: a field is not what it asks for.
    """

    by: str = attrs.field(default="key", validator=validation.one_of(*LANES))
    workers: int = attrs.field(default=16, validator=validation.whole(1, MAX_WORKERS))
    commits: str = attrs.field(default="gap_aware", validator=validation.one_of(*COMMITS))
    on_revoked: str = attrs.field(default="wait", validator=validation.one_of(*ON_REVOKED))
    in_hand: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(validation.whole(1))
    )

    @property
    def most_in_hand(self) -> int:
        """With so many records in hand no more are asked for."""
        return 2 * self.workers if self.in_hand is None else self.in_hand
