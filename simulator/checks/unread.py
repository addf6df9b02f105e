"""What was acknowledged, who should have read it, and how it got away: lost-write or unseen.

Rule 1: a group should read a partition if a member of it owns the partition at the end, or has
come back from a crash in which it lost it, and nobody has it yet; or if the group polled the
partition without ever being given it (a consumer may assign itself).
Rule 2: lost is what its readers have passed: a later offset was polled, or its own offset holds
another record. Whatever else was not polled is unseen.
Rule 3: what retention or the cleaner took need not be read, nor what was aborted.
"""

from typing import Any

import attrs

from simulator.checks.ending import NOBODY_READS, Ending
from simulator.checks.sentences import at
from simulator.checks.transactions_log import ABORTED, TransactionLog
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, int]

NAME = "acknowledged_is_read"
NOBODY_STAYED = "no group read to the end what was acknowledged"


@attrs.define
class Given:
    """What a group was given of a partition: which event at which offset, and what else there."""

    at: dict[int, str] = attrs.field(factory=dict)
    besides: dict[str, None] = attrs.field(factory=dict)

    def events(self) -> dict[str, None]:
        """All events, wherever they lay."""
        return dict.fromkeys(self.at.values()) | self.besides


class Readers:
    """Watches who polls what, and who owns what at the end."""

    def __init__(self) -> None:
        self.given: dict[str, dict[Place, Given]] = {}  # group -> partition
        # group -> partition -> who owns it now; a partition that was ever owned stays.
        self.owners: dict[str, dict[Place, dict[str, None]]] = {}
        self._crashed_with: dict[str, list[tuple[str, Place]]] = {}  # node -> what it owned
        self._awaited: dict[str, dict[Place, None]] = {}  # Their nodes are back.

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {
            "record_polled": self._polled,
            "partitions_assigned": self._assigned,
            "partitions_revoked": self._left,
            "partitions_lost": self._left,
            "node_crashed": self._crashed,
            "node_restarted": self._restarted,
        }

    def groups(self, where: Place) -> list[str]:
        """The groups that should have read a partition."""
        found = [
            group
            for group, owned in self.owners.items()
            if owned.get(where) or where in self._awaited.get(group, ())
        ]
        for group, given in self.given.items():
            if where in given and where not in self.owners.get(group, ()):
                found.append(group)
        return found

    def _polled(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id = entry[4]
        try:
            given = self.given[group][topic, partition]
        except KeyError:
            given = self.given.setdefault(group, {}).setdefault((topic, partition), Given())
        if given.at.setdefault(offset, event_id) != event_id:
            given.besides[event_id] = None

    def _assigned(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        owned = self.owners.setdefault(group, {})
        awaited = self._awaited.get(group, {})
        for topic, partition in partitions:
            owned.setdefault((topic, partition), {})[entry[2]] = None
            awaited.pop((topic, partition), None)

    def _left(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        owned = self.owners.setdefault(group, {})
        for topic, partition in partitions:
            owned.setdefault((topic, partition), {}).pop(entry[2], None)

    def _crashed(self, entry: FlatEntry) -> None:
        for group, owned in self.owners.items():
            for where, nodes in owned.items():
                if entry[2] in nodes:
                    del nodes[entry[2]]
                    self._crashed_with.setdefault(entry[2], []).append((group, where))

    def _restarted(self, entry: FlatEntry) -> None:
        for group, where in self._crashed_with.pop(entry[2], ()):
            if not self.owners[group][where]:
                self._awaited.setdefault(group, {})[where] = None


class Removed:
    """Watches what retention and the cleaner take, by the word of any broker."""

    def __init__(self) -> None:
        self.starts: dict[Place, int] = {}
        self.cleaned: dict[str, dict[str, None]] = {}  # topic -> events

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {"log_start_moved": self._start_moved, "log_cleaned": self._cleaned}

    def took(self, topic: str, partition: int, offset: int, event_id: str) -> bool:
        """Whether a record was removed, or may have been, if nobody knows where it lay."""
        return offset < self.starts.get((topic, partition), -1) or event_id in self.cleaned.get(
            topic, ()
        )

    def _start_moved(self, entry: FlatEntry) -> None:
        _, topic, partition, offset, _ = entry[4]
        where = (topic, partition)
        self.starts[where] = max(offset, self.starts.get(where, 0))

    def _cleaned(self, entry: FlatEntry) -> None:
        _, topic, _, _, _, event_ids = entry[4]
        self.cleaned.setdefault(topic, {}).update(dict.fromkeys(event_ids))


class Excused:
    """What nobody need read: what was removed, and what was aborted."""

    def __init__(self) -> None:
        self._removed = Removed()
        self._transactions = TransactionLog()

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {**self._removed.observers(), **self._transactions.observers()}

    def need_not_be_read(self, topic: str, partition: int, offset: int, event_id: str) -> bool:
        """Whether a record was removed or aborted."""
        return (
            self._removed.took(topic, partition, offset, event_id)
            or self._transactions.result((topic, partition), offset, event_id) == ABORTED
        )

    def is_uncommitted(self, topic: str, partition: int, offset: int, event_id: str) -> bool:
        """Whether a record belongs to a transaction that was aborted, or has not ended."""
        result = self._transactions.result((topic, partition), offset, event_id)
        return result not in (None, "commit")


def unread(
    acknowledged: list[FlatEntry], readers: Readers, excused: Excused, ending: Ending
) -> Verdict:
    """The verdict of `acknowledged_is_read`."""
    if acknowledged and not readers.owners and not readers.given:
        return Verdict(NAME, Status.CANNOT_TELL, why=NOBODY_READS)
    cases, reached = Cases(), 0
    events: dict[tuple[str, Place], dict[str, None]] = {}
    due: dict[Place, list[str]] = {}
    for entry in acknowledged:
        _, event_id, topic, partition, offset = entry[4]
        where = (topic, partition)
        if where not in due:
            due[where] = readers.groups(where)
        for group in due[where]:
            reached += 1
            given = readers.given.get(group, {}).get(where)
            if given is not None and given.at.get(offset) == event_id:
                continue
            if given is not None:  # It may have been polled at another offset.
                if (group, where) not in events:
                    events[group, where] = given.events()
                if event_id in events[group, where]:
                    continue
            if not excused.need_not_be_read(*where, offset, event_id):
                said = _how(readers, group, where, offset, event_id)
                cases.add(said, (entry[0],), (event_id,))
    if acknowledged and not reached:
        return Verdict(NAME, Status.KEPT, why=NOBODY_STAYED)
    return cases.verdict(NAME, reached, open_because=ending.open_because)


def _how(readers: Readers, group: str, where: Place, offset: int, event_id: str) -> str:
    """What became of a record that a group was never given."""
    said = f"{event_id} was acknowledged ({at(*where, offset)}) and {group} never polled it"
    seen: list[Any] = [given[where] for given in readers.given.values() if where in given]
    instead = [one.at[offset] for one in seen if one.at.get(offset, event_id) != event_id]
    if instead:
        return f"{said}: lost, for {instead[0]} lies there instead"
    last = max((max(one.at) for one in seen), default=-1)
    if 0 <= offset < last:
        return f"{said}: lost, for @{last} was polled"
    return f"{said}: unseen"
