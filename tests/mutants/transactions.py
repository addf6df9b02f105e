"""Bugs of transactions: markers, last stable offsets, aborted records, fences, pending offsets."""

import attrs

from simulator.matrix import planted
from simulator.protocol import partition as partitions
from simulator.protocol import transactions as coordinators
from simulator.protocol import transactions_rules
from simulator.protocol.errors import Error
from simulator.protocol.fetching import _Fetched
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import TransactionalOffsetsCommitted, TransactionEnded
from simulator.protocol.log import Log
from simulator.protocol.machine import NOTHING
from simulator.protocol.names import UNKNOWN_OFFSET
from simulator.protocol.partition import Partition
from simulator.protocol.transactions import TransactionCoordinator
from simulator.protocol.transactions_facts import State
from simulator.protocol.transactions_markers import AGAIN

# --- Logs ------------------------------------------------------------------------------------


def reads_up_to_the_high_watermark(patch):
    """The last stable offset is the high watermark: what is open is read as if committed."""
    planted.reads_up_to_the_high_watermark(patch)


def tells_no_aborted_transactions(patch):
    """A fetch of what is committed does not say which of it was aborted."""
    patch.setattr(Partition, "_aborted_between", lambda *_: ())


def forgets_aborted_transactions_at_restart(patch):
    """The index of aborted transactions is kept in memory alone."""
    _at_restart(patch, lambda log: log.index.aborted.clear())


def forgets_open_transactions_at_restart(patch):
    """A log that is loaded has no open transactions, and their markers end none."""

    def close(log):
        log.opened.clear()
        for producer_id, state in log.producers.items():
            closed = state._replace(transaction_first_offset=UNKNOWN_OFFSET)
            log.producers[producer_id] = closed

    _at_restart(patch, close)


def _at_restart(patch, change):
    load = Log.__init__

    def changed(self, *args, **more):
        load(self, *args, **more)
        change(self)

    patch.setattr(Log, "__init__", changed)


def takes_records_of_old_epochs(patch):
    """A log does not know that a producer was fenced: what comes late is appended."""
    refuse = partitions.refuse_data

    def believing(state, epoch, first, **more):
        refused = refuse(state, epoch, first, **more)
        return None if refused is Error.INVALID_PRODUCER_EPOCH else refused

    patch.setattr(partitions, "refuse_data", believing)


# --- Coordinators ----------------------------------------------------------------------------


def gives_markers_up(patch):
    """A marker that could not be written counts as written."""
    answered = coordinators.answered

    def satisfied(decision, message):
        told = tuple(
            (where, Error.NONE if error in AGAIN else error) for where, error in message.results
        )
        answered(decision, attrs.evolve(message, results=told))

    patch.setattr(coordinators, "answered", satisfied)


def leaves_prepared_transactions(patch):
    """A coordinator that takes over does not go on with what its predecessor has prepared."""
    patch.setattr(TransactionCoordinator, "recover", lambda self, now_us: NOTHING)


def aborts_prepared_commits(patch):
    """A coordinator that takes over aborts what was prepared, for it does not know of what."""
    send = coordinators.send

    def aborting(decision, prepared, last_epoch):
        if decision.on is coordinators.Load and prepared.state is State.PREPARE_COMMIT:
            prepared = attrs.evolve(prepared, state=State.PREPARE_ABORT)
        send(decision, prepared, last_epoch)

    patch.setattr(coordinators, "send", aborting)


def fences_nobody(patch):
    """InitProducerId gives the epoch that was given before."""
    following = transactions_rules._next_epoch

    def same(decision, entry, body):
        change = following(decision, entry, body)
        if isinstance(change, transactions_rules.Change):
            epoch = max(0, entry.current.producer_epoch)
            record = attrs.evolve(change.record, producer_epoch=epoch)
            change = change._replace(record=record)
        return change

    patch.setattr(transactions_rules, "_next_epoch", same)


def never_times_out(patch):
    """A transaction may be open for ever."""
    patch.setattr(coordinators, "timed_out", lambda entry, now_us: False)


# --- Groups' offsets ---------------------------------------------------------------------------


def commits_aborted_offsets(patch):
    """The end of a transaction commits its offsets, whichever end it is."""
    end = Offsets._end
    patch.setattr(Offsets, "_end", lambda self, fact: end(self, fact._replace(result="commit")))


def commits_offsets_at_once(patch):
    """Offsets of a transaction count when they come, not when it is committed."""
    apply = Offsets.apply

    def hasty(self, fact):
        apply(self, fact)
        if type(fact) is TransactionalOffsetsCommitted:
            apply(self, TransactionEnded(fact.producer_id, fact.producer_epoch, "commit"))

    patch.setattr(Offsets, "apply", hasty)


def tells_unstable_offsets(patch):
    """Who asks for stable offsets is told what an open transaction is about to replace."""
    patch.setattr(Offsets, "is_pending", lambda self, partition: False)


def takes_offsets_of_former_members(patch):
    """Whose producer is right may commit offsets, whether or not he is in the group (KIP-447)."""
    stage = Offsets.stage
    patch.setattr(
        Offsets, "stage", lambda self, body, refusal, now_us: stage(self, body, None, now_us)
    )


# --- Readers -----------------------------------------------------------------------------------


def reads_what_was_aborted(patch):
    """A consumer passes over markers, and over nothing else."""
    patch.setattr(_Fetched, "_skips", lambda self, batch: bool(batch.control))


def skips_until_the_first_marker(patch):
    """A consumer that passes over aborted records goes on passing over that producer's others."""

    def skips(self, batch):
        while self.aborted and self.aborted[0][1] <= batch.last_offset:
            self.aborting[self.aborted.popleft()[0]] = True
        return bool(batch.control) or batch.producer_id in self.aborting

    patch.setattr(_Fetched, "_skips", skips)
