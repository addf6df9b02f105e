"""The controller: one node that stands for Kafka's quorum, driven by what brokers ask of it.

It is there when a topic has more than one replica. Its log survives whatever its node suffers, a
lost disk too: a quorum has written it before anybody hears of it. It measures brokers' silence by
a clock that never jumps (BrokerHeartbeatTracker.java).

Not modelled here: the quorum itself (its elections, its followers, its snapshots).
"""

from typing import TYPE_CHECKING, Any

from simulator.protocol.controller import Controller
from simulator.protocol.controller_facts import NewTopic
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Step, Timer
from simulator.protocol.replica_messages import BrokerState, CreatePartitionsRequest

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.layout import Layout
    from simulator.world.kernel import Timer as KernelTimer
    from simulator.world.node import Node


class ControllerNode:
    """One incarnation of the controller."""

    def __init__(self, node: "Node", layout: "Layout") -> None:
        self._node = node
        self._timers: dict[Any, KernelTimer] = {}
        settings, brokers = layout.controlling, layout.brokers
        self.machine = Controller(layout.metadata_log, settings, layout.variant, brokers=brokers)
        node.on_request = self._receive
        if self.machine.is_new:
            topics = tuple(_new_topic(layout, name) for name in layout.topics)
            self._carry_out(self.machine.boot(topics, node.steady_us), silent=True)
            layout.first_records = self.machine.records(0)
            layout.first_epochs = {
                name: state.epoch for name, state in self.machine.brokers.items()
            }
        else:
            self._carry_out(self.machine.recover(node.steady_us))

    def _receive(self, connection: "Asker", correlation: int, body: Any) -> None:
        request = Request((connection, correlation), body, connection.client.name)
        self._carry_out(self.machine.decide(request, self._node.steady_us))

    def add_partitions(self, topic: str, count: int) -> bool:
        """Somebody's order at the controller itself: a topic is to have so many partitions.

        False: there is no active broker for one of them.
        """
        request = Request(None, CreatePartitionsRequest(topic, count), self._node.name)
        step = self.machine.decide(request, self._node.steady_us)
        self._carry_out(step)
        return bool(step.facts)

    def _carry_out(self, step: Step, *, silent: bool = False) -> None:
        node, machine = self._node, self.machine
        causes = () if silent else self._silences(step)
        for fact in step.facts:
            for event in () if silent else machine.told(fact):
                node.record(event, causes)
            machine.apply(fact)
        for effect in step.effects:
            if type(effect) is Reply:
                if effect.to is not None:
                    connection, correlation = effect.to
                    connection.back.send(correlation, effect.body)
            elif type(effect) is SetTimer:
                self._cancel(effect.name)
                self._timers[effect.name] = node.after(
                    effect.least_us, self._expired, effect.name
                )
            elif type(effect) is CancelTimer:
                self._cancel(effect.name)

    def _silences(self, step: Step) -> tuple[int, ...]:
        """The crashes and pauses of those who are counted as gone now, for nothing was heard."""
        nodes = self._node.world.nodes
        fenced = [fact.broker for fact in step.facts if type(fact) is BrokerState and fact.fenced]
        found = (nodes[name].silent_since for name in fenced if name in nodes)
        return tuple(seq for seq in found if seq >= 0)

    def _cancel(self, name: Any) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, name: Any) -> None:
        del self._timers[name]
        self._carry_out(self.machine.decide(Timer(name), self._node.steady_us))


def _new_topic(layout: "Layout", name: str) -> NewTopic:
    topic, settings = layout.topics[name], layout.topic_settings(name)
    return NewTopic(
        name,
        topic.partitions,
        topic.replication_factor,
        settings.min_insync_replicas,
        settings.unclean_leader_election_enable,
    )
