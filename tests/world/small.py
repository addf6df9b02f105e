"""A world of two nodes, and what tests of the world ask of it."""

import attrs

from simulator.chance import Overlay, Zero
from simulator.scenario.faults import FaultPlan, Hazards
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Link, Topology
from simulator.trace.trace import Trace
from simulator.world.world import World


class Ping(tuple):
    """A message of the tests' own."""

    __slots__ = ()


class Pong(tuple):
    """Its answer."""

    __slots__ = ()


@attrs.define
class Pair:
    """A client that can ask, and a server that echoes and counts."""

    world: World
    heard: list = attrs.field(factory=list)
    answers: list = attrs.field(factory=list)
    closed: list = attrs.field(factory=list)
    connection: object = None

    def connect(self):
        world = self.world
        self.connection = world.network.connect(
            world.nodes["client"],
            world.nodes["server"],
            lambda correlation, body: self.answers.append(
                (world.kernel.now, correlation, type(body).__name__)
            ),
            lambda: self.closed.append(world.kernel.now),
        )
        return self.connection

    def ask_at(self, *times_us):
        """Send a Ping at each time; its correlation is its place in the list."""
        for correlation, at_us in enumerate(times_us):
            self.world.kernel.call_later(
                at_us, lambda number: self.connection.there.send(number, Ping()), correlation
            )

    def run(self, until_us=1_000_000):
        self.world.kernel.run(until=until_us)
        return self

    def dropped(self):
        return [event[4:6] for *_, event in self.world.trace.of("message_dropped")]


def pair(*faults, link=None, hazards=None, chooser=None):
    """Two nodes up, a connection between them, the nemesis started."""
    plan = FaultPlan(faults)
    scenario = Scenario(
        topology=Topology(links=(link or Link(),)), faults=plan, hazards=hazards or Hazards()
    )
    door = Overlay(plan.deviations(), chooser or Zero())
    door.start()
    two = Pair(World(scenario, door, Trace()))

    def serve(node):
        def answer(connection, correlation, body):
            two.heard.append((node.kernel.now, correlation))
            connection.back.send(correlation, Pong())

        node.on_request = answer

    two.world.add("client", lambda _: None)
    two.world.add("server", serve)
    for node in two.world.nodes.values():
        node.boot()
    two.world.nemesis.start()
    two.connect()
    return two
