"""A consumer's machine driven by hand: every request is answered by the test, as it likes.

A test reads as a ledger: what was asked, what was answered, what the application got. Backoffs
take the least of their range; time passes only in `wait`.
"""

from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    CommittedOffset,
    FetchRequest,
    FetchResponse,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupMember,
    JoinGroupRequest,
    JoinGroupResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    MetadataRequest,
    MetadataResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetListed,
    PartitionFetched,
    PartitionMetadata,
    SyncGroupRequest,
    SyncGroupResponse,
    TopicMetadata,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.polling import Polling
from simulator.protocol.records import Batch, Record
from simulator.protocol.replica_messages import (
    EpochEnd,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)
from simulator.protocol.wire import Ask, CallBack, Disconnect, Failed, Finished, Happened, Listen

P0, P1, P2 = (TopicPartition("orders", number) for number in range(3))
QUIET = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
WAIT_MS = 10_000


def batch(base_offset, count=1, **fields):
    """A batch of records e<offset>, as a log holds it."""
    offsets = range(base_offset, base_offset + count)
    records = tuple(Record("k", f"v{one}", f"e{one}", one * 1_000) for one in offsets)
    return Batch(records, base_offset, **fields)


class Hand:
    """One consumer, and everyone it talks to."""

    def __init__(self, partitions=3, leaders=("broker-0",), past=None, **settings):
        settings = {"group_id": "g", **QUIET, **settings}
        self.settings = ConsumerSettings(**settings)
        self.machine = Polling(self.settings, leaders, "c", lambda least, _: least, **past or {})
        self.now_us = 0
        self.partitions = partitions
        self.leaders = leaders
        self.leader_epoch = 0  # Of every partition, as metadata tell it.
        self.replicas = ()
        self.asked = []  # What has no answer yet.
        self.sent = []  # Everything that was asked, ever: the class names.
        self.happened = []
        self.heard = []  # (what, partitions) for each call of the listener.
        self.holding = False  # The listener is still at work after it was called.
        self.throwing = None  # What the listener throws.
        self.results = {}
        self.called_back = []
        self.disconnected = []
        self.next_call = 0

    # --- The driver ------------------------------------------------------------------------

    def follow(self):
        wire = self.machine.wire
        while wire.outbox:
            effects, wire.outbox = wire.outbox, []
            for effect in effects:
                match effect:
                    case Ask():
                        self.asked.append(effect)
                        self.sent.append(type(effect.body).__name__.removesuffix("Request"))
                    case Happened(event):
                        self.happened.append(event)
                    case Finished(call, value) | Failed(call, value):
                        self.results[call] = value
                    case CallBack(callback, offsets, error):
                        self.called_back.append((callback, offsets, error))
                    case Disconnect(to, purpose):
                        self.disconnected.append((to, purpose))
                        self.cut(purpose)
                    case Listen(what, partitions):
                        self.heard.append((what, partitions))
                        if not self.holding:
                            self.machine.listened(self.throwing, self.now_us)

    def cut(self, purpose):
        """What is in flight on that connection gets no answer."""
        gone = [ask for ask in self.asked if ask.purpose == purpose]
        for ask in gone:
            self.asked.remove(ask)
            self.machine.answered(ask.token, None, self.now_us)

    def wait(self, ms):
        """Let time pass, in the machine's own steps."""
        until_us = self.now_us + ms * 1_000
        while self.machine.wire.wake_us <= until_us:
            self.now_us = max(self.now_us, self.machine.wire.wake_us)
            self.machine.tick(self.now_us)
            self.follow()
        self.now_us = until_us

    def live(self, ms):
        """Let time pass while heartbeats are answered."""
        until_us = self.now_us + ms * 1_000
        while self.now_us < until_us:
            self.wait(min(1_000, (until_us - self.now_us) // 1_000))
            while self.waiting(HeartbeatRequest):
                self.answer(HeartbeatRequest, HeartbeatResponse(Error.NONE))

    def listened(self):
        """The listener that was held is done."""
        self.holding = False
        self.machine.listened(self.throwing, self.now_us)
        self.follow()

    # --- The application -------------------------------------------------------------------

    def call(self, method, *arguments):
        """A call that waits; its result, or the error it threw, or None while it waits."""
        self.next_call += 1
        call = self.next_call
        method(call, self.now_us, *arguments)
        self.follow()
        return call

    def subscribe(self, *topics):
        self.machine.subscribe(self.now_us, topics or ("orders",))
        self.follow()

    def poll(self, ms=WAIT_MS):
        """Records; "waits" if the poll does; throws what it throws."""
        records = self.machine.poll("poll", self.now_us, ms * 1_000)
        self.results.pop("poll", None)
        self.follow()
        if records is not None:
            return [(one.partition, one.offset) for one in records]
        return self.polled()

    def polled(self):
        """What the poll that waited gave."""
        result = self.results.pop("poll", "waits")
        if isinstance(result, Exception):
            raise result
        if result == "waits":
            return result
        return [(one.partition, one.offset) for one in result]

    def commit(self, offsets=None, timeout_ms=60_000):
        call = self.call(self.machine.commit_sync, offsets, timeout_ms * 1_000)
        return lambda: self.results.get(call, "waits")

    def close(self, timeout_ms=30_000):
        call = self.call(self.machine.close, timeout_ms * 1_000)
        return lambda: self.results.get(call, "waits")

    @property
    def owned(self):
        return tuple(self.machine.positions.assigned)

    # --- The brokers -----------------------------------------------------------------------

    def pending(self, kind):
        """The oldest unanswered request of a class."""
        found = [ask for ask in self.asked if isinstance(ask.body, kind)]
        assert found, f"no {kind.__name__} among {[type(a.body).__name__ for a in self.asked]}"
        return found[0]

    def waiting(self, kind):
        return any(isinstance(ask.body, kind) for ask in self.asked)

    def answer(self, kind, body):
        """Answer the oldest request of a class; None: it gets no answer. The request."""
        ask = self.pending(kind)
        self.asked.remove(ask)
        self.machine.answered(ask.token, body, self.now_us)
        self.follow()
        return ask.body

    def coordinator(self, node="broker-0"):
        return self.answer(FindCoordinatorRequest, FindCoordinatorResponse(Error.NONE, node))

    def metadata(self, topics=("orders",)):
        told = tuple(
            TopicMetadata(
                topic,
                Error.NONE,
                tuple(
                    PartitionMetadata(
                        TopicPartition(topic, number),
                        self.leaders[number % len(self.leaders)],
                        self.leader_epoch,
                        self.replicas,
                    )
                    for number in range(self.partitions)
                ),
            )
            for topic in topics
        )
        return self.answer(MetadataRequest, MetadataResponse(tuple(self.leaders), told))

    def joined(self, generation=1, leader="other", members=(), protocol="range", **fields):
        body = JoinGroupResponse(Error.NONE, generation, protocol, leader, "c-1", members, **fields)
        return self.answer(JoinGroupRequest, body)

    def joined_as_leader(self, generation=1, others=(), topics=("orders",)):
        metadata = self.pending(JoinGroupRequest).body.protocols[0][1]
        members = (
            JoinGroupMember("c-1", None, metadata),
            *(JoinGroupMember(one, None, metadata._replace(topics=topics)) for one in others),
        )
        return self.joined(generation, "c-1", members)

    def synced(self, *partitions):
        return self.answer(SyncGroupRequest, SyncGroupResponse(Error.NONE, partitions))

    def committed(self, epoch=-1, **offsets):
        """committed(p0=5): the group has committed 5 for partition 0, and nothing else."""
        asked = self.pending(OffsetFetchRequest).body.partitions
        told = tuple(
            CommittedOffset(one, offsets.get(f"p{one.partition}", -1), epoch) for one in asked
        )
        return self.answer(OffsetFetchRequest, OffsetFetchResponse(Error.NONE, told))

    def listed(self, offset=0, error=Error.NONE):
        asked = self.pending(ListOffsetsRequest).body.partitions
        told = tuple(OffsetListed(one.partition, error, offset) for one in asked)
        return self.answer(ListOffsetsRequest, ListOffsetsResponse(told))

    def fetched(self, errors=(), **batches):
        """fetched(p0=[batch(0, 3)]): what lies in partition 0; the others have nothing new."""
        asked = self.pending(FetchRequest).body.partitions
        told = tuple(
            PartitionFetched(
                one.partition,
                dict(errors).get(one.partition, Error.NONE),
                batches=tuple(batches.get(f"p{one.partition.partition}", ())),
                aborted=batches.get("aborted", ()),
            )
            for one in asked
        )
        return self.answer(FetchRequest, FetchResponse(told))

    def epoch_ended(self, epoch=-1, offset=-1, error=Error.NONE):
        """The leader says where the epoch ends that it is asked about; the request's partitions."""
        asked = self.pending(OffsetForLeaderEpochRequest).body.partitions
        told = tuple(EpochEnd(one.partition, error, epoch, offset) for one in asked)
        body = OffsetForLeaderEpochResponse(told)
        return self.answer(OffsetForLeaderEpochRequest, body).partitions

    def new_leader(self, leader, epoch):
        """The leader refuses the fetch that waits, and metadata name another."""
        asked = self.pending(FetchRequest).body.partitions
        self.leaders, self.leader_epoch = (leader,), epoch
        self.fetched(errors={one.partition: Error.NOT_LEADER_OR_FOLLOWER for one in asked})
        self.wait(100)
        self.metadata()
        return self

    def commit_answered(self, error=Error.NONE):
        asked = self.pending(OffsetCommitRequest).body.offsets
        told = tuple((one.partition, error) for one in asked)
        return self.answer(OffsetCommitRequest, OffsetCommitResponse(told))

    # --- Usual beginnings --------------------------------------------------------------------

    def into_group(self, *partitions, generation=1, poll_ms=0):
        """Subscribe, join, and be assigned `partitions`, with a poll that ends soon."""
        self.subscribe()
        self.poll()
        self.coordinator()
        self.metadata()
        self.joined(generation)
        self.synced(*partitions)
        return self

    def consuming(self, *partitions, **committed):
        """In the group, with positions: committed as given, else 0; a poll waits for a fetch."""
        self.into_group(*partitions)
        self.committed(**{f"p{one.partition}": 0 for one in partitions} | committed)
        return self

    def rest(self):
        """Let the poll that waits get nothing, so that the application is elsewhere."""
        self.wait(WAIT_MS)
        self.polled()
        return self
