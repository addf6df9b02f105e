"""A topology says which brokers and topics there are, and how long and how safe the wires are.

1. A link is a direction: what goes from source to target. The first link in the list whose two
   patterns match is the wire; where none matches, it is `Link()`: one millisecond, no loss.
2. An ordered link is a TCP connection: messages of one connection arrive in the order sent, a
   late one holds up those behind it. An unordered one delivers each by its own delay.
3. Brokers may stand in racks (broker.rack), each in one. Group members that name theirs
   (client.rack) are assigned partitions with a replica in it, by the assignors that heed racks
   (KIP-881); nothing else is nearer for being in the same rack.

Not modelled: bandwidth and congestion; a link's delay depends neither on size nor on load.
Replicas are placed without regard to racks.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from simulator.chance.laws import Delay, constant
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario import validation
from simulator.scenario.spelling import pretty

MAX_NODES = 1_000
MAX_PARTITIONS = 100_000


@attrs.frozen
class Topic:
    """A topic: how many partitions, and on how many brokers each of them is kept.

    `settings` are Kafka's topic settings, which overrule those of the brokers.
    """

    name: str = attrs.field(validator=validation.name)
    partitions: int = attrs.field(default=1, validator=validation.whole(1, MAX_PARTITIONS))
    replication_factor: int = attrs.field(default=1, validator=validation.whole(1, MAX_NODES))
    settings: Mapping[str, Any] = attrs.field(
        factory=dict, converter=validation.as_settings, hash=False
    )


@attrs.frozen
class Link:
    """The wire from the nodes that match `source` to those that match `target`.

    Args:
        latency: the delay law of one message on the way.
        loss: the probability that a message never arrives.
        duplicate: the probability that a message arrives twice; see `Duplicate` for what that is.
        ordered: whether a connection keeps its order, as TCP does.
        messages: to which messages (a pattern of class names) loss and duplicate apply.
    """

    source: str = attrs.field(default="*", validator=validation.glob)
    target: str = attrs.field(default="*", validator=validation.glob)
    latency: Delay = attrs.field(default=constant(MICROS_PER_MS), validator=validation.delay)
    loss: float = attrs.field(default=0.0, validator=validation.probability)
    duplicate: float = attrs.field(default=0.0, validator=validation.probability)
    ordered: bool = attrs.field(default=True, validator=validation.switch)
    messages: str = attrs.field(default="*", validator=validation.message_glob)

    def joins(self, source: str, target: str) -> bool:
        """Whether this is a wire from the one node to the other."""
        return fnmatchcase(source, self.source) and fnmatchcase(target, self.target)

    def spoils(self, message: str) -> bool:
        """Whether loss and duplication concern messages of this class name."""
        return fnmatchcase(message, self.messages)


PLAIN_LINK = Link()


@attrs.frozen
class Topology:
    """Brokers, topics and links.

    racks: the rack of each broker (broker.rack), from broker-0 on; or none at all.

    Raises:
        BadInput: a topic stands twice, or has more replicas than there are brokers; or only some
            brokers have racks.
    """

    brokers: int = attrs.field(default=1, validator=validation.whole(1, MAX_NODES))
    topics: tuple[Topic, ...] = attrs.field(
        default=(Topic("orders", 3),),
        converter=validation.as_tuple,
        validator=validation.each_of_type(Topic),
    )
    links: tuple[Link, ...] = attrs.field(
        default=(PLAIN_LINK,),
        converter=validation.as_tuple,
        validator=validation.each_of_type(Link),
    )
    racks: tuple[str, ...] = attrs.field(
        default=(), converter=validation.as_tuple, validator=validation.names
    )

    def __attrs_post_init__(self) -> None:
        names = [topic.name for topic in self.topics]
        for topic in self.topics:
            if names.count(topic.name) > 1:
                validation.refuse(self, "topics", "has a topic twice", topic.name, "leave one")
            if topic.replication_factor > self.brokers:
                validation.refuse(
                    self,
                    "topics",
                    f"topic {topic.name!r} wants more replicas than there are brokers",
                    topic.replication_factor,
                    f"at most {self.brokers}, or add brokers",
                )
        if self.racks and len(self.racks) != self.brokers:
            validation.refuse(
                self,
                "racks",
                "must say of every broker where it stands, or of none",
                self.racks,
                f"give {self.brokers}, or leave them out",
            )

    _repr_pretty_ = pretty

    @property
    def broker_names(self) -> tuple[str, ...]:
        """`broker-0`, `broker-1`, ..."""
        return tuple(f"broker-{number}" for number in range(self.brokers))

    def link(self, source: str, target: str) -> Link:
        """The wire from one node to another: the first that matches, else a plain one."""
        for link in self.links:
            if link.joins(source, target):
                return link
        return PLAIN_LINK
