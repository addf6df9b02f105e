"""Whatever a power loss takes, a log loads: small files beside it may be newer than it is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.cleaned import CLEANED_TO
from simulator.protocol.cleaner import decide_cleaning
from simulator.protocol.leader_epochs import LEADER_EPOCHS
from simulator.protocol.log import LOG_START
from simulator.protocol.records import Batch, Record
from simulator.protocol.replication import Replica
from simulator.protocol.replication_facts import HIGH_WATERMARK
from tests.kept import KeptLog

STEPS = ("append", "append", "append", "roll", "retain", "delete", "clean", "truncate", "flush")


def checkpointed(kept):
    """Write what brokers write beside a log, as of now."""
    kept.journal.checkpoints[HIGH_WATERMARK] = kept.log.high_watermark
    start = kept.log.log_start_offset
    kept.journal.checkpoints[LEADER_EPOCHS] = ((1, start), (2, kept.log.log_end_offset))


def do(kept, step, number):
    """One thing that happens to a log."""
    kept.now_ms += 400
    if step == "append":
        kept.append((f"k{number % 3}", "v"), (f"k{number % 5}", None))
        kept.commit_to()
    elif step == "roll":
        kept.roll()
    elif step == "retain":
        kept.retain()
    elif step == "delete":
        kept.partition.delete_records((kept.log.log_start_offset + kept.log.log_end_offset) // 2)
    elif step == "clean":
        kept.clean()
    elif step == "truncate":
        kept.partition.truncate_to(max(kept.log.log_start_offset, kept.log.log_end_offset - 3))
    else:
        kept.journal.flush()
    checkpointed(kept)


def loads(kept):
    """Load the log as a broker does, and look whether it is whole."""
    replica = Replica("b", kept.where, kept.journal, alive={}, now_us=kept.now_us)
    log = replica.log
    assert log.log_start_offset <= log.high_watermark <= log.log_end_offset
    assert [start for _, start in replica.epochs.entries] == sorted(
        {start for _, start in replica.epochs.entries}
    )
    assert all(start <= log.log_end_offset for _, start in replica.epochs.entries)
    end = log.log_end_offset
    assert all(
        before.next_offset <= after.base_offset
        for before, after in zip(log.journal.facts, log.journal.facts[1:], strict=False)
    )
    assert replica.partition.read(end, 10**6, "follower").error.name == "NONE"
    kept.open()
    assert kept.append(("a", "1"))["base_offset"] == end
    kept.commit_to()
    while (chosen := decide_cleaning([(kept.partition, kept.settings)], kept.now_us)) is not None:
        kept.log.apply(chosen[1])
    assert kept.log.log_end_offset == end + 1


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=25),
    st.integers(0, 6),
    st.booleans(),
    st.lists(st.sampled_from(STEPS), max_size=6),
)
def test_a_log_loads_after_any_power_loss(before, spared, torn, after):
    """And goes on, and loads after the next one."""
    kept = KeptLog(
        cleanup_policy="compact,delete",
        retention_ms=4_000,
        min_cleanable_dirty_ratio=0.01,
        segment_bytes=500,
    )
    for number, step in enumerate(before):
        do(kept, step, number)
    flushed = list(kept.journal.facts[: kept.journal.flushed])
    kept.journal.lose_power(spared, torn=torn)
    assert kept.journal.facts[: len(flushed)] == flushed

    loads(kept)

    for number, step in enumerate(after):
        do(kept, step, number)
    kept.journal.lose_power()
    loads(kept)


def test_every_small_file_may_be_newer_than_the_log():
    kept = KeptLog(cleanup_policy="compact,delete")
    for _ in range(5):
        kept.append(("a", "1"))
    kept.journal.flush_to(2)
    kept.journal.checkpoints.update({HIGH_WATERMARK: 5, CLEANED_TO: 5, LOG_START: 4})
    kept.journal.checkpoints[LEADER_EPOCHS] = ((1, 0), (2, 3), (3, 5))
    kept.journal.lose_power()

    loads(kept)
    assert kept.log.log_start_offset == 4, "what was promised to be deleted stays deleted"


def test_a_high_watermark_beyond_the_log_is_its_end():
    kept = KeptLog()
    for _ in range(3):
        kept.replicate(Batch((Record("a", "1", ""),), leader_epoch=1, append_time_us=0))
    kept.journal.flush_to(1)
    kept.journal.checkpoints[HIGH_WATERMARK] = 3
    kept.journal.lose_power()

    assert Replica("b", kept.where, kept.journal, alive={}).high_watermark == 1


def test_a_closed_segment_survives_a_power_loss_and_the_active_one_does_not():
    kept = KeptLog()
    for at in range(4):
        kept.append((str(at), "v"))
        if at == 2:
            kept.roll()
    kept.journal.lose_power()
    kept.open()

    assert kept.records() == [(0, "0", "v"), (1, "1", "v"), (2, "2", "v")]
