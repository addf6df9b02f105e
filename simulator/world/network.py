"""The network: routes between nodes, and connections that keep their order.

Rule 1: delay belongs to the route, not to its ends. Each ordered pair of nodes has one route.
Rule 2: a connection is TCP: each of its directions is first in, first out (unless the link says
`ordered=False`), and a message of another connection may overtake it.
Rule 3: a lost message is lost in silence, and so is all that follows it in its direction of an
ordered connection, because TCP delivers nothing behind a gap. The client learns of it by its own
timeout, and opens another connection.
Rule 4: a process that dies closes its connections, and its peers are told after one flight; a
machine that loses its power tells nobody. A server that wants to know (`watch`) is told likewise
when the client's side is gone, behind what is on its way; a gap does not keep it from that, a cut
link does.
Rule 5: what is on its way when a link is cut is lost.
Rule 6: TCP hands nothing over twice. A doubled request is one whose client had sent it before, on a
connection that it then gave up: the server reads that after all (SocketServer.scala handles what it
has received of a connection that is closed), behind the second attempt. So the copy comes over a
connection of its own: it waits for nothing on the living one, and nobody hears its answer. No
answer is doubled, and no request where clients ask once (`asked_once`). An unordered link carries
datagrams: any of them may be heard twice.

Not modelled: bandwidth, TCP retransmission (a loss is final; `Clog` is the retransmission that
arrives late), name resolution, TLS; the timeout after which a client asks again (the attempt that
is answered sets out when the one that was given up would have).
"""

from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Any

from simpy.events import NORMAL

from simulator.chance.choosers import never
from simulator.chance.sites import site_at
from simulator.trace.about import about
from simulator.world.route import Draw, Plan, Route

if TYPE_CHECKING:
    from simulator.chance import Chooser
    from simulator.chance.sites import Site
    from simulator.scenario.topology import Topology
    from simulator.trace.trace import Trace
    from simulator.world.kernel import Kernel
    from simulator.world.node import Node

CLOGGED_AGAIN_US = 100_000  # So often is a clogged link looked at by who has nothing held there.
GONE_ON_THE_WAY = ("loss", "cut", "behind_a_loss")


class Lane:
    """One direction of a connection."""

    __slots__ = ("broken", "connection", "incarnation", "last_us", "receive", "route")

    def __init__(self, connection: "Connection", route: Route, receive: Any) -> None:
        self.connection = connection
        self.route = route
        self.receive = receive
        self.last_us = 0
        self.broken = False  # Something was lost: nothing behind it arrives any more.
        self.incarnation: int | None = None

    def send(self, correlation: int, body: Any) -> None:
        """Send one message; what becomes of it is the network's and chance's matter."""
        route = self.route
        plan = route.plans.get(type(body)) or route.plan(type(body))
        network = route.network
        kernel = network.kernel
        now = kernel._now  # noqa: SLF001 - the hot path
        number = network.sent
        network.sent = number + 1
        trace = network.trace
        if network.traced:
            seq = trace.record(
                now,
                route.source.name,
                (),
                ("message_sent", number, route.source.name, route.target.name, plan.name,
                 about(body)),
            )
        else:
            seq = trace.seq
            trace.seq = seq + 1
        item = (self, correlation, body, plan, number, seq)
        if plan.drop is not None and plan.drop():
            _drop(item, "loss")
            return
        if route.cuts:
            _drop(item, "cut")
            return
        if self.broken:
            _drop(item, "behind_a_loss")
            return
        if route.clogs:
            route.held.append(item)
            return
        arrival = now + route.floor_us
        if plan.delay is not None:
            arrival += plan.delay()
        if arrival < self.last_us and route.link.ordered:
            arrival = self.last_us
        self.last_us = arrival
        heappush(kernel._queue, (arrival, NORMAL, next(kernel._eid), _arrive, item))  # noqa: SLF001
        if plan.duplicate is not None:
            again = plan.duplicate()
            if again:
                network.duplicated(item, again - 1)


def _arrive(item: tuple[Any, ...]) -> None:
    lane: Lane
    plan: Plan
    lane, correlation, body, plan, number, seq = item
    route = lane.route
    if route.cuts:
        _drop(item, "cut")
        return
    target = route.target
    gate = target.gate
    if not gate.open:
        if gate.held is not None:  # Paused: the kernel of its machine has taken the message.
            gate.held.append((_arrive, item))
        else:
            _drop(item, "target_down")
            if target.last_crash != "power":
                lane.connection.reset_by_peer(route.target)
        return
    if lane.incarnation != target.incarnation:
        if lane.incarnation is not None:
            _drop(item, "stale_connection")
            lane.connection.reset_by_peer(route.target)
            return
        lane.incarnation = target.incarnation
        if target.on_request is not None and lane is lane.connection.there:
            lane.receive = target.on_request
    network = route.network
    if network.traced:
        network.trace.record(
            network.kernel._now,  # noqa: SLF001
            target.name,
            (seq,),
            ("message_delivered", number, route.source.name, target.name, plan.name),
        )
    else:
        network.trace.seq += 1
    lane.receive(lane.connection, correlation, body)


def _drop(item: tuple[Any, ...], reason: str) -> None:
    lane, _, _, plan, number, seq = item
    route = lane.route
    if reason in GONE_ON_THE_WAY:
        lane.broken = route.link.ordered
    network = route.network
    network.trace.record(
        network.kernel._now,  # noqa: SLF001
        route.source.name if reason in GONE_ON_THE_WAY else route.target.name,
        (seq,),
        ("message_dropped", number, route.source.name, route.target.name, plan.name, reason),
    )


class Connection:
    """Two lanes between a client and a server, until either closes it.

    Args:
        answered: called with (correlation, body) on the client for each answer.
        closed: called on the client when the server's side is gone.
    """

    __slots__ = (
        "_answered", "_closed", "_ended", "back", "client", "number", "open", "server", "state",
        "there",
    )

    def __init__(
        self,
        network: "Network",
        client: "Node",
        server: "Node",
        answered: Callable[[int, Any], None],
        closed: Callable[[], None],
    ) -> None:
        self.client = client
        self.server = server
        self.open = True
        self.state: Any = None  # The server's own, for as long as the connection lasts.
        self._answered = answered
        self._closed = closed
        self._ended: Callable[[], None] | None = None
        self.there = Lane(self, network.route(client, server), server.receive)
        self.back = Lane(self, network.route(server, client), _receive_answer)
        self.back.incarnation = client.incarnation
        self.number = network.opened
        network.opened += 1
        server.connections[self.number] = self

    def close(self) -> None:
        """The client closes it: what is on its way to the server still arrives there."""
        if self.open:
            self.open = False
            self.server.connections.pop(self.number, None)
            if self._ended is not None:
                self.client.watched.pop(self.number, None)
                self.tell_server()

    def given_up(self) -> Lane:
        """The way there of another connection to the same process, which the client has closed."""
        network = self.there.route.network
        other = network.connect(self.client, self.server, self._answered, self._closed)
        other.close()
        other.there.incarnation = self.server.incarnation
        return other.there

    def watch(self, ended: Callable[[], None]) -> None:
        """The server wants to know when the client closes the connection, or its process dies."""
        self._ended = ended
        client = self.client
        if self.open and self.lives:
            client.watched[self.number] = self
        elif not self.open or client.last_crash == "process":
            self.tell_server()

    @property
    def lives(self) -> bool:
        """Whether the client's process is the one that opened it; it may have closed it."""
        client = self.client
        is_up = client.gate.open or client.gate.held is not None
        return is_up and self.back.incarnation == client.incarnation

    def tell_server(self) -> None:
        """The client's side is gone: the server that watches is told after one flight."""
        route = self.there.route
        if not route.cuts:
            kernel = route.network.kernel
            delay_us = max(route.floor_us, self.there.last_us - int(kernel.now))
            kernel.call_later(delay_us, _tell_ended, self)

    def reset_by_peer(self, gone: "Node") -> None:
        """The side that is gone cannot answer: tell the other after one flight back.

        A machine that is up again knows nothing of its connections of before: it says so to a
        server which answers on one of them.
        """
        if gone is not self.server:
            if self._ended is not None:
                self.tell_server()
        elif self.open:
            route = self.back.route
            if not route.cuts:
                kernel = route.network.kernel
                kernel.call_later(route.floor_us, _tell_closed, self)


def _receive_answer(connection: Connection, correlation: int, body: Any) -> None:
    if connection.open:
        connection._answered(correlation, body)  # noqa: SLF001


def _tell_closed(connection: Connection) -> None:
    client = connection.client
    if not client.gate.open and client.gate.held is not None:
        client.gate.held.append((_tell_closed, connection))
    elif (
        connection.open
        and client.gate.open
        and connection.back.incarnation == client.incarnation
    ):
        connection.close()
        connection._closed()  # noqa: SLF001


def _tell_ended(connection: Connection) -> None:
    route, server = connection.there.route, connection.server
    if route.clogs:  # Behind what is held.
        route.network.kernel.call_later(CLOGGED_AGAIN_US, _tell_ended, connection)
    elif not server.gate.open:
        if server.gate.held is not None:
            server.gate.held.append((_tell_ended, connection))
    elif not route.cuts and connection.there.incarnation == server.incarnation:
        assert connection._ended is not None, "somebody watches"  # noqa: SLF001
        connection._ended()  # noqa: SLF001


class Network:
    """All routes; made as they are needed."""

    def __init__(
        self, kernel: "Kernel", topology: "Topology", chooser: "Chooser", trace: "Trace"
    ) -> None:
        self.kernel = kernel
        self.trace = trace
        self.hazards = True
        self.sent = 0
        self.opened = 0
        self.traced = trace.wants("message_sent") or trace.wants("message_delivered")
        self._topology = topology
        self._chooser = chooser
        self._routes: dict[tuple[str, str], Route] = {}

    def draw(self, site: str, fault_class: str, law: Any) -> Draw | None:
        """The source at a site, or None where there is nothing to draw."""
        return self.draw_at(site_at(site, fault_class), law)

    def draw_at(self, site: "Site", law: Any) -> Draw | None:
        """As `draw`, for who has the site."""
        source = self._chooser.source(site, law)
        return None if source is never else source

    def route(self, source: "Node", target: "Node") -> Route:
        """The route from one node to another."""
        key = (source.name, target.name)
        found = self._routes.get(key)
        if found is None:
            link = self._topology.link(source.name, target.name)
            found = self._routes[key] = Route(self, source, target, link)
        return found

    def connect(
        self,
        client: "Node",
        server: "Node",
        answered: Callable[[int, Any], None],
        closed: Callable[[], None],
    ) -> Connection:
        """Open a connection; the first message binds it to the server's incarnation."""
        return Connection(self, client, server, answered, closed)

    def heal(self) -> None:
        """End every hazard of chance; what a plan names still happens."""
        self.hazards = False
        for route in self._routes.values():
            if route.link.loss or route.link.duplicate:  # Else its plans are as they will be.
                route.plans.clear()

    def forget(self) -> None:
        """Let go of what chance had to say: nothing will be sent any more."""
        for route in self._routes.values():
            route.plans.clear()

    def cut(self, source: "Node", target: "Node") -> None:
        """Let nothing pass from source to target, until `mend`."""
        route = self.route(source, target)
        route.cuts += 1
        self._record("link_cut", route)

    def mend(self, source: "Node", target: "Node") -> None:
        """Undo one `cut`."""
        route = self.route(source, target)
        route.cuts -= 1
        if not route.cuts:
            self._record("link_healed", route)

    def clog(self, source: "Node", target: "Node") -> None:
        """Hold what is sent from source to target, until `unclog`."""
        route = self.route(source, target)
        route.clogs += 1
        self._record("link_clogged", route)

    def unclog(self, source: "Node", target: "Node") -> None:
        """Undo one `clog`: what was held sets out now, in its order."""
        route = self.route(source, target)
        route.clogs -= 1
        if route.clogs:
            return
        self._record("link_healed", route)
        held, route.held = route.held, []
        for item in held:
            lane = item[0]
            lane.last_us = max(lane.last_us, self.kernel.now + route.floor_us)
            self.kernel.call_later(lane.last_us - self.kernel.now, _arrive, item)

    def duplicated(self, item: tuple[Any, ...], later_us: int) -> None:
        """Let the message of an item arrive once more, `later_us` after its first arrival."""
        lane, _, _, plan, number, seq = item
        route, connection = lane.route, lane.connection
        if route.link.ordered:
            if lane is connection.back or route.target.asked_once:
                _drop(item, "copy")
                return
            item = (connection.given_up(), *item[1:])
        now = int(self.kernel.now)
        self.trace.record(
            now,
            route.source.name,
            (seq,),
            ("message_duplicated", number, route.source.name, route.target.name, plan.name),
        )
        self.kernel.call_later(lane.last_us - now + later_us, _arrive, item)

    def _record(self, kind: str, route: Route) -> None:
        self.trace.record(
            int(self.kernel.now), "network", (), (kind, route.source.name, route.target.name)
        )
