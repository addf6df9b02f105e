"""Further unique constraints of tables: no two rows give the same value, whatever their keys.

A constraint is a function of a row's key and value; None is no value, and as often there as it
likes (as NULL is in SQL). What is committed is known by an index; what open transactions have
written is guarded by a lock on the value, so whoever wants it waits for them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from simulator.protocol.store_operations import ABSENT

Constraint = Callable[[Any, Any], Any]


class Unique:
    """The unique constraints of a store, and who has which value.

    Args:
        of: for each table that has any, its constraints.
    """

    __slots__ = ("_rows", "of")

    def __init__(self, of: Mapping[str, Sequence[Constraint]] | None = None) -> None:
        self.of = {table: tuple(constraints) for table, constraints in (of or {}).items()}
        self._rows: dict[tuple[str, int], dict[Any, Any]] = {}

    def change(self, table: str, key: Any, before: Any, after: Any) -> None:
        """A row was committed: it has other values from here on."""
        for number, value in self.values(table, key, before):
            rows = self._rows.setdefault((table, number), {})
            if rows.get(value, ABSENT) == key:
                del rows[value]
        for number, value in self.values(table, key, after):
            self._rows.setdefault((table, number), {})[value] = key

    def values(self, table: str, key: Any, value: Any) -> Iterator[tuple[int, Any]]:
        """What a row has, by the number of the constraint; nothing if there is no row."""
        if value is not ABSENT:
            for number, constraint in enumerate(self.of.get(table, ())):
                found = constraint(key, value)
                if found is not None:
                    yield number, found

    def is_taken(
        self, table: str, number: int, value: Any, key: Any, own: Mapping[Any, Any]
    ) -> bool:
        """Whether a row of another key has the value, in the eyes of who has written `own`."""
        constraint = self.of[table][number]
        if any(
            other != key and row is not ABSENT and constraint(other, row) == value
            for other, row in own.items()
        ):
            return True
        other = self._rows.get((table, number), {}).get(value, ABSENT)
        return other is not ABSENT and other != key and other not in own
