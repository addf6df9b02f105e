"""Drawn histories of one thing in stock: commands, the events that came of them, old versions."""

from hypothesis import strategies as st

from models.patterns.event_sourcing.event_sourcing import execute
from models.patterns.event_sourcing.event_store import Event, EventStore
from models.patterns.event_sourcing.stock import STOCK, Receive, Release, Reserve

STREAM = "stock-A1"
ORDERS = ("o-1", "o-2", "o-3")

first = st.builds(Receive, st.just("d-0"), st.integers(1, 3))
later = st.one_of(
    st.builds(Reserve, st.sampled_from(ORDERS), st.integers(1, 2)),
    st.builds(Release, st.sampled_from(ORDERS)),
    st.builds(Receive, st.sampled_from(("d-1", "d-2")), st.integers(1, 3)),
)
commands = st.builds(
    lambda one, rest: [one, *rest], first, st.lists(later, min_size=1, max_size=5)
)


def stored(history, aggregate=STOCK, each=None):
    """A store in which the commands were executed; `each(store)` is told after each of them."""
    store = EventStore()
    for command in history:
        happened = execute(store, aggregate, STREAM, command)
        if each is not None and happened:
            each(store, len(happened))
    return store


def events_of(history):
    """What came of the commands."""
    return [one.event for one in stored(history).read(STREAM)]


deliveries = st.lists(
    st.builds(
        lambda number, quantity: Event(
            "StockReceived", {"delivery_id": f"d-{number}", "quantity": quantity}, f"e-{number}"
        ),
        st.integers(0, 9),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=4,
)
