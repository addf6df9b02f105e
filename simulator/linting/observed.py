"""An architecture read off a trace: only what the run has shown, and nothing that it might mean.

A run shows who sent what where, who read it in which group, what took effect, and what went wrong;
it does not show what is meant by it (a schema's version, a claim, a limit that was not met). So
much of such an architecture is not told; what is told was seen:

no group            several instances of a service were each handed the same record, in no group
retries for ever    a record was tried `TRIES_MANY` times, and never handled
naive sink          one event was handled twice, and each time changed the same row, otherwise
idempotent sink     one was handled again, and changed nothing again, or to the same
a wait              a handler was handed a record of another topic while it handled one
a circle            an event was sent because of one, because of one ... of the same topic
two writes          a handler has an effect and sends; one crashed in between, and nobody ever sent
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from simulator.errors import BadInput
from simulator.linting.architecture import (
    FOR_EVER,
    Architecture,
    Handles,
    Sends,
    ServiceDesign,
    TopicDesign,
)
from simulator.trace.trace import Trace

TRIES_MANY = 20
ROUNDS_MANY = 3
_NUMBER = re.compile(r"-\d+\Z")

Reading = tuple[str, str]  # A service and a topic.
Place = tuple[str, int, int]


def architecture_of_trace(trace: Trace, name: str = "run") -> Architecture:
    """What a kept trace shows of an architecture.

    Raises:
        BadInput: the trace was not kept, or nobody in it sends or reads.
    """
    if not trace.kept:
        raise BadInput("the trace was not kept, and shows nothing", name, fix="keep it")
    seen = _Seen()
    for entry in trace.flat:
        look = seen.looks.get(entry[4][0])
        if look is not None:
            look(entry)
    if not seen.sent and not seen.read:
        raise BadInput("nobody sends or reads anything", name)
    return seen.architecture(name)


def service_of(node: str) -> str:
    """`billing` of `billing-0`."""
    return _NUMBER.sub("", node)


class _Seen:
    """What is seen, entry by entry."""

    def __init__(self) -> None:
        self.partitions: Counter[str] = Counter()
        self.read: dict[Reading, dict[str, None]] = {}  # And in which groups.
        self.handed: dict[tuple[str, Place], dict[str, None]] = {}  # In no group: to which nodes.
        self.tries: Counter[tuple[str, Place]] = Counter()
        self.done: dict[tuple[str, Place], None] = {}
        self.busy: dict[str, dict[Place, str]] = {}  # node -> what it is handling
        self.waits: dict[Reading, str] = {}
        self.sent: dict[Reading, dict[Any, None]] = {}  # And with which keys.
        self.rounds: dict[str, tuple[str, ...]] = {}  # event -> topics of those that led to it
        self.circles: dict[Reading, str] = {}
        # service -> row and event -> what the row became, by handling
        self.effects: dict[str, dict[tuple[str, Any, str], dict[int, Any]]] = {}
        self.handlings: dict[str, Counter[str]] = {}  # service -> event -> how often
        self.stores: dict[str, dict[str, None]] = {}
        self.sends_for: dict[str, dict[str, str]] = {}  # service -> event -> to which topic
        self.cut: dict[str, dict[str, None]] = {}  # service -> events with an effect, cut off
        self.looks = {
            "batch_appended": self.appended,
            "record_polled": self.polled,
            "processing_started": self.started,
            "processing_ended": self.ended,
            "node_crashed": self.crashed,
            "record_sent": self.sends,
            "effect_applied": self.applied,
        }

    def appended(self, entry: Any) -> None:
        _, topic, partition = entry[4][:3]
        self.partitions[topic] = max(self.partitions[topic], partition + 1)

    def polled(self, entry: Any) -> None:
        node, (_, group, topic, partition, offset, _) = entry[2], entry[4]
        service = service_of(node)
        self.read.setdefault((service, topic), {})[group] = None
        if not group:
            place = (topic, partition, offset)
            self.handed.setdefault((service, place), {})[node] = None
        for busy_with in self.busy.get(node, {}):
            if busy_with[0] != topic:
                self.waits[service, busy_with[0]] = topic

    def started(self, entry: Any) -> None:
        node, (_, _, topic, partition, offset, event) = entry[2], entry[4]
        place, service = (topic, partition, offset), service_of(node)
        self.busy.setdefault(node, {})[place] = event
        self.tries[service, place] += 1
        self.handlings.setdefault(service, Counter())[event] += 1

    def ended(self, entry: Any) -> None:
        node, (_, _, topic, partition, offset, _, outcome) = entry[2], entry[4]
        place = (topic, partition, offset)
        self.busy.get(node, {}).pop(place, None)
        if outcome == "done":
            self.done[service_of(node), place] = None

    def crashed(self, entry: Any) -> None:
        service = service_of(entry[2])
        for event in self.busy.pop(entry[2], {}).values():
            number = self.handlings[service][event]
            rows = self.effects.get(service, {})
            if any(one[2] == event and number in found for one, found in rows.items()):
                self.cut.setdefault(service, {})[event] = None

    def sends(self, entry: Any) -> None:
        node, (_, event, topic, key) = entry[2], entry[4]
        service = service_of(node)
        self.sent.setdefault((service, topic), {})[key] = None
        for place, handled in self.busy.get(node, {}).items():
            self.sends_for.setdefault(service, {})[handled] = topic
            if handled == event:
                continue  # It is passed on, as a retry or a dead letter is: no reaction.
            led = (*self.rounds.get(handled, ()), place[0])
            self.rounds[event] = led
            if led.count(topic) >= ROUNDS_MANY:
                self.circles[service, topic] = place[0]

    def applied(self, entry: Any) -> None:
        store, (_, table, key, value, event) = entry[2], entry[4]
        services = {
            service_of(node): None
            for node, at_work in self.busy.items()
            if event in at_work.values()
        }
        if len(services) == 1:  # Else nobody knows whose effect it is.
            (service,) = services
            rows = self.effects.setdefault(service, {}).setdefault((table, key, event), {})
            rows[self.handlings[service][event]] = value
            self.stores.setdefault(service, {})[store] = None

    # --- What it comes to ----------------------------------------------------------------------

    def architecture(self, name: str) -> Architecture:
        """All services, in the order in which they were seen."""
        names = dict.fromkeys(one[0] for one in (*self.sent, *self.read))
        return Architecture(
            name,
            tuple(TopicDesign(topic, many) for topic, many in sorted(self.partitions.items())),
            (),
            tuple(
                ServiceDesign(one, tuple(self._handles(one)), tuple(self._sends(one)))
                for one in names
            ),
        )

    def _handles(self, service: str) -> Iterable[Handles]:
        for (reader, topic), groups in self.read.items():
            if reader != service:
                continue
            named = [group for group in groups if group]
            yield Handles(
                topic,
                group=named[0] if named else self._no_group(service, topic),
                retries=self._retries(service, topic),
                sink=self._sink(service),
                stores=tuple(self.stores[service]) if service in self.stores else None,
                awaits=self.waits.get((service, topic), ""),
            )

    def _no_group(self, service: str, topic: str) -> str | None:
        shared = (
            len(nodes) > 1
            for (reader, place), nodes in self.handed.items()
            if reader == service and place[0] == topic
        )
        return "" if any(shared) else None

    def _retries(self, service: str, topic: str) -> int | None:
        for (reader, place), times in self.tries.items():
            often = reader == service and place[0] == topic and times >= TRIES_MANY
            if often and (service, place) not in self.done:
                return FOR_EVER
        return None

    def _sink(self, service: str) -> str | None:
        effects = self.effects.get(service)
        if not effects:
            return None
        for became in effects.values():
            if any(value != other for value in became.values() for other in became.values()):
                return "naive"
        handled = self.handlings[service]
        again = any(handled[event] > 1 for _, _, event in effects)
        return "idempotent" if again else None

    def _sends(self, service: str) -> Iterable[Sends]:
        for (sender, topic), keys in self.sent.items():
            if sender != service:
                continue
            circle = self.circles.get((service, topic))
            two = self._two_writes(service, topic)
            yield Sends(
                topic,
                events=(topic,) if circle else (),
                key="none" if list(keys) == [None] else None,
                through="direct" if two else None,
                stores=tuple(self.stores[service]) if two else None,
                after=(circle,) if circle else (),
            )

    def _two_writes(self, service: str, topic: str) -> bool:
        """Whether who crashed after an effect has left it untold, unlike others."""
        told = self.sends_for.get(service, {})
        return topic in told.values() and any(
            event not in told for event in self.cut.get(service, {})
        )
