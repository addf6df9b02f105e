"""Ordering: what keeps the order of what (O01 to O11)."""

from typing import Any

import attrs
from hypothesis import strategies as st

from models.patterns.idempotency.in_the_end import ends_with_the_newest
from models.patterns.idempotency.in_turn import (
    applied_in_log_order,
    causes_first,
    keys_stay,
    times_rise,
)
from models.patterns.idempotency.inbox import counted, no_memory
from models.patterns.idempotency.versions import blind, guarded, next_only, next_parked, told
from models.patterns.outboxes.outbox_checks import commit_order
from models.patterns.outboxes.relay_rows import skip_locked
from models.patterns.outboxes.relays import Relay
from models.patterns.retrying.retry_setups import RETRY as TO_RETRY
from models.patterns.retrying.retry_setups import elsewhere, parked
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import DEAD, Troubles, changes
from models.topics.accounts import (
    BALANCES,
    CHANGES,
    newest_are_kept,
    plan,
    rebuilding,
    rebuilt,
    telling,
    truth,
)
from models.topics.order import before_slash, in_order_of
from simulator import (
    Context,
    FaultPlan,
    Parallel,
    Scenario,
    Skew,
    StoreError,
    Topic,
    Topology,
    Upsert,
    all_of,
    sends_in_order,
)
from tests.laws.law import ANYTHING, Law, Right, Rule, Twin
from tests.laws.outbox import ordered, overtaking, pair
from tests.laws.retries import TOPICS
from tests.laws.shops import ORDERS, Group, Producer, company, events, shop
from tests.promised import rapid

BILLING = "crash@billing-*"
RETRY, LETTERS = "orders-retry", "orders-letters"
AT_ONCE = ((0, "a/1"), (0, "a/2"))
FAILING, FAILED = "a/1", "failed"  # Its first handling fails, and says so.
by_aggregate = in_order_of(before_slash, name="aggregate_order")
as_produced = in_order_of(lambda _: "all", name="produce_order")


# --- Handlers that fail once, and what is done then -----------------------------------------------


def tried_again(context: Context) -> Any:
    """In its place: nothing behind it is handled meanwhile."""
    count = no_memory(counted)(context)

    def handle(record: Any) -> Any:
        if record.event_id == FAILING and context.attempt == 1:
            context.note(FAILED, record.event_id)
            raise StoreError("not yet")
        yield from count(record)

    return handle


def sent_aside(topic: str, otherwise: Any = None) -> Any:
    """To another topic: what is behind it goes on."""

    def factory(context: Context) -> Any:
        count = (otherwise or no_memory(counted))(context)
        failed: dict[str, None] = {}

        def handle(record: Any) -> Any:
            if record.event_id == FAILING and FAILING not in failed:
                failed[FAILING] = None
                context.note(FAILED, record.event_id)
                yield context.send(topic, record.value, record.key, event_id=record.event_id)
                return
            yield from count(record)

        return handle

    return factory


def later(factory: Any) -> Any:
    """The same, after a pause."""

    def delayed(context: Context) -> Any:
        handle = factory(context)

        def wait(record: Any) -> Any:
            yield context.sleep(100_000)
            yield from handle(record)

        return wait

    return delayed


def sent_back(context: Context) -> Any:
    """An operator has looked at the dead letter, and sends it to its topic again."""

    def handle(record: Any) -> Any:
        yield context.sleep(100_000)
        yield context.send(ORDERS, record.value, record.key, event_id=record.event_id)

    return handle


def slow_first(context: Context) -> Any:
    """The first event takes a while."""
    count = no_memory(counted)(context)

    def handle(record: Any) -> Any:
        if record.event_id == "a/1":
            yield context.sleep(100_000)
        yield from count(record)

    return handle


COUNT = no_memory(counted)
VERSIONS = ((0, "a/1", "a", told(1, "new")), (0, "a/2", "a", told(2, "paid")))


def aside(topic: str, handler: Any = COUNT) -> Scenario:
    """The event that fails goes to a retry topic, or to the dead letters, and comes back later."""
    other = Group("retry", later(handler), (RETRY,))
    if topic == LETTERS:
        other = Group("operator", sent_back, (LETTERS,))
    topics = (Topic(ORDERS, 1), Topic(topic, 1))
    return company((Group("billing", sent_aside(topic, handler)), other), VERSIONS, topics=topics)


RETRY_TOPIC, REDRIVE = aside(RETRY), aside(LETTERS)
IN_PLACE = company((Group("billing", tried_again),), VERSIONS)
# Of three changes of one key the first fails once.
HICCUP: dict[str, Any] = {"troubles": Troubles(fails={"k0/1": 1}), "items": changes(1, 3)}


def at_once(by: str) -> Scenario:
    """Two handlers at work at a time."""
    return shop(slow_first, AT_ONCE, serving={"parallel": Parallel(by, 2)})


def keyed(first: str, second: str) -> Scenario:
    """An aggregate's two events, under these keys, and two instances, the first of them slow."""
    told = ((0, "a/1", first), (0, "a/2", second))
    return shop(slow_first, told, partitions=2, instances=2)


# --- Keys -----------------------------------------------------------------------------------------

LATER = ((0, "a/1"), (3_000, "a/2"))
KNOWN = {"metadata.max.age.ms": 500}


def home(
    *, second: dict[str, Any] | None = None, key: str = "a", grows: bool = False
) -> Scenario:
    """Two services send events of one aggregate; the second one perhaps in a way of its own."""
    producers = (
        Producer("shop", events(LATER[:1]), KNOWN),
        Producer("till", events([(3_000, "a/2", key)]), {**KNOWN, **(second or {})}),
    )
    more = (lambda cluster: cluster.add_partitions(ORDERS, 5, at_ms=1_000)) if grows else None
    return company(
        (Group("billing", COUNT),), producers=producers, topics=(Topic(ORDERS, 3),), more=more
    )


def other_partition(_: str, __: Any, ___: Any, partitions: int) -> int:
    """A partitioner that knows of no murmur2."""
    return partitions - 1


def across(partitions: int) -> Scenario:
    """Two events of different keys."""
    told = ((0, "a/1", "k0"), (50, "b/1", "k3"))
    return shop(COUNT, told, partitions=partitions, instances=2)


# --- Causes ---------------------------------------------------------------------------------------


def billed_in(topic: str) -> Any:
    """Each order causes a bill, whose key is the order's."""

    def factory(context: Context) -> Any:
        def handle(record: Any) -> Any:
            if not record.event_id.endswith(">bill"):
                bill = f"{record.event_id}>bill"
                yield context.send(topic, bill, record.key, event_id=bill)

        return handle

    return factory


def slow_orders(context: Context) -> Any:
    """An auditor who takes his time for orders."""
    count = COUNT(context)

    def handle(record: Any) -> Any:
        if not record.event_id.endswith(">bill"):
            yield context.sleep(100_000)
        yield from count(record)

    return handle


def cause_of(event_id: str) -> str:
    """What stands before the last `>`."""
    return event_id.rpartition(">")[0]


def caused(topic: str) -> Scenario:
    """Billing writes bills to a topic; an auditor with two instances reads it and the orders."""
    topics = (Topic(ORDERS, 1),) if topic == ORDERS else (Topic(ORDERS, 1), Topic(topic, 1))
    names = tuple(one.name for one in topics)
    groups = (
        Group("billing", billed_in(topic)),
        Group("audit", slow_orders, names, 2, {"partition.assignment.strategy": "roundrobin"}),
    )
    return company(groups, ((0, "a/1"),), topics=topics)


# --- Clocks ---------------------------------------------------------------------------------------


def stamped(context: Context) -> Any:
    """Remembers when each event says that it was made."""
    ledger = context.store("ledger")

    def handle(record: Any) -> Any:
        yield ledger.transact(Upsert("times", record.offset, record.timestamp_us))

    return handle


def two_clocks(*faults: Any) -> Scenario:
    """Two services send one event each, the second one later."""
    producers = (
        Producer("shop", events([(1_000, "a/1")])), Producer("till", events([(2_000, "a/2")]))
    )
    return company((Group("billing", stamped),), producers=producers, faults=FaultPlan(faults))


# --- Compaction -----------------------------------------------------------------------------------

COMPACTED = {
    "cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01, "segment.ms": 1_000
}
CLEANER = {"log.initial.task.delay.ms": 500, "log.cleaner.backoff.ms": 500}


def compacted(how: str, windows: Any, *, delete_retention_ms: int = 2_000) -> Scenario:
    """Two accounts on a compacted topic; one of them is closed in the end."""

    def bank(cluster: Any) -> None:
        telling(cluster, "accounts", TOLD, how, from_us=500_000, until_us=6_000_000)
        rebuilding(cluster, "accounts", how, windows, truth(TOLD))

    settings = {**COMPACTED, "delete.retention.ms": delete_retention_ms}
    return Scenario(
        topology=Topology(topics=(Topic("accounts", 1, settings=settings),)),
        application=bank,
        broker=CLEANER,
    )


TOLD = plan(2, 3, 1, 100_000)
CLOSED = [f"{one.account}/{at}" for at, one in enumerate(TOLD) if one.added is None]
LATE = ((7_000_000, 8_000_000),)
SLEEPS = ((0, 900_000), (7_000_000, 8_000_000))

# --- Versions -------------------------------------------------------------------------------------

UPDATES = st.lists(st.integers(1, 4), min_size=1, max_size=6)  # Versions, as they come.


def if_newer(state: int, version: int) -> int:
    """Applied if it is newer than what is there."""
    return max(state, version)


def if_next(state: int, version: int) -> int:
    """Applied if it is the very next: what comes early is dropped, for nobody parks it."""
    return version if version == state + 1 else state


def always(_: int, version: int) -> int:
    """Applied, whatever is there."""
    return version


def parking(versions: list[int]) -> int:
    """Applied if it is the very next; what comes early waits until it is."""
    state = 0
    early: dict[int, None] = {}
    for version in versions:
        if version > state:
            early[version] = None
        while state + 1 in early:
            state += 1
            del early[state]
    return state


def folded(step: Any) -> Any:
    """The state after all."""

    def fold(versions: list[int]) -> int:
        state = 0
        for version in versions:
            state = step(state, version)
        return state

    return fold


def order_does_not_matter(fold: Any, versions: list[int]) -> bool:
    """The state is that of the versions in order, each once."""
    return bool(fold(versions) == fold(sorted(dict.fromkeys(versions))))


LAWS = (
    Law(
        "O01",
        "A partition's events first take effect in the order of its log.",
        applied_in_log_order,
        "noted/failed",
        right={
            "one after the other": Right(shop(slow_first, AT_ONCE), situation="node_crashed"),
            "tried again in its place": IN_PLACE,
        },
        twins={
            "a retry topic": Twin(RETRY_TOPIC, 0, BILLING),
            "parallel handlers": Twin(at_once("record"), 0, BILLING),
            "dead letters that are sent again": Twin(REDRIVE, 0, BILLING),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "O02",
        "The events of one key first take effect in the order of their sending.",
        by_aggregate,
        "node_crashed",
        right={
            "one handler for each key": at_once("key"),
            "one key": keyed("k0", "k0"),
            "one relay": Right(ordered(Relay(poll_ms=20, batch=1)), commit_order),
            "what follows a parked event is parked": Right(
                troubled(parked(), **HICCUP), situation="noted/parked",
                classes=("crash", "drop", "delay"),
            ),
        },
        twins={
            "parallel handlers": Twin(at_once("record"), 0, BILLING),
            "random keys": Twin(keyed("k0", "k3"), 0, BILLING),
            "two relays that skip locked rows": attrs.evolve(
                overtaking(*pair(rows=skip_locked, batch=1)), check=commit_order
            ),
            "a retry topic": Twin(
                troubled(elsewhere(TOPICS), topics=(DEAD, TO_RETRY), **HICCUP), 0, BILLING
            ),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "O03",
        "A key's events lie in one partition.",
        keys_stay(before_slash),
        "keys_stay",
        right={"the same partitions, partitioner and encoding": home()},
        twins={
            "more partitions": Twin(home(grows=True), 0, BILLING),
            "another partitioner": Twin(
                home(second={"partitioner.class": other_partition}), 0, BILLING
            ),
            "another encoding of the key": Twin(home(key='"a"'), 0, BILLING),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "O04",
        "Events of different partitions have no order between them: one is to be found.",
        as_produced,
        "produce_order",
        right={"one partition": across(1)},
        twins={"two partitions": Twin(across(2), 1, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "O05",
        "In the end each row is that of its newest version, in whatever order they came.",
        ends_with_the_newest,
        "noted/failed",
        right={
            "a guard by the version, a retry topic": aside(RETRY, no_memory(guarded)),
            "a guard by the version, letters sent again": aside(LETTERS, no_memory(guarded)),
            "versions in turn, early ones parked": aside(RETRY, next_parked()),
        },
        twins={
            "a blind upsert, a retry topic": Twin(aside(RETRY, no_memory(blind)), 0, BILLING),
            "a blind upsert, letters sent again": Twin(
                aside(LETTERS, no_memory(blind)), 0, BILLING
            ),
            "versions in turn, early ones dropped": Twin(aside(RETRY, next_only()), 0, BILLING),
        },
        classes=ANYTHING,
        timed=True,
    ),
    Rule(
        "O06",
        "Whatever the order of the updates, and however often they come, the state is the same.",
        UPDATES,
        order_does_not_matter,
        right={
            "applied if newer": folded(if_newer),
            "applied in turn, the early ones parked": parking,
        },
        twins={
            "applied if the very next, the early ones dropped": folded(if_next),
            "applied blindly": folded(always),
        },
        situation=lambda versions: versions != sorted(dict.fromkeys(versions)),
        situated="updates out of order",
    ),
    Law(
        "O07",
        "An event takes effect after the one that caused it.",
        causes_first(cause_of),
        "causes_first",
        right={"the same topic and key": caused(ORDERS)},
        twins={"different topics": Twin(caused("bills"), 0, BILLING)},
        classes=ANYTHING,
        timed=True,
    ),
    Law(
        "O08",
        "What an idempotent producer sends lies in the log in the order of sending.",
        sends_in_order,
        "message_dropped",
        right={"idempotent": rapid(**{"enable.idempotence": True})},
        twins={
            "not idempotent, several requests in flight": Twin(
                rapid(**{"enable.idempotence": False}), 1,
                "drop@orders-producer>*/ProduceRequest",
            )
        },
        classes=("drop", "delay", "crash"),
        sites=("drop@*/Produce*", "delay@*/Produce*", "crash@broker-*"),
    ),
    Law(
        "O09",
        "A compacted topic keeps the newest record of each key, in order.",
        all_of(rebuilt, newest_are_kept(CLOSED), name="compacted"),
        "newest_are_kept",
        right={"records that say what is": compacted(BALANCES, LATE)},
        twins={"records that say what has changed": Twin(compacted(CHANGES, LATE), 0, BILLING)},
        undecided=True,  # Where a reader cannot read to the end.
    ),
    Law(
        "O10",
        "Who reads on within delete.retention.ms learns of every deletion.",
        rebuilt,
        "log_cleaned",
        right={"a reader within it": compacted(BALANCES, SLEEPS, delete_retention_ms=60_000)},
        twins={"a reader who sleeps longer": Twin(compacted(BALANCES, SLEEPS), 0, BILLING)},
        undecided=True,  # Where a reader cannot read to the end.
    ),
    Law(
        "O11",
        "Timestamps do not order: an event later in the log may say that it is earlier.",
        times_rise("times"),
        "times_rise",
        right={"clocks that agree": two_clocks()},
        twins={
            "a clock that is slow": Twin(two_clocks(Skew("till", 0, -5_000)), 0, BILLING)
        },
        sites=BILLING,
    ),
)
