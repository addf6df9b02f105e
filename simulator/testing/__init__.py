"""For your own tests: Hypothesis strategies over runs and faults. `import simulator` never does.

    runs         runs of a scenario; each is a Run, judged by `run.expect(check, ...)`
    fault_plans  faults as values, at moments that a run of the scenario really has
"""

from simulator.testing.faults import fault_plans
from simulator.testing.runs import Run, runs

__all__ = ["Run", "fault_plans", "runs"]
