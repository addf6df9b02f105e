"""The state of a store as a value: taken at a moment, compared, and told where two differ.

A dict, list or set is its content; an sqlite3 connection the rows of its tables, in order of
value; any other object is its attributes. Whoever has something else, or wants less to be
compared, says so by a function of the store.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from simulator.errors import BadInput
from simulator.testing.own_store import COLLECTIONS, PLAIN, shown

MISSING = "nothing"
FIX = "give state=, a function from your store to a value that can be compared"
DIFFERENCES_MOST = 8

State = Callable[[Any], Any]


def state_of(store: Any, state: State | None = None) -> Any:
    """A value that nothing which happens later changes.

    Raises:
        BadInput: there is no way to take it that is known here.
    """
    try:
        return copy.deepcopy(_looked_at(store) if state is None else state(store))
    except (TypeError, copy.Error) as error:
        if state is not None:
            raise
        raise BadInput(f"its state cannot be taken ({error}):", "store", store, FIX) from None


def _looked_at(store: Any) -> Any:
    if isinstance(store, (*COLLECTIONS, tuple, frozenset)) or type(store) in PLAIN:
        return store
    if type(store).__module__ == "sqlite3":
        return _rows(store)
    if any("__eq__" in vars(kind) for kind in type(store).__mro__[:-1]):
        return store
    own = getattr(store, "__dict__", None)
    if own is None:
        raise BadInput("its state is not known:", "store", store, FIX)
    return {name: _looked_at(value) for name, value in own.items()}


def _rows(connection: Any) -> dict[str, list[str]]:
    tables = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    found = {}
    for name in sorted(tables):
        quoted = '"' + name.replace('"', '""') + '"'
        rows = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - a name of its own
        found[name] = sorted(repr(tuple(row)) for row in rows)
    return found


def differences(expected: Any, found: Any, place: str = "") -> list[str]:
    """Where two states differ, a line each; the first few."""
    told = list(_differences(expected, found, place))
    if len(told) > DIFFERENCES_MOST:
        told[DIFFERENCES_MOST:] = [f"... and {len(told) - DIFFERENCES_MOST} more"]
    return told


def _differences(expected: Any, found: Any, place: str) -> list[str]:
    if expected == found:
        return []
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        keys = dict.fromkeys((*expected, *found))
        return [
            line
            for key in keys
            for line in _differences(
                expected.get(key, _NOTHING), found.get(key, _NOTHING), f"{place}[{shown(key)}]"
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and _told_apart(expected, found):
        return _of_lists(expected, found, place)
    where = f"{place} is" if place else "it is"
    return [f"{where} {_value(found)}, not {_value(expected)}"]


def _told_apart(expected: list[Any], found: list[Any]) -> bool:
    """Whether they hold different things, and not the same in another order."""
    return bool(_without(expected, found) or _without(found, expected))


def _of_lists(expected: list[Any], found: list[Any], place: str) -> list[str]:
    where = place or "it"
    missing = [f"{where} lacks {shown(one)}" for one in _without(expected, found)]
    return missing + [f"{where} has {shown(one)} too many" for one in _without(found, expected)]


def _without(these: list[Any], those: list[Any]) -> list[Any]:
    """These, less those, each as often as it stands there; things need not be hashable."""
    left = list(those)
    rest = []
    for one in these:
        if one in left:
            left.remove(one)
        else:
            rest.append(one)
    return rest


class _Nothing:
    def __repr__(self) -> str:
        return MISSING


_NOTHING = _Nothing()


def _value(value: object) -> str:
    return MISSING if value is _NOTHING else shown(value)
