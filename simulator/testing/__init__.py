"""For your own tests: Hypothesis strategies over runs and faults. `import simulator` never does.

    runs         runs of a scenario; each is a Run, judged by `run.expect(check, ...)`
    fault_plans  faults as values, at moments that a run of the scenario really has
    search       the smallest run that breaks a check, within a budget of runs
    replay       one run's faults and chance in another scenario
"""

from simulator.testing.faults import fault_plans
from simulator.testing.runs import Run, runs
from simulator.testing.search import Found, replay, search

__all__ = ["Found", "Run", "fault_plans", "replay", "runs", "search"]
