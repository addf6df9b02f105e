"""A consumer that is only asked about logs, and never polls, learns who leads them all the same."""

from simulator import Crash, FaultPlan, KafkaError, Scenario, Topic, Topology, simulate
from tests.replicated_orders import QUICK


def asked(*faults):
    """What a watcher learns of a log's end, at each asking: an offset, or the error's name."""
    learnt = []

    def deployed(cluster):
        def watch(node):
            settings = {"group.id": "watch", "request.timeout.ms": 500}
            consumer = cluster.consumer(node, settings)
            for _ in range(6):
                try:
                    ends = yield consumer.end_offsets([("orders", 0)])
                    learnt.append(ends["orders", 0])
                except KafkaError as error:
                    learnt.append(type(error).__name__)
                yield node.sleep(1_000_000)

        cluster.driver("watcher", watch)

    simulate(
        Scenario(
            topology=Topology(3, (Topic("orders", 1, 3),)),
            application=deployed,
            broker=QUICK,
            faults=FaultPlan(faults),
        )
    )
    return learnt


def test_who_leads_is_asked_anew_when_one_does_not_lead_any_more():
    """The former leader is back, and refuses: it answers a client's old epoch with an error."""
    assert asked(Crash("broker-0", at_ms=1_500, down_ms=2_000)) == [0] * 6
