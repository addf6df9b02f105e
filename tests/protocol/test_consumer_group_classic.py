"""Live upgrade: a classic group becomes a consumer group and back, with its members in it."""

import pytest

from simulator.protocol.consumer_group import ConsumerGroup
from simulator.protocol.consumer_group_conversion import (
    downgrade_refusal,
    downgraded,
    upgrade_refusal,
    upgraded,
)
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    GroupConverted,
    MemberState,
)
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_state import State
from simulator.protocol.subscriptions import Subscription
from tests.consumer_groups import T0, T1, T2, T3, Ledger, rules
from tests.groups import Ledger as ClassicLedger

SAID = Subscription(("t",))


def classic_group(*clients, given=((T0, T1), (T2, T3)), said=SAID, **more):
    """A Stable classic group of these clients, in generation 1."""
    ledger = ClassicLedger()
    entered = [ledger.enter(client, said=said, **more) for client in clients]
    ledger.wait(6_000)
    ids = [member_id for member_id, _ in entered]
    if ids:
        ledger.sync(ids[0], 1, zip(ids, given, strict=False))
    for member_id in ids[1:]:
        ledger.sync(member_id, 1)
    return ledger.group, ids


def converted(group, by=None):
    """The consumer group that comes of a classic one, driven on from its facts."""
    ledger = Ledger(by=by)
    ledger.driven.disk = [*upgraded(group)[1:]]  # The first tells which machine it is.
    ledger.driven.start()
    return ledger


def test_generation_and_assignment_become_epoch_and_target():
    group, (a, b) = classic_group("a", "b")
    ledger = converted(group)

    assert (ledger.group.group_epoch, ledger.group.target_epoch) == (1, 1)
    assert dict(ledger.group.targets) == {a: (T0, T1), b: (T2, T3)}
    assert {one.state for one in ledger.group.members} == {MemberState.STABLE}
    assert ledger.commit(a, 1) is Error.NONE
    assert ledger.commit(a, 0) is Error.ILLEGAL_GENERATION, "in the words it knows"
    assert ledger.classic_beat(a, 1) is Error.NONE


def test_members_are_moved_to_the_new_protocol_one_by_one_and_nothing_is_owned_twice():
    """b is stopped and comes back as n, which speaks the new protocol; then a, as m."""
    group, (a, b) = classic_group("a", "b")
    ledger = converted(group)
    assert ledger.join("n").assignment == ()
    assert ledger.classic_beat(a, 1) is Error.REBALANCE_IN_PROGRESS
    assert ledger.classic_leave(b) == [Error.NONE]
    assert len(ledger.beat("n", 2).assignment) == 2, "what b held is free"

    told = ledger.classic_join(a, owned=(T0, T1))
    assert (told.error, told.generation, told.members) == (Error.NONE, 3, ())
    assert ledger.classic_sync(a, 3).assignment == (T0, T1)
    assert ledger.classic_beat(a, 3) is Error.NONE
    assert ledger.group.state is ConsumerGroupState.STABLE

    assert ledger.classic_leave(a) == [Error.NONE]
    ledger.join("m")
    given = ledger.settled("m", "n")
    assert sorted(given["m"] + given["n"]) == [T0, T1, T2, T3]


def test_a_classic_member_is_told_to_give_back_by_a_new_generation():
    """It joins with what it owns, is told less, gives the rest back, and joins again."""
    group, (a,) = classic_group("a", given=((T0, T1, T2, T3),))
    ledger = converted(group)
    ledger.join("n")
    assert ledger.classic_beat(a, 1) is Error.REBALANCE_IN_PROGRESS

    told = ledger.classic_join(a, owned=(T0, T1, T2, T3))
    assert told.generation == 1
    assert ledger.classic_sync(a, 1).assignment == (T0, T1)
    assert ledger.beat("n", 2).assignment is None
    assert ledger.classic_beat(a, 1) is Error.REBALANCE_IN_PROGRESS
    assert ledger.classic_join(a, owned=(T0, T1)).generation == 2
    assert ledger.classic_sync(a, 2).assignment == (T0, T1)
    assert ledger.beat("n", 2).assignment == (T2, T3)


def test_a_classic_member_that_waits_is_told_when_all_of_it_is_free():
    ledger = Ledger()
    ledger.join("n")
    c = ledger.classic_enter().member_id
    assert ledger.classic_sync(c, 2).assignment == ()
    assert ledger.classic_beat(c, 2) is Error.NONE
    ledger.beat("n", 1)
    ledger.beat("n", 1, ledger.member("n").assigned)

    assert ledger.classic_beat(c, 2) is Error.REBALANCE_IN_PROGRESS
    ledger.classic_join(c)
    assert len(ledger.classic_sync(c, 2).assignment) == 2


def test_an_eager_member_owns_nothing_when_it_joins_so_it_waits_for_nobody():
    group, (a,) = classic_group("a", given=((T0, T1, T2, T3),))
    ledger = converted(group)
    ledger.join("n")

    assert ledger.classic_join(a).generation == 2
    assert ledger.beat("n", 2).assignment == (T2, T3)


def test_a_classic_member_that_does_not_join_again_or_sync_is_fenced():
    group, (a,) = classic_group("a")
    ledger = converted(group)
    ledger.join("n")
    for _ in range(6):
        ledger.classic_beat(a, 1), ledger.beat("n", 2)
        ledger.wait(5_000)
    assert ledger.removals() == [(a, "never_joined")]

    c = ledger.classic_enter().member_id
    for _ in range(6):
        ledger.classic_beat(c, ledger.member(c).epoch), ledger.beat("n", ledger.member("n").epoch)
        ledger.wait(5_000)
    assert ledger.removals()[1:] == [(c, "never_synced")]


def test_a_classic_member_has_its_own_session_timeout():
    group, (a,) = classic_group("a")
    ledger = converted(group)
    ledger.wait(10_000)

    assert ledger.removals() == [(a, "session_timeout")]


def test_a_classic_static_member_takes_its_instance_over_without_asking():
    ledger = Ledger()
    ledger.join("n")
    old = ledger.classic_join(static="i", known=False).member_id
    new = ledger.classic_join(static="i", known=False).member_id

    assert old != new
    assert ledger.classic_beat(old, 2, static="i") is Error.FENCED_INSTANCE_ID
    assert ledger.classic_sync(new, 2, static="i").error is Error.NONE
    assert ledger.classic_leave(("", "i")) == [Error.NONE]


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda g, _: g.classic_join(protocol="own").error, Error.INCONSISTENT_GROUP_PROTOCOL),
        (lambda g, _: g.classic_beat("n", 1), Error.UNKNOWN_MEMBER_ID),
        (lambda g, _: g.classic_beat("nobody", 1), Error.UNKNOWN_MEMBER_ID),
        (lambda g, c: g.classic_beat(c, 7), Error.ILLEGAL_GENERATION),
        (lambda g, c: g.classic_sync(c, 7).error, Error.ILLEGAL_GENERATION),
        (lambda g, c: g.classic_sync(c, 2, static="i").error, Error.UNKNOWN_MEMBER_ID),
        (lambda g, _: g.classic_leave("n")[0], Error.UNKNOWN_MEMBER_ID),
    ],
)
def test_who_may_not_speak_classically_is_told_why(ask, error):
    ledger = Ledger()
    ledger.join("n")
    c = ledger.classic_enter().member_id
    before = ledger.group.hard_state()

    assert ask(ledger, c) is error
    assert ledger.group.hard_state() == before


# --- Which groups may ------------------------------------------------------------------------


def test_a_classic_group_is_upgraded_if_it_is_allowed_and_says_its_subscriptions():
    group, _ = classic_group("a", "b")
    assert upgrade_refusal(group, Rules()) is None
    assert upgrade_refusal(group, rules(group_consumer_migration_policy="upgrade")) is None
    for policy in ("downgrade", "disabled"):
        by = rules(group_consumer_migration_policy=policy)
        assert "migration.policy" in upgrade_refusal(group, by)
    assert "max.size" in upgrade_refusal(group, rules(group_consumer_max_size=1))
    twice, _ = classic_group("a", "b", given=((T0, T1), (T1, T2)))
    assert "two members" in upgrade_refusal(twice, Rules())
    other, _ = classic_group("a", said="something of its own")
    assert "subscribe" in upgrade_refusal(other, Rules())


def test_a_group_without_members_becomes_what_the_first_to_join_speaks():
    group = Group("g")
    disabled = rules(group_consumer_migration_policy="disabled")

    assert upgrade_refusal(group, disabled) is None
    assert converted(group).join("n").member_epoch == 1
    empty = ConsumerGroup("g")
    assert downgrade_refusal(empty, disabled) is None
    assert downgraded(empty, 0, 0) == (GroupConverted("classic"),)


def test_a_group_goes_back_when_the_last_member_of_the_new_protocol_is_gone():
    group, (a, _) = classic_group("a", "b")
    ledger = converted(group)
    ledger.join("n")
    assert "new protocol" in downgrade_refusal(ledger.group, Rules())
    ledger.leave("n")
    assert downgrade_refusal(ledger.group, Rules()) is None
    upgrade_only = rules(group_consumer_migration_policy="upgrade")
    assert "policy" in downgrade_refusal(ledger.group, upgrade_only)
    assert "max.size" in downgrade_refusal(ledger.group, rules(classic={"group_max_size": 1}))

    converts, record = downgraded(ledger.group, 3, 5)
    assert converts == GroupConverted("classic")
    back = Group("g")
    back.apply(record)
    for fact in back.recover(5).facts:
        back.apply(fact)
    assert (back.state, back.generation, back.leader) == (State.STABLE, 3, a)
    assert [one.assignment for one in back.members] == [(T0, T1), (T2, T3)]
