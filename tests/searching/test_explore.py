"""Exploring finds what is planted, the same each time, and says what green runs are worth."""

from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    BadInput,
    CrashHazard,
    Hazards,
    Link,
    Seeded,
    Status,
    Topic,
    Topology,
    Verdict,
    never_applied_twice,
    never_lost,
    parse_witness,
    simulate,
)
from simulator.chance import Bernoulli, Replay, Site
from simulator.checks.verdict import Evidence
from simulator.searching.explore import explore
from simulator.searching.properties import as_judge
from simulator.world.node import Node
from tests.few_orders import few_orders
from tests.log_checks import appended_once, members_commit, stored_in_order
from tests.mutants import brokers, worlds
from tests.promised import rapid

FORTY = few_orders(
    AT_LEAST_ONCE, events=40, topology=Topology(brokers=1, topics=(Topic("orders", 1),))
)
LATE = 30  # Of 40 events.


def nothing(_patch):
    """The product as it is."""


def late_twice(trace):
    """An event from the thirtieth on is applied twice."""
    times = {}
    for entry in trace.of("effect_applied"):
        times[entry[4][4]] = times.get(entry[4][4], 0) + 1
    twice = [one for one, count in times.items() if count > 1 and int(one[1:]) >= LATE]
    cases = tuple(Evidence(f"{one} was applied twice") for one in twice)
    status = Status.BROKEN if twice else Status.KEPT
    return Verdict("late_twice", status, cases, len(cases), len(times))


def late_twice_and_alone(trace):
    """... and nothing else has gone wrong: whoever makes many faults early never sees it."""
    if len(trace.of("node_crashed")) + len(trace.of("message_dropped")) > 3:
        return Verdict("late_twice_and_alone", Status.KEPT)
    return late_twice(trace)


# --- Finding ---------------------------------------------------------------------------------

BUGS = {
    "a lost answer is stored twice": (
        rapid(**{"enable.idempotence": False}), (appended_once,), nothing, {},
    ),
    "commit before process": (few_orders(AT_MOST_ONCE), never_lost, nothing, {}),
    "a commit of an old generation": (
        few_orders(AT_LEAST_ONCE, events=10, per_s=5, consumer={"max.poll.records": 1}),
        (members_commit,),
        brokers.takes_commits_of_old_generations,
        {
            "faults": ("crash", "duplicate"),
            "sites": ("crash@billing-*", "duplicate@*/OffsetCommitRequest"),
        },
    ),
    "requests in flight are reordered": (
        rapid(**{"enable.idempotence": False}), (stored_in_order,), nothing, {},
    ),
    "the effect, and then its mark": (
        few_orders(EXACTLY_ONCE), never_applied_twice, worlds.applies_before_it_marks, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_found_and_had_again(bug, seed):
    scenario, promised, plant, more = BUGS[bug]
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        found = explore(scenario, promised, budget=500, seed=seed, **more)
        failure = found.first

        assert failure is not None, str(found)
        assert as_judge(promised)(failure.trace()) == failure.verdict


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("promised", [late_twice, late_twice_and_alone])
def test_a_late_fault_is_found(promised, seed):
    """Needed at the thirtieth of forty messages or later; nothing in the laws makes one."""
    found = explore(FORTY, promised, budget=500, seed=seed)

    assert found.failed == 1, str(found)


def test_what_holds_is_not_found_broken():
    found = explore(few_orders(EXACTLY_ONCE), ("never_lost", "never_applied_twice"), budget=150)

    assert not found.failures, str(found)
    assert found.runs == 150
    assert "none of 150 runs failed" in str(found)


def test_only_what_the_laws_leave_open_goes_wrong_without_faults():
    """The scenario has no hazard, so nothing is lost."""
    found = explore(few_orders(AT_MOST_ONCE), "never_lost", faults=(), budget=60)

    assert not found.failures
    assert "node_crashed" not in found.reached
    assert {tally.proposal for tally in found.tallies} <= {"benign", "law", "swarm"}


def test_hazards_of_the_scenario_are_found_without_faults():
    hazards = Hazards(crash=(CrashHazard("billing-*", "after_commit", 0.01),))
    found = explore(few_orders(AT_MOST_ONCE, hazards=hazards), "never_lost", faults=())

    assert found.first is not None
    assert found.first.faults == ()


# --- The same search each time ---------------------------------------------------------------


def seen(found):
    return [(one.run, one.text, one.faults, one.verdict) for one in found.failures], found.tallies


def test_a_search_is_a_function_of_scenario_property_and_seed():
    def search(seed, **more):
        return explore(few_orders(AT_MOST_ONCE), "never_lost", seed=seed, **more)

    assert seen(search(1)) == seen(search(1))
    assert seen(search(1)) != seen(search(2))
    with ThreadPoolExecutor(3) as executor:
        assert seen(search(1, executor=executor)) == seen(search(1))


def test_all_kinds_of_failures_are_kept_when_the_budget_is_spent():
    found = explore(
        few_orders(AT_MOST_ONCE, per_s=40),
        ("never_lost", "never_committed_past_processed"),
        budget=80,
        until="budget",
    )
    kinds = [failure.kind for failure in found.failures]

    assert found.runs == 80
    assert len(kinds) == len(set(kinds)) > 1
    assert sum(failure.times for failure in found.failures) == found.failed
    for failure in found.failures:
        assert failure.verdict.status is Status.BROKEN


def test_any_chooser_will_do():
    hazards = Hazards(crash=(CrashHazard("billing-*", "after_commit", 0.2),))
    found = explore(few_orders(AT_MOST_ONCE, hazards=hazards), "never_lost", chooser=Seeded)

    assert found.first is not None
    trace = simulate(few_orders(AT_MOST_ONCE, hazards=hazards), Seeded(found.first.run))
    assert trace.digest() == found.first.trace().digest()


# --- What was reached, and what green runs are worth -----------------------------------------


def test_marks_that_were_asked_for_and_not_reached_are_told():
    found = explore(
        few_orders(), "never_lost", budget=30, faults=("drop",), timed=False,
        sometimes=("message_dropped", "node_crashed", "never_lost"),
    )  # fmt: skip

    assert found.reached["message_dropped"] > 5
    assert found.reached["never_lost"] == 30
    assert found.never_reached == ("node_crashed",)
    assert "never reached: node_crashed" in str(found)


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("pause", "node_paused"), ("skew", "clock_skewed"), ("disk", "node_crashed")],
)
def test_a_class_of_faults_at_a_time_alone_strikes_too(kind, mark):
    """No choice of a run stands for them: which nodes there are is seen in the benign run."""
    found = explore(few_orders(), never_lost, faults=(kind,), budget=60, until="budget")
    nowhere = explore(
        few_orders(), never_lost, faults=(kind,), sites=("crash@*",), budget=60, until="budget"
    )

    assert found.reached[mark] > 0
    assert mark not in nowhere.reached


def test_sites_that_no_run_met_are_named():
    """Nothing was tried there, however many runs were green."""
    sites = ("crash@biling-*", "crash@billing-*", "pause@ledger")
    found = explore(few_orders(), never_lost, faults=("crash", "pause"), sites=sites, budget=20)
    by_hand = explore(few_orders(), never_lost, sites=sites, budget=20, chooser=Seeded)

    assert found.unmet == ("crash@biling-*",)
    assert "never met: crash@biling-*" in str(found)
    assert by_hand.unmet == ()


def test_one_pattern_of_sites_is_not_taken_for_its_letters():
    """Of which one is a star."""
    found = explore(
        few_orders(), never_lost, faults=("drop",), sites="crash@billing-*", budget=20, timed=False
    )

    assert "message_dropped" not in found.reached
    assert found.unmet == ("crash@billing-*",)
    with pytest.raises(BadInput, match=r"explore.sites: names no site: \(\)"):
        explore(few_orders(), never_lost, sites=())


def test_green_runs_bound_what_a_search_would_find():
    found = explore(few_orders(), "never_lost", budget=40)

    assert str(found.findability()) == "<= 8.8 %"
    assert found.more_green_runs(0.01) == 368 - 40
    assert found.more_green_runs(0.5) == 0


def test_the_first_failure_says_how_findable_it_is():
    """By the geometric law: had it been in half of all runs, 20 would not have been needed."""
    found = explore(few_orders(AT_MOST_ONCE), "never_lost")
    estimate = found.findability()

    assert estimate.point == pytest.approx(1 / found.runs)
    assert estimate.method == "geometric"
    p = estimate.high
    assert (1 - p) ** (found.runs - 1) == pytest.approx(0.025)
    assert 1 - (1 - estimate.low) ** found.runs == pytest.approx(0.025)


def broken_at_once(_trace):
    return Verdict("broken_at_once", Status.BROKEN)


def test_what_is_broken_in_every_run_is_broken_in_the_benign_one():
    found = explore(few_orders(), broken_at_once)

    assert (found.runs, found.first.proposal, found.first.text) == (1, "benign", "")
    assert found.findability().high == 1.0


def raising(_context):
    def handle(record):
        raise ZeroDivisionError(record.event_id)

    return handle


def test_a_run_that_raises_is_a_failure_of_its_own():
    scenario = few_orders()
    consumers = attrs.evolve(scenario.consumers, handler=raising)
    found = explore(attrs.evolve(scenario, consumers=consumers), "never_lost", budget=3)

    assert "ZeroDivisionError" in str(found.first)
    with pytest.raises(ZeroDivisionError):
        found.first.trace()


@pytest.mark.parametrize(
    "wrong",
    [{"budget": 0}, {"until": "never"}, {"faults": ("dorp",)}, {"promised": "never_lots"},
     {"promised": 7}],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        explore(few_orders(), **{"promised": "never_lost", **wrong})


# --- Witnesses last --------------------------------------------------------------------------


def asks_more(patch):
    """An unrelated change: at every point of the program one more question, often answered yes."""
    point = Node.point

    def sampling(self, name):
        self.world.chooser.flag(Site(f"sample@{self.name}"), Bernoulli(0.3))
        return point(self, name)

    patch.setattr(Node, "point", sampling)


LOSSY = few_orders(
    AT_MOST_ONCE,
    hazards=Hazards(crash=(CrashHazard("billing-*", "*", 0.03),)),
    topology=Topology(2, (Topic("orders", 2),), (Link(loss=0.02),)),
)


def test_a_witness_replays_after_an_unrelated_change():
    """Whichever proposal has found it, the run is entry for entry the same."""
    failures = [explore(LOSSY, "never_lost", seed=seed).first for seed in range(8)]
    before = [failure.trace().digest() for failure in failures]
    with pytest.MonkeyPatch.context() as patch:
        asks_more(patch)
        for failure, digest in zip(failures, before, strict=True):
            again = simulate(failure.scenario, Replay(parse_witness(failure.text)))

            assert again.digest() == digest
            assert never_lost(again).status is Status.BROKEN
