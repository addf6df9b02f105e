"""Share groups in a world: work is shared, what a crash held comes back, poison is put aside."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.chance import Seeded, constant, exponential
from simulator.checks.verdict import Status
from simulator.cluster.share_service import ShareServing
from simulator.errors import BadInput, KafkaError
from simulator.protocol import messages as m
from simulator.protocol import share_partition
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.share_facts import AVAILABLE
from simulator.protocol.share_partition import SharePartition
from simulator.scenario.faults import Crash, CrashHazard, Drop, Hazards, Pause, Skew
from simulator.scenario.topology import Topic
from tests.clustered import BROKER as BROKER_0
from tests.clustered import Asking, run
from tests.sharing import CHECKS, GROUP, assert_kept, events, got, polled, reading, share, stormy

ORDERS = TopicPartition("orders", 0)
EXPLICIT = {"share.acknowledgement.mode": "explicit"}


# --- Sharing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["implicit", "explicit"])
def test_several_members_share_one_partition_and_each_record_is_given_once(mode):
    trace = share(
        processing=constant(10_000), settings={"share.acknowledgement.mode": mode}, records=30
    )

    assert Counter(event for event, _ in polled(trace)) == {f"e{n}": 1 for n in range(30)}
    assert min(Counter(node for _, node in polled(trace)).values()) >= 8
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert_kept(trace)


def test_who_has_waited_longest_is_served_first():
    trace = share(records=9, settings={"fetch.max.wait.ms": 5_000})

    nodes = [node for _, node in polled(trace)]
    assert [sorted(nodes[at : at + 3]) for at in (3, 6)] == [["work-0", "work-1", "work-2"]] * 2


def test_partitions_of_several_brokers_are_shared():
    trace = share(records=40, topics=[Topic("orders", 4)], brokers=2, instances=6)

    assert len(polled(trace)) == 40
    assert_kept(trace)


def test_partitions_that_are_added_are_shared_too():
    beats = "heartbeat.interval.ms"
    trace = share(
        records=200,
        grow={"orders": 2},
        producer={"metadata.max.age.ms": 50},
        broker={f"group.share.{beats}": 100, f"group.share.min.{beats}": 100},
    )

    assert {event[2] for event in events(trace, "record_polled")} == {0, 1}
    assert len(polled(trace)) == 200


# --- What comes back -----------------------------------------------------------------------------


def test_what_a_crashed_member_held_comes_back_when_its_lock_times_out():
    trace = share(Crash("work-1", point="before_process", down_ms=60_000), records=6)

    (lost,) = [event for event, count in Counter(e for e, _ in polled(trace)).items() if count > 1]
    first, second = [entry for entry in trace.of("record_polled") if entry[4][5] == lost]
    assert first[2] == "work-1"
    assert second[2] != "work-1"
    assert second[1] - first[1] >= 1_900_000
    (expired,) = events(trace, "share_lock_expired")
    assert expired[-1] == "work-1"
    assert_kept(trace)


def test_a_late_acknowledgement_is_refused():
    """It was away for longer than its lock; another has the record by then, or has finished it."""
    heard = {}

    def program(node, consumer):
        first, second = yield from got(consumer, 2)
        yield node.sleep(2_500_000)
        consumer.acknowledge(first)
        consumer.acknowledge(second, "reject")
        heard.update((yield consumer.commit_sync()))
        again = yield from got(consumer, 2)
        for record in again:
            consumer.acknowledge(record)
        heard["again"] = yield consumer.commit_sync()

    trace = reading(program, records=2, settings=EXPLICIT)

    assert isinstance(heard[ORDERS], KafkaError)
    assert "INVALID_RECORD_STATE" in str(heard[ORDERS])
    assert heard["again"] == {ORDERS: None}
    assert len(events(trace, "share_acknowledge_refused")) == 1
    assert [event[-1] for event in events(trace, "share_acquired")][-1] == 2
    assert_kept(trace)


def test_a_poison_record_is_archived_after_five_deliveries():
    def poisoned(context):
        def handle(record):
            if record.event_id == "e3":
                raise KafkaError("it cannot be handled")

        return handle

    trace = share(factory=poisoned, records=6)

    assert Counter(event for event, _ in polled(trace))["e3"] == 5
    assert len(polled(trace)) == 5 + 5
    assert events(trace, "share_archived") == [(GROUP, "orders", 0, 3, 3, 5)]
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert_kept(trace)


def test_a_rejected_record_never_comes_again():
    trace = share(factory=lambda _: lambda record: "reject", records=4)

    assert len(polled(trace)) == 4
    assert {event[-1] for event in events(trace, "share_acknowledged")} == {"reject"}


def test_a_member_that_is_paused_longer_than_its_lock_works_twice():
    """At least once. What it says late is ignored: the start has moved over it meanwhile."""
    trace = share(Pause("work-0", at_ms=60, for_ms=5_000), records=30, processing=constant(10_000))

    done = Counter(event[4] for event in events(trace, "processing_ended"))
    assert max(done.values()) == 2
    assert [event[-1] for event in events(trace, "share_lock_expired")] == ["work-0"]
    assert {event[-1] for event in events(trace, "share_commit_answered")} == {"NONE"}
    assert_kept(trace)


def test_records_that_retention_takes_are_nobodys_concern_any_more():
    def program(node, consumer):
        records = yield from got(consumer, 3)
        answer = yield Asking(node)(m.DeleteRecordsRequest(((ORDERS, 2),)))
        assert answer.results[0].error is Error.NONE
        for record in records:
            consumer.acknowledge(record)
        told.update((yield consumer.commit_sync()))

    told = {}
    trace = reading(program, records=3, settings=EXPLICIT)

    assert told == {ORDERS: None}
    assert [event[-1] for event in events(trace, "share_start_moved")] == [0, 2, 3]


# --- Brokers that die ----------------------------------------------------------------------------


def test_a_leader_that_comes_back_knows_what_was_written_and_nothing_of_what_was_held():
    trace = share(Crash(BROKER_0, at_ms=60, down_ms=500), records=40, processing=constant(10_000))

    first, again = events(trace, "share_loaded")
    assert (first[-1], again[-1] > 0) == (-1, True)
    assert {event for event, _ in polled(trace)} == {f"e{number}" for number in range(40)}
    assert_kept(trace)


def test_a_crash_between_writing_and_answering_leaves_the_member_without_an_answer():
    """It is done: the record does not come again, and the member does not know."""

    def program(node, consumer):
        (record,) = yield from got(consumer, 1)
        consumer.acknowledge(record)
        told["first"] = yield consumer.commit_sync()
        told["more"] = yield consumer.poll(4_000)

    told = {}
    trace = reading(
        program, Crash(BROKER_0, point="after_append", nth=1, down_ms=100), records=1,
        settings=EXPLICIT,
    )  # fmt: skip

    assert "NETWORK_EXCEPTION" in str(told["first"][ORDERS])
    assert told["more"] == []
    assert len(polled(trace)) == 1


def test_power_loss_takes_acknowledgements_that_were_not_flushed():
    trace = share(
        Crash(BROKER_0, at_ms=100, down_ms=500, mode="power"),
        records=10,
        topics=[Topic("orders", settings={"flush.messages": 1})],
    )

    assert not share_check(trace, "share_acknowledged_never_redelivered")
    assert max(Counter(event for event, _ in polled(trace)).values()) == 2


def share_check(trace, name):
    return next(check for check in CHECKS if check.name == name)(trace)


def test_with_replicas_a_new_leader_gives_out_what_only_the_old_one_knew():
    trace = share(
        Crash(BROKER_0, at_ms=9_000, down_ms=30_000),
        records=10,
        brokers=3,
        topics=[Topic("orders", 1, 3)],
        processing=constant(300_000),
    )

    assert {event for event, _ in polled(trace)} == {f"e{number}" for number in range(10)}
    assert len({entry[2] for entry in trace.of("share_loaded")}) == 2
    assert share_check(trace, "share_records_in_one_state")


# --- A member's life -----------------------------------------------------------------------------


def test_closing_releases_what_is_held_and_leaves():
    def program(node, consumer):
        first, *_ = yield from got(consumer, 3)
        consumer.acknowledge(first)
        yield consumer.close()

    trace = reading(program, settings=EXPLICIT, records=3, heal_after_ms=0, horizon_ms=10)

    assert [event[3:5] + event[-1:] for event in events(trace, "share_acknowledged")] == [
        (0, 0, "accept")
    ]
    assert [event[3:5] for event in events(trace, "share_released")] == [(1, 2)]
    assert events(trace, "member_removed") == [(GROUP, "client", "left")]


def test_the_next_poll_accepts_in_implicit_mode_and_closing_does_not():
    def program(node, consumer):
        yield from got(consumer, 2)
        yield consumer.poll(0)
        yield consumer.poll(0)
        yield node.sleep(10_000)
        yield from got(consumer, 1)
        yield consumer.close()

    trace = reading(program, settings={"max.poll.records": 2}, records=3)

    assert [event[3:5] for event in events(trace, "share_released")] == [(2, 2)]


def test_a_member_that_is_silent_is_removed_and_joins_again():
    trace = share(Pause("work-0", at_ms=50, for_ms=60_000), records=10, processing=constant(50_000))

    assert ("work", "work-0", "session_timeout") in events(trace, "member_removed")
    joined = [event for event in events(trace, "share_assigned") if event[2] == "work-0"]
    assert joined[-1][1] > joined[0][1]


def test_without_a_poll_for_too_long_a_member_leaves_and_the_next_poll_joins_again():
    def program(node, consumer):
        yield from got(consumer, 1)
        yield node.sleep(3_000_000)
        yield from got(consumer, 1)

    trace = reading(
        program, settings={"max.poll.interval.ms": 1_000, "max.poll.records": 1}, records=2
    )

    assert events(trace, "member_removed")[0] == (GROUP, "client", "left")
    assert len(polled(trace)) >= 2


@pytest.mark.parametrize("which", ["request", "answer"])
@pytest.mark.parametrize(
    "api", ["ShareGroupHeartbeat", "ShareFetch", "ShareAcknowledge", "FindCoordinator", "Metadata"]
)
@pytest.mark.parametrize("nth", [0, 2])
def test_whatever_message_is_lost_every_record_is_finished(api, which, nth):
    ends = ("work-0", BROKER_0, f"{api}Request")
    if which == "answer":
        ends = (BROKER_0, "work-0", f"{api}Response")
    trace = share(Drop(*ends, nth), records=12, processing=constant(5_000))

    assert {event for event, _ in polled(trace)} == {f"e{number}" for number in range(12)}
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert_kept(trace)


def test_what_is_said_with_a_session_that_is_lost_is_told_to_the_callback():
    told = []

    def program(node, consumer):
        consumer.set_acknowledgement_commit_callback(lambda *what: told.append(what))
        yield from got(consumer, 1)
        consumer.commit_async()
        yield node.sleep(2_000_000)
        consumer.commit_async()

    reading(program, Drop("client", BROKER_0, "ShareAcknowledgeRequest"), records=1)

    ((offsets, error),) = told
    assert offsets == {ORDERS: (0,)}
    assert "NETWORK_EXCEPTION" in str(error)


# --- Rules of the face ---------------------------------------------------------------------------


def test_explicit_mode_wants_every_record_acknowledged_before_the_next_poll():
    def program(node, consumer):
        (record,) = yield from got(consumer, 1)
        with pytest.raises(KafkaError, match="not acknowledged"):
            yield consumer.poll(0)
        with pytest.raises(BadInput, match="accepted, released or rejected"):
            consumer.acknowledge(record, "gap")
        consumer.acknowledge(record)
        with pytest.raises(KafkaError, match="not to be acknowledged"):
            consumer.acknowledge(record)
        yield consumer.close()
        with pytest.raises(BadInput, match="closed"):
            consumer.poll(0)

    reading(program, records=1, settings=EXPLICIT)


def test_implicit_mode_acknowledges_by_itself():
    def program(node, consumer):
        (record,) = yield from got(consumer, 1)
        with pytest.raises(BadInput, match="implicit"):
            consumer.acknowledge(record)
        assert (yield consumer.commit_sync()) == {ORDERS: None}
        assert (yield consumer.commit_sync()) == {}

    reading(program, records=1)


def test_a_consumer_serves_one_call_at_a_time():
    def program(node, consumer):
        waiting = consumer.poll(1_000)
        with pytest.raises(BadInput, match="one call at a time"):
            consumer.poll(1_000)
        yield waiting

    reading(program)


def test_a_poll_of_nothing_is_refused():
    def program(node, consumer):
        consumer.unsubscribe()
        with pytest.raises(BadInput, match="subscribe first"):
            consumer.poll(0)
        yield node.sleep(0)

    reading(program)


def test_a_topic_that_is_not_there_is_refused():
    def deploy(cluster):
        cluster.share_group(GROUP, 1, lambda _: print, ShareServing(("bills",)))

    with pytest.raises(BadInput, match="bills"):
        run(None, deploy=deploy)


# --- Any run -------------------------------------------------------------------------------------


def hazards(seed, **more):
    crash = CrashHazard("work-*", "before_process", 0.05)
    return share(
        records=30,
        hazards=Hazards(crash=(crash,)),
        chooser=Seeded(seed),
        processing=exponential(5_000),
        **more,
    )


@given(st.integers(0, 10**6))
@settings(max_examples=12)
def test_under_crashes_every_record_is_finished_and_every_promise_kept(seed):
    trace = hazards(seed)

    assert {event for event, _ in polled(trace)} == {f"e{number}" for number in range(30)}
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert_kept(trace)


@given(st.integers(0, 10**6), st.sampled_from((1, 3)), st.sampled_from(("explicit", "implicit")))
@settings(max_examples=16)
def test_whatever_goes_wrong_no_record_is_forgotten_and_no_promise_broken(seed, replicas, mode):
    """Crashes of members and brokers, messages lost and doubled.

    Where another broker has come to lead, a check may be unable to tell.
    """
    trace = stormy(seed, replicas, mode)

    acknowledged = {entry[4][1] for entry in trace.of("record_acknowledged")}
    assert acknowledged <= {event for event, _ in polled(trace)}
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert all(check(trace).status is not Status.BROKEN for check in CHECKS)


def test_a_lock_does_not_heed_a_clock_that_jumps():
    trace = share(
        Skew(BROKER_0, at_ms=30, jump_ms=600_000), records=20, processing=constant(20_000)
    )

    assert events(trace, "share_lock_expired") == []
    assert len(polled(trace)) == 20


def test_the_same_seed_is_the_same_run():
    assert hazards(7).digest() == hazards(7).digest()


def _forgets_the_holder(monkeypatch):
    """A leader that gives out what somebody holds."""
    true = SharePartition.decide_acquire

    def decide(machine, *given):
        facts = true(machine, *given)
        for fact in machine.decide_release("work-0"):
            machine.apply(fact)
        return facts

    monkeypatch.setattr(SharePartition, "decide_acquire", decide)


def _never_archives(monkeypatch):
    monkeypatch.setattr(SharePartition, "_let_go", lambda *_: AVAILABLE)


def _takes_acceptance_for_release(monkeypatch):
    monkeypatch.setattr(share_partition, "_BECOMES", dict.fromkeys(range(4), AVAILABLE))


@pytest.mark.parametrize(
    ("bug", "check"),
    [
        (_forgets_the_holder, "share_records_in_one_state"),
        (_never_archives, "share_delivered_at_most_limit"),
        (_takes_acceptance_for_release, "share_acknowledged_never_redelivered"),
    ],
)
def test_a_planted_bug_is_caught(bug, check, monkeypatch):
    def poisoned(context):
        def handle(record):
            if record.event_id == "e3":
                raise KafkaError("it cannot be handled")

        return handle

    faults = (Crash("work-1", point="before_process", down_ms=60_000),)
    more = {"factory": poisoned, "processing": constant(5_000), "horizon_ms": 20_000}
    assert share_check(share(*faults, **more), check)
    bug(monkeypatch)
    assert not share_check(share(*faults, **more), check)
