"""What members of a share group, its coordinator and the partitions' leaders say (KIP-932).

A share consumer talks to two: to the group's coordinator, by heartbeats, and to each partition's
leader, from which it acquires records and to which it says what became of them. With a leader it
has a session, whose epoch counts its requests; the leader releases all that the member holds when
the session is closed.

Source: ShareGroupHeartbeatRequest.json, ShareFetchRequest.json, ShareAcknowledgeRequest.json.

Not modelled: share sessions that name only what changed (each request names all it asks for), rack
ids, the ids of topics, ShareGroupDescribe, and the offsets of share groups that an administrator
lists, alters or deletes.
"""

from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch

JOINS = 0  # The member epoch of a heartbeat that joins, or joins again.
LEAVES = -1  # The member epoch of one that leaves.
OPENS = 0  # The session epoch of a request that opens a session.
CLOSES = -1  # The session epoch of the last one: what is acquired is released.

GAP = 0  # There is no record at the offset: it was compacted away, or is a marker.
ACCEPT = 1  # Processed.
RELEASE = 2  # Not processed: let it be delivered again.
REJECT = 3  # Never to be delivered again, though it was not processed.
KINDS = {GAP: "gap", ACCEPT: "accept", RELEASE: "release", REJECT: "reject"}


class ShareGroupHeartbeatRequest(NamedTuple):
    """member_id: chosen by the client. topics: the subscription, or None: as before."""

    group_id: str
    member_id: str
    member_epoch: int
    topics: tuple[str, ...] | None = None


class ShareGroupHeartbeatResponse(NamedTuple):
    """assignment: where the member may acquire records from now on, or None: no news."""

    error: Error
    member_id: str = ""
    member_epoch: int = 0
    heartbeat_interval_ms: int = 0
    assignment: tuple[TopicPartition, ...] | None = None


class Acknowledgement(NamedTuple):
    """What became of the records `first` to `last`: one type for all of them, or one for each."""

    first: int
    last: int
    types: tuple[int, ...]


class ShareFetchPartition(NamedTuple):
    """acknowledgements: of records acquired earlier, said on the way."""

    partition: TopicPartition
    max_bytes: int
    acknowledgements: tuple[Acknowledgement, ...] = ()


class ShareFetchRequest(NamedTuple):
    """max_records: after so many no further batch is acquired; the last is acquired whole."""

    group_id: str
    member_id: str
    session_epoch: int
    max_wait_ms: int
    max_bytes: int
    max_records: int
    partitions: tuple[ShareFetchPartition, ...]


class AcquiredRecords(NamedTuple):
    """The member holds `first` to `last`; delivery_count: how often they were delivered."""

    first: int
    last: int
    delivery_count: int


class ShareFetched(NamedTuple):
    """The answer for one partition: whole batches, of which only what is acquired counts."""

    partition: TopicPartition
    error: Error
    acknowledge_error: Error = Error.NONE
    batches: tuple[Batch, ...] = ()
    acquired: tuple[AcquiredRecords, ...] = ()


class ShareFetchResponse(NamedTuple):
    """lock_timeout_ms: how long what was acquired is held for the member."""

    error: Error
    lock_timeout_ms: int = 0
    results: tuple[ShareFetched, ...] = ()


class ShareAcknowledgeRequest(NamedTuple):
    """Acknowledges alone; with the session epoch CLOSES it also ends the session."""

    group_id: str
    member_id: str
    session_epoch: int
    partitions: tuple[tuple[TopicPartition, tuple[Acknowledgement, ...]], ...]


class ShareAcknowledgeResponse(NamedTuple):
    """error: of the whole request; otherwise each partition has its own."""

    error: Error
    results: tuple[tuple[TopicPartition, Error], ...] = ()
