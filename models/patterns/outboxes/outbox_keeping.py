"""Housekeeping of an outbox: rows that were sent are purged when they are old, and somebody looks.

purging   deletes rows; which is the question: those that were sent, or (twin) all that are old
auditing  notes how many old rows there are, sent and unsent
"""

from collections.abc import Callable
from typing import Any

import attrs

from models.patterns.outboxes.outbox import LEDGER, OUTBOX, PRODUCER, Steps
from models.patterns.outboxes.outbox_running import Quiet
from simulator import Cluster, Context, Delete, KafkaError, Row, Select, StoreTimeout


def sent_rows(row: Row) -> bool:
    """The right ones to purge."""
    return bool(row.value["sent"])


def all_rows(_: Row) -> bool:
    """Twin: age is taken for a proof that a row was sent."""
    return True


@attrs.frozen
class Purging:
    """Deletes rows of an age, again and again.

    Args:
        which: of the rows that are old enough.
        age_ms: how old a row must be.
        every_ms: how long it waits in between.
    """

    which: Callable[[Row], bool] = sent_rows
    age_ms: int = 1_000
    every_ms: int = 100

    def __call__(self, cluster: Cluster, _: Quiet) -> None:
        """Deploy it on a node of its own."""

        def live(node: Any) -> Steps:
            context = cluster.context(node, PRODUCER)
            while True:
                yield context.sleep(self.every_ms * 1_000)
                try:
                    yield from self._purge(context)
                except KafkaError as error:  # Another time.
                    context.note("failed", type(error).__name__)

        def boot(node: Any) -> None:
            node.start(live(node), "purger")

        cluster.node("purger", boot)

    def _purge(self, context: Context) -> Steps:
        oldest_us = context.node.now_us - self.age_ms * 1_000
        tx = yield context.store(LEDGER).begin()
        (rows,) = yield tx.run(
            Select(
                OUTBOX,
                lambda row: row.value["created_us"] < oldest_us and self.which(row),
                lock="skip locked",
            )
        )
        if rows:
            yield tx.run(*(Delete(OUTBOX, row.key, effect=False) for row in rows))
        yield tx.commit()


@attrs.frozen
class Auditing:
    """Notes, once the day is over, how many old rows there are.

    Args:
        at_ms: when it looks.
        age_ms: what is old.
    """

    at_ms: int
    age_ms: int = 1_000

    def __call__(self, cluster: Cluster, _: Quiet) -> None:
        """Deploy it on a node of its own."""

        def drive(node: Any) -> Steps:
            context = cluster.context(node, PRODUCER)
            yield context.sleep(max(0, self.at_ms * 1_000 - node.now_us))
            oldest_us = node.now_us - self.age_ms * 1_000
            old = Select(OUTBOX, lambda row: row.value["created_us"] < oldest_us)
            while True:
                try:
                    (rows,) = yield context.store(LEDGER).transact(old)
                except StoreTimeout:
                    continue
                unsent = sum(not row.value["sent"] for row in rows)
                context.note("old rows", f"{len(rows)} {unsent}")
                return

        cluster.driver("auditor", drive)
