"""Who goes first at one instant: the first come, unless chance is asked; each in its own order."""

from collections import Counter

import attrs
import pytest

from simulator import (
    EXACTLY_ONCE,
    Link,
    Recording,
    Replay,
    Topic,
    Topology,
    Zero,
    constant,
    drained,
    never_applied_twice,
    never_lost,
    parse_witness,
    simulate,
    stored_once,
)
from simulator.chance import Seeded
from simulator.world.kernel import Gate, Kernel
from simulator.world.ties import MOST_TIED, Ties
from tests.few_orders import few_orders


class Asking(Zero):
    """First come, first served, and a count of who was asked."""

    def __init__(self):
        self.asked = Counter()

    def breaks_ties(self):
        return True

    def source(self, site, law):
        answer = super().source(site, law)
        if site.fault_class != "tie":
            return answer

        def draw():
            self.asked[site.name] += 1
            return answer()

        return draw


class Shuffling(Seeded):
    """Any order, and all else by the law."""

    def breaks_ties(self):
        return True


class Last(Zero):
    """The last come goes first."""

    def source(self, site, law):
        return lambda: law.n - 1


def timers(order, *names):
    """A kernel with a timer of each of these nodes at the same instant."""
    kernel, gates = Kernel(), {name: Gate(name) for name in names}
    for number, name in enumerate(names):
        kernel.timer(5, gates[name], order.append, f"{name}{number}")
    return kernel


def test_the_last_may_be_first_and_each_node_keeps_its_order():
    order = []
    timers(order, "a", "b", "a", "c", "b").run(choose=Ties(Last()).choose)

    assert order == ["c3", "b1", "b4", "a0", "a2"]


def test_what_was_called_off_or_has_crashed_is_nobodys():
    order, asking = [], Asking()
    kernel, gates = Kernel(), [Gate(name) for name in "abc"]
    timer, *_ = [kernel.timer(5, gate, order.append, gate.owner) for gate in gates]
    timer.cancel()
    gates[1].open = False
    kernel.run(choose=Ties(asking).choose)

    assert order == ["c"]
    assert not asking.asked


def test_what_the_world_does_lets_nothing_pass():
    order = []
    kernel = timers(order, "a", "b")
    kernel.call_later(5, order.append, "world")
    kernel.timer(5, Gate("c"), order.append, "c")
    kernel.timer(5, Gate("d"), order.append, "d")
    kernel.run(choose=Ties(Last()).choose)

    assert order == ["b1", "a0", "world", "d", "c"]


def test_of_very_many_the_first_eight_are_asked_about():
    order = []
    timers(order, *(f"n{i}." for i in range(12))).run(choose=Ties(Last()).choose)

    assert order[0] == f"n{MOST_TIED - 1}.{MOST_TIED - 1}"
    assert len(order) == 12


@pytest.mark.parametrize("scenario", [few_orders(), few_orders(EXACTLY_ONCE, events=20)])
def test_to_be_asked_and_to_say_nothing_changes_nothing(scenario):
    asking = Asking()

    assert simulate(scenario, asking).digest() == simulate(scenario).digest()
    assert asking.asked
    for name in asking.asked:
        actors = name.removeprefix("tie@").split("|")
        assert len(actors) == len(set(actors)) > 1


def test_another_order_is_had_again_from_its_witness():
    scenario = few_orders(EXACTLY_ONCE)
    recording = Recording(Shuffling(3))
    trace = simulate(scenario, recording)
    ties = {one: value for one, value in recording.witness.items() if one[0].startswith("tie@")}

    assert ties
    assert simulate(scenario, Replay(recording.witness)).digest() == trace.digest()
    assert trace.digest() != simulate(scenario, Seeded(3)).digest()


def test_a_tie_in_a_witness_is_asked_for():
    scenario = few_orders()
    asking = Asking()
    simulate(scenario, asking)
    one_other = {
        name: simulate(scenario, Replay(parse_witness(f"{name}#0=1"))).digest()
        for name in asking.asked
    }

    assert any(digest != simulate(scenario).digest() for digest in one_other.values())


def test_promises_hold_in_any_order_of_ties():
    """And nobody's own order is turned round: a connection's messages arrive as they were sent."""
    scenario = attrs.evolve(
        few_orders(EXACTLY_ONCE, events=12, per_s=1_000),
        topology=Topology(2, (Topic("orders", 2),), (Link(latency=constant(1_000)),)),
    )
    for seed in range(25):
        trace = simulate(scenario, Shuffling(seed))
        for check in (never_lost, never_applied_twice, stored_once, drained):
            assert check(trace), check(trace).explain(trace)
        arrived = {}
        for entry in trace.of("message_sent"):
            arrived.setdefault(entry[4][2:4], []).append(entry[4][1])
        for entry in trace.of("message_delivered"):
            assert arrived[entry[4][2:4]].pop(0) == entry[4][1]
