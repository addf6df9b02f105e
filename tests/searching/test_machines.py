"""Machines are told things in every order: proofs, their broken variants, and what is counted."""

import math
import pickle

import pytest

from simulator.errors import BadInput
from simulator.protocol.truncation import KIP_101, KIP_279, KIP_320, TO_HIGH_WATERMARK
from simulator.searching import producing
from simulator.searching.machines import Flight, Move, System, pooled, search_orders
from simulator.searching.producing import producing as producer_and_partition
from simulator.searching.prove import Outcome
from tests.mutants import brokers
from tests.searching import replicas

SOME_OF_EACH = {"drop": 1, "delay": 1, "duplicate": 1}


def letters(count, broken=lambda _: ""):
    """Letters that are written in any order."""
    return System(
        "words are allowed:",
        start=lambda: "",
        moves=lambda word: [Move(one) for one in "abcdefg"[:count] if one not in word],
        play=lambda word, move: word + move.label,
        broken=broken,
    )


def test_every_order_is_a_schedule():
    found = search_orders(letters(4), alike=None)

    assert found.outcome is Outcome.PROVED
    assert found.schedules == math.factorial(4)
    assert found.longest == 4


def test_states_alike_are_gone_on_from_once():
    """What was written matters, not in which order: subsets, not orders."""
    found = search_orders(letters(4), alike=frozenset)

    assert found.states == 2**4
    assert found.steps == 4 * 2**3
    assert found.schedules is None


def test_the_first_counterexample_is_a_shortest_one():
    found = search_orders(letters(5, lambda word: word if word.endswith("db") else ""))

    assert found.outcome is Outcome.REFUTED
    assert not found
    assert found.moves == ("d", "b")
    assert found.broken == "db"
    assert "by: d; b" in str(found)


def test_moves_of_a_class_of_fault_need_a_budget():
    system = System(
        "counted:",
        start=lambda: 0,
        moves=lambda count: [Move("more", "crash")] if count < 5 else [],
        play=lambda count, _: count + 1,
        broken=lambda _: "",
    )

    assert search_orders(system).states == 1
    assert search_orders(system, {"crash": 2}).states == 3
    assert search_orders(system, {"drop": 2}).states == 1


def test_a_state_that_is_met_again_with_fewer_faults_is_gone_on_from():
    """The dear way is found first: it is shorter. Only the cheap one leaves a fault for the end."""

    def moves(at):
        return {
            "start": [Move("dear", "crash"), Move("cheap")],
            "detour": [Move("on")],
            "there": [Move("end", "crash")],
        }.get(at, [])

    way = {"dear": "there", "cheap": "detour", "on": "there", "end": "end"}
    system = System(
        "never at the end:",
        start=lambda: "start",
        moves=moves,
        play=lambda _, move: way[move.label],
        broken=lambda at: "there it is" if at == "end" else "",
    )
    found = search_orders(system, {"crash": 1})

    assert found.moves == ("cheap", "on", "end")


@pytest.mark.parametrize("bound", [{"depth": 2}, {"most": 7}])
def test_a_bounded_search_leaves_it_open(bound):
    found = search_orders(letters(4), **bound)

    assert found.outcome is Outcome.OPEN
    assert not found


def test_a_budget_of_no_class_is_refused():
    with pytest.raises(BadInput, match="no class of fault"):
        search_orders(letters(1), {"loss": 1})


def two_messages(*, ordered):
    def deliver(nodes, flight):
        return (*nodes, flight.body), ()

    flights = [Flight("a", "b", "first"), Flight("a", "b", "second")]
    return pooled("read:", lambda: ((), flights), deliver, lambda _: "", ordered=ordered)


def read(system, budgets=None):
    """All that b has read, in the runs that are over."""
    seen = []

    def alike(state):
        if not state.flights:
            seen.append(state.nodes)
        return len(seen), state  # None is like another.

    search_orders(system, budgets, alike=alike)
    return sorted(set(seen))


def test_a_connection_keeps_its_order_and_others_do_not():
    assert read(two_messages(ordered=True)) == [("first", "second")]
    assert read(two_messages(ordered=False)) == [("first", "second"), ("second", "first")]


def test_a_message_may_be_lost_or_come_again():
    assert read(two_messages(ordered=True), {"drop": 1}) == [
        ("first",), ("first", "second"), ("second",)
    ]  # fmt: skip
    assert ("first", "first", "second") in read(two_messages(ordered=True), {"duplicate": 1})


# --- The product's machines ------------------------------------------------------------------


def test_an_idempotent_producer_s_batches_are_stored_once_and_in_order():
    """Three batches; one request is lost, one comes again, one is sent again too early."""
    found = search_orders(producer_and_partition(3), SOME_OF_EACH, alike=producing.alike)

    assert found.outcome is Outcome.PROVED
    assert found.states > 1_000


def test_a_partition_that_forgets_its_producers_is_refuted(monkeypatch):
    brokers.forgets_producers(monkeypatch)
    found = search_orders(producer_and_partition(3), SOME_OF_EACH, alike=producing.alike)

    assert found.outcome is Outcome.REFUTED
    assert found.broken == "stored are 1, 3"
    assert found.moves == ("ProduceRequest 3 producer>broker",)


def test_schedules_of_twenty_events_are_run_and_counted():
    found = search_orders(
        producer_and_partition(7), {"drop": 1}, alike=None, depth=20, most=5_000
    )

    assert found.schedules > 2_000
    assert found.longest == 20
    assert not found.broken


@pytest.mark.parametrize(
    ("way", "states"), [(KIP_101, 934), (KIP_279, 944), (KIP_320, 897)], ids=str
)
def test_replicas_never_disagree_below_their_high_watermarks(way, states):
    """Two replicas, two records, a crash, a change of leaders, in every order.

    So many states on every Python: what differs is told apart, and nothing else is.
    """
    found = search_orders(replicas.replicas(way), ONE_CRASH, alike=replicas.alike)

    assert found.outcome is Outcome.PROVED
    assert found.states == states


def without_copies(system, state, labels):
    """The state after these moves, made in place: what the machines share, they go on sharing."""
    for label in labels:
        (move,) = (one for one in system.moves(state) if one.label == label)
        what, name = move.what
        replicas.DO[what](state.cluster, name)
    return state


def test_equal_states_are_alike_whatever_objects_they_share():
    """One state was copied after each move, the other never, and one has each string twice."""
    labels = ("a writes v1", "b fetches from a", "b is to lead", "b learns that b leads",
              "b writes v2")  # fmt: skip
    system = replicas.replicas(KIP_320)
    copied = system.start()
    for label in labels:
        (move,) = (one for one in system.moves(copied) if one.label == label)
        copied = system.play(copied, move)
    live = without_copies(system, system.start(), labels)

    assert replicas.kept(live.cluster).kept != copied.kept
    assert replicas.alike(live) == replicas.alike(copied)
    assert hash(replicas.alike(live)) == hash(replicas.alike(copied))


def test_the_content_of_a_value_says_nothing_of_what_is_shared():
    once, again = (bytes((118, number)) for number in (49, 49))
    one, other = [once, once], [once, again]

    assert once is not again
    assert pickle.dumps(one, 5) != pickle.dumps(other, 5)
    assert replicas.content({"x": one, "y": one}) == replicas.content({"x": one, "y": other})
    assert replicas.content({"x": one}) != replicas.content({"x": [once]})


def test_replicas_that_cut_at_their_high_watermark_disagree():
    """The first hole of KIP-101: a follower that restarts cuts what was committed, and leads."""
    found = search_orders(
        replicas.replicas(TO_HIGH_WATERMARK), ONE_CRASH, alike=replicas.alike
    )

    assert found.outcome is Outcome.REFUTED
    assert found.broken == "below 1, a has [(0, 0, 'v1')], b [(0, 1, 'v2')]"
    assert "b crashes" in found.moves


ONE_CRASH = {"crash": 1, "choice": 1}
