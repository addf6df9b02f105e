"""Nobody is given what was not written: G1a, precommitted-read, phantom.

1. What a failed operation sent is given to nobody. `G1a` is Adya's aborted read, of readers that
   are ok; `G1a-unconfirmed` is the same of readers that failed or did not learn how they ended:
   what a poll has shown was shown, whatever became of its transaction.
2. An operation is not given what it sent itself: its records are visible only once it is over.
3. What is polled was sent by somebody. A topic that was not empty at the beginning has phantoms:
   let the history begin with what is there, as sends, or allow them.
"""

from typing import Any

from simulator.histories.finding import Finding, Findings
from simulator.histories.operations import FAIL, OK, Operations

_UNSENT, _FAILED = 1, 2


def dirty(operations: Operations) -> Findings:
    """What was given to somebody and should not have been."""
    aborted, unconfirmed, own, phantoms = Finding(), Finding(), Finding(), Finding()
    met = bytearray(len(operations.values))
    suspect = _suspects(operations)
    starts, read, sends = operations.read_from, operations.read, operations.sent_from
    for place, outcome in enumerate(operations.outcome):
        begin, end = starts[place], starts[place + 1]
        if begin == end:
            continue
        found = aborted if outcome == OK else unconfirmed
        found.reached += end - begin
        for value in read[begin:end]:
            if suspect[value] == _FAILED:
                found.add(**_told(operations, value, place))
            elif suspect[value] and not met[value]:
                met[value] = 1  # It is one case, however often it is read.
                key, name = operations.named(value)
                phantoms.add(key=key, value=name, op=operations.index[place])
        if sends[place] != sends[place + 1]:
            own.reached += 1
            _own(operations, place, own)
    phantoms.reached = len(read)
    return {
        "G1a": aborted,
        "G1a-unconfirmed": unconfirmed,
        "precommitted-read": own,
        "phantom": phantoms,
    }


def _suspects(operations: Operations) -> bytearray:
    """By value: whether nobody sent it, or only operations that failed."""
    outcome, suspect = operations.outcome, bytearray(len(operations.values))
    for value, writer in enumerate(operations.sender):
        if writer < 0:
            suspect[value] = _UNSENT
        elif outcome[writer] == FAIL:
            suspect[value] = _FAILED
    for value, writers in operations.sent_twice.items():
        if any(outcome[writer] != FAIL for writer in writers):
            suspect[value] = 0
    return suspect


def _told(operations: Operations, value: int, place: int) -> dict[str, Any]:
    key, name = operations.named(value)
    index, writer = operations.index, operations.sender[value]
    return {"key": key, "value": name, "writer": index[writer], "reader": index[place]}


def _own(operations: Operations, place: int, own: Finding) -> None:
    sent = {value: True for value, _ in operations.sends(place)}
    for value, _ in operations.polls(place):
        if sent.pop(value, False):
            key, name = operations.named(value)
            own.add(op=operations.index[place], key=key, value=name)
