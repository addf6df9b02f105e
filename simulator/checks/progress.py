"""Did everything arrive in the end? Liveness: judged when the faults are over and time was given.

drained  every acknowledged record of a topic that a group reads was given to the group, and, if
         the group commits at all, its committed offset has passed it

What was acknowledged and then aborted is nobody's to be given.

Not modelled: how long it took (a measure tells); records whose offset the client was not told
(acks=0); single records that were jumped over (never_lost finds those).
"""

from simulator.checks.check import Check, Watching
from simulator.checks.coordinators import Coordinators
from simulator.checks.ending import NOBODY_READS, Ending
from simulator.checks.leading import joined
from simulator.checks.transactions_log import ABORTED, TransactionLog
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, str, int]
Last = tuple[int, int, str]  # Offset, entry, event.


class _Written:
    """The highest offset of each partition that was acknowledged, and not aborted."""

    def __init__(self) -> None:
        self.transactions = TransactionLog()
        self._plain: dict[tuple[str, int], Last] = {}
        self._in_transactions: dict[tuple[str, int], list[Last]] = {}  # How each ends is open.

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        where = (topic, partition)
        if self.transactions.result(where, offset, event_id) is not None:
            self._in_transactions.setdefault(where, []).append((offset, entry[0], event_id))
            return
        known = self._plain.get(where)
        if offset >= 0 and (known is None or offset > known[0]):
            self._plain[where] = (offset, entry[0], event_id)

    def last(self) -> dict[tuple[str, int], Last]:
        found = dict(self._plain)
        for where, told in self._in_transactions.items():
            for one in told:
                known = found.get(where)
                if known is not None and known[0] >= one[0]:
                    continue
                if self.transactions.result(where, one[0], one[2]) != ABORTED:
                    found[where] = one
        return found


def _drained() -> Watching:
    ending, coordinators, log = Ending(), Coordinators(), _Written()
    given: dict[Place, int] = {}
    committed: dict[Place, int] = {}
    reads: dict[str, dict[str, None]] = {}  # group -> topics, in the order they were met
    commits: set[str] = set()

    def on_assigned(entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        topics = reads.setdefault(group, {})
        for topic, _ in partitions:
            topics[topic] = None

    def on_polled(entry: FlatEntry) -> None:
        _, group, topic, partition, offset, _ = entry[4]
        place = (group, topic, partition)
        if offset > given.get(place, -1):
            given[place] = offset
            if group not in reads or topic not in reads[group]:
                reads.setdefault(group, {})[topic] = None

    def on_committed(entry: FlatEntry) -> None:
        place = entry[4][1:4]
        commits.add(place[0])
        if place not in committed or not coordinators.tells_late(entry):
            committed[place] = entry[4][4]

    def finish() -> Verdict:
        written = log.last()
        if written and not reads:
            return Verdict("drained", Status.CANNOT_TELL, why=NOBODY_READS)
        cases, reached = Cases(), 0
        for group, topics in reads.items():
            for (topic, partition), (offset, seq, event_id) in written.items():
                if topic not in topics:
                    continue
                reached += 1
                place = (group, topic, partition)
                until = committed.get(place, -1) if group in commits else offset + 1
                behind = _behind(given.get(place, -1), until, offset)
                if behind:
                    said = f"{topic}-{partition} was acknowledged up to @{offset}"
                    cases.add(f"{said}, and {group} {behind} at last", (seq,), (event_id,))
        return cases.verdict("drained", reached, open_because=ending.open_because)

    own: dict[str, Observer] = {
        "record_acknowledged": log.on_acknowledged,
        "partitions_assigned": on_assigned,
        "record_polled": on_polled,
        "offset_committed": on_committed,
    }
    told = joined(own, coordinators.observers(), ending.observers(), log.transactions.observers())
    return Watching(told, finish)


def _behind(given: int, committed: int, last: int) -> str:
    """What a group still lacked of a partition whose last record is at `last`; empty if nothing."""
    if given < last:
        return f"had @{given}" if given >= 0 else "had nothing"
    if committed <= last:
        return f"committed @{committed}" if committed >= 0 else "committed nothing"
    return ""


drained = Check(
    "drained",
    "In the end every acknowledged record was given to its readers, and committed.",
    _drained,
)
