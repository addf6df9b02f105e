"""A consumer takes part in its group by the classic protocol or by that of KIP-848, as its
group.protocol says; to the rest of the consumer both look the same.

Who takes part is in two parts: the member, who speaks to the coordinator in the background, and
the one who rebalances, inside the application's calls.
"""

from collections.abc import Callable
from typing import Any, Protocol

from simulator.protocol.autocommit import AutoCommit
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_membership import ConsumerMembership
from simulator.protocol.consumer_reconciling import ConsumerReconciling
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.fetching import Fetching
from simulator.protocol.leaders import Leaders
from simulator.protocol.lookup import Lookup
from simulator.protocol.membership import Generation, Membership
from simulator.protocol.positions import Positions
from simulator.protocol.rebalancing import Rebalancing
from simulator.protocol.wire import Wire

Then = Callable[[Exception | None, int], None]


class MemberRole(Protocol):
    """What a consumer relies on of its membership.

    Attributes:
        now: as whom commits speak, and since when.
        joined: the last generation it was a member of: so a zombie is known by what it says.
        rejoin_needed: the next poll is to let `RebalanceRole.go_on` do its part.
        joining: that part waits for an answer.
        in_call: whether the application is inside a call.
        closed: the member beats no more.
        poll_by_us: when the next poll is due at last, `poll_us` after the one before.
    """

    group_id: str
    now: Generation
    joined: Generation
    rejoin_needed: bool
    joining: bool
    in_call: bool
    closed: bool
    poll_us: int
    poll_by_us: int

    def enter(self, now_us: int) -> None:
        """The application is inside a call."""

    def beat(self, now_us: int, *, polling: bool) -> None:
        """Do what is due in the background."""

    def due_us(self) -> int:
        """When that is."""

    def leave(self, left: Callable[[Any, int], None] | None = None) -> bool:
        """Leave the group; whether the coordinator was told. left: told its answer."""


class RebalanceRole(Protocol):
    """What a consumer relies on of who takes it through rebalances.

    Attributes:
        listening: what goes on when the rebalance listener is done; None when it is not at work.
    """

    listening: Then | None

    def go_on(self, now_us: int) -> None:
        """Take part in a rebalance as far as that goes without waiting."""

    def listened(self, error: Exception | None, now_us: int) -> None:
        """The listener is done."""

    def leave(self, now_us: int, then: Then) -> None:
        """Give everything back before leaving the group, and go on with `then`."""

    def metadata_changed(self) -> None:
        """The cluster's topics may not be what they were."""

    def due_us(self) -> int:
        """When to `go_on` at last."""


def member_of(
    settings: ConsumerSettings,
    wire: Wire,
    lookup: Lookup,
    positions: Positions,
    names: tuple[str, str],
) -> Membership | ConsumerMembership:
    """The member. names: that its member ids begin with, and its member id if it names itself."""
    client_id, member_id = names
    if settings.group_protocol == "classic":
        return Membership(settings, wire, lookup, client_id)
    return ConsumerMembership(settings, wire, lookup, member_id, positions=positions)


def rebalancing_of(
    settings: ConsumerSettings,
    wire: Wire,
    parts: tuple[Leaders, Positions, Fetching, AutoCommit],
    group: tuple[Lookup, Membership | ConsumerMembership, Committing],
) -> Rebalancing | ConsumerReconciling:
    """Who takes that member through its rebalances."""
    leaders, positions, fetching, auto = parts
    lookup, membership, committing = group
    if isinstance(membership, ConsumerMembership):
        return ConsumerReconciling(
            wire,
            positions=positions,
            fetching=fetching,
            group=(lookup, membership, committing),
            auto=auto,
            settings=settings,
        )
    return Rebalancing(
        wire,
        leaders=leaders,
        positions=positions,
        fetching=fetching,
        group=(lookup, membership, committing),
        auto=auto,
        settings=settings,
    )
