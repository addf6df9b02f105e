"""Messages through a whole cluster: from a producer's `send` to a handler's effect and its commit.

1. A message is one record. Every hop of every request and answer takes a delay drawn at random,
   and so does handling a record; records arrive as a Poisson stream.
2. The records come faster than two instances of a group can handle them, so that a backlog
   builds up, and Kafka's own defaults batch what they may: sends, appends and fetches. The run
   ends when all is handled and committed.
3. `detail`: each record is handled in its own time and committed by itself, and the checks of
   what a group was given and has committed watch the run: the effect is that the handler is done.
   `replicated` is that with three replicas, of which a commit has as many as a record.
   `batch`: a poll brings up to a hundred records, which take no time and are committed together.
4. A run that did not deliver what it should raises, whatever its speed.
"""

from collections.abc import Callable
from functools import partial

from benchmarks import kernel
from benchmarks.measuring import Case, Costs, cost, sized
from simulator.chance import Seeded, constant, uniform
from simulator.checks.catalogue import named
from simulator.checks.check import watch
from simulator.checks.verdict import Status
from simulator.cluster.cluster import Cluster
from simulator.cluster.context import Context
from simulator.cluster.service import Handler
from simulator.cluster.serving import Serving
from simulator.errors import SimulatorError
from simulator.scenario.guarantee import AT_LEAST_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import Workload, poisson, uniform_keys
from simulator.study.simulate import simulate

TOPIC = "orders"
DETAIL_EVENTS = 2_000
DETAIL_PER_S = 2_000
BATCH_EVENTS = 20_000
BATCH_PER_S = 20_000
IDLE_HOURS = 10
KEYS = 64
WATCHING = named(
    (
        "never_lost",
        "never_delivered_twice",
        "never_invented",
        "partition_order",
        "committed_never_regresses",
        "never_committed_past_processed",
        "drained",
    )
)
A_HOP = uniform(200, 1_800)
HANDLING = uniform(100, 900)


def doing_nothing(_: Context) -> Handler:
    """A handler that looks at the record, and no more."""

    def handle(record: object) -> None:
        assert record is not None

    return handle


def scenario(
    workload: Workload, serving: Serving, factory: Callable[..., Handler], replicas: int = 1
) -> Scenario:
    """One producer, three partitions, one group of two; as many brokers as replicas."""

    def application(cluster: Cluster) -> None:
        cluster.source(workload.producer, workload, AT_LEAST_ONCE.producer)
        cluster.group("billing", 2, factory, serving)

    return Scenario(
        topology=Topology(
            brokers=replicas,
            topics=(Topic(TOPIC, 3, replicas),),
            links=(Link(latency=A_HOP),),
        ),
        broker={"min.insync.replicas": (replicas + 1) // 2},
        workload=workload,
        consumers=Consumers(instances=0),
        application=application,
    )


def workload_of(events: int, per_s: int) -> Workload:
    """A Poisson stream over many keys."""
    return Workload(
        topic=TOPIC, events=events, arrivals=poisson(per_s), keys=uniform_keys(KEYS)
    )


def detail(events: int, *, keep: bool, replicas: int = 1, each: bool = True) -> None:
    """Each record handled in its own time; the checks watch.

    each: each is committed by itself; otherwise all of a poll are.
    """
    serving = Serving(
        topics=(TOPIC,),
        settings={"auto.offset.reset": "earliest"},
        commit_each=each,
        processing=HANDLING,
    )
    observers, finish = watch(WATCHING)
    whole = scenario(workload_of(events, DETAIL_PER_S), serving, doing_nothing, replicas)
    simulate(whole, Seeded(1), observers=observers, keep=keep)
    for verdict in finish():
        if verdict.status is not Status.KEPT or not verdict.reached:
            raise SimulatorError(f"the benchmark's own run is wrong: {verdict.explain()}")


def batch(events: int) -> None:
    """A hundred records a poll, and one commit for them."""
    handled = 0

    def count(_: object) -> None:
        nonlocal handled
        handled += 1

    serving = Serving(
        topics=(TOPIC,),
        settings={"auto.offset.reset": "earliest", "max.poll.records": 100},
        processing=constant(0),
    )
    whole = scenario(workload_of(events, BATCH_PER_S), serving, doing_nothing)
    simulate(whole, Seeded(1), observers=[("processing_ended", count)], keep=False)
    if handled != events:
        raise SimulatorError(f"the benchmark's own run handled {handled} of {events} records")


def idle(hours: float) -> None:
    """A cluster with two consumers and nothing to do, for so many simulated hours."""
    serving = Serving(topics=(TOPIC,), settings={"auto.offset.reset": "earliest"})
    nothing = scenario(workload_of(0, 1), serving, doing_nothing)
    heal_after_ms = int(hours * 3_600_000)
    simulate(
        Scenario(
            topology=nothing.topology,
            workload=nothing.workload,
            consumers=nothing.consumers,
            application=nothing.application,
            heal_after_ms=heal_after_ms,
            horizon_ms=1_000,
        ),
        Seeded(1),
        keep=False,
    )


def detail_costs(
    size: float, *, keep: bool, replicas: int = 1, each: bool = True
) -> Costs:
    """A message in full detail against a raw timeout."""
    events = sized(size, DETAIL_EVENTS, 20)
    run = partial(detail, events, keep=keep, replicas=replicas, each=each)
    return Costs(cost(run, events), kernel.base(size))


def batch_costs(size: float) -> Costs:
    """A message of a batch against a raw timeout."""
    events = sized(size, BATCH_EVENTS, 200)
    return Costs(cost(partial(batch, events), events), kernel.base(size))


def idle_costs(size: float) -> Costs:
    """The seconds that idle hours take."""
    return Costs(cost(partial(idle, IDLE_HOURS * size), 1))


CASES = (
    Case(
        "detail",
        "messages in full detail, checks online, no trace kept, per raw SimPy timeout",
        0.06,
        partial(detail_costs, keep=False),
    ),
    Case(
        "detail-kept",
        "the same with the trace kept",
        0.03,
        partial(detail_costs, keep=True),
    ),
    Case(
        "replicated",
        "messages in full detail, they and their commits kept three times, no trace kept",
        0.012,
        partial(detail_costs, keep=False, replicas=3),
    ),
    Case(
        "replicated-polls",
        "the same, committed by polls",
        0.012,
        partial(detail_costs, keep=False, replicas=3, each=False),
    ),
    Case(
        "batch",
        "messages polled by the hundred and committed so, no trace kept, per raw SimPy timeout",
        0.15,
        batch_costs,
    ),
    Case(
        "idle",
        f"CPU seconds of {IDLE_HOURS} idle hours with two consumers",
        3.0,
        idle_costs,
        at_most=True,
        rounds_most=3,
    ),
)
