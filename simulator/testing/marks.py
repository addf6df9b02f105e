"""What a test has reached, and what it was asked to run: between `sometimes()` and the plugin.

A mark is a name that a test, or a handler, gives to a situation: "a rebalance came in between".
A suite in which it never comes about tests less than it seems to. Without the plugin marks are
counted by nobody, and nothing is forced.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Ledger:
    """The marks of one test, each with how often its condition held, and the witness to run."""

    def __init__(self, declared: tuple[str, ...] = (), witness: str | None = None) -> None:
        self.reached: dict[str, int] = dict.fromkeys(declared, 0)
        self.witness = witness

    @property
    def missing(self) -> list[str]:
        """The marks that were never reached."""
        return [name for name, times in self.reached.items() if not times]


_CURRENT: list[Ledger] = []


def sometimes(condition: object, name: str) -> bool:
    """Note that a situation came about, if it did; a test in which it never does fails.

    Args:
        condition: whether it has come about now.
        name: what it is called in the report.

    Returns:
        The condition, as a truth value.
    """
    holds = bool(condition)
    if _CURRENT:
        reached = _CURRENT[-1].reached
        reached[name] = reached.get(name, 0) + holds
    return holds


def forced_witness() -> str | None:
    """The witness that the test at hand shall run, if it was told one (`pytest --witness`)."""
    return _CURRENT[-1].witness if _CURRENT else None


@contextmanager
def counting(ledger: Ledger) -> Iterator[Ledger]:
    """Have the marks of what happens inside counted."""
    _CURRENT.append(ledger)
    try:
        yield ledger
    finally:
        _CURRENT.remove(ledger)
