"""Members of a group of KIP-848, and their coordinator, driven by hand.

`Member` is one client: its membership, its reconciling and its commits, with an application that
polls when the test says so, and a listener that may be held or throw. What it asks waits in `asked`
until the test answers it, or lets the coordinator do so. Backoffs take the least of their range.
"""

from simulator.protocol.autocommit import AutoCommit
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_group_messages import ConsumerGroupHeartbeatRequest
from simulator.protocol.consumer_membership import ConsumerMembership
from simulator.protocol.consumer_reconciling import ConsumerReconciling
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.leaders import Leaders
from simulator.protocol.lookup import Lookup
from simulator.protocol.messages import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    OffsetCommitRequest,
)
from simulator.protocol.positions import Positions
from simulator.protocol.wire import Ask, Disconnect, Happened, Listen, Wire

QUIET = {"enable_auto_commit": False}
REQUEST_TIMEOUT_US = 30_000_000


class NoFetching:
    """Nothing is fetched here."""

    def forget(self):
        """Nothing is buffered."""


class Member:
    """One consumer of the group g."""

    def __init__(self, name="a", topics=("t",), now_us=0, **settings):
        self.settings = settings = ConsumerSettings(group_id="g", **{**QUIET, **settings})
        self.now_us = now_us
        self.wire = wire = Wire(lambda least, _: least, settings.backoff_range_us)
        self.positions = positions = Positions()
        positions.subscribed, positions.topics = True, topics
        leaders = Leaders(wire, ("broker-0",), 300_000_000, lambda: None)
        self.lookup = lookup = Lookup("g", wire, leaders)
        self.membership = membership = ConsumerMembership(
            settings, wire, lookup, name, positions=positions
        )
        self.committing = committing = Committing(
            wire, lookup, membership, positions, settings.group_instance_id
        )
        self.auto = AutoCommit(settings, wire, positions, committing)
        self.reconciling = ConsumerReconciling(
            wire,
            positions=positions,
            fetching=NoFetching(),
            group=(lookup, membership, committing),
            auto=self.auto,
            settings=settings,
        )
        self.asked = []  # (Ask, at_us): what has no answer yet.
        self.happened = []
        self.heard = []  # (what, partitions) for each call of the listener.
        self.has = set()  # What the listener was told that it has.
        self.holding = False  # The listener is still at work after it was called.
        self.throwing = None  # What the listener throws.
        self.thrown = []  # What polls have thrown.
        self.leaving = False
        self.polling = False  # A poll waits, as it does for a listener that is held.

    # --- The driver ------------------------------------------------------------------------

    def follow(self):
        while self.wire.outbox:
            effects, self.wire.outbox = self.wire.outbox, []
            for effect in effects:
                match effect:
                    case Ask(token, _, FindCoordinatorRequest()):
                        answer = FindCoordinatorResponse(Error.NONE, "broker-0")
                        self.wire.answer(token, answer, self.now_us)
                    case Ask():
                        self.asked.append((effect, self.now_us))
                    case Happened(event):
                        self.happened.append(event)
                    case Disconnect():
                        self.cut()
                    case Listen(what, partitions):
                        self.hear(what, partitions)

    def hear(self, what, partitions):
        """The listener is called: what it is told must fit to what it was told before."""
        told = {*partitions}
        assert len(told) == len(partitions)
        if what == "assigned":
            assert not told & self.has, "assigned what was assigned already"
        else:
            assert told <= self.has, f"{what} what was not assigned"
        self.heard.append((what, partitions))
        if not self.holding:
            self.listened()

    def listened(self):
        """The listener is done."""
        what, partitions = self.heard[-1]
        self.holding = False
        leaving = self.leaving
        if what == "assigned":
            self.has |= {*partitions}
        elif what == "lost" or self.throwing is None or leaving:
            self.has -= {*partitions}
        self.reconciling.listened(self.throwing, self.now_us)
        self.go_on()

    def go_on(self):
        """The poll that waited goes on."""
        if self.polling and self.reconciling.listening is None:
            self.polling = False
            self.turn()
        self.follow()
        self.tick(self.now_us)

    def cut(self):
        """Nothing that is on its way is answered any more."""
        gone, self.asked = self.asked, []
        for ask, _ in gone:
            self.wire.answer(ask.token, None, self.now_us)
        self.follow()

    def tick(self, now_us):
        """Time has passed."""
        self.now_us = now_us
        for _ in range(100):
            if self.wire.wake_us > now_us:
                break
            self.wire.wake_us = 1 << 62
            self.membership.beat(now_us, polling=self.polling)
            due_us = self.membership.due_us()
            if due_us > now_us:
                self.wire.want(due_us)
            self.follow()
        else:
            raise AssertionError("it is woken again and again")
        if any(at_us + REQUEST_TIMEOUT_US <= now_us for _, at_us in self.asked):
            self.cut()

    def wait(self, ms):
        """Let time pass, in the machine's own steps."""
        until_us = self.now_us + ms * 1_000
        while self.wire.wake_us <= until_us:
            self.tick(max(self.now_us, self.wire.wake_us))
        self.now_us = until_us

    # --- The application -------------------------------------------------------------------

    def poll(self):
        """One turn of a poll; it waits while a listener is at work, and keeps what it throws."""
        if not self.polling:
            self.turn()
            self.follow()
            self.tick(self.now_us)

    def turn(self):
        self.membership.polled(self.now_us)
        if self.membership.rejoin_needed:
            self.reconciling.go_on(self.now_us)
        if self.wire.failure is not None:
            self.thrown.append(self.wire.failure)
            self.wire.failure = None
        if self.reconciling.listening is not None:
            self.polling = True
            return
        self.auto.maybe(self.now_us)
        for position in self.positions.assigned.values():
            if position.offset is None:
                position.move(0)
            elif position.fetchable:
                position.move(position.offset + 1)

    def leave(self):
        """Unsubscribe, or close: give everything back, and leave."""

        def given_back(*_):
            self.leaving = False
            self.membership.leave()

        self.leaving = True
        self.reconciling.leave(self.now_us, given_back)
        self.follow()

    # --- Answers ---------------------------------------------------------------------------

    def pending(self, kind=ConsumerGroupHeartbeatRequest):
        """The oldest request of this kind without an answer."""
        return next((ask.body for ask, _ in self.asked if isinstance(ask.body, kind)), None)

    def answer(self, body, kind=ConsumerGroupHeartbeatRequest):
        """Answer it; what it asked."""
        for index, (ask, _) in enumerate(self.asked):
            if isinstance(ask.body, kind):
                del self.asked[index]
                self.wire.answer(ask.token, body, self.now_us)
                self.go_on()
                return ask.body
        raise AssertionError(f"{kind.__name__} was not asked: {self.asked}")

    def commit(self, offsets):
        """A commit that is not waited for: what becomes of it, in a list."""
        result = []
        self.committing.send_async(offsets, self.now_us, lambda error, _: result.append(error))
        self.follow()
        return result

    @property
    def owned(self):
        return {*self.positions.assigned}


__all__ = ["Member", "OffsetCommitRequest"]
