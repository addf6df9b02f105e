"""The one append-only record of a run; every check, number and picture is a function of it.

An entry is the flat tuple `(seq, at_us, node, causes, event)`. `causes` are the seqs of entries
that this one follows from on *other* nodes (a delivery from its sending); together with program
order on each node they make happens-before. Recording draws nothing and changes nothing.

What is kept is the caller's choice: an observer sees each entry as it is recorded, so that a run
of millions of records can be judged without keeping its trace. A seq is counted whether or not
the entry is kept, so evidence names the same entry in both.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from simulator.trace.entry import Entry
from simulator.trace.events import EVENTS, read

FlatEntry = tuple[int, int, str, tuple[int, ...], tuple[Any, ...]]
Observer = Callable[[FlatEntry], None]


class Trace:
    """Entries in the order in which they happened.

    Args:
        keep: keep the entries; without it only observers see them.
        observers: for each kind of event, the functions that are told of it as it happens.
    """

    __slots__ = ("_entries", "_keep", "_watching", "meta", "seq")

    def __init__(
        self, *, keep: bool = True, observers: Iterable[tuple[str, Observer]] = ()
    ) -> None:
        self.seq = 0
        self.meta: dict[str, Any] = {}
        self._keep = keep
        self._entries: list[FlatEntry] = []
        self._watching: dict[str, tuple[Observer, ...]] = {}
        for kind, observer in observers:
            assert kind in EVENTS, f"no event is called {kind!r}"
            self._watching[kind] = (*self._watching.get(kind, ()), observer)

    def wants(self, kind: str) -> bool:
        """Whether anyone would see an entry of this kind: if not, count it in `seq` and go on."""
        return self._keep or kind in self._watching

    def record(
        self, at_us: int, node: str, causes: tuple[int, ...], event: tuple[Any, ...]
    ) -> int:
        """Append; the answer is the entry's seq, for later entries to name as their cause."""
        seq = self.seq
        self.seq = seq + 1
        watching = self._watching.get(event[0])
        if watching is not None:
            entry = (seq, at_us, node, causes, event)
            if self._keep:
                self._entries.append(entry)
            for observer in watching:
                observer(entry)
        elif self._keep:
            self._entries.append((seq, at_us, node, causes, event))
        return seq

    def record_each(
        self, at_us: int, node: str, kind: str, events: Sequence[tuple[Any, ...]]
    ) -> None:
        """Append several events of one kind, of one instant and node, and without causes."""
        seq = self.seq
        self.seq = seq + len(events)
        watching = self._watching.get(kind, ())
        keep = self._entries.append if self._keep else None
        for event in events:
            entry = (seq, at_us, node, (), event)
            seq += 1
            if keep is not None:
                keep(entry)
            for observer in watching:
                observer(entry)

    @property
    def kept(self) -> bool:
        """Whether the entries were kept."""
        return self._keep

    @property
    def flat(self) -> list[FlatEntry]:
        """The entries as flat tuples: for checks and pictures that must be fast. Do not change."""
        return self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        for seq, at_us, node, causes, event in self._entries:
            yield Entry(seq, at_us, node, causes, read(event))

    def of(self, *kinds: str) -> list[FlatEntry]:
        """The flat entries of these kinds, in order."""
        for kind in kinds:
            assert kind in EVENTS, f"no event is called {kind!r}"
        return [entry for entry in self._entries if entry[4][0] in kinds]

    def digest(self) -> str:
        """A fingerprint of everything that happened: equal digests, equal runs.

        It is reckoned when asked, from the canonical text of each entry; so it is the same on
        every machine, Python and hash seed.
        """
        sums = hashlib.sha256()
        for entry in self._entries:
            sums.update(repr(entry).encode())
            sums.update(b"\n")
        return sums.hexdigest()


def first_difference(one: Trace, other: Trace) -> tuple[FlatEntry | None, FlatEntry | None] | None:
    """The first pair of entries that differ, None in the place of an end; None if all are equal."""
    for left, right in zip(one.flat, other.flat, strict=False):
        if left != right:
            return left, right
    if len(one) == len(other):
        return None
    shared = min(len(one), len(other))
    longer = one if len(one) > len(other) else other
    extra = longer.flat[shared]
    return (extra, None) if longer is one else (None, extra)
