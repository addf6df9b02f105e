"""Every schedule of a scope comes up once, and a search says whether it has run them all."""

from itertools import combinations

import pytest

from simulator.chance import (
    Bernoulli,
    Copies,
    Pick,
    Replay,
    Seeded,
    Site,
    constant,
    empirical,
    exponential,
    uniform,
)
from simulator.chance.exhaustive import (
    DEPTH,
    FEWEST,
    LIKELIEST,
    CoveredError,
    Exhaustive,
)
from simulator.chance.scope import Scope
from simulator.chance.within import Within
from simulator.errors import BadInput, ReplayDiverged

NEVER = Bernoulli(0.0)
CRASH = Site("crash@a/after_poll", "crash")
DROP = Site("drop@a>b/FetchRequest", "drop")
DELAY = Site("delay@a>b/FetchRequest", "delay")
ALL = Scope("*")


def flags(chooser, times=3, site=CRASH, law=NEVER):
    """A run that asks at one site, so many times."""
    chooser.start()
    source = chooser.source(site, law)
    answers = tuple(source() for _ in range(times))
    chooser.finish()
    return answers


def every(chooser, run=flags, **more):
    """What each run came to, in order."""
    found = []
    while chooser.more():
        found.append(run(chooser, **more))
    return found


@pytest.mark.parametrize("order", [DEPTH, FEWEST])
def test_every_schedule_comes_up_once(order):
    found = every(Exhaustive(ALL, order=order))

    assert len(found) == 8
    assert len(set(found)) == 8
    assert found[0] == (0, 0, 0)


def test_depth_is_an_odometer():
    """The last choice turns first."""
    assert every(Exhaustive(ALL))[:4] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]


def test_fewest_goes_by_deviations():
    sums = [sum(answers) for answers in every(Exhaustive(ALL, order=FEWEST))]

    assert sums == sorted(sums)


def test_what_is_asked_may_depend_on_the_answers():
    """After a fault two more choices follow; all of them are tried."""

    def run(chooser):
        chooser.start()
        source = chooser.source(CRASH, NEVER)
        first = source()
        return (first, *(source() for _ in range(2 * first)))

    assert sorted(every(Exhaustive(ALL), run)) == [
        (0,), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)
    ]  # fmt: skip


def test_budgets_bound_faults_of_a_class():
    """And a choice without a budget is none: nothing vacuous is run."""
    found = every(Exhaustive(Scope("*", {"crash": 2})), times=5)

    assert len(found) == 1 + 5 + len(list(combinations(range(5), 2)))


def test_deviations_bound_all_classes_together():
    def run(chooser):
        chooser.start()
        return tuple(chooser.source(site, NEVER)() for site in (CRASH, DROP, CRASH, DROP))

    assert len(every(Exhaustive(Scope("*", deviations=1)), run)) == 5
    assert len(every(Exhaustive(Scope("*", {"crash": 1, "drop": 1})), run)) == 9


def test_sites_outside_the_scope_are_benign_and_named():
    chooser = Exhaustive(Scope("crash@*"))
    found = every(chooser, site=DROP)

    assert found == [(0, 0, 0)]
    assert chooser.left == {DROP.name: "drop"}
    assert chooser.met == {}


def test_a_pattern_with_an_exclamation_mark_leaves_out():
    scope = Scope(("*", "!drop@*/Fetch*"))

    assert scope.holds("drop@a>b/ProduceRequest")
    assert not scope.holds(DROP.name)


def test_a_pick_takes_each_answer_and_a_delay_those_of_its_grid():
    picks = every(Exhaustive(ALL), times=1, site=Site("key@a"), law=Pick(3))
    slow = uniform(500, 1_500)

    assert sorted(picks) == [(0,), (1,), (2,)]
    assert every(Exhaustive(ALL), times=1, site=DELAY, law=slow) == [
        (value,) for value in (0, *sorted(slow.grid[1:], reverse=True))
    ]


def test_a_grid_says_which_delays_are_tried():
    scope = Scope("*", grids={"delay@*": (0, 70)})

    assert every(Exhaustive(scope), times=1, site=DELAY, law=constant(5)) == [(0,), (70,)]


def test_a_scope_that_only_leaves_out_is_refused():
    with pytest.raises(BadInput, match=r"only leaves sites out: '!crash@\*'.*give \"\*\""):
        Scope("!crash@*")


def test_a_grid_that_the_law_does_not_allow_is_refused():
    with pytest.raises(BadInput, match="does not allow"):
        every(Exhaustive(Scope("*", grids={"crash@*": (2,)})))


def test_a_constant_delay_is_no_choice_without_a_grid():
    assert every(Exhaustive(ALL), site=DELAY, law=constant(5)) == [(0, 0, 0)]


def test_what_is_certain_to_happen_happens():
    assert every(Exhaustive(ALL), law=Bernoulli(1.0)) == [(1, 1, 1)]


def test_a_copy_on_a_plain_link_is_tried():
    duplicate = Site("duplicate@a>b/FetchRequest", "duplicate")

    assert len(every(Exhaustive(ALL), site=duplicate, law=Copies(0.0))) == 8


def test_sites_open_late_and_close_when_the_world_is_healed():
    """Choices before and after are benign, and counted as occurrences."""

    def run(chooser):
        chooser.start()
        source = chooser.source(CRASH, NEVER)
        ((kind, opening),) = chooser.observers()
        answers = [source()]
        for _ in range(2):
            opening(None)
        answers.append(source())
        chooser.heal()
        return (kind, *answers, source())

    chooser = Exhaustive(Scope("*", opens=("partitions_assigned", 2)))

    assert every(chooser, run) == [
        ("partitions_assigned", 0, 0, 0), ("partitions_assigned", 0, 1, 0)
    ]  # fmt: skip
    assert chooser.witness == {(CRASH.name, 1): 1}


def test_ties_are_tried_on_when_the_world_is_healed():
    def run(chooser):
        chooser.start()
        chooser.heal()
        return chooser.source(Site("tie@a|b", "tie"), Pick(2))()

    assert every(Exhaustive(Scope("tie@*")), run) == [0, 1]
    assert Exhaustive(Scope("tie@*")).breaks_ties()
    assert not Exhaustive(Scope("crash@*")).breaks_ties()
    assert not Exhaustive(Scope(("*", "!tie@*"))).breaks_ties()


def test_a_schedule_is_a_witness_that_replays():
    chooser = Exhaustive(ALL)
    while chooser.more():
        answers = flags(chooser)

        assert flags(Replay(chooser.witness)) == answers


def test_a_run_that_depends_on_more_than_chance_is_named():
    """The second run asks at another site where the first one asked."""
    sites = iter((CRASH, DROP))

    def run(chooser):
        return flags(chooser, times=1, site=next(sites))

    with pytest.raises(ReplayDiverged, match="depends on what is not its scenario"):
        every(Exhaustive(ALL), run)


def test_a_run_that_never_comes_to_its_plan_is_named():
    times = iter((3, 0))

    with pytest.raises(ReplayDiverged, match="this one did not"):
        every(Exhaustive(ALL), lambda chooser: flags(chooser, times=next(times)))


def test_who_asks_for_one_schedule_more_is_told():
    chooser = Exhaustive(ALL)
    every(chooser)

    assert chooser.complete
    assert chooser.runs == 8
    with pytest.raises(BadInput, match="all schedules have been run"):
        chooser.start()


class Guided:
    """Knows that nothing new follows after the first choice, or that a fault there is vacuous."""

    def __init__(self, covered=False, vacuous=False):
        self.asked = []
        self.answers = covered, vacuous

    def covered(self, name, k, used):
        self.asked.append((name, k, used))
        return self.answers[0] and k > 0

    def vacuous(self, name, deviations):
        return self.answers[1]

    def decided(self, name, value):
        self.asked.append((name, value))


def test_a_covered_run_ends_and_what_it_met_before_is_tried():
    def run(chooser):
        try:
            return flags(chooser)
        except CoveredError:
            return "covered"

    assert every(Exhaustive(ALL, guide=Guided(covered=True)), run) == ["covered", "covered"]


def test_a_vacuous_choice_is_not_varied():
    assert every(Exhaustive(ALL, guide=Guided(vacuous=True))) == [(0, 0, 0)]


def test_a_choice_that_decided_nothing_is_taken_back():
    def run(chooser):
        answers = flags(chooser)
        chooser.take_back(CRASH.name)
        chooser.take_back("another@site")
        return answers

    assert len(every(Exhaustive(ALL), run)) == 4


# --- Weighed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [Bernoulli(0.3), Pick(4), empirical((5, 5, 9, 30))])
def test_the_masses_of_all_schedules_sum_to_one(law):
    chooser = Exhaustive(ALL, order=LIKELIEST, weighed=True)
    masses = []
    while chooser.more():
        flags(chooser, times=3, site=DELAY, law=law)
        masses.append(chooser.mass)

    assert sum(masses) == pytest.approx(1.0, abs=1e-12)
    assert masses[0] == max(masses) or isinstance(law, Bernoulli | Pick)


def test_what_waits_has_the_rest_of_the_mass():
    chooser = Exhaustive(ALL, order=LIKELIEST, weighed=True)
    flags(chooser, law=Bernoulli(0.25))

    assert chooser.mass == 0.75**3
    assert chooser.waiting_mass == pytest.approx(1 - 0.75**3)


def test_a_budget_leaves_mass_unexplored():
    chooser = Exhaustive(Scope("*", {"crash": 1}), weighed=True)
    masses = []
    while chooser.more():
        flags(chooser, times=2, law=Bernoulli(0.5))
        masses.append(chooser.mass)

    assert sum(masses) == 0.75


def test_a_certain_law_is_no_choice_where_things_are_weighed():
    assert every(Exhaustive(ALL, weighed=True)) == [(0, 0, 0)]


def test_a_law_with_too_many_answers_cannot_be_weighed():
    with pytest.raises(BadInput, match="too many answers"):
        every(Exhaustive(ALL, weighed=True), site=DELAY, law=exponential(1_000))


def test_given_choices_are_not_varied_and_not_weighed():
    given = {(CRASH.name, 1): 1}
    chooser = Exhaustive(ALL, weighed=True, given=given, given_length=2)
    found = every(chooser, law=Bernoulli(0.25))

    assert found == [(0, 1, 0), (0, 1, 1)]
    assert chooser.mass == 0.25
    assert chooser.choices == 3


def test_the_likeliest_first_needs_weights():
    with pytest.raises(BadInput, match="weighed"):
        Exhaustive(ALL, order=LIKELIEST)


# --- Within ----------------------------------------------------------------------------------


def test_within_a_scope_chance_is_the_inner_chooser_s():
    law = Bernoulli(0.5)
    inside = flags(Within(Scope("crash@*"), Seeded(1)), times=30, law=law)

    assert inside == flags(Seeded(1), times=30, law=law)
    assert not any(flags(Within(Scope("drop@*"), Seeded(1)), times=30, law=law))


def test_within_a_closed_scope_all_is_benign():
    chooser = Within(Scope("crash@*", opens="partitions_assigned"), Seeded(1))
    chooser.start()
    source = chooser.source(CRASH, Bernoulli(0.5))
    before = [source() for _ in range(20)]
    ((_, opening),) = chooser.observers()
    opening(None)
    during = [source() for _ in range(20)]
    chooser.heal()

    assert not any(before)
    assert any(during)
    assert not any(source() for _ in range(20))
    assert chooser.describe() == "seed 1 within crash@*"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budgets": {"crashes": 1}}, "no class of fault"),
        ({"budgets": {"crash": -1}}, "whole number"),
        ({"deviations": 1.5}, "whole number"),
        ({"sites": ()}, "names no site"),
    ],
)
def test_a_scope_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(BadInput, match=said):
        Scope(**{"sites": "*", **wrong})


def test_a_scope_tells_its_bounds():
    told = str(Scope("crash@*", {"crash": 2}, 3, {"delay@*": (0, 7)}, ("record_polled", 2)))

    assert told.split("\n") == [
        "sites: crash@*",
        "open from record_polled #2",
        "budgets: at most 2 of class crash, at most 3 deviations in all",
        "answers at delay@*: 0, 7",
    ]
