"""What the command line gives as text, as numbers and paths; what cannot be meant is refused.

All of this is for argparse, which adds the option's name to what is said.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

RUNS_MOST = 1_000_000  # Each cell's runs are listed before the first: more would fill the memory.
WORKERS_MOST = 1_000
DIGITS_MOST = 100  # Of a number that somebody means; Python reads none of many thousands.


def whole(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """A whole number within bounds, in plain digits."""
    bounds = f"from {least}" + ("" if most is None else f" to {most}")

    def read(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= DIGITS_MOST
        number = int(text) if plain else least - 1
        if number < least or (most is not None and number > most):
            shown = text if len(text) <= DIGITS_MOST else text[:DIGITS_MOST] + "..."
            raise argparse.ArgumentTypeError(f"a whole number {bounds}, not {shown!r}")
        return number

    return read


def place(text: str) -> Path:
    """A file or a folder; nothing at all would be the folder in which one stands."""
    if not text:
        raise argparse.ArgumentTypeError("needs a name, not ''")
    return Path(text)
