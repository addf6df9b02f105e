"""The beginning of a run is a witness's, all the rest another chooser's."""

import itertools

import pytest

from simulator.chance import Bernoulli, Constant, Pick, Seeded, Site, Zero
from simulator.chance.healing import Healing
from simulator.chance.prefix import Asked, Prefix
from simulator.chance.priorities import Priorities
from simulator.errors import BadInput

DROP, KEY = Site("drop@a", "drop"), Site("key@a")
WITNESS = {("drop@a", 1): 1, ("key@a", 2): 3}


class Always(Zero):
    """1 wherever it may."""

    def source(self, site, law):
        return (lambda: 1) if law.allows(1) else super().source(site, law)


def asked(chooser, times=4):
    """Drop and key in turn."""
    chooser.start()
    drop, key = chooser.source(DROP, Bernoulli(0.5)), chooser.source(KEY, Pick(5))
    return [value for _ in range(times) for value in (drop(), key())]


def test_the_first_choices_are_the_witness_and_the_others_anybodys():
    assert asked(Prefix(WITNESS, 0, Always())) == [1, 1, 1, 1, 1, 1, 1, 1]
    assert asked(Prefix(WITNESS, 3, Always())) == [0, 0, 1, 1, 1, 1, 1, 1]
    assert asked(Prefix(WITNESS, 6, Always())) == [0, 0, 1, 0, 0, 3, 1, 1]
    assert asked(Prefix(WITNESS, None, Always())) == [0, 0, 1, 0, 0, 3, 0, 0]


def test_it_knows_the_order_of_asking_and_how_long_the_tail_was():
    chooser = Prefix(WITNESS, 6, Zero())
    asked(chooser)

    assert chooser.order[2] == Asked("drop@a", 1, 1)
    assert [str(one) for one in chooser.order[4:6]] == ["drop@a#2=0", "key@a#2=3"]
    assert chooser.tail == 2


def test_the_tail_is_what_the_inner_chooser_would_have_said_there():
    """Under one seed all tails agree on what comes after the longer of two beginnings."""
    whole = asked(Seeded(5))

    assert asked(Prefix({}, 4, Seeded(5)))[4:] == whole[4:]


def test_certain_laws_are_no_choices_but_a_witness_may_name_them():
    def run(witness, count):
        chooser = Prefix(witness, count, Zero())
        chooser.start()
        sure = chooser.source(DROP, Bernoulli(0.0))
        late = chooser.source(Site("delay@a", "delay"), Constant(7))
        return [sure(), late(), sure()], len(chooser.order)

    assert run({}, 9) == ([0, 0, 0], 0)
    assert run({("drop@a", 1): 1}, 9) == ([0, 0, 1], 2)
    assert run({("drop@a", 1): 1}, 1) == ([0, 0, 0], 2)


def test_nothing_is_disturbed_before_its_time_where_laws_are_certain():
    """A chooser that makes faults beyond the law makes them in the tail alone."""
    chooser = Prefix({}, 1, Always())
    chooser.start()
    certain, open_ = chooser.source(DROP, Bernoulli(0.0)), chooser.source(KEY, Pick(2))

    assert [certain(), open_(), certain()] == [0, 0, 1]


def test_a_count_is_a_whole_number():
    with pytest.raises(BadInput, match=r"prefix\.count"):
        Prefix({}, -1, Zero())


def test_it_breaks_ties_if_the_witness_does():
    assert Prefix({("tie@a|b", 0): 1}, 3, Zero()).breaks_ties()
    assert not Prefix({}, 3, Zero()).breaks_ties()


# --- Healing ---------------------------------------------------------------------------------


def test_a_healed_world_meets_no_fault_and_its_keys_are_drawn_on():
    chooser = Healing(Always())
    chooser.start()
    drop, key = chooser.source(DROP, Bernoulli(0.5)), chooser.source(KEY, Pick(5))
    before = [drop(), key()]
    chooser.heal()

    assert before == [1, 1]
    assert [drop(), key()] == [0, 1]
    chooser.start()
    assert chooser.source(DROP, Bernoulli(0.5))() == 1


# --- Priorities ------------------------------------------------------------------------------


def ties(chooser, names, times=1):
    chooser.start()
    law = Pick(len(names.split("|")))
    draw = chooser.source(Site(f"tie@{names}", "tie"), law)
    return [draw() for _ in range(times)]


def test_priorities_hold_for_the_whole_run_and_change_a_few_times():
    for seed in range(30):
        picks = ties(Priorities(seed, Zero(), ties=50), "a|b", 50)
        changes = sum(one != other for one, other in itertools.pairwise(picks))

        assert changes <= 2


def test_every_order_of_three_is_found():
    found = set()
    for seed in range(60):
        chooser = Priorities(seed, Zero(), ties=10**9)
        (first,) = ties(chooser, "a|b|c")
        rest = [name for i, name in enumerate("abc") if i != first]
        draw = chooser.source(Site("tie@" + "|".join(rest), "tie"), Pick(2))
        found.add("abc"[first] + rest[draw()])

    assert len(found) == 6


def test_priorities_decide_ties_alone_and_none_once_healed():
    chooser = Priorities(1, Always(), ties=4)
    chooser.start()

    assert chooser.source(KEY, Pick(3))() == 1
    draws = [chooser.source(Site(f"tie@{n}|x", "tie"), Pick(2)) for n in range(20)]
    assert any(draw() for draw in draws)
    chooser.heal()
    assert not any(draw() for draw in draws)
