"""Rows C02, C03, C08 to C11: offsets that are ahead of the work, behind it, or not told at all."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from experiments.known_bugs import group_slips
from experiments.known_bugs.consuming import (
    BY_HAND,
    FIRST,
    FROM_THE_BEGINNING,
    NEW_PROTOCOL,
    OF_ITSELF,
    QUICK_MEMBERS,
    SECOND,
    Billed,
    Reading,
    consuming,
    orders,
)
from experiments.known_bugs.copying import Copying, copying
from experiments.known_bugs.known_bug import Faults, KnownBug, Planned
from experiments.known_bugs.planning import between, crash, together
from experiments.known_bugs.replicas import FOLLOWERS, LEADER, QUICK
from experiments.known_bugs.scenarios import QUICK_GROUPS, TOPIC
from simulator import (
    Crash,
    FaultPlan,
    Parallel,
    Scenario,
    Serving,
    Topic,
    Topology,
    constant,
)

BUDGET = 60
HURRIED = {"auto.commit.interval.ms": 100}
CRASHES = Faults(("crash",), nodes=FIRST, most=1)


# --- Ahead of the work ---------------------------------------------------------------------------


def prefetching(settings: Mapping[str, Any], **habits: Any) -> Scenario:
    """A program that keeps orders at hand."""
    return consuming(Reading(settings=settings, ahead=10, **habits))


C02 = KnownBug(
    name="C02",
    title="what was fetched ahead is committed, and then lost",
    source="KAFKA-2942",
    anomaly="never_lost",
    story="Orders are fetched ahead of the work on them. The consumer commits by itself all that "
    "it has handed out; then the process dies, and nobody is given the rest again.",
    broken=prefetching(OF_ITSELF),
    fixes={"only what is done is committed": prefetching(BY_HAND, commits_each=1)},
    faults=CRASHES,
    budget=BUDGET,
)


def pooled(commit: str) -> Scenario:
    """An instance that hands its orders to a pool of workers, and polls on."""
    settings = {**FROM_THE_BEGINNING, **HURRIED}
    serving = Serving(
        (TOPIC,),
        settings,
        commit=commit,
        processing=constant(100_000),
        poll_timeout_ms=100,
        parallel=Parallel(by="record", workers=2),
    )
    return consuming(Billed(serving=serving, instances=1))


C03 = KnownBug(
    name="C03",
    title="what is still being worked on is committed, and then lost",
    source="Redpanda's auto_commit workload, Bufstream's report of 2024",
    anomaly="never_lost",
    story="Orders are handed to a pool of workers; the next poll commits them automatically while "
    "the workers have not done them. The process dies: they are never done.",
    broken=pooled("auto"),
    fixes={"offsets are committed when the work is done": pooled("after")},
    faults=CRASHES,
    budget=BUDGET,
)

# --- Behind it -----------------------------------------------------------------------------------

PATIENT = {**FROM_THE_BEGINNING, "session.timeout.ms": 4_000}


def coordinated() -> Scenario:
    """Three brokers, of which any may coordinate the group."""
    serving = Serving((TOPIC,), PATIENT, commit_each=True, processing=constant(10_000))
    billed = Billed(serving=serving, instances=1, items=orders(12, every_ms=300))
    return Scenario(
        topology=Topology(3, (Topic(TOPIC, 1, 3),)),
        broker={**QUICK_GROUPS, **QUICK, "offsets.topic.num.partitions": 1},
        application=billed,
        horizon_ms=60_000,
    )


def both_crash(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """A broker crashes, and an instance at about the same time."""
    return st.builds(
        lambda broker, at_ms, other_ms: FaultPlan(
            (
                Crash(broker, at_ms=at_ms, down_ms=5_000),
                Crash(FIRST, at_ms=other_ms, down_ms=500),
            )
        ),
        st.sampled_from((LEADER, *FOLLOWERS)),
        between(1_000, 2_500),
        between(1_000, 2_500),
    )


C08 = KnownBug(
    name="C08",
    title="a new coordinator serves offsets of long ago",
    source="KAFKA-5600",
    anomaly="committed_never_regresses",
    story="The coordinator's broker crashes, and another one loads the group from its log, in the "
    "wrong order: the oldest commit is applied last. The next member that starts is given that.",
    broken=coordinated(),
    faults=Planned("a broker and an instance crash", both_crash),
    budget=30,
    slip=group_slips.loads_old_commits_last,
)


# --- Not heeded ----------------------------------------------------------------------------------


def growing(reset: str) -> Scenario:
    """A topic that gets more partitions while orders flow."""
    settings = {
        **FROM_THE_BEGINNING, "auto.offset.reset": reset, "metadata.max.age.ms": KNOWN_AFTER_MS,
    }  # fmt: skip
    billed = Billed(
        serving=Serving((TOPIC,), settings),
        items=orders(30, every_ms=50, from_ms=500),
        grows=(5, 1_000),
        producer={"metadata.max.age.ms": 200},
    )
    return consuming(billed)


KNOWN_AFTER_MS = 300
C09 = KnownBug(
    name="C09",
    title="a reader that begins at the end skips what came before it",
    source="Kafka's documentation of auto.offset.reset, KIP-1106",
    anomaly="never_lost",
    story="A topic gets more partitions. The producer learns of them and writes there; the group "
    "learns of them later, has committed nothing there, and begins at the end.",
    broken=growing("latest"),
    fixes={
        "auto.offset.reset=earliest": growing("earliest"),
        "auto.offset.reset=by_duration (KIP-1106)": growing("by_duration:PT1H"),
    },
    faults=Faults(("delay",), messages="Metadata*", most=1),
    budget=BUDGET,
)


def reconciling() -> Scenario:
    """Two members of a group of KIP-848."""
    billed = Billed(
        serving=Serving((TOPIC,), NEW_PROTOCOL, processing=constant(20_000)),
        items=orders(20, every_ms=100, from_ms=500),
    )
    return consuming(billed, broker=QUICK_MEMBERS)


C10 = KnownBug(
    name="C10",
    title="a position is reset before the committed offset was asked for",
    source="KAFKA-16556",
    anomaly="never_lost",
    story="A member dies, and another one is assigned its partition. While on_assigned is still to "
    "come the partition is taken for one without a committed offset, and begun at its end.",
    broken=reconciling(),
    faults=Planned(
        "a member dies when it has committed something",
        together(crash(SECOND, between(1_000, 2_000), between(500, 3_000, 500))),
    ),
    budget=BUDGET,
    slip=group_slips.resets_before_it_is_told,
)

C11 = KnownBug(
    name="C11",
    title="an offset stays pending, and nobody is told what is committed",
    source="KAFKA-16371",
    anomaly="acknowledged_is_read",
    story="A program crashes in its transaction, which its next life aborts. The coordinator drops "
    "the offsets of the transaction, and takes them to be pending for ever: who asks where to go "
    "on is told to ask again.",
    broken=copying(
        Copying(instances=1, transactional=True, audited=False, items=orders(12, every_ms=5))
    ),
    faults=Planned(
        "the program crashes while it is at work",
        together(crash(FIRST, between(0, 1_000, 50), between(500, 3_000, 500))),
    ),
    budget=BUDGET,
    slip=group_slips.keeps_pending_what_was_aborted,
)

ROWS = (C02, C03, C08, C09, C10, C11)
