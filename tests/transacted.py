"""Transactional producers in a world, spoken by hand: what a client does, without a client."""

import pytest

from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record
from simulator.protocol.variant import Variant
from simulator.scenario.topology import Topic
from tests.clustered import events, run

V1 = Variant(transaction_version=1)
V2 = Variant()
UNLOOKED = Variant(transaction_version=1, verifies_transactions=False)
VERSIONS = pytest.mark.parametrize("variant", [V1, V2], ids=["version 1", "version 2"])
P0, P1, P2 = (TopicPartition("orders", number) for number in range(3))
ORDERS = Topic("orders", 3)
NOT_HERE = (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE)


class Producer:
    """A transactional producer, spoken by hand: each method is one request, or a few."""

    def __init__(self, ask, name="payments", version=2, timeout_ms=60_000):
        self.ask = ask
        self.name = name
        self.version = version
        self.timeout_ms = timeout_ms
        self.who = (-1, -1)
        self.sequences = {}

    def find(self):
        """The coordinator's node, asked for until there is one."""
        while True:
            body = m.FindCoordinatorRequest(self.name, "transaction")
            told = yield self.ask(body, purpose="coordinator")
            if told is not None and told.error is Error.NONE:
                return told.node
            yield self.ask.node.sleep(100_000)

    def say(self, body):
        """An answer of the coordinator, asked for until there is one; errors are answers."""
        while True:
            target = yield from self.find()
            told = yield self.ask(body, target, "coordinator", 2_000)
            if told is not None and getattr(told, "error", None) not in NOT_HERE:
                return told
            yield self.ask.node.sleep(100_000)

    def patiently(self, body):
        """The same, until no transaction is in the way."""
        while True:
            told = yield from self.say(body)
            error = told.results[0][1] if hasattr(told, "results") else told.error
            if error is not Error.CONCURRENT_TRANSACTIONS:
                return told
            yield self.ask.node.sleep(20_000)

    def init(self):
        told = yield from self.patiently(m.InitProducerIdRequest(self.name, self.timeout_ms))
        if told.error is Error.NONE:
            self.who = (told.producer_id, told.producer_epoch)
            self.sequences = {}
        return told.error

    def add(self, *partitions):
        """Tell the coordinator where records will be written."""
        error = Error.NOT_COORDINATOR
        while error in NOT_HERE:
            body = m.AddPartitionsToTxnRequest(self.name, *self.who, partitions)
            error = (yield from self.patiently(body)).results[0][1]
        return error

    def leader(self, where):
        """Who leads a partition, asked for until somebody does."""
        told = yield self.ask(m.MetadataRequest((where.topic,)))
        while told is None or not told.topics[0].partitions[where.partition].leader:
            yield self.ask.node.sleep(100_000)
            told = yield self.ask(m.MetadataRequest((where.topic,)))
        return told.topics[0].partitions[where.partition].leader

    def write(self, where, *ids, who=None, again=True):
        """Write records; their error. Retriable errors are tried again."""
        sequence = self.sequences.get(where, 0)
        records = tuple(Record(None, "v", one) for one in ids)
        batch = Batch(records, -1, *(who or self.who), sequence, transactional=True)
        body = m.ProduceRequest(-1, 30_000, ((where, batch),), self.name)
        while True:
            leader = yield from self.leader(where)
            told = yield self.ask(body, leader, timeout_ms=2_000)
            error = Error.NETWORK_EXCEPTION if told is None else told.results[0].error
            if error is Error.NONE:
                self.sequences[where] = sequence + len(ids)
            if not (again and error.retriable):
                return error
            yield self.ask.node.sleep(100_000)

    def put(self, where, *ids):
        """Add a partition, where that is the producer's part, and write."""
        if self.version == 1:
            error = yield from self.add(where)
            if error is not Error.NONE:
                return error
        return (yield from self.write(where, *ids))

    def end(self, result):
        told = yield from self.patiently(m.EndTxnRequest(self.name, *self.who, result))
        if told.error is Error.NONE and self.version == 2:
            self.who = (told.producer_id, told.producer_epoch)
            self.sequences = {}  # The epoch is another one.
        return told.error


def transacting(
    program, *faults, variant=V2, topics=(ORDERS,), timeout_ms=60_000, look=None, **more
):
    """The trace of `program(producer, node)`, and each partition's batches at its end.

    look: is called with the cluster when all is over.
    """

    def driven(_, node, asking):
        producer = Producer(asking, version=variant.transaction_version, timeout_ms=timeout_ms)
        return program(producer, node)

    seen = {}

    def deploy(cluster):
        seen["cluster"] = cluster

    trace = run(driven, *faults, deploy=deploy, given={}, variant=variant, topics=topics, **more)
    if look is not None:
        look(seen["cluster"])
    return trace, lambda where: list(seen["cluster"].partition(*where).log.journal.facts)


def told(batches):
    """What stands in a log: the ids of each batch, or the result of a marker."""
    return [one.control or tuple(record.event_id for record in one.records) for one in batches]


def states(trace, name="payments"):
    """The states through which an id went."""
    changed = events(trace, "transaction_state_changed")
    return [after for who, _, _, _, after in changed if who == name]


def last_state(trace, name="payments"):
    """The state in which an id is in the end, by what was changed or was read last."""
    read = events(trace, "transaction_state_changed", "transaction_loaded")
    return [one[-1] for one in read if one[0] == name][-1]
