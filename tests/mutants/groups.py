"""Bugs of groups: assignors that give twice, coordinators that believe or hurry."""

from simulator.protocol import assignors_sticky, consumer_group_reconciling
from simulator.protocol.assignors import ASSIGNORS
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.errors import Error


def withholds_nothing(patch):
    """What moves is given to its next owner before the former one has given it up."""

    def given(members, partitions, racks):
        own, _ = assignors_sticky._assign(members, partitions, racks, assignors_sticky._owned)
        return assignors_sticky._sorted(own)

    patch.setitem(ASSIGNORS, "cooperative-sticky", given)


def frees_too_soon(patch):
    """What a member is told to give back is free at once, whatever it says that it holds."""
    patch.setattr(consumer_group_reconciling, "_holds", lambda *_: False)


def takes_commits_of_strangers(patch):
    """A group by KIP-848 believes whoever commits."""
    patch.setattr(ConsumerMembers, "commit_refusal", lambda *_: None)


def takes_former_epochs(patch):
    """Whoever is a member by KIP-848 may commit in whatever epoch he believes to be."""
    refusal = ConsumerMembers.epoch_refusal

    def believing(self, member_id, epoch):
        refused = refusal(self, member_id, epoch)
        return refused if refused is Error.UNKNOWN_MEMBER_ID else None

    patch.setattr(ConsumerMembers, "epoch_refusal", believing)
