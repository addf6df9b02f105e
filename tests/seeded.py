"""Five seeded bugs, each with the promise that it breaks, and one that hides for long.

retry duplicate         a producer without idempotence sends again what was only not answered
commit before process   what was committed is not handled after a crash
zombie commit           offsets go into a transaction by the group's name alone: who was paused,
                        and is out of the group, still commits
in-flight reorder       without idempotence a request behind a lost one is stored before it
mark before effect      an event is marked as done in a transaction before that of its effect
late                    as commit before process, of forty events; only crashes after the thirtieth
                        do harm, as an earlier event's effect is not missed

Public names only: each is a scenario and a check, and the faults among which one shows it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from hypothesis import strategies as st

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    CHECKS,
    Add,
    Cases,
    Check,
    Consumers,
    FaultPlan,
    Insert,
    Scenario,
    Topic,
    Topology,
    UniqueViolation,
    Watching,
    constant,
    never_lost,
    sends_in_order,
    stored_once,
)
from simulator.testing import fault_plans
from tests.few_orders import SESSION, few_orders
from tests.transforming import few_bills

LATE, EVENTS = 30, 40


@attrs.frozen
class Seeded:
    """A bug: the scenario that has it, the check that it breaks, and the faults to look among."""

    name: str
    scenario: Scenario
    check: Check
    faults: Callable[[Scenario], st.SearchStrategy[FaultPlan]]


def marks_before_effect(context: Any) -> Callable[[Any], Any]:
    """Two transactions where one is needed."""
    ledger = context.store("ledger")

    def handle(record: Any) -> Any:
        try:
            yield ledger.transact(Insert("processed", record.event_id, effect=False))
        except UniqueViolation:
            return
        yield ledger.transact(Add("ledger", record.key, 1))

    return handle


def _late_ones_lost() -> Watching:
    """Of the events from the thirtieth on, none is committed without its effect."""
    cases, sent, applied = Cases(), {}, set()

    def on_sent(entry: Any) -> None:
        sent.setdefault(entry[4][1], entry[0])

    def on_applied(entry: Any) -> None:
        applied.add(entry[4][4])

    def finish() -> Any:
        for event_id, seq in sent.items():
            if int(event_id[1:]) > LATE and event_id not in applied:
                cases.add(f"{event_id} was never applied", (seq,), (event_id,))
        return cases.verdict("late_ones_kept", len(sent))

    return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)


LATE_ONES_KEPT = Check("late_ones_kept", "The last events are applied.", _late_ones_lost)

RAPID = {
    "enable.idempotence": False, "linger.ms": 0, "delivery.timeout.ms": 600_000,
    "retry.backoff.ms": 10,
}  # fmt: skip


def rapid(check: Check, name: str) -> Seeded:
    """A producer that counts nothing, with several batches in flight, that never gives up."""
    scenario = few_orders(AT_LEAST_ONCE, events=12, per_s=1_000, producer=RAPID)
    return Seeded(name, scenario, check, partial(fault_plans, kinds=("drop",)))


def at_most_once(check: Check, name: str, **more: Any) -> Seeded:
    """Commits, and then handles."""
    scenario = few_orders(AT_MOST_ONCE, **more)
    return Seeded(name, scenario, check, partial(fault_plans, kinds=("crash", "drop")))


def zombie_commit() -> Seeded:
    """Who was paused is out of the group, and its transaction is taken all the same."""
    return Seeded(
        "zombie commit",
        few_bills(metadata="group_id_only"),
        CHECKS["exactly_once_output"],
        partial(fault_plans, kinds=("pause",), nodes="billing-*"),
    )


def mark_before_effect() -> Seeded:
    """Between the two transactions a crash leaves a mark without its effect."""
    consumers = Consumers(
        settings=SESSION, processing=constant(5_000), handler=marks_before_effect
    )
    return Seeded(
        "mark before effect",
        few_orders(AT_LEAST_ONCE, consumers=consumers),
        never_lost,
        partial(fault_plans, kinds=("crash", "drop")),
    )


SEEDED = {
    one.name: one
    for one in (
        rapid(stored_once, "retry duplicate"),
        at_most_once(never_lost, "commit before process"),
        zombie_commit(),
        rapid(sends_in_order, "in-flight reorder"),
        mark_before_effect(),
    )
}
ONE_PARTITION = Topology(brokers=1, topics=(Topic("orders", 1),))
LATE_FAULT = at_most_once(
    LATE_ONES_KEPT, "late", events=EVENTS, per_s=20, topology=ONE_PARTITION,
    consumer={"max.poll.records": 1},
)  # fmt: skip
