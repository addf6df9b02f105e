"""The account on PyPI's `eventsourcing`, its recorder in memory; needs `eventsourcing`.

Its events are serialised as JSON, as they always are; ours are kept as they are.
Run: `PYTHON eventsourcing_popo.py append|batch|replay EVENTS`.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

MEASURED = 3


class Account(Aggregate):
    """One balance."""

    def __init__(self) -> None:
        self.balance = 0

    @event("Credited")
    def credit(self, amount: int) -> None:
        """The one command."""
        self.balance += amount


def opened() -> Any:
    """An application whose recorder is a list in memory."""
    return Application(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})


def append(events: int) -> tuple[float, bool]:
    """Command after command, each saved."""
    bank, account = opened(), Account()
    bank.save(account)
    began = time.process_time()
    for _ in range(events):
        account.credit(1)
        bank.save(account)
    return time.process_time() - began, account.version == events + 1


def batch(events: int) -> tuple[float, bool]:
    """All commands, saved at once."""
    bank, account = opened(), Account()
    began = time.process_time()
    for _ in range(events):
        account.credit(1)
    bank.save(account)
    return time.process_time() - began, account.version == events + 1


def replay(events: int) -> tuple[float, bool]:
    """An account from its events."""
    bank, account = opened(), Account()
    for _ in range(events):
        account.credit(1)
    bank.save(account)
    began = time.process_time()
    copy = bank.repository.get(account.id)
    return time.process_time() - began, copy.balance == events


WORK: dict[str, Callable[[int], tuple[float, bool]]] = {
    "append": append,
    "batch": batch,
    "replay": replay,
}


def main() -> None:
    """Print the CPU seconds of an event, the fastest of a few turns, and whether all is there."""
    work, events = WORK[sys.argv[1]], int(sys.argv[2])
    work(events)  # It warms up.
    rows = []
    for _ in range(MEASURED):
        gc.collect()
        rows.append(work(events))
    took = min(seconds for seconds, _ in rows) / events
    print(json.dumps({"seconds": took, "complete": all(whole for _, whole in rows)}))


if __name__ == "__main__":
    main()
