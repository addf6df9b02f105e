"""Transactions whose coordinator, or whose partitions, fail: what was decided is carried out."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.internal_topics import TRANSACTIONS
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.variant import Variant
from simulator.scenario.faults import Clog, Crash, Drop, Partition, Pause
from simulator.scenario.topology import Topic
from tests.clustered import events
from tests.transacted import (
    ORDERS,
    P0,
    P1,
    V2,
    VERSIONS,
    Producer,
    last_state,
    states,
    told,
    transacting,
)

REPLICATED = Topic("orders", 3, 3)


def committing(*faults, variant=V2, brokers=2, topics=(ORDERS,), rounds=1, **more):
    """One producer that commits in two partitions, whatever it takes; its trace and its logs."""
    ended = []

    def program(producer, node):
        while (yield from producer.init()) is not Error.NONE:
            pass
        for number in range(rounds):
            for where in (P0, P1):
                error = yield from producer.put(where, f"{number}-{where.partition}")
                assert error is Error.NONE
            assert (yield from producer.end("commit")) is Error.NONE
        ended.append(node.now_us)

    trace, log = transacting(
        program, *faults, variant=variant, brokers=brokers, topics=topics, **more
    )
    assert ended
    return trace, log


def coordinator_of(trace):
    """Which broker changed the states."""
    return trace.of("transaction_state_changed")[0][2]


def state_at(trace, kind):
    """What the last committed state was when something happened."""
    at = trace.of(kind)[0][0]
    before = [one for one in trace.of("transaction_state_changed") if one[0] < at]
    return before[-1][4][5] if before else None


def uniq(batches):
    """Batches and markers, without the markers that say again how a transaction ended."""
    found = []
    for one in told(batches):
        if not (isinstance(one, str) and found and found[-1] == one):
            found.append(one)
    return found


@VERSIONS
def test_a_coordinator_that_comes_back_completes_what_its_log_tells(variant):
    """It crashes at every millisecond of a transaction, and so in each state."""
    plain, _ = committing(variant=variant)
    last_ms = plain.of("transaction_state_changed")[-1][1] // 1_000
    found = Counter()
    for at_ms in range(1, last_ms + 2):
        crash = Crash(coordinator_of(plain), at_ms=at_ms, down_ms=700)
        trace, log = committing(crash, variant=variant)

        assert uniq(log(P0)) == [("0-0",), "commit"], at_ms
        assert uniq(log(P1)) == [("0-1",), "commit"], at_ms
        assert last_state(trace) == "CompleteCommit", at_ms
        found[state_at(trace, "node_crashed")] += 1
    assert set(found) == {None, "Empty", "Ongoing", "PrepareCommit", "CompleteCommit"}


@VERSIONS
def test_another_broker_takes_over_in_every_state(variant):
    """The log is replicated; who leads it crashes at every other millisecond, and stays away."""
    more = {"variant": variant, "brokers": 3, "topics": (REPLICATED,)}
    plain, _ = committing(**more)
    changes = plain.of("transaction_state_changed")
    first_ms, last_ms = changes[0][1] // 1_000, changes[-1][1] // 1_000
    found = Counter()
    for at_ms in range(first_ms - 2, last_ms + 2, 2):
        crash = Crash(coordinator_of(plain), at_ms=at_ms, down_ms=30_000)
        trace, log = committing(crash, **more)

        assert uniq(log(P0)) == [("0-0",), "commit"], at_ms
        assert uniq(log(P1)) == [("0-1",), "commit"], at_ms
        assert last_state(trace) == "CompleteCommit", at_ms
        found[state_at(trace, "node_crashed")] += 1
    assert {"Empty", "Ongoing", "PrepareCommit"} <= set(found)


def test_a_new_coordinator_has_a_higher_epoch_and_fences_the_markers_of_the_old():
    """The old one is cut off from the others with its decision; the marker of who was elected
    stands, and what the old one still sends is refused."""
    more = {"brokers": 3, "topics": (REPLICATED,)}
    plain, _ = committing(**more)
    old = coordinator_of(plain)
    prepared = next(
        one[1] for one in plain.of("transaction_state_changed") if one[4][5] == "PrepareCommit"
    )
    others = tuple(name for name in ("broker-0", "broker-1", "broker-2", "controller")
                   if name != old)
    cut = Partition((old,), others, prepared // 1_000, 30_000)
    trace, log = committing(cut, **more)

    for where in (P0, P1):
        epochs = [one.coordinator_epoch for one in log(where) if one.control]
        assert uniq(log(where))[-1] == "commit"
        assert epochs == sorted(epochs)
        assert epochs[-1] > 0
    assert {one[2] for one in trace.of("transaction_state_changed")} > {old}


@VERSIONS
@pytest.mark.parametrize("lost", ["WriteTxnMarkersRequest", "WriteTxnMarkersResponse"])
def test_a_marker_that_is_lost_is_sent_again(variant, lost):
    """The answer may be lost too: then the marker is there twice, which harms nothing."""
    plain, _ = committing(variant=variant)
    coordinator = coordinator_of(plain)
    other = "broker-0" if coordinator == "broker-1" else "broker-1"
    way = (coordinator, other) if lost.endswith("Request") else (other, coordinator)
    trace, log = committing(Drop(*way, lost), variant=variant, rounds=2)

    away = P0 if other == "broker-0" else P1
    assert uniq(log(away))[1::2] == ["commit", "commit"]
    again = 1 if lost.endswith("Response") else 0
    assert told(log(away)).count("commit") == 2 + again
    assert states(trace).count("CompleteCommit") == 2


@VERSIONS
def test_markers_of_one_partition_do_not_wait_for_another(variant):
    plain, _ = committing(variant=variant)
    coordinator = coordinator_of(plain)
    here, away = (P0, P1) if coordinator == "broker-0" else (P1, P0)
    prepared_ms = next(
        one[1] for one in plain.of("transaction_state_changed") if one[4][5] == "PrepareCommit"
    ) // 1_000
    other = "broker-0" if coordinator == "broker-1" else "broker-1"
    cut = Partition((coordinator,), (other,), prepared_ms, 20_000)
    _, log = committing(cut, variant=variant)

    ended_us = {where: log(where)[-1].append_time_us for where in (here, away)}
    assert log(here)[-1].control == log(away)[-1].control == "commit"
    assert ended_us[here] < 1_000_000
    assert ended_us[away] > 20_000_000


def test_who_waits_for_a_coordinator_that_was_deposed_is_told_to_look_elsewhere():
    """It is cut off from the others, and what it has written is committed by nobody."""
    seen = []

    def program(producer, node):
        yield from producer.init()
        yield from producer.put(P0, "a")
        old = yield from producer.find()
        yield node.sleep(5_000_000)
        body = m.EndTxnRequest("payments", *producer.who, "commit")
        seen.append((yield producer.ask(body, old, timeout_ms=60_000)).error)
        seen.append((yield from producer.end("commit")))

    more = {"brokers": 3, "topics": (REPLICATED,)}
    plain, _ = transacting(program, **more)
    assert seen == [Error.NONE, Error.NONE]
    seen.clear()
    old = coordinator_of(plain)
    others = [name for name in ("broker-0", "broker-1", "broker-2", "controller") if name != old]
    trace, log = transacting(program, Partition((old,), others, 4_000, 30_000), **more)

    assert seen == [Error.NOT_COORDINATOR, Error.NONE]
    assert uniq(log(P0)) == [("a",), "commit"]
    assert last_state(trace) == "CompleteCommit"


def test_what_the_log_refuses_has_not_happened():
    """Too few replicas are in sync: nothing is added, nothing begins, and all goes on later."""
    seen = []

    def program(producer, node):
        yield from producer.init()
        yield node.sleep(20_000_000)
        target = yield from producer.find()
        body = m.AddPartitionsToTxnRequest("payments", *producer.who, (P0,))
        seen.append((yield producer.ask(body, target)).results[0][1])
        yield node.sleep(60_000_000)
        seen.append((yield from producer.put(P0, "a")))
        seen.append((yield from producer.end("commit")))

    variant = Variant(transaction_version=1)
    more = {"variant": variant, "brokers": 3, "topics": (REPLICATED,)}
    plain, _ = transacting(program, **more)
    stays = coordinator_of(plain)
    seen.clear()
    gone = [name for name in ("broker-0", "broker-1", "broker-2") if name != stays]
    crashes = [Crash(name, at_ms=5_000, down_ms=60_000) for name in gone]
    trace, log = transacting(program, *crashes, **more)

    assert seen == [Error.COORDINATOR_NOT_AVAILABLE, Error.NONE, Error.NONE]
    assert uniq(log(P0)) == [("a",), "commit"]
    assert states(trace) == ["Empty", "Ongoing", "PrepareCommit", "CompleteCommit"]


def test_the_log_of_transactions_is_a_topic_that_is_replicated():
    trace, _ = committing(brokers=3, topics=(REPLICATED,))

    led = [one for one in events(trace, "became_leader") if one[0] == TRANSACTIONS]
    assert len(led) == 1


@VERSIONS
def test_what_no_request_asked_for_is_tried_until_the_log_takes_it(variant):
    """The commit is decided, and then the others are gone: who coordinates may write no more."""
    more = {"variant": variant, "brokers": 3, "topics": (REPLICATED,)}
    plain, _ = committing(**more)
    prepared_ms = next(
        one[1] for one in plain.of("transaction_state_changed") if one[4][5] == "PrepareCommit"
    ) // 1_000
    stays = coordinator_of(plain)
    gone = [name for name in ("broker-0", "broker-1", "broker-2") if name != stays]
    crashes = [Crash(name, at_ms=prepared_ms + 1, down_ms=60_000) for name in gone]
    trace, log = committing(*crashes, **more)

    completed = trace.of("transaction_state_changed")[-1]
    assert completed[4][5] == "CompleteCommit"
    assert completed[1] > 60_000_000
    assert uniq(log(P0))[-1] == uniq(log(P1))[-1] == "commit"


@VERSIONS
def test_a_coordinators_own_log_is_compacted(variant):
    """Some hundred transactions later it holds little, and still tells all after a crash."""
    kept, others = {}, []

    def program(producer, node):
        idle = Producer(producer.ask, "refunds")
        yield from idle.init()
        yield from producer.init()
        for _ in range(400):
            yield from producer.put(P0, "a")
            assert (yield from producer.end("commit")) is Error.NONE
        yield from idle.init()
        others.append(idle.who)

    def look(cluster):
        disk = cluster.world.nodes["broker-0"].disk
        kept.update(
            (name, len(disk.journal(name).facts))
            for name in disk.names()
            if name.startswith(TRANSACTIONS)
        )

    settings = {"transaction.state.log.num.partitions": 1}
    plain, _ = transacting(program, variant=variant, look=look, broker=settings)
    last_ms = plain.of("transaction_state_changed")[-1][1] // 1_000
    crash = Crash("broker-0", at_ms=last_ms - 10)
    trace, _ = transacting(program, crash, variant=variant, look=look, broker=settings)

    assert states(plain).count("CompleteCommit") == 400
    assert list(kept) == [f"{TRANSACTIONS}-0"]
    assert sum(kept.values()) <= 1_025
    assert others == [(0, 1), (0, 1)]
    assert trace.of("transaction_loaded")


BROKERS = ("broker-0", "broker-1", "broker-2")
BETWEEN = (
    "WriteTxnMarkersRequest", "WriteTxnMarkersResponse", "AddPartitionsToTxnRequest",
    "AddPartitionsToTxnResponse",
)  # fmt: skip
A_TIME = st.integers(0, 2_000)
LASTING = st.integers(1, 15_000)


@st.composite
def troubles(draw):
    """One thing that goes wrong with a broker, or between two of them."""
    one, other = draw(st.permutations(BROKERS))[:2]
    at_ms, for_ms = draw(A_TIME), draw(LASTING)
    return draw(
        st.sampled_from(
            (
                Crash(one, at_ms=at_ms, down_ms=for_ms),
                Pause(one, at_ms, for_ms),
                Partition((one,), (other,), at_ms, at_ms + for_ms),
                Clog(one, other, at_ms, at_ms + for_ms),
                *(Drop(one, other, message, nth=at_ms % 3) for message in BETWEEN),
            )
        )
    )


@VERSIONS
@given(
    faults=st.lists(troubles(), min_size=1, max_size=3),
    results=st.lists(st.sampled_from(("commit", "abort")), min_size=2, max_size=4),
)
@settings(max_examples=30)
def test_whatever_fails_each_transaction_is_whole_and_ends_as_its_producer_was_told(
    variant, faults, results
):
    outcomes = {}

    def program(producer, node):
        begun = False
        for number, result in enumerate(results):
            while not begun or (yield from fails(producer, number, result)):
                begun = (yield from producer.init()) is Error.NONE
            outcomes[number] = result

    def fails(producer, number, result):
        """Whether it must begin anew; it may have ended as is wanted all the same."""
        for where in (P0, P1):
            if (yield from producer.put(where, f"{number}-{where.partition}")) is not Error.NONE:
                return True
        return (yield from producer.end(result)) is not Error.NONE

    _, log = transacting(
        program, *faults, variant=variant, brokers=3, topics=(REPLICATED,), timeout_ms=20_000
    )

    for where in (P0, P1):
        ends = {}
        since = []
        for one in told(log(where)):
            if isinstance(one, str):
                for name in since:
                    ends.setdefault(name, []).append(one)
                since = []
            else:
                since += one
        assert not since, "it is open for ever"
        for number, result in outcomes.items():
            assert ends[f"{number}-{where.partition}"][-1] == result
