"""The trace counts what happens, tells who watches, and can say where two runs part."""

import pytest

from simulator.trace.entry import Entry
from simulator.trace.events import EVENTS, RecordSent, raw, read
from simulator.trace.trace import Trace, first_difference

SENT = ("record_sent", "e1", "orders", b"k")
CRASHED = ("node_crashed", "process", "at")


def ledger(*events):
    trace = Trace()
    for at_us, event in enumerate(events):
        trace.record(at_us, "n", (), event)
    return trace


def test_a_reader_gets_classes():
    assert list(ledger(SENT)) == [Entry(0, 0, "n", (), RecordSent("e1", "orders", b"k"))]
    assert raw(read(SENT)) == SENT
    assert all(cls.kind == kind for kind, cls in EVENTS.items())


def test_observers_are_told_whether_or_not_the_trace_is_kept():
    """And an entry has the same number in both."""
    told = {True: [], False: []}
    for keep, heard in told.items():
        trace = Trace(keep=keep, observers=[("node_crashed", heard.append)])
        for event in (SENT, CRASHED, SENT, CRASHED):
            if trace.wants(event[0]):
                trace.record(0, "n", (), event)
            else:
                trace.seq += 1
        assert trace.seq == 4
        assert len(trace) == (4 if keep else 0)

    assert told[True] == told[False] == [(1, 0, "n", (), CRASHED), (3, 0, "n", (), CRASHED)]


@pytest.mark.parametrize("keep", [True, False])
def test_several_events_at_once_are_as_one_after_the_other(keep):
    sent = [("record_sent", f"e{number}", "orders", b"k") for number in range(3)]
    results = []
    for at_once in (True, False):
        heard = []
        trace = Trace(keep=keep, observers=[("record_sent", heard.append)])
        trace.record(6, "n", (), CRASHED)
        if at_once:
            trace.record_each(7, "n", "record_sent", sent)
        else:
            for event in sent:
                trace.record(7, "n", (), event)
        results.append((trace.seq, trace.flat, heard))

    assert results[0] == results[1]
    assert len(results[0][2]) == 3


def test_entries_are_found_by_their_kind():
    assert [entry[0] for entry in ledger(SENT, CRASHED, SENT).of("record_sent")] == [0, 2]


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ((SENT, CRASHED), None),
        ((SENT, SENT), ((1, 1, "n", (), CRASHED), (1, 1, "n", (), SENT))),
        ((SENT,), ((1, 1, "n", (), CRASHED), None)),
        ((SENT, CRASHED, SENT), (None, (2, 2, "n", (), SENT))),
    ],
)
def test_equal_digests_are_equal_runs_and_the_first_difference_is_found(other, difference):
    one, two = ledger(SENT, CRASHED), ledger(*other)

    assert first_difference(one, two) == difference
    assert (one.digest() == two.digest()) == (difference is None)


def test_the_digest_is_the_same_on_every_machine():
    assert ledger(SENT, CRASHED).digest() == GOLDEN


GOLDEN = "8d2b4ea1ffcbbfcf42551508d37576b5e46e9de757c22d8ae2622791fac8b999"
