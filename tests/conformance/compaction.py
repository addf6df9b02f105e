"""Retention and compaction of one log: through Partition, and the facts that a broker applies."""

from simulator.protocol.cleaner import cleanable_range
from simulator.protocol.compaction import UNBOUNDED
from tests.conformance import agrees
from tests.conformance.producer_state import BATCH
from tests.kept import KeptLog


def run(case, _document):
    kept, dirty = KeptLog(**case.get("config", {})), 0
    for number, step in enumerate(case["steps"]):
        given = step.get("first_dirty", "prev")
        got = _play(kept, step, dirty if given == "prev" else given)
        dirty = got.get("next_dirty", dirty)
        log_start, leo = kept.partition.log_start_offset, kept.partition.log_end_offset
        got |= {"leo": leo, "log_start": log_start, "segments": kept.segments()}
        if not agrees(want := step.get("expect", {}), got):
            return f"step {number}, {step['op']}: expected {want}, got {got}"
    return None


def _play(kept, step, dirty):
    said, fields = step.get, {BATCH[name]: step[name] for name in BATCH if name in step}
    pairs = said("records", [("k", "v")] * said("count", 0))
    match step["op"]:
        case "append" | "marker":
            return kept.append(*pairs, at_ms=said("ts"), **fields)
        case "follower_append":
            fields["base_offset"] = said("base_offset", kept.partition.log_end_offset)
            return kept.replicate(kept.batch(pairs, said("ts"), **fields))
        case "roll":
            kept.roll(said("at"))
        case "tick":
            kept.now_ms += step["ms"]
        case "restart":
            kept.restart(clean=said("clean", True))
        case "hw" | "hw_leo":
            kept.commit_to(said("offset"))
        case "delete_records":
            kept.partition.delete_records(step["offset"])
        case "retention":
            return {"deleted_segments": len(kept.retain())}
        case "clean":
            keys = int(said("map_slots", UNBOUNDED) * said("load_factor", 0.75))
            return {"next_dirty": kept.clean(dirty, said("uncleanable"), said("now"), keys)}
        case "cleanable":
            known = kept.partition, kept.settings, kept.now_us, step["last_clean"]
            first_dirty, uncleanable = cleanable_range(*known)
            return {"first_dirty": first_dirty, "first_uncleanable": uncleanable}
        case "contents":
            return {"records": [*map(list, kept.records())], "batch_last_offsets": kept.ends(),
                    "control": [*map(list, kept.markers())],
                    "aborted_index": [*map(list, kept.log.index.aborted)]}  # fmt: skip
        case "read":
            error, seen, after = kept.read(step["from"], step["isolation"])
            got = {"offsets": [offset for offset, _, _ in seen], "next_offset": after}
            return got if error == "NONE" else {"status": "error", "error": error}
    return {}
