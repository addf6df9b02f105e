"""Runs one scenario under seeds and prints the digest of all that happened in each run.

The tests run this file by many Pythons, which need no more than the core; the answer must be one.
"""

import sys

from simulator import (
    AT_LEAST_ONCE,
    CrashHazard,
    Hazards,
    KafkaError,
    Link,
    Nextval,
    PauseHazard,
    Scenario,
    Seeded,
    Select,
    Serving,
    Topic,
    Topology,
    Upsert,
    Variant,
    Workload,
    exponential,
    lognormal,
    naive_sink,
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


# The same with replicas: elections, truncation, lost disks, deleting and compacting.
REPLICATED = Scenario(
    name="determinism with replicas",
    topology=Topology(
        brokers=3,
        topics=(
            Topic(
                "orders",
                partitions=3,
                replication_factor=3,
                settings={
                    "min.insync.replicas": 2,
                    "cleanup.policy": "compact,delete",
                    "segment.bytes": 400,
                    "segment.jitter.ms": 2_000,
                    "flush.messages": 7,
                },
            ),
        ),
        links=(Link(latency=exponential(1_000, floor_us=300), loss=0.005, duplicate=0.005),),
    ),
    workload=Workload(events=60, arrivals=poisson(4.0), keys=skewed_keys(12, 1.1)),
    guarantee=AT_LEAST_ONCE,
    hazards=Hazards(
        crash=(
            CrashHazard("broker-*", p=0.15, down=uniform(50_000, 9_000_000), mode="power"),
            CrashHazard(p=0.01, down=uniform(50_000, 900_000)),
        ),
        pause=(PauseHazard("broker-*", p=0.05, lasting=uniform(10_000, 4_000_000)),),
    ),
    broker={"broker.session.timeout.ms": 2_000, "log.cleaner.backoff.ms": 500},
    variant=Variant(eligible_leader_replicas=True),
)


def patterns(cluster):
    """A database that two write at a time, what captures it, who reads that, and plain calls."""
    cluster.store("shop", {"idle_in_transaction_session_timeout": 2_000, "tcp_keepalives_idle": 2})
    cluster.server("clerk", lambda _: lambda question: question.upper())
    cluster.topic("cdc.orders", 2)
    cluster.connector(
        "connector", "shop", ("orders",),
        {"topic.prefix": "cdc", "offset.flush.interval.ms": 500, "poll.interval.ms": 50},
    )  # fmt: skip

    def writing(node):
        shop = (context := cluster.context(node)).store("shop")
        done = 0
        while done < 12:
            tx = None
            try:
                row = yield context.call("clerk", f"{node.name} {done}", timeout_ms=800)
                tx = yield shop.begin("serializable")
                (number,) = yield tx.run(Nextval("numbers"))
                yield tx.run(Upsert("orders", f"o-{number % 5}", {"row": row}), Select("orders"))
                yield tx.commit()
                done += 1
            except KafkaError:
                if tx is not None:
                    yield tx.rollback()
                yield node.sleep(100_000)

    for name in ("writer-0", "writer-1"):
        cluster.driver(name, writing)
    copied = naive_sink(lambda record: Upsert("copy", record.key, record.value))
    cluster.store("ledger")
    serving = Serving(("cdc.orders",), {"session.timeout.ms": 6_000}, processing=uniform(0, 9_000))
    cluster.group("copier", 2, copied, serving)


# Transactions that wait for each other, a connector that starts again, retries of all kinds.
PATTERNS = Scenario(
    name="determinism of the patterns",
    application=patterns,
    topology=Topology(links=(Link(latency=exponential(1_000, floor_us=300), loss=0.01),)),
    hazards=Hazards(crash=(CrashHazard(p=0.02, down=uniform(50_000, 900_000)),)),
    heal_after_ms=20_000,
)


def digest(seed: int) -> str:
    """The fingerprint of all runs under a seed."""
    runs = (simulate(scenario, Seeded(seed)) for scenario in (SCENARIO, REPLICATED, PATTERNS))
    return "-".join(trace.digest() for trace in runs)


if __name__ == "__main__":
    for text in sys.argv[1:]:
        print(text, digest(int(text)))
