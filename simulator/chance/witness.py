"""A witness says which choices of a run were not the benign ones: `{(site name, k): value}`.

It is the one form for replay, for shrinking, for what-if changes and for regression tests. As one
line of text it is `drop@a>b/ProduceRequest#3=1;crash@billing-0/after_process#0=1`: at the site
before `#`, the k-th time that the run asked there (from 0), the answer was the value after `=`.
What a witness does not name was 0. The empty witness is the empty text.
"""

import re
from collections.abc import Mapping

from simulator.chance.sites import check_site_name
from simulator.errors import BadInput

Choice = tuple[str, int]
Witness = Mapping[Choice, int]

_CHOICE = re.compile(r"(?P<site>[^#;=\s]+)#(?P<k>0|[1-9][0-9]*)=(?P<value>0|[1-9][0-9]*)")
_SHAPE = "write site#k=value, such as crash@billing-0/after_process#0=1"
_DIGITS_MAX = 19  # Enough for any count and any time in microseconds.


def check_witness(witness: Witness, where: str = "witness") -> dict[Choice, int]:
    """A copy of the witness, when all of it can be written as text.

    Raises:
        BadInput: a key is not (site name, k), or a k or a value not a whole number from 0.
    """
    checked: dict[Choice, int] = {}
    for choice, value in witness.items():
        if not (isinstance(choice, tuple) and len(choice) == 2):
            raise BadInput("a choice is (site name, k), not", where, choice)
        name, k = choice
        check_site_name(name, where)
        for what, number in (("k", k), ("value", value)):
            if type(number) is not int or not 0 <= number < 10**_DIGITS_MAX:
                fix = "a whole number from 0, of at most 19 digits"
                raise BadInput(f"the {what} of {name} cannot be", where, number, fix)
        checked[choice] = value
    return checked


def format_witness(witness: Witness) -> str:
    """The witness as one line, its choices in its own order.

    Raises:
        BadInput: as `check_witness`.
    """
    return ";".join(f"{name}#{k}={value}" for (name, k), value in check_witness(witness).items())


def parse_witness(text: str, where: str = "witness") -> dict[Choice, int]:
    """The witness that a line of text tells.

    Blanks around the line are forgiven, as a shell or an editor may leave them; nothing else is.

    Raises:
        BadInput: a choice is not `site#k=value`, or stands twice.
    """
    text = text.strip()
    witness: dict[Choice, int] = {}
    if not text:
        return witness
    for position, part in enumerate(text.split(";"), start=1):
        here = f"{where}, choice {position}"
        match = _CHOICE.fullmatch(part)
        if match is None or max(len(match["k"]), len(match["value"])) > _DIGITS_MAX:
            raise BadInput("cannot be read:", here, part, _SHAPE)
        choice = (match["site"], int(match["k"]))
        if choice in witness:
            raise BadInput("stands twice:", here, f"{choice[0]}#{choice[1]}", "leave one")
        witness[choice] = int(match["value"])
    return witness
