"""One handler's life: a log of events, a consumer that handles them, and crashes at its points.

Rule 1: delivery is at least once: records are polled, handled, and only then committed, so what a
crash left uncommitted is handled again.
Rule 2: a handler is made anew at each start of its process: what it kept in memory is gone. Its
store is not: that is what `crash` left of it.
Rule 3: a crash strikes after a poll, before any call to a store or a producer, whenever a handler
has begun to wait, after a record was handled, and after a commit. Between one of these and the
beginning of the next record, or of a commit, nothing happens: these are not struck by themselves.
Rule 4: the same log and the same crashes are the same run.

Not modelled: two consumers at once, and so a rebalance while both live; messages that are lost.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance.choosers import Chooser, Source, benign_source
from simulator.chance.laws import Law
from simulator.chance.sites import Site
from simulator.cluster.handlers import Steps, handler_of, handler_waits, steps_of
from simulator.errors import BadInput, KafkaError, SimulatorError
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate
from simulator.testing.own_store import Asking, watched
from simulator.testing.states import State, state_of
from simulator.trace.trace import Trace
from simulator.world.node import power_cut

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.context import Context
    from simulator.cluster.service import Handler
    from simulator.world.node import Node

TOPIC, GROUP, CONSUMER, PRODUCER = "events", "consumer", "consumer-0", "producer"
SITES = f"crash@{CONSUMER}/"
SAME_AS_BEFORE = ("before_process", "before_commit")  # See rule 3.
# A crashed member is gone before it comes back, a second later: virtual time is short, too.
SETTINGS = {
    "auto.offset.reset": "earliest", "session.timeout.ms": 500, "heartbeat.interval.ms": 150,
}  # fmt: skip
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 500}
HORIZON_MS = 120_000  # A handler that fails for ever is tried a thousand times.
EVENT_BUDGET = 2_000_000

Crash = tuple[str, int]  # The site, and how manieth time it was passed.


@attrs.frozen
class Subject:
    """Whose life it is, and on what.

    Args:
        make: called at each start of the process with the store, or with the store and the
            Context, or (without a store of its own) with the Context; it gives the handler.
        store: opens a new store; None: the handler uses the simulator's own.
        state: what of the store counts.
        crash: what a crash leaves of the store; without it all of it, but for what an sqlite3
            connection had not committed.
        stores: the simulator's own stores that there are.
    """

    make: Callable[..., Any]
    store: Callable[[], Any] | None = dict
    state: State | None = None
    crash: Callable[[Any], Any] | None = None
    stores: tuple[str, ...] = ("ledger",)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be called before any run calls it.

        Raises:
            BadInput: one of these is no function.
        """
        must_be_called("make_handler", self.make, "give a function which returns the handler")
        opens = "give what opens a new one for each run, such as dict, or None"
        for what, given, fix in (
            ("store", self.store, opens),
            ("state", self.state, "give a function of the store"),
            ("crash", self.crash, "give a function of the store"),
        ):
            if given is not None:
                must_be_called(what, given, fix)


def must_be_called(what: str, given: Any, fix: str) -> None:
    """A function, or anything else that can be called.

    Raises:
        BadInput: it is none.
    """
    if not callable(given):
        raise BadInput("must be a function, not", what, given, fix)


@attrs.frozen
class Played:
    """What came of it.

    Attributes:
        points: the crash points in the order in which they were passed, struck or not.
        handled: how often the handler was called.
        state: at the end, as a crash would leave it.
        raised: what the handler raised, which ended its process for good.
        stuck: it never came to the end of the log.
        makes_another: the handler returned a function: it may be a factory itself.
    """

    log: tuple[WorkItem, ...]
    crashes: tuple[Crash, ...]
    points: tuple[Crash, ...]
    handled: int
    state: Any
    before: Any
    trace: Trace
    raised: Exception | None = None
    stuck: bool = False
    makes_another: bool = False


class _Struck(Chooser):
    """Crashes at the places named; all else is benign. It notes each place that it passes."""

    def __init__(self, crashes: Sequence[Crash]) -> None:
        self._struck = frozenset(crashes)
        self.points: list[Crash] = []

    def source(self, site: Site, law: Law) -> Source:
        name = site.name
        if not name.startswith(SITES) or name.removeprefix(SITES) in SAME_AS_BEFORE:
            return benign_source(law)
        struck, points, asked = self._struck, self.points, [0]

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            points.append((name, k))
            return int((name, k) in struck)

        return draw

    def describe(self) -> str:
        return "crashes " + "; ".join(f"{name}#{k}" for name, k in sorted(self._struck))


class _Life:
    """What outlives the process in one run: its store, and what was seen of it."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.store: Any = subject.store() if subject.store is not None else None
        self.before: Any = {}
        if subject.store is not None:
            self.before = state_of(self.store, subject.state)
        self.starts = self.handled = 0
        self.makes_another = False
        self.raised: Exception | None = None
        self.trace: Trace | None = None
        self.cluster: Cluster | None = None

    def start(self, context: "Context") -> "Handler":
        """A new process: what the last one left, and a handler that knows nothing."""
        node, subject = context.node, self.subject
        self.trace = node.trace
        if self.starts:
            self.lose()
        self.starts += 1

        def touch() -> None:
            if context.record is None and node.gate.open:
                return  # What a process does as it starts is not cut.
            point = f"store-{context.calls}"
            context.calls += 1
            if not node.gate.open or not node.point(point):
                power_cut(node)

        def tell(said: str) -> None:
            if context.record is not None:
                node.record(("noted", context.event_id, said))

        given = () if self.store is None else (watched(self.store, "store", Asking(touch, tell)),)
        wants_both = not given or _takes_two(subject.make)
        both = (*given, *((context,) if wants_both else ()))
        handler = handler_of(subject.make, *both, where="make_handler", behind=(self.store,))
        return self._guarded(handler, context)

    def lose(self) -> None:
        """What was not committed is lost."""
        crash = self.subject.crash
        if crash is not None:
            self.store = crash(self.store)
        elif type(self.store).__module__ == "sqlite3":
            self.store.rollback()

    def _guarded(self, handler: Any, context: "Context") -> "Handler":
        """The handler, whose errors are told, and which is dead once its process is."""
        def failed(error: Exception) -> None:
            if not isinstance(error, SimulatorError):
                self.raised = error
                said = f"the handler raises {type(error).__name__}: {error}"
                context.node.record(("noted", context.event_id, said))

        def at_once(record: Any) -> Any:
            self.handled += 1
            try:
                made = handler(record)
            except Exception as error:
                failed(error)
                raise
            self.makes_another |= callable(made)
            # What a lambda or a partial gives may be one that waits, and is cut there as well.
            return stepped(made) if hasattr(made, "throw") else made

        def waiting(record: Any) -> Any:
            self.handled += 1
            return (yield from stepped(handler(record)))

        def stepped(made: Any) -> Any:
            try:
                yield from _cut(steps_of(made), context.node)
            except Exception as error:
                failed(error)
                raise
            if not context.node.gate.open:  # It swallowed its own death.
                power_cut(context.node)

        return waiting if handler_waits(handler) else at_once

    def state(self) -> Any:
        """Of all that is left."""
        if self.store is not None:
            self.lose()
            return state_of(self.store, self.subject.state)
        assert self.cluster is not None, "a run has a cluster"
        found = {}
        for name in self.subject.stores:
            _, store = self.cluster.store_node(name)
            tables = store.machine.tables if store.machine is not None else {}
            found[name] = {table: dict(rows) for table, rows in tables.items() if rows}
        return found if self.subject.state is None else self.subject.state(found)


def _cut(steps: Steps, node: "Node") -> Steps:
    """The steps of a handler, whose process may crash whenever it has begun to wait."""
    answer: Any = None
    error: BaseException | None = None
    for number in count():
        try:
            waits_for = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        if not node.point(f"wait-{number}"):
            yield node.event()
        answer = error = None
        try:
            answer = yield waits_for
        except Exception as refused:  # noqa: BLE001 - it is handed to the handler
            error = refused
    return None


def _takes_two(make: Callable[..., Any]) -> bool:
    """Whether a factory wants the Context beside the store."""
    import inspect

    try:
        taken = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return False
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in by_place and one.default is one.empty for one in taken) > 1


def play(
    subject: Subject, log: Sequence[WorkItem], crashes: Sequence[Crash] = (), *, keep: bool = False
) -> Played:
    """One run.

    Args:
        keep: keep the trace, to tell of it.

    Raises:
        SimulatorError: the run cannot go on, and it is not the handler's doing.
    """
    life, struck = _Life(subject), _Struck(crashes)

    def application(cluster: "Cluster") -> None:
        from simulator.cluster.serving import Serving

        life.cluster = cluster
        for name in () if subject.store is not None else subject.stores:
            cluster.store(name)
        cluster.source(PRODUCER, log)
        cluster.group(GROUP, 1, life.start, Serving((TOPIC,), SETTINGS))

    scenario = Scenario(
        name="handler",
        topology=Topology(topics=(Topic(TOPIC, partitions=1),)),
        broker=BROKER,
        application=application,
        horizon_ms=HORIZON_MS,
        event_budget=EVENT_BUDGET,
    )
    ended: list[str] = []
    observers = [("run_ended", lambda entry: ended.append(entry[4][1]))]
    try:
        simulate(scenario, struck, observers=observers, keep=keep)
    except KafkaError:
        raise
    except Exception as error:
        if error is not life.raised:
            raise
    assert life.trace is not None, "its consumer has started"
    stuck = life.raised is None and ended != ["quiet"]
    return Played(
        tuple(log), tuple(crashes), tuple(struck.points), life.handled, life.state(), life.before,
        life.trace, life.raised, stuck, life.makes_another,
    )  # fmt: skip


def witness_of(choices: Mapping[Crash, int]) -> tuple[tuple[int, ...], tuple[Crash, ...]]:
    """The log by number, if the witness names one, and the crashes."""
    numbers = {k: value for (name, k), value in choices.items() if name == LOG_SITE}
    crashes = tuple(one for one, value in choices.items() if one[0] != LOG_SITE and value)
    return tuple(numbers[k] for k in sorted(numbers)), crashes


LOG_SITE = "event@log"  # In a witness: the k-th record of the log is the event of this number.
