"""Where an event was lost that was acknowledged and never applied: where it was last seen.

That is at work, given out, or in a log. Of several replicas' logs it is the last one that lost it,
or the one that a producer's batch was appended to, as its broker went down.
"""

from simulator.report.drafts import Draft, Drafts
from simulator.report.replicas import Replicas
from simulator.report.rows import REPLICA

WHY = "acknowledged, never applied"


def never_applied(
    drafts: Drafts,
    latest: dict[tuple[str, ...], Draft],
    replicas: Replicas,
    seq: int,
    event_ids: tuple[str, ...],
) -> None:
    """Add a row for each of the events that was ever seen.

    Args:
        latest: the last row of some sort, by ("process", event) and the like.
        seq: the entry that shows the loss.
    """
    sinks = sorted(name for name, role in drafts.roles.items() if role == "sink")
    for event_id in event_ids:
        found = (latest.get((kind, event_id)) for kind in ("process", "polled", "append"))
        seen = next((one for one in found if one is not None), None)
        if seen is None:
            continue
        if drafts.roles.get(seen["to"]) == REPLICA:
            seen = replicas.gone(event_id) or seen
        drafts.add(
            (seq, _left(drafts, seen), "", (), ()), "lost", seen["to"],
            sinks[0] if sinks else seen["to"], None, event_ids=(event_id,),
            partition=seen["partition"], cause=seen, detail=WHY,
        )  # fmt: skip


def _left(drafts: Drafts, seen: Draft) -> int:
    """When a record was left alone: as its handling ended, or who had it crashed."""
    until_us: int = seen["at_us"] if seen["until_us"] is None else seen["until_us"]
    node = seen["to"]
    if seen["kind"] == "append" and drafts.roles.get(node) == REPLICA:
        node = drafts.leaders[node]
    elif seen["kind"] not in {"poll", "redelivery"}:
        return until_us
    crashes = [
        row["at_us"]
        for row in drafts.rows
        if row["kind"] == "crash" and row["lane"] == node and row["at_us"] >= until_us
    ]
    return min(crashes, default=until_us)
