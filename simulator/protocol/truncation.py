"""How a follower finds what its leader does not have, and cuts it: Kafka's four ways, as data.

1. TO_HIGH_WATERMARK: it cuts everything above its own high watermark. That mark lags, so records
   that were committed are cut, and a leader that was told late keeps others in their place.
2. KIP_101: it asks where its latest epoch ends at the leader. Two quick changes of leaders, and it
   asks for an epoch that the leader never had, and keeps too much.
3. KIP_279: the answer also says which epoch the end is of, and a follower that does not know that
   one cuts further back and asks again; a new leader notes its epoch before it writes.
4. KIP_320: every question and every fetch names the epoch of the leader that is meant, so nobody
   acts on what a deposed leader says; and nobody joins the in-sync set before it has all that
   earlier leaders wrote. Since KIP-595 nothing is asked beforehand: the fetch itself is answered
   with the point where the logs part. This is what Kafka 4.0 does.

Sources: KIP-101, KIP-279, KIP-320, KIP-595; AbstractFetcherThread.scala
(getOffsetTruncationState); KafkaTruncateToHighWatermark.tla, Kip101.tla, Kip279.tla, Kip320.tla.

Not modelled: message formats without epochs next to formats with them in one log.
"""

import attrs

from simulator.protocol.leader_epochs import NO_EPOCH, UNDEFINED, LeaderEpochs
from simulator.protocol.names import UNKNOWN_OFFSET


@attrs.frozen
class Truncation:
    """One way to cut a follower's log; the four of Kafka's history stand below.

    Attributes:
        name: for texts.
        by_epoch: ask for the end of an epoch instead of cutting at the own high watermark.
        stepwise: the answer names its epoch; the follower may have to ask again (KIP-279).
        fenced: requests name the leader's epoch, and the in-sync set waits for its start (KIP-320).
        on_fetch: the fetch is answered with where the logs part (since Kafka 2.7).
        same_leader_too: a new epoch of the leader that is followed already is reason enough to
            look again; without it a follower that missed an epoch keeps what it has (KAFKA-7164).
        high_watermark_first: a follower takes the leader's high watermark over before it cuts,
            and shows its own readers what is cut next (KAFKA-14704).
    """

    name: str
    by_epoch: bool
    stepwise: bool
    fenced: bool
    on_fetch: bool
    same_leader_too: bool = True
    high_watermark_first: bool = False


TO_HIGH_WATERMARK = Truncation(
    "high watermark", by_epoch=False, stepwise=False, fenced=False, on_fetch=False
)
KIP_101 = Truncation("KIP-101", by_epoch=True, stepwise=False, fenced=False, on_fetch=False)
KIP_279 = Truncation("KIP-279", by_epoch=True, stepwise=True, fenced=False, on_fetch=False)
KIP_320 = Truncation("KIP-320", by_epoch=True, stepwise=True, fenced=True, on_fetch=True)

TRUNCATIONS = (TO_HIGH_WATERMARK, KIP_101, KIP_279, KIP_320)


def epoch_end(
    way: Truncation, epochs: LeaderEpochs, epoch: int, log_end_offset: int
) -> tuple[int, int]:
    """What a leader answers to OffsetsForLeaderEpoch: (epoch, end offset); -1, -1 is undefined.

    Before KIP-279 the answer had no epoch (-1), and an epoch before all that were known was
    undefined too.
    """
    known, end = epochs.end_offset_for(epoch, log_end_offset)
    if way.stepwise:
        return known, end
    if end == UNKNOWN_OFFSET or epoch < epochs.entries[0][0]:
        return UNDEFINED
    return NO_EPOCH, end


def diverges(
    epochs: LeaderEpochs, log_end_offset: int, offset: int, last_fetched_epoch: int
) -> tuple[int, int] | None:
    """What a leader says of a follower whose log ends at `offset` in `last_fetched_epoch`.

    None: the leader's log goes on from there. Otherwise (epoch, end offset): the follower has more
    than that, or other things. (-1, -1): the leader knows no such epoch.
    """
    known, end = epochs.end_offset_for(last_fetched_epoch, log_end_offset)
    if end == UNKNOWN_OFFSET:
        return UNDEFINED
    return (known, end) if known < last_fetched_epoch or end < offset else None


def cut_at(
    epochs: LeaderEpochs, log_end_offset: int, otherwise: int, answer: tuple[int, int]
) -> tuple[int, bool]:
    """Where a follower cuts its log, and whether it is then done or must ask again.

    Args:
        epochs: the follower's own.
        log_end_offset: of the follower.
        otherwise: where to cut when the leader cannot say: the follower's high watermark.
        answer: (epoch, end offset), as the leader gave it.
    """
    epoch, end = answer
    if end == UNKNOWN_OFFSET:
        return otherwise, True
    if epoch != NO_EPOCH:
        own_epoch, own_end = epochs.end_offset_for(epoch, log_end_offset)
        if own_end != UNKNOWN_OFFSET:
            if own_epoch != epoch:
                return min(own_end, log_end_offset), False
            end = min(end, own_end)
    return min(end, log_end_offset), True
