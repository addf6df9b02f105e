"""A share group in a world: a source, and services or programs that share its records."""

from simulator.chance import Seeded, exponential
from simulator.checks.share import (
    share_acknowledged_never_redelivered,
    share_delivered_at_most_limit,
    share_records_in_one_state,
)
from simulator.cluster.share_service import ShareServing
from simulator.scenario.faults import CrashHazard, Hazards
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate
from tests.clustered import events, run

GROUP = "work"
CHECKS = (
    share_records_in_one_state,
    share_acknowledged_never_redelivered,
    share_delivered_at_most_limit,
)
# A lock of two seconds, so that a run is short.
BROKER = {
    "group.share.record.lock.duration.ms": 2_000,
    "group.share.min.record.lock.duration.ms": 1_000,
}
EACH = {"linger.ms": 0}  # A record a batch: a batch is acquired whole.


def items(count, every_ms=1):
    return [
        WorkItem(number * every_ms * 1_000, "orders", f"k{number}", "v", f"e{number}")
        for number in range(count)
    ]


def nothing(_):
    """A factory of handlers that do nothing."""
    return lambda record: None


def share(*faults, instances=3, records=12, factory=nothing, settings=None, group=None, **more):
    """The trace of a share group that is given so many records."""
    serving = {key: more.pop(key) for key in ("processing", "poll_timeout_ms") if key in more}

    grow, producer = more.pop("grow", {}), {**EACH, **more.pop("producer", {})}

    def deploy(cluster):
        cluster.source("writer", iter(items(records)), producer)
        for where, count in grow.items():
            cluster.add_partitions(where, count, at_ms=5)
        cluster.share_group(
            GROUP,
            instances,
            factory,
            ShareServing(
                ("orders",),
                settings={"max.poll.records": 1, "request.timeout.ms": 1_000, **(settings or {})},
                group={"share.auto.offset.reset": "earliest", **(group or {})},
                **serving,
            ),
        )

    more["broker"] = {**BROKER, **more.get("broker", {})}
    return run(None, *faults, deploy=deploy, **more)


def reading(program, *faults, records=3, settings=None, group=None, **more):
    """The trace of `program(node, consumer)`, a share consumer's, beside a source."""

    def deploy(cluster):
        cluster.source("writer", iter(items(records)), EACH)
        cluster.share_settings(GROUP, {"share.auto.offset.reset": "earliest", **(group or {})})

    def drive(cluster, node):
        given = {"group.id": GROUP, "request.timeout.ms": 1_000, **(settings or {})}
        consumer = cluster.share_consumer(node, given)
        consumer.subscribe(["orders"])
        return program(node, consumer)

    more["broker"] = {**BROKER, **more.get("broker", {})}
    return run(drive, *faults, deploy=deploy, **more)


def stormy(seed, replicas, mode):
    """The trace of a run in which members and brokers die, and messages are lost and doubled."""

    def application(cluster):
        cluster.source("writer", iter(items(40)), EACH)
        settings = {
            "max.poll.records": 3,
            "request.timeout.ms": 1_000,
            "share.acknowledgement.mode": mode,
        }
        serving = ShareServing(("orders",), settings=settings, processing=exponential(5_000))
        cluster.share_group(GROUP, 4, nothing, serving)

    link = Link(latency=exponential(1_000, floor_us=200), loss=0.02, duplicate=0.02)
    scenario = Scenario(
        topology=Topology(3, (Topic("orders", 2, replicas),), (link,)),
        hazards=Hazards(
            crash=(CrashHazard("work-*", "*", 0.01), CrashHazard("broker-*", "after_append", 0.02))
        ),
        broker=BROKER,
        application=application,
        horizon_ms=400_000,
    )
    return simulate(scenario, Seeded(seed))


def got(consumer, count):
    """Poll until so many records have come."""
    records = []
    while len(records) < count:
        records += yield consumer.poll(1_000)
    return records


def polled(trace, node=None):
    """(event id, node) of each record that was handed out."""
    return [
        (entry[4][5], entry[2]) for entry in trace.of("record_polled") if node in (None, entry[2])
    ]


def assert_kept(trace):
    """Every promise of share groups was kept, and was put to the test."""
    for check in CHECKS:
        verdict = check(trace)
        assert verdict, verdict.explain(trace)
        assert verdict.reached


__all__ = [
    "assert_kept", "events", "got", "items", "nothing", "polled", "reading", "share", "stormy",
]  # fmt: skip
