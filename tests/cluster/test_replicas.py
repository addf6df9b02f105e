"""Laws of replicated partitions in a running cluster: replication, elections, coming back."""

import attrs
import pytest

from simulator import CHECKS, Crash, FaultPlan, Seeded, Variant, simulate
from simulator.cluster.internal_topics import OFFSETS
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.scenario.faults import Clog, DiskLoss, Drop, Partition, Pause, Skew
from simulator.scenario.topology import Topic
from simulator.trace.history import history
from tests.clustered import ORDERS, ask, batch, times_ms
from tests.clustered import events as all_events
from tests.replicated_orders import replicated_orders


def events(trace, *kinds):
    """Those of the application's own topics, without their kind."""
    return [one for one in all_events(trace, *kinds) if one[:1] != (OFFSETS,)]


BROKERS = ("broker-0", "broker-1", "broker-2")
LONG = {"delivery.timeout.ms": 60_000}


def run(*faults, chooser=None, **given):
    given.setdefault("producer", LONG)
    made = replicated_orders(**given)
    return simulate(attrs.evolve(made, faults=FaultPlan(faults)), chooser)


def by_node(trace, kind):
    """The events of a kind by node, without their kind."""
    found = {}
    for entry in trace.of(kind):
        found.setdefault(entry[2], []).append(entry[4][1:])
    return found


def logs(trace):
    """What each broker appended, led or followed, in the order of offsets it came to last."""
    held = {name: {} for name in BROKERS}
    for entry in trace.of("batch_appended", "replica_appended", "log_truncated", "log_recovered"):
        kind, topic, number, offset, ids, *_ = entry[4]
        log = held[entry[2]].setdefault((topic, number), {})
        if kind in ("log_truncated", "log_recovered"):
            offset = ids if kind == "log_recovered" else offset
            for at in [at for at in log if at >= offset]:
                del log[at]
        else:
            log.update({offset + at: one for at, one in enumerate(ids)})
    return {name: {at: log for at, log in ours.items() if log} for name, ours in held.items()}


def agreed(trace):
    """The one log of all brokers."""
    held = logs(trace)
    first = held[BROKERS[0]]
    assert all(one == first for one in held.values())
    return first


def ended(trace):
    return events(trace, "run_ended")[0][0]


def acknowledged(trace):
    return {one[0] for one in events(trace, "record_acknowledged")}


# --- Without faults ----------------------------------------------------------------------------


def test_every_replica_gets_every_record():
    trace = run()

    assert ended(trace) == "quiet"
    assert len(agreed(trace)["orders", 0]) == 5
    assert len(acknowledged(trace)) == 5
    assert by_node(trace, "became_leader")["broker-0"][0] == ("orders", 0, 0, 0)


def test_nothing_is_polled_beyond_the_high_watermark():
    trace = run()
    mark = -1
    for entry in trace.of("high_watermark_moved", "record_polled"):
        if entry[4][0] == "record_polled":
            assert entry[4][4] < mark
        elif entry[2] == "broker-0":
            assert entry[4][3] > mark
            mark = entry[4][3]
    assert mark == 5


def test_an_acknowledgement_waits_for_every_in_sync_replica():
    trace = run(Clog("broker-2", "broker-0", 0, 1_500))

    assert min(times_ms(trace, "record_acknowledged")) > 1_500


def test_acks_1_does_not_wait():
    settings = {"acks": "1", "enable.idempotence": False}
    trace = run(Clog("broker-2", "broker-0", 0, 1_500), producer=settings)

    assert min(times_ms(trace, "record_acknowledged")) < 100


# --- Followers that go ---------------------------------------------------------------------------


def test_a_follower_that_is_cut_off_from_its_leader_leaves_the_in_sync_set_and_comes_back():
    trace = run(Partition(("broker-2",), ("broker-0", "broker-1"), 0, 8_000))

    sets = [one[3] for one in events(trace, "isr_changed")]
    assert sets == [("broker-0", "broker-1"), BROKERS]
    assert not trace.of("broker_fenced")
    assert len(agreed(trace)["orders", 0]) == 5
    assert ended(trace) == "quiet"


def test_a_follower_that_died_leaves_the_in_sync_set_when_its_session_ends():
    trace = run(Crash("broker-2", at_ms=20, down_ms=5_000))

    assert times_ms(trace, "broker_fenced") == [pytest.approx(1_000, abs=600)]
    assert [one[3] for one in events(trace, "isr_changed")] == [("broker-0", "broker-1"), BROKERS]
    assert len(agreed(trace)["orders", 0]) == 5


def test_without_enough_in_sync_replicas_nothing_is_taken():
    trace = run(
        Crash("broker-1", at_ms=0, down_ms=6_000),
        Crash("broker-2", at_ms=0, down_ms=6_000),
        per_s=1,
    )

    refused = {one[3] for one in events(trace, "append_refused")}
    assert refused == {"NOT_ENOUGH_REPLICAS"}
    assert len(acknowledged(trace)) == 5
    assert len(agreed(trace)["orders", 0]) == 5


def alone(**given):
    """Both followers die while a record waits for them, and come back much later."""
    return run(
        Crash("broker-1", at_ms=150, down_ms=6_000),
        Crash("broker-2", at_ms=150, down_ms=6_000),
        producer={**LONG, "request.timeout.ms": 20_000},
        **given,
    )


def test_a_record_that_was_refused_after_its_append_stays():
    """Before the high watermark was frozen: the in-sync set shrinks while the record waits, the
    producer is told an error, and the record is in the log nevertheless; an idempotent retry does
    not double it."""
    trace = alone(variant=Variant(frozen_below_min_isr=False))

    told = {one[4] for one in events(trace, "batch_retried")}
    assert "NOT_ENOUGH_REPLICAS_AFTER_APPEND" in told
    assert trace.of("batch_deduplicated")
    assert sorted(agreed(trace)["orders", 0].values()) == sorted(acknowledged(trace))


def test_a_record_waits_while_too_few_are_in_sync():
    """The high watermark stands still, so nothing is acknowledged, and nothing is refused."""
    trace = alone()

    assert not events(trace, "batch_retried")
    assert max(times_ms(trace, "record_acknowledged")) > 6_000
    assert sorted(agreed(trace)["orders", 0].values()) == sorted(acknowledged(trace))


def test_a_write_that_was_given_up_and_stayed_is_seen():
    """It was told as unknown, not as failed; who reads finds it, and no check calls that wrong."""
    trace = run(
        Crash("broker-1", at_ms=150, down_ms=12_000),
        Crash("broker-2", at_ms=150, down_ms=12_000),
        producer={"delivery.timeout.ms": 3_000, "request.timeout.ms": 1_000, "linger.ms": 0},
    )

    given_up = {one[0] for one in events(trace, "record_failed") if not one[3]}
    polled = {one[4] for one in events(trace, "record_polled")}
    assert given_up & polled
    assert not given_up & acknowledged(trace)
    told = {send.event_id for send in history(trace).sends_that("unknown")}
    assert given_up & polled <= told
    for name in ("failed_is_never_read", "acknowledged_is_read", "replicas_agree"):
        assert CHECKS[name](trace)


# --- Leaders that go -----------------------------------------------------------------------------


def test_another_in_sync_replica_leads_when_the_leader_died():
    trace = run(Crash("broker-0", at_ms=150, down_ms=4_000))

    (first, *_) = events(trace, "leader_elected")
    assert first[2:] == ("broker-1", 1, ("broker-1", "broker-2"), "clean")
    assert acknowledged(trace) == set(agreed(trace)["orders", 0].values())
    assert ended(trace) == "quiet"


def test_a_leader_that_comes_back_follows_and_cuts_what_the_others_do_not_have():
    """With acks=1 the dead leader has what nobody else has."""
    trace = run(
        Clog("broker-1", "broker-0", 0, 300),
        Clog("broker-2", "broker-0", 0, 300),
        Crash("broker-0", at_ms=150, down_ms=4_000),
        producer={"acks": "1", "enable.idempotence": False},
    )

    cut = events(trace, "log_truncated")
    assert cut
    lost = {one for _, _, _, ids in cut for one in ids}
    assert lost & acknowledged(trace)
    agreed(trace)


def test_a_leader_that_stood_still_is_deposed_and_learns_of_it():
    trace = run(Pause("broker-0", 150, 5_000))

    assert events(trace, "leader_elected")[0][2:4] == ("broker-1", 1)
    assert ("orders", 0, 1, "broker-1") in by_node(trace, "became_follower")["broker-0"]
    assert acknowledged(trace) == set(agreed(trace)["orders", 0].values())


def test_a_leader_that_is_cut_off_from_the_controller_is_deposed():
    trace = run(Partition(("broker-0",), ("controller", "broker-*"), 150, 6_000))

    assert events(trace, "leader_elected")[0][2] == "broker-1"
    assert acknowledged(trace) <= set(agreed(trace)["orders", 0].values())


def test_without_an_in_sync_replica_nobody_leads():
    trace = run(
        Crash("broker-1", at_ms=0, down_ms=4_000),
        Crash("broker-2", at_ms=0, down_ms=20_000),
        Crash("broker-0", at_ms=2_500, down_ms=10_000),
        broker={"min.insync.replicas": 1},
    )

    found = [(one[2], one[5]) for one in events(trace, "leader_elected")]
    assert ("", "none") in found
    assert ended(trace) == "quiet"


def test_an_unclean_election_takes_whoever_lives():
    trace = run(
        Crash("broker-1", at_ms=0, down_ms=4_000),
        Crash("broker-2", at_ms=0, down_ms=20_000),
        Crash("broker-0", at_ms=2_500, down_ms=20_000),
        broker={"min.insync.replicas": 1, "unclean.leader.election.enable": True},
    )

    assert "unclean" in {one[5] for one in events(trace, "leader_elected")}
    agreed(trace)


def test_the_preferred_leader_leads_again_in_time():
    trace = run(
        Crash("broker-0", at_ms=150, down_ms=2_000),
        broker={"leader.imbalance.check.interval.seconds": 6},
        events=12,
        per_s=1,
    )

    assert [(one[2], one[5]) for one in events(trace, "leader_elected")] == [
        ("broker-1", "clean"),
        ("broker-0", "preferred"),
    ]
    assert acknowledged(trace) == set(agreed(trace)["orders", 0].values())


# --- Disks -------------------------------------------------------------------------------------


def test_a_replaced_broker_gets_everything_again():
    trace = run(DiskLoss("broker-2", 700, 2_000))

    assert events(trace, "log_recovered")[0][2:] == (0, 0)
    ids = [one for entry in trace.of("replica_appended") if entry[2] == "broker-2"
           for one in entry[4][4]]  # fmt: skip
    assert len(ids) > len(set(ids))
    assert ended(trace) == "quiet"


def test_a_power_loss_takes_what_was_not_flushed_and_replication_brings_it_back():
    trace = run(Crash("broker-2", at_ms=700, down_ms=2_000, mode="power"))

    assert events(trace, "log_recovered")[0][2:] == (0, 0)
    assert acknowledged(trace) == set(logs(trace)["broker-0"]["orders", 0].values())


# --- Other ways --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["high watermark", "KIP-101", "KIP-279", "KIP-320"])
def test_every_way_to_truncate_survives_one_dead_leader(way):
    variant = Variant(truncation=way, consumers_validate=False)
    trace = run(Crash("broker-0", at_ms=150, down_ms=4_000), variant=variant)

    assert acknowledged(trace) == set(agreed(trace)["orders", 0].values())


def test_one_seed_gives_one_run_also_with_replicas():
    digests = {run(chooser=Seeded(7)).digest() for _ in range(2)}

    assert len(digests) == 1


# --- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_ms", [-60_000, 60_000])
def test_a_controllers_clock_that_jumps_silences_nobody(jump_ms):
    """It measures silence by a clock that does not jump (BrokerHeartbeatTracker)."""
    trace = run(Skew("controller", 600, jump_ms, 0))

    assert not trace.of("broker_fenced")
    assert ended(trace) == "quiet"


@pytest.mark.parametrize("jump_ms", [-60_000, 60_000])
def test_what_waits_at_a_leader_waits_no_longer_though_its_clock_jumps(jump_ms):
    """A follower that has all is told the mark within replica.fetch.wait.max.ms."""
    trace = run(Skew("broker-0", 600, jump_ms, 0))

    assert max(times_ms(trace, "high_watermark_moved")) < 1_200
    assert not trace.of("isr_changed")
    assert trace.flat[-1][1] < 2_500_000


def test_a_producer_is_told_in_time_that_it_waits_in_vain_though_the_leaders_clock_jumps():
    told = []

    def program(asking, node):
        body = m.ProduceRequest(-1, 500, ((ORDERS, batch("a")),))
        yield node.sleep(100_000)
        answer = yield asking(body)
        told.append((answer.results[0].error, node.now_us))

    ask(
        program,
        Partition(("broker-1", "broker-2"), ("broker-0",), 50, 20_000),
        Skew("broker-0", 300, -60_000, 0),
        brokers=3,
        topics=(Topic("orders", 1, 3),),
    )

    assert told == [(Error.REQUEST_TIMED_OUT, 602_000)]


# --- A crash in the middle of an answer ----------------------------------------------------------


def test_a_broker_that_dies_while_it_answers_does_nothing_more():
    """The answer to one batch lets the next in, which crashes the broker; whoever answered was at
    work for a follower, and goes on."""
    trace = run(
        Crash("broker-0", "after_append", 2, down_ms=4_000),
        producer={**LONG, "linger.ms": 0},
        per_s=400,
    )

    ((died, *_),) = trace.of("node_crashed")
    ((back, *_),) = trace.of("node_restarted")
    between = [
        entry[4][0]
        for entry in trace.flat
        if died < entry[0] < back and entry[2] == "broker-0"
    ]
    assert set(between) <= {"message_dropped"}


# --- Coming back ---------------------------------------------------------------------------------


def test_a_broker_is_let_in_when_it_acts_on_what_it_has_read():
    """Its registration was written, and the answer to it lost; it reads on meanwhile."""
    trace = run(
        Crash("broker-2", at_ms=150, down_ms=2_000),
        Drop("controller", "broker-2", "BrokerRegistrationResponse", 0),
    )

    (unfenced,) = trace.of("broker_unfenced")
    (recovered,) = trace.of("log_recovered")
    assert recovered[0] < unfenced[0]
