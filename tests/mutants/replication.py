"""Bugs of replication: acknowledgements too early, marks too high, leaders who lack something."""

from simulator.matrix import planted
from simulator.protocol import (
    controller_elections,
    controller_state,
    replication,
)
from simulator.protocol.errors import Error
from simulator.protocol.messages import ProduceResponse
from simulator.protocol.replication import Replica
from simulator.protocol.replication_acks import AcksWaiting
from simulator.protocol.replication_facts import FollowerFetched
from simulator.protocol.replication_leading import Leading


def acknowledges_before_followers_have_it(patch):
    """To a producer with acks=all the leader alone is enough."""
    planted.acknowledges_before_followers_have_it(patch)


def moves_its_mark_alone(patch):
    """The high watermark is the end of the leader's log, whatever followers have."""
    planted.moves_its_mark_alone(patch)


def forgets_who_is_proposed(patch):
    """Who is about to join the in-sync set is not waited for."""
    proposed = Leading.proposed

    def forgetful(self, fact):
        proposed(self, fact)
        self.maximal_isr = self.isr

    patch.setattr(Leading, "proposed", forgetful)


def joins_before_it_has_caught_up(patch):
    """Whoever fetches is proposed into the in-sync set, wherever it is."""
    decide = Leading.decide_fetched

    def hasty(self, replica, offset, now_us, broker_epoch):
        step = decide(self, replica, self._log.log_end_offset, now_us, broker_epoch)
        if step is None:
            return None
        facts = tuple(
            one._replace(offset=offset) if type(one) is FollowerFetched else one
            for one in step.facts
        )
        return step._replace(facts=facts)

    patch.setattr(Leading, "decide_fetched", hasty)


def never_says_where_logs_part(patch):
    """A leader takes a follower's log for a part of its own."""
    patch.setattr(replication, "diverges", lambda *_: None)


def elects_whoever_lives(patch):
    """The first replica that is active leads, in sync or not, and is in sync from then on."""

    def anybody(known, isr, eligible, active, election):
        order = (known.leader, *known.replicas)
        return next((name for name in order if active(name)), controller_elections.NO_LEADER)

    change = controller_state.changed

    def changed(*args, **more):
        after = change(*args, **more)
        if after is not None and after.leader and after.leader not in after.isr:
            after = after._replace(isr=(after.leader,))
        return after

    patch.setattr(controller_elections, "_valid_leader", anybody)
    patch.setattr(controller_state, "changed", changed)


def acknowledges_when_time_is_up(patch):
    """A producer that has waited for followers long enough is told that all is well."""
    late = AcksWaiting.decide_timeout

    def soothing(self, to):
        step = late(self, to)
        told = tuple(
            one._replace(body=ProduceResponse(tuple(map(_well, one.body.results))))
            for one in step.effects
        )
        return step._replace(effects=told)

    def _well(result):
        timed_out = result.error is Error.REQUEST_TIMED_OUT
        return result._replace(error=Error.NONE) if timed_out else result

    patch.setattr(AcksWaiting, "decide_timeout", soothing)


def answers_whatever_epoch_is_meant(patch):
    """A request that means the leader of another epoch is answered all the same."""
    refusal = Replica.refusal

    def careless(self, leader_epoch, *, only_leader=True):
        return refusal(self, -1, only_leader=only_leader)

    patch.setattr(Replica, "refusal", careless)
