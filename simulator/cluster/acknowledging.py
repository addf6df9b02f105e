"""Producers with acks=all wait at a broker until their batches are committed, or cannot be.

The rules stand in `protocol.replication_acks`; here are the timers, and the answers.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.alarm import NEVER_US, Alarm
from simulator.cluster.later import LATER
from simulator.protocol.machine import CancelTimer, Reply, SetTimer, Step
from simulator.protocol.messages import PartitionProduced, ProduceResponse
from simulator.protocol.names import TopicPartition
from simulator.protocol.replication_acks import Acked, AcksWaiting

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker


class Acknowledging:
    """The produce requests of a broker that wait.

    Args:
        acked: what a producer may be told now of what lies below an offset; None: wait.
        finished: given whom an answer is for, adds to it what is known when it leaves.
    """

    def __init__(
        self,
        broker: "Broker",
        acked: Acked,
        finished: Callable[[Any, ProduceResponse], Any],
    ) -> None:
        self._broker = broker
        self._acked = acked
        self._finished = finished
        self._machine = AcksWaiting()
        # The machine's timers, and when they expire; by a clock that does not jump (SystemTimer).
        self._late_us: dict[Any, int] = {}
        self._alarm = Alarm(broker.node, self._time_up)
        self._rings_us = NEVER_US

    def wait(
        self,
        to: Any,
        results: tuple[PartitionProduced, ...],
        ends: Mapping[TopicPartition, int],
        timeout_ms: int,
    ) -> Any:
        """The answer to `to`, a connection and a number, or LATER."""
        step = self._machine.decide_wait(to, results, ends, timeout_ms, self._acked)
        return self._carry_out(step, to)

    def settle(self, where: TopicPartition) -> None:
        """A partition's high watermark or role has changed: answer whoever may be answered."""
        if self._machine.waiting:
            self._carry_out(self._machine.decide_moved(where, self._acked), None)

    def _time_up(self) -> None:
        self._rings_us = NEVER_US
        now_us = self._broker.node.steady_us
        for name, late_us in tuple(self._late_us.items()):
            # An answer lets the next request in, and so may end the wait of others.
            if late_us <= now_us and self._late_us.pop(name, None) is not None:
                self._carry_out(self._machine.decide_timeout(name[1]), None)
        if self._late_us:
            self._ring_at(min(self._late_us.values()))

    def _set(self, timer: SetTimer) -> None:
        late_us = self._late_us[timer.name] = self._broker.node.steady_us + timer.least_us
        if late_us < self._rings_us:
            self._ring_at(late_us)

    def _ring_at(self, late_us: int) -> None:
        node = self._broker.node
        self._rings_us = late_us
        self._alarm.set(node.now_us + late_us - node.steady_us)

    def _carry_out(self, step: Step, request: Any) -> Any:
        for fact in step.facts:
            self._machine.apply(fact)
        replies = []
        answer = LATER
        for effect in step.effects:
            if type(effect) is SetTimer:
                self._set(effect)
            elif type(effect) is CancelTimer:
                self._late_us.pop(effect.name, None)
            elif type(effect) is Reply:
                if effect.to is request:
                    answer = self._finished(request, effect.body)
                else:
                    replies.append(effect)
        # Last: an answer lets its connection's next request in, which finds all done.
        for one in replies:
            connection, number = one.to
            self._broker.answer(connection, number, self._finished(one.to, one.body))
        return answer
