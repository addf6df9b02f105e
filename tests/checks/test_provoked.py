"""Checks that real runs break: in each, what goes wrong is known, and is gone with its cause."""

import attrs
import pytest

from experiments.hanging_transaction import VARIANTS
from experiments.hanging_transaction import scenario as hanging
from experiments.known_bugs.table import ROWS
from experiments.partitions_added import FLOWING, KNOWN
from experiments.partitions_added import scenario as growing
from simulator import (
    AT_LEAST_ONCE,
    CHECKS,
    EXACTLY_ONCE,
    Crash,
    Delay,
    FaultPlan,
    Partition,
    RequestTimedOut,
    Seeded,
    Serving,
    Status,
    simulate,
)
from simulator.checks.read_models import read_model
from simulator.checks.stable import stable_offset_moves_within
from simulator.protocol.fetching import _Fetched
from tests.few_orders import SESSION, few_orders
from tests.transforming import AUDITOR, BILLS, COMMITTED, audited, few_bills

KEPT, BROKEN = Status.KEPT, Status.BROKEN


def under(scenario, *faults):
    """The trace of a scenario, with these faults and nothing else."""
    return simulate(attrs.evolve(scenario, faults=FaultPlan(faults)))


def story_of(check, trace):
    """The story of a check that is broken."""
    verdict = check(trace)
    assert verdict.status is BROKEN
    return verdict.explain(trace)


def kept(check, trace):
    """Whether a check is kept, and had something to judge."""
    verdict = check(trace)
    return verdict.status is KEPT and verdict.reached > 0


# --- Order ---------------------------------------------------------------------------------------


def test_who_adds_partitions_while_events_flow_has_keys_read_out_of_order():
    flowing, waiting = (
        simulate(growing({"procedure": procedure, "reset": "earliest"}, 0))
        for procedure in (FLOWING, KNOWN)
    )

    assert "was given to billing after" in story_of(CHECKS["key_read_order"], flowing)
    assert kept(CHECKS["key_read_order"], waiting)


LEADER, FOLLOWERS = "broker-0", ("broker-1", "broker-2")
ALONE_THEN_GONE = (
    Partition((LEADER,), FOLLOWERS, 200, 2_000), Crash(LEADER, at_ms=1_500, down_ms=3_000)
)  # fmt: skip


def either_election():
    """Where a follower that lacks records may be elected, and where it waits for the leader."""
    row = ROWS["R01"]
    return row.broken, *row.fixes.values()


def test_after_an_unclean_election_what_is_sent_later_lies_before_what_was_acknowledged():
    unclean, clean = (under(scenario, *ALONE_THEN_GONE) for scenario in either_election())

    story = story_of(CHECKS["real_time_order"], unclean)
    assert "was handed over after" in story
    assert "broker-1 is elected to lead orders-0 (unclean)" in story
    assert kept(CHECKS["real_time_order"], clean)


def watched(scenario):
    """The same, and somebody who asks again and again where the log ends."""

    def deployed(cluster):
        workload = scenario.workload
        cluster.source(workload.producer, workload, scenario.guarantee.producer)
        cluster.group("reader", 1, lambda _: lambda _: None, Serving(("orders",), SESSION))

        def watch(node):
            consumer = cluster.consumer(node, {"group.id": "watch", "metadata.max.age.ms": 100})
            for _ in range(40):
                try:
                    yield consumer.end_offsets([("orders", 0)])
                except RequestTimedOut:
                    continue
                yield node.sleep(250_000)

        cluster.driver("watcher", watch)

    return attrs.evolve(scenario, application=deployed)


def test_after_an_unclean_election_a_log_ends_before_it_had_ended():
    unclean, clean = (under(watched(one), *ALONE_THEN_GONE) for one in either_election())

    story = story_of(CHECKS["end_offset_never_falls"], unclean)
    assert "watcher learns from broker-1 that orders-0 ends at" in story
    assert kept(CHECKS["end_offset_never_falls"], clean)


# --- Owners --------------------------------------------------------------------------------------


def test_a_store_serves_an_owner_that_is_none_any_more():
    """It stands still while its request is on the way, and others go on."""
    late = Delay("billing-0", "ledger", "TransactRequest", nth=1, extra_ms=4_000)
    row = ROWS["C04"]
    trace = under(row.broken, late)

    assert "as billing-0 asked, behind what billing-1 had it do" in story_of(
        CHECKS["owners_apply_in_turn"], trace
    )
    assert kept(CHECKS["owners_apply_in_turn"], under(row.broken))


# --- Read models ---------------------------------------------------------------------------------

COUNTED = read_model("ledger", lambda count, _: (count or 0) + 1)


@pytest.mark.parametrize(("guarantee", "found"), [(AT_LEAST_ONCE, BROKEN), (EXACTLY_ONCE, KEPT)])
def test_a_total_that_counts_an_event_again_is_no_fold_of_the_log(guarantee, found):
    trace = under(few_orders(guarantee), Crash("billing-1", "after_process"))

    verdict = COUNTED(trace)
    assert verdict.status is found
    assert ("at last, and its events make" in verdict.explain(trace)) is (found is BROKEN)


# --- Transactions --------------------------------------------------------------------------------


def test_a_transaction_of_which_no_coordinator_knows_holds_its_readers_up():
    soon = stable_offset_moves_within(5_000)
    unverified, verified = (
        simulate(hanging({"version": variant, "isolation": "read_committed"}, 0), Seeded(1))
        for variant in (
            next(one for one in VARIANTS.values() if not one.verifies_transactions),
            next(one for one in VARIANTS.values() if one.verifies_transactions),
        )
    )

    assert "a transaction of bank holds account-0@" in story_of(soon, unverified)
    assert CHECKS["stable_offset_moves"](unverified).status is Status.CANNOT_TELL
    assert kept(soon, verified)


def test_an_end_that_comes_late_commits_a_part_of_the_next_transaction():
    row = ROWS["T01"]
    late = Delay("payments", "broker-0", "EndTxnRequest", nth=1, extra_ms=2_500)
    (mended,) = row.fixes.values()

    story = story_of(CHECKS["transactions_read_whole"], under(row.broken, late))
    assert "of a transaction of payments, and never payments-2.0" in story
    assert kept(CHECKS["transactions_read_whole"], under(mended, late))


def test_a_reader_that_forgets_an_abort_too_late_jumps_over_what_others_are_given(monkeypatch):
    """It takes the producer's next batch for an aborted one, too, as if it had missed a marker."""
    scenario = few_bills(instances=1, partitions=1, producer={"linger.ms": 0})
    deployed = scenario.application

    def with_two(cluster):
        deployed(cluster)
        dirty = {**SESSION, **COMMITTED, "isolation.level": "read_uncommitted"}
        cluster.group("dirty", 1, audited, Serving((BILLS,), dirty))

    both = attrs.evolve(scenario, application=with_two)
    crash = Crash("billing-0", "before_commit", nth=1)
    trace = under(both, crash)
    assert kept(CHECKS["readers_agree"], trace)

    skips, aborted = _Fetched._skips, {}

    def remembers(self, batch):
        ever = aborted.setdefault(self.position, {})
        ever.update(self.aborted)
        return skips(self, batch) or ever.pop(batch.producer_id, None) is not None

    monkeypatch.setattr(_Fetched, "_skips", remembers)
    story = story_of(CHECKS["readers_agree"], under(both, crash))
    assert f"{AUDITOR}-0 was given" in story
