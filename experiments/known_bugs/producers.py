"""Rows P..: what producers and their retries do to a log, at replication factor 1.

Replication would only hide where the records lie: each of these needs one leader, and one lost
answer or two.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs import slips
from experiments.known_bugs.known_bug import Faults, KnownBug, Planned
from experiments.known_bugs.scenarios import (
    BROKER,
    PATIENCE,
    PRODUCER,
    TOPIC,
    billing,
    producing,
    sold,
)
from simulator import (
    Drop,
    FaultPlan,
    Scenario,
    Variant,
    WorkItem,
    Workload,
    idempotent_sink,
    naive_sink,
)

LOST = Faults(("drop",), messages="Produce*")
NO_IDEMPOTENCE = {"enable.idempotence": False}
ONE_IN_FLIGHT = {"max.in.flight.requests.per.connection": 1}


SEVERAL = 6  # So many that some are sent while others are in flight.


def trusting(*, records: int = 2, **producer: Any) -> Scenario:
    """Without idempotence."""
    return producing(records=records, producer={**NO_IDEMPOTENCE, **producer})


P01 = KnownBug(
    name="P01",
    title="a retry without idempotence duplicates",
    source="KIP-98, KIP-679",
    anomaly="stored_once",
    story="The broker appends a record and its answer is lost; the producer sends the record "
    "again, and the broker, who cannot tell a retry from a new record, appends it again.",
    broken=trusting(**ONE_IN_FLIGHT),
    fixes={"enable.idempotence": producing(producer=ONE_IN_FLIGHT)},
    faults=LOST,
)

P02 = KnownBug(
    name="P02",
    title="a retry comes after what was sent later",
    source="KAFKA-1762, KAFKA-3197",
    anomaly="sends_in_order",
    story="Several requests are in flight; the first fails and the second does not, so the retry "
    "of the first is appended behind the second.",
    broken=trusting(records=SEVERAL),
    fixes={
        "one request in flight": trusting(records=SEVERAL, **ONE_IN_FLIGHT),
        "enable.idempotence": producing(records=SEVERAL),
    },
    faults=LOST,
)

def orders(*at_ms_and_values: tuple[int, str]) -> Workload:
    """Orders of one customer at their times."""
    items = tuple(
        WorkItem(at_ms * 1_000, TOPIC, "k0", value, f"e{number}")
        for number, (at_ms, value) in enumerate(at_ms_and_values, start=1)
    )
    return Workload(topic=TOPIC, items=items)


def forgetting(*at_ms: int, keeps_idle_producers: bool = False) -> Scenario:
    """A log from which all is deleted soon, and with it what is known of its producer."""
    scenario = producing(
        topic={"retention.ms": 200},
        broker={"log.retention.check.interval.ms": 100, "log.initial.task.delay.ms": 0},
        variant=Variant(keeps_idle_producers=keeps_idle_producers, bumps_own_epoch=False),
    )
    return attrs.evolve(scenario, workload=orders(*((one, "v") for one in at_ms)))


def later_answers(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """One of the answers to the producer, but not the first, is lost."""
    return st.integers(1, 3).map(
        lambda nth: FaultPlan((Drop(BROKER, PRODUCER, "ProduceResponse", nth),))
    )


P03 = KnownBug(
    name="P03",
    title="a producer that retention made unknown begins anew",
    source="KIP-360, KAFKA-7190",
    anomaly="stored_once",
    story="A record is appended and the answer is lost; retention deletes the record, and with it "
    "all that the broker knows of the producer. To the retry the broker says that it does not "
    "know the producer, who concludes that its sequences may begin at 0 again.",
    broken=forgetting(0, 50),
    fixes={
        "producers are known until they expire": forgetting(0, 50, keeps_idle_producers=True)
    },
    faults=Planned("the loss of a later answer to the producer", later_answers),
)

P05 = KnownBug(
    name="P05",
    title="a broker without a window of batches makes an idempotent producer duplicate",
    source="redpanda#3039",
    anomaly="stored_once",
    story="A batch is appended and the answer is lost. The broker does not know the retry again "
    "and calls it out of order; the producer, who sees a gap, raises its epoch, begins at "
    "sequence 0 and sends the batch as a new one.",
    broken=producing(),
    faults=LOST,
    slip=slips.without_a_window,
)

P06 = KnownBug(
    name="P06",
    title="UNKNOWN_SERVER_ERROR makes an idempotent producer duplicate",
    source="KAFKA-14034, redpanda#5355",
    anomaly="stored_once",
    story="Two batches are appended and both answers are lost. The broker fails internally at "
    "the retry of the first; the producer gives it up, raises its epoch, and sends the second, "
    "which was in flight, as a new one.",
    broken=producing(records=SEVERAL),
    faults=LOST,
    slip=slips.fails_at_duplicates,
)

P07 = KnownBug(
    name="P07",
    title="sequences are given anew in the wrong order",
    source="KAFKA-8483",
    anomaly="sends_in_order",
    story="The broker has forgotten an idle producer, who has to number several batches that are "
    "in flight anew, and does so in another order than that in which they were handed over.",
    broken=forgetting(0, 1_000, 1_001, 1_002),
    faults=LOST,
    slip=slips.numbers_in_another_order,
)

LARGEST = 400


def oversized() -> Scenario:
    """Three orders to two partitions; the second is too large, and alone in its partition."""
    sizes = (("k0", 0, 10), ("k3", 100, LARGEST), ("k0", 5_000, 10))
    items = tuple(
        WorkItem(at_ms * 1_000, TOPIC, key, "x" * size, f"e{number}")
        for number, (key, at_ms, size) in enumerate(sizes, start=1)
    )
    scenario = producing(
        partitions=2,
        producer={"delivery.timeout.ms": 10_000},
        broker={"message.max.bytes": LARGEST},
    )
    return attrs.evolve(scenario, workload=Workload(topic=TOPIC, items=items))


P08 = KnownBug(
    name="P08",
    title="a new epoch goes on with the old sequences of idle partitions",
    source="KAFKA-12152",
    anomaly="answered_at_last",
    story="A record that is too large for one partition makes the producer raise its epoch; a "
    "partition without batches in flight goes on under the new epoch with its old sequence, and "
    "the broker refuses all that is sent there.",
    broken=oversized(),
    faults=LOST,
    slip=slips.keeps_sequences_of_idle_partitions,
)


def shop(factory: Any, **producer: Any) -> Scenario:
    """A shop that insists, with a producer that gives up soon."""
    hasty = {"delivery.timeout.ms": 500, "request.timeout.ms": 500}
    scenario = producing(producer={**hasty, **producer})
    return attrs.evolve(scenario, workload=Workload(), application=billing(factory))


P10 = KnownBug(
    name="P10",
    title="an application sends again after a timeout",
    source="KAFKA-18579",
    anomaly="never_applied_twice",
    story="A record is appended and its answers are lost until the producer gives it up; the "
    "application hands it over again, and to an idempotent producer that is another record.",
    broken=shop(naive_sink(sold)),
    fixes={
        "the producer goes on trying (delivery.timeout.ms)": shop(
            naive_sink(sold), **{"delivery.timeout.ms": PATIENCE["delivery.timeout.ms"]}
        ),
        "an id in the payload, applied once": shop(idempotent_sink(sold)),
    },
    faults=LOST,
)

ROWS = (P01, P02, P03, P05, P06, P07, P08, P10)
