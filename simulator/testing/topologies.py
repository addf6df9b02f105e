"""Topologies for Hypothesis: valid by construction, and small where nothing speaks against it.

The smallest has one broker and topics of one partition, and plain links. A topic never has more
replicas than there are brokers, and every name that is given is there.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from simulator.chance import constant, exponential, uniform
from simulator.scenario.topology import PLAIN_LINK, Link, Topic, Topology
from simulator.testing.drawing import must_be_whole

LATENCIES = (
    st.builds(constant, st.sampled_from((1_000, 100, 20_000))),
    st.builds(uniform, st.sampled_from((500, 100)), st.sampled_from((5_000, 50_000))),
    st.builds(exponential, st.sampled_from((2_000, 20_000)), floor_us=st.just(500)),
)
LOSSES = st.sampled_from((0.0, 0.01, 0.1))
DUPLICATES = st.sampled_from((0.0, 0.01, 0.1))
ENDS = st.sampled_from(("*", "broker-*"))


def topologies(
    topics: str | Sequence[str] = "orders",
    *,
    brokers: int = 3,
    partitions: int = 4,
    replication: int = 3,
    links: int = 0,
    racks: int = 0,
) -> st.SearchStrategy[Topology]:
    """Brokers, topics and wires; the numbers are the most of each.

    Args:
        topics: the names of the topics, each of which every topology has.
        replication: replicas of a partition; never more than the brokers that there are.
        links: wires of other latency, loss and duplication than the plain one: what is drawn of
            them is a law, by which a chooser then draws.
        racks: brokers stand in so many racks at most; 0: in none.

    Raises:
        BadInput: there is no topic, or a number is too small or none.
    """
    names = (topics,) if isinstance(topics, str) else tuple(topics)
    least = {"brokers": (brokers, 1), "partitions": (partitions, 1), "links": (links, 0),
             "replication": (replication, 1), "racks": (racks, 0), "topics": (len(names), 1)}
    for name, (given, wanted) in least.items():
        must_be_whole(f"topologies.{name}", given, wanted)

    def of(number: int) -> st.SearchStrategy[Topology]:
        replicas = st.integers(1, min(number, replication))
        parts: dict[str, st.SearchStrategy[object]] = {
            "brokers": st.just(number),
            "topics": st.tuples(
                *(
                    st.builds(Topic, st.just(name), st.integers(1, partitions), replicas)
                    for name in names
                )
            ),
        }
        if racks:
            numbers = st.sampled_from([f"rack-{one}" for one in range(racks)])
            parts["racks"] = st.just(()) | st.tuples(*[numbers] * number)
        if links:
            wires = [st.tuples(*[_links()] * many) for many in range(1, links + 1)]
            parts["links"] = st.one_of(st.just((PLAIN_LINK,)), *wires)
        return st.builds(Topology, **parts)

    return st.integers(1, brokers).flatmap(of)


def _links() -> st.SearchStrategy[Link]:
    return st.builds(
        Link,
        ENDS,
        ENDS,
        latency=st.one_of(LATENCIES),
        loss=LOSSES,
        duplicate=DUPLICATES,
        ordered=st.sampled_from((True, False)),
    )


__all__ = ["topologies"]
