"""Fifty messages, three partitions, a group of two, and one of them dies: what such a run costs.

1. A producer sends fifty records under ten keys once the group has settled. Each record that is
   handled is committed by itself, synchronously. Instance 0 dies when it has handled its eighth
   record and not committed it, and does not come back: the group misses it (session.timeout.ms),
   and the other one takes its partitions over, from what was committed.
2. Every hop of every request and answer takes a delay drawn at random; a run is of a seed, and no
   two runs that are measured are of the same one.
3. The checks of delivery watch each run, and so do those of commits and of order. A run that was
   not as told in rule 1 raises: all fifty handled, none lost, one handled twice.
4. Beside a raw timeout stand the milliseconds, by which runs of other tools can be compared.
"""

from collections.abc import Callable
from functools import partial
from itertools import count

from benchmarks import kernel
from benchmarks.measuring import Case, Cost, Costs, cost, sized
from simulator.chance import Seeded, uniform
from simulator.checks.catalogue import named
from simulator.checks.check import watch
from simulator.checks.verdict import Status
from simulator.cluster.cluster import Cluster
from simulator.cluster.context import Context
from simulator.cluster.service import Handler
from simulator.cluster.serving import Serving
from simulator.errors import SimulatorError
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.guarantee import AT_LEAST_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate

TOPIC = "orders"
MESSAGES = 50
KEYS = 10
RUNS = 40  # In one measurement.
DIES_AT = 8  # Its eighth record is handled, and not committed.
SETTLED_MS = 200  # So late are the records sent: the group is stable by then.
HEALED_MS = 1_000
HORIZON_MS = 1_000  # After that; by then the survivor has handled everything.

BROKER = {"group.initial.rebalance.delay.ms": 50, "group.min.session.timeout.ms": 1_000}
CONSUMER = {
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 1_100,
    "heartbeat.interval.ms": 300,
}
RECORDS = tuple(
    WorkItem(SETTLED_MS * 1_000, TOPIC, f"k{number % KEYS}", f"m{number}", f"e{number}")
    for number in range(MESSAGES)
)
A_HOP = uniform(200, 1_800)
WATCHING = named(
    (
        "never_lost",
        "never_delivered_twice",
        "never_applied_twice",
        "never_invented",
        "partition_order",
        "key_order",
        "committed_never_regresses",
        "never_committed_past_processed",
    )
)
# That the records at hand are given again is what a crash does at least once, not a mistake.
EXPECTED = {"never_delivered_twice": Status.BROKEN}
CONFIGURATION = (
    f"{MESSAGES} messages, {KEYS} keys, 3 partitions, 1 broker, 2 consumers, commit of each "
    f"record, crash at record {DIES_AT}, session.timeout.ms=1100, heartbeat.interval.ms=300, "
    f"group.initial.rebalance.delay.ms=50, a hop of 0.2 to 1.8 ms, {len(WATCHING)} checks online"
)


def application(cluster: Cluster, seen: Callable[[str], object]) -> None:
    """A producer and a group whose handler tells which events it has seen."""

    def handling(_: Context) -> Handler:
        return lambda record: seen(record.event_id)

    cluster.source("orders-producer", RECORDS, AT_LEAST_ONCE.producer)
    serving = Serving(topics=(TOPIC,), settings=CONSUMER, commit_each=True)
    cluster.group("billing", 2, handling, serving)


def scenario(seen: Callable[[str], object]) -> Scenario:
    """All of it, for any number of runs."""
    return Scenario(
        name="crash",
        topology=Topology(topics=(Topic(TOPIC, partitions=3),), links=(Link(latency=A_HOP),)),
        consumers=Consumers(instances=0),
        faults=FaultPlan(
            (Crash("billing-0", point="after_process", nth=DIES_AT - 1, down_ms=3_600_000),)
        ),
        broker=BROKER,
        heal_after_ms=HEALED_MS,
        horizon_ms=HORIZON_MS,
        application=partial(application, seen=seen),
    )


def once(whole: Scenario, handled: list[str], seed: int) -> None:
    """One run, judged.

    Raises:
        SimulatorError: it is not the run that is to be measured.
    """
    handled.clear()
    observers, finish = watch(WATCHING)
    simulate(whole, Seeded(seed), observers=observers, keep=False)
    for verdict in finish():
        if verdict.status is not EXPECTED.get(verdict.check, Status.KEPT):
            raise SimulatorError(f"the benchmark's own run is wrong: {verdict.explain()}")
    if len(handled) != MESSAGES + 1 or len(frozenset(handled)) != MESSAGES:
        raise SimulatorError(f"the benchmark's own run handled {handled}")


def runs(size: float) -> Cost:
    """The CPU seconds of one run, each of a seed of its own."""
    handled: list[str] = []
    whole, seeds, number = scenario(handled.append), count(), sized(size, RUNS, 2)

    def work() -> None:
        for _ in range(number):
            once(whole, handled, next(seeds))

    return cost(work, number)


def milliseconds(size: float) -> Costs:
    """A run, in milliseconds of CPU."""
    seconds = runs(size)
    return Costs(lambda: seconds() * 1_000)


def timeouts(size: float) -> Costs:
    """Messages of such runs against raw timeouts."""
    seconds = runs(size)
    return Costs(lambda: seconds() / MESSAGES, kernel.base(size))


CASES = (
    Case(
        "crash-ms",
        "CPU milliseconds of a run of 50 messages with a crash and its checks",
        2.5,
        milliseconds,
        at_most=True,
    ),
    Case(
        "crash",
        "messages of such a run, all else with them, per raw SimPy timeout",
        0.016,
        timeouts,
    ),
)
