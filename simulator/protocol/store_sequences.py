"""Sequences: numbers that are given out once, outside of any transaction.

Rule 1: a value that was given out is never given out again, whatever becomes of the transaction
that asked.
Rule 2: the log says a number ahead of what is given out, so that not every value is logged. After
a crash a sequence goes on behind what was logged: values in between are nobody's.

Source: PostgreSQL's sequence.c (nextval_internal, SEQ_LOG_VALS = 32; a checkpoint makes the next
value be logged again).

Not modelled: cache, increment, minimum and maximum, cycles, setval and currval.
"""

from typing import TYPE_CHECKING

from simulator.protocol.store_operations import SequenceLogged

if TYPE_CHECKING:
    from simulator.protocol.store import Store

LOGGED_AHEAD = 32  # SEQ_LOG_VALS


class Sequences:
    """The sequences of a store; each begins at 1 when it is first asked for."""

    __slots__ = ("_last", "_logged", "_store")

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._last: dict[str, int] = {}
        self._logged: dict[str, int] = {}

    def draw(self, sequence: str) -> int:
        """The next value; the log is told if it does not allow for it yet."""
        value = self._last.get(sequence, 0) + 1
        if value > self._logged.get(sequence, 0):
            last = value + LOGGED_AHEAD
            store = self._store
            store.journal.append(SequenceLogged(sequence, last, store.lsn))
            self._logged[sequence] = last
        self._last[sequence] = value
        return value

    def replay(self, fact: SequenceLogged) -> None:
        """Go on behind what was logged."""
        self._last[fact.sequence] = self._logged[fact.sequence] = fact.last

    def recover(self, saved: dict[str, int]) -> None:
        """Go on from a checkpoint."""
        self._last = dict(saved)
        self._logged = dict(saved)

    def checkpoint(self) -> dict[str, int]:
        """What to save: what was given out; the next value of each is logged again."""
        self._logged = dict(self._last)
        return dict(self._last)
