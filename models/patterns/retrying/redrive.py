"""Dead letters are read: a handler of their own looks at them, or an operator sends them again.

A redrive sends each letter once more to where it came from, when its trouble is over.

Rule 1: a letter goes back as it was, with its key, its value and its event id: then whoever has
seen it knows it again, and it lies where its key belongs. The twins change one of them.
Rule 2: it gets a new offset, behind events that were sent long after it. So its handler must not
take it for the newest: it compares versions (`troubles.newer`), or its effects may come in any
order (`troubles.added_up`). Where neither holds, sequences are parked whole (`parking.py`).

A handler that publishes what it cannot handle to the topic it reads goes round for ever, unless a
letter's attempts end it (`handling_letters`): spring-kafka's DltStrategy.ALWAYS_RETRY_ON_ERROR, and
apache/pulsar#24663.

Sources: KanishJebaMathewM/Truxify#15653, spring-attic/spring-cloud-stream-binder-kafka#21.
"""

import json
from collections.abc import Callable
from typing import Any

from models.patterns.retrying.dead_letters import SENDING, Letter, publishing, read_letter
from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import Cluster, ConsumerRecord, Context, Insert, KafkaError, UniqueViolation

Sent = tuple[Any, Any, str]  # Key, value, event id.


def as_it_was(letter: Letter) -> Sent:
    """What the first producer sent."""
    return letter.key, letter.value, letter.event_id


def under_a_new_id(letter: Letter) -> Sent:
    """Twin: as a new event, that nobody has seen before."""
    return letter.key, letter.value, f"{letter.event_id}-again"


def written_again(letter: Letter) -> Sent:
    """Twin: with a value that was read and written again."""
    return letter.key, json.dumps(json.loads(letter.value)), letter.event_id


def redriving(
    cluster: Cluster,
    dead: str,
    *,
    at_ms: int,
    again: Callable[[Letter], Sent] = as_it_was,
    name: str = "redriver",
) -> None:
    """An operator's program: at a time it reads all letters and sends each where it came from.

    It commits how far it is, so that it goes on from there if it is started twice.

    Args:
        dead: the topic of the letters.
        again: what is sent for a letter.
    """

    def drive(node: Any) -> Any:
        yield node.sleep(max(0, at_ms * 1_000 - node.now_us))
        producer = cluster.producer(node, SENDING)
        consumer = cluster.consumer(
            node, {"group.id": name, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )
        places = cluster.partitions(dead)
        consumer.assign(places)
        try:
            ends = yield consumer.end_offsets(places)
            while any((consumer.position(where) or 0) < ends[where] for where in places):
                for record in (yield consumer.poll(200)):
                    yield from send(node, producer, record)
                    yield consumer.commit_sync({record[:2]: record.offset + 1})
        except KafkaError as error:
            node.record(("warned", f"{name} stops: {error}"))

    def send(node: Any, producer: Any, record: ConsumerRecord) -> Any:
        letter = read_letter(record)
        if letter is not None:
            key, value, event_id = again(letter)
            yield producer.send(letter.origin[0], value, key, event_id=event_id)
            node.record(("noted", "redriven", event_id))

    cluster.driver(name, drive)


def handling_letters(
    factory: Factory, dead: str, group: str, *, most: int | None
) -> Factory:
    """The handler of the topic of dead letters; what it cannot handle goes there again.

    Args:
        most: but not a letter that was tried so often in all: that is left to people. None is the
            twin: each goes round for ever.
    """

    def handling_factory(context: Context) -> Handler:
        handle, publish = calling(context, factory(context)), publishing(dead, group)(context)

        def handle_letter(record: ConsumerRecord) -> Any:
            letter = read_letter(record)
            try:
                return (yield from handle(record))
            except KafkaError as failed:
                error = failed
            attempts = 1 + (letter.attempts if letter is not None else 0)
            if most is not None and attempts >= most:
                context.note("left", record.event_id)
            else:
                yield from publish(record, error, 1)

        return handle_letter

    return handling_factory


def remembering_first(factory: Factory, store: str) -> Factory:
    """Twin: a handler that remembers an event's id before the work is done.

    If the work fails, the event is taken for handled when it comes again, and its work is dropped.
    """

    def remembering_factory(context: Context) -> Handler:
        handle, client = calling(context, factory(context)), context.store(store)

        def remember(record: ConsumerRecord) -> Any:
            try:
                yield client.transact(Insert("seen", record.event_id, effect=False))
            except UniqueViolation:
                context.note("seen", record.event_id)
                return
            yield from handle(record)

        return remember

    return remembering_factory
