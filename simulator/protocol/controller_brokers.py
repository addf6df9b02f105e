"""Brokers come, say that they live, go, and fall silent: what the controller does about it.

Rule 1: a broker that registers is fenced, with an epoch of its own: the offset of its registration
in the metadata log. It is unfenced once a heartbeat says that it has read that far: then it also
knows that its former incarnation leads nothing any more.
Rule 2: another incarnation of a broker that was heard of within broker.session.timeout.ms is
refused, unless that one is shutting down in order.
Rule 3: a broker that is fenced leaves every in-sync set, but is not the last to leave one (see
controller_elections for eligible leader replicas). So does one that registers anew.
Rule 4: a broker that does not name the epoch of its former incarnation did not shut down in order:
its logs may have lost their ends. With eligible leader replicas that ends its being eligible, and
its being the last in sync (KIP-966, KAFKA-15586).
Rule 5: who wants to shut down hands its leaderships over, and may go when every broker that stays
has read so.

Sources: ClusterControlManager.registerBroker, BrokerHeartbeatManager.calculateNextBrokerState,
ReplicationControlManager (handleBroker..., processBrokerHeartbeat, maybeFenceOneStaleBroker).

Not modelled: unregistering a broker, log directories that fail, racks, a heartbeat that waits too
long in the controller's queue; a registration that is asked for twice by one incarnation is
answered again and not written again.
"""

from simulator.protocol.controller_facts import BrokerSeen, SessionEnded, ShutdownAwaits
from simulator.protocol.controller_state import Decision
from simulator.protocol.errors import Error
from simulator.protocol.replica_messages import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    BrokerState,
)


def register(decision: Decision, body: BrokerRegistrationRequest) -> BrokerRegistrationResponse:
    """Give a new incarnation an epoch, and take what its former one had."""
    known = decision.known
    broker = body.broker
    before = known.brokers.get(broker)
    if before is not None:
        if before.incarnation == body.incarnation:
            return BrokerRegistrationResponse(Error.NONE, before.epoch)
        lives = known.has_session(broker, decision.now_us, decision.settings.session_us)
        if lives and not before.shutting_down:
            return BrokerRegistrationResponse(Error.DUPLICATE_BROKER_REGISTRATION)
        in_order = body.previous_broker_epoch == before.epoch
        _clean_up(decision, broker, in_order=in_order)
    epoch = decision.next_offset
    decision.facts.append(BrokerState(broker, epoch, fenced=True, incarnation=body.incarnation))
    return BrokerRegistrationResponse(Error.NONE, epoch)


def _clean_up(decision: Decision, broker: str, *, in_order: bool) -> None:
    """A former incarnation is over (handleBrokerShutdown)."""
    known = decision.known
    if decision.eligible_leader_replicas and not in_order:
        decision.change_all(known.in_sync_at(broker), unclean=broker)
        decision.change_all(known.eligible_at(broker), unclean=broker)
    else:
        decision.change_all(known.in_sync_at(broker), removed=broker)


def heartbeat(decision: Decision, body: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
    """A broker lives: fence it, unfence it, or let it go, as it wants and may."""
    known = decision.known
    broker, epoch, metadata_offset, wants_fence, wants_shutdown = body
    state = known.brokers.get(broker)
    if state is None:
        return BrokerHeartbeatResponse(Error.BROKER_ID_NOT_REGISTERED)
    if state.epoch != epoch:
        return BrokerHeartbeatResponse(Error.STALE_BROKER_EPOCH)
    decision.facts.append(BrokerSeen(broker, epoch, metadata_offset, decision.now_us))
    caught_up = metadata_offset > epoch
    if known.is_leaving(broker):
        return _leaving(decision, state, caught_up=caught_up)
    if state.fenced:
        if not wants_shutdown and not wants_fence and caught_up:
            unfence(decision, state)
            return BrokerHeartbeatResponse(Error.NONE, caught_up, fenced=False)
        return BrokerHeartbeatResponse(Error.NONE, caught_up, True, wants_shutdown)
    if wants_fence or (wants_shutdown and not known.leads(broker)):
        fence(decision, state)
        return BrokerHeartbeatResponse(Error.NONE, caught_up, True, wants_shutdown)
    if wants_shutdown:
        if not state.shutting_down:
            decision.facts.append(state._replace(shutting_down=True))
        decision.change_all(known.in_sync_at(broker), removed=broker)
        decision.facts.append(ShutdownAwaits(broker, decision.next_offset))
    return BrokerHeartbeatResponse(Error.NONE, caught_up, fenced=False)


def _leaving(decision: Decision, state: BrokerState, *, caught_up: bool) -> BrokerHeartbeatResponse:
    """Whether a broker that is shutting down may go now."""
    known = decision.known
    awaited = known.session_of(state.broker).shutdown_offset
    assert awaited is not None
    read = known.least_read()
    if known.leads(state.broker) or (read is not None and read < awaited):
        return BrokerHeartbeatResponse(Error.NONE, caught_up, fenced=False)
    fence(decision, state)
    return BrokerHeartbeatResponse(Error.NONE, caught_up, fenced=True, should_shut_down=True)


def fence(decision: Decision, state: BrokerState) -> None:
    """Take a broker for gone: others lead what it led."""
    decision.change_all(decision.known.in_sync_at(state.broker), removed=state.broker)
    decision.facts.append(state._replace(fenced=True))


def unfence(decision: Decision, state: BrokerState) -> None:
    """Let a broker lead: it gets what it may lead and nobody leads."""
    decision.facts.append(state._replace(fenced=False))
    decision.change_all(decision.known.leaderless(), added=state.broker)


def fence_one_silent(decision: Decision) -> bool:
    """Fence a broker whose session has expired; whether there was one.

    One at a time, so that the next one's leaderships go to brokers that are still there.
    """
    known = decision.known
    for broker, session in known.sessions.items():
        alive = known.has_session(broker, decision.now_us, decision.settings.session_us)
        if session.seen_us is not None and not alive:
            decision.facts.append(SessionEnded(broker))
            state = known.brokers[broker]
            if not state.fenced:
                fence(decision, state)
            return True
    return False
