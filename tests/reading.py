"""A whole world with one application that reads: what clients are tested in."""

import attrs

from simulator.scenario.faults import FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate

READER = "reader"
SETTINGS = {
    "group.id": "g",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "request.timeout.ms": 2_000,
    "session.timeout.ms": 6_000,
    "max.poll.interval.ms": 10_000,
}
BROKER = {"group.initial.rebalance.delay.ms": 0}


@attrs.define
class Reading:
    """What a reader did: the trace, and what it noted of itself."""

    trace: object
    notes: dict

    def sent(self, api, source=READER):
        """The times, in ms, at which messages of a class were sent."""
        return [
            entry[1] // 1_000
            for entry in self.trace.of("message_sent")
            if entry[4][4] == api and (source is None or entry[4][2] == source)
        ]

    def of(self, kind, node=READER):
        """The events of a kind on a node, without the kind."""
        return [entry[4][1:] for entry in self.trace.of(kind) if node in (None, entry[2])]

    @property
    def polled(self):
        return [event[-1] for event in self.of("record_polled")]


def items(count, every_ms=10, start_ms=0, value="v"):
    """Records e0, e1, ... for topic orders, one each `every_ms`."""
    return [
        WorkItem((start_ms + number * every_ms) * 1_000, "orders", None, value, f"e{number}")
        for number in range(count)
    ]


def read(
    steps,
    *,
    settings=None,
    faults=(),
    records=3,
    partitions=1,
    brokers=1,
    crash_reader_ms=None,
    producer=None,
    broker=None,
):
    """Run `steps(node, consumer, notes)`, a generator function, beside a source of records."""
    notes = {}
    stream = items(records) if isinstance(records, int) else records

    def application(cluster):
        world = cluster.world
        world.load_begins()
        cluster.source("writer", iter(stream), {"linger.ms": 0, **(producer or {})})

        def life(node, consumer):
            yield from steps(node, consumer, notes)
            if not notes.get("ended"):
                notes["ended"] = True
                world.load_ends(0)

        def boot(node):
            consumer = cluster.consumer(node, {**SETTINGS, **(settings or {})})
            node.start(life(node, consumer), "life")

        cluster.node(READER, boot)

    scenario = Scenario(
        topology=Topology(brokers=brokers, topics=(Topic("orders", partitions),)),
        faults=FaultPlan(tuple(faults)),
        broker={**BROKER, **(broker or {})},
        application=application,
        event_budget=200_000,
    )
    return Reading(simulate(scenario), notes)


def until(consumer, count, timeout_ms=1_000):
    """Poll until that many records have come; the records."""
    got = []
    while len(got) < count:
        got += yield consumer.poll(timeout_ms)
    return got


def read_commit_close(count=3):
    """Subscribe, read that many records, commit, close."""

    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        yield from until(consumer, count)
        yield consumer.commit_sync()
        notes["committed_ms"] = node.now_us // 1_000
        yield consumer.close()
        notes["closed_ms"] = node.now_us // 1_000

    return steps
