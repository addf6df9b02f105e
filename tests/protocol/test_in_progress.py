"""Records in hand: what may be begun, what may be committed; by hand, and against a naive twin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.fetching import ConsumerRecord
from simulator.protocol.in_progress import InProgress, Progress
from simulator.protocol.names import TopicPartition

P0, P1 = TopicPartition("orders", 0), TopicPartition("orders", 1)


def record(offset, key="k", partition=0):
    return ConsumerRecord("orders", partition, offset, key, "v", f"{partition}@{offset}")


def in_progress(*records, by="record", workers=10, most=10, commits="gap_aware"):
    machine = InProgress(by, workers, most, commits)
    machine.take(records)
    return machine


def begun(machine):
    """All that may be begun, begun."""
    tasks = []
    while (task := machine.begin()) is not None:
        tasks.append(task)
    return tasks


def offsets(tasks):
    return [task.record.offset for task in tasks]


# --- One partition -------------------------------------------------------------------------------


def test_what_is_done_in_order_may_be_committed_up_to_there():
    one = Progress()
    for offset in range(4):
        one.take(offset)
    assert (one.gap_aware(), one.naive()) == (0, None)

    one.done(0)
    one.done(1)

    assert (one.gap_aware(), one.naive()) == (2, 2)
    assert one.undone == (2, 3)


def test_above_a_gap_only_the_naive_rule_commits():
    one = Progress()
    for offset in range(4):
        one.take(offset)
    one.done(2)
    assert (one.gap_aware(), one.naive()) == (0, 3)
    one.done(0)
    assert (one.gap_aware(), one.naive()) == (1, 3)
    one.done(1)
    assert (one.gap_aware(), one.naive()) == (3, 3)


def test_offsets_that_nobody_was_handed_hold_nothing_up():
    """Markers and compacted records: 0, 1 and 5 were handed out, and the position is 9."""
    machine = in_progress(record(0), record(1), record(5))
    first, second, third = begun(machine)
    machine.end(first)
    assert machine.to_commit({P0: 9}) == {P0: 1}
    machine.end(second)
    assert machine.to_commit({P0: 9}) == {P0: 5}
    machine.end(third)
    assert machine.to_commit({P0: 9}) == {P0: 9}


# --- What may be begun ---------------------------------------------------------------------------

FOUR = (record(0, "a"), record(1, "b"), record(2, "a"), record(0, "a", partition=1))


@pytest.mark.parametrize(
    ("by", "first", "then"),
    [
        ("partition", ["0@0", "1@0"], ["0@1"]),
        ("key", ["0@0", "0@1", "1@0"], ["0@2"]),
        ("record", ["0@0", "0@1", "0@2", "1@0"], []),
    ],
)
def test_of_a_lane_one_record_is_handled_at_a_time(by, first, then):
    """The key `a` of two partitions is two lanes."""
    machine = in_progress(*FOUR, by=by)
    tasks = begun(machine)
    assert [task.record.event_id for task in tasks] == first

    machine.end(tasks[0])

    assert [task.record.event_id for task in begun(machine)] == then


def test_records_without_a_key_share_a_lane_of_their_partition():
    machine = in_progress(record(0, None), record(1, None), record(0, None, partition=1), by="key")

    assert [task.record.event_id for task in begun(machine)] == ["0@0", "1@0"]


def test_at_most_so_many_are_handled_at_once():
    machine = in_progress(*map(record, range(5)), workers=2)
    _, second = begun(machine)
    assert machine.begin() is None

    machine.end(second)

    assert offsets(begun(machine)) == [2]


def test_lanes_take_turns():
    """Who has had a turn goes last: a long lane does not keep the others waiting."""
    machine = in_progress(*(record(n, "aaaab"[n]) for n in range(5)), by="key", workers=1)
    order = []
    while tasks := begun(machine):
        order += offsets(tasks)
        machine.end(tasks[0])

    assert order == [0, 4, 1, 2, 3]


def test_it_is_full_while_too_much_is_in_hand():
    machine = in_progress(*map(record, range(3)), workers=1, most=3)
    assert machine.full
    machine.end(machine.begin())
    assert not machine.full
    machine.take([record(3), record(4)])
    assert (machine.full, machine.in_hand) == (True, 4)


# --- Commits -------------------------------------------------------------------------------------


def test_what_was_committed_is_not_committed_again():
    machine = in_progress(record(0), record(1))
    machine.end(machine.begin())
    assert machine.to_commit({P0: 2}) == {P0: 1}
    machine.committed({P0: 1})
    assert machine.to_commit({P0: 2}) == {}


def test_a_partition_without_records_is_committed_beside_others_only():
    """As a commit of all positions does, after a poll that brought something."""
    machine = in_progress()
    assert machine.to_commit({P0: 7, P1: 3}) == {}
    machine.take([record(7)])
    machine.end(machine.begin())
    assert machine.to_commit({P0: 8, P1: 3}) == {P0: 8, P1: 3}


def test_a_failure_that_is_given_up_stays_undone():
    machine = in_progress(record(0), record(1))
    first, second = begun(machine)
    machine.end(second)
    machine.stop([P0])
    machine.end(first, done=False)
    assert machine.to_commit({P0: 2}) == {}


# --- Partitions that go --------------------------------------------------------------------------


def test_of_a_stopped_partition_nothing_is_begun_and_what_is_done_counts():
    machine = in_progress(*map(record, range(3)), record(0, partition=1), workers=1)
    task = machine.begin()
    machine.stop([P0, TopicPartition("payments", 0)])
    assert machine.handles([P0])
    assert task.stopped
    assert machine.in_hand == 2

    machine.end(task)

    assert machine.to_commit({P0: 3}) == {P0: 1}
    assert not machine.handles([P0])
    assert [task.record.partition for task in begun(machine)] == [1]


def test_what_is_handled_of_a_forgotten_partition_counts_for_nothing():
    """Even if the partition comes back meanwhile, with the same records."""
    machine = in_progress(record(0), record(1))
    old = begun(machine)
    machine.forget([P0])
    assert machine.in_hand == 2, "they still occupy their workers"
    machine.take([record(0), record(1)])
    for task in old:
        machine.end(task)

    assert machine.to_commit({P0: 2}) == {}
    assert machine.in_hand == 2
    machine.end(machine.begin())
    assert machine.to_commit({P0: 2}) == {P0: 1}


def test_who_goes_back_begins_anew():
    """A consumer was reset to an offset that it was handed before."""
    machine = in_progress(record(5), record(6))
    five, six = begun(machine)
    machine.end(six)
    machine.take([record(2)])
    machine.end(five)
    assert machine.to_commit({P0: 3}) == {}
    machine.end(machine.begin())
    assert machine.to_commit({P0: 3}) == {P0: 3}
    assert machine.to_commit({P0: 1}) == {}, "and it may go back without a record"


# --- Against a naive twin ------------------------------------------------------------------------


class Twin:
    """The same by lists of (partition, offset, key), looked through each time."""

    def __init__(self, by, workers):
        self.by, self.workers = by, workers
        self.taken, self.running, self.done = [], [], []
        self.positions = {}

    def lane(self, one):
        partition, _, key = one
        return {"partition": (partition,), "key": (partition, key), "record": (one,)}[self.by]

    def may_begin(self):
        if len(self.running) >= self.workers:
            return []
        busy = [self.lane(one) for one in self.running]
        free = []
        for one in self.taken:
            if one not in self.done and one not in self.running and self.lane(one) not in busy:
                free.append(one)
                busy.append(self.lane(one))
        return free

    def commits(self, partition, naive):
        done = [offset for where, offset, _ in self.done if where == partition]
        undone = [one[1] for one in self.taken if one[0] == partition and one not in self.done]
        if not undone:
            return self.positions.get(partition)
        if not naive and min(undone) == min(one[1] for one in self.taken if one[0] == partition):
            return None  # Where it began: that is no news.
        return min(undone) if not naive else max(done, default=-1) + 1 or None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 1), st.integers(1, 3), st.sampled_from("abc")),
        st.tuples(st.just("begin")),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("go"), st.integers(0, 1)),
    ),
    max_size=60,
)


@given(
    STEPS,
    st.sampled_from(["partition", "key", "record"]),
    st.integers(1, 4),
    st.sampled_from(["gap_aware", "naive"]),
)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_it_does_as_its_naive_twin(steps, by, workers, commits):
    machine = InProgress(by, workers, most=5, commits=commits)
    twin = Twin(by, workers)
    tasks = {}
    for what, *how in steps:
        if what == "take":
            partition, further, key = how
            offset = twin.positions.get(partition, 0) + further - 1
            twin.positions[partition] = offset + 1
            twin.taken.append((partition, offset, key))
            machine.take([record(offset, key, partition)])
        elif what == "begin":
            may = twin.may_begin()
            task = machine.begin()
            assert (task is None) == (not may)
            if task is not None:
                one = (task.record.partition, task.record.offset, task.record.key)
                assert one in may
                twin.running.append(one)
                tasks[one] = task
        elif what == "end" and twin.running:
            one = twin.running.pop(how[0] % len(twin.running))
            twin.done.append(one)
            machine.end(tasks.pop(one))
        elif what == "go" and not any(one[0] == how[0] for one in twin.running):
            where = how[0]
            machine.forget([TopicPartition("orders", where)])
            twin.taken = [one for one in twin.taken if one[0] != where]
            twin.done = [one for one in twin.done if one[0] != where]
            twin.positions.pop(where, None)
        in_hand = len(twin.taken) - len(twin.done)
        assert (machine.in_hand, machine.full) == (in_hand, in_hand >= 5)
        places = {TopicPartition("orders", one): at for one, at in twin.positions.items()}
        wanted = {
            where: offset
            for where in places
            if (offset := twin.commits(where.partition, commits == "naive")) is not None
        }
        assert machine.to_commit(places) == wanted
