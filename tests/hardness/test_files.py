"""Whatever a file holds, reading it ends: with an answer, or with one line that says what is wrong.

Files that are nearly right (tests/fuzzed.py) go through the command line itself. An exit code that
is documented, nothing on stderr but the one complaint, and no traceback: that is all that is asked.
"""

import contextlib
import csv
import io
import json
from itertools import count
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.commands.main import main
from simulator.commands.outcome import BROKEN, CANNOT_TELL, KEPT, WRONG_DATA, WRONG_USAGE
from simulator.errors import BadInput
from simulator.scenario import toml
from simulator.scenario.event_log import read_event_log
from simulator.trace.codec import trace_from_lines, trace_lines
from tests.fuzzed import (
    EVENT_LINES,
    EVENT_LOG,
    READERS,
    SMALL,
    Reader,
    of_json,
    of_our_traces,
    of_text_lines,
    traces,
)

EXAMPLES = 200
BUDGET = 3_000  # Events of a run: a number that is far too large makes no test endless.
HARD = settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def outcome(words: list[str]) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def assert_told(words: list[str]) -> int:
    """A command ends with a documented answer, or complains in one line; the answer is its code."""
    code, out, err = outcome(words)
    assert "Traceback" not in err + out, err
    assert code in {KEPT, BROKEN, CANNOT_TELL, WRONG_USAGE, WRONG_DATA}, (code, err)
    if code in {WRONG_USAGE, WRONG_DATA}:
        first, *more = err.splitlines()
        assert first.startswith("simulator: error: ") or ": error: " in first
        # Several problems of one file are told together, one a line.
        assert all(line.startswith("  ") for line in more), err
    elif code != CANNOT_TELL:
        assert not err
        assert out
    return code


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """No scenario of a file runs for long."""
    load = toml.load

    def shortened(path):
        scenario = load(path)
        return attrs.evolve(scenario, event_budget=min(BUDGET, scenario.event_budget))

    monkeypatch.setattr(toml, "load", shortened)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_good_file_is_read(reader: Reader, tmp_path: Path):
    for data in reader.good():
        path = tmp_path / f"good{reader.ending}"
        path.write_bytes(data)

        assert assert_told(reader.command(str(path))) in {KEPT, BROKEN, CANNOT_TELL}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_damaged_file_is_read_or_refused_in_a_line(reader: Reader, tmp_path: Path):
    """Each under a name of its own, for what was declared by a file is remembered by its name."""
    numbers = count()

    @HARD
    @given(reader.files())
    def told(data: bytes) -> None:
        path = tmp_path / f"damaged{next(numbers)}{reader.ending}"
        path.write_bytes(data)
        assert_told(reader.command(str(path)))
        path.unlink()

    told()


@HARD
@given(st.sampled_from(traces()).flatmap(of_our_traces))
def test_of_a_trace_that_is_read_nothing_is_lost(data: bytes):
    """What is written again says what the file said."""
    lines = data.decode("utf-8", "replace").removesuffix("\n").split("\n")
    try:
        trace = trace_from_lines(lines)
    except BadInput:
        return

    again = [json.loads(line) for line in trace_lines(trace)]
    assert again == [json.loads(line) for line in lines]


@HARD
@given(st.one_of(of_text_lines(EVENT_LOG).map(lambda data: (data, ".csv")),
                 of_json(EVENT_LINES).map(lambda data: (data, ".jsonl"))))  # fmt: skip
def test_of_an_event_log_that_is_read_nothing_is_lost(tmp_path_factory, file):
    data, ending = file
    path = tmp_path_factory.getbasetemp() / f"events{ending}"
    path.write_bytes(data)
    try:
        items = read_event_log(path, span_ms=None)
    except BadInput:
        return

    text = data.decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline="")) if ending == ".csv" else text.split("\n")
    told = [row for row in rows if (row if ending == ".csv" else row.strip())]
    assert len(items) == len(told) - (ending == ".csv")
    assert len({item.event_id for item in items}) == len(items)


PARTS = st.sampled_from(
    ("drop@", "crash@billing-0/after_process", "orders-producer>broker-0/ProduceRequest", "#", "0",
     "=", "1", ";", "-1", "10000000000000000000000", " ", "\n", "\u2028", "tie@", "x", "##", "=="),
)  # fmt: skip
WITNESSES = st.one_of(
    st.lists(PARTS, max_size=12).map("".join),
    st.lists(
        st.sampled_from(
            ("drop@orders-producer>broker-0/ProduceRequest#0=1",
             "crash@billing-0/after_process#0=1", "crash@billing-0/after_process#0=7",
             "crash@billing-0/nowhere#0=1", "drop@a>b/c#5=99999999999999999")
        ), max_size=4,
    ).map(";".join),
    st.text(max_size=20),
)  # fmt: skip


@pytest.mark.parametrize("lenient", [True, False])
def test_a_witness_is_replayed_or_refused_in_a_line(lenient: bool, tmp_path: Path):
    path = tmp_path / "small.toml"
    path.write_bytes(SMALL)

    @settings(HARD, max_examples=100)
    @given(WITNESSES)
    def told(witness: str) -> None:
        words = ["replay", str(path), f"--witness={witness}"]
        assert_told([*words, "--lenient"] if lenient else words)

    told()
