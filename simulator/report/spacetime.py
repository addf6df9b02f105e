"""A run as rows on lanes: what every space-time picture reads, and nothing else does it read.

Lanes stand in the order in which events flow: producers, partitions, consumers, sinks. A partition
that several brokers keep has a lane for each replica. A row is something that happened on a lane,
or between two. Losses and refusals are rows too, never gaps.

    produce       a batch on its way           resend        ... which was sent before
    append        a batch in the log           ack           the answer to its producer
    poll          records on their way to the application that they were given to
    redelivery    ... one of which its group was given before
    process       handling one record          failed        ... in vain, or cut by a crash
    effect        one transaction in a sink    duplicate     ... a second one for its event
    deduplicated  an event's second effect, or a batch's second append, that was not made
    commit        an offset on its way         refused       a commit, or a batch, not accepted
    dropped       a message that never came    given_up      a record that its producer gave up
    lost          an event that was acknowledged, and never applied: known at the run's end
    crash         a node is down               pause         a node stands still
    rebalance     from a group's first call to join, to its last member's partitions

Of replicas:

    replicate     records on their way to a follower that took them over
    copy          a batch in a follower's log
    leads         a broker thinks that it leads    out_of_sync   a replica is not in the in-sync set
    exposed       a log is ahead of its own high watermark
    election      the controller chose a leader, or found nobody
    cut           what a log held is gone: cut off by its leader's word, or lost with the power

Rule 1: what is fetched is a row once the application is given it, with the records it was given.
Rule 2: a row knows the row that it follows from, so that an event can be followed both ways.

Not modelled: joins, heartbeats, metadata, fetches that carry nothing or whose records were thrown
away, answers to commits, cut links, and what befalls the controller: they are in the trace.
"""

from simulator.report.reading import rows_of
from simulator.report.rows import REPLICA, ROLES, Lane, Row, Spacetime
from simulator.trace.trace import Trace

__all__ = ["ROLES", "Lane", "Row", "Spacetime", "follow", "spacetime"]

FOLLOWED_TOO = frozenset(("crash", "pause", "rebalance"))
OF_PARTITIONS = frozenset(("commit", "refused", "election", "leads", "out_of_sync", "exposed"))


def spacetime(trace: Trace) -> Spacetime:
    """The lanes and rows of a kept trace.

    Raises:
        BadInput: the trace was not kept.
    """
    return rows_of(trace)


def follow(run: Spacetime, *event_ids: str) -> Spacetime:
    """Only what concerns these events: their rows, and what happened around them meanwhile.

    Those are commits on the partitions that they lie in, and who led and kept these; crashes,
    pauses and rebalances on the lanes that they pass. The rows keep their ids; a batch keeps only
    these events' names.
    """
    wanted = frozenset(event_ids)
    own = [row for row in run.rows if wanted.intersection(row.event_ids)]
    if not own:
        return Spacetime((), (), run.ends_us)
    lanes = {name for row in own for name in (row.lane, row.to)}
    partitions = {row.partition for row in own if row.partition}
    lanes.update(
        lane.name for lane in run.lanes if lane.role == REPLICA and lane.partition in partitions
    )
    begins_us = min(row.at_us for row in own)
    ends_us = max(row.at_us if row.until_us is None else row.until_us for row in own)
    if any(row.kind == "lost" for row in own):  # Whoever was elected next had not got it.
        ends_us = _next_election_us(run, partitions, ends_us)

    def concerned(row: Row) -> bool:
        until_us = run.ends_us if row.until_us is None else row.until_us
        if until_us < begins_us or row.at_us > ends_us:
            return False
        if row.kind == "rebalance":
            return not lanes.isdisjoint(run.between(row.lane, row.to))
        if row.kind in FOLLOWED_TOO:
            return row.lane in lanes
        return row.kind in OF_PARTITIONS and row.partition in partitions

    rows = tuple(
        row.only(wanted) for row in run.rows if wanted.intersection(row.event_ids) or concerned(row)
    )
    lanes.update(
        name for row in rows for name in run.between(row.lane, row.to) if row.kind == "rebalance"
    )
    lanes.update(row.lane for row in rows)
    return Spacetime(tuple(lane for lane in run.lanes if lane.name in lanes), rows, run.ends_us)


def _next_election_us(run: Spacetime, partitions: set[str], after_us: int) -> int:
    """When one of the partitions had a new leader; or the given time, if none ever had."""
    found = [
        row.at_us
        for row in run.rows
        if row.kind == "election" and row.partition in partitions and row.at_us >= after_us
    ]
    return min(found, default=after_us)
