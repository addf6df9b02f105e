"""One record at an offset, and one offset for a record: inconsistent-offsets, duplicate."""

from simulator.histories.finding import SHOWN_MOST, Finding, Findings
from simulator.histories.operations import Operations
from simulator.histories.versions import Versions

_Who = dict[tuple[int, int], dict[int, bool]]  # value, offset -> the operations that say so


def places(operations: Operations, versions: Versions) -> Findings:
    """The offsets that hold several values, and the values that lie at several offsets.

    A value that was sent twice may lie at two offsets.
    """
    reached = sum(map(len, versions.by_index))
    several, copies = Finding(reached), Finding(reached)
    doubled = [
        value
        for value in sorted(versions.copies)
        if len(versions.copies[value]) > len(operations.sent_twice.get(value, (0,)))
    ]
    who: _Who = {}
    for key, index, values in versions.conflicts[:SHOWN_MOST]:
        offset = versions.offsets[key][index]
        who.update({(value, offset): {} for value in values})
    for value in doubled[:SHOWN_MOST]:
        who.update({(value, offset): {} for offset in versions.copies[value]})
    if who:
        _ask(operations, versions, who)
    for key, index, values in versions.conflicts:
        offset = versions.offsets[key][index]
        several.add(
            key=operations.keys[key],
            offset=offset,
            index=index,
            values=sorted((operations.values[value] for value in values), key=_by_kind),
            ops=_told(who, [(value, offset) for value in values]),
        )
    for value in doubled:
        where, name = operations.named(value)
        offsets = versions.copies[value]
        ops = _told(who, [(value, offset) for offset in offsets])
        copies.add(key=where, value=name, count=len(offsets), offsets=offsets, ops=ops)
    return {"inconsistent-offsets": several, "duplicate": copies}


def _ask(operations: Operations, versions: Versions, who: _Who) -> None:
    """Who sent a value, and was told that offset; and who was the first to be given it there."""
    asked = {value: True for value, _ in who}
    starts, sent = operations.sent_from, operations.sent
    for place, happened in enumerate(versions.happened):
        if happened:
            for at in range(starts[place], starts[place + 1]):
                if sent[at] in asked and (sent[at], operations.sent_at[at]) in who:
                    who[sent[at], operations.sent_at[at]][operations.index[place]] = True
    starts, read = operations.read_from, operations.read
    given: dict[tuple[int, int], bool] = {}
    for place in range(len(operations)):
        for at in range(starts[place], starts[place + 1]):
            if read[at] in asked:
                which = read[at], operations.read_at[at]
                if which in who and which not in given:
                    given[which] = who[which][operations.index[place]] = True


def _told(who: _Who, places: list[tuple[int, int]]) -> list[int]:
    return sorted({index: True for place in places for index in who.get(place, ())})


def _by_kind(value: str | int) -> tuple[bool, str | int]:
    """Numbers, then texts."""
    return isinstance(value, str), value
