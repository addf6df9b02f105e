"""The schema history: which columns a table had at which place in the log.

Rule 1: every DDL statement that the connector meets goes to the history topic before any event
behind it; at a start the history is replayed up to the stored offset, for what follows the offset
was written when the tables had that shape.
Rule 2: a connector that has an offset and no history refuses to start.
Rule 3: snapshot.mode=recovery writes a history anew, from the tables as they are now. It is wrong
if a DDL statement lies between the offset and now (mysql.adoc says so: do not use it then).

Sources: mysql.adoc and mariadb-mysql shared text, HistorizedRelationalDatabaseSchema.java.

Not modelled: the DDL's text, the parser of it, tables that are not captured.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Shape = tuple[str, ...]


class Altered(NamedTuple):
    """One entry of the history: what columns a table has from this LSN on."""

    lsn: int
    table: str
    columns: Shape

    def to_json(self) -> str:
        """As it lies in the history topic."""
        position = {"lsn": self.lsn}
        return json.dumps({"position": position, "table": self.table, "columns": self.columns})


def read_altered(text: str) -> Altered:
    """The entry that `to_json` wrote."""
    found = json.loads(text)
    return Altered(found["position"]["lsn"], found["table"], tuple(found["columns"]))


def shapes_at(
    history: Iterable[Altered], lsn: int, known: Mapping[str, Shape] | None = None
) -> dict[str, Shape]:
    """Every table's columns behind the LSN, by replaying the history to there.

    Args:
        known: the shapes that tables had before any DDL.
    """
    shapes = dict(known or {})
    for altered in history:
        if altered.lsn <= lsn:
            shapes[altered.table] = altered.columns
    return shapes
