"""All planted bugs: where each is planted, the promise that it breaks, the check that says so.

1. A bug is a patch of product code: a few lines that somebody might have written. It changes what
   the product does, and not whether it runs: that an assertion stops it would be no finding.
2. It is killed by the default portfolio: `explore` as it comes, within the bug's budget of runs.
3. Without it the promise is kept: under the same search, and in the very run that killed it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from experiments.known_bugs.table import ROWS
from simulator.checks.verdict import Status, Verdict
from simulator.searching.explore import explore
from simulator.searching.found import Exploration
from tests.mutants import brokers, clients, groups, models, replication, transactions, worlds
from tests.mutants.promises import ASKED
from tests.promised import Promised

MODULES = (brokers, clients, groups, models, replication, transactions, worlds)

LOG = "log"
REPLICATION = "replication"
CLASSIC = "groups, classic"
KIP_848 = "groups, KIP-848"
TRANSACTIONS = "transactions"
PRODUCER = "producer"
CONSUMER = "consumer"
STORE = "store"
WORLD = "world"
MODELS = "models"

ALL_CRASH = "exactly once, though everybody crashes"
EXACTLY = "exactly once is neither lost nor applied twice"
AT_LEAST = "at least once is never lost, and in the order of its keys"
IDEMPOTENT = "an idempotent producer's records are stored once and in order"
OFFSETS = "a group's offsets never go back, nor past what was processed"
RETURN = "a coordinator that comes back knows what was committed"
FINALLY = "no finally runs in a crash"
DELAYS = "delays alone reorder nothing"
LOSSLESS = "acks=all on two in-sync replicas of three loses nothing"
GIVEN_UP = "what is given up is in all logs, or in none"
BILLS_1 = "bills are exactly once in version 1, if nothing is late"
BILLS_2 = "bills are exactly once, version 2, 1 replicas"
BILLS_CRASH = "bills are exactly once, though everybody crashes"
CRASHES_AND_DELAYS = "bills are exactly once, though brokers crash while messages are late"
ONE_BILLS = "one of two instances bills"
NOBODY_ENDS = "a transaction that nobody ends holds nobody up for long"
ORDERS = "orders are billed once, each in its own order"
AT_ONCE = "what is handled at once is committed without gaps"

EAGER, COOPERATIVE, CONSUMERS = "eager, kept once", "cooperative, kept once", "consumer, kept once"

FEW, SOME, MANY, LONG, LONGEST = 25, 100, 200, 300, 400  # Budgets, in runs.

_TABLE: dict[str, tuple[tuple[Callable[..., Any], str, str, int], ...]] = {
    LOG: (
        (brokers.forgets_producers, IDEMPOTENT, "appended_once", FEW),
        (brokers.forgets_producers_at_restart, IDEMPOTENT, "appended_once", FEW),
        (brokers.remembers_one_batch, IDEMPOTENT, "appended_once", SOME),
        (brokers.answers_before_it_writes, EXACTLY, "never_lost", SOME),
        (brokers.loses_its_disk, EXACTLY, "never_lost", SOME),
    ),
    REPLICATION: (
        (replication.acknowledges_before_followers_have_it, LOSSLESS, "acknowledged_is_read", FEW),
        (replication.moves_its_mark_alone, LOSSLESS, "committed_is_kept", FEW),
        (replication.never_says_where_logs_part, GIVEN_UP, "replicas_agree", FEW),
        (replication.elects_whoever_lives, LOSSLESS, "committed_is_kept", FEW),
    ),
    CLASSIC: (
        (brokers.takes_commits_of_old_generations, EAGER, "fenced_never_commits", LONGEST),
        (brokers.takes_commits_of_unknown_members, COOPERATIVE, "fenced_never_commits", FEW),
        (brokers.keeps_offsets_per_member, OFFSETS, "committed_never_regresses", FEW),
        (brokers.forgets_commits_at_restart, RETURN, "committed_never_regresses", FEW),
        (
            brokers.never_ends_a_session,
            "a member that dies alone is replaced in time",
            "applied_in_time",
            FEW,
        ),
        (clients.assigns_to_everybody, EAGER, "one_owner", FEW),
        (groups.withholds_nothing, COOPERATIVE, "one_owner", FEW),
    ),
    KIP_848: (
        (groups.frees_too_soon, CONSUMERS, "one_owner", FEW),
        (groups.takes_commits_of_strangers, CONSUMERS, "fenced_never_commits", FEW),
        (groups.takes_former_epochs, CONSUMERS, "fenced_never_commits", SOME),
    ),
    TRANSACTIONS: (
        (transactions.gives_markers_up, BILLS_2, "transactions_end", FEW),
        (transactions.aborts_prepared_commits, CRASHES_AND_DELAYS, "exactly_once_output", SOME),
        (transactions.leaves_prepared_transactions, NOBODY_ENDS, "stable_offset_moves", SOME),
        (transactions.never_times_out, NOBODY_ENDS, "stable_offset_moves", SOME),
        (transactions.fences_nobody, BILLS_1, "transactions_atomic", SOME),
        (transactions.reads_up_to_the_high_watermark, BILLS_2, "aborted_is_never_read", FEW),
        (transactions.tells_no_aborted_transactions, BILLS_2, "aborted_is_never_read", FEW),
        (
            transactions.forgets_aborted_transactions_at_restart,
            BILLS_CRASH,
            "aborted_is_never_read",
            MANY,
        ),
        (
            transactions.forgets_open_transactions_at_restart,
            BILLS_CRASH,
            "aborted_is_never_read",
            MANY,
        ),
        (transactions.commits_aborted_offsets, BILLS_2, "exactly_once_output", FEW),
        (transactions.commits_offsets_at_once, BILLS_2, "exactly_once_output", FEW),
        (transactions.tells_unstable_offsets, ONE_BILLS, "exactly_once_output", SOME),
        (transactions.takes_offsets_of_former_members, BILLS_2, "exactly_once_output", FEW),
    ),
    PRODUCER: (
        (clients.numbers_anew_at_retry, IDEMPOTENT, "stored_in_order", FEW),
        (clients.forgets_its_id_at_retry, IDEMPOTENT, "appended_once", FEW),
        (clients.acknowledges_before_the_answer, AT_LEAST, "never_lost", FEW),
    ),
    CONSUMER: (
        (clients.keeps_positions_over_rebalances, OFFSETS, "committed_never_regresses", FEW),
        (clients.keeps_positions_over_crashes, EXACTLY, "never_lost", FEW),
        (clients.commits_what_it_hands_out, EXACTLY, "never_lost", FEW),
        (clients.commits_past_gaps, AT_ONCE, "never_lost", LONG),
        (clients.commits_all_that_is_in_hand, AT_ONCE, "never_lost", FEW),
        (transactions.reads_what_was_aborted, BILLS_2, "aborted_is_never_read", FEW),
        (transactions.skips_until_the_first_marker, BILLS_2, "exactly_once_output", FEW),
    ),
    STORE: (
        (worlds.applies_before_it_marks, EXACTLY, "never_applied_twice", FEW),
        (
            worlds.answers_before_it_flushes,
            "a store never forgets what is on its platter",
            "totals_grow",
            FEW,
        ),
        (worlds.inserts_what_is_there, EXACTLY, "never_applied_twice", FEW),
        (worlds.recovers_effects_alone, ALL_CRASH, "never_applied_twice", FEW),
        (worlds.takes_silence_for_success, ORDERS, "never_lost", MANY),
    ),
    WORLD: (
        (worlds.runs_finally_in_a_crash, FINALLY, "finally_means_done", SOME),
        (worlds.reorders_within_a_connection, DELAYS, "stored_in_order", SOME),
        (
            worlds.never_mends_a_link,
            "what was cut off is handled soon after",
            "done_in_time",
            FEW,
        ),
    ),
    MODELS: (
        (models.remembers_ids_in_memory, ORDERS, "never_applied_twice", FEW),
        (models.keys_by_event_type, ORDERS, "aggregate_order", FEW),
        (models.marks_orders_not_events, ORDERS, "never_lost", FEW),
        (models.marks_before_it_bills, ORDERS, "never_lost", FEW),
        (models.bills_before_it_marks, ORDERS, "never_applied_twice", FEW),
    ),
}
# The slips among the known bugs are planted bugs, too: their rows say where, and what they break.
_SLIPS = {
    LOG: (("P05", MANY), ("P06", SOME)),
    REPLICATION: (("R14", FEW), ("R15", FEW)),
    CLASSIC: (("C06", 40), ("C08", FEW)),
    KIP_848: (("C10", FEW),),
    TRANSACTIONS: (("T06", FEW), ("T07", FEW), ("T09", FEW), ("T10", SOME)),
    PRODUCER: (("P07", FEW),),
}


@attrs.frozen
class Mutant:
    """One planted bug.

    Attributes:
        bug: plants it: a patch as pytest's MonkeyPatch makes it, or a known bug's slip.
        area: of the product.
        promised: what it breaks.
        check: the name of the check that says so first.
        budget: in how many runs the portfolio finds it at most.
    """

    bug: Callable[..., Any]
    area: str
    promised: Promised
    check: str
    budget: int
    is_slip: bool = False

    @property
    def name(self) -> str:
        """As its function is called."""
        return self.bug.__name__

    @property
    def says(self) -> str:
        """What is wrong, in a sentence."""
        return " ".join((self.bug.__doc__ or "").split("\n\n")[0].split())

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Inside, the bug is in the product."""
        if self.is_slip:
            with self.bug():
                yield
            return
        with pytest.MonkeyPatch.context() as patch:
            self.bug(patch)
            yield


def _mutants() -> Iterator[Mutant]:
    for area, bugs in _TABLE.items():
        for bug, promise, check, budget in bugs:
            yield Mutant(bug, area, ASKED[promise], check, budget)
        for name, budget in _SLIPS.get(area, ()):
            row = ROWS[name]
            assert row.slip is not None, name
            yield Mutant(row.slip, area, ASKED[name], row.sought.name, budget, is_slip=True)


MUTANTS = {mutant.name: mutant for mutant in _mutants()}


def explored(promised: Promised, budget: int, **more: Any) -> Exploration:
    """What the default portfolio finds in so many runs."""
    faults = promised.fault_classes
    return explore(promised.scenario, promised.checks, budget=budget, faults=faults, **more)


def broken(verdict: Verdict) -> tuple[str, ...]:
    """The checks that are broken; `run` if the run raised."""
    parts = verdict.parts or (verdict,)
    return tuple(one.check for one in parts if one.status is Status.BROKEN)
