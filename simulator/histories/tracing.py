"""What the clients of a run saw, as the same operations that a foreign history holds.

1. A record that an application hands to a producer is a `send`; those of one transaction are one
   `txn`: ok if it committed, fail if it was aborted or nobody can commit it any more, else info.
2. The records that one poll handed over together are one `poll`, ok; when it was invoked no entry
   says, so nothing comes before it.
3. An operation's index is the seq of the entry at which it began; a poll's, of its last record.
4. After a crash a client goes on as another process, and so does each group on one node.
5. A partition that is assigned or taken away, a reset and a seek are a new beginning: an operation
   `subscribe` with the partitions that are not concerned.
6. What retention or the cleaner took is nobody's fault, and lies nowhere. Members of share groups
   are given what others are not given, so their polls may skip. A topic that nobody reads leaves
   nothing unseen.

Not modelled: polls as part of the transaction that their records go into (no entry says which
belong together); which groups read uncommitted records, and mean it: allow them G1a.
"""

from collections.abc import Callable, Iterable

import attrs

from simulator.histories.operations import FAIL, INFO, OK, POLL, SEND, SUBSCRIBE, TXN, Operations
from simulator.histories.options import Options
from simulator.histories.reading import Recorded
from simulator.trace.trace import FlatEntry, Trace

Place = tuple[str, int]

# A run in which nothing depends on anything has broken nothing: its checks say what they met.
OF_A_RUN = Options(subscribes=True, allow=("empty-transaction-graph",))


@attrs.define(eq=False)
class _Send:
    """A record on its way, and what its producer was told."""

    began: tuple[int, int]
    process: str
    topic: str
    event_id: str
    ended: tuple[int, int] | None = None
    outcome: int = INFO
    partition: int = -1
    offset: int = -1


@attrs.define(eq=False)
class _Transaction:
    """What was sent under one transaction, and how it ended."""

    began: tuple[int, int]
    process: str
    sends: list[_Send] = attrs.field(factory=list)
    result: str = ""  # What was asked for.
    ended: tuple[int, int] | None = None
    outcome: int = INFO


@attrs.define(eq=False)
class _Poll:
    """Records that came together."""

    process: str
    group: str
    last: tuple[int, int]
    records: list[tuple[Place, int, str]]


@attrs.define(eq=False)
class _Session:
    """A process goes on from new positions on some partitions, and as before on these."""

    process: str
    when: tuple[int, int]
    kept: tuple[Place, ...]


class Converter:
    """Hears the entries of a run, and makes operations of them.

    Use `observers()` for a run whose trace is not kept, or `observe` for one that was.
    """

    def __init__(self) -> None:
        self._rows: list[_Send | _Transaction | _Poll | _Session] = []
        self._open: dict[tuple[str, str, str], list[_Send]] = {}  # node, topic, event
        self._transactions: dict[str, _Transaction] = {}  # By node: the one that takes its sends.
        self._ending: dict[tuple[str, str], _Transaction] = {}  # node, transactional id
        self._incarnations: dict[str, int] = {}
        self._polled: dict[str, dict[Place, bool]] = {}  # By process.
        self._read_topics: dict[str, bool] = {}
        self._share_groups: dict[str, bool] = {}
        self._starts: dict[Place, int] = {}
        self._cleaned: dict[tuple[str, str], bool] = {}
        self._hear: dict[str, Callable[[FlatEntry], None]] = {
            "record_sent": self._sent,
            "record_acknowledged": self._acknowledged,
            "record_failed": self._failed,
            "record_polled": self._was_polled,
            "transaction_began": self._began,
            "transaction_ending": self._asked,
            "transaction_ended": self._ended,
            "partitions_assigned": self._assigned,
            "partitions_revoked": self._moved,
            "partitions_lost": self._moved,
            "position_reset": self._reset,
            "truncation_found": self._reset,
            "share_assigned": self._shared,
            "log_start_moved": self._start_moved,
            "log_cleaned": self._was_cleaned,
            "node_crashed": self._crashed,
            "node_restarted": self._restarted,
        }

    def observers(self) -> list[tuple[str, Callable[[FlatEntry], None]]]:
        """For `simulate` and `Trace`: which kinds it must be told of."""
        return list(self._hear.items())

    def observe(self, entries: Iterable[FlatEntry]) -> None:
        """Hear entries that were recorded before."""
        hear = self._hear
        for entry in entries:
            told = hear.get(entry[4][0])
            if told is not None:
                told(entry)

    def operations(self) -> Operations:
        """So far; what is open now has no known end."""
        return _Writer(
            self._rows, self._read_topics, self._share_groups, self._starts, self._cleaned
        ).written()

    # --- Sends -----------------------------------------------------------------------------------

    def _process(self, node: str) -> str:
        return f"{node}/{self._incarnations.get(node, 0)}"

    def _sent(self, entry: FlatEntry) -> None:
        seq, at_us, node, _, (_, event_id, topic, _) = entry
        send = _Send((seq, at_us), self._process(node), topic, event_id)
        self._open.setdefault((node, topic, event_id), []).append(send)
        transaction = self._transactions.get(node)
        if transaction is None:
            self._rows.append(send)
        else:
            transaction.sends.append(send)

    def _answered(self, entry: FlatEntry, event_id: str, topic: str) -> _Send:
        """The oldest open send of a record, ended now; one that nobody saw begin begins now."""
        which = (entry[2], topic, event_id)
        if which not in self._open:
            self._sent((*entry[:4], ("record_sent", event_id, topic, None)))
        waiting = self._open[which]
        send = waiting.pop(0)
        if not waiting:
            del self._open[which]
        send.ended = entry[:2]
        return send

    def _acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        send = self._answered(entry, event_id, topic)
        send.outcome, send.partition, send.offset = OK, partition, offset

    def _failed(self, entry: FlatEntry) -> None:
        _, event_id, topic, _, definite = entry[4]
        self._answered(entry, event_id, topic).outcome = FAIL if definite else INFO

    # --- Transactions ----------------------------------------------------------------------------

    def _began(self, entry: FlatEntry) -> None:
        seq, at_us, node, _, (_, transactional_id, _, _) = entry
        transaction = _Transaction((seq, at_us), self._process(node))
        self._rows.append(transaction)
        self._transactions[node] = self._ending[node, transactional_id] = transaction

    def _asked(self, entry: FlatEntry) -> None:
        _, transactional_id, result, _, _ = entry[4]
        transaction = self._ending.get((entry[2], transactional_id))
        if transaction is not None:
            transaction.result = result
            if self._transactions.get(entry[2]) is transaction:
                del self._transactions[entry[2]]

    def _ended(self, entry: FlatEntry) -> None:
        _, transactional_id, result, outcome, _ = entry[4]
        transaction = self._ending.pop((entry[2], transactional_id), None)
        if transaction is None:
            return
        if self._transactions.get(entry[2]) is transaction:
            del self._transactions[entry[2]]
        transaction.ended = entry[:2]
        if outcome == "done" and result == "commit":
            transaction.outcome = OK
        elif outcome != "unknown" or result == "abort":
            transaction.outcome = FAIL

    # --- Polls -----------------------------------------------------------------------------------

    def _was_polled(self, entry: FlatEntry) -> None:
        seq, at_us, node, _, (_, group, topic, partition, offset, event_id) = entry
        process, where = f"{self._process(node)}/{group}", (topic, partition)
        self._read_topics[topic] = True
        self._polled.setdefault(process, {})[where] = True
        last = self._rows[-1] if self._rows else None
        if isinstance(last, _Poll) and last.process == process and last.last == (seq - 1, at_us):
            last.records.append((where, offset, event_id))
            last.last = (seq, at_us)
            return
        self._rows.append(_Poll(process, group, (seq, at_us), [(where, offset, event_id)]))

    def _assigned(self, entry: FlatEntry) -> None:
        for topic, _ in entry[4][3]:
            self._read_topics[topic] = True
        self._moved(entry)

    def _moved(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        self._begin_anew(entry, group, [(topic, partition) for topic, partition in partitions])

    def _reset(self, entry: FlatEntry) -> None:
        _, group, topic, partition, *_ = entry[4]
        self._begin_anew(entry, group, [(topic, partition)])

    def _begin_anew(self, entry: FlatEntry, group: str, places: list[Place]) -> None:
        process = f"{self._process(entry[2])}/{group}"
        known = self._polled.get(process, {})
        moved = [where for where in places if known.pop(where, False)]
        if moved:
            self._rows.append(_Session(process, entry[:2], tuple(known)))

    def _shared(self, entry: FlatEntry) -> None:
        self._share_groups[entry[4][1]] = True
        for topic, _ in entry[4][4]:
            self._read_topics[topic] = True

    # --- Everything else -------------------------------------------------------------------------

    def _start_moved(self, entry: FlatEntry) -> None:
        _, topic, partition, offset, _ = entry[4]
        where = (topic, partition)
        self._starts[where] = max(offset, self._starts.get(where, 0))

    def _was_cleaned(self, entry: FlatEntry) -> None:
        _, topic, _, _, _, event_ids = entry[4]
        self._cleaned.update(dict.fromkeys(((topic, one) for one in event_ids), True))

    def _crashed(self, entry: FlatEntry) -> None:
        """Nobody is left to hear; what was not asked to commit never will be committed."""
        node = entry[2]
        for which in [which for which in self._open if which[0] == node]:
            for send in self._open.pop(which):
                send.ended = entry[:2]
        self._transactions.pop(node, None)
        for its in [its for its in self._ending if its[0] == node]:
            transaction = self._ending.pop(its)
            transaction.ended = entry[:2]
            transaction.outcome = INFO if transaction.result == "commit" else FAIL

    def _restarted(self, entry: FlatEntry) -> None:
        self._incarnations[entry[2]] = entry[4][1]


class _Writer:
    """Writes the rows down, in the order in which they began, once it is known where all lies."""

    def __init__(
        self,
        rows: list[_Send | _Transaction | _Poll | _Session],
        read_topics: dict[str, bool],
        share_groups: dict[str, bool],
        starts: dict[Place, int],
        cleaned: dict[tuple[str, str], bool],
    ) -> None:
        self._rows = sorted(rows, key=_begins)
        self._share_groups = share_groups
        self._starts, self._cleaned = starts, cleaned
        self._read_topics = read_topics
        self._out = Operations()
        # Where records lie whose sender was not told.
        self._seen: dict[tuple[str, str], int] = {}
        for row in rows:
            if isinstance(row, _Poll):
                for (topic, partition), _, event_id in row.records:
                    self._seen.setdefault((topic, event_id), partition)
        self._last = max((row.last[0] for row in rows if isinstance(row, _Poll)), default=0)

    def written(self) -> Operations:
        """All of them."""
        out = self._out
        for row in self._rows:
            match row:
                case _Send():
                    self._send(row)
                    self._end(row, SEND, row.outcome)
                case _Transaction():
                    for send in row.sends:
                        self._send(send)
                    self._end(row, TXN, row.outcome)
                case _Poll():
                    keys = [self._poll(*record) for record in row.records]
                    if row.group in self._share_groups:
                        out.rebalanced[len(out)] = tuple(dict.fromkeys(keys))
                    self._at_once(row.process, POLL, row.last)
                case _Session():
                    out.sessions[len(out)] = tuple(self._key(where) for where in row.kept)
                    self._at_once(row.process, SUBSCRIBE, row.when)
        return out

    def _key(self, where: Place) -> int:
        key = self._out.key(f"{where[0]}-{where[1]}")
        if where[0] not in self._read_topics:
            self._out.unread_keys[key] = True
        return key

    def _value(self, where: Place, event_id: str, offset: int) -> int:
        value = self._out.value(self._key(where), event_id)
        if (where[0], event_id) in self._cleaned or 0 <= offset < self._starts.get(where, 0):
            self._out.excused[value] = "removed"
        return value

    def _send(self, send: _Send) -> None:
        partition = send.partition
        if partition < 0:
            partition = self._seen.get((send.topic, send.event_id), -1)
        if partition >= 0:  # What lies nowhere as far as anyone knows is no evidence of anything.
            value = self._value((send.topic, partition), send.event_id, send.offset)
            self._out.send(value, send.offset)

    def _poll(self, where: Place, offset: int, event_id: str) -> int:
        value = self._value(where, event_id, offset)
        self._out.poll(value, offset)
        return self._out.key_of[value]

    def _end(self, row: _Send | _Transaction, does: int, outcome: int) -> None:
        seq, at_us = row.began
        ended = row.ended or (max(self._last, seq) + 1, at_us)
        number = self._out.process_number(row.process)
        self._out.end_row(seq, number, (does, outcome), (seq, ended[0]), (at_us, ended[1]))

    def _at_once(self, process: str, does: int, when: tuple[int, int]) -> None:
        seq, at_us = when
        number = self._out.process_number(process)
        self._out.end_row(seq, number, (does, OK), (seq, seq), (at_us, at_us))


def _begins(row: _Send | _Transaction | _Poll | _Session) -> tuple[int, int]:
    match row:
        case _Poll():
            return row.last
        case _Session():
            return row.when
    return row.began


def history_of_trace(trace: Trace) -> Recorded:
    """What the clients saw in a kept trace, as a history; its consumers subscribe."""
    converter = Converter()
    converter.observe(trace.flat)
    return Recorded(converter.operations(), OF_A_RUN)
