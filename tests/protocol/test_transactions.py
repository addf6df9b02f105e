"""What a transaction coordinator answers in each state, and what it keeps through a crash."""

import attrs
import pytest

from simulator.errors import BadInput
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest
from simulator.protocol.transactions import TransactionCoordinator, refusal, told_to_producer
from simulator.protocol.transactions_facts import (
    COMES_FROM,
    PREPARED,
    TRANSITIONS,
    State,
    TransactionalIdRemoved,
    TransactionMetadata,
    TransactionSettings,
    TransitionCompleted,
)
from tests.transacting import OFFSETS, P0, P1, Transacting

NONE, FENCED = Error.NONE, Error.PRODUCER_FENCED
CONCURRENT, STATE = Error.CONCURRENT_TRANSACTIONS, Error.INVALID_TXN_STATE
EMPTY, ONGOING = State.EMPTY, State.ONGOING
COMMITTING, ABORTING = State.PREPARE_COMMIT, State.PREPARE_ABORT
COMMITTED, ABORTED = State.COMPLETE_COMMIT, State.COMPLETE_ABORT
DAY_MS = 86_400_000


def at(state, version=2, **settings):
    """A coordinator whose id is in that state, and what the producer held before its last EndTxn
    and holds now."""
    log = Transacting(version, **settings)
    before = now = log.identity()
    if state is not EMPTY:
        log.add(now, P0, P1)
    if state not in (EMPTY, ONGOING):
        result = "commit" if state in (COMMITTING, COMMITTED) else "abort"
        answer = log.end(now, result)
        if version == 2:
            now = answer.producer_id, answer.producer_epoch
        if state in (COMMITTED, ABORTED):
            log.write_markers()
    assert log.now.state is state
    return log, before, now


def record_of(state, epoch, **fields):
    """An id as it lies in a log."""
    return TransactionMetadata("a", 5, epoch, 60_000, state, **fields)


def loaded(*facts, version=2):
    """A coordinator that read these facts."""
    log = Transacting(version)
    log.disk = list(facts)
    log.start()
    return log


# --- The tables ----------------------------------------------------------------------------------

END_1 = [  # (state, commit: answer and next state, abort: answer and next state)
    (EMPTY, (STATE, EMPTY), (STATE, EMPTY)),
    (ONGOING, (NONE, COMMITTING), (NONE, ABORTING)),
    (COMMITTING, (CONCURRENT, COMMITTING), (CONCURRENT, COMMITTING)),
    (ABORTING, (CONCURRENT, ABORTING), (CONCURRENT, ABORTING)),
    (COMMITTED, (NONE, COMMITTED), (STATE, COMMITTED)),
    (ABORTED, (STATE, ABORTED), (NONE, ABORTED)),
]


@pytest.mark.parametrize(("state", "commit", "abort"), END_1)
def test_version_1_ends_a_transaction_by_its_state_alone(state, commit, abort):
    for result, (error, after) in (("commit", commit), ("abort", abort)):
        log, _, who = at(state, version=1)

        answer = log.end(who, result)

        assert (answer.error, log.now.state) == (error, after)
        assert (answer.producer_id, answer.producer_epoch) == (-1, -1)


END_2 = [  # As the comment in TransactionCoordinator.scala has it: retry and current, each twice.
    (EMPTY, "commit", FENCED, (STATE, EMPTY)),
    (EMPTY, "abort", FENCED, (NONE, ABORTED)),
    (ONGOING, "commit", FENCED, (NONE, COMMITTING)),
    (ONGOING, "abort", FENCED, (NONE, ABORTING)),
    (COMMITTING, "commit", CONCURRENT, (FENCED, COMMITTING)),
    (COMMITTING, "abort", CONCURRENT, (FENCED, COMMITTING)),
    (ABORTING, "commit", CONCURRENT, (FENCED, ABORTING)),
    (ABORTING, "abort", CONCURRENT, (FENCED, ABORTING)),
    (COMMITTED, "commit", NONE, (STATE, COMMITTED)),
    (COMMITTED, "abort", STATE, (NONE, ABORTED)),
    (ABORTED, "commit", STATE, (STATE, ABORTED)),
    (ABORTED, "abort", NONE, (NONE, ABORTED)),
]


@pytest.mark.parametrize(("state", "result", "retry", "current"), END_2)
def test_version_2_knows_a_retry_by_its_epoch(state, result, retry, current):
    log, _, (producer_id, epoch) = at(state)
    answer = log.end((producer_id, epoch - 1), result)
    assert (answer.error, log.now.state) == (retry, state)
    if answer.error is NONE:
        assert (answer.producer_id, answer.producer_epoch) == (producer_id, epoch)

    log, _, (producer_id, epoch) = at(state)
    answer = log.end((producer_id, epoch), result)
    assert (answer.error, log.now.state) == current
    if answer.error is NONE:
        assert (answer.producer_id, answer.producer_epoch) == (producer_id, epoch + 1)


ADD = [(EMPTY, NONE, ONGOING), (ONGOING, NONE, ONGOING), (COMMITTING, CONCURRENT, COMMITTING),
       (ABORTING, CONCURRENT, ABORTING), (COMMITTED, NONE, ONGOING),
       (ABORTED, NONE, ONGOING)]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("state", "error", "after"), ADD)
def test_a_partition_is_added_where_no_end_is_under_way(version, state, error, after):
    for add in (lambda log, who: log.add(who, P0), Transacting.add_offsets):
        log, _, who = at(state, version)
        assert (add(log, who), log.now.state) == (error, after)


INIT = [(EMPTY, NONE, 1), (ONGOING, CONCURRENT, 3), (COMMITTING, CONCURRENT, 2),
        (ABORTING, CONCURRENT, 2), (COMMITTED, NONE, 2), (ABORTED, NONE, 2)]  # fmt: skip


@pytest.mark.parametrize(("state", "error", "epoch"), INIT)
def test_a_new_producer_gets_the_next_epoch_once_the_last_transaction_is_complete(
    state, error, epoch
):
    """Of an open transaction it fences the producer first, so the epoch rises once for that, once
    for the abort, and once for the new producer."""
    log, _, (producer_id, _) = at(state)

    assert log.init().error is error
    while log.markers:
        log.write_markers()

    if error is NONE:
        assert (log.now.producer_epoch, log.now.state) == (epoch, EMPTY)
    else:
        assert log.identity() == (producer_id, epoch)


def test_version_1_fences_with_one_epoch_less():
    log, _, (producer_id, _) = at(ONGOING, version=1)

    assert log.init().error is CONCURRENT
    log.write_markers()

    assert log.identity() == (producer_id, 2)


def test_every_transition_is_one_that_kafka_allows():
    """Both forms of the state table agree, and no state but PrepareEpochFence is out of reach."""
    for (before, _), after in TRANSITIONS.items():
        assert all(before in COMES_FROM[one] for one in after)
    reached = {one for after in TRANSITIONS.values() for one in after}
    assert set(State) - reached == {State.PREPARE_EPOCH_FENCE}


# --- Who is who ----------------------------------------------------------------------------------


def test_a_wrong_timeout_or_name_is_refused():
    log = Transacting(transaction_max_timeout_ms=1_000)

    for timeout_ms in (0, -1, 1_001):
        assert log.init(timeout_ms=timeout_ms).error is Error.INVALID_TRANSACTION_TIMEOUT
    assert log.init(timeout_ms=1_000, name="").error is Error.INVALID_REQUEST
    assert log.add((1, 1), P0, name="") is Error.INVALID_REQUEST
    assert log.end((1, 1), "commit", name="").error is Error.INVALID_REQUEST
    assert log.disk == []


def test_a_stranger_and_a_fenced_producer_are_told_apart():
    log, _, (producer_id, epoch) = at(ONGOING)

    for who, error in (
        ((producer_id + 1, epoch), Error.INVALID_PRODUCER_ID_MAPPING),
        ((producer_id, epoch + 1), FENCED),
    ):
        assert log.add(who, P0) is error
        assert log.add_offsets(who) is error
        assert log.verify(who, P0) == [error]
        assert log.end(who, "commit").error is error
    assert log.add((producer_id, epoch), P0, name="b") is Error.INVALID_PRODUCER_ID_MAPPING
    assert log.end((producer_id, epoch), "abort", name="b").error is (
        Error.INVALID_PRODUCER_ID_MAPPING
    )
    assert log.verify((producer_id, epoch), P0, name="b") == [Error.INVALID_PRODUCER_ID_MAPPING]


@pytest.mark.parametrize("version", [1, 2])
def test_who_is_initialized_later_fences_who_came_before(version):
    log = Transacting(version)
    zombie = log.identity()
    successor = log.identity()

    assert log.init(zombie).error is FENCED
    assert log.add(zombie, P0) is FENCED
    assert log.add(successor, P0) is NONE
    assert log.end(zombie, "commit").error is FENCED
    assert log.end(zombie, "abort").error is FENCED


@pytest.mark.parametrize("version", [1, 2])
def test_a_zombie_that_asks_for_the_next_epoch_aborts_what_its_successor_has_open(version):
    """As in Kafka: of an open transaction only the producer id that is expected is looked at. The
    zombie gets nothing by it, but its successor is fenced."""
    log = Transacting(version)
    zombie, successor = log.identity(), log.identity()
    log.add(successor, P0)

    assert log.init(zombie).error is CONCURRENT
    log.write_markers()

    assert log.init(zombie).error is FENCED
    assert log.end(successor, "commit").error is FENCED


def test_a_producer_that_failed_goes_on_with_the_next_epoch():
    log = Transacting()
    producer_id, epoch = log.identity()

    assert log.identity((producer_id, epoch)) == (producer_id, epoch + 1)


def test_a_bump_that_is_asked_for_again_bumps_once():
    """The answer was lost: the same expected epoch leads to the same new one (KIP-360)."""
    log = Transacting()
    producer_id, epoch = log.identity()
    bumped = log.identity((producer_id, epoch))

    assert log.identity((producer_id, epoch)) == bumped
    assert log.add(bumped, P0) is NONE


def test_a_bump_is_not_a_retry_once_somebody_else_has_come():
    log = Transacting()
    first = log.identity()
    log.identity(first)
    log.identity()

    assert log.init(first).error is FENCED


def test_a_new_coordinator_takes_the_retry_of_a_bump_for_a_zombie():
    """The last epoch is not in the log."""
    log = Transacting()
    first = log.identity()
    log.identity(first)
    log.start()

    assert log.init(first).error is FENCED


def test_a_producer_without_transaction_that_lost_its_answer_finds_its_epoch_again():
    """Version 2: EndTxn bumped from the epoch that the producer still holds."""
    log = Transacting()
    first = log.identity()
    log.add(first, P0)
    second = log.finish(first, "commit")

    assert log.identity(first) == second


def test_a_first_producer_may_expect_anything():
    assert Transacting().identity((77, 3))[1] == 0


def test_no_producer_id_no_answer():
    """A coordinator without producer ids answers that it is not ready yet."""
    log = Transacting()
    log.grant(1)
    assert log.machine.producer_ids_left == 1
    log.identity()

    assert log.init(name="b").error is Error.COORDINATOR_LOAD_IN_PROGRESS
    assert log.machine.transactional_ids == ("a",)
    log.grant(2)
    assert log.init(name="b").error is NONE


# --- Epochs run out ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_the_last_epoch_leads_to_a_new_producer_id(version):
    log = loaded(record_of(EMPTY, 32_766), version=version)

    producer_id, epoch = log.identity()

    assert (producer_id != 5, epoch) == (True, 0)


def test_a_retry_finds_the_new_producer_id():
    log = loaded(record_of(EMPTY, 32_766))

    rotated = log.identity((5, 32_766))

    assert log.identity((5, 32_766)) == rotated
    assert log.init((5, 32_765)).error is FENCED


def test_a_retry_of_the_last_bump_is_lost():
    """Kafka looks at what is left before it looks at what was asked for."""
    log = loaded(record_of(EMPTY, 32_765))
    log.identity((5, 32_765))

    assert log.init((5, 32_765)).error is Error.UNKNOWN_SERVER_ERROR


@pytest.mark.parametrize("result", ["commit", "abort"])
def test_version_2_ends_the_last_epoch_with_a_new_producer_id(result):
    """The markers carry the last epoch of all, of the old producer id."""
    log = loaded(record_of(ONGOING, 32_766, partitions=(P0,), start_us=0))

    answer = log.end((5, 32_766), result)

    assert (answer.error, answer.producer_id != 5, answer.producer_epoch) == (NONE, True, 0)
    ((sent),) = log.markers
    assert sent.marker[:3] == (5, 32_767, result)
    assert log.end((5, 32_766), result).error is CONCURRENT
    log.write_markers()
    assert log.end((5, 32_766), result) == answer
    assert log.add((answer.producer_id, 0), P0) is NONE


@pytest.mark.parametrize("version", [1, 2])
def test_the_last_epoch_can_be_fenced(version):
    log = loaded(record_of(ONGOING, 32_766, partitions=(P0,), start_us=0), version=version)

    assert log.init().error is CONCURRENT
    assert log.markers[0].marker.producer_epoch == 32_767
    log.write_markers()

    assert log.identity()[1] == 0
    assert log.now.producer_id != 5


# --- Partitions ----------------------------------------------------------------------------------


def test_partitions_add_up_and_none_is_written_twice():
    log = Transacting()
    who = log.identity()

    assert log.add(who, P0) is NONE
    assert log.add(who, P1, P0) is NONE
    assert log.add_offsets(who) is NONE
    assert log.now.partitions == (P0, P1, OFFSETS)

    written = len(log.disk)
    assert log.add(who, P1) is NONE
    assert log.add_offsets(who) is NONE
    assert len(log.disk) == written


def test_a_transaction_begins_with_its_first_partition():
    log = Transacting()
    who = log.identity()
    log.wait(5)
    log.add(who, P0)
    log.wait(5)
    log.add(who, P1)

    assert (log.now.start_us, log.now.update_us) == (5_000, 10_000)


def test_a_partition_is_verified_while_its_transaction_is_open():
    log, before, _ = at(ONGOING)
    assert log.verify(before, P0, OFFSETS) == [NONE, Error.TRANSACTION_ABORTABLE]

    answer = log.end(before, "commit")
    after = answer.producer_id, answer.producer_epoch
    assert log.verify(before, P0) == [FENCED]
    assert log.verify(after, P0) == [CONCURRENT]
    log.write_markers()
    assert log.verify(after, P0) == [Error.TRANSACTION_ABORTABLE]


def test_under_version_1_a_late_question_is_answered_by_the_next_transaction():
    """Verification alone cannot tell the late batch of one transaction from the next one's."""
    log, who, _ = at(ONGOING, version=1)
    log.finish(who, "abort")
    assert log.verify(who, P0) == [Error.TRANSACTION_ABORTABLE]

    log.add(who, P0)
    assert log.verify(who, P0) == [NONE]


def test_what_a_leader_is_told_reaches_the_producer_in_its_words():
    assert told_to_producer(FENCED) is Error.INVALID_PRODUCER_EPOCH
    assert told_to_producer(Error.TRANSACTION_ABORTABLE) is Error.TRANSACTION_ABORTABLE
    assert told_to_producer(Error.NOT_COORDINATOR) is Error.NOT_ENOUGH_REPLICAS
    assert told_to_producer(CONCURRENT) is CONCURRENT
    assert told_to_producer(CONCURRENT, version=1) is Error.NOT_ENOUGH_REPLICAS


# --- The log -------------------------------------------------------------------------------------


def test_nothing_counts_before_it_is_durable():
    log = Transacting(at_once=False)
    assert log.init() is None
    assert log.now is None
    assert log.init().error is CONCURRENT
    log.make_durable()
    who = log.now.producer_id, 0

    assert log.add(who, P0) is None
    assert log.now.state is EMPTY
    assert log.verify(who, P0) == [Error.TRANSACTION_ABORTABLE]
    assert log.add(who, P0) is CONCURRENT
    assert log.end(who, "commit").error is CONCURRENT
    log.make_durable()
    assert log.verify(who, P0) == [NONE]

    assert log.end(who, "commit") is None
    assert log.markers == []
    log.make_durable()
    assert [sent.marker.result for sent in log.markers] == ["commit"]
    log.write_markers()
    assert log.now.state is COMMITTING
    log.make_durable()
    assert log.now.state is COMMITTED


def test_a_producer_is_answered_before_any_marker_is_written():
    log, who, _ = at(ONGOING)

    assert log.end(who, "commit").error is NONE
    assert log.written == []
    assert log.machine.awaiting("a") == (P0, P1)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("state", [EMPTY, ONGOING, COMMITTED, ABORTED])
def test_a_new_coordinator_knows_what_the_old_one_did(state, version):
    log, _, who = at(state, version)
    before = log.machine.hard_state()

    log.start()

    assert log.machine.hard_state() == before
    assert log.now.state is state
    assert log.add(who, P0) is NONE


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("state", [COMMITTING, ABORTING])
def test_a_new_coordinator_finishes_what_was_decided(state, version):
    """It sends all markers again, in its own epoch; duplicates are harmless."""
    log, _, who = at(state, version)
    log.write_markers(only=P0)
    log.start()

    complete, result = PREPARED[state]
    ((sent),) = log.markers
    assert sent.marker == (*who, result, (P0, P1), 1)
    log.write_markers()
    assert log.now.state is complete


def test_what_was_not_durable_is_undone_and_was_not_answered():
    log, who, _ = at(ONGOING)
    log.at_once = False
    assert log.end(who, "commit") is None

    log.start(losing=True)

    assert (log.answers, log.now.state) == ([], ONGOING)
    log.at_once = True
    assert log.end(who, "abort").error is NONE


def test_what_was_written_but_not_answered_is_found_by_the_retry():
    """The epoch tells a producer that its commit was applied, whoever answers."""
    log, who, _ = at(ONGOING)
    log.at_once = False
    assert log.end(who, "commit") is None
    log.start()
    log.at_once = True

    assert log.end(who, "commit").error is CONCURRENT
    log.write_markers()
    log.make_durable()
    assert log.end(who, "commit").error is NONE


def test_a_prepared_transaction_without_partitions_completes_when_it_is_found():
    log = loaded(record_of(ABORTING, 3, start_us=0))

    assert log.now.state is ABORTED


def test_a_compacted_log_leads_to_the_same_coordinator():
    log, _, _ = at(COMMITTED)
    log.identity(name="b")
    before = log.machine.hard_state()
    log.disk = list(before)
    log.start()

    assert log.machine.hard_state() == before
    assert [one.transactional_id for one in before] == ["a", "b"]


# --- Markers -------------------------------------------------------------------------------------


def test_markers_are_sent_again_until_they_are_written():
    log, _, _ = at(COMMITTING)

    log.write_markers(Error.NOT_LEADER_OR_FOLLOWER, only=P1)
    log.write_markers(only=P0)
    assert (log.now.state, log.machine.awaiting("a")) == (COMMITTING, (P1,))
    del log.markers[:]
    log.wait(99)
    assert log.markers == []
    log.wait(1)
    ((sent),) = log.markers
    assert sent.marker.partitions == (P1,)
    log.write_markers(Error.NETWORK_EXCEPTION)
    log.wait(100)
    log.write_markers()

    assert log.now.state is COMMITTED


def test_a_partition_that_is_gone_needs_no_marker():
    log, _, _ = at(ABORTING)

    log.write_markers(None)

    assert log.now.state is ABORTED


@pytest.mark.parametrize(
    "error", [Error.INVALID_PRODUCER_EPOCH, Error.TRANSACTION_COORDINATOR_FENCED]
)
def test_who_is_fenced_sends_no_more_markers(error):
    """Only another coordinator goes on."""
    log, _, _ = at(COMMITTING)
    log.write_markers(Error.NOT_LEADER_OR_FOLLOWER, only=P0)
    log.write_markers(error, only=P1)
    log.wait(1_000)

    assert (log.machine.awaiting("a"), log.now.state) == ((P0, P1), COMMITTING)
    assert log.init().error is CONCURRENT


def test_an_answer_to_another_marker_changes_nothing():
    log, _, _ = at(COMMITTING)
    sent = log.markers[0]
    old = attrs.evolve(sent, marker=sent.marker._replace(coordinator_epoch=7))
    log.markers.insert(0, old)

    log.write_markers()

    assert log.machine.awaiting("a") == (P0, P1)


# --- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "epoch"), [(1, 1), (2, 2)])
def test_a_transaction_that_is_open_too_long_is_aborted_and_its_producer_fenced(version, epoch):
    """At the first scan after its time is over: every 10 s."""
    log = Transacting(version)
    who = log.identity(timeout_ms=15_000)
    log.wait(1_000)
    log.add(who, P0)
    log.wait(18_999)
    assert (log.now.state, log.markers) == (ONGOING, [])
    log.wait(1)

    assert log.now.state is ABORTING
    assert log.markers[0].marker[:3] == (who[0], epoch, "abort")
    log.write_markers()
    assert log.end(who, "commit").error is FENCED
    assert log.init(who).error is FENCED


def test_a_transaction_may_last_exactly_its_timeout_and_is_not_prolonged():
    log = Transacting()
    who = log.identity(timeout_ms=10_000)
    log.add(who, P0)
    log.wait(9_999)
    log.add(who, P1)
    log.wait(1)
    assert log.now.state is ONGOING
    log.wait(10_000)
    assert log.now.state is ABORTING


def test_what_is_decided_has_no_timeout():
    log, _, _ = at(COMMITTING)

    log.wait(DAY_MS)

    assert log.now.state is COMMITTING


def test_nothing_is_looked_for_where_nothing_is_open():
    log, _, _ = at(ONGOING)
    assert len(log.timers) == 2
    log.wait(100_000)
    log.write_markers()

    assert log.now.state is ABORTED
    assert len(log.timers) == 1


def test_a_new_coordinator_looks_for_what_is_open_too_long():
    log, _, _ = at(ONGOING)
    log.start()

    log.wait(70_000)

    assert log.now.state is ABORTING


def test_an_id_that_nobody_used_for_a_week_is_forgotten():
    log, _, who = at(COMMITTED)
    log.wait(7 * DAY_MS - 1)
    assert log.machine.transactional_ids == ("a",)
    log.wait(3_600_000)

    assert log.machine.transactional_ids == ()
    assert log.disk[-1] == TransactionalIdRemoved("a")
    assert log.add(who, P0) is Error.INVALID_PRODUCER_ID_MAPPING
    assert log.identity()[0] != who[0]
    log.start()
    assert log.machine.transactional_ids == ("a",)


@pytest.mark.parametrize("state", [COMMITTING, ABORTING])
def test_an_id_with_a_transaction_that_is_not_complete_is_not_forgotten(state):
    log, _, _ = at(state)

    log.wait(8 * DAY_MS)

    assert log.now.state is state


def test_an_id_that_is_being_forgotten_is_busy():
    log, _, who = at(EMPTY)
    log.at_once = False
    log.wait(8 * DAY_MS)

    assert log.add(who, P0) is CONCURRENT
    assert log.init().error is CONCURRENT
    log.make_durable()
    assert log.machine.transactional_ids == ()


# --- What it is told, and tells ------------------------------------------------------------------


def test_its_facts_tell_every_change_of_state():
    log, who, _ = at(ONGOING)
    log.finish(who, "commit")

    told = [(one.before, one.after, one.on.__name__) for one in log.facts
            if isinstance(one, TransitionCompleted)]  # fmt: skip
    assert told == [
        (EMPTY, EMPTY, "InitProducerIdRequest"),
        (EMPTY, ONGOING, "AddPartitionsToTxnRequest"),
        (ONGOING, COMMITTING, "EndTxnRequest"),
        (COMMITTING, COMMITTED, "MarkersAnswered"),
    ]


def test_a_refusal_has_the_shape_of_its_answer():
    error = Error.NOT_COORDINATOR
    assert refusal(InitProducerIdRequest("a"), error).error is error
    asked = AddPartitionsToTxnRequest("a", 1, 1, (P0, P1))
    assert refusal(asked, error).results == ((P0, error), (P1, error))
    assert refusal(AddOffsetsToTxnRequest("a", 1, 1, "g"), error).error is error
    assert refusal(EndTxnRequest("a", 1, 1, "commit"), error).error is error


def test_settings_have_kafkas_names():
    given = {"transaction.max.timeout.ms": 5, "transactional.id.expiration.ms": 6}
    parsed = TransactionSettings.parse(given)

    assert parsed.transaction_max_timeout_ms == 5
    assert parsed.transaction_abort_timed_out_transaction_cleanup_interval_ms == 10_000
    with pytest.raises(BadInput, match="KIP-939"):
        TransactionSettings.parse({"transaction.two.phase.commit.enable": True})
    with pytest.raises(BadInput, match="version"):
        TransactionCoordinator(lambda _: OFFSETS, version=3)
