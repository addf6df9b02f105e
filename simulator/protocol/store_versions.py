"""What rows were before: a snapshot looks at the tables as of one point of the log.

Rule 1: a version is kept from the commit that replaced it for as long as a snapshot is held that
is older than that commit.
Rule 2: what a snapshot sees of a row is what the first change after it found there; if there was
none, the row as it is.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulator.protocol.store_operations import ABSENT, Committed

if TYPE_CHECKING:
    from simulator.protocol.store import Store

PRUNE_LEAST = 64  # Commits; more if that many are still wanted, so that it stays cheap.

_Version = tuple[int, Any, int]  # The lsn of the change that ended it, its value, its xid.


class Versions:
    """The versions of a store's rows that a snapshot may want.

    Attributes:
        held: the snapshots: a number of each, to the lsn it is of.
    """

    __slots__ = ("_before", "_next", "_prune_at", "_recent", "_store", "held")

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._next = 0
        self.held: dict[int, int] = {}
        self._before: dict[str, dict[Any, list[_Version]]] = {}
        self._recent: list[Committed] = []
        self._prune_at = PRUNE_LEAST

    # --- Who looks -----------------------------------------------------------------------------

    def hold(self, lsn: int) -> int:
        """Keep what a snapshot as of `lsn` sees; the answer is its number, for `release`."""
        number = self._next
        self._next += 1
        self.held[number] = lsn
        return number

    def release(self, number: int) -> None:
        """Nobody will look at this snapshot again."""
        del self.held[number]
        if not self.held:
            self._before.clear()
            self._recent.clear()
            self._prune_at = PRUNE_LEAST
        elif len(self._recent) >= self._prune_at:
            self._prune(min(self.held.values()))

    def _prune(self, oldest: int) -> None:
        self._recent = [fact for fact in self._recent if fact.lsn > oldest]
        self._before = {
            table: {
                key: kept
                for key, versions in rows.items()
                if (kept := [one for one in versions if one[0] > oldest])
            }
            for table, rows in self._before.items()
        }
        self._prune_at = max(PRUNE_LEAST, 2 * len(self._recent))

    # --- What it sees --------------------------------------------------------------------------

    def keep(self, fact: Committed) -> None:
        """A transaction is about to be applied: keep what it replaces."""
        self._recent.append(fact)
        before, store = self._before, self._store
        done: dict[tuple[str, Any], bool] = {}
        for change in fact.changes:
            table, key = change.table, change.key
            if (table, key) in done:
                continue
            done[table, key] = True
            xid = store.xids.get(table, {}).get(key, 0)
            version = (fact.lsn, change.before, xid)
            before.setdefault(table, {}).setdefault(key, []).append(version)

    def row(self, table: str, key: Any, lsn: int) -> tuple[Any, int]:
        """A row's value as of a held snapshot, and who wrote it; ABSENT: there is none."""
        for ended, value, xid in self._before.get(table, {}).get(key, ()):
            if ended > lsn:
                return value, xid
        return self.now(table, key)

    def now(self, table: str, key: Any) -> tuple[Any, int]:
        """A row's value as committed last, and who wrote it."""
        rows = self._store.tables.get(table)
        if rows is None or key not in rows:
            return ABSENT, 0
        return rows[key], self._store.xids[table][key]

    def keys(self, table: str, lsn: int | None, least: Any, below: Any) -> Iterable[Any]:
        """Keys of a table within bounds, all that a snapshot may see; lsn None: the newest rows."""
        now: Iterable[Any] = self._store.tables.get(table, {})
        if least is not None or below is not None:
            now = self._store.ordered_keys(table, least, below)
        if lsn is None or table not in self._before:
            return now
        keys = dict.fromkeys(now)
        for key in self._before[table]:
            if (least is None or key >= least) and (below is None or key < below):
                keys[key] = None
        return keys

    def changed_since(self, table: str, key: Any, lsn: int) -> bool:
        """Whether a row was changed after a held snapshot."""
        versions = self._before.get(table, {}).get(key)
        return bool(versions) and versions[-1][0] > lsn  # type: ignore[index]

    def commits_since(self, lsn: int) -> Iterable[Committed]:
        """What was committed after a held snapshot, oldest first."""
        return (fact for fact in self._recent if fact.lsn > lsn)
