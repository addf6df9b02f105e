"""Runs one scenario under seeds and prints the digest of all that happened in each run.

The tests run this file by many Pythons, which need no more than the core; the answer must be one.
"""

import sys

from simulator import (
    AT_LEAST_ONCE,
    CrashHazard,
    Hazards,
    Link,
    PauseHazard,
    Scenario,
    Seeded,
    Topic,
    Topology,
    Workload,
    exponential,
    lognormal,
    poisson,
    simulate,
    skewed_keys,
    uniform,
)

# Every kind of hazard and of law, so that every kind of draw is made.
SCENARIO = Scenario(
    name="determinism",
    topology=Topology(
        brokers=2,
        topics=(Topic("orders", partitions=4),),
        links=(
            Link("broker-*", "*", exponential(2_000, floor_us=300), loss=0.02),
            Link("*", "broker-*", lognormal(1_500, 0.7, floor_us=300), loss=0.02, duplicate=0.02),
        ),
    ),
    workload=Workload(events=60, arrivals=poisson(40.0), keys=skewed_keys(12, 1.1)),
    guarantee=AT_LEAST_ONCE,
    hazards=Hazards(
        crash=(CrashHazard(p=0.01, down=uniform(50_000, 900_000)),),
        pause=(PauseHazard(p=0.02, lasting=uniform(10_000, 400_000)),),
    ),
)


def digest(seed: int) -> str:
    """The fingerprint of the run under a seed."""
    return simulate(SCENARIO, Seeded(seed)).digest()


if __name__ == "__main__":
    for text in sys.argv[1:]:
        print(text, digest(int(text)))
