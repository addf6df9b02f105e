"""A portfolio's runs follow from seed and number, and know how probable they are under the law."""

import math
from collections import Counter
from itertools import pairwise, product

import pytest

from simulator.chance import Bernoulli, Copies, Pick, Recording, Replay, Site, constant, exponential
from simulator.chance.atlas import Atlas, Place
from simulator.chance.dice import Dice
from simulator.chance.placing import Placing
from simulator.chance.portfolio import BENIGN, SHARES, Portfolio, deviations
from simulator.errors import BadInput

CLASSES = ("drop", "crash")
WEIGHED = {"law": 1, "swarm": 1, "sparse": 2}


def toy(chooser, laws, *, heal_after=None):
    """A run that asks each site of `laws`, (name, class, law, times), one after the other."""
    chooser.start()
    answers, asked = [], 0
    for name, fault_class, law, times in laws:
        draw = chooser.source(Site(name, fault_class), law)
        for _ in range(times):
            if asked == heal_after:
                chooser.heal()
            answers.append(draw())
            asked += 1
    return tuple(answers)


def flags(p, times=5, sites=3):
    return [(f"drop@{i}", CLASSES[i % 2], Bernoulli(p), times) for i in range(sites)]


def known(laws):
    """What the benign run shows."""
    chooser = Portfolio(0, shares={BENIGN: 1})
    toy(chooser, laws)
    return Atlas().with_more(chooser.met)


# --- The law ---------------------------------------------------------------------------------


def two_together(answers):
    return any(a and b for a, b in pairwise(answers))


def last_of_all(answers):
    return bool(answers[-1])


def nothing_but_two(answers):
    return sum(answers) == 2


def exactly(laws, fails):
    """Over all answers of the flags."""
    ps = [law.p for _, _, law, times in laws for _ in range(times)]
    return math.fsum(
        math.prod(p if one else 1 - p for p, one in zip(ps, answers, strict=True))
        for answers in product((0, 1), repeat=len(ps))
        if fails(answers)
    )


def weighted(laws, fails, *, runs, seed, atlas=None):
    """For each run its weight, and that weight if it fails."""
    atlas = known(laws) if atlas is None else atlas
    weights, hits = [], []
    for run in range(runs):
        chooser = Portfolio(seed, run, atlas=atlas, shares=WEIGHED)
        failed = fails(toy(chooser, laws))
        weights.append(math.exp(chooser.log_ratio))
        hits.append(weights[-1] if failed else 0.0)
    return weights, hits


def off_by(values, truth):
    """In standard errors."""
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return abs(mean - truth) / math.sqrt(spread / len(values))


@pytest.mark.parametrize("fails", [two_together, last_of_all, nothing_but_two])
@pytest.mark.parametrize("p", [0.2, 0.01, 1e-4])
def test_weights_make_the_portfolio_tell_of_the_law(p, fails):
    """Weights have the mean 1, and the failed ones that of the exact probability."""
    laws = flags(p, times=3)
    weights, hits = weighted(laws, fails, runs=1500, seed=11)

    assert off_by(weights, 1.0) < 3.5
    assert off_by(hits, exactly(laws, fails)) < 3.5
    assert max(weights) <= 4.0 + 1e-9  # One over the law's share.


def test_laws_of_different_probability_are_weighed_each_by_its_own():
    laws = [
        ("crash@a", "crash", Bernoulli(0.001), 4),
        ("drop@a", "drop", Bernoulli(0.1), 4),
        ("duplicate@a", "duplicate", Copies(0.01), 4),
    ]

    def fails(answers):
        return any(answers[:4]) and any(answers[8:])

    weights, hits = weighted(laws, fails, runs=3000, seed=5)

    assert off_by(weights, 1.0) < 3.5
    assert off_by(hits, exactly(laws, fails)) < 3.5


def test_weights_hold_where_the_atlas_knows_little():
    """Of a site not at all, of another too often: what is not known cannot be deviated at."""
    laws = flags(0.01)
    atlas = Atlas({"drop@0": Place("drop", 2), "drop@1": Place("crash", 40)})
    weights, hits = weighted(laws, last_of_all, runs=3000, seed=3, atlas=atlas)

    assert off_by(weights, 1.0) < 3.5
    assert off_by(hits, 0.01) < 3.5


def test_what_harms_nobody_is_drawn_by_the_law_and_cancels():
    laws = [("key@a", "choice", Pick(5), 20), ("delay@a>b/X", "delay", exponential(1000), 20)]
    chooser = Portfolio(1, 1)

    assert any(toy(chooser, laws))
    assert chooser.log_ratio == pytest.approx(0.0)
    assert chooser.met == {}


def test_beyond_the_law_there_is_no_ratio():
    chooser = Portfolio(1, 1, faults=CLASSES)
    toy(chooser, flags(0.0))

    assert chooser.log_ratio is None


# --- The proposals ---------------------------------------------------------------------------


def test_a_run_follows_from_seed_and_number():
    laws, atlas = flags(0.1), known(flags(0.1))

    def runs(seed):
        return [toy(Portfolio(seed, run, atlas=atlas), laws) for run in range(40)]

    assert runs(1) == runs(1)
    assert runs(1) != runs(2)


def test_a_chooser_gives_the_same_run_again():
    laws = flags(0.1)
    for run in range(20):
        chooser = Portfolio(1, run, faults=CLASSES, atlas=known(laws))

        assert toy(chooser, laws) == toy(chooser, laws)


def test_every_proposal_is_drawn_as_often_as_its_share_says():
    atlas = Atlas({"drop@a": Place("drop", 3), "tie@a|b": Place("tie", 3)})
    runs = [Portfolio(4, run, faults=("drop", "tie"), atlas=atlas) for run in range(1400)]
    found = Counter(run.proposal for run in runs)

    whole = sum(SHARES.values())
    for name, share in SHARES.items():
        assert abs(found[name] - 1400 * share / whole) < 80


def test_what_there_is_no_use_for_is_left_out():
    """Without an atlas no place, without ties no priorities."""
    assert {Portfolio(0, run).proposal for run in range(50)} == {"law", "swarm"}


def test_the_benign_run_is_benign_and_shows_where_faults_may_be():
    chooser = Portfolio(0, faults=("drop", "crash"), shares={BENIGN: 1})

    assert not any(toy(chooser, [*flags(0.3), ("key@a", "choice", Pick(4), 5)]))
    assert chooser.met == {
        "drop@0": Place("drop", 5), "drop@1": Place("crash", 5), "drop@2": Place("drop", 5)
    }  # fmt: skip


def test_a_sparse_run_has_few_deviations_and_all_places_have_their_turn():
    laws = flags(0.0, times=10, sites=4)
    atlas = Atlas({name: Place(of, times) for name, of, _, times in laws})
    seen = Counter()
    for run in range(1500):
        chooser = Portfolio(2, run, faults=CLASSES, atlas=atlas, shares={"sparse": 1})
        answers = toy(chooser, laws)
        assert sum(answers) <= 3
        seen.update(i for i, value in enumerate(answers) if value)

    assert len(seen) == 40
    assert min(seen.values()) > 20


def test_a_swarm_leaves_most_sites_out_and_strikes_some_often():
    laws = flags(0.0, times=64, sites=12)
    struck = []
    for run in range(200):
        chooser = Portfolio(2, run, faults=CLASSES, shares={"swarm": 1})
        answers = toy(chooser, laws)
        struck.append([sum(answers[i * 64 : i * 64 + 64]) for i in range(12)])

    per_run = [sum(count > 0 for count in counts) for counts in struck]
    assert 0.5 < sum(per_run) / 200 < 2.0  # 12 sites, one in eight, some of them never struck
    assert max(max(counts) for counts in struck) > 10


def test_only_the_classes_and_sites_that_were_named_go_wrong():
    laws = [
        ("drop@a", "drop", Bernoulli(0.0), 50),
        ("drop@b", "drop", Bernoulli(0.0), 50),
        ("crash@a", "crash", Bernoulli(0.0), 50),
    ]
    for run in range(60):
        sites = ("*@a",) if run % 2 else "*@a"
        chooser = Portfolio(0, run, faults=("drop",), sites=sites, shares={"swarm": 1})

        assert not any(toy(chooser, laws)[50:])


def test_once_healed_nothing_deviates():
    laws = flags(0.0, times=100, sites=1)
    for run in range(60):
        chooser = Portfolio(0, run, faults=CLASSES, shares={"swarm": 1})

        assert not any(toy(chooser, laws, heal_after=50)[50:])


def test_a_run_is_had_again_from_its_witness():
    laws = [*flags(0.0), ("delay@a>b/X", "delay", constant(5), 9), ("key@a", "choice", Pick(3), 9)]
    atlas = known(laws)
    for run in range(60):
        recording = Recording(Portfolio(7, run, faults=(*CLASSES, "delay"), atlas=atlas))
        answers = toy(recording, laws)

        assert toy(Replay(recording.witness), laws) == answers


def test_it_says_which_run_it_is():
    assert Portfolio(7, 12, shares={"law": 1}).describe() == "portfolio 7, run 12: law"


def test_a_message_may_be_late_though_its_link_is_even():
    late = deviations(Site("delay@a>b/X", "delay"), constant(500), beyond=True)

    assert late
    assert deviations(Site("backoff@a", "delay"), constant(500), beyond=True) == ()
    assert deviations(Site("drop@a", "drop"), Bernoulli(1.0), beyond=True) == ()
    assert deviations(Site("tie@a|b|c", "tie"), Pick(3), beyond=True) == (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 0, "run": "x"},
        {"seed": 0, "faults": ("choice",)},
        {"seed": 0, "faults": ("dorp",)},
        {"seed": 0, "shares": {"lucky": 1}},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        Portfolio(**wrong)


# --- Placing ---------------------------------------------------------------------------------


ATLAS = Atlas({"a": Place("drop", 1), "b": Place("drop", 8), "c": Place("crash", 2)})


def test_places_have_probabilities_that_add_up():
    placing = Placing(ATLAS)
    places = [(name, k) for name in ATLAS.places for k in range(20)]

    assert math.fsum(map(placing.probability, places)) == pytest.approx(1.0)


def test_sets_of_places_are_as_frequent_as_it_says():
    """Also where the run asks less often than the atlas thought, so that some are not met."""
    placing, asked = Placing(ATLAS), {"a": 1, "b": 4}
    runs = 20_000
    seen = Counter()
    for run in range(runs):
        placed = placing.place(Dice("place", run), 2)
        seen[frozenset(one for one in placed if one[1] < asked.get(one[0], 0))] += 1

    for chosen, times in seen.items():
        p = placing.probability_of_all(chosen, asked, 2)
        assert abs(times - p * runs) < 4.5 * math.sqrt(p * runs) + 1
    whole = math.fsum(placing.probability_of_all(one, asked, 2) for one in seen)
    assert whole == pytest.approx(1.0, abs=1e-3)
