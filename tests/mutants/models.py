"""Bugs of models: orders whose keys, marks and handlers are almost right."""

from models.systems import orders
from models.topics.keys import by_type, keyed
from simulator import Get, Insert, UniqueViolation
from simulator.cluster import sinks


def remembers_ids_in_memory(patch):
    """Billing keeps the ids of what it has billed in a set."""
    patch.setitem(orders.SINKS, "idempotent", orders.in_memory_set)


def keys_by_event_type(patch):
    """Events lie where their type says, and not where their order's other events do."""
    work = orders.work
    patch.setattr(orders, "work", lambda *args, **more: keyed(work(*args, **more), by_type))


def marks_orders_not_events(patch):
    """Billing notes that it has seen an order, and takes the order's other events for copies."""

    def coarse(table, event_id, *, effect):
        return Insert(table, event_id.partition("/")[0], effect=effect)

    patch.setattr(sinks, "Insert", coarse)


def marks_before_it_bills(patch):
    """The mark is one transaction, and the effect the next."""

    def factory(context):
        ledger = context.store(orders.LEDGER)

        def handle(record):
            try:
                yield ledger.transact(Insert("processed", record.event_id, effect=False))
            except UniqueViolation:
                return
            yield ledger.transact(orders.effect(record.value))

        return handle

    patch.setitem(orders.SINKS, "idempotent", factory)


def bills_before_it_marks(patch):
    """The effect is one transaction, and the mark the next; what is marked is not billed again."""

    def factory(context):
        ledger = context.store(orders.LEDGER)

        def handle(record):
            (seen,) = yield ledger.transact(Get("processed", record.event_id))
            if seen:
                return
            yield ledger.transact(orders.effect(record.value))
            yield ledger.transact(Insert("processed", record.event_id, True, effect=False))

        return handle

    patch.setitem(orders.SINKS, "idempotent", factory)
