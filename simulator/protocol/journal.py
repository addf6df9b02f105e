"""A journal is one file of facts on a node's disk: it survives the machine that wrote it.

Rule 1: a journal belongs to the disk, never to the process. A process crash leaves all of it (the
page cache stays), a power loss leaves what was flushed, and a lost disk leaves nothing.
Rule 2: facts are kept once. Snapshots and the index beside them are derived, and only shorten a
restart: where they are missing, or reach beyond the facts, they are rebuilt or cut.
Rule 3: whoever wants a fact to survive a power loss asks for a flush. The operating system writes
back by itself what has been dirty for `WRITTEN_BACK_AFTER_US`, so a power loss takes at most what
was written since.

Positions count the facts that are in the journal now, from 0. A fact with an `append_time_us` was
written then, or later if `written` says so; of one without, nobody knows, and it counts as new.

Not modelled: single sectors, bit rot, a full disk, write-back under memory pressure, and the
seconds by which it comes late (vm.dirty_writeback_centisecs); small files (checkpoints, snapshots)
are replaced atomically and flushed at once, as Kafka replaces them, and never lie behind the log.
"""

from collections.abc import Sequence
from typing import Any

NOT_TORN: Any = object()  # What `torn` holds when no entry is torn; None could be a fact.
WRITTEN_BACK_AFTER_US = 30_000_000  # Linux: vm.dirty_expire_centisecs = 3000


class Journal:
    """Facts in order, how many of them are on the platter, and the small files beside them.

    Attributes:
        name: the file's name on its disk.
        facts: the entries, oldest first. Read it freely; change it by the methods (or, in a hot
            path, by `facts.append`).
        flushed: how many entries are on the platter and survive a power loss.
        snapshots: (position, kind, state): `state` is what `facts[:position]` lead to; oldest
            first. States must be immutable, or never changed after.
        checkpoints: small named values that are hard at once, such as the log start offset.
        index: what a machine keeps beside its facts to find them, as Kafka keeps index files.
        torn: an entry of which only a part reached the platter, until `mend` cuts it off.
    """

    __slots__ = (
        "_written",
        "checkpoints",
        "facts",
        "flushed",
        "index",
        "name",
        "snapshots",
        "torn",
    )

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.facts: list[Any] = []
        self.flushed = 0
        self.snapshots: list[tuple[int, str, Any]] = []
        self.checkpoints: dict[str, Any] = {}
        self.index: Any = None
        self.torn: Any = NOT_TORN
        self._written: list[tuple[int, int]] = []  # (position, when it was written, or later)

    def __len__(self) -> int:
        return len(self.facts)

    def append(self, fact: Any) -> None:
        """Write one entry: it survives the process, and a power loss only once flushed."""
        self.facts.append(fact)

    def flush(self) -> None:
        """Put every entry on the platter (fsync)."""
        self.flushed = len(self.facts)
        self._written.clear()

    def flush_to(self, position: int) -> None:
        """Put the entries before `position` on the platter; what lies there stays there."""
        self.flushed = max(self.flushed, min(position, len(self.facts)))

    def written(self, now_us: int) -> None:
        """Say that whatever is appended from here on is written now or later.

        Only who takes over entries that were appended elsewhere long ago needs to: their append
        times would make them look as if they had been on this disk as long.
        """
        limit_us = now_us - WRITTEN_BACK_AFTER_US
        position = len(self.facts)
        kept = [one for one in self._written if one[1] > limit_us and one[0] < position]
        self._written = [*kept, (position, now_us)]

    def written_back(self, now_us: int, after_us: int = WRITTEN_BACK_AFTER_US) -> int:
        """How many unflushed entries the operating system has put on the platter by itself."""
        limit_us = now_us - after_us
        stop = len(self.facts)
        for first, at_us in self._written:
            if at_us > limit_us:
                stop = min(stop, first)
                break
        position = self.flushed
        while position < stop:
            appended_us = getattr(self.facts[position], "append_time_us", None)
            if appended_us is None or appended_us > limit_us:
                break
            position += 1
        return position - self.flushed

    # --- Snapshots ---------------------------------------------------------------------------

    def snapshot(self, state: Any, kind: str = "", keep: int | None = None) -> None:
        """Keep `state` as what the facts so far lead to.

        Args:
            state: any immutable value.
            kind: tells snapshots of several sorts apart.
            keep: how many of this kind to keep, the newest; None keeps all.
        """
        self.snapshots.append((len(self.facts), kind, state))
        if keep is None:
            return
        alike = [at for at, (_, other, _) in enumerate(self.snapshots) if other == kind]
        for at in reversed(alike[: max(0, len(alike) - keep)]):
            del self.snapshots[at]

    def newest_snapshot(self) -> tuple[int, str, Any] | None:
        """The last snapshot taken, or None: replay `facts` from its position on."""
        return self.snapshots[-1] if self.snapshots else None

    # --- Cutting -----------------------------------------------------------------------------

    def cut(self, length: int) -> list[Any]:
        """Keep the first `length` entries; the answer is what was cut off."""
        gone = self.facts[length:]
        del self.facts[length:]
        self.flushed = min(self.flushed, length)
        self.snapshots = [one for one in self.snapshots if one[0] <= length]
        self._written = [(min(one[0], length), one[1]) for one in self._written]
        return gone

    def drop_front(self, count: int) -> None:
        """Forget the first `count` entries (retention), and the snapshots that end within."""
        del self.facts[:count]
        self.flushed = max(0, self.flushed - count)
        self.snapshots = [
            (position - count, kind, state)
            for position, kind, state in self.snapshots
            if position >= count
        ]
        self._written = [(max(0, position - count), at_us) for position, at_us in self._written]

    def replace_front(self, count: int, facts: Sequence[Any]) -> None:
        """Put `facts`, flushed, in place of the first `count` entries: a file swapped for another.

        Every snapshot is kept where it stands: whoever calls this moves them.
        """
        self.facts[:count] = facts
        moved = len(facts) - count
        self.flushed = len(facts) + max(0, self.flushed - count)
        self._written = [(max(0, one[0] + moved), one[1]) for one in self._written]

    # --- What can happen to a disk -------------------------------------------------------------

    def lose_power(self, spared: int = 0, *, torn: bool = False) -> list[Any]:
        """Lose what was not flushed; the answer is what is lost.

        Args:
            spared: how many unflushed entries had reached the platter anyway, oldest first: what
                `written_back` says, or more (an operating system writes back when it likes).
            torn: of the entry after those only a part did: a reader finds it by its checksum.
        """
        length = min(len(self.facts), self.flushed + spared)
        gone = self.cut(length)
        self.torn = gone[0] if torn and gone else NOT_TORN
        self.flushed = length
        return gone

    def mend(self) -> bool:
        """Cut a torn last entry off, as a recovery does; True if there was one."""
        was_torn = self.torn is not NOT_TORN
        self.torn = NOT_TORN
        return was_torn

    def lose_disk(self) -> list[Any]:
        """Lose everything, as on a new and empty disk; the answer is what is lost."""
        gone = self.facts
        self.facts = []
        self.flushed = 0
        self.snapshots = []
        self.checkpoints = {}
        self.index = None
        self.torn = NOT_TORN
        self._written = []
        return gone

    def copy(self) -> "Journal":
        """Another journal with the same facts and small files, and no index: it is derived."""
        twin = Journal(self.name)
        twin.facts = list(self.facts)
        twin.flushed = self.flushed
        twin.snapshots = list(self.snapshots)
        twin.checkpoints = dict(self.checkpoints)
        twin.torn = self.torn
        twin._written = list(self._written)
        return twin
