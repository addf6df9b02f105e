"""Which leader wrote which part of a log: for each leader epoch the offset at which it begins.

Rule 1: the first start of an epoch is kept. A smaller or equal epoch, or an earlier start, drops
every entry that it contradicts.
Rule 2: an epoch ends where the next one begins, and the latest at the log's end.
Rule 3: the entries are a small file beside the log, replaced at once. They follow from the batches
but for a leader that wrote nothing; so what the file lacks is read off the batches, and what it
has beyond the log's end is cut.

Source: LeaderEpochFileCache.java (storage), LogLoader.scala, KIP-101, KIP-279.

Not modelled: entries of segments that lie in tiered storage; a checkpoint file that is torn.
"""

from bisect import bisect_left, bisect_right
from operator import attrgetter, itemgetter

from simulator.protocol.journal import Journal
from simulator.protocol.names import UNKNOWN_OFFSET

NO_EPOCH = -1  # RecordBatch.NO_PARTITION_LEADER_EPOCH, UNDEFINED_EPOCH
UNDEFINED = (NO_EPOCH, UNKNOWN_OFFSET)
LEADER_EPOCHS = "leader_epochs"  # The checkpoint beside the log (leader-epoch-checkpoint).

epoch_of = itemgetter(0)
start_of = itemgetter(1)


class LeaderEpochs:
    """The epochs of one log, as kept in its journal's checkpoint; loading is constructing.

    Attributes:
        entries: (epoch, start offset), both rising. Read it freely; change it by the methods.
    """

    __slots__ = ("_journal", "entries")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.entries: list[tuple[int, int]] = list(journal.checkpoints.get(LEADER_EPOCHS, ()))

    def _keep(self) -> None:
        self._journal.checkpoints[LEADER_EPOCHS] = tuple(self.entries)

    # --- Writing -----------------------------------------------------------------------------

    def assign(self, epoch: int, start_offset: int) -> None:
        """A leader of that epoch writes, or may write, from `start_offset` on."""
        entries = self.entries
        if entries:
            latest, start = entries[-1]
            if epoch == latest and start_offset >= start:
                return
            if epoch <= latest or start_offset <= start:
                kept = [one for one in entries if one[0] < epoch and one[1] < start_offset]
                self.entries = entries = kept
        entries.append((epoch, start_offset))
        self._keep()

    def truncate_from_end(self, offset: int) -> None:
        """The log now ends at `offset`: forget epochs that begin there or later."""
        entries = self.entries
        if entries and entries[-1][1] >= offset >= 0:
            del entries[bisect_left(entries, offset, key=start_of) :]
            self._keep()

    def truncate_from_start(self, offset: int) -> None:
        """The log now begins at `offset`: the epoch that `offset` lies in begins there too."""
        entries = self.entries
        gone = bisect_right(entries, offset, key=start_of)
        if gone and entries[gone - 1][1] != offset:
            entries[:gone] = [(entries[gone - 1][0], offset)]
            self._keep()
        elif gone > 1:
            del entries[: gone - 1]
            self._keep()

    def clear(self) -> None:
        """Forget every epoch."""
        self.entries.clear()
        self._keep()

    def reconcile(self, log_start_offset: int, log_end_offset: int) -> None:
        """Make the entries those of the journal's batches, as when a log is loaded."""
        self.truncate_from_end(log_end_offset)
        self.truncate_from_start(log_start_offset)
        batches = self._journal.facts
        latest, start = self.entries[-1] if self.entries else UNDEFINED
        if not batches or batches[-1].leader_epoch <= latest:
            return
        position = bisect_left(batches, start, key=attrgetter("base_offset"))
        while position < len(batches):
            batch = batches[position]
            if batch.leader_epoch > latest:
                latest = batch.leader_epoch
                self.assign(latest, max(batch.base_offset, log_start_offset))
            position = bisect_right(batches, latest, position, key=attrgetter("leader_epoch"))

    # --- Looking -----------------------------------------------------------------------------

    @property
    def latest(self) -> int | None:
        """The newest epoch, or None."""
        return self.entries[-1][0] if self.entries else None

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """The largest known epoch up to `epoch`, and the offset at which it ends.

        (-1, -1) where that cannot be said: the epoch is undefined, or newer than all that is known.
        An epoch before all that is known is answered with itself and the start of the first.
        """
        entries = self.entries
        if epoch == NO_EPOCH or not entries or epoch > entries[-1][0]:
            return UNDEFINED
        if epoch == entries[-1][0]:
            return epoch, log_end_offset
        place = bisect_right(entries, epoch, key=epoch_of)
        return (entries[place - 1][0] if place else epoch), entries[place][1]

    def epoch_for_offset(self, offset: int) -> int | None:
        """The epoch that `offset` lies in, or None where no epoch has begun by then."""
        place = bisect_right(self.entries, offset, key=start_of)
        return self.entries[place - 1][0] if place else None

    def previous(self, epoch: int) -> int | None:
        """The newest known epoch before `epoch`, or None."""
        place = bisect_left(self.entries, epoch, key=epoch_of)
        return self.entries[place - 1][0] if place else None

    def next(self, epoch: int) -> int | None:
        """The oldest known epoch after `epoch`, or None."""
        place = bisect_right(self.entries, epoch, key=epoch_of)
        return self.entries[place][0] if place < len(self.entries) else None
