r"""Java's `matches` and `replaceFirst`, as far as a topic's name can need them.

Rule 1: a replacement knows `$3` (digits are taken for as long as such a group exists), `${name}`,
and a backslash that makes the next character plain. A group that took no part adds nothing.
Rule 2: `\d`, `\w`, `\s` and `\b` are ASCII's, as in Java without flags.
Rule 3: to match is to match the whole text; what is replaced is then the first match found in
it, which may be shorter (`a|ab` matches `ab`, and replaces its `a`).

Source: java.util.regex.Matcher.appendExpandedReplacement, Pattern's documentation.

Not modelled: Java's patterns that Python has no equal for (intersections and unions of character
classes, `\G`, `\R`, `\X`, Unicode categories, flags in the middle of a pattern): they are
refused.
"""

import re
import string
from functools import lru_cache

import attrs

from simulator.errors import BadInput

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*")
_POSIX = {  # Of a class's inside: usable within brackets and, with brackets, without.
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": re.escape(string.punctuation),
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r"\s",
}
_OTHER = {"z": r"\Z", "Z": r"(?=\n?\Z)", "e": r"\x1b"}
_REFUSED = "GRXNKV"


class IllegalReplacement(Exception):
    """A replacement is written wrongly, or names a group that is not there: Java throws.

    Attributes:
        java: the exception that Java throws.
    """

    def __init__(self, java: str, why: str) -> None:
        super().__init__(why)
        self.java = java


def _refused(pattern: str, why: str) -> BadInput:
    return BadInput(f"{why} in the pattern", value=pattern, fix="write it in another way")


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    """What stands for the escape at `at`, and where the next piece begins."""
    letter = pattern[at + 1 : at + 2]
    if letter == "Q":
        end = pattern.find("\\E", at + 2)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[at + 2 : end]), min(end + 2, len(pattern))
    if letter and letter in "pP":
        close = pattern.find("}", at)
        inside = _POSIX.get(pattern[at + 3 : close]) if pattern[at + 2 : at + 3] == "{" else None
        if inside is None or (in_class and letter == "P"):
            raise _refused(pattern, "a category that is not known here")
        if in_class:
            return inside, close + 1
        return f"[{'^' if letter == 'P' else ''}{inside}]", close + 1
    if letter == "k" and (name := _NAME.match(pattern, at + 3)):
        return f"(?P={name[0]})", name.end() + 1
    if letter == "h":
        return (r" \t\xa0" if in_class else r"[ \t\xa0]"), at + 2
    if letter and letter in _REFUSED:
        raise _refused(pattern, f"\\{letter}")
    if not in_class and letter in _OTHER:
        return _OTHER[letter], at + 2
    return pattern[at : at + 2], at + 2


def _translated(pattern: str) -> str:
    pieces: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            piece, at = _escape(pattern, at, in_class=in_class)
            pieces.append(piece)
            continue
        if in_class:
            if character == "[" or pattern.startswith("&&", at):
                raise _refused(pattern, "a class within a class")
            in_class = character != "]"
        elif character == "[":
            in_class = True
            if pattern.startswith("^", at + 1):
                character = "[^"
            # In Java a bracket that closes at once is an error; Python would take it as plain.
            if pattern.startswith("]", at + len(character)):
                raise _refused(pattern, "an empty class")
        elif pattern.startswith("(?<", at) and pattern[at + 3 : at + 4] not in ("=", "!"):
            name = _NAME.match(pattern, at + 3)
            if name is None or pattern[name.end() : name.end() + 1] != ">":
                raise _refused(pattern, "a group whose name is not of letters and digits")
            pieces.append(f"(?P<{name[0]}>")
            at = name.end() + 1
            continue
        pieces.append(character)
        at += len(character)
    return "".join(pieces)


@lru_cache(maxsize=256)
def java_pattern(pattern: str) -> re.Pattern[str]:
    """The Python pattern that matches what Java's does.

    Raises:
        BadInput: it is no pattern, or one that is not modelled.
    """
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except re.error as error:
        raise BadInput(f"not a regular expression ({error}):", value=pattern) from None


def _group(match: re.Match[str], replacement: str, at: int) -> tuple[str, int]:
    """What the reference after the dollar sign adds, and where the next piece begins."""
    illegal = "IllegalArgumentException"
    following = replacement[at : at + 1]
    if not following:
        raise IllegalReplacement(illegal, "Illegal group reference: group index is missing")
    if following == "{":
        name = _NAME.match(replacement, at + 1)
        if name is None:
            raise IllegalReplacement(illegal, "named capturing group has 0 length name")
        if replacement[name.end() : name.end() + 1] != "}":
            raise IllegalReplacement(illegal, "named capturing group is missing trailing '}'")
        if name[0] not in match.re.groupindex:
            raise IllegalReplacement(illegal, f"No group with name {{{name[0]}}}")
        return match[name[0]] or "", name.end() + 1
    if following not in string.digits:
        raise IllegalReplacement(illegal, "Illegal group reference")
    number, at = int(following), at + 1
    if number > match.re.groups:
        raise IllegalReplacement("IndexOutOfBoundsException", f"No group {number}")
    while (digit := replacement[at : at + 1]) and digit in string.digits:
        if number * 10 + int(digit) > match.re.groups:
            break
        number, at = number * 10 + int(digit), at + 1
    return match[number] or "", at


def expanded(match: re.Match[str], replacement: str) -> str:
    """What `replacement` says about this match.

    Raises:
        IllegalReplacement: it is written wrongly, or names a group that is not there.
    """
    pieces: list[str] = []
    at = 0
    while at < len(replacement):
        character = replacement[at]
        at += 1
        if character == "$":
            character, at = _group(match, replacement, at)
        elif character == "\\":
            character = replacement[at : at + 1]
            at += 1
            if not character:
                why = "character to be escaped is missing"
                raise IllegalReplacement("IllegalArgumentException", why)
        pieces.append(character)
    return "".join(pieces)


@attrs.frozen
class Rerouting:
    """Kafka Connect's RegexRouter: a name that matches is rewritten, another stays as it is."""

    regex: str
    replacement: str
    _pattern: re.Pattern[str] = attrs.field(init=False, eq=False, repr=False)

    @_pattern.default
    def _compiled(self) -> re.Pattern[str]:
        return java_pattern(self.regex)

    def __call__(self, topic: str) -> str:
        """The topic's new name.

        Raises:
            IllegalReplacement: it matches, and the replacement cannot be carried out.
        """
        if not self._pattern.fullmatch(topic):
            return topic
        found = self._pattern.search(topic)
        assert found is not None, f"{self.regex!r} matches {topic!r} whole, and nowhere"
        replaced = expanded(found, self.replacement)
        return topic[: found.start()] + replaced + topic[found.end() :]
