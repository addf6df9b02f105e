"""What exactly-once in transactions promises, and each way to have it promise less.

The promise: whatever crashes, stands still, is late or is lost, and for however long, who reads
committed bills reads those of each order once. Each near miss leaves one ingredient out, and says
the faults that show it: the promise keeps everything under the same ones.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from simulator import (
    CHECKS,
    BadInput,
    Cases,
    Check,
    Crash,
    Delay,
    FaultPlan,
    Pause,
    Scenario,
    Verdict,
    Watching,
)
from tests.promised import Promised
from tests.transforming import AUDITOR, KEPT, SHOP, counted, few_bills

MOST = 3
STANDS = ("crash", "pause", "delay", "duplicate", "drop", "partition", "clog")
# What is late may join a transaction that comes after its own (KIP-890): version 2 mends that.
IF_NOTHING_IS_LATE = ("crash", "pause", "drop", "partition")


def exactly_once(version: int, replicas: int) -> Promised:
    """The promise, of a version of transactions and so many replicas."""
    return Promised(
        f"bills are exactly once, version {version}, {replicas} replicas",
        few_bills(version=version, replicas=replicas, events=8, per_s=10, processing_us=20_000),
        KEPT,
        kinds=STANDS if version == 2 else IF_NOTHING_IS_LATE,
        most=5,
    )


TRANSACTION_PROMISES = tuple(
    exactly_once(version, replicas) for replicas in (1, 3) for version in (1, 2)
)


def read_within(limit_ms: int) -> Check:
    """An order's bill is read so soon after the order was acknowledged."""

    def start() -> Watching:
        cases, acknowledged, read = Cases(), {}, {}

        def on_acknowledged(entry: Any) -> None:
            if entry[2] == SHOP:
                acknowledged[entry[4][1]] = entry

        def on_polled(entry: Any) -> None:
            if entry[4][1] == AUDITOR:
                read.setdefault(entry[4][5], entry)

        def finish() -> Verdict:
            for event_id, entry in acknowledged.items():
                late = read.get(event_id)
                if late is None or late[1] - entry[1] > limit_ms * 1_000:
                    cases.add(f"{event_id} was read late, or never", (entry[0],), (event_id,))
            return cases.verdict("read_within", len(acknowledged))

        observers = {"record_acknowledged": on_acknowledged, "record_polled": on_polled}
        return Watching(observers, finish)

    return Check("read_within", f"A bill is read within {limit_ms} ms of its order.", start)


@attrs.frozen
class NearMiss:
    """All but one of what exactly-once needs.

    Attributes:
        without: the ingredient that it leaves out.
        switches: of `few_bills`, that leave it out; `same` are in the whole, too.
        faults: that show what is missing; all of them are needed.
        among: the faults among which a search looks for one like these.
        check: what is broken.
    """

    without: str
    switches: dict[str, Any]
    faults: tuple[Any, ...]
    among: st.SearchStrategy[Any]
    same: dict[str, Any] = attrs.field(factory=dict)
    check: Check = CHECKS["exactly_once_output"]

    @property
    def scenario(self) -> Scenario:
        return few_bills(**self.same, **self.switches)

    @property
    def whole(self) -> Scenario:
        """With the ingredient."""
        return few_bills(**self.same)

    @property
    def plans(self) -> st.SearchStrategy[FaultPlan]:
        """At most three faults, for a search."""
        found = st.lists(self.among, min_size=1, max_size=MOST, unique_by=repr)
        return found.map(_plan)


def _plan(faults: list[Any]) -> FaultPlan:
    """All of them; the first alone where they contradict each other."""
    try:
        return FaultPlan(tuple(faults))
    except BadInput:
        return FaultPlan(tuple(faults[:1]))


POINTS = ("after_poll", "before_process", "after_process", "before_commit", "after_commit")
CRASHES = st.builds(
    Crash, st.just("billing-0"), st.sampled_from(POINTS), st.integers(0, 3),
    down_ms=st.sampled_from((1_000, 100)),
)  # fmt: skip
PAUSES = st.builds(
    Pause, st.just("billing-0"), st.integers(10, 40).map(lambda n: 10 * n),
    st.sampled_from((5_000, 1_000)),
)  # fmt: skip
LATE_ENDS = st.builds(
    Delay, st.just("broker-0"), st.just("broker-1"), st.just("WriteTxnMarkersRequest"),
    st.integers(0, 3), extra_ms=st.sampled_from((35_000, 2_000, 40)),
)  # fmt: skip
STORE_CRASHES = st.builds(
    Crash, st.just("ledger"), st.just("after_append"), st.integers(0, 3), down_ms=st.just(100)
)

ALONE = {"instances": 1, "partitions": 1}
PAIR = {"instances": 2, "partitions": 1}
SLOW = {**PAIR, "processing_us": 40_000}
BEFORE_COMMIT = (Crash("billing-0", "before_commit"),)
STILL = (Pause("billing-0", 128, 5_000),)
BY_NAME = {"metadata": "group_id_only"}

NEAR_MISSES = (
    NearMiss(
        "offsets in the transaction", {"offsets_in_transaction": False}, BEFORE_COMMIT, CRASHES,
        ALONE,
    ),
    NearMiss("transactions", {"transactional": False}, BEFORE_COMMIT, CRASHES, ALONE),
    NearMiss(
        "readers of committed records", {"isolation": "read_uncommitted"}, BEFORE_COMMIT, CRASHES,
        ALONE,
    ),
    NearMiss(
        "a rewind after an abort", {"rewinds": False},
        (Crash("ledger", "after_append", down_ms=100),), STORE_CRASHES,
        {**ALONE, "factory": counted, "consumer": {"max.poll.interval.ms": 30_000}},
    ),
    NearMiss(
        "a member's word of who it is, version 1", BY_NAME, STILL, PAUSES, {**SLOW, "version": 1}
    ),
    NearMiss(
        "a member's word of who it is, version 2", BY_NAME, STILL, PAUSES, {**SLOW, "version": 2}
    ),
    NearMiss(
        "stable offsets", {"variant": {"consumers_wait_for_stable_offsets": False}},
        (Delay("broker-0", "broker-1", "WriteTxnMarkersRequest", extra_ms=35_000),), LATE_ENDS,
        PAIR,
    ),
    NearMiss(
        "an id that is the same in each life", {"transactional_id": "random"}, BEFORE_COMMIT,
        CRASHES, {**ALONE, "static": True}, read_within(4_000),
    ),
    NearMiss(
        "epochs that every end raises", {"version": 1},
        (Delay("billing-0", "broker-1", "ProduceRequest", extra_ms=700),),
        st.builds(
            Delay, st.just("billing-0"), st.just("broker-1"), st.just("ProduceRequest"),
            st.integers(0, 3), extra_ms=st.sampled_from((700, 600, 1_500)),
        ),
        {**ALONE, "events": 8, "per_s": 4,
         "producer": {"request.timeout.ms": 500, "delivery.timeout.ms": 600, "linger.ms": 0}},
        CHECKS["transactions_atomic"],
    ),
)  # fmt: skip
