"""A file of the form kafka-history/1 is read strictly, operation by operation.

    {"format": "kafka-history/1", "id": "...", "options": {...}, "history": [...]}

Members may come in any order; those that have no meaning here are passed over.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.histories.decoding import Document, text_of
from simulator.histories.operations import Operations
from simulator.histories.options import Options, options_of
from simulator.histories.recording import Recorder

FORMAT = "kafka-history/1"
_LOOKS = re.compile(r'"format"\s*:\s*"kafka-history\b|^\s*\{\s*"history"\s*:')


@attrs.frozen
class Recorded:
    """A history that was read: its operations, and how it wants to be judged."""

    operations: Operations
    options: Options
    name: str = ""


def looks_like_history(path: str | Path) -> bool:
    """Whether a file says of itself, near its beginning, that it is a history.

    Raises:
        BadInput: the file cannot be read.
    """
    with text_of(path) as more:
        return _LOOKS.search(more()) is not None


def read_history(path: str | Path) -> Recorded:
    """Read the history of a file.

    Raises:
        BadInput: it cannot be read, is not a history, is cut short, or an operation is not what it
            should be or stands where it cannot.
    """
    with text_of(path) as more:
        return history_from_text(more, str(path))


def history_from_text(more: Callable[[], str], where: str = "history") -> Recorded:
    """The history of a document whose text comes piece by piece; `where` names it in errors.

    Raises:
        BadInput: as `read_history`.
    """
    document = Document(more, where)
    recorder = Recorder(where)
    told: dict[str, Any] = {}
    read = False
    for name in document.members():
        if name in told or (name == "history" and read):
            raise BadInput("says twice", document.here(), name)
        if name == "history":
            read = True
            for found in document.items():
                recorder.take(found)
        else:
            told[name] = document.value()
            if name == "format":
                _version(told[name], where)
    document.end()
    if "format" not in told:
        raise BadInput('is not a history: it does not say "format"', where, fix=f'"{FORMAT}"')
    if not read:
        raise BadInput('is not a history: it has no "history"', where)
    return _recorded(recorder, told, where)


def history_of(operations: Iterable[Any], where: str = "history", **told: Any) -> Recorded:
    """The history of operations that are at hand, each a dict; `options=` as in a document.

    Raises:
        BadInput: an operation is not what it should be, or stands where it cannot.
    """
    recorder = Recorder(where)
    for found in operations:
        recorder.take(found)
    return _recorded(recorder, told, where)


def _recorded(recorder: Recorder, told: dict[str, Any], where: str) -> Recorded:
    operations = recorder.end()
    options = (
        options_of(told["options"], where)
        if "options" in told
        else Options(subscribes=recorder.subscribed)
    )
    return Recorded(operations, options, str(told.get("id", "")))


def _version(found: Any, where: str) -> None:
    if found != FORMAT:
        raise BadInput("is not a history of this version: its format is", where, found, FORMAT)
