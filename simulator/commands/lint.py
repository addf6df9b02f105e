"""`simulator lint FILE`: find the anti-patterns of an architecture, and show what each one does.

The file is an architecture in TOML, or a trace of our own, of which only what the run has shown is
looked at. Each finding comes with the smallest run that shows its harm.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import simulator
from simulator.commands.options import place
from simulator.commands.terminal import print_text

if TYPE_CHECKING:
    from simulator.linting.architecture import Architecture

FORMATS = ("text", "json", "sarif")


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("lint", help="find the anti-patterns of an architecture")
    parser.add_argument("file", type=place, metavar="FILE", help="TOML, or a trace (JSON lines)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to tell it")
    parser.add_argument(
        "--rule", action="append", default=[], metavar="NAME", help="only this rule, and others"
    )
    parser.add_argument(
        "--no-witness", action="store_true", help="do not look for the runs that show the harm"
    )
    parser.add_argument(
        "--story", action="store_true", help="tell those runs, and each open question"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read, lint, and tell; the answer is 1 if anything was found, 2 if something is open.

    Raises:
        WrongUsage: there is no such rule.
        BadInput: the file is neither an architecture nor a trace.
    """
    from simulator.commands.declared import as_usage
    from simulator.commands.judging import CODES
    from simulator.linting.lint import lint
    from simulator.linting.telling import as_data, as_sarif, as_text

    architecture = _read(options.file)
    report = as_usage(
        lambda rules, _: lint(architecture, rules, witnesses=not options.no_witness),
        tuple(options.rule) or None,
        "--rule",
    )
    if options.format == "text":
        print_text(as_text(report, verbose=options.story))
    elif options.format == "json":
        print(json.dumps(as_data(report), indent=2))
    else:
        file = options.file.as_posix()
        print(json.dumps(as_sarif(report, file, simulator.__version__), indent=2))
    return CODES[report.status]


def _read(path: Path) -> "Architecture":
    from simulator.linting.declared import load_architecture
    from simulator.linting.observed import architecture_of_trace

    if path.name.removesuffix(".gz").endswith((".jsonl", ".json")):
        from simulator.trace.codec import read_trace

        return architecture_of_trace(read_trace(path), path.name)
    return load_architecture(path)
