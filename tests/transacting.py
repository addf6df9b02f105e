"""A transaction coordinator driven by hand: its log, its producers' requests, and its markers."""

from simulator.protocol.errors import Error
from simulator.protocol.machine import Send, Step
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest
from simulator.protocol.transactions import TransactionCoordinator, is_hard
from simulator.protocol.transactions_facts import (
    LEADERS,
    Durable,
    MarkersAnswered,
    ProducerIdsGranted,
    TransactionSettings,
)
from tests.driven import Driven

P0, P1, OFFSETS = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("offsets", 7)


class Transacting(Driven):
    """One coordinator with its log, which is durable at once, or by `make_durable`.

    Markers lie in `markers` until `write_markers` says what became of them.
    """

    def __init__(self, version=2, *, at_once=True, build=TransactionCoordinator, **settings):
        self.at_once = at_once
        self.version = version
        self.written = []  # (partition, marker), in the order in which they were.
        config = TransactionSettings(**settings)
        super().__init__(
            lambda life: build(lambda _: OFFSETS, config, version, coordinator_epoch=life), is_hard
        )

    def start(self, *, losing=False):
        """Elect a new coordinator; losing: what was not durable is not in its log."""
        if losing:
            del self.disk[self.durable :]
        self.held, self.markers, self.durable = [], [], len(self.disk)
        super().start()
        self.grant(1_000)

    def grant(self, count):
        """Another block of producer ids, that no other life gave out."""
        self.machine.apply(ProducerIdsGranted(self.lives * 1_000, count))

    def carry_out(self, step):
        super().carry_out(Step(step.facts))
        ids = [fact.transactional_id for fact in step.facts if is_hard(fact)]
        if not ids:
            self.let_go(step.effects)
            return
        self.held.append((ids, step.effects, len(self.disk)))
        if self.at_once:
            self.make_durable()

    def make_durable(self):
        """The oldest step that waits for its log is durable; False if none waits."""
        if not self.held:
            return False
        ids, effects, self.durable = self.held.pop(0)
        for transactional_id in ids:
            self.tell(Durable(transactional_id))
        self.let_go(effects)
        return True

    def let_go(self, effects):
        super().carry_out(Step((), effects))
        for effect in effects:
            if isinstance(effect, Send):
                assert effect.to == LEADERS
                self.markers.append(effect.body)

    def write_markers(self, error=Error.NONE, *, only=None):
        """Say of the oldest markers on their way, or of one of their partitions, how it went."""
        sent = self.markers.pop(0)
        partitions = [one for one in sent.marker.partitions if only in (None, one)]
        if error is Error.NONE:
            self.written += [(one, sent.marker) for one in partitions]
        told = MarkersAnswered(
            sent.transactional_id, sent.marker, tuple((one, error) for one in partitions)
        )
        if len(partitions) < len(sent.marker.partitions):
            self.markers.insert(0, sent)
        self.tell(told)

    # --- What producers ask ---

    def init(self, expected=(-1, -1), *, timeout_ms=60_000, name="a"):
        return self.ask(InitProducerIdRequest(name, timeout_ms, *expected))

    def identity(self, expected=(-1, -1), **more):
        """The producer id and epoch that InitProducerId gives."""
        answer = self.init(expected, **more)
        assert answer.error is Error.NONE, answer
        return answer.producer_id, answer.producer_epoch

    def add(self, who, *partitions, name="a"):
        body = AddPartitionsToTxnRequest(name, *who, partitions)
        answer = self.ask(body)
        return answer and answer.results[0][1]

    def verify(self, who, *partitions, name="a"):
        body = AddPartitionsToTxnRequest(name, *who, partitions, verify_only=True)
        return [error for _, error in self.ask(body).results]

    def add_offsets(self, who, group="g"):
        return self.ask(AddOffsetsToTxnRequest("a", *who, group)).error

    def end(self, who, result, name="a"):
        return self.ask(EndTxnRequest(name, *who, result))

    def finish(self, who, result):
        """End a transaction and write all of its markers; who the producer is from then on."""
        answer = self.end(who, result)
        assert answer.error is Error.NONE, answer
        while self.markers:
            self.write_markers()
        return who if self.version == 1 else (answer.producer_id, answer.producer_epoch)

    @property
    def now(self):
        """What the coordinator holds of the id `a`."""
        return self.machine.transaction("a")

    def replayed(self):
        """What a new coordinator reads in the log."""
        fresh = self.build(99)
        for fact in self.disk:
            fresh.apply(fact)
        return fresh.hard_state()
