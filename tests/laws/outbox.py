"""Outbox and inbox: what a topic says of what a database did (X01 to X13)."""

from functools import partial

from hypothesis import strategies as st

from models.patterns.outboxes.atomic_handler import (
    atomic,
    elsewhere,
    error_queue,
    first_come,
    phases,
)
from models.patterns.outboxes.outbox import (
    Request,
    commit_then_publish,
    one_at_a_time,
    publish_in_process,
    publish_inside,
    publish_then_commit,
    with_outbox,
    with_passing_row,
)
from models.patterns.outboxes.outbox_checks import (
    at_most_repeated,
    commit_order,
    no_ghost,
    no_loss,
    numbered_as_committed,
    passed_by_no_one,
)
from models.patterns.outboxes.outbox_keeping import Auditing, Purging, all_rows
from models.patterns.outboxes.outbox_promises import all_or_none, bounded, equal_repeats
from models.patterns.outboxes.outbox_reading import read_by, shipping
from models.patterns.outboxes.outbox_running import handling, outbox_scenario
from models.patterns.outboxes.relay_rows import (
    after_cursor,
    below_watermark,
    delete,
    move_cursor,
    one_leader,
    per_key,
    skip_locked,
    unsent_unlocked,
)
from models.patterns.outboxes.relays import (
    Relay,
    each_by_itself,
    going_on,
    made_id,
    mark_then_publish,
    set_aside,
)
from models.patterns.outboxes.wal_relay import WalRelay, confirm_then_publish
from simulator import (
    CapturedChange,
    Crash,
    Dropped,
    Emitted,
    FaultPlan,
    Link,
    Partition,
    Topology,
    all_of,
    exponential,
    never_applied_twice,
    outbox_router,
)
from tests.laws.law import ANYTHING, Law, Right, Rule, Twin

PLACED, PAID = Request(50_000, "o-1", "placed"), Request(80_000, "o-1", "paid")
TWO = ((PLACED, PAID),)
# The first to draw a number is the last to commit.
CROSSED = (
    (Request(50_000, "o-1", "placed", thinks_us=300_000),),
    (Request(70_000, "o-2", "placed"),),
)
GIVEN_UP = ((Request(50_000, "o-1", "placed", thinks_us=5_000, gives_up=True), PAID),)
WIRE = Topology(links=(Link(latency=exponential(1_000, floor_us=200)),))
# Nothing that the relay sends arrives, for longer than its producer is patient.
OUTAGE = FaultPlan((Partition(("relay-0",), ("broker-*",), 300, 4_600),))
BEFORE, FAILS = Request(50_000, "o-0", "placed"), Request(400_000, "o-1", "placed")
DURING = ((BEFORE, FAILS, Request(430_000, "o-1", "paid")),)
AFTER = ((BEFORE, FAILS, Request(2_500_000, "o-1", "paid")),)


RELAYED = (Relay(poll_ms=20),)


def pair(**how):
    return [Relay(name=f"relay-{number}", poll_ms=20, **how) for number in range(2)]


def told(publishing=with_outbox, relays=RELAYED, requests=TWO, **more):
    return outbox_scenario(requests, publishing, relays, **more)


def ordered(*relays):
    return told(relays=relays, topology=WIRE)


SLOW = {"delay@relay-0>*/ProduceRequest": (60_000,)}


def overtaking(*relays):
    return Twin(ordered(*relays), 1, sites="delay@relay-0>*/ProduceRequest", grids=SLOW)


GHOSTS = Law(
    "X01",
    "What is on the topic tells of a change that was committed before.",
    no_ghost,
    "store_rolled_back",
    right={
        "an outbox and a polling relay": told(requests=GIVEN_UP),
        "an outbox and a relay of the log": told(relays=(WalRelay(),), requests=GIVEN_UP),
    },
    twins={
        "publish, then commit": Twin(told(publish_then_commit, requests=GIVEN_UP), 0),
        "publish inside the transaction": Twin(told(publish_inside, requests=GIVEN_UP), 0),
    },
    classes=ANYTHING,
    timed=True,
)

LOSSES = Law(
    "X02",
    "A change that was committed is told on the topic.",
    no_loss,
    "node_crashed",
    right={
        "publish before mark": told(),
        "publish before delete": told(relays=(Relay(done=delete, poll_ms=20),)),
        "a relay of the log": told(relays=(WalRelay(),)),
        "a relay of the log, rows deleted at once": told(with_passing_row, (WalRelay(),)),
        "a cursor below the watermark": told(
            relays=(Relay(rows=below_watermark, done=move_cursor, poll_ms=20),), requests=CROSSED
        ),
    },
    twins={
        "commit, then publish": Twin(told(commit_then_publish), 1, "crash@orders-0/committed"),
        "publish in the same process": Twin(
            told(publish_in_process, ()), 1, "crash@orders-0/committed"
        ),
        "mark before publish": Twin(
            told(relays=(Relay(turn=mark_then_publish),)), 1, "crash@relay-0/*"
        ),
        "a cursor on numbers": Twin(
            told(relays=(Relay(rows=after_cursor, done=move_cursor, poll_ms=20),),
                 requests=CROSSED), 0
        ),
        "rows deleted at once, and polled for": Twin(told(with_passing_row), 0),
        "confirm before publish": Twin(
            told(relays=(WalRelay(turn=confirm_then_publish),)), 1, "crash@relay-0/*"
        ),
    },
    classes=ANYTHING,
    timed=True,
)  # fmt: skip

REPEATS = Law(
    "X03",
    "What comes twice comes under the same id, with the same key and payload.",
    equal_repeats,
    "equal_repeats",
    right={"the row's own id": told(reader=read_by(shipping))},
    twins={
        "an id made in the relay": Twin(
            told(relays=(Relay(identity=made_id),), reader=read_by(shipping)), 1,
            "crash@relay-0/published",
        )
    },
    sites="crash@relay-*",
    runs=75,
)  # fmt: skip

ORDER = Law(
    "X04",
    "An order's events are first on the topic in the order of their commits.",
    commit_order,
    "commit_order",
    right={
        "one relay": ordered(Relay(poll_ms=20)),
        "two relays, each with keys of its own": ordered(*pair(rows=per_key, batch=1)),
        "a relay of the log": ordered(WalRelay()),
        "one delivery at a time": ordered(
            Relay(unsent_unlocked, each_by_itself, at_once=1, poll_ms=20)
        ),
    },
    twins={
        "two relays that skip locked rows": overtaking(*pair(rows=skip_locked, batch=1)),
        "several deliveries at a time": Twin(
            ordered(Relay(unsent_unlocked, each_by_itself, at_once=10, poll_ms=100)), 1,
            "delay@relay-0>ledger/*", {"*": (60_000,)},
        ),
        "later rows go on after one that failed": Twin(
            told(relays=(Relay(sends=going_on, poll_ms=20),), requests=DURING, faults=OUTAGE), 0
        ),
    },
    classes=("delay", "crash", "drop"),
)  # fmt: skip

NUMBERS = Law(
    "X05",
    "Numbers follow the order of commits only where transactions take turns.",
    numbered_as_committed,
    "numbered_as_committed",
    right={"one at a time": told(partial(with_outbox, statements=one_at_a_time), requests=CROSSED)},
    twins={"two transactions at once": Twin(told(requests=CROSSED), 0)},
    classes=ANYTHING,
    timed=True,
)

WATERMARK = Law(
    "X06",
    "A number is passed only when no transaction with a smaller one is in flight.",
    passed_by_no_one,
    "passed_by_no_one",
    right={
        "below the oldest transaction": told(
            relays=(Relay(rows=below_watermark, done=move_cursor, poll_ms=20),), requests=CROSSED
        )
    },
    twins={
        "up to the largest number": Twin(
            told(relays=(Relay(rows=after_cursor, done=move_cursor, poll_ms=20),),
                 requests=CROSSED), 0
        )
    },
    classes=ANYTHING,
    timed=True,
)  # fmt: skip

TWO_LEADERS = told(relays=pair(rows=unsent_unlocked, batch=1))
FAILOVER = Law(
    "X07",
    "When the leading relay dies, a batch is repeated at most, and none is lost.",
    all_of(at_most_repeated(1), no_loss, name="failover"),
    "node_crashed",
    right={
        "one leader": told(relays=pair(rows=one_leader(unsent_unlocked), batch=1)),
        "two that lead: none is lost": Right(TWO_LEADERS, no_loss),
    },
    twins={"two that lead": Twin(TWO_LEADERS, 0, check=at_most_repeated(1))},
    sites="crash@relay-*",
    runs=75,
)

DRAINING = Law(
    "X08",
    "While the broker is away events queue up, and afterwards they come in order.",
    all_of(no_loss, commit_order, name="drained_in_order"),
    "record_failed",
    right={"the first waits, and the others behind it": told(requests=AFTER, faults=OUTAGE)},
    twins={
        "what failed is tried again later": Twin(
            told(relays=(Relay(turn=set_aside, poll_ms=20),), requests=AFTER, faults=OUTAGE), 0
        )
    },
    classes=ANYTHING,
    timed=True,
)

TOGETHER = ("inbox", "changes", "outbox")

ATOMIC = Law(
    "X09",
    "Inbox, change and outgoing events are committed together.",
    all_or_none(TOGETHER),
    "node_crashed",
    right={
        "one transaction": handling(atomic, RELAYED),
        "one transaction, and messages are lost": Right(
            handling(atomic, RELAYED), situation="message_dropped", classes=("drop",), sites="*"
        ),
    },
    twins={"the inbox in another database": Twin(handling(elsewhere, RELAYED), 0)},
    sites=("crash@invoicing-*", "crash@ledger/*", "crash@relay-*"),
)

PHASES = Law(
    "X10",
    "Whoever dies in a phase goes on from it: one effect, and all that it sends.",
    all_of(never_applied_twice, no_loss, name="resumed"),
    "node_crashed",
    right={
        "goes on with the phase": handling(phases, payments=2),
        # Who loses the answer to a JoinGroup asks again only after five minutes.
        "goes on with the phase, whatever happens": Right(
            handling(phases, payments=2, horizon_ms=400_000), classes=ANYTHING, sites="*"
        ),
    },
    twins={
        "takes what it has seen for done": Twin(
            handling(first_come, payments=2), 1, "crash@invoicing-0/*"
        )
    },
    sites="crash@invoicing-0/*",
    runs=75,
)

# The service can read and work, and whatever it sends is lost.
MUTE = Topology(links=(Link("invoicing-0", "*", loss=1.0, messages="ProduceRequest"), Link()))
PUT_ASIDE = error_queue(phases, 2)

DISPATCH = Law(
    "X11",
    "What was committed is sent although its cause was put aside: by a relay, not by a retry.",
    no_loss,
    "record_failed",
    right={"a relay besides": handling(PUT_ASIDE, RELAYED, topology=MUTE)},
    twins={"dispatched by its cause alone": Twin(handling(PUT_ASIDE, topology=MUTE), 0)},
    sites=("crash@relay-*", "crash@invoicing-*"),
)

# --- The router, as a function ------------------------------------------------------------------

NAMES = st.text("ab1-", min_size=1, max_size=3)
ROWS = st.fixed_dictionaries(
    {"id": NAMES, "aggregatetype": NAMES, "aggregateid": NAMES, "type": NAMES, "payload": NAMES}
)
CHANGES = st.builds(
    lambda op, row: CapturedChange(
        op=op, before=row if op in "ud" else None, after=None if op == "d" else row, ts_ms=7
    ),
    st.sampled_from("crud"),
    ROWS,
)


def routes_as_debezium(route, change):
    made, row = route(change), change.after
    if change.op in "ud":
        return isinstance(made, Dropped) and made.why == {"u": "update", "d": "delete"}[change.op]
    return made == route(change) == Emitted(
        topic=f"outbox.event.{row['aggregatetype']}",
        key=row["aggregateid"],
        value=row["payload"],
        headers=(("id", row["id"]),),
        timestamp_ms=7,
    )


def updates_too(change):
    """Twin: a row that a polling relay has marked is sent once more."""
    if change.op == "u":
        return outbox_router().route(CapturedChange(op="c", after=change.after, ts_ms=change.ts_ms))
    return outbox_router().route(change)


def keyed_by_id(change):
    """Twin: each event has a key of its own, and an order's events no order."""
    return outbox_router({"table.field.event.key": "id"}).route(change)


ROUTER = Rule(
    "X12",
    "An inserted row is its event, and no other change is one.",
    CHANGES,
    routes_as_debezium,
    right={"Debezium's defaults": outbox_router().route},
    twins={"updates are events": updates_too, "the id is the key": keyed_by_id},
    situation=lambda change: change.op in "cr",
    situated="inserted rows",
)

# --- The table -----------------------------------------------------------------------------------

AWAY = FaultPlan((Crash("relay-0", at_ms=10, down_ms=3_000),))


def kept(*purging, **more):
    # What a lost connection has locked is free again ten seconds later.
    relays = (Relay(poll_ms=100), *purging, Auditing(16_000))
    return told(relays=relays, heal_after_ms=4_000, **more)


BOUNDED = Law(
    "X13",
    "No row of the outbox outlives its age, and none goes before it is sent.",
    all_of(no_loss, bounded, name="table_kept"),
    "bounded",
    right={"what was sent is purged": kept(Purging(every_ms=500), faults=AWAY)},
    twins={
        "nothing is purged": Twin(kept(faults=AWAY), 0),
        "all that is old is purged": Twin(kept(Purging(all_rows, every_ms=500), faults=AWAY), 0),
    },
    classes=("crash", "drop"),
)

LAWS = (
    GHOSTS, LOSSES, REPEATS, ORDER, NUMBERS, WATERMARK, FAILOVER, DRAINING, ATOMIC, PHASES,
    DISPATCH, ROUTER, BOUNDED,
)  # fmt: skip
