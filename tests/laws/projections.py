"""Read models: what they hold, how far they have come, and who may rely on it (Q01 to Q09)."""

from functools import partial
from itertools import count

from hypothesis import strategies as st

from models.patterns.event_sourcing import stored_events
from models.patterns.event_sourcing.event_promises import never_oversold
from models.patterns.event_sourcing.event_store import Event
from models.patterns.read_models import cqrs, following, gaps, projections, rebuilding
from models.patterns.read_models.following import Write
from models.patterns.read_models.read_promises import (
    checkpoint_never_falls,
    equals_replay,
    never_back_in_time,
    never_skipped,
    never_stuck,
    own_writes_seen,
    prefix_consistent,
)
from simulator import Scenario
from tests.laws.event_sourcing import OFTEN, selling
from tests.laws.law import ANYTHING, Law, Right, Rule, Twin
from tests.stock_histories import commands, events_of

# --- Projectors ---------------------------------------------------------------------------------

TWO = (2, 3)
MS = 1_000


def projected(**how):
    """Two events, and a projector."""
    return Scenario(name="projected", application=partial(cqrs.deploy, **how), horizon_ms=60_000)


ONCE = projected()
SET = {"changes": projections.held}
RIGHT = {
    "one transaction": ONCE,
    "an idempotent change, then the checkpoint": projected(
        write=projections.checkpoint_last, **SET
    ),
}
FIRST = projected(write=projections.checkpoint_first)
LAST = projected(write=projections.checkpoint_last)
SKIPS = projected(again=projections.skips_on_error)
BETWEEN = "crash@projector-0/between"
UNANSWERED = "drop@projector-0>views/*"

# --- Clients ------------------------------------------------------------------------------------

SLOW = 400 * MS


def asking(read):
    """A client that writes and looks; the projector looks every 400 ms."""
    return projected(
        quantities=(), until=2, replicas=(("views", SLOW),),
        client=lambda context: cqrs.write_then_read(context, TWO, read),
    )  # fmt: skip


def around(token):
    """A client that reads from two replicas, one of which is slow."""
    replicas = (("views-0", 10 * MS), ("views-1", SLOW))
    return projected(
        replicas=replicas,
        client=lambda context: cqrs.reading_around(
            context, ("views-0", "views-1"), 8, token, every_us=20 * MS
        ),
    )


# --- Gaps ---------------------------------------------------------------------------------------

SLOWEST_MS, PATIENT_MS = 500, 2_000


def racing(policy, *, lock=False, rolls_back=False):
    """A slow transaction that draws the first position, and a quick one that draws the second."""
    writers = (
        (Write("slow", 0, SLOWEST_MS * MS, rolls_back),),
        (Write("quick", 50 * MS, 10 * MS), Write("later", 200 * MS, 10 * MS)),
    )
    return Scenario(
        name="gaps",
        application=partial(
            following.deploy, writers=writers, policy=policy, lock=lock, until_us=60_000 * MS,
            poll_us=100 * MS,
        ),
        horizon_ms=60_000,
    )  # fmt: skip


# --- Rebuilding ---------------------------------------------------------------------------------

UNKNOWN = Event("StockAudited", {}, "audit")
logs = st.builds(
    lambda history, place: [
        *(events := events_of(history))[:place], UNKNOWN, *events[place:]
    ],
    commands, st.integers(0, 4),
)  # fmt: skip


def rebuildable(how, events):
    """The live model and the one made again are equal, and nobody is told twice."""
    told = []
    projection = how.get("projection", lambda: rebuilding.holdings)()
    wrap = how.get("wrap", rebuilding.silent)
    log = list(enumerate(events))
    live = rebuilding.project(
        rebuilding.ReadModel(), log, wrap(projection, told.append, replaying=False),
        how.get("live", rebuilding.SKIP),
    )  # fmt: skip
    first = len(told)
    again = rebuilding.rebuilt(
        live, log, wrap(projection, told.append, replaying=True),
        how.get("begin", rebuilding.into_a_new_one), how.get("again", rebuilding.SKIP),
    )  # fmt: skip
    return again == live and len(told) == first


def numbering():
    """A projection that numbers the rows it has ever written: no function of the event."""
    written = count()

    def projecting(rows, event):
        return {**rebuilding.holdings(rows, event), "written": next(written)}

    return projecting


LAWS = (
    Law(
        "Q01", "In the end a read model is what its log comes to.", equals_replay,
        "node_crashed", RIGHT,
        {
            "checkpoint first": Twin(FIRST, 1, BETWEEN),
            "checkpoint last, and a counter": Twin(LAST, 1, BETWEEN),
            "skip on error": Twin(SKIPS, 1, UNANSWERED),
        },
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "Q02", "A read model is always what the log up to its checkpoint comes to.",
        prefix_consistent, "node_crashed", {"one transaction": ONCE},
        {
            "two writes, checkpoint first": Twin(FIRST, 0),
            "two writes, checkpoint last": Twin(LAST, 0),
        },
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "Q03", "A checkpoint never goes back.", checkpoint_never_falls, "effect_refused",
        {"each position is claimed": projected(projectors=2)},
        {
            "two projectors, no claim": Twin(
                projected(projectors=2, write=projections.unclaimed), 1, "delay@projector-*",
                grids={"delay@projector-*": (0, 300_000)},
            )
        },
        aside="A rebuild begins with nothing, in a model of its own: no checkpoint is set back.",
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "Q04", "No event is passed that is not applied.", never_skipped, "never_skipped",
        {
            "writers lock the table": Right(
                racing(gaps.by_id, lock=True), situation="node_crashed"
            ),
            "below the oldest transaction": racing(gaps.below_xmin),
            "gap token without timeout": racing(gaps.takes_later()),
            "waits until proven dead": racing(gaps.waits(gaps.proven)),
            "waits until proven dead, and it is": Right(
                racing(gaps.waits(gaps.proven), rolls_back=True), situation="store_rolled_back"
            ),
        },
        {
            "id cursor": Twin(racing(gaps.by_id), 0),
            "gap timeout too short, waiting": Twin(racing(gaps.waits(gaps.after(100))), 0),
            "gap timeout too short, token": Twin(racing(gaps.takes_later(100)), 0),
        },
        classes=ANYTHING, timed=True,
    ),
    Law(
        "Q05", "No event waits for ever behind a position that nobody fills.", never_stuck,
        "never_stuck",
        {
            "gap timeout": racing(gaps.waits(gaps.after(PATIENT_MS)), rolls_back=True),
            "proven dead": racing(gaps.waits(gaps.proven), rolls_back=True),
            "below the oldest transaction": racing(gaps.below_xmin, rolls_back=True),
        },
        {"waits for ever": Twin(racing(gaps.waits(gaps.never), rolls_back=True), 0)},
        classes=("crash", "drop"),
    ),
    Law(
        "Q06", "Who has written is not given an older answer.", own_writes_seen,
        "noted/behind", {"waits for its position": asking(cqrs.read_after)},
        {"plain read": Twin(asking(cqrs.plain_read), 0)}, classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Law(
        "Q07", "Who has seen a state is not shown an older one.", never_back_in_time,
        "noted/behind", {"carries what it has seen": around(cqrs.not_before)},
        {"two replicas, different lag": Twin(around(cqrs.any_replica), 0)},
        classes=ANYTHING, timed=True, runs=OFTEN,
    ),
    Rule(
        "Q08", "A read model that is made again equals the live one.", logs, rebuildable,
        right={
            "into a new one": {},
            "truncated first": {"begin": rebuilding.truncated_first},
            "both stop": {"live": rebuilding.STOP, "again": rebuilding.STOP},
        },
        twins={
            "into one that is not empty": {"begin": rebuilding.into_what_is_there},
            "side effects": {"wrap": rebuilding.telling},
            "live skips, rebuild stops": {"again": rebuilding.STOP},
            "no function of the event": {"projection": numbering},
        },
        situation=lambda events: len(events) > 2, situated="logs with events of known types",
    ),
    Law(
        "Q09", "Nobody decides on a read model: what he sells would be sold already.",
        never_oversold, "effect_refused", {"decides on its stream": selling()},
        {"decides on a read model": Twin(selling(look=stored_events.from_read_model), 0)},
        classes=ANYTHING, timed=True, runs=OFTEN,
        aside="That queries change nothing is so by their form: they are reads alone.",
    ),
)  # fmt: skip
