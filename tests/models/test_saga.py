"""A saga's machine: what it awaits, what it makes of answers, and what its rules may not be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.patterns.sagas.deciding import (
    Rules,
    any_answer,
    any_step,
    awaited,
    decide,
    evolve,
    first_first,
    forgetting,
)
from models.patterns.sagas.order_saga import ORDER
from models.patterns.sagas.saga import (
    COMPENSATED,
    COMPENSATING,
    COMPLETED,
    DO,
    PIVOT,
    RETRIABLE,
    RUNNING,
    UNDO,
    Command,
    Fact,
    Reply,
    State,
    Step,
    TimedOut,
    saga,
)
from simulator import BadInput

NAMES = [step.name for step in ORDER]
PIVOT_AT = NAMES.index("charge")


def answered(state, *, done=True, rules=Rules(), steps=ORDER):  # noqa: B008 - a value
    """The state after an answer to what is awaited."""
    fact = decide(steps, state, Reply(awaited(steps, state), done), rules)
    return state if fact is None else evolve(steps, state, fact, rules)


def after(count, state=None):
    """The state after so many steps."""
    state = state or State("o-1")
    for _ in range(count):
        state = answered(state)
    return state


def test_steps_follow_each_other_to_the_end():
    state, asked = State("o-1"), []
    while (command := awaited(ORDER, state)) is not None:
        asked.append(command.step)
        state = answered(state)

    assert asked == NAMES
    assert state.phase == COMPLETED


def test_a_refusal_undoes_what_was_done_the_last_first():
    state = answered(after(2), done=False)
    undone = []
    while state.phase == COMPENSATING:
        undone.append(awaited(ORDER, state))
        state = answered(state)

    assert undone == [Command("o-1", name, UNDO) for name in ("reserve_credit", "create_order")]
    assert state.phase == COMPENSATED


def test_a_refusal_of_the_first_step_leaves_nothing_to_undo():
    assert answered(State("o-1"), done=False).phase == COMPENSATED


def test_a_step_that_does_not_answer_is_undone_too():
    """It may have been done, or may still be."""
    state = after(1)
    fact = decide(ORDER, state, TimedOut(awaited(ORDER, state)))

    assert fact == Fact("timed_out", "reserve_credit")
    assert evolve(ORDER, state, fact).undoing == ("reserve_credit", "create_order")


@pytest.mark.parametrize("count", range(PIVOT_AT, len(NAMES)))
def test_from_the_pivot_on_a_step_is_asked_for_again(count):
    state = after(count)
    fact = decide(ORDER, state, TimedOut(awaited(ORDER, state)))

    assert fact == Fact("asked_again", NAMES[count])
    later = evolve(ORDER, state, fact)
    assert awaited(ORDER, later) == awaited(ORDER, state)
    assert later.asked == 2


def test_a_refused_pivot_is_the_last_way_back():
    assert answered(after(PIVOT_AT), done=False).phase == COMPENSATING


def test_a_retriable_step_that_is_refused_is_still_awaited():
    state = after(PIVOT_AT + 1)

    assert answered(state, done=False) == state


def test_a_compensation_is_asked_for_until_it_is_done():
    state = answered(after(2), done=False)
    fact = decide(ORDER, state, TimedOut(awaited(ORDER, state)))

    assert fact == Fact("asked_again", "reserve_credit")
    assert answered(state, done=False).undoing == ("create_order",)  # It is not refused.


def test_an_alarm_for_what_is_no_longer_awaited_changes_nothing():
    assert decide(ORDER, after(2), TimedOut(Command("o-1", "create_order"))) is None


def test_who_has_ended_awaits_nothing():
    assert awaited(ORDER, State("o-1", COMPLETED)) is None
    assert decide(ORDER, State("o-1", COMPENSATED), Reply(Command("o-1", "ship"))) is None


@given(st.lists(st.tuples(st.sampled_from(("done", "refused", "late")), st.booleans())))
def test_whatever_is_answered_a_saga_is_forward_or_back_and_never_undoes_past_the_pivot(answers):
    state, back = State("o-1"), False
    for what, _ in answers:
        command = awaited(ORDER, state)
        if command is None:
            break
        told = TimedOut(command) if what == "late" else Reply(command, what == "done")
        fact = decide(ORDER, state, told)
        state = state if fact is None else evolve(ORDER, state, fact)
        assert not (back and state.phase in (RUNNING, COMPLETED))
        back = back or state.phase == COMPENSATING
        assert not (back and "charge" in state.done)


# --- Twins -------------------------------------------------------------------------------------


def test_any_answer_moves_the_twin():
    stale = Reply(Command("o-1", "create_order"))

    assert decide(ORDER, after(2), stale) is None
    assert decide(ORDER, after(2), stale, Rules(counts=any_answer)) == Fact("done", "create_order")
    assert decide(ORDER, after(2), Reply(Command("o-2", "ship")), Rules(counts=any_answer)) is None


def test_the_twin_gives_up_after_the_pivot():
    state = after(PIVOT_AT + 1)
    fact = decide(ORDER, state, TimedOut(awaited(ORDER, state)), Rules(gives_up=any_step))

    assert fact == Fact("timed_out", "pick")


def test_twins_undo_in_another_order_or_not_at_all():
    done = ("a", "b", "c")

    assert first_first(done) == done
    assert forgetting("b")(done) == ("c", "a")


def test_steps_stand_in_an_order_in_which_a_saga_can_end():
    ship, charge = Step("ship", "shipping", RETRIABLE), Step("charge", "payment", PIVOT)
    with pytest.raises(BadInput, match=r"ship \(retriable\), charge \(pivot\)"):
        saga(ship, charge)
    with pytest.raises(BadInput, match="one pivot"):
        saga(charge, charge)


def test_a_command_has_one_id():
    assert Command("o-1", "charge").id == "o-1/charge/do"
    assert Command("o-1", "charge", UNDO).id == "o-1/charge/undo"
    assert Command("o-1", "charge").verb == DO
