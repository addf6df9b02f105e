"""What is asked of a run: a check, the name of one, several of them, or a function of the trace."""

from collections.abc import Callable, Sequence

from simulator.checks.catalogue import CHECKS, named
from simulator.checks.check import Check, all_of
from simulator.checks.verdict import Verdict
from simulator.errors import BadInput
from simulator.trace.trace import Trace

Judge = Callable[[Trace], Verdict]
Promised = str | Judge | Sequence[str | Check]  # A Check is a Judge.


def as_judge(promised: Promised) -> Judge:
    """The function that judges a kept trace.

    Raises:
        BadInput: there is no check of that name, or it is nothing that could judge.
    """
    if isinstance(promised, str):
        return named((promised,))[0]
    if callable(promised):
        return promised
    if not isinstance(promised, list | tuple) or not promised:
        fix = "a check, its name, several of these, or a function from a trace to a Verdict"
        raise BadInput("is nothing that could judge a run:", "property", promised, fix)
    checks = [named((one,))[0] if isinstance(one, str) else one for one in promised]
    return checks[0] if len(checks) == 1 else all_of(*checks)


def portable(promised: Promised) -> Promised:
    """The same, by name where it has one: a name can be sent to another process."""
    if isinstance(promised, Check):
        return promised.name if CHECKS.get(promised.name) is promised else promised
    if isinstance(promised, list | tuple):
        return tuple(
            one.name if isinstance(one, Check) and CHECKS.get(one.name) is one else one
            for one in promised
        )
    return promised


def name_of(promised: Promised) -> str:
    """What to call it."""
    if isinstance(promised, str):
        return promised
    if isinstance(promised, list | tuple):
        return ", ".join(name_of(one) for one in promised)
    return str(getattr(promised, "name", getattr(promised, "__name__", "property")))
