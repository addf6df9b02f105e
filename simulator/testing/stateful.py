"""A state machine for Hypothesis: acts from outside in any order, and chance inside.

The rules are what somebody does to a system: produce, restart or stop an instance, crash a node,
cut the network and heal it, let time pass. Latency, loss and ties are drawn by a chooser, as in any
run. Nothing is both: no rule decides what chance decides.

Who has rules of his own writes a `RuleBasedStateMachine` of Hypothesis' own, and holds a `Session`
in it; this one is such a machine, and no more.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import event, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from simulator.checks.check import Check
from simulator.errors import BadInput
from simulator.scenario.scenario import Scenario
from simulator.testing.drawing import must_be_whole
from simulator.testing.faults import surveyed
from simulator.testing.quick import quick
from simulator.testing.runs import choosers_for
from simulator.testing.session import Session

STEPS = 15
TIMES_MS = st.sampled_from((10, 100, 1_000, 10_000))
# Right after these a crash does other things than a millisecond later.
MOMENTS = st.sampled_from(("effect_applied", "record_polled", "offset_committed"))
WAITS_MS = 1_000
JUMPS_MS = st.sampled_from((1_000, -1_000, 60_000))
FOR_MS = st.sampled_from((1_000, 100, 15_000))
# What somebody does, and the class of fault that a guarantee must stand for it; "" is none.
ACTS = {
    "produce": "", "advance": "", "rebalance": "crash", "crash": "crash", "start": "crash",
    "stop": "", "cut": "drop", "pause": "pause", "skew": "skew",
}  # fmt: skip
OF_MEMBERS = ("rebalance", "stop")


def state_machine(
    scenario: Scenario,
    *checks: Check,
    acts: Sequence[str] | None = None,
    nodes: Sequence[str] | None = None,
    keys: int = 2,
    spare: int = 1,
    chance: bool = True,
    settings: settings | None = None,
) -> type[Any]:
    """A test case: whatever is done to the scenario's world, the promises are kept in the end.

    It is a `unittest.TestCase`: pytest and unittest find it as a global of a test module. Without
    either: `run_state_machine_as_test(TestOrders.machine)`, which is Hypothesis' own function.

    Args:
        checks: judged when all is healed and at rest.
        acts: some of produce, advance, rebalance, crash, start, stop, cut, pause, skew. By default
            those under which the scenario's guarantee promises anything. To advance is to let some
            time pass, or to wait until something happens.
        nodes: who crashes, is paused, is cut off; by default everybody.
        keys: records are produced under so many.
        spare: so many instances that are not there at first can be started.
        chance: whether what the scenario leaves to chance is drawn; without it nothing goes wrong
            by chance.
        settings: by default `quick(stateful_step_count=15)`.

    Raises:
        BadInput: there is no such act or node, nobody who could act so, no node or key at all, or
            nothing to check.
    """
    chosen = _acts(scenario, acts)
    must_be_whole("state_machine.keys", keys, least=1)
    if not checks:
        raise BadInput("nothing is promised: give a check", "state_machine")
    with Session(scenario, spare=spare) as look:
        known = look.nodes
        instances = look.instances
        if acts is not None:
            _must_be_possible(chosen, look)
    if nodes is not None and not nodes:
        raise BadInput(f"names nobody: {nodes!r}", "state_machine.nodes", fix="None is everybody")
    for node in nodes or ():
        if node not in known:
            raise BadInput("there is no node called", "state_machine", node, ", ".join(known))
    most = 2 * surveyed(scenario).choices if chance else 0
    rules = _rules(chosen, tuple(nodes) if nodes else known, instances, keys)
    machine = _machine((scenario, checks, spare), rules, choosers_for(most))
    case: Any = machine.TestCase
    case.settings = settings or quick(stateful_step_count=STEPS)
    case.machine = machine
    return case  # type: ignore[no-any-return]


def _acts(scenario: Scenario, acts: Sequence[str] | None) -> tuple[str, ...]:
    if acts is None:
        stood = ("", *scenario.guarantee.fault_classes)
        return tuple(act for act, fault_class in ACTS.items() if fault_class in stood)
    known = f"known: {', '.join(ACTS)}"
    if not acts:
        raise BadInput(f"nothing could be done: {acts!r}", "state_machine.acts", fix=known)
    for act in acts:
        if act not in ACTS:
            raise BadInput("nobody can", "state_machine", act, known)
    return tuple(acts)


def _must_be_possible(acts: Sequence[str], look: Session) -> None:
    """What was asked for is not left out in silence.

    Raises:
        BadInput: the scenario has nobody who could act so.
    """
    for act in acts:
        if act == "produce" and not look.producers:
            raise BadInput("there is no producer to", "state_machine.acts", act)
        if act in OF_MEMBERS and not look.instances:
            raise BadInput("there is no instance of a group to", "state_machine.acts", act)


class _Steps(RuleBasedStateMachine):
    """A session, its checks, and the end of both."""

    def __init__(self, scenario: Scenario, checks: Sequence[Check], spare: int) -> None:
        super().__init__()
        self.asked = scenario, spare
        self.checks = checks
        self.session: Session | None = None

    @property
    def open(self) -> Session:
        """The session; there is one from the first step on."""
        assert self.session is not None, "the machine begins by its initialize rule"
        return self.session

    def teardown(self) -> None:
        """Heal, let the run come to rest, and judge it; not if a step has failed before."""
        session = self.session
        if session is None:
            return
        try:
            if sys.exc_info()[0] is None:
                session.finish()
                for act in dict.fromkeys(act.partition("(")[0] for act in session.acts):
                    event(f"act: {act}")
                for kind in dict.fromkeys(site.partition("@")[0] for site, _ in session.witness):
                    event(f"by chance: {kind}")
                session.expect(*self.checks)
            else:
                note(f"Replay:\n{session.replay()}")
        finally:
            session.close()


class _Acts(_Steps):
    """What the rules do; a rule is printed by its function's name."""

    def produce(self, key: str) -> None:
        """See Session.produce; it is the first producer's that can, while others are down."""
        ready = next(filter(self.open.is_ready, self.open.producers))
        first = ready == self.open.producers[0]
        self.open.produce(key, producer=None if first else ready)

    def advance(self, ms: int) -> None:
        """See Session.advance."""
        self.open.advance(ms)

    def wait_for(self, kind: str) -> None:
        """See Session.wait_for."""
        self.open.wait_for(kind, within_ms=WAITS_MS)

    def rebalance(self, instance: str) -> None:
        """See Session.restart."""
        self.open.restart(instance)

    def stop(self, instance: str) -> None:
        """See Session.stop."""
        self.open.stop(instance)

    def crash(self, node: str) -> None:
        """See Session.crash."""
        self.open.crash(node)

    def start(self, node: str) -> None:
        """See Session.start."""
        self.open.start(node)

    def cut(self, node: str) -> None:
        """See Session.cut."""
        self.open.cut(node)

    def heal(self) -> None:
        """See Session.heal."""
        self.open.heal()

    def pause(self, node: str, ms: int) -> None:
        """See Session.pause."""
        self.open.pause(node, ms)

    def skew(self, node: str, jump_ms: int) -> None:
        """See Session.skew."""
        self.open.skew(node, jump_ms)


def _machine(
    asked: tuple[Scenario, Sequence[Check], int],
    rules: Mapping[str, Any],
    chooser: st.SearchStrategy[Any],
) -> type[RuleBasedStateMachine]:
    """A class of its own: Hypothesis finds rules by class, and knows failures by it."""

    class Steps(_Steps):
        def __init__(self) -> None:
            super().__init__(*asked)

        @initialize(chance=chooser)
        def begin(self, chance: Any) -> None:
            scenario, spare = self.asked
            self.session = Session(scenario, chance, spare=spare)

        locals().update(rules)

    return Steps


def _rules(
    acts: Sequence[str], nodes: Sequence[str], instances: Sequence[str], keys: int
) -> dict[str, Any]:
    """The rules of the acts, by name; those for members only where a group has any."""
    node = st.sampled_from(nodes)
    key = st.sampled_from([f"k{number}" for number in range(keys)])
    known: dict[str, dict[str, Any]] = {
        "produce": {"produce": precondition(_can_produce)(rule(key=key)(_Acts.produce))},
        "advance": {
            "advance": rule(ms=TIMES_MS)(_Acts.advance),
            "wait_for": rule(kind=MOMENTS)(_Acts.wait_for),
        },
        "crash": {"crash": rule(node=node)(_Acts.crash)},
        "start": {"start": rule(node=node)(_Acts.start)},
        "cut": {"cut": rule(node=node)(_Acts.cut), "heal": rule()(_Acts.heal)},
        "pause": {"pause": rule(node=node, ms=FOR_MS)(_Acts.pause)},
        "skew": {"skew": rule(node=node, jump_ms=JUMPS_MS)(_Acts.skew)},
    }
    if instances:
        member = st.sampled_from(instances)
        known["rebalance"] = {"rebalance": rule(instance=member)(_Acts.rebalance)}
        known["stop"] = {"stop": rule(instance=member)(_Acts.stop)}
    return {name: found for act in acts for name, found in known.get(act, {}).items()}


def _can_produce(self: _Steps) -> bool:
    session = self.session
    return session is not None and any(map(session.is_ready, session.producers))


__all__ = ["state_machine"]
