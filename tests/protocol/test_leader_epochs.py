"""The cache of leader epochs, case by case, and against one that keeps every claim ever made."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.journal import Journal
from simulator.protocol.leader_epochs import LEADER_EPOCHS, LeaderEpochs
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch, Record

STEADY = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def epochs_of(*entries):
    epochs = LeaderEpochs(Journal())
    for epoch, start in entries:
        epochs.assign(epoch, start)
    return epochs


def log_with(*epochs, records=2):
    """A journal with a batch of each epoch, but without a checkpoint of them."""
    journal = Journal()
    partition = Partition(TopicPartition("t", 0), journal, alone=False)
    for at, epoch in enumerate(epochs):
        some = tuple(Record("k", "v", "") for _ in range(records))
        partition.follower_append(Batch(some, at * records, leader_epoch=epoch))
    return journal


def test_the_first_start_of_an_epoch_is_kept():
    epochs = epochs_of((2, 10), (2, 12))

    assert epochs.entries == [(2, 10)]


@pytest.mark.parametrize(
    ("epoch", "start", "entries"),
    [
        (5, 20, [(1, 0), (3, 10), (5, 20)]),
        (3, 7, [(1, 0), (3, 7)]),  # The same epoch, and earlier.
        (2, 15, [(1, 0), (2, 15)]),  # An older epoch: what is newer was never there.
        (5, 10, [(1, 0), (5, 10)]),  # The former wrote nothing.
        (1, 0, [(1, 0)]),
        (0, 0, [(0, 0)]),
    ],
)
def test_an_assignment_drops_what_it_contradicts(epoch, start, entries):
    epochs = epochs_of((1, 0), (3, 10))
    epochs.assign(epoch, start)

    assert epochs.entries == entries


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(-1, (-1, -1)), (0, (0, 4)), (1, (1, 10)), (2, (1, 10)), (3, (3, 99)), (4, (-1, -1))],
)
def test_an_epoch_ends_where_the_next_begins(asked, answer):
    """An epoch before all known ends where the first begins; a newer one cannot be told of."""
    assert epochs_of((1, 4), (3, 10)).end_offset_for(asked, 99) == answer


def test_an_empty_cache_knows_nothing():
    epochs = epochs_of()

    assert epochs.end_offset_for(0, 7) == (-1, -1)
    assert (epochs.latest, epochs.epoch_for_offset(3)) == (None, None)
    assert (epochs.previous(3), epochs.next(3)) == (None, None)


def test_neighbours_and_offsets_are_found():
    epochs = epochs_of((1, 4), (3, 10), (6, 20))

    assert [epochs.previous(epoch) for epoch in (1, 2, 3, 7)] == [None, 1, 1, 6]
    assert [epochs.next(epoch) for epoch in (0, 1, 4, 6)] == [1, 3, 6, None]
    assert [epochs.epoch_for_offset(at) for at in (3, 4, 9, 10, 99)] == [None, 1, 1, 3, 6]


def test_it_is_on_the_disk_at_once():
    journal = Journal()
    epochs = LeaderEpochs(journal)
    epochs.assign(1, 0)
    epochs.assign(4, 6)
    epochs.truncate_from_end(6)
    journal.lose_power()

    assert LeaderEpochs(journal).entries == [(1, 0)]


def test_a_lost_checkpoint_is_read_off_the_batches():
    journal = log_with(0, 0, 2, 5, 5, 5)
    epochs = LeaderEpochs(journal)
    epochs.reconcile(0, 12)

    assert epochs.entries == [(0, 0), (2, 4), (5, 6)]
    assert journal.checkpoints[LEADER_EPOCHS] == ((0, 0), (2, 4), (5, 6))


def test_a_checkpoint_behind_the_batches_is_completed():
    journal = log_with(0, 0, 2, 5, 5, 5)
    journal.checkpoints[LEADER_EPOCHS] = ((0, 0), (2, 4))
    epochs = LeaderEpochs(journal)
    epochs.reconcile(3, 12)

    assert epochs.entries == [(0, 3), (2, 4), (5, 6)]


def test_an_epoch_in_which_nothing_was_written_is_gone_after_a_restart():
    """LogLoader cuts the checkpoint at the log's end."""
    journal = log_with(0)
    epochs = LeaderEpochs(journal)
    epochs.assign(0, 0)
    epochs.assign(3, 2)
    reloaded = LeaderEpochs(journal)
    reloaded.reconcile(0, 2)

    assert reloaded.entries == [(0, 0)]


class Naive:
    """Every claim (epoch, offset), one a record and one an election; the rules read off them."""

    def __init__(self):
        self.claims, self.start, self.end = [], 0, 0

    @property
    def entries(self):
        """Each epoch's first offset, but where several begin at once only the newest counts."""
        first = {}
        for epoch, offset in self.claims:
            first.setdefault(epoch, offset)
        return [
            (epoch, at)
            for epoch, at in first.items()
            if not any(at == other and epoch < newer for newer, other in first.items())
        ]

    def end_of(self, epoch):
        known = self.entries
        if not known or not 0 <= epoch <= known[-1][0]:
            return -1, -1
        later = [start for one, start in known if one > epoch]
        upto = [one for one, _ in known if one <= epoch]
        return (upto[-1] if upto else epoch), (later[0] if later else self.end)

    def cut(self, offset):
        self.end = min(self.end, offset)
        self.claims = [claim for claim in self.claims if claim[1] < offset]

    def start_at(self, offset):
        self.start = offset
        early = [epoch for epoch, at in self.claims if at <= offset]
        late = [claim for claim in self.claims if claim[1] > offset]
        self.claims = [(early[-1], offset), *late] if early else late


lives = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 3)),
        st.tuples(st.just("elect"), st.integers(1, 2)),
        st.tuples(st.just("cut"), st.integers(0, 5)),
        st.tuples(st.just("start"), st.integers(0, 3)),
    ),
    max_size=30,
)


@STEADY
@given(lives)
def test_a_log_with_any_leaders_cuts_and_deletions_is_told_of_as_its_records_say(life):
    naive, epochs, epoch = Naive(), epochs_of(), 0
    for what, much in life:
        if what == "elect":
            epoch += much
            naive.claims.append((epoch, naive.end))
            epochs.assign(epoch, naive.end)
        elif what == "write":
            naive.claims += [(epoch, naive.end + at) for at in range(much)]
            epochs.assign(epoch, naive.end)
            naive.end += much
        elif what == "cut":
            offset = max(naive.start, naive.end - much)
            naive.cut(offset)
            epochs.truncate_from_end(offset)
        elif naive.start + much < naive.end:
            naive.start_at(naive.start + much)
            epochs.truncate_from_start(naive.start)

        assert epochs.entries == naive.entries
        for asked in range(-1, epoch + 2):
            assert epochs.end_offset_for(asked, naive.end) == naive.end_of(asked)
