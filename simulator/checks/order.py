"""Was the order kept that Kafka keeps: that of a partition, and of a key?

partition_order  between an assignment and its end, a consumer's offsets of a partition only grow
key_order        the first effects of a key's events come in the order in which one client sent them
key_read_order   a group is given a key's events in that order, each for the first time

The last two ask nothing of partitions: they hold across a change of their number only if that is
made with care.

A gap between offsets is no anomaly: markers and compaction leave them. After a new assignment, a
reset or a seek a consumer may go back: that is redelivery, which never_delivered_twice counts. So
it may when it finds that its log was cut (KIP-320): what lies there now are other records.

Not modelled: order between keys, between partitions, and between clients: Kafka promises none.
"""

from typing import Any

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry


def _partition_order() -> Watching:
    cases = Cases()
    # node -> (group, topic, partition) -> the last offset, its entry
    places: dict[str, dict[tuple[str, str, int], tuple[int, int]]] = {}
    polled = 0

    def on_polled(entry: FlatEntry) -> None:
        nonlocal polled
        polled += 1
        seq, _, node, _, (_, group, topic, partition, offset, event_id) = entry
        mine = places.get(node)
        if mine is None:
            mine = places[node] = {}
        place = (group, topic, partition)
        before = mine.get(place)
        if before is not None and offset <= before[0]:
            said = f"{node} was given {topic}-{partition}@{offset} after @{before[0]}"
            cases.add(said, (before[1], seq), (event_id,))
        mine[place] = (offset, seq)

    def on_assignment(entry: FlatEntry) -> None:
        _, _, node, _, (_, group, _, partitions) = entry
        mine = places.get(node)
        if mine:
            for topic, partition in partitions:
                mine.pop((group, topic, partition), None)

    def on_new_position(entry: FlatEntry) -> None:
        _, _, node, _, (_, group, topic, partition, _, _) = entry
        mine = places.get(node)
        if mine:
            mine.pop((group, topic, partition), None)

    def on_crash(entry: FlatEntry) -> None:
        places.pop(entry[2], None)

    def finish() -> Verdict:
        return cases.verdict("partition_order", polled)

    observers = {
        "record_polled": on_polled,
        "partitions_assigned": on_assignment,
        "partitions_revoked": on_assignment,
        "partitions_lost": on_assignment,
        "position_reset": on_new_position,
        "truncation_found": on_new_position,
        "node_crashed": on_crash,
    }
    return Watching(observers, finish)


def _key_order() -> Watching:
    cases = Cases()
    # A lane is what one client sends with one key to one topic: [how many were sent, the highest
    # that is applied, its entry, its event].
    lanes: dict[tuple[str, str, Any], list[Any]] = {}
    sent: dict[str, tuple[list[Any], int]] = {}
    known: set[str] = set()
    applied = 0

    def on_sent(entry: FlatEntry) -> None:
        _, event_id, topic, key = entry[4]
        if key is None or event_id in known:
            return
        known.add(event_id)
        place = (entry[2], topic, key)
        lane = lanes.get(place)
        if lane is None:
            lane = lanes[place] = [0, 0, -1, ""]
        lane[0] = number = lane[0] + 1
        sent[event_id] = (lane, number)

    def on_applied(entry: FlatEntry) -> None:
        nonlocal applied
        event_id = entry[4][4]
        found = sent.pop(event_id, None)
        if found is None:
            return  # Not the first time, or no key, or nobody's: other checks' matter.
        applied += 1
        lane, number = found
        if number > lane[1]:
            lane[1:] = (number, entry[0], event_id)
        else:
            said = f"{event_id} was applied after {lane[3]}, and sent before it with the same key"
            cases.add(said, (lane[2], entry[0]), (event_id, lane[3]))

    def finish() -> Verdict:
        return cases.verdict("key_order", applied)

    return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)


def _key_read_order() -> Watching:
    cases = Cases()
    lanes: dict[tuple[str, str, Any], int] = {}  # How many were sent.
    sent: dict[str, tuple[tuple[str, str, Any], int]] = {}
    # Group to topic to: what was given out, and of each lane the highest, its entry, its event.
    groups: dict[str, dict[str, tuple[set[str], dict[Any, tuple[int, int, str]]]]] = {}
    given = 0

    def on_sent(entry: FlatEntry) -> None:
        _, event_id, topic, key = entry[4]
        if key is not None and event_id not in sent:
            lane = (entry[2], topic, key)
            lanes[lane] = number = lanes.get(lane, 0) + 1
            sent[event_id] = (lane, number)

    def on_polled(entry: FlatEntry) -> None:
        nonlocal given
        _, group, topic, _, _, event_id = entry[4]
        try:
            known, highest = groups[group][topic]
        except KeyError:
            known, highest = groups.setdefault(group, {}).setdefault(topic, (set(), {}))
        if event_id in known or event_id not in sent:
            return
        known.add(event_id)
        given += 1
        lane, number = sent[event_id]
        before = highest.get(lane)
        if before is None or number > before[0]:
            highest[lane] = (number, entry[0], event_id)
        else:
            said = f"{event_id} was given to {group} after {before[2]}, and sent before it"
            cases.add(f"{said} with the same key", (before[1], entry[0]), (event_id, before[2]))

    def finish() -> Verdict:
        return cases.verdict("key_read_order", given)

    return Watching({"record_sent": on_sent, "record_polled": on_polled}, finish)


partition_order = Check(
    "partition_order",
    "Within an assignment a consumer is given a partition's records in their order.",
    _partition_order,
)
key_order = Check(
    "key_order",
    "The events of one key are first applied in the order in which they were sent.",
    _key_order,
)
key_read_order = Check(
    "key_read_order",
    "A group is first given the events of one key in the order in which they were sent.",
    _key_read_order,
)
