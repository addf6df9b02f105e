"""Every anomaly by name, and what it means for whoever sends or reads."""

from collections.abc import Mapping

ANOMALIES: Mapping[str, str] = {
    "inconsistent-offsets": "an offset of a partition holds more than one value",
    "duplicate": "a value lies at more than one offset",
    "lost-write": "a value that was written is passed over by all who read on",
    "unseen": "what was acknowledged has been given to nobody by the end",
    "G1a": "somebody was given what a failed operation sent (aborted read)",
    "G1a-unconfirmed": "the same, while the reader's own operation failed, or ended unknown",
    "precommitted-read": "an operation was given what it sent itself, before it was over",
    "phantom": "a value was polled that nobody sent",
    "int-poll-skip": "values are left out between two that one operation was given",
    "int-nonmonotonic-poll": "one operation was given a value, and then one at or before it",
    "poll-skip": "a process goes on beyond where it was, and leaves values out",
    "nonmonotonic-poll": "a process goes on at or before where it was",
    "int-send-skip": "another's values lie between two that one operation sent",
    "int-nonmonotonic-send": "one operation's sends lie in another order than it sent them",
    "nonmonotonic-send": "a process's later send lies at or before its earlier one",
    "G0": "operations have overwritten each other in a circle",
    "G1c": "operations have seen each other's writes in a circle",
    "G0-process": "a circle of writes, and of the order within a process",
    "G1c-process": "a circle of writes and reads, and of the order within a process",
    "G0-realtime": "a circle of writes, and of what was over before another began",
    "G1c-realtime": "a circle of writes and reads, and of what was over before another began",
    "PL-1-cycle-exists": "some operations overwrite each other in a circle",
    "PL-2-cycle-exists": "some operations depend on each other's writes in a circle",
    "strong-session-PL-1-cycle-exists": "the same as PL-1, with the order within a process",
    "strong-session-PL-2-cycle-exists": "the same as PL-2, with the order within a process",
    "strong-PL-1-cycle-exists": "the same as PL-1, with what was over before another began",
    "strong-PL-2-cycle-exists": "the same as PL-2, with what was over before another began",
    "empty-transaction-graph": "no operation depends on another: the history shows nothing",
}
