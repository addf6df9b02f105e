"""The main experiment comes out as declared, and the same everywhere.

Its expected output stands beside it; after a change that is meant, write it again by
`SIMULATOR_EXPECTED=write python -m pytest tests/experiments`.
"""

import os
from pathlib import Path

import pytest

from simulator.commands.main import main

FOLDER = Path(__file__).parents[2] / "experiments"
EXPECTED = FOLDER / "delivery_guarantees.expected.txt"
RUN = ["run", str(FOLDER / "delivery_guarantees.py"), "--workers", "1"]

LOG = """\
case_id,event_type,timestamp,event_id,channel
c1,Asked,2010-10-02 09:20:39+02:00,t1,Internet
c2,Asked,2010-10-02 09:21:26+02:00,t2,Desk
c1,Answered,2010-10-02 10:31:12+02:00,t3,Internet
c2,Answered,2010-10-03 09:31:40+02:00,t4,Desk
"""


def test_every_promise_comes_out_as_declared_and_every_number_as_expected(tmp_path, capsys):
    """At-most-once loses and never doubles, at-least-once the reverse, exactly-once neither."""
    code = main([*RUN, "--runs", "5", "--out", str(tmp_path)])
    capsys.readouterr()
    found = (tmp_path / "findings.txt").read_text(encoding="utf-8")
    found = found.replace(str(FOLDER) + os.sep, "experiments/")
    if os.environ.get("SIMULATOR_EXPECTED") == "write":
        EXPECTED.write_text(found, encoding="utf-8")

    assert found == EXPECTED.read_text(encoding="utf-8")
    assert code == 0


def test_zero_seen_is_printed_as_a_bound():
    text = EXPECTED.read_text(encoding="utf-8")

    row = next(line for line in text.splitlines() if line.startswith("exactly-once   2%"))

    assert row.count("<=") >= 2


def test_a_real_event_log_takes_the_place_of_the_orders(tmp_path, capsys):
    log = tmp_path / "log.csv"
    log.write_text(LOG, encoding="utf-8")

    code = main([*RUN, "--runs", "1", "--out", str(tmp_path / "out"), "--events", str(log)])
    told = capsys.readouterr().out

    assert code in (0, 1)  # So few events may meet no crash at all.
    assert "What does each guarantee lose" in told
    assert (tmp_path / "out" / "results.json").is_file()


@pytest.mark.parametrize(
    "wrong", [["--orders", "0"], ["--events", "nowhere.csv"], ["--ordres", "3"]]
)
def test_what_cannot_be_run_is_one_line_and_no_traceback(wrong, capsys):
    code = main([*RUN, *wrong])
    told = capsys.readouterr().err

    assert code in (64, 65)
    assert told.startswith("simulator: error: ")
    assert len(told.splitlines()) == 1
