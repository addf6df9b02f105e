"""Verdicts at the command line: what checks say of a trace, and the exit code of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.checks.verdict import Status, combine
from simulator.commands.outcome import BROKEN, CANNOT_TELL, KEPT
from simulator.commands.terminal import print_text

if TYPE_CHECKING:
    from simulator.checks.verdict import Verdict
    from simulator.trace.trace import Trace

CODES = {Status.KEPT: KEPT, Status.BROKEN: BROKEN, Status.CANNOT_TELL: CANNOT_TELL}


def told(verdicts: "Iterable[Verdict]", trace: "Trace") -> int:
    """Print each verdict, with its story where there is one; the answer is the exit code."""
    whole = combine(verdicts)
    for verdict in whole.parts:
        print_text(str(verdict) if verdict.status is Status.KEPT else verdict.explain(trace))
    return CODES[whole.status]
