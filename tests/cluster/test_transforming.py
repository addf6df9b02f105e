"""Consume, transform, produce, in one transaction a poll: what goes through, and what aborts."""

import attrs
import pytest

from simulator import CHECKS, BadInput, Output, Status, StoreError, Transforming, simulate
from simulator.scenario.faults import Crash, FaultPlan, Pause
from tests.transforming import AUDITOR, BILLING, BILLS, KEPT, counted, few_bills

VERSIONS = pytest.mark.parametrize("version", [1, 2])


def run(*faults, **scenario):
    return simulate(attrs.evolve(few_bills(**scenario), faults=FaultPlan(faults)))


def events(trace, *kinds):
    return [entry[4] for entry in trace.of(*kinds)]


def read(trace, group=AUDITOR):
    """The events that a group is given, in the order in which it is."""
    return [event[5] for event in events(trace, "record_polled") if event[1] == group]


def ends(trace):
    return [event[2:4] for event in events(trace, "transaction_ended")]


def keeps(trace):
    return {check.name: str(check(trace).status) for check in KEPT}


ALL_KEPT = {check.name: "kept" for check in KEPT}
ORDERS = [f"e{number}" for number in range(1, 7)]


@VERSIONS
@pytest.mark.parametrize("replicas", [1, 3])
def test_each_record_goes_through_once(version, replicas):
    trace = run(version=version, replicas=replicas)

    assert sorted(read(trace)) == ORDERS
    assert set(ends(trace)) == {("commit", "done")}
    assert keeps(trace) == ALL_KEPT


@VERSIONS
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize(
    "point",
    ["after_poll", "before_process", "after_process", "produce-0", "produce-1", "before_commit",
     "after_commit"],
)  # fmt: skip
def test_a_crash_anywhere_changes_nothing(version, point, static):
    trace = run(Crash("billing-1", point, down_ms=100), version=version, static=static)

    assert "node_crashed" in {entry[4][0] for entry in trace.flat}
    assert keeps(trace) == ALL_KEPT


def test_the_consumer_protocol_of_kip_848_does_as_well():
    unset = {"session.timeout.ms": None, "heartbeat.interval.ms": None}
    trace = run(
        Crash("billing-1", "before_commit", down_ms=100),
        consumer={"group.protocol": "consumer", **unset},
        broker={"group.consumer.min.session.timeout.ms": 2_000,
                "group.consumer.session.timeout.ms": 2_000,
                "group.consumer.min.heartbeat.interval.ms": 500,
                "group.consumer.heartbeat.interval.ms": 500},
    )  # fmt: skip

    assert keeps(trace) == ALL_KEPT


def test_a_transaction_is_a_poll_with_its_offsets():
    trace = run(events=2, instances=1, partitions=1)
    ending = events(trace, "transaction_ending")

    assert [event[3] for event in ending] == [("e1", "e2")]
    assert ending[0][4] == ((BILLING, "orders", 0, 2),)


def several(_):
    """Two bills of one order, of the next none, then one: a generator that waits."""

    def transform(record):
        yield from ()
        number = int(record.event_id[1:])
        return [Output("k", "v") for _ in range((2, 0, 1)[(number - 1) % 3])]

    return transform


def waiting(context):
    async def transform(record):
        await context.sleep(1_000)
        return Output(record.key, record.value, f"bill-{record.event_id}")

    return transform


def test_a_transform_may_give_several_records_or_none():
    trace = run(factory=several)

    assert sorted(read(trace)) == ["e1/0", "e1/1", "e3", "e4/0", "e4/1", "e6"]
    assert keeps(trace) == ALL_KEPT


def test_a_transform_may_wait_and_name_what_it_makes():
    trace = run(factory=waiting)

    assert sorted(read(trace)) == [f"bill-{one}" for one in ORDERS]
    assert keeps(trace) == ALL_KEPT


class Failing:
    """The second call fails, once in all lives."""

    def __init__(self):
        self.calls = 0

    def __call__(self, _):
        def transform(record):
            self.calls += 1
            if self.calls == 2:
                raise StoreError("not now")
            return Output(record.key, record.value)

        return transform


BACKLOG = {"events": 4, "per_s": 1_000, "instances": 1, "partitions": 1}


@VERSIONS
def test_a_failure_aborts_and_its_records_are_read_again(version):
    trace = run(version=version, factory=Failing(), **BACKLOG)

    assert ends(trace)[0] == ("abort", "done")
    assert read(trace, BILLING)[:4] == ["e1", "e2", "e1", "e2"]
    assert keeps(trace) == ALL_KEPT


@VERSIONS
def test_without_a_rewind_they_are_not(version):
    trace = run(version=version, factory=Failing(), rewinds=False, **BACKLOG)

    assert sorted(read(trace)) == ["e3", "e4"]
    assert CHECKS["exactly_once_output"](trace).status is Status.BROKEN


@VERSIONS
def test_who_is_fenced_begins_anew(version):
    """Its transaction took too long: the coordinator has ended it (KIP-588)."""
    slow = {"processing_us": 40_000, "consumer": {"max.poll.interval.ms": 60_000}}
    trace = run(
        Pause("billing-0", at_ms=200, for_ms=20_000), version=version, instances=1, **slow
    )
    fatal = [event for event in events(trace, "transaction_failed") if event[3]]
    gave_up = [event for event in events(trace, "noted") if event[1] == "gave up"]

    assert bool(fatal) == bool(gave_up)
    assert keeps(trace) == ALL_KEPT


@pytest.mark.parametrize("faults", [(), (Crash("billing-1", "before_commit", down_ms=100),)])
def test_an_external_store_is_in_no_transaction(faults):
    """What is done there for an aborted transaction stays done."""
    trace = run(*faults, factory=counted)
    twice = CHECKS["never_applied_twice"](trace)

    assert keeps(trace) == ALL_KEPT
    assert twice.status is (Status.BROKEN if faults else Status.KEPT)


def test_each_life_may_have_a_transactional_id_of_its_own():
    trace = run(Crash("billing-1", "after_commit", down_ms=100), transactional_id="random")
    began = {event[1] for event in events(trace, "transaction_began")}

    assert {"billing-1-0", "billing-1-1"} <= began


def test_what_cannot_be_is_refused():
    with pytest.raises(BadInput, match=r"each instance has its own transactional\.id"):
        run(producer={"transactional.id": "mine"})
    with pytest.raises(BadInput, match="there is no topic called"):
        simulate(attrs.evolve(few_bills(), application=_elsewhere))
    with pytest.raises(BadInput):
        Transforming(sources=("orders",), sink=BILLS, metadata="nothing")


def _elsewhere(cluster):
    cluster.transform(BILLING, 1, waiting, Transforming(sources=("orders",), sink="nowhere"))
