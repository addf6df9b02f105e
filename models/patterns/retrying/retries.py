"""Blocking retries: the record is tried again in its place, and nothing behind it overtakes it.

    retrying(handler, policy, giving_up=publishing("orders-dlt", "billing"))

Each time that the handler fails, the policy says how long to wait, or that it is over; then
`giving_up` says what becomes of the record. The record is committed once it was handled or given
up. What differs:

counting   in_memory forgets with the process how often a record was tried; `persisted` writes it
           into a store before each attempt, so that an attempt which kills the process counts.
permanent  errors that no retry helps against are given up at once.

While it waits its consumer polls nothing: so all delays of a record together must be shorter than
max.poll.interval.ms, and all partitions of the consumer wait, not only the record's own.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.retrying.dead_letters import GivingUp, log_and_skip
from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import (
    NOT_TRIED,
    Add,
    Backoff,
    ConsumerRecord,
    Context,
    KafkaError,
    Progress,
    Wait,
    bounds,
    uniform,
)

MILLION = 1_000_000
Count = Callable[[ConsumerRecord], Any]  # Steps: which attempt of the record this one is, from 1.
Counting = Callable[[Context], Count]


def in_memory(_: Context) -> Count:
    """Attempts are counted in the memory of the process, which a restart empties."""
    counts: dict[tuple[str, int, int], int] = {}

    def count(record: ConsumerRecord) -> Any:
        counts[record[:3]] = counts.get(record[:3], 0) + 1
        yield from ()
        return counts[record[:3]]

    return count


def persisted(store: str) -> Counting:
    """Attempts are counted in a store, each before it begins."""

    def counting(context: Context) -> Count:
        client = context.store(store)

        def count(record: ConsumerRecord) -> Any:
            place = f"{record.topic}-{record.partition}@{record.offset}"
            (attempt,) = yield client.transact(Add("attempts", place, 1, effect=False))
            return attempt

        return count

    return counting


class Spent(KafkaError):
    """All attempts at a record were made before, and nobody knows what came of the last.

    Its process has died of it, say.
    """


def retrying(
    factory: Factory,
    policy: Backoff,
    *,
    giving_up: GivingUp = log_and_skip,
    counting: Counting = in_memory,
    permanent: tuple[type[KafkaError], ...] = (),
) -> Factory:
    """A handler that is tried again by a policy.

    Args:
        policy: when to try again, and when there is an end to it.
        giving_up: what is done with the record in the end.
        counting: who counts attempts.
        permanent: errors after which there is no further attempt.
    """

    def retrying_factory(context: Context) -> Handler:
        handle, count = calling(context, factory(context)), counting(context)
        give_up, draw = giving_up(context), drawing(context)

        def retry(record: ConsumerRecord) -> Any:
            began_us, progress = context.node.now_us, NOT_TRIED
            while True:
                attempt = yield from count(record)
                if policy.attempts is not None and attempt > policy.attempts:
                    spent = Spent(f"{record.event_id} has had its {policy.attempts} attempts")
                    return (yield from give_up(record, spent, attempt - 1))
                try:
                    return (yield from handle(record))
                except permanent as rejected:
                    return (yield from give_up(record, rejected, attempt))
                except KafkaError as failed:
                    error = failed
                if attempt - 1 > progress.retries:  # Others have tried before this process did.
                    progress = Progress(retries=attempt - 1)
                elapsed_us = context.node.now_us - began_us
                u, v = draw(policy, progress)
                step = policy.after_failure(progress, u=u, v=v, elapsed_us=elapsed_us)
                yield context.sleep(step.delay_us)
                if not isinstance(step, Wait):
                    return (yield from give_up(record, error, attempt))
                progress = step.progress

        return retry

    return retrying_factory


def drawing(context: Context) -> Callable[[Backoff, Progress], tuple[float, float]]:
    """Two draws in [0, 1) for the next delay of a policy; none is made where it has no jitter."""
    draw = context.node.source(f"retry@{context.node.name}", "choice", uniform(0, MILLION - 1))

    def drawn(policy: Backoff, progress: Progress) -> tuple[float, float]:
        low, high = bounds(policy.law, progress.retries, progress.previous)
        return (0.0, 0.0) if low == high else (draw() / MILLION, draw() / MILLION)

    return drawn
