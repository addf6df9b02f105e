"""Any order of messages, crashes, silences and restarts, under the controller as it is.

As in the fuzz of replication, but elections, fencing and in-sync sets are the controller's own, and
brokers know of them what they have read of its log. What is acknowledged with acks=all stays on
every member of the in-sync set, and on every eligible leader replica.
"""

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simulator.protocol.controller_facts import RebalanceCheck
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.variant import PRESENT, Variant
from tests.controlled import Controlled
from tests.protocol.test_replication_fuzz import Life
from tests.replicated import log_of

STEADY = settings(max_examples=300, derandomize=True, deadline=None, database=None)
SEARCH = settings(STEADY, max_examples=4_000, phases=[Phase.generate])
NAMES = "abc"
ELIGIBLE = Variant(eligible_leader_replicas=True)
ONE_POWER_LOSS = {"power": 2, "crash": 0}

# How often each step is tried, of a hundred or so.
WEIGHTS = {
    "produce": 7, "fetch": 14, "ask": 4, "serve": 5, "answer": 5, "read": 7, "read one": 3,
    "beat": 4, "expire": 1, "crash": 2, "start": 3, "come": 5, "alter": 5, "lose alter": 1,
    "shrink": 1, "checkpoint": 2, "leave": 1, "controller": 1, "rebalance": 1,
}  # fmt: skip
MAY_BE_DOWN = {"expire", "start", "come", "alter", "lose alter", "controller", "rebalance"}


def lives(**more):
    """Long lists of steps; a byte is a step, so they are drawn at once. more: other steps."""
    steps = [
        (what, name)
        for what, weight in (WEIGHTS | more).items()
        for _ in range(weight)
        for name in NAMES
    ]
    assert len(steps) <= 256
    return st.binary(min_size=80, max_size=250).map(
        lambda tape: [steps[byte % len(steps)] for byte in tape]
    )


class ControlledLife(Life):
    """A cluster with its controller, and what producers have been promised.

    powers: how many power losses there may be.
    """

    def __init__(self, config, *, variant=PRESENT, powers=0, **how):
        super().__init__(config)
        self.cluster = Controlled(NAMES, config=config, variant=variant, **how)
        self.powers = powers

    def play(self, what, name):
        """Do one step, where it can be done."""
        cluster = self.cluster
        if name not in cluster.up and what not in MAY_BE_DOWN:
            return
        match what:
            case "come":
                self.start(name)
                for part in ("register", "read", "beat"):
                    getattr(cluster, part)(name)
            case "read" | "beat" | "expire":
                getattr(cluster, what)(name)
            case "read one":
                cluster.read(name, most=1)
            case "leave":
                cluster.leaving.append(name)
                cluster.beat(name)
            case "controller":
                cluster.asked.now_us = cluster.now_us
                cluster.asked.restart()
            case "rebalance":
                cluster.asked.fire(RebalanceCheck())
            case "power":
                if self.powers:
                    self.powers -= 1
                    cluster.lose_power(name)
            case _:
                super().play(what, name)
        self.settle()

    def start(self, name):
        if name not in self.cluster.up:
            self.cluster.start(name)

    def lost(self):
        """Acknowledged values that a replica which may lead does not have."""
        known = self.cluster.registration
        dirty = self.cluster.dirty
        for name in (*known.isr, *known.eligible):
            if name not in dirty:
                values = [value for _, _, value in log_of(self.on_disk(name))]
                if not all(value in values for value in self.acked):
                    return True
        return False


def loses(steps, config, **how):
    """Whether a life loses what was acknowledged."""
    life = ControlledLife(config, **how)
    for one in steps:
        life.play(*one)
        if life.lost():
            return True
    return False


def smallest(config, of, **how):
    """The steps of a life that loses something, none of which can be left out."""
    steps = find(of, lambda steps: loses(steps, config, **how), settings=SEARCH)
    left = []
    while left != steps:
        left = steps
        for size in (16, 4, 2, 1):
            at = 0
            while at < len(steps):
                fewer = steps[:at] + steps[at + size :]
                if loses(fewer, config, **how):
                    steps = fewer
                else:
                    at += 1
    return steps


@pytest.mark.parametrize("variant", [PRESENT, ELIGIBLE], ids=["plain", "eligible"])
def test_under_the_controller_no_crash_loses_what_was_acknowledged(variant):
    """Crashes of processes in any number, with min.insync.replicas=2, unclean elections off."""

    @STEADY
    @given(lives())
    def lived(steps):
        life = ControlledLife(ReplicationConfig(2), variant=variant)
        for one in steps:
            life.play(*one)

            assert life.broken() is None
            assert not life.lost()

    lived()


@STEADY
@given(lives(**ONE_POWER_LOSS))
def test_with_eligible_leader_replicas_one_power_loss_loses_nothing(steps):
    """KIP-966: as many unclean shutdowns as min.insync.replicas less one, and any others in order.

    A crash of the process is one of them: the controller cannot tell that its disk kept all.
    """
    assert not loses(steps, ReplicationConfig(2), variant=ELIGIBLE, powers=1)


@pytest.mark.parametrize(
    ("more", "how", "most"),
    [
        (ONE_POWER_LOSS, {"powers": 1}, 30),
        ({"power": 1}, {"powers": 2, "variant": ELIGIBLE}, 30),
        ({}, {"unclean": True}, 30),
    ],
    ids=["none eligible", "two power losses", "unclean election"],
)
def test_what_is_weaker_loses_in_few_steps(more, how, most):
    """The lives above are wild enough to hurt: without each cure there is a small one that does."""
    steps = smallest(ReplicationConfig(2), lives(**more), **how)

    assert loses(steps, ReplicationConfig(2), **how)
    assert len(steps) <= most


# A follower's fetch is under way while its broker loses power, comes back and is let in; the leader
# has not read of that, and proposes whom it knew.
LATE_FETCH = """
    expire b, read a, read b, beat b, read a, produce a, fetch c, fetch c, fetch b, ask b,
    power b, expire b, come b, serve b, alter a
"""


@pytest.mark.parametrize("checks", [True, False], ids=["checked", "unchecked"])
def test_only_a_controller_that_checks_epochs_keeps_a_former_life_out_of_the_in_sync_set(checks):
    """KIP-903: the life that fetched had the record, the life that is there has lost it."""
    steps = [tuple(step.split()) for step in LATE_FETCH.split(",")]
    life = ControlledLife(ReplicationConfig(2), powers=1, checks_epochs=checks)
    for one in steps:
        life.play(*one)

    assert life.acked == ["v1"]
    assert life.cluster.registration.isr == (("a", "c") if checks else ("a", "b", "c"))
    assert life.lost() is not checks


def test_lives_under_the_controller_reach_what_they_are_about():
    """Elections, changed in-sync sets, cuts, fences, acknowledgements: else nothing was tested."""
    reached = []

    @settings(STEADY, max_examples=200)
    @given(lives())
    def lived(steps):
        life = ControlledLife(ReplicationConfig(2))
        for one in steps:
            life.play(*one)
        known = life.cluster.registration
        more = life.cluster.fenced, sum(life.cluster.incarnations.values())
        reached.append(
            (known.leader_epoch, known.partition_epoch, len(life.acked), life.cut, *more)
        )

    lived()

    totals = [sum(one) for one in zip(*reached, strict=True)]
    assert min(totals) >= 20, totals
