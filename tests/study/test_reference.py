"""A place is loaded once, by file or by module, and a wrong one is refused by name."""

import pytest

from simulator.errors import BadInput
from simulator.study.reference import Reference, load, load_module


def test_a_name_is_found_in_a_module_or_in_a_file(tmp_path):
    path = tmp_path / "question.py"
    path.write_text("ANSWER = [42]\n\ndef build(by):\n    return [by]\n", encoding="utf-8")

    assert load(Reference("tests.study.fake", "EVENTS")) == 10
    found = load(Reference(str(path), "ANSWER"))
    assert found == [42]
    assert load(Reference(str(path), "ANSWER")) is found
    assert load(Reference(str(path), "build", (("by", 3),))) == [3]


def test_files_of_one_stem_are_two_modules(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text(f"WHICH = {name!r}\n", encoding="utf-8")

    assert load(Reference(str(tmp_path / "one" / "same.py"), "WHICH")) == "one"
    assert load(Reference(str(tmp_path / "two" / "same.py"), "WHICH")) == "two"


@pytest.mark.parametrize(
    ("place", "name", "shown"),
    [
        ("nowhere/at_all.py", "X", "no such file: 'nowhere/at_all.py'"),
        ("no_such_module_here", "X", "no such module: 'no_such_module_here'"),
        ("tests.study.nothing", "X", "no such module: 'tests.study.nothing'"),
        ("tests.study.fake", "NOPE", "tests.study.fake: it has no 'NOPE'"),
    ],
)
def test_what_is_not_there_is_refused_by_name(place, name, shown):
    with pytest.raises(BadInput, match=shown):
        load(Reference(place, name))


def test_a_file_that_fails_to_load_says_why_each_time(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import no_such_thing_at_all\n", encoding="utf-8")

    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_thing_at_all"):
            load_module(str(path))
