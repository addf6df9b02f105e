"""The promise behind every key: what happened to one aggregate takes effect in its order.

Kafka promises order to a partition, and so to a key. Whether an aggregate gets it is up to whoever
chooses the keys; so this check asks for the aggregate and looks at no key.
"""

from collections.abc import Callable
from typing import Any

from simulator import Cases, Check, Verdict, Watching

AggregateOf = Callable[[str], str]


def before_slash(event_id: str) -> str:
    """`o-42/OrderShipped` is about `o-42`; an id without a slash is about nothing."""
    return event_id.rpartition("/")[0]


def in_order_of(aggregate_of: AggregateOf = before_slash, name: str = "aggregate_order") -> Check:
    """The check that an aggregate's events first take effect in the order in which they were sent.

    Args:
        aggregate_of: from an event's id to its aggregate; an empty one is not looked at.
        name: what the check is called.
    """

    def start() -> Watching:
        cases = Cases()
        places: dict[str, tuple[str, int]] = {}  # event -> its aggregate, and its place there
        sent: dict[str, int] = {}  # aggregate -> how many were sent
        furthest: dict[str, tuple[int, int, str]] = {}  # aggregate -> place, entry, event
        reached = 0

        def on_sent(entry: Any) -> None:
            event_id = entry[4][1]
            aggregate = aggregate_of(event_id)
            if aggregate and event_id not in places:
                sent[aggregate] = place = sent.get(aggregate, 0) + 1
                places[event_id] = (aggregate, place)

        def on_applied(entry: Any) -> None:
            nonlocal reached
            event_id = entry[4][4]
            found = places.get(event_id)
            if found is None or found[1] == 0:
                return
            reached += 1
            aggregate, place = found
            places[event_id] = (aggregate, 0)  # Only its first effect counts.
            known = furthest.get(aggregate)
            if known is None or place > known[0]:
                furthest[aggregate] = (place, entry[0], event_id)
            else:
                said = f"{event_id} took effect after {known[2]}, which was sent later"
                cases.add(said, (known[1], entry[0]), (event_id, known[2]))

        def finish() -> Verdict:
            return cases.verdict(name, reached)

        return Watching({"record_sent": on_sent, "effect_applied": on_applied}, finish)

    return Check(name, "An aggregate's events take effect in the order of their sending.", start)


aggregate_order = in_order_of()
