"""`simulator check TRACE`: judge what a file says has happened.

By default by what the run's guarantee had promised, if the file tells; else by every check.
"""

import argparse
from pathlib import Path
from typing import Any


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="judge a trace from a file")
    parser.add_argument("trace", type=Path, metavar="TRACE", help="JSON lines, perhaps gzipped")
    parser.add_argument(
        "--promise", action="append", default=[], metavar="NAME", help="only this check, and others"
    )
    parser.add_argument(
        "--all", action="store_true", help="every check, not only what the run had promised"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Read, judge, and tell; the answer is the verdict's.

    Raises:
        WrongUsage: there is no such check.
        BadInput: the file is not a trace, or not whole.
    """
    from simulator.checks.catalogue import CHECKS, named
    from simulator.checks.check import judge
    from simulator.commands.declared import as_usage
    from simulator.commands.judging import told
    from simulator.trace.codec import read_trace

    asked = as_usage(named, options.promise, "--promise")
    trace = read_trace(options.trace)
    promised = trace.meta.get("promises")
    if not asked and not options.all and isinstance(promised, list):
        asked = named((name for name in promised if name in CHECKS), str(options.trace))
    return told(judge(trace, asked or tuple(CHECKS.values())), trace)
