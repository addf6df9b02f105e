"""Whether a reader has anything left to read: markers, and what was aborted, are for nobody."""

from simulator.protocol.partition import Partition

_ONE_BATCH = 1  # In bytes: a read gives one batch at least.


def nothing_to_read(log: Partition, offset: int, isolation: str) -> bool:
    """Whether no record from `offset` on is for a reader of this isolation level.

    An open transaction is left to be read: it has an end to come.
    """
    committed_only = isolation == "read_committed"
    while offset < log.high_watermark:
        batches = log.read(offset, _ONE_BATCH, isolation).batches
        if not batches:
            return False
        (batch,) = batches
        gone = committed_only and batch.transactional and any(
            one.producer_id == batch.producer_id
            and one.first_offset <= batch.base_offset < one.last_offset
            for one in log.log.index.aborted
        )
        if not (batch.control or gone):
            return False
        offset = batch.next_offset
    return True
