"""A trace's file reads back as the trace; whatever is no such file is refused in one line."""

import gzip
import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.trace.codec import FORMAT, read_trace, trace_from_lines, trace_lines, write_trace
from simulator.trace.events import EVENTS
from simulator.trace.trace import Trace

HEADER = f'{{"format":"{FORMAT}"}}'
SENT = (
    '{"seq":0,"at_us":5,"node":"a","causes":[],"kind":"record_sent",'
    '"event_id":"e1","topic":"t","key":null}'
)
CRASHED = (
    '{"seq":1,"at_us":5,"node":"b","causes":[0],"kind":"node_crashed",'
    '"mode":"process","point":"at"}'
)
END = '{"entries":2}'
GOOD = (HEADER, SENT, CRASHED, END)


def small_trace():
    trace = Trace()
    trace.meta = {"scenario": "orders", "chooser": "seed 7"}
    sent = trace.record(5, "orders-producer", (), ("record_sent", "e1", "orders", b"\x00\xff"))
    trace.record(9, "broker-0", (sent,), ("batch_appended", "orders", 0, 7, ("e1", "e2"), 1, 0, -1))
    trace.record(9, "ledger", (0, 1), ("effect_applied", "balances", ("a", 1), [1.5, None], "e1"))
    trace.record(9, "b", (), ("record_failed", "e\u00e9\ud800\n", "orders", "TIMEOUT", True))
    return trace


def same(one, other):
    return (one.flat, one.meta, one.seq, one.digest()) == (
        other.flat,
        other.meta,
        other.seq,
        other.digest(),
    )


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.floats(allow_nan=False)
)
keys = scalars | st.tuples(scalars, scalars)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=6,
)


@given(key=values, value=values, about=st.lists(values, max_size=3).map(tuple), meta=values)
def test_any_value_reads_back_as_it_was(key, value, about, meta):
    """Bytes, tuples and lists, keys that are no text, numbers to the last bit."""
    trace = Trace()
    trace.meta = {"scenario": "s", "extra": meta}
    trace.record(0, "n", (), ("effect_applied", "table", key, value, "e1"))
    trace.record(0, "n", (), ("message_sent", 0, "n", "m", "Fetch", about))

    assert same(trace_from_lines(trace_lines(trace)), trace)


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_file_reads_back_as_the_trace(tmp_path, name):
    write_trace(small_trace(), tmp_path / name)

    assert same(read_trace(tmp_path / name), small_trace())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_compressed_file_holds_no_time_and_no_name(tmp_path):
    for name in ("one.gz", "other.gz"):
        write_trace(small_trace(), str(tmp_path / name))

    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "other.gz").read_bytes()
    assert (tmp_path / "one.gz").read_bytes()[4:8] == bytes(4)


def test_a_line_names_the_fields_of_its_event():
    """The form is part of the product: other programs read it."""
    lines = list(trace_lines(small_trace()))

    assert lines[0] == '{"format":"simulator-trace/1","scenario":"orders","chooser":"seed 7"}'
    assert lines[1] == (
        '{"seq":0,"at_us":5,"node":"orders-producer","causes":[],"kind":"record_sent",'
        '"event_id":"e1","topic":"orders","key":{"bytes":"00ff"}}'
    )
    assert json.loads(lines[3])["value"] == {"list": [1.5, None]}
    assert lines[-1] == '{"entries":4}'


def test_every_kind_of_event_can_be_written_and_read():
    """With values of the types that its class declares."""
    examples = {str: "x", int: 3, bool: True, tuple: (("t", 1),)}
    trace = Trace()
    for kind, cls in EVENTS.items():
        types = [getattr(f.type, "__origin__", f.type) for f in cls.__attrs_attrs__]
        trace.record(1, "n", (), (kind, *(examples.get(one, b"any") for one in types)))

    assert same(trace_from_lines(trace_lines(trace)), trace)


def test_holes_in_the_numbers_stay():
    lines = [HEADER, SENT.replace('"seq":0', '"seq":40'), '{"entries":1}']
    trace = trace_from_lines(lines)

    assert trace.flat[0][0] == 40
    assert trace.seq == 41


def test_the_fields_of_a_line_may_stand_in_any_order():
    turned = json.dumps(dict(reversed(json.loads(SENT).items())))

    assert trace_from_lines([HEADER, turned, CRASHED, END]).flat == trace_from_lines(GOOD).flat


# --- Refusals ----------------------------------------------------------------------------------


def refused(lines):
    with pytest.raises(BadInput) as caught:
        trace_from_lines(lines, "run.jsonl")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("run.jsonl")
    return text


@pytest.mark.parametrize("count", range(1, 4))
def test_a_file_cut_short_is_refused(count):
    assert f"is cut short after line {count}" in refused(GOOD[:count])


def test_a_file_cut_within_a_line_is_refused():
    assert "line 3: is not an entry" in refused([HEADER, SENT, CRASHED[:-9]])


def test_a_file_that_lost_a_line_is_refused():
    assert "line 3: the file ends after 1 entries" in refused([HEADER, SENT, END])


def test_a_file_that_goes_on_is_refused():
    assert "line 5: the trace has ended" in refused([*GOOD, SENT])
    assert "line 5: the trace has ended" in refused([*GOOD, ""])


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("", "is not a trace"),
        ("case_id,event_type", "'case_id,event_type'"),
        ("[1]", "is not a trace"),
        ("[" * 100_000, "is not a trace"),
        ('{"seq":0}', "is not a trace"),
        ('{"format":"kafka-history/1"}', "its format is 'kafka-history/1'"),
        ('{"format":"simulator-trace/2"}', "its format is 'simulator-trace/2'"),
        ('{"format":null}', "its format is None"),
        (HEADER[:-1] + ',"meta":{"tuple":[]}}', "cannot be read"),
        ("\ufeff" + HEADER, "is not a trace"),
    ],
)
def test_a_foreign_file_is_refused_at_its_first_line(first, text):
    said = refused([first, *GOOD[1:]])

    assert "run.jsonl, line 1" in said
    assert text in said
    assert FORMAT in said or "cannot be read" in said


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "record_sennt"}, "no kind of event 'record_sennt' (did you mean 'record_sent'?)"),
        ({"kind": "zzz"}, "another version may have written it"),
        ({"kind": 7}, "no kind of event 7"),
        ({"kind": None}, "there is no kind of event None"),
        ({"extra": 1}, "record_sent does not have the fields"),
        ({"topic": 3}, "record_sent.topic must be text: 3"),
        ({"topic": None}, "record_sent.topic must be text: None"),
        ({"key": {"bytes": "0"}}, "record_sent.key cannot be read"),
        ({"key": {"bytes": 7}}, "record_sent.key cannot be read"),
        ({"key": {"set": []}}, "record_sent.key cannot be read"),
        ({"key": {}}, "record_sent.key cannot be read"),
        ({"key": {"list": [], "dict": []}}, "record_sent.key cannot be read"),
        ({"key": {"dict": [[1]]}}, "record_sent.key cannot be read"),
        ({"key": {"dict": [{"a": 1, "b": 2}]}}, "record_sent.key cannot be read"),
        ({"key": {"dict": [[{"list": []}, 1]]}}, "record_sent.key cannot be read"),
        ({"key": {"float": "1.0"}}, "record_sent.key cannot be read"),
        ({"seq": -1}, "seq must rise from entry to entry: -1"),
        ({"seq": True}, "seq must rise"),
        ({"seq": 1.0}, "seq must rise"),
        ({"at_us": -5}, "at_us must not go back: -5"),
        ({"at_us": "5"}, "at_us must not go back: '5'"),
        ({"node": None}, "node must be a name: None"),
        ({"causes": [0]}, "causes must be seqs of earlier entries: [0]"),
        ({"causes": [-1]}, "causes"),
        ({"causes": None}, "causes"),
    ],
)
def test_an_entry_that_is_not_as_it_should_be_is_shown_with_its_line(change, text):
    said = refused([HEADER, json.dumps(json.loads(SENT) | change), CRASHED, END])

    assert "run.jsonl, line 2" in said
    assert text in said


@pytest.mark.parametrize(
    "line",
    ["", "null", "7", "{", '{"seq":NaN}', "\x00", "{}", '{"kind":"record_sent"}', "[" * 99_999],
)
def test_a_line_that_is_no_entry_is_refused(line):
    assert "run.jsonl, line 2" in refused([HEADER, line, CRASHED, END])


@pytest.mark.parametrize(("field", "value"), [("seq", 0), ("at_us", 4)])
def test_neither_numbers_nor_time_go_back(field, value):
    said = refused([HEADER, SENT, json.dumps(json.loads(CRASHED) | {field: value}), END])

    assert f"run.jsonl, line 3: {field} must" in said
    assert f"the entry before has {field}" in said


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("run.jsonl", b"", "is empty"),
        ("run.jsonl", b"\x80\x04\x95", "is not text: at byte 0 stands b'\\x80'"),
        ("run.jsonl", gzip.compress(b"x"), "its name must end in .gz"),
        ("run.jsonl.gz", b"{}", "is not compressed"),
        ("run.jsonl.gz", gzip.compress(b""), "is empty"),
        ("run.jsonl.gz", gzip.compress("\n".join(GOOD).encode())[:-9], "is cut short or damaged"),
        ("run.jsonl.gz", gzip.compress(b"\n".join([b"a"] * 99))[:12] + b"\xff" * 30, "damaged"),
        ("run.jsonl.gz", b"", "is empty"),
        ("run.jsonl", "\n".join(GOOD[:3]).encode(), "is cut short after line 3"),
    ],
)
def test_a_file_that_is_empty_binary_or_damaged_is_refused(tmp_path, name, data, text):
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(BadInput) as caught:
        read_trace(path)

    assert text in str(caught.value)
    assert str(path) in str(caught.value)


@given(st.data())
def test_no_damage_gives_a_traceback(data):
    """Cut anywhere, a byte changed anywhere: a trace, or one clear line."""
    whole = "\n".join(GOOD).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.sampled_from([whole[:at], whole[:at] + whole[at + 1 :]])
        | st.binary(min_size=1, max_size=2).map(lambda b: whole[:at] + b + whole[at + 1 :])
    )
    try:
        lines = damaged.decode().split("\n")
        trace_from_lines(lines)
    except (BadInput, UnicodeDecodeError):
        pass


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"missing\.jsonl: cannot be read: No such file"):
        read_trace(tmp_path / "missing.jsonl")
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read_trace(tmp_path)


def test_a_trace_that_was_not_kept_cannot_be_written(tmp_path):
    with pytest.raises(BadInput, match="keep=True"):
        write_trace(Trace(keep=False), tmp_path / "run.jsonl")


def test_a_value_without_words_is_refused_and_leaves_no_file(tmp_path):
    """A set has no order; a class would not read back as itself."""
    trace = Trace()
    trace.record(0, "n", (), ("effect_applied", "table", "k", ({1},), "e1"))

    with pytest.raises(BadInput, match=r"entry 0: effect_applied\.value cannot hold"):
        write_trace(trace, tmp_path / "run.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot be written: No such file"):
        write_trace(Trace(), tmp_path / "none" / "run.jsonl")


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_is_refused(path):
    with pytest.raises(BadInput, match="cannot be written: Is a directory"):
        write_trace(Trace(), path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    """As a device would: a file in its place would destroy it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_trace(small_trace(), path)
        written = os.read(reader, 1 << 16)
    finally:
        os.close(reader)

    assert written.decode().splitlines() == list(trace_lines(small_trace()))
    assert path.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_written_as_words(number):
    trace = Trace()
    trace.record(0, "n", (), ("effect_applied", "table", "k", number, "e1"))
    again = trace_from_lines(trace_lines(trace))

    assert repr(again.flat) == repr(trace.flat)


@pytest.mark.parametrize("there", ['"seq":0', '"event_id":"e1"', '"bytes":"00"'])
def test_a_name_that_stands_twice_is_refused(there):
    """JSON's reader would keep the last of them, and lose the others without a word."""
    lines = [
        '{"format":"simulator-trace/1"}',
        (
            '{"seq":0,"at_us":0,"node":"p","causes":[],"kind":"record_sent","event_id":"e1",'
            '"topic":"orders","key":{"bytes":"00"}}'
        ),
        '{"entries":1}',
    ]
    assert len(trace_from_lines(lines)) == 1

    lines[1] = lines[1].replace(there, f"{there},{there}")
    with pytest.raises(BadInput, match="is not an entry"):
        trace_from_lines(lines)
