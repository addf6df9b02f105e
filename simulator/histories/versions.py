"""Where values lie in each log, as far as anyone was told: the order of versions.

1. What was polled lies where the poll says, whatever became of the operation around it: a consumer
   must never be shown what is not so. What was sent lies where the producer was told, but only if
   the operation happened.
2. An operation happened if it is ok; or if it is info and any value that it sent was given to an
   ok poll. One visible write proves them all: that is what atomic means.
3. Gaps between offsets mean nothing (markers and compaction leave them), so places are counted
   densely: the n-th offset at which anything lies is index n.
4. What retention or a cleaner has taken away lies nowhere.
"""

from array import array

from simulator.histories.operations import INFO, OK, UNKNOWN, Operations


class Versions:
    """The logs as they were told of.

    Attributes:
        happened: by operation: whether it took effect.
        seen: by value: whether an ok operation was given it.
        first, last: by value: the first and the last dense index at which it lies, or UNKNOWN.
        step: as `last`, but UNKNOWN for what was sent more than once: nobody knows which is which.
        at: by value: an offset at which it lies, or UNKNOWN.
        by_index: by key: one value for each dense index.
        offsets: by key: the offset of each dense index.
        conflicts: (key, dense index, values) where an offset holds several.
        copies: for a value that lies at several offsets, all of them.
    """

    def __init__(self, operations: Operations) -> None:
        many = len(operations.values)
        unknown = array("q", [UNKNOWN])
        self._operations = operations
        self.seen = bytearray(many)
        self.happened = bytearray(len(operations))
        self.at = unknown * many
        self.first = unknown * many
        self.last = unknown * many
        self.by_index: list[array[int]] = []
        self.offsets: list[array[int]] = []
        self.conflicts: list[tuple[int, int, tuple[int, ...]]] = []
        self.copies: dict[int, list[int]] = {}
        self._look()
        self._prove()
        self._place_polls()
        self._place_sends()
        self._order()
        self.step = self.last
        if operations.sent_twice:
            self.step = array("q", self.last)
            for value in operations.sent_twice:
                self.step[value] = UNKNOWN

    def delta(self, before: int, after: int) -> int:
        """How far apart two values of a key lie; 1, which is as it should be, if nobody knows."""
        one, other = self.step[before], self.step[after]
        return 1 if one < 0 or other < 0 else other - one

    def between(self, before: int, after: int, most: int) -> list[int]:
        """The first values that lie between two of one key."""
        low, high = self.step[before] + 1, self.step[after]
        return list(self.by_index[self._operations.key_of[before]][low : min(high, low + most)])

    def _look(self) -> None:
        operations, seen = self._operations, self.seen
        starts, read = operations.read_from, operations.read
        for place, outcome in enumerate(operations.outcome):
            if outcome == OK:
                for value in read[starts[place] : starts[place + 1]]:
                    seen[value] = 1

    def _prove(self) -> None:
        operations, seen = self._operations, self.seen
        starts, sent = operations.sent_from, operations.sent
        for place, outcome in enumerate(operations.outcome):
            if outcome == OK:
                self.happened[place] = 1
            elif outcome == INFO:
                mine = sent[starts[place] : starts[place + 1]]
                self.happened[place] = any(seen[value] for value in mine)

    def _place_polls(self) -> None:
        at = self.at
        for value, offset in zip(self._operations.read, self._operations.read_at, strict=True):
            if offset != at[value] and offset >= 0:
                self._place(value, offset)

    def _place_sends(self) -> None:
        operations, at = self._operations, self.at
        starts, sent, sent_at = operations.sent_from, operations.sent, operations.sent_at
        for place, happened in enumerate(self.happened):
            if happened:
                for position in range(starts[place], starts[place + 1]):
                    value, offset = sent[position], sent_at[position]
                    if offset != at[value] and offset >= 0:
                        self._place(value, offset)

    def _place(self, value: int, offset: int) -> None:
        if value in self._operations.excused:
            return
        if self.at[value] < 0:
            self.at[value] = offset
            return
        known = self.copies.setdefault(value, [self.at[value]])
        if offset not in known:
            known.append(offset)

    def _order(self) -> None:
        by_key: list[array[int]] = [array("q") for _ in self._operations.keys]
        for value, key in enumerate(self._operations.key_of):
            if self.at[value] >= 0:
                by_key[key].append(value)
        more: dict[int, list[tuple[int, int]]] = {}
        for value in self.copies:
            self.copies[value].sort()
            places = [(offset, value) for offset in self.copies[value]]
            more.setdefault(self._operations.key_of[value], []).extend(places)
        at = self.at.__getitem__
        for key, values in enumerate(by_key):
            if key in more:
                once = [(at(value), value) for value in values if value not in self.copies]
                pairs = sorted(once + more[key])
                self._number(key, [value for _, value in pairs], [offset for offset, _ in pairs])
            else:
                ordered = sorted(values, key=at)
                self._number(key, ordered, [at(value) for value in ordered])

    def _number(self, key: int, values: list[int], offsets: list[int]) -> None:
        """Number the places of a log densely; of several values at one, the first met counts."""
        by_index, at_index = array("q"), array("q")
        first, last = self.first, self.last
        index, before = -1, UNKNOWN
        together: list[int] = []
        for value, offset in zip(values, offsets, strict=True):
            if offset != before:
                self._several(key, index, together)
                index += 1
                before = offset
                together = [value]
                by_index.append(value)
                at_index.append(offset)
            else:
                together.append(value)
            if first[value] < 0:
                first[value] = index
            last[value] = index
        self._several(key, index, together)
        self.by_index.append(by_index)
        self.offsets.append(at_index)

    def _several(self, key: int, index: int, together: list[int]) -> None:
        if len(together) > 1:
            self.conflicts.append((key, index, tuple(together)))
