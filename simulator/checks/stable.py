"""Does the last stable offset move on? Liveness in virtual time.

stable_offset_moves  no transaction holds a partition's readers of committed records up for longer
                     than a coordinator may let it live (or for as long as you say)

What lies behind an open transaction is readable for nobody who reads committed records only, so it
must end, one way or the other. `transactions_end` asks whether it does; this check asks when. The
clock runs from its first batch in the partition, or from when all was healed if that came later.

Not modelled: a coordinator's own clock that drifts.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.leading import joined
from simulator.checks.sentences import at, seconds
from simulator.checks.transactions_log import OPEN, TransactionLog, Written
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry, Observer

# transaction.max.timeout.ms, and how often a coordinator looks: Kafka's defaults; and some slack.
LIMIT_MS = 900_000 + 10_000 + 5_000

NAME = "stable_offset_moves"


def stable_offset_moves_within(limit_ms: int) -> Check:
    """No transaction is open in a partition for longer than this, once all is healed."""

    def start() -> Watching:
        return _stable_offset_moves(limit_ms)

    promise = f"A transaction is open in a partition for {limit_ms} ms at most, once all is healed."
    return Check(NAME, promise, start)


class _Clock:
    """When all was healed, and when the run ended."""

    def __init__(self) -> None:
        self.healed_us = -1
        self.last_us = 0
        self.reason = ""

    def on_healed(self, entry: FlatEntry) -> None:
        self.healed_us = entry[1]

    def on_ended(self, entry: FlatEntry) -> None:
        self.last_us = entry[1]
        self.reason = entry[4][1]

    def open_for_us(self, one: Written, until_us: int) -> int:
        """For how long a batch was open and nothing excused it; negative if it never was."""
        if self.healed_us < 0:
            return -1
        return until_us - max(one.at_us, self.healed_us)


def _stable_offset_moves(limit_ms: int) -> Watching:
    log, clock, cases = TransactionLog(), _Clock(), Cases()
    told: set[tuple[tuple[str, int], int, int]] = set()
    judged = 0

    def judge(batches: list[Written], entry_at: tuple[int, int] | None) -> None:
        nonlocal judged
        first = batches[0]
        judged += 1
        until_us = clock.last_us if entry_at is None else entry_at[1]
        lasted_us = clock.open_for_us(first, until_us)
        which = first.where, first.identity[0], first.seq
        if lasted_us <= limit_ms * 1_000 or which in told:
            return
        told.add(which)
        owner = log.owners[first.identity[0]]
        said = f"a transaction of {owner} holds {at(*first.where, first.base)} up"
        until = "and still does at the end" if entry_at is None else "until it ended"
        seqs = [first.seq] if entry_at is None else [first.seq, entry_at[0]]
        ids = tuple(dict.fromkeys(one for batch in batches for one in batch.event_ids))
        cases.add(f"{said} for {seconds(lasted_us)}, {until}", seqs, ids)

    def on_marker(entry: FlatEntry) -> None:
        """Before the log of transactions hears of it: then it is ended."""
        _, topic, partition, _, producer_id, _, _ = entry[4]
        batches = log.open.get(((topic, partition), producer_id))
        if batches:
            judge(batches, (entry[0], entry[1]))

    def finish() -> Verdict:
        open_now = [batches for batches in log.open.values() if batches[0].result == OPEN]
        for batches in open_now:
            judge(batches, None)
        if cases.count or not open_now:
            return cases.verdict(NAME, judged)
        waiting = Cases()
        for batches in open_now:
            first = batches[0]
            owner = log.owners[first.identity[0]]
            said = f"a transaction of {owner} is open in {at(*first.where, first.base)} at the end"
            waiting.add(said, (first.seq,), first.event_ids)
        why = "the run ended before its time was up"
        if not clock.reason or clock.healed_us < 0:
            why = "the trace does not show the end of the run, or of its faults"
        return waiting.verdict(NAME, judged, open_because=why)

    own: dict[str, Observer] = {
        "transaction_marker_written": on_marker,
        "faults_ended": clock.on_healed,
        "run_ended": clock.on_ended,
    }
    return Watching(joined(own, log.observers()), finish)


stable_offset_moves = stable_offset_moves_within(LIMIT_MS)
