"""Appending to an event store in memory, and folding a stream of it, against bare Python.

The base is a list that events are appended to, and a loop that adds their amounts up: what no
event store can beat. `benchmarks.peers` runs the same account on PyPI's `eventsourcing`.

Each append is a whole command: the account's version is known, its event is made, and appended
with that version expected. A batch is one append of many events.
"""

from collections.abc import Callable
from itertools import repeat

from benchmarks.measuring import Case, Cost, Costs, cost, sized
from models.patterns.event_sourcing.event_sourcing import Aggregate, load
from models.patterns.event_sourcing.event_store import NO_STREAM, Event, EventStore
from simulator.errors import SimulatorError

EVENTS = 100_000
ACCOUNT = "account-1"


def credited(balance: int, event: Event) -> int:
    """The account's fold."""
    return int(balance + event[1])


def credit(balance: int, amount: int, event_id: str) -> tuple[Event, ...]:
    """The account's one command."""
    del balance
    return (Event("Credited", amount, event_id),)


BANK = Aggregate(0, lambda balance, command: credit(balance, *command), credited)


def batch(events: int) -> EventStore:
    """A store with one account, its events appended at once."""
    store = EventStore()
    decided = [event for n in range(events) for event in credit(n, 1, str(n))]
    store.append(ACCOUNT, decided, NO_STREAM)
    return store


def one_by_one(events: int) -> None:
    """Command after command, each appended where the last one has ended."""
    store = EventStore()
    append, version, balance = store.append, NO_STREAM, 0
    for number in range(events):
        decided = credit(balance, 1, str(number))
        version = append(ACCOUNT, decided, version)
        balance = credited(balance, decided[0])
    if version != events - 1:
        raise SimulatorError(f"the account is at version {version}, not at {events - 1}")


def replay(store: EventStore) -> None:
    """The account's balance, from its events."""
    balance, version = load(store, BANK, ACCOUNT)
    if balance != version + 1:
        raise SimulatorError(f"the balance is {balance}, and should be {version + 1}")


def bare(events: int) -> list[tuple[str, int]]:
    """As many tuples in a list."""
    log: list[tuple[str, int]] = []
    append = log.append
    for event in repeat(("Credited", 1), events):
        append(event)
    return log


def added_up(log: list[tuple[str, int]]) -> int:
    """Their amounts, in a loop."""
    balance = 0
    for _, amount in log:
        balance += amount
    return balance


def costs_of(work: Callable[[int], Cost], base: Callable[[int], Cost]) -> Callable[[float], Costs]:
    """Ours against the base, at so many events."""

    def prepare(size: float) -> Costs:
        events = sized(size, EVENTS, 100)
        return Costs(work(events), base(events))

    return prepare


def append_costs(events: int) -> Cost:
    """Of one event that is appended alone."""
    return cost(lambda: one_by_one(events), events)


def batch_costs(events: int) -> Cost:
    """Of one event in a batch."""
    return cost(lambda: batch(events), events)


def replay_costs(events: int) -> Cost:
    """Of one event that is folded."""
    store = batch(events)
    return cost(lambda: replay(store), events)


def bare_append(events: int) -> Cost:
    """Of one tuple that is appended."""
    return cost(lambda: bare(events), events)


def bare_replay(events: int) -> Cost:
    """Of one amount that is added."""
    log = bare(events)
    return cost(lambda: added_up(log), events)


CASES = (
    Case(
        "es-append",
        "an event that is decided and appended alone per tuple in a list",
        200,
        costs_of(append_costs, bare_append),
        at_most=True,
    ),
    Case(
        "es-batch",
        "an event of one large append per tuple in a list",
        120,
        costs_of(batch_costs, bare_append),
        at_most=True,
    ),
    Case(
        "es-replay",
        "an event that is folded per amount added in a loop",
        10,
        costs_of(replay_costs, bare_replay),
        at_most=True,
    ),
)
