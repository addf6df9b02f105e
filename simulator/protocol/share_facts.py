"""What is true of a share partition: the states of its records, and the facts that change them.

Only `StateWritten` is hard: it is what the leader writes through the share coordinator into
`__share_group_state`. That a member has acquired records is known to the leader alone, and goes
with it.

Sources: RecordState.java, PersisterStateBatch.java, WriteShareGroupStateRequest.json (KIP-932).
"""

from enum import Enum
from typing import NamedTuple


class RecordState(Enum):
    """What a share group knows of one record; the numbers are Kafka's."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    ARCHIVED = 4


AVAILABLE = RecordState.AVAILABLE
ACQUIRED = RecordState.ACQUIRED
ACKNOWLEDGED = RecordState.ACKNOWLEDGED
ARCHIVED = RecordState.ARCHIVED

# What may follow what in a record's life; asserted at each change.
TRANSITIONS: dict[RecordState, tuple[RecordState, ...]] = {
    AVAILABLE: (ACQUIRED, ARCHIVED),
    ACQUIRED: (AVAILABLE, ACKNOWLEDGED, ARCHIVED),
    ACKNOWLEDGED: (),
    ARCHIVED: (),
}


class StartFound(NamedTuple):
    """Soft: nothing was written yet, so the group begins here (share.auto.offset.reset)."""

    offset: int


class StartMoved(NamedTuple):
    """Soft: the log begins here now; what lay below is nobody's concern any more."""

    offset: int


class Acquired(NamedTuple):
    """Soft: a member holds the records until a time, unless it says before what became of them."""

    first: int
    last: int
    member: str
    delivery_count: int
    until_us: int


class StateBatch(NamedTuple):
    """Records of one state. why: accept, release, reject, gap, session_closed or lock_expired.

    member: who held them. Kafka writes neither `why` nor `member`; they are for the trace.
    """

    first: int
    last: int
    state: RecordState
    delivery_count: int
    member: str = ""
    why: str = ""


class StateWritten(NamedTuple):
    """Hard: the start offset as it was known then, and records that changed."""

    start_offset: int
    batches: tuple[StateBatch, ...]


Fact = StartFound | StartMoved | Acquired | StateWritten
