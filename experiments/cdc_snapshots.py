"""How can a snapshot be taken while the database is written to, and the stream goes on?

A snapshot's rows and the log must meet at one point: what is read must be what the log led to
until there. Asked in memiiso/debezium-server-iceberg#544 and #126 (rows that were read overwrite
newer ones), MaterializeInc/materialize#14211 (a snapshot in the midst of the stream tells rows
again) and debezium/debezium#6498 (rows written during the snapshot are told twice).

initial      the place in the log and the view that is read belong together
... later    the place first, the view when the reading begins
... earlier  rows are read first, and then the place in the log is taken
incremental  by chunks, while the stream goes on, each in a window between two watermarks
... no window  rows that the stream has shown meanwhile are told all the same
blocking     the stream waits, tables are read as they are, and the stream goes on where it stood

Predict before you run it: which of them leaves rows wrong for good, which only shows old rows for
a while, and which tells rows more than once?
"""

from collections.abc import Mapping
from typing import Any

from experiments._capture import BACK, WRONG, converges, judged_by, never_back
from experiments._shared import plotted
from models.patterns.capture.cdc_shop import CONNECTOR, SHOP, captured, put, signal, work
from simulator import Capture, Delete, Experiment, Link, Scenario, number, uniform

ROWS, CHANGES, EVERY_US = 24, 48, 25_000
SNAPSHOTS: Mapping[str, tuple[Capture, str]] = {
    "initial": (Capture(), ""),
    "initial, view later": (Capture(snapshot="position_first"), ""),
    "initial, rows earlier": (Capture(snapshot="select_first"), ""),
    "incremental": (Capture(), "incremental"),
    "incremental, no window": (Capture(window=False), "incremental"),
    "blocking": (Capture(), "blocking"),
}
SLOW = uniform(40_000, 80_000)
FAR = (Link(CONNECTOR, SHOP, SLOW), Link(SHOP, CONNECTOR, SLOW))


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Rows are written, and some deleted, all the while in which the snapshot is made."""
    capture, asked = factors["snapshot"]
    changes = []
    for step in range(CHANGES):
        key = f"o-{(step // 3 * 5 + seed) % ROWS}"  # Thrice, in short succession.
        changes.append(Delete("orders", key) if step % 6 == 5 else put(key, step))
    from_us = 900_000 if asked else 60_000
    asks = work((signal(("orders",), asked),), from_us=1_000_000) if asked else ()
    return captured(
        (*work(*changes, every_us=EVERY_US, from_us=from_us), *asks),
        before=tuple(put(f"o-{row}", -1) for row in range(ROWS)), links=FAR, capture=capture,
        settings={
            "snapshot.mode": "no_data" if asked == "incremental" else "initial",
            "incremental.snapshot.chunk.size": 12,
        },
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What is read before its place, or told without a window, is wrong for good.

    What is read behind its place is followed by what led to it: it goes back, and forth again.
    """
    capture, asked = factors["snapshot"]
    wrong = capture.snapshot == "select_first" or not capture.window
    back = capture.snapshot == "position_first" or not capture.window or asked == "blocking"
    return {
        "copy_converges": "broken" if wrong else "kept",
        "copy_never_goes_back": "broken" if back else "kept",
    }


EXPERIMENT = Experiment(
    name="cdc_snapshots",
    question="How can a snapshot be taken while the database is written to?",
    scenario=scenario,
    factors={"snapshot": SNAPSHOTS},
    measures={"rows wrong": WRONG, "rows go back": BACK, "told": number(lambda run: run.told)},
    checks=(converges, never_back),
    promises=expected,
    runs=20,
    baseline={"snapshot": "initial"},
    gather=judged_by(converges, never_back),
)

illustrate = plotted
