"""The README's picture is what the code draws today, and shows what it is there to show."""

from xml.etree import ElementTree as ET

import pytest

from docs import pictures
from experiments import delivery_guarantees
from simulator import Zero, simulate, spacetime


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_is_what_the_code_draws(name):
    """If not: python docs/pictures.py."""
    drawn = pictures.PICTURES[name]()

    ET.fromstring(drawn)
    assert (pictures.HERE / name).read_text(encoding="utf-8") == drawn


@pytest.fixture(scope="module")
def runs():
    crash = delivery_guarantees.the_crash()
    return {
        guarantee.name: spacetime(
            simulate(delivery_guarantees.slow_scenario(guarantee, crash), Zero())
        )
        for guarantee in delivery_guarantees.DRAWN
    }


@pytest.mark.parametrize(
    ("guarantee", "said", "shown"),
    [
        ("at-most-once", "lost 1, applied twice 0", "lost"),
        ("at-least-once", "lost 0, applied twice 1", "duplicate"),
        ("exactly-once", "lost 0, applied twice 0", "deduplicated"),
    ],
)
def test_each_guarantee_shows_what_it_does_with_the_event_of_the_crash(
    runs, guarantee, said, shown
):
    run = runs[guarantee]

    assert delivery_guarantees.said(run) == said
    assert [row.event_ids for row in run.rows if row.kind == shown] == [("e1",)]


def test_the_crash_is_the_same_and_the_producer_does_the_same_under_all(runs):
    """So that what differs is what the guarantee makes of it."""
    faults = [
        [(row.lane, row.at_us, row.until_us) for row in run.rows if row.kind == "crash"]
        for run in runs.values()
    ]
    appends = [
        [(row.event_ids, row.at_us // 1_000) for row in run.rows if row.kind == "append"]
        for run in runs.values()
    ]

    assert faults[0] == faults[1] == faults[2] != []
    assert [ids for ids, _ in appends[0]] == [(f"e{n}",) for n in range(1, 7)]
    assert [ids for ids, _ in appends[1]] == [ids for ids, _ in appends[2]]
