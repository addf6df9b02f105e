"""Replicas of one partition, their in-sync set and high watermark: through the Replica class."""

from simulator.protocol.errors import Error
from simulator.protocol.messages import FetchPartition
from simulator.protocol.replication_facts import ReplicationConfig
from tests.replicated import HERE, Replicated

ERRORS = Error.__members__


def run(case, _document):
    given, ids = case["config"], case["config"]["replicas"]
    config = ReplicationConfig(given.get("min_isr", 1), given.get("lag_ms", 30_000))
    shape = given.get("isr", ids), given.get("leader", ids[0]), given.get("leader_epoch", 0)
    cluster = Replicated(ids, *shape, config=config, alters=given.get("auto_alter", True))
    for name, parts in given.get("seed_logs", {}).items():
        cluster.seed(int(name), [epoch for epoch, batches in parts for _ in range(batches)])
        cluster.checkpoint(int(name), given.get("hw", {}).get(name, 0))
    cluster.begin()
    for number, step in enumerate(case["steps"]):
        got = _play(cluster, step.get, cluster.registration.leader) or {}
        if got != (want := step.get("expect", {})):
            return f"step {number}, {step['op']}: expected {want}, got {got}"
    return None


def _play(cluster, said, led):
    name, leader = said("broker", said("follower", led)), cluster.up.get(led)
    epochs = said("leader_epoch", leader and leader.leader_epoch), said("last_epoch", -1)
    asked = FetchPartition(HERE, said("offset"), 1 if said("one_batch") else 2**20, *epochs)
    match said("op"):
        case "produce":
            told = cluster.produce_next(led, said("count"), said("acks"))
            first, last = told.base_offset, told.base_offset + said("count") - 1
            return _told(told, {"status": "ok", "base_offset": first, "last_offset": last})
        case "leader_fetch":
            told, high = cluster.serve(asked, name, led), leader.high_watermark
            count = sum(len(batch.records) for batch in told.batches)
            return _told(told, {"status": "ok", "records": count, "leader_hw": high})
        case "acked":
            error = leader.acked(said("offset"))
            return {"acked": error is not None, "error": (error or Error.NONE).name}
    return {
        "fetch": lambda: cluster.fetch(name, asked.max_bytes),
        "epoch_end": lambda: cluster.epoch_end(name, said("epoch")),
        "consume": lambda: {"offsets": [offset for offset, _ in cluster.consume(led)]},
        "state": cluster.seen,
        "isr_check": lambda: cluster.shrink(led),
        "tick": lambda: cluster.wait(said("ms")),
        "alter_ok": cluster.alter,
        "alter_fail": lambda: cluster.alter(ERRORS[said("error")]),
        "leader": lambda: cluster.elect(said("leader"), said("isr"), said("tell")),
        "tell": lambda: cluster.tell(name),
        "stop": lambda: cluster.stop(name, clean=said("clean")),
        "start": lambda: cluster.restart(name, said("lose_from"), said("hw_checkpoint")),
    }[said("op")]()


def _told(told, answer):
    return answer if told.error is Error.NONE else {"status": "error", "error": told.error.name}
