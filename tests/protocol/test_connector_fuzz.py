"""Whatever is committed, and wherever a connector dies: nothing lost, and repeats are suffixes."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.connector_offsets import Offset, read_offset
from simulator.protocol.connector_snapshots import Capture
from tests.capturing import NOW_US, commit, connector, delete, insert, update

STEADY = settings(max_examples=120, derandomize=True, deadline=None, database=None)

CHANGES = st.lists(
    st.sampled_from([
        insert("a", 1), update("a", 1, 2), delete("a", 2), insert("x", 1, "else"),
    ]),
    max_size=3,
)  # fmt: skip
COMMITS = st.lists(CHANGES, max_size=6).map(
    lambda found: [commit(lsn, *changes) for lsn, changes in enumerate(found, 1)]
)
# What a life does: take a batch, have the oldest acknowledged, store the offset.
STEPS = st.lists(st.sampled_from(["read", "batch", "acknowledge", "store"]), max_size=14)
LIVES = st.lists(STEPS, max_size=3)


def live(commits, steps, stored, log, capture):
    """One life; the answer is the offset that it left."""
    machine = connector(offset=stored, capture=capture, max_batch_size=2)
    unread = [one for one in commits if one.lsn > machine.place.done]
    flying = []
    for step in steps:
        if step == "read" and unread:
            machine.committed(unread.pop(0), NOW_US)
        elif step == "batch":
            flying += machine.batch(NOW_US)
        elif step == "acknowledge" and flying:
            published = flying.pop(0)
            log.append(published.record.event_id)
            machine.acknowledged(published.number)
        elif step == "store":
            offset = machine.to_flush()
            if offset is not None:
                stored = read_offset(offset.to_json())
                machine.flushed(offset)
    return stored, machine, unread, flying


def finish(machine, unread, flying, log):
    """Everything is read, and published."""
    for one in unread:
        machine.committed(one, NOW_US)
    while machine.queue or flying:
        flying += machine.batch(NOW_US)
        while flying:
            published = flying.pop(0)
            log.append(published.record.event_id)
            machine.acknowledged(published.number)


def run(commits, lives, capture):
    log, stored = [], Offset()
    for steps in lives:
        stored = live(commits, steps, stored, log, capture)[0]
    _, *rest = live(commits, [], stored, log, capture)
    finish(*rest, log)
    alone = []
    finish(*live(commits, [], Offset(), [], Capture())[1:], alone)
    return log, alone


@STEADY
@given(COMMITS, LIVES)
def test_nothing_is_lost_and_what_repeats_is_a_suffix(commits, lives):
    log, alone = run(commits, lives, Capture())

    seen = list(dict.fromkeys(log))
    assert seen == alone  # Without repeats it is the order of the log.
    for before, after in pairwise(log):
        assert alone.index(after) <= alone.index(before) + 1  # It rewinds, and skips nothing.


def test_a_connector_that_goes_on_behind_an_lsn_loses_something():
    """The fuzzing is strong enough to hurt."""
    commits = [commit(1, insert("a", 1), insert("b", 1))]
    steps = ["read", "batch", "acknowledge", "store"]

    log, alone = run(commits, [steps], Capture(resume="lsn"))
    assert set(log) < set(alone)


@STEADY
@given(COMMITS, STEPS)
def test_no_offset_is_ahead_of_what_is_acknowledged(commits, steps):
    log = []
    stored, *rest = live(commits, steps, Offset(), log, Capture())
    acknowledged = list(log)
    finish(*rest, log)
    later = []
    finish(*live(commits, [], stored, [], Capture())[1:], later)

    assert set(later) | set(acknowledged) == set(log)
