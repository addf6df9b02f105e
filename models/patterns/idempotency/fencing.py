"""What an owner of a partition looks at when it writes: nothing, a fence, its offset, or both.

A group gives a partition to an owner, and one day to another. The former one need not know: it was
paused, and goes on where it stood. What it may still do depends on what its transaction looks at:

group_offsets     nothing: the effect, and then a commit to the group
checked_before    the fence, before it goes to work: a pause comes in between
fenced            the fence, in the transaction of the effect: who was replaced writes no more
stored_offsets    the offset, in the transaction of the effect: what is done is not done again
fenced_offsets    both

The fence is a row for each partition with the highest epoch that has owned it: the group's
generation. A fence keeps a former owner from writing behind its successor's back. It does not keep
the successor from doing again what the former one had done and not committed: that takes offsets.
"""

from collections.abc import Callable
from typing import Any

import attrs

from simulator import Add, ConsumerRecord, Context, Get, KafkaError, Upsert

STORE, LEDGER = "ledger", "ledger"
FENCE, OFFSETS, WRITERS = "fence", "offsets", "writers"
STALE = "stale"

Place = tuple[str, int]


@attrs.frozen
class Owner:
    """One incarnation of a member of the group."""

    context: Context
    consumer: Any
    works_us: int

    @property
    def epoch(self) -> int:
        """The generation of the group that it belongs to."""
        return int(self.consumer.group_metadata().generation)

    @property
    def store(self) -> Any:
        """Where it writes."""
        return self.context.store(STORE)


Applying = Callable[[Owner, ConsumerRecord], Any]


def place_of(record: ConsumerRecord) -> Place:
    """The partition that a record lies in."""
    return (record.topic, record.partition)


def effects(owner: Owner, record: ConsumerRecord) -> tuple[Any, ...]:
    """One more for the key, and who has written."""
    return Add(LEDGER, record.key, 1), Upsert(WRITERS, place_of(record), owner.epoch)


def group_offsets(owner: Owner, record: ConsumerRecord) -> Any:
    """The effect, and then a commit to the group."""
    yield owner.context.sleep(owner.works_us)
    yield owner.store.transact(*effects(owner, record))
    yield from committed(owner, record)


def checked_before(owner: Owner, record: ConsumerRecord) -> Any:
    """Is it still mine? Then to work: whatever happens meanwhile."""
    (fence,) = yield owner.store.transact(Get(FENCE, place_of(record)))
    if (fence or 0) > owner.epoch:
        return
    yield from group_offsets(owner, record)


def fenced(owner: Owner, record: ConsumerRecord, *, offsets: bool = False) -> Any:
    """Is it still mine? If so, the effect, in one transaction.

    Args:
        offsets: whether what is done is known by an offset in the store, too.
    """
    yield owner.context.sleep(owner.works_us)
    place = place_of(record)
    tx = yield owner.store.begin()
    fence, offset = yield tx.run(Get(FENCE, place, lock="update"), Get(OFFSETS, place))
    done = offsets and record.offset < (offset or 0)
    if done or (fence or 0) > owner.epoch:
        yield tx.rollback()
        owner.context.note(STALE, record.event_id)
        return
    yield tx.run(*effects(owner, record))
    if offsets:
        yield tx.run(Upsert(OFFSETS, place, record.offset + 1, effect=False))
    yield tx.commit()
    if not offsets:
        yield from committed(owner, record)


def fenced_offsets(owner: Owner, record: ConsumerRecord) -> Any:
    """The fence, the offset and the effect in one transaction; the group is told nothing."""
    return fenced(owner, record, offsets=True)


def stored_offsets(owner: Owner, record: ConsumerRecord) -> Any:
    """The offset and the effect in one transaction; the group is told nothing."""
    yield owner.context.sleep(owner.works_us)
    place = place_of(record)
    tx = yield owner.store.begin("serializable")
    (offset,) = yield tx.run(Get(OFFSETS, place, lock="update"))
    if record.offset < (offset or 0):
        yield tx.rollback()
        return
    yield tx.run(
        Upsert(OFFSETS, place, record.offset + 1, effect=False), *effects(owner, record)
    )
    yield tx.commit()


def committed(owner: Owner, record: ConsumerRecord) -> Any:
    """Commit to the group; if it has other plans, that is the next owner's matter."""
    if not owner.context.node.point("before_commit"):
        yield owner.context.node.event()
    try:
        yield owner.consumer.commit_sync({place_of(record): record.offset + 1})
    except KafkaError:
        return
