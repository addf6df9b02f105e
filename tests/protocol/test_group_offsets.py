"""Which commits a group accepts, and how long it keeps them."""

from simulator.protocol.assignors import Subscription
from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    RetentionCheck,
    State,
)
from simulator.protocol.messages import (
    OffsetFetchRequest,
)
from simulator.protocol.names import TopicPartition
from tests.groups import MINUTE_MS, T0, T1, Ledger


def test_the_current_generation_commits_while_stable_and_while_a_rebalance_is_prepared():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    assert ledger.commit(a, 1, 5) is Error.NONE

    ledger.join(b, said="changed")
    assert ledger.commit(a, 1, 6) is Error.NONE

    ledger.join(a)
    assert ledger.group.state is State.COMPLETING
    assert ledger.commit(a, 1, 7) is Error.ILLEGAL_GENERATION
    assert ledger.commit(a, 2, 7) is Error.REBALANCE_IN_PROGRESS
    assert ledger.group.committed(T0).offset == 6


def test_a_member_that_was_removed_cannot_commit():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    ledger.leave(b)

    assert ledger.commit(b, 1) is Error.UNKNOWN_MEMBER_ID
    assert ledger.commit(a, 0) is Error.ILLEGAL_GENERATION
    assert ledger.group.committed(T0) is None


def test_nobody_minds_whose_partition_it_is_nor_that_an_offset_goes_back():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    ledger.commit(a, 1, 9)

    assert ledger.commit(b, 1, 3) is Error.NONE
    assert ledger.group.committed(T0).offset == 3


def test_from_outside_offsets_are_committed_only_to_a_group_without_members():
    ledger = Ledger()
    assert ledger.commit("", -1, 4) is Error.NONE
    assert ledger.group.state is State.EMPTY

    (a,) = ledger.stable("a")
    assert ledger.commit("", -1) is Error.UNKNOWN_MEMBER_ID
    ledger.leave(a)
    assert ledger.commit("", -1) is Error.NONE


def test_a_generation_without_a_group_is_refused():
    assert Ledger().commit("a", 1) is Error.GROUP_ID_NOT_FOUND


def test_a_transaction_minds_member_and_generation_but_not_the_state():
    ledger = Ledger()
    a, _ = ledger.enter()
    ledger.wait(3_000)
    refusal = ledger.group.commit_refusal

    assert refusal(a, None, 1, transactional=False) is Error.REBALANCE_IN_PROGRESS
    assert refusal(a, None, 1, transactional=True) is None
    assert refusal(a, None, 0, transactional=True) is Error.ILLEGAL_GENERATION
    assert refusal("", None, -1, transactional=True) is None
    assert Ledger().group.commit_refusal("a", None, 1, transactional=True) is not None


def test_what_was_committed_can_be_fetched():
    ledger = Ledger()
    (a,) = ledger.stable("a")
    ledger.commit(a, 1, 5, T0)

    some = ledger.driven.ask(OffsetFetchRequest("g", (T1, T0)))
    everything = ledger.driven.ask(OffsetFetchRequest("g", None))

    assert [one.offset for one in some.offsets] == [-1, 5]
    assert [one.partition for one in everything.offsets] == [T0]
    assert Ledger().driven.ask(OffsetFetchRequest("g", (T0,))).offsets[0].offset == -1


def test_an_empty_group_keeps_its_offsets_from_the_moment_it_became_empty():
    ledger = Ledger(offsets_retention_minutes=10)
    (a,) = ledger.stable("a")
    ledger.commit(a, 1)
    ledger.wait(5_000)
    ledger.leave(a)

    ledger.wait(10 * MINUTE_MS - 1)
    ledger.driven.tell(RetentionCheck())
    assert ledger.group.committed(T0) is not None
    ledger.wait(1)
    ledger.driven.tell(RetentionCheck())

    assert ledger.group.committed(T0) is None
    assert ledger.group.state is State.ABSENT
    assert ledger.group.hard_state() == ()


def test_a_stable_group_keeps_the_offsets_of_topics_that_it_subscribes_to():
    ledger = Ledger(offsets_retention_minutes=1)
    (a,) = ledger.stable("a", said=Subscription(("t",)), session_ms=1_000_000)
    ledger.commit(a, 1, 5, T0)
    ledger.commit(a, 1, 5, TopicPartition("other", 0))
    ledger.wait(MINUTE_MS)

    ledger.driven.tell(RetentionCheck())

    assert ledger.group.committed(T0) is not None
    assert ledger.group.committed(TopicPartition("other", 0)) is None


def test_a_group_without_membership_keeps_each_commit_for_itself():
    ledger = Ledger(offsets_retention_minutes=1)
    ledger.commit("", -1, 1, T0)
    ledger.wait(MINUTE_MS // 2)
    ledger.commit("", -1, 1, T1)
    ledger.wait(MINUTE_MS // 2)

    ledger.driven.tell(RetentionCheck())

    assert ledger.group.committed(T0) is None
    assert ledger.group.committed(T1) is not None
    assert ledger.group.state is State.EMPTY
