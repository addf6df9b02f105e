"""Transaction coordinators in the world: who may write, where, and how a transaction ends."""

import pytest

from simulator.cluster.internal_topics import OFFSETS
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest
from simulator.scenario.faults import Clog, Delay, Partition
from tests.clustered import events, fetch, ids_of, run
from tests.transacted import (
    P0,
    P1,
    P2,
    UNLOOKED,
    V1,
    V2,
    VERSIONS,
    Producer,
    states,
    told,
    transacting,
)

# --- Who may write ---------------------------------------------------------------------------


def test_an_id_is_given_to_one_producer_after_the_other_each_with_a_higher_epoch():
    seen = []

    def program(producer, node):
        for _ in range(3):
            yield from producer.init()
            seen.append(producer.who)

    trace, _ = transacting(program)

    assert seen == [(0, 0), (0, 1), (0, 2)]
    assert states(trace) == ["Empty", "Empty", "Empty"]


def test_every_id_has_a_producer_id_of_its_own():
    seen = []

    def program(producer, node):
        for name in ("payments", "refunds"):
            producer.name = name
            yield from producer.init()
            seen.append(producer.who)
        told = yield producer.ask(m.InitProducerIdRequest())
        seen.append((told.producer_id, told.producer_epoch))

    transacting(program, brokers=3)

    assert seen == [(0, 0), (1, 0), (2, 0)]


@VERSIONS
def test_a_newer_instance_fences_the_older_and_aborts_what_it_left_open(variant):
    seen = {}

    def program(producer, node):
        yield from producer.init()
        older = producer.who
        yield from producer.put(P0, "a")
        newer = Producer(producer.ask, version=producer.version)
        seen["init"] = yield from newer.init()
        seen["epochs"] = newer.who[1] - older[1]
        seen["write"] = yield from producer.write(P0, "b")
        seen["elsewhere"] = yield from producer.write(P1, "c")
        seen["end"] = yield from producer.end("commit")

    trace, log = transacting(program, variant=variant)

    assert seen["init"] is Error.NONE
    assert seen["epochs"] == (2 if variant is V1 else 3)
    assert seen["write"] is seen["elsewhere"] is Error.INVALID_PRODUCER_EPOCH
    assert seen["end"] is Error.PRODUCER_FENCED
    assert told(log(P0)) == [("a",), "abort"]
    assert states(trace) == ["Empty", "Ongoing", "PrepareAbort", "CompleteAbort", "Empty"]


def test_who_is_not_the_coordinator_says_so():
    seen = {}

    def program(producer, node):
        right = yield from producer.find()
        wrong = next(name for name in ("broker-0", "broker-1") if name != right)
        for body in (
            m.InitProducerIdRequest("payments"),
            m.EndTxnRequest("payments", 0, 0, "commit"),
            AddOffsetsToTxnRequest("payments", 0, 0, "g"),
        ):
            seen[type(body)] = (yield producer.ask(body, wrong)).error
        body = m.AddPartitionsToTxnRequest("payments", 0, 0, (P0,))
        seen[type(body)] = (yield producer.ask(body, wrong)).results[0][1]

    transacting(program, brokers=2)

    assert set(seen.values()) == {Error.NOT_COORDINATOR}
    assert len(seen) == 4


def test_an_empty_transactional_id_is_no_id():
    seen = []

    def program(producer, node):
        seen.append((yield producer.ask(m.FindCoordinatorRequest("", "transaction"))).error)
        seen.append((yield producer.ask(m.InitProducerIdRequest(""))).error)
        seen.append((yield producer.ask(m.EndTxnRequest("", 0, 0, "commit"))).error)

    transacting(program)

    assert seen == [Error.INVALID_REQUEST] * 3


# --- Partitions ------------------------------------------------------------------------------


def test_a_partition_takes_part_once_it_is_added():
    seen = []

    def program(producer, node):
        yield from producer.init()
        verify = m.AddPartitionsToTxnRequest("payments", *producer.who, (P0, P1), verify_only=True)
        seen.append((yield from producer.say(verify)).results)
        yield from producer.add(P0)
        seen.append((yield from producer.say(verify)).results)

    transacting(program, variant=V1)

    no = Error.TRANSACTION_ABORTABLE
    assert seen == [((P0, no), (P1, no)), ((P0, Error.NONE), (P1, no))]


def test_of_partitions_of_which_one_is_unknown_none_is_added():
    seen = []

    def program(producer, node):
        yield from producer.init()
        strange = TopicPartition("orders", 9)
        body = m.AddPartitionsToTxnRequest("payments", *producer.who, (P0, strange))
        seen.append((yield from producer.say(body)).results)

    trace, _ = transacting(program, variant=V1)

    unknown = (TopicPartition("orders", 9), Error.UNKNOWN_TOPIC_OR_PARTITION)
    assert seen == [((P0, Error.OPERATION_NOT_ATTEMPTED), unknown)]
    assert states(trace) == ["Empty"]


def test_under_version_1_a_partition_that_was_not_added_takes_nothing():
    seen = []

    def program(producer, node):
        yield from producer.init()
        yield from producer.add(P0)
        seen.append((yield from producer.write(P1, "a")))
        seen.append((yield from producer.write(P0, "b")))

    _, log = transacting(program, variant=V1)

    assert seen == [Error.TRANSACTION_ABORTABLE, Error.NONE]
    assert told(log(P1)) == []


def test_under_version_2_the_leader_adds_its_partition_with_the_first_batch():
    seen = []

    def program(producer, node):
        yield from producer.init()
        for where in (P0, P1, P1):
            error = yield from producer.write(where, "a")
            seen.append(error)

    trace, _ = transacting(program)

    assert seen == [Error.NONE] * 3
    asked = [one for one in events(trace, "message_sent") if one[3] == "AddPartitionsToTxnRequest"]
    assert asked == []  # The one broker asks itself.
    assert states(trace)[:4] == ["Empty", "Ongoing", "Ongoing", "PrepareAbort"]


def test_a_transactional_batch_without_a_transactional_id_is_refused_where_leaders_look():
    seen = []

    def program(producer, node):
        yield from producer.init()
        batch = Batch((Record(None, "v", "a"),), -1, *producer.who, 0, transactional=True)
        body = m.ProduceRequest(-1, 30_000, ((P0, batch),))
        seen.append((yield producer.ask(body)).results[0].error)

    transacting(program)
    transacting(program, variant=UNLOOKED)

    assert seen == [Error.INVALID_TXN_STATE, Error.NONE]


def test_a_leader_that_cannot_reach_the_coordinator_lets_its_producer_try_again():
    """The link between the two is cut; the broker asks anew with each try."""
    seen = []

    def program(producer, node):
        yield from producer.init()
        coordinator = yield from producer.find()
        for one in (P0, P1):
            if (yield from producer.leader(one)) != coordinator:
                where = one
        yield node.sleep(1_000_000)
        seen.append((yield from producer.write(where, "a", again=False)))
        yield from producer.write(where, "a")
        seen.append((yield from producer.end("commit")))

    cut = Partition(("broker-0",), ("broker-1",), 500, 40_000)
    transacting(program, cut, brokers=2)

    assert seen == [Error.NETWORK_EXCEPTION, Error.NONE]


# --- How it ends -----------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("result", ["commit", "abort"])
def test_each_partition_of_a_transaction_gets_one_marker(variant, result):
    seen = []

    def program(producer, node):
        yield from producer.init()
        for where in (P0, P2):
            yield from producer.put(where, f"in-{where.partition}")
        seen.append((yield from producer.end(result)))
        yield node.sleep(1_000_000)
        told = yield producer.ask(
            fetch(0, 0, 0)._replace(isolation_level="read_committed"), "broker-0"
        )
        seen.append(ids_of(told))

    trace, log = transacting(program, variant=variant)

    assert seen[0] is Error.NONE
    assert [told(log(where)) for where in (P0, P1, P2)] == [
        [("in-0",), result], [], [("in-2",), result],
    ]
    done = "Complete" + result.capitalize()
    assert states(trace)[-2:] == ["Prepare" + result.capitalize(), done]
    assert seen[1][1] == []


@VERSIONS
def test_the_producer_is_answered_before_any_marker_is_written(variant):
    """The other broker leads the partition; it cannot be reached, and the commit is answered."""
    answered = []

    def program(producer, node):
        yield from producer.init()
        for where in (P0, P1):
            yield from producer.put(where, "a")
        yield node.sleep(1_000_000)
        assert (yield from producer.end("commit")) is Error.NONE
        answered.append(node.now_us)
        yield node.sleep(60_000_000)

    cut = Partition(("broker-0",), ("broker-1",), 800, 30_000)
    trace, log = transacting(program, cut, variant=variant, brokers=2)

    changes = {
        entry[4][5]: entry[1] for entry in trace.of("transaction_state_changed")
    }
    assert changes["PrepareCommit"] <= answered[0] < 2_000_000
    assert changes["CompleteCommit"] > 30_000_000
    assert told(log(P0)) == told(log(P1)) == [("a",), "commit"]


@VERSIONS
def test_what_takes_too_long_is_aborted_under_a_higher_epoch(variant):
    seen = []

    def program(producer, node):
        yield from producer.init()
        yield from producer.put(P0, "a")
        yield node.sleep(25_000_000)
        seen.append((yield from producer.write(P0, "b")))
        seen.append((yield from producer.end("commit")))

    trace, log = transacting(program, variant=variant, timeout_ms=5_000)

    assert seen == [Error.INVALID_PRODUCER_EPOCH, Error.PRODUCER_FENCED]
    assert told(log(P0)) == [("a",), "abort"]
    aborted = [one for one in trace.of("transaction_state_changed") if one[4][5] == "PrepareAbort"]
    assert [(one[1], one[4][3]) for one in aborted] == [
        (10_000_000, 1 if variant is V1 else 2)
    ]


def test_settings_say_how_long_and_how_often_is_looked():
    seen = []

    def program(producer, node):
        producer.timeout_ms = 10_001
        seen.append((yield from producer.init()))
        producer.timeout_ms = 1_000
        yield from producer.init()
        yield from producer.put(P0, "a")
        yield node.sleep(4_000_000)

    trace, _ = transacting(
        program,
        broker={
            "transaction.max.timeout.ms": 10_000,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 700,
        },
    )

    assert seen == [Error.INVALID_TRANSACTION_TIMEOUT]
    assert [one[1] for one in trace.of("transaction_state_changed")][2] == 1_400_000


@VERSIONS
def test_transactions_follow_one_another(variant):
    """Under version 1 the next one may have to wait for the markers; leaders wait by themselves."""

    def program(producer, node):
        yield from producer.init()
        for number in range(4):
            for where in (P0, P1):
                assert (yield from producer.put(where, f"{number}")) is Error.NONE
            result = "abort" if number == 2 else "commit"
            assert (yield from producer.end(result)) is Error.NONE

    trace, log = transacting(program, variant=variant, brokers=2)

    commits = "commit", "commit", "abort", "commit"
    wanted = [one for n, result in enumerate(commits) for one in ((f"{n}",), result)]
    assert told(log(P0)) == told(log(P1)) == wanted
    if variant is V2:
        assert not trace.of("append_refused")


def test_offsets_take_part_by_the_partition_of_their_group():
    """The group's coordinator ends them; here a stand-in of it hears of the marker."""
    ended = []

    def program(producer, node):
        yield from producer.init()
        body = AddOffsetsToTxnRequest("payments", *producer.who, "billing")
        assert (yield from producer.say(body)).error is Error.NONE
        yield from producer.end("commit")

    def write(where, marker, done):
        ended.append((where.topic, marker.result, marker.partitions))
        done(Error.NONE)

    def deploy(cluster):
        boot = cluster.world.nodes["broker-0"]._boot

        def booting(node):
            boot(node)
            cluster._brokers["broker-0"]._served.markers.elsewhere[OFFSETS] = write

        cluster.world.nodes["broker-0"]._boot = booting

    trace = run(
        lambda _, node, asking: program(Producer(asking), node), deploy=deploy, given={}
    )

    where = TopicPartition(OFFSETS, ended[0][2][0].partition)
    assert ended == [(OFFSETS, "commit", (where,))]
    assert states(trace)[-1] == "CompleteCommit"


# --- Late batches ----------------------------------------------------------------------------


def hanging(variant):
    """A batch that comes after its transaction was aborted: what its producer is told, the log."""
    seen = []

    def program(producer, node):
        yield from producer.init()
        late = producer.who
        yield from producer.add(P0)
        yield from producer.end("abort")
        yield node.sleep(1_000_000)
        seen.append((yield from producer.write(P0, "late", who=late, again=False)))
        told = yield producer.ask(m.ListOffsetsRequest(
            (m.OffsetAsked(P0, m.LATEST_TIMESTAMP),), "read_committed"
        ))
        seen.append(told.results[0].offset)

    transacting(program, variant=variant)
    return seen


def test_a_late_batch_opens_a_transaction_that_never_ends_where_nobody_looks():
    assert hanging(UNLOOKED) == [Error.NONE, 1]  # The marker, and no further.


def test_a_late_batch_is_refused_where_leaders_look():
    assert hanging(V1) == [Error.TRANSACTION_ABORTABLE, 1]


def test_a_late_batch_names_a_past_transaction_under_version_2():
    assert hanging(V2) == [Error.INVALID_PRODUCER_EPOCH, 1]


def test_an_answer_counts_only_if_no_marker_came_in_between():
    """The leader asks, and is told yes late: the transaction was aborted, and marked, meanwhile."""
    seen = []

    def program(producer, node):
        yield from producer.init()
        coordinator = yield from producer.find()
        where = P0 if coordinator == "broker-1" else P1
        yield from producer.add(where)
        batch = Batch((Record(None, "v", "late"),), -1, *producer.who, 0, transactional=True)
        body = m.ProduceRequest(-1, 30_000, ((where, batch),), producer.name)
        answer = producer.ask(body, (yield from producer.leader(where)))
        yield node.sleep(10_000)
        seen.append((yield from producer.end("abort")))
        seen.append((yield answer).results[0].error)
        seen.append(where)

    late = [
        Delay(f"broker-{one}", f"broker-{1 - one}", "AddPartitionsToTxnResponse", extra_ms=500)
        for one in (0, 1)
    ]
    _, log = transacting(program, *late, variant=V1, brokers=2)

    assert seen[:2] == [Error.NONE, Error.INVALID_TXN_STATE]
    assert told(log(seen[2])) == ["abort"]


def test_a_leader_waits_for_the_markers_of_the_transaction_before():
    """Under version 2 a leader waits by itself for the markers of the transaction before, for
    as long as it is configured; then its producer has to."""
    waits = []
    for most_ms in (0, 5_000):
        seen = []

        def program(producer, node, seen=seen):
            yield from producer.init()
            coordinator = yield from producer.find()
            here, away = (P0, P1) if coordinator == "broker-0" else (P1, P0)
            for where in (here, away):
                yield from producer.write(where, "a")
            yield node.sleep(1_000_000)
            yield from producer.end("commit")
            seen.append((yield from producer.write(here, "b", again=False)))

        slow = Clog("broker-*", "broker-*", 500, 1_500)
        settings = {"add.partitions.to.txn.retry.backoff.max.ms": most_ms}
        transacting(program, slow, brokers=2, broker=settings)
        waits.append(seen[0])

    assert waits == [Error.CONCURRENT_TRANSACTIONS, Error.NONE]
