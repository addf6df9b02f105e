"""A guarantee is a word that says all it needs: settings, commit, sink, faults it stands.

*Lost* is what was acknowledged to the producer and is not applied after everything was healed
and drained; *applied twice* is the effect, not the delivery; both are per event id.

| guarantee | producer | commit | sink | promises |
|---|---|---|---|---|
| at-most-once | acks=all, retries 0 | before processing | naive | never applied twice |
| at-least-once | acks=all, retries, idempotent | after processing | naive | never lost |
| exactly-once | as at-least-once | after processing | effect and id, one transaction | both |
| exactly-once-transactions | transactional | by the transaction | the output topic | both |
| in-memory-set | as at-least-once | after processing | ids in memory | both, and breaks it |
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.chance import sites
from simulator.scenario import validation

# The names of all checks: the catalogue of `simulator.checks` has each.
PROMISES = (
    "never_lost",
    "never_delivered_twice",
    "never_applied_twice",
    "never_invented",
    "partition_order",
    "key_order",
    "key_read_order",
    "committed_never_regresses",
    "never_committed_past_processed",
    "one_owner",
    "fenced_never_commits",
    "drained",
    "answered_at_last",
    "acknowledged_is_read",
    "offsets_agree",
    "stored_once",
    "sends_in_order",
    "polls_in_order",
    "failed_is_never_read",
    "real_time_order",
    "end_offset_never_falls",
    "readers_agree",
    "replicas_agree",
    "replicas_converge",
    "committed_is_kept",
    "one_leader_an_epoch",
    "high_watermark_never_falls",
    "share_records_in_one_state",
    "share_acknowledged_never_redelivered",
    "share_delivered_at_most_limit",
    "owners_write_in_turn",
    "owners_apply_in_turn",
    "aborted_is_never_read",
    "transactions_atomic",
    "transactions_end",
    "stable_offset_moves",
    "transactions_read_whole",
    "exactly_once_output",
)
FAULT_CLASSES = tuple(one for one in sites.FAULT_CLASSES if one != sites.CHOICE)
COMMITS = ("before", "after", "auto", "transaction", "none")
SINKS = ("naive", "idempotent", "memory", "transaction")

# At replication 1 no promise stands the loss of a disk, which a power cut is when unflushed.
_ALL_BUT_DISK = ("crash", "drop", "duplicate", "delay", "pause", "skew", "tie")
# Without a producer id the broker takes a doubled request for two.
_WITHOUT_DUPLICATES = ("crash", "drop", "delay", "pause", "skew", "tie")

_IDEMPOTENT = {"acks": "all", "enable.idempotence": True}


@attrs.frozen
class Guarantee:
    """What a word such as at-least-once needs, and what it promises under which faults.

    Args:
        producer: Kafka producer settings.
        commit: when offsets are committed: before or after processing, by the consumer's
            auto-commit, in the producer's transaction, or never.
        sink: where effects go: naive (each processing counts), idempotent (effect and event
            id in one transaction of the store), memory (ids remembered in a set that dies with
            the process), transaction (an output topic, whose committed records are counted once
            for each place where one lies).
        promises: names of checks.
        fault_classes: under these the promises hold; outside them nothing is promised.
    """

    name: str = attrs.field(validator=validation.name)
    producer: Mapping[str, Any] = attrs.field(
        factory=dict, converter=validation.as_settings, hash=False
    )
    commit: str = attrs.field(default="after", validator=validation.one_of(*COMMITS))
    sink: str = attrs.field(default="naive", validator=validation.one_of(*SINKS))
    promises: tuple[str, ...] = attrs.field(
        default=(), converter=validation.as_tuple, validator=validation.some_of(*PROMISES)
    )
    fault_classes: tuple[str, ...] = attrs.field(
        default=_ALL_BUT_DISK,
        converter=validation.as_tuple,
        validator=validation.some_of(*FAULT_CLASSES),
    )


AT_MOST_ONCE = Guarantee(
    name="at-most-once",
    producer={"acks": "all", "retries": 0, "enable.idempotence": False},
    commit="before",
    sink="naive",
    promises=("never_applied_twice",),
    fault_classes=_WITHOUT_DUPLICATES,
)
AT_LEAST_ONCE = Guarantee(
    name="at-least-once",
    producer=_IDEMPOTENT,
    commit="after",
    sink="naive",
    promises=("never_lost",),
)
EXACTLY_ONCE = Guarantee(
    name="exactly-once",
    producer=_IDEMPOTENT,
    commit="after",
    sink="idempotent",
    promises=("never_lost", "never_applied_twice"),
)
EXACTLY_ONCE_TRANSACTIONS = Guarantee(
    name="exactly-once-transactions",
    producer=_IDEMPOTENT,  # Each instance adds a transactional.id of its own.
    commit="transaction",
    sink="transaction",
    promises=("never_lost", "never_applied_twice"),
)
# Often taught as exactly-once: ids are remembered in a set, and the set dies with the process.
IN_MEMORY_SET = Guarantee(
    name="in-memory-set",
    producer=_IDEMPOTENT,
    commit="after",
    sink="memory",
    promises=("never_lost", "never_applied_twice"),
)

GUARANTEES: Mapping[str, Guarantee] = {
    guarantee.name: guarantee
    for guarantee in (
        AT_MOST_ONCE,
        AT_LEAST_ONCE,
        EXACTLY_ONCE,
        EXACTLY_ONCE_TRANSACTIONS,
        IN_MEMORY_SET,
    )
}
