"""Traffic lights of a city: each crossing reacts to cars and pedestrians, and knows of no other.

    street > controller of a crossing > a lane of commands for each of its signal heads > lights

A car comes, or a pedestrian presses: the controller wants that side green. Its signal heads are
elsewhere, and the network between loses, delays and repeats. What a controller decides, and how it
keeps two sides from being green together, stands in `crossing`.

Twin: `heads(fenced=False)` does all that it is told, also what is older than what it has done.
"""

import json
from collections.abc import Sequence
from typing import Any

import attrs

from models.patterns.sagas.order_saga import BROKER, PRODUCER, serving
from models.systems.crossing import RED, Control, Way, acknowledged
from simulator import (
    Cluster,
    Consumers,
    Get,
    Insert,
    Scenario,
    UniqueViolation,
    Upsert,
    WorkItem,
)  # fmt: skip

STORE = "control-store"
SIDES = ("north", "east", "walk")


def controller(way: Way) -> Any:
    """A factory of handlers of a crossing's events; what is decided is noted, and then told.

    Whoever comes upon the note again, after a crash, tells the same again.
    """

    def factory(context: Any) -> Any:
        store = context.store(STORE)

        def handle(record: Any) -> Any:
            event = json.loads(record.value)
            crossing = event["crossing"]
            noted, control = yield store.transact(
                Get("told", record.event_id), Get("control", crossing)
            )
            if noted is None:
                after, noted = way(control or Control(), event, context.node.now_us)
                try:
                    yield store.transact(
                        Insert("told", record.event_id, noted, effect=False),
                        Upsert("control", crossing, after, effect=False),
                    )
                except UniqueViolation:
                    return  # Another instance has it by now.
            for told in noted:
                value = json.dumps({"crossing": crossing, **attrs.asdict(told)}, sort_keys=True)
                lane, name = f"{crossing}-{told.side}", f"{crossing}/{told.number}"
                yield context.send(lane, value, told.side, event_id=name)

        return handle

    return factory


def heads(*, fenced: bool = True) -> Any:
    """A factory of handlers of one signal head's commands.

    fenced: whether it does nothing that is older than what it has done.
    """

    def factory(context: Any) -> Any:
        store = context.store("lamps")

        def handle(record: Any) -> Any:
            told = json.loads(record.value)
            lamp, until_us = f"{told['crossing']}-{told['side']}", told["until_us"]
            if told["from_us"] > context.node.now_us:
                yield context.sleep(told["from_us"] - context.node.now_us)
            if not until_us or until_us > context.node.now_us:
                newer = (lambda old: old[2] < told["number"]) if fenced else None
                shows = told["colour"], until_us, told["number"]
                yield store.transact(Upsert("shows", lamp, shows, newer))
            said = {name: told[name] for name in ("crossing", "side", "number")}
            if told["colour"] == RED:
                value = json.dumps({**said, "shown": RED}, sort_keys=True)
                back, name = f"{told['crossing']}-lights", f"{record.event_id}/shown"
                yield context.send(back, value, lamp, event_id=name)

        return handle

    return factory


def comes(at_ms: int, crossing: int, side: str) -> WorkItem:
    """A car from a side, or a pedestrian who presses (`walk`)."""
    value = json.dumps({"crossing": f"crossing-{crossing}", "side": side}, sort_keys=True)
    name = f"c{crossing}-{side}-{at_ms}"
    return WorkItem(at_ms * 1_000, f"crossing-{crossing}-street", side, value, name)


def city_scenario(
    arrivals: Sequence[WorkItem],
    way: Way = acknowledged,
    head: Any = None,
    crossings: int = 1,
    sides: Sequence[str] = SIDES,
    **more: Any,
) -> Scenario:
    """A city: each crossing has its street, its controller and its signal heads, and no more."""

    def deploy(cluster: Cluster) -> None:
        cluster.store(STORE)
        cluster.store("lamps")
        for name in [f"crossing-{number}" for number in range(crossings)]:
            street, lights = cluster.topic(f"{name}-street"), cluster.topic(f"{name}-lights")
            cluster.group(name, 1, controller(way), serving((street, lights)))
            for side in sides:
                lane = cluster.topic(f"{name}-{side}")
                cluster.group(lane, 1, head or heads(), serving((lane,)))
        cluster.source("sensors", arrivals, PRODUCER)

    return Scenario(
        name="a city's traffic lights", broker=BROKER, consumers=Consumers(instances=0),
        application=deploy, **more,
    )  # fmt: skip
