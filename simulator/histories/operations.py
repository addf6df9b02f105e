"""What was done, as columns of integers: a million operations take tens of megabytes.

1. One row is one completed operation: who did it, when it was invoked and when it ended (as
   positions in the history, and as times), how it came out, and what it sent and was given.
2. A row's number is its *place*; `index` is what the history calls it. Rows of one process stand in
   the order in which they were invoked.
3. Keys, values and processes are interned: inside they are numbers.
4. What has been sent or polled stands in flat columns; `sent_from[place]` to `sent_from[place + 1]`
   are a row's own. An offset of -1 is not known.
"""

from array import array
from collections.abc import Iterator

OK, FAIL, INFO = range(3)
OUTCOMES = ("ok", "fail", "info")
SEND, POLL, TXN, ASSIGN, SUBSCRIBE, CRASH = range(6)
DOES = ("send", "poll", "txn", "assign", "subscribe", "crash")
UNKNOWN = -1  # An offset nobody was told, a value nobody sent.

Value = str | int


def _numbers() -> "array[int]":
    return array("q")


class Operations:
    """Operations of a history, and the names that their numbers stand for."""

    __slots__ = (
        "_key_numbers",
        "_process_numbers",
        "_value_numbers",
        "does",
        "ended",
        "ended_time",
        "excused",
        "index",
        "invoked",
        "invoked_time",
        "key_of",
        "keys",
        "outcome",
        "process",
        "processes",
        "read",
        "read_at",
        "read_from",
        "rebalanced",
        "sender",
        "sent",
        "sent_at",
        "sent_from",
        "sent_twice",
        "sessions",
        "unread_keys",
        "values",
    )

    def __init__(self) -> None:
        self.index = _numbers()
        self.process = _numbers()
        self.does = bytearray()
        self.outcome = bytearray()
        self.invoked = _numbers()
        self.ended = _numbers()
        self.invoked_time = _numbers()  # A history's times are ns; a trace's are us.
        self.ended_time = _numbers()
        self.sent_from = array("q", [0])
        self.sent = _numbers()
        self.sent_at = _numbers()
        self.read_from = array("q", [0])
        self.read = _numbers()
        self.read_at = _numbers()
        self.keys: list[str] = []
        self.processes: list[Value] = []
        self.values: list[Value] = []
        self.key_of = _numbers()  # Of a value.
        self.sender = _numbers()  # Of a value: the place that sent it first, or UNKNOWN.
        self.sent_twice: dict[int, list[int]] = {}  # A value: all places that sent it.
        self.sessions: dict[int, tuple[int, ...]] = {}  # assign, subscribe: its keys.
        self.rebalanced: dict[int, tuple[int, ...]] = {}  # Keys gained or lost meanwhile.
        self.excused: dict[int, str] = {}  # Values that retention or a cleaner took away.
        self.unread_keys: dict[int, bool] = {}  # Keys that nobody wants to read.
        self._key_numbers: dict[str, int] = {}
        self._process_numbers: dict[Value, int] = {}
        self._value_numbers: list[dict[Value, int]] = []  # By key.

    def __len__(self) -> int:
        return len(self.index)

    def key(self, name: str) -> int:
        """The number of a key."""
        number = self._key_numbers.get(name)
        if number is None:
            number = self._key_numbers[name] = len(self.keys)
            self.keys.append(name)
            self._value_numbers.append({})
        return number

    def value(self, key: int, value: Value) -> int:
        """The number of a value of a key."""
        numbers = self._value_numbers[key]
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = len(self.values)
            self.values.append(value)
            self.key_of.append(key)
            self.sender.append(UNKNOWN)
        return number

    def find(self, key: int, value: Value) -> int | None:
        """The number of a value, if it was met."""
        return self._value_numbers[key].get(value)

    def process_number(self, name: Value) -> int:
        """The number of a process."""
        number = self._process_numbers.get(name)
        if number is None:
            number = self._process_numbers[name] = len(self.processes)
            self.processes.append(name)
        return number

    def send(self, value: int, offset: int) -> None:
        """The row that is being written has sent a value."""
        self.sent.append(value)
        self.sent_at.append(offset)
        place = len(self.index)
        first = self.sender[value]
        if first < 0:
            self.sender[value] = place
        else:
            self.sent_twice.setdefault(value, [first]).append(place)

    def poll(self, value: int, offset: int) -> None:
        """The row that is being written was given a value."""
        self.read.append(value)
        self.read_at.append(offset)

    def end_row(
        self,
        index: int,
        process: int,
        what: tuple[int, int],
        when: tuple[int, int],
        times: tuple[int, int],
    ) -> int:
        """The row is whole; the answer is its place.

        Args:
            index: what the history calls it.
            process: the number of its process.
            what: what it does, and how it came out.
            when: its positions, invoked and ended.
            times: the same by the clock.
        """
        place = len(self.index)
        self.index.append(index)
        self.process.append(process)
        self.does.append(what[0])
        self.outcome.append(what[1])
        self.invoked.append(when[0])
        self.ended.append(when[1])
        self.invoked_time.append(times[0])
        self.ended_time.append(times[1])
        self.sent_from.append(len(self.sent))
        self.read_from.append(len(self.read))
        return place

    # --- Questions that are asked of few rows ----------------------------------------------------

    def sends(self, place: int) -> Iterator[tuple[int, int]]:
        """What a row has sent: values and offsets, in order."""
        for at in range(self.sent_from[place], self.sent_from[place + 1]):
            yield self.sent[at], self.sent_at[at]

    def polls(self, place: int) -> Iterator[tuple[int, int]]:
        """What a row was given: values and offsets, in order."""
        for at in range(self.read_from[place], self.read_from[place + 1]):
            yield self.read[at], self.read_at[at]

    def named(self, value: int) -> tuple[str, Value]:
        """A value's key and itself."""
        return self.keys[self.key_of[value]], self.values[value]

    def writer(self, value: int) -> int:
        """Who certainly sent a value: its place; UNKNOWN if nobody did, or more than one."""
        return UNKNOWN if value in self.sent_twice else self.sender[value]
