"""Telemetry: devices tell readings that may get lost, and alarms that may not.

    readings > aggregator > how many of each device in each second, and those that came too late
    alarms   > pager

1. A reading is sent once, and nobody waits for an answer (acks=0): the next one comes soon. An
   alarm is sent until it is acknowledged, and noted with its effect, so that it rings once.
2. A reading belongs to the second in which it was taken, not to that in which it arrived: wires
   delay, and a device that was out of reach tells later what it has seen.
3. A second is closed when a reading has come that was taken `LATENESS_MS` after its end (a
   watermark, for each device). What comes then is late: it is counted apart, for whoever has been
   told a closed second's count relies on it.
4. A reading that comes again (a device that sends its buffer once more) counts once.

Twins of 1 (`ALARMS_ONCE`), 2 (`by_arrival`), 3 (`reopening`) and 4 (`counting_all`).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from models.patterns.sagas.order_saga import BROKER, PRODUCER, serving
from simulator import (
    Add,
    Cluster,
    Consumers,
    Get,
    Insert,
    Scenario,
    UniqueViolation,
    Upsert,
    WorkItem,
)  # fmt: skip

READINGS, ALARMS, STORE = "readings", "alarms", "telemetry-store"
WINDOW_MS, LATENESS_MS = 1_000, 500
ONCE = {"acks": "0", "enable.idempotence": False, "retries": 0, "linger.ms": 0}
ALARMS_ACKNOWLEDGED, ALARMS_ONCE = PRODUCER, ONCE


def reading(device: str, at_ms: int, sent_ms: int | None = None) -> WorkItem:
    """What a device has measured at a time, sent then or later: `lift@1200`."""
    value = json.dumps({"device": device, "at_ms": at_ms}, sort_keys=True)
    sent_us = (at_ms if sent_ms is None else sent_ms) * 1_000
    return WorkItem(sent_us, READINGS, device, value, f"{device}@{at_ms}")


def alarm(device: str, at_ms: int) -> WorkItem:
    """Something that somebody must come and see."""
    value = json.dumps({"device": device, "at_ms": at_ms}, sort_keys=True)
    return WorkItem(at_ms * 1_000, ALARMS, device, value, f"{device}!{at_ms}")


def fleet(devices: int, until_ms: int, every_ms: int = 250, hot: int = 1) -> list[WorkItem]:
    """The readings of so many devices; the first measures `hot` times as often as the others."""
    items = []
    for number in range(devices):
        step_ms = every_ms // (hot if number == 0 else 1)
        times = range(number, until_ms, step_ms)
        items += [reading(f"device-{number}", at_ms) for at_ms in times]
    return sorted(items, key=lambda item: item.at_us)


# --- Which second a reading counts in ------------------------------------------------------------


def by_event(at_ms: int, _: int) -> int:
    """When it was taken."""
    return at_ms


def by_arrival(_: int, now_ms: int) -> int:
    """Twin: when it came."""
    return now_ms


def apart(_: tuple[str, int], device: str) -> Add:
    """What is late is counted, but not where others have been told a count."""
    return Add("late", device, 1)


def reopening(window: tuple[str, int], _: str) -> Add:
    """Twin: what is late is added to the second in which it was taken."""
    return Add("window", window, 1)


def counting_once(event_id: str) -> tuple[Any, ...]:
    """A reading is noted with its count."""
    return (Insert("seen", event_id, effect=False),)


def counting_all(_: str) -> tuple[Any, ...]:
    """Twin: each time that it comes."""
    return ()


@attrs.frozen
class Counting:
    """How readings are counted; the defaults are right."""

    time: Callable[[int, int], int] = by_event
    late: Callable[[tuple[str, int], str], Add] = apart
    notes: Callable[[str], tuple[Any, ...]] = counting_once


def aggregator(counting: Counting) -> Any:
    """A factory of handlers of readings."""

    def factory(context: Any) -> Any:
        store = context.store(STORE)

        def handle(record: Any) -> Any:
            told = json.loads(record.value)
            device = told["device"]
            at_ms = counting.time(told["at_ms"], context.node.now_us // 1_000)
            newest_ms, still_open = yield store.transact(
                Get("newest", device), Get("open", device)
            )
            newest_ms, still_open = max(newest_ms or 0, at_ms), still_open or ()
            start = at_ms - at_ms % WINDOW_MS
            closed = [one for one in still_open if _over(one, newest_ms)]
            late = _over(start, newest_ms)
            add = counting.late if late else _in_time
            left = tuple(one for one in still_open if one not in closed)
            if not late and start not in left:
                left += (start,)
            try:
                yield store.transact(
                    *counting.notes(record.event_id),
                    add((device, start), device),
                    Upsert("newest", device, newest_ms, effect=False),
                    Upsert("open", device, left, effect=False),
                    *(Insert("closed", (device, one)) for one in closed),
                )
            except UniqueViolation:
                return

        return handle

    return factory


def _over(start: int, newest_ms: int) -> bool:
    return start + WINDOW_MS + LATENESS_MS <= newest_ms


def _in_time(window: tuple[str, int], _: str) -> Add:
    return Add("window", window, 1)


def pager(context: Any) -> Any:
    """A factory of handlers of alarms: each rings once."""
    store = context.store(STORE)

    def handle(record: Any) -> Any:
        mark = Insert("rung", record.event_id, effect=False)
        try:
            yield store.transact(mark, Add("alarms", record.key, 1))
        except UniqueViolation:
            return

    return handle


def telemetry_scenario(
    items: Sequence[WorkItem],
    counting: Counting = Counting(),
    alarms: Any = ALARMS_ACKNOWLEDGED,
    partitions: int = 1,
    **more: Any,
) -> Scenario:
    """The system: what the devices send, who adds it up, and who is paged."""

    def deploy(cluster: Cluster) -> None:
        cluster.topic(READINGS, partitions)
        cluster.topic(ALARMS)
        cluster.store(STORE)
        for name, topic, settings in (("devices", READINGS, ONCE), ("buttons", ALARMS, alarms)):
            cluster.source(name, [item for item in items if item.topic == topic], settings)
        cluster.group("aggregator", 1, aggregator(counting), serving((READINGS,)))
        cluster.group("pager", 1, pager, serving((ALARMS,)))

    return Scenario(
        name="telemetry", broker=BROKER, consumers=Consumers(instances=0), application=deploy,
        **more,
    )  # fmt: skip
