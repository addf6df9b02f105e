"""Accounts whose balances change, told in one of two ways, and a reader that rebuilds them.

changes   each event says what was added: the balance is the sum of all of them
balances  each event says what the balance is now: the newest one of a key is enough

An account that is closed is told by a tombstone, a record without a value: a compacted topic
forgets the key, and after delete.retention.ms the tombstone too. Which account an event is about is
its key; a reader keeps its table in memory, and at the end it notes each account that it has wrong.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from simulator import Cases, Check, Cluster, Verdict, Watching

CHANGES, BALANCES = "changes", "balances"
CLOCK = "clock"  # A key of no account: its events let segments be closed, and cleaned.
Window = tuple[int, int]  # From when to when a reader reads, in microseconds.


@attrs.frozen
class Change:
    """One event: at a time, to an account; `added` None closes it."""

    at_us: int
    account: str
    added: int | None


def plan(accounts: int, changes: int, closed: int, every_us: int) -> tuple[Change, ...]:
    """So many changes of each account in turn; then the first `closed` accounts are closed."""
    told = [
        Change((turn * accounts + number) * every_us, f"a-{number}", 1 + (turn + number) % 7)
        for turn in range(changes)
        for number in range(accounts)
    ]
    after_us = accounts * changes * every_us
    told += [Change(after_us + number * every_us, f"a-{number}", None) for number in range(closed)]
    return tuple(told)


def truth(changes: Iterable[Change]) -> dict[str, int]:
    """Each open account's balance when all has been told."""
    table: dict[str, int] = {}
    for change in changes:
        if change.added is None:
            table.pop(change.account, None)
        else:
            table[change.account] = table.get(change.account, 0) + change.added
    return table


def telling(
    cluster: Cluster,
    topic: str,
    changes: Sequence[Change],
    told: str,
    *,
    from_us: int,
    until_us: int,
) -> None:
    """A bank that tells the changes, and then the time twice a second, until `until_us`."""

    def drive(node: Any) -> Any:
        producer = cluster.producer(node, {"linger.ms": 0})
        table: dict[str, int] = {}
        for number, change in enumerate(changes):
            yield from _sleep_until(node, from_us + change.at_us)
            value = None
            if change.added is not None:
                table[change.account] = table.get(change.account, 0) + change.added
                value = str(change.added if told == CHANGES else table[change.account])
            event_id = f"{change.account}/{number}"
            yield producer.send(topic, value, change.account, event_id=event_id)
        while node.now_us < until_us:
            yield node.sleep(500_000)
            yield producer.send(topic, str(node.now_us), CLOCK)

    cluster.driver("bank", drive)


def rebuilding(
    cluster: Cluster, topic: str, told: str, windows: Sequence[Window], right: dict[str, int]
) -> None:
    """A reader of partition 0 that reads within its windows, from where it was.

    Args:
        right: what its table should be when its last window ends.
    """

    def drive(node: Any) -> Any:
        consumer = cluster.consumer(
            node, {"auto.offset.reset": "earliest", "enable.auto.commit": False}
        )
        consumer.assign([(topic, 0)])
        table: dict[str, int] = {}
        for begin_us, end_us in windows:
            yield from _sleep_until(node, begin_us)
            while node.now_us < end_us:
                for record in (yield consumer.poll(100)):
                    if record.value is None:
                        table.pop(record.key, None)
                    elif record.key != CLOCK:
                        before = table.get(record.key, 0) if told == CHANGES else 0
                        table[record.key] = before + int(record.value)
        for account in sorted({*table, *right}):
            found, meant = table.get(account, "none"), right.get(account, "none")
            said = "right" if found == meant else "wrong"
            node.record(("noted", said, f"{account}: {found}, and is {meant}"))

    cluster.driver("reader", drive)


def _sleep_until(node: Any, at_us: int) -> Any:
    if at_us > node.now_us:
        yield node.sleep(at_us - node.now_us)


def _start() -> Watching:
    cases = Cases()
    accounts = 0
    ends: dict[Any, int] = {}  # Partition -> offset behind its last record.
    positions: dict[tuple[str, Any], int] = {}  # A reader, and a partition.
    unread = ""

    def on_appended(entry: Any) -> None:
        _, topic, partition, offset, event_ids, *_ = entry[4]
        ends[topic, partition] = offset + len(event_ids)

    def on_polled(entry: Any) -> None:
        _, _, topic, partition, offset, *_ = entry[4]
        positions[entry[2], (topic, partition)] = offset + 1

    def on_noted(entry: Any) -> None:
        nonlocal accounts, unread
        _, said, detail = entry[4]
        if said in ("right", "wrong"):
            accounts += 1
            if said == "wrong":
                if any(positions.get((entry[2], where), 0) < end for where, end in ends.items()):
                    unread = f"{entry[2]} had not read to the end"
                cases.add(f"{entry[2]} has {detail}", (entry[0],))

    def finish() -> Verdict:
        return cases.verdict("rebuilt", accounts, open_because=unread)

    observers = {"batch_appended": on_appended, "record_polled": on_polled, "noted": on_noted}
    return Watching(observers, finish)


rebuilt = Check("rebuilt", "Who reads the topic knows each account's balance in the end.", _start)


def newest_are_kept(tombstones: Iterable[str] = ()) -> Check:
    """The check that a cleaner takes away only what is not the newest event of its key.

    Args:
        tombstones: ids of events without a value, which may go when their time is over.
    """
    passing = frozenset(tombstones)

    def start() -> Watching:
        cases, removed = Cases(), 0
        keys: dict[str, Any] = {}
        newest: dict[tuple[str, int, Any], str] = {}

        def on_sent(entry: Any) -> None:
            keys[entry[4][1]] = entry[4][3]

        def on_appended(entry: Any) -> None:
            _, topic, partition, _, event_ids, *_ = entry[4]
            for event_id in event_ids:
                newest[topic, partition, keys.get(event_id)] = event_id

        def on_cleaned(entry: Any) -> None:
            nonlocal removed
            _, topic, partition, _, _, event_ids = entry[4]
            for event_id in event_ids:
                removed += 1
                key = keys.get(event_id)
                if newest.get((topic, partition, key)) == event_id and event_id not in passing:
                    said = f"{event_id} was removed, and is the newest of {key}"
                    cases.add(said, (entry[0],), (event_id,))

        def finish() -> Verdict:
            return cases.verdict("newest_are_kept", removed)

        observers = {
            "record_sent": on_sent, "batch_appended": on_appended, "log_cleaned": on_cleaned
        }  # fmt: skip
        return Watching(observers, finish)

    return Check("newest_are_kept", "The newest event of each key stays in the log.", start)


@attrs.define
class Reading:
    """Counts of one run: a thing for measures to look at.

    Attributes:
        told: events that the bank told of accounts.
        seen: those of them that the reader was given.
        wrong: accounts that it has wrong at the end.
        accounts: accounts that it has, or should have.
    """

    told: int = 0
    seen: int = 0
    wrong: int = 0
    accounts: int = 0

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            ("record_sent", self._on_sent),
            ("record_polled", self._on_polled),
            ("noted", self._on_noted),
        )

    def _on_sent(self, entry: Any) -> None:
        self.told += entry[4][3] != CLOCK

    def _on_polled(self, entry: Any) -> None:
        self.seen += "/" in entry[4][5]  # The clock's events have ids of the producer's.

    def _on_noted(self, entry: Any) -> None:
        self.accounts += entry[4][1] in ("right", "wrong")
        self.wrong += entry[4][1] == "wrong"
