"""Verdicts at the command line: what checks say of a trace, and the exit code of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.checks.check import made_sense_of
from simulator.checks.verdict import Status, combine
from simulator.commands.outcome import BROKEN, CANNOT_TELL, KEPT
from simulator.commands.terminal import print_text

if TYPE_CHECKING:
    from simulator.checks.verdict import Verdict
    from simulator.trace.trace import Trace

CODES = {Status.KEPT: KEPT, Status.BROKEN: BROKEN, Status.CANNOT_TELL: CANNOT_TELL}


def told(verdicts: "Iterable[Verdict]", trace: "Trace", where: str = "") -> int:
    """Print each verdict, with its story where there is one; the answer is the exit code.

    Raises:
        BadInput: the trace is from a file, `where`, and no story can be made of it.
    """
    whole = combine(verdicts)
    for verdict in whole.parts:
        print_text(_said(verdict, trace, where))
    return CODES[whole.status]


def _said(verdict: "Verdict", trace: "Trace", where: str) -> str:
    if verdict.status is Status.KEPT:
        return str(verdict)
    if not where:
        return verdict.explain(trace)
    return made_sense_of(where, f"the story of {verdict.check}", verdict.explain, trace)
