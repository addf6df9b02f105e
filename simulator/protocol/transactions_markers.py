"""How the markers of a prepared transaction are sent, until each partition has one.

Rule 1: each partition is on its own: what some have, others may still lack. What a reader sees of
a transaction is therefore whole only in the end.
Rule 2: a marker that was not written is sent again after `RETRY_MS`, to whoever leads then, with
all others that failed meanwhile; nothing else stops, and nothing gives up.
Rule 3: a partition that is no more needs no marker.

Sources: TransactionMarkerChannelManager.scala, TransactionMarkerRequestCompletionHandler.scala
(which sends again as soon as its thread comes round).
"""

from simulator.protocol.errors import Error
from simulator.protocol.machine import SetTimer
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.transactions_facts import (
    PREPARED,
    RETRY_MS,
    MarkerRetry,
    MarkersAbandoned,
    MarkersAnswered,
    MarkersFailed,
    MarkersResent,
    MarkersWritten,
    TransactionMetadata,
)
from simulator.protocol.transactions_rules import completed
from simulator.protocol.transactions_state import Decision, Entry

# Send it again, to whoever leads then.
AGAIN = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.NOT_ENOUGH_REPLICAS,
    Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Error.REQUEST_TIMED_OUT,
    Error.KAFKA_STORAGE_ERROR,
    Error.NETWORK_EXCEPTION,
    Error.LEADER_NOT_AVAILABLE,
)
# Somebody newer owns the transaction.
NEVER = (Error.INVALID_PRODUCER_EPOCH, Error.TRANSACTION_COORDINATOR_FENCED)


def send(decision: Decision, prepared: TransactionMetadata, last_epoch: int) -> None:
    """Send a prepared transaction's markers; where nobody takes part, it is complete."""
    if prepared.partitions:
        decision.send_markers(prepared, prepared.partitions)
    else:
        decision.begin(completed(prepared, decision.now_us), last_epoch)


def answered(decision: Decision, message: MarkersAnswered) -> None:
    """What follows from what became of markers; the last completes the transaction."""
    entry = decision.known.entries.get(message.transactional_id)
    if entry is None or not _is_awaited(decision, entry, message):
        return
    results = [one for one in message.results if one[0] in entry.awaiting]
    written = tuple(where for where, error in results if error in (None, Error.NONE))
    again = tuple(where for where, error in results if error in AGAIN)
    if written:
        decision.facts.append(MarkersWritten(message.transactional_id, written))
    if any(error in NEVER for _, error in results):
        decision.facts.append(MarkersAbandoned(message.transactional_id))
        return
    assert len(written) + len(again) == len(results), f"no answer to a marker: {results}"
    if again:
        decision.facts.append(MarkersFailed(message.transactional_id, again))
        if not entry.failed:
            retry_us = RETRY_MS * MICROS_PER_MS
            name = MarkerRetry(message.transactional_id)
            decision.effects.append(SetTimer(name, retry_us, retry_us))
    elif len(written) == len(entry.awaiting):
        decision.begin(completed(entry.current, decision.now_us), entry.last_epoch)


def retry(decision: Decision, transactional_id: str) -> None:
    """Send again what failed."""
    entry = decision.known.entries.get(transactional_id)
    if entry is not None and entry.failed:
        decision.facts.append(MarkersResent(transactional_id))
        decision.send_markers(entry.current, tuple(entry.failed))


def _is_awaited(decision: Decision, entry: Entry, message: MarkersAnswered) -> bool:
    """Whether an answer is about a marker that this coordinator is still waiting for."""
    if entry.current.state not in PREPARED or entry.logged is not None or entry.abandoned:
        return False
    asked = decision.marker_of(entry.current, message.marker.partitions)
    return asked == message.marker
