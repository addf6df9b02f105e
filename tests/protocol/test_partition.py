"""One partition's log, as ledgers: what is appended, what is answered, what is read."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.machine import Request
from simulator.protocol.messages import EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, FetchPartition
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import LogConfig, Partition
from simulator.protocol.records import Batch, Record, batch_bytes

HERE = TopicPartition("orders", 0)
EVERYTHING = 1_000_000


def made(journal=None, **config):
    return Partition(HERE, Journal() if journal is None else journal, LogConfig(**config))


def batch(count=1, pid=-1, epoch=0, seq=0, **fields):
    records = tuple(Record("k", "v" * 10, f"e{number}") for number in range(count))
    if pid >= 0:
        fields = {"producer_id": pid, "producer_epoch": epoch, "base_sequence": seq} | fields
    return Batch(records, **fields)


def marker(control, pid, epoch=0, coordinator_epoch=0):
    return Batch((), producer_id=pid, producer_epoch=epoch, control=control,
                 coordinator_epoch=coordinator_epoch)


def append(partition, one, now_us=0, **how):
    """Decide and apply: (error, base offset, whether something was written)."""
    fact, answer = partition.decide_append(one, now_us, **how)
    if fact is not None:
        partition.apply(fact)
    return answer.error.name, answer.base_offset, fact is not None


def bases(fetched):
    return [one.base_offset for one in fetched.batches]


# --- Appending -------------------------------------------------------------------------------


def test_the_leader_assigns_offsets_epoch_and_time():
    partition = Partition(HERE, Journal(), leader_epoch=7)
    partition.apply(partition.decide_append(batch(3), 11)[0])
    fact, _ = partition.decide_append(batch(2), 12)

    assert (fact.base_offset, fact.leader_epoch, fact.append_time_us) == (3, 7, 12)


def test_deciding_changes_nothing():
    partition = made()
    append(partition, batch(pid=1))
    before = partition.log.hard_state()

    assert partition.decide_append(batch(pid=1, seq=1), 5) == partition.decide_append(
        batch(pid=1, seq=1), 5
    )
    assert partition.log.hard_state() == before
    assert len(partition.log.journal) == 1


def test_a_request_is_answered_with_the_step_that_writes_it():
    partition = made()
    step = partition.decide(Request(5, batch(2)), 0)
    (reply,) = step.effects

    assert [fact.base_offset for fact in step.facts] == [0]
    assert (reply.to, reply.body.error, reply.body.base_offset) == (5, Error.NONE, 0)


def test_a_fetch_request_is_answered_with_what_is_there():
    partition = made()
    append(partition, batch(2))
    step = partition.decide(Request(6, FetchPartition(HERE, 0, EVERYTHING)), 0)

    assert not step.facts
    assert bases(step.effects[0].body) == [0]


def test_a_retry_is_answered_with_its_first_offset():
    partition = made()
    append(partition, batch(2, pid=1, seq=0))
    append(partition, batch(1, pid=2, seq=0))

    assert append(partition, batch(2, pid=1, seq=0)) == ("NONE", 0, False)


def test_a_retry_without_a_producer_id_is_appended_twice():
    partition = made()
    append(partition, batch(2))

    assert append(partition, batch(2)) == ("NONE", 2, True)


def test_the_last_five_batches_are_remembered_and_no_more():
    partition = made()
    for seq in range(6):
        append(partition, batch(pid=1, seq=seq))
    known = [append(partition, batch(pid=1, seq=seq)) for seq in range(6)]

    assert known[0] == ("OUT_OF_ORDER_SEQUENCE_NUMBER", -1, False)
    assert known[1:] == [("NONE", seq, False) for seq in range(1, 6)]


def test_a_sequence_that_skips_is_out_of_order():
    partition = made()
    append(partition, batch(pid=1, seq=0))

    assert append(partition, batch(pid=1, seq=2))[0] == "OUT_OF_ORDER_SEQUENCE_NUMBER"


def test_after_the_largest_sequence_comes_zero():
    partition = made()
    append(partition, batch(3, pid=1, seq=2**31 - 2))

    assert partition.producers[1].last_sequence == 0
    assert append(partition, batch(pid=1, seq=1)) == ("NONE", 3, True)


def test_a_higher_epoch_begins_at_zero():
    partition = made()
    append(partition, batch(pid=1, epoch=0, seq=0))

    assert append(partition, batch(pid=1, epoch=1, seq=1))[0] == "OUT_OF_ORDER_SEQUENCE_NUMBER"
    assert append(partition, batch(pid=1, epoch=1, seq=0)) == ("NONE", 1, True)
    assert append(partition, batch(pid=1, epoch=0, seq=1))[0] == "INVALID_PRODUCER_EPOCH"


def test_a_coordinator_writes_without_sequences_but_not_with_an_old_epoch():
    partition = made()
    append(partition, batch(pid=1, epoch=3, seq=0))

    assert append(partition, batch(pid=1, epoch=3, seq=9), origin="coordinator")[2]
    old = append(partition, batch(pid=1, epoch=2, seq=0), origin="coordinator")
    assert old[0] == "INVALID_PRODUCER_EPOCH"


def test_a_batch_over_the_limit_is_too_large():
    size = batch_bytes(batch(2))

    assert append(made(max_message_bytes=size), batch(2))[0] == "NONE"
    assert append(made(max_message_bytes=size - 1), batch(2))[0] == "MESSAGE_TOO_LARGE"
    assert append(made(segment_bytes=size - 1), batch(2))[0] == "RECORD_LIST_TOO_LARGE"


def test_headers_count_towards_the_size():
    heavy = Batch((Record("k", "ключ", "e", headers=(("trace", b"x" * 100),)),))
    size = batch_bytes(heavy)

    assert append(made(max_message_bytes=size), heavy)[0] == "NONE"
    assert append(made(max_message_bytes=size - 1), heavy)[0] == "MESSAGE_TOO_LARGE"


def test_a_compacted_topic_refuses_a_batch_with_one_record_without_key():
    keyless = Batch((Record("k", "v", "e"), Record(None, "v", "f")))

    assert append(made(cleanup_policy="compact,delete"), keyless)[0] == "INVALID_RECORD"
    assert append(made(), keyless)[0] == "NONE"


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_message_bytes", 0), ("cleanup_policy", "keep"), ("segment_bytes", 1.5)],
)
def test_a_setting_out_of_bounds_is_refused(name, value):
    with pytest.raises(BadInput, match=name.replace("_", ".")):
        made(**{name: value})


# --- Transactions ----------------------------------------------------------------------------


def test_read_committed_stops_at_the_first_open_transaction():
    partition = made()
    append(partition, batch())
    append(partition, batch(pid=1, transactional=True))
    append(partition, batch())

    assert partition.last_stable_offset == 1
    assert bases(partition.read(0, EVERYTHING)) == [0, 1, 2]
    assert bases(partition.read(0, EVERYTHING, "read_committed")) == [0]
    append(partition, marker("commit", 1))
    assert bases(partition.read(0, EVERYTHING, "read_committed")) == [0, 1, 2, 3]


def test_an_aborted_transaction_is_named_to_who_reads_its_data():
    partition = made()
    append(partition, batch(2, pid=1, transactional=True))
    append(partition, marker("abort", 1))
    append(partition, batch())

    assert partition.read(0, EVERYTHING, "read_committed").aborted == ((1, 0),)
    assert partition.read(3, EVERYTHING, "read_committed").aborted == ()
    assert partition.read(0, EVERYTHING).aborted == ()


def test_a_transaction_that_was_not_verified_is_not_opened():
    partition = made()
    opening = batch(pid=1, transactional=True)

    assert append(partition, opening, verified=False)[0] == "INVALID_TXN_STATE"
    assert append(partition, opening)[0] == "NONE"
    going_on = batch(pid=1, seq=1, transactional=True)
    assert append(partition, going_on, verified=False)[0] == "NONE"


def test_a_marker_of_an_old_coordinator_is_fenced():
    partition = made()
    append(partition, marker("commit", 1, coordinator_epoch=2))

    old = append(partition, marker("commit", 1, coordinator_epoch=1))
    assert old[0] == "TRANSACTION_COORDINATOR_FENCED"


def test_an_ended_transaction_is_unstable_until_its_marker_is_replicated():
    partition = Partition(HERE, Journal(), alone=False)
    append(partition, batch(pid=1, transactional=True))
    append(partition, marker("commit", 1))
    partition.advance_high_watermark(1)
    assert (partition.first_unstable_offset, partition.last_stable_offset) == (0, 0)

    partition.advance_high_watermark(2)
    assert (partition.first_unstable_offset, partition.last_stable_offset) == (None, 2)


# --- Reading ---------------------------------------------------------------------------------


def test_a_reader_gets_whole_batches_from_the_one_that_holds_its_offset():
    partition = made()
    for _ in range(4):
        append(partition, batch(5))

    assert bases(partition.read(7, EVERYTHING)) == [5, 10, 15]
    assert bases(partition.read(20, EVERYTHING)) == []


def test_max_bytes_bounds_an_answer_that_holds_at_least_one_batch():
    partition = made()
    size = batch_bytes(batch(5))
    for _ in range(300):
        append(partition, batch(5))

    assert bases(partition.read(7, 1)) == [5]
    assert bases(partition.read(5, 2 * size)) == [5, 10]
    assert bases(partition.read(5, 3 * size - 1)) == [5, 10]
    assert len(bases(partition.read(0, 200 * size))) == 200


def test_the_size_of_what_was_read_is_known_from_the_index():
    partition = made()
    for count in (1, 3, 2):
        append(partition, batch(count))
    read = partition.read(1, EVERYTHING).batches

    assert partition.bytes_of(read) == sum(map(batch_bytes, read))
    assert partition.bytes_of(()) == 0


def test_an_offset_outside_of_the_log_is_out_of_range():
    partition = made()
    for _ in range(3):
        append(partition, batch())
    partition.delete_records(2)

    assert partition.read(1, EVERYTHING).error is Error.OFFSET_OUT_OF_RANGE
    assert partition.read(1, EVERYTHING).log_start_offset == 2
    assert partition.read(2, EVERYTHING).error is Error.NONE
    assert partition.read(3, EVERYTHING).error is Error.NONE
    assert partition.read(4, EVERYTHING).error is Error.OFFSET_OUT_OF_RANGE


def test_consumers_read_to_the_high_watermark_and_followers_to_the_end():
    partition = Partition(HERE, Journal(), alone=False)
    for _ in range(3):
        append(partition, batch(2))
    assert bases(partition.read(0, EVERYTHING)) == []

    assert partition.advance_high_watermark(4)
    assert not partition.advance_high_watermark(2)
    assert bases(partition.read(0, EVERYTHING)) == [0, 2]
    assert bases(partition.read(0, EVERYTHING, "follower")) == [0, 2, 4]


def test_a_reader_goes_on_where_it_stopped_after_a_truncation_too():
    """What is remembered of readers' positions must not outlive the batches."""
    partition = made()
    for _ in range(4):
        append(partition, batch(2))
    partition.read(0, 1)
    partition.truncate_to(2)
    append(partition, batch(1))
    append(partition, batch(1))

    assert bases(partition.read(2, EVERYTHING)) == [2, 3]
    assert bases(partition.read(3, EVERYTHING)) == [3]


def test_in_a_hole_a_reader_gets_the_next_batch():
    partition = made()
    partition.follower_append(batch()._replace(base_offset=3))
    partition.follower_append(batch()._replace(base_offset=9))

    assert bases(partition.read(0, 1)) == [3]
    assert bases(partition.read(5, 1)) == [9]


def test_a_time_is_found_by_offset_order():
    partition = made()
    for at_ms in (10, 30, 20, 40):
        append(partition, Batch((Record("k", "v", "e", at_ms * 1_000),)))

    found = [partition.list_offset(at_ms) for at_ms in (0, 11, 30, 31, 41)]
    assert [one.offset for one in found] == [0, 1, 1, 3, -1]
    assert found[1].timestamp_ms == 30


def test_the_ends_of_a_log_are_listed_by_isolation():
    partition = made()
    append(partition, batch())
    append(partition, batch(pid=1, transactional=True))

    assert partition.list_offset(EARLIEST_TIMESTAMP).offset == 0
    assert partition.list_offset(LATEST_TIMESTAMP).offset == 2
    assert partition.list_offset(LATEST_TIMESTAMP, "read_committed").offset == 1


# --- Both ends -------------------------------------------------------------------------------


def test_deleting_beyond_the_high_watermark_is_out_of_range():
    partition = made()
    append(partition, batch(3))

    assert partition.delete_records(4) is Error.OFFSET_OUT_OF_RANGE
    assert partition.delete_records(-1) is Error.NONE
    assert partition.log_start_offset == 3


def test_only_whole_segments_leave_the_disk():
    partition = made(segment_bytes=2 * batch_bytes(batch(2)))
    for _ in range(6):
        append(partition, batch(2))
    partition.delete_records(6)

    assert [one.base_offset for one in partition.log.journal.facts] == [4, 6, 8, 10]
    assert bases(partition.read(6, EVERYTHING)) == [6, 8, 10]
    assert partition.list_offset(EARLIEST_TIMESTAMP).offset == 6


def test_a_truncation_cuts_whole_batches_and_takes_back_what_they_taught():
    partition = made()
    append(partition, batch(2, pid=1, seq=0, transactional=True))
    append(partition, batch(2, pid=1, seq=2, transactional=True))
    append(partition, marker("commit", 1))
    assert partition.first_unstable_offset is None

    assert not partition.truncate_to(5)
    assert partition.truncate_to(4)
    assert partition.first_unstable_offset == 0
    assert partition.truncate_to(3)
    assert (partition.log_end_offset, len(partition.log.journal)) == (3, 1)
    assert partition.producers[1].last_sequence == 1


def test_a_log_may_start_over_at_any_offset():
    partition = made()
    append(partition, batch(3, pid=1))
    partition.truncate_fully_and_start_at(100)

    assert (partition.log_start_offset, partition.log_end_offset) == (100, 100)
    assert append(partition, batch()) == ("NONE", 100, True)
    assert not partition.producers


def test_an_empty_log_that_started_over_keeps_its_place_through_a_restart():
    journal = Journal()
    made(journal).truncate_fully_and_start_at(100)

    assert append(made(journal), batch()) == ("NONE", 100, True)


# --- Restarts --------------------------------------------------------------------------------


def test_an_unclean_restart_remembers_five_batches_and_a_clean_one_the_last():
    journal = Journal()
    partition = made(journal)
    for seq in range(5):
        append(partition, batch(pid=1, seq=seq))

    assert append(made(journal), batch(pid=1, seq=0)) == ("NONE", 0, False)
    partition.close()
    again = made(journal)
    assert append(again, batch(pid=1, seq=4)) == ("NONE", 4, False)
    assert append(again, batch(pid=1, seq=0))[0] == "OUT_OF_ORDER_SEQUENCE_NUMBER"


def test_a_power_loss_takes_the_unflushed_batches_and_their_sequences():
    journal = Journal()
    partition = made(journal)
    append(partition, batch(pid=1, seq=0))
    journal.flush()
    append(partition, batch(pid=1, seq=1))
    journal.lose_power(torn=True)
    again = made(journal)

    assert again.log_end_offset == again.high_watermark == 1
    assert append(again, batch(pid=1, seq=1)) == ("NONE", 1, True)
    assert bases(again.read(0, EVERYTHING)) == [0, 1]


def test_a_lost_disk_is_an_empty_log():
    journal = Journal()
    append(made(journal), batch(pid=1, seq=0))
    journal.lose_disk()

    assert append(made(journal), batch(pid=1, seq=7)) == ("NONE", 0, True)


def test_a_restart_reads_no_more_than_the_batches_since_the_last_snapshot(monkeypatch):
    journal = Journal()
    partition = made(journal, window_every_batches=10)
    for seq in range(95):
        append(partition, batch(pid=1, seq=seq))
    read = []
    monkeypatch.setattr(
        "simulator.protocol.log.measure", lambda *given: read.append(given) or (0, 0)
    )
    again = made(journal, window_every_batches=10)

    assert len(read) == 5
    assert again.log.producers[1].last_sequence == 94


def test_our_own_snapshots_change_nothing_but_the_time_of_a_restart():
    """With Kafka's roll snapshot before them, too, of which only the newest batch counts."""
    twins = []
    for every in (1, 1_000_000):
        journal = Journal()
        config = {"segment_bytes": 4 * batch_bytes(batch(1)), "window_every_batches": every}
        partition = made(journal, **config)
        for seq in range(6):
            append(partition, batch(pid=1, seq=seq))
        append(partition, batch(pid=2, seq=0))
        twins.append(made(journal, **config))

    assert twins[0].producers == twins[1].producers
    assert [one[0] for one in twins[0].producers[1].batches] == [3, 4, 5]


def test_a_deleted_past_is_not_read_again():
    journal = Journal()
    config = {"segment_bytes": 2 * batch_bytes(batch(1))}
    partition = made(journal, **config)
    for seq in range(6):
        append(partition, batch(pid=1, seq=seq))
    partition.delete_records(5)
    again = made(journal, **config)

    assert (again.log_start_offset, again.log_end_offset) == (5, 6)
    assert again.read(4, EVERYTHING).error is Error.OFFSET_OUT_OF_RANGE


def test_a_power_loss_below_the_log_start_leaves_an_empty_log_there():
    journal = Journal()
    partition = made(journal)
    append(partition, batch(3))
    partition.delete_records(3)
    journal.lose_power()

    assert append(made(journal), batch()) == ("NONE", 3, True)


def test_an_idle_producer_is_forgotten_unless_its_transaction_is_open():
    partition = made(producer_id_expiration_ms=10)
    append(partition, batch(pid=1), now_us=0)
    append(partition, batch(pid=2, transactional=True), now_us=0)

    assert partition.expire_producers(9_999) == []
    assert partition.expire_producers(10_000) == [1]
    assert append(partition, batch(pid=1, seq=55))[0] == "NONE"
