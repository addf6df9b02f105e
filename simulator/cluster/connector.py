"""A connector on a node of its own: it captures a store's tables into topics, as Debezium does.

1. `cluster.connector(name, store=..., tables=..., settings={...})` adds it, and the topics that it
   writes and that are not there: one a table, and, if they are asked for, those of transactions
   and heartbeats, the schema history, and the compacted topic in which Connect keeps offsets.
2. One life of it is one task: it reads its offset, makes a snapshot if it must, and then captures
   until its node crashes. What is wrong for now (the store or a broker does not answer) ends the
   life, and after retriable.restart.connector.wait.ms the next begins; what is wrong for good
   (no slot where the offset needs one, a row that does not fit its table) stops it: `warned`.
3. `ask_snapshot` writes the signal that starts an incremental, or a blocking, snapshot.

Crash points: after_read (a commit has come, and is in no queue yet), before_send and after_send (a
batch is handed to the producer), before_flush, after_flush (the offset is stored, the slot not
confirmed), after_confirm, after_position and after_select (of a snapshot), after_open, after_chunk
and after_close (of a chunk).

Sources: see simulator/protocol/connector*.py; WorkerSourceTask.java for the producer's settings.

Not modelled: Connect's workers, their group and their rebalances; a connector's tasks are one.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.connector_life import Life
from simulator.cluster.connector_publishing import PRODUCER
from simulator.errors import BadInput, KafkaError
from simulator.protocol.connector_records import CapturedTable
from simulator.protocol.connector_settings import connector_settings
from simulator.protocol.connector_snapshots import AS_DEBEZIUM, Capture
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.outbox_router import OutboxRouter
from simulator.protocol.producer_settings import producer_settings

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.handlers import Steps
    from simulator.world.node import Node

COMPACTED: Mapping[str, Any] = {"cleanup.policy": "compact"}
KEPT: Mapping[str, Any] = {"cleanup.policy": "delete", "retention.ms": -1}


class Connector:
    """One connector; `cluster.connector` makes it.

    Args:
        store: the name of the database.
        tables: what is captured: names, or `CapturedTable`s.
        settings: Debezium's names and values; topic.prefix must be there.
        capture: which known mistakes it makes; by default none.
        router: an outbox router, through which every record goes; its topics are the model's to
            add.
        elsewhere: tables of other databases on the same server: their commits are in the log,
            and the slot does not show them.
        partitions: of each topic that is added; or by topic, with "" for all others.
        topic_settings: of each table's topic that is added.
        producer: settings of its producer (Connect's producer.override.*): by default it is not
            idempotent, and a request that comes late may bring an old record again.

    Raises:
        BadInput: a setting is unknown, not modelled or not allowed; a table is named twice.
    """

    def __init__(
        self,
        cluster: "Cluster",
        name: str,
        store: str,
        tables: Iterable[str | CapturedTable],
        settings: Mapping[str, Any],
        *,
        capture: Capture = AS_DEBEZIUM,
        router: OutboxRouter | None = None,
        elsewhere: Iterable[str] = (),
        partitions: int | Mapping[str, int] = 1,
        topic_settings: Mapping[str, Any] | None = None,
        producer: Mapping[str, Any] | None = None,
    ) -> None:
        self.producer = producer_settings({**PRODUCER, **(producer or {})}, f"connector {name}")
        self.cluster = cluster
        self.name = name
        self.store = store
        self.settings = connector_settings(settings, f"connector {name}")
        self.capture = capture
        self.router = router
        self.elsewhere = tuple(elsewhere)
        self.tables: dict[str, CapturedTable] = {}
        for table in tables:
            one = CapturedTable(table) if isinstance(table, str) else table
            if one.name in self.tables:
                raise BadInput("a table is captured twice:", f"connector {name}", one.name)
            self.tables[one.name] = one
        self.lives = 0  # For ids that no other life gave.
        self.life: Life | None = None
        self.stopped = ""  # Why the task has stopped; "" while it has not.
        cluster.store_node(store)  # It refuses a store which there is not.
        self._add_topics(partitions, topic_settings or {})
        self.node = cluster.node(name, self._boot)

    def _add_topics(
        self, partitions: int | Mapping[str, int], settings: Mapping[str, Any]
    ) -> None:
        own = self.settings

        def add(topic: str, how: Mapping[str, Any], count: int = 1) -> None:
            if topic and topic not in self.cluster.layout.topics:
                self.cluster.topic(topic, count, settings=how)

        for table in self.tables if self.router is None else ():
            topic = own.topic(table)
            if isinstance(partitions, int):
                count = partitions
            else:
                count = partitions.get(topic, partitions.get("", 1))
            add(topic, settings, count)
        add(own.offset_storage_topic, COMPACTED)
        add(own.schema_history_internal_kafka_topic, KEPT)
        if own.provide_transaction_metadata:
            add(own.transaction_topic, {})
        if own.heartbeat_interval_ms:
            add(own.heartbeat_topic, {})

    @property
    def at_rest(self) -> bool:
        """Whether all that the store has committed is told, acknowledged, and its offset stored."""
        if self.stopped:
            return True
        life = self.life
        if life is None or life.machine is None or not life.streams or not life.machine.idle:
            return False
        _, store = self.cluster.store_node(self.store)
        return store.machine is not None and life.read_lsn >= store.machine.lsn

    def _boot(self, node: "Node") -> None:
        self.stopped = ""
        node.start(self._live(node), "connector")

    def _live(self, node: "Node") -> "Steps":
        """Life after life, until one stops for good."""
        pause_us = self.settings.retriable_restart_connector_wait_ms * MICROS_PER_MS
        while True:
            self.lives += 1
            life = self.life = Life(self, node, f"{self.name}-{self.lives}")
            try:
                self.stopped = yield from life.run()
            except KafkaError as failed:
                node.record(("noted", "connector restarts", f"{type(failed).__name__}: {failed}"))
                life.end()
                yield node.sleep(pause_us)
                continue
            except BadInput as wrong:
                self.stopped = str(wrong)
                node.record(("warned", f"{self.name} stops: {wrong}"))
            life.end()
            return


def ask_snapshot(name: str, tables: Iterable[str], kind: str = "incremental") -> Mapping[str, Any]:
    """The row which, inserted into the signal table, starts a snapshot of these tables.

    Insert it under a key of its own: `Insert("debezium_signal", "ad-hoc-1", ask_snapshot(...))`.

    Args:
        name: of the signal, for people.
        kind: incremental or blocking.

    Raises:
        BadInput: there is no such kind.
    """
    if kind not in ("incremental", "blocking"):
        raise BadInput("a snapshot that is asked for is incremental or blocking:", name, kind)
    data = {"data-collections": list(tables), "type": kind}
    return {"type": "execute-snapshot", "name": name, "data": data}
