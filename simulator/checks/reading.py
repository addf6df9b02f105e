"""Do readers see one log, and of each transaction all or nothing?

readers_agree           whoever goes on from a record is given the same next one as everybody
transactions_read_whole in the end a group has been given all of a committed transaction's records,
                        or none

Both are judged by what readers were given. That an offset holds one record for everybody is
offsets_agree's matter; that there is only forward, polls_in_order's. A member begins anew with an
assignment, a reset or a seek.

An offset that holds a record of an aborted or open transaction is jumped over by readers of
committed records alone; so whether one jumps over those is not judged. Readers of uncommitted
records are given parts of transactions that never end: name the groups that must not be
(`transactions_read_whole_by`).

Not modelled: records that two transactions have in common, of which one's end is unknown; a group
that leaves before it has read to the end.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.leading import joined
from simulator.checks.sentences import at
from simulator.checks.transactions_log import TransactionLog
from simulator.checks.unread import Readers, Removed
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, int]
Sighting = tuple[str, int]  # Which event, and the entry that says so.

READ_WHOLE = "transactions_read_whole"


# --- One log -------------------------------------------------------------------------------------


@attrs.define
class _Jump:
    """A member was given one record and then a later one that is not the next offset."""

    node: str
    where: Place
    first: int
    last: int
    seqs: tuple[int, int]


@attrs.define
class _Successors:
    """Who was given what, after what."""

    polled: int = 0
    logs: dict[Place, dict[int, Sighting]] = attrs.field(factory=dict)
    positions: dict[str, dict[tuple[str, str, int], tuple[int, int]]] = attrs.field(factory=dict)
    jumps: list[_Jump] = attrs.field(factory=list)

    def on_polled(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, topic, partition, offset, event_id) = entry
        self.polled += 1
        where = (topic, partition)
        log = self.logs.get(where)
        if log is None:
            log = self.logs[where] = {}
        log.setdefault(offset, (event_id, seq))
        mine = self.positions.get(node)
        if mine is None:
            mine = self.positions[node] = {}
        before = mine.get((group, topic, partition))
        if before is not None and offset > before[0] + 1:
            self.jumps.append(_Jump(node, where, before[0], offset, (before[1], seq)))
        mine[group, topic, partition] = (offset, seq)

    def on_assignment(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        mine = self.positions.get(entry[2])
        if mine:
            for topic, partition in partitions:
                mine.pop((group, topic, partition), None)

    def on_reset(self, entry: FlatEntry) -> None:
        mine = self.positions.get(entry[2])
        if mine:
            mine.pop(entry[4][1:4], None)

    def on_crash(self, entry: FlatEntry) -> None:
        self.positions.pop(entry[2], None)

    def judge(self, log: TransactionLog, removed: Removed) -> Cases:
        """The records that somebody was given, and another jumped over."""
        cases = Cases()
        offsets = {where: sorted(known) for where, known in self.logs.items()}
        for jump in self.jumps:
            known = self.logs[jump.where]
            given = offsets[jump.where]
            for place in range(bisect_right(given, jump.first), len(given)):
                offset = given[place]
                if offset >= jump.last:
                    break
                event_id, seq = known[offset]
                batch = log.holding(jump.where, offset)
                of_nobody = batch is not None and batch.result != "commit"
                if of_nobody or removed.took(*jump.where, offset, event_id):
                    continue
                said = f"after @{jump.first} {jump.node} was given @{jump.last}, and others"
                shown = sorted((*jump.seqs, seq))
                cases.add(f"{said} {event_id} ({at(*jump.where, offset)})", shown, (event_id,))
        return cases


def _readers_agree() -> Watching:
    successors, log, removed = _Successors(), TransactionLog(), Removed()

    def finish() -> Verdict:
        return successors.judge(log, removed).verdict("readers_agree", successors.polled)

    own: dict[str, Observer] = {
        "record_polled": successors.on_polled,
        "partitions_assigned": successors.on_assignment,
        "partitions_revoked": successors.on_assignment,
        "partitions_lost": successors.on_assignment,
        "position_reset": successors.on_reset,
        "node_crashed": successors.on_crash,
    }
    return Watching(joined(log.observers(), removed.observers(), own), finish)


# --- All or nothing ------------------------------------------------------------------------------


@attrs.define
class _Transaction:
    """One whose commit was asked for. `certain`: its producer learnt that it is committed."""

    owner: str
    records: tuple[tuple[str, str], ...]  # Topic and event.
    seq: int
    certain: bool = False


@attrs.define
class _Committed:
    """Transactions whose commit was asked for and did not certainly fail, and their records."""

    began: dict[str, int] = attrs.field(factory=dict)  # Node: its last transaction.
    # Node and event: since which transaction, and the topics it was sent to.
    sent: dict[tuple[str, str], tuple[int, dict[str, None]]] = attrs.field(factory=dict)
    lies: dict[tuple[str, str], tuple[int, int]] = attrs.field(factory=dict)  # Topic and event.
    asked: Counter[str] = attrs.field(factory=Counter)  # Event: in how many transactions.
    open: dict[tuple[str, str], _Transaction] = attrs.field(factory=dict)
    kept: list[_Transaction] = attrs.field(factory=list)
    # Group to topic and event, to the first entry that gave it.
    given: dict[str, dict[tuple[str, str], int]] = attrs.field(factory=dict)
    # Group, topic and partition: where it began; 0 if it had an offset to go on from.
    starts: dict[tuple[str, str, int], int] = attrs.field(factory=dict)

    def on_polled(self, entry: FlatEntry) -> None:
        _, group, topic, partition, _, event_id = entry[4]
        self.given.setdefault(group, {}).setdefault((topic, event_id), entry[0])
        self.starts.setdefault((group, topic, partition), 0)

    def on_reset(self, entry: FlatEntry) -> None:
        self.starts.setdefault(entry[4][1:4], entry[4][4])

    def on_began(self, entry: FlatEntry) -> None:
        self.began[entry[2]] = entry[0]

    def on_sent(self, entry: FlatEntry) -> None:
        which, since = (entry[2], entry[4][1]), self.began.get(entry[2], -1)
        if which not in self.sent or self.sent[which][0] != since:
            self.sent[which] = (since, {})
        self.sent[which][1][entry[4][2]] = None

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        self.lies[topic, event_id] = (partition, offset)

    def on_ending(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, owner, result, event_ids, _) = entry
        self.asked.update(list(dict.fromkeys(event_ids)))
        self._settle((node, owner))
        if result == "commit":
            records = tuple(
                (topic, event_id)
                for event_id in dict.fromkeys(event_ids)
                for topic in self.sent.get((node, event_id), (0, {}))[1]
            )
            self.open[node, owner] = _Transaction(owner, records, seq)

    def on_ended(self, entry: FlatEntry) -> None:
        _, owner, result, outcome, _ = entry[4]
        if result == "commit":
            if outcome == "failed":
                self.open.pop((entry[2], owner), None)
            self._settle((entry[2], owner), certain=outcome == "done")

    def _settle(self, which: tuple[str, str], *, certain: bool = False) -> None:
        one = self.open.pop(which, None)
        if one is not None:
            one.certain = certain
            self.kept.append(one)

    def judged(self) -> list[_Transaction]:
        """All; one whose end is unknown only if its records are in no other."""
        for which in list(self.open):
            self._settle(which)
        return [
            one
            for one in self.kept
            if one.certain or all(self.asked[event_id] == 1 for _, event_id in one.records)
        ]


def transactions_read_whole_by(*groups: str) -> Check:
    """In the end these groups were given all of a committed transaction, or nothing of it.

    Without a group it is asked of all.
    """

    def start() -> Watching:
        return _transactions_read_whole(frozenset(groups))

    whom = " or ".join(groups) or "a group"
    promise = f"In the end {whom} has been given a committed transaction wholly, or not at all."
    return Check(READ_WHOLE, promise, start)


def _transactions_read_whole(groups: Collection[str]) -> Watching:
    committed, readers, removed, ending = _Committed(), Readers(), Removed(), Ending()

    def finish() -> Verdict:
        cases, reached = Cases(), 0
        for one in committed.judged():
            for group, given in committed.given.items():
                if groups and group not in groups:
                    continue
                got, missing = _parts(committed, one, group, readers, removed)
                reached += len(got) + len(missing) > 1
                if got and missing:
                    has, lacks = got[0][1], missing[0][1]
                    said = f"{group} was given {has} of a transaction of {one.owner}, and never "
                    said += lacks if has != lacks else f"{lacks} of {missing[0][0]}"
                    cases.add(said, sorted((one.seq, given[got[0]])), (has, lacks))
        return cases.verdict(READ_WHOLE, reached, open_because=ending.open_because)

    own: dict[str, Observer] = {
        "record_polled": committed.on_polled,
        "position_reset": committed.on_reset,
        "transaction_began": committed.on_began,
        "record_sent": committed.on_sent,
        "record_acknowledged": committed.on_acknowledged,
        "transaction_ending": committed.on_ending,
        "transaction_ended": committed.on_ended,
    }
    observers = joined(own, readers.observers(), removed.observers(), ending.observers())
    return Watching(observers, finish)


def _parts(
    committed: _Committed,
    one: _Transaction,
    group: str,
    readers: Readers,
    removed: Removed,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What a group was given of a transaction, and what it should have been given beside that."""
    got: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    given = committed.given[group]
    for topic, event_id in one.records:
        if (topic, event_id) in given:
            got.append((topic, event_id))
            continue
        partition, offset = committed.lies.get((topic, event_id), (-1, -1))
        if removed.took(topic, partition, offset, event_id):
            continue
        if partition < 0:  # Nobody was told where it lies: anywhere in what the group reads.
            reads = any(where[0] == topic for where in readers.given[group])
        else:
            reads = group in readers.groups((topic, partition))
        if reads and offset >= committed.starts.get((group, topic, partition), -1):
            missing.append((topic, event_id))
    return got, missing


readers_agree = Check(
    "readers_agree",
    "Readers who go on from the same record are given the same next one.",
    _readers_agree,
)
transactions_read_whole = transactions_read_whole_by()
