"""An idempotent producer and the partition it writes to, told of each other in every order.

The partition is the product's own; it is loaded from its journal before each request, as after a
crash of its broker, so that all it knows is what its log says. The producer is as plain as can be:
it has several batches in flight, sends one again that was refused for being out of order, and may
send any again that has no answer yet (a timeout: a fault of the class delay). Each request goes on
a connection of its own, so that they overtake each other.

The first batch is stored before anything begins: a partition takes any sequence of a producer that
it does not know (ProducerAppendInfo.java, checkSequence), so what overtakes the very first batch is
stored before it, in Kafka too.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from simulator.chance.sites import DELAY
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.messages import PartitionProduced
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch, Record
from simulator.searching.machines import Flight, Move, Pooled, System, pooled

PRODUCER, BROKER = "producer", "broker"
TRIES_MOST = 3
_HERE = TopicPartition("orders", 0)
_ME = 7


class Request(NamedTuple):
    """A ProduceRequest: the batch of that number, for the n-th time."""

    number: int
    attempt: int

    def __str__(self) -> str:
        return f"ProduceRequest {self.number + 1}" + (f" (try {self.attempt})" * (self.attempt > 1))


class Response(NamedTuple):
    """Its answer."""

    number: int
    error: Error

    def __str__(self) -> str:
        said = "" if self.error is Error.NONE else f" {self.error.name}"
        return f"ProduceResponse {self.number + 1}{said}"


class Nodes(NamedTuple):
    """What is on the broker's disk, and what the producer knows of each batch: tries, answered."""

    facts: tuple[Batch, ...]
    sent: tuple[tuple[int, bool], ...]


def producing(batches: int) -> System[Pooled]:
    """The system: every batch is stored once, and in order; the first one is already."""
    made = tuple(
        Batch((Record("k", f"v{number}", f"e{number}"),), producer_id=_ME, producer_epoch=0,
              base_sequence=number)
        for number in range(batches)
    )  # fmt: skip

    def start() -> tuple[Nodes, Iterable[Flight]]:
        first, _ = _append((), made[0])
        assert first is not None
        nodes = Nodes((first,), ((1, True), *((1, False),) * (batches - 1)))
        return nodes, [_request(number, 1) for number in range(1, batches)]

    def deliver(nodes: Nodes, flight: Flight) -> tuple[Nodes, Iterable[Flight]]:
        body = flight.body
        if flight.target == BROKER:
            fact, answer = _append(nodes.facts, made[body.number])
            facts = nodes.facts if fact is None else (*nodes.facts, fact)
            sent = (Flight(BROKER, PRODUCER, Response(body.number, answer.error)),)
            return Nodes(facts, nodes.sent), sent
        tries, answered = nodes.sent[body.number]
        if answered:
            return nodes, ()
        if body.error is not Error.NONE:
            return _again(nodes, body.number, tries)
        return Nodes(nodes.facts, _with(nodes.sent, body.number, (tries, True))), ()

    def acts(nodes: Nodes) -> Iterable[Move]:
        return [
            Move(f"{PRODUCER} waits no longer for {number + 1}", DELAY, (number, tries))
            for number, (tries, answered) in enumerate(nodes.sent)
            if not answered and tries < TRIES_MOST
        ]

    def act(nodes: Nodes, move: Move) -> tuple[Nodes, Iterable[Flight]]:
        return _again(nodes, *move.what)

    return pooled(
        "every batch is stored once, and in order:", start, deliver, _broken,
        acts=acts, act=act, ordered=False,
    )  # fmt: skip


def _request(number: int, attempt: int) -> Flight:
    return Flight(PRODUCER, BROKER, Request(number, attempt))


def _with(
    sent: tuple[tuple[int, bool], ...], number: int, known: tuple[int, bool]
) -> tuple[tuple[int, bool], ...]:
    return (*sent[:number], known, *sent[number + 1 :])


def _again(nodes: Nodes, number: int, tries: int) -> tuple[Nodes, Iterable[Flight]]:
    if tries >= TRIES_MOST:
        return nodes, ()
    sent = _with(nodes.sent, number, (tries + 1, False))
    return Nodes(nodes.facts, sent), (_request(number, tries + 1),)


def _append(facts: tuple[Batch, ...], batch: Batch) -> tuple[Batch | None, PartitionProduced]:
    journal = Journal()
    journal.facts = list(facts)
    return Partition(_HERE, journal).decide_append(batch, 0)


def _broken(nodes: Nodes) -> str:
    stored = [batch.base_sequence for batch in nodes.facts]
    if stored == list(range(len(stored))):
        return ""
    return f"stored are {', '.join(str(number + 1) for number in stored)}"


def alike(state: Pooled) -> Hashable:
    """What decides how it goes on: the order in which requests were sent does not."""
    flights = tuple(sorted(state.flights, key=_by_number))
    stored = tuple([batch.base_sequence for batch in state.nodes.facts])
    return stored, state.nodes.sent, flights


def _by_number(flight: Flight) -> tuple[str, int, str]:
    body = flight.body
    return flight.target, body.number, str(body[1])


__all__ = ["Nodes", "alike", "producing"]
