"""A history's file is read strictly, piece by piece; what is wrong with it is one clear line."""

import copy
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.histories import decoding
from simulator.histories.judging import judge_operations
from simulator.histories.measures import lags, worst_lag
from simulator.histories.reading import (
    history_from_text,
    history_of,
    looks_like_history,
    read_history,
)
from tests.recorded import judged, ops

LINES = (
    "0 invoke txn x!a", "1 ok poll x?a@0", "0 ok txn x!a@0 y!7@3", "1 ok subscribe x y",
    "1 ok poll y?7@3", "2 info crash",
)  # fmt: skip


def document(**more):
    return {
        "format": "kafka-history/1", "id": "é", "note": {"a": [1.5, None, "]}"]},
        "options": {"ww_deps": False, "sub_via": ["assign"]}, "history": ops(*LINES), **more,
    }  # fmt: skip


def pieces(text, size):
    parts = iter([text[at : at + size] for at in range(0, len(text), size)])
    return lambda: next(parts, "")


def summary(recorded):
    """All that was read, as plain values."""
    found = recorded.operations
    return (
        recorded.options, recorded.name, found.keys, found.values, list(found.index),
        list(found.sent), list(found.sent_at), list(found.read), list(found.read_at),
        list(found.invoked), list(found.ended), found.sessions, bytes(found.outcome),
    )  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
def test_it_does_not_matter_where_the_pieces_end(indent):
    text = json.dumps(document(), indent=indent)
    whole = summary(history_from_text(pieces(text, len(text))))

    for size in range(1, 60):
        assert summary(history_from_text(pieces(text, size))) == whole


@pytest.mark.parametrize("chunk_bytes", [1, 2, 1 << 20])
def test_a_byte_order_mark_says_nothing(tmp_path, monkeypatch, chunk_bytes):
    """As Windows' own tools write one before UTF-8."""
    monkeypatch.setattr(decoding, "CHUNK_BYTES", chunk_bytes)
    marked, plain = tmp_path / "marked.json", tmp_path / "plain.json"
    text = json.dumps(document(), ensure_ascii=False)
    marked.write_text(text, encoding="utf-8-sig")
    plain.write_text(text, encoding="utf-8")

    assert summary(read_history(marked)) == summary(read_history(plain))


def test_members_may_come_in_any_order():
    given_ = document()
    backwards = dict(reversed(given_.items()))

    one, other = (history_from_text(pieces(json.dumps(d), 50)) for d in (given_, backwards))

    assert summary(one) == summary(other)


@pytest.mark.parametrize("name", ["history.json", "history.json.gz"])
def test_a_file_may_be_compressed(tmp_path, name):
    path = tmp_path / name
    data = json.dumps(document()).encode()
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)

    assert looks_like_history(path)
    assert summary(read_history(path)) == summary(history_of(ops(*LINES), id="é", options={
        "sub_via": ["assign"]}))  # fmt: skip


def test_without_options_who_subscribes_is_seen():
    assert history_of(ops("0 ok subscribe x")).options.subscribes
    assert not history_of(ops("0 ok assign x")).options.subscribes


def test_where_no_time_was_recorded_an_end_needs_no_beginning():
    """Then nothing is known of what came first."""
    timeless = [
        {"index": 0, "process": 0, "time": -1, "type": "ok", "f": "txn",
         "value": [["poll", {"x": [[0, "a"]]}]]},
        {"index": 1, "process": 1, "time": -1, "type": "ok", "f": "txn",
         "value": [["send", "x", [0, "a"]]]},
    ]  # fmt: skip

    assert judge_operations(history_of(timeless).operations).met == ()


def test_what_an_invocation_says_of_values_is_not_believed():
    """Only what the end says counts; and an empty poll may leave out what it did not give."""
    operations = ops("0 ok send x!a@0", "1 ok poll x?a@0")
    operations[0]["value"] = [["send", "x", 99]]
    operations += ops(*LINES[:0], "0 ok poll ?")
    for number, one in enumerate(operations):
        one["index"] = one["time"] = number
    operations[-1]["value"] = [["poll"]]

    assert judge_operations(history_of(operations).operations).met == ()


# --- Wrong files -------------------------------------------------------------------------------


def refused(operations, **more):
    text = json.dumps(document(history=operations, **more))
    with pytest.raises(BadInput) as caught:
        history_from_text(pieces(text, 64), "file")
    assert "\n" not in str(caught.value)
    return str(caught.value)


WRONG = {
    "time goes back": (lambda h: h[2].update(time=0), "operation 2: time must not go back"),
    "an index twice": (lambda h: h[2].update(index=1), "index must rise (the last was 1): 1"),
    "two swapped": (lambda h: h.insert(1, h.pop(2)), "operation 2 ends what was not invoked"),
    "no beginning": (lambda h: h.pop(1), "operation 2 ends what was not invoked, by process 1"),
    "no end": (lambda h: h.pop(), "operation 8 never ends, by process 2"),
    "busy": (
        lambda h: h.insert(1, {**h[0], "index": 0.5}), "index must rise (the last was 0): 0.5"
    ),
    "two at once": (
        lambda h: h[1].update(process=0), "operation 1: process 0 is still busy with operation 0"
    ),
    "another end": (
        lambda h: h[2].update(f="txn"), "invoked is poll by operation 1, and ended is 'txn'"
    ),
    "an unknown f": (lambda h: h[0].update(f="consume"), "f must be one of send, poll, txn"),
    "an unknown type": (lambda h: h[2].update(type="done"), "type must be invoke, ok, fail or"),
    "a list for f": (lambda h: h[0].update(f=["send"]), "f must be one of"),
    "a list for type": (lambda h: h[0].update(type=["ok"]), "type must be"),
    "no value": (lambda h: h[2].pop("value"), "an operation lacks 'value'"),
    "a text for a process": (lambda h: h[0].update(process=None), "process must be a number"),
    "true for a process": (lambda h: h[0].update(process=True), "process must be a number"),
    "true for a time": (lambda h: h[0].update(time=False), "time must not go back"),
    "no operation": (lambda h: h.insert(0, 7), "an operation must be an object, not 7"),
    "no list": (lambda h: h[2].update(value={"x": 1}), "value must be a list of sends and polls"),
    "no list to begin with": (lambda h: h[0].update(value=7), "value must be a list of sends"),
    "an unknown micro-operation": (lambda h: h[2].update(value=[["drop", 1]]), "holds ['drop', 1]"),
    "an empty one": (lambda h: h[0].update(value=[[]]), 'neither ["send", ...] nor ["poll"]: []'),
    "a send in a poll": (
        lambda h: h[2].update(value=[["send", "x", 1]]), "operation 2 is a poll, and holds"
    ),
    "a send in a poll to begin with": (
        lambda h: h[1].update(value=[["send", "x", 1]]), "operation 1 is a poll, and holds"
    ),
    "a list of records for a poll": (
        lambda h: h[2].update(value=[["poll", [[0, "a"]]]]), "a poll gives records by key"
    ),
    "records that are none": (
        lambda h: h[2].update(value=[["poll", {"x": 3}]]), "a poll gives lists of records, not 3"
    ),
    "a record without an offset": (
        lambda h: h[2].update(value=[["poll", {"x": ["a"]}]]), "a record is [offset, value], not"
    ),
    "an offset below 0": (
        lambda h: h[2].update(value=[["poll", {"x": [[-1, "a"]]}]]), "an offset must be a whole"
    ),
    "an offset that is not whole": (
        lambda h: h[2].update(value=[["poll", {"x": [[0.5, "a"]]}]]), "an offset must be a whole"
    ),
    "an offset that is too large": (
        lambda h: h[2].update(value=[["poll", {"x": [[2**63, "a"]]}]]), "an offset must be a whole"
    ),
    "a value that is none": (
        lambda h: h[2].update(value=[["poll", {"x": [[0, None]]}]]), "a value must be a text or a"
    ),
    "a key that is none": (
        lambda h: h[3].update(value=[["send", 5, "a"]]), "a key must be a text, not 5"
    ),
    "keys that are none": (lambda h: h[5].update(value="xy"), "value must be a list of keys, not"),
    "a wrong rebalance log": (
        lambda h: h[2].update(rebalance_log=["x"]), "rebalance_log must be a list of"
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_an_operation_that_cannot_be_is_refused(wrong):
    change, said = WRONG[wrong]
    operations = ops(*LINES)
    change(operations)

    assert said in refused(operations)


def test_a_second_operation_waits_for_the_first():
    operations = ops(*LINES)
    operations.insert(1, copy.deepcopy(operations[0]))
    for number, one in enumerate(operations):
        one["index"] = one["time"] = number

    assert "process 0 is still busy with operation 0" in refused(operations)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"format": "kafka-history/2"}, "its format is 'kafka-history/2'"),
        ({"options": []}, "options must be"),
        ({"options": {"ww_deps": 1}}, "options.ww_deps must be true or false, not 1"),
        ({"options": {"sub_via": "assign"}}, "options.sub_via is a list"),
    ],
)
def test_a_document_that_wants_what_there_is_not_is_refused(more, said):
    assert said in refused(ops(*LINES), **more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file: is empty"),
        ("  \n", "file"),
        ("[]", "{ should stand at '[]'"),
        ("{}", 'it does not say "format"'),
        ('{"format": "kafka-history/1"}', 'it has no "history"'),
        ('{"format": "kafka-history/1", "history": {}}', "[ should stand at '{}}'"),
        ('{"format": "kafka-history/1", "history": [1 2]}', "an operation must be an object"),
        ('{"format": "kafka-history/1", "history": []} x', "the document has ended, but there"),
        ('{"format": "kafka-history/1", "history": [], "history": []}', "says twice 'history'"),
        ('{"format": "kafka-history/1", "id": NaN', "cannot be read: there stands 'NaN'"),
        ('{"format": "kafka-history/1", 7: 1}', "a name should stand at 7"),
        ('{"format": "kafka-history/1", "a" 1}', ": should stand at '1}'"),
        ('{\n"format": "kafka-history/1",\n"history":\n[{"index" 1}' + " " * 99, "line 4: is not"),
        ('{"format": "kafka-history/1", "a": ' + "[" * 200_000, "it is nested too deep"),
        ('{"format": "kafka-history/1", "a": ' + "1" * 5_000 + "}", "cannot be read: there stands"),
    ],
)
def test_a_text_that_is_no_history_is_refused(text, said):
    with pytest.raises(BadInput) as caught:
        history_from_text(pieces(text, 4096), "file")

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_short_says_so_wherever_it_is_cut():
    text = json.dumps(document(), indent=1)

    for length in range(1, len(text)):
        with pytest.raises(BadInput) as caught:
            history_from_text(pieces(text[:length], 100), "file")
        assert "is cut short" in str(caught.value), text[:length][-20:]


def test_a_text_that_never_ends_is_not_read_to_the_end(monkeypatch):
    """Else one quote too many would bring a whole file into memory."""
    monkeypatch.setattr(decoding, "ITEM_MOST", 1_000)
    read = []

    def more():
        read.append(1)
        return ('{"format": "' if len(read) == 1 else "") + "x" * 100

    with pytest.raises(BadInput, match="Unterminated string"):
        history_from_text(more, "file")
    assert len(read) < 100


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_judged_and_nothing_else(data):
    """Bytes that are changed, taken out or put in, anywhere."""
    text = json.dumps(document())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        cut = data.draw(st.integers(0, 30))
        put = data.draw(st.sampled_from([*'0-"[]{},', "", "1e9", "null"]))
        text = text[:at] + put + text[at + cut :]
    try:
        recorded = history_from_text(pieces(text, 200), "file")
    except BadInput as error:
        said = str(error)
    else:
        said = judge_operations(recorded.operations, recorded.options).verdict.check
    assert "\n" not in said



def test_a_value_may_be_anything_that_json_calls_a_text_or_a_number():
    lines = ("0 ok send x!1@0", "0 ok send x!b@1", "1 ok poll x?1@0,b@1")
    operations = ops(*lines)
    assert judge_operations(history_of(operations).operations).met == ()
    operations[-1]["value"][0][1]["x"][0][1] = "1"  # Not what was sent.

    assert "phantom" in judge_operations(history_of(operations).operations).met


# --- Measures ------------------------------------------------------------------------------------


def test_how_far_behind_a_poll_was_is_measured():
    """Times are the operations' indexes. The lag is from when what it had not seen was there."""
    lines = (
        "0 ok assign x",                   # 0
        "0 ok poll ?",                     # 2: nothing is there
        "1 ok send x!a@0",                 # 4, 5
        "0 ok poll ?",                     # 6: a has been there since 5
        "1 ok send x!b@2 x!c@3",           # 8, 9
        "0 ok poll x?a@0",                 # 10: b has been there since 9
        "0 ok assign x y", "0 ok poll ?",  # 12, 14: still a; y is empty
        "0 ok assign y", "0 ok assign x", "0 ok poll ?",  # 16, 18, 20: from the beginning again
        "0 ok poll x?a@0,b@2,c@3",         # 22
    )  # fmt: skip
    operations = history_of(ops(*lines)).operations

    assert list(lags(operations)) == [
        (2, 0, "x", 0), (6, 0, "x", 1), (10, 0, "x", 1), (14, 0, "x", 5), (14, 0, "y", 0),
        (20, 0, "x", 15), (22, 0, "x", 0),
    ]  # fmt: skip
    assert worst_lag(operations) == {"time": 20, "process": 0, "key": "x", "lag": 15}


def test_what_a_subscriber_is_given_again_is_counted():
    lines = ("9 ok send x!a@0 x!b@1", "0 ok subscribe x", "0 ok poll x?a@0,b@1", "0 ok poll x?a@0")

    counted = judged(*lines, sub_via=["subscribe"]).measures["consume-counts"]

    assert counted == {
        "distribution": {1: 1, 2: 1},
        "repeated": [{"process": 0, "key": "x", "value": "a", "count": 2}],
    }
    assert "consume-counts" not in judged(lines[0], "0 ok poll x?a@0,b@1").measures
