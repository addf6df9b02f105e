"""The guide "Test your own consumer" shows what its examples print."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent.parent / "docs" / "test_your_consumer.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_guide_shows_what_is_printed(capsys):
    """Each text is what the blocks of Python above it have printed since the last one."""
    namespace, shown = {}, []
    for kind, code in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(code, GUIDE.name, "exec"), namespace)
        elif kind == "text":
            printed = capsys.readouterr().out
            assert printed == code
            shown.append(printed)

    assert len(shown) == 2


def test_the_guides_report_is_what_the_plugin_writes():
    """Its four words, in their order."""
    blocks = [code for kind, code in BLOCK.findall(GUIDE.read_text(encoding="utf-8")) if not kind]
    words = [line.partition(":")[0] for line in blocks[0].splitlines()]

    assert words == ["witness", "replay", "trace", "picture"]


@pytest.mark.parametrize("word", ["events", "store", "state", "effects", "crash"])
def test_the_guide_names_each_argument(word):
    assert f"`{word}`" in GUIDE.read_text(encoding="utf-8")
