"""What exhaustive searches cost: machines alone, told things in every order, and whole worlds.

Machines alone: an idempotent producer and the product's own partition. A schedule is a run of
twenty events; runs that begin alike share their beginning, and none is left out for being like
another (states that are alike would be met once otherwise).

Whole worlds: a bounded proof. Three messages to an idempotent consumer whose group is stable, which
crashes at two of its points at most; and two messages of data or of a commit at most are lost.
"""

from benchmarks.measuring import Case, Costs, seconds, sized
from simulator import (
    EXACTLY_ONCE,
    Consumers,
    Scenario,
    Topic,
    Topology,
    Workload,
    constant,
    never_applied_twice,
    never_lost,
)
from simulator.errors import SimulatorError
from simulator.scenario.workload import WorkItem

SCHEDULES = 20_000
SCHEDULES_S = 5_000
EVENTS = 20
BATCHES = 7
PROOF_S = 15.0
FAULTS = 2
IMPATIENT = {
    "session.timeout.ms": 1_000,
    "heartbeat.interval.ms": 900,
    "request.timeout.ms": 300,
    "fetch.max.wait.ms": 250,
    "default.api.timeout.ms": 5_000,
    "max.poll.interval.ms": 2_000,
}
SITES = (
    "crash@billing-*/*",
    *(
        f"drop@*/{kind}{way}"
        for kind in ("Produce", "Fetch", "OffsetCommit")
        for way in ("Request", "Response")
    ),
)


def orders_costs(size: float) -> Costs:
    """A schedule of machines alone."""
    from simulator.searching.machines import search_orders
    from simulator.searching.producing import producing

    budgets = {"drop": 1, "delay": 1}
    most = sized(size, SCHEDULES, 200)

    def own() -> float:
        schedules = 0

        def work() -> None:
            nonlocal schedules
            system = producing(BATCHES)
            found = search_orders(system, budgets, alike=None, depth=EVENTS, most=most)
            if found.broken or found.longest != EVENTS:
                raise SimulatorError(f"not what was to be measured: {found}")
            schedules = found.schedules or 0

        return seconds(work) / schedules

    return Costs(own)


def consumed() -> Scenario:
    """Three messages at once, one partition, one consumer, and the ledger."""
    import attrs

    items = tuple(WorkItem(100_000, "orders", "k0", "{}", f"e{n}") for n in range(1, 4))
    settings = {**EXACTLY_ONCE.producer, "request.timeout.ms": 300, "delivery.timeout.ms": 10_000}
    return Scenario(
        topology=Topology(brokers=1, topics=(Topic("orders", 1),)),
        workload=Workload(items=items),
        guarantee=attrs.evolve(EXACTLY_ONCE, producer=settings),
        consumers=Consumers(instances=1, settings=IMPATIENT, processing=constant(1_000)),
        broker={"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000},
        horizon_ms=120_000,
    )


def proof_costs(size: float) -> Costs:
    """The whole proof; at a small size one with one fault of each class."""
    from simulator.searching.prove import prove

    faults = FAULTS if size >= 1 else 1
    scenario = consumed()

    def work() -> None:
        budgets = {"crash": faults, "drop": faults}
        promised = (never_lost, never_applied_twice)
        found = prove(scenario, promised, SITES, budgets=budgets, opens="partitions_assigned")
        if not found:
            raise SimulatorError(f"not proved: {found}")

    return Costs(lambda: seconds(work))


CASES = (
    Case(
        "orders",
        f"CPU seconds a schedule of {EVENTS} events, machines alone, exhaustively",
        1 / SCHEDULES_S,
        orders_costs,
        at_most=True,
    ),
    Case(
        "proof",
        "CPU seconds of a proof: 3 messages, 2 crashes and 2 lost messages at most",
        PROOF_S,
        proof_costs,
        at_most=True,
        rounds_most=1,
    ),
)
