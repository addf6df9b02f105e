"""A scenario is everything that a run depends on, but for chance.

One scenario and one chooser determine a run to the last microsecond.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simulator.chance import laws
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.variant import PRESENT, Variant
from simulator.scenario import validation
from simulator.scenario.faults import (
    Crash,
    Delay,
    DiskLoss,
    Drop,
    Duplicate,
    FaultPlan,
    Hazards,
    Pause,
    Skew,
)
from simulator.scenario.guarantee import AT_LEAST_ONCE, Guarantee
from simulator.scenario.parallel import Parallel
from simulator.scenario.topology import Topology
from simulator.scenario.workload import Workload

MAX_INSTANCES = 1_000
DEFAULT_TOPIC = Workload().topic


@attrs.frozen
class Consumers:
    """One consumer group: how many instances, their settings, and what they do.

    Args:
        group: its instances are the nodes `group-0`, `group-1`, ...
        settings: Kafka consumer settings.
        processing: the delay law of processing one record.
        poll_timeout_ms: how long one poll waits for records at most.
        commit_each: commit before or after each record, where the guarantee does so for each poll.
        parallel: how an instance handles several records at once; None: one after the other.
        handler: a factory of handlers, called once per incarnation of an instance; without
            one, each record is applied to the guarantee's sink.
    """

    group: str = attrs.field(default="billing", validator=validation.name)
    instances: int = attrs.field(default=2, validator=validation.whole(0, MAX_INSTANCES))
    settings: Mapping[str, Any] = attrs.field(
        factory=dict, converter=validation.as_settings, hash=False
    )
    processing: laws.Delay = attrs.field(
        default=laws.constant(5 * MICROS_PER_MS), validator=validation.delay
    )
    poll_timeout_ms: int = attrs.field(default=60_000, validator=validation.whole())
    commit_each: bool = attrs.field(default=False, validator=validation.switch)
    parallel: Parallel | None = attrs.field(
        default=None, validator=attrs.validators.optional(validation.of_type(Parallel))
    )
    handler: Callable[..., Any] | None = attrs.field(
        default=None, validator=validation.callable_or_none
    )

    @property
    def names(self) -> tuple[str, ...]:
        """`billing-0`, `billing-1`, ..."""
        return tuple(f"{self.group}-{number}" for number in range(self.instances))


@attrs.frozen
class Scenario:
    """What will happen.

    Args:
        name: for reports.
        broker: Kafka broker settings.
        variant: which of Kafka's behaviours, present or past, the parts have.
        horizon_ms: how long after the workload and the faults have ended the run may still
            take to drain; then it is cut off.
        heal_after_ms: when all hazards (and the links' loss) end; None: when the load has been
            handed over and everything has come to rest, or half a minute after the load.
        event_budget: after so many events a run is taken to be endless, and ends with an error.
        application: a function of the cluster which deploys a model, instead of the
            workload's producer and the consumers.

    Raises:
        BadInput: a part does not fit another: an unknown topic, two nodes of one name, a fault
            of an instance which there is not.
    """

    name: str = attrs.field(default="", validator=validation.of_type(str))
    topology: Topology = attrs.field(default=Topology(), validator=validation.of_type(Topology))
    workload: Workload = attrs.field(default=Workload(), validator=validation.of_type(Workload))
    guarantee: Guarantee = attrs.field(
        default=AT_LEAST_ONCE, validator=validation.of_type(Guarantee)
    )
    consumers: Consumers = attrs.field(default=Consumers(), validator=validation.of_type(Consumers))
    faults: FaultPlan = attrs.field(default=FaultPlan(), validator=validation.of_type(FaultPlan))
    hazards: Hazards = attrs.field(default=Hazards(), validator=validation.of_type(Hazards))
    broker: Mapping[str, Any] = attrs.field(
        factory=dict, converter=validation.as_settings, hash=False
    )
    variant: Variant = attrs.field(default=PRESENT, validator=validation.of_type(Variant))
    # A lost JoinGroup alone takes five minutes (max.poll.interval.ms); three may follow each other.
    horizon_ms: int = attrs.field(default=1_200_000, validator=validation.whole())
    heal_after_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(validation.whole())
    )
    event_budget: int = attrs.field(default=20_000_000, validator=validation.whole(1))
    application: Callable[..., Any] | None = attrs.field(
        default=None, validator=validation.callable_or_none
    )

    def __attrs_post_init__(self) -> None:
        self._check_topics()
        self._check_nodes()

    @property
    def node_names(self) -> tuple[str, ...]:
        """Brokers, producer and consumers; a store or a model brings nodes of its own."""
        return (
            *self.topology.broker_names,
            self.workload.producer,
            *self.consumers.names,
        )

    def _check_topics(self) -> None:
        if self.application is not None and self.workload == Workload():
            return  # A model brings its own.
        known = [topic.name for topic in self.topology.topics]
        written = self.workload.topics
        if self.workload.topic != DEFAULT_TOPIC:  # Explicit items overrule it: still no typo.
            written = (*written, self.workload.topic)
        for topic in written:
            if topic not in known:
                fix = validation.near(topic, known)
                validation.refuse(self, "workload.topic", "is no topic", topic, fix)

    def _check_nodes(self) -> None:
        names = self.node_names
        if len(dict.fromkeys(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            fix = "rename the group or the producer"
            validation.refuse(self, "", "two nodes have the name", twice, fix)
        if self.application is not None:
            return
        # Other nodes may exist (a store), but one that is numbered like these does not.
        numbered = re.compile(rf"(broker|{re.escape(self.consumers.group)})-\d+\Z")
        for fault in self.faults:
            nodes: tuple[str, ...] = ()
            match fault:
                case Crash(node) | Pause(node) | Skew(node) | DiskLoss(node):
                    nodes = (node,)
                case Drop(source, target) | Duplicate(source, target) | Delay(source, target):
                    nodes = (source, target)
            for node in nodes:
                if node not in names and numbered.match(node):
                    fix = validation.near(node, names)
                    validation.refuse(self, "faults", f"{fault} is of no node", node, fix)
