"""One run: a scenario, a chooser, and the trace of what happened.

The same scenario and chooser give the same trace, entry for entry, on any machine.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.chance import Chooser
    from simulator.scenario.scenario import Scenario
    from simulator.trace.trace import Observer, Trace


def simulate(
    scenario: "Scenario",
    chooser: "Chooser | None" = None,
    *,
    observers: "Iterable[tuple[str, Observer]]" = (),
    keep: bool = True,
) -> "Trace":
    """Run a scenario.

    Planned faults that never came to pass, because the run never came to their point, stand in
    the trace's meta as `unmet`: `["crash@billing-0/after_process#9"]`.

    Args:
        scenario: what will happen.
        chooser: who answers for chance; without one nothing happens by chance: no fault but the
            planned, first come first served, as fast as the links allow.
        observers: (kind of event, function) pairs; each is told of every such entry as it
            happens.
        keep: keep the entries in the trace. Without it only observers see them.

    Raises:
        BadInput: the scenario asks for something that is not there.
        EventBudgetExceeded: the run did not end by itself.
        Exception: whatever a handler raised and did not handle, the original object.
    """
    # The world is loaded when the first run needs it: who only declares does not wait for it.
    from simulator.chance import Overlay, Zero
    from simulator.trace.trace import Trace
    from simulator.world.world import collecting_rarely

    chance = chooser or Zero()
    planned = scenario.faults.deviations()
    door = Overlay(planned, chance) if planned else chance
    door.start()
    trace = Trace(keep=keep, observers=observers)
    trace.meta = {
        "scenario": scenario.name,
        "chooser": chance.describe(),
    }
    if scenario.application is None:  # A model's own promises are the model's to ask for.
        trace.meta["promises"] = list(scenario.guarantee.promises)
    trace.record(0, "world", (), ("run_started", scenario.name))
    with collecting_rarely():  # Until the world is garbage: one look at it, and it is gone.
        _run(scenario, door, trace)
    door.finish()
    if isinstance(door, Overlay) and door.unmet:
        trace.meta["unmet"] = [f"{site}#{k}" for site, k in door.unmet]
    return trace


def _run(scenario: "Scenario", door: "Chooser", trace: "Trace") -> None:
    """Make a world, run it, and let go of it."""
    from simulator.cluster.deploy import deploy
    from simulator.world.world import World

    world = World(scenario, door, trace)
    deploy(world)
    world.run()


def refuse_what_cannot_run(scenario: "Scenario") -> None:
    """Put a scenario into a world, and do not run it: mistakes in its settings come out.

    Raises:
        BadInput: a setting is unknown or not allowed, or something is asked for that is not there.
    """
    from simulator.chance import Zero
    from simulator.cluster.deploy import deploy
    from simulator.trace.trace import Trace
    from simulator.world.world import World

    deploy(World(scenario, Zero(), Trace(keep=False)))
