"""How a consumer ends: commit, give back, leave; a crash does nothing of that.

1. Commit automatically if that is on, and wait for asynchronous commits, until time is up.
2. Call on_revoked with what is owned, or on_lost if the generation is lost or in a rebalance.
3. A dynamic member sends LeaveGroup, and waits for the answer until time is up; a static one, or
   one with internal.leave.group.on.close=false, keeps its partitions until its session expires.
   In a group of KIP-848 both say so in a last heartbeat, the static one that it will be back.

Source: ConsumerCoordinator.close, AbstractCoordinator.close.
"""

from typing import Any

from simulator.protocol.committing import Committing, Offsets
from simulator.protocol.group_roles import MemberRole, RebalanceRole
from simulator.protocol.lookup import Lookup
from simulator.protocol.wire import Failed, Finished, Wire


class Closing:
    """One consumer's end.

    Attributes:
        give_up_us: when nothing is waited for any more.
        over: whether it has come to its end.
    """

    def __init__(
        self,
        call: Any,
        give_up_us: int,
        wire: Wire,
        *,
        rebalancing: RebalanceRole,
        group: tuple[Lookup, MemberRole, Committing],
        leaves: bool,
    ) -> None:
        self._call = call
        self.give_up_us = give_up_us
        self._wire = wire
        self._rebalancing = rebalancing
        self._lookup, self._membership, self._committing = group
        self._leaves = leaves
        self._committed = False
        self._given_back = False
        self._error: Exception | None = None
        self.over = False

    def begin(self, offsets: Offsets, now_us: int) -> None:
        """Start with the commit; whatever becomes of it, go on."""

        def committed(_: Any, at_us: int) -> None:
            self._committed = True
            self.go_on(at_us)

        self._committing.sync(offsets, self.give_up_us, now_us, committed)

    def go_on(self, now_us: int) -> None:
        """Something has changed, or time has passed."""
        if self.over or not self._committed or self._rebalancing.listening is not None:
            return
        if now_us >= self.give_up_us and self._given_back:
            self._end()
        elif not self._given_back and (
            self._committing.in_flight == 0 or now_us >= self.give_up_us
        ):
            self._given_back = True
            self._membership.closed = True
            if self._leaves:
                self._rebalancing.leave(now_us, self._leave)
            else:
                self._end()

    def _leave(self, error: Exception | None, now_us: int) -> None:
        self._error = error
        said = self._membership.leave(lambda _body, _now_us: self._end())
        if not said or now_us >= self.give_up_us:
            self._end()

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        self._wire.forget()
        error = self._error
        call = self._call
        self._wire.outbox.append(Finished(call, None) if error is None else Failed(call, error))
