"""A projector follows a log and keeps a read model, with a checkpoint: how far it has come.

1. What an event changes and the checkpoint are written in one transaction. Then the model is, at
   any moment and after any crash, what the log up to its checkpoint comes to.
2. A change that says what is (`held`) may be made twice; one that adds (`counted`) may not.
3. A position is passed once: the transaction that moves the checkpoint also claims the position,
   so a second projector, that was to take over too early, is refused and reads the checkpoint.

The log is the table `log` in the store `ledger`: rows (order, quantity) at positions 1, 2, 3, ...
The read model is the table `reserved` in the store `views`; the sum of its rows is what is held.

The twins differ in one function:

checkpoint_first    moves the checkpoint, then makes the change: a crash between leaves it out
checkpoint_last     makes the change, then moves the checkpoint: a crash between makes it twice
skips_on_error      goes on to the next event when a change could not be made
unclaimed           moves the checkpoint to wherever this projector has come
"""

from collections.abc import Callable, Generator
from typing import Any

from simulator import Add, Get, Insert, StoreError, StoreTimeout, UniqueViolation, Upsert

LEDGER, VIEWS = "ledger", "views"
LOG, MODEL, CHECKPOINTS, CLAIMS = "log", "reserved", "checkpoints", "claims"
NAME = "reserved"
POLL_US = 20_000

Steps = Generator[Any, Any, Any]
Changes = Callable[[tuple[Any, ...]], tuple[Any, ...]]


# --- What an event changes ----------------------------------------------------------------------


def counted(event: tuple[Any, ...]) -> tuple[Any, ...]:
    """A counter: each time adds."""
    return (Add(MODEL, "all", event[1]),)


def held(event: tuple[Any, ...]) -> tuple[Any, ...]:
    """What each order holds: the second time changes nothing."""
    return (Upsert(MODEL, event[0], event[1]),)


# --- How the change and the checkpoint are written ----------------------------------------------


def moved(position: int) -> Any:
    """The checkpoint, at a position; told as an effect, so that it can be judged."""
    return Upsert(CHECKPOINTS, NAME, position)


def one_transaction(node: Any, views: Any, changes: tuple[Any, ...], position: int) -> Steps:
    """The right way; whoever comes second is refused."""
    del node
    claim = Insert(CLAIMS, (NAME, position), effect=False)
    yield views.transact(claim, *changes, moved(position))


def unclaimed(node: Any, views: Any, changes: tuple[Any, ...], position: int) -> Steps:
    """One transaction, but any projector may move the checkpoint anywhere."""
    del node
    yield views.transact(*changes, moved(position))


def checkpoint_first(node: Any, views: Any, changes: tuple[Any, ...], position: int) -> Steps:
    """The twin: at most once."""
    yield views.transact(moved(position))
    if node.point("between"):
        yield views.transact(*changes)


def checkpoint_last(node: Any, views: Any, changes: tuple[Any, ...], position: int) -> Steps:
    """The twin of a counter: at least once. With changes that say what is, it will do."""
    yield views.transact(*changes)
    if node.point("between"):
        yield views.transact(moved(position))


# --- The projector ------------------------------------------------------------------------------


def tries_again(error: StoreError) -> bool:
    """What could not be made is looked at again from the checkpoint."""
    del error
    return True


def skips_on_error(error: StoreError) -> bool:
    """The twin: the event is left out, and the next one moves the checkpoint past it."""
    del error
    return False


def asked(store: Any, *operations: Any) -> Steps:
    """The results of reading, asked for until there is an answer."""
    while True:
        try:
            return (yield store.transact(*operations))
        except StoreTimeout:
            continue


def projecting(
    context: Any,
    *,
    until: int,
    views: str = VIEWS,
    changes: Changes = counted,
    write: Callable[..., Steps] = one_transaction,
    again: Callable[[StoreError], bool] = tries_again,
    poll_us: int = POLL_US,
) -> Steps:
    """Follow the log until the checkpoint is at `until`; begins where the checkpoint is."""
    ledger, model = context.store(LEDGER), context.store(views)
    while True:
        (checkpoint,) = yield from asked(model, Get(CHECKPOINTS, NAME))
        position = checkpoint or 0
        try:
            while position < until:
                (event,) = yield from asked(ledger, Get(LOG, position + 1))
                if event is None:
                    yield context.sleep(poll_us)
                    continue
                if not context.node.point("before_update"):
                    return
                try:
                    yield from write(context.node, model, changes(event), position + 1)
                except StoreError as error:
                    if again(error):
                        raise
                position += 1
        except (StoreTimeout, UniqueViolation):
            continue  # It may have happened, or somebody else has done it: see where we are.
        return


def publishing(context: Any, quantities: tuple[int, ...], every_us: int = POLL_US) -> Steps:
    """Write a log, one event after the other; each place is written once."""
    ledger = context.store(LEDGER)
    for position, quantity in enumerate(quantities, start=1):
        while True:
            try:
                yield ledger.transact(Insert(LOG, position, (f"o-{position}", quantity)))
            except StoreTimeout:
                continue
            except UniqueViolation:
                pass  # Our own first try.
            break
        yield context.sleep(every_us)
