"""Which entries could have brought about which: happens-before, read off the trace.

1. An entry follows from the one before it of the same incarnation of its node (program order).
2. It follows from its causes: a delivery from its sending, and what a controller does because it
hears nothing of a broker from the crash or the pause that silenced it.
3. Nothing else: `node_restarted` begins an incarnation, whose memory is empty. What a disk or the
   crash itself brings across must be named as a cause.

Of two entries neither of which happens before the other, neither can have brought about the
other, whatever their times are.

Not modelled: what an entry really used of its past. The past of an entry is all that could have
mattered, and so may hold much that did not. Silence of other reasons (a message that was lost, a
link that was cut) is no cause of what it leads to.
"""

from collections.abc import Iterable

from simulator.errors import BadInput
from simulator.trace.trace import FlatEntry, Trace


class Causality:
    """Happens-before over the kept entries of a trace; made once in one pass, then asked often."""

    __slots__ = ("_before", "_entries", "_incarnation", "_place")

    def __init__(self, trace: Trace) -> None:
        self._entries = trace.flat
        # Where an entry lies: seqs have holes where entries were not kept.
        self._place = {entry[0]: place for place, entry in enumerate(self._entries)}
        self._incarnation: list[int] = []
        self._before: list[tuple[int, ...]] = []  # The places that an entry follows directly.
        last: dict[str, tuple[int, int]] = {}
        find = self._place.get
        for place, (_, _, node, causes, event) in enumerate(self._entries):
            incarnation, previous = last.get(node, (0, -1))
            if event[0] == "node_restarted":
                incarnation, previous = event[1], -1
            before = [previous] if previous >= 0 else []
            for cause in causes:
                found = find(cause)
                if found is not None:
                    before.append(found)
            self._before.append(tuple(before))
            self._incarnation.append(incarnation)
            last[node] = (incarnation, place)

    def incarnation(self, seq: int) -> int:
        """Which incarnation of its node recorded the entry; the first is 0."""
        return self._incarnation[self._find(seq)]

    def cone(self, seqs: Iterable[int]) -> list[FlatEntry]:
        """The entries and all that happened before any of them, in order.

        Raises:
            BadInput: no entry has such a seq.
        """
        wanted = bytearray(len(self._entries))
        for seq in seqs:
            wanted[self._find(seq)] = 1
        before = self._before
        # Backwards: when a place is reached, all that could follow from it has been.
        for place in range(wanted.rfind(1), -1, -1):
            if wanted[place]:
                for earlier in before[place]:
                    wanted[earlier] = 1
        return [entry for entry, mark in zip(self._entries, wanted, strict=True) if mark]

    def happens_before(self, one: int, other: int) -> bool:
        """Whether the entry `one` could have brought about `other`; no entry does itself.

        Raises:
            BadInput: no entry has such a seq.
        """
        first, last = self._find(one), self._find(other)
        before, seen, open_places = self._before, {last}, [last]
        while open_places:
            for earlier in before[open_places.pop()]:
                if earlier == first:
                    return True
                if earlier > first and earlier not in seen:
                    seen.add(earlier)
                    open_places.append(earlier)
        return False

    def concurrent(self, one: int, other: int) -> bool:
        """Whether neither of two different entries happens before the other.

        Raises:
            BadInput: no entry has such a seq.
        """
        return (
            one != other
            and not self.happens_before(one, other)
            and not self.happens_before(other, one)
        )

    def _find(self, seq: int) -> int:
        place = self._place.get(seq)
        if place is None:
            raise BadInput("the trace has no entry", "trace", seq, "it may not have been kept")
        return place


def cone(trace: Trace, seqs: Iterable[int]) -> list[FlatEntry]:
    """The entries of these seqs and all that happened before any of them, in order.

    Raises:
        BadInput: no entry has such a seq.
    """
    return Causality(trace).cone(seqs)


def happens_before(trace: Trace, one: int, other: int) -> bool:
    """Whether the entry `one` could have brought about `other`.

    Raises:
        BadInput: no entry has such a seq.
    """
    return Causality(trace).happens_before(one, other)
