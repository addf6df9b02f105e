"""Where a member of a KIP-848 group is, and what may follow what, as the member itself sees it.

Source: MemberState.java, AbstractMembershipManager.java (LocalAssignment) of Kafka 4.0.
"""

from enum import Enum
from typing import NamedTuple

from simulator.protocol.names import TopicPartition


class MembershipState(Enum):
    """Where a member is."""

    UNSUBSCRIBED = "unsubscribed"
    JOINING = "joining"
    RECONCILING = "reconciling"  # The target is not what it has: to be continued in a poll.
    ACKNOWLEDGING = "acknowledging"  # It is there, and the coordinator is to know at once.
    STABLE = "stable"
    PREPARE_LEAVING = "prepare_leaving"  # The listener is told; heartbeats go on.
    LEAVING = "leaving"
    FENCED = "fenced"
    STALE = "stale"  # It left because nobody polled.
    FATAL = "fatal"


_S = MembershipState

# What may follow what; checked at each change.
TRANSITIONS: dict[_S, tuple[_S, ...]] = {
    _S.UNSUBSCRIBED: (_S.JOINING,),
    _S.JOINING: (_S.RECONCILING, _S.STABLE, _S.PREPARE_LEAVING, _S.FENCED, _S.FATAL),
    _S.RECONCILING: (_S.ACKNOWLEDGING, _S.PREPARE_LEAVING, _S.FENCED, _S.FATAL),
    _S.ACKNOWLEDGING: (_S.STABLE, _S.RECONCILING, _S.PREPARE_LEAVING, _S.FENCED, _S.FATAL),
    _S.STABLE: (_S.RECONCILING, _S.PREPARE_LEAVING, _S.FENCED, _S.FATAL),
    _S.PREPARE_LEAVING: (_S.LEAVING, _S.FATAL),
    _S.LEAVING: (_S.UNSUBSCRIBED, _S.STALE),
    _S.FENCED: (_S.JOINING, _S.UNSUBSCRIBED),
    _S.STALE: (_S.JOINING,),
    _S.FATAL: (),
}

BEATING = (_S.JOINING, _S.RECONCILING, _S.ACKNOWLEDGING, _S.STABLE, _S.PREPARE_LEAVING)
URGENT = (_S.JOINING, _S.ACKNOWLEDGING)


class Assignment(NamedTuple):
    """What the coordinator assigned, numbered by the member itself: two that are equal but came
    one after the other, with another in between, are both to be acknowledged.
    """

    number: int = -1
    partitions: tuple[TopicPartition, ...] = ()

    def followed_by(self, partitions: tuple[TopicPartition, ...]) -> "Assignment":
        """The next one; the same when it says the same."""
        if self.number >= 0 and self.partitions == partitions:
            return self
        return Assignment(self.number + 1, partitions)


NOTHING_YET = Assignment()
