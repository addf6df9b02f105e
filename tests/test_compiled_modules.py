"""What may be compiled, and that a wheel is pure unless somebody asks: see hatch_build.py."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"][
    "build"
]["targets"]["wheel"]
HOOK = WHEEL["hooks"]["custom"]


def tree_of(name):
    return ast.parse((ROOT / "simulator" / f"{name}.py").read_text(encoding="utf-8"))


def classes_of(name):
    return [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.ClassDef)]


def test_nothing_is_compiled_unless_somebody_asks():
    assert HOOK["enable-by-default"] is False


def test_modules_stand_in_order_and_once():
    assert HOOK["modules"] == sorted(set(HOOK["modules"]))


@pytest.mark.parametrize("name", HOOK["modules"])
def test_no_class_that_is_compiled_is_replaced_by_a_decorator(name):
    """Attrs makes another class of the one that it is given; mypyc goes on with the first."""
    assert not [one.name for one in classes_of(name) if one.decorator_list]


@pytest.mark.parametrize("name", HOOK["modules"])
def test_no_table_of_methods_stands_in_a_class_that_is_compiled(name):
    """Mypyc looks for the names of a class's body in its module."""
    for one in classes_of(name):
        methods = {node.name for node in one.body if isinstance(node, ast.FunctionDef)}
        values = [
            node.value for node in one.body if isinstance(node, (ast.Assign, ast.AnnAssign))
        ]
        named = {
            node.id
            for value in values
            if value is not None
            for node in ast.walk(value)
            if isinstance(node, ast.Name)
        }
        assert not named & methods, one.name
