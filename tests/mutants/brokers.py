"""Bugs of brokers: what they keep, whom they believe, and when they answer."""

from simulator.cluster.coordinator_log import LocalLog
from simulator.matrix import planted
from simulator.protocol import group, log
from simulator.protocol.errors import Error
from simulator.protocol.group import Group
from simulator.protocol.group_state import MemberRemoved, OffsetsCommitted
from simulator.protocol.partition import Partition
from simulator.world.disk import Disk


def forgets_producers(patch):
    """Nothing is known of any producer, so a retry is a new batch."""
    planted.forgets_producers(patch)


def forgets_producers_at_restart(patch):
    """The log is read back, what it says of producers is not."""
    built = Partition.__init__

    def build(self, *args, **more):
        built(self, *args, **more)
        self.log.producers.clear()

    patch.setattr(Partition, "__init__", build)


def remembers_one_batch(patch):
    """Of the batches in flight only the newest is known again."""
    after_data = log.after_data

    def after(*args, **more):
        state = after_data(*args, **more)
        return state._replace(batches=state.batches[-1:])

    patch.setattr(log, "after_data", after)


def _believes(patch, error):
    refusal = Group.commit_refusal

    def believing(self, *args, **more):
        refused = refusal(self, *args, **more)
        return None if refused is error else refused

    patch.setattr(Group, "commit_refusal", believing)


def takes_commits_of_old_generations(patch):
    """Who is a member may commit, whatever generation it believes to be in."""
    _believes(patch, Error.ILLEGAL_GENERATION)


def takes_commits_of_unknown_members(patch):
    """Who was removed may go on committing."""
    _believes(patch, Error.UNKNOWN_MEMBER_ID)


def keeps_offsets_per_member(patch):
    """A member that goes takes its offsets along."""
    apply = Group.apply

    def per_member(self, fact):
        if type(fact) is OffsetsCommitted:
            marked = tuple(one._replace(metadata=fact[0]) for one in fact.offsets)
            fact = fact._replace(offsets=marked)
        elif type(fact) is MemberRemoved:
            for partition, (one, _) in list(self.offsets.committed.items()):
                if one.metadata == fact.member_id:
                    del self.offsets.committed[partition]
        apply(self, fact)

    patch.setattr(Group, "apply", per_member)


def forgets_commits_at_restart(patch):
    """Offsets are kept in memory alone."""
    read = LocalLog.read

    def forgetful(self):
        return [entry for entry in read(self) if type(entry[1]) is not OffsetsCommitted]

    patch.setattr(LocalLog, "read", forgetful)


def never_ends_a_session(patch):
    """A member that is silent stays a member."""
    patch.setattr(group, "session_deadline", lambda decision, member_id: None)


def answers_before_it_writes(patch):
    """What is answered is not even in the page cache: a process crash takes it."""
    crash = Disk.crash

    def lossy(self, mode, *told, **chosen):
        crash(self, "power" if mode == "process" else mode, *told, **chosen)

    patch.setattr(Disk, "crash", lossy)


def loses_its_disk(patch):
    """Each crash begins with an empty disk."""
    crash = Disk.crash
    patch.setattr(Disk, "crash", lambda self, *_, **__: crash(self, "disk"))
