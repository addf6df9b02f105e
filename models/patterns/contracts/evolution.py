"""An event's contract changes, while old events lie in the log and old readers are at work.

    version 1   OrderPlaced {order_id, total}: the total in whole dollars
    version 2   {..., promo_code}: a field more, which who does not know it ignores
    version 3   {order_id, total_cents, promo_code}: another unit is another field

1. A tolerant reader takes the fields it needs, and ignores the others; what it needs and does not
   find, it misses by name.
2. A reader that knows the newest version reads older ones through a chain of upcasters, each a
   function of the payload from one version to the next. A version newer than it knows it reads as
   far as it can.
3. A field never changes its meaning: readers, registries and checkers see its name and its type.
4. A business event says what happened, in the words of the business; its columns may be renamed
   behind it. A technical event is a row before and after: its readers read somebody's table.

The twins:

strict           refuses fields that it does not know
meaning_changed  writes cents where dollars were, under the same name, type and version
unversioned      says no version, so that `guessing` must guess
row_changed      tells the row instead of the event

Every reader makes a `Charge` of a value (`evolution_running` writes it to a ledger, and checks that
each order was charged what it costs), or says with BadInput what it cannot read.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from models.patterns.envelope import Envelope, read_envelope
from simulator import BadInput

PLACED, ROW = "OrderPlaced", "RowChanged"
NEWEST = 3
AT = "2025-12-04T12:00:00Z"

Payload = Mapping[str, Any]
Upcaster = Callable[[Payload], Payload]


@attrs.frozen
class Charge:
    """What a reader makes of an order."""

    order_id: str
    cents: int
    promo_code: str | None = None


Reader = Callable[[Any], Charge]
Writer = Callable[[int], str]


def dollars(number: int) -> int:
    """What the order of this number costs."""
    return 10 + number


# --- Writers -------------------------------------------------------------------------------------


def version_1(number: int) -> str:
    """As it was at first."""
    return _placed(number, 1, {"total": dollars(number)})


def version_2(number: int) -> str:
    """With a field that nobody asked for before."""
    return _placed(number, 2, {"total": dollars(number), "promo_code": "SPRING"})


def version_3(number: int) -> str:
    """With another unit, and therefore another field."""
    return _placed(number, 3, {"total_cents": 100 * dollars(number), "promo_code": None})


def meaning_changed(number: int) -> str:
    """The twin of `version_3`: the same field, another unit."""
    return _placed(number, 2, {"total": 100 * dollars(number), "promo_code": None})


def unversioned(writer: Writer) -> Writer:
    """The twin of any writer: the same events, and none says its version."""

    def write(number: int) -> str:
        said = json.loads(writer(number))
        del said["schema_version"]
        return json.dumps(said)

    return write


def _placed(number: int, version: int, rest: Payload) -> str:
    payload = {"order_id": f"o-{number}", **rest}
    return Envelope(PLACED, version, f"o-{number}/{PLACED}", AT, payload).to_json()


# --- Readers -------------------------------------------------------------------------------------


def has_a_promo_code(payload: Payload) -> Payload:
    """From 1 to 2: there were none."""
    return {**payload, "promo_code": None}


def counts_cents(payload: Payload) -> Payload:
    """From 2 to 3."""
    rest = {name: value for name, value in payload.items() if name != "total"}
    return {**rest, "total_cents": 100 * payload["total"]}


CHAIN: Mapping[int, Upcaster] = {1: has_a_promo_code, 2: counts_cents}


def upcast(envelope: Envelope, chain: Mapping[int, Upcaster] = CHAIN) -> Envelope:
    """The event as the newest version would tell it; a newer one is left as it is.

    Raises:
        BadInput: a step of the chain is missing.
    """
    while envelope.schema_version <= max(chain):
        step = chain.get(envelope.schema_version)
        if step is None:
            raise BadInput("no upcaster takes it on from", PLACED, envelope.schema_version)
        payload, version = step(envelope.payload), envelope.schema_version + 1
        envelope = attrs.evolve(envelope, payload=payload, schema_version=version)
    return envelope


def tolerant(value: Any) -> Charge:
    """The newest reader: old versions through the chain, new fields ignored."""
    payload = upcast(read_envelope(value)).payload
    return Charge(
        _field(payload, "order_id"), _field(payload, "total_cents"), payload.get("promo_code")
    )


def tolerant_1(value: Any) -> Charge:
    """A reader that was written when there was version 1 alone."""
    payload = read_envelope(value).payload
    return Charge(_field(payload, "order_id"), 100 * _field(payload, "total"))


def strict(value: Any) -> Charge:
    """The twin of `tolerant_1`."""
    unknown = sorted(set(read_envelope(value).payload) - {"order_id", "total"})
    if unknown:
        raise BadInput("fields that are not known:", PLACED, ", ".join(unknown))
    return tolerant_1(value)


def guessing(value: Any) -> Charge:
    """A reader of events that say no version: who has cents is new, and dollars are never many."""
    payload = json.loads(value)["payload"]
    cents = payload.get("total_cents")
    if cents is None:
        total = _field(payload, "total")
        cents = total if total >= 1_000 else 100 * total
    return Charge(_field(payload, "order_id"), cents)


def _field(payload: Payload, name: str) -> Any:
    if name not in payload:
        raise BadInput(f"payload.{name} is missing; it has", PLACED, ", ".join(payload))
    return payload[name]


# --- A row instead of an event -------------------------------------------------------------------


def row_changed(number: int, column: str = "total") -> str:
    """The twin of `version_1`: what the table of the orders' owner looks like, before and after."""
    row = {"id": f"o-{number}", column: dollars(number)}
    payload = {"table": "orders", "before": None, "after": row}
    return Envelope(ROW, 1, f"o-{number}/{ROW}", AT, payload).to_json()


def row_renamed(number: int) -> str:
    """The same after a migration that was nobody else's business."""
    return row_changed(number, "total_amount")


def row_reader(value: Any) -> Charge:
    """What a reader of rows must know: the owner's columns."""
    row = read_envelope(value).payload["after"]
    return Charge(_field(row, "id"), 100 * _field(row, "total"))
