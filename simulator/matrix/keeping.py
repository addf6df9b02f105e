"""Cells that were reckoned before: kept in files, and believed only while nothing has changed.

1. A row's file bears a key: a digest of the product's source text, of what it is built on, and of
   the row itself. Another key, and the row is reckoned anew: so what is kept is never stale.
2. A file is written whole or not at all, and bears a digest of its cells: one that was cut, or
   changed by hand, is no file.
3. What is kept is plain JSON, and there is one file a row.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs

from simulator.matrix.columns import COLUMNS
from simulator.matrix.filling import fill, name_of
from simulator.matrix.rows import ROWS
from simulator.matrix.values import Cell, Column, Row, cell_data, cell_from
from simulator.study.executors import Progress, run_all

FOLDER = Path(".simulator") / "matrix"
FORMAT = "simulator-matrix/1"


@cache
def source_digest() -> str:
    """Of all that a cell may depend on: the product's text, and the versions of what it runs on."""
    from importlib.metadata import version

    root = Path(__file__).parents[1]
    told = sha256()
    for path in sorted(root.rglob("*.py"), key=lambda one: one.relative_to(root).as_posix()):
        text = path.read_bytes()
        told.update(f"{path.relative_to(root).as_posix()} {len(text)}\n".encode() + text)
    for name in ("attrs", "simpy"):
        told.update(f"{name} {version(name)}\n".encode())
    return told.hexdigest()


def row_digest(row: Row, columns: Sequence[Column]) -> str:
    """Of what a row is, as far as its text tells: its scenarios, its scope, what is asked of it."""
    levels = [
        f"{one.label}: {attrs.evolve(one.scenario, application=None)!r}" for one in row.levels
    ]
    text = [
        row.name,
        repr(dict(row.settings)),
        row.given,
        str(row.scope),
        row.law,
        repr([name_of(bug) for bug in row.guards]),
        *levels,
        *(f"{one.name} {one.judge.name} {[name_of(bug) for bug in one.bugs]}" for one in columns),
    ]
    return sha256("\n".join(text).encode()).hexdigest()


def key_of(row: Row, columns: Sequence[Column]) -> str:
    """Under which a row's cells are kept."""
    return sha256(f"{source_digest()} {row_digest(row, columns)}".encode()).hexdigest()


def cells_of(
    row: Row, columns: Sequence[Column], folder: Path | None = FOLDER, *, fresh: bool = False
) -> tuple[Cell, ...]:
    """The row's cells: as they are kept, else reckoned, and kept.

    Args:
        folder: where they are kept; None: nowhere.
        fresh: reckon them whatever is kept.

    Raises:
        BadInput: the folder cannot be written to.
    """
    key = key_of(row, columns)
    path = None if folder is None else folder / f"{row.name}.json"
    if path is not None and not fresh:
        known = read(path, key)
        if known is not None:
            return known
    cells = fill(row, columns)
    if path is not None:
        write(path, key, cells)
    return cells


def matrix(
    rows: Mapping[str, Row],
    folder: Path | None = FOLDER,
    *,
    fresh: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[Cell, ...]]:
    """The cells of rows of this product, of all its columns.

    Args:
        rows: some of ROWS, by name.
        folder, fresh: see `cells_of`.
        workers: how many processes; None: one a processor.
        progress: told after every row.

    Raises:
        BadInput: the folder cannot be written to.
        PartialResults: a run raised, or the user interrupted.
    """
    known: dict[str, tuple[Cell, ...]] = {}
    columns = list(COLUMNS.values())
    for name, row in rows.items():
        found = None
        if folder is not None and not fresh:
            found = read(folder / f"{name}.json", key_of(row, columns))
        if found is not None:
            known[name] = found
    missing = [name for name in rows if name not in known]
    one = _OneRow(folder)
    reckoned = run_all(one, missing, workers=workers, progress=progress, chunk=1)
    known.update(zip(missing, reckoned, strict=True))
    return {name: known[name] for name in rows}


@attrs.frozen
class _OneRow:
    """Reckons a row by its name; sent to workers."""

    folder: Path | None

    def __call__(self, name: str) -> tuple[Cell, ...]:
        return cells_of(ROWS[name], list(COLUMNS.values()), self.folder, fresh=True)


def read(path: Path, key: str) -> tuple[Cell, ...] | None:
    """The cells of a file, if it is whole and of this key."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if (told["format"], told["key"]) != (FORMAT, key) or told["digest"] != _digest(told):
            return None
        return tuple(cell_from(one) for one in told["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(path: Path, key: str, cells: Sequence[Cell]) -> None:
    """Keep cells.

    Raises:
        BadInput: the file cannot be written.
    """
    from simulator.study.results import write_whole

    told: dict[str, Any] = {
        "format": FORMAT, "key": key, "digest": "", "cells": [cell_data(one) for one in cells]
    }  # fmt: skip
    told["digest"] = _digest(told)
    write_whole(json.dumps(told, indent=1) + "\n", path)


def _digest(told: dict[str, Any]) -> str:
    return sha256(json.dumps(told["cells"], sort_keys=True).encode()).hexdigest()


__all__ = [
    "FOLDER",
    "FORMAT",
    "cells_of",
    "key_of",
    "matrix",
    "read",
    "row_digest",
    "source_digest",
    "write",
]
