"""The replicas of a broker in a cluster with a controller: it leads some, and follows with others.

1. What the controller's log says is learnt batch by batch: of several words on one partition in
   one batch only the last counts, so an epoch can be missed (MetadataLoader, KRaft).
2. A batch is written, followers' fetches are woken, and with acks=all the answer waits for the
   high watermark (see `protocol.replication_acks`). A crash in between leaves the batch without
   an answer (point `after_append`).
3. When a high watermark moves, consumers' fetches and waiting producers are looked at; a follower
   learns of it with the next answer that it gets anyhow.

Source: ReplicaManager.scala, Partition.scala.

Not modelled here: reassignment, fetch sessions, replica.fetch.response.max.bytes, quotas.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from simulator.cluster.acknowledging import Acknowledging
from simulator.cluster.asked import Asked
from simulator.cluster.fetcher import Fetcher
from simulator.cluster.image import Image
from simulator.cluster.in_sync import InSync
from simulator.cluster.internal_topics import INTERNAL
from simulator.cluster.later import LATER
from simulator.cluster.lifecycle import Lifecycle
from simulator.cluster.markers import Markers
from simulator.cluster.parked import Parked, ParkedFollowers
from simulator.cluster.replica_trace import ReplicaTrace, events_from
from simulator.cluster.verifying import Verified, Verifying
from simulator.protocol import messages as m
from simulator.protocol import replica_messages as rm
from simulator.protocol.cleaned import CleanedBatch
from simulator.protocol.errors import Error
from simulator.protocol.log import LogStartMoved, Truncated
from simulator.protocol.machine import Send, SetTimer, Step
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch
from simulator.protocol.replication import Replica
from simulator.protocol.replication_facts import FollowerFetched, HighWatermarkTold

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
_NOT_LEADER = Error.NOT_LEADER_OR_FOLLOWER


class Replicas:
    """Every replica of one incarnation of a broker, and who is asked for what.

    Attributes:
        logs: each replica's partition, for whoever looks at logs alone.
        image: the cluster as this broker knows it.
    """

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.node = broker.node
        self.layout = broker.layout
        self.name = broker.node.name
        self._logs: Any = broker.logs
        self.replicas: dict[TopicPartition, Replica] = {}
        self.logs: dict[TopicPartition, Partition] = {}
        self.image = Image(self.layout.brokers, self.layout.racks)
        self.in_sync = InSync(self)
        self.lifecycle = Lifecycle(self)
        self._fetchers: dict[str, Fetcher] = {}
        self.markers = Markers(broker, self._produce, self.image.produced)
        self._acks = Acknowledging(broker, self._acked, self.markers.finished)
        self._verifying = Verifying(broker, self.logs, self.refusal, self._produce)
        self._consumers = Parked(broker, self._read)
        self._followers = ParkedFollowers(broker, self._reread)
        self._only_leader = not self.layout.variant.consumers_fetch_from_followers
        self._trace = ReplicaTrace(self.node)
        self._appends = 0
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.ProduceRequest: self._produce,
            m.FetchRequest: self._fetch,
            m.WriteTxnMarkersRequest: self.markers.write,
            **Asked(self).handlers,
        }

    def start(self) -> None:
        """Begin: learn where things are, and be let in."""
        self.lifecycle.start()
        self.in_sync.start()
        self._checkpoint(None)

    # --- What the controller says ----------------------------------------------------------------

    def learn(self, records: Iterable[Any]) -> None:
        """Take over what is new in the controller's log: leaders first, then followers."""
        changed = self.image.learn(records)
        mine = [one for one in changed if self.name in one.replicas]
        for one in mine:
            if one.leader == self.name and not self.broker.is_dead:
                self._told(one)
        for one in mine:
            if one.leader != self.name and not self.broker.is_dead:
                self._told(one)
        for fetcher in tuple(self._fetchers.values()):
            fetcher.wake()

    def _told(self, registration: rm.PartitionRegistration) -> None:
        where = registration.partition
        replica = self.replicas.get(where) or self._load(where)
        known = replica.leader_epoch
        step = replica.decide_registration(registration, self.node.now_us)
        self.carry_out(where, replica, step)
        if replica.leader_epoch != known:
            self._trace.role(where, replica, registration.leader)
        if where[0] in INTERNAL:
            self._logs.told(where, replica)
        following = "" if replica.leading is not None else registration.leader
        for leader, fetcher in self._fetchers.items():
            if leader != following:
                fetcher.leave(where)
        if following:
            if following not in self._fetchers:
                self._fetchers[following] = Fetcher(self, following)
            self._fetchers[following].join(where, replica)
        # Whoever waits here may have to be told that the leader is another one now.
        self._followers.wake(where)
        self._consumers.wake(where)
        self._acks.settle(where)

    def _load(self, where: TopicPartition) -> Replica:
        """A replica from what the disk has of it."""
        node, layout = self.node, self.layout
        replica = self.replicas[where] = Replica(
            self.name,
            where,
            node.disk.journal(str(where)),
            alive=self.image.alive,
            config=layout.replication_config(where),
            log_config=layout.log_config(where),
            now_us=node.now_us,
            controller=layout.controller,
        )
        self.logs[where] = replica.partition
        self.broker.housekeeping.opened(where)
        if node.incarnation:
            self._trace.recovered(where, replica)
        return replica

    # --- Carrying out ----------------------------------------------------------------------------

    def carry_out(self, where: TopicPartition, replica: Replica, step: Step) -> None:
        """Make facts true, tell them, and look again at whoever waits for what they changed."""
        log = replica.log
        mark, start, end = log.high_watermark, log.log_start_offset, log.log_end_offset
        facts, effects = step
        if facts and facts[0].__class__ is Batch:
            self._note_catching_up(replica, facts[0])
        for fact in facts:
            kind = fact.__class__
            if kind is FollowerFetched or kind is HighWatermarkTold:  # Most are.
                replica.apply(fact)
            elif kind is Batch or kind is CleanedBatch:
                self._take_over(where, replica, fact)
            else:
                self._apply(where, replica, fact)
        for effect in effects:
            if type(effect) is Send:
                self.in_sync.propose(effect.body)
            elif type(effect) is SetTimer:
                self._fetchers[replica.following.leader].rest(where, effect.least_us)
        if log.high_watermark != mark:
            self._mark_moved(where, replica)
        elif log.log_start_offset != start:
            self._consumers.wake(where)
        if log.log_end_offset != end:
            self._followers.wake(where)

    def _mark_moved(self, where: TopicPartition, replica: Replica) -> None:
        if where[0] in INTERNAL:
            self._logs.moved(where, replica.log.high_watermark)
        else:
            self._trace.mark(where, replica)
        self._consumers.wake(where)
        self._acks.settle(where)

    def _note_catching_up(self, replica: Replica, batch: Batch) -> None:
        """What a follower takes over late is written to its disk now, however old it is."""
        now_us = self.node.now_us
        if now_us - batch.append_time_us > MICROS_PER_S:
            replica.log.journal.written(now_us)

    def _take_over(self, where: TopicPartition, replica: Replica, batch: Any) -> None:
        """Append a leader's batch."""
        replica.apply(batch)
        if self.broker.housekeeping.watches_appends:
            self.broker.housekeeping.appended(where)
        self._trace.replicated(where, batch)

    def _apply(self, where: TopicPartition, replica: Replica, fact: Any) -> None:
        if not isinstance(fact, Truncated):
            replica.apply(fact)
            if isinstance(fact, LogStartMoved):
                self._trace.start_moved(where, replica)
            return
        if fact.offset < replica.log.high_watermark:
            # Who waits for a mark that was told with the cut may read first (KAFKA-14704).
            self._consumers.wake(where)
        cuts = fact.fully or fact.offset < replica.log.log_end_offset
        gone = events_from(replica.log.journal.facts, fact) if cuts else ()
        replica.apply(fact)
        if cuts:
            self._trace.cut(where, replica.log.log_end_offset, gone)

    def refusal(self, where: TopicPartition) -> Error | None:
        """Why this broker does not lead a partition, or None."""
        replica = self.replicas.get(where)
        return self.image.not_here(where) if replica is None else replica.refusal(-1)

    def apply(self, where: TopicPartition, fact: Any) -> None:
        """Make a fact of housekeeping true in a replica."""
        self.replicas[where].apply(fact)

    def changed(self, where: TopicPartition) -> None:
        """A log's start or content has changed otherwise than by a producer or a leader."""
        self._consumers.wake(where)
        self._followers.wake(where)

    def _checkpoint(self, due: Any) -> None:
        """Keep every high watermark (replica.high.watermark.checkpoint.interval.ms)."""
        if due is not None:
            for replica in self.replicas.values():
                replica.checkpoint()
        interval_ms = self.layout.replication.replica_high_watermark_checkpoint_interval_ms
        self.node.after(interval_ms * MICROS_PER_MS, self._checkpoint, True)

    # --- Producers -------------------------------------------------------------------------------

    def _produce(
        self,
        connection: "Asker",
        number: int,
        body: m.ProduceRequest,
        told: Verified | None = None,
    ) -> Any:
        """told: what the coordinator says of a request within a transaction."""
        if told is None and body[3] is not None:
            looked = self._verifying.look(connection, number, body)
            if looked is LATER:
                return LATER
            told = looked
        now_us = self.node.now_us
        acks = body.acks
        results = []
        ends: dict[TopicPartition, int] = {}
        for where, batch in body.batches:
            if not self.node.gate.open:  # The answer to another let its next batch in: a crash.
                return LATER
            replica = self.replicas.get(where)
            if replica is None:
                answer = m.PartitionProduced(where, self.image.not_here(where))
                self._trace.not_appended(where, batch, answer)
            elif told is not None and where in told.refused:
                answer = m.PartitionProduced(where, told.refused[where])
                self._trace.not_appended(where, batch, answer)
            else:
                verified = not batch[6] or self._verifying.takes(where, batch, told)
                fact, answer = replica.decide_append(batch, now_us, acks, verified=verified)
                if fact is not None:
                    self._append(where, replica, fact)
                else:
                    self._trace.not_appended(where, batch, answer)
            if answer.error is _NONE:
                ends[where] = answer.base_offset + (len(batch.records) or 1)
            results.append(answer)
        if not self.node.point("after_append"):
            return LATER
        if acks != -1 or not ends:
            return self.image.produced(m.ProduceResponse(tuple(results))) if acks else None
        return self._acks.wait((connection, number), tuple(results), ends, body.timeout_ms)

    def _append(self, where: TopicPartition, replica: Replica, batch: Batch) -> None:
        self._trace.appended(where, batch)
        before = replica.log.high_watermark
        self._appends += 1
        replica.apply(batch)
        if self.broker.housekeeping.watches_appends:
            self.broker.housekeeping.appended(where)
        if self._followers.at.get(where):
            self._followers.wake(where)
        if replica.log.high_watermark != before:
            self._mark_moved(where, replica)

    def write(self, where: TopicPartition, batch: Batch) -> Error:
        """Append what a coordinator writes to a partition that it leads; NONE, or why not."""
        replica = self.replicas.get(where)
        if replica is None:
            return _NOT_LEADER
        fact, answer = replica.decide_append(batch, self.node.now_us, -1, "coordinator")
        if fact is not None:
            self._append(where, replica, fact)
        return answer.error

    def _acked(self, where: TopicPartition, offset: int) -> Error | None:
        replica = self.replicas.get(where)
        return _NOT_LEADER if replica is None else replica.acked(offset)

    # --- Readers ---------------------------------------------------------------------------------

    def _fetch(self, connection: "Asker", number: int, body: m.FetchRequest) -> Any:
        parked = self._consumers
        if body.replica:
            parked = self._followers
            before = self._appends
            answer, enough = self._followed(body)
            if self._appends != before:
                # What it has taken let others be answered, and append, in this instant.
                if self.broker.is_dead:
                    return LATER
                if not enough:
                    answer, enough = self._reread(body)
        else:
            answer, enough = self._read(body)
        if enough or not body.max_wait_ms:
            return answer
        parked.hold(connection, number, body, answer)
        return LATER

    def _read(self, body: m.FetchRequest) -> tuple[m.FetchResponse, bool]:
        """The answer to a consumer as of now, and whether there is reason to give it now."""
        size, enough = 0, not body.partitions
        left = body.max_bytes
        measured = body.min_bytes > 1 or len(body.partitions) > 1
        results = []
        for fetch in body.partitions:
            where = fetch[0]
            replica = self.replicas.get(where)
            if replica is None:
                results.append(m.PartitionFetched(where, self.image.not_here(where)))
                enough = True
                continue
            most = min(fetch.max_bytes, left)
            if left <= 0:  # The response is full: this partition's turn comes next time.
                results.append(m.PartitionFetched(where, _NONE, replica.high_watermark))
                continue
            wanted = fetch if most == fetch.max_bytes else fetch._replace(max_bytes=most)
            read = replica.read(wanted, body.isolation_level, only_leader=self._only_leader)
            results.append(read)
            enough = enough or read.error is not _NONE
            if read.batches:
                taken = replica.partition.bytes_of(read.batches) if measured else 1
                size += taken
                left -= taken
        return m.FetchResponse(tuple(results)), enough or size >= body.min_bytes

    def _followed(self, body: m.FetchRequest) -> tuple[m.FetchResponse, bool]:
        """The answer to a follower, whose progress is noted first."""
        now_us = self.node.now_us
        results = []
        enough = not body.partitions
        for fetch in body.partitions:
            where = fetch[0]
            replica = self.replicas.get(where)
            if replica is None:
                results.append(rm.ReplicaFetched(where, self.image.not_here(where)))
                enough = True
                continue
            answer, step = replica.decide_fetch(fetch, body.replica, now_us, body.broker_epoch)
            facts, effects = step
            if effects:
                self.carry_out(where, replica, step)
            elif facts:  # Only how far it is: what that may move is the mark.
                log = replica.log
                mark = log.high_watermark
                for fact in facts:
                    replica.apply(fact)
                if log.high_watermark != mark:
                    self._mark_moved(where, replica)
            results.append(answer)
            enough = enough or not answer.is_empty
        return _new(m.FetchResponse, (tuple(results),)), enough

    def _reread(self, body: m.FetchRequest) -> tuple[m.FetchResponse, bool]:
        """The answer to a follower as of now; its progress was noted when it asked."""
        results = []
        enough = False
        for fetch in body.partitions:
            replica = self.replicas[fetch[0]]
            answer = replica.reread(fetch, body.replica)
            results.append(answer)
            enough = enough or not answer.is_empty
        return _new(m.FetchResponse, (tuple(results),)), enough
