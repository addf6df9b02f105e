"""When a run has come to rest: nothing is left to do, and everybody knows what he keeps."""

from simulator import Consumers, Crash, FaultPlan, Topic, constant, simulate
from tests.clustered import events, run
from tests.few_orders import SESSION, few_orders
from tests.replicated_orders import QUICK, replicated_orders

AT_ONCE = 1_000_000  # Events a second: all are there before any group has formed.


def ended(trace):
    """Why the run ended, and when, in milliseconds."""
    last = trace.flat[-1]
    return last[4][1], last[1] / 1_000


def test_a_reader_that_begins_at_the_end_has_nothing_to_commit():
    latest = Consumers(settings={**SESSION, "auto.offset.reset": "latest"})
    reason, at_ms = ended(simulate(few_orders(per_s=AT_ONCE, consumers=latest)))

    assert reason == "quiet"
    assert at_ms < 10_000


def test_what_such_a_reader_was_given_is_committed_first():
    slow = Consumers(
        instances=1,
        settings={**SESSION, "auto.offset.reset": "latest"},
        processing=constant(700_000),
    )
    trace = simulate(few_orders(per_s=2, events=4, consumers=slow))

    given = {(one[1], one[2]): one[3] for one in events(trace, "record_polled")}
    committed = {
        (topic, partition): offset
        for one in events(trace, "offset_committed")
        for topic, partition, offset in [one[1:4]]
    }
    assert ended(trace)[0] == "quiet"
    assert given
    assert all(committed[where] == offset + 1 for where, offset in given.items())


def test_a_broker_that_has_just_come_back_is_waited_for():
    """Its replicas count as in sync until the controller has noticed."""
    trace = simulate(
        replicated_orders(faults=FaultPlan((Crash("broker-2", at_ms=700, down_ms=50),)))
    )

    assert ended(trace)[0] == "quiet"
    assert [entry[2] for entry in trace.of("log_recovered")] == ["broker-2"]


def test_partitions_that_nobody_could_keep_are_added_later():
    away = tuple(Crash(f"broker-{number}", at_ms=1_000, down_ms=6_000) for number in range(3))

    def program(_cluster, node):
        yield node.sleep(12_000_000)

    trace = run(
        program,
        *away,
        brokers=3,
        topics=(Topic("orders", 1, 3),),
        deploy=lambda cluster: cluster.add_partitions("orders", 3, at_ms=4_000),
        broker=QUICK,
    )

    (added,) = trace.of("partitions_added")
    assert added[1] > 7_000_000
    assert ended(trace)[0] == "quiet"
