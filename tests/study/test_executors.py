"""Whoever runs the items, the answers are the same; and what was computed is kept."""

from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from simulator.errors import BadInput
from simulator.study.executors import PartialResults, run_all
from tests.study.fake import dies_at_seven, double, fails_at_seven


class Backwards(Executor):
    """An executor which is asked for all, and then runs the last first."""

    def __init__(self):
        self.waiting = []

    def submit(self, function, /, *arguments, **named):
        future = Future()
        self.waiting.append((future, function, arguments))
        if len(self.waiting) == 5:
            for future_, function_, arguments_ in reversed(self.waiting):
                future_.set_result(function_(*arguments_))
        return future


def test_answers_stand_in_the_order_of_the_items_whoever_computes_them():
    items = list(range(25))
    expected = [2 * item for item in items]

    assert run_all(double, items, workers=1) == expected
    assert run_all(double, items, workers=2) == expected
    assert run_all(double, items, executor=Backwards(), chunk=5) == expected
    with ThreadPoolExecutor(3) as threads:
        assert run_all(double, items, executor=threads) == expected
        assert run_all(double, items, executor=threads, chunk=1) == expected
        assert run_all(double, items, executor=threads, chunk=1_000) == expected
    assert run_all(double, []) == []


def test_an_executor_that_was_given_stays_open():
    with ThreadPoolExecutor(1) as threads:
        run_all(double, [1], executor=threads)

        assert threads.submit(double, 4).result() == 8


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("threads", [None, 1, 4])
def test_the_first_failing_item_is_named_and_what_came_before_is_kept(threads, chunk):
    """Items 7 to 39 all fail; whoever runs them, it is 7 that is reported."""
    executor = None if threads is None else ThreadPoolExecutor(threads)

    with pytest.raises(PartialResults, match=r"item 7 \(7\) failed: ValueError: no 7") as caught:
        run_all(fails_at_seven, list(range(40)), executor=executor, workers=1, chunk=chunk)

    assert [caught.value.answers[index] for index in range(7)] == list(range(7))
    assert 7 not in caught.value.answers
    assert "7 of 40 items were computed and are kept" in str(caught.value)
    assert "fails_at_seven" in caught.value.failure.traceback
    if executor is not None:
        executor.shutdown()


def test_a_failure_in_another_process_arrives_as_text():
    with pytest.raises(PartialResults, match="no 7") as caught:
        run_all(fails_at_seven, list(range(9)), workers=2, chunk=2)

    assert caught.value.failure.kind == "ValueError"
    assert caught.value.answers == {index: index for index in range(7)}


def test_a_worker_that_dies_leaves_what_others_computed():
    with pytest.raises(PartialResults, match="BrokenProcessPool") as caught:
        run_all(dies_at_seven, list(range(8)), workers=2, chunk=1)

    assert caught.value.failure is None
    assert all(caught.value.answers[index] == index for index in caught.value.answers)


@pytest.mark.parametrize("threads", [None, 1])
def test_an_interrupt_keeps_what_was_computed_and_says_it_is_partial(threads):
    """Ctrl-C comes while the progress of the third chunk is shown."""
    executor = None if threads is None else ThreadPoolExecutor(threads)

    def progress(done, total):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(PartialResults, match="interrupted; ") as caught:
        run_all(double, list(range(60)), executor=executor, workers=1, chunk=2, progress=progress)

    assert len(caught.value.answers) >= 6
    assert all(answer == 2 * index for index, answer in caught.value.answers.items())
    if executor is not None:
        executor.shutdown()


def test_progress_grows_to_the_total():
    told = []

    run_all(double, list(range(7)), workers=1, chunk=3, progress=lambda *at: told.append(at))

    assert told == [(0, 7), (3, 7), (6, 7), (7, 7)]


def test_a_function_that_cannot_be_sent_is_refused_before_anything_runs():
    with pytest.raises(BadInput, match="top of a module"):
        run_all(lambda item: item, [1, 2], workers=2)

    assert run_all(lambda item: item, [1, 2], workers=1) == [1, 2]


@pytest.mark.parametrize("named", [{"workers": 0}, {"chunk": -1}, {"workers": True}])
def test_impossible_numbers_are_refused(named):
    with pytest.raises(BadInput, match="whole number from 1"):
        run_all(double, [1], **named)


def test_a_pool_that_was_shut_down_is_said_to_have_failed():
    pool = ProcessPoolExecutor(1)
    pool.shutdown()

    with pytest.raises(PartialResults, match="the executor failed"):
        run_all(double, [1], executor=pool)
