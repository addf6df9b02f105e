"""Producer state on one partition's log: through the Partition that a leader runs."""

from typing import Any

from simulator.protocol.journal import Journal
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.partition import LogConfig, Partition
from simulator.protocol.records import Batch, Record

WORDS = {"log_start": "log_start_offset", "leo": "log_end_offset", "hw": "high_watermark",
         "lso": "last_stable_offset", "first_unstable": "first_unstable_offset"}  # fmt: skip
BATCH = {"pid": "producer_id", "epoch": "producer_epoch", "seq": "base_sequence", "marker":
         "control", "txn": "transactional", "coordinator_epoch": "coordinator_epoch"}  # fmt: skip


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Replay the steps; say where an answer differs."""
    journal, now_us, config = Journal(), 0, LogConfig(**case.get("config", {}))
    log = Partition(TopicPartition("t", 0), journal, config, alone=False)
    for number, step in enumerate(case["steps"]):
        got: dict[str, Any] = {}
        records = tuple(Record("k", "v", "") for _ in range(step.get("count", 0)))
        batch = Batch(records, **{BATCH[name]: step[name] for name in BATCH if name in step})
        match step["op"]:
            case "append" | "marker":
                fact, told = log.decide_append(batch, now_us, step.get("origin", "client"))
                got = {"status": "duplicate" if fact is None else "ok"}
                got["base_offset"] = told.base_offset
                got["last_offset"] = told.base_offset + batch.offsets_taken - 1
                if told.error.value[0]:
                    got = {"status": "error", "error": told.error.name}
                if fact is not None:
                    log.apply(fact)
            case "follower_append":
                base_offset = step.get("base_offset", log.log_end_offset)
                log.follower_append(batch._replace(base_offset=base_offset))
                got = {"status": "ok", "last_offset": log.log_end_offset - 1}
            case "tick":
                now_us += step["ms"] * MICROS_PER_MS
            case "expire_producers":
                log.expire_producers(now_us)
            case "restart":
                if step["clean"]:
                    log.close()
                log = Partition(log.partition, journal, config, now_us=now_us, alone=False)
            case "truncate":
                got = {"truncated": log.truncate_to(step["offset"]), "leo": log.log_end_offset}
            case "hw" | "hw_leo":
                log.advance_high_watermark(step.get("offset", log.log_end_offset))
            case "read":
                got = _read(log, step["from"], step["isolation"])
            case "state":
                got = {word: getattr(log, name) for word, name in WORDS.items()}
                got["producers"] = {str(one): told_of(log.producers[one]) for one in log.producers}
        if got != step.get("expect", {}):
            return f"step {number}, {step['op']}: expected {step['expect']}, got {got}"
    return None


def _read(log: Partition, offset: int, isolation: str) -> dict[str, Any]:
    """What an application sees, and where it goes on: the consumer's part of read_committed."""
    level = {"log_end": "follower"}.get(isolation, isolation)
    told, first = log.read(offset, 10**9, level), offset
    open_aborts, skipped, seen = sorted(told.aborted, key=lambda one: one[1]), set(), []
    for batch in told.batches:
        offset = batch.next_offset
        while open_aborts and open_aborts[0][1] < offset:
            skipped.add(open_aborts.pop(0)[0])
        if batch.control:
            skipped.discard(batch.producer_id)
        elif not (batch.transactional and batch.producer_id in skipped):
            seen += [*range(max(first, batch.base_offset), offset)]
    got = {"offsets": seen, "next_offset": offset}
    if isolation == "read_committed":
        got["aborted"] = [list(one) for one in told.aborted]
    return got


def told_of(state: Any) -> dict[str, Any]:
    first = state.transaction_first_offset
    told = {"epoch": state.epoch, "coordinator_epoch": state.coordinator_epoch}
    told.update(last_seq=state.last_sequence, txn_first_offset=None if first < 0 else first)
    return {**told, "cached_batches": [list(batch) for batch in state.batches]}
