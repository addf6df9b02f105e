"""A read model that follows its log: what crashes do to it, how far behind it is, and its gaps."""

from functools import partial

import pytest

from models.patterns.read_models import cqrs, following, gaps, projections, read_promises
from models.patterns.read_models.cqrs import Waiting
from models.patterns.read_models.follow_load import FollowLoad
from models.patterns.read_models.following import Write
from models.patterns.read_models.gaps import Gap, Place, Seen
from models.patterns.read_models.note_load import NoteLoad
from simulator import Crash, FaultPlan, Row, Scenario, Status, Trace, simulate

BROKEN, KEPT, CANNOT_TELL = Status.BROKEN, Status.KEPT, Status.CANNOT_TELL
MS = 1_000


def run(deploy=cqrs.deploy, faults=(), observers=(), **how):
    return simulate(
        Scenario(application=partial(deploy, **how), faults=FaultPlan(faults)),
        observers=observers,
    )


# --- The live model and the rebuilt one ---------------------------------------------------------


def rows(trace, node):
    """The read model of a store, as it is at last."""
    changes = [one for one in trace.flat if one[4][0] == "effect_applied" and one[2] == node]
    return {one[4][2]: one[4][3] for one in changes if one[4][1] == projections.MODEL}


@pytest.mark.parametrize("changes", [projections.counted, projections.held])
def test_a_model_that_begins_late_equals_the_live_one(changes):
    """A second model is made from the whole log, while the first has followed it live."""
    trace = run(
        quantities=(2, 3, 4), changes=changes,
        replicas=(("views", 20 * MS), ("rebuilt", 3_000 * MS)),
    )  # fmt: skip

    assert rows(trace, "views") == rows(trace, "rebuilt")
    assert sum(rows(trace, "views").values()) == 9
    assert read_promises.equals_replay(trace)


def test_an_inline_model_equals_one_that_follows():
    def client(context):
        return cqrs.write_then_read(context, (2, 3, 4), cqrs.plain_read, inline=True)

    trace = run(quantities=(), until=3, client=client)

    assert rows(trace, "ledger") == rows(trace, "views") == {"all": 9}
    assert read_promises.own_writes_seen(trace)


@pytest.mark.parametrize("at_ms", [30, 50, 70])
def test_a_crash_of_the_projector_costs_nothing_but_time(at_ms):
    trace = run(faults=(Crash("projector-0", at_ms=at_ms, down_ms=500),))

    assert read_promises.equals_replay(trace)
    assert read_promises.prefix_consistent(trace)


# --- Reading ------------------------------------------------------------------------------------


def answers(waiting, pause_ms):
    load = NoteLoad()
    run(
        quantities=(), until=2, replicas=(("views", pause_ms * MS),), observers=load.observers(),
        client=lambda context: cqrs.write_then_read(context, (1, 1), cqrs.read_after, waiting),
    )  # fmt: skip
    return [seen for _, seen, *_ in load.notes["answered"]]


def test_who_waits_long_enough_sees_what_was_written():
    assert answers(Waiting(), 200) == ["1", "2"]


def test_who_waits_too_short_is_told_so_and_not_something_older():
    assert answers(Waiting(timeout_ms=100), 2_000)[-1] == "late"


# --- Gaps: a policy, and what it sees -----------------------------------------------------------


def seen(*keys, xmin=10, xid=10, at_ms=0):
    """Rows at these positions; the transaction that wrote one has its number."""
    return Seen(tuple(Row(key, f"e{key}", key) for key in keys), xmin, xid, at_ms * MS)


def follow(policy, *looks):
    """The positions taken at each look, and the last place."""
    place, taken = Place(), []
    for look in looks:
        rows, place = policy(place, look)
        taken.append([row.key for row in rows])
    return taken, place


def test_an_id_cursor_loses_what_comes_late():
    assert follow(gaps.by_id, seen(2), seen(1, 2)) == ([[2], []], Place(2))


def test_a_reader_that_waits_takes_what_comes_late_in_its_place():
    assert follow(gaps.waits(gaps.never), seen(2), seen(1, 2, 3))[0] == [[], [1, 2, 3]]


def test_a_gap_is_passed_after_its_time():
    policy = gaps.waits(gaps.after(100))

    taken, place = follow(policy, seen(2), seen(2, at_ms=99), seen(2, at_ms=100))
    assert taken == [[], [], [2]]
    assert place == Place(2)


def test_a_gap_is_dead_once_all_have_ended_who_ran_when_it_was_seen():
    policy = gaps.waits(gaps.proven)

    taken, _ = follow(policy, seen(2, xmin=4, xid=7), seen(2, xmin=7), seen(2, xmin=8))
    assert taken == [[], [], [2]]


def test_all_gaps_grow_old_together():
    """Not one after the other: two holes are passed after the time of one."""
    policy = gaps.waits(gaps.after(100))

    assert follow(policy, seen(2, 4), seen(2, 4, at_ms=100))[0] == [[], [2, 4]]


def test_a_token_goes_on_and_comes_back():
    taken, place = follow(gaps.takes_later(), seen(2, 4), seen(1, 2, 4), seen(1, 2, 4, 5))

    assert taken == [[2, 4], [1], [5]]
    assert place == Place(5, (Gap(3, 0, 10),))


def test_a_token_forgets_a_gap_after_its_time():
    policy = gaps.takes_later(100)

    assert follow(policy, seen(2), seen(2, at_ms=100), seen(1, 2, at_ms=101))[0] == [[2], [], []]


def test_nothing_can_appear_before_the_oldest_transaction():
    """Row 2 is of a transaction younger than one that still runs."""
    taken, place = follow(gaps.below_xmin, seen(2, xmin=1), seen(1, 2, xmin=3), seen(1, 2, xmin=3))

    assert taken == [[], [1, 2], []]
    assert place == Place((2, 2))


def test_an_older_transaction_may_have_a_later_position():
    """Its row is taken before: the cursor is a pair, and what follows is not passed."""
    first = Seen((Row(2, "b", 5),), 6, 6, 0)
    then = Seen((Row(2, "b", 5), Row(1, "a", 7)), 8, 8, 0)

    assert follow(gaps.below_xmin, first, then)[0] == [[2], [1]]


def test_a_reader_goes_on_where_it_was_after_a_crash():
    load = FollowLoad()
    run(
        following.deploy, (Crash("follower", at_ms=120, down_ms=500),), load.observers(),
        writers=((Write("slow", 0, 100 * MS),), (Write("quick", 0, 10 * MS),)),
        policy=gaps.takes_later(), until_us=3_000 * MS,
    )  # fmt: skip

    assert load.skipped == (0, 2)
    assert load.stuck == (0, 2)
    assert len(load.latencies_us) == len(load.writes_us) == 2


# --- Promises -----------------------------------------------------------------------------------


def told(*entries, end="quiet"):
    """A trace of (table, key, value) in the store `views`, and of notes; one a millisecond."""
    trace = Trace()
    for at, entry in enumerate(entries):
        if len(entry) == 2:
            trace.record(at * MS, "client", (), ("noted", *entry))
        else:
            trace.record(at * MS, "views", (), ("effect_applied", *entry, ""))
    if end:
        trace.record(len(entries) * MS, "world", (), ("run_ended", end))
    return trace


LOGGED = ("log", 1, ("o-1", 2))
SHOWN, AGAIN = ("reserved", "all", 2), ("reserved", "all", 4)
AT_1, AT_0 = ("checkpoints", "reserved", 1), ("checkpoints", "reserved", 0)
FED = (("feed", 1, "slow"), ("feed", 2, "quick"))
FIRST, SECOND = ("applied", 1, "slow"), ("applied", 2, "quick")

PROMISES = [
    (read_promises.equals_replay, (LOGGED, SHOWN), (LOGGED, SHOWN, AGAIN)),
    (read_promises.prefix_consistent, (LOGGED,), (LOGGED, AT_1)),
    (read_promises.checkpoint_never_falls, (AT_0, AT_1), (AT_1, AT_0)),
    (read_promises.own_writes_seen, (("answered", "2 late 9 9"), ("answered", "2 2 9 9")),
     (("answered", "2 1 9 9"),)),
    (read_promises.never_back_in_time, (("read", "1"), ("read", "1")),
     (("read", "2"), ("read", "1"))),
    (read_promises.never_skipped, (*FED, FIRST), (*FED, SECOND)),
    (read_promises.never_stuck, (*FED, SECOND), (*FED, FIRST)),
]  # fmt: skip


@pytest.mark.parametrize(("check", "good", "bad"), PROMISES)
def test_a_promise_of_a_read_model_is_kept_or_broken(check, good, bad):
    assert check(told(*good)).status is KEPT
    assert check(told(*bad)).status is BROKEN


def test_a_change_and_its_checkpoint_of_one_moment_are_one():
    trace = Trace()
    for entry in (LOGGED, SHOWN, AT_1):
        trace.record(0, "views", (), ("effect_applied", *entry, ""))

    assert read_promises.prefix_consistent(trace)


@pytest.mark.parametrize("check", [one[0] for one in PROMISES])
def test_without_anything_to_judge_a_promise_says_so(check):
    verdict = check(told())

    assert verdict.status is KEPT
    assert verdict.reached == 0


@pytest.mark.parametrize(
    ("check", "open_"),
    [(read_promises.equals_replay, (LOGGED, AGAIN)), (read_promises.never_skipped, (*FED, SECOND)),
     (read_promises.never_stuck, (*FED, FIRST))],
)  # fmt: skip
def test_what_is_promised_of_the_end_cannot_be_told_before(check, open_):
    assert check(told(*open_, end="horizon")).status is CANNOT_TELL
