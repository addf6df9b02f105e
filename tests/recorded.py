"""Hand-written histories in a shorthand: one line an operation that has ended.

    recorded("0 ok send x!a@0 y!b", "1 ok poll x?a@0,b@1", "1 ok assign x y")

A process, how it came out, what it did; then sends `key!value@offset` and polls
`key?value@offset,...` (`?` alone is nothing). The offset may be left out. What has no line
"0 invoke txn" of its own before it is invoked right there, so that nothing happens meanwhile.
Operations are counted from 0, and invocations count; `ops("...")` are the dicts.
"""

from simulator.histories.judging import judge_operations
from simulator.histories.reading import history_of


def at(text):
    value, _, offset = text.partition("@")
    return [int(offset) if offset else None, int(value) if value.isdigit() else value]


def micro(text):
    if text == "?":
        return ["poll", {}]
    if "!" in text:
        key, _, value = text.partition("!")
        return ["send", key, at(value)]
    key, _, values = text.partition("?")
    return ["poll", {key: [at(one) for one in values.split(",") if one]}]


def value_of(f, words):
    if f == "crash":
        return None
    return list(words) if f in ("assign", "subscribe") else [micro(word) for word in words]


def asked(f, words):
    """What an invocation says: sends without offsets, polls without records."""
    if f in ("assign", "subscribe", "crash"):
        return value_of(f, words)
    known = map(micro, words)
    return [["poll"] if one[0] == "poll" else [*one[:2], one[2][1]] for one in known]


def ops(*lines):
    found, open_ones = [], set()

    def add(process, kind, f, value):
        index = len(found)
        found.append({"index": index, "process": process, "time": index, "type": kind, "f": f,
                      "value": value})  # fmt: skip

    for line in lines:
        process, kind, f, *words = line.split()
        process = int(process)
        if kind == "invoke":
            open_ones.add(process)
            add(process, kind, f, asked(f, words))
            continue
        if process not in open_ones:
            add(process, "invoke", f, asked(f, words))
        open_ones.discard(process)
        add(process, kind, f, value_of(f, words))
    return found


def recorded(*lines, ww_deps=False, sub_via=("assign",)):
    return history_of(ops(*lines), options={"ww_deps": ww_deps, "sub_via": list(sub_via)})


def judged(*lines, **more):
    history = recorded(*lines, **more)
    return judge_operations(history.operations, history.options)


def found(name, *lines, **more):
    """The cases of an anomaly in a history."""
    return judged(*lines, **more).findings[name].shown
