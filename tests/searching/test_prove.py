"""A bounded proof runs every schedule of its scope, says so, and falls when a guard is removed."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    IN_MEMORY_SET,
    Cases,
    Check,
    Crash,
    CrashHazard,
    Drop,
    FaultPlan,
    Hazards,
    Status,
    Verdict,
    Watching,
    constant,
    never_applied_twice,
    never_lost,
)
from simulator.cluster import sinks
from simulator.errors import BadInput, UniqueViolation
from simulator.protocol.store import Insert
from simulator.searching.prove import Outcome, prove
from tests.mutants import brokers, clients, worlds
from tests.searching.small import CONSUMER_POINTS, DATA_AND_COMMITS, consumed

PROMISES = (never_lost, never_applied_twice)
ONE_EACH = {"crash": 1, "drop": 1}
STABLE = "partitions_assigned"
SCOPE = (*CONSUMER_POINTS, *DATA_AND_COMMITS)


def proof(scenario=None, crashes=1, drops=1, **more):
    more.setdefault("opens", STABLE)
    budgets = {"crash": crashes, "drop": drops}
    return prove(scenario or consumed(), PROMISES, SCOPE, budgets=budgets, **more)


def test_an_idempotent_consumer_is_proved_for_two_crashes_and_two_lost_messages():
    """Three messages; the group is stable. How long it takes, `python -m benchmarks` says."""
    found = proof(crashes=2, drops=2)

    assert found.outcome is Outcome.PROVED
    assert found.complete
    assert 2_500 < found.schedules < 3_500
    assert found.undecided == 0
    assert found.reached > 6 * found.schedules - 1


def test_a_proof_prints_its_whole_scope():
    text = str(proof())

    assert "kept in every schedule of this scope" in text
    assert "crash@billing-*/*" in text
    assert "open from partitions_assigned" in text
    assert "at most 1 of class crash, at most 1 of class drop" in text
    assert ", all" in text
    assert "left benign: crash: after_append; delay: all; drop: FindCoordinatorRequest" in text


def test_what_is_alike_changes_no_verdict():
    """A search that takes no two points for one finds the same, in more runs."""
    alike, each = proof(), proof(shares_nothing=False)

    assert alike.outcome is each.outcome is Outcome.PROVED
    assert alike.schedules < each.schedules


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, IN_MEMORY_SET, AT_MOST_ONCE])
def test_without_its_guard_a_consumer_is_refuted(guarantee):
    found = proof(consumed(guarantee))

    assert found.outcome is Outcome.REFUTED
    assert not found
    assert found.counterexample.faults == 1
    assert found.counterexample.verdict.status is Status.BROKEN


def marks_before_it_applies(patch):
    """The mark and the effect are two transactions."""

    def factory(effect):
        def make(context):
            ledger = context.store(sinks.LEDGER)

            def handle(record):
                mark = Insert(sinks.PROCESSED, record.event_id, effect=False)
                try:
                    yield ledger.transact(mark)
                except UniqueViolation:
                    return
                yield ledger.transact(effect(record))

            return handle

        return make

    from simulator.cluster import deploy

    patch.setitem(deploy.SINKS, "idempotent", factory(deploy.counted))


@pytest.mark.parametrize(
    "bug",
    [
        marks_before_it_applies,
        worlds.applies_before_it_marks,
        clients.acknowledges_before_the_answer,
        clients.commits_what_it_hands_out,
        brokers.loses_its_disk,
    ],
    ids=lambda bug: bug.__name__,
)
def test_each_guard_removed_from_the_product_gives_a_counterexample(bug, monkeypatch):
    """What one guard holds back, one fault brings about; without the bug the same scope is proved.

    Between two transactions of one record a ledger can crash, and disks are lost by who has one.
    """
    everywhere = ("crash@*", *DATA_AND_COMMITS)
    assert prove(consumed(), PROMISES, everywhere, budgets=ONE_EACH, opens=STABLE)
    bug(monkeypatch)
    found = prove(consumed(), PROMISES, everywhere, budgets=ONE_EACH, opens=STABLE)

    assert found.outcome is Outcome.REFUTED, found
    assert found.counterexample.faults <= 2


def test_a_counterexample_is_had_again_and_told():
    found = proof(consumed(AT_LEAST_ONCE)).counterexample

    assert all(name.startswith(("crash@", "drop@")) for name, _ in found.witness)
    assert never_applied_twice(found.trace()).status is Status.BROKEN
    assert "twice" in found.explain()


def test_a_search_that_was_cut_off_proves_nothing():
    found = proof(most=5)

    assert found.outcome is Outcome.OPEN
    assert not found.complete
    assert "not all" in str(found)


def test_a_search_that_reached_nothing_proves_nothing():
    """No message was sent, so none could be lost."""
    found = proof(consumed(messages=0))

    assert found.reached == 0
    assert found.outcome is Outcome.OPEN


def test_a_run_that_cannot_be_judged_leaves_the_proof_open():
    """It is given too little time for what was acknowledged to be applied."""
    slow = consumed(processing_us=500_000)
    scenario = attrs.evolve(slow, heal_after_ms=1, horizon_ms=60)
    found = proof(scenario, histories=True)

    assert found.undecided > 0
    assert found.outcome is Outcome.OPEN
    assert found.histories is not None


@pytest.mark.parametrize(
    ("scope", "unmet"),
    [
        ({"sites": "crash@biling-*"}, ("crash@biling-*",)),
        ({"sites": ("!drop@*", "crash@biling-*")}, ("crash@biling-*",)),
        ({"sites": CONSUMER_POINTS, "opens": "log_truncated"}, ("log_truncated",)),
    ],
)
def test_where_nothing_of_the_scope_is_met_nothing_is_proved(scope, unmet):
    """What is misspelt is left out of every run: what holds then is no news."""
    found = prove(consumed(), PROMISES, **scope)

    assert found.outcome is Outcome.OPEN
    assert found.complete
    assert found.unmet == unmet
    assert f"never met: {unmet[0]}" in str(found)


def test_a_part_of_the_scope_that_is_never_met_is_named():
    found = proof()
    part = prove(consumed(), PROMISES, (*SCOPE, "crash@biling-*"), budgets=ONE_EACH, opens=STABLE)
    nowhere = prove(consumed(), PROMISES, "-")

    assert (found.unmet, part.unmet, nowhere.unmet) == ((), ("crash@biling-*",), ())
    assert part.outcome is nowhere.outcome is Outcome.PROVED
    assert part.schedules == found.schedules
    assert "never met: crash@biling-*" in str(part)
    assert "never met" not in str(found)


def test_a_scope_that_no_event_could_open_is_refused():
    with pytest.raises(BadInput, match=r"scope.opens.*'partition_assigned'.*did you mean"):
        proof(opens="partition_assigned")


def test_a_function_of_the_trace_can_be_proved():
    def few_entries(trace):
        cases = Cases()
        for entry in trace.of("node_crashed"):
            cases.add("crashed", (entry[0],))
        return cases.verdict("few_entries", len(trace))

    found = prove(consumed(), few_entries, CONSUMER_POINTS, budgets={"crash": 1}, opens=STABLE)

    assert found.outcome is Outcome.REFUTED
    assert isinstance(found.counterexample.verdict, Verdict)


def test_planned_faults_stay_in_every_schedule():
    """A plan's own crash or loss is not varied."""
    planned = FaultPlan((Crash("billing-0", "after_process"),))
    found = proof(attrs.evolve(consumed(AT_LEAST_ONCE), faults=planned), crashes=0, drops=0)

    assert found.schedules == 1
    assert found.outcome is Outcome.REFUTED
    assert "Crash(node='billing-0'" in str(found.counterexample)


def test_what_a_run_raises_names_its_schedule():
    def fragile(_):
        seen = []

        def handle(record):
            if record.offset and not seen:
                raise ZeroDivisionError
            seen.append(record)

        return handle

    with pytest.raises(ZeroDivisionError) as caught:
        proof(consumed(EXACTLY_ONCE, handler=fragile, settings={"max.poll.records": 1}))

    assert any("with deviations crash@" in note for note in caught.value.__notes__)


def test_a_scope_without_sites_is_refused():
    with pytest.raises(BadInput, match="names no site"):
        prove(consumed(), PROMISES, ())


def test_losing_is_not_duplicating():
    """At most once: nothing is applied twice, however much is lost."""
    scenario = attrs.evolve(consumed(AT_MOST_ONCE))
    found = prove(
        scenario, never_applied_twice, SCOPE, budgets={"crash": 1, "drop": 1}, opens=STABLE
    )

    assert found
    assert Drop("orders-producer", "broker-0", "ProduceRequest").fault_class in found.scope.budgets


def test_crashes_after_which_a_node_is_away_for_longer_are_not_alike():
    """Between the two points nothing happens, but at the second there is a hazard of its own."""

    def start():
        crashed, cases = [], Cases()

        def on_restarted(entry):
            if entry[1] - crashed[-1][1] > 2_000_000:
                cases.add("away for more than two seconds", (entry[0],))

        observers = {"node_crashed": crashed.append, "node_restarted": on_restarted}
        return Watching(observers, lambda: cases.verdict("back soon", len(crashed)))

    back_soon = Check("back soon", "Nobody is away for long.", start)
    long = CrashHazard("billing-*", "before_process", 0.0, down=constant(3_000_000))
    scenario = consumed(messages=1, hazards=Hazards(crash=(long,)))
    found = prove(scenario, back_soon, CONSUMER_POINTS, budgets={"crash": 1})

    assert found.outcome is Outcome.REFUTED
    assert found.counterexample.line == "crash@billing-0/before_process#0=1"
