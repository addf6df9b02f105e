"""Colours where there is a terminal, and plain text everywhere else.

rich is optional, and slow to import: a pipe, a file and CI never load it.
"""

import os
import re
import sys

STYLES = {"kept": "green", "broken": "bold red", "cannot tell": "yellow", "bold": "bold"}


def attached() -> bool:
    """Whether a person is looking: stdout is a terminal, and colour is not declined.

    https://no-color.org: any value of NO_COLOR declines.
    """
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, style: str) -> str:
    """The text in one of STYLES, for `print`."""
    if not attached():
        return text
    try:
        from rich.console import Console
    except ImportError:
        return text
    console = Console(highlight=False, markup=False)
    with console.capture() as capture:
        console.print(text, style=STYLES[style], end="", soft_wrap=True)
    return capture.get()


WORDS = {"not as declared": "broken", "as declared": "kept", "cannot tell": "cannot tell"}


def print_text(text: str) -> None:
    """Print; on a terminal, with the words of an outcome in their colours."""
    if attached():
        words = "|".join([*WORDS, *(one for one in STYLES if one not in {*WORDS, "bold"})])
        text = re.sub(rf"\b({words})\b", _painted, text)
    print(text)


def _painted(match: "re.Match[str]") -> str:
    return paint(match[0], WORDS.get(match[0], match[0]))
