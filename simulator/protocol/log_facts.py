"""Facts of a log besides its batches: where it now begins, and where it was cut."""

from typing import NamedTuple


class LogStartMoved(NamedTuple):
    """Everything below `offset` is deleted."""

    offset: int


class Truncated(NamedTuple):
    """Everything from `offset` on is cut off, and the next batch gets `offset`.

    `fully`: everything is, wherever it lies (truncateFullyAndStartAt).
    """

    offset: int
    fully: bool = False
