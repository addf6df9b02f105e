"""Who reads the orders, and what is done with those that fail: whole applications, by pattern.

Each is given to `troubled`, which adds the producer, the ledger and the service in trouble.
"""

from collections.abc import Callable, Mapping
from typing import Any

from models.patterns.retrying.dead_letters import GivingUp, publishing
from models.patterns.retrying.lag import watching_lag
from models.patterns.retrying.parking import by_key, evaluating, parking
from models.patterns.retrying.redrive import Sent, as_it_was, redriving
from models.patterns.retrying.retries import retrying
from models.patterns.retrying.retry_topics import Ladder, consuming_retries, forwarding
from models.patterns.retrying.seeking import From, Tracking, lowest, of_each, seeking
from models.patterns.retrying.troubled import SESSION, Application, grouped
from models.patterns.retrying.troubles import DEAD, FROM_MS, GROUP, LEDGER, TOPIC
from models.patterns.retrying.wrapping import Factory
from simulator import Backoff, Cluster, ConsumerRecord, ShareServing

RETRY, RETRIES = "orders-retry", "retries"  # The retry topic, and the group that reads it.
TO_DEAD = publishing(DEAD, GROUP)
LOOKING_MS = FROM_MS + 200


def in_place(policy: Backoff, giving_up: GivingUp = TO_DEAD, **more: Any) -> Application:
    """Blocking retries.

    Args:
        more: further arguments of `retrying`, and of `grouped`.
    """
    names = ("counting", "permanent")
    own: dict[str, Any] = {name: more.pop(name) for name in names if name in more}
    wrapped = _retrying(policy, giving_up, own)
    return grouped(wrapped, **more)


def _retrying(
    policy: Backoff, giving_up: GivingUp, own: Mapping[str, Any]
) -> Callable[[Factory], Factory]:
    def wrapped(factory: Factory) -> Factory:
        return retrying(factory, policy, giving_up=giving_up, **own)

    return wrapped


def elsewhere(
    policy: Backoff,
    retry: tuple[str, ...] = (RETRY,),
    *,
    permanent: tuple[type[Any], ...] = (),
    waits: bool = True,
    from_ms: int = LOOKING_MS,
    until_ms: int = 60_000,
    instances: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> Application:
    """Retry topics, with a group of one that reads them.

    Args:
        from_ms: by then the orders are there, and the run ends when none is left.
        until_ms: or then.
    """
    ladder = Ladder(policy, retry, DEAD, permanent)
    main = grouped(
        lambda factory: forwarding(factory, ladder, GROUP), instances=instances, settings=settings
    )

    def application(cluster: Cluster, handling: Factory) -> None:
        main(cluster, handling)
        again = forwarding(handling, ladder, RETRIES)
        own = {**SESSION, **(settings or {})}
        consuming_retries(cluster, RETRIES, retry, again, own, waits=waits)
        groups = {GROUP: (TOPIC,), RETRIES: retry}
        watching_lag(cluster, groups, from_ms=from_ms, until_ms=until_ms)

    return application


def parked(
    *,
    from_ms: int = 3_000,
    until_ms: int = 20_000,
    sequence_of: Callable[[ConsumerRecord], str] = by_key,
    most: int = 1_024,
) -> Application:
    """Sequenced dead letters in the ledger's store, evaluated from a time on."""
    main = grouped(
        lambda factory: parking(factory, LEDGER, most=most, sequence_of=sequence_of)
    )

    def application(cluster: Cluster, handling: Factory) -> None:
        main(cluster, handling)
        evaluating(cluster, handling, LEDGER, from_ms=from_ms, until_ms=until_ms)

    return application


def redriven(
    application: Application,
    *,
    at_ms: int = 3_000,
    again: Callable[[Any], Sent] = as_it_was,
) -> Application:
    """An application, and an operator who sends its dead letters again at a time."""

    def both(cluster: Cluster, handling: Factory) -> None:
        application(cluster, handling)
        redriving(cluster, DEAD, at_ms=at_ms, again=again)

    return both


def sought(
    attempts: int,
    *,
    seeks: From = lowest,
    tracking: Tracking = of_each,
    until_ms: int = 20_000,
    settings: Mapping[str, Any] | None = None,
) -> Application:
    """A consumer whose error handler seeks."""

    def application(cluster: Cluster, handling: Factory) -> None:
        own = {**SESSION, **(settings or {})}
        seeking(
            cluster, GROUP, (TOPIC,), handling, own,
            attempts=attempts, giving_up=TO_DEAD, seeks=seeks, tracking=tracking,
        )  # fmt: skip
        watching_lag(cluster, {GROUP: (TOPIC,)}, from_ms=LOOKING_MS, until_ms=until_ms)

    return application


def shared(wrapped: Callable[[Factory], Factory], *, instances: int = 2) -> Application:
    """A share group whose instances give back what they cannot handle."""

    def application(cluster: Cluster, handling: Factory) -> None:
        settings = {"max.poll.records": 1, "request.timeout.ms": 1_000}
        ready = ShareServing((TOPIC,), settings=settings, poll_timeout_ms=500)
        cluster.share_group(GROUP, instances, wrapped(handling), ready)

    return application
