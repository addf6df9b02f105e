"""A session: a world held open, in which somebody acts, lets time pass, and looks, step by step.

    with Session(scenario) as session:
        session.produce(key="k1")
        session.advance(ms=50)
        session.crash("billing-0")
        session.advance(ms=10_000)
        session.finish()
        session.expect(never_lost)

1. Nothing happens but what is asked for, and what follows from it: time stands still between two
   acts. An act takes effect before anything else of its instant.
2. What is acted is not chance: a chooser answers for everything inside (latency, loss, ties), acts
   are from outside. The scenario's planned faults strike in a session as in any run.
3. `finish` heals everything, starts every node that is down, and lets the run come to rest; then
   liveness can be judged too.
4. Whatever was acted is written down as code: `session.replay()` is the session again.

Not modelled: acts that depend on more than what is outside, such as losing the message which is
on its way; a fault plan or a chooser does that.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from simulator.chance import Chooser, Zero, format_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Verdict
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S
from simulator.scenario.faults import MODES
from simulator.scenario.scenario import Scenario
from simulator.testing.expecting import expect
from simulator.testing.staging import arguments, call, envelope, first_of, go_on, set_up, staged
from simulator.trace.trace import FlatEntry, Trace

if TYPE_CHECKING:
    from simulator.cluster.service import Service
    from simulator.cluster.source import Source
    from simulator.world.node import Node

LEAVING_US = 600 * MICROS_PER_S  # Nobody takes longer from being asked to leave to leaving.


class Session:
    """A run that waits for what is done to it.

    Args:
        scenario: what is there. Its workload is not sent unless `workload` says so: records are
            produced by hand. An application of one's own deploys whatever it deploys.
        chooser: who answers for chance; without one nothing happens by chance.
        spare: so many more instances of the group as can be started later.
        workload: whether the scenario's own workload is sent, too.

    Raises:
        BadInput: the scenario cannot run, or has no such spare.
    """

    def __init__(
        self,
        scenario: Scenario,
        chooser: Chooser | None = None,
        *,
        spare: int = 0,
        workload: bool = False,
    ) -> None:
        self.scenario = scenario
        self.acts: list[str] = []
        self._made = arguments(spare=spare, workload=workload)
        self._stage = set_up(staged(scenario, spare=spare, workload=workload), chooser or Zero())
        self._world, self._cluster = self._stage.world, self._stage.cluster
        self.trace = self._world.trace
        self._produced = 0
        self._cuts: list[tuple[Node, Node]] = []
        names = self._world.scenario.consumers.names
        self._unborn = dict.fromkeys(names[scenario.consumers.instances :])
        self._stopped: dict[str, None] = {}  # Who was asked to leave and was not started since.
        self._is_open = True
        self._world.load_begins()  # The session itself: hazards go on until it is finished.
        self._world.begin(later=self._unborn)

    # --- Looking -----------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """The time of the run so far, in milliseconds."""
        return int(self._world.kernel.now) // MICROS_PER_MS

    @property
    def nodes(self) -> tuple[str, ...]:
        """Everybody who is there, up or not."""
        return tuple(self._world.nodes)

    @property
    def instances(self) -> tuple[str, ...]:
        """The members of consumer groups, spare ones included."""
        return tuple(node.name for service in self._services for node in service.nodes)

    @property
    def producers(self) -> tuple[str, ...]:
        """The nodes that can be told to produce."""
        return tuple(source.node.name for source in self._sources)

    @property
    def witness(self) -> dict[tuple[str, int], int]:
        """What chance did so far: the choices that were not benign."""
        return self._stage.recording.witness

    def is_up(self, node: str) -> bool:
        """Whether a node lives; a paused one does."""
        gate = self._node(node).gate
        return gate.open or gate.held is not None

    def is_ready(self, node: str) -> bool:
        """Whether a node lives and is not paused: it can be told to do something."""
        return self._node(node).gate.open

    def verdicts(self, *checks: Check) -> tuple[Verdict, ...]:
        """What each check says of the run so far; liveness can be judged once it is finished."""
        return tuple(check(self.trace) for check in checks)

    def expect(self, *checks: Check) -> None:
        """Every promise is kept; call it when the session is finished.

        Raises:
            PromiseBroken: (an AssertionError) one is broken, or cannot be told, with its story.
        """
        __tracebackhide__ = True
        expect(
            self.trace, checks, witness=self.witness, replay=lambda: f"Replay:\n{self.replay()}"
        )

    def replay(self) -> str:
        """The session as code, given its scenario; it needs `from simulator import *`."""
        witness = format_witness(self.witness)
        chooser = f'Replay(parse_witness("{witness}"))' if witness else "Zero()"
        told = ", ".join(("scenario", chooser, *self._made))
        lines = "".join(f"    session.{act}\n" for act in self.acts) or "    pass\n"
        return f"with Session({told}) as session:\n{lines}"

    # --- Acting ------------------------------------------------------------------------------

    def produce(
        self,
        key: str | None = None,
        *,
        topic: str | None = None,
        value: str | None = None,
        producer: str | None = None,
    ) -> str:
        """Hand one record to a producer; the answer is its event id: e1, e2, ...

        Args:
            topic: by default the workload's.
            value: by default an envelope as those of workloads, with the key as its payload.
            producer: the node; by default the first that there is.

        Raises:
            BadInput: there is no such topic or producer, or that is down.
        """
        self._still_open("produce")
        source = self._source(producer)
        if source.producer is None or not source.node.gate.open:
            raise BadInput("is not up:", "session.produce", source.node.name, "start it first")
        layout = self._cluster.layout
        where = topic if topic is not None else self._topic()
        if where not in layout.topics:
            known = ", ".join(layout.topics)
            raise BadInput("there is no topic", "session.produce", where, f"known: {known}")
        given = () if key is None else (key,)
        self._act("produce", *given, topic=topic, value=value, producer=producer)
        self._produced += 1
        event_id = f"e{self._produced + self._world.scenario.workload.size}"
        if value is None:
            value = envelope(int(self._world.kernel.now), event_id, where, key)
        source.producer.hand_over(where, value, key, event_id)
        return event_id

    def advance(self, ms: int) -> None:
        """Let so much time pass, and happen what happens in it.

        Raises:
            EventBudgetExceeded: time does not pass, for something never comes to rest.
            Exception: what a handler raised and did not handle.
        """
        self._act("advance", ms=ms)
        go_on(self._world.kernel, int(self._world.kernel.now) + ms * MICROS_PER_MS)

    def wait_for(
        self, kind: str, within_ms: int = 60_000, *, where: Mapping[str, Any] | None = None
    ) -> FlatEntry | None:
        """Let time pass until an event of a kind is recorded: its entry, or None if none was.

        Args:
            kind: of the trace's events, such as `effect_applied`.
            where: fields that it must have, such as {"event_id": "e1"}.

        Raises:
            BadInput: no event is of this kind, or one of this kind has no such field.
        """
        self._act("wait_for", kind, within_ms=within_ms, where=where)
        ends_us = int(self._world.kernel.now) + within_ms * MICROS_PER_MS
        return first_of(self._world.kernel, self.trace, kind, dict(where or {}), ends_us)

    def crash(self, node: str, mode: str = "process", down_ms: int | None = None) -> None:
        """A node dies; it stays down for a time, or until it is started. One that is down stays so.

        Args:
            mode: process (memory is lost), power (what was not flushed, too), disk (everything).
        """
        if mode not in MODES:
            raise BadInput("no such mode:", "session.crash", mode, ", ".join(MODES))
        found = self._node(node)
        if not self.is_up(node):
            return
        self._act("crash", node, mode=mode, down_ms=down_ms)
        found.crash(mode, "at")  # type: ignore[arg-type] # it was looked at above
        if down_ms is not None:
            died = found.incarnation
            self._world.kernel.call_later(
                down_ms * MICROS_PER_MS, lambda _: self._start(found, died), None
            )

    def start(self, node: str) -> None:
        """A node that is down, or spare, comes up; one that was stopped, too."""
        if not self.is_up(node) or self._has_left(node):
            self._act("start", node)
            self._reboot(self._node(node))

    def restart(self, node: str) -> None:
        """A node dies and is there again at once: its group must rebalance."""
        found = self._node(node)
        self._act("restart", node)
        self._reboot(found)

    def stop(self, instance: str) -> None:
        """An instance leaves its group in order, once its poll returns (`poll_timeout_ms`)."""
        if instance not in self.instances:
            known = ", ".join(self.instances)
            raise BadInput("is no instance:", "session.stop", instance, f"known: {known}")
        if self.is_up(instance):
            self._act("stop", instance)
            self._stopped[instance] = None
            for service in self._services:
                if any(node.name == instance for node in service.nodes):
                    service.stop(instance)

    def pause(self, node: str, ms: int) -> None:
        """A node stands still for a time."""
        found = self._node(node)
        if found.gate.open:
            self._act("pause", node, ms=ms)
            found.pause(ms * MICROS_PER_MS)

    def skew(self, node: str, jump_ms: int = 0, drift_ppm: int = 0) -> None:
        """A node's clock jumps, and from now on gains so many millionths."""
        self._node(node).skew(jump_ms * MICROS_PER_MS, drift_ppm)
        self._act("skew", node, jump_ms, drift_ppm)

    def cut(self, side_a: str, side_b: str = "*", *, symmetric: bool = True) -> None:
        """Nothing passes from the nodes of one pattern to those of the other, until `heal`."""
        sides = self._matching(side_a), self._matching(side_b)
        self._act("cut", side_a, side_b, symmetric=symmetric)
        ways = [(one, other) for one in sides[0] for other in sides[1] if one is not other]
        ways += [(other, one) for one, other in ways] if symmetric else []
        for way in ways:
            self._world.network.cut(*way)
            self._cuts.append(way)

    def heal(self) -> None:
        """All that was cut is whole again."""
        if self._cuts:
            self._act("heal")
            self._mend()

    def add_partitions(self, topic: str, partitions: int) -> None:
        """A topic gets more partitions: as many as that in all."""
        self._cluster.add_partitions(topic, partitions, self.now_ms)
        self._act("add_partitions", topic, partitions)

    def finish(self) -> Trace:
        """The last act: all is healed and up, and the run comes to rest; its trace.

        Raises:
            ReplayDiverged: the run did not ask what a strict replay has to answer.
            Exception: what a handler raised and did not handle.
        """
        if not self._is_open:
            return self.trace
        self._act("finish")
        try:
            self._mend()
            for node in self._world.nodes.values():
                self._start(node, node.incarnation)
            self._bring_back()
            self._world.load_ends(self._produced)
            go_on(self._world.kernel)
            self._stage.door.finish()
        finally:
            self.close()
        return self.trace

    def close(self) -> None:
        """The session is over, wherever it stands; nothing more happens."""
        if self._is_open:
            self._is_open = False
            self._world.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Inside ------------------------------------------------------------------------------

    @property
    def _services(self) -> "list[Service]":
        return self._cluster._services  # type: ignore[return-value]  # noqa: SLF001

    @property
    def _sources(self) -> "list[Source]":
        return self._cluster._sources  # noqa: SLF001

    def _source(self, name: str | None) -> "Source":
        for source in self._sources:
            if name is None or source.node.name == name:
                return source
        known = ", ".join(self.producers) or "none"
        raise BadInput("there is no producer", "session.produce", name, f"known: {known}")

    def _topic(self) -> str:
        """The workload's; of an application of its own, the first."""
        if self.scenario.application is None:
            return self.scenario.workload.topics[0]
        return next(iter(self._cluster.layout.topics), "")

    def _node(self, name: str) -> "Node":
        nodes = self._world.nodes
        if name not in nodes:
            known = ", ".join(nodes)
            raise BadInput("there is no node called", "session", name, f"known: {known}")
        return nodes[name]

    def _matching(self, pattern: str) -> "list[Node]":
        nodes = self._world.nodes
        found = [node for name, node in nodes.items() if fnmatchcase(name, pattern)]
        if not found:
            known = ", ".join(nodes)
            raise BadInput("no node is called", "session.cut", pattern, f"known: {known}")
        return found

    def _has_left(self, name: str) -> bool:
        node = self._node(name)
        return any(
            service._ended.get(name) == node.incarnation  # noqa: SLF001
            for service in self._services
        )

    def _start(self, node: "Node", died: int) -> None:
        """Boot the incarnation after this one, unless somebody has done so already."""
        if node.gate.open or node.gate.held is not None or node.incarnation != died:
            return
        self._stopped.pop(node.name, None)
        if node.name in self._unborn:
            del self._unborn[node.name]
            node.boot()
        else:
            node.restart()

    def _reboot(self, node: "Node") -> None:
        if self.is_up(node.name):
            node.crash("process", "at")
        self._start(node, node.incarnation)

    def _bring_back(self) -> None:
        """Start everybody who was stopped, once they have left."""
        kernel = self._world.kernel
        for name in list(self._stopped):
            ends_us = int(kernel.now) + LEAVING_US
            while not self._has_left(name) and kernel.now < ends_us:
                go_on(kernel, int(kernel.now) + MICROS_PER_S)
            self._reboot(self._node(name))

    def _mend(self) -> None:
        while self._cuts:
            self._world.network.mend(*self._cuts.pop())

    def _still_open(self, what: str) -> None:
        if not self._is_open:
            raise BadInput("comes too late, the session is over:", "session", what)

    def _act(self, what: str, *given: Any, **named: Any) -> None:
        self._still_open(what)
        self.acts.append(call(what, *given, **named))


__all__ = ["Session"]
