"""Bugs of groups: assignors that give twice, coordinators that believe, forget or hurry."""

from simulator.cluster.coordinator_log import LocalLog
from simulator.cluster.replicated_log import ReplicatedLog
from simulator.protocol import assignors_sticky, consumer_group_reconciling
from simulator.protocol.assignors import ASSIGNORS
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.group import Group
from simulator.protocol.group_state import OffsetsCommitted
from tests.mutants import clients

gives_twice = clients.assigns_to_everybody


def withholds_nothing(patch):
    """What moves is given to its next owner before the former one has given it up."""

    def given(members, partitions, racks):
        own, _ = assignors_sticky._assign(members, partitions, racks, assignors_sticky._owned)
        return assignors_sticky._sorted(own)

    patch.setitem(ASSIGNORS, "cooperative-sticky", given)


def checks_no_generations(patch):
    """Whoever commits is believed, of classic and of consumer groups."""
    patch.setattr(Group, "commit_refusal", lambda *_, **__: None)
    patch.setattr(ConsumerMembers, "commit_refusal", lambda *_: None)


def reloads_old_offsets(patch):
    """Of a group's commits a coordinator that loads it reads the first, and not the others."""
    for log in (LocalLog, ReplicatedLog):
        patch.setattr(log, "read", _old(log.read))


def _old(read):
    def old(self):
        known = set()
        for group_id, fact in read(self):
            if type(fact) is OffsetsCommitted:
                places = {(group_id, one.partition) for one in fact.offsets}
                if places <= known:
                    continue
                known |= places
            yield group_id, fact

    return old


def frees_too_soon(patch):
    """What a member is told to give back is free at once, whatever it says that it holds."""
    patch.setattr(consumer_group_reconciling, "_holds", lambda *_: False)


def gives_what_is_held(patch):
    """Nobody is waited for: a member gets all of its target as soon as it has given back."""
    following = consumer_group_reconciling._next

    def hasty(member, epoch, to, owned, _held):
        return following(member, epoch, to, owned, ())

    patch.setattr(consumer_group_reconciling, "_next", hasty)
