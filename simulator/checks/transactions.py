"""Are transactions all or nothing, seen by nobody before they end, and do they end?

aborted_is_never_read  nobody is given a record of a transaction that is aborted, or open still
transactions_atomic    what a producer committed is committed wholly; what it aborted, not at all
transactions_end       no transaction stays open in a log for good, in the way of all its readers

The first is Adya's G1a, and the second its G0 and G1 across partitions. What a producer asked for
and learnt (`transaction_ending`, `transaction_ended`) is compared with what the logs hold: the
appends and ends that leaders tell of. An end of which the producer learnt nothing may have come
either way.

Readers of uncommitted records are given what is open, and mean it: name the groups that must not
be (`aborted_is_never_read_by`).

Not modelled: offsets that are committed in a transaction (see `exactly_once_output` for what comes
of them); a record that is given twice to one transaction under the same id.
"""

from collections import Counter
from collections.abc import Collection

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import at
from simulator.checks.transactions_log import (
    OPEN,
    Identity,
    TransactionLog,
    Where,
    Written,
)
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

_AT_REST = ("Empty", "CompleteCommit", "CompleteAbort", "Dead")
_PREPARED = ("PrepareCommit", "PrepareAbort")


# --- Aborted reads -------------------------------------------------------------------------------


def aborted_is_never_read_by(*groups: str) -> Check:
    """Of these groups nobody is given a record of a transaction that is aborted, or open still.

    Without a group it is asked of all.
    """
    name = "aborted_is_never_read"

    def start() -> Watching:
        return _aborted_is_never_read(name, frozenset(groups))

    whom = " or ".join(groups) or "any group"
    promise = f"No member of {whom} is given a record of an aborted or an open transaction."
    return Check(name, promise, start)


def _aborted_is_never_read(name: str, groups: Collection[str]) -> Watching:
    cases, log = Cases(), TransactionLog()
    reached = 0

    def on_polled(entry: FlatEntry) -> None:
        nonlocal reached
        _, group, topic, partition, offset, event_id = entry[4]
        if groups and group not in groups:
            return
        batch = log.holding((topic, partition), offset)
        if batch is None:
            return
        reached += 1
        if batch.result == "commit":
            return
        owner = log.owners[batch.identity[0]]
        state = f"a transaction of {owner} that is open" if batch.result == OPEN else (
            f"an aborted transaction of {owner}"
        )
        said = f"{entry[2]} ({group}) was given {event_id} at {at(topic, partition, offset)}, "
        shown = [batch.seq, entry[0]] if batch.result == OPEN else [
            batch.seq, batch.ended, entry[0]
        ]  # fmt: skip
        cases.add(f"{said}of {state}", shown, (event_id,))

    def finish() -> Verdict:
        return cases.verdict(name, reached)

    return Watching({**log.observers(), "record_polled": on_polled}, finish)


# --- All or nothing ------------------------------------------------------------------------------


class _Asked:
    """What the producers have asked for, and what they learnt of it."""

    def __init__(self) -> None:
        self.committed: Counter[tuple[str, str]] = Counter()  # By transactional id and event.
        self.perhaps: Counter[tuple[str, str]] = Counter()
        self.entries: dict[tuple[str, str], list[int]] = {}
        self.ended = 0
        self._asked: dict[tuple[str, str], tuple[str, ...]] = {}  # By node and transactional id.

    def on_ending(self, entry: FlatEntry) -> None:
        _, transactional_id, result, event_ids, _ = entry[4]
        for event_id in event_ids:
            self.entries.setdefault((transactional_id, event_id), []).append(entry[0])
        self.doubt((entry[2], transactional_id))
        if result == "commit":
            self._asked[entry[2], transactional_id] = event_ids

    def on_ended(self, entry: FlatEntry) -> None:
        _, transactional_id, _, outcome, _ = entry[4]
        self.ended += 1
        which = entry[2], transactional_id
        if outcome == "unknown":
            self.doubt(which)
            return
        event_ids = self._asked.pop(which, ())
        if outcome == "done":
            self.committed.update((transactional_id, one) for one in event_ids)

    def doubt(self, which: tuple[str, str]) -> None:
        """Nothing was learnt of a commit, and nothing will be."""
        self.perhaps.update((which[1], one) for one in self._asked.pop(which, ()))

    def end(self) -> None:
        """The run is over."""
        for which in list(self._asked):
            self.doubt(which)


def _transactions_atomic() -> Watching:
    log, asked, ending = TransactionLog(), _Asked(), Ending()

    def finish() -> Verdict:
        asked.end()
        copies: dict[tuple[str, str], dict[tuple[Where, Identity], Written]] = {}
        for batch in log.batches():
            if batch.result == "commit":
                owner = log.owners[batch.identity[0]]
                which = batch.where, batch.identity  # Each partition has sequences of its own.
                for event_id in batch.event_ids:
                    copies.setdefault((owner, event_id), {})[which] = batch
        surplus, missing = Cases(), Cases()
        for whose, found in copies.items():
            if len(found) > asked.committed[whose] + asked.perhaps[whose]:
                _surplus(surplus, whose, list(found.values()), asked)
        for whose, count in asked.committed.items():
            stored = len(copies.get(whose, ()))
            if stored < count:
                said = f"{whose[1]} was committed by {whose[0]}, and no log holds it as committed"
                if stored:
                    said = f"{whose[1]} was committed {count} times by {whose[0]}; {stored} is told"
                missing.add(said, asked.entries.get(whose, ()), (whose[1],))
        if surplus.count or not missing.count:
            return surplus.verdict("transactions_atomic", asked.ended)
        why = ending.open_because
        return missing.verdict("transactions_atomic", asked.ended, open_because=why)

    observers = {
        **log.observers(),
        **ending.observers(),
        "transaction_ending": asked.on_ending,
        "transaction_ended": asked.on_ended,
    }
    return Watching(observers, finish)


def _surplus(
    cases: Cases, which: tuple[str, str], found: list[Written], asked: _Asked
) -> None:
    transactional_id, event_id = which
    count = asked.committed[which] + asked.perhaps[which]
    where = " and ".join(at(*one.where, one.base) for one in found)
    times = "never" if not count else "once" if count == 1 else f"{count} times"
    said = f"{event_id} was {times} committed by {transactional_id}, and is committed at {where}"
    shown = [*asked.entries.get(which, ()), *(seq for one in found for seq in (one.seq, one.ended))]
    cases.add(said, sorted(shown), (event_id,))


# --- An end to everything ------------------------------------------------------------------------


def _transactions_end() -> Watching:
    log, ending = TransactionLog(), Ending()
    healed = -1

    def on_healed(entry: FlatEntry) -> None:
        nonlocal healed
        healed = entry[0]

    def finish() -> Verdict:
        hanging, unfinished = Cases(), Cases()
        for (where, producer_id), batches in log.open.items():
            owner = log.owners[producer_id]
            state, since = log.states.get(owner, ("", -1))
            first = batches[0]
            said = f"a transaction of {owner} is open in {at(*where, first.base)}"
            ids = tuple(dict.fromkeys(one for batch in batches for one in batch.event_ids))
            if state in _AT_REST or not state:
                said += ", and no coordinator knows of it: read_committed never comes past it"
                hanging.add(said, (first.seq,), ids)
            elif state in _PREPARED and 0 <= since < healed:
                said += f", and its coordinator is in {state} since before all was healed"
                hanging.add(said, (first.seq, since), ids)
            else:
                unfinished.add(f"{said}; its coordinator is in {state}", (first.seq,), ids)
        reached = log.ended + hanging.count + unfinished.count
        name = "transactions_end"
        if hanging.count:
            why = "" if ending.reason and ending.healed else ending.open_because
            return hanging.verdict(name, reached, open_because=why)
        why = ending.open_because or "its coordinator may end it still"
        return unfinished.verdict(name, reached, open_because=why)

    observers = {**log.observers(), **ending.observers()}
    both = observers["faults_ended"]

    def on_faults_ended(entry: FlatEntry) -> None:
        both(entry)
        on_healed(entry)

    return Watching({**observers, "faults_ended": on_faults_ended}, finish)


aborted_is_never_read = aborted_is_never_read_by()
transactions_atomic = Check(
    "transactions_atomic",
    "A transaction is committed wholly or not at all, as its producer learnt.",
    _transactions_atomic,
)
transactions_end = Check(
    "transactions_end",
    "No transaction stays open in a log once its coordinator has done with it.",
    _transactions_end,
)
