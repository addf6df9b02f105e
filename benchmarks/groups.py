"""Large groups: what a rebalance costs, and members that have nothing to do.

1. `rebalance`: a hundred members share a thousand partitions, and more; from the first JoinGroup
   until everybody has what he was assigned.
2. `members`: a thousand members, of which one has a partition, beat for an hour by Kafka's own
   defaults. Nothing is written. `owners`: each has a partition, and so asks for records as well,
   twice a second; the first tenth of the hour is run.
3. A run in which not every partition has its owner in the end raises, whatever its speed.
"""

from functools import partial

from benchmarks.clusters import TOPIC, doing_nothing
from benchmarks.measuring import Case, Costs, cost
from simulator.chance import Seeded
from simulator.cluster.cluster import Cluster
from simulator.cluster.serving import Serving
from simulator.errors import SimulatorError
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import Workload
from simulator.study.simulate import simulate
from simulator.trace.trace import FlatEntry

MEMBERS, PARTITIONS = 100, 1_000
IDLE_MEMBERS = 1_000
SETTLED_MS = 30_000
HOUR_MS = 3_600_000
OWNERS_SHARE = 0.1


def group(members: int, partitions: int, for_ms: float, **settings: str) -> None:
    """So many members of one group for so long, with nothing to read."""
    named = {name.replace("_", "."): value for name, value in settings.items()}
    serving = Serving(topics=(TOPIC,), settings={"auto.offset.reset": "earliest", **named})

    def application(cluster: Cluster) -> None:
        cluster.group("billing", members, doing_nothing, serving)

    owned: dict[tuple[str, int], str] = {}

    def assigned(entry: FlatEntry) -> None:
        for where in entry[4][3]:
            owned[where] = entry[2]

    made = Scenario(
        topology=Topology(topics=(Topic(TOPIC, partitions),)),
        workload=Workload(topic=TOPIC, events=0),
        consumers=Consumers(instances=0),
        application=application,
        heal_after_ms=int(for_ms),
        horizon_ms=1_000,
    )
    simulate(made, Seeded(1), observers=[("partitions_assigned", assigned)], keep=False)
    if len(owned) != partitions:
        raise SimulatorError(f"{partitions - len(owned)} of {partitions} partitions have no owner")


def rebalance_costs(size: float, **settings: str) -> Costs:
    """The seconds that a group takes to come to rest."""
    members, partitions = max(2, int(MEMBERS * size)), max(4, int(PARTITIONS * size))
    return Costs(cost(partial(group, members, partitions, SETTLED_MS, **settings), 1))


def member_costs(size: float, *, owners: bool = False) -> Costs:
    """The seconds that an hour of heartbeats takes, or of the fetches of owners too."""
    members = max(2, int(IDLE_MEMBERS * min(1, size * 10)))
    partitions = members if owners else 1
    share = OWNERS_SHARE if owners else 1
    for_ms = max(SETTLED_MS, HOUR_MS * size * share)
    return Costs(cost(partial(group, members, partitions, for_ms), share))


CASES = (
    Case(
        "rebalance",
        f"CPU seconds until {MEMBERS} members have {PARTITIONS} partitions, classic protocol",
        5.0,
        rebalance_costs,
        at_most=True,
        rounds_most=3,
    ),
    Case(
        "rebalance-848",
        "the same with the protocol of KIP-848",
        5.0,
        partial(rebalance_costs, group_protocol="consumer"),
        at_most=True,
        rounds_most=3,
    ),
    Case(
        "members",
        f"CPU seconds of an idle hour with {IDLE_MEMBERS} members in a group",
        40.0,
        member_costs,
        at_most=True,
        rounds_most=1,
    ),
    Case(
        "owners",
        "the same where each of them has a partition",
        40.0,
        partial(member_costs, owners=True),
        at_most=True,
        rounds_most=1,
    ),
)
