"""docs/replication.md's table says what survives what, as runs say it today."""

from pathlib import Path

import pytest

from tests.promised_replication import WEAKER
from tests.surviving import CONFIGURATIONS, fate, table

PAGE = Path(__file__).parent.parent / "docs" / "replication.md"


def test_the_page_shows_what_the_runs_say():
    """If not: python -m tests.surviving prints what belongs there."""
    assert "\n\n" + table() + "\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda one: one.what)
def test_every_way_to_promise_less_has_its_column_and_loses_there(weaker):
    column = next(one for one in CONFIGURATIONS.values() if one == weaker.scenario)

    assert fate(column, weaker.faults) == "**lost**"


def test_nothing_is_lost_where_nothing_goes_wrong():
    """So what a column loses, it loses to the row's faults."""
    assert {fate(scenario, ()) for scenario in CONFIGURATIONS.values()} == {"kept"}
