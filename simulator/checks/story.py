"""An entry as a plain sentence, and of a whole trace the few entries that a case is about.

A story follows events: it tells every entry that names one of them, what was lost on the way, and
the crashes, pauses, rebalances and commits in between of nodes and partitions that it touches.

Not modelled: how clients waited, and heartbeats, joins and metadata: they are in the trace.
"""

from collections.abc import Callable, Iterable
from typing import Any

from simulator.trace.causality import Causality
from simulator.trace.trace import FlatEntry, Trace

LINES_MOST = 40

Say = Callable[..., str]

_STATES = frozenset(("node_crashed", "node_restarted", "node_paused", "clock_skewed"))
_MESSAGES = frozenset(
    ("message_sent", "message_delivered", "message_dropped", "message_duplicated")
)
_OFFSETS = frozenset(("offset_committed", "commit_refused", "position_reset"))


def _at(topic: str, partition: int, offset: int) -> str:
    return f"{topic}-{partition}" + (f"@{offset}" if offset >= 0 else "")


def _all(event_ids: tuple[str, ...]) -> str:
    shown = ", ".join(event_ids[:4])
    return shown if len(event_ids) <= 4 else f"{shown} and {len(event_ids) - 4} more"


def _parts(partitions: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{topic}-{number}" for topic, number in partitions) or "nothing"


# Each is given the fields of its kind, in their order, and continues "<node> ...".
_SENTENCES: dict[str, Say] = {
    "workload_ended": lambda records: f"has handed over its last record, {records} in all",
    "faults_ended": lambda: "is healed: no more faults",
    "run_ended": lambda reason: f"ends the run ({reason})",
    "node_crashed": lambda mode, point: f"crashes ({mode}, {point})",
    "node_restarted": lambda incarnation: f"restarts, its memory empty (incarnation {incarnation})",
    "node_paused": lambda for_us: f"stands still for {for_us / 1000:.3f} ms",
    "node_resumed": lambda: "goes on",
    "clock_skewed": lambda jump_us, _: f"has its clock moved by {jump_us / 1000:.3f} ms",
    "message_dropped": lambda _, source, target, api, reason: (
        f"loses {api} from {source} to {target} ({reason})"
    ),
    "message_duplicated": lambda _, source, target, api: (
        f"doubles {api} from {source} to {target}"
    ),
    "message_sent": lambda _, __, target, api, ___: f"sends {api} to {target}",
    "message_delivered": lambda _, source, __, api: f"receives {api} from {source}",
    "record_sent": lambda event_id, topic, key: f"sends {event_id} to {topic} (key {key!r})",
    "record_acknowledged": lambda event_id, topic, partition, offset: (
        f"learns that {event_id} is in the log ({_at(topic, partition, offset)})"
    ),
    "record_failed": lambda event_id, _, error, definite: (
        f"gives {event_id} up: {error}" + ("" if definite else "; it may be in the log")
    ),
    "batch_retried": lambda _, __, event_ids, attempt, error: (
        f"sends {_all(event_ids)} again (retry {attempt}, {error})"
    ),
    "record_polled": lambda group, topic, partition, offset, event_id: (
        f"is given {event_id} for {group} ({_at(topic, partition, offset)})"
    ),
    "processing_started": lambda _, __, ___, ____, event_id: f"begins to process {event_id}",
    "processing_ended": lambda _, __, ___, ____, event_id, outcome: (
        f"has processed {event_id}: {outcome}"
    ),
    "commit_answered": lambda _, topic, partition, offset, error: (
        f"learns of its commit {_at(topic, partition, offset)}: {error}"
    ),
    "position_reset": lambda _, topic, partition, offset, policy: (
        f"goes to {_at(topic, partition, offset)} ({policy})"
    ),
    "partitions_assigned": lambda group, generation, partitions: (
        f"now owns {_parts(partitions)} ({group}, generation {generation})"
    ),
    "partitions_revoked": lambda _, __, partitions: f"gives up {_parts(partitions)}",
    "partitions_lost": lambda _, __, partitions: f"has lost {_parts(partitions)}",
    "batch_appended": lambda topic, partition, offset, event_ids, _, __, ___: (
        f"appends {_all(event_ids)} at {_at(topic, partition, offset)}"
    ),
    "batch_deduplicated": lambda topic, partition, offset, event_ids: (
        f"has {_all(event_ids)} already ({_at(topic, partition, offset)})"
    ),
    "append_refused": lambda _, __, event_ids, error: f"refuses {_all(event_ids)}: {error}",
    "offset_committed": lambda group, topic, partition, offset, _, __: (
        f"commits {_at(topic, partition, offset)} for {group}"
    ),
    "commit_refused": lambda group, topic, partition, offset, _, __, error: (
        f"refuses to commit {_at(topic, partition, offset)} for {group}: {error}"
    ),
    "generation_started": lambda group, generation, _, __, members: (
        f"begins generation {generation} of {group} with {len(members)} members"
    ),
    "member_removed": lambda group, member, reason: f"removes {member} from {group} ({reason})",
    "effect_applied": lambda table, key, value, event_id: (
        f"changes {table} {key!r} to {value!r} for {event_id}"
    ),
    "effect_refused": lambda table, key, event_id, reason: (
        f"refuses to change {table} {key!r} for {event_id}: {reason}"
    ),
}


def sentence(entry: FlatEntry) -> str:
    """One entry as a sentence, without its time: `billing-0 crashes (process, after_process)`."""
    _, _, node, _, (kind, *fields) = entry
    say = _SENTENCES.get(kind)
    if say is not None:
        return f"{node} {say(*fields)}"
    rest = " ".join(str(field) for field in fields)
    return f"{node}: {kind.replace('_', ' ')} {rest}".rstrip()


def timed(entry: FlatEntry) -> str:
    """One entry as a line of a story: when, in milliseconds, and what."""
    return f"{entry[1] / 1000:>10.3f} ms  {sentence(entry)}"


def story(trace: Trace, seqs: Iterable[int], event_ids: Iterable[str] = ()) -> list[str]:
    """The entries that matter to a case, as lines.

    Args:
        trace: a kept trace.
        seqs: the entries that show the case.
        event_ids: the events that it is about.
    """
    chosen = relevant(trace, seqs, event_ids)
    lines = [timed(entry) for entry in chosen]
    if len(lines) <= LINES_MOST:
        return lines
    half = LINES_MOST // 2
    return [*lines[:half], f"{'...':>10}     ({len(lines) - 2 * half} more)", *lines[-half:]]


def relevant(
    trace: Trace, seqs: Iterable[int], event_ids: Iterable[str] = ()
) -> list[FlatEntry]:
    """The entries of a case: those that show it, those that name its events, what came between."""
    shown = frozenset(seqs)
    wanted = frozenset(event_ids)
    entries = trace.flat
    messages = _messages_about(entries, wanted)
    told = [entry for entry in entries if entry[0] in shown or _names(entry[4], wanted)]
    told = [entry for entry in told if entry[4][0] != "message_sent" or entry[0] in shown]
    if not told:
        return []
    first, last = told[0][0], _until(entries, told[-1])
    nodes = {entry[2] for entry in told}
    places = {place for entry in told if (place := _place(entry[4])) is not None}
    past = {entry[0] for entry in Causality(trace).cone([entry[0] for entry in told])}
    wanted_seqs = {entry[0] for entry in told}
    for entry in entries:
        seq, _, node, _, event = entry
        kind = event[0]
        between = first <= seq <= last
        if (
            (kind in {"message_dropped", "message_duplicated"} and event[1] in messages)
            or (between and kind in _STATES and node in nodes)
            or (between and kind in _OFFSETS and event[2:4] in places)
            or (between and kind == "partitions_assigned" and node in nodes)
            or (between and kind == "member_removed" and seq in past)
        ):
            wanted_seqs.add(seq)
    return [entry for entry in entries if entry[0] in wanted_seqs]


def _until(entries: list[FlatEntry], last: FlatEntry) -> int:
    """How far a story goes: work that was begun and not ended is followed to its node's crash."""
    seq, _, node, _, event = last
    if event[0] not in {"record_polled", "processing_started"}:
        return seq
    ends = ("node_crashed", "node_restarted")
    after = [one[0] for one in entries if one[0] > seq and one[2] == node and one[4][0] in ends]
    return after[min(1, len(after) - 1)] if after else seq


def _messages_about(entries: list[FlatEntry], wanted: frozenset[str]) -> frozenset[int]:
    """The numbers of messages that speak of these events."""
    return frozenset(
        event[1]
        for _, _, _, _, event in entries
        if event[0] == "message_sent" and _names(event[5], wanted)
    )


def _names(value: Any, wanted: frozenset[str]) -> bool:
    """Whether a flat tuple names one of these events, at any depth."""
    for one in value:
        if one.__class__ is tuple:
            if _names(one, wanted):
                return True
        elif one.__class__ is str and one in wanted:
            return True
    return False


def _place(event: tuple[Any, ...]) -> tuple[str, int] | None:
    """The partition that an entry of a record or commit is about."""
    kind = event[0]
    if kind in {"record_polled", "processing_started", "processing_ended"} or kind in _OFFSETS:
        return event[2:4]
    if kind == "record_acknowledged":
        return event[2:4]
    return event[1:3] if kind in {"batch_appended", "batch_deduplicated"} else None
