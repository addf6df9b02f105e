"""How Hypothesis works here: chosen by SIMULATOR_HYPOTHESIS, `ci` where CI is set.

default   50 examples of its own choice, as befits a desk
ci        200, the same ones every time: a change is judged, not chance
nightly   10 000

The explain phase runs a failing example many times over to say what mattered of it; a failing
simulation says that by itself, so it is off. There is no deadline: other programs run here too.

Where the package is compiled (`python3 dev.py compiled`) nothing in it can be replaced: what does
so by the fixture `monkeypatch`, or is marked `interpreted`, is skipped there.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
SLOW = (HealthCheck.too_slow,)  # A run of a world is slow for an example, and meant to be.

settings.register_profile(
    "default", max_examples=50, deadline=None, phases=PHASES, suppress_health_check=SLOW
)
settings.register_profile(
    "ci", settings.get_profile("default"), max_examples=200, derandomize=True, database=None
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=10_000)
settings.load_profile(
    os.environ.get("SIMULATOR_HYPOTHESIS", "ci" if os.environ.get("CI") else "default")
)


def pytest_collection_modifyitems(items):
    """Skip what only an interpreter lets one do, where there is none."""
    from simulator.world import network

    if network.__file__.endswith(".py"):
        return
    for item in items:
        if "monkeypatch" in item.fixturenames or item.get_closest_marker("interpreted"):
            item.add_marker(pytest.mark.skip(reason="what is compiled cannot be replaced"))
