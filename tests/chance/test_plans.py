"""What was written down is what happens; all else is benign, or another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import (
    CRASH,
    DELAY,
    DROP,
    TIE,
    Bernoulli,
    Overlay,
    Pick,
    Recording,
    Replay,
    Seeded,
    Site,
    Sparse,
    Tape,
    Zero,
    constant,
    exponential,
    format_witness,
    never,
    parse_witness,
    uniform,
)
from simulator.errors import BadInput, ReplayDiverged, UnknownSite

DROPPED = Site("drop@a>b/ProduceRequest", DROP)
DELAYED = Site("delay@b>a/ProduceResponse", DELAY)
CRASHED = Site("crash@billing-0/after_process", CRASH)
TIED = Site("tie@a|b", TIE)

STEPS = [
    (DROPPED, Bernoulli(0.3)),
    (DELAYED, uniform(10, 900)),
    (CRASHED, Bernoulli(0.2)),
    (TIED, Pick(1)),  # How many stand to choose from changes from time to time.
    (TIED, Pick(3)),
    (DROPPED, Bernoulli(0)),
]
scripts = st.lists(st.sampled_from(STEPS), max_size=30)


def run(chooser, script):
    """What a run hears that asks as the script says."""
    chooser.start()
    heard = [chooser.source(site, law)() for site, law in script]
    chooser.finish()
    return heard


# --- Recording and replaying ---------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        Zero,
        lambda: Seeded(7),
        lambda: Tape(bytes(range(100, 130))),
        lambda: Sparse({(DROPPED.name, 1): 1, (TIED.name, 2): 1}),
        lambda: Replay({(DROPPED.name, 1): 1}, strict=False),
        lambda: Overlay({(DROPPED.name, 1): 1, (TIED.name, 2): 2}, Seeded(7)),
        lambda: Recording(Seeded(7)),
    ],
)
@given(script=scripts, through_text=st.booleans())
def test_the_witness_of_a_run_replays_it(make, script, through_text):
    """Whoever answered, and though sites are asked under changing laws, certain ones among them."""
    recording = Recording(make())
    try:
        heard = run(recording, script)
    except BadInput:  # The plan picks the third of one: see below.
        return
    witness = recording.witness
    if through_text:
        witness = parse_witness(format_witness(witness))

    assert run(Replay(witness), script) == heard
    assert run(Sparse(witness), script) == heard
    assert run(Overlay(witness, Zero()), script) == heard


@given(scripts)
def test_recording_changes_nothing(script):
    assert run(Recording(Seeded(7)), script) == run(Seeded(7), script)


def test_a_witness_holds_what_was_not_benign_and_no_more():
    recording = Recording(Tape(bytes([0, 255, 0, 255])))
    source = recording.source(DROPPED, Bernoulli(0.3))
    for _ in range(6):
        source()

    assert recording.witness == {(DROPPED.name, 1): 1, (DROPPED.name, 3): 1}


def test_a_certain_loss_that_a_plan_undoes_stands_in_the_witness():
    """What is certain is not recorded; that it did not happen after all is."""
    recording = Recording(Overlay({(DROPPED.name, 1): 0}, Zero()))
    script = [(DROPPED, Bernoulli(1))] * 3

    assert run(recording, script) == [1, 0, 1]
    assert recording.witness == {(DROPPED.name, 1): 0}
    assert run(Replay(recording.witness), script) == [1, 0, 1]


# --- Replay ----------------------------------------------------------------------------------


def test_a_strict_replay_names_a_site_that_does_not_exist_and_those_like_it():
    replay = Replay(parse_witness("crash@biling-0/after_process#0=1"))
    replay.source(CRASHED, Bernoulli(0.2))()
    replay.source(DROPPED, Bernoulli(0.2))()

    with pytest.raises(UnknownSite) as caught:
        replay.finish()
    assert str(caught.value) == (
        "witness: the run never met the site 'crash@biling-0/after_process' "
        "(did you mean crash@billing-0/after_process?)"
    )
    assert replay.unmet == [("crash@biling-0/after_process", 0)]


def test_a_site_like_no_other_is_said_to_be():
    replay = Replay({("zzz", 0): 1})
    replay.source(CRASHED, Bernoulli(0.2))

    with pytest.raises(UnknownSite, match="none of its 1 is like it"):
        replay.finish()


@pytest.mark.parametrize(("times", "words"), [(0, "0 times"), (1, "once"), (3, "3 times")])
def test_a_strict_replay_names_a_choice_that_was_never_asked(times, words):
    replay = Replay({(CRASHED.name, 3): 1})
    source = replay.source(CRASHED, Bernoulli(0.2))
    for _ in range(times):
        source()

    with pytest.raises(ReplayDiverged, match=f"after_process#3: .* the run asked there {words}"):
        replay.finish()


def test_a_strict_replay_names_the_first_answer_that_does_not_fit():
    replay = Replay({(TIED.name, 1): 2})
    assert replay.pick(TIED, 3) == 0

    with pytest.raises(ReplayDiverged, match=r"tie@a\|b#1: the witness says 2, which Pick\(n=2\)"):
        replay.pick(TIED, 2)


def test_a_lenient_replay_is_benign_where_nothing_fits():
    """For the same witness after the system has changed."""
    replay = Replay({(TIED.name, 1): 2, ("gone", 0): 1, (CRASHED.name, 0): 1}, strict=False)

    assert run(replay, [(TIED, Pick(3)), (TIED, Pick(2)), (CRASHED, Bernoulli(0.2))]) == [0, 0, 1]
    assert replay.unmet == [("gone", 0)]


def test_what_a_witness_does_not_name_costs_a_replay_nothing():
    assert Replay({(TIED.name, 1): 2}).source(CRASHED, Bernoulli(0.5)) is never


# --- Plans -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [Replay, Sparse, lambda plan: Overlay(plan, Zero()), lambda plan: Overlay(plan, Seeded(7))],
)
def test_a_planned_fault_happens_even_where_chance_has_none(make):
    """The third request is lost on a link that loses nothing; a constant delay grows once."""
    chooser = make({(DROPPED.name, 2): 1, (DELAYED.name, 1): 40_000})
    script = [(DROPPED, Bernoulli(0)), (DELAYED, constant(500))] * 4

    assert run(chooser, script) == [0, 0, 0, 40_000, 1, 0, 0, 0]


@given(st.sampled_from([DROPPED, DELAYED]), st.integers(0, 8))
def test_a_plan_moves_no_other_answer(site, k):
    """Not even the later ones of its own site: what it replaces is drawn, and not used."""
    script = [(DROPPED, Bernoulli(0.3)), (DELAYED, exponential(900))] * 9
    natural = run(Seeded(7), script)
    planned = run(Overlay({(site.name, k): 1}, Seeded(7)), script)

    place = 2 * k + (site is DELAYED)
    assert planned[place] == 1
    assert planned[:place] + planned[place + 1 :] == natural[:place] + natural[place + 1 :]


def test_a_plan_leaves_the_sources_of_other_sites_as_they_are():
    class Spy(Zero):
        def source(self, site, law):
            return mark

    def mark():
        return 0

    assert Overlay({(DROPPED.name, 0): 1}, Spy()).source(CRASHED, Bernoulli(0.5)) is mark


def test_a_plan_can_undo_what_chance_does():
    """What if the second record had not been lost?"""
    overlay = Overlay({(DROPPED.name, 1): 0}, Tape(b"\xff\xff\xff"))

    assert run(overlay, [(DROPPED, Bernoulli(0.1))] * 3) == [1, 0, 1]


def test_a_plan_that_the_law_does_not_allow_is_refused_when_it_is_met():
    with pytest.raises(BadInput, match=r"plan, tie@a\|b#0: Pick\(n=3\) does not allow 3"):
        Overlay({(TIED.name, 0): 3}, Zero()).pick(TIED, 3)


def test_a_plan_says_what_was_never_met():
    overlay = Overlay({(DROPPED.name, 1): 1, ("gone", 0): 1}, Zero())
    run(overlay, [(DROPPED, Bernoulli(0))])

    assert overlay.unmet == [(DROPPED.name, 1), ("gone", 0)]


@pytest.mark.parametrize(
    ("chooser", "mentioned"),
    [
        (Zero(), False),
        (Seeded(7), False),
        (Sparse({("a", 0): 1}), True),
        (Replay({("a", 0): 1}), True),
        (Overlay({("a", 0): 1}, Zero()), True),
        (Overlay({("b", 0): 1}, Replay({("a", 0): 1})), True),
        (Recording(Overlay({("a", 0): 1}, Zero())), True),
    ],
)
def test_a_chooser_says_which_sites_its_plans_name(chooser, mentioned):
    assert chooser.mentions("a") is mentioned
    assert chooser.mentions("c") is False


@pytest.mark.parametrize("make", [Sparse, Replay, lambda plan: Overlay(plan, Zero())])
def test_a_plan_is_read_strictly_and_copied(make):
    plan = {(DROPPED.name, 0): 1}
    chooser = make(plan)
    plan.clear()
    assert chooser.flag(DROPPED, Bernoulli(0.1)) is True

    with pytest.raises(BadInput, match="'a b'"):
        make({("a b", 0): 1})


# --- Sparse ----------------------------------------------------------------------------------


def test_the_atlas_lists_the_choices_that_the_run_met():
    """Where there was one outcome, there was no choice; but it counts as an occurrence."""
    sparse = Sparse({(DROPPED.name, 1): 1})
    run(sparse, [STEPS[0], STEPS[5], STEPS[3], STEPS[4], STEPS[0]])

    assert sparse.atlas == [
        (DROPPED, 0, Bernoulli(0.3)),
        (TIED, 1, Pick(3)),
        (DROPPED, 2, Bernoulli(0.3)),
    ]


@given(scripts)
def test_every_place_in_the_atlas_can_be_made_to_deviate(script):
    survey = Sparse({})
    run(survey, script)

    for site, k, law in survey.atlas:
        value = law.grid[-1]
        sparse = Sparse({(site.name, k): value})
        heard = run(sparse, script)

        assert [answer for answer in heard if answer] == [value]
        assert sparse.atlas == survey.atlas
        assert sparse.unmet == []


def test_a_deviation_that_does_not_fit_is_benign():
    assert Sparse({(TIED.name, 0): 3}).pick(TIED, 3) == 0
