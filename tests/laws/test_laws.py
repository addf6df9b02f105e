"""Each law of the catalogue is kept by its right variants and broken by its twins.

The laws stand in this folder's tables, one a family. `-s` prints what each came to: how often its
situation was reached, and the smallest run, or case, that breaks a twin.
"""

from pathlib import Path

import pytest

from tests.laws.catalogue import LAWS, SIZES, UNTOLD
from tests.laws.law import breaks, keeps
from tests.laws.page import told

RIGHT = [(law, variant) for law in LAWS for variant in law.right]
PAGE = (Path(__file__).parents[2] / "docs" / "laws.md").read_text(encoding="utf-8")
TWINS = [(law, variant) for law in LAWS for variant in law.twins]


def _section(law):
    """Its part of the page."""
    return PAGE.partition(f"\n### {law.name}\n")[2].partition("\n### ")[0]


def _id(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize(("law", "variant"), RIGHT, ids=_id)
def test_a_right_variant_keeps_its_law(law, variant):
    outcome = keeps(law, variant)
    print(outcome)
    assert told(law, outcome) in _section(law), "docs/generate.py laws.md writes the page"


@pytest.mark.parametrize(("law", "variant"), TWINS, ids=_id)
def test_a_twin_breaks_its_law(law, variant):
    outcome = breaks(law, variant)
    print(outcome)
    assert told(law, outcome) in _section(law), "docs/generate.py laws.md writes the page"


def test_every_law_has_what_keeps_it_and_what_breaks_it():
    for law in LAWS:
        assert (law.right and law.twins) or law.aside, law.name


def test_every_law_stands_once():
    names = [law.name for law in LAWS]

    assert len(set(names)) == len(names)


def test_every_law_of_the_catalogue_is_told_or_has_its_reason():
    names = {law.name for law in LAWS}
    for letter, many in SIZES.items():
        for number in range(1, many + 1):
            name = f"{letter}{number:02}"
            assert (name in names) != (name in UNTOLD), name

    assert len(UNTOLD) < 8
