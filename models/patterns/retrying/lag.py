"""An operator who looks after the lag of groups, and is content once nobody has anything to read.

A program that is no service (a consumer of retry topics, say) does not keep a run going. Where
there is one, the run lasts as long as this operator.
"""

from collections.abc import Mapping
from typing import Any

from simulator import Cluster, KafkaError

EVERY_US = 1_000_000
CONTENT = 2  # Looks in a row at which nothing was left.


def watching_lag(
    cluster: Cluster,
    groups: Mapping[str, tuple[str, ...]],
    *,
    from_ms: int,
    until_ms: int,
    name: str = "operator",
) -> None:
    """Deploy the operator.

    Args:
        groups: which topics each group reads, in the order in which records go through them.
        from_ms: when the operator begins; where nothing is there yet, more is to come.
        until_ms: then the operator gives up, and notes that the work is `unfinished`.
    """

    def drive(node: Any) -> Any:
        yield node.sleep(max(0, from_ms * 1_000 - node.now_us))
        asking = {
            group: cluster.consumer(node, {"group.id": group, "enable.auto.commit": False})
            for group in groups
        }
        content = left = 0
        while content < CONTENT and node.now_us < until_ms * 1_000:
            yield node.sleep(EVERY_US)
            left = 0
            for group, topics in groups.items():
                left += yield from _lag(cluster, asking[group], topics)
            content = 0 if left else content + 1
        if content < CONTENT:
            node.record(("noted", "unfinished", f"{left} records are left"))

    cluster.driver(name, drive)


def _lag(cluster: Cluster, consumer: Any, topics: tuple[str, ...]) -> Any:
    """How many records a group has not committed; 1 if nobody answers, or nobody has written."""
    places = [where for topic in topics for where in cluster.partitions(topic)]
    try:
        ends = yield consumer.end_offsets(places)
        committed = yield consumer.committed(places)
    except KafkaError:
        return 1
    if not any(ends.values()):
        return 1
    return sum(ends[where] - (committed[where] or 0) for where in places)
