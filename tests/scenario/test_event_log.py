"""A real event log is read strictly: one clear line for whatever is wrong, with its place."""

import json

import pytest

from simulator.errors import BadInput
from simulator.scenario.event_log import read_event_log
from simulator.scenario.workload import Workload

HEADER = "case_id,event_type,timestamp,event_id,channel\n"


@pytest.fixture
def log(tmp_path):
    """Write a file, read it as an event log."""

    def read(content, name="log.csv", **options):
        path = tmp_path / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return read_event_log(path, **options)

    return read


def stamps(log, *texts, **options):
    """The times of events with these timestamps."""
    lines = "".join(f"c,t,{text},e{number},x\n" for number, text in enumerate(texts))
    return [item.at_us for item in log(HEADER + lines, **options)]


# --- What it becomes -----------------------------------------------------------------------


def test_a_line_becomes_an_event_under_its_case(log):
    (item,) = log(HEADER + 'case-1,Received,2010-10-02 09:20:39.266000+02:00,task-4,"a, b"\n')

    assert (item.at_us, item.topic, item.key, item.event_id) == (0, "orders", "case-1", "task-4")
    assert json.loads(item.value) == {
        "event_type": "Received",
        "schema_version": 1,
        "event_id": "task-4",
        "ts": "2010-10-02 09:20:39.266000+02:00",
        "payload": {"channel": "a, b"},
    }
    assert item.value == json.dumps(json.loads(item.value), sort_keys=True)


def test_json_lines_tell_the_same_as_csv(log):
    row = {"case_id": 1, "event_type": "t", "timestamp": 0, "event_id": 7, "items": [{"n": 1.5}]}
    (item,) = log(json.dumps(row) + "\n\n", "log.jsonl", topic="permits")

    assert (item.topic, item.key, item.event_id) == ("permits", "1", "7")
    assert json.loads(item.value)["payload"] == {"items": [{"n": 1.5}]}
    assert json.loads(item.value)["ts"] == 0


def test_time_is_compressed_to_the_span(log):
    days = ("2010-01-01", "2010-01-02", "2010-01-04")

    assert stamps(log, *days, span_ms=3_000) == [0, 1_000_000, 3_000_000]
    assert stamps(log, *days)[-1] == 60_000_000


def test_without_a_span_the_pace_is_real(log):
    found = stamps(log, "2010-01-01T00:00:00.000001", "2010-01-01T00:01:00", span_ms=None)

    assert found == [0, 59_999_999]


def test_compression_is_of_whole_microseconds(log):
    """A third of a span is floor(span / 3): no float was asked."""
    assert stamps(log, "10.0", "10.1", "10.3", span_ms=1) == [0, 333, 1_000]


def test_events_of_one_instant_stay_in_the_order_of_the_file(log):
    lines = "c,t,2,b,\nc,t,1,z,\nc,t,2,a,\nc,t,1,y,\n"

    assert [item.event_id for item in log(HEADER + lines)] == ["z", "y", "b", "a"]


def test_events_of_one_instant_only_come_at_once(log):
    assert stamps(log, "5", "5") == [0, 0]


def test_a_zone_is_heeded(log):
    found = stamps(
        log, "2010-01-01T02:00:00+02:00", "2010-01-01T00:00:01Z", "2009-12-31T20:00:02-04:00",
        span_ms=None,
    )  # fmt: skip

    assert found == [0, 1_000_000, 2_000_000]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1286004039", "1286004040"),
        ("1286004039.5", "1286004040.5"),
        ("1286004039000", "1286004040000"),
        ("1286004039000000", "1286004040000000"),
        ("1286004039000000000", "1286004040000000000"),
        ("-2", "-1"),
        ("1286004039", "1286004040000"),
    ],
)
def test_a_number_is_counted_from_1970_in_the_unit_of_its_size(log, first, second):
    assert stamps(log, first, second, span_ms=None) == [0, 1_000_000]


def test_json_numbers_are_timestamps_too(log):
    rows = [
        {"case_id": "c", "event_type": "t", "timestamp": at, "event_id": str(at)}
        for at in (1286004039.25, 1286004040)
    ]
    found = log("\n".join(map(json.dumps, rows)), "log.ndjson", span_ms=None)

    assert [item.at_us for item in found] == [0, 750_000]


def test_columns_may_be_renamed(log):
    (item,) = log(
        "order;what;when;no\no-1;Created;1;9\n",
        case_id="order",
        event_type="what",
        timestamp="when",
        event_id="no",
        delimiter=";",
    )

    assert (item.key, item.event_id) == ("o-1", "9")


def test_a_log_without_event_ids_is_numbered_if_that_is_said(log):
    text = "case_id,event_type,timestamp\nc,t,2\nc,t,1\n"

    assert [item.event_id for item in log(text, event_id=None)] == ["e2", "e1"]


def test_a_quoted_field_may_run_over_lines_and_blank_lines_are_skipped(log):
    with pytest.raises(BadInput, match=r"log\.csv, line 5: column 'timestamp'"):
        log(HEADER + 'c,t,1,a,"x\ny"\n\nc,t,soon,b,\n')


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(log):
    assert len(log(("\ufeff" + HEADER + "c,t,1,a,\n").replace("\n", "\r\n"))) == 1


def test_what_is_read_is_a_workload(log):
    items = log(HEADER + "c,t,2,b,\nc,t,1,z,\n")

    assert Workload(items=items).size == 2


# --- What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("case_id,event_type,when,event_id\n", "line 1: has no column 'timestamp' .*when, event"),
        ("case_id;event_type\n", "has no column 'case_id' .present: case_id;event_type"),
        ("a,a\n", "line 1: has two columns of the name 'a'"),
        (HEADER + "c,t,1,a,\nc,t,soon,b,\n", "line 3: column 'timestamp' holds no .*: 'soon'"),
        (HEADER + "c,t,,b,\n", "line 2: column 'timestamp' holds no timestamp: ''"),
        (HEADER + "c,t,2010-13-01,b,\n", "line 2: .* '2010-13-01' .write 2025-12-04T12"),
        (HEADER + "c,t,nan,b,\n", "line 2: .*'nan'"),
        (HEADER + "c,t,1e9,b,\n", "line 2: .*'1e9'"),
        (HEADER + "c,t,20101002,b,\n", "line 2: may be a day or a number: '20101002'"),
        (HEADER + "c,t,1,a,\nc,t,2,b,\nc,t,3,a,\n", "line 4: has the event id of line 2: 'a'"),
        (HEADER + "c,t,1,a\n", "line 2: has not 5 columns as the first line, but 4"),
        (HEADER + "c,t,1,a,,\n", "line 2: has not 5 columns as the first line, but 6"),
        (HEADER + ",t,1,a,\n", "line 2: column 'case_id' must hold text or .*, not ''"),
        (HEADER + 'c,t,1,a,"x\n', "line 2: is not CSV"),
        (HEADER, "holds no event"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        (b"PK\x03\x04\0\0", "is binary, or not in UTF-8"),
        (HEADER.encode() + b"c,t,1,a,caf\xe9\n", "line 2: is not UTF-8: b'.xe9' .save the file"),
        (HEADER.encode("utf-16"), "is binary, or not in UTF-8"),
        (
            HEADER + "c,t,2010-01-01,a,\nc,t,2010-01-01T00:00Z,b,\n",
            "line 3: has a zone, and those before have none: '2010-01-01T00:00Z'",
        ),
    ],
)
def test_a_csv_file_that_is_not_as_it_should_be_is_refused(log, content, said):
    with pytest.raises(BadInput, match=said) as caught:
        log(content)

    assert "\n" not in str(caught.value)
    assert "log.csv" in str(caught.value)


GOOD = '{"case_id": "c", "event_type": "t", "timestamp": 1, "event_id": "a"}\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD + "{", "line 2: is not JSON .*write one JSON object a line"),
        ("[" + GOOD + "]", "line 1: is not JSON"),
        ("[1]", "line 1: is not a JSON object: '.1.'"),
        (GOOD + GOOD, "line 2: has the event id of line 1: 'a'"),
        (GOOD + '{"case_id": "c"}', "line 2: has no column 'event_type' .present: case_id;"),
        ('{"a": 1, "a": 2}', "line 1: is not JSON .the name 'a' stands twice"),
        ('{"a": NaN}', "line 1: is not JSON .NaN is not a JSON number"),
        (GOOD.replace("1", "true"), "column 'timestamp' holds no timestamp: True"),
        (GOOD.replace("1", "null"), "column 'timestamp' holds no timestamp: 'nothing'"),
        (GOOD.replace('"c"', "1.5"), "column 'case_id' must hold text or a whole number, not 1.5"),
        (GOOD.replace('"c"', "null"), "column 'case_id' must hold .*, not 'nothing'"),
        ("[" * 100_000, "line 1: is not JSON"),
    ],
)
def test_json_lines_that_are_not_as_they_should_be_are_refused(log, content, said):
    with pytest.raises(BadInput, match=said) as caught:
        log(content, "log.jsonl")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["log.xes", "log", "log.csv.gz", "log.xlsx"])
def test_a_file_says_by_its_ending_what_it_is(log, name):
    with pytest.raises(BadInput, match=r"is not an event log, by its ending.*\.jsonl"):
        log(HEADER, name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.csv: cannot be read: No such file"):
        read_event_log(tmp_path / "none.csv")

    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInput, match=r"folder\.csv: cannot be read"):
        read_event_log(tmp_path / "folder.csv")


@pytest.mark.parametrize(
    "options",
    [{"topic": "a b"}, {"span_ms": -1}, {"span_ms": 1.5}, {"delimiter": ""}, {"delimiter": '"'}],
)
def test_an_option_is_checked_before_the_file_is_read(tmp_path, options):
    with pytest.raises(BadInput, match=next(iter(options))):
        read_event_log(tmp_path / "none.csv", **options)
