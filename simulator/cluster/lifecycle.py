"""A broker's life in the eyes of the controller: it registers, catches up, is let in, and beats.

1. The first incarnations are there when a world begins: registered, let in, and informed. Every
   later one registers anew, reads the controller's log from its start, and is fenced until it has
   read its own registration; it takes requests from the moment it is let in.
2. A heartbeat goes out every broker.heartbeat.interval.ms; after ten milliseconds while a broker
   starts; after one that failed, with exponential backoff from 100 ms on.
3. The controller's log is read on by long polls; what is read counts at once.

Source: BrokerLifecycleManager.scala, BrokerServer.scala, KafkaRaftClient.java (observers).

Not modelled: controlled shutdown (an incarnation ends by crashing), the broker's own copy of the
controller's log, log directories that fail.
"""

from typing import TYPE_CHECKING, Any

from simulator.chance import uniform
from simulator.cluster.connections import Answered, Connections
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.replica_messages import (
    NO_BROKER_EPOCH,
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    MetadataFetchRequest,
    MetadataFetchResponse,
)

if TYPE_CHECKING:
    from simulator.cluster.replicas import Replicas

FETCH_WAIT_MS = 500  # KafkaRaftClient.MAX_FETCH_WAIT_MS
FETCH_TIMEOUT_MS = 2_000  # controller.quorum.request.timeout.ms
FETCH_AGAIN_US = 20 * MICROS_PER_MS  # controller.quorum.retry.backoff.ms
STARTING_US = 10 * MICROS_PER_MS
BACKOFF_US = 100 * MICROS_PER_MS


class Lifecycle:
    """One incarnation's registration, heartbeats and reading of the controller's log."""

    def __init__(self, replicas: "Replicas") -> None:
        self._replicas = replicas
        self._node = replicas.node
        layout = replicas.layout
        self._controller = layout.controller
        self._interval_us = layout.controlling.broker_heartbeat_interval_ms * MICROS_PER_MS
        self._timeout_ms = layout.controlling.broker_session_timeout_ms // 2
        self.connections = Connections(self._node)
        self.broker_epoch = NO_BROKER_EPOCH
        self._offset = 0  # Where to read on in the controller's log.
        self._records: tuple[Any, ...] = ()  # Read, and not taken over yet.
        self._let_in = False
        self._failures = 0

    def start(self) -> None:
        """Begin this incarnation."""
        if self._node.incarnation == 0:
            layout = self._replicas.layout
            self._replicas.learn(layout.first_records)
            self._offset = len(layout.first_records)
            self.broker_epoch = layout.first_epochs[self._node.name]
            self._serve()
            self._node.after(self._interval_us, self._beat)
        else:
            self._register(None)
        self._read(None)

    def _serve(self) -> None:
        self._let_in = True
        self._replicas.broker.serve()

    def ask_controller(
        self, body: Any, answered: Answered, purpose: str, timeout_ms: int | None = None
    ) -> None:
        """Send a request to the controller, on a connection of its own for each purpose."""
        if self._replicas.broker.is_dead:
            return
        self.connections.request(self._controller, body, answered, purpose, timeout_ms)

    def _later(self, again: Any) -> None:
        """Try again after a failure."""
        most_us = self._timeout_ms * MICROS_PER_MS
        law = uniform(*exponential_backoff(self._failures, BACKOFF_US, most_us))
        jitter = self._node.source(f"lifecycle@{self._node.name}", "delay", law)
        self._failures += 1
        self._node.after(law.floor_us + jitter(), again)

    # --- Registering ---------------------------------------------------------------------------

    def _register(self, _: Any) -> None:
        body = BrokerRegistrationRequest(self._node.name, self._node.incarnation)
        self.ask_controller(body, self._registered, "lifecycle", self._timeout_ms)

    def _registered(self, response: BrokerRegistrationResponse | None) -> None:
        if response is None or response.error is not Error.NONE:
            self._later(self._register)
            return
        self._failures = 0
        self.broker_epoch = response.broker_epoch
        self._publish()
        self._beat(None)

    # --- Heartbeats ------------------------------------------------------------------------------

    def _beat(self, _: Any) -> None:
        body = BrokerHeartbeatRequest(self._node.name, self.broker_epoch, self._offset)
        self.ask_controller(body, self._beaten, "lifecycle", self._timeout_ms)

    def _beaten(self, response: BrokerHeartbeatResponse | None) -> None:
        if response is None or response.error is not Error.NONE:
            self._later(self._beat)
            return
        self._failures = 0
        if not self._let_in and not response.fenced:
            self._serve()
        self._node.after(self._interval_us if self._let_in else STARTING_US, self._beat)

    # --- The controller's log --------------------------------------------------------------------

    def _read(self, _: Any) -> None:
        body = MetadataFetchRequest(self._node.name, self._offset, FETCH_WAIT_MS)
        self.ask_controller(body, self._told, "metadata", FETCH_TIMEOUT_MS)

    def _told(self, response: MetadataFetchResponse | None) -> None:
        if response is None or response.error is not Error.NONE:
            self._node.after(FETCH_AGAIN_US, self._read)
            return
        self._offset = response.next_offset
        self._records += response.records
        self._publish()
        self._read(None)

    def _publish(self) -> None:
        """Let the broker act on what was read, and on its own registration at the earliest.

        Before it would act on what it was in its last life (MetadataLoader, initial catch-up); and
        it says that it has read so far only when it has acted on it (setReadyToUnfence).
        """
        if self._records and -1 < self.broker_epoch < self._offset:
            records, self._records = self._records, ()
            self._replicas.learn(records)
