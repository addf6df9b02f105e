"""A patch that is taken back: how a planted bug gets into the product, and out of it again.

It has the two methods of pytest's MonkeyPatch that planted bugs need, so one bug serves both.
"""

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from simulator.errors import BadInput

_ABSENT = object()


def refuse_compiled() -> None:
    """Say that no bug can be planted where the package is compiled: its code takes none.

    Raises:
        BadInput: it is.
    """
    place = importlib.import_module("simulator.world.world").__file__ or ""
    if not place.endswith(".py"):
        fix = "install the pure package, without HATCH_BUILD_HOOK_ENABLE_CUSTOM"
        raise BadInput("no bug can be planted in what is compiled:", "", place, fix)


class Patch:
    """Sets attributes and items, and remembers what was there."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def setattr(self, target: Any, name: str, value: Any) -> None:
        """Give `target` another attribute; one that it only inherits is its own until the end."""
        before = vars(target).get(name, _ABSENT)
        assert before is not _ABSENT or hasattr(target, name), f"{target} has no {name}"

        def back() -> None:
            if before is _ABSENT:
                delattr(target, name)
            else:
                setattr(target, name, before)

        setattr(target, name, value)
        self._undo.append(back)

    def setitem(self, target: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        """Give a mapping another item."""
        before = target.get(key, _ABSENT)

        def back() -> None:
            if before is _ABSENT:
                del target[key]
            else:
                target[key] = before

        target[key] = value
        self._undo.append(back)

    def undo(self) -> None:
        """Put everything back, the last first."""
        while self._undo:
            self._undo.pop()()


@contextmanager
def planted(bug: Callable[[Patch], None]) -> Iterator[None]:
    """Within it, the product has the bug.

    Raises:
        BadInput: the package is compiled.
    """
    # What is loaded while it is there would keep what it takes from a patched module for ever.
    importlib.import_module("simulator.cluster.deploy")
    importlib.import_module("simulator.world.world")
    refuse_compiled()
    patch = Patch()
    try:
        bug(patch)
        yield
    finally:
        patch.undo()


__all__ = ["Patch", "planted", "refuse_compiled"]
