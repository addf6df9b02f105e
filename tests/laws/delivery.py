"""Delivery: what is applied, how often, and what a commit says (D01 to D14)."""

from contextlib import suppress
from typing import Any

import attrs

from models.patterns.idempotency.commits import commits_follow_effects
from models.patterns.idempotency.fencing import (
    OFFSETS,
    Applying,
    checked_before,
    fenced,
    fenced_offsets,
    group_offsets,
    stored_offsets,
)
from models.patterns.idempotency.ghosts import no_ghost_is_read
from models.patterns.idempotency.in_turn import no_stale_write
from models.patterns.idempotency.inbox import (
    counted,
    in_memory,
    mark_after,
    mark_before,
    no_memory,
    one_transaction,
)
from models.patterns.idempotency.inbox_modes import mailing, optimistic, pessimistic
from models.patterns.idempotency.owners import owners
from models.patterns.idempotency.repeats import (
    handled_once,
    repeats_at_most,
    repeats_explained,
    runs_as_it_acts,
)
from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    CHECKS,
    Add,
    Cluster,
    Context,
    FaultPlan,
    Get,
    Parallel,
    Pause,
    Scenario,
    StoreError,
    Topic,
    all_of,
    never_applied_twice,
    never_committed_past_processed,
    never_lost,
    stable_offset_moves_within,
)
from tests.few_orders import SESSION
from tests.laws.law import ANYTHING, Law, Right, Twin
from tests.laws.shops import ORDERS, Group, company, shop
from tests.transforming import counted as counted_beside
from tests.transforming import few_bills

BILLING = "crash@billing-*"
UNDOUBLED = tuple(one for one in ANYTHING if one != "duplicate")
IN_ITS_MIDST = "crash@billing-*/before_commit"
AND_LEDGER = (BILLING, "crash@ledger/*")  # A handler that waits dies there between two writes.
AT_ONCE = ((0, "a/1"), (0, "a/2"))  # Two events in one poll.
once = all_of(never_lost, never_applied_twice, name="effect_once")

AUTO = attrs.evolve(AT_LEAST_ONCE, name="automatic", commit="auto")
HANDED_OUT = {"auto.commit.interval.ms": 20}


def slow_first(context: Context) -> Any:
    """A handler that takes a while for the first event, and then counts."""
    count = no_memory(counted)(context)

    def handle(record: Any) -> Any:
        if record.event_id == "a/1":
            yield context.sleep(200_000)
        yield from count(record)

    return handle


def in_two_steps(context: Context) -> Any:
    """Two transactions for one event, and the second fails at the first attempt."""
    ledger = context.store("ledger")

    def handle(record: Any) -> Any:
        yield ledger.transact(Add("ledger", record.key, 1))
        if context.attempt == 1:
            raise StoreError("the second step fails once")
        yield ledger.transact(Add("audit", record.key, 1))

    return handle


def in_parallel(commits: str, **more: Any) -> Any:
    """Two handlers at once, and a commit whenever one ends."""
    work = {"parallel": Parallel("record", 2, commits), "commit_each": True}
    return shop(slow_first, AT_ONCE, serving=work, **more)


def async_handler(*, awaited: bool = False) -> Any:
    """The consumer commits what it has handed out, be it handled or not."""
    parallel = None if awaited else Parallel("record", 1)
    return shop(
        no_memory(counted), AT_ONCE, guarantee=AUTO, consumer=HANDED_OUT, processing_us=100_000,
        serving={"parallel": parallel, "poll_timeout_ms": 10},
    )  # fmt: skip


def owned(applying: Applying, *faults: Any, told: Any = ((1_000, "a/1"),)) -> Scenario:
    """Two owners of one partition that keep what they know in the store."""

    def wait(node: Any, cluster: Cluster) -> Any:
        """Until the pauses are over; and, where the store says how far they are, until the end."""
        ledger, done = cluster.context(node).store("ledger"), 0
        yield node.sleep(15_000_000 if faults or applying not in KEEPS_OFFSETS else 1_000_000)
        while applying in KEEPS_OFFSETS and done < len(told) and node.now_us < 100_000_000:
            yield node.sleep(1_000_000)
            with suppress(StoreError):
                (found,) = yield ledger.transact(Get(OFFSETS, (ORDERS, 0)))
                done = found or 0

    def more(cluster: Cluster) -> None:
        owners(cluster, "billing", 2, (ORDERS,), applying, settings=SESSION)
        cluster.driver("clock", lambda node: wait(node, cluster))

    return company((), told, more=more, faults=FaultPlan(faults))


def twice_at_once(handler: Any) -> Scenario:
    """One event lies in two partitions, and two instances handle it at the same time."""
    return company(
        (Group("billing", handler, instances=2),), ((0, "a/1", "k0"), (0, "a/1", "k3")),
        topics=(Topic(ORDERS, 2),),
    )  # fmt: skip


def rebalanced(told: Any = ((0, "a/1", "k0"), (50, "a/2", "k3")), **group: Any) -> Scenario:
    """Two members, whose partitions go from one to the other when one is gone."""
    billing = Group("billing", no_memory(counted), instances=2, **group)
    return company((billing,), told, topics=(Topic(ORDERS, 2),))


def by_polls(**serving: Any) -> Scenario:
    """Five events that lie there from the beginning, and two in a poll."""
    told = tuple((0, f"a/{number}") for number in range(1, 6))
    return shop(no_memory(counted), told, consumer={"max.poll.records": 2}, **serving)


def hanging(**more: Any) -> Scenario:
    """Bills, of which an instance that crashes leaves a transaction open."""
    return few_bills(events=1, instances=1, transactional_id="random", **more)


ZOMBIE = Pause("billing-0", 1_030, 8_000)  # It is at work, and wakes when another is the owner.
HAS_ACTED = Pause("billing-0", 1_062, 8_000)  # The effect is there, the commit is not.
KEEPS_OFFSETS = (stored_offsets, fenced_offsets)
MAIL = mailing(20_000)
NAIVE = shop(no_memory(counted))
BEFORE = shop(no_memory(counted), guarantee=AT_MOST_ONCE)
INBOX = shop(one_transaction(counted))
EACH_POLL = by_polls()
AFTER_ALL = ((300, "a/1", "k0"), (350, "a/2", "k3"))  # The members know their partitions by then.
LATEST = {"auto.offset.reset": "latest"}

LAWS = (
    Law(
        "D01",
        "A record's effect happens at most once, whenever an instance crashes.",
        never_applied_twice,
        "node_crashed",
        right={
            # Of a doubled request there is no mark, and the producer is none that is idempotent.
            "commit before effect": Right(BEFORE, classes=UNDOUBLED),
            "mark and effect in one transaction": Right(INBOX, situation="noted/duplicate"),
            "offset and effect in one transaction": owned(stored_offsets),
        },
        twins={"effect before commit": Twin(NAIVE, 1, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D02",
        "What was acknowledged takes effect at least once.",
        never_lost,
        "node_crashed",
        right={
            "effect before commit": NAIVE,
            "automatic commit, one after the other": async_handler(awaited=True),
            "commit of what has no gap": in_parallel("gap_aware"),
            "mark and effect in one transaction": INBOX,
            "offset and effect in one transaction": owned(stored_offsets),
        },
        twins={
            "commit before effect": Twin(BEFORE, 1, BILLING),
            "automatic commit, asynchronous handler": Twin(async_handler(), 1, BILLING),
            "commit over a gap": Twin(in_parallel("naive"), 1, BILLING),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D03",
        "What was acknowledged takes effect exactly once.",
        once,
        "node_crashed",
        right={
            "mark and effect in one transaction": Right(INBOX, situation="noted/duplicate"),
            "offset and effect in one transaction": owned(stored_offsets),
        },
        twins={
            "effect before commit": Twin(NAIVE, 1, BILLING),
            "commit before effect": Twin(BEFORE, 1, BILLING),
            "mark before effect": Twin(shop(mark_before(counted)), 1, AND_LEDGER),
            "mark after effect": Twin(shop(mark_after(counted)), 1, AND_LEDGER),
            "ids in memory": Twin(shop(in_memory(counted)), 1, BILLING),
            "automatic commit, asynchronous handler": Twin(async_handler(), 1, BILLING),
            "commit over a gap": Twin(in_parallel("naive"), 1, BILLING),
            "a Kafka transaction that writes to a store": Twin(
                few_bills(events=1, instances=1, factory=counted_beside), 1, BILLING,
                check=never_applied_twice,
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D04",
        "A commit never runs ahead of what took effect.",
        commits_follow_effects,
        "node_crashed",
        right={"effect before commit, one after the other": NAIVE},
        twins={
            "commit before effect": Twin(BEFORE, 0, BILLING),
            "parallel handlers that commit their own offset": Twin(
                in_parallel("naive"), 0, BILLING
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D05",
        "With parallel handlers the commit is the lowest offset that is not done.",
        all_of(never_committed_past_processed, CHECKS["drained"], name="gap_free"),
        "node_crashed",
        right={"a committer that knows of gaps": in_parallel("gap_aware")},
        twins={"a committer of the highest": Twin(in_parallel("naive"), 0, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D06",
        "One crash repeats what was handled since the last commit: one poll's records at most.",
        repeats_at_most(2),
        "repeats_at_most",
        right={
            "a commit after each poll": EACH_POLL,
            "a commit after each record: one repeat": Right(
                by_polls(serving={"commit_each": True}), repeats_at_most(1)
            ),
        },
        twins={
            "one repeat at most, of a commit after each poll": Twin(
                EACH_POLL, 1, BILLING, check=repeats_at_most(1)
            ),
            "one repeat at most, of a commit now and then": Twin(
                by_polls(guarantee=AUTO), 1, BILLING, check=repeats_at_most(1)
            ),
            "a commit of two polls at a time": Twin(by_polls(guarantee=AUTO), 1, BILLING),
        },
        sites=BILLING,
        runs=40,
    ),
    Law(
        "D07",
        "A rebalance adds no loss.",
        never_lost,
        "member_removed",
        right={
            "a commit of what is revoked": rebalanced(serving={"commit_revoked": True}),
            "no commit at all": rebalanced(serving={"commit": "none"}),
            "from the earliest, where nothing is committed": rebalanced(AFTER_ALL),
        },
        twins={
            "from the latest, where nothing is committed": Twin(
                rebalanced(AFTER_ALL, settings=LATEST), 1, BILLING
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D08",
        "An effect is repeated only after a crash or a revocation between it and its commit.",
        repeats_explained,
        "repeats_explained",
        right={"at least once": NAIVE, "at least once, two members": rebalanced()},
        twins={
            "a retry in place of a handler in two steps": Twin(shop(in_two_steps), 0, BILLING)
        },
        classes=("crash", "pause"),  # Whose request to a store is sent again repeats it, too.
        sites=(BILLING, "pause@billing-*"),
        timed=True,
        runs=75,
    ),
    Law(
        "D11",
        "No record of an aborted transaction is applied by a reader of committed records.",
        all_of(no_ghost_is_read, CHECKS["aborted_is_never_read"], name="no_ghosts"),
        "no_ghost_is_read",
        right={
            "read_committed": Right(few_bills(events=1, instances=1), situation="node_crashed"),
            "read_committed, and a crash before a commit": Right(
                few_bills(events=1, instances=1), classes=("crash",), sites=IN_ITS_MIDST
            ),
        },
        twins={
            "read_uncommitted, the default": Twin(
                few_bills(events=1, instances=1, isolation="read_uncommitted"), 1, BILLING,
                check=no_ghost_is_read,
            )
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D12",
        "What is made of an event is visible wholly or not at all, with the event's offset.",
        CHECKS["exactly_once_output"],
        "node_crashed",
        right={"a Kafka transaction": few_bills(events=1, instances=1)},
        twins={
            "a producer without transactions": Twin(
                few_bills(events=1, instances=1, transactional=False), 1, BILLING
            ),
            "offsets beside the transaction": Twin(
                few_bills(events=1, instances=1, offsets_in_transaction=False), 1, BILLING
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D09",
        "Who has lost a partition writes nothing for it once its successor has taken over.",
        no_stale_write,
        "noted/stale",
        right={"a fence in the transaction of the effect": owned(fenced, ZOMBIE)},
        twins={
            "no fence": Twin(owned(group_offsets, ZOMBIE), 0, BILLING),
            "a fence that is looked at before": Twin(owned(checked_before, ZOMBIE), 0, BILLING),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D10",
        "A fence alone does not keep an effect from being repeated; with the offset it does.",
        all_of(no_stale_write, never_applied_twice, name="fenced_and_once"),
        "noted/stale",
        right={
            "a fence and the offset in the transaction": Right(
                owned(fenced_offsets, HAS_ACTED), situation="partitions_lost"
            ),
            "the same, and it sleeps before the effect": owned(fenced_offsets, ZOMBIE),
        },
        twins={
            "a fence alone": Twin(owned(fenced, HAS_ACTED), 0, BILLING, check=never_applied_twice)
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "D13",
        "A transaction that nobody ends holds up its readers until its timeout, and no longer.",
        stable_offset_moves_within(8_000),
        "node_crashed",
        right={
            # To its producer: what brokers tell each other late holds readers up for longer.
            "a timeout of five seconds, whatever happens": Right(
                hanging(), classes=ANYTHING, sites=("*@billing-*", "*@*>billing-*")
            ),
            "a timeout of five seconds": hanging(),
            "its producer comes back by its own name": few_bills(events=1, instances=1),
        },
        twins={
            "a timeout of a minute": Twin(
                hanging(producer={"transaction.timeout.ms": 60_000}), 1, BILLING
            )
        },
        sites=IN_ITS_MIDST,
    ),
    Law(
        "D14",
        "That an effect happens once does not say that its handler runs once.",
        all_of(handled_once, never_applied_twice, name="handled_and_applied_once"),
        "noted/ran",
        right={"a pessimistic inbox": twice_at_once(pessimistic(counted, MAIL))},
        twins={
            "an optimistic inbox": Twin(
                twice_at_once(optimistic(counted, MAIL)), 0, BILLING, check=runs_as_it_acts
            )
        },
        # Where nobody crashes, and no answer of the store is lost: one that is late is lost, too.
        classes=("delay", "tie"),
        sites=("delay@*broker-*", "tie@*"),
    ),
)
