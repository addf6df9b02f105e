"""A broker fetches from one leader for all the partitions in which it follows it, one at a time.

1. One request is under way: first the ends of epochs, where a log may have to be cut, then the
   bounds of those out of range, else a fetch of all the others (AbstractFetcherThread.doWork).
2. An answer that never comes (a timeout, a lost connection), or one that says to wait, lets a
   partition rest for replica.fetch.backoff.ms.
3. A partition that joins while a request is under way is asked for with the next one.

Source: AbstractFetcherThread.scala, ReplicaFetcherThread.scala.

Not modelled: several fetcher threads a leader (num.replica.fetchers is 1), fetch sessions.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.protocol import messages as m
from simulator.protocol import replica_messages as rm
from simulator.protocol.machine import Step
from simulator.protocol.names import TopicPartition
from simulator.protocol.replication import Replica
from simulator.protocol.replication_following import Ask

if TYPE_CHECKING:
    from simulator.cluster.replicas import Replicas

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
PURPOSE = "replication"
ORDER = (rm.EpochAsked, rm.BoundAsked, m.FetchPartition)  # What is asked first.
SOCKET_TIMEOUT_MS = 30_000  # replica.socket.timeout.ms
FETCH_RESPONSE_MAX_BYTES = 10_485_760  # replica.fetch.response.max.bytes


class Fetcher:
    """What one broker asks of one leader."""

    def __init__(self, replicas: "Replicas", leader: str) -> None:
        self._replicas = replicas
        self._leader = leader
        self._followed: dict[TopicPartition, Replica] = {}
        self._resting: dict[TopicPartition, Any] = {}  # Partition -> its timer.
        self._busy = False
        config = replicas.layout.replication
        self._limits = (
            config.replica_fetch_wait_max_ms,
            config.replica_fetch_min_bytes,
            FETCH_RESPONSE_MAX_BYTES,
        )

    def join(self, where: TopicPartition, replica: Replica) -> None:
        """Fetch this partition too; its rest, if it had one, is over."""
        self._wake_up(where)
        self._followed[where] = replica

    def leave(self, where: TopicPartition) -> None:
        """Do not ask for this partition any more."""
        self._followed.pop(where, None)
        self._wake_up(where)

    def _wake_up(self, where: TopicPartition) -> None:
        timer = self._resting.pop(where, None)
        if timer is not None:
            timer.cancel()

    def rest(self, where: TopicPartition, for_us: int) -> None:
        """Leave a partition alone for a while."""
        self._wake_up(where)
        node = self._replicas.node
        self._resting[where] = node.after(for_us, self._rested, where)

    def _rested(self, where: TopicPartition) -> None:
        del self._resting[where]
        self.wake()

    def wake(self) -> None:
        """Ask, unless an answer is awaited or there is nothing to ask."""
        if self._busy or self._replicas.broker.is_dead:
            return
        asks = self._asks()
        if not asks:
            return
        self._busy = True
        body = self._request(asks)
        replicas = self._replicas
        replicas.lifecycle.connections.request(
            self._leader, body, partial(self._answered, asks), PURPOSE, SOCKET_TIMEOUT_MS
        )

    def _asks(self) -> tuple[Ask, ...]:
        """The questions of the kind that comes first."""
        asks: list[Ask] = []
        resting = self._resting
        only_fetches = True
        for where, replica in self._followed.items():
            if where in resting:
                continue
            facts, ask = replica.decide_ask()
            if facts:
                self._replicas.carry_out(where, replica, Step(facts))
            if ask is not None:
                asks.append(ask)
                only_fetches = only_fetches and ask.__class__ is m.FetchPartition
        if only_fetches:
            return tuple(asks)
        first = next(kind for kind in ORDER if any(isinstance(ask, kind) for ask in asks))
        return tuple(ask for ask in asks if isinstance(ask, first))

    def _request(self, asks: tuple[Any, ...]) -> Any:
        replicas = self._replicas
        name = replicas.name
        match asks[0]:
            case rm.EpochAsked():
                return rm.OffsetForLeaderEpochRequest(asks, name)
            case rm.BoundAsked():
                asked = tuple(
                    m.OffsetAsked(one.partition, one.timestamp_ms, one.leader_epoch)
                    for one in asks
                )
                return m.ListOffsetsRequest(asked, replica=name)
        epoch = replicas.lifecycle.broker_epoch
        wanted = (*self._limits, asks, "read_uncommitted", name, epoch)
        return _new(m.FetchRequest, wanted)

    def _answered(self, asks: tuple[Ask, ...], response: Any) -> None:
        self._busy = False
        replicas = self._replicas
        results = (None,) * len(asks) if response is None else response.results
        for ask, answer in zip(asks, results, strict=True):
            where = ask.partition
            replica = self._followed.get(where)
            if replica is not None:
                step = replica.decide_answer(ask, answer, self._leader)
                if step.facts or step.effects:
                    replicas.carry_out(where, replica, step)
        self.wake()
