"""Writes of two transactions: in one order everywhere, in several, and of none."""

import attrs

from experiments.known_bugs.interleaving import T14, same_order_everywhere
from experiments.known_bugs.paying import paid_and_audited
from simulator import Delay, FaultPlan, Status, Variant, simulate


def run(*faults):
    return simulate(attrs.evolve(T14.broken, faults=FaultPlan(faults)))


def test_transactions_that_write_in_turn_lie_in_one_order():
    verdict = same_order_everywhere(run())

    assert verdict.status is Status.KEPT
    assert verdict.reached > 0


def test_a_late_record_puts_one_transaction_behind_the_other_in_one_partition_alone():
    late = run(
        Delay("payments", "broker-0", "ProduceRequest", extra_ms=1),
        Delay("broker-0", "refunds", "ProduceResponse", extra_ms=40),
    )
    verdict = same_order_everywhere(late)

    assert verdict.status is Status.BROKEN
    assert "refunds wrote before payments" in verdict.evidence[0].sentence
    assert T14.promised(late).status is Status.KEPT


def test_one_producer_has_nothing_to_be_compared_with_but_itself():
    alone = simulate(paid_and_audited(Variant(), payments=1))

    assert same_order_everywhere(alone).reached == 0
