"""A consumer group of KIP-848: epochs, who may speak, and what is given to whom and when."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.consumer_group_config import ConsumerGroupConfig
from simulator.protocol.consumer_group_reconciling import reconcile
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    ConsumerGroupStateChanged,
    ConsumerMember,
    MemberState,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_state import RetentionCheck, Unload
from simulator.protocol.messages import OffsetFetchRequest
from simulator.protocol.names import TopicPartition
from tests.consumer_groups import REBALANCE_MS, T0, T1, T2, T3, Ledger, rules

STABLE, UNREVOKED, UNRELEASED = (
    MemberState.STABLE,
    MemberState.UNREVOKED_PARTITIONS,
    MemberState.UNRELEASED_PARTITIONS,
)


# --- A member's next step --------------------------------------------------------------------

STEPS = [
    # state, epoch, assigned, revoking | target epoch, target, owned, held | what it comes to
    ("nothing new", (STABLE, 5, (T0,), ()), (5, (T0,), None, ()), (STABLE, 5, (T0,), ())),
    ("a new epoch alone", (STABLE, 5, (T0,), ()), (6, (T0,), None, ()), (STABLE, 6, (T0,), ())),
    ("takes what is free", (STABLE, 5, (T0,), ()), (6, (T0, T1), None, ()),
     (STABLE, 6, (T0, T1), ())),
    ("waits for what is held", (STABLE, 5, (T0,), ()), (6, (T0, T1), None, (T1,)),
     (UNRELEASED, 6, (T0,), ())),
    ("takes the free part", (STABLE, 5, (), ()), (6, (T1, T2), None, (T1,)),
     (UNRELEASED, 6, (T2,), ())),
    ("gets the rest", (UNRELEASED, 6, (T2,), ()), (6, (T1, T2), None, ()),
     (STABLE, 6, (T1, T2), ())),
    ("gives back before it takes", (STABLE, 5, (T0, T1), ()), (6, (T0, T2), None, ()),
     (UNREVOKED, 5, (T0,), (T1,))),
    ("gives back, while it waits", (UNRELEASED, 5, (T0,), ()), (6, (T2,), (T0,), (T0,)),
     (UNREVOKED, 5, (), (T0,))),
    ("has already given back", (STABLE, 5, (T0, T1), ()), (6, (T0, T2), (T0,), (T0, T1)),
     (STABLE, 6, (T0, T2), ())),
    ("does not say", (UNREVOKED, 5, (T0,), (T1,)), (6, (T0,), None, (T0, T1)),
     (UNREVOKED, 5, (T0,), (T1,))),
    ("still has it", (UNREVOKED, 5, (T0,), (T1,)), (6, (T0,), (T0, T1), (T0, T1)),
     (UNREVOKED, 5, (T0,), (T1,))),
    ("has given back", (UNREVOKED, 5, (T0,), (T1,)), (6, (T0, T2), (T0,), (T0, T1)),
     (STABLE, 6, (T0, T2), ())),
    ("more to give back meanwhile", (UNREVOKED, 5, (T0,), (T1,)), (8, (), (T0,), (T0, T1)),
     (UNREVOKED, 6, (), (T0,))),
    ("gets back what it gives back a step later", (UNREVOKED, 5, (T0,), (T1,)),
     (7, (T0, T1), (T0,), (T0, T1)), (UNRELEASED, 7, (T0,), ())),
]  # fmt: skip


@pytest.mark.parametrize(("before", "to", "after"), [one[1:] for one in STEPS],
                         ids=[one[0] for one in STEPS])  # fmt: skip
def test_a_member_gives_back_first_and_then_takes_what_is_free(before, to, after):
    state, epoch, assigned, revoking = before
    member = ConsumerMember("m", state=state, epoch=epoch, assigned=assigned, revoking=revoking)
    moved = reconcile(member, *to)

    assert (moved.state, moved.epoch, moved.assigned, moved.revoking) == after
    assert moved is member or moved.previous_epoch == epoch


# --- Epochs and targets ----------------------------------------------------------------------


def test_the_first_member_has_everything_at_once():
    ledger = Ledger()
    told = ledger.join("a")

    assert (told.error, told.member_epoch, told.assignment) == (Error.NONE, 1, (T0, T1, T2, T3))
    assert told.heartbeat_interval_ms == 5_000
    assert ledger.group.state is ConsumerGroupState.STABLE
    assert (ledger.group.group_epoch, ledger.group.target_epoch) == (1, 1)


def test_a_partition_changes_hands_only_after_it_was_given_back():
    ledger = Ledger()
    ledger.join("a")
    assert ledger.join("b")[2:] == (2, 5_000, ())
    assert ledger.beat("a", 1).assignment == (T0, T1)
    assert ledger.beat("b", 2).assignment is None, "a has not said that it gave anything back"
    assert ledger.beat("a", 1, (T0, T1, T2, T3)).member_epoch == 1

    assert ledger.beat("a", 1, (T0, T1)).member_epoch == 2
    assert ledger.beat("b", 2).assignment == (T2, T3)
    assert ledger.group.state is ConsumerGroupState.STABLE
    assert ledger.group.partition_epoch(T2) == 2


def test_each_change_bumps_the_group_and_nothing_else_does():
    ledger = Ledger()
    epochs = []

    def note():
        epochs.append(ledger.group.group_epoch)

    ledger.join("a"), note()
    ledger.beat("a", 1), note()  # A heartbeat: nothing.
    ledger.beat("a", 1, rack_id="r"), note()  # A rack, an assignor: nothing.
    ledger.beat("a", 1, server_assignor="range"), note()
    ledger.beat("a", 1, topics=("t",)), note()  # The same subscription: nothing.
    ledger.beat("a", 1, topics=("t", "u")), note()  # Another one.
    ledger.change_topics(w=3), ledger.beat("a", 2), note()  # A topic of nobody's: nothing.
    ledger.change_topics(t=5), note()  # Not before a heartbeat comes.
    ledger.beat("a", 2), note()
    ledger.change_topics(t=None), ledger.beat("a", 3), note()
    ledger.leave("a"), note()

    assert epochs == [1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5]


def test_a_deleted_topic_is_taken_from_its_members():
    ledger = Ledger()
    ledger.join("a", topics=("t", "u"))
    ledger.change_topics(t=None)

    assert {one.topic for one in ledger.beat("a", 1).assignment} == {"u"}
    assert ledger.settled("a")["a"] == ledger.group.targets["a"]


def test_a_topic_made_anew_with_fewer_partitions_has_no_more_than_these():
    ledger = Ledger()
    ledger.join("a")
    ledger.change_topics(t=2)

    assert ledger.settled("a")["a"] == (T0, T1)


def test_a_topic_that_is_not_there_yet_may_be_subscribed_to():
    ledger = Ledger()
    assert ledger.join("a", topics=("later",)).assignment == ()
    ledger.change_topics(later=1)

    assert len(ledger.beat("a", 1).assignment) == 1


def test_an_answer_tells_the_assignment_if_it_changed_or_everything_was_said():
    ledger = Ledger()
    ledger.join("a")

    assert ledger.beat("a", 1).assignment is None
    assert ledger.beat("a", 1, (T0, T1, T2, T3)).assignment is None
    full = {"topics": ("t",), "rebalance_timeout_ms": REBALANCE_MS}
    assert ledger.beat("a", 1, (T0, T1, T2, T3), **full).assignment == (T0, T1, T2, T3)


def test_most_members_choose_the_assignor_else_the_first_is_taken():
    ledger = Ledger()
    ledger.join("a", topics=("t", "u"))
    assert ledger.describe().assignor == "uniform"
    ledger.join("b", topics=("t", "u"), server_assignor="range")
    assert ledger.describe().assignor == "range"

    given = ledger.settled("a", "b")
    assert [one.partition for one in given["a"]] == [0, 1, 0], "range lines topics up"
    other = Ledger(by=rules(group_consumer_assignors="range"))
    assert other.join("a", server_assignor="uniform").error is Error.UNSUPPORTED_ASSIGNOR


# --- Who may speak -----------------------------------------------------------------------------

W0 = TopicPartition("w", 0)
REFUSED = [
    ("without a name", {"member_id": " ", "epoch": 1}, Error.INVALID_REQUEST),
    ("joins and holds something", {"member_id": "b", "epoch": 0, "owned": (T0,),
     "topics": ("t",), "rebalance_timeout_ms": 1}, Error.INVALID_REQUEST),
    ("joins without a subscription", {"member_id": "b", "epoch": 0, "owned": (),
     "rebalance_timeout_ms": 1}, Error.INVALID_REQUEST),
    ("joins without a rebalance timeout", {"member_id": "b", "epoch": 0, "owned": (),
     "topics": ("t",)}, Error.INVALID_REQUEST),
    ("an epoch below -2", {"member_id": "a", "epoch": -3}, Error.INVALID_REQUEST),
    ("a dynamic member leaves for a while", {"member_id": "a", "epoch": -2},
     Error.INVALID_REQUEST),
    ("an unknown member", {"member_id": "b", "epoch": 2}, Error.UNKNOWN_MEMBER_ID),
    ("an unknown member leaves", {"member_id": "b", "epoch": -1}, Error.UNKNOWN_MEMBER_ID),
    ("an epoch ahead", {"member_id": "a", "epoch": 3}, Error.FENCED_MEMBER_EPOCH),
    ("the epoch before, and holds less", {"member_id": "a", "epoch": 1, "owned": ()}, Error.NONE),
    ("the epoch before, and does not say what it holds", {"member_id": "a", "epoch": 1},
     Error.FENCED_MEMBER_EPOCH),
    ("the epoch before, and holds more", {"member_id": "a", "epoch": 1, "owned": (W0,)},
     Error.FENCED_MEMBER_EPOCH),
    ("no such assignor", {"member_id": "a", "epoch": 2, "server_assignor": "sticky"},
     Error.UNSUPPORTED_ASSIGNOR),
    ("an unknown instance", {"member_id": "a", "epoch": 2, "static": "i"},
     Error.UNKNOWN_MEMBER_ID),
]  # fmt: skip


@pytest.mark.parametrize(("said", "error"), [one[1:] for one in REFUSED],
                         ids=[one[0] for one in REFUSED])  # fmt: skip
def test_who_may_not_speak_is_told_why_and_nothing_changes(said, error):
    """a is in epoch 2, and was in epoch 1 before."""
    ledger = Ledger()
    ledger.join("a", topics=("u",))
    ledger.beat("a", 1, topics=("u", "t"))
    before, facts = ledger.group.hard_state(), len(ledger.driven.facts)
    assert ledger.member("a").epoch == 2

    answer = ledger.beat(**said)

    assert answer.error is error
    assert ledger.group.hard_state() == before
    if error is not Error.NONE:
        assert len(ledger.driven.facts) == facts


def test_a_group_that_is_not_there_is_not_made_by_a_heartbeat():
    assert Ledger().beat("a", 1).error is Error.GROUP_ID_NOT_FOUND
    assert Ledger().leave("a") is Error.GROUP_ID_NOT_FOUND


def test_a_full_group_takes_nobody():
    ledger = Ledger(by=rules(group_consumer_max_size=1))
    ledger.join("a")

    assert ledger.join("b").error is Error.GROUP_MAX_SIZE_REACHED
    assert ledger.beat("a", 1).error is Error.NONE


def test_a_lost_answer_is_told_again():
    """The member still names the epoch before, and holds nothing that it may not hold."""
    ledger = Ledger()
    ledger.join("a")
    again = ledger.join("a")
    assert (again.error, again.member_epoch, again.assignment) == (Error.NONE, 1, (T0, T1, T2, T3))

    ledger.join("b")
    ledger.settled("a", "b")
    ledger.leave("b")
    assert ledger.beat("a", 2).assignment == (T0, T1, T2, T3)  # Lost.
    told = ledger.beat("a", 2, (T0, T1))
    assert (told.error, told.member_epoch) == (Error.NONE, 3)


def test_who_was_fenced_is_fenced_again_until_its_session_has_ended():
    """As in Kafka 4.0 (KAFKA-19233)."""
    ledger = Ledger()
    ledger.join("a")
    ledger.beat("a", 1, topics=("t", "u"))
    ledger.beat("a", 2, topics=("t",))
    ledger.settled("a")
    assert ledger.member("a").epoch == 3

    assert ledger.join("a").error is Error.FENCED_MEMBER_EPOCH
    ledger.wait(45_000)
    assert ledger.join("a").error is Error.NONE


# --- Static members ----------------------------------------------------------------------------


def test_an_instance_is_free_only_when_its_member_has_left_for_a_while():
    ledger = Ledger()
    ledger.join("a", static="i")
    assert ledger.join("a2", static="i").error is Error.UNRELEASED_INSTANCE_ID

    assert ledger.leave("a", static="i", epoch=-2) is Error.NONE
    told = ledger.join("a2", static="i")
    assert (told.member_epoch, told.assignment) == (1, (T0, T1, T2, T3)), "no new target"
    assert ledger.group.group_epoch == 1
    assert [one.member_id for one in ledger.group.members] == ["a2"]
    assert ledger.beat("a", 1, static="i").error is Error.FENCED_INSTANCE_ID


def test_what_an_absent_static_member_held_is_given_to_nobody_until_its_session_ends():
    ledger = Ledger()
    ledger.join("a", static="i")
    ledger.join("b", static="j")
    before = ledger.settled("a", "b")
    ledger.leave("a", static="i", epoch=-2)
    assert ledger.group.state is ConsumerGroupState.RECONCILING
    assert ledger.beat("a", 2, static="i").error is Error.FENCED_MEMBER_EPOCH

    for _ in range(8):
        assert ledger.beat("b", 2, static="j").assignment is None
        ledger.wait(5_000)
    assert ledger.group.partition_epoch(before["a"][0]) == -2
    ledger.wait(5_000)
    assert ledger.removals() == [("a", "session_timeout")]
    assert ledger.beat("b", 2, static="j").assignment == (T0, T1, T2, T3)


def test_a_static_member_that_comes_back_to_less_gives_it_back_unasked():
    """It joins with nothing in its hands; what is not in its target any more is free at once."""
    ledger = Ledger()
    ledger.join("a", static="i")
    ledger.leave("a", static="i", epoch=-2)
    assert ledger.join("b").assignment == ()

    assert ledger.join("a2", static="i").member_epoch == 2
    assert len(ledger.member("a2").assigned) == 2
    assert len(ledger.beat("b", 2).assignment) == 2


def test_a_static_member_that_leaves_for_good_is_gone():
    ledger = Ledger()
    ledger.join("a", static="i")

    assert ledger.leave("a", static="i") is Error.NONE
    assert ledger.join("b", static="i").error is Error.NONE


# --- Timeouts ----------------------------------------------------------------------------------


def test_a_silent_member_is_removed_and_what_it_held_is_free():
    ledger = Ledger()
    ledger.join("a")
    ledger.join("b")
    ledger.settled("a", "b")
    for _ in range(9):
        ledger.wait(5_000)
        ledger.beat("b", ledger.member("b").epoch)

    assert ledger.removals() == [("a", "session_timeout")]
    assert ledger.member("b").assigned == (T0, T1, T2, T3)


def test_a_refused_heartbeat_keeps_nobody_alive():
    ledger = Ledger()
    ledger.join("a")
    for _ in range(9):
        ledger.wait(5_000)
        ledger.beat("a", 7)

    assert ledger.removals() == [("a", "session_timeout")]


def test_who_does_not_give_back_in_time_is_fenced_though_it_beats():
    """The rebalance timeout is the member's own (max.poll.interval.ms, mostly)."""
    ledger = Ledger()
    ledger.join("a")
    ledger.join("b")
    for _ in range(5):
        ledger.beat("a", 1, (T0, T1, T2, T3))
        ledger.beat("b", 2)
        ledger.wait(5_000)
    ledger.beat("a", 1)
    ledger.wait(4_999)
    assert ledger.removals() == []
    ledger.wait(1)

    assert ledger.removals() == [("a", "rebalance_timeout")]
    assert ledger.beat("a", 1).error is Error.UNKNOWN_MEMBER_ID
    assert ledger.beat("b", 2).assignment == (T0, T1, T2, T3)


def test_who_gives_back_in_time_is_waited_for_no_longer():
    ledger = Ledger()
    ledger.join("a")
    ledger.join("b")
    ledger.beat("a", 1)
    ledger.beat("a", 1, (T0, T1))
    for _ in range(12):
        ledger.wait(5_000)
        ledger.beat("a", 2), ledger.beat("b", 2)

    assert ledger.removals() == []


# --- Offsets -----------------------------------------------------------------------------------


def test_a_member_commits_in_its_own_epoch_and_in_no_other():
    ledger = Ledger()
    ledger.join("a")
    ledger.join("b")
    ledger.beat("a", 1)
    assert ledger.commit("a", 1, 5, T3) is Error.NONE, "it still gives T3 back"
    ledger.beat("a", 1, (T0, T1))

    assert ledger.commit("a", 1, 6) is Error.STALE_MEMBER_EPOCH
    assert ledger.commit("a", 2, 6) is Error.NONE
    assert ledger.commit("c", 2) is Error.UNKNOWN_MEMBER_ID
    assert ledger.commit("", -1) is Error.UNKNOWN_MEMBER_ID
    assert ledger.commit("b", 2, 2) is Error.NONE, "nobody minds whose partition it is"
    refusal = ledger.group.commit_refusal
    assert refusal("a", None, 1, transactional=True) is Error.ILLEGAL_GENERATION


def test_from_outside_offsets_are_committed_only_to_a_group_without_members():
    ledger = Ledger()
    assert ledger.commit("", 3) is Error.GROUP_ID_NOT_FOUND
    assert ledger.commit("", -1, 4) is Error.NONE
    assert ledger.group.state is ConsumerGroupState.EMPTY
    ledger.join("a")
    ledger.leave("a")

    assert ledger.commit("", -1, 7) is Error.NONE
    assert ledger.driven.ask(OffsetFetchRequest("g", (T0,))).offsets[0].offset == 7


def test_a_member_reads_offsets_in_its_own_epoch():
    ledger = Ledger()

    def told(member_id, epoch):
        asked = OffsetFetchRequest("g", (T0,), member_id=member_id, member_epoch=epoch)
        return ledger.driven.ask(asked).error

    assert told("a", 1) is Error.NONE
    ledger.join("a")

    assert told(None, -1) is Error.NONE
    assert told("a", 1) is Error.NONE
    assert told("a", 2) is Error.STALE_MEMBER_EPOCH
    assert told("b", 1) is Error.UNKNOWN_MEMBER_ID


def test_commits_are_no_heartbeat():
    ledger = Ledger()
    ledger.join("a")
    for _ in range(9):
        ledger.wait(5_000)
        ledger.commit("a", 1)

    assert ledger.removals() == [("a", "session_timeout")]


def test_offsets_of_topics_that_somebody_subscribes_to_are_kept():
    ledger = Ledger(by=rules(classic={"offsets_retention_minutes": 1}))
    ledger.commit("", -1)
    ledger.join("a")
    ledger.wait(44_000), ledger.beat("a", 1), ledger.wait(44_000), ledger.beat("a", 1)
    ledger.driven.tell(RetentionCheck())
    assert ledger.group.committed(T0) is not None
    ledger.leave("a")
    ledger.driven.tell(RetentionCheck())

    assert ledger.group.committed(T0) is None
    assert ledger.group.state is ConsumerGroupState.ABSENT
    assert ledger.group.hard_state() == ()
    assert ledger.join("a").member_epoch == 1


# --- Restarts, and being told ------------------------------------------------------------------


def test_a_new_coordinator_knows_who_holds_what_and_waits_for_everybody_anew():
    ledger = Ledger()
    ledger.join("a")
    ledger.join("b")
    ledger.beat("a", 1)
    before = ledger.group.hard_state()
    ledger.wait(20_000)
    ledger.driven.start()

    assert ledger.group.hard_state() == before
    assert ledger.group.state is ConsumerGroupState.RECONCILING
    ledger.wait(29_999)
    assert ledger.removals() == []
    ledger.wait(1)
    assert ledger.removals() == [("a", "rebalance_timeout")]
    ledger.wait(15_000)
    assert ledger.removals()[1:] == [("b", "session_timeout")]


def test_topics_that_changed_while_nobody_coordinated_are_seen():
    ledger = Ledger()
    ledger.join("a")
    ledger.topics["t"] = 5
    ledger.driven.start()

    assert len(ledger.beat("a", 1).assignment) == 5


def test_a_coordinator_that_gave_the_group_up_sends_everybody_away():
    ledger = Ledger()
    ledger.join("a")
    ledger.driven.tell(Unload())

    assert ledger.driven.timers == {}
    assert ledger.group.state is ConsumerGroupState.DEAD
    assert ledger.beat("a", 1).error is Error.NOT_COORDINATOR
    assert ledger.commit("a", 1) is Error.COORDINATOR_NOT_AVAILABLE


def test_the_group_can_be_described():
    ledger = Ledger()
    assert ledger.describe().error is Error.GROUP_ID_NOT_FOUND
    ledger.join("a")
    ledger.join("b", static="i")
    ledger.beat("a", 1)
    told = ledger.describe()

    assert (told.state, told.group_epoch, told.assignment_epoch) == ("Reconciling", 2, 2)
    a, b = told.members
    assert (a.member_epoch, a.assignment, a.target) == (1, (T0, T1), (T0, T1))
    assert (b.group_instance_id, b.assignment, b.target) == ("i", (), (T2, T3))


def test_the_states_are_gone_through_in_kafkas_order():
    ledger = Ledger()
    ledger.join("a"), ledger.join("b"), ledger.settled("a", "b"), ledger.leave("b")
    ledger.settled("a"), ledger.leave("a")
    s = ConsumerGroupState

    changes = [f for f in ledger.driven.facts if isinstance(f, ConsumerGroupStateChanged)]
    assert [one.after for one in changes] == [
        s.STABLE, s.RECONCILING, s.STABLE, s.ASSIGNING, s.STABLE, s.EMPTY
    ]  # fmt: skip


def test_settings_have_kafkas_names_defaults_and_bounds():
    parse = ConsumerGroupConfig.parse
    assert parse({"group.consumer.assignors": "range, uniform"}).group_consumer_assignors == (
        "range",
        "uniform",
    )
    assert parse({"group.consumer.migration.policy": "UPGRADE"}).downgrades is False
    for name, value, text in (
        ("group.consumer.session.timeout.ms", 10_000, "out of bounds"),
        ("group.consumer.assignors", "sticky", "no such assignor"),
        ("group.consumer.assignors", "range,range", "twice"),
        ("group.consumer.migration.policy", "both", "one of"),
        ("group.consumer.sessions", 1, "unknown setting"),
    ):
        with pytest.raises(BadInput, match=text):
            parse({name: value})
