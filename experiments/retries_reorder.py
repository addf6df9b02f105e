"""Can a retry overtake what was sent after it, and write a record twice?

A producer may have several batches under way to a broker. If one of them, or the answer to it, is
lost, it is sent again, and by then those behind it may have been stored. Retries, the number of
batches in flight and idempotence are three settings; the faults are lost requests and lost answers.

Predict before you run it: in which of the four producers do events change places, when requests
are lost and when answers are? In which are they stored twice? What does one batch at a time cost?

Consumers here never crash, and count what they are given: what the ledger has twice, the log has
twice.
"""

from collections.abc import Mapping
from typing import Any

from experiments._shared import (
    FROM_US,
    LATENCY,
    LOST,
    MILLISECOND_US,
    OUT_OF_ORDER,
    STORED_TWICE,
    billing,
    lossy,
    patient,
    plotted,
)
from models.systems.orders import TOPIC, naive, orders_scenario, work
from models.topics.load import Load
from simulator import Experiment, Guarantee, Scenario, Topic, Topology, samples, share

IN_FLIGHT = "max.in.flight.requests.per.connection"
ONE_AT_A_TIME = {"linger.ms": 0, "batch.size": 0}  # A batch a record, so that many are under way.


def _sender(name: str, in_flight: int, **settings: Any) -> Guarantee:
    made = patient(name, **settings)
    producer = {**made.producer, **ONE_AT_A_TIME, IN_FLIGHT: in_flight}
    return Guarantee(name=name, producer=producer)


NO_RETRIES = _sender("no-retries", 5, retries=0, enable_idempotence=False)
FIVE = _sender("5-in-flight", 5, enable_idempotence=False)
ONE = _sender("1-in-flight", 1, enable_idempotence=False)
IDEMPOTENT = _sender("5-idempotent", 5, enable_idempotence=True)
SENDERS = (NO_RETRIES, FIVE, ONE, IDEMPOTENT)

FAULTS = {"none": (0.0, 0.0), "lost requests": (0.05, 0.0), "lost answers": (0.0, 0.05)}
ORDERS, EVERY_US = 30, 8 * MILLISECOND_US


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders whose steps follow each other quickly, from a producer on a lossy wire."""
    requests, answers = factors["faults"]
    return orders_scenario(
        factors["producer"],
        items=work(ORDERS, EVERY_US, FROM_US),
        topology=Topology(topics=(Topic(TOPIC, 3),), links=lossy(requests, answers)),
        consumers=billing(naive),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A lost request lets others pass, a lost answer doubles; idempotence mends both.

    With lost answers the first copy of each event is in its order: what is out of order are the
    copies, and stored_once counts those.
    """
    sender, (requests, answers) = factors["producer"], factors["faults"]
    overtaken = "broken" if requests and sender is FIVE else "kept"
    twice = "broken" if answers and sender in (FIVE, ONE) else "kept"
    return {
        "sends_in_order": overtaken,
        "key_order": overtaken,
        "stored_once": twice,
        "never_applied_twice": twice,
        "never_lost": "kept",  # What was acknowledged; without retries much is not.
    }


EXPERIMENT = Experiment(
    name="retries_reorder",
    question="Can a retry overtake what was sent after it, and write a record twice?",
    scenario=scenario,
    factors={"producer": SENDERS, "faults": FAULTS},
    measures={
        "out of order": OUT_OF_ORDER,
        "stored twice": STORED_TWICE,
        "given up": share(lambda run: (run.failed, run.delivery.sent)),
        "lost": LOST,
        "acknowledged after": samples(lambda run: run.acknowledged_us, quantiles=(0.5, 0.99)),
        "latency": LATENCY,
    },
    checks=("sends_in_order", "key_order", "stored_once", "never_applied_twice", "never_lost"),
    promises=expected,
    runs=40,
    baseline={"producer": IDEMPOTENT.name},
    gather=Load,
)

illustrate = plotted
