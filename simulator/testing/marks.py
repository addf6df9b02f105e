"""What a test has reached, and what it was asked to run: between `sometimes()` and the plugin.

A mark is a name that a test, or a handler, gives to a situation: "a rebalance came in between".
A suite in which it never comes about tests less than it seems to. Without the plugin marks are
counted by nobody, and nothing is forced.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.errors import BadInput


class Ledger:
    """The marks of one test, each with how often its condition held, and what it asks.

    A question is a property of a handler, or a run of the fixture `simulation`: what a witness
    answers. They are numbered from 1, in the order in which the test comes to them.

    Args:
        declared: marks that the test must reach.
        witness: what one question shall run, and nothing else; None: none is told to.
        question: which one.
        draws: whether Hypothesis calls the test, again and again: its questions have no order, and
            a witness is not all that there is to a run.
    """

    def __init__(
        self,
        declared: tuple[str, ...] = (),
        witness: str | None = None,
        question: int = 1,
        *,
        draws: bool = False,
    ) -> None:
        self.reached: dict[str, int] = dict.fromkeys(declared, 0)
        self.witness = witness
        self.question = question
        self.draws = draws
        self.asked = 0

    @property
    def missing(self) -> list[str]:
        """The marks that were never reached."""
        return [name for name, times in self.reached.items() if not times]

    @property
    def unanswered(self) -> str:
        """Why the witness was not run; nothing if it was, or there is none."""
        if self.witness is None or self.asked >= self.question:
            return ""
        asks = "asks nothing that one answers" if not self.asked else f"asks {self.asked}"
        return f"--witness is of question {self.question}, and this test {asks}"


_CURRENT: list[Ledger] = []


def sometimes(condition: object, name: str) -> bool:
    """Note that a situation came about, if it did; a test in which it never does fails.

    Args:
        condition: whether it has come about now.
        name: what it is called in the report.

    Returns:
        The condition, as a truth value.
    """
    holds = bool(condition)
    if _CURRENT:
        reached = _CURRENT[-1].reached
        reached[name] = reached.get(name, 0) + holds
    return holds


def next_question() -> tuple[int, str | None]:
    """The number of the question that is asked now, and the witness that it shall run, if any.

    The number is 0 where nobody counts, or where it would be another the next time.

    Raises:
        BadInput: a witness is to be run, and Hypothesis draws what it is run on.
    """
    if not _CURRENT:
        return 0, None
    ledger = _CURRENT[-1]
    ledger.asked += 1
    if ledger.draws:
        if ledger.witness is not None:
            fix = "give the property its witness=, with what was drawn"
            raise BadInput("is not all of a run that Hypothesis draws:", "--witness",
                           ledger.witness, fix)
        return 0, None
    return ledger.asked, ledger.witness if ledger.asked == ledger.question else None


@contextmanager
def counting(ledger: Ledger) -> Iterator[Ledger]:
    """Have the marks of what happens inside counted."""
    _CURRENT.append(ledger)
    try:
        yield ledger
    finally:
        _CURRENT.remove(ledger)
