"""`simulator list`: the experiments that can be run by name, and what each asks."""

import argparse
import ast
from pathlib import Path
from typing import Any

from simulator.commands.outcome import KEPT
from simulator.commands.sandbox import experiments
from simulator.commands.terminal import paint


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("list", help="name the experiments that can be run")
    parser.set_defaults(execute=execute)


def execute(_: argparse.Namespace) -> int:
    """Print one line an experiment: its name, and the first sentence of its docstring."""
    found = experiments()
    width = max(map(len, found), default=0)
    for name, path in sorted(found.items()):
        print(f"{paint(name.ljust(width), 'bold')}  {question(path)}")
    if not found:
        print("no experiments here")
    return KEPT


def question(path: Path) -> str:
    """The first sentence of a file, read without running it."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ")
