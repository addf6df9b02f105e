"""How a story tells of replicas: who took a record over, who was elected, whose log was cut.

Rule 1: of these it is told only if the case is about the log (`Case.replicated`), and from when
its events were first appended.
Rule 2: who was in sync is told where an event is appended; from then on, every change.
"""

from collections.abc import Callable
from typing import Protocol

from simulator.checks.case import Case
from simulator.checks.sentences import at, names, sentence
from simulator.trace.trace import FlatEntry


class Teller(Protocol):
    """What these lines must know of what has been told."""

    case: Case
    nodes: set[str]
    shown: set[int]
    in_sync: dict[tuple[str, int], tuple[str, ...]]

    def it(self, *event_ids: str) -> str:
        """How the events are called."""


def who(case: Case) -> set[str]:
    """Whom a case is about that is about no event, but about the log."""
    told = case.replicated and not case.wanted
    return {entry[2] for entry in case.shown} if told else set()


def in_sync(teller: Teller, where: tuple[str, int]) -> str:
    """Who was in sync when something was appended; empty if nobody has told."""
    isr = teller.in_sync.get(where)
    if isr is None or not teller.case.replicated:
        return ""
    return f" (in sync: {names(isr)})"


def replica_appended(teller: Teller, entry: FlatEntry) -> str:
    """Only that it was taken over, not where: it lies where its leader has it."""
    ours = teller.case.ours(entry[4][4])
    if not teller.case.replicated or not ours:
        return ""
    teller.nodes.add(entry[2])
    return f"{entry[2]} takes {teller.it(*ours)} over"


def log_truncated(teller: Teller, entry: FlatEntry) -> str:
    """If it takes one of the events."""
    _, topic, partition, offset, event_ids = entry[4]
    ours = teller.case.ours(event_ids)
    if not ours or not _told(teller, entry):
        return ""
    teller.nodes.add(entry[2])
    gone = f"{teller.it(*ours)} {'are' if len(ours) > 1 else 'is'} gone"
    return f"{entry[2]} cuts its log at {at(topic, partition, offset)}: {gone}"


def log_recovered(teller: Teller, entry: FlatEntry) -> str:
    """If the broker had an event, and has it no more."""
    _, topic, partition, _, end = entry[4]
    case = teller.case
    here = _told(teller, entry) and (topic, partition) in case.places and end <= case.offset
    if entry[0] not in case.gone and not (here and _held(case, entry[2], entry[0])):
        return ""
    return f"{entry[2]} is back, and its log ends at {at(topic, partition, end)}: without it"


def log_start_moved(teller: Teller, entry: FlatEntry) -> str:
    """If it takes the event."""
    _, topic, partition, offset, reason = entry[4]
    if entry[0] not in teller.case.gone:
        return ""
    return f"{entry[2]} deletes what lies before {at(topic, partition, offset)} ({reason})"


def log_cleaned(teller: Teller, entry: FlatEntry) -> str:
    """If it takes the event."""
    ours = teller.case.ours(entry[4][5])
    if entry[0] not in teller.case.gone:
        return ""
    return f"{entry[2]}'s cleaner removes {teller.it(*ours)}"


def leader_elected(teller: Teller, entry: FlatEntry) -> str:
    """Whoever it is: from then on its log counts."""
    _, topic, partition, leader, _, isr, election = entry[4]
    teller.in_sync[topic, partition] = isr
    if (topic, partition) not in teller.case.places or not _told(teller, entry):
        return ""
    if not leader:
        return f"nobody can lead {at(topic, partition)}"
    teller.nodes.add(leader)
    alone = len(teller.case.wanted) == 1
    lacks = ", without it" if alone and not _held(teller.case, leader, entry[0]) else ""
    return f"{leader} is elected to lead {at(topic, partition)} ({election}){lacks}"


def isr_changed(teller: Teller, entry: FlatEntry) -> str:
    """Who counts when something is committed."""
    _, topic, partition, _, isr, _ = entry[4]
    teller.in_sync[topic, partition] = isr
    if (topic, partition) not in teller.case.places or not _told(teller, entry):
        return ""
    return f"in sync on {at(topic, partition)} now: {names(isr)}"


def truncation_found(teller: Teller, entry: FlatEntry) -> str:
    """By one who was told of."""
    _, _, topic, partition, _, _ = entry[4]
    concerns = (topic, partition) in teller.case.places and entry[2] in teller.nodes
    return sentence(entry) if concerns and teller.case.inside(entry) else ""


def _told(teller: Teller, entry: FlatEntry) -> bool:
    """Whether the case is about the log, and its events have been appended, if it has any."""
    case = teller.case
    if not case.replicated:
        return False
    return entry[0] > case.appended >= 0 if case.wanted else case.inside(entry)


def _held(case: Case, node: str, before: int) -> bool:
    """Whether a broker's log held one of the case's events just before an entry."""
    held = False
    for seq, _, where, _, event in case.entries:
        if seq >= before:
            break
        if where != node:
            continue
        if event[0] in {"batch_appended", "replica_appended"}:
            held = held or bool(case.ours(event[4]))
        elif event[0] == "log_truncated":
            held = held and not case.ours(event[4])
        elif event[0] == "log_recovered" and event[1:3] in case.places:
            held = held and event[4] > case.offset
    return held


RULES: dict[str, Callable[[Teller, FlatEntry], str]] = {
    rule.__name__: rule
    for rule in (
        replica_appended, log_truncated, log_recovered, log_start_moved, log_cleaned,
        leader_elected, isr_changed, truncation_found,
    )
}  # fmt: skip
