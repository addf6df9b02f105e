"""What `from simulator import simulate, Scenario` costs against `import simpy`.

Each is measured by a new interpreter of itself: the CPU time of the statement alone, without the
interpreter's own start, which would flatter the ratio.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Case, Cost, Costs

ROOT = Path(__file__).parent.parent
PROBE = """
import time
began = time.process_time()
{statement}
print(time.process_time() - began)
"""


def cost_of(statement: str) -> Cost:
    """The CPU seconds of a statement in a new interpreter."""
    command = [sys.executable, "-c", PROBE.format(statement=statement)]

    def run() -> float:
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return float(done.stdout)

    return run


def import_costs(_: float) -> Costs:
    """The two imports."""
    return Costs(cost_of("from simulator import simulate, Scenario"), cost_of("import simpy"))


CASES = (
    Case(
        "import",
        "CPU of `from simulator import simulate, Scenario` per `import simpy`",
        2.5,
        import_costs,
        at_most=True,
    ),
)
