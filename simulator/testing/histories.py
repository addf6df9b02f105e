"""Histories of clients for Hypothesis, to test who judges them: legal ones, and spoilt ones.

A legal history is made by a log that keeps every promise: each send takes effect once, between its
beginning and its end, or never; each poll goes on where its process was, and leaves nothing out;
in the end one process reads everything. A spoilt one is legal but for one thing, which has a name:
that of the anomaly as the judge of histories calls it.

Histories are lists of operations in the form kafka-history/1, plain dicts: they print as what can
be pasted, and shrink to few operations by few processes.
"""

import copy
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.testing.drawing import must_be_whole

Operation = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]  # As Hypothesis hands it to a composite.

STEP_NS = 1_000
READS_MOST = 3
# How a send ends: acknowledged, failed, unknown and written, unknown and not written.
ENDS = ("ok", "ok", "ok", "fail", "written", "unwritten")


def histories(
    spoilt: str | None = None,
    *,
    processes: int = 3,
    keys: int = 2,
    steps: int = 20,
) -> st.SearchStrategy[list[Operation]]:
    """Histories of at most so many processes, partitions and steps.

    Args:
        spoilt: the name of an anomaly that is planted, one of SPOILERS; None: all is legal.
        steps: how many are drawn at most; for an anomaly that they cannot have come a few more.

    Raises:
        BadInput: nobody knows how to plant such an anomaly, or a number is too small or none.
    """
    if spoilt is not None and (not isinstance(spoilt, str) or spoilt not in SPOILERS):
        raise BadInput("nobody can plant", "histories", spoilt, f"known: {', '.join(SPOILERS)}")
    for name, number in (("processes", processes), ("keys", keys), ("steps", steps)):
        must_be_whole(f"histories.{name}", number, least=1)
    # One number a step: who, what, of which key, and how it ends.
    kinds = processes * keys * len(ENDS) * 2
    drawn = st.lists(st.integers(0, kinds - 1), max_size=steps)
    # Three sends, two polls and a failed send, one after the other: it can have any anomaly.
    each = processes * keys
    plain = [*[0] * 6, *[each] * 4, *[2 * each * ENDS.index("fail")] * 2]

    @st.composite  # It is printed as the operations that it made.
    def history(draw: Draw) -> list[Operation]:
        kinds = draw(drawn)
        # Few of them can have some anomalies. To draw until one can is to reject nearly all, so
        # such steps come before or after it, or stand alone.
        for steps_of in (kinds, plain + kinds, kinds + plain, plain):
            made = _Clients(processes, [f"p{number}" for number in range(keys)])
            for kind in steps_of:
                made.step(kind)
            made.read_all()
            if spoilt is None or SPOILERS[spoilt](made.history):
                return made.history
        raise AssertionError(f"{spoilt} cannot be planted in {plain}")

    return history()


class _Clients:
    """Processes and the logs that they write and read."""

    def __init__(self, processes: int, keys: list[str]) -> None:
        self.history: list[Operation] = []
        self.keys = keys
        self.logs: dict[str, list[int]] = {key: [] for key in keys}
        self.names = list(range(processes))  # Whoever ends unknown goes on under another name.
        self.new_names = count(processes)
        self.positions: dict[int, dict[str, int]] = {}
        self.open: dict[int, Operation] = {}  # By slot: what was invoked, and how it will end.
        self.value = 0

    def step(self, kind: int) -> None:
        """Let one process begin something, or end what it began."""
        slot, kind = kind % len(self.names), kind // len(self.names)
        number, kind = kind % len(self.keys), kind // len(self.keys)
        if slot in self.open:
            self._end(slot)
            return
        polls, how = kind % 2, ENDS[kind // 2 % len(ENDS)]
        if polls:
            self._begin(slot, {"f": "poll", "value": [["poll"]], "how": "ok"})
        else:
            sent = [["send", self.keys[number], self.value]]
            self.value += 1
            self._begin(slot, {"f": "send", "value": sent, "how": how})

    def read_all(self) -> None:
        """End everything, and let a process that was never there read every log."""
        for slot in list(self.open):
            self._end(slot)
        self.names.append(next(self.new_names))
        slot = len(self.names) - 1
        self._begin(slot, {"f": "poll", "value": [["poll"]], "how": "ok"})
        self._end(slot, most=len(self.history))

    def _begin(self, slot: int, what: Operation) -> None:
        self.open[slot] = what
        self._tell(slot, "invoke", what["f"], copy.deepcopy(what["value"]))

    def _end(self, slot: int, most: int = READS_MOST) -> None:
        what = self.open.pop(slot)
        if what["f"] == "poll":
            self._tell(slot, "ok", "poll", [["poll", self._read(slot, most)]])
            return
        (_, key, value), how = what["value"][0], what["how"]
        if how in ("ok", "written"):
            self.logs[key].append(value)
        if how == "ok":
            self._tell(slot, "ok", "send", [["send", key, [len(self.logs[key]) - 1, value]]])
            return
        self._tell(slot, "fail" if how == "fail" else "info", "send", what["value"])
        if how != "fail":
            self.names[slot] = next(self.new_names)

    def _read(self, slot: int, most: int) -> dict[str, list[list[int]]]:
        positions = self.positions.setdefault(self.names[slot], {})
        found = {}
        for key, log in self.logs.items():
            begins = positions.get(key, 0)
            ends = min(len(log), begins + most)
            if ends > begins:
                found[key] = [[offset, log[offset]] for offset in range(begins, ends)]
                positions[key] = ends
        return found

    def _tell(self, slot: int, kind: str, what: str, value: Any) -> None:
        index = len(self.history)
        self.history.append(
            {"index": index, "process": self.names[slot], "time": index * STEP_NS,
             "type": kind, "f": what, "value": value}
        )  # fmt: skip


# --- What can be spoilt ------------------------------------------------------------------------


def _polls(history: list[Operation]) -> list[Operation]:
    return [one for one in history if one["f"] == "poll" and one["type"] == "ok"]


def _everything(history: list[Operation]) -> dict[str, list[list[int]]]:
    """What the last poll was given: the whole of every log."""
    return history[-1]["value"][0][1]  # type: ignore[no-any-return]


def _failed(history: list[Operation]) -> bool:
    """What a failed send wrote is polled."""
    for one in history:
        if one["type"] == "fail":
            _, key, value = one["value"][0]
            log = _everything(history).setdefault(key, [])
            log.append([log[-1][0] + 1 if log else 0, value])
            return True
    return False


def _duplicate(history: list[Operation]) -> bool:
    """The last reader is given a record once more, behind all others."""
    for log in _everything(history).values():
        log.append([log[-1][0] + 1, log[0][1]])
        return True
    return False


def _inconsistent(history: list[Operation]) -> bool:
    """Who was told of an offset by its acknowledgement reads something else there."""
    for log in _everything(history).values():
        if len(log) > 1:
            log[0][1], log[1][1] = log[1][1], log[0][1]
            return _acknowledged(history, log[0][1]) or _acknowledged(history, log[1][1])
    return False


def _acknowledged(history: list[Operation], value: int) -> bool:
    return any(
        one["type"] == "ok" and one["f"] == "send" and one["value"][0][2][1] == value
        for one in history
    )


def _unseen(history: list[Operation]) -> bool:
    """Nobody is given the last record of a log, which was acknowledged."""
    for log in _everything(history).values():
        if _acknowledged(history, log[-1][1]) and len(log) > 1:
            return _hidden(history, log[-1][1])
    return False


def _lost(history: list[Operation]) -> bool:
    """Nobody is given a record that was acknowledged, but all are given those behind it."""
    for log in _everything(history).values():
        if len(log) > 1 and _acknowledged(history, log[0][1]):
            return _hidden(history, log[0][1])
    return False


def _hidden(history: list[Operation], value: int) -> bool:
    for one in _polls(history):
        for log in one["value"][0][1].values():
            log[:] = [record for record in log if record[1] != value]
    return True


def _phantom(history: list[Operation]) -> bool:
    """The last reader is given what nobody sent."""
    for log in _everything(history).values():
        log.append([log[-1][0] + 1, -1])
        return True
    return False


def _skip(history: list[Operation]) -> bool:
    """One poll leaves out what others were given between two of its records."""
    for log in _everything(history).values():
        if len(log) > 2 and any(_given(one, log[1][1]) for one in _polls(history)[:-1]):
            del log[1]
            return True
    return False


def _given(poll: Operation, value: int) -> bool:
    return any(record[1] == value for log in poll["value"][0][1].values() for record in log)


def _backwards(history: list[Operation]) -> bool:
    """One poll is given a record, and then the one before it."""
    for log in _everything(history).values():
        if len(log) > 1:
            log[0], log[1] = log[1], log[0]
            return True
    return False


def _again(history: list[Operation]) -> bool:
    """A process is given in its next poll what it was given before."""
    before: dict[int, Operation] = {}
    for one in _polls(history):
        earlier = before.get(one["process"])
        if earlier is not None:
            for key, log in earlier["value"][0][1].items():
                one["value"][0][1][key] = copy.deepcopy(log)
                return True
        before[one["process"]] = one
    return False


# The anomaly, and how a legal history gets it; False: this one cannot have it.
SPOILERS: Mapping[str, Callable[[list[Operation]], bool]] = {
    "G1a": _failed,
    "duplicate": _duplicate,
    "inconsistent-offsets": _inconsistent,
    "unseen": _unseen,
    "lost-write": _lost,
    "phantom": _phantom,
    "int-poll-skip": _skip,
    "int-nonmonotonic-poll": _backwards,
    "nonmonotonic-poll": _again,
}

__all__ = ["SPOILERS", "histories"]
