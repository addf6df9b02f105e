"""The promises that planted bugs break, as a search by the portfolio asks for them.

Most are those of tests/promised*.py, and the known bugs' own. A search knows classes of fault, and
neither kinds nor nodes: so it may do more than those tables ask for, and all is kept nevertheless.
The others stand here: they wait for an end, or need that something has already gone wrong.
"""

import attrs

from experiments.known_bugs.table import ROWS
from models.groups import running
from models.groups.promises import done_within
from models.systems import orders
from models.topics.order import aggregate_order
from simulator import (
    AT_LEAST_ONCE,
    CHECKS,
    EXACTLY_ONCE,
    Cluster,
    Consumers,
    Parallel,
    Scenario,
    Topic,
    Topology,
    constant,
    never_applied_twice,
    never_invented,
    never_lost,
)
from simulator.checks.stable import stable_offset_moves_within
from tests.few_orders import BROKER, SESSION, few_orders
from tests.log_checks import applied_within, totals_grow
from tests.promised import PROMISES, SLOW, Promised
from tests.promised_groups import GROUP_PROMISES
from tests.promised_replication import KEPT as REPLICATED
from tests.promised_replication import REPLICATION_PROMISES
from tests.promised_replication import STANDS as SERVERS_STAND
from tests.promised_transactions import STANDS, TRANSACTION_PROMISES
from tests.replicated_orders import replicated_orders
from tests.transforming import KEPT, few_bills

EXACT = (never_lost, never_applied_twice, never_invented)


def modelled(cluster: Cluster) -> None:
    """Four orders' lives, and who bills them: models as they are when the run begins."""
    serving = {"settings": {**SESSION, "auto.offset.reset": "earliest"}, "poll_timeout_ms": 200}
    items = orders.work(4, 5_000)
    running.deploy(cluster, items, 2, serving=serving, handler=orders.SINKS["idempotent"])


def of_row(name: str, *kinds: str) -> Promised:
    """What a known bug breaks, and its scenario keeps without it."""
    row = ROWS[name]
    return Promised(
        f"{name}: not that {row.title}", row.broken, (row.sought,), kinds=kinds or None
    )


_HERE = (
    Promised(
        "orders are billed once, each in its own order",
        Scenario(
            # Event types that are keys lie in several of so many partitions.
            topology=Topology(brokers=2, topics=(Topic(orders.TOPIC, 4),)),
            application=modelled,
            guarantee=EXACTLY_ONCE,
            broker=BROKER,
        ),
        (*EXACT, aggregate_order),
    ),
    # A producer that gives up soon leaves records in a leader's log that no follower gets.
    Promised(
        "what is given up is in all logs, or in none",
        replicated_orders(
            AT_LEAST_ONCE,
            events=24,
            per_s=15,
            producer={"linger.ms": 0, "request.timeout.ms": 300, "delivery.timeout.ms": 500},
            broker={"broker.session.timeout.ms": 400, "broker.heartbeat.interval.ms": 100},
            consumers=Consumers(instances=1, settings=SESSION, processing=constant(1_000)),
        ),
        REPLICATED,
        kinds=SERVERS_STAND,
    ),
    Promised(
        "what was cut off is handled soon after",
        few_orders(EXACTLY_ONCE),
        (done_within(100_000), never_lost),
        kinds=("partition", "clog"),
    ),
    Promised(
        "a member that dies alone is replaced in time",
        few_orders(AT_LEAST_ONCE, events=10),
        (applied_within(5_000, if_one_dies="billing-"),),
        kinds=("crash",),
    ),
    Promised(
        "a store never forgets what is on its platter",
        few_orders(EXACTLY_ONCE),
        (totals_grow,),
        kinds=("crash", "power"),
    ),
    Promised(
        "exactly once, though everybody crashes",
        few_orders(EXACTLY_ONCE, per_s=40, consumers=SLOW),
        EXACT,
        kinds=("crash",),
    ),
    Promised(
        "what is handled at once is committed without gaps",
        few_orders(
            EXACTLY_ONCE,
            per_s=40,
            consumers=attrs.evolve(SLOW, parallel=Parallel(by="key", workers=4)),
        ),
        EXACT,
        kinds=("crash", "delay"),
    ),
    Promised(
        "one of two instances bills",
        few_bills(events=8, per_s=10, partitions=1, processing_us=20_000),
        KEPT,
        kinds=STANDS,
    ),
    Promised(
        "bills are exactly once, though everybody crashes",
        few_bills(events=12, per_s=10, processing_us=40_000),
        KEPT,
        kinds=("crash",),
    ),
    Promised(
        "bills are exactly once, though brokers crash while messages are late",
        few_bills(events=8, per_s=10, partitions=1, processing_us=20_000),
        KEPT,
        kinds=("crash", "delay"),
    ),
    # What is late may join a transaction that comes after its own (KIP-890): version 2 mends that.
    Promised(
        "bills are exactly once in version 1, if nothing is late",
        few_bills(version=1, events=8, per_s=10, processing_us=20_000),
        KEPT,
        kinds=("crash", "pause", "drop", "partition"),
    ),
    # Each life has an id of its own: nobody fences the dead, and time alone ends what they began.
    Promised(
        "a transaction that nobody ends holds nobody up for long",
        attrs.evolve(
            few_bills(
                events=8, per_s=10, processing_us=20_000, transactional_id="random", static=True
            ),
            horizon_ms=150_000,
        ),
        (stable_offset_moves_within(60_000), CHECKS["exactly_once_output"]),
        kinds=STANDS,
    ),
)

# The known bugs whose scenarios keep their promise, and the faults under which they do.
_ROWS = (
    of_row("C06"),
    of_row("C08", "crash"),
    of_row("C10"),
    of_row("P05", "drop"),
    of_row("P06", "drop"),
    of_row("P07"),
    of_row("R14"),
    of_row("R15"),
    of_row("T06"),
    of_row("T07"),
    of_row("T09"),
    of_row("T10"),
)

ASKED = {
    one.name: one
    for one in (
        *PROMISES.values(),
        *GROUP_PROMISES,
        *REPLICATION_PROMISES,
        *TRANSACTION_PROMISES,
        *_HERE,
    )
} | {one.name.partition(":")[0]: one for one in _ROWS}
