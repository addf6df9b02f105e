"""What is kept is believed only if it is whole, and of this very product and row."""

import json

import pytest

from simulator import EXACTLY_ONCE
from simulator.chance.scope import Scope
from simulator.matrix import keeping
from simulator.matrix.columns import COLUMNS
from simulator.matrix.scenarios import one_by_one, small
from simulator.matrix.values import Level, Row

COLUMN = COLUMNS["lost"]
ROW = Row(
    "tiny",
    {"commit": "after"},
    (Level(1, small(EXACTLY_ONCE, one_by_one(1))),),
    Scope("crash@billing-*/*", {"crash": 1}, opens="record_sent"),
)


@pytest.fixture
def reckoned(monkeypatch):
    """How often a row was reckoned."""
    calls, fill = [], keeping.fill
    monkeypatch.setattr(keeping, "fill", lambda *given: calls.append(1) or fill(*given))
    return calls


def test_what_is_kept_is_not_reckoned_again(tmp_path, reckoned):
    first = keeping.cells_of(ROW, [COLUMN], tmp_path)
    second = keeping.cells_of(ROW, [COLUMN], tmp_path)

    assert first == second
    assert len(reckoned) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.json"]


def test_fresh_cells_are_reckoned_whatever_is_kept(tmp_path, reckoned):
    keeping.cells_of(ROW, [COLUMN], tmp_path)
    keeping.cells_of(ROW, [COLUMN], tmp_path, fresh=True)
    keeping.cells_of(ROW, [COLUMN], None)

    assert len(reckoned) == 3


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"reached": ', '"reached": 1'),
        lambda text: text.replace("simulator-matrix/1", "simulator-matrix/0"),
        lambda text: json.dumps({**json.loads(text), "cells": [{}]}),
    ],
)
def test_a_file_that_was_cut_or_changed_is_no_file(tmp_path, reckoned, harm):
    first = keeping.cells_of(ROW, [COLUMN], tmp_path)
    path = tmp_path / "tiny.json"
    path.write_text(harm(path.read_text()))

    assert keeping.cells_of(ROW, [COLUMN], tmp_path) == first
    assert len(reckoned) == 2


def test_another_product_or_row_has_another_key(monkeypatch):
    import attrs

    key = keeping.key_of(ROW, [COLUMN])
    others = [
        keeping.key_of(attrs.evolve(ROW, given="something"), [COLUMN]),
        keeping.key_of(attrs.evolve(ROW, scope=Scope("crash@*")), [COLUMN]),
        keeping.key_of(ROW, [COLUMN, COLUMNS["stuck"]]),
        keeping.key_of(
            attrs.evolve(ROW, levels=(Level(1, small(EXACTLY_ONCE, one_by_one(2))),)), [COLUMN]
        ),
    ]
    monkeypatch.setattr(keeping, "source_digest", lambda: "of another text")
    others.append(keeping.key_of(ROW, [COLUMN]))

    assert key not in others
    assert len(set(others)) == len(others)


def test_the_digest_of_the_source_is_of_all_of_it():
    assert keeping.source_digest() == keeping.source_digest()
    assert len(keeping.source_digest()) == 64
