"""Natural chance is a function of seed, site and occurrence; zero is benign; looking is free."""

import ast
import itertools
import statistics
import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import (
    CRASH,
    DELAY,
    DROP,
    Bernoulli,
    Chooser,
    Forbidden,
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
    lognormal,
    never,
    uniform,
)
from simulator.errors import BadInput

A = Site("drop@a>b/ProduceRequest", DROP)
B = Site("delay@b>a/ProduceResponse", DELAY)
C = Site("crash@billing-0/after_process", CRASH)
LAWS = [
    Bernoulli(0.3),
    Pick(7),
    uniform(10, 900),
    exponential(5_000),
    lognormal(5_000, 1.0),
]


def take(source, count):
    return [source() for _ in range(count)]


class OneStream(Chooser):
    """A wrong twin: one stream for all sites, as a global generator would be."""

    def __init__(self, seed):
        self._words = iter(Seeded(seed).source(Site("all"), uniform(0, 2**64 - 1)), None)

    def source(self, site, law):
        return law.draws(self._words).__next__

    def describe(self):
        return "one stream"


def answers_beside(chooser, law, foreign):
    """Six answers at A, with `foreign` draws at B before and between them."""
    at_a, at_b = chooser.source(A, law), chooser.source(B, Pick(5))
    answers = []
    for _ in range(6):
        take(at_b, foreign)
        answers.append(at_a())
    return answers


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_drawing_at_one_site_moves_no_other(law):
    """Common random numbers: what is added to a system leaves the rest of its chance alone."""
    alone = answers_beside(Seeded(7), law, 0)

    for foreign in (1, 2, 17):
        assert answers_beside(Seeded(7), law, foreign) == alone
    assert answers_beside(OneStream(7), law, 1) != answers_beside(OneStream(7), law, 0)


@given(st.lists(st.sampled_from([A, B, C]), max_size=40))
def test_the_order_of_asking_changes_no_answer(order):
    """Each site tells the same story, whoever else is asked, and however often it is taken."""
    chooser = Seeded(3)
    heard = {A: [], B: [], C: []}
    for site in order:
        heard[site].append(chooser.ticks(site, exponential(900)))

    for site, answers in heard.items():
        assert answers == take(Seeded(3).source(site, exponential(900)), len(answers))


def test_the_occurrence_is_the_sites_own_even_if_its_source_is_taken_twice():
    """A restarted node takes the source anew, and goes on where it was."""
    once = take(Seeded(7).source(A, LAWS[2]), 6)
    chooser = Seeded(7)

    twice = take(chooser.source(A, LAWS[2]), 3) + take(chooser.source(A, LAWS[2]), 3)

    assert twice == once
    assert len(set(once)) > 1


def test_a_law_reads_the_same_words_as_another():
    """Two variants whose links differ in their law meet the same luck: short is short for both."""
    short, long = exponential(1_000), exponential(2_000)
    pairs = zip(
        take(Seeded(7).source(A, short), 200), take(Seeded(7).source(A, long), 200), strict=True
    )

    assert all(abs(2 * one - other) <= 2 + other / 500 for one, other in pairs)


def test_seeds_and_sites_have_streams_of_their_own():
    law = uniform(0, 2**40)
    streams = [
        tuple(take(Seeded(seed).source(site, law), 20))
        for seed in (0, 1, 2**64)
        for site in (A, B, Site("a"), Site("b"))
    ]

    assert len(set(itertools.chain.from_iterable(streams))) == 12 * 20


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_natural_chance_follows_the_law(law):
    """Over 20 000 draws the mean lies within four standard errors; neighbours do not follow."""
    drawn = take(Seeded(7).source(A, law), 20_000)
    mean = statistics.fmean(drawn)
    error = statistics.pstdev(drawn) / 20_000**0.5

    assert abs(mean - law.mean) < 4 * error
    assert abs(statistics.correlation(drawn[1:], drawn[:-1])) < 0.03
    assert abs(statistics.correlation(drawn, take(Seeded(7).source(B, law), 20_000))) < 0.03
    assert abs(statistics.correlation(drawn, take(Seeded(8).source(A, law), 20_000))) < 0.03


def test_the_words_are_blake2b_in_counter_mode():
    """Written out, so that another program can draw the same."""
    key = blake2b(b"7\n" + A.name.encode(), digest_size=32).digest()
    expected = [
        int.from_bytes(
            blake2b(key + (k // 8).to_bytes(8, "little")).digest()[k % 8 * 8 :][:8], "little"
        )
        for k in range(20)
    ]

    assert take(Seeded(7).source(A, uniform(0, 2**64 - 1)), 20) == expected


GOLDEN = {
    "Bernoulli(p=0.3)": [0, 1, 0, 0, 1, 0, 0, 0],
    "Pick(n=7)": [3, 5, 1, 4, 6, 4, 2, 4],
    "Uniform(low_us=10, high_us=900)": [418, 670, 176, 618, 883, 546, 351, 536],
    "Exponential(mean_us=5000, floor_us=0)": [3176, 6980, 1106, 5928, 23648, 4751, 2511, 4607],
    "Lognormal(median_us=5000, sigma=1.0, floor_us=0)": [
        4640,
        9889,
        2144,
        8313,
        53627,
        6669,
        3829,
        6475,
    ],
}


def first_answers():
    return {str(law): take(Seeded(7).source(A, law), 8) for law in LAWS}


def test_the_same_seed_gives_the_same_answers_on_every_machine():
    assert first_answers() == GOLDEN


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_the_hashes_of_texts_change_no_answer(hash_seed):
    program = (
        "from simulator.chance import *\n"
        f"print([[Seeded(7).ticks(Site(n), exponential(900)) for n in {list('abc')}],\n"
        "  [Seeded(7).ticks(Site('a'), lognormal(900, 1.0)) for _ in range(2)]])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert ast.literal_eval(printed) == [
        [Seeded(7).ticks(Site(n), exponential(900)) for n in "abc"],
        [Seeded(7).ticks(Site("a"), lognormal(900, 1.0))] * 2,
    ]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_zero_chooser_is_benign_everywhere(law):
    assert take(Zero().source(A, law), 3) == [0, 0, 0]


@pytest.mark.parametrize(
    "make",
    [
        Zero,
        lambda: Seeded(7),
        lambda: Tape(b"\xff" * 9),
        lambda: Sparse({}),
        lambda: Replay({}),
        lambda: Overlay({}, Tape(b"\xff" * 9)),
        lambda: Recording(Tape(b"\xff" * 9)),
    ],
)
def test_nothing_is_drawn_for_what_is_certain(make):
    """The answer is the law's one outcome, even if that is a loss; no byte of a tape is used."""
    chooser = make()

    assert take(chooser.source(A, Bernoulli(0)), 2) == [0, 0]
    assert take(chooser.source(A, Bernoulli(1)), 2) == [1, 1]
    assert chooser.ticks(B, constant(80)) == 0
    assert chooser.pick(B, 1) == 0
    assert getattr(chooser, "atlas", []) == []
    assert not getattr(chooser, "witness", {})
    if isinstance(chooser, Zero | Seeded | Tape | Replay):
        assert chooser.source(A, Bernoulli(0)) is never
    inner = getattr(chooser, "inner", chooser)
    if isinstance(inner, Tape):
        assert take(chooser.source(A, Bernoulli(0.01)), 10) == [1] * 9 + [0]


def test_a_tape_gives_a_byte_a_choice_in_the_order_of_asking():
    chooser = Tape(bytes([0, 255, 128, 0]))

    assert chooser.flag(A, Bernoulli(0.01)) is False
    assert chooser.flag(A, Bernoulli(0.01)) is True
    assert chooser.pick(B, 4) == 2
    assert chooser.ticks(B, exponential(5_000)) == 0
    assert chooser.pick(B, 4) == 0
    assert chooser.flag(A, Bernoulli(0.99)) is False


@given(st.binary(max_size=12), st.integers(0, 11))
def test_a_tape_cut_short_is_benign_from_there(tape, cut):
    law = Pick(200)
    whole, short = (take(Tape(t).source(A, law), 14) for t in (tape, tape[:cut]))

    assert short == whole[:cut] + [0] * (14 - cut)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Seeded(7),
        lambda: Tape(bytes(range(100, 160))),
        lambda: Sparse({(A.name, 2): 1, (B.name, 0): 9}),
        lambda: Replay({(A.name, 2): 1}, strict=False),
        lambda: Overlay({(A.name, 1): 1}, Seeded(7)),
        lambda: Recording(Seeded(7)),
    ],
)
def test_a_chooser_that_starts_again_gives_the_same_run_again(make):
    def run(chooser):
        chooser.start()
        answers = [
            (chooser.flag(A, Bernoulli(0.3)), chooser.ticks(B, uniform(0, 99))) for _ in range(9)
        ]
        chooser.finish()
        return answers, getattr(chooser, "atlas", None), getattr(chooser, "witness", None)

    chooser = make()

    assert run(chooser) == run(chooser) == run(make())


def test_an_observer_may_not_draw():
    for draw in (
        lambda: Forbidden().flag(A, Bernoulli(0.5)),
        lambda: Forbidden().pick(A, 3),
        lambda: Forbidden().ticks(A, constant(4)),
        lambda: Forbidden().source(A, Pick(1)),
    ):
        with pytest.raises(BadInput, match="observers may not draw: 'drop@a>b/ProduceRequest'"):
            draw()


def test_a_chooser_says_how_to_have_the_same_again():
    assert Zero().describe() == "zero"
    assert Seeded(7).describe() == "seed 7"
    assert Tape(b"\x00\xff").describe() == "tape 00ff"
    assert Forbidden().describe() == "forbidden"
    assert Sparse({("a", 1): 2}).describe() == "deviations a#1=2"
    assert Sparse({}).describe() == "deviations"
    assert Replay({("a", 1): 2}).describe() == "replay a#1=2"
    assert Overlay({("a", 1): 2}, Seeded(7)).describe() == "seed 7 with a#1=2"
    assert Overlay({}, Seeded(7)).describe() == "seed 7"
    assert Recording(Seeded(7)).describe() == "seed 7"
    assert Replay({("a", k): 1 for k in range(99)}).describe() == "replay 99 choices"


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True, None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(BadInput, match="seed: must be a whole number from 0"):
        Seeded(seed)


def test_a_tape_is_bytes():
    with pytest.raises(BadInput, match="tape: must be bytes, not str"):
        Tape("00ff")
