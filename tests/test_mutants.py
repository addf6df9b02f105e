"""Planted bugs are caught by what the system promises, not only by tests of the part.

Each bug of tests/mutants is patched into the product; one promise of tests/promised.py is then
broken, or can no longer be told, by one of a few hundred examples at most. Without the bug it is
kept (tests/properties). Some are shown to the main experiment, too.

`pytest tests/test_mutants.py -s` prints the table.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from experiments.delivery_guarantees import GUARANTEES, experiment
from simulator import FaultPlan, Status, simulate
from simulator.study.replicate import replicate
from simulator.study.runs import observed_run
from simulator.testing.faults import surveyed
from tests.mutants import brokers, clients, worlds
from tests.promised import PROMISES, Broken, Promised, first_broken
from tests.twins import TWINS

EXACTLY = "exactly once is neither lost nor applied twice"
AT_LEAST = "at least once is never lost, and in the order of its keys"
AT_MOST = "at most once is never applied twice"
IDEMPOTENT = "an idempotent producer's records are stored once and in order"
MEMBERS = "only members of the current generation commit"
OFFSETS = "a group's offsets never go back, nor past what was processed"
RETURN = "a coordinator that comes back knows what was committed"
HEALED = "a partition that is over is over"
TAKEOVER = "a dead member's partitions are taken over in time"
STORE = "a store never forgets what it answered"
FINALLY = "no finally runs in a crash"
DELAYS = "delays alone reorder nothing"

# The bug, the promise that catches it, and the check that fails.
CAUGHT = (
    (brokers.forgets_producers, IDEMPOTENT, "appended_once"),
    (brokers.forgets_producers_at_restart, IDEMPOTENT, "appended_once"),
    (brokers.remembers_one_batch, IDEMPOTENT, "appended_once"),
    (brokers.takes_commits_of_old_generations, MEMBERS, "members_commit"),
    (brokers.takes_commits_of_unknown_members, MEMBERS, "members_commit"),
    (brokers.keeps_offsets_per_member, OFFSETS, "committed_never_regresses"),
    (brokers.forgets_commits_at_restart, RETURN, "committed_never_regresses"),
    (brokers.never_ends_a_session, TAKEOVER, "applied_in_time"),
    (brokers.answers_before_it_writes, EXACTLY, "never_lost"),
    (brokers.loses_its_disk, EXACTLY, "never_lost"),
    (clients.numbers_anew_at_retry, IDEMPOTENT, "appended_once"),
    (clients.forgets_its_id_at_retry, IDEMPOTENT, "appended_once"),
    (clients.acknowledges_before_the_answer, AT_LEAST, "never_lost"),
    (clients.keeps_positions_over_rebalances, OFFSETS, "committed_never_regresses"),
    (clients.keeps_positions_over_crashes, EXACTLY, "never_lost"),
    (clients.commits_what_it_hands_out, EXACTLY, "never_lost"),
    (clients.assigns_to_everybody, AT_MOST, "never_applied_twice"),
    (worlds.runs_finally_in_a_crash, FINALLY, "finally_means_done"),
    (worlds.reorders_within_a_connection, DELAYS, "stored_in_order"),
    (worlds.never_mends_a_link, HEALED, "drained"),
    (worlds.applies_before_it_marks, EXACTLY, "never_applied_twice"),
    (worlds.answers_before_it_flushes, STORE, "totals_grow"),
)
EXAMPLES = 400  # Most bugs need a dozen.
TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def the_table():
    """Printed when all is done."""
    yield
    print("\n" + "\n".join(sorted(TABLE)))


def asked_with(bug: Callable[[Any], None], promised: Promised) -> Broken | None:
    """The same examples as without the bug: where faults may strike is surveyed before."""
    surveyed(promised.scenario)
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        return first_broken(promised, EXAMPLES)


@pytest.mark.parametrize(
    ("bug", "promise", "check"), CAUGHT, ids=lambda one: getattr(one, "__name__", None)
)
def test_a_planted_bug_breaks_a_promise(bug, promise, check):
    promised = PROMISES[promise]
    checks = tuple(one for one in promised.checks if one.name == check)

    found = asked_with(bug, attrs.evolve(promised, checks=checks))

    assert found is not None
    TABLE.append(
        f"{bug.__name__:34} {promise:65} {check:26} {found.status!s:12} example {found.example}"
    )


def test_handlers_that_outlive_their_process_make_a_wrong_twin_right():
    """The set in memory is lost in a restart, and has to be: the twin's own faults break it."""
    promise = "a set in memory applies twice after a restart"
    twin = TWINS[promise]
    (check,) = twin.promised.checks
    scenario = attrs.evolve(twin.promised.scenario, faults=FaultPlan(twin.faults))
    without = check(simulate(scenario))
    with pytest.MonkeyPatch.context() as patch:
        clients.keeps_handlers_over_crashes(patch)
        found = check(simulate(scenario))

    assert without.status is Status.BROKEN
    assert found.status is Status.KEPT
    TABLE.append(
        f"{'keeps_handlers_over_crashes':34} {promise:65} {check.name:26} "
        f"{'not broken':12} the twin's own faults"
    )


def outcomes():
    """How often each promise of the main experiment came out as declared, in a few runs."""
    factors = {
        "guarantee": GUARANTEES,
        "crashes": {"none": 0.0, "2%": 0.02},
        "lost answers": {"5%": 0.05},
    }
    small = attrs.evolve(experiment(orders=15), factors=factors, runs=8, stopping=None)
    results = replicate(small, observed_run, workers=1)
    return Counter(
        (dict(cell.labels)["guarantee"], promise.check, promise.outcome)
        for cell in results.cells
        for promise in cell.promises
    )


def test_the_main_experiment_comes_out_as_declared():
    assert not [outcome for *_, outcome in outcomes() if outcome == "not as declared"]


@pytest.mark.parametrize(
    ("bug", "guarantee", "check"),
    [
        (clients.keeps_handlers_over_crashes, "in-memory-set", "never_applied_twice"),
        (clients.commits_what_it_hands_out, "exactly-once", "never_lost"),
        (worlds.applies_before_it_marks, "exactly-once", "never_applied_twice"),
        (brokers.forgets_producers, "at-least-once", "never_applied_twice"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_main_experiment_notices(bug, guarantee, check):
    """One of its promises does not come out as declared."""
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        found = outcomes()

    assert found[guarantee, check, "not as declared"]


def test_every_planted_bug_stands_in_the_table():
    planted = {
        function
        for module in (brokers, clients, worlds)
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
    }

    assert planted == {bug for bug, _, _ in CAUGHT} | {clients.keeps_handlers_over_crashes}
