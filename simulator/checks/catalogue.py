"""All checks by name: what a guarantee, an experiment and the command line may ask for."""

import difflib
from collections.abc import Iterable, Mapping

from simulator.checks import delivery, groups, order, progress
from simulator.checks.check import Check
from simulator.errors import BadInput

CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        delivery.never_lost,
        delivery.never_delivered_twice,
        delivery.never_applied_twice,
        delivery.never_invented,
        order.partition_order,
        order.key_order,
        groups.committed_never_regresses,
        groups.never_committed_past_processed,
        progress.drained,
    )
}


def named(names: Iterable[str], where: str = "") -> tuple[Check, ...]:
    """The checks of these names, in order.

    Raises:
        BadInput: there is no check of that name.
    """
    found = []
    for name in names:
        if name not in CHECKS:
            near = difflib.get_close_matches(name, CHECKS, n=1)
            fix = f"did you mean {near[0]}?" if near else "known: " + ", ".join(CHECKS)
            raise BadInput("there is no check", where, name, fix)
        found.append(CHECKS[name])
    return tuple(found)
