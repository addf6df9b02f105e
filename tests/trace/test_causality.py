"""Happens-before is program order of an incarnation, and causes, and what follows from both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.trace.causality import Causality, cone, happens_before
from simulator.trace.trace import Trace


def note(trace, node, *causes, event=("noted", "n", "")):
    return trace.record(0, node, causes, event)


def lost_answer():
    """A producer sends, the broker appends and answers; a second client does something else.

    0 p sends · 1 b receives (0) · 2 c notes · 3 b answers · 4 p hears (3) · 5 c notes
    """
    trace = Trace()
    note(trace, "p")
    note(trace, "b", 0)
    note(trace, "c")
    note(trace, "b")
    note(trace, "p", 3)
    note(trace, "c")
    return trace


def seqs(entries):
    return [entry[0] for entry in entries]


def test_the_past_of_an_entry_is_what_could_have_brought_it_about():
    trace = lost_answer()

    assert seqs(cone(trace, [4])) == [0, 1, 3, 4]
    assert seqs(cone(trace, [3])) == [0, 1, 3]
    assert seqs(cone(trace, [5, 1])) == [0, 1, 2, 5]
    assert cone(trace, []) == []


def test_happens_before_goes_along_nodes_and_messages():
    trace = lost_answer()

    assert happens_before(trace, 0, 4)
    assert happens_before(trace, 1, 3)
    assert not happens_before(trace, 4, 0)
    assert not happens_before(trace, 3, 3)
    assert Causality(trace).concurrent(2, 4)
    assert not Causality(trace).concurrent(2, 5)
    assert not Causality(trace).concurrent(2, 2)


def test_a_restart_begins_anew_unless_it_names_a_cause():
    """Memory dies with the incarnation: only what the disk brings across is a cause."""
    trace = Trace()
    before = note(trace, "n")
    crash = note(trace, "n", event=("node_crashed", "process", "at"))
    note(trace, "n", event=("node_restarted", 1))
    after = note(trace, "n")
    read = note(trace, "n", before)
    note(trace, "n", event=("node_crashed", "process", "at"))
    note(trace, "n", crash, event=("node_restarted", 2))
    last = note(trace, "n")
    causality = Causality(trace)

    assert causality.concurrent(crash, after)
    assert causality.happens_before(before, read)
    assert not causality.happens_before(crash, read)
    assert causality.happens_before(crash, last)
    assert causality.concurrent(read, last)
    assert [causality.incarnation(seq) for seq in range(len(trace))] == [0, 0, 1, 1, 1, 1, 2, 2]


def test_a_cause_that_was_not_kept_is_passed_over():
    trace = Trace()
    trace.seq = 10
    note(trace, "a", 3)
    note(trace, "b", 10)
    causality = Causality(trace)

    assert causality.happens_before(10, 11)
    with pytest.raises(BadInput, match="the trace has no entry 3"):
        causality.cone([3])
    with pytest.raises(BadInput, match="no entry 12"):
        causality.happens_before(10, 12)


@st.composite
def traces(draw):
    trace = Trace()
    for seq in range(draw(st.integers(1, 14))):
        causes = draw(st.lists(st.integers(0, seq - 1), max_size=2)) if seq else []
        event = draw(st.sampled_from([("noted", "n", ""), ("node_restarted", seq)]))
        note(trace, draw(st.sampled_from("abc")), *causes, event=event)
    return trace


def closure(trace):
    """The relation by its definition: direct steps, then all that follows from them."""
    direct = set()
    for seq, _, node, causes, event in trace.flat:
        direct |= {(cause, seq) for cause in causes}
        mine = [earlier[0] for earlier in trace.flat[:seq] if earlier[2] == node]
        if mine and event[0] != "node_restarted":
            direct.add((mine[-1], seq))
    before = set(direct)
    while True:
        more = before | {(a, d) for a, b in before for c, d in before if b == c}
        if more == before:
            return before
        before = more


@given(traces())
def test_it_is_the_relation_of_its_definition(trace):
    causality, right = Causality(trace), closure(trace)

    for one in range(len(trace)):
        past = [a for a in range(len(trace)) if a == one or (a, one) in right]
        assert seqs(causality.cone([one])) == past
        for other in range(len(trace)):
            assert causality.happens_before(one, other) == ((one, other) in right)


def test_a_hundred_thousand_entries_are_looked_through_at_once():
    """A chain as long as the trace, which no recursion could follow; each entry is seen once."""
    trace = Trace()
    for seq in range(100_000):
        note(trace, f"n{seq % 3}", *range(max(0, seq - 2), seq))
    causality = Causality(trace)

    assert len(causality.cone([99_999])) == 100_000
    assert causality.happens_before(0, 99_999)
