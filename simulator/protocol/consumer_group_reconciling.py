"""How one member comes from what it holds to what it is to hold: the next step, and no more.

Rule 1: first it gives back. While it holds a partition that is not in its target, it stays in its
epoch and gets nothing new (UNREVOKED_PARTITIONS).
Rule 2: then it takes what is free, and goes to the target's epoch. A partition that anybody still
holds, even if he was asked to give it back, is not free (UNRELEASED_PARTITIONS, until it is).
Rule 3: a partition is given back when a heartbeat says what the member holds, and it is not there.

Rules 1 and 2 together are the promise: at any moment a partition has at most one owner.

Sources: CurrentAssignmentBuilder.java and MemberState.java of Kafka 4.0. So a partition that goes
back to the one who is about to give it back is not free for him either, for one heartbeat more
(KAFKA-19449, mended later).
"""

from collections.abc import Container

import attrs

from simulator.protocol.consumer_group_state import ConsumerMember, MemberState
from simulator.protocol.names import TopicPartition

Partitions = tuple[TopicPartition, ...]


def reconcile(
    member: ConsumerMember,
    target_epoch: int,
    target: Partitions,
    owned: Partitions | None,
    held: Container[TopicPartition],
) -> ConsumerMember:
    """The member after its next step; the same member when there is none to take.

    Args:
        target_epoch: the epoch for which the target was computed.
        target: what the member is to hold.
        owned: what it says it holds, or None: it does not say.
        held: the partitions that some member holds, or has not yet given back.
    """
    if member.state is MemberState.STABLE and member.epoch == target_epoch:
        return member
    if member.state is not MemberState.UNREVOKED_PARTITIONS:
        return _next(member, member.epoch, (target_epoch, target), owned, held)
    if _holds(owned, member.revoking):
        return member
    return _next(member, member.epoch + 1, (target_epoch, target), owned, held)


def _holds(owned: Partitions | None, revoking: Partitions) -> bool:
    """Whether the member still holds one of these; who says nothing holds what it held."""
    return owned is None or not frozenset(revoking).isdisjoint(owned)


def _next(
    member: ConsumerMember,
    epoch: int,
    to: tuple[int, Partitions],
    owned: Partitions | None,
    held: Container[TopicPartition],
) -> ConsumerMember:
    """Give back, or else take what is free (computeNextAssignment). epoch: while it gives back."""
    target_epoch, target = to
    wanted, has = frozenset(target), frozenset(member.assigned)
    kept = tuple(one for one in member.assigned if one in wanted)
    revoking = tuple(one for one in member.assigned if one not in wanted)
    if revoking and _holds(owned, revoking):
        return attrs.evolve(
            member,
            state=MemberState.UNREVOKED_PARTITIONS,
            epoch=epoch,
            previous_epoch=member.epoch,
            assigned=kept,
            revoking=revoking,
        )
    missing = [one for one in target if one not in has]
    free = [one for one in missing if one not in held]
    everything = len(free) == len(missing)
    return attrs.evolve(
        member,
        state=MemberState.STABLE if everything else MemberState.UNRELEASED_PARTITIONS,
        epoch=target_epoch,
        previous_epoch=member.epoch,
        assigned=tuple(sorted((*kept, *free))),
        revoking=(),
    )
