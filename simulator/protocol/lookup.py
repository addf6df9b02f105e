"""Where a group's coordinator is, as far as one client knows.

1. It is looked up when something needs it and it is unknown, one FindCoordinator at a time, with
   a backoff after each failure.
2. It is unknown again when it says that it is not the coordinator, when a request to it gets no
   answer, or when the group's session passes without a heartbeat answered.

Sources: AbstractCoordinator.java: ensureCoordinatorReady, lookupCoordinator,
markCoordinatorUnknown.
"""

from collections.abc import Callable
from typing import Any

from simulator.errors import KafkaError
from simulator.protocol.errors import Error
from simulator.protocol.leaders import Leaders
from simulator.protocol.messages import FindCoordinatorRequest, FindCoordinatorResponse
from simulator.protocol.wire import NEVER, Disconnect, Wire

COORDINATOR_GONE = (Error.COORDINATOR_NOT_AVAILABLE, Error.NOT_COORDINATOR)


class Lookup:
    """The coordinator of one group.

    Attributes:
        node: the coordinator's node, or None when it is unknown.
        found: told the time at which a coordinator was found.
    """

    def __init__(self, group_id: str, wire: Wire, leaders: Leaders) -> None:
        self.group_id = group_id
        self._wire = wire
        self._leaders = leaders
        self.node: str | None = None
        self.found: Callable[[int], None] = _nobody
        self._looking = False
        self._at_us = 0
        self._attempts = 0
        self._waiting: list[Callable[[str | None, int], None]] = []

    def find(self, now_us: int, told: Callable[[str | None, int], None] | None = None) -> None:
        """Ask who coordinates the group, unless that is known or being asked.

        told: told the node that the next answer names, or None.
        """
        if told is not None:
            self._waiting.append(told)
        if self.node is not None or self._looking:
            return
        if now_us < self._at_us and told is None:
            self._wire.want(self._at_us)
            return
        self._looking = True
        request = FindCoordinatorRequest(self.group_id)
        self._wire.ask(self._leaders.any_node(), request, self._answered)

    def _answered(self, body: FindCoordinatorResponse | None, now_us: int) -> None:
        self._looking = False
        if body is not None and body.error is Error.NONE:
            self.node = body.node
            self._attempts = 0
            self.found(now_us)
        else:
            if body is None:
                self._leaders.turn()
            elif not body.error.retriable:
                self._wire.failure = KafkaError(
                    f"{body.error.name}: no coordinator of {self.group_id}"
                )
            self._at_us = now_us + self._wire.backoff_us(self._attempts)
            self._attempts += 1
            self._wire.want(self._at_us)
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            told(self.node, now_us)

    def lose(self, *, disconnected: bool = False) -> None:
        """The coordinator is not there, or not the one: it is looked up when next needed.

        disconnected: the connection is closed already. If not it is closed now, and whatever is
        in flight on it fails.
        """
        if self.node is None:
            return
        node, self.node = self.node, None
        self._wire.want(self._at_us)
        if not disconnected:
            self._wire.outbox.append(Disconnect(node, "coordinator"))

    def ask(
        self, body: Any, answered: Callable[[Any, int], None], timeout_ms: int | None = None
    ) -> None:
        """Ask the coordinator, which must be known, over its own connection."""
        assert self.node is not None, "the coordinator is unknown"
        self._wire.ask(self.node, body, answered, "coordinator", timeout_ms)

    def due_us(self) -> int:
        """When the coordinator can next be looked up, if it is unknown."""
        return NEVER if self._looking or self.node is not None else self._at_us


def _nobody(_: int) -> None:
    """Nobody asked to be told."""
