"""Bugs of the world and of stores: crashes that are none, wires that shuffle, halves of wholes."""

from contextlib import suppress

import attrs

from simulator.cluster import store as store_nodes
from simulator.errors import StoreTimeout
from simulator.matrix import planted
from simulator.protocol import store as stores
from simulator.protocol.journal import Journal
from simulator.protocol.store import Insert, Store
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
    planted.applies_before_it_marks(patch)


def answers_before_it_flushes(patch):
    """A store's answer leaves while its log is not on the platter."""
    patch.setattr(Journal, "flush", lambda self: None)


def inserts_what_is_there(patch):
    """A store's unique keys need not be unique."""
    run = stores.run_operation

    def loose(operation, old, is_loose):
        return run(operation, stores.ABSENT if type(operation) is Insert else old, is_loose)

    patch.setattr(stores, "run_operation", loose)


def recovers_effects_alone(patch):
    """A store that restarts has its totals, and not the marks of what they consist of."""
    build = Store.__init__

    def recovering(self, journal, **given):
        build(self, journal, **given)
        self.tables.pop("processed", None)

    patch.setattr(Store, "__init__", recovering)


def takes_silence_for_success(patch):
    """A store's client that hears nothing believes that all is well."""
    results = store_nodes.StoreClient._by_message

    def believing(self, body):
        told = results(self, body)
        fail = told.fail

        def failed(error):
            return told.succeed(()) if isinstance(error, StoreTimeout) else fail(error)

        told.fail = failed
        return told

    patch.setattr(store_nodes.StoreClient, "_by_message", believing)
