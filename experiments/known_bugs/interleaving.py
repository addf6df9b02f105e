"""Row T14: transactions write among one another, which is no bug.

A transaction of Kafka hides what it writes until it ends, and keeps nobody else from writing. Two
that write to the same partitions may lie there in either order, and in one order here and in the
other there: what Adya calls a write cycle (G0), and Jepsen counts among the errors it allows.
"""

from itertools import combinations
from typing import Any

from experiments.known_bugs.known_bug import Faults, KnownBug
from experiments.known_bugs.paying import (
    PAYMENTS,
    auditing,
    never,
    paying,
    running,
)
from simulator import Cases, Check, Scenario, Variant, Verdict, Watching
from simulator.checks.transactions_log import TransactionLog, Where, Written

REFUNDS = "refunds"
NAME = "same_order_everywhere"
Transaction = tuple[int, int]  # A producer id, and its epoch.


def _same_order_everywhere() -> Watching:
    log = TransactionLog()

    def finish() -> Verdict:
        cases, reached = Cases(), 0
        firsts: dict[Where, dict[Transaction, Written]] = {}
        for batch in log.batches():
            if batch.result == "commit":
                firsts.setdefault(batch.where, {}).setdefault(batch.identity[:2], batch)
        for one, other in combinations(firsts.values(), 2):
            for first, second in combinations([who for who in one if who in other], 2):
                reached += 1
                if other[first].base > other[second].base:
                    told = _told(log, one[first], one[second], other[second], other[first])
                    shown = (one[first], one[second], other[second], other[first])
                    ids = tuple(dict.fromkeys(each for it in shown for each in it.event_ids))
                    cases.add(told, sorted(it.seq for it in shown), ids)
        return cases.verdict(NAME, reached)

    return Watching(log.observers(), finish)


def _told(log: TransactionLog, *order: Written) -> str:
    names = [f"{one.event_ids[0]} @{one.base}" for one in order]
    owner, other = (log.owners[one.identity[0]] for one in order[:2])
    here, there = (f"{one.where[0]}-{one.where[1]}" for one in order[1:3])
    return (
        f"in {here} {owner} wrote before {other} ({names[0]}, {names[1]}), and in {there} "
        f"after it ({names[2]}, {names[3]})"
    )


same_order_everywhere = Check(
    NAME,
    "Two transactions that write to the same partitions lie in the same order in all of them.",
    _same_order_everywhere,
)


def two_programs() -> Scenario:
    """Two programs that pay at the same times, and their auditor."""

    def deployed(cluster: Any) -> None:
        paying(cluster, 3, never)
        paying(cluster, 3, never, name=REFUNDS)
        auditing(cluster)

    return running(deployed, Variant())


T14 = KnownBug(
    name="T14",
    title="transactions write among one another",
    source="Jepsen's checker of Kafka (allowed errors), Jepsen on Redpanda",
    anomaly=NAME,
    story="Two transactions write to the same two partitions: one comes first in the first of "
    "them, and the other in the second. Both are committed. That is no bug: a transaction hides "
    "what it writes, and keeps nobody from writing.",
    broken=two_programs(),
    faults=Faults(("delay",), nodes=(PAYMENTS, REFUNDS), messages="Produce*"),
    allowed=same_order_everywhere,
    promises=(
        "transactions_atomic",
        "aborted_is_never_read",
        "transactions_end",
        "acknowledged_is_read",
        "offsets_agree",
        "polls_in_order",
        "sends_in_order",
        "never_delivered_twice",
    ),
)

ROWS = (T14,)
