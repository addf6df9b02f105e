"""Any sequence of appends, markers, cuts and restarts, against a naive reference.

The reference keeps the log and nothing else: what it knows of a producer it finds out by reading
the whole log again at every append. So it cannot forget, and it is slow.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.protocol import producer_state
from simulator.protocol.journal import Journal
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import LogConfig, Partition
from simulator.protocol.records import Batch, Record

HERE = TopicPartition("orders", 0)
STEADY = settings(max_examples=100, derandomize=True, deadline=None, database=None)

PIDS, EPOCHS, SEQUENCES = st.integers(1, 2), st.integers(0, 2), st.integers(0, 8)
data = st.tuples(st.just("data"), PIDS, EPOCHS, SEQUENCES, st.integers(1, 2), st.booleans())
marker = st.tuples(
    st.just("marker"), PIDS, EPOCHS, st.integers(0, 2), st.sampled_from(["commit", "abort"])
)
next_in_line = st.tuples(st.just("next"), PIDS, st.booleans())
retry = st.tuples(st.just("retry"), PIDS, st.integers(1, 7))
appends = st.lists(st.one_of(next_in_line, next_in_line, retry, data, marker), max_size=25)
cuts = st.one_of(
    st.tuples(st.just("truncate"), st.integers(0, 30)),
    st.tuples(st.just("delete"), st.integers(0, 30)),
)
lives = st.lists(st.one_of(next_in_line, next_in_line, retry, data, marker, cuts), max_size=25)


class Naive:
    """The log as a list, and the rules read off it."""

    def __init__(self):
        self.log = []

    def answer(self, batch):
        """(error, base offset, written?) as the rules of idempotence say."""
        mine = [one for one in self.log if one.producer_id == batch.producer_id]
        epoch = max((one.producer_epoch for one in mine), default=-1)
        if batch.control:
            fence = max((one.coordinator_epoch for one in mine if one.control), default=-1)
            if batch.producer_epoch < epoch:
                return "INVALID_PRODUCER_EPOCH", -1, False
            if mine and batch.coordinator_epoch < fence:
                return "TRANSACTION_COORDINATOR_FENCED", -1, False
            return "NONE", self.write(batch), True
        sent = [one for one in mine if one.producer_epoch == epoch and not one.control]
        for one in sent[-5:]:
            same = (batch.producer_epoch, batch.base_sequence, batch.last_sequence)
            if (epoch, one.base_sequence, one.last_sequence) == same:
                return "NONE", one.base_offset, False
        if batch.producer_epoch < epoch:
            return "INVALID_PRODUCER_EPOCH", -1, False
        expected = sent[-1].last_sequence + 1 if sent and batch.producer_epoch == epoch else 0
        if mine and batch.base_sequence != expected:
            return "OUT_OF_ORDER_SEQUENCE_NUMBER", -1, False
        if mine and not mine[-1].control and mine[-1].transactional and not batch.transactional:
            return "INVALID_TXN_STATE", -1, False
        return "NONE", self.write(batch), True

    def write(self, batch):
        base = self.log[-1].next_offset if self.log else 0
        self.log.append(batch._replace(base_offset=base))
        return base


def batch_of(op, partition):
    """The batch an operation means, given what the producer would do next."""
    match op:
        case ("data", pid, epoch, seq, count, transactional):
            fields = (pid, epoch, seq, count, transactional)
        case ("next", pid, transactional):
            known = partition.producers.get(pid, producer_state.NO_STATE)
            fields = (pid, max(known.epoch, 0), known.last_sequence + 1, 1, transactional)
        case ("retry", pid, back):
            sent = [one for one in partition.log.journal.facts
                    if one.producer_id == pid and not one.control]
            if len(sent) < back:
                return None
            again = sent[-back]
            return again._replace(base_offset=-1, leader_epoch=-1, append_time_us=-1)
        case ("marker", pid, epoch, coordinator_epoch, control):
            return Batch((), producer_id=pid, producer_epoch=epoch, control=control,
                         coordinator_epoch=coordinator_epoch)
    pid, epoch, seq, count, transactional = fields
    records = tuple(Record("k", "v", f"e{seq + number}") for number in range(count))
    return Batch(records, producer_id=pid, producer_epoch=epoch, base_sequence=seq,
                 transactional=transactional)


def step(partition, op, now_us):
    """Do one operation; answers (error, base offset, written?) of an append."""
    if op[0] == "truncate":
        partition.truncate_to(op[1])
        return None
    if op[0] == "delete":
        partition.delete_records(op[1])
        return None
    one = batch_of(op, partition)
    if one is None:
        return None
    fact, answer = partition.decide_append(one, now_us)
    assert partition.decide_append(one, now_us) == (fact, answer), "deciding twice is equal"
    if fact is not None:
        partition.apply(fact)
    return answer.error.name, answer.base_offset, fact is not None


def agree_with_the_reference(ops):
    partition, naive = Partition(HERE, Journal()), Naive()
    for op in ops:
        one = batch_of(op, partition)
        if one is not None:
            assert step(partition, op, 0) == naive.answer(one)


SIX_THEN_EACH_AGAIN = [("next", 1, False)] * 6 + [("retry", 1, back) for back in range(1, 7)]


@given(appends)
@example(SIX_THEN_EACH_AGAIN)
@STEADY
def test_every_append_is_answered_as_by_a_reader_of_the_whole_log(ops):
    agree_with_the_reference(ops)


@given(lives, st.sampled_from([1, 3, 1_000]))
@STEADY
def test_replaying_the_journal_leads_to_the_same_state_after_every_step(ops, every):
    """From the newest snapshot with the index beside it, and from neither."""
    journal = Journal()
    config = LogConfig(window_every_batches=every)
    partition = Partition(HERE, journal, config)
    for now_us, op in enumerate(ops):
        step(partition, op, now_us)
        bare = journal.copy()
        bare.snapshots.clear()
        if partition.log_end_offset == Partition(HERE, bare, config).log_end_offset:
            assert Partition(HERE, bare, config).log.hard_state() == partition.log.hard_state()
            kept = journal.copy()
            assert Partition(HERE, kept, config).log.hard_state() == partition.log.hard_state()


@given(lives, st.integers(60, 400))
@STEADY
def test_what_is_written_is_read_once_and_in_order(ops, segment_bytes):
    partition = Partition(HERE, Journal(), LogConfig(segment_bytes=segment_bytes))
    for now_us, op in enumerate(ops):
        step(partition, op, now_us)
        assert 0 <= partition.log_start_offset <= partition.log_end_offset
        assert partition.last_stable_offset <= partition.high_watermark
        offset, seen = partition.log_start_offset, []
        while batches := partition.read(offset, 1).batches:
            (one,) = batches
            assert one.next_offset > offset
            seen.append(one)
            offset = one.next_offset
        assert offset <= partition.log_end_offset
        written = partition.log.journal.facts
        assert seen == [one for one in written if one.next_offset > partition.log_start_offset]


# --- Were they too mild, the properties above would hold for the wrong reason. ----------------


@pytest.mark.parametrize("remembered", [1, 2, 4, 6])
def test_another_number_of_remembered_batches_is_caught(monkeypatch, remembered):
    def after_data(state, epoch, batch, time_us, *, transactional):
        new = right(state, epoch, batch, time_us, transactional=transactional)
        before = () if epoch != state.epoch else state.batches
        return new._replace(batches=(*before, batch)[-remembered:])

    right = producer_state.after_data
    monkeypatch.setattr("simulator.protocol.log.after_data", after_data)

    with pytest.raises(AssertionError):
        agree_with_the_reference(SIX_THEN_EACH_AGAIN)


def test_forgetting_producers_is_caught(monkeypatch):
    monkeypatch.setattr("simulator.protocol.log.Log._learn", lambda *_: None)

    with pytest.raises(AssertionError):
        agree_with_the_reference([("next", 1, False), ("retry", 1, 1)])


def test_a_snapshot_without_producers_is_caught(monkeypatch):
    monkeypatch.setattr("simulator.protocol.log.Log._load_snapshot", lambda *_: 3)
    journal = Journal()
    partition = Partition(HERE, journal)
    for _ in range(3):
        step(partition, ("next", 1, False), 0)

    assert Partition(HERE, journal).log.hard_state() != partition.log.hard_state()
