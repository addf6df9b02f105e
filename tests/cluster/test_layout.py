"""Where everything is: leaders, coordinators by Java's hash, and what a client is told."""

import pytest

from simulator.cluster.broker_settings import BrokerSettings
from simulator.cluster.internal_topics import OFFSETS, partition_for
from simulator.cluster.layout import Layout
from simulator.errors import BadInput
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.java_order import java_hash
from simulator.protocol.names import TopicPartition
from simulator.scenario.topology import Topic, Topology
from tests.clustered import ask, run


def layout(brokers=3, *topics):
    return Layout(Topology(brokers, topics), BrokerSettings())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("ab", 97 * 31 + 98),
        ("billing", -109_829_509),
        ("hello", 99_162_322),
        ("Hello World", -862_545_276),
        ("polygenelubricants", -(2**31)),
        ("ä", 228),
        ("€", 0x20AC),
        ("😀", 0xD83D * 31 + 0xDE00),  # Two UTF-16 units, as in Java.
        ("\ud800", 0xD800),  # Half a pair: Java does not mind.
        ("a" * 100, 97 * (31**100 - 1) // 30 % 2**32 - 2**32),
    ],
)
def test_the_hash_is_javas(text, value):
    """The words are known from Java; the others are s[0]*31^(n-1) + ... + s[n-1] mod 2^32."""
    assert java_hash(text) == value


@pytest.mark.parametrize("text", ["", "billing", "polygenelubricants", "größe", "x" * 249])
def test_the_hash_is_its_definition(text):
    assert text.isprintable()
    units = [ord(letter) for letter in text]  # All of them in the basic plane.
    whole = sum(unit * 31 ** (len(units) - 1 - place) for place, unit in enumerate(units))

    assert java_hash(text) % 2**32 == whole % 2**32
    assert -(2**31) <= java_hash(text) < 2**31


@pytest.mark.parametrize(
    ("group", "partition"),
    [
        ("", 0),
        ("a", 47),
        ("billing", 9),
        ("hello", 22),
        ("Hello World", 26),
        ("polygenelubricants", 0),  # Utils.abs makes 0 of the least integer, not itself.
    ],
)
def test_a_groups_partition_is_its_hash_modulo_fifty(group, partition):
    assert partition_for(group, 50) == partition


def test_the_brokers_share_the_coordination_of_groups():
    spread = layout(3)
    counts = dict.fromkeys(spread.brokers, 0)

    def coordinator_of(group):
        return spread.coordinator_at(spread.coordinator_partition(OFFSETS, group))

    for number in range(300):
        counts[coordinator_of(f"group-{number}")] += 1

    assert coordinator_of("billing") == "broker-0"  # 9 % 3
    assert coordinator_of("hello") == "broker-1"  # 22 % 3
    assert coordinator_of("Hello World") == "broker-2"  # 26 % 3
    assert min(counts.values()) > 60


def test_every_broker_answers_alike_where_a_group_is_coordinated():
    def program(asking, node):
        for broker in ("broker-0", "broker-1", "broker-2"):
            answer = yield asking(m.FindCoordinatorRequest("hello"), broker)
            assert answer == m.FindCoordinatorResponse(Error.NONE, "broker-1")
            answer = yield asking(m.FindCoordinatorRequest(""), broker)
            assert answer.error is Error.INVALID_GROUP_ID

    ask(program, brokers=3)


def test_a_topic_of_many_partitions_is_led_by_all_and_the_next_begins_elsewhere():
    spread = layout(3, Topic("orders", 7), Topic("payments", 2))

    leaders = [spread.leader(where)[-1] for where in spread.partitions("orders")]
    assert leaders == ["0", "1", "2", "0", "1", "2", "0"]
    assert [spread.leader(where)[-1] for where in spread.partitions("payments")] == ["1", "2"]
    assert spread.led_by("broker-2") == (
        TopicPartition("orders", 2),
        TopicPartition("orders", 5),
        TopicPartition("payments", 1),
    )
    everywhere = [where for broker in spread.brokers for where in spread.led_by(broker)]
    assert len(everywhere) == len(set(everywhere)) == 9
    partitions = {name: one.partitions for name, one in spread.topics.items()}
    assert partitions == {"orders": 7, "payments": 2}


def test_who_does_not_lead_a_partition_says_whether_there_is_one():
    spread = layout(2, Topic("orders", 1))

    assert spread.not_here(TopicPartition("orders", 0)) is Error.NOT_LEADER_OR_FOLLOWER
    assert spread.not_here(TopicPartition("orders", 1)) is Error.UNKNOWN_TOPIC_OR_PARTITION


def test_producer_ids_are_counted():
    spread = layout(2)

    assert [spread.next_producer_id() for _ in range(3)] == [0, 1, 2]


def test_a_topics_name_is_one_that_kafka_takes():
    def deploy(cluster):
        cluster.topic("a b")

    with pytest.raises(BadInput, match=r"is not a name.* 'a b'"):
        run(None, deploy=deploy)
