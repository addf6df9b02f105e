"""Who leads a partition next, who may, and which epochs rise: one change of a registration.

Rule 1: whoever leads and may go on leads on. Else the first replica in the order of assignment
that is active and in sync leads, however long the others' logs are.
Rule 2: with eligible leader replicas (KIP-966) those who leave an in-sync set that is smaller than
min.insync.replicas stay eligible, until the set is large enough again: the high watermark stands
still meanwhile, so they have all that is committed. Once the in-sync set is empty they are elected.
Whoever shut down uncleanly is no longer eligible: its log may have lost its end.
Rule 3: when nobody is in sync nor eligible, the last known leader may lead, and by an unclean
election anybody who is active: the in-sync set is then that leader alone.
Rule 4: without eligible leader replicas the in-sync set never becomes empty. Its last member stays
in it, and the partition has no leader until that one comes back.
Rule 5: the partition epoch rises with every change, the leader epoch with a change of leader only
(since metadata version 3.6: before, a smaller in-sync set raised it too, KAFKA-15021).

Source: PartitionChangeBuilder.java, with eligible members kept in the order of assignment.

Not modelled: reassignment (whose end may change the leader), leader recovery state; Kafka 4.0 does
not look whether the last known leader is active before it elects it, which here is asked.
"""

from collections.abc import Callable
from enum import Enum

from simulator.protocol.replica_messages import NO_LEADER, PartitionRegistration

Names = tuple[str, ...]


class Election(Enum):
    """How far an election goes.

    PREFERRED: the first replica leads if it can. ONLINE: the leader changes only if it must.
    UNCLEAN: as online, and rather a leader who lacks records than none.
    """

    PREFERRED = "preferred"
    ONLINE = "online"
    UNCLEAN = "unclean"


def changed(
    known: PartitionRegistration,
    active: Callable[[str], bool],
    *,
    min_isr: int,
    eligible_leader_replicas: bool,
    isr: Names | None = None,
    election: Election = Election.ONLINE,
    unclean: Names = (),
) -> PartitionRegistration | None:
    """The registration that follows when the in-sync set becomes `isr`; None: nothing changes.

    Args:
        known: the partition now.
        active: whether a broker may lead: neither fenced nor shutting down.
        min_isr: min.insync.replicas of the topic, at most its replicas.
        eligible_leader_replicas: whether there are any (KIP-966).
        isr: the in-sync set as it is to be; None: as it is.
        election: how far to go for a leader.
        unclean: who has shut down uncleanly.
    """
    in_sync = known.isr if isr is None else isr
    eligible: Names = ()
    if eligible_leader_replicas:
        eligible = still_eligible(known, in_sync, min_isr, unclean)
    leader = _valid_leader(known, in_sync, eligible, active, election)
    cleanly = True
    if leader == NO_LEADER:
        cleanly = False
        last_known = known.last_known_leader
        nobody = eligible_leader_replicas and not in_sync and not eligible
        if nobody and last_known != NO_LEADER and active(last_known):
            leader = last_known
        elif election is Election.UNCLEAN:
            leader = next(filter(active, known.replicas), NO_LEADER)
    if leader not in (known.leader, NO_LEADER):
        if not cleanly:
            in_sync, eligible = (leader,), ()
        elif leader in eligible:
            in_sync, eligible = (leader,), tuple(one for one in eligible if one != leader)
    if not in_sync and not eligible_leader_replicas:
        in_sync = known.isr  # Its last member may come back with all that is committed.
    after = known._replace(leader=leader, isr=in_sync, eligible=eligible)
    if eligible_leader_replicas:
        after = after._replace(last_known_leader=_last_known(known, after))
    if after == known:
        return None
    epoch = known.leader_epoch + (leader != known.leader)
    return after._replace(leader_epoch=epoch, partition_epoch=known.partition_epoch + 1)


def still_eligible(
    known: PartitionRegistration, isr: Names, min_isr: int, unclean: Names = ()
) -> Names:
    """Who has all that is committed, and is not in the in-sync set that is to be."""
    if len(isr) >= min_isr:
        return ()
    return tuple(
        name
        for name in known.replicas
        if (name in known.isr or name in known.eligible) and name not in isr and name not in unclean
    )


def _valid_leader(
    known: PartitionRegistration,
    isr: Names,
    eligible: Names,
    active: Callable[[str], bool],
    election: Election,
) -> str:
    """Whoever has all that is committed, and is active; NO_LEADER: there is nobody."""
    may = isr or eligible
    order = (known.leader, *known.replicas)
    if election is Election.PREFERRED:
        order = (known.replicas[0], *order)
    return next((name for name in order if name in may and active(name)), NO_LEADER)


def _last_known(known: PartitionRegistration, after: PartitionRegistration) -> str:
    """Who led last before nobody was left in sync; NO_LEADER while somebody leads."""
    emptied = known.isr and not after.isr
    if emptied and known.leader != NO_LEADER:
        return known.leader
    return known.last_known_leader if after.leader == NO_LEADER else NO_LEADER


def kind_of_election(before: PartitionRegistration | None, after: PartitionRegistration) -> str:
    """How a leader was found: clean, eligible, unclean, preferred, or none for nobody."""
    leader = after.leader
    if leader == NO_LEADER:
        return "none"
    if before is None:
        return "clean"
    if leader in before.isr:
        # A leader that is deposed because it must be leaves the in-sync set.
        moved = before.leader != NO_LEADER and before.leader in after.isr
        return "preferred" if moved else "clean"
    return "eligible" if leader in before.eligible else "unclean"
