"""A site is a place where a run asks for chance, under a name that outlives changes of the run.

1. The name says what is decided and where: `crash@billing-0/after_process`,
   `drop@orders-producer>broker-0/ProduceRequest`. Never a time, a position in the run, an `id()`
   or a counter that others share: then a witness would mean something else after any change.
2. The class of fault groups sites: for budgets, for masks, for healing.
"""

import re
from functools import lru_cache
from typing import Final

import attrs

from simulator.errors import BadInput

CRASH: Final = "crash"
DROP: Final = "drop"
DUPLICATE: Final = "duplicate"
DELAY: Final = "delay"
PAUSE: Final = "pause"
SKEW: Final = "skew"
DISK: Final = "disk"
TIE: Final = "tie"
CHOICE: Final = "choice"  # Variety that harms nobody: keys, arrivals, the choice of a partition.

FAULT_CLASSES: Final = (CRASH, DROP, DUPLICATE, DELAY, PAUSE, SKEW, DISK, TIE, CHOICE)

# A witness writes `site#k=value;site#k=value`: no name may hold its signs, or a blank.
_NAME = re.compile(r"[^#;=\s]+")


@attrs.frozen
class Site:
    """Where a choice is made, and which class of fault its non-zero answers are.

    Raises:
        BadInput: the name could not stand in a witness, or the class is none of FAULT_CLASSES.
    """

    name: str
    fault_class: str = CHOICE

    def __attrs_post_init__(self) -> None:
        check_site_name(self.name, "site")
        if self.fault_class not in FAULT_CLASSES:
            known = "one of " + ", ".join(FAULT_CLASSES)
            raise BadInput("no class of fault is called", self.name, self.fault_class, known)


@lru_cache(maxsize=16_384)
def site_at(name: str, fault_class: str) -> Site:
    """`Site(name, fault_class)`; runs by the thousand have the same, and each is checked once.

    Raises:
        BadInput: see `Site`.
    """
    return Site(name, fault_class)


def check_site_name(name: object, where: str) -> str:
    """The name, if a witness can hold it.

    Raises:
        BadInput: it is no text, empty, or holds one of `# ; =` or a blank.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        shown = "" if name is None else name
        raise BadInput("not a site's name:", where, shown, "text without # ; = and blanks")
    return name
