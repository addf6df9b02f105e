"""A share consumer's membership: heartbeats, and what they say it may acquire from.

1. It joins with epoch 0 and its topics, then sends a heartbeat every heartbeat interval, which the
   coordinator says. One heartbeat at a time is under way.
2. Fenced, or unknown, it has no assignment any more, and joins again at once.
3. Without a poll for max.poll.interval.ms it leaves, and joins again with the next poll.

Source: ShareHeartbeatRequestManager.java, ShareMembershipManager.java; KIP-932.
"""

from collections.abc import Callable

from simulator.errors import KafkaError
from simulator.protocol.errors import Error
from simulator.protocol.lookup import COORDINATOR_GONE, Lookup
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.share_messages import (
    JOINS,
    LEAVES,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from simulator.protocol.wire import NEVER, Wire

_AGAIN = (Error.FENCED_MEMBER_EPOCH, Error.UNKNOWN_MEMBER_ID)


class ShareMembership:
    """One member of a share group.

    Args:
        member_id: chosen by the client; it lives as long as the consumer.
        poll_interval_us: max.poll.interval.ms.
        changed: called when the assignment has changed, with the time.

    Attributes:
        assigned: where it may acquire records.
        epoch: of the assignment; 0: it is not in the group, or not yet.
    """

    def __init__(
        self,
        wire: Wire,
        lookup: Lookup,
        member_id: str,
        poll_interval_us: int,
        changed: Callable[[int], None],
    ) -> None:
        self._wire = wire
        self._lookup = lookup
        self.member_id = member_id
        self._poll_interval_us = poll_interval_us
        self._changed = changed
        self.assigned: tuple[TopicPartition, ...] = ()
        self.epoch = JOINS
        self._topics: tuple[str, ...] = ()
        self._told: tuple[str, ...] | None = None  # The topics that the coordinator knows of.
        self._asking = False
        self._due_us = 0
        self._polled_us = 0
        self._stale = False  # It was not polled for too long, and has left.
        self._attempts = 0
        self._left: Callable[[int], None] | None = None

    def subscribe(self, topics: tuple[str, ...], now_us: int) -> None:
        """Want records of these topics; none: leave."""
        self._topics = topics
        self._due_us = now_us
        if not topics:
            self._leave()

    def polled(self, now_us: int) -> None:
        """The application is alive."""
        self._polled_us = now_us
        if self._stale:
            self._stale = False
            self._due_us = now_us
        self._wire.want(now_us + self._poll_interval_us)

    def close(self, left: Callable[[int], None], now_us: int) -> None:
        """Leave the group; `left` is called when the coordinator knows, or cannot be told."""
        if not self._leave(left):
            left(now_us)

    def _leave(self, left: Callable[[int], None] | None = None) -> bool:
        """Tell the coordinator, if there is something to tell and somebody to be told."""
        was_member, self.epoch = self.epoch != JOINS, JOINS
        self.assigned = ()
        self._told = None
        self._topics = self._topics if self._stale else ()
        if not was_member or self._lookup.node is None:
            return False
        self._left = left
        request = ShareGroupHeartbeatRequest(self._lookup.group_id, self.member_id, LEAVES)
        self._lookup.ask(request, self._has_left)
        return True

    def _has_left(self, _: ShareGroupHeartbeatResponse | None, now_us: int) -> None:
        if self._left is not None:
            self._left(now_us)

    def tick(self, now_us: int) -> None:
        """Send what is due."""
        if not self._topics or self._stale:
            return
        if self.epoch != JOINS and now_us >= self._polled_us + self._poll_interval_us:
            self._stale = True
            self._leave()
            self._changed(now_us)
            return
        if self.epoch != JOINS:
            self._wire.want(self._polled_us + self._poll_interval_us)
        if self._asking:
            return
        if now_us < self._due_us:
            self._wire.want(self._due_us)
        elif self._lookup.node is None:
            self._lookup.find(now_us)
        else:
            self._beat()

    def _beat(self) -> None:
        self._asking = True
        topics = None if self._told == self._topics else self._topics
        sent = self._topics
        request = ShareGroupHeartbeatRequest(
            self._lookup.group_id, self.member_id, self.epoch, topics
        )
        self._lookup.ask(request, lambda body, now_us: self._answered(sent, body, now_us))

    def _answered(
        self, sent: tuple[str, ...], body: ShareGroupHeartbeatResponse | None, now_us: int
    ) -> None:
        self._asking = False
        if not self._topics or self._stale:
            return  # It has left meanwhile.
        if body is None or body.error in COORDINATOR_GONE:
            self._lookup.lose(disconnected=body is None)
            self._told = None
            self._again(now_us)
        elif body.error in _AGAIN:
            self.epoch, self.assigned, self._told = JOINS, (), None
            self._due_us = now_us
            self._changed(now_us)
        elif body.error.retriable:
            self._again(now_us)
        elif body.error is not Error.NONE:
            self._wire.failure = KafkaError(f"{body.error.name}: {self.member_id} cannot join")
            self._due_us = NEVER
        else:
            self._attempts = 0
            self._told = sent
            self.epoch = body.member_epoch
            self._due_us = now_us + body.heartbeat_interval_ms * MICROS_PER_MS
            if sent != self._topics:
                self._due_us = now_us  # The subscription has changed since.
            self._wire.want(self._due_us)
            if body.assignment is not None and body.assignment != self.assigned:
                self.assigned = body.assignment
                self._changed(now_us)

    def _again(self, now_us: int) -> None:
        self._due_us = now_us + self._wire.backoff_us(self._attempts)
        self._attempts += 1
        self._wire.want(self._due_us)
