"""All checks by name: what a guarantee, an experiment and the command line may ask for."""

import difflib
from collections.abc import Iterable, Mapping

from simulator.checks import (
    answered,
    converging,
    delivery,
    fencing,
    groups,
    logs,
    order,
    ownership,
    progress,
    reading,
    real_time,
    replication,
    share,
    stable,
    takeover,
    transactions,
    transactions_output,
)
from simulator.checks.check import Check
from simulator.errors import BadInput

CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        delivery.never_lost,
        delivery.never_delivered_twice,
        delivery.never_applied_twice,
        delivery.never_invented,
        order.partition_order,
        order.key_order,
        order.key_read_order,
        groups.committed_never_regresses,
        groups.never_committed_past_processed,
        ownership.one_owner,
        fencing.fenced_never_commits,
        progress.drained,
        answered.answered_at_last,
        logs.acknowledged_is_read,
        logs.offsets_agree,
        logs.stored_once,
        logs.sends_in_order,
        logs.polls_in_order,
        logs.failed_is_never_read,
        real_time.real_time_order,
        real_time.end_offset_never_falls,
        reading.readers_agree,
        replication.replicas_agree,
        converging.replicas_converge,
        replication.committed_is_kept,
        replication.one_leader_an_epoch,
        replication.high_watermark_never_falls,
        share.share_records_in_one_state,
        share.share_acknowledged_never_redelivered,
        share.share_delivered_at_most_limit,
        takeover.owners_write_in_turn,
        takeover.owners_apply_in_turn,
        transactions.aborted_is_never_read,
        transactions.transactions_atomic,
        transactions.transactions_end,
        stable.stable_offset_moves,
        reading.transactions_read_whole,
        transactions_output.exactly_once_output,
    )
}


def named(names: Iterable[str], where: str = "") -> tuple[Check, ...]:
    """The checks of these names, in order.

    Raises:
        BadInput: there is no check of that name.
    """
    found = []
    for name in names:
        if name not in CHECKS:
            near = difflib.get_close_matches(name, CHECKS, n=1)
            fix = f"did you mean {near[0]}?" if near else "known: " + ", ".join(CHECKS)
            raise BadInput("there is no check", where, name, fix)
        found.append(CHECKS[name])
    return tuple(found)
