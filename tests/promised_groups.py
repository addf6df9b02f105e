"""What consumer groups promise, by each protocol, and each way to have it promise less.

The promises: whoever crashes, stands still or is cut off, of members and brokers, in any number and
together with lost, late and doubled messages, no partition is given to two members at a time,
nobody commits who is out of the group, and what is committed goes back only where a commit comes
after one that was asked for later. Where brokers keep things three times, coordinators move.

What is not promised: that two applications never hold one partition at a time. Who stands still
does not hear that he is out (a zombie), and one whose answers are lost says that he holds nothing
(KIP-848). The checks go by generations and by what was acknowledged, not by what is believed. Nor
that a group which is empty refuses anybody: see the way called "outside".

Committed offsets go back in other ways too, and Kafka lets them: WAYS has the least that shows it.
"""

from collections.abc import Callable, Generator
from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    CHECKS,
    Check,
    Consumers,
    Crash,
    DiskLoss,
    Drop,
    Duplicate,
    Scenario,
    Topic,
    Topology,
    Watching,
    Workload,
    constant,
    steady,
    uniform_keys,
)
from simulator.checks.check import feed
from simulator.checks.coordinators import Coordinators
from simulator.checks.verdict import Cases, Verdict
from tests.few_orders import SESSION, few_orders
from tests.promised import Promised
from tests.replicated_orders import replicated_orders

STANDS = ("crash", "pause", "delay", "drop", "duplicate", "partition", "clog")
CLASSIC = ("eager", "cooperative")  # A consumer of KIP-848 gives up when its group is not known.
NODES = ("billing-*", "broker-*", "controller")
MOST = 6

COOPERATIVE = {"partition.assignment.strategy": "cooperative-sticky"}
OF_BROKERS = ("session.timeout.ms", "heartbeat.interval.ms")
CONSUMER = {
    "group.protocol": "consumer",
    **{name: value for name, value in SESSION.items() if name not in OF_BROKERS},
}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "eager": SESSION,
    "cooperative": {**SESSION, **COOPERATIVE},
    "consumer": CONSUMER,
}
GROUPS = {
    "group.consumer.session.timeout.ms": 2_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.heartbeat.interval.ms": 500,
    "group.consumer.min.heartbeat.interval.ms": 500,
}


# --- Back ------------------------------------------------------------------------------------


@attrs.frozen
class Back:
    """A commit that was lower than the one before, and by which way.

    Attributes:
        way: late (asked for before the higher one, by the same member in the same generation),
            will (asked for after that), another (of two members in one generation), outside (of
            a member that was fenced, to a group that is empty), seek, reset, data loss (of the
            coordinator), or unexplained.
        entries: the higher commit and the lower one.
    """

    way: str
    sentence: str
    entries: tuple[int, int]


class _Commits:
    """Follows commits, and what could explain that one is lower than the one before."""

    def __init__(self) -> None:
        self.back: list[Back] = []
        self.count = 0
        self.last: dict[Any, tuple[Any, int]] = {}  # Place -> its commit, and when it was asked.
        self.asked: dict[Any, list[int]] = {}  # Member, place and offset -> when.
        self.moved: dict[Any, tuple[int, int, str]] = {}  # Place -> its newest reset.
        self.lost: dict[str, int] = {}  # Broker -> when it lost what was not flushed.
        self.coordinators = Coordinators()

    def on_sent(self, entry: Any) -> None:
        _, _, _, _, api, about = entry[4]
        if api == "OffsetCommitRequest":
            group, _, member, *places = about
            for place in places:
                self.asked.setdefault((member, group, *place), []).append(entry[0])

    def on_reset(self, entry: Any) -> None:
        _, group, topic, partition, offset, policy = entry[4]
        self.moved[group, topic, partition] = (entry[0], offset, policy)

    def on_crash(self, entry: Any) -> None:
        if entry[4][1] != "process":
            self.lost[entry[2]] = entry[0]

    def on_committed(self, entry: Any) -> None:
        self.count += 1
        if self.coordinators.tells_late(entry):
            return  # It stands before what the group's coordinator has told since.
        _, group, topic, partition, offset, member, _ = entry[4]
        place = (group, topic, partition)
        asked = self.asked.get((member, *place, offset), [entry[0]])
        if place in self.last and offset < self.last[place][0][4][4]:
            higher, higher_asked = self.last[place]
            way = self._way(higher, higher_asked, entry, asked[0])
            said = f"{topic}-{partition}@{higher[4][4]}, then @{offset} by {member}: {way}"
            self.back.append(Back(way, said, (higher[0], entry[0])))
        self.last[place] = (entry, asked[-1])

    def _way(self, higher: Any, higher_asked: int, lower: Any, lower_asked: int) -> str:
        _, group, topic, partition, offset, member, generation = lower[4]
        since, to, policy = self.moved.get((group, topic, partition), (-1, -1, ""))
        if self.lost.get(higher[2], -1) > higher[0]:
            return "data loss"
        if since > higher_asked and to <= offset:
            return "seek" if policy == "seek" else "reset"
        if generation < 0:
            return "outside"
        if member != higher[4][5]:
            return "another" if generation == higher[4][6] else "unexplained"
        if generation != higher[4][6]:
            return "unexplained"
        return "late" if lower_asked < higher_asked else "will"


def _followed(commits: _Commits) -> dict[str, Callable[[Any], None]]:
    return {
        "message_sent": commits.on_sent,
        "position_reset": commits.on_reset,
        "node_crashed": commits.on_crash,
        "offset_committed": commits.on_committed,
        **commits.coordinators.observers(),
    }


def backs(trace: Any) -> list[Back]:
    """Every commit of a kept trace that was lower than the one before."""
    commits = _Commits()
    feed(_followed(commits), trace.flat)
    return commits.back


def back_only_by(*ways: str) -> Check:
    """A check: what is committed goes back by these ways alone."""

    def start() -> Watching:
        commits = _Commits()

        def finish() -> Verdict:
            cases = Cases()
            for one in commits.back:
                if one.way not in ways:
                    cases.add(one.sentence, one.entries)
            return cases.verdict("back_only_by", commits.count)

        return Watching(_followed(commits), finish)

    listed = " or ".join(ways) or "no way"
    return Check("back_only_by", f"What is committed goes back by {listed}.", start)


# --- The promises ----------------------------------------------------------------------------


def group_orders(protocol: str, *, replicas: int = 1, **more: Any) -> Scenario:
    """A few orders to four partitions, and three members that commit after each poll."""
    load = Workload(events=12, arrivals=steady(3), keys=uniform_keys(8))
    more.setdefault("workload", load)
    settings = {**PROTOCOLS[protocol], "max.poll.records": 1, **more.pop("consumer", {})}
    more.setdefault("processing", constant(20_000))
    members = Consumers(
        instances=more.pop("members", 3), settings=settings, processing=more.pop("processing")
    )
    if replicas == 1:
        more.setdefault("topology", Topology(brokers=2, topics=(Topic("orders", 4),)))
        made = few_orders(AT_LEAST_ONCE, consumers=members, **more)
    else:
        made = replicated_orders(
            AT_LEAST_ONCE, partitions=4, replicas=replicas, consumers=members, **more
        )
    return attrs.evolve(made, broker={**made.broker, **GROUPS})


OWNED_AND_FENCED = (CHECKS["one_owner"], CHECKS["fenced_never_commits"])


def promised(protocol: str, replicas: int) -> Promised:
    """All that a group of this protocol promises, under all that it stands."""
    ways = ("late", "outside") if protocol == "consumer" else ("late",)
    kept = "once" if replicas == 1 else f"{replicas} times"
    return Promised(
        f"{protocol}, kept {kept}",
        group_orders(protocol, replicas=replicas),
        (*OWNED_AND_FENCED, back_only_by(*ways)),
        kinds=STANDS,
        nodes=NODES if replicas > 1 else NODES[:2],
        most=MOST,
    )


GROUP_PROMISES = tuple(
    promised(protocol, replicas) for protocol in PROTOCOLS for replicas in (1, 3)
)


# --- The ways back -----------------------------------------------------------------------------

SECOND = 1_000_000
WHERE = ("orders", 0)
Life = Callable[[Any, Any, int], Generator[Any, Any, Any]]


def living(life: Life, protocol: str, *, members: int = 2) -> Scenario:
    """A group of members `m-0`, `m-1` that do `life(node, consumer, number)`; nothing is sent."""
    settings = {
        **PROTOCOLS[protocol],
        "group.id": "billing",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "request.timeout.ms": 1_000,  # What waits behind a loss has to arrive within the session.
    }

    def application(cluster: Any) -> None:
        for number in range(members):

            def boot(node: Any, number: int = number) -> None:
                consumer = cluster.consumer(node, settings)
                node.start(life(node, consumer, number), "life")

            cluster.node(f"m-{number}", boot)
        cluster.driver("clock", clock)

    made = few_orders(
        application=application, topology=Topology(brokers=1, topics=(Topic("orders", 2),))
    )
    return attrs.evolve(made, broker={**made.broker, **GROUPS})


def clock(node: Any) -> Generator[Any, Any, None]:
    """As long as this runs, the run does."""
    yield node.sleep(21 * SECOND)


def polled(node: Any, consumer: Any, until_s: int) -> Generator[Any, Any, None]:
    """Take part in the group until then."""
    while node.now_us < until_s * SECOND:
        yield consumer.poll(200)


def goes_back(node: Any, consumer: Any, _: int) -> Generator[Any, Any, None]:
    """It commits what is lower than what it has committed: nobody looks at that."""
    consumer.subscribe(["orders"])
    yield from polled(node, consumer, 5)
    yield consumer.commit_sync({WHERE: 5})
    yield consumer.commit_sync({WHERE: 2})
    yield from polled(node, consumer, 20)


def tries_again(node: Any, consumer: Any, _: int) -> Generator[Any, Any, None]:
    """An asynchronous commit fails, and is tried again when a later one is done."""
    failed = []
    consumer.subscribe(["orders"])
    yield from polled(node, consumer, 5)
    consumer.commit_async({WHERE: 2}, lambda offsets, error: error and failed.append(offsets))
    yield node.sleep(3 * SECOND)
    yield consumer.commit_sync({WHERE: 5})
    for offsets in failed:
        yield consumer.commit_sync(offsets)
    yield from polled(node, consumer, 20)


def comes_too_late(node: Any, consumer: Any, number: int) -> Generator[Any, Any, None]:
    """m-1 is given the partition and commits; m-0, which had it before, commits after that."""
    if number:
        yield node.sleep(4 * SECOND)
    consumer.subscribe(["orders"])
    yield from polled(node, consumer, 10)
    if number:
        (mine,) = consumer.assignment()
        yield consumer.commit_sync({mine: 5})
    else:
        yield from polled(node, consumer, 12)
        (others,) = {("orders", 0), ("orders", 1)} - {*consumer.assignment()}
        yield consumer.commit_sync({others: 2})
    yield from polled(node, consumer, 20)


def oversleeps(node: Any, consumer: Any, number: int) -> Generator[Any, Any, None]:
    """m-0 stays away for so long that it is out; m-1 goes on where it was, and leaves."""
    consumer.subscribe(["orders"])
    yield from polled(node, consumer, 5)
    if number:
        yield from polled(node, consumer, 13)
        yield consumer.commit_sync({WHERE: 5})
        yield consumer.close()
    else:
        yield node.sleep(10 * SECOND)
        yield consumer.commit_sync({WHERE: 2})


def seeks(node: Any, consumer: Any, _: int) -> Generator[Any, Any, None]:
    """It wants to read again, and commits where it is."""
    consumer.subscribe(["orders"])
    yield from polled(node, consumer, 5)
    yield consumer.commit_sync({WHERE: 5})
    consumer.seek(WHERE, 2)
    yield consumer.commit_sync()
    yield from polled(node, consumer, 20)


@attrs.frozen
class Way:
    """One way in which Kafka lets a committed offset go back, and the least that shows it.

    Attributes:
        what: happens.
        way: as Back calls it.
        scenario: by protocol.
        faults: all of them are needed.
        protocols: of a group that can go this way.
        excused: committed_never_regresses knows this way, and holds it for kept.
    """

    what: str
    way: str
    scenario: Callable[[str], Scenario]
    faults: tuple[Any, ...] = ()
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    excused: bool = False


def alone(protocol: str) -> Scenario:
    """One member, and its partition's leader is not its coordinator (broker-1)."""
    return group_orders(
        protocol,
        members=1,
        workload=Workload(events=12, arrivals=steady(2), keys=uniform_keys(1)),
        topology=Topology(brokers=2, topics=(Topic("orders", 1),)),
    )


def kept_thrice(protocol: str) -> Scenario:
    return group_orders(protocol, replicas=3)


WAYS = (
    Way(
        "an application commits what is lower",
        "will",
        lambda one: living(goes_back, one, members=1),
    ),
    Way(
        "an asynchronous commit fails and is tried again after a later one",
        "late",
        lambda one: living(tries_again, one, members=1),
        (Drop("m-0", "broker-0", "OffsetCommitRequest"),),
    ),
    Way(
        "a commit arrives a second time, after a later one",
        "late",
        alone,
        (Duplicate("billing-0", "broker-1", "OffsetCommitRequest", nth=1, later_ms=2_000),),
    ),
    Way(
        "a former owner commits in the generation of the next one",
        "another",
        lambda one: living(comes_too_late, one),
    ),
    Way(
        "one who was fenced commits to a group that is empty",
        "outside",
        lambda one: living(oversleeps, one),
        protocols=("consumer",),
    ),
    Way("an application seeks", "seek", lambda one: living(seeks, one, members=1), excused=True),
    Way(
        "the log is lost, and the position is reset",
        "reset",
        alone,
        (DiskLoss("broker-0", at_ms=3_000),),
    ),
    Way(
        "the coordinator loses what it knew",
        "data loss",
        alone,
        (Crash("broker-1", at_ms=3_000, mode="power"),),
        protocols=CLASSIC,
    ),
    Way(
        "all three that keep it lose what they knew",
        "data loss",
        kept_thrice,
        tuple(Crash(f"broker-{number}", at_ms=2_500, mode="power") for number in range(3)),
        protocols=CLASSIC,
    ),
)
