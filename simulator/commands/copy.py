"""`simulator copy DIR`: the models and experiments as files of your own, to read and change."""

import argparse
import shutil
from pathlib import Path
from typing import Any

from simulator.commands.options import place
from simulator.commands.outcome import KEPT, WrongUsage
from simulator.commands.sandbox import FOLDERS, packaged

LEFT_BEHIND = shutil.ignore_patterns("__pycache__", ".*", "results")


def describe(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("copy", help="write models and experiments into a folder")
    parser.add_argument("folder", type=place, metavar="DIR", help="it is made; it must be empty")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Copy; nothing that exists is overwritten.

    Raises:
        WrongUsage: the folder has something in it already, or cannot be made.
    """
    folder: Path = options.folder
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise WrongUsage("DIR must be a new or an empty folder:", "", str(folder))
    try:
        for name in FOLDERS:
            shutil.copytree(packaged() / name, folder / name, ignore=LEFT_BEHIND)
    except OSError as error:
        reason = f"the folder cannot be written ({error.strerror}):"
        raise WrongUsage(reason, "", str(folder)) from error
    print(f"{folder}: {' and '.join(FOLDERS)}")
    print(f"next: cd {folder} && simulator list")
    return KEPT
