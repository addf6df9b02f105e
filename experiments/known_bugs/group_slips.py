"""Mistakes of one product in groups and their offsets, as patches of our own code.

Each is a function as in `slips`: inside the `with`, the mistake is there.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

from experiments.known_bugs.slips import patched
from simulator.cluster import coordinator as coordinators
from simulator.cluster.replicated_log import ReplicatedLog
from simulator.protocol import assignors_sticky
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.consumer_group_reconciling import reconcile
from simulator.protocol.consumer_reconciling import ConsumerReconciling
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import OffsetsCommitted
from simulator.protocol.membership import Membership
from simulator.protocol.subscriptions import UserData


@contextmanager
def _all(*patches: AbstractContextManager[None]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


# --- Coordinators --------------------------------------------------------------------------------


def loses_the_epoch_of_what_comes_back() -> AbstractContextManager[None]:
    """A coordinator that gives a partition back to the member which is about to give it up, and
    then strikes off that anybody holds it (KAFKA-16147).

    That a member gets back at once what it gives up is right by itself (KAFKA-19449). What goes
    wrong is the order: what was given up is struck off after what is held was written down.
    """

    def gets_back_at_once(
        member: Any, target_epoch: int, target: Any, owned: Any, held: Any
    ) -> Any:
        others = [one for one in held if one not in member.revoking]
        return reconcile(member, target_epoch, target, owned, others)

    def hand_over(self: ConsumerMembers, before: Any, after: Any) -> None:
        for one in before.assigned:
            self.epochs.pop(one, None)
        for one in (*after.assigned, *after.revoking):
            self.epochs[one] = after.epoch
        for one in before.revoking:
            if one not in after.revoking:
                self.epochs.pop(one, None)

    def release(self: ConsumerMembers, member: Any) -> None:
        for one in (*member.assigned, *member.revoking):
            self.epochs.pop(one, None)

    return _all(
        patched(coordinators, "Rules", partial(Rules, reconcile=gets_back_at_once)),
        patched(ConsumerMembers, "_hand_over", hand_over),
        patched(ConsumerMembers, "_release", release),
    )


def loads_old_commits_last() -> AbstractContextManager[None]:
    """A new coordinator whose loader goes over the log in the wrong order: of several commits of
    one group the oldest is applied last (KAFKA-5600).
    """
    read = ReplicatedLog.read

    def backwards(self: ReplicatedLog) -> Iterator[Any]:
        entries = list(read(self))
        places = [at for at, (_, fact) in enumerate(entries) if type(fact) is OffsetsCommitted]
        shuffled = list(entries)
        for at, other in zip(places, reversed(places), strict=True):
            shuffled[at] = entries[other]
        yield from shuffled

    return patched(ReplicatedLog, "read", backwards)


def keeps_pending_what_was_aborted() -> AbstractContextManager[None]:
    """A coordinator that drops what an aborted transaction would have committed, and forgets that
    nothing is pending any more (as of a commit that was refused, KAFKA-16371).
    """
    end = Offsets._end  # noqa: SLF001

    def forgetful(self: Offsets, fact: Any) -> None:
        staged = dict(self.pending.get(fact.producer_id, {}))
        end(self, fact)
        if fact.result == "abort" and staged and fact.producer_id not in self.pending:
            self.pending[NO_ONE] = staged

    return patched(Offsets, "_end", forgetful)


NO_ONE = -2  # No producer has this id, so no marker is ever written for it.


# --- Members -------------------------------------------------------------------------------------


def claims_what_it_had() -> AbstractContextManager[None]:
    """A member that is out of its group joins again with all that it had, and an assignor to which
    any claim is as good as any other, of whatever generation (KAFKA-13419, KAFKA-14639).
    """
    owned = assignors_sticky._owned  # noqa: SLF001

    def undated(said: Any) -> UserData:
        return UserData(owned(said).owned, NEWEST)

    return _all(
        patched(Membership, "lost", property(_never_lost)),
        patched(assignors_sticky, "_owned", undated),
    )


NEWEST = 2**31


def _never_lost(_: Membership) -> bool:
    return False


def resets_before_it_is_told() -> AbstractContextManager[None]:
    """A consumer that begins a partition at the log's end while on_assigned is still to come, and
    so before anybody has asked what is committed (KAFKA-16556).
    """
    own = ConsumerReconciling._own  # noqa: SLF001

    def hasty(self: ConsumerReconciling, task: Any) -> None:
        own(self, task)
        for partition in task.added:
            self._positions.assigned[partition].await_reset("latest")

    return patched(ConsumerReconciling, "_own", hasty)
