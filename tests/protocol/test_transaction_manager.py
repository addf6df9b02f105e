"""A transactional producer, against the real coordinator: what it asks, when, and what it tells."""

import pytest

from simulator.errors import BadInput, KafkaError, ProducerFenced, RequestTimedOut
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_states import TRANSITIONS, State
from tests.transactional import GROUP, TransactionalBench, calls

P0 = ("t", 0)
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def bench(settings=None, *, version=2, **more):
    return TransactionalBench(settings, version=version, **more).ready()


# --- From one end to the other -------------------------------------------------------------------


@VERSIONS
def test_what_is_committed_can_be_read_and_what_is_aborted_cannot(version):
    it = bench(version=version)

    it.begin("a", "b").call("commit")
    it.settle()
    it.begin("c").settle()
    it.call("abort")
    it.settle()
    it.begin("d").call("commit")
    it.settle()

    assert calls(it.ended) == ["", "", ""]
    assert it.log() == ["a", "b", "c", "d"]
    assert it.read_committed() == ["a", "b", "d"]


def test_under_version_1_a_partition_is_added_before_its_first_batch_leaves():
    it = bench(version=1, topics={"t": 2})
    it.begin("a").settle()
    it.asked_for()
    it.handshake = False

    it.send("b", partition=1)
    assert it.asked_for() == ["AddPartitionsToTxn"]
    assert [type(entry[1]).__name__ for entry in it.wire["b0"]] == ["AddPartitionsToTxnRequest"]
    it.settle()

    assert (it.log(0), it.log(1)) == (["a"], ["b"])


def test_under_version_2_nobody_is_asked_before_the_first_batch():
    it = bench()
    it.asked_for()

    it.begin("a").settle()

    assert it.asked_for() == []
    assert it.log() == ["a"]


def test_every_batch_says_that_it_is_of_a_transaction_and_of_which_id():
    it = bench()
    it.begin("a")

    (_, request, _) = it.wire["b0"][0]
    assert request.transactional_id == "a"
    assert all(batch.transactional for _, batch in request.batches)


def test_under_version_2_every_end_gives_a_new_epoch_and_sequences_begin_anew():
    it = bench()
    numbers = []
    for value in "abc":
        it.begin(value)
        numbers += it.numbers()
        it.call("commit")
        it.settle()

    first = numbers[0][0]
    assert numbers == [(first, 0), (first + 1, 0), (first + 2, 0)]


def test_under_version_1_the_epoch_stays_and_sequences_go_on():
    it = bench(version=1)
    numbers = []
    for value in "abc":
        it.begin(value)
        numbers += it.numbers()
        it.call("commit")
        it.settle()

    first = numbers[0][0]
    assert numbers == [(first, 0), (first, 1), (first, 2)]


@VERSIONS
def test_a_transaction_to_which_nothing_was_added_ends_without_asking(version):
    it = bench(version=version)
    it.asked_for()

    it.begin().call("commit")
    it.begin().call("abort")

    assert calls(it.ended) == ["", ""]
    assert it.asked_for() == []


@VERSIONS
def test_a_commit_waits_until_all_batches_are_acknowledged(version):
    it = bench({"linger.ms": 1_000}, version=version)
    it.asked_for()
    it.begin("a")
    it.call("commit")

    assert it.on_wire() == [[("a",)]], "it does not linger"
    assert "EndTxn" not in it.asked_for()
    it.serve()
    assert it.asked_for() == ["EndTxn"]
    assert calls(it.ended) == [""]


@VERSIONS
def test_offsets_count_when_the_transaction_commits(version):
    it = bench(version=version)
    it.asked_for()

    it.begin()
    it.call("send_offsets", {("in", 0): 5}, GROUP)
    it.wait(200)  # The group's coordinator is looked up, and then asked after a wait.
    asked = it.asked_for()
    assert it.committed == {}
    it.call("commit")
    assert it.committed == {TopicPartition("in", 0): 5}

    first = ["AddOffsetsToTxn"] if version == 1 else []
    assert asked == [*first, "FindCoordinator", "TxnOffsetCommit"]
    assert calls(it.ended) == ["", ""]


@VERSIONS
def test_offsets_of_an_aborted_transaction_never_count(version):
    it = bench(version=version)

    it.begin()
    it.call("send_offsets", {("in", 0): 5}, GROUP)
    it.wait(200)
    it.call("abort")

    assert calls(it.ended) == ["", ""]
    assert it.committed == {}


def test_the_group_is_told_which_member_the_offsets_are_from():
    it = bench()
    it.begin()
    it.call("send_offsets", {("in", 0): 5}, GROUP)
    it.wait(200)

    commit = it.asking[-1]
    assert (commit.group_id, commit.generation, commit.member_id) == ("g", 3, "m")


def test_no_offsets_are_nothing_to_ask():
    it = bench().begin()
    it.asked_for()

    it.call("send_offsets", {}, GROUP)

    assert calls(it.ended) == [""]
    assert it.asked_for() == []


# --- The trace -----------------------------------------------------------------------------------


def test_the_trace_tells_what_was_committed():
    it = bench()
    identity = it.manager.ids.producer_id, it.manager.ids.producer_epoch

    it.begin("a", "b")
    it.call("send_offsets", {("in", 0): 5}, GROUP)
    it.wait(200)
    it.call("commit")
    it.settle()

    assert it.told == [
        ("transaction_began", "a", *identity),
        ("transaction_ending", "a", "commit", ("a", "b"), (("g", "in", 0, 5),)),
        ("transaction_ended", "a", "commit", "done", "NONE"),
    ]


def test_the_next_transaction_does_not_tell_of_the_one_before():
    it = bench()
    it.begin("a").call("commit")
    it.settle()
    it.told.clear()

    it.begin("b").call("abort")
    it.settle()

    assert it.told[1] == ("transaction_ending", "a", "abort", ("b",), ())


# --- Looking for coordinators, and waiting -------------------------------------------------------


def test_the_coordinator_is_looked_up_and_then_asked_after_a_wait():
    it = TransactionalBench()
    it.call("initialize")

    assert it.asked_for() == ["FindCoordinator"]
    it.wait(99)
    assert it.asked_for() == []
    it.wait(1)
    assert it.asked_for() == ["InitProducerId"]


@pytest.mark.parametrize("error", [Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE])
def test_who_is_not_the_coordinator_makes_it_be_looked_up_again(error):
    it = bench()
    it.begin("a").settle()
    it.asked_for()
    it.refusing["EndTxnRequest"] = [error]

    it.call("commit")
    it.wait(100)

    assert it.asked_for() == ["EndTxn", "FindCoordinator", "EndTxn"]
    assert calls(it.ended) == [""]


def test_a_coordinator_that_is_loading_is_asked_again():
    it = bench()
    it.begin("a").settle()
    it.asked_for()
    it.refusing["EndTxnRequest"] = [Error.COORDINATOR_LOAD_IN_PROGRESS]

    it.call("commit")
    assert it.asked_for() == ["EndTxn"]
    it.wait(99)
    assert it.asked_for() == []
    it.wait(1)
    assert it.asked_for() == ["EndTxn"]


def test_the_first_partitions_are_asked_for_again_soon_while_the_last_transaction_completes():
    """20 ms, not retry.backoff.ms: this is normal right after an end."""
    it = bench(version=1, prompt=False)
    it.begin("a").call("commit")
    it.settle()
    it.asked_for()

    it.begin("b")
    assert it.asked_for() == ["AddPartitionsToTxn"]
    it.wait(19)
    it.write_markers()
    assert it.asked_for() == []
    it.wait(1)
    assert it.asked_for() == ["AddPartitionsToTxn"]
    it.settle()
    assert it.log() == ["a", "b"]


def test_under_version_2_the_batch_itself_is_sent_again():
    it = bench(prompt=False)
    it.begin("a").call("commit")
    it.settle()

    it.begin("b")
    it.serve()
    assert it.acked[-1][0] == "a"
    it.write_markers()
    it.settle()
    assert it.acked[-1][0] == "b"


def test_one_request_is_on_its_way_at_a_time_and_batches_wait_for_it():
    it = bench(version=1, topics={"t": 2})
    it.begin("a", partition=0).settle()
    it.handshake = False

    it.send("b", partition=1)
    it.send("c", partition=0)

    assert [type(entry[1]).__name__ for entry in it.wire["b0"]] == ["AddPartitionsToTxnRequest"]
    it.settle()
    assert (it.log(0), it.log(1)) == (["a", "c"], ["b"])


def test_an_unanswered_end_is_asked_for_again_and_has_one_effect():
    it = bench()
    it.begin("a").settle()
    it.handshake = False
    it.call("commit")

    it.take_in()
    it.handshake = True
    it.disconnect()
    it.wait(1_000)

    assert calls(it.ended) == [""]
    assert it.told[-1][2:] == ("commit", "done", "NONE")
    assert it.read_committed() == ["a"]


# --- Calls that take too long --------------------------------------------------------------------


def test_a_call_that_took_too_long_goes_on_and_the_same_call_learns_its_end():
    it = bench({"max.block.ms": 500})
    it.begin("a").settle()
    it.refusing["EndTxnRequest"] = [Error.COORDINATOR_LOAD_IN_PROGRESS] * 6

    it.call("commit", handle="first")
    it.wait(500)
    assert calls(it.ended)[0].endswith("commit_transaction() took longer than max.block.ms (500)")
    assert isinstance(it.ended[0][1], RequestTimedOut)
    with pytest.raises(BadInput, match="commit_transaction"):
        it.manager.abort("abort", it.now_us)
    with pytest.raises(BadInput, match="call it again"):
        it.manager.begin()
    it.wait(500)
    it.call("commit", handle="second")

    assert it.ended[1:] == [("second", None)]
    it.begin("b")


def test_a_transaction_cannot_begin_before_the_end_of_the_last_was_waited_for():
    it = bench()
    it.begin("a").call("commit")

    with pytest.raises(BadInput, match="before the end is known of 'commit_transaction'"):
        it.manager.begin()


# --- Whose turn it is ----------------------------------------------------------------------------


def test_calls_have_their_order():
    it = TransactionalBench()
    with pytest.raises(BadInput, match="it needs READY"):
        it.manager.begin()
    with pytest.raises(BadInput, match="it needs IN_TRANSACTION"):
        it.manager.hand_over("a")
    it.ready()
    with pytest.raises(BadInput, match="it needs UNINITIALIZED"):
        it.manager.initialize("again", it.now_us)
    with pytest.raises(BadInput, match="it needs IN_TRANSACTION"):
        it.manager.commit("commit", it.now_us)
    with pytest.raises(BadInput, match="it needs IN_TRANSACTION"):
        it.manager.abort("abort", it.now_us)
    with pytest.raises(BadInput, match="it needs IN_TRANSACTION"):
        it.manager.send_offsets("offsets", {P0: 1}, GROUP, it.now_us)
    it.begin()
    with pytest.raises(BadInput, match="it needs READY"):
        it.manager.begin()


def test_states_follow_as_in_kafka():
    """isTransitionValid; FATAL_ERROR may follow anything, and nothing follows it."""
    before = {after: set() for after in State}
    for state, following in TRANSITIONS.items():
        for after in following:
            before[after].add(state.value)

    assert before[State.READY] == {
        "INITIALIZING", "COMMITTING_TRANSACTION", "ABORTING_TRANSACTION",
    }
    assert before[State.INITIALIZING] == {
        "UNINITIALIZED", "COMMITTING_TRANSACTION", "ABORTING_TRANSACTION",
    }
    assert before[State.IN_TRANSACTION] == {"READY"}
    assert before[State.COMMITTING_TRANSACTION] == {"IN_TRANSACTION"}
    assert before[State.ABORTING_TRANSACTION] == {"IN_TRANSACTION", "ABORTABLE_ERROR"}
    assert before[State.ABORTABLE_ERROR] == {
        "INITIALIZING", "IN_TRANSACTION", "COMMITTING_TRANSACTION", "ABORTABLE_ERROR",
    }
    assert TRANSITIONS[State.FATAL_ERROR] == ()


def test_a_close_aborts_what_is_open_when_its_records_have_ended():
    it = bench()
    it.begin("a")

    it.machine.close("closed", it.now_us)
    it.carry_out()
    assert it.flushed == []
    it.settle()
    it.wait(1)

    assert it.flushed == ["closed"]
    assert it.told[-1] == ("transaction_ended", "a", "abort", "done", "NONE")
    assert it.read_committed() == []


def test_a_close_without_a_transaction_is_done_at_once():
    it = bench()

    it.machine.close("closed", it.now_us)
    it.carry_out()

    assert it.flushed == ["closed"]


def test_a_close_by_force_asks_nobody():
    it = bench()
    it.begin("a")
    it.asked_for()

    it.machine.close("closed", it.now_us)
    it.machine.abort(it.now_us)
    it.carry_out()

    assert it.flushed == ["closed"]
    assert it.asked_for() == []


def test_a_second_producer_fences_the_first():
    first = bench()
    second = TransactionalBench()
    second.coordinator = first.coordinator
    first.begin("a").settle()

    second.call("initialize")
    second.wait(1_000)
    first.call("commit")
    first.wait(1_000)

    assert calls(second.ended) == [""]
    assert isinstance(first.ended[0][1], ProducerFenced)
    assert first.manager.state is State.FATAL_ERROR
    for call in ("commit", "abort", "initialize"):
        with pytest.raises(ProducerFenced):
            getattr(first.manager, call)(call, first.now_us)
    with pytest.raises(KafkaError):
        first.manager.begin()
