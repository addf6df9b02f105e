"""What a session needs before it begins, and to be written down: the scenario without its
workload, records to hand over, and calls as Python writes them.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from simulator.chance import Chooser, Overlay, Recording
from simulator.cluster.cluster import Cluster
from simulator.cluster.deploy import deploy
from simulator.errors import BadInput
from simulator.scenario.scenario import Scenario
from simulator.scenario.validation import near
from simulator.testing.audit import inside
from simulator.trace.events import EVENTS, read
from simulator.trace.trace import FlatEntry, Trace
from simulator.world.kernel import Kernel
from simulator.world.world import World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULTS: dict[str, Any] = {
    "down_ms": None, "mode": "process", "producer": None, "spare": 0, "symmetric": True,
    "topic": None, "value": None, "where": None, "within_ms": 60_000, "workload": False,
}  # fmt: skip
TIMES = ("ms", "within_ms", "down_ms")  # Arguments of a session's methods: how long.


@attrs.frozen
class Stage:
    """A world that has not begun, and who answers for chance in it."""

    world: World
    cluster: Cluster
    door: Chooser
    recording: Recording


def set_up(scenario: Scenario, chooser: Chooser) -> Stage:
    """What `simulate` makes before it runs."""
    recording = Recording(chooser)
    planned = scenario.faults.deviations()
    door: Chooser = Overlay(planned, recording) if planned else recording
    door.start()
    trace = Trace()
    trace.meta = {"scenario": scenario.name, "chooser": door.describe()}
    if scenario.application is None:
        trace.meta["promises"] = list(scenario.guarantee.promises)
    trace.record(0, "world", (), ("run_started", scenario.name))
    world = World(scenario, door, trace)
    return Stage(world, deploy(world), door, recording)


def envelope(at_us: int, event_id: str, topic: str, key: str | None) -> str:
    """The value of an event, as the events of workloads have it."""
    now = EPOCH + timedelta(microseconds=at_us)
    told = {
        "event_id": event_id,
        "event_type": topic,
        "payload": {"key": key},
        "schema_version": 1,
        "ts": f"{now.isoformat(timespec='microseconds').removesuffix('+00:00')}Z",
    }
    return json.dumps(told)


def first_of(
    kernel: Kernel, trace: Trace, kind: str, wanted: Mapping[str, Any], ends_us: int
) -> FlatEntry | None:
    """Let things happen until an entry of a kind, with these fields, is recorded, or time is up."""
    entries = trace.flat
    seen = len(entries)
    with inside():
        while kernel.peek() < ends_us:
            kernel.step()
            for entry in entries[seen:]:
                if entry[4][0] == kind:
                    told = read(entry[4])
                    if all(getattr(told, name) == value for name, value in wanted.items()):
                        return entry
            seen = len(entries)
        kernel.run(ends_us)
    return None


def _must_be_told(kind: str, wanted: Mapping[str, Any] | None) -> None:
    """Who waits for what nobody tells waits in vain.

    Raises:
        BadInput: no event is of this kind, or one of this kind has no such field.
    """
    where = "session.wait_for"
    if kind not in EVENTS:
        raise BadInput(f"no event is of the kind {kind!r}", where, fix=near(str(kind), EVENTS))
    fields = attrs.fields_dict(EVENTS[kind])
    for name in wanted or {}:
        if name not in fields:
            told = f"it has: {', '.join(fields) or 'none'}"
            raise BadInput(f"{kind} has no field", where, name, told)


def _must_be_ms(act: str, ms: object) -> None:
    """A time that passes: whole milliseconds, and none that goes back.

    Raises:
        BadInput: it is none.
    """
    if type(ms) is not int:
        raise BadInput("time goes by in whole milliseconds, not in", f"session.{act}", ms)
    if ms < 0:
        raise BadInput("time cannot go back:", f"session.{act}", ms)


def go_on(kernel: Kernel, until_us: int | None = None) -> None:
    """Let things happen, until a time or until none is left; it is a run, and audited as one."""
    with inside():
        kernel.run(until_us)


def call(name: str, *given: Any, **named: Any) -> str:
    """A call as Python writes it, without what goes without saying.

    Raises:
        BadInput: a time in it is none, or it waits for what no event is.
    """
    if name == "wait_for":
        _must_be_told(given[0], named["where"])
    for time in TIMES:
        if named.get(time) is not None:
            _must_be_ms(name, named[time])
    return f"{name}({', '.join([*map(repr, given), *arguments(**named)])})"


def arguments(**named: Any) -> list[str]:
    """Those that are not the defaults of a session's methods."""
    return [
        f"{name}={value!r}"
        for name, value in named.items()
        if name not in DEFAULTS or value != DEFAULTS[name]
    ]


def staged(scenario: Scenario, *, spare: int, workload: bool) -> Scenario:
    """The scenario with its spare instances, and without its workload, unless it is wanted.

    Raises:
        BadInput: the workload is of several topics, which its consumers would not know of; or
            the spare instances are no number of them.
    """
    if type(spare) is not int or spare < 0:
        raise BadInput(f"must be a whole number from 0, not {spare!r}", "Session.spare")
    consumers = scenario.consumers
    changed: dict[str, Any] = {}
    if spare:
        changed["consumers"] = attrs.evolve(consumers, instances=consumers.instances + spare)
    if not workload and scenario.application is None:
        topics = scenario.workload.topics
        if len(topics) > 1:
            fix = "give workload=True, or an application of your own"
            raise BadInput(
                "a session without its workload knows no more than one topic:", "Session",
                ", ".join(topics), fix,
            )  # fmt: skip
        (topic,) = topics
        changed["workload"] = attrs.evolve(scenario.workload, topic=topic, events=0, items=())
    return attrs.evolve(scenario, **changed) if changed else scenario
