"""Inboxes and idempotency: what a repeated delivery does (I01 to I10)."""

from typing import Any

from models.patterns.idempotency.hops import drawn, named_after, stored, without_inbox
from models.patterns.idempotency.in_the_end import applied_by_each, ends_as, ends_with_the_newest
from models.patterns.idempotency.inbox import (
    by_payload,
    by_place,
    check_then_act,
    counted,
    counted_in,
    in_memory,
    mark_after,
    mark_before,
    no_memory,
    one_transaction,
)
from models.patterns.idempotency.inbox_limits import dated, purging, telling_conflicts, windowed
from models.patterns.idempotency.inbox_modes import mailing, pessimistic
from models.patterns.idempotency.same_ids import conflicts_told, ids_stable
from models.patterns.idempotency.versions import added, blind, guarded, highest, member, told
from simulator import Cluster, Scenario, Topic, all_of, never_applied_twice, never_lost
from tests.laws.law import ANYTHING, Law, Right, Twin
from tests.laws.shops import ORDERS, Group, company, shop

BILLING = "crash@billing-*"
AND_LEDGER = (BILLING, "crash@ledger/*")
once = all_of(never_lost, never_applied_twice, name="effect_once")

# One amount for each account, and each is told twice.
AMOUNTS = (
    (0, "a/1", "a", told(1, 5)), (50, "d/1", "d", told(1, 7)), (100, "a/1", "a", told(1, 5))
)  # fmt: skip


def amount(row: Any) -> Any:
    """A row is an amount, or its version and the amount."""
    return row[1] if isinstance(row, tuple) else row


def as_if_once() -> Any:
    """The ledger is what it is without repetition."""
    return ends_as("ledger", {"a": 5, "d": 7}, name="as_if_once", of=amount)


def again(handler: Any, told: Any, *, partitions: int = 1, more: Any = None) -> Scenario:
    """Events of which one comes again, for as many instances of billing as there are partitions."""
    billing = Group("billing", handler, instances=partitions)
    return company((billing,), told, topics=(Topic(ORDERS, partitions),), more=more)


def repeated(handler: Any) -> Scenario:
    """Amounts, one of them told twice."""
    return again(handler, AMOUNTS)


def twice_at_once(handler: Any) -> Scenario:
    """One event lies in two partitions, and two instances handle it at the same time."""
    return again(handler, ((0, "a/1", "k0"), (0, "a/1", "k3")), partitions=2)


# --- Windows ------------------------------------------------------------------------------------

WINDOW_MS = 1_000


def dwelling(age_ms: int, handler: Any = None) -> Scenario:
    """An event that comes again after so long, from among the dead letters, say."""
    given = windowed(counted, WINDOW_MS * 1_000) if handler is None else handler
    first = (0, "w/1")  # By the second everybody knows everybody, and ages are exact.
    return again(given, (first, (1_000, "a/1"), (1_000 + age_ms, "a/1")))


def purged(older_than_ms: int, age_ms: int) -> Scenario:
    """The same, where a purger deletes old marks now and then: those of `w/1` before it comes."""

    def more(cluster: Cluster) -> None:
        age_us = older_than_ms * 1_000
        purging(cluster, age_us, age_us // 4, 3 * age_us)

    first_ms = older_than_ms * 3 // 2
    told = ((0, "w/1"), (first_ms, "a/1"), (first_ms + age_ms, "a/1"))
    return again(dated(counted), told, more=more)


# --- Consumers ----------------------------------------------------------------------------------


def two_consumers(first: str, second: str) -> Scenario:
    """Billing and shipping both are given every order; each remembers under a scope."""
    groups = [
        Group(name, one_transaction(counted_in(name), scope=scope))
        for name, scope in (("billing", first), ("shipping", second))
    ]
    return company(groups, ((0, "a/1"),))


EACH = applied_by_each("billing", "shipping")

# --- Hops ---------------------------------------------------------------------------------------

BILLS, PARCELS = "bills", "parcels"
TOPICS = (Topic(ORDERS, 1), Topic(BILLS, 1), Topic(PARCELS, 1))


def one_hop(hop: Any) -> Scenario:
    """Billing makes a bill of each order."""
    return company(
        (Group("billing", hop(counted_in("billing"), BILLS, scope="billing")),), ((0, "a/1"),),
        topics=TOPICS[:2],
    )  # fmt: skip


def chain(second: Any = named_after) -> Scenario:
    """Orders make bills, and bills make parcels; a last one counts these."""
    groups = (
        Group("billing", named_after(counted_in("billing"), BILLS, scope="billing")),
        Group("shipping", second(counted_in("shipping"), PARCELS, scope="shipping"), (BILLS,)),
        Group("carrier", one_transaction(counted_in("carrier"), scope="carrier"), (PARCELS,)),
    )
    return company(groups, ((0, "a/1"),), topics=TOPICS)


# --- Conflicts ----------------------------------------------------------------------------------

CONFLICT = ((0, "a/1", "a", "5"), (50, "a/1", "a", "6"))
SAME = ((0, "a/1", "a", "5"), (50, "a/2", "a", "5"))  # Two facts that say the same.

# --- Versions -----------------------------------------------------------------------------------

OLD_AGAIN = (
    (0, "a/1", "a", told(1, "new")), (50, "a/2", "a", told(2, "paid")),
    (100, "a/1", "a", told(1, "new")),
)  # fmt: skip


LAWS = (
    Law(
        "I01",
        "An event that comes again changes nothing.",
        as_if_once(),
        "node_crashed",
        right={
            "an inbox in the transaction": Right(
                repeated(one_transaction(added)), situation="noted/duplicate"
            ),
            "the greatest amount": repeated(no_memory(highest)),
            "a member of a set": repeated(no_memory(member)),
            "a guard by the version": repeated(no_memory(guarded)),
        },
        twins={
            "a total": Twin(repeated(no_memory(added)), 0, AND_LEDGER),
            "a mark after the effect": Twin(repeated(mark_after(added)), 1, AND_LEDGER),
            "ids in memory, and a restart": Twin(repeated(in_memory(added)), 1, AND_LEDGER),
        },
        classes=ANYTHING,
        timed=True,
        undecided=True,  # Where an amount was never acknowledged.
    ),
    Law(
        "I02",
        "No event is dropped for a repetition that it is not.",
        never_lost,
        "node_crashed",
        right={
            "mark and effect in one transaction": shop(one_transaction(counted), SAME),
            "separate scopes": Right(two_consumers("billing", "shipping"), EACH),
        },
        twins={
            "mark before effect": Twin(shop(mark_before(counted), SAME), 1, AND_LEDGER),
            "known by its payload": Twin(
                shop(one_transaction(counted, identity=by_payload), SAME), 0, AND_LEDGER
            ),
            "two consumers that share a scope": Twin(
                two_consumers("all", "all"), 0, AND_LEDGER, check=EACH
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "I03",
        "An event that two handle at the same time takes effect once.",
        never_applied_twice,
        "store_rolled_back",  # By the mark of the other, which it has met.
        right={
            "a unique mark": Right(
                twice_at_once(one_transaction(counted)), situation="effect_refused"
            ),
            "a unique mark, inserted first": twice_at_once(pessimistic(counted, mailing(20_000))),
        },
        twins={
            "looks, and then acts": Twin(twice_at_once(check_then_act(counted)), 0, AND_LEDGER),
            "known by its place in the log": Twin(
                twice_at_once(one_transaction(counted, identity=by_place)), 0, AND_LEDGER
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "I04",
        "An inbox that forgets does so later than any event comes again.",
        once,
        "noted/duplicate",
        right={"it remembers for a little longer": dwelling(WINDOW_MS - 1)},
        twins={
            "it remembers for just as long": Twin(dwelling(WINDOW_MS), 0, BILLING),
            "it remembers for a little less": Twin(dwelling(WINDOW_MS + 1), 0, BILLING),
            "an event among the dead letters for a minute": Twin(dwelling(60_000), 0, BILLING),
        },
        sites="drop@none",
    ),
    Law(
        "I05",
        "Each consumer has a scope of its own, and misses nothing.",
        EACH,
        "applied_by_each",
        right={"separate scopes": two_consumers("billing", "shipping")},
        twins={"one scope for both": Twin(two_consumers("all", "all"), 0, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "I06",
        "A handler that runs again sends the same ids.",
        ids_stable(BILLS),
        "ids_stable",
        right={
            "made of the incoming id": one_hop(named_after),
            "stored with the effect": one_hop(stored),
        },
        twins={"drawn by every run": Twin(one_hop(drawn), 1, BILLING)},
        classes=ANYTHING,
        timed=True,
        runs=75,
    ),
    Law(
        "I07",
        "Along a chain of hops each has its effect once, whatever is on the wire twice.",
        once,
        "noted/duplicate",
        right={
            "an inbox at each hop, and ids made of the incoming ones": chain(),
            "an inbox at each hop, and ids kept in an outbox": chain(stored),
        },
        twins={"a hop without an inbox": Twin(chain(without_inbox), 1, "crash@shipping-*")},
        classes=ANYTHING,
        timed=True,
        runs=40,
    ),
    Law(
        "I08",
        "An id that comes with another payload is told of.",
        conflicts_told,
        "conflicts_told",
        right={"the mark keeps the payload": again(telling_conflicts(counted), CONFLICT)},
        twins={
            "the mark keeps the id": Twin(
                again(telling_conflicts(counted, tells=False), CONFLICT), 0, BILLING
            )
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "I09",
        "An upsert is no guard: an old event that comes again puts a row back.",
        ends_with_the_newest,
        "ends_with_the_newest",
        right={"a guard by the version": again(no_memory(guarded), OLD_AGAIN)},
        twins={"a blind upsert": Twin(again(no_memory(blind), OLD_AGAIN), 0, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "I10",
        "To delete old marks changes no effect if nothing comes again that late.",
        once,
        "noted/purged",
        right={"marks older than anything that comes again": purged(20_000, 10_000)},
        twins={"marks that were still needed": Twin(purged(20_000, 26_000), 0, BILLING)},
        sites="crash@billing-*",
    ),
)
