"""A session is a run to which somebody acts, step by step; and it is had again by its code."""

import attrs
import pytest

import simulator
from simulator import (
    AT_LEAST_ONCE,
    EXACTLY_ONCE,
    BadInput,
    Crash,
    FaultPlan,
    Link,
    Seeded,
    Status,
    Topic,
    Topology,
    drained,
    never_applied_twice,
    never_lost,
    simulate,
    uniform,
)
from simulator.testing.broken import PromiseBroken
from simulator.testing.session import Session
from tests.few_orders import few_orders

ORDERS = few_orders(AT_LEAST_ONCE)
ONCE = few_orders(EXACTLY_ONCE)
WIRES = Topology(
    brokers=2, topics=(Topic("orders", 2),), links=(Link(latency=uniform(500, 5_000), loss=0.02),)
)
KEPT = (never_lost, drained)


def again(session, scenario):
    """The session of the code that another one gives."""
    names = {name: getattr(simulator, name) for name in simulator.__all__}
    names |= {"Session": Session, "scenario": scenario}
    exec(session.replay(), names)
    return names["session"]


def kinds(session):
    return [entry[4][0] for entry in session.trace.flat]


def test_what_is_produced_is_applied_in_the_course_of_time():
    with Session(ORDERS) as session:
        assert session.produce("k1") == "e1"
        assert "effect_applied" not in kinds(session)
        session.advance(ms=1_000)
        assert session.now_ms == 1_000
        assert kinds(session).count("effect_applied") == 1
        session.finish()
        session.expect(*KEPT, never_applied_twice)


def test_time_passes_until_something_happens():
    with Session(ORDERS) as session:
        session.produce("k1")
        session.produce("k0")
        entry = session.wait_for("effect_applied", where={"event_id": "e2"})

        assert entry in session.trace.flat[-3:]
        assert entry[4][-1] == "e2"
        assert session.wait_for("node_crashed", within_ms=50) is None
        assert session.now_ms == entry[1] // 1_000 + 50


def test_the_naive_sink_applies_twice_after_a_crash_at_the_wrong_time():
    with Session(ORDERS) as session:
        session.advance(500)
        session.produce("k0")
        session.wait_for("effect_applied")
        for instance in session.instances:
            session.restart(instance)
        session.finish()

        with pytest.raises(PromiseBroken, match="in a second transaction") as caught:
            session.expect(never_applied_twice)
    assert "session.wait_for('effect_applied')" in str(caught.value)
    assert caught.value.trace is session.trace


def everything(session):
    """One act of each kind, and some twice."""
    session.produce("k0")
    session.advance(400)
    session.start("billing-2")
    session.restart("billing-0")
    session.produce("k1")
    session.crash("billing-1", down_ms=200)
    session.cut("broker-0", "billing-*", symmetric=False)
    session.pause("ledger", 300)
    session.skew("billing-2", jump_ms=1_000)
    session.advance(900)
    session.heal()
    session.stop("billing-2")
    session.add_partitions("orders", 3)
    session.produce()
    session.crash("broker-1")
    session.crash("ledger", mode="power")
    session.advance(5_000)
    session.finish()


def test_a_session_is_had_again_by_its_code():
    scenario = attrs.evolve(ONCE, topology=WIRES)
    with Session(scenario, Seeded(7), spare=1) as session:
        everything(session)
        session.expect(*KEPT, never_applied_twice)

    assert session.witness
    assert again(session, scenario).trace.digest() == session.trace.digest()


def test_a_session_in_which_nobody_acts_is_the_run():
    """With the workload; but for when the hazards end, and how many records there were in all."""
    with Session(ORDERS, workload=True) as session:
        session.finish()
    acted = [entry for entry in session.trace.flat if entry[2] != "world"]

    assert acted[:100] == [entry for entry in simulate(ORDERS).flat if entry[2] != "world"][:100]
    assert session.verdicts(*KEPT)[0].status is Status.KEPT


def test_planned_faults_strike_in_a_session_too():
    scenario = attrs.evolve(ORDERS, faults=FaultPlan((Crash("billing-1", "after_poll"),)))
    with Session(scenario) as session:
        session.produce("k0")
        assert session.wait_for("node_crashed") is not None


def test_who_is_down_comes_up_when_the_session_is_finished():
    with Session(ORDERS, spare=1) as session:
        session.produce("k0")
        session.crash("broker-0")
        session.stop("billing-0")
        session.cut("ledger")
        assert not session.is_up("broker-0")
        assert not session.is_up("billing-2")
        session.finish()

    session.expect(*KEPT)


def test_a_crashed_node_stays_down_until_it_is_started():
    with Session(ORDERS) as session:
        session.crash("billing-0")
        session.crash("billing-0")
        session.advance(100_000)
        assert not session.is_up("billing-0")
        session.start("billing-0")
        session.start("billing-0")
        assert session.is_up("billing-0")

    assert kinds(session).count("node_crashed") == kinds(session).count("node_restarted") == 1


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda one: one.crash("bookkeeping"), "no node called 'bookkeeping'.*known: broker-0"),
        (lambda one: one.crash("ledger", mode="meteor"), "no such mode: 'meteor'"),
        (lambda one: one.cut("bookkeeping"), "no node is called 'bookkeeping'"),
        (lambda one: one.stop("ledger"), "is no instance: 'ledger'.*billing-0"),
        (lambda one: one.advance(-1), "time cannot go back: -1"),
        (lambda one: one.wait_for("efect_applied"), "kind 'efect_applied' .*'effect_applied'"),
        (lambda one: one.wait_for("effect_applied", where={"id": "e1"}),
         "effect_applied has no field 'id' .it has: table, "),
        (lambda one: one.produce(topic="bills"), "no topic 'bills'.*known: orders"),
        (lambda one: one.produce(producer="shop"), "no producer 'shop'"),
        (lambda one: (one.crash("orders-producer"), one.produce()), "is not up"),
        (lambda one: (one.finish(), one.produce()), "the session is over"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_there_is(act, said):
    with Session(ORDERS) as session, pytest.raises(BadInput, match=said):
        act(session)


REFUSED = {
    "advance": lambda session: session.advance(0.5),
    "wait_for": lambda session: session.wait_for("effect_applied", within_ms=-1),
    "wait_for_what_nobody_tells": lambda session: session.wait_for("effect_aplied"),
    "crash": lambda session: session.crash("billing-0", down_ms=-1),
    "pause": lambda session: session.pause("billing-0", -1),
    "skew": lambda session: session.skew("nobody"),
    "cut": lambda session: session.cut("billing-0", "nobody"),
    "add_partitions": lambda session: session.add_partitions("orders", 1),
}


@pytest.mark.parametrize("act", REFUSED)
def test_what_is_refused_is_not_done_and_not_written_down(act):
    """Time neither goes back nor into fractions; and the replay is of what was done."""
    with Session(few_orders()) as session:
        session.advance(3_000)

        with pytest.raises(simulator.errors.BadInput):
            REFUSED[act](session)

        assert session.acts == ["advance(ms=3000)"]
        assert session.now_ms == 3_000
