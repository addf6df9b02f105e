"""What the system promises, each promise with the scenario and the faults that try to break it.

One table for all who ask: tests/properties holds each promise up against random faults, and
tests/test_mutants.py sees that each planted bug breaks one.
"""

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    Check,
    Consumers,
    FaultPlan,
    Link,
    Scenario,
    Status,
    Topic,
    Topology,
    committed_never_regresses,
    constant,
    drained,
    key_order,
    never_applied_twice,
    never_committed_past_processed,
    never_invented,
    never_lost,
    partition_order,
    uniform,
)
from simulator.testing import Run, fault_plans, runs
from simulator.testing.faults import KINDS
from tests.few_orders import SESSION, few_orders
from tests.log_checks import (
    acknowledged_is_stored,
    appended_once,
    applied_within,
    finally_means_done,
    members_commit,
    owned_by_one,
    stored_in_order,
    totals_grow,
)

EXAMPLES = 100  # The same ones each time.
SEED = 20_251_204
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
STEADY = settings(
    deadline=None, database=None, suppress_health_check=QUIET, report_multiple_bugs=False
)


@attrs.frozen
class Promised:
    """Checks that hold in every run of a scenario under faults of these kinds and nodes.

    `plans` takes the place of the other four where faults must come together to matter.
    """

    name: str
    scenario: Scenario
    checks: tuple[Check, ...]
    kinds: tuple[str, ...] | None = None
    nodes: str | tuple[str, ...] = "*"
    messages: str = "*"
    most: int = 3
    plans: Callable[[Scenario], st.SearchStrategy[FaultPlan]] | None = None

    @property
    def fault_classes(self) -> tuple[str, ...] | None:
        """The classes of the kinds, for searches that know no kinds; None: as guaranteed."""
        if self.kinds is None:
            return None
        return tuple(dict.fromkeys(KINDS[kind][0] for kind in self.kinds))

    def runs(self) -> st.SearchStrategy[Run]:
        """Runs under chance and fault plans."""
        if self.plans is not None:
            return runs(self.scenario, self.plans(self.scenario))
        plans = fault_plans(
            self.scenario,
            most=self.most,
            kinds=self.kinds,
            nodes=self.nodes,
            messages=self.messages,
        )
        return runs(self.scenario, plans)


# --- Scenarios ------------------------------------------------------------------------------


def rapid(*, events: int = 12, links: tuple[Link, ...] = (Link(),), **settings: Any) -> Scenario:
    """A producer alone, with several batches of a partition in flight, that never gives up."""
    patient = {"linger.ms": 0, "delivery.timeout.ms": 600_000, "retry.backoff.ms": 10}
    return few_orders(
        AT_LEAST_ONCE,
        events=events,
        per_s=1_000,
        producer={**patient, **settings},
        consumers=Consumers(instances=0),
        topology=Topology(brokers=2, topics=(Topic("orders", 2),), links=links),
    )


def with_finally(context: Any) -> Callable[[Any], Any]:
    """A handler that takes its time, and tidies up in the end."""

    def handle(record: Any) -> Any:
        try:
            yield context.sleep(30_000)
            yield context.store("ledger").transact()
        finally:
            context.note("finally", record.event_id)

    return handle


# Slower than what comes in, so that there is always something between two commits.
SLOW = Consumers(settings={**SESSION, "max.poll.records": 2}, processing=constant(60_000))
TIDY = Consumers(settings=SESSION, processing=constant(5_000), handler=with_finally)
def late_commits(scenario: Scenario) -> st.SearchStrategy[FaultPlan]:
    """A rebalance, and a commit from before that arrives, or arrives again, after it."""
    crashes = fault_plans(scenario, kinds=("crash",), nodes="billing-*", most=2)
    late = fault_plans(
        scenario, kinds=("delay", "duplicate"), messages="OffsetCommitRequest", most=2
    )
    return st.builds(FaultPlan.__add__, crashes, late)


# Without these a commit may arrive, or arrive again, after a later one of the same member: then
# the group's offset goes back, in Kafka too.
IN_ORDER = ("drop", "crash", "pause", "partition", "clog", "skew")
WIRES = (Link(latency=uniform(500, 30_000)),)

PROMISES = {
    one.name: one
    for one in (
        Promised(
            "exactly once is neither lost nor applied twice",
            few_orders(EXACTLY_ONCE, per_s=40, consumers=SLOW),
            (never_lost, never_applied_twice, never_invented),
        ),
        Promised(
            "at least once is never lost, and in the order of its keys",
            few_orders(AT_LEAST_ONCE),
            (never_lost, key_order, partition_order),
        ),
        Promised(
            "at most once is never applied twice",
            few_orders(AT_MOST_ONCE, per_s=40, consumers=SLOW),
            (never_applied_twice, never_invented),
        ),
        Promised(
            "an idempotent producer's records are stored once and in order",
            rapid(),
            (appended_once, stored_in_order, acknowledged_is_stored),
        ),
        Promised(
            "one request in flight keeps the order without idempotence",
            rapid(**{"enable.idempotence": False, "max.in.flight.requests.per.connection": 1}),
            (stored_in_order, acknowledged_is_stored),
        ),
        Promised(
            "delays alone reorder nothing",
            rapid(links=WIRES, **{"enable.idempotence": False, "request.timeout.ms": 200_000}),
            (appended_once, stored_in_order),
            kinds=(),
        ),
        Promised(
            "only members of the current generation commit",
            few_orders(AT_LEAST_ONCE, events=10, per_s=5, consumer={"max.poll.records": 1}),
            (members_commit, owned_by_one),
            plans=late_commits,
        ),
        Promised(
            "a group's offsets never go back, nor past what was processed",
            few_orders(AT_LEAST_ONCE, events=8, per_s=2, consumer={"max.poll.records": 1}),
            (committed_never_regresses, never_committed_past_processed),
            kinds=("crash", "pause", "partition"),
            nodes=("billing-*", "broker-*"),
        ),
        Promised(
            "a coordinator that comes back knows what was committed",
            few_orders(AT_LEAST_ONCE, events=8, per_s=2, consumer={"max.poll.records": 1}),
            (committed_never_regresses, drained),
            kinds=("crash",),
            nodes=("billing-*", "broker-1"),
        ),
        Promised(
            "everything is handed over and committed in the end",
            few_orders(EXACTLY_ONCE),
            (drained, never_lost),
            kinds=IN_ORDER,
        ),
        Promised(
            "a partition that is over is over",
            few_orders(EXACTLY_ONCE),
            (drained, never_lost),
            kinds=("partition", "clog"),
        ),
        Promised(
            "automatic commits are of what was processed",
            few_orders(
                attrs.evolve(AT_LEAST_ONCE, commit="auto"),
                consumer={"auto.commit.interval.ms": 100},
            ),
            (never_lost, never_committed_past_processed, committed_never_regresses),
            kinds=IN_ORDER,
        ),
        Promised(
            "a dead member's partitions are taken over in time",
            few_orders(AT_LEAST_ONCE, events=10),
            (applied_within(12_000),),
            kinds=("crash",),
            nodes="billing-*",
            most=1,
        ),
        Promised(
            "a store never forgets what it answered",
            few_orders(EXACTLY_ONCE),
            (totals_grow, never_applied_twice, never_lost),
            kinds=("power",),
            nodes="ledger",
        ),
        Promised(
            "no finally runs in a crash",
            few_orders(AT_LEAST_ONCE, consumers=TIDY),
            (finally_means_done,),
            kinds=("crash",),
            nodes=("billing-*", "ledger"),
        ),
    )
}


# --- Asking ---------------------------------------------------------------------------------


def hold_up(promised: Promised, examples: int = EXAMPLES, *, other: int = SEED) -> None:
    """Run so many examples, the same ones each time.

    Raises:
        AssertionError: the promise is broken, or cannot be told, with the story of it.
    """

    @seed(other)
    @settings(STEADY, max_examples=examples, phases=(Phase.generate, Phase.shrink))
    @given(promised.runs())
    def holds(run: Run) -> None:
        run.expect(*promised.checks)

    holds()


def smallest(promised: Promised, examples: int = 2_000) -> Run:
    """The smallest run that breaks the first check of a promise.

    Raises:
        NoSuchExample: none does.
    """
    (check, *_) = promised.checks

    def breaks(run: Run) -> bool:
        return check(run.trace).status is Status.BROKEN

    chosen = settings(STEADY, max_examples=examples, derandomize=True)
    return find(promised.runs(), breaks, settings=chosen)
