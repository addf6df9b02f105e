"""Files that are nearly right: what readers are given whose hardness is tested.

A `Reader` is a command that reads a file, with files that it reads well. Whoever adds a reader of
files adds it to READERS, and it is fuzzed with the others (tests/hardness).

Three kinds of damage: of bytes (cut, flipped, doubled, spliced), of lines (lost, doubled, moved),
and of what JSON lines say (a value of another kind, a name too many, one too few, a number far
too large, another entry's value).
"""

import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from hypothesis import strategies as st

from simulator import AT_LEAST_ONCE, Crash, FaultPlan, Seeded, simulate
from simulator.trace.codec import trace_lines
from tests.few_orders import few_orders
from tests.replicated_orders import replicated_orders
from tests.sharing import share
from tests.transforming import few_bills

ROOT = Path(__file__).parent.parent

Bytes = st.SearchStrategy[bytes]


@attrs.frozen
class Reader:
    """A command that reads a file.

    Attributes:
        name: for a test's id.
        ending: of the file's name.
        good: files that it reads, as bytes; asked for when they are needed.
        command: the words of the command line, given the file's path.
        damage: a strategy of damaged files, given a good one.
    """

    name: str
    ending: str
    good: Callable[[], tuple[bytes, ...]]
    command: Callable[[str], list[str]]
    damage: Callable[[bytes], Bytes]

    def files(self) -> Bytes:
        """Damaged files."""
        return st.sampled_from(self.good()).flatmap(self.damage)


# --- Damage --------------------------------------------------------------------------------------


@st.composite
def of_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """A few bytes are lost, others are put in, or the end is missing."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        to = draw(st.integers(at, min(len(data), at + 40)))
        match draw(st.sampled_from(("cut", "lose", "double", "put", "end"))):
            case "cut":
                data = data[:at]
            case "lose":
                data = data[:at] + data[to:]
            case "double":
                data = data[:to] + data[at:]
            case "put":
                data = data[:at] + draw(st.binary(min_size=1, max_size=6)) + data[to:]
            case "end":
                data += draw(st.sampled_from((b"\n", b"\r\n", b"\0", b"{}", b" ", b"\xff\xfe")))
    return data


@st.composite
def of_lines(draw: st.DrawFn, data: bytes) -> bytes:
    """Lines are lost, doubled or moved."""
    lines = data.split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        to = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("lose", "double", "move", "empty"))):
            case "lose":
                del lines[at : at + draw(st.integers(1, 5))]
                lines = lines or [b""]
            case "double":
                lines.insert(to, lines[at])
            case "move":
                lines.insert(to, lines.pop(at))
            case "empty":
                lines.insert(at, b"")
    return b"\n".join(lines)


ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 2**31, 2**63, 10**30, -(10**18), 1.5, 1e308, -0.0, "", "x",
    "orders", "-1", "\u2028", "\ud800", "\0", [], [[]], ["x"], [1, 2], [["orders", 0]],
    [["orders", "0"]], [["orders", 10**15]], [[["x"]]], {}, {"x": 1}, {"bytes": "zz"},
    {"bytes": "00"}, {"float": "nan"}, {"list": [1]}, {"dict": [[[1], 2]]}, {"dict": 1},
)  # fmt: skip


def places_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values inside a value, its own first."""
    found = [path]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places_of(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places_of(inner, (*path, number))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy in which another value stands at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@st.composite
def of_a_document(draw: st.DrawFn, data: bytes) -> bytes:
    """One JSON document says something else somewhere."""
    said = json.loads(data)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places_of(said)))
        said = replaced(said, path, draw(st.sampled_from(ODD)))
    return json.dumps(said).encode()


@st.composite
def of_json_lines(draw: st.DrawFn, data: bytes) -> bytes:
    """Some lines say something else, but are JSON."""
    lines = data.decode().removesuffix("\n").split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        said = json.loads(lines[at])
        path = draw(st.sampled_from(places_of(said)))
        match draw(st.sampled_from(("odd", "odd", "near", "borrow", "lose", "more"))):
            case "odd":
                said = replaced(said, path, draw(st.sampled_from(ODD)))
            case "near":  # A number that is a little, or much, too large.
                old: Any = said
                for step in path:
                    old = old[step]
                if type(old) is int:
                    more = draw(st.sampled_from((-2, -1, 1, 2, 1_000, 10**9, 10**15)))
                    said = replaced(said, path, old + more)
            case "borrow":  # The value of the same name in another line.
                other = json.loads(lines[draw(st.integers(0, len(lines) - 1))])
                if path and isinstance(other, dict) and path[0] in other:
                    said = replaced(said, path[:1], other[path[0]])
            case "lose":
                if isinstance(said, dict) and said:
                    said = dict(said)
                    del said[draw(st.sampled_from(list(said)))]
            case "more":
                if isinstance(said, dict):
                    said = {**said, "more": draw(st.sampled_from(ODD))}
        lines[at] = json.dumps(said, separators=(",", ":"))
    return ("\n".join(lines) + "\n").encode()


OWN = ("seq", "at_us", "node", "causes", "kind")
NUMBERS = (-1, 0, 1, 2, 7, 1_000, 10**9, 10**15, -(10**9))


@st.composite
def of_a_trace(draw: st.DrawFn, data: bytes) -> bytes:
    """A trace that is well-formed throughout, of what can never have happened.

    Entries are lost, come again or change their places; their fields have other values of the same
    type, and what stands inside an array is anything.
    """
    header, *lines, _ = data.decode().removesuffix("\n").split("\n")
    entries = [json.loads(line) for line in lines]
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(entries) - 1))
        to = draw(st.integers(0, len(entries) - 1))
        match draw(st.sampled_from(("lose", "again", "swap", "field", "field", "field"))):
            case "lose":
                del entries[at : at + draw(st.integers(1, 20))]
                entries = entries or [json.loads(lines[0])]
            case "again":
                entries.insert(to, entries[at])
            case "swap":
                entries[at], entries[to] = entries[to], entries[at]
            case "field":
                entries[at] = draw(_other_fields(entries[at], entries[to]))
    at_us = 0
    for seq, entry in enumerate(entries):
        at_us = max(at_us, entry["at_us"])
        causes = [cause for cause in entry["causes"] if cause < seq]
        entries[seq] = {**entry, "seq": seq, "at_us": at_us, "causes": causes}
    count = {"entries": len(entries)}
    return "\n".join([header, *map(json.dumps, entries), json.dumps(count), ""]).encode()


@st.composite
def _other_fields(draw: st.DrawFn, entry: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in entry if name not in OWN]
    if not names:
        return entry
    name = draw(st.sampled_from(names))
    value = entry[name]
    path = draw(st.sampled_from(places_of(value)))
    inner = value
    for step in path:
        inner = inner[step]
    new: Any
    if type(inner) is int:
        new = draw(st.sampled_from((*NUMBERS, inner + 1, inner - 1)))
    elif type(inner) is str:
        words = [one for one in other.values() if type(one) is str]
        new = draw(st.sampled_from((*words, "", "x", "orders", "broker-0", "billing-1")))
    elif type(inner) is list and not path:
        new = draw(st.sampled_from(([], inner[1:], [*inner, *inner], inner[::-1])))
    else:
        new = draw(st.sampled_from(ODD)) if path else inner
    if draw(st.booleans()) and path:
        new = draw(st.sampled_from(ODD))
    return {**entry, name: replaced(value, path, new)}


def of_our_traces(data: bytes) -> Bytes:
    """Damage of a trace's file, and of the trace itself."""
    return st.one_of(of_a_trace(data), of_a_trace(data), of_json(data))


def of_text_lines(data: bytes) -> Bytes:
    """Damage of files that hold no JSON."""
    return st.one_of(of_bytes(data), of_lines(data), of_words(data))


WORDS = (
    b"0", b"-1", b"1", b"7", b"1e308", b"-1e308", b"1e-300", b"nan", b"inf", b"true", b"'x'", b"[]",
    b"{}", b"1_000_000_000_000", b"99999999999999999999999", b"[[1]]", b"{a = 1}",
    b'"\\u0000"', b"2020-01-01", b'["x"]', b"'*'", b"''", b"0.5", b"1.0",
)  # fmt: skip


@st.composite
def of_words(draw: st.DrawFn, data: bytes) -> bytes:
    """The value of `name = value`, or a cell of a table, is another one."""
    lines = data.split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        marks = [place for place, byte in enumerate(line) if byte in b"=,"]
        if marks:
            mark = draw(st.sampled_from(marks))
            ends = [place for place, byte in enumerate(line) if byte in b",}]#" and place > mark]
            end = ends[0] if ends else len(line)
            word = draw(st.sampled_from(WORDS))
            lines[at] = line[: mark + 1] + b" " + word + b" " + line[end:]
    return b"\n".join(lines)


def of_json(data: bytes) -> Bytes:
    """Damage of JSON lines."""
    return st.one_of(of_json_lines(data), of_json_lines(data), of_bytes(data), of_lines(data))


def of_one_json(data: bytes) -> Bytes:
    """Damage of a JSON document."""
    return st.one_of(of_a_document(data), of_a_document(data), of_bytes(data), of_lines(data))


def zipped(data: bytes) -> Bytes:
    """Damage before a file is compressed, and after it."""
    plain = gzip.decompress(data)
    again = st.one_of(of_json_lines(plain), of_bytes(plain)).map(
        lambda damaged: gzip.compress(damaged, mtime=0)
    )
    return st.one_of(again, of_bytes(data))


# --- Good files ----------------------------------------------------------------------------------


@cache
def traces() -> tuple[bytes, ...]:
    """Runs of a share group; and of a group, of transactions and of replicas, with a fault each."""
    scenarios = (
        (few_orders(AT_LEAST_ONCE, events=2), Crash("billing-1", "after_process")),
        (few_bills(events=2, instances=1), Crash("billing-0", "before_commit")),
        (replicated_orders(events=2), Crash("broker-0", at_ms=150, down_ms=2_000)),
    )
    runs = [share(instances=1, records=2)]
    for scenario, fault in scenarios:
        planned = attrs.evolve(scenario, faults=FaultPlan((fault,)))
        runs.append(simulate(planned, Seeded(1)))
    found = []
    for run in runs:
        lines = list(trace_lines(run))
        kept = [line for line in lines if "eartbeat" not in line]
        entries = json.dumps({"entries": len(kept) - 2}, separators=(",", ":"))
        found.append(("\n".join([*kept[:-1], entries]) + "\n").encode())
    return tuple(found)


@cache
def zipped_traces() -> tuple[bytes, ...]:
    """The same, compressed."""
    return tuple(gzip.compress(data, mtime=0) for data in traces())


SMALL = b"""\
name = "small"
horizon_ms = 2000
guarantee = "at-least-once"
[topology]
brokers = 2
[[topology.topics]]
name = "orders"
partitions = 2
settings = { "retention.ms" = 3600000, "cleanup.policy" = "delete" }
[[topology.links]]
latency = { law = "exponential", mean_us = 1500, floor_us = 300 }
loss = 0.01
[workload]
events = 3
arrivals = { kind = "poisson", per_s = 50.0 }
keys = { kind = "skewed_keys", n = 3, exponent = 1.1 }
[consumers]
instances = 2
processing = { law = "uniform", low_us = 100, high_us = 900 }
settings = { "session.timeout.ms" = 6000, "max.poll.records" = 2 }
[[faults]]
kind = "crash"
node = "billing-0"
point = "after_process"
nth = 1
down_ms = 100
[[faults]]
kind = "partition"
side_a = ["broker-0"]
side_b = ["billing-*"]
from_ms = 10
until_ms = 200
[[hazards.pause]]
p = 0.01
lasting = { law = "constant", us = 1000 }
"""


@cache
def scenario_files() -> tuple[bytes, ...]:
    """The documented file with every field, and a small one."""
    return ((ROOT / "docs" / "scenario.toml").read_bytes(), SMALL)


EVENT_LOG = b"""\
case_id,event_type,timestamp,event_id,amount
c1,created,2025-12-04T12:00:00Z,e1,10
c2,created,2025-12-04T12:00:01+02:00,e2,"7,5"
c1,paid,2025-12-04T12:00:02.500000Z,e3,10
c1,shipped,2025-12-04T12:00:03Z,e4,
"""
EVENT_LINES = b"""\
{"case_id":"c1","event_type":"created","timestamp":1764849600,"event_id":"e1","amount":10}
{"case_id":"c2","event_type":"created","timestamp":"2025-12-04","event_id":"e2","amount":null}
{"case_id":"c1","event_type":"paid","timestamp":1764849602.25,"event_id":"e3","lines":[1,{"a":2}]}
"""
HISTORY = b"""\
{"format": "kafka-history/1", "id": "small", "options": {"ww_deps": false, "sub_via": ["assign"]},
"history": [
{"index": 0, "process": 0, "time": 0, "type": "invoke", "f": "assign", "value": ["k"]},
{"index": 1, "process": 0, "time": 1, "type": "ok", "f": "assign", "value": ["k"]},
{"index": 2, "process": 1, "time": 2, "type": "invoke", "f": "txn", "value": [["send", "k", 1],
 ["send", "j", 5]]},
{"index": 3, "process": 1, "time": 3, "type": "ok", "f": "txn", "value": [["send", "k", [0, 1]],
 ["send", "j", [3, 5]]]},
{"index": 4, "process": 0, "time": 4, "type": "invoke", "f": "poll", "value": [["poll"]]},
{"index": 5, "process": 1, "time": 4, "type": "invoke", "f": "send", "value": [["send", "k", 2]]},
{"index": 6, "process": 1, "time": 5, "type": "info", "f": "send", "value": [["send", "k", 2]]},
{"index": 7, "process": 0, "time": 6, "type": "ok", "f": "poll",
 "value": [["poll", {"k": [[0, 1], [2, 2]]}]], "rebalance_log": [{"keys": ["j"]}]},
{"index": 8, "process": 2, "time": 7, "type": "invoke", "f": "crash", "value": null},
{"index": 9, "process": 2, "time": 8, "type": "info", "f": "crash", "value": null}
]}
"""


ARCHITECTURE = b"""\
name = "shop"
[topics.orders]
partitions = 3
[events.OrderCreated]
kind = "event"
schema_version = 0
[[services.shop.sends]]
topic = "orders"
events = ["OrderCreated"]
key = "random"
through = "direct"
stores = ["shop"]
after = ["OrderPaid"]
[[services.broker.handles]]
topic = "orders"
events = ["OrderCreated", "SendMail"]
group = ""
instances = 2
retries = "for ever"
after_limit = "skip"
sink = "naive"
stores = "ledger"
claims = "exactly-once"
awaits = "replies"
within_ms = 500
decides_on = "credit"
[[services.broker.sends]]
topic = "orders"
events = ["OrderPaid"]
guarded = false
after = ["OrderCreated"]
"""


# An experiment of one run, whose workload is an event log.
READING = '''\
"""What does an event log make a producer send?"""
from simulator import Experiment, Promise, Scenario, Workload
from simulator.scenario.event_log import read_event_log


def experiment(events: str = "") -> Experiment:
    items = read_event_log(events, span_ms=100)
    return Experiment(
        name="reading", question="Is it read?", checks=("never_invented",), runs=1,
        scenario=lambda _factors, _seed: Scenario(workload=Workload(items=items)),
        promises=(Promise("never_invented", "kept"),),
    )
'''


def experimenting(path: str) -> list[str]:
    """`simulator run` of an experiment that reads the file; both lie in one folder."""
    folder = Path(path).parent
    reading = folder / "reading.py"
    if not reading.exists():
        reading.write_text(READING, encoding="utf-8")
    words = ["--events", path, "--workers", "1", "--out", str(folder / "results")]
    return ["run", str(reading), *words]


def judging(path: str) -> list[str]:
    """`simulator check`, by every check."""
    return ["check", "--all", path]


def linting(path: str) -> list[str]:
    """`simulator lint`, without the runs that show the harm: they take their time."""
    return ["lint", "--no-witness", path]


READERS = [
    Reader("trace", ".jsonl", traces, judging, of_our_traces),
    Reader("zipped trace", ".jsonl.gz", zipped_traces, judging, zipped),
    Reader("scenario", ".toml", scenario_files, lambda path: ["replay", path], of_text_lines),
    Reader("event log", ".csv", lambda: (EVENT_LOG,), experimenting, of_text_lines),
    Reader("event lines", ".jsonl", lambda: (EVENT_LINES,), experimenting, of_json),
    Reader("architecture", ".toml", lambda: (ARCHITECTURE,), linting, of_text_lines),
    Reader("linted trace", ".jsonl", traces, linting, of_our_traces),
    Reader("history", ".json", lambda: (HISTORY,), lambda path: ["check", path], of_one_json),
]
