"""One run of a study: simulated under a seed, judged as it happens, forgotten but for counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.chance import Seeded
from simulator.checks.catalogue import named
from simulator.checks.check import Check, watch
from simulator.stats.delivery import Delivery
from simulator.study.experiment import check_names
from simulator.study.replicate import Observed
from simulator.study.simulate import simulate


def observed_run(
    scenario: Any,
    seed: int,
    checks: Mapping[str, Any] | Sequence[Any],
    gather: Callable[[], Any] = Delivery,
) -> Observed:
    """Run a scenario under a seed.

    Args:
        checks: names of checks, or checks.
        gather: makes what measures are given; its `observers()` see the run.

    Raises:
        BadInput: there is no check of that name.
    """
    gathered = gather()
    chosen = as_checks(checks)
    observers, finish = watch(chosen.values())
    simulate(
        scenario, Seeded(seed), observers=(*gathered.observers(), *observers), keep=False
    )
    verdicts = finish()
    statuses = {
        name: verdict.status.value for name, verdict in zip(chosen, verdicts, strict=True)
    }
    return Observed(gathered, statuses, f"seed {seed}")


def as_checks(checks: Mapping[str, Any] | Sequence[Any]) -> dict[str, Check]:
    """An experiment's checks by what the experiment calls them.

    Raises:
        BadInput: there is no check of that name.
    """
    given = checks.values() if isinstance(checks, Mapping) else checks
    found = (named((one,))[0] if isinstance(one, str) else one for one in given)
    return dict(zip(check_names(checks), found, strict=True))
