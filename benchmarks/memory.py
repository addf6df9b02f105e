"""What a stored record takes in memory, besides its key and its value.

1. Records go through a whole cluster, from a source's producer into the logs of three partitions,
   and no trace is kept. All that is still there when the run has ended counts: the logs, their
   indexes, and whatever else the world holds on to.
2. Keys and values are counted as they are made and taken off: they are the user's.
3. Bytes are those that Python was asked for (tracemalloc), which is the same every time.
"""

import gc
import sys
import tracemalloc
from collections.abc import Iterator

from benchmarks.clusters import A_HOP, TOPIC
from benchmarks.measuring import Case, Costs, sized
from simulator.chance import Seeded
from simulator.cluster.cluster import Cluster
from simulator.errors import SimulatorError
from simulator.scenario.guarantee import AT_LEAST_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate

RECORDS = 100_000
APART_US = 50
KEYS = 64
VALUE_BYTES = 100


def bytes_per_record(records: int) -> float:
    """Produce so many records: what is kept of each, besides key and value."""
    kept: list[Cluster] = []
    of_users = 0
    stored = 0

    def items() -> Iterator[WorkItem]:
        nonlocal of_users
        for number in range(records):
            key, value = f"k{number % KEYS}", f"{number:0{VALUE_BYTES}}"
            of_users += sys.getsizeof(key) + sys.getsizeof(value)
            yield WorkItem(number * APART_US, TOPIC, key, value, f"order-{number}")

    def application(cluster: Cluster) -> None:
        kept.append(cluster)
        cluster.source("producer", items(), AT_LEAST_ONCE.producer)

    def count(entry: tuple[object, ...]) -> None:
        nonlocal stored
        event = entry[4]
        assert isinstance(event, tuple), "an entry ends with its event"
        stored += len(event[4])

    scenario = Scenario(
        topology=Topology(topics=(Topic(TOPIC, 3),), links=(Link(latency=A_HOP),)),
        consumers=Consumers(instances=0),
        application=application,
    )
    gc.collect()
    tracemalloc.start()
    try:
        simulate(scenario, Seeded(1), observers=[("batch_appended", count)], keep=False)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    if stored != records or not kept:
        raise SimulatorError(f"the benchmark's own run stored {stored} of {records} records")
    return (taken - of_users) / records


def memory_costs(size: float) -> Costs:
    """Not a cost in time: the bytes of a record."""
    records = sized(size, RECORDS, 100)
    return Costs(lambda: bytes_per_record(records))


CASES = (
    Case(
        "memory",
        "bytes that a log keeps of a record besides its key and value",
        140,
        memory_costs,
        at_most=True,
        rounds_most=1,
    ),
)
