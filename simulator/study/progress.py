"""How far a study has come: a bar on a terminal, silence everywhere else.

A log file or a pipe gets nothing, so that what a program prints is the same wherever it runs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from simulator.study.executors import Progress

_WIDTH = 30


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


@contextmanager
def shown_progress(label: str, *, stream: TextIO | None = None) -> Iterator[Progress]:
    """A progress for `run_all`, shown while the block runs: by rich if there is rich, else plainly.

    Args:
        stream: where to; None is standard error. Not a terminal: nothing is written.
    """
    target = sys.stderr if stream is None else stream
    if not target.isatty():
        yield _silent
        return
    try:
        from rich.progress import Progress as Bar
    except ImportError:
        yield from _plainly(label, target)
        return
    yield from _richly(label, target, Bar)


def _plainly(label: str, target: TextIO) -> Iterator[Progress]:
    def show(done: int, total: int) -> None:
        filled = _WIDTH * done // total if total else _WIDTH
        bar = "#" * filled + "." * (_WIDTH - filled)
        target.write(f"\r{label} [{bar}] {done} of {total}")
        target.flush()

    try:
        yield show
    finally:
        target.write("\n")
        target.flush()


def _richly(label: str, target: TextIO, bar_class: Any) -> Iterator[Progress]:
    from rich.console import Console

    with bar_class(console=Console(file=target), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
