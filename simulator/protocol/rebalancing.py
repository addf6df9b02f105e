"""A rebalance as one member lives through it, with the eager or the cooperative protocol (KIP-429).

1. Before JoinGroup: commit automatically if that is on; an eager member hands nothing out
   meanwhile. Then on_revoked. Eager: with all that is owned, even if that is nothing, but not
   before the first join; then nothing is owned any more. Cooperative: with what is owned of
   topics that are not subscribed any more, if there is any; the rest is fetched on.
2. If the generation was lost meanwhile it is on_lost instead, with all, if anything is owned.
3. The leader assigns between the answer to JoinGroup and its SyncGroup.
4. After SyncGroup, cooperative: on_revoked with what is owned and not assigned any more, if there
   is any, and then the member joins again at once, so that others can get it.
5. At last on_assigned with what was not owned before, even if that is nothing. What was owned
   before keeps its position and its pause.
6. The listener is called inside the application's poll, and the poll goes on when it is done. If
   it fails, poll throws, but the rebalance has gone on.
7. The leader looks on after it has assigned, and rejoins when a topic's partitions are others than
   they were; and, if it has a client.rack, when their replicas are in other racks, for which it
   is enough that a broker goes or comes (KAFKA-14867).

Sources: ConsumerCoordinator.onJoinPrepare, onJoinComplete, onLeaderElected, onLeavePrepare,
MetadataSnapshot.
"""

from collections.abc import Callable

from simulator.errors import KafkaError, RebalanceInProgress, RetriableError
from simulator.protocol.assignors import ASSIGNORS
from simulator.protocol.autocommit import AutoCommit
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.fetching import Fetching
from simulator.protocol.leaders import Leaders
from simulator.protocol.lookup import Lookup
from simulator.protocol.membership import Membership
from simulator.protocol.names import MICROS_PER_MS, NO_GENERATION, TopicPartition
from simulator.protocol.positions import Positions
from simulator.protocol.subscriptions import Assignors, Subscription, topics_of
from simulator.protocol.wire import Happened, Listen, Wire

Then = Callable[[Exception | None, int], None]
# Topics' partition numbers, and in which racks each partition is.
Snapshot = tuple[dict[str, tuple[int, ...]], dict[TopicPartition, tuple[str, ...]]]


class Rebalancing:
    """Takes a member through its rebalances.

    Attributes:
        listening: what goes on when the rebalance listener is done; None when it is not at work.
        waits_for_commit: before a rebalance the automatic commit is waited for; it was not in
            3.2.0 (KAFKA-14024).
    """

    def __init__(
        self,
        wire: Wire,
        *,
        leaders: Leaders,
        positions: Positions,
        fetching: Fetching,
        group: tuple[Lookup, Membership, Committing],
        auto: AutoCommit,
        settings: ConsumerSettings,
    ) -> None:
        self._wire = wire
        self._leaders = leaders
        self._positions = positions
        self._fetching = fetching
        self._lookup, self._membership, self._committing = group
        self._auto = auto
        # How long the commit before a rebalance may take.
        self._prepare_us = settings.max_poll_interval_ms * MICROS_PER_MS
        self._cooperative = settings.cooperative
        self._rack = settings.client_rack
        self._assignors = Assignors(settings.partition_assignment_strategy, self._rack)
        self.waits_for_commit = True
        self._committing_since: int | None = None
        self._commit_over = False
        self._commit_at_us = 0
        self._generation = NO_GENERATION
        self._protocol = ""
        self._snapshot: Snapshot | None = None
        self.listening: Then | None = None

    # --- In poll -----------------------------------------------------------------------------

    def go_on(self, now_us: int) -> None:
        """Join, or go on joining, as far as that goes without waiting."""
        membership = self._membership
        while (membership.rejoin_needed or membership.joining) and self.listening is None:
            if self._wire.failure is not None:
                return
            if self._lookup.node is None:
                self._lookup.find(now_us)
                return
            if membership.assignment is not None:
                self._complete(now_us)
            elif membership.to_assign is not None:
                if not self._assign(now_us):
                    return
            elif membership.joining:
                return
            elif membership.needs_prepare:
                if not self._prepare(now_us):
                    return
            else:
                membership.join(self._said(), now_us)
                return

    def _said(self) -> tuple[tuple[str, Subscription], ...]:
        """What this member tells the group's leader when it joins."""
        positions = self._positions
        owned = tuple(sorted(positions.assigned))
        return self._assignors.say(positions.topics, owned, self._membership.now.number)

    def _prepare(self, now_us: int) -> bool:
        """What comes before JoinGroup; whether it is done."""
        joins = True
        if self._auto.on and not self.waits_for_commit:
            if self._committing.in_flight:
                return False
            joins = self._commit_in_passing(now_us)
        elif self._auto.on and not self._committed(now_us):
            return False
        self._committing_since = None
        membership = self._membership
        membership.needs_prepare = not joins
        membership.is_leader = False
        self._snapshot = None
        topics = self._positions.topics
        self._leaders.want(topics)
        owned = tuple(self._positions.assigned)
        if membership.lost:
            if owned:
                self._give_up("lost", owned, self._rejoin)
        elif not self._cooperative:
            self._give_up("revoked", owned, self._rejoin)
        elif unwanted := tuple(sorted(one for one in owned if one.topic not in topics)):
            self._give_up("revoked", unwanted, self._rejoin)
        return joins

    def _commit_in_passing(self, now_us: int) -> bool:
        """Commit without waiting; whether the member may join: only with nothing to commit.

        As in 3.2.0, where an answer that came a turn later came to nobody: with partitions that
        it keeps, a member commits again and again instead of joining (KAFKA-14024).
        """
        consumed = self._positions.consumed()
        self._committing.send_async(consumed, now_us, lambda _error, _now_us: None)
        return not consumed

    def _committed(self, now_us: int) -> bool:
        """Whether the automatic commit before a rebalance has been done, or been given up."""
        if self._committing_since is None:
            self._committing_since = now_us
            self._commit_over = False
            self._commit_at_us = 0
            if not self._cooperative:
                for position in self._positions.assigned.values():
                    position.revoking = True
                self._positions.moved += 1
        if self._commit_over or now_us >= self._committing_since + self._prepare_us:
            return True
        if now_us >= self._commit_at_us:
            since = self._committing_since
            self._commit_at_us = since + self._prepare_us  # Not a second time meanwhile.
            self._wire.want(self._commit_at_us)

            def answered(error: KafkaError | None, at_us: int) -> None:
                if self._committing_since != since:
                    return
                if isinstance(error, RetriableError) and not isinstance(error, RebalanceInProgress):
                    self._commit_at_us = at_us + self._wire.backoff_us(0)
                    self._wire.want(self._commit_at_us)
                else:
                    self._commit_over = True

            self._committing.send_async(self._positions.consumed(), now_us, answered)
        else:
            self._wire.want(self._commit_at_us)
        return self._commit_over

    def _rejoin(self, error: Exception | None, _: int) -> None:
        if error is not None:
            self._wire.failure = _thrown(error)

    def _assign(self, now_us: int) -> bool:
        """The leader's part; False while the metadata that it needs is on its way."""
        membership = self._membership
        members = membership.to_assign
        assert members is not None, "only a leader assigns"
        topics = topics_of(members)
        self._leaders.want(topics)
        if not self._leaders.knows(topics):
            self._leaders.refresh(now_us)
            return False
        known = self._leaders.partitions
        self._snapshot = self._view(topics)
        racks = {
            where: tuple(rack for rack in its if rack)
            for where, its in self._leaders.racks(topics).items()
        }
        numbers = {topic: known[topic] for topic in topics if known[topic]}
        assignments = ASSIGNORS[membership.now.protocol](members, numbers, racks)
        membership.sync(tuple(assignments.items()), now_us)
        return True

    def _complete(self, now_us: int) -> None:
        membership = self._membership
        assignment = membership.take_assignment()
        if assignment is None:
            return
        topics = self._positions.topics
        if any(one.topic not in topics for one in assignment):
            membership.rejoin_needed = True  # Subscribed anew since JoinGroup was sent.
            return
        if membership.is_leader and self._snapshot is None:
            watched = tuple(sorted({*topics, *membership.watched}))
            self._leaders.want(watched)  # A static leader come back: it assigned nothing.
            self._snapshot = self._view(watched)
        self._generation, _, self._protocol = membership.now
        kept = frozenset(assignment)
        revoked = tuple(sorted(one for one in self._positions.assigned if one not in kept))
        if not revoked or not self._cooperative:
            self._take(assignment, None, now_us)
            return
        membership.rejoin_needed = True
        self._give_up("revoked", revoked, lambda error, at_us: self._take(assignment, error, at_us))

    def _take(
        self, assignment: tuple[TopicPartition, ...], error: Exception | None, now_us: int
    ) -> None:
        """Own the assignment; error: what the listener threw when it was told to give up others."""
        before = self._positions.assigned
        added = tuple(one for one in assignment if one not in before)
        self._assignors.assigned(self._protocol, assignment, self._generation)
        self._auto.restart(now_us)
        self._positions.assign(assignment)
        self._fetching.forget()
        self._happened("partitions_assigned", added)

        def taken(another: Exception | None, at_us: int) -> None:
            self._rejoin(error or another, at_us)

        self._call("assigned", added, taken)

    def metadata_changed(self) -> None:
        """The leader alone watches: if the topics it assigned have changed it rejoins."""
        membership = self._membership
        snapshot = self._snapshot
        watches = membership.is_leader and not membership.joining
        if snapshot is not None and watches and snapshot != self._view(tuple(snapshot[0])):
            membership.rejoin_needed = True

    def _view(self, topics: tuple[str, ...]) -> Snapshot:
        numbers = {topic: self._leaders.partitions.get(topic, ()) for topic in topics}
        return numbers, self._leaders.racks(topics) if self._rack else {}

    def due_us(self) -> int:
        """When the commit before a rebalance is tried again, or JoinGroup is."""
        if self._committing_since is not None:
            return self._commit_at_us
        return self._membership.join_at_us

    # --- The listener --------------------------------------------------------------------------

    def leave(self, now_us: int, then: Then) -> None:
        """Give everything back before leaving the group, and go on with `then`."""
        membership = self._membership
        owned = tuple(self._positions.assigned)
        self._committing_since = None
        if not self._positions.subscribed or not owned:
            then(None, now_us)
            return
        lost = membership.lost or membership.rebalancing
        self._give_up("lost" if lost else "revoked", owned, then)

    def _give_up(self, what: str, gone: tuple[TopicPartition, ...], then: Then) -> None:
        """Call the listener while the partitions are still owned; take them away after it."""
        away = frozenset(gone)
        if what == "lost":
            self._happened("partitions_lost", gone)

        def go_on(error: Exception | None, now_us: int) -> None:
            if what == "revoked":
                self._happened("partitions_revoked", gone)
            positions = self._positions
            positions.assign(tuple(one for one in positions.assigned if one not in away))
            self._fetching.forget()
            then(error, now_us)

        self._call(what, gone, go_on)

    def _call(self, what: str, partitions: tuple[TopicPartition, ...], then: Then) -> None:
        self.listening = then
        self._wire.outbox.append(Listen(what, partitions))

    def listened(self, error: Exception | None, now_us: int) -> None:
        """The listener is done."""
        then, self.listening = self.listening, None
        assert then is not None, "no listener was at work"
        then(error, now_us)

    def _happened(self, kind: str, partitions: tuple[TopicPartition, ...]) -> None:
        plain = tuple((topic, number) for topic, number in partitions)
        self._wire.outbox.append(
            Happened((kind, self._membership.group_id, self._generation, plain))
        )


def _thrown(error: Exception) -> KafkaError:
    """What poll throws when a listener failed."""
    if isinstance(error, KafkaError):
        return error
    failed = KafkaError(f"the rebalance listener failed: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
