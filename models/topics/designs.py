"""Which event types share a topic decides who keeps their order, and who reads what in vain.

BY_AGGREGATE  one topic holds all events of orders: their order is kept by the order's id as key
BY_TYPE       each event type has its own topic: nobody reads in vain, and an order's events have
              no order between them
UNIVERSAL     one topic holds whatever happens in the company: readers skip most of it, and what is
              slow to handle holds up what is not

A shop with orders also has page views: many, of no interest to billing.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from models.patterns.envelope import Envelope, read_envelope
from simulator import Context, Topic, WorkItem

VIEWED = "PageViewed"
OF_ORDERS = "orders"
OF_PAGES = "page-views"
OF_ALL = "events"


@attrs.frozen
class Design:
    """Which topic an event of a type goes to.

    Args:
        name: for tables.
        topic_of: from an event's type to its topic.
    """

    name: str
    topic_of: Callable[[str], str]

    def topics(self, types: Iterable[str], partitions: int) -> tuple[Topic, ...]:
        """The topics of these event types, each once, with so many partitions."""
        names = dict.fromkeys(self.topic_of(event_type) for event_type in types)
        return tuple(Topic(name, partitions) for name in names)

    def placed(self, items: Iterable[WorkItem]) -> tuple[WorkItem, ...]:
        """The same events, each in the topic that the design gives to its type."""
        return tuple(
            item._replace(topic=self.topic_of(read_envelope(item.value).event_type))
            for item in items
        )

    def read_by(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The topics that a reader of these event types must subscribe to."""
        return tuple(dict.fromkeys(self.topic_of(event_type) for event_type in wanted))


def _of_aggregate(event_type: str) -> str:
    return OF_PAGES if event_type == VIEWED else OF_ORDERS


def _of_all(_: str) -> str:
    return OF_ALL


BY_AGGREGATE = Design("one topic an aggregate", _of_aggregate)
BY_TYPE = Design("one topic a type", str)  # A topic is called as its type is.
UNIVERSAL = Design("one universal topic", _of_all)
DESIGNS = (BY_AGGREGATE, BY_TYPE, UNIVERSAL)


def page_views(count: int, every_us: int, from_us: int = 0) -> tuple[WorkItem, ...]:
    """So many page views, one every `every_us`; the key is the page."""
    items = []
    for number in range(count):
        page = f"page-{number % 17}"
        envelope = Envelope(VIEWED, 1, f"view-{number}", "2025-12-04T12:00:00Z", {"page": page})
        at_us = from_us + number * every_us
        items.append(WorkItem(at_us, OF_PAGES, page, envelope.to_json(), envelope.event_id))
    return tuple(items)


def wanting(
    wanted: Sequence[str], factory: Callable[[Context], Callable[..., Any]]
) -> Callable[[Context], Callable[..., Any]]:
    """A handler's factory whose handlers pass over events of other types.

    What is passed over has been fetched and read all the same; the trace notes each as `skipped`.

    Args:
        factory: of generator functions, such as the sinks are.
    """

    def build(context: Context) -> Callable[..., Any]:
        handler = factory(context)

        def handle(record: Any) -> Any:
            if read_envelope(record.value).event_type in wanted:
                yield from handler(record)
            else:
                context.note("skipped", record.event_id)

        return handle

    return build
