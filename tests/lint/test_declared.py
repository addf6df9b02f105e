"""An architecture in a file: what it may say, and every mistake in a line of its own."""

import pytest

from simulator import BadInput
from simulator.linting.architecture import (
    FOR_EVER,
    Architecture,
    Handles,
    Sends,
    ServiceDesign,
    TopicDesign,
)
from simulator.linting.declared import architecture_of_toml, load_architecture

WHOLE = """
name = "shop"

[topics.orders]
partitions = 3

[events.OrderCreated]
kind = "event"
schema_version = 2

[[services.billing.handles]]
topic = "orders"
events = ["OrderCreated"]
group = "billing"
retries = "for ever"

[[services.billing.sends]]
topic = "payments"
key = "order_id"
through = "outbox"
stores = "ledger"
"""


def test_a_file_says_what_its_values_say():
    found = architecture_of_toml(WHOLE)

    assert found.name == "shop"
    assert found.topic("orders") == TopicDesign("orders", 3)
    assert found.event("OrderCreated").schema_version == 2
    assert found.services == (
        ServiceDesign(
            "billing",
            [Handles("orders", ["OrderCreated"], group="billing", retries=FOR_EVER)],
            [Sends("payments", key="order_id", through="outbox", stores=["ledger"])],
        ),
    )


def test_every_mistake_is_told_at_once():
    text = """
nme = 1
[topics.orders]
partitions = 0
[events]
OrderCreated = 3
[services.billing]
handle = []
[[services.billing.handles]]
group = "g"
retries = -1
[[services.billing.sends]]
topic = "t"
through = "magic"
guarded = 1
stores = [1]
"""
    with pytest.raises(BadInput) as told:
        architecture_of_toml(text, "shop.toml")

    assert str(told.value).splitlines() == [
        "shop.toml: nme is no field (known: name, topics, events, services)",
        "  topics.orders.partitions must be a whole number from 1: 0",
        "  events.OrderCreated must be a table: 3",
        "  services.billing.handle is no field (known: handles, sends)",
        (
            "  services.billing.handles[0].retries must be a whole number from 0, "
            'or "for ever": -1'
        ),
        "  services.billing.handles[0] says no topic",
        "  services.billing.sends[0].stores must be a list of names: [1]",
        "  services.billing.sends[0].guarded must be true or false: 1",
    ]


def test_a_word_that_is_none_is_refused_with_those_that_are():
    text = '[[services.a.sends]]\ntopic = "t"\nthrough = "magic"\n'

    with pytest.raises(BadInput, match=r"sends\[0\]\.through must be one of direct, outbox"):
        architecture_of_toml(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "is not TOML"),
        ("", "has no services"),
        ("services = 3", "services must be a table: 3"),
        ("services.a.handles = 3", r"services.a.handles must be a list"),
        ("services.a.handles = [3]", r"services.a.handles\[0\] must be a table: 3"),
        ("name = 3\nservices.a.handles = []", "name must be a text: 3"),
        ('[topics.""]\n[services.a]', "has no name"),
    ],
)
def test_what_is_no_architecture_is_refused_in_words(text, said):
    with pytest.raises(BadInput, match=said):
        architecture_of_toml(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.toml: cannot be read"):
        load_architecture(tmp_path / "gone.toml")

    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"name = '\xe9'\n")
    with pytest.raises(BadInput, match="is not UTF-8"):
        load_architecture(latin)


def test_two_of_one_name_are_refused():
    with pytest.raises(BadInput, match=r"shop\.topics: is there twice: 'a'"):
        Architecture("shop", topics=(TopicDesign("a"), TopicDesign("a")))
