"""The crash scenario on happysim's event log and consumer group; needs Python 3.13 and happysim.

Its group does not notice that a member is gone, so the one that is to die leaves. Each hop and
each append takes the library's own constant times. Run: `PYTHON happysim_group.py RUNS`.
"""

import gc
import json
import logging
import sys
import time
from typing import Any

from happysimulator import Entity, Event, Instant, Simulation
from happysimulator.components.streaming.consumer_group import ConsumerGroup
from happysimulator.components.streaming.event_log import EventLog

MESSAGES, KEYS, PARTITIONS, DIES_AT, POLLED, IDLE_POLLS = 50, 10, 3, 8, 10, 20
IDLE_S = 0.05


class Sender(Entity):
    """It appends all messages, one after the other."""

    def __init__(self, log: Any) -> None:
        super().__init__("producer")
        self.log = log

    def handle_event(self, _: Any) -> Any:
        """Send."""
        for number in range(MESSAGES):
            yield from self.log.append(f"k{number % KEYS}", f"m{number}")


class Reader(Entity):
    """It polls, handles, and commits each record; it leaves with one handled and not committed."""

    def __init__(self, name: str, group: Any, handled: list[str], dies_at: int = 0) -> None:
        super().__init__(name)
        self.group, self.handled, self.dies_at = group, handled, dies_at

    def handle_event(self, _: Any) -> Any:
        """Live until nothing has come for a while."""
        group, done, idle = self.group, 0, 0
        yield from group.join(self.name, self)
        while idle < IDLE_POLLS:
            records = yield from group.poll(self.name, POLLED)
            if not records:
                idle += 1
                yield IDLE_S
                continue
            idle = 0
            for record in records:
                self.handled.append(record.value)
                done += 1
                if done == self.dies_at:
                    yield from group.leave(self.name)
                    return
                yield from group.commit(self.name, {record.partition: record.offset + 1})


def once() -> int:
    """One run; how many different messages were handled."""
    log = EventLog("log", num_partitions=PARTITIONS)
    group = ConsumerGroup("group", log)
    handled: list[str] = []
    actors = [
        Sender(log), Reader("reader-0", group, handled, DIES_AT), Reader("reader-1", group, handled)
    ]  # fmt: skip
    world = Simulation(end_time=Instant.from_seconds(1e6), entities=[log, group, *actors])
    for actor in actors:
        world.schedule(Event(time=Instant.from_seconds(0.0), event_type="go", target=actor))
    world.run()
    return len(set(handled))


def main() -> None:
    """Print the CPU seconds of a run, and whether all was handled."""
    logging.disable(logging.CRITICAL)  # It tells much, and that would be counted too.
    runs = int(sys.argv[1])
    complete = once() == MESSAGES  # It warms up, too.
    gc.collect()
    began = time.process_time()
    for _ in range(runs):
        once()
    took = (time.process_time() - began) / runs
    print(json.dumps({"seconds": took, "complete": complete, "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
