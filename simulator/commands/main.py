"""Which command was meant, and what its outcome is to a shell."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import simulator
from simulator.commands import check, copy, lint, listing, matrix, replay, run
from simulator.commands.outcome import (
    CANNOT_TELL,
    INTERRUPTED,
    OUR_FAULT,
    PIPE_CLOSED,
    WRONG_DATA,
    WRONG_USAGE,
    WrongUsage,
)
from simulator.errors import BadInput, EventBudgetExceeded, ReplayDiverged, UnknownSite

COMMANDS = (run, replay, check, lint, matrix, listing, copy)
EPILOG = """\
exit codes:
  0    every promise came out as declared (run); the promises were kept (replay, check);
       nothing was found, and nothing is open (lint)
  1    one did not; one was broken; something was found
  2    one cannot be told; something is open
  64   the command line is wrong
  65   a file, or a value in it, cannot be used
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line ends with 64: its own 2 is our "cannot tell".

    Options are not abbreviated: what one command does not know may be an experiment's own.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **keywords})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(WRONG_USAGE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(
        prog="simulator",
        description="Simulate Kafka-style event-driven systems, and judge what they promise.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=simulator.__version__)
    commands: Any = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.describe(commands)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked; what only an experiment knows stands in `rest`.

    Raises:
        SystemExit: with 64, when the command line is wrong; with 0, after help.
    """
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not getattr(options, "takes_rest", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit code.

    Raises:
        SystemExit: with 64, when the command line is wrong; with 0, after help.
    """
    try:
        options = parse(arguments)
        code: int = options.execute(options)
        sys.stdout.flush()
    except (WrongUsage, UnknownSite) as error:
        return _complain(error, WRONG_USAGE)
    except BadInput as error:
        return _complain(error, WRONG_DATA)
    except (EventBudgetExceeded, ReplayDiverged) as error:
        return _complain(error, CANNOT_TELL)
    except BrokenPipeError:
        # Who read our output has gone, such as `head`. Python would complain once more when it
        # closes stdout at exit, so what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        sys.stderr.write("\nsimulator: interrupted\n")
        return INTERRUPTED
    except Exception:  # noqa: BLE001 (an uncaught one would end with 1, which means "broken")
        traceback.print_exc()
        sys.stderr.write("simulator: this is a mistake of the simulator, or of the model\n")
        return OUR_FAULT
    return code


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"simulator: error: {error}\n")
    return code
