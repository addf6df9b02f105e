"""Did everything arrive in the end? Liveness: judged when the faults are over and time was given.

drained  every acknowledged record of a topic that a group reads was given to the group, and, if
         the group commits at all, its committed offset has passed it

What a transaction aborts is for nobody: a partition that ends with it is not asked about.

Not modelled: how long it took (a measure tells); records whose offset the client was not told
(acks=0); single records that were jumped over (never_lost finds those).
"""

from simulator.checks.check import Check, Watching
from simulator.checks.coordinators import Coordinators
from simulator.checks.ending import NOBODY_READS, Ending
from simulator.checks.leading import joined
from simulator.checks.transactions_log import TransactionLog
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, str, int]


def _drained() -> Watching:
    ending, coordinators, log = Ending(), Coordinators(), TransactionLog()
    written: dict[tuple[str, int], tuple[int, int, str]] = {}  # highest offset, entry, event
    given: dict[Place, int] = {}
    committed: dict[Place, int] = {}
    reads: dict[str, dict[str, None]] = {}  # group -> topics, in the order they were met
    commits: set[str] = set()

    def on_acknowledged(entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        known = written.get((topic, partition))
        if offset >= 0 and (known is None or offset > known[0]):
            written[topic, partition] = (offset, entry[0], event_id)

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
        if written and not reads:
            return Verdict("drained", Status.CANNOT_TELL, why=NOBODY_READS)
        cases, reached = Cases(), 0
        for group, topics in reads.items():
            for (topic, partition), (offset, seq, event_id) in written.items():
                batch = log.holding((topic, partition), offset)
                if topic not in topics or (batch is not None and batch.result == "abort"):
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
        "record_acknowledged": on_acknowledged,
        "partitions_assigned": on_assigned,
        "record_polled": on_polled,
        "offset_committed": on_committed,
    }
    told = joined(own, coordinators.observers(), ending.observers(), log.observers())
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
