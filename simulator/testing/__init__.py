"""For your own tests. `import simulator` never loads it, and a name is loaded when it is asked for.

    idempotent         a handler of yours: handling an event again changes nothing
    exactly_once       ... each event takes effect once, however its consumer crashes
    order_insensitive  ... events of different keys may come in any order
    runs               Hypothesis: runs of a scenario; judged by `run.expect(check, ...)`
    fault_plans        Hypothesis: faults, at moments that a run of the scenario really has
    topologies         Hypothesis: brokers, topics, partitions, replicas and wires
    workloads          Hypothesis: events, their keys and their times
    histories          Hypothesis: what clients saw, legal or spoilt, to test who judges it
    state_machine      Hypothesis: acts from outside, in any order
    quick              Hypothesis' settings, as they are best here
    Session            a run held open: act, let time pass, look
    search             the smallest run that breaks a check, within a budget of runs
    replay             one run's faults and chance in another scenario
    sometimes          a situation that a test must have reached
    audited            no clock, no global chance, no threads inside a run

`plugin` is pytest's: installed with the package, it tells the story of a failing run.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.testing.audit import Undetermined as Undetermined
    from simulator.testing.audit import audited as audited
    from simulator.testing.broken import PromiseBroken as PromiseBroken
    from simulator.testing.faults import fault_plans as fault_plans
    from simulator.testing.handlers import exactly_once as exactly_once
    from simulator.testing.handlers import idempotent as idempotent
    from simulator.testing.handlers import order_insensitive as order_insensitive
    from simulator.testing.histories import histories as histories
    from simulator.testing.marks import sometimes as sometimes
    from simulator.testing.outcome import Counterexample as Counterexample
    from simulator.testing.outcome import Outcome as Outcome
    from simulator.testing.quick import quick as quick
    from simulator.testing.runs import Run as Run
    from simulator.testing.runs import runs as runs
    from simulator.testing.search import Found as Found
    from simulator.testing.search import replay as replay
    from simulator.testing.search import search as search
    from simulator.testing.session import Session as Session
    from simulator.testing.stateful import state_machine as state_machine
    from simulator.testing.topologies import topologies as topologies
    from simulator.testing.workloads import workloads as workloads

_HOMES = {
    "audit": ("Undetermined", "audited"),
    "broken": ("PromiseBroken",),
    "faults": ("fault_plans",),
    "handlers": ("exactly_once", "idempotent", "order_insensitive"),
    "histories": ("histories",),
    "marks": ("sometimes",),
    "outcome": ("Counterexample", "Outcome"),
    "quick": ("quick",),
    "runs": ("Run", "runs"),
    "search": ("Found", "replay", "search"),
    "session": ("Session",),
    "stateful": ("state_machine",),
    "topologies": ("topologies",),
    "workloads": ("workloads",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (the table is the one place where a name is listed)


def __getattr__(name: str) -> Any:
    """Load a name from its home, once."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


class _Face(ModuleType):
    """This package: its module `runs`, once loaded, does not take the place of its name `runs`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME_OF and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __dir__() -> list[str]:
    """The names, loaded or not."""
    return sorted({*globals(), *_HOME_OF})
