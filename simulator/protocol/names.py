"""The small words every other file speaks in.

Times are integer microseconds (`_us`) of virtual time; Kafka's settings keep their own
milliseconds (`_ms`). Offsets, sequences, epochs and generations are plain integers whose names
say which they are.
"""

from typing import NamedTuple, NewType

NodeId = NewType("NodeId", str)
MemberId = NewType("MemberId", str)
Micros = NewType("Micros", int)

MICROS_PER_MS = 1_000
MICROS_PER_S = 1_000_000

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
NO_GENERATION = -1
NO_TIMESTAMP = -1
UNKNOWN_OFFSET = -1
UNKNOWN_MEMBER = MemberId("")  # What a member sends before the coordinator has named it.

SEQUENCE_MAX = 2**31 - 1
EPOCH_MAX = 2**15 - 1


# The topics in which coordinators write (Topic.java).
OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL_TOPICS = (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)


class TopicPartition(NamedTuple):
    """One partition of one topic; it sorts by topic, then by number."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def next_sequence(sequence: int, count: int = 1) -> int:
    """The sequence `count` records after `sequence`; after 2147483647 comes 0.

    Source: DefaultRecordBatch.incrementSequence.
    """
    return (sequence + count) % (SEQUENCE_MAX + 1)
