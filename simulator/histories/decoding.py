"""A JSON document is read piece by piece: at no time does more of it stand in memory than one item.

A file whose name ends in .gz is decompressed as it is read.
"""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from simulator.errors import BadInput

CHUNK_BYTES = 1 << 20
ITEM_MOST = 1 << 26  # Characters: a text that does not end within them is not one.
LITERAL_MOST = 16  # Of a literal that is cut by a chunk's end, no more than this is there yet.

_SPACE = re.compile(r"[ \t\r\n]*").match
_STRUCTURE = (ValueError, RecursionError)


@contextmanager
def text_of(path: str | Path) -> Iterator[Callable[[], str]]:
    """A function that gives the file's text, a piece at each call, and at its end nothing.

    Raises:
        BadInput: it cannot be read; so does the function, which finds out what else is wrong.
    """
    where = str(path)
    try:
        file = _opened(where)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where) from None
    # Some editors and shells put a byte order mark first, which RFC 8259 lets a reader pass over.
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode

    def more() -> str:
        try:
            while data := file.read(CHUNK_BYTES):
                if text := decode(data):
                    return text
            return decode(b"", final=True)
        except gzip.BadGzipFile:
            fix = "a file whose name ends in .gz must be compressed"
            raise BadInput("is not compressed, or damaged", where, fix=fix) from None
        except (EOFError, zlib.error):
            raise BadInput("is cut short or damaged", where, fix="copy it again") from None
        except UnicodeDecodeError as error:
            fix = "it may be compressed: then its name must end in .gz"
            byte = error.object[error.start : error.start + 1]
            raise BadInput("is not text: there stands", where, byte, fix) from None
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", where) from None

    with file:
        yield more


def _opened(where: str) -> Any:
    return gzip.open(where) if where.endswith(".gz") else Path(where).open("rb")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether what is wrong is that the text ends here: within a text, an escape or a literal."""
    rest = text[error.pos :]
    return (
        error.msg.startswith("Unterminated")
        or len(rest) <= 1
        or (error.msg.startswith("Invalid \\") and len(rest) < len("u0000"))
        or any(literal.startswith(rest) for literal in ("true", "false", "null"))
    )


class Document:
    """The text of one JSON document, from its first character on.

    Args:
        more: gives the next piece of text, and at the end nothing.
        where: the file's name, for errors.
    """

    def __init__(self, more: Callable[[], str], where: str) -> None:
        self.where = where
        self._more_text = more
        self._text = ""
        self._at = 0
        self._ended = False
        self._lines = 1  # The line on which `_text` begins.
        self._begun = False  # Whether anything but space has been met.
        self._decode = json.JSONDecoder(parse_constant=_no_constant).raw_decode

    @property
    def line(self) -> int:
        """The line of the next character."""
        return self._lines + self._text.count("\n", 0, self._at)

    def here(self) -> str:
        """Where reading stands, for errors."""
        return f"{self.where}, line {self.line}"

    def peek(self) -> str:
        """The next character that is not space; nothing at the end."""
        while True:
            found = _SPACE(self._text, self._at)
            assert found is not None, "no space is space, too"
            self._at = at = found.end()
            if at < len(self._text):
                self._begun = True
                return self._text[at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """The next character, which must be one of these.

        Raises:
            BadInput: it is another, or there is none.
        """
        char = self.peek()
        if not char:
            self._cut_short()
        if char not in wanted:
            shown = self._text[self._at : self._at + 40]
            what = f"is not JSON: {' or '.join(wanted)} should stand at"
            raise BadInput(what, self.here(), shown)
        self._at += 1
        return char

    def value(self) -> Any:
        """The whole value that stands next.

        Raises:
            BadInput: there is none.
        """
        if not self.peek():
            self._cut_short()
        while True:
            try:
                found, end = self._decode(self._text, self._at)
            except _STRUCTURE as error:
                if self._may_go_on(error) and self._more():
                    continue
                self._refuse(error)
            # A number that ends where the text does may go on.
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return found

    def items(self) -> Iterator[Any]:
        """The items of the array that begins here, each as it is read.

        Raises:
            BadInput: it is no array, or breaks off.
        """
        self.take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self.take(",]") == "]":
                return

    def members(self) -> Iterator[str]:
        """The names of the object that begins here; who is told one reads its value.

        Raises:
            BadInput: it is no object, or breaks off.
        """
        self.take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            here = self.here()
            name = self.value()
            if not isinstance(name, str):
                raise BadInput("is not JSON: a name should stand at", here, name)
            self.take(":")
            yield name
            if self.take(",}") == "}":
                return

    def end(self) -> None:
        """Nothing follows.

        Raises:
            BadInput: something does.
        """
        if self.peek():
            shown = self._text[self._at : self._at + 40]
            raise BadInput("the document has ended, but there stands", self.here(), shown)

    def _more(self) -> bool:
        """Read on; what was used goes. As much again is read as there is, so that all is linear."""
        if self._ended:
            return False
        self._lines = self.line
        pieces = [self._text[self._at :]]
        wanted = max(len(pieces[0]), 1)
        self._at = 0
        while wanted > 0:
            piece = self._more_text()
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            wanted -= len(piece)
        self._text = "".join(pieces)
        return len(pieces) > 1

    def _may_go_on(self, error: Exception) -> bool:
        if not isinstance(error, json.JSONDecodeError) or self._ended:
            return False
        if error.msg.startswith("Unterminated"):
            return len(self._text) - self._at < ITEM_MOST
        return error.pos + LITERAL_MOST >= len(self._text)

    def _refuse(self, error: Exception) -> NoReturn:
        if isinstance(error, RecursionError):
            raise BadInput("cannot be read: it is nested too deep", self.here()) from None
        if not isinstance(error, json.JSONDecodeError):
            raise BadInput("cannot be read: there stands", self.here(), str(error)) from None
        text = self._text
        if self._ended and _is_cut(error, text.rstrip()):
            self._cut_short()
        here = f"{self.where}, line {self._lines + text.count(chr(10), 0, error.pos)}"
        shown = text[error.pos : error.pos + 40]
        raise BadInput(f"is not JSON: {error.msg}:", here, shown) from None

    def _cut_short(self) -> NoReturn:
        if not self._begun:
            raise BadInput("is empty", self.where)
        here = f"{self.where}, line {self._lines + self._text.rstrip().count(chr(10))}"
        raise BadInput("is cut short", here, fix="copy it again")
