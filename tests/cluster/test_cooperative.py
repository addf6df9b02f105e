"""Groups in a world: who owns what, with eager, cooperative and static members.

Ownership is read off the trace. At any time a partition belongs to one member of the group, but
for members that the coordinator has removed and that do not know it yet.
"""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.checks.delivery import never_applied_twice
from simulator.checks.progress import drained
from simulator.cluster.consumer import RebalanceListener
from simulator.errors import FencedInstance, KafkaError
from simulator.protocol import assignors_sticky
from simulator.protocol.assignors import ASSIGNORS, assign_range
from simulator.protocol.names import TopicPartition
from simulator.protocol.variant import Variant
from simulator.scenario.faults import Crash, Drop, Duplicate, FaultPlan, Pause
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate
from tests.promised_groups import group_orders
from tests.reading import BROKER as QUICK
from tests.reading import SETTINGS

COOPERATIVE = {"partition.assignment.strategy": "cooperative-sticky"}
MEMBERS = ("m-0", "m-1", "m-2")
SECOND = 1_000_000


def grouped(
    life, *, members=MEMBERS, partitions=4, faults=(), given=None, each=None, until_ms=30_000,
    records=200, variant=None,
):  # fmt: skip
    """The trace of members that run `life(node, consumer, number)` beside a writer.

    given: settings of all; each: of one, by the member's name.
    """

    def application(cluster):
        stream = (WorkItem(n * 100_000, "orders", f"k{n}", "v", f"e{n}") for n in range(records))
        cluster.source("writer", stream, {"linger.ms": 0})
        for number, name in enumerate(members):
            settings = {**SETTINGS, **(given or {}), **(each or {}).get(name, {})}

            def boot(node, settings=settings, number=number):
                consumer = cluster.consumer(node, settings)
                node.start(life(node, consumer, number), "life")

            cluster.node(name, boot)

        def wait(node):
            yield node.sleep(until_ms * 1_000)

        cluster.driver("clock", wait)

    scenario = Scenario(
        topology=Topology(topics=(Topic("orders", partitions),)),
        faults=FaultPlan(tuple(faults)),
        broker=QUICK,
        application=application,
        event_budget=400_000,
        **({"variant": variant} if variant else {}),
    )
    return simulate(scenario)


def joining(*starts_ms):
    """Members that come at their times, and read and commit for ever."""

    def life(node, consumer, number):
        if node.now_us < starts_ms[number] * 1_000:
            yield node.sleep(starts_ms[number] * 1_000 - node.now_us)
        consumer.subscribe(["orders"])
        while True:
            yield consumer.poll(500)
            try:
                yield consumer.commit_sync()
            except KafkaError:
                continue

    return life


def of(trace, *kinds, since_ms=0):
    """(node, event) of these kinds from a time on."""
    return [(entry[2], entry[4]) for entry in trace.of(*kinds) if entry[1] >= since_ms * 1_000]


def who_owns(trace):
    """Partition number to its owner at the end."""
    return _Owning().follow(trace).owner


class _Owning:
    """Who owns what, and where two do who should not."""

    def __init__(self):
        self.owner = {}  # Partition to node; the last that was given it.
        self.held = {}  # node -> the partitions that it believes its own
        self.removed = set()  # Who is out of the group, whatever it believes.
        self.given = {}  # (generation, partition) -> node
        self.faults = []

    def follow(self, trace):
        for entry in trace.flat:
            _, at_us, node, _, event = entry
            match event[0]:
                case "partitions_assigned":
                    self._assigned(at_us, node, event[2], [number for _, number in event[3]])
                case "partitions_revoked" | "partitions_lost":
                    for _, number in event[3]:
                        self._drop(node, number)
                case "node_crashed":
                    for number in tuple(self.held.get(node, ())):
                        self._drop(node, number)
                case "member_removed":
                    self.removed.update(
                        name for name in self.held if event[2].startswith(f"{name}-")
                    )
        return self

    def _assigned(self, at_us, node, generation, numbers):
        self.removed.discard(node)
        mine = self.held.setdefault(node, {})
        for number in numbers:
            for other, theirs in self.held.items():
                if other != node and number in theirs and other not in self.removed:
                    self.faults.append(f"{number} is {other}'s, and {node}'s from {at_us} on")
            mine[number] = None
            self.owner[number] = node
        for number in mine:
            if self.given.setdefault((generation, number), node) != node:
                self.faults.append(f"{number} has two owners in generation {generation}")

    def _drop(self, node, number):
        self.held.get(node, {}).pop(number, None)
        if self.owner.get(number) == node:
            del self.owner[number]


# --- Cooperative rebalancing -----------------------------------------------------------------


def test_a_move_takes_two_generations_and_the_rest_stays():
    """A second member comes: what it gets is given up in one generation, and got in the next."""
    trace = grouped(joining(0, 5_000, 99_000), given=COOPERATIVE)

    (was, _), *_ = of(trace, "partitions_assigned")
    assert was == "m-0"
    mine = [
        (event[0], event[2], [number for _, number in event[3]])
        for node, event in of(trace, "partitions_assigned", "partitions_revoked", since_ms=5_000)
        if node == "m-0"
    ]
    theirs = [
        (event[2], [number for _, number in event[3]])
        for node, event in of(trace, "partitions_assigned")
        if node == "m-1"
    ]
    (_, first, given_up), *rest = mine
    assert mine[0][0] == "partitions_revoked"
    assert len(given_up) == 2
    assert rest == [("partitions_assigned", first, []), ("partitions_assigned", first + 1, [])]
    assert theirs == [(first, []), (first + 1, given_up)]
    assert _Owning().follow(trace).faults == []


@pytest.mark.parametrize(
    ("strategy", "stays"), [("range", False), ("sticky", False), ("cooperative-sticky", True)]
)
def test_who_keeps_a_partition_reads_on_all_through_a_rebalance(strategy, stays):
    """m-1 is asleep when m-2 comes, so the rebalance takes seconds: do records come meanwhile?"""

    def life(node, consumer, number):
        if number == 2:
            yield node.sleep(8_000_000)
        consumer.subscribe(["orders"])
        asleep = False
        while True:
            yield consumer.poll(500)
            if number == 1 and node.now_us > 7_500_000 and not asleep:
                asleep = True
                yield node.sleep(6_000_000)

    trace = grouped(life, given={"partition.assignment.strategy": strategy}, partitions=6)
    polled = [
        entry[1]
        for entry in trace.of("record_polled")
        if entry[2] == "m-0" and 11_500_000 <= entry[1] < 13_300_000
    ]
    assert bool(polled) is stays


def test_a_cooperative_group_reads_each_record_once_and_an_eager_one_without_commits_does_not():
    """Kept partitions keep their positions; those given up are committed by the listener."""

    def life(node, consumer, number):
        if number:
            yield node.sleep(number * 5_000_000)

        def on_revoked(partitions):
            yield consumer.commit_sync({one: consumer.position(one) for one in partitions})

        listener = RebalanceListener(on_revoked=on_revoked) if cooperative else None
        consumer.subscribe(["orders"], listener)
        while True:
            yield consumer.poll(500)

    polled = {}
    for cooperative in (True, False):
        trace = grouped(life, given=COOPERATIVE if cooperative else {})
        polled[cooperative] = [event[-1] for _, event in of(trace, "record_polled")]
    assert sorted(polled[True]) == sorted({f"e{number}" for number in range(200)})
    assert len(polled[False]) > len(set(polled[False])) == 200


def test_all_partitions_are_read_by_somebody_when_a_member_leaves():
    def life(node, consumer, number):
        consumer.subscribe(["orders"])
        while number or node.now_us < 6_000_000:
            yield consumer.poll(500)
        yield consumer.close()

    trace = grouped(life, given=COOPERATIVE)
    owners = who_owns(trace)
    assert sorted(owners) == [0, 1, 2, 3]
    assert set(owners.values()) == {"m-1", "m-2"}


# --- Static members --------------------------------------------------------------------------


def static(names=MEMBERS):
    return {name: {"group.instance.id": name} for name in names}


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
@pytest.mark.parametrize("node", ["m-0", "m-1"])
def test_a_static_member_that_is_back_in_time_causes_no_rebalance(node, strategy):
    """Whether it leads the group or not; its partitions wait for it."""
    quiet = grouped(
        joining(0, 0, 0),
        each=static(),
        faults=[Crash(node, at_ms=8_000, down_ms=2_000)],
        given={"partition.assignment.strategy": strategy},
    )

    assert of(quiet, "generation_started", since_ms=8_000) == []
    assert of(quiet, "member_removed", since_ms=8_000) == []
    back = [who for who, event in of(quiet, "partitions_assigned", since_ms=8_000) if event[3]]
    assert back == [node]
    assert sorted(who_owns(quiet)) == [0, 1, 2, 3]
    assert {event[-1] for _, event in of(quiet, "record_polled")} == {
        f"e{number}" for number in range(200)
    }


def test_a_dynamic_member_that_is_back_is_a_new_one_and_the_group_waits_for_the_old():
    """The rebalance that it causes ends when the session of its former self does."""
    trace = grouped(joining(0, 0, 0), faults=[Crash("m-1", at_ms=8_000, down_ms=2_000)])

    ((_, removed),) = of(trace, "member_removed", since_ms=8_000)
    assert removed[-1] == "session_timeout"
    began = [entry[1] for entry in trace.of("generation_started") if entry[1] >= 8_000_000]
    (ended,) = [entry[1] for entry in trace.of("member_removed") if entry[1] >= 8_000_000]
    assert began[0] == ended > 12_000_000


def test_a_static_member_that_is_away_too_long_is_removed():
    trace = grouped(
        joining(0, 0, 0), each=static(), faults=[Crash("m-1", at_ms=8_000, down_ms=12_000)]
    )

    ((_, removed),) = of(trace, "member_removed", since_ms=8_000)
    assert removed[-1] == "session_timeout"
    assert len(of(trace, "generation_started", since_ms=8_000)) >= 2


def test_a_static_member_whose_instance_id_another_takes_is_fenced_and_stops():
    """The older one is told so by its next heartbeat, and its commits are refused."""
    stopped = {}

    def life(node, consumer, number):
        if number:
            yield node.sleep(6_000_000)
        consumer.subscribe(["orders"])
        try:
            while True:
                yield consumer.poll(500)
                yield consumer.commit_sync()
        except FencedInstance as fenced:
            stopped[node.name] = (node.now_us, str(fenced))

    same = {"group.instance.id": "one"}
    trace = grouped(life, members=("m-0", "m-1"), given=same)

    assert list(stopped) == ["m-0"]
    at_us, said = stopped["m-0"]
    assert 6_000_000 < at_us < 10_000_000
    assert said == "FENCED_INSTANCE_ID: one"
    late = [event for node, event in of(trace, "record_polled", since_ms=10_000)]
    assert len(late) > 50
    assert {node for node, _ in of(trace, "record_polled", since_ms=10_001)} == {"m-1"}


@pytest.mark.parametrize("later_ms", [0, 4_000])
def test_a_static_member_is_fenced_by_an_own_join_that_was_given_up_and_is_read_late(later_ms):
    """It says no member id, so it is taken for another process: ClassicGroup.replaceStaticMember.

    The copy is what the member sent before, on another connection; it hears of it by the join that
    waits, or by its next heartbeat.
    """
    stopped = {}

    def life(node, consumer, number):
        consumer.subscribe(["orders"])
        try:
            while True:
                yield consumer.poll(500)
        except FencedInstance as fenced:
            stopped[node.name] = str(fenced)

    join = Duplicate("m-0", "broker-0", "JoinGroupRequest", later_ms=later_ms)
    trace = grouped(life, each=static(), faults=[join])

    assert stopped == {"m-0": "FENCED_INSTANCE_ID: m-0"}
    assert {node for node, _ in of(trace, "record_polled", since_ms=17_000)} == {"m-1", "m-2"}


def test_a_static_member_that_stalls_says_nothing_and_one_that_closes_neither():
    def life(node, consumer, number):
        consumer.subscribe(["orders"])
        yield consumer.poll(3_000)
        if number == 0:
            yield consumer.close()
        elif number == 1:
            yield node.sleep(20 * SECOND)  # More than max.poll.interval.ms.
        while number == 2:
            yield consumer.poll(500)

    trace = grouped(life, each=static())
    assert not [1 for entry in trace.of("message_sent") if entry[4][4] == "LeaveGroupRequest"]
    assert {event[-1] for _, event in of(trace, "member_removed")} == {"session_timeout"}


# --- Offsets in a world ----------------------------------------------------------------------


def test_leaders_are_asked_for_beginnings_ends_and_times():
    found = {}

    def life(node, consumer, number):
        yield node.sleep(10_500_000)
        where = [("orders", number) for number in range(4)]
        found["first"] = yield consumer.beginning_offsets(where)
        found["end"] = yield consumer.end_offsets(where)
        found["times"] = yield consumer.offsets_for_times({where[0]: 5_000, where[1]: 99_000})
        consumer.assign(where)
        consumer.seek_to_beginning()
        consumer.pause([("orders", 1)])
        got = yield consumer.poll(1_000)
        found["read"] = {one.partition for one in got}

    grouped(life, members=("m-0",), given={"group.id": None})
    assert set(found["first"].values()) == {0}
    assert sum(found["end"].values()) in (105, 106), "one a tenth of a second"
    young = found["times"]["orders", 0]
    assert young.timestamp_ms >= 5_000
    assert 0 < young.offset < found["end"]["orders", 0]
    assert found["times"]["orders", 1] is None
    assert 1 not in found["read"]


# --- The commit before a rebalance -----------------------------------------------------------


AUTO = {**COOPERATIVE, "enable.auto.commit": True}


def test_a_member_that_waits_for_its_commit_joins_and_one_that_does_not_is_dropped():
    """KAFKA-14024: it commits what it keeps again and again, until the others wait no longer."""
    present = grouped(joining_auto, given=AUTO, members=MEMBERS[:2])
    past = grouped(
        joining_auto,
        given=AUTO,
        members=MEMBERS[:2],
        variant=Variant(consumers_wait_for_commit=False),
    )

    assert of(present, "member_removed") == []
    assert any(event[2].startswith("m-0-") for _, event in of(past, "member_removed"))


def joining_auto(node, consumer, number):
    yield node.sleep(1 + number * 4_000_000)
    consumer.subscribe(["orders"])
    while True:
        yield consumer.poll(500)


# --- Whatever happens ------------------------------------------------------------------------


FAULTS = st.lists(
    st.one_of(
        st.builds(
            Crash,
            st.sampled_from(MEMBERS),
            at_ms=st.integers(1_000, 20_000),
            down_ms=st.sampled_from([200, 3_000, 9_000]),
        ),
        st.builds(
            Pause,
            st.sampled_from(MEMBERS),
            at_ms=st.integers(1_000, 20_000),
            for_ms=st.sampled_from([500, 5_000, 9_000, 15_000]),
        ),
        st.builds(
            Drop,
            st.sampled_from(MEMBERS),
            st.just("broker-0"),
            st.sampled_from(["JoinGroupRequest", "SyncGroupRequest", "HeartbeatRequest"]),
            st.integers(0, 4),
        ),
    ),
    max_size=4,
)
STARTS = st.tuples(*[st.sampled_from([0, 1_000, 4_000, 9_000])] * 3)
STRATEGIES = ["range", "roundrobin", "sticky", "cooperative-sticky"]


@settings(max_examples=25, derandomize=True, database=None, deadline=None)
@given(FAULTS, STARTS, st.sampled_from(STRATEGIES), st.booleans())
def test_a_partition_has_one_owner_whoever_crashes_or_stalls(faults, starts, strategy, keeps):
    """Dynamic or static; one owner a generation, and at a time but for who was removed."""
    trace = grouped(
        joining(*starts),
        faults=faults,
        given={"partition.assignment.strategy": strategy},
        each=static() if keeps else None,
        records=100,
        until_ms=60_000,
    )

    owning = _Owning().follow(trace)
    assert owning.faults == []
    assert sorted(owning.owner) == [0, 1, 2, 3], "at the end all are owned"


def _without_withholding(members, partitions, racks):
    given, _ = assignors_sticky._assign(members, partitions, racks, assignors_sticky._owned)
    return assignors_sticky._sorted(given)


def _one_for_all(members, partitions, racks):
    shared = TopicPartition("orders", 0)
    given = assign_range(members, partitions, racks)
    return {member: tuple(sorted({*own, shared})) for member, own in given.items()}


@pytest.mark.parametrize(
    ("strategy", "twin", "said"),
    [
        ("cooperative-sticky", _without_withholding, "from"),
        ("range", _one_for_all, "in generation"),
    ],
)
def test_an_assignor_that_breaks_that_is_caught(monkeypatch, strategy, twin, said):
    """What moves must be withheld once; nobody may get what another gets."""
    run = {"given": {"partition.assignment.strategy": strategy}, "records": 50}
    assert _Owning().follow(grouped(joining(0, 4_000, 8_000), **run)).faults == []
    monkeypatch.setitem(ASSIGNORS, strategy, twin)

    faults = _Owning().follow(grouped(joining(0, 4_000, 8_000), **run)).faults
    assert any(said in fault for fault in faults)


# --- Services ----------------------------------------------------------------------------------


def test_a_service_commits_again_what_a_rebalance_refused_if_it_keeps_its_partitions():
    """It is given nothing again, and nothing more is sent: nobody else will commit it.

    RebalanceInProgressException: "poll() and then retry the operation".
    """
    crash = Crash("billing-2", at_ms=2_900, down_ms=600)
    trace = simulate(attrs.evolve(group_orders("cooperative"), faults=FaultPlan((crash,))))

    refused = [entry for entry in trace.of("commit_answered") if entry[4][-1] != "NONE"]
    assert {entry[4][-1] for entry in refused} == {"REBALANCE_IN_PROGRESS"}
    node, place = refused[-1][2], refused[-1][4][:5]
    late = [entry for entry in trace.of("commit_answered") if entry[0] > refused[-1][0]]
    assert (node, (*place, "NONE")) in [(entry[2], entry[4]) for entry in late]
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert drained(trace)
    assert never_applied_twice(trace)
