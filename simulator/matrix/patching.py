"""A patch that is taken back: how a planted bug gets into the product, and out of it again.

It has the two methods of pytest's MonkeyPatch that planted bugs need, so one bug serves both.
"""

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

_ABSENT = object()


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
    """Within it, the product has the bug."""
    # What is loaded while it is there would keep what it takes from a patched module for ever.
    importlib.import_module("simulator.cluster.deploy")
    importlib.import_module("simulator.world.world")
    patch = Patch()
    try:
        bug(patch)
        yield
    finally:
        patch.undo()


__all__ = ["Patch", "planted"]
