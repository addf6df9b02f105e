"""Any entry of a trace as a plain sentence, and as a line with its time.

What it means for what comes before and after it, a story says.
"""

from collections.abc import Callable, Sequence

from simulator.trace.trace import FlatEntry

NAMED_MOST = 4  # Partitions, or events, that are named one by one.
VALUE_MOST = 40  # Characters of a value.

Say = Callable[..., str]


def seconds(at_us: int) -> str:
    """A time as stories tell it: `8.400 s`."""
    return f"{at_us / 1_000_000:.3f} s"


def line(at_us: int | None, said: str) -> str:
    """A line of a story; without a time it goes on from the line above."""
    when = "" if at_us is None else seconds(at_us)
    return f"{when:>9}  {said}"


def short(value: object) -> str:
    """A row's value, or the beginning of a long one."""
    shown = repr(value)
    return shown if len(shown) <= VALUE_MOST else f"{shown[: VALUE_MOST - 3]}..."


def at(topic: str, partition: int, offset: int = -1) -> str:
    """A place in the log, `orders-0@3`, or a whole partition, `orders-0`."""
    return f"{topic}-{partition}" + (f"@{offset}" if offset >= 0 else "")


def names(event_ids: tuple[str, ...]) -> str:
    """Events by name, or the first of them."""
    return _first([one for one in event_ids if one]) or "nothing"


def parts(partitions: tuple[tuple[str, int], ...]) -> str:
    """Partitions by name, or the first of them."""
    return _first([at(*one) for one in partitions]) or "nothing"


def _first(words: Sequence[str]) -> str:
    shown = ", ".join(words[:NAMED_MOST])
    more = len(words) - NAMED_MOST
    return shown if more <= 0 else f"{shown} and {more} more"


# Each is given the fields of its kind, in their order, and continues "<node> ...".
_SENTENCES: dict[str, Say] = {
    "workload_ended": lambda records: f"has handed over its last record, {records} in all",
    "faults_ended": lambda: "is healed: no more faults",
    "run_ended": lambda reason: f"ends the run ({reason})",
    "node_crashed": lambda mode, point: f"crashes ({mode}, {point})",
    "node_restarted": lambda incarnation: f"restarts, its memory empty (incarnation {incarnation})",
    "node_paused": lambda for_us: f"stands still for {seconds(for_us)}",
    "node_resumed": lambda: "goes on",
    "clock_skewed": lambda jump_us, _: f"has its clock moved by {seconds(jump_us)}",
    "message_dropped": lambda _, source, target, api, reason: (
        f"loses {api} from {source} to {target} ({reason})"
    ),
    "message_duplicated": lambda _, source, target, api: f"doubles {api} from {source} to {target}",
    "message_sent": lambda _, __, target, api, ___: f"sends {api} to {target}",
    "message_delivered": lambda _, source, __, api: f"receives {api} from {source}",
    "record_sent": lambda event_id, topic, key: f"sends {event_id} to {topic} (key {key!r})",
    "record_acknowledged": lambda event_id, topic, partition, offset: (
        f"learns that {event_id} is in the log ({at(topic, partition, offset)})"
    ),
    "record_failed": lambda event_id, _, error, definite: (
        f"gives {event_id} up: {error}" + ("" if definite else "; it may be in the log")
    ),
    "batch_retried": lambda _, __, event_ids, attempt, error: (
        f"sends {names(event_ids)} again (retry {attempt}, {error})"
    ),
    "record_polled": lambda group, topic, partition, offset, event_id: (
        f"is given {event_id} for {group} ({at(topic, partition, offset)})"
    ),
    "processing_started": lambda _, __, ___, ____, event_id: f"begins to process {event_id}",
    "processing_ended": lambda _, __, ___, ____, event_id, outcome: (
        f"has processed {event_id}: {outcome}"
    ),
    "commit_answered": lambda _, topic, partition, offset, error: (
        f"learns of its commit {at(topic, partition, offset)}: {error}"
    ),
    "position_reset": lambda _, topic, partition, offset, policy: (
        f"goes to {at(topic, partition, offset)} ({policy})"
    ),
    "partitions_assigned": lambda group, generation, partitions: (
        f"is assigned {parts(partitions)} ({group}, generation {generation})"
    ),
    "partitions_revoked": lambda _, __, partitions: f"gives up {parts(partitions)}",
    "partitions_lost": lambda _, __, partitions: f"has lost {parts(partitions)}",
    "batch_appended": lambda topic, partition, offset, event_ids, _, __, ___: (
        f"appends {names(event_ids)} at {at(topic, partition, offset)}"
    ),
    "batch_deduplicated": lambda topic, partition, offset, event_ids: (
        f"has {names(event_ids)} already ({at(topic, partition, offset)})"
    ),
    "append_refused": lambda _, __, event_ids, error: f"refuses {names(event_ids)}: {error}",
    "offset_committed": lambda group, topic, partition, offset, _, __: (
        f"commits {at(topic, partition, offset)} for {group}"
    ),
    "commit_refused": lambda group, topic, partition, offset, _, __, error: (
        f"refuses to commit {at(topic, partition, offset)} for {group}: {error}"
    ),
    "generation_started": lambda group, generation, _, __, members: (
        f"begins generation {generation} of {group} with {len(members)} members"
    ),
    "member_removed": lambda group, member, reason: f"removes {member} from {group} ({reason})",
    "member_replaced": lambda group, member, by: f"takes {by} for {member} in {group}",
    "member_reconciled": lambda group, member, epoch, _, assigned, revoking: (
        f"lets {member} hold {parts(assigned)} of {group} (epoch {epoch})"
        + (f", and awaits {parts(revoking)}" if revoking else "")
    ),
    "group_loaded": lambda group, protocol, generation, members: (
        f"loads {group} ({protocol}): generation {generation}, {len(members)} members"
    ),
    "group_converted": lambda group, protocol: f"takes {group} for a {protocol} group from now on",
    "log_recovered": lambda topic, partition, _, end: (
        f"has loaded {at(topic, partition)} again, which ends at @{end}"
    ),
    "replica_appended": lambda topic, partition, offset, event_ids, _: (
        f"takes {names(event_ids)} over at {at(topic, partition, offset)}"
    ),
    "log_truncated": lambda topic, partition, offset, event_ids: (
        f"cuts its log at {at(topic, partition, offset)}, where {names(event_ids)} lay"
    ),
    "high_watermark_moved": lambda topic, partition, offset: (
        f"takes what lies before {at(topic, partition, offset)} for committed"
    ),
    "became_leader": lambda topic, partition, epoch, end: (
        f"learns that it leads {at(topic, partition)} (epoch {epoch}); its log ends at @{end}"
    ),
    "became_follower": lambda topic, partition, epoch, leader: (
        f"learns that {leader or 'nobody'} leads {at(topic, partition)} (epoch {epoch})"
    ),
    "leader_elected": lambda topic, partition, leader, epoch, _, election: (
        f"lets {leader or 'nobody'} lead {at(topic, partition)} (epoch {epoch}, {election})"
    ),
    "isr_changed": lambda topic, partition, _, isr, __: (
        f"counts as in sync on {at(topic, partition)}: {names(isr)}"
    ),
    "broker_fenced": lambda broker: f"counts {broker} as gone",
    "broker_unfenced": lambda broker, _: f"lets {broker} in",
    "partitions_added": lambda topic, partitions: f"gives {topic} {partitions} partitions",
    "log_start_moved": lambda topic, partition, offset, reason: (
        f"deletes what lies before {at(topic, partition, offset)} ({reason})"
    ),
    "log_cleaned": lambda topic, partition, first, until, event_ids: (
        f"cleans {at(topic, partition)} from @{first} until @{until} of {names(event_ids)}"
    ),
    "truncation_found": lambda _, topic, partition, offset, diverging: (
        f"finds {at(topic, partition)} cut at @{diverging}, below its position @{offset}"
    ),
    "record_transformed": lambda _, __, ___, ____, event_id, sink, outputs: (
        f"makes of {event_id} for {sink}: {names(outputs)}"
    ),
    "transaction_began": lambda whose, _, __: f"begins a transaction ({whose})",
    "transaction_ending": lambda whose, result, event_ids, _: (
        f"asks for the {result} of its transaction ({whose}: {names(event_ids)})"
    ),
    "transaction_ended": lambda whose, result, outcome, error: (
        f"learns of the {result} of its transaction ({whose}): {outcome}"
        + ("" if error == "NONE" else f", {error}")
    ),
    "transaction_failed": lambda whose, error, fatal: (
        f"cannot go on with its transaction{'s' if fatal else ''} ({whose}): {error}"
    ),
    "transaction_marker_written": lambda topic, partition, offset, producer, epoch, result: (
        f"writes the {result} of producer {producer}, epoch {epoch}, "
        f"at {at(topic, partition, offset)}"
    ),
    "transaction_state_changed": lambda whose, _, epoch, before, after: (
        f"takes {whose} from {before} to {after} (epoch {epoch})"
    ),
    "transaction_loaded": lambda whose, _, epoch, state: (
        f"has read that {whose} is in {state} (epoch {epoch})"
    ),
    "warned": lambda text: f"warns: {text}",
    "effect_applied": lambda table, key, value, event_id: (
        f"changes {table} {key!r} to {value!r} for {event_id}"
    ),
    "change_captured": lambda event_id, table, key, value, op, lsn, _: (
        f"tells {op} of {table} {key!r} ({short(value)}, LSN {lsn}) as {event_id}"
    ),
    "source_offset_stored": lambda done, lsn, events: (
        f"has stored that all until LSN {done} is told"
        + (f", and {events} changes of {lsn}" if events else "")
    ),
    "effect_refused": lambda table, key, event_id, reason: (
        f"refuses to change {table} {key!r} for {event_id}: {reason}"
    ),
    "store_committed": lambda lsn, xid: f"commits transaction {xid} (lsn {lsn})",
    "store_rolled_back": lambda xid, reason: f"rolls transaction {xid} back ({reason})",
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
    """One entry as a line of a story: when, in seconds, and what."""
    return line(entry[1], sentence(entry))
