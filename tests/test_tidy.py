"""What a reader may rely on in every file: it is short, it says what it is, and it is a function
of its input alone.

Rule 1: files under 400 lines, functions under 60, lines up to 100 columns.
Rule 2: every file opens with a docstring, every folder says its layout, no word is left undone.
Rule 3: what a run can reach asks no clock, no global chance, no address and no hash, and never
iterates over a set, whose order follows from the hashes of texts.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("simulator", "models", "experiments", "benchmarks", "tests", "docs")
FILES = sorted(
    [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    + list(ROOT.glob("*.py"))
)
# Tests may be long: a ledger of cases is read by the case.
SHORT = [path for path in FILES if "tests" not in path.relative_to(ROOT).parts]
RUN = [path for path in FILES if path.relative_to(ROOT).parts[0] in {"simulator", "models"}]
# These stand around a run, and may say how long it took by the wall clock.
AROUND = ("simulator/study", "simulator/report", "simulator/testing", "simulator/commands")
WORLD = [path for path in RUN if not str(path.relative_to(ROOT)).startswith(AROUND)]

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
CATALOGUE = "## A catalogue of current violations"
CLOCKS_AND_CHANCE = {"time", "random", "secrets", "uuid", "threading", "asyncio"}
ADDRESSES = {"hash", "id"}
SETTLED = {"sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset", "bool"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def excused() -> set[str]:
    """The files which CONTRIBUTING.md's catalogue names, with the reason, as too long."""
    _, _, catalogue = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(CATALOGUE)
    return set(re.findall(r"^- `([^`]+\.py)`", catalogue, re.MULTILINE))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("path", SHORT, ids=name)
def test_a_file_and_its_functions_are_short(path):
    """Or the file stands in the catalogue of violations, which holds no others."""
    lines = path.read_text(encoding="utf-8").splitlines()
    long = [
        f"{node.name}: {length} lines"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not long
    assert (len(lines) > LINES_MAX) == (name(path) in excused())


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_line_is_wider_than_a_page(path):
    wide = [
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > COLUMNS_MAX
    ]

    assert not wide


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_opens_by_saying_what_it_is(path):
    opening = ast.get_docstring(tree(path)) or ""

    assert len(opening.split()) >= 3, "a sentence that says what is true here"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_is_left_undone(path):
    """The words are taken apart here, so that this file may hold them."""
    words = "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "Not" + "ImplementedError"])
    left = re.findall(rf"\b(?:{words})\b", path.read_text(encoding="utf-8"))

    assert not left


@pytest.mark.parametrize("folder", ["simulator", "models", "experiments"])
def test_a_folder_of_code_says_its_layout(folder):
    """Each package below has an __init__ which names what stands in it."""
    for found in sorted({path.parent for path in (ROOT / folder).rglob("*.py")}):
        assert (found / "__init__.py").is_file(), f"{name(found)} has no __init__.py"


# --- Nothing undetermined --------------------------------------------------------------------


def leaks(module: ast.Module) -> Iterator[str]:
    """Where code asks for what differs from run to run."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.split(".")[0] in CLOCKS_AND_CHANCE:
                        yield f"line {node.lineno}: import {alias.name}"
            case ast.ImportFrom(module=str(source)) if source.split(".")[0] in CLOCKS_AND_CHANCE:
                yield f"line {node.lineno}: from {source} import"
            case ast.Attribute(value=ast.Name(id="os"), attr="urandom"):
                yield f"line {node.lineno}: os.urandom"
            case ast.Attribute(attr="now" | "utcnow" | "today", value=ast.Name(id=owner)) if (
                owner in {"datetime", "date"}
            ):
                yield f"line {node.lineno}: {owner}.{node.attr}"


def addresses(module: ast.Module) -> Iterator[str]:
    """Calls of hash() and id()."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in ADDRESSES:
                yield f"line {node.lineno}: {called}()"


def is_set(node: ast.AST, sets: set[str]) -> bool:
    """Whether an expression is a set as far as can be seen."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Name(id=known):
            return known in sets
        case ast.Attribute(attr=known):
            return f".{known}" in sets
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub(), right=right):
            return is_set(left, sets) or is_set(right, sets)
    return False


def names_of_sets(module: ast.Module) -> set[str]:
    """Names and `.attributes` that are annotated, or once assigned, as sets."""
    found = set()
    for node in ast.walk(module):
        match node:
            case ast.AnnAssign(target=target, annotation=annotation):
                if re.match(r"(frozen)?set\b", ast.unparse(annotation).strip("'\"")):
                    found.add(spoken(target))
            case ast.arg(arg=argument, annotation=ast.expr() as annotation):
                if re.match(r"(frozen)?set\b", ast.unparse(annotation).strip("'\"")):
                    found.add(argument)
            case ast.Assign(targets=[target], value=value) if is_set(value, set()):
                found.add(spoken(target))
    return found


def spoken(target: ast.AST) -> str:
    match target:
        case ast.Name(id=known):
            return known
        case ast.Attribute(attr=known):
            return f".{known}"
    return ""


def iterations(module: ast.Module) -> Iterator[str]:
    """Loops, comprehensions and conversions that take a set in its own order."""
    sets = names_of_sets(module)
    settled = {
        id(generator.iter)
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in SETTLED
        for argument in node.args
        if isinstance(argument, ast.GeneratorExp)
        for generator in argument.generators
    }
    for node in ast.walk(module):
        if isinstance(node, ast.SetComp):
            settled |= {id(generator.iter) for generator in node.generators}
        if isinstance(node, ast.Set):
            settled |= {id(one.value) for one in node.elts if isinstance(one, ast.Starred)}
    for node in ast.walk(module):
        match node:
            case ast.For(iter=looped) | ast.AsyncFor(iter=looped) | ast.comprehension(iter=looped):
                if is_set(looped, sets) and id(looped) not in settled:
                    yield f"line {looped.lineno}: iterates over {ast.unparse(looped)}"
            case ast.Call(func=ast.Name(id="list" | "tuple" | "iter" | "enumerate"), args=[first]):
                if is_set(first, sets):
                    yield f"line {node.lineno}: orders {ast.unparse(first)}"
            case ast.Starred(value=value) if is_set(value, sets) and id(value) not in settled:
                yield f"line {node.lineno}: unpacks {ast.unparse(value)}"
            case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[]):
                if is_set(value, sets):
                    yield f"line {node.lineno}: pops from {ast.unparse(value)}"


@pytest.mark.parametrize("path", WORLD, ids=name)
def test_a_run_asks_no_clock_and_no_global_chance(path):
    assert not list(leaks(tree(path)))


@pytest.mark.parametrize("path", RUN, ids=name)
def test_nothing_follows_from_an_address_or_a_hash(path):
    assert not list(addresses(tree(path)))


@pytest.mark.parametrize("path", RUN, ids=name)
def test_no_set_is_taken_in_its_own_order(path):
    assert not list(iterations(tree(path)))


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from random import choice",
        "import os\nos.urandom(3)",
        "datetime.now()",
    ],
)
def test_a_clock_or_chance_is_seen(code):
    """The rules above would hold for the wrong reason if they saw nothing."""
    assert list(leaks(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "for x in {1, 2}: pass",
        "waiting = set()\nfor x in waiting: pass",
        "def f(waiting: set[str]):\n    return [x for x in waiting]",
        "class A:\n    def f(self):\n        self.w = set()\n        return list(self.w)",
        "a = frozenset('b')\nprint(*a)",
        "one = set()\nfor x in one | two: pass",
        "one = set()\none.pop()",
    ],
)
def test_a_set_in_its_own_order_is_seen(code):
    assert list(iterations(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "one = set()\nfor x in sorted(one): pass",
        "one = set()\nany(x > 1 for x in one)",
        "one = set()\ntwo = {x + 1 for x in one}",
        "one = set()\nsorted({*one, 2})",
        "one = {}\nfor x in one: pass",
        "queue = []\nqueue.pop()",
    ],
)
def test_a_settled_order_is_let_pass(code):
    assert not list(iterations(ast.parse(code)))
