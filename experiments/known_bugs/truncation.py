"""Rows R04 to R08 and R12: logs that part when the leader changes, and how followers cut them.

Each version of the protocol cuts better than the one before, and has the next hole.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.planning import STEP_MS, between, crash, cut, together
from experiments.known_bugs.replicas import (
    BUDGET,
    CONTROLLER,
    FOLLOWERS,
    LEADER,
    ONE_ACK,
    SECOND,
    THIRD,
    UNCLEAN,
    replicated,
)
from simulator import (
    Crash,
    FaultPlan,
    Link,
    Partition,
    Pause,
    Scenario,
    Variant,
    constant,
)

# Brokers far from one another: what one has, the others have a while later.
SLOW = Link("broker-[012]", "broker-[012]", constant(100_000))


def truncating(way: str, **more: Any) -> Scenario:
    """Followers cut their logs as that version of Kafka did."""
    variant = Variant(truncation=way, consumers_validate=way == "KIP-320")
    return replicated(variant=variant, **more)


def two_crashes(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The leader crashes soon after it has acknowledged, its successor soon after its election."""
    return st.builds(
        lambda at, later: FaultPlan(
            (
                Crash(LEADER, at_ms=at, down_ms=5_000),
                Crash(SECOND, at_ms=at + later, down_ms=5_000),
            )
        ),
        between(1_300, 1_700),
        between(1_000, 1_400, 50),
    )


R04 = KnownBug(
    name="R04",
    title="a follower that cuts at its high watermark drops what is committed",
    source="KIP-101 (first scenario), KAFKA-1211",
    anomaly="committed_is_kept",
    story="A follower has a committed record, and does not know yet that it is committed. When "
    "the leader changes it cuts its log there; before it has fetched the record again the new "
    "leader dies too, and the follower is elected.",
    broken=truncating("high watermark", link=SLOW, per_s=1, records=6),
    fixes={
        "followers cut by leader epochs (KIP-101)": truncating(
            "KIP-101", link=SLOW, per_s=1, records=6
        )
    },
    faults=Planned("a leader crashes, and its successor after its election", two_crashes),
    budget=BUDGET,
)

FLUSHED = {"flush.messages": 10}  # So that a power cut leaves a beginning.


def power_cut(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The follower dies; soon after, when the leader is alone in sync, it loses power."""
    return st.builds(
        lambda at, down, later, cut_ms: FaultPlan(
            (
                Crash(SECOND, at_ms=at, down_ms=down),
                Crash(LEADER, at_ms=at + later, down_ms=cut_ms, mode="power"),
            )
        ),
        between(2_800, 3_800),
        between(3_000, 5_000, 1_000),
        between(800, 1_600),
        between(100, 500),
    )


R05 = KnownBug(
    name="R05",
    title="replicas that cut at their high watermark disagree after a power cut",
    source="KIP-101 (second scenario)",
    anomaly="replicas_converge",
    story="Both replicas fail, and the one that leads again has lost its last records; it gives "
    "their offsets to others. The other one comes back with the old records, all below its high "
    "watermark, and keeps them.",
    broken=truncating("high watermark", replicas=2, topic=FLUSHED, records=24),
    fixes={
        "followers cut by leader epochs (KIP-101)": truncating(
            "KIP-101", replicas=2, topic=FLUSHED, records=24
        )
    },
    faults=Planned("the follower crashes, then the leader loses power", power_cut),
    budget=BUDGET,
)

R06 = KnownBug(
    name="R06",
    title="logs part after fast consecutive changes of the leader",
    source="KIP-279, KAFKA-6361",
    anomaly="replicas_converge",
    story="Two brokers lead in turn, each alone. When the second comes back as a follower it asks "
    "for the end of its own epoch, of which the leader has never heard, and cuts too little.",
    broken=truncating("KIP-101", replicas=2, topic=UNCLEAN, producer=ONE_ACK),
    fixes={
        "the leader answers with the epoch before (KIP-279)": truncating(
            "KIP-279", replicas=2, topic=UNCLEAN, producer=ONE_ACK
        )
    },
    faults=Planned(
        "the replicas are cut off from one another, and crash in turn",
        together(
            cut((LEADER,), (SECOND,), between(0, 500), between(4_000, 7_000, 1_000)),
            crash(LEADER, between(500, 1_500), between(1_500, 3_000, 500)),
            crash(SECOND, between(2_000, 3_500), between(1_500, 3_000, 500)),
        ),
    ),
    budget=BUDGET,
)


def changing(way: str, *, same_leader_truncates: bool = True) -> Scenario:
    """Records come all the time, and logs that have parted soon differ."""
    variant = Variant(
        truncation=way,
        consumers_validate=way == "KIP-320",
        same_leader_truncates=same_leader_truncates,
    )
    one_by_one = {**ONE_ACK, "batch.size": 1}  # A cut never falls within a batch.
    return replicated(producer=one_by_one, per_s=10, records=60, variant=variant)


def there_and_back(
    _: Scenario, deaf_ms: tuple[int, int] = (2_500, 4_500)
) -> st.SearchStrategy[FaultPlan]:
    """The leadership goes to the second broker and back, and the third hears of it too late."""
    return st.builds(
        lambda at, down, later, deaf: FaultPlan(
            (
                Partition((LEADER,), (SECOND,), at - 400, at),
                Crash(LEADER, at_ms=at, down_ms=down),
                Crash(SECOND, at_ms=at + later, down_ms=5_000),
                Partition((CONTROLLER,), (THIRD,), at, at + deaf, symmetric=False),
            )
        ),
        between(1_000, 1_500),
        between(1_200, 1_500),
        between(1_700, 2_500),
        between(*deaf_ms, 500),
    )


R07 = KnownBug(
    name="R07",
    title="a follower of an old epoch is counted by the leader of a new one",
    source="KIP-320, KAFKA-6880, KAFKA-7395",
    anomaly="replicas_agree",
    story="The leadership goes to another broker and comes back; a follower hears of neither, and "
    "goes on fetching behind records that its leader has cut meanwhile. It is counted as if it "
    "had what the leader has.",
    broken=changing("KIP-279"),
    fixes={"fetches carry the leader's epoch (KIP-320)": changing("KIP-320")},
    faults=Planned("the leadership goes there and back, unheard by a follower", there_and_back),
    budget=BUDGET,
)

def reading_on(*, validates: bool) -> Scenario:
    """More records, and a reader that its group does not give up so soon."""
    variant = Variant(consumers_validate=validates)
    scenario = replicated(topic=UNCLEAN, records=30, per_s=8, variant=variant)
    settings = {**scenario.consumers.settings, "session.timeout.ms": 30_000}
    return attrs.evolve(scenario, consumers=attrs.evolve(scenario.consumers, settings=settings))


def asleep(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The leader dies alone, and the reader misses who comes after it."""
    return st.builds(
        lambda cut_ms, at, down, sleeps: FaultPlan(
            (
                Partition((LEADER,), FOLLOWERS, 0, cut_ms),
                Crash(LEADER, at_ms=at, down_ms=down),
                Pause("reader-0", at + STEP_MS, sleeps),
            )
        ),
        between(1_500, 3_000, 500),
        between(1_000, 2_000),
        between(6_000, 8_000, 1_000),
        between(2_000, 4_000, 500),
    )


R08 = KnownBug(
    name="R08",
    title="a consumer skips what was written after a truncation",
    source="KIP-320, KAFKA-7747",
    anomaly="acknowledged_is_read",
    story="A consumer has read what the new, unclean leader never had. By the time it asks the "
    "new leader for more, the log is as long again: it goes on where it was, and never sees what "
    "stands below.",
    broken=reading_on(validates=False),
    fixes={"consumers ask whether their position still holds": reading_on(validates=True)},
    faults=Planned(
        "followers are cut off, the leader crashes, and the reader stands still from then on",
        asleep,
    ),
    budget=BUDGET,
)

def cut_off_too(scenario: Scenario) -> st.SearchStrategy[FaultPlan]:
    """Besides, the third does not reach its leader before it has heard."""
    off = cut((LEADER,), (THIRD,), between(1_500, 2_000), between(6_000, 7_000, 500))
    return st.builds(FaultPlan.__add__, there_and_back(scenario, (4_000, 5_500)), off)


R12 = KnownBug(
    name="R12",
    title="a follower misses an epoch, and does not cut",
    source="KAFKA-7164",
    anomaly="replicas_converge",
    story="The leadership goes to another broker and comes back, and a follower hears only that "
    "its leader is the one that it was. It does not cut what that leader has cut meanwhile.",
    broken=changing("KIP-279", same_leader_truncates=False),
    fixes={"followers look at every new epoch": changing("KIP-279")},
    faults=Planned(
        "the leadership goes there and back, unheard by a follower that is cut off", cut_off_too
    ),
    budget=BUDGET,
)

ROWS = (R04, R05, R06, R07, R08, R12)
