"""A poll of a long log costs what a poll of a short one does.

The machines themselves, without a world around them: a partition's `read` answers the fetches of
a consumer. Each stretch of polls begins with a seek, so that a search of the log is in the cost.
The places lie all over the log, and are few: what is compared is the work, not how long this
machine's memory takes to bring what was not read for long.
"""

from itertools import cycle

from benchmarks.measuring import Case, Cost, Costs, seconds, sized
from simulator.errors import SimulatorError
from simulator.protocol.consumer_settings import consumer_settings
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.messages import (
    FetchRequest,
    FetchResponse,
    MetadataRequest,
    MetadataResponse,
    PartitionMetadata,
    TopicMetadata,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.polling import Polling
from simulator.protocol.records import Batch, Record
from simulator.protocol.wire import Ask, Finished

WHERE = TopicPartition("orders", 0)
LONG = 1_000_000
SHORT = 1_000
BATCHES = (1, 19, 4, 16, 7, 13, 10)  # Sizes that differ, so that no place can be reckoned.
POLLED = 100  # Records a poll, at most.
FETCHED_BYTES = 12_000
POLLS = 400
STRETCH = 5  # Polls between two seeks.
PLACES = 4
TIMEOUT_US = 1_000_000


def filled(records: int) -> Partition:
    """A partition with so many records."""
    partition = Partition(WHERE, Journal("orders-0"))
    sizes = cycle(BATCHES)
    base = 0
    while base < records:
        batch = Batch(
            tuple(
                Record(f"k{offset % 64}", "x" * 100, f"e{offset}", offset)
                for offset in range(base, min(records, base + next(sizes)))
            )
        )
        fact, _ = partition.decide_append(batch, base)
        if fact is not None:
            partition.apply(fact)
        base = partition.log_end_offset
    return partition


class Reader:
    """A consumer machine whose every request is answered at once, from one partition."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        # A fetch brings less than one poll may hand out, so that each poll reads the log.
        given = {"max.poll.records": POLLED, "max.partition.fetch.bytes": FETCHED_BYTES}
        settings = consumer_settings(given)
        self.machine = Polling(settings, ("broker-0",), "reader", lambda least, _: least)
        self.machine.assign(0, (WHERE,))
        self.seek(0)

    def seek(self, offset: int) -> None:
        """Go on from there."""
        self.machine.positions.seek(WHERE, offset)

    def poll(self) -> int:
        """Poll once: how many records came."""
        records = self.machine.poll("poll", 0, TIMEOUT_US)
        come = 0 if records is None else len(records)
        while not come:
            wire = self.machine.wire
            effects, wire.outbox = wire.outbox, []
            if not effects:
                raise SimulatorError("the consumer waits for nothing: the log has ended")
            for effect in effects:
                match effect:
                    case Ask(token, _, body):
                        self.machine.answered(token, self.answer(body), 0)
                    case Finished(_, finished):
                        come = len(finished)
        return come

    def answer(self, body: object) -> object:
        """What a broker would say."""
        match body:
            case FetchRequest(_, _, _, (wanted, *_)):
                result = self.partition.read(wanted.offset, wanted.max_bytes)
                return FetchResponse((result,))
            case MetadataRequest():
                leader = PartitionMetadata(WHERE, "broker-0")
                topic = TopicMetadata(WHERE.topic, Error.NONE, (leader,))
                return MetadataResponse(("broker-0",), (topic,))
        raise SimulatorError(f"the reader asked for something else: {body!r}")


def polls(partition: Partition, count: int) -> int:
    """So many polls, from places all over the log: how many records came."""
    reader = Reader(partition)
    apart = (partition.log_end_offset - STRETCH * POLLED) // PLACES
    come = 0
    for number in range(count):
        if number % STRETCH == 0:
            reader.seek(number // STRETCH % PLACES * apart)
        come += reader.poll()
    return come


def cost_in(partition: Partition, count: int) -> Cost:
    """The cost of polling one record."""
    come = polls(partition, count)
    return lambda: seconds(lambda: polls(partition, count)) / come


def poll_costs(size: float) -> Costs:
    """A poll of the long log against one of the short log."""
    count = sized(size, POLLS, STRETCH)
    long, short = filled(sized(size, LONG, SHORT)), filled(SHORT)
    return Costs(cost_in(long, count), cost_in(short, count))


CASES = (
    Case(
        "poll",
        "a poll of a log of 1 000 000 records per one of 1 000",
        1.1,
        poll_costs,
        at_most=True,
    ),
)
