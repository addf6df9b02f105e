"""What brokers and coordinators tell of transactions, put together: every batch and its end.

1. A batch is in a transaction if its producer id is one that a transactional id was given.
2. A marker ends all open batches of its producer in its partition; one that comes again, because
   the first was not answered, ends nothing more.
3. Who begins to lead tells where its log ends. What any former leader had written behind that is
   gone, ends too, and what lies before it stands, whatever the former leader cuts off its own log.
4. What a former leader writes that has not heard of its successor is in no log that counts, and
   where its successor writes, what it had written there before is gone.
5. Where nobody tells who leads, what a broker cuts off is gone, and so are the ends that it had
   written. An end that was written before, or by another, stands.

Not modelled: what a loss of power takes from a log without replicas, which nobody tells of.
"""

from typing import Any

from simulator.trace.trace import FlatEntry, Observer

Where = tuple[str, int]
Identity = tuple[int, int, int]  # Producer id, epoch and sequence.

OPEN = ""  # Instead of commit or abort.
ABORTED = "abort"


class Written:
    """A batch that was written within a transaction.

    Attributes:
        at_us: when it was written.
        result: commit or abort; "" while neither is written.
        ended: the entry of its end; -1 while there is none.
    """

    __slots__ = (
        "at_us", "base", "ended", "ends_at", "event_ids", "identity", "result", "seq", "where",
        "writer",
    )  # fmt: skip

    def __init__(self, entry: FlatEntry) -> None:
        self.seq, self.at_us, self.writer, _, event = entry
        self.where: Where = event[1:3]
        self.base: int = event[3]
        self.event_ids: tuple[str, ...] = event[4]
        self.identity: Identity = event[5:8]  # Of a batch that is written again, the same.
        self.result = OPEN
        self.ended = -1
        # Who wrote the end, and at which offset: more than one may have, or one again.
        self.ends_at: dict[tuple[str, int], None] = {}

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.base + len(self.event_ids)


class TransactionLog:
    """Listens to all that is told of transactions on the servers' side.

    Attributes:
        owners: producer id -> transactional id.
        states: transactional id -> its coordinator's word of it, and when it came, in entries.
        open: the batches without an end, by partition and producer id.
        ended: the number of ends that ended something.
    """

    def __init__(self) -> None:
        self.owners: dict[int, str] = {}
        self.states: dict[str, tuple[str, int]] = {}
        self.open: dict[tuple[Where, int], list[Written]] = {}
        self.ended = 0
        self._last: dict[tuple[Where, int], list[Written]] = {}  # Those that the last end ended.
        self._at: dict[Where, dict[int, Written]] = {}
        self._leaders: dict[Where, tuple[int, str]] = {}  # The newest: its epoch, and who it is.

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {
            "became_leader": self._led,
            "transaction_began": self._began,
            "transaction_state_changed": self._changed,
            "transaction_loaded": self._changed,
            "batch_appended": self._appended,
            "transaction_marker_written": self._ends,
            "log_truncated": self._truncated,
        }

    def holding(self, where: Where, offset: int) -> Written | None:
        """The batch that lies at an offset, if it was written in a transaction."""
        return self._at.get(where, {}).get(offset)

    def result(self, where: Where, offset: int, event_id: str) -> str | None:
        """How the transaction of a record ended; None: it was in none."""
        batch = self.holding(where, offset)
        return batch.result if batch is not None and event_id in batch.event_ids else None

    def batches(self) -> list[Written]:
        """Every batch, each once, in order."""
        found = {one.seq: one for placed in self._at.values() for one in placed.values()}
        return [found[seq] for seq in sorted(found)]

    def _led(self, entry: FlatEntry) -> None:
        _, _, node, _, (_, topic, partition, epoch, log_end) = entry
        where = topic, partition
        if (epoch, node) >= self._leaders.get(where, (-1, "")):
            self._leaders[where] = (epoch, node)
            self._cut(where, log_end, "")

    def _is_former(self, where: Where, node: str) -> bool:
        """Whether a leader has a successor of which it has not heard."""
        return self._leaders.get(where, (-1, node))[1] != node

    def _began(self, entry: FlatEntry) -> None:
        self.owners[entry[4][2]] = entry[4][1]

    def _changed(self, entry: FlatEntry) -> None:
        event: tuple[Any, ...] = entry[4]
        self.owners[event[2]] = event[1]
        self.states[event[1]] = (event[-1], entry[0])

    def _appended(self, entry: FlatEntry) -> None:
        event = entry[4]
        if event[5] not in self.owners or not event[4]:  # Markers have no records.
            return
        written = Written(entry)
        if self._is_former(written.where, written.writer):
            return
        placed = self._at.setdefault(written.where, {})
        for offset in range(written.base, written.end):
            if offset in placed:
                self._forget(placed[offset])
            placed[offset] = written
        self.open.setdefault((written.where, event[5]), []).append(written)

    def _ends(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, topic, partition, offset, producer_id, _, result) = entry
        which = (topic, partition), producer_id
        if self._is_former(which[0], node):
            return
        ended = self.open.pop(which, None)
        if ended is None:
            ended = self._last.get(which, [])
        else:
            self._last[which] = ended
            self.ended += 1
        for one in ended:
            if one.result == OPEN:
                one.result, one.ended = result, seq
            one.ends_at[node, offset] = None

    def _truncated(self, entry: FlatEntry) -> None:
        where = entry[4][1:3]
        if where not in self._leaders:  # Else it is a copy that is cut, and its leader's counts.
            self._cut(where, entry[4][3], entry[2])

    def _cut(self, where: Where, offset: int, whose: str) -> None:
        """What one broker wrote from an offset on is gone; of nobody: what anybody wrote."""
        placed = self._at.get(where, {})
        for at in [one for one in placed if one >= offset]:
            if whose in ("", placed[at].writer):
                self._forget(placed.pop(at))
        for one in placed.values():
            gone = [end for end in one.ends_at if end[1] >= offset and whose in ("", end[0])]
            for end in gone:
                del one.ends_at[end]
            if gone and not one.ends_at:
                one.result, one.ended = OPEN, -1
                self.open.setdefault((where, one.identity[0]), []).append(one)

    def _forget(self, one: Written) -> None:
        which = one.where, one.identity[0]
        left = [other for other in self.open.get(which, ()) if other is not one]
        if left:
            self.open[which] = left
        else:
            self.open.pop(which, None)
