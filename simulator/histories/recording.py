"""An operation of kafka-history/1, as it must look, on its way into the columns.

    {"index": 3, "process": 1, "time": 40, "type": "ok", "f": "poll",
     "value": [["poll", {"orders-0": [[7, "e1"], [8, "e2"]]}]]}

1. An `invoke` is followed by exactly one `ok`, `fail` or `info` of its process, which does nothing
   else meanwhile. `index` rises; `time`, in nanoseconds, does not go back.
2. `send`, `poll` and `txn` have lists of sends and polls; `assign` and `subscribe` lists of keys.
   What an invocation says of values is not believed: its completion says what was done.
3. A value is a text or a whole number; an offset is a whole number, or null where it is not known.
4. At time -1 nothing was recorded of time: there a completion may stand without its invocation.
"""

from typing import Any, NoReturn

from simulator.errors import BadInput
from simulator.histories.operations import (
    ASSIGN,
    CRASH,
    DOES,
    OUTCOMES,
    POLL,
    SEND,
    SUBSCRIBE,
    UNKNOWN,
    Operations,
)

OFFSET_MOST = 2**63 - 1
NO_TIME = -1
_DOES = {name: number for number, name in enumerate(DOES)}
_OUTCOME = {name: number for number, name in enumerate(OUTCOMES)}
_SHOWN = 100

_Open = tuple[int, int, int, int]  # index, position, time, what it does


class Recorder:
    """Takes operations one by one, and refuses what no history says.

    Args:
        where: the file's name, for errors.
    """

    def __init__(self, where: str) -> None:
        self.operations = Operations()
        self.subscribed = False
        self._where = where
        self._position = 0
        self._index = -1
        self._time = NO_TIME
        self._open: dict[Any, _Open] = {}

    def take(self, found: Any) -> None:
        """The next operation.

        Raises:
            BadInput: it is not one, or cannot stand here.
        """
        if type(found) is not dict:
            self._refuse("an operation must be an object, not", found)
        try:
            index, process, time = found["index"], found["process"], found["time"]
            kind, f, value = found["type"], found["f"], found["value"]
        except KeyError as error:
            self._refuse(f"an operation lacks {error}:", found)
        if type(index) is not int or not self._index < index <= OFFSET_MOST:
            self._refuse(f"index must rise (the last was {self._index}):", index)
        if type(time) is not int or not self._time <= time <= OFFSET_MOST:
            self._refuse(
                f"operation {index}: time must not go back (the last was {self._time}):", time
            )
        if type(process) is not int and type(process) is not str:
            self._refuse(f"operation {index}: process must be a number or a name, not", process)
        does = _DOES.get(f) if type(f) is str else None
        if does is None:
            self._refuse(f"operation {index}: f must be one of {', '.join(DOES)}, not", f)
        self._index, self._time = index, time
        position = self._position
        self._position = position + 1
        if kind == "invoke":
            if process in self._open:
                other = self._open[process][0]
                self._refuse(
                    f"operation {index}: process {process!r} is still busy with operation", other
                )
            self._invoked(index, does, value)
            self._open[process] = (index, position, time, does)
            return
        outcome = _OUTCOME.get(kind) if type(kind) is str else None
        if outcome is None:
            self._refuse(f"operation {index}: type must be invoke, ok, fail or info, not", kind)
        began = self._open.pop(process, None)
        if began is None:
            if time != NO_TIME:
                self._refuse(f"operation {index} ends what was not invoked, by process", process)
            began = (index, position, time, does)
        if began[3] != does:
            invoked = f"{DOES[began[3]]} by operation {began[0]}"
            self._refuse(f"operation {index}: what was invoked is {invoked}, and ended is", f)
        self._completed(index, does, found)
        self.operations.end_row(
            index,
            self.operations.process_number(process),
            (does, outcome),
            (began[1], position),
            (began[2], time),
        )

    def end(self) -> Operations:
        """The history is over.

        Raises:
            BadInput: an operation has no end.
        """
        if self._open:
            process, (index, *_) = next(iter(self._open.items()))
            fix = "it may be cut short; what has no known end is completed as info"
            raise BadInput(
                f"operation {index} never ends, by process", self._where, process, fix
            )
        return self.operations

    def _invoked(self, index: int, does: int, value: Any) -> None:
        """What is asked for has the right form; its values are not looked at."""
        if does >= ASSIGN:
            if does != CRASH:
                self._keys(index, value)
            return
        if type(value) is not list:
            self._refuse(f"operation {index}: value must be a list of sends and polls, not", value)
        for micro in value:
            if type(micro) is not list or not micro or micro[0] not in ("send", "poll"):
                self._refuse(f'operation {index}: neither ["send", ...] nor ["poll"]:', micro)
            if (micro[0] == "send" and does == POLL) or (micro[0] == "poll" and does == SEND):
                self._refuse(f"operation {index} is a {DOES[does]}, and holds", micro)

    def _completed(self, index: int, does: int, found: Any) -> None:
        value = found["value"]
        if does < ASSIGN:
            if type(value) is not list:
                self._refuse(f"operation {index}: value must be a list of sends and polls", value)
            self._micro_operations(index, does, value)
        elif does != CRASH:
            self.operations.sessions[len(self.operations)] = self._keys(index, value)
            self.subscribed = self.subscribed or does == SUBSCRIBE
        log = found.get("rebalance_log")
        if log:
            self.operations.rebalanced[len(self.operations)] = self._rebalanced(index, log)

    def _micro_operations(self, index: int, does: int, value: list[Any]) -> None:
        operations = self.operations
        for micro in value:
            if type(micro) is list and micro:
                if micro[0] == "send" and len(micro) == 3 and does != POLL:
                    _, name, told = micro
                    if type(name) is not str:
                        self._refuse(f"operation {index}: a key must be a text, not", name)
                    if type(told) is not list:
                        told = (None, told)
                    key = operations.key(name)
                    operations.send(*self._placed(index, key, told))
                    continue
                if micro[0] == "poll" and len(micro) <= 2 and does != SEND:
                    if len(micro) == 2:
                        self._polled(index, micro[1])
                    continue
            self._refuse(f"operation {index} is a {DOES[does]}, and holds", micro)

    def _polled(self, index: int, told: Any) -> None:
        operations = self.operations
        if type(told) is not dict:
            self._refuse(f"operation {index}: a poll gives records by key, not", told)
        for name, records in told.items():
            key = operations.key(name)
            if type(records) is not list:
                self._refuse(f"operation {index}: a poll gives lists of records, not", records)
            for record in records:
                operations.poll(*self._placed(index, key, record))

    def _placed(self, index: int, key: int, told: Any) -> tuple[int, int]:
        """The value and the offset of [offset, value]."""
        if (type(told) is not list and type(told) is not tuple) or len(told) != 2:
            self._refuse(f"operation {index}: a record is [offset, value], not", told)
        offset, value = told
        if type(value) is not str and type(value) is not int:
            self._refuse(
                f"operation {index}: a value must be a text or a whole number, not", value
            )
        if offset is None:
            offset = UNKNOWN
        elif type(offset) is not int or not 0 <= offset <= OFFSET_MOST:
            self._refuse(
                f"operation {index}: an offset must be a whole number from 0, or null, not", offset
            )
        return self.operations.value(key, value), offset

    def _keys(self, index: int, names: Any) -> tuple[int, ...]:
        if type(names) is not list or any(type(name) is not str for name in names):
            self._refuse(f"operation {index}: value must be a list of keys, not", names)
        return tuple(map(self.operations.key, names))

    def _rebalanced(self, index: int, log: Any) -> tuple[int, ...]:
        if type(log) is not list or any(type(one) is not dict for one in log):
            self._refuse(
                f'operation {index}: rebalance_log must be a list of {{"keys": [...]}}, not', log
            )
        return tuple(key for one in log for key in self._keys(index, one.get("keys")))

    def _refuse(self, what: str, value: object) -> NoReturn:
        shown: object = value
        text = repr(value)
        if len(text) > _SHOWN:
            shown = text[: _SHOWN - 3] + "..."
        if value is None:
            what = f"{what} null"
        raise BadInput(what, self._where, shown)
