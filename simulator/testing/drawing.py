"""Numbers that are drawn the same whatever else has been imported, and what strategies are asked.

Now and then Hypothesis draws a number that it has read in the code of a loaded module. It keeps to
numbers from 100 on, so a draw of less than a hundred is a function of its seed alone, and a
greater number is made of several. Without this, what a search finds under a seed would depend on
which other tests were loaded before.
"""

from typing import Any

from hypothesis import strategies as st

from simulator.errors import BadInput

BASE = 100


def below(n: int) -> st.SearchStrategy[int]:
    """A number from 0 to n - 1, in steps of a hundred; it shrinks to 0."""
    assert n >= 1, "there is nothing below 1"
    if n <= BASE:
        return st.integers(0, n - 1)
    digits = st.tuples(below(-(-n // BASE)), st.integers(0, BASE - 1))
    return digits.map(lambda pair: (pair[0] * BASE + pair[1]) % n)


def must_be_whole(where: str, given: object, least: int = 0) -> None:
    """A bound is a whole number; said as it is given, not by the draw that it would spoil.

    Raises:
        BadInput: it is none, or too small.
    """
    if type(given) is not int or given < least:
        raise BadInput(f"must be a whole number from {least}, not {given!r}", where)


def must_be_strategy(where: str, given: Any, fix: str) -> None:
    """What is drawn from is a strategy, not a value that it could draw.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(given, st.SearchStrategy):
        raise BadInput(f"must be a strategy of Hypothesis, not {given!r}", where, fix=fix)
