"""Every example in the documentation is run: README.md, docs/*.md, and docstrings.

A Markdown block marked `python` is executed as it stands, one namespace a file; and each test
function that a block defines is called, so that a property shown is a property that holds. A
block may use what those above it define: they are run before it, in whatever order tests are run.
"""

from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

RUN = PythonEvaluator()


DONE = "blocks that were executed"  # No name that a block could use.


def evaluate(example: Example) -> None:
    """Execute the blocks above it and the block, and the tests that each defines: each once."""
    for one in example.document.examples():
        same_kind = one.region.evaluator == example.region.evaluator
        if same_kind and one.region.start <= example.region.start:
            once(one)


def once(example: Example) -> None:
    """Execute a block unless it was, because one below it needed it; it may change what it uses."""
    done = example.namespace.setdefault(DONE, set())
    if example.region.start in done:
        return
    before = dict(example.namespace)
    RUN(example)
    for name, value in sorted(example.namespace.items()):
        if name.startswith("test_") and before.get(name) is not value:
            value()
    done.add(example.region.start)


markdown = Sybil(
    parsers=[CodeBlockParser("python", evaluate), SkipParser()],
    patterns=["README.md", "docs/*.md"],
)
docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["simulator/**/*.py", "simulator/*.py"],
    document_types={".py": PythonDocStringDocument},
)
pytest_collect_file = (markdown + docstrings).pytest()
