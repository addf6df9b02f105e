"""The public face: what a model, an experiment or a user's script imports from `simulator`."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import simulator

ROOT = Path(__file__).parent.parent
FACE = ast.parse((ROOT / "simulator" / "__init__.py").read_text(encoding="utf-8"))
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def for_type_checkers() -> dict[str, str]:
    """The names under TYPE_CHECKING, with their homes."""
    (guard,) = [
        node
        for node in FACE.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.name: str(node.module)
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def test_type_checkers_see_what_runs():
    assert for_type_checkers() == simulator._HOME_OF


def test_each_name_has_one_home():
    listed = [name for names in simulator._HOMES.values() for name in names]

    assert sorted(listed) == sorted(set(listed))


@pytest.mark.parametrize("name", simulator.__all__)
def test_a_public_name_is_there_and_is_explained(name):
    """By its docstring, and by a line of the reference."""
    value = getattr(simulator, name)
    kind = type(value)

    explained = inspect.getdoc(value) if inspect.isroutine(value) or inspect.isclass(value) else (
        inspect.getdoc(kind)
    )
    assert explained
    assert re.search(rf"`{re.escape(name)}[`(]", REFERENCE), "docs/reference.md does not name it"


@pytest.mark.parametrize("name", simulator.__all__)
def test_a_class_or_function_is_exported_from_the_module_that_defines_it(name):
    value = getattr(simulator, name)
    home = simulator._HOME_OF[name]

    # Another name for a class, such as `constant` for a law, lives where it is given.
    if getattr(value, "__name__", "") == name:
        assert value.__module__ == home
    assert getattr(importlib.import_module(home), name) is value


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'simulator' has no attribute 'Nothing'"):
        simulator.Nothing  # noqa: B018


def test_the_names_are_listed_before_they_are_loaded():
    assert set(simulator.__all__) <= set(dir(simulator))
