"""Rows R..: what leaders and elections do to records that were acknowledged; and P09, of clients.

Each needs that the right brokers fail together; so a plan draws who, when and for how long.
"""

import attrs

from experiments.known_bugs import slips
from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.planning import between, crash, cut, lost_disk, together
from experiments.known_bugs.replicas import (
    BUDGET,
    CONTROLLER,
    FOLLOWERS,
    LEADER,
    ONE_ACK,
    SECOND,
    THIRD,
    TWO_IN_SYNC,
    UNCLEAN,
    replicated,
)
from experiments.known_bugs.scenarios import Again, at_any_failure, if_certain, selling
from simulator import Scenario, Variant, Workload

R01 = KnownBug(
    name="R01",
    title="an unclean election loses what was acknowledged",
    source="KIP-106, KAFKA-4623; Jepsen: Kafka 0.8",
    anomaly="offsets_agree",
    story="The followers are cut off and leave the in-sync set; the leader goes on alone, "
    "acknowledges, and dies. A follower that lacks those records is elected and gives their "
    "offsets to others; the old leader throws them away when it comes back.",
    broken=replicated(topic=UNCLEAN),
    fixes={"unclean.leader.election.enable=false": replicated()},
    faults=Planned(
        "followers are cut off, then the leader crashes",
        together(
            cut((LEADER,), FOLLOWERS, between(0, 500), between(1_500, 3_000, 500)),
            crash(LEADER, between(1_000, 3_000), between(3_000, 5_000, 1_000)),
        ),
    ),
    budget=BUDGET,
)

R02 = KnownBug(
    name="R02",
    title="acks=1 loses what no follower had yet",
    source="Kafka's documentation of acks",
    anomaly="acknowledged_is_read",
    story="The leader acknowledges a record as soon as it has it, and dies before a follower has "
    "it too; a follower that is in sync is elected, without the record.",
    broken=replicated(producer=ONE_ACK),
    fixes={"acks=all": replicated(producer={"enable.idempotence": False})},
    faults=Planned(
        "followers are cut off, then the leader crashes",
        together(
            cut((LEADER,), FOLLOWERS, between(500, 2_000), between(1_000, 3_000, 500)),
            crash(LEADER, between(1_000, 3_000), between(3_000, 5_000, 1_000)),
        ),
    ),
    budget=BUDGET,
)

R03 = KnownBug(
    name="R03",
    title="acks=all means one, if one is in sync",
    source="KIP-966 (motivation)",
    anomaly="committed_is_kept",
    story="The followers lag and leave the in-sync set, so that all who are in sync is the leader "
    "alone; it acknowledges, and loses its disk.",
    broken=replicated(),
    fixes={"min.insync.replicas=2": replicated(topic=TWO_IN_SYNC)},
    faults=Planned(
        "the leader loses its disk while its followers were never there",
        together(
            cut((LEADER,), FOLLOWERS, between(0, 0), between(3_000, 5_000, 1_000)),
            lost_disk(LEADER, between(500, 3_000), between(100, 500)),
        ),
    ),
    budget=BUDGET,
)

R09 = KnownBug(
    name="R09",
    title="the last replica standing takes the others along",
    source="KIP-966; Vanlightly's model of Kafka's replication",
    anomaly="committed_is_kept",
    story="Two of three replicas leave the in-sync set; the third loses power, and with it what "
    "was committed and never flushed. It alone may lead again, and the two that still have the "
    "records throw them away.",
    broken=replicated(topic=TWO_IN_SYNC),
    fixes={
        "eligible leader replicas (KIP-966)": replicated(
            topic=TWO_IN_SYNC, variant=Variant(eligible_leader_replicas=True)
        )
    },
    faults=Planned(
        "followers are cut off, then the leader loses power",
        together(
            cut((LEADER,), FOLLOWERS, between(500, 1_500), between(1_500, 3_000, 500)),
            crash(LEADER, between(1_000, 4_000), between(100, 500), "power"),
        ),
    ),
    budget=BUDGET,
)

ALONE = Variant(eligible_leader_replicas=True, frozen_below_min_isr=False)

R10 = KnownBug(
    name="R10",
    title="the high watermark moves while too few are in sync",
    source="KAFKA-15583",
    anomaly="committed_is_kept",
    story="The leader is alone in the in-sync set, and its high watermark follows its own log: "
    "with acks=1 records become readable which an eligible replica does not have. That one leads "
    "next.",
    broken=replicated(topic=TWO_IN_SYNC, producer=ONE_ACK, variant=ALONE),
    fixes={
        "the high watermark stands still below min.insync.replicas": replicated(
            topic=TWO_IN_SYNC,
            producer=ONE_ACK,
            variant=attrs.evolve(ALONE, frozen_below_min_isr=True),
        )
    },
    faults=Planned(
        "followers are cut off, then the leader crashes",
        together(
            cut((LEADER,), FOLLOWERS, between(0, 500), between(1_500, 3_000, 500)),
            crash(LEADER, between(1_000, 3_000), between(3_000, 5_000, 1_000)),
        ),
    ),
    budget=BUDGET,
)

R13 = KnownBug(
    name="R13",
    title="an acknowledgement before the flush does not outlive a power cut",
    source="Jepsen: Redpanda 21.10.1; Vanlightly's model of Kafka's replication",
    anomaly="committed_is_kept",
    story="Every replica has the record in memory, and it is acknowledged; then all lose power.",
    broken=replicated(topic=TWO_IN_SYNC),
    fixes={"flush.messages=1": replicated(topic={**TWO_IN_SYNC, "flush.messages": 1})},
    faults=Planned(
        "all replicas lose power at about the same time",
        together(
            *(
                crash(broker, between(500, 2_500), between(500, 1_500, 500), "power")
                for broker in (LEADER, SECOND, THIRD)
            )
        ),
    ),
    budget=BUDGET,
)

R14 = KnownBug(
    name="R14",
    title="a leader that steps down acknowledges what its successor cuts",
    source="redpanda#3003",
    anomaly="acknowledged_is_read",
    story="A leader without its followers appends and waits. Then it hears that another leads; it "
    "finds the record in its log still, acknowledges it, and cuts it.",
    broken=replicated(producer={"request.timeout.ms": 20_000}),
    faults=Planned(
        "the leader is cut off from the others and from the controller",
        together(
            cut(
                (LEADER,),
                (*FOLLOWERS, CONTROLLER),
                between(500, 1_500),
                between(1_500, 4_000, 500),
            )
        ),
    ),
    budget=BUDGET,
    slip=slips.acknowledges_what_is_still_there,
)



def shop(again: Again) -> Scenario:
    """A shop with a producer that leaves all retries to it."""
    impatient = {"acks": "all", "enable.idempotence": False, "retries": 0}
    scenario = replicated(producer={**impatient, "request.timeout.ms": 20_000})
    return attrs.evolve(scenario, workload=Workload(), application=selling(again, orders=8))


P09 = KnownBug(
    name="P09",
    title="NOT_LEADER_OR_FOLLOWER does not say that nothing was written",
    source="KAFKA-13574; Jepsen: Redpanda 21.10.1",
    anomaly="stored_once",
    story="A leader appends a record, and a follower takes it over, who is elected; the old leader "
    "could not acknowledge, and says that it leads no more. The application takes that for a "
    "failure and hands the record over again.",
    broken=shop(at_any_failure),
    fixes={"only a definite failure is one": shop(if_certain)},
    faults=Planned(
        "the leader is cut off from the controller and from a follower",
        together(
            cut((LEADER,), (CONTROLLER, THIRD), between(0, 1_500), between(1_500, 4_000, 500))
        ),
    ),
    budget=BUDGET,
)

ROWS = (R01, R02, R03, R09, R10, R13, R14, P09)
