"""A contract changes: what is charged stays right; the twins charge wrongly, or cannot read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.patterns.contracts.evolution import (
    CHAIN,
    Charge,
    counts_cents,
    dollars,
    guessing,
    has_a_promo_code,
    meaning_changed,
    row_changed,
    row_reader,
    row_renamed,
    strict,
    tolerant,
    tolerant_1,
    unversioned,
    upcast,
    version_1,
    version_2,
    version_3,
)
from models.patterns.contracts.evolution_running import charged_rightly, orders_of, reading
from models.patterns.envelope import read_envelope
from simulator import BadInput, Status, simulate

VERSIONS = (version_1, version_2, version_3)
RIGHT = [
    ("version_1", version_1, tolerant_1),
    ("a field more", version_2, tolerant_1),
    ("read as the newest", version_1, tolerant),
    ("the newest", version_3, tolerant),
    ("a row", row_changed, row_reader),
]
WRONG = [
    ("a field more, and a strict reader", version_2, strict, "could not read"),
    ("the unit changed under the name", meaning_changed, tolerant_1, "was charged 100000 cents"),
    ("the same, read as the newest", meaning_changed, tolerant, "was charged 100000 cents"),
    ("a field taken away", version_3, tolerant_1, "payload.total is missing"),
    ("a column renamed", row_renamed, row_reader, "payload.total is missing"),
]


def verdict_of(writer, reader, orders=1):
    trace = simulate(reading(orders_of(*[writer] * orders), {"billing": reader}))
    return charged_rightly(trace)


@pytest.mark.parametrize(
    ("writer", "reader"), [one[1:] for one in RIGHT], ids=[one[0] for one in RIGHT]
)
def test_what_is_read_is_charged_rightly(writer, reader):
    found = verdict_of(writer, reader, orders=3)

    assert found.status is Status.KEPT
    assert found.reached == 3


@pytest.mark.parametrize(
    ("writer", "reader", "said"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_a_twin_charges_wrongly_or_cannot_read(writer, reader, said):
    found = verdict_of(writer, reader)

    assert found.status is Status.BROKEN
    assert said in found.evidence[0].sentence


def test_nothing_read_is_nothing_told():
    found = charged_rightly(simulate(reading((), {"billing": tolerant})))

    assert found.status is Status.CANNOT_TELL
    assert found.why == "no order was read"


def test_old_and_new_events_lie_in_one_log_and_are_read_alike():
    items = orders_of(version_1, version_2, version_3, version_1)
    trace = simulate(reading(items, {"billing": tolerant}))

    assert charged_rightly(trace).status is Status.KEPT
    assert charged_rightly(trace).reached == 4


# --- Without a world -----------------------------------------------------------------------------

numbers = st.integers(0, 10_000)


@given(numbers, st.sampled_from(VERSIONS))
def test_every_version_is_the_same_order_to_the_newest_reader(number, writer):
    charge = tolerant(writer(number))

    assert (charge.order_id, charge.cents) == (f"o-{number}", 100 * dollars(number))


@given(numbers, st.sampled_from(VERSIONS))
def test_an_event_that_is_newest_already_is_left_alone(number, writer):
    once = upcast(read_envelope(writer(number)))

    assert once.schema_version == 3
    assert upcast(once) == once


def test_a_chain_is_its_steps_one_after_the_other():
    payload = {"order_id": "o-1", "total": 11}

    assert counts_cents(has_a_promo_code(payload)) == upcast(
        read_envelope(version_1(1))
    ).payload == {"order_id": "o-1", "promo_code": None, "total_cents": 1_100}


def test_a_chain_that_lacks_a_step_says_so():
    gap = {2: CHAIN[2]}

    with pytest.raises(BadInput, match="no upcaster takes it on from 1"):
        upcast(read_envelope(version_1(1)), gap)


def test_a_version_that_is_newer_than_the_reader_is_read_as_far_as_it_can_be():
    later = json.loads(version_3(1))
    later["schema_version"] = 4
    later["payload"]["gift"] = True

    assert tolerant(json.dumps(later)) == Charge("o-1", 1_100)


def test_without_a_version_a_reader_guesses_and_guesses_wrong():
    """Dear orders look like cents, and cheap cents like dollars."""
    assert guessing(unversioned(version_1)(5)) == Charge("o-5", 1_500)
    assert guessing(unversioned(version_3)(5)) == Charge("o-5", 1_500)
    assert guessing(unversioned(version_1)(2_000)).cents != 100 * dollars(2_000)
    with pytest.raises(BadInput, match="schema_version is missing"):
        tolerant(unversioned(version_1)(5))


def test_a_row_tells_its_table_and_an_event_does_not():
    assert read_envelope(row_changed(1)).payload["table"] == "orders"
    assert "table" not in read_envelope(version_1(1)).payload
