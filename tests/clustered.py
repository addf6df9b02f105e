"""Brokers and stores in a world, and a program beside them that asks them by hand."""

from simulator.chance import constant
from simulator.cluster.connections import Connections
from simulator.protocol import messages as m
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record
from simulator.scenario.faults import FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.study.simulate import simulate

CLIENT = "client"
BROKER = "broker-0"
ORDERS = TopicPartition("orders", 0)


class Asking:
    """Requests of a node, each answered with an event: the answer, or None if there is none."""

    def __init__(self, node, **given):
        self.node = node
        self.connections = Connections(node, **given)

    def __call__(self, body, target=BROKER, purpose="data", timeout_ms=None):
        event = self.node.event()
        self.connections.request(target, body, event.succeed, purpose, timeout_ms)
        return event


def run(
    program,
    *faults,
    brokers=1,
    topics=("orders",),
    deploy=None,
    ms=1,
    ordered=True,
    chooser=None,
    given=None,
    **fields,
):
    """The trace of `program(cluster, node)`, a generator function on a node called client.

    Args:
        topics: names, for one partition, or Topics.
        deploy: what else is put into the cluster.
        ms: how long each message takes.
        given: of Asking; then the program gets one as a third argument.
    """

    def application(cluster):
        if deploy is not None:
            deploy(cluster)

        def drive(node):
            if given is None:
                return program(cluster, node)
            return program(cluster, node, Asking(node, **given))

        if program is not None:
            cluster.driver(CLIENT, drive)

    scenario = Scenario(
        topology=Topology(
            brokers,
            [Topic(one) if isinstance(one, str) else one for one in topics],
            [Link(latency=constant(ms * 1_000), ordered=ordered)],
        ),
        application=application,
        faults=FaultPlan(faults),
        **fields,
    )
    return simulate(scenario, chooser)


def ask(program, *faults, **more):
    """As `run`, of `program(ask, node)`."""
    return run(lambda _, node, asking: program(asking, node), *faults, **{"given": {}, **more})


def events(trace, *kinds):
    """The events of these kinds, without their kind."""
    return [entry[4][1:] for entry in trace.of(*kinds)]


def times_ms(trace, kind):
    """When events of a kind happened, in milliseconds."""
    return [entry[1] / 1_000 for entry in trace.of(kind)]


def sent_ms(trace, message, source=CLIENT):
    """When messages of a class were sent by a node, in milliseconds."""
    return [
        entry[1] / 1_000
        for entry in trace.of("message_sent")
        if entry[4][4] == message and entry[2] == source
    ]


def batch(*ids, sequence=-1, producer_id=-1, epoch=-1, value="v"):
    """A batch of one record an id."""
    records = tuple(Record(None, value, one) for one in ids)
    return Batch(records, -1, producer_id, epoch, sequence)


def produce(*ids, where=ORDERS, acks=-1, **of_the_batch):
    """A request for one partition."""
    return m.ProduceRequest(acks, 30_000, ((where, batch(*ids, **of_the_batch)),))


def fetch(*offsets, wait_ms=500, least=1, most=2**20, each=2**20, topic="orders"):
    """A fetch of partitions 0, 1, ... from these offsets."""
    wanted = tuple(
        m.FetchPartition(TopicPartition(topic, number), offset, each)
        for number, offset in enumerate(offsets)
    )
    return m.FetchRequest(wait_ms, least, most, wanted)


def ids_of(fetched):
    """For each partition of a fetch's answer, the ids of the records in it."""
    return [
        [record.event_id for one in result.batches for record in one.records]
        for result in fetched.results
    ]
