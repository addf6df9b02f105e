"""Circles of dependencies are found where there is one, and named as a slow search names them."""

from itertools import islice

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.checks.verdict import Status
from simulator.histories import cycles as searched
from simulator.histories import graph as graphs
from simulator.histories.components import components, rows
from simulator.histories.cycles import EXISTS, KINDS, Cycles
from simulator.histories.graph import TIME, WR, WW, graph, precedes
from simulator.histories.judging import CYCLES, judge_operations
from simulator.histories.operations import ASSIGN, OK
from simulator.histories.options import Options
from simulator.histories.versions import Versions
from simulator.histories.witnesses import Steps, shortest_cycle
from tests.recorded import judged, recorded

EACH_SEES_THE_OTHER = (
    "0 invoke txn x!a", "1 invoke txn y!b", "0 ok txn x!a@0 y?b@0", "1 ok txn y!b@0 x?a@0"
)  # fmt: skip
OVERWRITTEN = (
    "0 invoke txn x!a y!a", "1 invoke txn x!b y!b",
    "0 ok txn x!a@0 y!a@1", "1 ok txn x!b@1 y!b@0", "2 ok poll x?a@0,b@1 y?b@0,a@1",
)  # fmt: skip


def shown(name, judgement):
    return [
        (set(case["cycle"]), sorted(step["type"] for step in case["steps"]))
        for case in judgement.findings[name].shown
    ]


def test_two_transactions_that_see_each_other_are_a_g1c():
    judgement = judged(*EACH_SEES_THE_OTHER)

    assert shown("G1c", judgement) == [({2, 3}, ["wr", "wr"])]
    assert judgement.bad == ("G1c", "PL-2-cycle-exists")
    (case,) = judgement.findings["G1c"].shown
    assert {(step["key"], step["value"]) for step in case["steps"]} == {("x", "a"), ("y", "b")}
    assert case["shortest"]


def test_writes_in_conflicting_orders_are_a_g0_which_is_allowed():
    judgement = judged(*OVERWRITTEN, ww_deps=True)

    assert shown("G0", judgement) == [({2, 3}, ["ww", "ww"])]
    assert judgement.met == ("G0", "PL-1-cycle-exists")
    assert judgement.status is Status.KEPT


def test_the_order_of_writes_is_no_dependency_unless_it_is_asked_for():
    assert judged(*OVERWRITTEN).met == ()


def test_a_g1c_may_take_writes_and_is_allowed_then():
    """It is seen by who was overwritten."""
    judgement = judged(
        "0 invoke txn x!a y!c", "1 invoke txn y!b", "0 ok txn x!a@0 y!c@2",
        "1 ok txn x?a@0 y!b@1", "2 ok poll x?a@0 y?b@1,c@2", ww_deps=True,
    )  # fmt: skip

    assert shown("G1c", judgement) == [({2, 3}, ["wr", "ww"])]
    assert judgement.bad == ()


def test_to_be_given_what_is_sent_only_later_is_a_g1c_realtime():
    judgement = judged("0 ok poll x?a@0", "1 ok send x!a@0")

    assert shown("G1c-realtime", judgement) == [({1, 3}, ["realtime", "wr"])]
    assert judgement.bad == ("G1c-realtime", "strong-PL-2-cycle-exists")


def test_a_later_write_that_lies_before_an_earlier_one_is_a_g0_realtime():
    judgement = judged("0 ok send x!a@1", "1 ok send x!b@0", "2 ok poll x?b@0,a@1", ww_deps=True)

    assert shown("G0-realtime", judgement) == [({1, 3}, ["realtime", "ww"])]
    assert judgement.bad == ()


def test_within_a_process_order_needs_no_clock():
    """Told that clients' clocks say nothing, only what one process did is in order."""
    history = recorded("0 ok poll x?a@0", "0 ok send x!a@0", "1 ok poll y?b@0", "2 ok send y!b@0")

    judgement = judge_operations(history.operations, Options(order="process"))

    assert shown("G1c-process", judgement) == [({1, 3}, ["process", "wr"])]
    assert judgement.bad == ("G1c-process", "strong-session-PL-2-cycle-exists")


def test_what_was_going_on_at_the_same_time_is_in_no_order():
    lines = ("0 invoke poll", "1 invoke send x!a", "0 ok poll x?a@0", "1 ok send x!a@0")

    assert judged(*lines).met == ()


def test_an_operation_without_a_known_end_comes_before_nothing():
    assert not judged("0 info txn x?a@0", "1 ok send x!a@0", "2 ok poll x?a@0").bad


def test_each_component_is_named_once():
    elsewhere = [
        line.replace("x!", "v!").replace("x?", "v?").replace("y!", "w!").replace("y?", "w?")
        for line in EACH_SEES_THE_OTHER
    ]

    assert judged(*EACH_SEES_THE_OTHER, *elsewhere).findings["G1c"].count == 2


def test_a_search_that_runs_out_of_steps_cannot_tell():
    """It never waits for long, and never takes what it has not looked at for good."""
    operations = recorded(*EACH_SEES_THE_OTHER).operations

    judgement = judge_operations(operations, Options(steps_most=3))

    assert judgement.bad == ()
    assert judgement.status is Status.CANNOT_TELL
    assert "2 operations that may lie on one were left out" in judgement.undecided[CYCLES]


def test_the_best_cycle_so_far_is_shown_and_said_to_be_only_that():
    ring = {n: [(n + 1) % 50] for n in range(50)}
    ring[30].append(29)

    everything = shortest_cycle(ring, [(n, (n + 1) % 50) for n in range(50)], Steps(10**6))
    a_little = shortest_cycle(ring, [(n, (n + 1) % 50) for n in range(50)], Steps(60))

    assert (len(everything.vertices), everything.is_shortest) == (3, True)
    assert (len(a_little.vertices), a_little.is_shortest) == (51, False)


# --- Against slow searches -----------------------------------------------------------------------

EDGES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40)
PATIENT = settings(max_examples=100, derandomize=True, database=None, deadline=None)


@PATIENT
@given(EDGES)
def test_components_are_those_of_networkx(edges):
    edges = [(one, other) for one, other in edges if one != other]
    wanted = nx.strongly_connected_components(nx.DiGraph(edges))

    found = components(*rows(12, edges))

    assert sorted(map(sorted, found)) == sorted(sorted(one) for one in wanted if len(one) > 1)


@PATIENT
@given(EDGES)
def test_the_cycle_that_is_shown_is_as_short_as_the_shortest(edges):
    edges = sorted({(one, other) for one, other in edges if one != other})
    after = {}
    for one, other in edges:
        after.setdefault(one, []).append(other)
    lengths = [len(cycle) for cycle in nx.simple_cycles(nx.DiGraph(edges))]

    found = shortest_cycle(after, edges, Steps(10**6))

    assert (found is None) == (not lengths)
    if found is not None:
        assert len(found.vertices) - 1 == min(lengths)
        assert all(pair in edges for pair in zip(found.vertices, found.vertices[1:], strict=False))


@st.composite
def histories(draw):
    """A few concurrent transactions that send to two keys, and are given what may be from later."""
    lines, busy, values = [], {}, 0
    sent = [f"{key}{n}" for key in "xy" for n in range(4)]
    for _ in range(draw(st.integers(2, 12))):
        process = draw(st.integers(0, 3))
        if process not in busy:
            count = min(draw(st.integers(0, 2)), 8 - values)
            busy[process] = sent[values : values + count]
            values += count
            lines.append(f"{process} invoke txn")
            continue
        mine = busy.pop(process)
        given_ = draw(st.lists(st.sampled_from(sent), max_size=2, unique=True))
        lines.append(line(process, draw(st.sampled_from(["ok", "ok", "ok", "info"])), mine, given_))
    lines.extend(line(process, "ok", mine, ()) for process, mine in sorted(busy.items()))
    return lines


# Where each value lies: not in the order in which they are sent.
OFFSETS = {f"{key}{n}": (3 * n + 2) % 4 for key in "xy" for n in range(4)}


def line(process, how, mine, given_):
    sends = [f"{value[0]}!{value}@{OFFSETS[value]}" for value in mine]
    polls = [f"{value[0]}?{value}@{OFFSETS[value]}" for value in given_]
    return " ".join([f"{process} {how} txn", *sends, *polls])


def slowly(operations, versions, *, ww_deps, order):
    """Every kind of cycle that there is, by listing all simple cycles of the whole graph."""
    found = graph(operations, versions, ww_deps=ww_deps)
    kinds = {}
    for source, target, kind in zip(found.source, found.target, found.kind, strict=True):
        kinds[source, target] = kinds.get((source, target), 0) | kind
    for one in range(len(operations)):
        for other in range(len(operations)):
            same = operations.process[one] == operations.process[other]
            if (
                operations.outcome[one] == OK
                and operations.ended[one] < operations.invoked[other]
                and (same or order == "realtime")
            ):
                kinds[one, other] = kinds.get((one, other), 0) | TIME
    whole = nx.DiGraph(list(kinds))
    types = {}
    for members in nx.strongly_connected_components(whole):
        if len(members) < 2:
            continue
        cycles = nx.simple_cycles(whole.subgraph(members))
        seen = [name(cycle, kinds, order) for cycle in islice(cycles, 50_000)]
        types[frozenset(members)] = set(seen)
    return types


def name(cycle, kinds, order):
    edges = [kinds[pair] for pair in zip(cycle, [*cycle[1:], cycle[0]], strict=True)]
    labels = [next(one for one in (WW, WR, TIME) if edge & one) for edge in edges]
    return ("G1c" if WR in labels else "G0") + (f"-{order}" if TIME in labels else "")


def strongest(types, order):
    """What is left after what others imply."""
    implied = {
        "G0": {"G1c", f"G0-{order}", f"G1c-{order}"},
        "G1c": {f"G1c-{order}"},
        f"G0-{order}": {f"G1c-{order}"},
    }
    return types - set().union(*(implied.get(one, set()) for one in types))


@PATIENT
@pytest.mark.parametrize("order", ["realtime", "process"])
@pytest.mark.parametrize("ww_deps", [False, True])
@given(lines=histories())
def test_cycles_are_named_as_by_a_search_of_all_of_them(lines, ww_deps, order):
    operations = recorded(*lines).operations
    versions = Versions(operations)
    wanted = [strongest(types, order) for types in slowly(
        operations, versions, ww_deps=ww_deps, order=order).values()]  # fmt: skip

    cycles = Cycles(operations, versions, Options(ww_deps=ww_deps, order=order))

    counts = {kind: cycles.findings[kind].count for kind in KINDS}
    assert counts == {kind: sum(kind in types for types in wanted) for kind in KINDS}
    assert any(cycles.findings[level].count for level in EXISTS) == bool(wanted)
    assert not cycles.unfinished
    for kind in KINDS:
        for case in cycles.findings[kind].shown:
            check(operations, case, kind)


def check(operations, case, kind):
    """A shown cycle is one: each step is so, and together they are what it is called."""
    places = [list(operations.index).index(index) for index in case["cycle"]]
    types = [step["type"] for step in case["steps"]]
    for one, other, step in zip(places, places[1:], case["steps"], strict=False):
        if step["type"] in ("wr", "ww"):
            later = operations.polls if step["type"] == "wr" else operations.sends
            read = step["value"] if step["type"] == "wr" else step["value'"]
            assert (step["key"], step["value"]) in [
                operations.named(value) for value, _ in operations.sends(one)
            ]
            assert (step["key"], read) in [operations.named(value) for value, _ in later(other)]
        else:
            assert operations.ended[one] < operations.invoked[other]
    assert kind.startswith("G1c") == ("wr" in types)
    assert ("-" in kind) == bool({"realtime", "process"} & set(types))


@PATIENT
@pytest.mark.parametrize("order", ["realtime", "process"])
@pytest.mark.parametrize("ww_deps", [False, True])
@given(lines=histories())
def test_large_components_are_named_as_small_ones_are(lines, ww_deps, order):
    """Of them not every edge of time is listed, so that another cycle may be shown."""
    operations = recorded(*lines).operations
    versions, options = Versions(operations), Options(ww_deps=ww_deps, order=order)

    small = Cycles(operations, versions, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searched, "FEW", 0)
        patch.setattr(graphs, "DENSE", 0)
        large = Cycles(operations, versions, options)

    for kind in (*KINDS, *EXISTS):
        assert large.findings[kind].count == small.findings[kind].count
    for level in EXISTS:
        assert [case["size"] for case in large.findings[level].shown] == [
            case["size"] for case in small.findings[level].shown
        ]
    for kind in KINDS:
        for case in large.findings[kind].shown:
            check(operations, case, kind)


def test_in_a_long_cycle_a_run_of_time_is_one_edge():
    many = [f"1 ok send z!{n}@{n}" for n in range(20)]

    (case,) = judged("0 ok poll x?a@0", *many, "2 ok send x!a@0").findings["G1c-realtime"].shown

    assert sorted(case["cycle"]) == [1, 43, 43]
    assert case["shortest"]


@PATIENT
@given(lines=histories())
def test_edges_of_time_are_as_few_as_say_all_of_it(lines):
    """Networkx's transitive reduction of all that ended before another began."""
    operations = recorded(*lines).operations
    members = [place for place in range(len(operations)) if operations.does[place] < ASSIGN]
    whole = nx.DiGraph()
    whole.add_edges_from(
        (one, other)
        for one in members
        for other in members
        if operations.outcome[one] == OK and operations.ended[one] < operations.invoked[other]
    )

    found = set(precedes(operations, members, by_process=False))

    assert found == set(nx.transitive_reduction(whole).edges)
