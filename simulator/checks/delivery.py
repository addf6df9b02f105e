"""Was every record delivered, once, and applied, once? By what clients and effects saw.

never_lost             acknowledged to the producer, and applied when all was healed and drained
never_delivered_twice  poll() gives a group each event once (at-least-once does not promise it)
never_applied_twice    for each event, each table is changed by one transaction at most
never_invented         nothing is polled or applied that nobody sent

Brokers' own entries are not asked: a broker that lost its disk forgot that it did.

What was acknowledged and then aborted was taken back, and is not lost.

An event of which no table is ever changed is applied when its handler is done: its topic's
readers may do something else than write to a store. Topics that no group was ever assigned are
outside of `never_lost`. Effects of one transaction are recorded one right after the other, and
belong together as long as they change different rows.

Not modelled: which group an effect is due to (an event is applied once any group's effect is).
"""

from simulator.checks.check import Check, Watching
from simulator.checks.ending import NOBODY_READS, Ending
from simulator.checks.transactions_log import ABORTED, TransactionLog
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry


class _Aborted:
    """What was acknowledged and then aborted: all that its producer was told of is taken back."""

    def __init__(self) -> None:
        self.transactions = TransactionLog()
        self._before: dict[str, list[FlatEntry]] = {}  # Of an event that is acknowledged again.

    def remember(self, before: FlatEntry) -> None:
        """An event is acknowledged again, and was before in this entry."""
        self._before.setdefault(before[4][1], []).append(before)

    def whole(self, entry: FlatEntry) -> bool:
        """Whether an event was aborted wherever it was acknowledged; last in this entry."""
        every = (*self._before.get(entry[4][1], ()), entry)
        return all(
            self.transactions.result((topic, partition), offset, event_id) == ABORTED
            for _, event_id, topic, partition, offset in (one[4] for one in every)
        )


def _never_lost() -> Watching:
    ending, aborted = Ending(), _Aborted()
    waiting: dict[str, FlatEntry] = {}  # event -> its acknowledgement
    applied, done = set[str](), set[str]()
    read: set[str] = set()  # Topics that somebody reads, and those whose events change tables.
    stored: set[str] = set()
    acknowledged = 0

    def on_acknowledged(entry: FlatEntry) -> None:
        nonlocal acknowledged
        acknowledged += 1
        event_id = entry[4][1]
        if event_id in applied:
            stored.add(entry[4][2])
            return
        if (before := waiting.get(event_id)) is not None:
            aborted.remember(before)
        waiting[event_id] = entry

    def on_applied(entry: FlatEntry) -> None:
        event_id = entry[4][4]
        if event_id not in applied:
            applied.add(event_id)
            if (known := waiting.pop(event_id, None)) is not None:
                stored.add(known[4][2])

    def on_ended(entry: FlatEntry) -> None:
        event = entry[4]
        if event[5] not in applied and event[6] == "done":
            done.add(event[5])

    def on_assigned(entry: FlatEntry) -> None:
        read.update(topic for topic, _ in entry[4][3])

    def on_polled(entry: FlatEntry) -> None:
        read.add(entry[4][2])

    def finish() -> Verdict:
        cases, outside = Cases(), 0
        for entry in waiting.values():
            _, event_id, topic, partition, offset = entry[4]
            if topic not in read:
                outside += 1
            elif (topic in stored or event_id not in done) and not aborted.whole(entry):
                said = f"{event_id} was acknowledged ({topic}-{partition}@{offset})"
                cases.add(f"{said} and never applied", (entry[0],), (event_id,))
        if acknowledged and not read:
            return Verdict("never_lost", Status.CANNOT_TELL, why=NOBODY_READS)
        return cases.verdict("never_lost", acknowledged - outside, open_because=ending.open_because)

    observers = {
        "record_acknowledged": on_acknowledged,
        "effect_applied": on_applied,
        "processing_ended": on_ended,
        "partitions_assigned": on_assigned,
        "record_polled": on_polled,
        **aborted.transactions.observers(),
        **ending.observers(),
    }
    return Watching(observers, finish)


def _never_delivered_twice() -> Watching:
    cases = Cases()
    seen: dict[str, dict[str, dict[str, int]]] = {}  # group -> topic -> event -> its first entry

    def on_polled(entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id = entry[4]
        try:
            known = seen[group][topic]
        except KeyError:
            known = seen.setdefault(group, {}).setdefault(topic, {})
        seq = entry[0]
        first = known.setdefault(event_id, seq)
        if first != seq:
            said = f"{event_id} was given to {group} again ({topic}-{partition}@{offset})"
            cases.add(said, (first, seq), (event_id,))

    def finish() -> Verdict:
        events = sum(len(known) for topics in seen.values() for known in topics.values())
        return cases.verdict("never_delivered_twice", events + cases.count)

    return Watching({"record_polled": on_polled}, finish)


def _never_applied_twice() -> Watching:
    cases = Cases()
    firsts: dict[str, dict[str, int]] = {}  # table -> event -> its transaction's first entry
    transaction = previous = told = -1
    owner = ""
    rows: list[FlatEntry] = []  # The transaction's effects so far.
    effects = 0

    def on_applied(entry: FlatEntry) -> None:
        nonlocal transaction, previous, told, owner, rows, effects
        seq = entry[0]
        _, table, key, _, event_id = entry[4]
        if not event_id:
            return
        effects += 1
        if seq == previous + 1 and event_id == owner and _changes_another_row(entry, rows):
            rows.append(entry)
        else:
            transaction = seq
            owner = event_id
            rows = [entry]
        previous = seq
        known = firsts.get(table)
        if known is None:
            known = firsts[table] = {}
        first = known.setdefault(event_id, transaction)
        if transaction not in (first, told):
            told = transaction
            said = f"{event_id} changed {table} {key!r} in a second transaction"
            cases.add(said, (first, seq), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("never_applied_twice", effects)

    return Watching({"effect_applied": on_applied}, finish)


def _changes_another_row(entry: FlatEntry, rows: list[FlatEntry]) -> bool:
    row = entry[4][1:3]
    return all(other[4][1:3] != row for other in rows)


def _never_invented() -> Watching:
    cases = Cases()
    sent: set[str] = set()
    reached = 0

    def on_sent(entry: FlatEntry) -> None:
        sent.add(entry[4][1])

    def on_polled(entry: FlatEntry) -> None:
        nonlocal reached
        reached += 1
        event = entry[4]
        if event[5] not in sent:
            place = f"{event[2]}-{event[3]}@{event[4]}"
            said = f"{event[1]} was given {event[5]!r} ({place}), which nobody sent"
            cases.add(said, (entry[0],), (event[5],))

    def on_applied(entry: FlatEntry) -> None:
        nonlocal reached
        event_id = entry[4][4]
        if event_id:
            reached += 1
            if event_id not in sent:
                said = f"{entry[4][1]} was changed for {event_id!r}, which nobody sent"
                cases.add(said, (entry[0],), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("never_invented", reached)

    observers = {
        "record_sent": on_sent, "record_polled": on_polled, "effect_applied": on_applied
    }  # fmt: skip
    return Watching(observers, finish)


never_lost = Check(
    "never_lost",
    "What was acknowledged to a producer is applied, once all is healed and drained.",
    _never_lost,
)
never_delivered_twice = Check(
    "never_delivered_twice", "A group is given each event at most once.", _never_delivered_twice
)
never_applied_twice = Check(
    "never_applied_twice", "Each event changes each table at most once.", _never_applied_twice
)
never_invented = Check(
    "never_invented", "Nothing is polled or applied that nobody sent.", _never_invented
)
