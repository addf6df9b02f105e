"""Whatever the wire does, and whatever the application calls, transactions keep their promises.

A script is a list of steps: the application calls, requests are worked on, answered, refused,
lost, or come late or twice, markers are written or wait, another producer comes, time passes.
"""

from collections import deque
from contextlib import suppress

import pytest
from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from simulator.errors import BadInput, KafkaError
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    MetadataRequest,
    ProduceRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.sending_effects import Happened, Settled, Transmit
from simulator.protocol.transaction_manager import TransactionManager
from simulator.protocol.transaction_states import State
from tests.transactional import GROUP, TransactionalBench

HASTY = {"delivery.timeout.ms": 1_500, "request.timeout.ms": 600, "max.block.ms": 900}
PARTITIONS = (0, 1, 2)

brokers = st.sampled_from(["b0", "b1"])
nothing = st.none()
steps = st.one_of(
    st.tuples(st.just("begin"), nothing),
    st.tuples(st.just("send"), st.sampled_from(PARTITIONS)),
    st.tuples(st.just("send"), st.sampled_from(PARTITIONS)),
    st.tuples(st.just("offsets"), nothing),
    st.tuples(st.just("commit"), nothing),
    st.tuples(st.just("abort"), nothing),
    st.tuples(st.just("serve"), brokers),
    st.tuples(st.just("serve"), brokers),
    st.tuples(st.just("serve"), brokers),
    st.tuples(st.just("take_in"), brokers),
    st.tuples(st.just("lose"), brokers),
    st.tuples(st.just("delay"), brokers),
    st.tuples(st.just("late"), brokers),
    st.tuples(st.just("twice"), brokers),
    st.tuples(
        st.just("refuse"),
        st.sampled_from(
            [Error.INVALID_RECORD, Error.NOT_ENOUGH_REPLICAS, Error.INVALID_PRODUCER_EPOCH]
        ),
    ),
    st.tuples(st.just("markers"), nothing),
    st.tuples(st.just("wait"), st.sampled_from([5, 25, 120, 700, 2_000])),
)
scripts = st.lists(steps, min_size=12, max_size=60)


class Play(TransactionalBench):
    """The bench, what its brokers still have to hear, and the promises."""

    def __init__(self, version, given_settings=None):
        self.late = {"b0": deque(), "b1": deque()}
        self.number = self.transactions = 0
        self.added = {}  # (transaction, partition) -> whether its coordinator has it.
        self.over = False
        self.wanted = {}  # Of the transaction that is ending: what was handed over.
        self.endings = []  # (records, result, whether it is known to be done)
        super().__init__(
            given_settings, version=version, prompt=False, topics={"t": 3}, brokers=2
        )
        self.ready()
        for partition in PARTITIONS:  # Once a partition has heard of a producer, it is protected.
            self.begin()
            self.send_to(partition)
            self.call("commit")
            for _ in range(2):
                self.settle()
                self.write_markers()
                self.wait(100)
        self.handshake = False

    def step(self, name, argument):
        with suppress(BadInput, KafkaError):  # Perhaps it is not this call's turn.
            getattr(self, f"step_{name}")(argument)

    # --- What may happen ---

    def step_begin(self, _):
        self.begin()

    def step_send(self, partition):
        if self.manager.failure is None:
            self.send_to(partition)

    def send_to(self, partition):
        self.number += 1
        self.send(f"r{self.number}", partition=partition)

    def step_offsets(self, _):
        self.call("send_offsets", {("in", 0): self.number}, GROUP)

    def step_commit(self, _):
        self.call("commit")

    def step_abort(self, _):
        self.call("abort")

    def step_serve(self, broker):
        if self.wire[broker]:
            self.serve(broker)

    def step_take_in(self, broker):
        if any(entry[2] is None for entry in self.wire[broker]):
            self.take_in(broker)

    def step_twice(self, broker):
        """A request that was worked on comes once more."""
        if self.wire[broker] and self.wire[broker][0][2] is not None:
            self.work(self.wire[broker][0][1])

    def step_lose(self, broker):
        self.disconnect(broker)

    def step_delay(self, broker):
        """The connection is lost, but what is on it arrives some time."""
        self.late[broker].extend(e[1] for e in self.wire[broker] if e[2] is None)
        self.disconnect(broker)

    def step_late(self, broker):
        if self.late[broker]:
            self.work(self.late[broker].popleft())

    def step_refuse(self, error):
        for broker, wire in self.wire.items():
            if wire and isinstance(wire[0][1], ProduceRequest) and wire[0][2] is None:
                self.refuse(error, broker)
                return

    def step_markers(self, _):
        self.write_markers()

    def step_fence(self, _):
        self.coordinator.init()

    def step_wait(self, ms):
        self.wait(ms)

    # --- What must hold ---

    def work(self, body):
        answer = super().work(body)
        if isinstance(body, AddPartitionsToTxnRequest):
            for partition, error in answer.results:
                if error is Error.NONE:
                    self.added[self.transactions, partition] = True
        return answer

    def _do(self, effect):
        match effect:
            case Happened(("transaction_began", *_)):
                self.transactions += 1
            case Happened(("transaction_failed", _, _, True)):
                self.over = True
            case Happened(("transaction_ending", _, result, records, _)):
                self.endings.append([records, result, False])
            case Happened(("transaction_ended", _, _, "done", _)):
                self.endings[-1][2] = True
            case Settled("commit", None):
                acknowledged = {event_id for event_id, _, _ in self.acked}
                assert set(self.endings[-1][0]) <= acknowledged, "committed, not acknowledged"
            case Transmit(_, body, _) if not isinstance(body, MetadataRequest):
                assert not self.over, f"sent after a fatal error: {body}"
                if isinstance(body, ProduceRequest) and self.version == 1:
                    for where, _ in body.batches:
                        assert (self.transactions, where) in self.added, f"not added: {where}"
        super()._do(effect)

    def end(self):
        """The wire is healed: whatever is open can be ended, unless the producer is fenced."""
        self.handshake = True
        for broker in self.brokers:
            self.disconnect(broker)
        for _ in range(60):
            if self.manager.state in (State.READY, State.FATAL_ERROR):
                break
            if self.manager.state is State.ABORTABLE_ERROR:
                self.step("commit", None)  # If it has failed unheard, it must be heard first.
            if self.manager.state in (State.IN_TRANSACTION, State.ABORTABLE_ERROR):
                self.step("abort", None)
            for broker in self.brokers:
                while self.wire[broker]:
                    self.serve(broker)
            self.write_markers()
            self.wait(500)
        assert self.manager.state in (State.READY, State.FATAL_ERROR), self.manager.state
        self.write_markers()

    def visible(self):
        return [one for partition in PARTITIONS for one in self.read_committed(partition)]


def play(version, script, given_settings=None):
    it = Play(version, given_settings)
    for name, argument in script:
        it.step(name, argument)
    it.end()
    return it


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("given_settings", [None, HASTY], ids=["patient", "hasty"])
@given(script=scripts)
@example(script=[("begin", None), ("send", 0), ("delay", "b0"), ("abort", None), ("wait", 700)])
def test_a_producer_keeps_to_the_protocol_whatever_the_wire_does(version, given_settings, script):
    """Nothing leaves before it was added, nor after a fatal error; a commit means all of it."""
    play(version, script, given_settings)


@given(scripts, st.integers(0, 60))
def test_after_a_fence_nothing_of_it_is_sent(script, at):
    it = Play(2)
    for number, (name, argument) in enumerate(script):
        if number == at:
            it.step_fence(None)
        it.step(name, argument)
    it.end()


@pytest.mark.parametrize("given_settings", [None, HASTY], ids=["patient", "hasty"])
@given(script=scripts)
def test_under_version_2_what_is_committed_is_there_once_and_what_is_aborted_never(
    given_settings, script
):
    it = play(2, script, given_settings)

    visible = it.visible()
    assert len(visible) == len(set(visible)), "something is there twice"
    for records, result, done in it.endings:
        if done and result == "commit":
            assert set(records) <= set(visible), "a commit is torn"
        if done and result == "abort":
            assert not set(records) & set(visible), "something aborted can be read"


def promises_nothing(self, *_, **__):
    """A batch has failed: so what."""


def adds_at_once(self, partition):
    """As under version 2, without its brokers."""
    self.added[partition] = None
    return False


@pytest.mark.parametrize("twin", [("add", adds_at_once), ("record_failed", promises_nothing)])
def test_a_producer_that_breaks_a_promise_is_caught(monkeypatch, twin):
    """One that sends without having added; and one that commits though a batch has failed."""
    monkeypatch.setattr(TransactionManager, *twin)

    def broken(script):
        try:
            it = Play(1)
            for name, argument in script:
                it.step(name, argument)
        except AssertionError:
            return True
        return False

    if twin[0] == "add":
        assert broken([])
        return
    found = find(
        scripts,
        broken,
        settings=settings(max_examples=3_000, derandomize=True, database=None, deadline=None),
    )
    assert {name for name, _ in found} >= {"begin", "send", "commit", "serve"}


def test_the_partitions_of_these_scripts_are_the_bench_s():
    assert [TopicPartition("t", number) for number in PARTITIONS] == list(Play(1).logs)
