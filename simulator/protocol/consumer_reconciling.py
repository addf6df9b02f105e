"""How a member of a KIP-848 group comes from what it has to what it is assigned, inside its polls.

1. What is to be given back is not handed out any more. Then: commit automatically if that is on;
   on_revoked with what is given back, if anything is; then, even if it is nothing, on_assigned with
   what is new; then the coordinator is told. What stays is read on all the while.
2. The commit is tried again until it succeeds, is refused for good, or max.poll.interval.ms is
   over; so it is after STALE_MEMBER_EPOCH, with the new epoch, if the member still is one.
3. A target that comes meanwhile waits until this one is reached. If the member is fenced or leaves
   meanwhile, the rest is not done: everything it has is lost, and on_lost is called if that is
   anything.
4. If the listener fails, poll throws and nothing is acknowledged: the next poll does the rest of
   it again. What on_assigned failed for is not read before it has succeeded.

Sources: AbstractMembershipManager.java (maybeReconcile, revokeAndAssign), ConsumerMembershipManager
.java, CommitRequestManager.java (maybeAutoCommitSyncBeforeRebalance).

Not modelled: reconciling outside of a poll, which Kafka 4.0 does when there is neither a listener
nor automatic commits; the ids of topics, and so targets whose topics have no known names.
"""

from collections.abc import Callable

from simulator.errors import KafkaError, RebalanceInProgress, RetriableError
from simulator.protocol.autocommit import AutoCommit
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_member_states import NOTHING_YET, Assignment, MembershipState
from simulator.protocol.consumer_membership import ConsumerMembership
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.fetching import Fetching
from simulator.protocol.lookup import Lookup
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.positions import Positions
from simulator.protocol.wire import Happened, Listen, Wire

Then = Callable[[Exception | None, int], None]
Partitions = tuple[TopicPartition, ...]

OUTSIDE = (MembershipState.FENCED, MembershipState.STALE, MembershipState.FATAL)


class _Task:
    """One way from what is owned to `towards`.

    Attributes:
        life: of the member, when it set out.
        commit_at_us: when to try the commit next.
        committed: whether that is over, well or not.
    """

    __slots__ = ("added", "commit_at_us", "committed", "life", "removed", "since_us", "towards")

    def __init__(self, towards: Assignment, owned: Partitions, life: int, now_us: int) -> None:
        self.towards = towards
        self.removed = tuple(one for one in owned if one not in towards.partitions)
        self.added = tuple(one for one in towards.partitions if one not in owned)
        self.life = life
        self.since_us = now_us
        self.commit_at_us = now_us
        self.committed = False


class ConsumerReconciling:
    """Takes a member to its targets.

    Attributes:
        listening: what goes on when the rebalance listener is done; None when it is not at work.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        positions: Positions,
        fetching: Fetching,
        group: tuple[Lookup, ConsumerMembership, Committing],
        auto: AutoCommit,
        settings: ConsumerSettings,
    ) -> None:
        self._wire = wire
        self._positions = positions
        self._fetching = fetching
        self._lookup, self._membership, self._committing = group
        self._auto = auto
        # How long the commit before a reconciliation may take.
        self._prepare_us = settings.max_poll_interval_ms * MICROS_PER_MS
        self._task: _Task | None = None
        self.listening: Then | None = None

    # --- In poll -----------------------------------------------------------------------------

    def go_on(self, now_us: int) -> None:
        """Do what the member's state calls for, as far as that goes without waiting."""
        membership = self._membership
        if self._lookup.node is None:
            self._lookup.find(now_us)
        while self.listening is None and self._wire.failure is None:
            state = membership.state
            if state in OUTSIDE:
                self._release(now_us)
                if state is MembershipState.FATAL and self.listening is None:
                    membership.rejoin_needed = False
                    return
            elif state is MembershipState.UNSUBSCRIBED:
                membership.join(now_us)
            elif state is not MembershipState.RECONCILING:
                membership.rejoin_needed = False
                return
            elif not self._reconcile(now_us):
                return

    def _release(self, now_us: int) -> None:
        """The member is outside: let go what it had, then join; or, if it is for good, say why."""
        membership = self._membership
        self._task = None
        owned = self._owned()
        if owned:
            self._listen("lost", owned, self._released)
        elif membership.state is MembershipState.FATAL:
            self._wire.failure, membership.failure = membership.failure, None
        else:
            membership.join(now_us)

    def _released(self, error: Exception | None, _: int) -> None:
        if error is not None:
            self._wire.failure = _thrown(error)

    # --- Towards a target --------------------------------------------------------------------

    def _reconcile(self, now_us: int) -> bool:
        """Go on towards the target; False while a commit is on its way."""
        membership = self._membership
        if self._task is not None and not self._relevant(self._task):
            self._task = None
        if self._task is None:
            target = membership.target
            current = membership.current
            if current != NOTHING_YET and target.partitions == current.partitions:
                membership.acknowledge(target, now_us)
                return True
            self._task = _Task(target, self._owned(), membership.life, now_us)
            self._set_aside(self._task.removed)
        task = self._task
        if not self._committed(task, now_us):
            return False
        if task.removed:
            self._listen("revoked", task.removed, self._revoked, again=True)
        else:
            self._assign(task)
        return True

    def _set_aside(self, removed: Partitions) -> None:
        """Hand out nothing more of these."""
        for partition, position in self._positions.assigned.items():
            position.revoking = partition in removed
        self._positions.moved += 1

    def _committed(self, task: _Task, now_us: int) -> bool:
        """Whether the automatic commit is done, or given up: before that nothing is given back."""
        if not self._auto.on or task.committed or now_us >= task.since_us + self._prepare_us:
            return True
        if now_us >= task.commit_at_us:
            task.commit_at_us = task.since_us + self._prepare_us  # Not a second time meanwhile.
            self._committing.send_async(
                self._positions.consumed(),
                now_us,
                lambda error, at_us: self._commit_answered(task, error, at_us),
            )
        self._wire.want(task.commit_at_us)
        return task.committed

    def _commit_answered(self, task: _Task, error: KafkaError | None, now_us: int) -> None:
        if not self._tries_again(error):
            task.committed = True
            return
        task.commit_at_us = now_us + self._wire.backoff_us(0)
        self._wire.want(task.commit_at_us)

    def _tries_again(self, error: KafkaError | None) -> bool:
        """Whether the commit is tried again: see rule 2."""
        if str(error).startswith(Error.STALE_MEMBER_EPOCH.name):
            return not self._membership.lost
        return isinstance(error, RetriableError) and not isinstance(error, RebalanceInProgress)

    def _revoked(self, error: Exception | None, _: int) -> None:
        task = self._task
        assert task is not None, "nothing was to be given back"
        if error is not None:
            self._stop(error)
        elif self._relevant(task):
            self._assign(task)
        else:
            self._task = None

    def _assign(self, task: _Task) -> None:
        self._own(task)
        self._happened("partitions_assigned", task.added)
        self._call("assigned", task.added, self._assigned)

    def _own(self, task: _Task) -> None:
        """The new partitions are its own. No position of theirs is looked for, and nothing is read,
        until on_assigned has succeeded (KAFKA-16556): no turn of poll goes on before.
        """
        self._positions.assign((*self._owned(), *task.added))
        self._fetching.forget()

    def _assigned(self, error: Exception | None, now_us: int) -> None:
        task = self._task
        assert task is not None, "nothing was assigned"
        if error is not None:
            self._stop(error)
            return
        self._task = None
        if self._relevant(task):
            self._auto.restart(now_us)
            self._membership.acknowledge(task.towards, now_us)

    def _stop(self, error: Exception) -> None:
        self._task = None
        self._wire.failure = _thrown(error)

    def _relevant(self, task: _Task) -> bool:
        """Whether it is still to be done (maybeAbortReconciliation)."""
        membership = self._membership
        return membership.state is MembershipState.RECONCILING and membership.life == task.life

    def metadata_changed(self) -> None:
        """The coordinator watches the topics; members do not."""

    def due_us(self) -> int:
        """When the commit before a reconciliation is tried again."""
        return 0 if self._task is None else self._task.commit_at_us

    # --- The listener --------------------------------------------------------------------------

    def leave(self, now_us: int, then: Then) -> None:
        """Give everything back before leaving the group, and go on with `then`."""
        membership = self._membership
        owned = self._owned()
        self._task = None
        if not self._positions.subscribed:
            then(None, now_us)
            return
        what = "lost" if membership.lost else "revoked"
        membership.prepare_leaving()
        if owned:
            self._listen(what, owned, then)
        else:
            then(None, now_us)

    def _listen(
        self, what: str, partitions: Partitions, then: Then, *, again: bool = False
    ) -> None:
        """Call the listener while the partitions are still owned; take them away after it.

        again: if it fails they are still owned, and it is to be called again.
        """
        if what == "lost":
            self._happened("partitions_lost", partitions)

        def go_on(error: Exception | None, now_us: int) -> None:
            if error is None or not again:
                if what == "revoked":
                    self._happened("partitions_revoked", partitions)
                gone = frozenset(partitions)
                self._positions.assign(one for one in self._owned() if one not in gone)
                self._fetching.forget()
            then(error, now_us)

        self._call(what, partitions, go_on)

    def _owned(self) -> Partitions:
        return tuple(self._positions.assigned)

    def _call(self, what: str, partitions: Partitions, then: Then) -> None:
        self.listening = then
        self._membership.calling_back = True
        self._wire.outbox.append(Listen(what, partitions))

    def listened(self, error: Exception | None, now_us: int) -> None:
        """The listener is done."""
        then, self.listening = self.listening, None
        self._membership.calling_back = False
        assert then is not None, "no listener was at work"
        then(error, now_us)

    def _happened(self, kind: str, partitions: Partitions) -> None:
        membership = self._membership
        plain = tuple((topic, number) for topic, number in partitions)
        self._wire.outbox.append(
            Happened((kind, membership.group_id, membership.now.number, plain))
        )


def _thrown(error: Exception) -> KafkaError:
    """What poll throws when a listener failed."""
    if isinstance(error, KafkaError):
        return error
    failed = KafkaError(f"the rebalance listener failed: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
