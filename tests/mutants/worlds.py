"""Bugs of the world and of stores: crashes that are none, wires that shuffle, halves of wholes."""

from contextlib import suppress

import attrs

from simulator.cluster.store import StoreNode
from simulator.protocol.journal import Journal
from simulator.protocol.messages import TransactRequest
from simulator.scenario.topology import Topology
from simulator.world.network import Network
from simulator.world.node import Node


def runs_finally_in_a_crash(patch):
    """A crash closes what was running, as an interrupt would."""
    crash = Node.crash

    def tidy(self, mode, point):
        for process in self.processes():
            with suppress(RuntimeError, ValueError):
                process._generator.close()
        crash(self, mode, point)

    patch.setattr(Node, "crash", tidy)


def reorders_within_a_connection(patch):
    """A message may overtake another of its own connection."""
    link = Topology.link

    def shuffled(self, source, target):
        return attrs.evolve(link(self, source, target), ordered=False)

    patch.setattr(Topology, "link", shuffled)


def never_mends_a_link(patch):
    """A partition that is over goes on."""
    patch.setattr(Network, "mend", lambda self, source, target: None)


def applies_before_it_marks(patch):
    """The effect is one transaction, and the mark that it was done the next."""
    transact = StoreNode.transact

    def by_halves(self, node, body):
        answer = None
        for operation in sorted(body.operations, key=lambda one: not getattr(one, "effect", False)):
            answer = transact(self, node, TransactRequest((operation,), body.event_id))
            if answer is None or answer.status != "committed":
                return answer
        return answer

    patch.setattr(StoreNode, "transact", by_halves)


def answers_before_it_flushes(patch):
    """A store's answer leaves while its log is not on the platter."""
    patch.setattr(Journal, "flush", lambda self: None)
