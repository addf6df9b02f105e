"""The documentation says what is so: its generated pages are current, its links lead somewhere.

Its examples are run one by one where they stand: conftest.py collects them.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import generate

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_generated_page_is_what_the_code_says(page):
    """If not: python docs/generate.py."""
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generate.PAGES[page]()


def test_a_page_that_there_is_not_is_refused_before_any_is_written(monkeypatch):
    """In one line, with the pages that there are."""
    written = []
    monkeypatch.setitem(generate.PAGES, "settings.md", lambda: written.append("settings.md"))
    monkeypatch.setattr(sys, "argv", ["generate.py", "settings.md", "setings.md"])

    with pytest.raises(SystemExit) as refused:
        generate.main()

    said = "generate.py: there is no page 'setings.md' (known: not_modelled.md, reference.md, "
    assert str(refused.value).startswith(said)
    assert not written


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_link_leads_to_a_file(path):
    broken = [
        target
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]

    assert not broken


def test_the_readme_names_commands_that_there_are():
    """Each `python3 dev.py ...` and each `simulator ...` in it is understood."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    known = subprocess.run(
        [sys.executable, "dev.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    commands = set(re.findall(r"python3 dev\.py (\w+)", text))
    assert {"demo", "test"} <= commands
    assert all(re.search(rf"\b{command}\b", known) for command in commands)


def test_the_readme_shows_what_its_script_prints(capsys):
    """The first script, and the text below it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    script = text.split("```python\n")[1].split("```")[0]
    shown = text.partition(script)[2].split("```text\n")[1].split("```")[0]

    exec(compile(script, "README.md", "exec"), {})

    assert capsys.readouterr().out == shown
