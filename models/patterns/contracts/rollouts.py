"""Changes of a contract, one for each level, and the orders in which instances go over to them.

A service's instances are upgraded one by one, by a restart: an instance that starts before its time
is the old deployment, and one that starts later is the new.
"""

from typing import Any

import attrs

from simulator import Schema

SHOP, BILLING = ("shop-0", "shop-1"), ("billing-0", "billing-1")
MILLISECOND_US = 1_000
CONSUMERS_FIRST, PRODUCERS_FIRST = "consumers first", "producers first"
PRODUCERS_FIRST_DRAINED = "producers first, then a pause"
TOGETHER = "one by one, both"


def _order(*fields: Any) -> Schema:
    written = [one if isinstance(one, dict) else {"name": one, "type": "string"} for one in fields]
    return Schema({"type": "record", "name": "OrderPlaced", "fields": written})


@attrs.frozen
class Change:
    """Two versions of a contract, and the level that lets the second follow the first."""

    name: str
    old: Schema
    new: Schema
    old_datum: dict[str, Any]
    new_datum: dict[str, Any]


_CODE = {"name": "promo_code", "type": "string", "default": "none"}
_SAID, _MORE = {"order_id": "o-1"}, {"order_id": "o-1", "promo_code": "SPRING"}
# promo_code with a default: either reads the other.
FULL = Change("FULL", _order("order_id"), _order("order_id", _CODE), _SAID, _MORE)
# It is taken away, and the old asks for it.
BACKWARD = Change("BACKWARD", _order("order_id", "promo_code"), _order("order_id"), _MORE, _SAID)
# It is added, and the new asks for it.
FORWARD = Change("FORWARD", _order("order_id"), _order("order_id", "promo_code"), _SAID, _MORE)
CHANGES = (BACKWARD, FORWARD, FULL)


@attrs.frozen
class Rollout:
    """When each instance is upgraded, in milliseconds from the start.

    Args:
        first_ms: the first instance; each of the same service follows after `every_ms`.
        pause_ms: between the services.
        waits: whether an instance of billing that starts later is the old one still, as long as
            billing has not read what the old shops wrote, however long that takes.
    """

    name: str
    first_ms: int = 1_000
    every_ms: int = 300
    pause_ms: int = 300
    waits: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """Who is upgraded after whom."""
        match self.name:
            case "consumers first":
                return (*BILLING, *SHOP)
            case "one by one, both":
                return (BILLING[0], SHOP[0], BILLING[1], SHOP[1])
        return (*SHOP, *BILLING)

    @property
    def times(self) -> dict[str, int]:
        """When, by instance."""
        found, at_ms = {}, self.first_ms
        for number, name in enumerate(self.order):
            if number == len(self.order) // 2:
                at_ms += self.pause_ms
            found[name] = at_ms
            at_ms += self.every_ms
        return found

    @property
    def ends_ms(self) -> int:
        """When the shops close: a little after the last upgrade."""
        return max(self.times.values()) + 600

    def reached(self, node: Any) -> bool:
        """Whether an instance that starts now is the new deployment."""
        return bool(node.now_us >= self.times[node.name] * MILLISECOND_US)


ROLLOUTS = (
    Rollout(CONSUMERS_FIRST),
    Rollout(PRODUCERS_FIRST),
    Rollout(PRODUCERS_FIRST_DRAINED, pause_ms=6_000),
    Rollout(TOGETHER),
)
