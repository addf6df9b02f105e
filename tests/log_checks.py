"""Promises that only brokers can be asked about, as checks: what is in the logs, who may commit.

The product's own checks believe clients and effects; a test may also look behind the scenes, where
no consumer reads: `stored_once` judges what was polled, `appended_once` what was appended.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases


def _appended_once():
    """Each event is appended once, whatever was sent again."""
    cases, first, appended = Cases(), {}, 0

    def on_appended(entry):
        nonlocal appended
        for event_id in entry[4][4]:
            appended += 1
            if event_id in first:
                said = f"{event_id} is in the log twice"
                cases.add(said, (first[event_id], entry[0]), (event_id,))
            first.setdefault(event_id, entry[0])

    return Watching(
        {"batch_appended": on_appended}, lambda: cases.verdict("appended_once", appended)
    )


def _stored_in_order():
    """The first copies of a key's events lie in the log in the order in which they were sent."""
    cases, sent, last, stored = Cases(), {}, {}, 0

    def on_sent(entry):
        _, event_id, topic, key = entry[4]
        sent[event_id] = (entry[0], (topic, key))

    def on_appended(entry):
        nonlocal stored
        for event_id in entry[4][4]:
            if event_id not in sent:
                continue
            at, lane = sent.pop(event_id)
            stored += 1
            before = last.get(lane)
            if before is not None and at < before[0]:
                said = f"{event_id} lies behind {before[2]}, which was sent after it"
                cases.add(said, (before[1], entry[0]), (event_id, before[2]))
            else:
                last[lane] = (at, entry[0], event_id)

    return Watching(
        {"record_sent": on_sent, "batch_appended": on_appended},
        lambda: cases.verdict("stored_in_order", stored),
    )


def _acknowledged_is_stored():
    """Nothing is acknowledged before it is in the log."""
    cases, stored, acknowledged = Cases(), {}, 0

    def on_appended(entry):
        stored.update(dict.fromkeys(entry[4][4]))

    def on_acknowledged(entry):
        nonlocal acknowledged
        acknowledged += 1
        if entry[4][1] not in stored:
            said = f"{entry[4][1]} was acknowledged, and is in no log"
            cases.add(said, (entry[0],), (entry[4][1],))

    return Watching(
        {"batch_appended": on_appended, "record_acknowledged": on_acknowledged},
        lambda: cases.verdict("acknowledged_is_stored", acknowledged),
    )


def _members_commit():
    """A commit is accepted from a member of the current generation, and from nobody else."""
    cases, current, commits = Cases(), {}, 0  # group -> generation, members

    def on_generation(entry):
        _, group, generation, _, _, members = entry[4]
        current[group] = (generation, dict.fromkeys(members))

    def on_removed(entry):
        if entry[4][1] in current:
            current[entry[4][1]][1].pop(entry[4][2], None)

    def on_committed(entry):
        nonlocal commits
        commits += 1
        _, group, topic, partition, offset, member, generation = entry[4]
        now, members = current.get(group, (-1, {}))
        if member not in members or generation != now:
            who = f"{member or 'an outsider'} of generation {generation}"
            said = f"{who} committed {topic}-{partition}@{offset} in generation {now}"
            cases.add(said, (entry[0],))

    return Watching(
        {
            "generation_started": on_generation,
            "member_removed": on_removed,
            "offset_committed": on_committed,
        },
        lambda: cases.verdict("members_commit", commits),
    )


def _owned_by_one():
    """In one generation a partition is given to one member, which may have had it before."""
    cases, owners, held = Cases(), {}, {}

    def on_assigned(entry):
        _, _, node, _, (_, group, generation, partitions) = entry
        mine = held.setdefault((node, group), {})
        mine.update(dict.fromkeys(partitions))
        for partition in mine:
            first = owners.setdefault((group, generation, partition), entry)
            if first[2] != node:
                said = f"{first[2]} and {node} own {partition} in generation {generation}"
                cases.add(said, (first[0], entry[0]))

    def on_left(entry):
        _, _, node, _, (_, group, _, partitions) = entry
        for partition in partitions:
            held.get((node, group), {}).pop(partition, None)

    def on_crash(entry):
        for whose in held:
            if whose[0] == entry[2]:
                held[whose] = {}

    return Watching(
        {
            "partitions_assigned": on_assigned,
            "partitions_revoked": on_left,
            "partitions_lost": on_left,
            "node_crashed": on_crash,
        },
        lambda: cases.verdict("owned_by_one", len(owners)),
    )


def _totals_grow():
    """No total of a store goes back: what it has answered it does not forget, but with its disk."""
    cases, totals, changes = Cases(), {}, 0

    def on_crashed(entry):
        if entry[4][1] == "disk":
            for where in [one for one in totals if one[0] == entry[2]]:
                del totals[where]

    def on_applied(entry):
        nonlocal changes
        changes += 1
        _, table, key, value, event_id = entry[4]
        before = totals.get((entry[2], table, key), (0, entry[0]))
        if value <= before[0]:
            said = f"{table} {key!r} was {before[0]}, and is {value} after {event_id}"
            cases.add(said, (before[1], entry[0]), (event_id,))
        totals[entry[2], table, key] = (value, entry[0])

    return Watching(
        {"effect_applied": on_applied, "node_crashed": on_crashed},
        lambda: cases.verdict("totals_grow", changes),
    )


def applied_within(limit_ms, *, if_one_dies=None):
    """A check: every event is applied within so many milliseconds of being acknowledged.

    if_one_dies: a node's name begins so: where another crashes, or anybody a second time, nothing
    is promised.
    """

    def start():
        cases, waiting, applied, crashed = Cases(), {}, {}, []

        def on_crashed(entry):
            crashed.append(entry[2])

        def on_acknowledged(entry):
            waiting.setdefault(entry[4][1], entry)

        def on_applied(entry):
            applied.setdefault(entry[4][4], entry)

        def finish():
            if if_one_dies is not None and (
                len(crashed) > 1 or not all(one.startswith(if_one_dies) for one in crashed)
            ):
                return cases.verdict("applied_in_time", 0)
            for event_id, entry in waiting.items():
                done = applied.get(event_id)
                if done is None or done[1] > entry[1] + limit_ms * 1_000:
                    said = f"{event_id} was not applied within {limit_ms} ms"
                    cases.add(said, (entry[0],), (event_id,))
            return cases.verdict("applied_in_time", len(waiting))

        return Watching(
            {
                "record_acknowledged": on_acknowledged,
                "effect_applied": on_applied,
                "node_crashed": on_crashed,
            },
            finish,
        )

    return Check("applied_in_time", f"Every event is applied within {limit_ms} ms.", start)


def _finally_means_done():
    """A handler's `finally` is reached by handlers that end, not by a crash."""
    cases, noted, ended = Cases(), {}, 0

    def on_noted(entry):
        if entry[4][1] == "finally":
            noted[entry[2]] = entry

    def on_ended(entry):
        nonlocal ended
        ended += 1
        noted.pop(entry[2], None)

    def on_crashed(entry):
        reached = noted.pop(entry[2], None)
        if reached is not None:
            said = f"{entry[2]} ran its finally for {reached[4][2]} when it crashed"
            cases.add(said, (reached[0], entry[0]), (reached[4][2],))

    return Watching(
        {"noted": on_noted, "processing_ended": on_ended, "node_crashed": on_crashed},
        lambda: cases.verdict("finally_means_done", ended),
    )


def _check(name, start):
    return Check(name, " ".join(start.__doc__.split()), start)


appended_once = _check("appended_once", _appended_once)
stored_in_order = _check("stored_in_order", _stored_in_order)
acknowledged_is_stored = _check("acknowledged_is_stored", _acknowledged_is_stored)
members_commit = _check("members_commit", _members_commit)
owned_by_one = _check("owned_by_one", _owned_by_one)
totals_grow = _check("totals_grow", _totals_grow)
finally_means_done = _check("finally_means_done", _finally_means_done)
