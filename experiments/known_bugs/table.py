"""All rows by name."""

from collections.abc import Mapping

from experiments.known_bugs import (
    coordinating,
    interleaving,
    lagging,
    moving,
    offsets,
    owners,
    producers,
    rebalances,
    replication,
    transacted,
    transactions,
    transforming,
    truncation,
)
from experiments.known_bugs.known_bug import KnownBug

_ROWS = (
    *producers.ROWS,
    *replication.ROWS,
    *truncation.ROWS,
    *lagging.ROWS,
    *transactions.ROWS,
    *transacted.ROWS,
    *transforming.ROWS,
    *coordinating.ROWS,
    *moving.ROWS,
    *interleaving.ROWS,
    *rebalances.ROWS,
    *offsets.ROWS,
    *owners.ROWS,
)

ROWS: Mapping[str, KnownBug] = {bug.name: bug for bug in sorted(_ROWS, key=lambda bug: bug.name)}
