"""`check` reads traces of our own and anybody's histories, and its exit code is the verdict."""

import gzip
import json

import pytest

from simulator.commands.main import main
from tests.recorded import ops

KEPT = ("0 ok send x!a@0", "1 ok poll x?a@0")
LOST = ("0 ok send x!a@0 x!b@1", "1 ok poll x?b@1")
CIRCLE = ("0 ok poll x?a@0", "1 ok send x!a@0")
TWICE = (*KEPT, "0 ok send x!a@7")
CALM = 'name = "calm"\n[workload]\nevents = 5\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(*lines, name="history.json", **more):
    document = {"format": "kafka-history/1", "history": ops(*lines), **more}
    data = json.dumps(document).encode()
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def answered(capsys, *arguments):
    """The exit code, and what was printed as JSON."""
    code = main(["check", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("lines", "code"), [(KEPT, 0), (LOST, 1), (CIRCLE, 1), (TWICE, 2)], ids=str
)
def test_the_exit_code_is_the_verdict(lines, code):
    assert main(["check", written(*lines)]) == code


def test_what_was_found_is_told_with_its_operations(capsys):
    main(["check", written(*LOST, "0 ok send x!d@5 x!e@4", "1 ok poll x?e@4,d@5")])

    assert capsys.readouterr().out == (
        "lost-write: broken (once of 4 examined)\n"
        "  - 'a', which operation 1 sent to x, was given to nobody, though operation 7 was given "
        "what lies beyond it (index 0 of the log, read up to 3)\n"
        "unseen: broken (once of 4 examined)\n"
        "  - x: 1 acknowledged and given to nobody: 'a', sent by operation 1\n"
        "int-nonmonotonic-send: broken (once of 2 examined)\n"
        "  - operation 5 sent 'd' and then 'e' of x, 1 place back\n"
        "history: broken: 3 of 28 anomalies in 4 operations\n"
    )


def test_what_is_allowed_is_told_too(capsys):
    options = {"ww_deps": False, "sub_via": ["subscribe"]}
    again = written(*KEPT, "1 ok poll x?a@0", options=options)

    assert main(["check", again]) == 0
    assert "nonmonotonic-poll: allowed here, met once" in capsys.readouterr().out


def test_a_compressed_history_is_read():
    assert main(["check", written(*LOST, name="history.json.gz")]) == 1


def test_machines_are_told_all_of_it(capsys):
    code, told = answered(capsys, written(*LOST))

    assert code == 1
    assert (told["format"], told["kind"]) == ("simulator-check/1", "kafka-history/1")
    assert told["verdict"] == told["history"]["verdict"] == "broken"
    assert told["history"]["bad"] == ["lost-write", "unseen"]
    assert told["history"]["anomalies"]["lost-write"]["shown"] == [
        {"key": "x", "value": "a", "index": 0, "max-read-index": 1, "writer": 1, "max-read": 3}
    ]
    assert told["history"]["time_unit"] == "ns"


def test_an_anomaly_may_be_allowed(capsys):
    name = written("0 ok send x!a@0 x!b@1", "1 ok poll x?a@0")

    assert main(["check", name]) == 1
    assert main(["check", name, "--allow", "unseen"]) == 0


def test_the_order_may_be_that_of_processes_alone(capsys):
    name = written(*CIRCLE, "2 ok poll x?a@0")

    assert main(["check", name, "--order", "process"]) == 0
    assert main(["check", name, "--order", "realtime"]) == 1


def test_a_search_that_was_not_finished_cannot_tell(capsys):
    code, told = answered(capsys, written(*CIRCLE), "--steps", "2")

    assert code == 2
    assert told["verdict"] == "cannot tell"
    assert "used up its steps" in told["history"]["cannot_tell"]["cycle-search"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["history.json", "--promise", "never_lost"], 64, "--promise is for traces"),
        (["history.json", "--all"], 64, "--all is for traces"),
        (["history.json", "--allow", "unsen"], 64, "did you mean unseen"),
        (["history.json", "--steps", "-1"], 64, "--steps must be at least 0"),
        (["history.json", "--order", "clock"], 64, "--order"),
        (["cut.json"], 65, "cut.json, line 1: is cut short"),
        (["later.json"], 65, "its format is 'kafka-history/2'"),
        (["damaged.json.gz"], 65, "damaged.json.gz: is cut short or damaged"),
        (["plain.json.gz"], 65, "plain.json.gz: is not compressed"),
        (["binary.json"], 65, "binary.json: is not text"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(folder, capsys, arguments, code, said):
    text = (folder / written(*KEPT)).read_text()
    (folder / "cut.json").write_text(text[:-9])
    (folder / "later.json").write_text(text.replace("history/1", "history/2"))
    (folder / "plain.json.gz").write_text(text)
    (folder / "damaged.json.gz").write_bytes(gzip.compress(text.encode())[:-20])
    (folder / "binary.json").write_bytes(text.encode()[:60] + b"\xff\xfe")
    try:
        found = main(["check", *arguments])
    except SystemExit as error:
        found = error.code

    assert found == code
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


# --- Traces --------------------------------------------------------------------------------------


@pytest.fixture
def trace(folder, capsys):
    (folder / "calm.toml").write_text(CALM)
    main(["replay", "calm.toml", "--trace", "calm.jsonl"])
    capsys.readouterr()
    return "calm.jsonl"


def test_a_trace_is_judged_by_its_promises_and_on_request_by_its_history(trace, capsys):
    assert main(["check", trace]) == 0
    promises = capsys.readouterr().out
    assert main(["check", trace, "--anomalies"]) == 0

    said = capsys.readouterr().out
    assert said.startswith(promises)
    assert "history:" not in promises
    assert "history: kept: none of 28 anomalies" in said


def test_machines_are_told_of_traces_too(trace, capsys):
    code, told = answered(capsys, trace, "--anomalies")

    assert code == 0
    assert told["kind"] == "simulator-trace/1"
    assert [one["check"] for one in told["promises"]] == ["never_lost"]
    assert told["history"]["verdict"] == "kept"
    assert told["history"]["time_unit"] == "us"
    assert "history" not in answered(capsys, trace)[1]


def test_an_anomaly_in_a_trace_breaks_the_whole(folder, trace, capsys):
    """A record that nobody has sent is put in the place of another; the promise knows its own."""
    lines = (folder / trace).read_text().splitlines()
    forged = [
        line.replace('"event_id":"e3"', '"event_id":"e9"') if '"record_polled"' in line else line
        for line in lines
    ]
    (folder / trace).write_text("\n".join(forged) + "\n")

    code, told = answered(capsys, trace, "--anomalies", "--promise", "never_applied_twice")

    assert code == 1
    assert told["history"]["bad"] == [
        "inconsistent-offsets", "lost-write", "unseen", "phantom"
    ]  # fmt: skip
    assert main(["check", trace, "--anomalies", "--promise", "never_applied_twice"]) == 1
    assert "was given 'e9' of orders-" in capsys.readouterr().out
