"""Many items through one function, on any executor, with the same results in the same order.

Rule 1: how items are cut into chunks, how many workers there are and which finishes first changes
no result: the answers stand in the order of the items.
Rule 2: what has been computed is never thrown away: an item that fails, a worker that dies and a
user who presses Ctrl-C end in `PartialResults`, which holds the answers there are.
Rule 3: the item reported as failed is the first in the order of the items, whatever the executor:
everything before it has been computed.

By default workers are spawned, not forked: a forked worker inherits whatever the parent's threads
held, and a spawned one works alike on every system. Anything that is a
`concurrent.futures.Executor` will do instead: threads, loky, dask's `Client.get_executor()`,
MPIPoolExecutor.
"""

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from simulator.errors import BadInput, SimulatorError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_CHUNKS_PER_WORKER = 16  # So that the last chunk of a slow worker is not waited for long.
_CHUNK_MOST = 250  # So that progress is seen, and little is lost when a worker dies.


class Progress(Protocol):
    """What is told how many of all items are done, never from two threads at once."""

    def __call__(self, done: int, total: int) -> object:
        """Note that `done` of `total` items are done."""


@attrs.frozen
class Failure:
    """Why an item has no answer; all of it text, because not every exception can be sent on."""

    index: int
    item: str
    kind: str
    message: str
    traceback: str

    def __str__(self) -> str:
        return f"item {self.index} ({self.item}) failed: {self.kind}: {self.message}"


class PartialResults(SimulatorError):
    """Not every item has an answer: the ones there are stand in `answers`, by index.

    `failure` says what failed first; it is None when the user interrupted. `total` is how many
    items there were.
    """

    def __init__(
        self, answers: dict[int, Any], total: int, reason: str, failure: Failure | None = None
    ) -> None:
        super().__init__(f"{reason}; {len(answers)} of {total} items were computed and are kept")
        self.answers = answers
        self.total = total
        self.reason = reason
        self.failure = failure


@attrs.frozen
class _Outcome:
    """What came of one chunk: answers up to the first failure, if there is one."""

    answers: list[Any]
    failure: Failure | None


def _compute(function: Callable[[Any], Any], first: int, items: Sequence[Any]) -> _Outcome:
    """One chunk, in whatever process; it stops at the first failure."""
    answers: list[Any] = []
    for place, item in enumerate(items):
        try:
            answers.append(function(item))
        except Exception as error:  # noqa: BLE001 - whatever is raised is a failure.
            return _Outcome(answers, _failed(first + place, item, error))
    return _Outcome(answers, None)


def _failed(index: int, item: object, error: BaseException) -> Failure:
    text = repr(item)
    shown = text if len(text) <= 200 else text[:197] + "..."
    lines = "".join(traceback.format_exception(error))
    return Failure(index, shown, type(error).__name__, str(error), lines)


def available_cpus() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[Item], Answer],
    items: Sequence[Item],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    chunk: int | None = None,
) -> list[Answer]:
    """The function's answers, in the order of the items.

    Args:
        executor: what runs the chunks; it is left open. None: a process pool, closed afterwards.
        workers: how many processes; None: one a processor, not more than items. With 1, and no
            executor, everything runs in this process.
        progress: told after every chunk.
        chunk: how many items are sent at once; None: so many that each worker gets some sixteen.

    Raises:
        BadInput: workers or chunk is below 1, or the function cannot be sent to a process.
        PartialResults: an item failed, a worker died or the user interrupted.
    """
    for name, value in (("workers", workers), ("chunk", chunk)):
        if value is not None and (isinstance(value, bool) or value < 1):
            raise BadInput(f"{name} is a whole number from 1:", "run_all", value)
    total = len(items)
    if progress is not None:
        progress(0, total)
    if not total:
        return []
    hands = workers or min(available_cpus(), total)
    size = chunk or max(1, min(_CHUNK_MOST, -(-total // (hands * _CHUNKS_PER_WORKER))))
    chunks = [(first, items[first : first + size]) for first in range(0, total, size)]
    if executor is not None:
        return _on_executor(function, chunks, total, executor, progress)
    if hands == 1:
        return _here(function, chunks, total, progress)
    _must_pickle(function)
    with _pool(min(hands, len(chunks))) as pool:
        return _on_executor(function, chunks, total, pool, progress)


def _must_pickle(function: object) -> None:
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        fix = "define it at the top of a module, or run with workers=1"
        raise BadInput(f"cannot be sent to a worker ({error}):", "run_all", function, fix) from None


def _pool(workers: int) -> "ProcessPoolExecutor":
    import multiprocessing  # Not where a browser would load it.
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """In a worker: Ctrl-C is the parent's to answer, who lets the running chunks end."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _here(
    function: Callable[[Item], Answer],
    chunks: list[tuple[int, Sequence[Item]]],
    total: int,
    progress: Progress | None,
) -> list[Answer]:
    """In this process, one after the other."""
    answers: list[Answer] = []
    try:
        for first, items in chunks:
            for place, item in enumerate(items):
                try:
                    answers.append(function(item))
                except Exception as error:
                    failure = _failed(first + place, item, error)
                    kept: dict[int, Any] = dict(enumerate(answers))
                    raise PartialResults(kept, total, str(failure), failure) from error
            if progress is not None:
                progress(len(answers), total)
    except KeyboardInterrupt:
        raise PartialResults(dict(enumerate(answers)), total, "interrupted") from None
    return answers


class _Gathered:
    """What has come back so far, and the first failure in the order of the items."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.answers: dict[int, Any] = {}
        self.failure: Failure | None = None
        self.broken: str = ""
        self._total = total
        self._progress = progress

    def add(self, first: int, future: "Future[_Outcome]") -> None:
        """Take one finished chunk."""
        try:
            outcome = future.result()
        except CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - a dead worker, or what cannot be pickled.
            self.broken = self.broken or f"the executor failed: {type(error).__name__}: {error}"
            return
        self.answers.update(enumerate(outcome.answers, start=first))
        failed = outcome.failure
        if failed is not None and (self.failure is None or failed.index < self.failure.index):
            self.failure = failed
        if self._progress is not None:
            self._progress(len(self.answers), self._total)

    @property
    def sound(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return self.failure is None and not self.broken


def _on_executor(
    function: Callable[[Item], Answer],
    chunks: list[tuple[int, Sequence[Item]]],
    total: int,
    executor: Executor,
    progress: Progress | None,
) -> list[Answer]:
    gathered = _Gathered(total, progress)
    futures: dict[Future[_Outcome], int] = {}
    waiting: dict[Future[_Outcome], int] = {}
    interrupted = False
    try:
        _submit(function, chunks, executor, futures, gathered)
        waiting.update(futures)
        if not gathered.sound:
            _cancel_after(gathered, futures)
        for future in as_completed(futures):
            gathered.add(waiting.pop(future), future)
            if not gathered.sound:
                _cancel_after(gathered, futures)
    except KeyboardInterrupt:
        interrupted = True
        _let_end(gathered, futures, waiting)
    if gathered.sound and not interrupted:
        return [gathered.answers[index] for index in range(total)]
    reason = "interrupted" if interrupted else gathered.broken
    if gathered.failure is not None:
        reason = str(gathered.failure)
    raise PartialResults(gathered.answers, total, reason, gathered.failure)


def _submit(
    function: Callable[[Item], Answer],
    chunks: list[tuple[int, Sequence[Item]]],
    executor: Executor,
    futures: "dict[Future[_Outcome], int]",
    gathered: _Gathered,
) -> None:
    """Hand all chunks over; a pool that broke, or was shut down, takes no more."""
    for first, items in chunks:
        try:
            futures[executor.submit(_compute, function, first, items)] = first
        except RuntimeError as error:
            gathered.broken = f"the executor failed: {type(error).__name__}: {error}"
            return


def _let_end(
    gathered: _Gathered,
    futures: "dict[Future[_Outcome], int]",
    waiting: "dict[Future[_Outcome], int]",
) -> None:
    """After Ctrl-C: drop what has not begun, keep what is running; a second Ctrl-C drops that."""
    try:
        for future in futures:
            future.cancel()
        for future, first in (waiting or futures).items():
            gathered.add(first, future)
    except KeyboardInterrupt:
        return


def _cancel_after(gathered: _Gathered, futures: "dict[Future[_Outcome], int]") -> None:
    """Stop what need not run any more; all before the first failure is still computed (rule 3)."""
    limit = -1 if gathered.failure is None else gathered.failure.index
    for future, first in futures.items():
        if first > limit:
            future.cancel()
