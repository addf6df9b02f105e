"""Writes the pages which the code itself is the source of: `python docs/generate.py [PAGE ...]`.

    not_modelled.md   each paragraph of a module's docstring that begins "Not modelled:"
    reference.md      each public name: its signature and what it says of itself
    settings.md       each of Kafka's settings: its default, or why it is refused
    known_bugs.md     each row of experiments/known_bugs: it is searched, which takes a minute
    guarantees.md     each cell of the guarantee matrix: it is filled, which takes some minutes
    guarantees.json   the same as data, for tests
    laws.md           each law of the patterns: it is tried, and its twins searched; some minutes
    mutants.md        each planted bug, killed by each engine: about twelve minutes

tests/test_documentation.py fails when a page is not what this would write; for known_bugs.md
and laws.md, whose searches are tests themselves, tests/experiments/test_known_bugs.py and
tests/laws do, and for the matrix tests/matrix.
"""

import ast
import importlib
import inspect
import re
import sys
from enum import EnumType
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
SOURCES = ("simulator", "models")
MARK = "Not modelled:"
LEFT_OUT = """\
What the simulator leaves out, in the words of the modules that leave it out. A setting or a call
that belongs to it is refused by name, never ignored.
"""
NOTE = "<!-- Written by docs/generate.py from the code: change it there. -->\n\n"


def omissions() -> dict[str, list[str]]:
    """What each module says that it leaves out, by the module's path."""
    found: dict[str, list[str]] = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            for paragraph in docstring.split("\n\n"):
                if paragraph.startswith(MARK):
                    text = " ".join(paragraph.removeprefix(MARK).split())
                    name = path.relative_to(ROOT).as_posix()
                    found.setdefault(name, []).append(text)
    return found


def not_modelled() -> str:
    """The page of everything left out."""
    lines = [
        NOTE + "# Not modelled\n\n" + LEFT_OUT,
    ]
    folder = ""
    for name, texts in omissions().items():
        if Path(name).parent.as_posix() != folder:
            folder = Path(name).parent.as_posix()
            lines.append(f"\n## {folder}\n\n")
        lines.extend(f"- `{Path(name).name}`: {text}\n" for text in texts)
    return "".join(lines)


def reference() -> str:
    """The page of all public names."""
    sys.path.insert(0, str(ROOT))
    simulator = importlib.import_module("simulator")
    lines = [
        NOTE + "# Reference\n\n",
        "Everything that `from simulator import ...` offers, by the module that it lives in.\n",
    ]
    for home, names in simulator._HOMES.items():  # noqa: SLF001
        lines.append(f"\n## {home}\n")
        for name in names:
            value = getattr(simulator, name)
            lines.append(f"\n### `{name}{signature(value)}`\n\n{description(value)}\n")
    return "".join(lines)


def signature(value: object) -> str:
    """The arguments' names, with what may be left out; nothing for a plain value."""
    if not callable(value) or isinstance(value, EnumType):
        return ""  # An enumeration's members are named, and it is never called.
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return ""
    shown, starred = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not starred:
            shown.append("*")
        starred = starred or one.kind in {one.KEYWORD_ONLY, one.VAR_POSITIONAL}
        prefix = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        shown.append(prefix + one.name + ("" if one.default is one.empty else "=..."))
    return f"({', '.join(shown)})"


def description(value: object) -> str:
    """Its own docstring, or for a plain value its class and that class's first sentence."""
    if inspect.isclass(value) or inspect.isroutine(value):
        # What is indented (Args, Raises, examples) stays as it is written.
        return re.sub(r"(?m)^((?:Args|Raises|Returns|Yields):\n(?:(?: .*)?\n?)+)", _block,
                      inspect.getdoc(value) or "").strip()
    first = (inspect.getdoc(type(value)) or "").split("\n\n")[0]
    return f"A `{type(value).__name__}`. {first}"


def _block(match: re.Match[str]) -> str:
    return "```text\n" + match[1].strip() + "\n```\n"


def known_bugs() -> str:
    """The page of what the searches for known bugs find."""
    sys.path.insert(0, str(ROOT))
    searching = importlib.import_module("experiments.known_bugs.searching")
    rows = importlib.import_module("experiments.known_bugs.table").ROWS
    page: str = importlib.import_module("experiments.known_bugs.telling").page(
        searching.searched(row) for row in rows.values()
    )
    return page


def settings() -> str:
    """The page of Kafka's settings."""
    sys.path.insert(0, str(ROOT))
    page: str = importlib.import_module("docs.settings_tables").page()
    return NOTE + page


PAGES = {"not_modelled.md": not_modelled, "reference.md": reference, "settings.md": settings}
def guarantees(part: str) -> str:
    """The guarantee matrix: its page, or its text as data."""
    sys.path.insert(0, str(ROOT))
    keeping = importlib.import_module("simulator.matrix.keeping")
    rows = importlib.import_module("simulator.matrix.rows").ROWS
    telling = getattr(importlib.import_module("simulator.matrix.page"), part)
    told: str = telling(keeping.matrix(rows))
    return told


def mutants() -> str:
    """The page of planted bugs, and of what each engine makes of them."""
    sys.path.insert(0, str(ROOT))
    page: str = importlib.import_module("tests.mutants.matrix").page()
    return page


def laws() -> str:
    """The page of the patterns' laws: each is tried, and its twins searched."""
    sys.path.insert(0, str(ROOT))
    page: str = importlib.import_module("tests.laws.page").page()
    return page


SEARCHED = {
    "laws.md": laws,
    "known_bugs.md": known_bugs,
    "guarantees.json": partial(guarantees, "text"),
    "guarantees.md": partial(guarantees, "page"),
    "mutants.md": mutants,
}


def main() -> None:
    """Write every page, or those that are named.

    Raises:
        SystemExit: a page is named that there is not; none is written.
    """
    pages = {**PAGES, **SEARCHED}
    named = sys.argv[1:] or list(pages)
    for name in named:  # All are looked at before the first is written: some take minutes.
        if name not in pages:
            raise SystemExit(f"generate.py: there is no page {name!r} (known: {', '.join(pages)})")
    for name in named:
        (HERE / name).write_text(pages[name](), encoding="utf-8")


if __name__ == "__main__":
    main()
