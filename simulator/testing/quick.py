"""How Hypothesis works well here: without its explain phase, and without a deadline.

The explain phase runs a failing example many times over, to say which of its parts mattered: that
multiplies the cost of a failure by thirty to a hundred and fifty. A failing run says what mattered
by itself. A deadline is of the wall clock, of which a simulation knows nothing.
"""

from typing import Any

from hypothesis import HealthCheck, Phase, settings

PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def quick(**more: Any) -> settings:
    """Settings for properties of runs: the loaded profile's, but as this module says.

    It is a decorator, as any settings are: `@quick(max_examples=200)`. To have it for all tests,
    register it: `settings.register_profile("runs", quick())`.

    Args:
        more: Hypothesis' own settings, which go before.
    """
    return settings(
        **{"deadline": None, "phases": PHASES, "suppress_health_check": SLOW, **more}
    )


__all__ = ["quick"]
