"""Mistakes in the code of brokers and coordinators that concern transactions, as patches of ours.

As in `slips`, each stands for a few wrong lines of one product; the protocol is right.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from experiments.known_bugs.slips import patched
from simulator.cluster.coordinator_log import LocalLog
from simulator.cluster.parked import Parked
from simulator.protocol import cleaner, compaction, log, transactions
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.producer_state import ProducerState, after_marker
from simulator.protocol.segments import segments_of
from simulator.protocol.transactions_facts import State, TransactionMetadata
from simulator.protocol.transactions_rules import end_2


def reads_the_last_stable_offset_too() -> AbstractContextManager[None]:
    """A broker whose bound for readers of what is committed is the last stable offset, and not
    what lies before it (redpanda#3036).
    """
    stable: Callable[[Partition], int] = vars(Partition)["last_stable_offset"].fget

    def one_too_far(self: Partition) -> int:
        return min(stable(self) + 1, self.high_watermark)

    return patched(Partition, "last_stable_offset", property(one_too_far))


@contextmanager
def looks_at_the_high_watermark_twice() -> Iterator[None]:
    """A broker that looks whether a transaction began below the high watermark, and then at the
    high watermark again, for the bound of those who read what is committed (KAFKA-9807).

    The mark moves in between where a fetch is woken by that: then what it was before is where
    the last batch begins.
    """
    wake = Parked.wake
    moving: list[TopicPartition] = []

    def woken(self: Parked, where: TopicPartition) -> None:
        moving.append(where)
        wake(self, where)
        moving.pop()

    def bound(self: Partition) -> int:
        began, mark = self.first_unstable_offset, self.high_watermark
        seen = self.log.journal.facts[-1].base_offset if moving else mark
        return mark if began is None or began >= seen else began

    with patched(Parked, "wake", woken), patched(
        Partition, "last_stable_offset", property(bound)
    ):
        yield


def data_alone_keeps_a_producer() -> AbstractContextManager[None]:
    """A log that counts the time for which a producer is idle from its last record, and not from
    the marker that came after it (KAFKA-9144).
    """
    def forgetful(state: ProducerState, epoch: int, fence: int, _: int) -> ProducerState:
        return after_marker(state, epoch, fence, state.last_time_us)

    return patched(log, "after_marker", forgetful)


def forgets_how_a_transaction_ended() -> AbstractContextManager[None]:
    """A coordinator that ends a transaction, and calls the retry of that end invalid, for no
    transaction is open any more (redpanda#3616).
    """
    def forgetful(decision: Any, entry: Any, body: Any) -> Any:
        outcome = end_2(decision, entry, body)
        return Error.INVALID_TXN_STATE if outcome is Error.NONE else outcome

    return patched(transactions, "end_2", forgetful)


def keeps_open_transactions_in_memory() -> AbstractContextManager[None]:
    """A coordinator that writes how transactions end, and not that they began (redpanda#6019)."""
    append = LocalLog.append

    def forgetful(self: LocalLog, entries: Any, done: Any, *more: Any) -> Error:
        facts = [entry for entry in entries if not _is_open(entry[1])]
        return append(self, facts, done, *more)

    return patched(LocalLog, "append", forgetful)


def _is_open(fact: Any) -> bool:
    return isinstance(fact, TransactionMetadata) and fact.state is State.ONGOING


def forgets_transactions_between_segments() -> AbstractContextManager[None]:
    """A cleaner that begins each segment as if no transaction were under way (KAFKA-8351).

    So it takes what lies in the second segment of an aborted transaction for committed, and the
    marker there for one without a transaction.
    """

    def forgetful(cleaned: Any, *arguments: Any, **more: Any) -> Any:
        segments = segments_of(cleaned.journal, cleaned.index, cleaned.log_end_offset)
        bases = [one.base_offset for one in segments]

        def passes(self: Any, batch: Any) -> bool:
            if batch.base_offset in bases:
                self._aborting.clear()
                self._committing.clear()
            return right(self, batch)

        right = compaction._Transactions.passes  # noqa: SLF001
        with patched(compaction._Transactions, "passes", passes):  # noqa: SLF001
            return compaction.clean(cleaned, *arguments, **more)

    return patched(cleaner, "clean", forgetful)
