"""A node: a name, a clock, a disk, and incarnations that die whole.

Rule 1: everything a node does runs behind the gate of its incarnation. A crash shuts the gate:
no callback, no process and no `finally` of that incarnation runs any more.
Rule 2: memory belongs to an incarnation: `boot` builds it anew, from the disk alone.
Rule 3: a paused node does nothing, and nothing is lost: when it resumes, what came due meanwhile
happens in its order, at once, with the clock where it is by then (a stopped garbage collector,
not a stopped machine).
"""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from simulator.chance import Bernoulli
from simulator.errors import SimulatorError
from simulator.world.disk import CrashMode, Disk
from simulator.world.kernel import Event, Gate, Process, Steps, Timeout, Timer

if TYPE_CHECKING:
    from simulator.world.network import Connection
    from simulator.world.route import Draw
    from simulator.world.world import World

MILLION = 1_000_000
NEVER = Bernoulli(0.0)

Boot = Callable[["Node"], None]


class PowerCut(BaseException):
    """Unwinds a plain function in the instant of its node's crash; nobody may catch it."""


class Node:
    """One machine with one process on it; `boot` starts an incarnation.

    Args:
        name: unique in its world.
        boot: called at the start and after each restart; it sets `on_request`, starts
            processes, and reads the disk.

    Attributes:
        asked_once: whether its clients send no request again by themselves, so that none is
            doubled on the way.
    """

    def __init__(self, world: "World", name: str, boot: Boot) -> None:
        self.world = world
        self.name = name
        self.kernel = world.kernel
        self.trace = world.trace
        self.disk = Disk()
        self.incarnation = 0
        self.numbers = count()  # For names that no other incarnation, or client, may give again.
        self.gate = Gate(name)
        self.gate.open = False
        self.last_crash: CrashMode = "power"
        self.connections: dict[int, Connection] = {}
        self.watched: dict[int, Connection] = {}  # Those of its own that a server watches.
        self.on_request: Callable[[Connection, int, Any], None] | None = None
        self.asked_once = False
        self._boot = boot
        self._processes: dict[int, Process] = {}
        self._started = 0
        self._points: dict[str, Draw | None] = {}
        self._crash_seq = self._pause_seq = -1
        self._true_clock = True  # It was never skewed.
        self._drift_ppm = 0
        self._clock_base = (0, 0)  # (kernel time, clock time) of the last jump
        self._jumped_us = 0

    # --- Time ------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """What the node's own clock shows."""
        if self._true_clock:
            return self.kernel._now  # noqa: SLF001 - the hot path
        since, showed = self._clock_base
        passed = int(self.kernel.now) - since
        return showed + passed + passed * self._drift_ppm // MILLION

    @property
    def steady_us(self) -> int:
        """How long the machine has been up: it may run fast or slow, and never jumps."""
        return self.now_us - self._jumped_us

    def skew(self, jump_us: int, drift_ppm: int) -> None:
        """Let the clock jump, and gain `drift_ppm` millionths from now on."""
        self._jumped_us += jump_us
        self._clock_base = (int(self.kernel.now), self.now_us + jump_us)
        self._true_clock = False
        self._drift_ppm = drift_ppm
        self.record(("clock_skewed", jump_us, drift_ppm))

    def _real_us(self, delay_us: int) -> int:
        # Rounded up: a timer that came a microsecond early would be set again, for ever.
        return -(-delay_us * MILLION // (MILLION + self._drift_ppm))

    def after(self, delay_us: int, function: Callable[[Any], None], argument: Any = None) -> Timer:
        """Call `function(argument)` when the node's clock has gone on by `delay_us`."""
        if delay_us < 0:
            delay_us = 0
        elif self._drift_ppm:
            delay_us = self._real_us(delay_us)
        return self.kernel.timer(delay_us, self.gate, function, argument)

    def sleep(self, delay_us: int) -> Event:
        """An event that happens when the node's clock has gone on by `delay_us`."""
        if self._drift_ppm:
            delay_us = self._real_us(delay_us)
        return Timeout(self.kernel, delay_us)

    def event(self) -> Event:
        """An event that somebody will trigger; it can be yielded or awaited."""
        return Event(self.kernel)

    # --- What it does ----------------------------------------------------------------------

    def start(self, steps: Steps, name: str = "") -> Process:
        """Run a generator or a coroutine as a process of this incarnation."""
        process = Process(self.kernel, steps, self.gate, f"{self.name}/{name or 'process'}")
        number = self._started
        self._started = number + 1
        self._processes[number] = process
        processes = self._processes
        process.callbacks.append(lambda _: _forget(processes, number))
        return process

    def processes(self) -> list[Process]:
        """The processes of this incarnation that have not ended."""
        return list(self._processes.values())

    def receive(self, connection: "Connection", correlation: int, body: Any) -> None:
        """A request has arrived."""
        if self.on_request is None:
            raise SimulatorError(
                f"{self.name} serves no requests, but {connection.client.name} sent it "
                f"{type(body).__name__}"
            )
        self.on_request(connection, correlation, body)

    def record(self, event: tuple[Any, ...], causes: tuple[int, ...] = ()) -> int:
        """Write an event of this node into the trace; a dead incarnation writes nothing."""
        gate = self.gate
        if not gate.open and gate.held is None:
            return -1
        return self.trace.record(self.kernel._now, self.name, causes, event)  # noqa: SLF001

    def source(self, site: str, fault_class: str, law: Any) -> "Draw":
        """The source of chance at a site."""
        return self.world.source(site, fault_class, law)

    # --- How it fails ------------------------------------------------------------------------

    def _point_source(self, name: str) -> "Draw | None":
        """What says whether a crash strikes at a point; None: it never does."""
        draw = self._points[name] = self.world.nemesis.draw_at(self.name, name)
        return draw

    def point(self, name: str) -> bool:
        """A place where a crash may strike: False means that it just did.

        The caller must then stop at once: nothing it still does has an effect.
        """
        try:
            draw = self._points[name]
        except KeyError:
            draw = self._point_source(name)
        if draw is not None and draw():
            self.world.nemesis.strike(self, name)
            return False
        return True

    def crash_point(self, name: str) -> "Callable[[], bool] | None":
        """`point(name)` for the hot path: None where neither hazard nor plan can ever strike."""
        draw = self._points[name] if name in self._points else self._point_source(name)
        return None if draw is None else partial(self.point, name)

    def forget_points(self) -> None:
        """Ask the nemesis anew: its hazards have ended."""
        self._points.clear()

    def boot(self) -> None:
        """Start an incarnation."""
        assert not self.gate.open, f"{self.name} is up already"
        self.gate = Gate(self.name)
        self.on_request = None
        self._processes = {}
        self._boot(self)

    def _chosen(self, what: str) -> bool:
        draw = self.world.network.draw(f"{what}@{self.name}", "disk", NEVER)
        return draw is not None and bool(draw())

    def crash(self, mode: CrashMode, point: str) -> None:
        """Cut the power of this incarnation: its processes never take another step."""
        # No law tears a write, or writes one back early: a plan or a search does.
        torn = mode == "power" and self._chosen("torn")
        written_back = mode == "power" and self.disk.dirty and self._chosen("writeback")
        self._crash_seq = self.record(("node_crashed", mode, point))
        self.gate.open = False
        self.gate.held = None
        self.last_crash = mode
        self.world.bury(self.processes())
        self.disk.crash(mode, self.now_us, torn=torn, written_back=written_back)
        if mode == "process":  # The operating system closes them.
            for connection in self.connections.values():
                connection.reset_by_peer(self)
            for connection in self.watched.values():
                connection.tell_server()
        self.watched = {}

    def restart(self) -> None:
        """Boot the next incarnation."""
        self.incarnation += 1
        self.connections = {}
        self.trace.record(
            int(self.kernel.now),
            self.name,
            (self._crash_seq,),  # What the disk carried over, it carried over from there.
            ("node_restarted", self.incarnation),
        )
        self.boot()

    @property
    def silent_since(self) -> int:
        """The entry of the crash or the pause that lasts; -1 if the node is up.

        What others do because they hear nothing of it follows from there.
        """
        if self.gate.open:
            return -1
        return self._crash_seq if self.gate.held is None else self._pause_seq

    def pause(self, for_us: int) -> None:
        """Do nothing for a while; the world goes on."""
        if self.gate.open:
            self._pause_seq = self.record(("node_paused", for_us))
            self.gate.held = []
            self.gate.open = False
            self.kernel.call_later(for_us, self._resume, self.gate)

    def _resume(self, gate: Gate) -> None:
        if gate.held is None:  # It crashed meanwhile.
            return
        held, gate.held = gate.held, None
        gate.open = True
        self.record(("node_resumed",))
        for position, (function, argument) in enumerate(held):
            if not gate.open:  # One of them crashed or paused it again.
                if gate.held is not None:
                    gate.held.extend(held[position:])
                return
            function(argument)


def _forget(processes: dict[int, Process], number: int) -> None:
    processes.pop(number, None)


def power_cut(node: Node) -> Any:
    """What a plain function meets at the call in whose course its node crashed."""
    raise PowerCut(node.name)
