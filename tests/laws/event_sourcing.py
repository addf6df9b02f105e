"""Event sourcing: what a stream, its fold, its snapshots and its old versions promise (E01-E12)."""

from functools import partial
from itertools import count, cycle

import attrs
from hypothesis import strategies as st

from models.patterns.event_sourcing import snapshots, stock, stock_service, stored_events, upcasting
from models.patterns.event_sourcing.event_promises import (
    never_changed,
    never_oversold,
    one_winner,
    stored_once_by_id,
    success_is_told,
    versions_contiguous,
)
from models.patterns.event_sourcing.event_sourcing import (
    StateOnly,
    as_of,
    execute,
    fold,
    load,
    replay,
    replay_commands,
    replay_events,
)
from models.patterns.event_sourcing.snapshots import Snapshots
from models.patterns.event_sourcing.stock import RESERVED, STOCK, Reserve
from models.patterns.read_models.rebuilding import ReadModel, holdings, project, silent, telling
from simulator import Scenario, all_of
from tests.laws.law import ANYTHING, Law, Right, Rule, Twin
from tests.stock_histories import STREAM, commands, deliveries, events_of, stored

# --- Sellers ------------------------------------------------------------------------------------


SELLERS = ((Reserve("o-1"),), (Reserve("o-2"),))


def selling(**how):
    """One of a thing, and two who want to sell it."""
    return Scenario(
        name="selling", application=partial(stock_service.deploy, sellers=SELLERS, **how),
        horizon_ms=120_000,
    )  # fmt: skip


OFTEN = 75  # They are quick.
EXACTLY = selling()
ANYWHERE = selling(append=stored_events.append_anywhere)
UNANSWERED = "drop@ledger>seller-*/TransactResponse"

WORLD = (
    Law(
        "E01", "A stream's versions are 0, 1, 2, ... without gap or repeat.",
        versions_contiguous, "effect_refused", {"unique (stream, version)": EXACTLY},
        {"any version, no unique key": Twin(selling(key=stored_events.key_by_event), 0)},
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "E02", "Of two appends at one expected version exactly one wins.", one_winner,
        "effect_refused", {"the version looked at": EXACTLY}, {"any": Twin(ANYWHERE, 0)},
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "E03", "An append that is sent again after no answer is stored once.",
        all_of(stored_once_by_id, success_is_told, name="stored_once_and_told"),
        "message_dropped",
        {
            "same ids, same version": EXACTLY,
            "same ids, same version, and answers are lost": Right(
                EXACTLY, situation="success_is_told", classes=("drop",), sites=UNANSWERED
            ),
        },
        {
            "any (best effort)": Twin(ANYWHERE, 1, UNANSWERED),
            "reloads, then retries": Twin(
                selling(append=stored_events.append_reloading), 1, UNANSWERED
            ),
        },
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "E10", "What is stored is never changed.", never_changed, "noted/migrated",
        {"old rows are upcast as they are read": EXACTLY},
        {"migration in place": Twin(selling(migrate=stock_service.in_place), 0)},
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "E11", "Whatever is commanded, no more is sold than there is.", never_oversold,
        "effect_refused", {"expected version, decided again": EXACTLY},
        {
            "decides on a read model": Twin(selling(look=stored_events.from_read_model), 0),
            "any version": Twin(ANYWHERE, 0),
        },
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
)  # fmt: skip

# --- Snapshots ----------------------------------------------------------------------------------


def yesterdays(state, event):
    """The fold as it was before it knew of releases."""
    return state if event.event_type == stock.RELEASED else stock.evolve(state, event)


YESTERDAY = attrs.evolve(STOCK, evolve=yesterdays, state_version=0)


def transparent(how, case):
    """Loading by a snapshot that was taken on the way gives what a fold of all gives."""
    history, place, changed = case
    taken, executed = Snapshots(**how), 0

    def each(store, _):
        nonlocal executed
        executed += 1
        if executed == place:
            taken.take(store, YESTERDAY if changed else STOCK, STREAM)

    store = stored(history, each=each)
    return taken.load(store, STOCK, STREAM) == load(store, STOCK, STREAM)


def deletable(loads, history):
    """With its snapshots deleted, every answer is the same."""
    taken = Snapshots(every=2)
    store = stored(
        history, each=lambda store, events: taken.appended(store, STOCK, STREAM, events)
    )
    before = loads(taken, store, STOCK, STREAM)
    taken.kept.clear()
    return loads(taken, store, STOCK, STREAM) == before


# --- Folding ------------------------------------------------------------------------------------


def twice_the_same(make, history):
    """Two replays are equal."""
    events, aggregate = events_of(history), attrs.evolve(STOCK, evolve=make())
    return fold(aggregate, events) == fold(aggregate, events)


def by_clock():
    """It is later at each look: what was reserved two looks ago has run out."""
    now = count()
    return stock.impure(lambda _: next(now) >= 2)


def by_chance():
    """One reservation in three runs out."""
    dice = cycle((False, True, False))
    return stock.impure(lambda _: next(dice))


def by_query():
    """Another service has heard of one cancellation more each time it is asked."""
    answers = count()
    return stock.impure(lambda event: event.event_id < f"o-{next(answers)}")


def acts_in(replays, history):
    """How often a replay acted on the world."""
    acts = []
    replays(history, acts.append)
    return not acts


def folding_events(history, act):
    """Events are folded."""
    replay_events(STOCK, events_of(history), act)


def giving_orders(history, act):
    """Commands were kept as events, and are given again."""
    replay_commands(STOCK, history, act)


def projecting(wrap):
    """A projection that sends mails is replayed."""

    def replays(history, act):
        project(ReadModel(), enumerate(events_of(history)), wrap(holdings, act, replaying=True))

    return replays


# --- Old versions -------------------------------------------------------------------------------


def as_newly_written(events):
    """What today's code would have stored for the same facts."""
    return [
        event._replace(
            schema_version=3,
            data={
                "delivery_id": event.data["delivery_id"],
                "lots": ((upcasting.ONLY_WAREHOUSE, event.data["quantity"]),),
            },
        )
        for event in events
    ]


def reads_as_new(chain_of, events):
    """A fold of old events through the chain is one of events as today's code writes them."""
    return upcasting.lots(events, chain_of()) == upcasting.lots(as_newly_written(events))


def step_by_step(shortcuts, events):
    """From 1 to 3 is from 1 to 2 and then to 3."""

    def to(event, version):
        return upcasting.upcast_to(event, version, shortcuts=shortcuts)

    return all(
        to(event, 3) == tuple(last for two in to(event, 2) for last in to(two, 3))
        for event in events
    )


def north():
    """Deliveries go north by now."""
    return upcasting.asking(lambda: "north")


# --- The past -----------------------------------------------------------------------------------


def past(tells, case):
    """The state as of a position is the fold up to there, whatever comes later."""
    history, place = case
    early, later = history[:place], history[place:]
    return tells(early, later) == fold(STOCK, events_of(early))


def of_the_stream(early, later):
    """The stream up to a position."""
    store = stored(early)
    position = len(store.log) - 1
    for command in later:
        execute(store, STOCK, STREAM, command)
    return as_of(store, STOCK, STREAM, position)


def corrected_backwards(early, later):
    """Somebody sets an old event right where it stands."""
    store = stored(early)
    position = len(store.log) - 1
    for command in later:
        execute(store, STOCK, STREAM, command)
    first = store.log[0].event if store.log else None
    if len(store.log) > position + 1 and first is not None and first.event_type == stock.RECEIVED:
        store.edit(0, first._replace(data={**first.data, "quantity": 7}))
    return as_of(store, STOCK, STREAM, position)


def of_what_is_left(early, later):
    """The stream keeps two events, and what is left of it is folded."""
    store = stored(early)
    position = len(store.log) - 1
    for command in later:
        execute(store, STOCK, STREAM, command)
    if store.log:
        store.keep(STREAM, 2)
    return replay(STOCK, [one for one in store.read(STREAM) if one.position <= position])


def by_snapshot_where_cut(early, later):
    """The same stream; a snapshot was taken in time."""
    taken, store = Snapshots(), stored(early)
    position = len(store.log) - 1
    if store.log:
        taken.take(store, STOCK, STREAM)
    for command in later:
        execute(store, STOCK, STREAM, command)
    if store.log:
        store.keep(STREAM, 2)
    snapshot = taken.kept.get(STREAM)
    return STOCK.initial if snapshot is None or position < 0 else snapshot.state


def of_the_last_state(early, later):
    """Only the last state is kept."""
    kept = StateOnly(STOCK)
    for command in (*early, *later):
        kept.execute(command)
    return kept.as_of(len(early))


PLACED = st.tuples(commands, st.integers(1, 6), st.booleans())
PAST = commands.flatmap(lambda history: st.tuples(st.just(history), st.integers(0, len(history))))


def _reserves(history):
    return any(event.event_type == RESERVED for event in events_of(history))


RULES = (
    Rule(
        "E04", "A snapshot and the rest come to what all events come to.", PLACED, transparent,
        right={"of this code, at its last event": {}},
        twins={
            "stale snapshot": {"usable": snapshots.trusts_any_code},
            "snapshot version too high": {"numbered": snapshots.one_too_far},
        },
        situation=lambda case: not case[2] and case[1] < len(events_of(case[0])),
        situated="snapshots with events behind them",
    ),
    Rule(
        "E05", "Deleting all snapshots changes no answer.", commands, deletable,
        right={"a snapshot is a cache": Snapshots.load},
        twins={"a snapshot is the truth": snapshots.as_the_truth},
        situation=lambda history: len(events_of(history)) > 2,
        situated="streams with a snapshot, and events behind it",
    ),
    Rule(
        "E06", "Two replays of the same events are equal.", commands, twice_the_same,
        right={"a fold of events alone": lambda: stock.evolve},
        twins={"a clock": by_clock, "chance": by_chance, "an external query": by_query},
        situation=_reserves, situated="streams with a reservation",
    ),
    Rule(
        "E07", "A replay acts on nothing outside.", commands, acts_in,
        right={"events are folded": folding_events, "mails only when live": projecting(silent)},
        twins={
            "mails in a projection": projecting(telling),
            "commands kept as events": giving_orders,
        },
        situation=_reserves, situated="streams with a reservation",
    ),
    Rule(
        "E08", "Old events come to what new ones of the same facts come to.", deliveries,
        reads_as_new,
        right={"a chain of pure steps": lambda: upcasting.CHAIN},
        twins={"a step is missing": lambda: upcasting.SKIPPING, "a step asks today": north},
    ),
    Rule(
        "E09", "From 1 to 3 is from 1 to 2, and then to 3.", deliveries, step_by_step,
        right={"step by step": upcasting.NO_SHORTCUTS},
        twins={"a shortcut of its own": upcasting.SHORTCUT},
    ),
    Rule(
        "E12", "The state as of a position does not depend on later events.", PAST, past,
        right={"fold of the prefix": of_the_stream, "snapshot in time": by_snapshot_where_cut},
        twins={
            "retroactive edit": corrected_backwards,
            "cut stream, no snapshot": of_what_is_left,
            "state kept as the truth": of_the_last_state,
        },
        situation=lambda case: 0 < len(events_of(case[0][: case[1]])) < len(events_of(case[0])),
        situated="positions with events before and behind",
    ),
)  # fmt: skip

LAWS = (*WORLD, *RULES)
