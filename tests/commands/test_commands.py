"""`run`, `replay` and `check`: an exit code is an answer, and bad files get one clear line."""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from simulator.commands.main import main

CALM = """\
name = "calm"
[workload]
events = 20
"""
# The ledger hears of the fourth event; then its consumer crashes before it can commit.
CRASHING = (
    CALM
    + """
[[faults]]
kind = "crash"
node = "billing-0"
point = "after_process"
nth = 3
"""
)
UNTOLD = '''"""Does it fail?"""
from simulator import Experiment, Promise


def experiment(at: int = 2) -> Experiment:
    def scenario(factors, seed):
        if seed == at:
            raise ValueError("no scenario today")
        from simulator import Scenario, Workload
        return Scenario(workload=Workload(events=3))

    return Experiment(
        name="untold", question="Does it fail?", scenario=scenario,
        checks=("never_lost",), promises=(Promise("never_lost", "kept"),), runs=3,
    )
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "calm.toml").write_text(CALM)
    (tmp_path / "crashing.toml").write_text(CRASHING)
    (tmp_path / "untold.py").write_text(UNTOLD)
    return tmp_path


IMPOSSIBLE = {
    '[guarantee]\nname = "x"\nproducer = { "enable.idempotence" = true, acks = "1" }': (
        "enable.idempotence=true needs acks=all, but acks is '1'"
    ),
    '[guarantee]\nname = "x"\nproducer = { "enable.idempotence" = true, '
    '"max.in.flight.requests.per.connection" = 6 }': "needs max.in.flight.requests.per.conn",
    '[guarantee]\nname = "x"\nproducer = { "delivery.timeout.ms" = 1000 }': (
        "must be at least linger.ms + request.timeout.ms (5 + 30000): 1000"
    ),
    '[[topology.topics]]\nname = "orders"\nsettings = { "cleanup.policy" = "shrink" }': (
        "topic orders: cleanup.policy is a list of compact and delete: 'shrink'"
    ),
    '[[topology.topics]]\nname = "orders"\nsettings = { "retention.ms" = -5 }': (
        "topic orders: retention.ms must be a whole number from -1: -5"
    ),
    '[broker]\n"log.cleanup.policy" = "shrink"': "broker: log.cleanup.policy is a list of",
    '[broker]\n"min.insync.replicas" = 0': "broker: min.insync.replicas must be a whole number",
    '[broker]\n"broker.session.timeout.ms" = 0': "broker.session.timeout.ms must be a whole",
    '[consumers.settings]\n"auto.offset.reset" = "sometimes"': "auto.offset.reset",
}


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_kafka_refuses_is_refused_before_anything_runs(folder, text, capsys):
    (folder / "impossible.toml").write_text(text)

    assert main(["run", "impossible.toml"]) == 65

    said = capsys.readouterr().err
    assert IMPOSSIBLE[text] in said
    assert said.count("\n") == 1
    assert not (folder / "results").exists()


def test_a_scenario_whose_guarantee_holds_ends_with_0(folder, capsys):
    assert main(["run", "calm.toml", "--runs", "2", "--workers", "1"]) == 0

    assert "1 of 1 promises as declared" in capsys.readouterr().out
    assert (folder / "results" / "calm" / "results.json").is_file()


def test_results_go_where_they_are_wanted_and_are_the_same_again(folder, capsys):
    for name in ("one", "two"):
        main(["run", "calm.toml", "--runs", "2", "--workers", "1", "--out", name])

    assert (folder / "one" / "results.json").read_bytes() == (
        folder / "two" / "results.json"
    ).read_bytes()


@pytest.mark.parametrize("out", ["calm.toml", "calm.toml/deeper"])
def test_results_that_could_not_be_written_are_refused_before_anything_runs(folder, capsys, out):
    """A study may take hours."""
    before = sorted(folder.iterdir())

    assert main(["run", "calm.toml", "--runs", "2", "--workers", "1", "--out", out]) == 65

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"simulator: error: {Path(out)}: cannot be written: there is a file called 'calm.toml' "
        "(give another folder with --out)\n"
    )
    assert sorted(folder.iterdir()) == before


def test_a_partial_study_keeps_what_it_has_and_ends_with_2(folder, capsys):
    assert main(["run", "untold.py", "--workers", "1"]) == 2

    said = capsys.readouterr().out
    assert "PARTIAL: the run of all with seed 2 failed: ValueError: no scenario today" in said
    assert '"runs": 1' in (folder / "results" / "untold" / "results.json").read_text()


def test_an_experiments_own_option_is_passed_on(capsys):
    assert main(["run", "untold.py", "--workers", "1", "--at", "99"]) == 0
    assert main(["run", "untold.py", "--workers", "1", "--where", "99"]) == 64


def test_a_replay_is_judged_by_what_the_guarantee_promises(capsys):
    """At least once loses nothing in a crash, so the replay ends with 0."""
    assert main(["replay", "crashing.toml", "--seed", "7", "--trace", "crashing.jsonl"]) == 0
    assert "never_lost: kept" in capsys.readouterr().out


def test_a_check_of_a_trace_ends_with_its_verdict(capsys):
    """The crash lets an event be applied a second time: the trace says so from its file."""
    main(["replay", "crashing.toml", "--trace", "crashing.jsonl"])

    assert main(["check", "crashing.jsonl", "--promise", "never_lost"]) == 0
    capsys.readouterr()
    assert main(["check", "crashing.jsonl", "--promise", "never_applied_twice"]) == 1
    assert "crashes (after_process)" in capsys.readouterr().out


def test_the_same_seed_replays_to_the_same_digest(capsys):
    main(["replay", "crashing.toml", "--seed", "7"])
    one = capsys.readouterr().out
    main(["replay", "crashing.toml", "--seed", "7"])

    assert capsys.readouterr().out == one


def test_a_figure_shows_the_first_broken_case_and_says_what_it_is(folder, capsys):
    """A set in memory dies with its process, so an event is applied again."""
    (folder / "forgetting.toml").write_text('guarantee = "in-memory-set"\n' + CRASHING)
    arguments = ["replay", "forgetting.toml", "--seed", "7", "--figure", "case.svg"]

    assert main(arguments) == 1
    said = capsys.readouterr().out
    drawn = (folder / "case.svg").read_text()
    assert "written: case.svg" in said
    assert "forgetting, seed 7" in drawn
    case = said.partition("  - ")[2].partition("\n")[0]
    assert case.endswith("in a second transaction")
    assert escape(case) in drawn
    assert said.count("What happened to") == 1
    main(arguments)
    assert (folder / "case.svg").read_text() == drawn


def test_a_figure_of_a_run_that_broke_nothing_shows_all_of_it(folder, capsys):
    assert main(["replay", "calm.toml", "--figure", "calm.svg"]) == 0

    drawn = (folder / "calm.svg").read_text()
    assert "every promise kept" in drawn
    assert all(f"e{number}" in drawn for number in range(1, 21))


def test_an_empty_witness_is_the_benign_run(capsys):
    assert main(["replay", "calm.toml", "--witness", ""]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "nothing.jsonl"], 65, "nothing.jsonl: cannot be read"),
        (["check", "calm.toml"], 65, "calm.toml"),
        (["check", "empty.jsonl"], 65, "empty.jsonl"),
        (["check", "binary.jsonl"], 65, "binary.jsonl"),
        (["check", "cut.jsonl"], 65, "cut.jsonl"),
        (["check", "whole.jsonl", "--promise", "never_lots"], 64, "did you mean never_lost"),
        (["check", "whole.jsonl", "--order", "process"], 64, "--order is about anomalies"),
        (["check", "whole.jsonl", "--steps", "9"], 64, "(give --anomalies as well)"),
        (["run", "nothing.toml"], 64, "nothing.toml"),
        (["run", "./"], 64, "is a folder, and no file: './'"),
        (["run", "broken.toml"], 65, "did you mean 'events'"),
        (["run", "calm.toml", "--speed", "3"], 64, "--speed"),
        (["run", "delivery_guarantes"], 64, "did you mean delivery_guarantees"),
        (["replay", "calm.toml", "--witness", "crash"], 64, "site#k=value"),
        (["replay", "calm.toml", "--witness", "crash@nobody/at#0=1"], 64, "crash@nobody/at"),
        (["replay", "calm.toml", "--cell", "speed=3"], 64, "speed"),
        (["replay", "calm.toml", "--trace", "no/such.jsonl"], 65, "no/such.jsonl: cannot be wri"),
        (["replay", "calm.toml", "--trace", "."], 65, ".: cannot be written: Is a directory"),
        (["replay", "calm.toml", "--figure", "no/such.svg"], 65, "no/such.svg: cannot be wri"),
        (["replay", "calm.toml", "--figure", "."], 65, ".: cannot be written: Is a directory"),
        (["run", "delivery_guarantees", "--events", "nothing.csv"], 65, "nothing.csv"),
        (["run", "delivery_guarantees", "--events", "bad.csv"], 65, "bad.csv"),
    ],
)
def test_bad_input_is_one_clear_line(folder, capsys, arguments, code, said):
    """What, where, the value; never a traceback."""
    main(["replay", "calm.toml", "--trace", "whole.jsonl"])
    whole = (folder / "whole.jsonl").read_text()
    (folder / "cut.jsonl").write_text(whole[: len(whole) // 2])
    (folder / "empty.jsonl").write_text("")
    (folder / "binary.jsonl").write_bytes(bytes(range(256)))
    (folder / "broken.toml").write_text("[workload]\nevnts = 3\n")
    (folder / "bad.csv").write_text("case_id,event_type,timestamp\na,b,2020-01-01\n")
    capsys.readouterr()

    assert main(arguments) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("simulator: error: ")
    assert error.count("\n") == 1
