"""Which row of an outbox is the next, if numbers are handed out before the commit?

A sequence gives a transaction its number when the row is inserted, not when it is committed. So a
row with a smaller number may appear after a relay has read a larger one. "The outbox loses
messages because sequence ids are reserved before commit", asked in kamu-data/kamu-cli#1398; and
"is ORDER BY transaction_id, id the right order?", in eugene-khyst/postgresql-event-sourcing#16.

Four services write events of the same orders, and think for up to 45 ms in a transaction. They
lock the order's row first, or just insert. In half of the cells one transaction stays open for a
second. The relay reads by a cursor on numbers; by a cursor on (transaction, number); by the same,
but only transactions older than any in flight (pg_snapshot_xmin); or all rows without a mark.

Predict before you run it: which of the four lose? Of those that do not, which tell an order's
events as they were committed, with the lock and without it? And what does the open transaction do
to everybody else's events?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import (
    LOST,
    OUT_OF_ORDER,
    TOPOLOGY,
    UNTIL_TOLD,
    Telling,
    load,
    outbox_with,
)
from experiments._shared import plotted
from models.patterns.outboxes.outbox import change, insert_only
from models.patterns.outboxes.outbox_checks import commit_order, no_loss
from models.patterns.outboxes.outbox_running import outbox_scenario
from models.patterns.outboxes.relay_rows import (
    after_cursor,
    below_watermark,
    by_transaction,
    move_cursor,
)
from models.patterns.outboxes.relays import Relay
from simulator import Experiment, Scenario


@attrs.frozen
class Reads:
    """What the relay takes for the next rows."""

    name: str
    relay: Relay


UNSENT = Reads("no mark", Relay(poll_ms=50))
NUMBER = Reads("number > last", Relay(after_cursor, done=move_cursor, poll_ms=50))
PAIR = Reads("(xid, number) > last", Relay(by_transaction, done=move_cursor, poll_ms=50))
SAFE = Reads("... and xid < xmin", Relay(below_watermark, done=move_cursor, poll_ms=50))
WRITERS = {"lock the order": change, "insert only": insert_only}
REQUESTS = 60


def _thinks_us(number: int, open_us: int) -> int:
    return open_us if open_us and number == 9 else number * 37 % 10 * 5_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Four services, three orders, a request every eight milliseconds."""
    open_us = factors["open"]
    requests = load(
        4, REQUESTS, orders=3, every_us=8_000, thinks_us=lambda one: _thinks_us(one, open_us)
    )
    relays = (factors["reads"].relay,)
    return outbox_scenario(requests, outbox_with(factors["writers"]), relays, topology=TOPOLOGY)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A cursor loses unless it waits; only writers who wait for each other are told in order."""
    reads, locks = factors["reads"], factors["writers"] is change
    return {
        "no_loss": "broken" if reads in (NUMBER, PAIR) else "kept",
        "commit_order": "kept" if locks else "broken",
    }


EXPERIMENT = Experiment(
    name="outbox_order",
    question="Which row of an outbox is the next, if numbers are handed out before the commit?",
    scenario=scenario,
    factors={
        "reads": (NUMBER, PAIR, SAFE, UNSENT),
        "writers": WRITERS,
        "open": {"50 ms": 0, "1 s": 1_000_000},
    },
    measures={"lost": LOST, "out of order": OUT_OF_ORDER, "until told": UNTIL_TOLD},
    checks={"no_loss": no_loss, "commit_order": commit_order},
    promises=expected,
    runs=10,
    baseline={"reads": SAFE.name},
    gather=Telling,
)

illustrate = plotted
