"""A transactional producer whose batches or requests fail: what it may still do, and what not."""

import pytest

from simulator.errors import (
    CommitFailed,
    FencedInstance,
    InvalidProducerEpoch,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
    TransactionAbortable,
)
from simulator.protocol.errors import Error
from simulator.protocol.transaction_states import State
from tests.transactional import GROUP, TransactionalBench, calls

VERSIONS = pytest.mark.parametrize("version", [1, 2])


def bench(settings=None, *, version=2, **more):
    return TransactionalBench(settings, version=version, **more).ready()


def goes_on(it):
    """After an abort the next transaction is as good as any."""
    it.ended.clear()
    it.call("abort")
    it.settle()
    it.wait(1_000)
    it.begin("next").call("commit")
    it.settle()
    it.wait(1_000)
    assert calls(it.ended) == ["", ""]
    assert it.read_committed()[-1] == "next"


def is_over(it):
    """Nothing leaves any more, whatever is called."""
    it.asked_for()
    wires = {name: len(wire) for name, wire in it.wire.items()}
    for call in (it.manager.commit, it.manager.abort, it.manager.initialize):
        with pytest.raises(KafkaError):
            call("late", it.now_us)
    it.send("late", partition=0)
    it.wait(100_000)
    assert it.asked_for() == []
    assert {name: len(wire) for name, wire in it.wire.items()} == wires
    assert it.failed[-1][0] == "late"


# --- Batches -------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    "error",
    [
        Error.INVALID_RECORD,
        Error.INVALID_TXN_STATE,
        Error.TRANSACTION_ABORTABLE,
        Error.INVALID_PRODUCER_EPOCH,
        Error.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ],
)
def test_a_batch_that_fails_makes_the_transaction_abortable(version, error):
    it = bench(version=version)
    it.begin("a")
    it.refuse(error)

    assert it.failed == [("a", error.name, True)]
    assert it.manager.state is State.ABORTABLE_ERROR
    assert it.told[-1] == ("transaction_failed", "a", error.name, False)
    with pytest.raises(KafkaError, match=error.name):
        it.manager.commit("commit", it.now_us)
    goes_on(it)


@VERSIONS
def test_a_commit_fails_with_the_first_batch_that_fails_and_asks_for_no_end(version):
    it = bench(version=version, topics={"t": 2}, brokers=2)
    it.begin("a", partition=0)
    it.send("b", partition=1)
    it.call("commit")
    it.asked_for()

    it.refuse(Error.INVALID_RECORD, "b0")
    assert calls(it.ended) == [], "the other batch is on its way still"
    it.serve("b1")

    assert calls(it.ended)[0].startswith("KafkaError: INVALID_RECORD")
    assert it.asked_for() == []
    assert it.told[-1] == ("transaction_ended", "a", "commit", "failed", "INVALID_RECORD")
    goes_on(it)


def test_an_old_epoch_is_told_as_such_and_the_abort_tells_whether_it_is_fenced():
    """KIP-588: the coordinator may just have ended a transaction that took too long."""
    it = bench()
    it.begin("a")
    it.refuse(Error.INVALID_PRODUCER_EPOCH)

    with pytest.raises(InvalidProducerEpoch):
        it.manager.commit("commit", it.now_us)
    it.refusing["EndTxnRequest"] = [Error.PRODUCER_FENCED]
    it.call("abort")

    assert isinstance(it.ended[-1][1], ProducerFenced)
    is_over(it)


@VERSIONS
def test_a_transaction_that_took_too_long_is_aborted_by_its_coordinator(version):
    """And its producer finds itself fenced, though there is no other."""
    it = bench({"transaction.timeout.ms": 5_000}, version=version)
    it.begin("a").settle()

    it.coordinator.wait(20_000)
    it.write_markers()
    it.call("commit")
    it.wait(1_000)

    assert isinstance(it.ended[-1][1], ProducerFenced)
    assert it.read_committed() == []
    is_over(it)


@VERSIONS
def test_after_an_error_what_was_not_sent_is_dropped_and_new_records_are_refused(version):
    it = bench({"linger.ms": 1_000}, version=version, topics={"t": 2})
    it.begin("a", partition=0)
    it.wait(1_000)
    it.send("b", partition=1)
    it.refuse(Error.INVALID_RECORD)
    it.send("c", partition=1)

    assert it.failed == [
        ("a", "INVALID_RECORD", True),
        ("b", "INVALID_RECORD", True),
        ("c", "INVALID_RECORD", True),
    ]
    goes_on(it)
    assert it.log(1) == []


@VERSIONS
def test_an_abort_drops_what_was_not_sent_and_waits_for_what_was(version):
    it = bench({"linger.ms": 1_000}, version=version, topics={"t": 2})
    it.begin("a", partition=0)
    it.wait(1_000)
    it.send("b", partition=1)
    it.call("abort")

    assert it.failed == [("b", "TRANSACTION_ABORTED", True)]
    assert calls(it.ended) == []
    it.serve()
    assert calls(it.ended) == [""]
    assert it.read_committed() == []


@VERSIONS
def test_a_record_that_never_came_into_a_batch_fails_its_transaction_too(version):
    it = bench({"max.block.ms": 500}, version=version)
    it.begin()
    it.send("a", topic="nowhere", partition=0)
    it.wait(500)

    assert it.failed == [("a", "REQUEST_TIMED_OUT", True)]
    assert it.manager.state is State.ABORTABLE_ERROR


@VERSIONS
def test_a_batch_that_expired_unheard_of_costs_the_epoch(version):
    """Nobody knows whether its sequences were used; under the next epoch they begin anew."""
    hasty = {"delivery.timeout.ms": 700, "request.timeout.ms": 600}
    it = bench(hasty, version=version)
    it.begin("a")
    before = it.manager.ids.producer_epoch
    it.disconnect()
    it.wait(150)
    it.take_in()  # It is written, and nobody learns of it.
    it.disconnect()
    it.wait(1_000)

    assert it.failed == [("a", "REQUEST_TIMED_OUT", False)]
    assert it.manager.state is State.ABORTABLE_ERROR
    goes_on(it)
    assert it.manager.ids.producer_epoch > before
    assert it.read_committed() == ["next"]


def test_under_version_1_a_failed_batch_makes_the_abort_raise_the_epoch():
    """KIP-360: InitProducerId follows EndTxn, with what it expects."""
    it = bench(version=1)
    it.begin("a")
    before = it.manager.ids.producer_epoch
    it.refuse(Error.INVALID_RECORD)
    it.asked_for()
    it.call("abort")
    it.wait(1_000)

    ended, raised = it.asking[0], it.asking[-1]
    assert type(ended).__name__ == "EndTxnRequest"
    assert (raised.producer_id, raised.producer_epoch) == (it.manager.ids.producer_id, before)
    assert it.manager.ids.producer_epoch == before + 1
    assert calls(it.ended) == [""]


def test_under_version_1_a_batch_refused_while_committing_gives_its_sequences_back():
    """No epoch is raised then, so that what follows must not leave a gap."""
    it = bench(version=1)
    it.begin("first").call("commit")
    it.settle()
    it.begin("a", "b")
    assert [sequence for _, sequence in it.numbers()] == [1, 2]
    it.call("commit")
    it.refuse(Error.INVALID_RECORD)
    it.settle()
    it.ended.clear()
    it.call("abort")
    it.settle()

    it.begin("c")
    assert it.numbers()[0][1] == 2
    it.settle()
    assert it.log() == ["first", "b", "c"]


def test_a_forgotten_producer_begins_anew_where_all_that_it_wrote_was_deleted():
    it = bench()
    it.begin("a").settle()
    it.send("b", partition=0)
    it.deny(5)
    it.wait(200)

    assert it.numbers() == [(it.manager.ids.producer_epoch, 0)]
    assert it.manager.state is State.IN_TRANSACTION


def test_a_forgotten_producer_must_abort_where_something_of_it_should_be_there():
    it = bench()
    it.begin("a").settle()
    it.send("b", partition=0)
    it.deny(0)

    assert it.failed == [("b", "UNKNOWN_PRODUCER_ID", True)]
    goes_on(it)


# --- Coordinators --------------------------------------------------------------------------------


def fails(request, error, version=1):
    """A producer one of whose requests is answered with an error; and what the call threw."""
    it = TransactionalBench(version=version)
    it.refusing[request] = [error]
    it.call("initialize")
    it.wait(1_000)
    if it.manager.state is State.READY:
        it.ended.clear()
        it.begin("a").settle(100) if request != "AddPartitionsToTxnRequest" else it.begin("a")
        if it.manager.failure is None:
            it.call("send_offsets", {("in", 0): 5}, GROUP)
            it.wait(1_000)
        if it.manager.failure is None:
            it.call("commit")
            it.wait(1_000)
        if it.manager.failure is None:
            it.settle()
    thrown = [error for _, error in it.ended if error is not None]
    return it, thrown[0] if thrown else None


FATAL = [
    ("InitProducerIdRequest", Error.PRODUCER_FENCED, ProducerFenced),
    ("InitProducerIdRequest", Error.INVALID_PRODUCER_EPOCH, ProducerFenced),
    ("InitProducerIdRequest", Error.INVALID_TRANSACTION_TIMEOUT, KafkaError),
    ("AddPartitionsToTxnRequest", Error.PRODUCER_FENCED, None),
    ("AddPartitionsToTxnRequest", Error.INVALID_TXN_STATE, None),
    ("AddPartitionsToTxnRequest", Error.INVALID_PRODUCER_ID_MAPPING, None),
    ("AddOffsetsToTxnRequest", Error.INVALID_TXN_STATE, InvalidTxnState),
    ("AddOffsetsToTxnRequest", Error.INVALID_PRODUCER_EPOCH, ProducerFenced),
    ("TxnOffsetCommitRequest", Error.PRODUCER_FENCED, ProducerFenced),
    ("TxnOffsetCommitRequest", Error.INVALID_PRODUCER_EPOCH, ProducerFenced),
    ("EndTxnRequest", Error.PRODUCER_FENCED, ProducerFenced),
    ("EndTxnRequest", Error.INVALID_TXN_STATE, InvalidTxnState),
    ("FindCoordinatorRequest", Error.INVALID_GROUP_ID, KafkaError),
]


@pytest.mark.parametrize(("request_", "error", "kind"), FATAL)
def test_these_answers_are_fatal(request_, error, kind):
    it, thrown = fails(request_, error)

    assert it.manager.state is State.FATAL_ERROR
    assert kind is None or type(thrown) is kind
    if request_ not in {"InitProducerIdRequest", "FindCoordinatorRequest"}:
        is_over(it)


ABORTABLE = [
    ("AddPartitionsToTxnRequest", Error.TRANSACTION_ABORTABLE, None),
    ("AddPartitionsToTxnRequest", Error.UNKNOWN_PRODUCER_ID, None),
    ("AddPartitionsToTxnRequest", Error.OPERATION_NOT_ATTEMPTED, None),
    ("AddOffsetsToTxnRequest", Error.TRANSACTION_ABORTABLE, TransactionAbortable),
    ("AddOffsetsToTxnRequest", Error.UNKNOWN_PRODUCER_ID, KafkaError),
    ("TxnOffsetCommitRequest", Error.TRANSACTION_ABORTABLE, TransactionAbortable),
    ("TxnOffsetCommitRequest", Error.FENCED_INSTANCE_ID, FencedInstance),
    ("TxnOffsetCommitRequest", Error.UNKNOWN_MEMBER_ID, CommitFailed),
    ("TxnOffsetCommitRequest", Error.ILLEGAL_GENERATION, CommitFailed),
    ("EndTxnRequest", Error.TRANSACTION_ABORTABLE, TransactionAbortable),
    ("EndTxnRequest", Error.UNKNOWN_PRODUCER_ID, KafkaError),
]


@pytest.mark.parametrize(("request_", "error", "kind"), ABORTABLE)
def test_after_these_answers_an_abort_helps(request_, error, kind):
    it, thrown = fails(request_, error)

    assert it.manager.state is State.ABORTABLE_ERROR
    assert kind is None or type(thrown) is kind
    goes_on(it)


AGAIN = [
    ("InitProducerIdRequest", Error.CONCURRENT_TRANSACTIONS),
    ("InitProducerIdRequest", Error.NOT_COORDINATOR),
    ("AddPartitionsToTxnRequest", Error.CONCURRENT_TRANSACTIONS),
    ("AddPartitionsToTxnRequest", Error.COORDINATOR_LOAD_IN_PROGRESS),
    ("AddPartitionsToTxnRequest", Error.UNKNOWN_TOPIC_OR_PARTITION),
    ("AddOffsetsToTxnRequest", Error.CONCURRENT_TRANSACTIONS),
    ("TxnOffsetCommitRequest", Error.NOT_COORDINATOR),
    ("TxnOffsetCommitRequest", Error.REQUEST_TIMED_OUT),
    ("TxnOffsetCommitRequest", Error.COORDINATOR_LOAD_IN_PROGRESS),
    ("EndTxnRequest", Error.CONCURRENT_TRANSACTIONS),
    ("FindCoordinatorRequest", Error.COORDINATOR_NOT_AVAILABLE),
]


@pytest.mark.parametrize(("request_", "error"), AGAIN)
def test_after_these_answers_the_request_is_repeated(request_, error):
    it, thrown = fails(request_, error)

    assert thrown is None
    assert it.manager.state in (State.READY, State.IN_TRANSACTION)


def test_under_version_2_an_end_with_an_unknown_answer_is_unknown():
    """A commit that took effect, whose retry is refused: nobody may call that an abort."""
    it = bench()
    it.begin("a").settle()
    it.handshake = False
    it.call("commit")
    it.take_in()
    it.handshake = True
    it.refusing["EndTxnRequest"] = [Error.INVALID_TXN_STATE]
    it.disconnect()
    it.wait(1_000)

    assert it.told[-1] == ("transaction_ended", "a", "commit", "unknown", "INVALID_TXN_STATE")
    assert it.read_committed() == ["a"]


def test_a_refused_end_whose_every_answer_came_has_certainly_not_committed():
    it = bench()
    it.begin("a").settle()
    it.refusing["EndTxnRequest"] = [Error.PRODUCER_FENCED]
    it.call("commit")

    assert it.told[-1] == ("transaction_ended", "a", "commit", "failed", "PRODUCER_FENCED")
