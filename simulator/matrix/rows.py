"""The configurations of the matrix, each with the faults among which its anomalies are searched.

1. Producers: lost requests and answers, on one broker.
2. Replicas: the leader crashes, and what its followers fetch is lost; or they are away, and the
   leader is alone in the in-sync set when it crashes or loses its power.
3. Consumers: crashes at every point of a member, and lost commits, for each way to commit and to
   apply.
4. Groups: the same with two members, for each way to share partitions out.
5. Transactions: crashes at every point of who reads and writes, for both ways to read the outcome.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from simulator.chance.scope import Scope
from simulator.matrix import planted as bugs
from simulator.matrix.scenarios import (
    FROM_MS,
    GROUP,
    LEADER,
    PRODUCER,
    handed_over,
    one_by_one,
    replicated,
    small,
)
from simulator.matrix.transforming import transforming
from simulator.matrix.values import Level, Row
from simulator.protocol.variant import PRESENT, Variant
from simulator.scenario.faults import Crash, Fault, Partition, Pause
from simulator.scenario.guarantee import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    EXACTLY_ONCE_TRANSACTIONS,
    IN_MEMORY_SET,
    Guarantee,
)
from simulator.scenario.scenario import Scenario

OPENS = "record_sent"
REQUESTS = f"drop@{PRODUCER}>broker-*/ProduceRequest"
ANSWERS = f"drop@broker-*>{PRODUCER}/ProduceResponse"
COMMITS = (
    f"drop@{GROUP}-*>broker-*/OffsetCommitRequest",
    f"drop@broker-*>{GROUP}-*/OffsetCommitResponse",
)
MEMBERS = f"crash@{GROUP}-*/*"
LEADS = f"crash@{LEADER}/after_append"


def scope(sites: Iterable[str], opens: str | tuple[str, int] = OPENS, **budgets: int) -> Scope:
    """Any fault at these sites, so many of each class at most, from the first record on."""
    return Scope(tuple(sites), budgets, opens=opens)


def levels(*sized: tuple[int, Scenario], kind: str = "") -> tuple[Level, ...]:
    """Levels of one kind."""
    return tuple(Level(events, scenario, kind) for events, scenario in sized)


# --- Producers --------------------------------------------------------------------------------

LOST_PRODUCES = scope((REQUESTS, ANSWERS), drop=2)


def sender(name: str, producer: Mapping[str, Any], **said: str) -> Row:
    """A producer on a wire that loses what it sends, and what it is told."""
    settings = {"acks": "all", "max.in.flight.requests.per.connection": "5", **said}
    guarantee = attrs.evolve(AT_LEAST_ONCE, producer=producer)
    return Row(
        name, {**settings, "commit": "after", "sink": "naive"},
        levels(*((n, small(guarantee, one_by_one(n))) for n in (1, 2, 3))),
        LOST_PRODUCES,
    )  # fmt: skip


NOT_IDEMPOTENT = {"acks": "all", "enable.idempotence": False}
IN_FLIGHT = "max.in.flight.requests.per.connection"
SENDERS = (
    sender(
        "no-retries", {**NOT_IDEMPOTENT, "retries": 0},
        **{"enable.idempotence": "false", "retries": "0"},
    ),
    sender("retries", NOT_IDEMPOTENT, **{"enable.idempotence": "false"}),
    sender(
        "retries-one-in-flight", {**NOT_IDEMPOTENT, IN_FLIGHT: 1},
        **{"enable.idempotence": "false", IN_FLIGHT: "1"},
    ),
    sender("idempotent", EXACTLY_ONCE.producer, **{"enable.idempotence": "true"}),
)  # fmt: skip


# --- Replicas: the leader crashes -------------------------------------------------------------

FETCHED = tuple(f"drop@{LEADER}>broker-{number}/FetchResponse" for number in (1, 2))
LEADER_CRASHES = scope((LEADS, *FETCHED, REQUESTS, ANSWERS), crash=1, drop=1)


def acknowledged(name: str, acks: str, *, idempotent: bool) -> Row:
    """A leader that may crash before its followers have fetched."""
    producer = {"acks": acks, "enable.idempotence": idempotent}
    guarantee = attrs.evolve(AT_LEAST_ONCE, producer=producer)
    return Row(
        name,
        {
            "acks": acks, "enable.idempotence": str(idempotent).lower(), "replicas": "3",
            "min.insync.replicas": "2", "commit": "after", "sink": "naive",
        },
        levels(*(
            (n, replicated(guarantee, one_by_one(n), heal_after_ms=FROM_MS + 700, in_sync=2))
            for n in (1, 2)
        )),
        LEADER_CRASHES,
        given="a leader that crashes is away for six seconds, and another leads",
        guards=(bugs.acknowledges_before_followers_have_it,) if acks == "all" else (),
    )  # fmt: skip


LEADERS = (
    acknowledged("acks-0", "0", idempotent=False),
    acknowledged("acks-1", "1", idempotent=False),
    acknowledged("acks-all", "all", idempotent=True),
)


# --- Replicas: the in-sync set has shrunk -----------------------------------------------------

GONE_MS, BACK_MS, DOWN_MS, READ_MS = FROM_MS + 200, 6_000, 6_000, 14_000
ALONE_MS = (FROM_MS, FROM_MS + 3_000, FROM_MS + 3_300)  # One before the followers go.
CUT_OFF = Partition(
    ("broker-1", "broker-2"),
    (LEADER, "broker-3", "controller", PRODUCER, f"{GROUP}-*"), GONE_MS, BACK_MS,
)  # fmt: skip
COME_LATE = Crash(f"{GROUP}-0", at_ms=FROM_MS - 500, down_ms=READ_MS - FROM_MS)
WAITS = {"retry.backoff.ms": 2_000, "retry.backoff.max.ms": 2_000}
ALONE_CRASHES = scope((LEADS, REQUESTS, ANSWERS), crash=1, drop=1)


def alone(
    name: str, in_sync: int, mode: str, *, unclean: bool = False, variant: Variant = PRESENT
) -> Row:
    """Its followers are cut off, and the leader crashes; readers look at once, or afterwards."""
    topic = {"unclean.leader.election.enable": unclean}

    def scenario(*faults: Fault) -> Scenario:
        return replicated(
            AT_LEAST_ONCE, handed_over(*ALONE_MS), heal_after_ms=BACK_MS, in_sync=in_sync,
            mode=mode, away_ms=DOWN_MS, topic=topic, variant=variant, producer=WAITS,
            faults=(CUT_OFF, *faults),
        )  # fmt: skip

    eligible = variant.eligible_leader_replicas
    return Row(
        name,
        {
            "acks": "all", "enable.idempotence": "true", "replicas": "3",
            "min.insync.replicas": str(in_sync), "unclean.leader.election.enable":
            str(unclean).lower(), "commit": "after", "sink": "naive",
            **({"eligible leader replicas": "on"} if eligible else {}),
        },
        (
            *levels((3, scenario())),
            *levels((3, scenario(COME_LATE)), kind="the reader comes when all is over"),
        ),
        ALONE_CRASHES,
        given=f"the followers are cut off for {(BACK_MS - GONE_MS) / 1_000:g} s, after the first "
        f"event; a crash of the leader is a "
        f"{'loss of power' if mode == 'power' else 'crash of its process'}",
        guards=(bugs.takes_what_too_few_would_have,) if eligible else (),
    )  # fmt: skip


SHRUNK = (
    alone("min-isr-1-crash", 1, "process"),
    alone("min-isr-1-power", 1, "power"),
    alone("min-isr-1-unclean-crash", 1, "process", unclean=True),
    alone("min-isr-2-crash", 2, "process"),
    alone("min-isr-2-power", 2, "power"),
    alone("min-isr-2-eligible-power", 2, "power", variant=Variant(eligible_leader_replicas=True)),
)


# --- Consumers --------------------------------------------------------------------------------

DYING = scope((MEMBERS, *COMMITS, REQUESTS, ANSWERS), crash=2, drop=1)
SINKS = {"naive": "naive", "idempotent": "effect and id", "memory": "ids in memory"}


def reader(name: str, guarantee: Guarantee, **consumer: Any) -> Row:
    """A member that may crash wherever it is, and whose commits may get lost."""
    idempotent = attrs.evolve(guarantee, producer=EXACTLY_ONCE.producer)
    return Row(
        name,
        {
            "acks": "all", "enable.idempotence": "true", "commit": guarantee.commit,
            "sink": SINKS[guarantee.sink],
        },
        levels(*((n, small(idempotent, one_by_one(n), consumer=consumer)) for n in (1, 2))),
        DYING,
        guards=(bugs.forgets_commits, bugs.applies_before_it_marks),
    )  # fmt: skip


READERS = (
    reader("commit-before", AT_MOST_ONCE),
    reader("commit-after", AT_LEAST_ONCE),
    reader(
        "auto-commit", attrs.evolve(AT_LEAST_ONCE, commit="auto"), **{"auto.commit.interval.ms": 5}
    ),
    reader("memory-set", IN_MEMORY_SET),
    reader("effect-and-id", EXACTLY_ONCE),
)


# --- Groups -----------------------------------------------------------------------------------

REBALANCING = scope((MEMBERS, *COMMITS, REQUESTS), crash=1, drop=1)
STILL = Pause(f"{GROUP}-0", FROM_MS + 2, 3_000)  # The first events have just come.


def shared(name: str, said: str, **consumer: Any) -> Row:
    """Two members and two partitions; one may crash, or stand still for three seconds."""

    def scenario(events: int, *faults: Fault) -> Scenario:
        return small(
            AT_LEAST_ONCE, one_by_one(events, 2), instances=2, partitions=2,
            consumer=consumer, faults=faults,
        )  # fmt: skip

    return Row(
        name,
        {
            "acks": "all", "enable.idempotence": "true", "assignor": said, "consumers": "2",
            "partitions": "2", "commit": "after", "sink": "naive",
        },
        (
            *levels(*((n, scenario(n)) for n in (2, 4))),
            *levels((4, scenario(4, STILL)), kind="one member stands still for 3 s"),
        ),
        REBALANCING,
        consumers=2,
    )  # fmt: skip


STRATEGY = "partition.assignment.strategy"
GROUPS = (
    shared("range", "range (eager)", **{STRATEGY: "range"}),
    shared("cooperative", "cooperative-sticky", **{STRATEGY: "cooperative-sticky"}),
    shared("kip-848", "uniform (KIP-848)", **{"group.protocol": "consumer"}),
)


# --- Transactions -----------------------------------------------------------------------------

IN_TRANSACTIONS = scope(
    (MEMBERS, f"drop@{GROUP}-*>broker-*/EndTxnRequest", f"drop@broker-*>{GROUP}-*/EndTxnResponse",
     REQUESTS, ANSWERS),
    crash=1, drop=1,
)  # fmt: skip
PAYING = {"max.block.ms": 2_000, "transaction.timeout.ms": 5_000}


def transacted(name: str, isolation: str, *, in_transaction: bool = True) -> Row:
    """Read, write and commit in one transaction; the member may crash wherever it is."""
    where = "in the transaction" if in_transaction else "after the transaction"
    return Row(
        name,
        {
            "acks": "all", "transactional.id": "each member's", "commit": where,
            "isolation.level": isolation, "sink": "an output topic",
        },
        levels(*(
            (
                n,
                small(
                    EXACTLY_ONCE_TRANSACTIONS, one_by_one(n), producer=PAYING,
                    application=partial(
                        transforming, isolation=isolation, in_transaction=in_transaction
                    ),
                ),
            )
            for n in (1, 2)
        )),
        IN_TRANSACTIONS,
        guards=(bugs.reads_what_was_aborted,),
    )  # fmt: skip


TRANSACTIONS = (
    transacted("read-committed", "read_committed"),
    transacted("read-uncommitted", "read_uncommitted"),
    transacted("offsets-outside", "read_committed", in_transaction=False),
)

ROWS: Mapping[str, Row] = {
    row.name: row for row in (*SENDERS, *LEADERS, *SHRUNK, *READERS, *GROUPS, *TRANSACTIONS)
}

__all__ = ["ROWS"]
