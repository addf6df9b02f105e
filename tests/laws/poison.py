"""A reader of framed orders, one of which nobody can read; and what should become of that one."""

from simulator import (
    AT_LEAST_ONCE,
    Add,
    Cases,
    Check,
    Cluster,
    CodecError,
    Scenario,
    Schema,
    Serving,
    Status,
    Topic,
    Topology,
    Upsert,
    Verdict,
    Watching,
    WorkItem,
    Workload,
    decode,
    encode,
)
from tests.few_orders import BROKER, PATIENCE, SESSION

DEAD = "orders-dead"
ORDER = Schema({"type": "record", "name": "Order", "fields": [
    {"name": "order_id", "type": "string"}]})  # fmt: skip
GOOD_ID = "o-0"
POISON_ID, POISON = "o-1", '{"order_id":"o-1"}'  # JSON, where a frame is expected.


def billing(context):
    ledger = context.store("ledger")

    def handle(record):
        try:
            order = decode(record.value, {1: ORDER}.__getitem__, ORDER, plain=True)
        except CodecError:
            context.note("undecodable", record.event_id)
            raise
        yield ledger.transact(Add("orders", order["order_id"], 1))

    return handle


def undertaker(context):
    """Keeps what reached the dead letters, byte for byte."""
    ledger = context.store("ledger")

    def handle(record):
        value = record.value if isinstance(record.value, str) else record.value.decode("latin-1")
        yield ledger.transact(Upsert("dead", record.event_id, value))

    return handle


def poisoned(factory, **more):
    """A good order, and one that nobody can read."""
    good = encode({"order_id": GOOD_ID}, ORDER, 1, plain=True)

    def deploy(cluster: Cluster) -> None:
        cluster.store("ledger")
        items = (WorkItem(0, "orders", GOOD_ID, good, GOOD_ID),
                 WorkItem(1_000, "orders", "o-1", POISON, POISON_ID))  # fmt: skip
        cluster.source("shop", iter(items), {**AT_LEAST_ONCE.producer, **PATIENCE})
        settings = {**SESSION, "auto.offset.reset": "earliest"}
        cluster.group("billing", 1, factory, Serving(topics=("orders",), settings=settings))
        cluster.group("undertaker", 1, undertaker, Serving(topics=(DEAD,), settings=settings))

    topology = Topology(topics=(Topic("orders"), Topic(DEAD)))
    return Scenario(
        application=deploy, workload=Workload(events=0), topology=topology, broker=BROKER, **more
    )


def _undecodable_is_laid_aside() -> Watching:
    cases = Cases()
    tried = reached = 0
    kept: list[object] = []
    quiet = given_up = False

    def on_polled(entry):
        nonlocal tried
        if entry[4][1] == "billing" and entry[4][5] == POISON_ID:
            tried = 0

    def on_failed(entry):
        nonlocal tried, given_up
        if entry[4][1] == POISON_ID:  # If nobody has taken its letter, it is handled once more.
            tried = 0
            given_up = given_up or entry[2] == "shop"

    def on_noted(entry):
        nonlocal tried, reached
        if entry[4][1] == "undecodable":
            tried += 1
            reached += 1
            if tried == 2:
                cases.add(f"{POISON_ID} was tried again", (entry[0],), (POISON_ID,))

    def on_applied(entry):
        if entry[4][1] == "dead" and entry[4][2] != GOOD_ID:  # That one may fail thrice, too.
            kept.append(entry[4][3])
            if entry[4][2:4] != (POISON_ID, POISON):
                said = f"{entry[4][3]} lies among the dead letters as {entry[4][2]}"
                cases.add(said, (entry[0],), (POISON_ID,))

    def on_ended(entry):
        nonlocal quiet
        quiet = entry[4][1] == "quiet"

    def finish() -> Verdict:
        if not cases.count and not kept:
            if not quiet or given_up:
                why = "the run was cut before it was laid aside"
                if given_up:
                    why = f"{POISON_ID} was never acknowledged"
                return Verdict("undecodable_is_laid_aside", Status.CANNOT_TELL, why=why)
            cases.add(f"{POISON_ID} was never laid aside")
        return cases.verdict("undecodable_is_laid_aside", reached)

    return Watching({"record_polled": on_polled, "record_failed": on_failed, "noted": on_noted,
                     "effect_applied": on_applied, "run_ended": on_ended}, finish)  # fmt: skip


undecodable_is_laid_aside = Check(
    "undecodable_is_laid_aside",
    "What cannot be read is tried once, and kept among the dead letters as it was.",
    _undecodable_is_laid_aside,
)
