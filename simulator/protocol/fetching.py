"""What was fetched and not yet handed out, and what to fetch next.

1. One fetch at a time is in flight to each broker. It asks for the partitions which that broker
   leads, that may be fetched, and of which nothing is buffered.
2. Records are handed out partition by partition, each in offset order, at most max.poll.records
   at a time; what is left waits here, so the limit does not limit the fetch.
3. Fetched records count only if they begin where the consumer stands: after a seek, or in another
   assignment, they are thrown away. A paused partition's records are kept.
4. Control batches, records of aborted transactions (isolation.level=read_committed) and gaps are
   passed over: the position advances though no record comes.
5. A fetch names the leader epoch that the consumer knows of, so that a broker which has another
   refuses it (KIP-320). What was fetched of a partition that is to be validated is thrown away.
6. A consumer that reads from followers (KIP-392) takes a partition's last replica, and its leader
   once that replica does not answer or does not have the position; until another leader.

Sources: AbstractFetch.java, FetchCollector.java, CompletedFetch.java, FetchBuffer.java.

Not modelled: fetch sessions (KIP-227: the same fetches, with fewer bytes), check.crcs, a leader
that names the replica to read from (replica.selector.class, client.rack).
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from simulator.errors import KafkaError, OffsetOutOfRange
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.leaders import Leaders
from simulator.protocol.messages import FetchPartition, FetchRequest, FetchResponse
from simulator.protocol.names import NO_TIMESTAMP, TopicPartition
from simulator.protocol.positions import Position, Positions
from simulator.protocol.records import Batch, Bytes
from simulator.protocol.wire import NEVER, Wire

LEADER_MOVED = (
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.REPLICA_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_LEADER_EPOCH,
    Error.OFFSET_NOT_AVAILABLE,
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.LEADER_NOT_AVAILABLE,
)


_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.


class ConsumerRecord(NamedTuple):
    """One record as poll() hands it out. Its last five fields are those of a log's `Record`."""

    topic: str
    partition: int
    offset: int
    key: Bytes | None
    value: Bytes | None
    event_id: str
    timestamp_us: int = NO_TIMESTAMP
    headers: tuple[tuple[str, Bytes], ...] = ()


class _Fetched:
    """What one fetch brought of one partition, and how far it has been handed out."""

    __slots__ = ("aborted", "aborting", "at", "batches", "epoch", "error", "offset", "position")

    def __init__(
        self,
        position: Position,
        offset: int,
        error: Error,
        batches: tuple[Batch, ...],
        aborted: tuple[tuple[int, int], ...],
    ) -> None:
        self.position = position
        self.offset = offset  # Of the next record to hand out.
        self.epoch = position.epoch  # Of the batch that was looked at last.
        self.error = error
        self.batches = batches
        self.at = 0  # The batch that comes next.
        self.aborted = deque(sorted(aborted, key=lambda one: one[1]))
        self.aborting: dict[int, bool] = {}  # Producers whose records are skipped just now.

    def take(self, most: int, records: list[ConsumerRecord]) -> int:
        """Move up to `most` records over; the answer is how many more would have been allowed."""
        topic, number = self.position.partition
        batches = self.batches
        create = tuple.__new__
        add = records.append
        offset = self.offset
        at = self.at
        batch: Any = None  # A Batch, or what a cleaning has left of one.
        while most and at < len(batches):
            batch = batches[at]
            wanted = batch.records
            count = len(wanted)
            if (batch.transactional or batch.control) and self._skips(batch):
                offset = batch.next_offset
                at += 1
                continue
            base = batch.base_offset
            first = offset - base
            if first > 0 or count > most:
                wanted = wanted[max(first, 0) : max(first, 0) + most]
            if first < 0:
                offset = base
            if batch.__class__ is Batch:
                for record in wanted:
                    add(create(ConsumerRecord, (topic, number, offset, *record)))
                    offset += 1
                most -= len(wanted)
            else:  # Where a cleaning has removed a record there is a hole.
                for record in wanted:
                    if record is not None:
                        add(create(ConsumerRecord, (topic, number, offset, *record)))
                        most -= 1
                    offset += 1
            if offset >= base + count:
                at += 1
        self.at = at
        self.offset = offset
        if batch is not None:
            self.epoch = batch.leader_epoch
        return most

    def _skips(self, batch: Batch) -> bool:
        """Whether a transactional batch holds nothing to hand out: a marker, or aborted records.

        Without aborted transactions in the answer (read_uncommitted) only markers are skipped.
        """
        aborted = self.aborted
        while aborted and aborted[0][1] <= batch.last_offset:
            self.aborting[aborted.popleft()[0]] = True
        if batch.control:
            if batch.control == "abort":
                self.aborting.pop(batch.producer_id, None)
            return True
        return batch.producer_id in self.aborting


class Fetching:
    """A consumer's fetches and their buffer.

    Args:
        reset: what to do with a partition whose position is out of the log's range.

    Attributes:
        from_followers: see rule 6; False unless it is set before the first fetch.
        again: an answer has brought nothing at all, and the same is to be asked again; whoever
            gives an answer in sets it to False before.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        wire: Wire,
        positions: Positions,
        leaders: Leaders,
        reset: Callable[[Position], None],
    ) -> None:
        self._settings = settings
        self.from_followers = False
        self._wire = wire
        self._positions = positions
        self._leaders = leaders
        self._reset = reset
        self._queue: deque[_Fetched] = deque()
        self._buffered: dict[TopicPartition, _Fetched] = {}
        self._in_flight: dict[str, FetchRequest] = {}
        self._pause: dict[str, tuple[int, int]] = {}  # node -> (not before, failures)
        self._idle: dict[str, FetchRequest] = {}  # Answered with nothing: the same again.
        self.again = False
        self._outdated: dict[str, FetchRequest] = {}  # In flight, and not to be sent again as is.
        self._moved = -1  # Positions.moved as of the last look at what to fetch.

    # --- Handing out -----------------------------------------------------------------------

    def collect(self) -> tuple[list[ConsumerRecord], bool]:
        """Hand out buffered records; also whether a position moved, though perhaps over nothing.

        Raises:
            OffsetOutOfRange: a position is out of range, and auto.offset.reset is none.
            KafkaError: a partition cannot be read.
        """
        records: list[ConsumerRecord] = []
        queue = self._queue
        if not queue:
            return records, False
        most = self._settings.max_poll_records
        moved = False
        aside: list[_Fetched] = []
        assigned = self._positions.assigned
        try:
            while most and queue:
                fetched = queue[0]
                position = fetched.position
                if assigned.get(position.partition) is not position or (
                    position.offset != fetched.offset or position.revoking or position.validating
                ):
                    self._drop(fetched)
                elif position.paused:
                    aside.append(queue.popleft())
                elif fetched.error is not Error.NONE:
                    if records:
                        break  # First hand these out; the error is for the next poll.
                    self._drop(fetched)
                    self._refused(fetched)
                else:
                    most = fetched.take(most, records)
                    if fetched.offset != position.offset:
                        position.offset = fetched.offset
                        position.epoch = fetched.epoch
                        moved = True
                    if fetched.at == len(fetched.batches):
                        self._drop(fetched)
                        self._positions.served(position.partition)
        finally:
            queue.extend(aside)
        return records, moved

    def _drop(self, fetched: _Fetched) -> None:
        self._queue.popleft()
        partition = fetched.position.partition
        if self._buffered.get(partition) is fetched:
            del self._buffered[partition]
        self._moved = -1

    def _refused(self, fetched: _Fetched) -> None:
        position, error = fetched.position, fetched.error
        if error in LEADER_MOVED:
            position.stale = True
            self._leaders.stale()
        elif error is Error.OFFSET_OUT_OF_RANGE:
            if self._follower(position) is not None:
                position.from_leader = True  # It may have what the follower has not.
                self._positions.moved += 1
            elif self._settings.auto_offset_reset == "none":
                raise OffsetOutOfRange(
                    f"{error.name}: {position.partition} at {fetched.offset}, and "
                    "auto.offset.reset is none: seek, or set it to earliest or latest"
                )
            else:
                self._reset(position)
        elif error is not Error.UNKNOWN_SERVER_ERROR:
            raise KafkaError(f"{error.name}: {position.partition} at {fetched.offset}")

    def forget(self) -> None:
        """Throw away what is buffered of partitions that are not assigned any more."""
        assigned = self._positions.assigned
        for fetched in list(self._queue):
            partition = fetched.position.partition
            if assigned.get(partition) is not fetched.position:
                self._queue.remove(fetched)
                self._buffered.pop(partition, None)

    # --- Fetching --------------------------------------------------------------------------

    def send(self, now_us: int) -> None:
        """Send every fetch that can be sent."""
        if self._positions.moved != self._moved:
            self._moved = self._positions.moved
            self._idle.clear()
            self._outdated.update(self._in_flight)
            requests = self._requests(now_us)
        elif self._idle:
            requests, self._idle = self._idle, {}
        else:
            return
        for node, request in requests.items():
            self._in_flight[node] = request
            self._wire.ask(node, request, _Answer(self, node))

    def _requests(self, now_us: int) -> dict[str, FetchRequest]:
        buffered, in_flight = self._buffered, self._in_flight
        leaders: Mapping[TopicPartition, str] = self._leaders.nodes
        most = self._settings.max_partition_fetch_bytes
        from_followers = self.from_followers
        wanted: dict[str, list[FetchPartition]] = {}
        for partition, position in self._positions.in_turn.items():
            offset = position.offset
            if offset is None or partition in buffered or not position.fetchable:
                continue
            node = leaders.get(partition)
            if from_followers and node is not None:
                node = self._follower(position) or node
            if node is None:
                self._leaders.stale()
            elif node not in in_flight:
                wait_us = self._pause[node][0] if node in self._pause else 0
                if now_us < wait_us:
                    self._wire.want(wait_us)
                    self._moved = -1
                else:
                    asked = (partition, offset, most, position.leader_epoch, NO_EPOCH)
                    wanted.setdefault(node, []).append(_new(FetchPartition, asked))
        settings = self._settings
        return {
            node: FetchRequest(
                settings.fetch_max_wait_ms,
                settings.fetch_min_bytes,
                settings.fetch_max_bytes,
                tuple(partitions),
                settings.isolation_level,
            )
            for node, partitions in wanted.items()
        }

    def _follower(self, position: Position) -> str | None:
        """The follower that a partition is fetched from, if it is."""
        if not self.from_followers or position.from_leader:
            return None
        return self._leaders.followers.get(position.partition)

    def answered(self, node: str, body: FetchResponse | None, now_us: int) -> None:
        """A broker has answered its fetch, or will not."""
        request = self._in_flight.pop(node)
        empty = self._outdated.pop(node, None) is None
        if body is None:
            failures = self._pause.get(node, (0, 0))[1]
            self._pause[node] = (now_us + self._wire.backoff_us(failures), failures + 1)
            for position in self._positions.assigned.values():
                if self._follower(position) == node:
                    position.from_leader = True
            self._leaders.stale()
            self._moved = -1
            return
        self._pause.pop(node, None)
        for place, result in enumerate(body.results):
            if result.batches or result.error is not Error.NONE:
                empty = False
                self._buffer(request, place, result)
        if empty:
            self._idle[node] = request
            self.again = self._moved == self._positions.moved and not self._queue
        else:
            self._moved = -1

    def _buffer(self, request: FetchRequest, place: int, result: Any) -> None:
        partition = result.partition
        asked = request.partitions[place] if place < len(request.partitions) else None
        if asked is None or asked.partition != partition:
            asked = next(one for one in request.partitions if one.partition == partition)
        position = self._positions.assigned.get(partition)
        if position is None or position.offset != asked.offset or partition in self._buffered:
            return  # It was revoked, or sought elsewhere, while the fetch was on its way.
        fetched = _Fetched(position, asked.offset, result.error, result.batches, result.aborted)
        self._buffered[partition] = fetched
        self._queue.append(fetched)

    def due_us(self, now_us: int) -> int:
        """When a fetch that waits for its broker may be sent."""
        if not self._pause:
            return NEVER
        return min((at for at, _ in self._pause.values() if at > now_us), default=NEVER)


class _Answer:
    """Where the answer of one node's fetch goes: cheaper than a closure a fetch."""

    __slots__ = ("_fetching", "_node")

    def __init__(self, fetching: Fetching, node: str) -> None:
        self._fetching = fetching
        self._node = node

    def __call__(self, body: FetchResponse | None, now_us: int) -> None:
        self._fetching.answered(self._node, body, now_us)
