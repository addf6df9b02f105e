"""Who may have which record of a share group: a ledger, a naive reference, and its journal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.share_facts import (
    ACKNOWLEDGED,
    ACQUIRED,
    ARCHIVED,
    AVAILABLE,
    TRANSITIONS,
    StartMoved,
    StateWritten,
)
from simulator.protocol.share_messages import ACCEPT, GAP, REJECT, RELEASE, Acknowledgement
from simulator.protocol.share_partition import NEVER_US, SharePartition
from simulator.protocol.share_settings import ShareConfig

ORDERS = TopicPartition("orders", 0)
LOCK_US = 30_000_000


class Share:
    """A share partition over a log of batches of so many records, driven by hand."""

    def __init__(self, *sizes, journal=(), begins="earliest", log_start=0, **config):
        self.machine = SharePartition("work", ORDERS, ShareConfig(begins=begins, **config))
        self.ends = []
        for size in sizes:
            self.ends.append((self.ends[-1] if self.ends else 0) + size)
        self.now_us = 0
        self.journal = list(journal)
        for fact in journal:
            self.machine.apply(fact)
        self.log_start(log_start)

    def carry_out(self, facts):
        for fact in facts:
            self.machine.apply(fact)
            if isinstance(fact, StateWritten):
                self.journal.append(fact)

    def log_start(self, offset):
        end = self.ends[-1] if self.ends else 0
        self.carry_out(self.machine.decide_begin(offset, end))

    def acquire(self, member, most=500):
        """What the member gets: (first, last, delivery count) of each run."""
        machine = self.machine
        if not machine.can_acquire:
            return []
        offset = machine.next_fetch_offset
        ends = [end for end in self.ends if end > offset]
        facts = machine.decide_acquire(member, offset, ends, most, self.now_us)
        self.carry_out(facts)
        return [(fact.first, fact.last, fact.delivery_count) for fact in facts]

    def say(self, member, *said):
        facts, error = self.machine.decide_acknowledge(
            member, [Acknowledgement(first, last, types) for first, last, *types in said]
        )
        self.carry_out(facts)
        return error

    def release(self, member):
        self.carry_out(self.machine.decide_release(member))

    def wait(self, us):
        self.now_us += us
        self.carry_out(self.machine.decide_time(self.now_us))

    def states(self):
        """The window: (offset, state, delivery count)."""
        machine = self.machine
        window = range(machine.start_offset, machine.end_offset)
        return [(offset, *machine.state_of(offset)[:2]) for offset in window]


# --- Acquiring -----------------------------------------------------------------------------------


def test_each_record_goes_to_one_member_and_batches_go_whole():
    share = Share(3, 3, 3)

    assert share.acquire("a", most=2) == [(0, 2, 1)], "the limit is soft: a batch is not cut"
    assert share.acquire("b", most=4) == [(3, 8, 1)]
    assert share.acquire("c") == []
    assert share.machine.held_by("a") == (0, 1, 2)


def test_what_is_available_again_goes_first_and_counts_one_delivery_more():
    share = Share(2, 2, 2)
    share.acquire("a", most=1)
    share.acquire("b", most=1)
    share.release("a")

    assert share.acquire("c") == [(0, 1, 2), (4, 5, 1)]


def test_a_group_begins_where_its_setting_says():
    assert Share(2, 2, begins="latest").acquire("a") == []
    assert Share(2, 2, begins="earliest").acquire("a") == [(0, 3, 1)]
    assert Share(2, 2, begins="earliest", log_start=2).acquire("a") == [(2, 3, 1)]


def test_only_so_many_records_are_in_flight_until_the_start_moves():
    share = Share(*[2] * 10, max_record_locks=5)

    assert share.acquire("a") == [(0, 5, 1)], "the third batch was begun below the limit"
    assert share.acquire("b") == []
    assert share.say("a", (2, 5, ACCEPT)) is Error.NONE
    assert share.acquire("b") == [], "the first two are still in the way"
    assert share.say("a", (0, 0, RELEASE)) is Error.NONE
    assert share.acquire("b") == [(0, 0, 2)], "what is in flight may always be given again"
    assert share.say("a", (1, 1, ACCEPT)) is Error.NONE
    assert share.say("b", (0, 0, ACCEPT)) is Error.NONE
    assert share.machine.start_offset == 6
    assert share.acquire("b") == [(6, 11, 1)]


# --- Acknowledging -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "state"),
    [(ACCEPT, ACKNOWLEDGED), (RELEASE, AVAILABLE), (REJECT, ARCHIVED), (GAP, ARCHIVED)],
)
def test_an_acknowledgement_says_what_becomes_of_a_record(kind, state):
    share = Share(3)
    share.acquire("a")

    assert share.say("a", (1, 1, kind)) is Error.NONE
    assert share.states() == [(0, ACQUIRED, 1), (1, state, 1), (2, ACQUIRED, 1)]


def test_the_start_moves_over_what_is_finished_and_no_further():
    share = Share(4)
    share.acquire("a")
    share.say("a", (0, 0, ACCEPT), (2, 3, REJECT))
    assert share.machine.start_offset == 1

    share.say("a", (1, 1, ACCEPT))
    assert share.machine.start_offset == 4
    assert share.states() == []


def test_a_type_for_each_record_or_one_for_all():
    share = Share(3)
    share.acquire("a")

    assert share.say("a", (0, 2, RELEASE, ACCEPT, REJECT)) is Error.NONE
    assert share.states() == [(0, AVAILABLE, 1), (1, ACKNOWLEDGED, 1), (2, ARCHIVED, 1)]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ((0, 3, ACCEPT), Error.INVALID_RECORD_STATE),  # 2 and 3 are the other's.
        ((4, 4, ACCEPT), Error.INVALID_RECORD_STATE),  # Released, so nobody's.
        ((5, 6, ACCEPT), Error.INVALID_REQUEST),  # Nobody ever had 6.
        ((1, 0, ACCEPT), Error.INVALID_REQUEST),
        ((0, 1, ACCEPT, ACCEPT, ACCEPT), Error.INVALID_REQUEST),
        ((0, 1, 7), Error.INVALID_REQUEST),
    ],
)
def test_one_wrong_acknowledgement_refuses_all_of_the_partition(said, error):
    share = Share(2, 2, 2, 2)
    share.acquire("a", most=1)
    share.acquire("b", most=1)
    share.acquire("c", most=1)
    share.say("c", (4, 5, RELEASE))
    before, written = share.states(), len(share.journal)

    more = ((0, 0, ACCEPT), said) if said[0] else (said,)
    assert share.say("a", *more) is error
    assert (share.states(), len(share.journal)) == (before, written)


def test_what_lies_below_the_start_is_ignored():
    """A lock timed out, another was faster: the late word is taken, and means nothing."""
    share = Share(1, 1)
    share.acquire("a")
    share.wait(LOCK_US)
    share.acquire("b")
    share.say("b", (0, 1, ACCEPT))

    assert share.machine.start_offset == 2
    assert share.say("a", (0, 1, REJECT)) is Error.NONE


# --- Letting go ----------------------------------------------------------------------------------


def test_a_lock_times_out_and_the_late_word_is_refused():
    share = Share(2)
    share.acquire("a")
    assert share.machine.due_us == LOCK_US

    share.wait(LOCK_US - 1)
    assert share.states() == [(0, ACQUIRED, 1), (1, ACQUIRED, 1)]
    share.wait(1)
    assert share.states() == [(0, AVAILABLE, 1), (1, AVAILABLE, 1)]
    assert share.machine.due_us == NEVER_US
    assert share.say("a", (0, 1, ACCEPT)) is Error.INVALID_RECORD_STATE


def test_a_session_that_ends_lets_go_and_the_deliveries_count():
    share = Share(1, 1)
    share.acquire("a", most=1)
    share.acquire("b", most=1)

    share.release("a")
    assert share.states() == [(0, AVAILABLE, 1), (1, ACQUIRED, 1)]


@pytest.mark.parametrize("way", ["release", "session", "lock"])
def test_a_record_that_was_delivered_too_often_is_archived(way):
    share = Share(1, delivery_count_limit=3)
    for count in (1, 2, 3):
        assert share.acquire("a") == [(0, 0, count)]
        if way == "release":
            share.say("a", (0, 0, RELEASE))
        elif way == "session":
            share.release("a")
        else:
            share.wait(LOCK_US)

    assert share.acquire("a") == []
    assert share.machine.start_offset == 1
    assert share.journal[-1].batches[0].state is ARCHIVED


def test_the_logs_start_takes_what_lies_below_it():
    share = Share(2, 2, 2)
    share.acquire("a", most=1)
    share.acquire("b", most=1)
    share.release("a")

    share.log_start(3)
    assert share.machine.start_offset == 3
    assert share.say("b", (2, 3, ACCEPT)) is Error.NONE, "what is gone of it is ignored"
    assert share.machine.start_offset == 4


# --- What is written -----------------------------------------------------------------------------


def test_acquiring_writes_nothing_and_a_new_leader_gives_again_what_was_acquired():
    share = Share(3)
    share.acquire("a")
    assert share.journal == []
    share.say("a", (0, 0, ACCEPT), (1, 1, RELEASE))
    share.acquire("b")

    leader = Share(3, journal=share.journal)
    assert leader.acquire("c") == [(1, 1, 2), (2, 2, 1)], "what was not written does not count"


def test_without_anything_written_a_group_that_begins_at_the_end_begins_anew():
    """What was produced meanwhile is passed over: where it began is not written either."""
    share = Share(1, begins="latest")
    share.ends.append(3)
    assert share.acquire("a") == [(1, 2, 1)]

    assert Share(1, 2, begins="latest", journal=share.journal).acquire("b") == []


# --- A naive reference ---------------------------------------------------------------------------

MEMBERS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 3)),
        st.tuples(st.just("acquire"), st.sampled_from(MEMBERS), st.integers(1, 4)),
        st.tuples(
            st.just("say"),
            st.sampled_from(MEMBERS),
            st.integers(0, 12),
            st.integers(1, 3),
            st.sampled_from((ACCEPT, RELEASE, REJECT, GAP)),
        ),
        st.tuples(st.just("release"), st.sampled_from(MEMBERS)),
        st.tuples(st.just("wait"), st.sampled_from((1, LOCK_US // 2, LOCK_US))),
        st.tuples(st.just("crash")),
    ),
    max_size=40,
)
LIMIT = 3


class Naive:
    """Each offset by itself: its state, deliveries, holder, until when, and what is on disk."""

    def __init__(self):
        self.all = {}  # offset -> [state, count, holder, until, count on disk]
        self.size = 0

    def acquired(self, member, first, last, count, now_us):
        for offset in range(first, last + 1):
            one = self.all.setdefault(offset, [AVAILABLE, 0, "", 0, 0])
            assert one[0] is AVAILABLE
            assert count == one[1] + 1
            one[:4] = [ACQUIRED, count, member, now_us + LOCK_US]

    def let_go(self, one):
        one[0] = ARCHIVED if one[1] >= LIMIT else AVAILABLE
        one[2], one[4] = "", one[1]

    def say(self, member, first, last, kind):
        """Whether it is taken; None: that cannot be said so simply (nothing is there)."""
        start = self.start
        offsets = [offset for offset in range(first, last + 1) if offset >= start]
        if not offsets:
            return True
        if any(self.all.get(one, [None])[0] is not ACQUIRED for one in offsets):
            return False
        if any(self.all[one][2] != member for one in offsets):
            return False
        for one in map(self.all.__getitem__, offsets):
            if kind == RELEASE:
                self.let_go(one)
            else:
                one[0] = ACKNOWLEDGED if kind == ACCEPT else ARCHIVED
                one[2], one[4] = "", one[1]
        return True

    def each(self, test):
        for one in self.all.values():
            if one[0] is ACQUIRED and test(one):
                self.let_go(one)

    def crash(self):
        for one in self.all.values():
            if one[0] is ACQUIRED:
                one[0] = AVAILABLE
            one[1], one[2] = one[4], ""

    @property
    def start(self):
        offset = 0
        while self.all.get(offset, [AVAILABLE])[0] in (ACKNOWLEDGED, ARCHIVED):
            offset += 1
        return offset


def _do(share, naive, step):
    """One step of both."""
    match step:
        case ("append", size):
            share.ends.append((share.ends[-1] if share.ends else 0) + size)
        case ("acquire", member, most):
            got = share.acquire(member, most)
            for first, last, count in got:
                naive.acquired(member, first, last, count, share.now_us)
        case ("say", member, first, size, kind):
            error = share.say(member, (first, first + size - 1, kind))
            assert (error is Error.NONE) == naive.say(member, first, first + size - 1, kind)
        case ("release", member):
            share.release(member)
            naive.each(lambda one: one[2] == member)
        case ("wait", us):
            share.wait(us)
            naive.each(lambda one: one[3] <= share.now_us)
        case ("crash",):
            again = Share(journal=share.journal, delivery_count_limit=LIMIT, max_record_locks=6)
            again.ends, again.now_us = share.ends, share.now_us
            share.machine = again.machine
            naive.crash()


@given(STEPS)
@settings(max_examples=300)
def test_it_does_as_a_naive_reference_does_and_its_journal_knows_what_it_knows(steps):
    share = Share(delivery_count_limit=LIMIT, max_record_locks=6)
    naive = Naive()

    for step in steps:
        _do(share, naive, step)
        machine = share.machine
        assert machine.start_offset == naive.start
        for offset, state, count in share.states():
            assert naive.all.get(offset, [AVAILABLE, 0])[:2] == [state, count]
        assert machine.end_offset - machine.start_offset < 6 + 3, "a batch more than the limit"
        replayed = SharePartition("work", ORDERS)
        for fact in share.journal:
            replayed.apply(fact)
        assert replayed.hard_state == machine.hard_state
        compacted = SharePartition("work", ORDERS)
        for fact in machine.hard_facts():
            compacted.apply(fact)
        assert compacted.hard_state == machine.hard_state


def test_deciding_changes_nothing():
    share = Share(4)
    share.acquire("a", most=2)
    machine = share.machine
    before = share.states()
    for _ in range(2):
        machine.decide_acquire("b", 4, [5], 1, 0)
        machine.decide_acknowledge("a", [Acknowledgement(0, 1, (ACCEPT,))])
        machine.decide_release("a")
        machine.decide_time(LOCK_US)
        machine.decide_begin(2, 4)

    assert share.states() == before


def test_what_is_finished_stays_finished():
    assert TRANSITIONS[ACKNOWLEDGED] == TRANSITIONS[ARCHIVED] == ()


def test_a_start_that_moves_leaves_the_rest_as_it_is():
    share = Share(2, 2)
    share.acquire("a")
    share.machine.apply(StartMoved(1))

    assert share.states() == [(1, ACQUIRED, 1), (2, ACQUIRED, 1), (3, ACQUIRED, 1)]
