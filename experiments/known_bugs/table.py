"""All rows by name."""

from collections.abc import Mapping

from experiments.known_bugs import lagging, producers, replication, transactions, truncation
from experiments.known_bugs.known_bug import KnownBug

_ROWS = (*producers.ROWS, *replication.ROWS, *truncation.ROWS, *lagging.ROWS,
         *transactions.ROWS)

ROWS: Mapping[str, KnownBug] = {bug.name: bug for bug in sorted(_ROWS, key=lambda bug: bug.name)}
