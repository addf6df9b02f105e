"""Redelivery by the broker: who fails gives the record back, and somebody is given it again.

In a share group (KIP-932) the broker counts how often a record was delivered, whoever had it, and
ends it at group.share.delivery.count.limit. The count is written with what becomes of a delivery,
so each death of the partition's leader may cost one attempt more. Where nobody counts for all, each
instance counts for itself: with a limit of n, and i instances, a record is tried up to n x i times
(Particular's documentation says so of NServiceBus on several instances;
MassTransit/MassTransit#2076).
"""

from typing import Any

from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import ConsumerRecord, Context, KafkaError


def counted_by_broker(factory: Factory) -> Factory:
    """A handler whose failures give the record back; the limit is the broker's."""
    return factory


def counted_by_instance(limit: int) -> Any:
    """Twin: each instance gives a record back until it has tried it `limit` times itself."""

    def wrapped(factory: Factory) -> Factory:
        def counting_factory(context: Context) -> Handler:
            handle = calling(context, factory(context))
            counts: dict[tuple[Any, ...], int] = {}

            def call(record: ConsumerRecord) -> Any:
                counts[record[:3]] = counts.get(record[:3], 0) + 1
                try:
                    yield from handle(record)
                except KafkaError:
                    if counts[record[:3]] < limit:
                        raise
                    context.note("skipped", record.event_id)
                    return "reject"
                return None

            return call

        return counting_factory

    return wrapped
