"""Vectors: inputs and expected outputs as data, run through the very classes that the World runs.

`python -m tests.conformance FAMILY FILE...` runs vector files; `run_file` is the same from Python.

A family is a module with one function, `run(case, document) -> str | None`: it translates a case
into calls of the machine, and answers None, or a text that says how the answer differs. It may
have `cases(document)` too, where a document keeps cases under other names than `cases`, and
`is_one(document)`, which says whether a document of its own form is one case. An adapter only
translates: a rule that stands here would be tested against itself.
"""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAMILIES = {
    "assignors": "tests.conformance.assignors",
    "backoff": "tests.conformance.backoff",
    "compaction": "tests.conformance.compaction",
    "group": "tests.conformance.group",
    "high_watermark": "tests.conformance.high_watermark",
    "histories": "tests.conformance.histories",
    "leader_epoch": "tests.conformance.leader_epoch",
    "murmur2": "tests.conformance.murmur2",
    "outbox_router": "tests.conformance.outbox_router",
    "producer_state": "tests.conformance.producer_state",
    "schema": "tests.conformance.schema",
    "transactions": "tests.conformance.transactions",
}


class CannotRun(Exception):
    """The command, the file or its family is wrong; no case was judged."""


def adapter(family: str) -> Any:
    """The family's module.

    Raises:
        CannotRun: there is no such family.
    """
    if family not in FAMILIES:
        raise CannotRun(f"unknown family {family!r} (known: {', '.join(sorted(FAMILIES))})")
    return importlib.import_module(FAMILIES[family])


def read(path: str, family: str) -> dict[str, Any]:
    """The document at `path`.

    Raises:
        CannotRun: it cannot be read, is not a document of cases, or is of another family.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CannotRun(f"{path}: cannot be read as JSON: {error}") from None
    module = adapter(family)
    if isinstance(document, dict) and hasattr(module, "is_one") and module.is_one(document):
        return document
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        raise CannotRun(f"{path}: not a vector file (an object with a list named cases)")
    if document.get("family") != family:
        raise CannotRun(f"{path}: is of family {document.get('family')!r}, not {family!r}")
    return document


def judge(document: dict[str, Any], family: str) -> Iterator[tuple[str, str | None]]:
    """Each case's name, and None or how it failed; what a case raises is a failure too."""
    module = adapter(family)
    cases = module.cases(document) if hasattr(module, "cases") else document["cases"]
    for case in cases:
        try:
            failure = module.run(case, document)
        except Exception as error:  # noqa: BLE001 - one broken case must not hide the others.
            failure = f"{type(error).__name__}: {error}"
        yield str(case.get("name", "?")), failure


def agrees(want: Any, got: Any) -> bool:
    """Whether `got` has all that `want` says; what an object does not mention is not compared."""
    if isinstance(want, dict):
        return isinstance(got, dict) and all(agrees(want[key], got.get(key)) for key in want)
    if isinstance(want, list):
        return len(want) == len(got) and all(map(agrees, want, got))
    return bool(want == got)
