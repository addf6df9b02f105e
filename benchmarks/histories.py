"""A history of a million operations is read and judged in seconds, and in little memory.

1. The history is made as it is read: senders and readers of eight partitions, all at once, each of
   whose operations is invoked and later ends; transactions send to two partitions. A reader is
   given each record once. Some sends end without an answer, and some of those happened.
2. Its text is what a file would hold, so that reading JSON is in the cost; the disk is not.
3. Memory is that of a process of its own, at its peak, with Python and all that it has loaded.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import Case, Costs, seconds, sized
from simulator.errors import SimulatorError
from simulator.histories.judging import Judgement, judge_operations
from simulator.histories.reading import history_from_text

OPERATIONS = 1_000_000
KEYS = tuple(f"orders-{number}" for number in range(8))
SENDERS = 5
READERS = 5
PIECE = 2_000  # Operations in a piece of text.
RECORDS_MOST = 20  # Of one key in one poll.
LOST_ANSWERS = 997  # One of so many sends ends without an answer.
MEGABYTE = 1 << 20


class Made:
    """A history in the making: what each process does, and what each log holds."""

    def __init__(self) -> None:
        self.index = 0
        self.value = 0
        self.chance = 1
        self.logs: list[list[int]] = [[] for _ in KEYS]
        self.process = list(range(SENDERS + READERS))
        self.doing: dict[int, list[tuple[int, int]]] = {}
        self.offsets: dict[int, int] = {}  # Of values whose sender has not been told.
        self.positions = [[0] * len(KEYS) for _ in range(READERS)]

    def draw(self, below: int) -> int:
        """A number that is the same every time."""
        self.chance = (self.chance * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.chance >> 33) % below

    def operation(self, process: int, kind: str, f: str, value: object) -> str:
        """One line."""
        self.index += 1
        told = {"index": self.index, "process": process, "time": self.index * 1_000,
                "type": kind, "f": f, "value": value}  # fmt: skip
        return json.dumps(told, separators=(",", ":"))

    def step(self) -> str:
        """The next happening of one of the processes."""
        worker = self.draw(SENDERS + READERS)
        process = self.process[worker]
        if worker >= SENDERS:
            return self.reader(worker - SENDERS, process)
        if worker not in self.doing:
            first = self.draw(len(KEYS))
            keys = [first] if self.draw(2) else [first, (first + 1) % len(KEYS)]
            sends = [(key, self.value + number) for number, key in enumerate(keys)]
            self.value += len(sends)
            self.doing[worker] = sends
            if self.draw(2):
                self.write(sends)
            told = [["send", KEYS[key], value] for key, value in sends]
            return self.operation(process, "invoke", "txn", told)
        sends = self.doing.pop(worker)
        if self.draw(LOST_ANSWERS) == 0:
            self.process[worker] += SENDERS + READERS
            told = [["send", KEYS[key], value] for key, value in sends]
            return self.operation(process, "info", "txn", told)
        self.write(sends)
        told = [["send", KEYS[key], [self.offsets.pop(value), value]] for key, value in sends]
        return self.operation(process, "ok", "txn", told)

    def write(self, sends: list[tuple[int, int]]) -> None:
        """The records lie in their logs: some before their sender knows, which readers may see."""
        for key, value in sends:
            if value not in self.offsets:
                self.offsets[value] = 2 * len(self.logs[key])
                self.logs[key].append(value)

    def reader(self, number: int, process: int) -> str:
        """A poll begins, or gives what is there beyond its positions."""
        worker = SENDERS + number
        if worker not in self.doing:
            self.doing[worker] = []
            return self.operation(process, "invoke", "poll", [["poll"]])
        del self.doing[worker]
        given = {}
        for key, position in enumerate(self.positions[number]):
            records = self.logs[key][position : position + RECORDS_MOST]
            if records:
                given[KEYS[key]] = [
                    [2 * (position + place), value] for place, value in enumerate(records)
                ]
                self.positions[number][key] += len(records)
        return self.operation(process, "ok", "poll", [["poll", given]])

    def ends(self) -> Iterator[str]:
        """What is open ends; then each reader reads to the end."""
        for worker in sorted(self.doing):
            if worker < SENDERS:
                sends = self.doing[worker]
                told = [["send", KEYS[key], value] for key, value in sends]
                yield self.operation(self.process[worker], "info", "txn", told)
        for number in range(READERS):
            process = self.process[SENDERS + number]
            if SENDERS + number in self.doing:
                yield self.reader(number, process)
            while any(
                position < len(log)
                for position, log in zip(self.positions[number], self.logs, strict=True)
            ):
                yield self.reader(number, process)
                yield self.reader(number, process)


def text(operations: int) -> Iterator[str]:
    """The text of a history of so many operations, and a few to end it, in pieces."""
    made = Made()
    yield '{"format": "kafka-history/1", "options": {"ww_deps": false, "sub_via": ["assign"]},\n'
    yield '"history": [\n' + made.step()
    for _ in range(2 * operations // PIECE):
        yield "".join(",\n" + made.step() for _ in range(PIECE))
    for line in made.ends():
        yield ",\n" + line
    yield "\n]}\n"


def judged(operations: int) -> Judgement:
    """Read such a history and judge it."""
    pieces = text(operations)
    recorded = history_from_text(lambda: next(pieces, ""))
    judgement = judge_operations(recorded.operations, recorded.options)
    if judgement.bad or judgement.undecided:
        raise SimulatorError(f"the benchmark's own history is bad: {judgement.verdict}")
    if judgement.operations < operations - PIECE:
        raise SimulatorError(f"only {judgement.operations} of {operations} operations were read")
    return judgement


def made_only(operations: int) -> None:
    """What making the text costs."""
    for _ in text(operations):
        pass


def second_costs(size: float) -> Costs:
    """CPU seconds; the making of the text is taken off."""
    operations = sized(size, OPERATIONS, PIECE)
    return Costs(
        lambda: max(
            1e-9, seconds(lambda: judged(operations)) - seconds(lambda: made_only(operations))
        )
    )


def megabytes(operations: int) -> float:
    """The peak of a process that judges such a history and does nothing else."""
    subprocess.run(
        [sys.executable, "-m", "benchmarks.histories", str(operations)],
        check=True,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
    )
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return kilobytes * 1024 / MEGABYTE


def megabyte_costs(size: float) -> Costs:
    """Not a cost in time: megabytes."""
    operations = sized(size, OPERATIONS, PIECE)
    return Costs(lambda: megabytes(operations))


CASES = (
    Case(
        "history",
        "CPU seconds to read and judge a history of 1 000 000 operations",
        60,
        second_costs,
        at_most=True,
        rounds_most=1,
    ),
    Case(
        "history-memory",
        "megabytes that a process needs at most to do so",
        1_000,
        megabyte_costs,
        at_most=True,
        rounds_most=1,
    ),
)

if __name__ == "__main__":
    print(judged(int(sys.argv[1])).verdict)
