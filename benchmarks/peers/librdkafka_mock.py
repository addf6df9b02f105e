"""The crash scenario by the real client on librdkafka's mock cluster; needs confluent-kafka.

Tuned: its C API, which its Python does not offer, makes the topic and takes the three seconds away
that a group waits at first. `leave`: instance 0 closes after its eighth record, the faster case.
`stall`: it stops polling, and is evicted, which takes max.poll.interval.ms of real time.
Run: `PYTHON librdkafka_mock.py leave|stall RUNS`.
"""

import ctypes
import json
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer

MESSAGES, KEYS, PARTITIONS, DIES_AT = 50, 10, 3, 8
DEADLINE_S = 20.0
POLL_S = 0.001
TOPIC = "orders"
CONSUMER = {
    "group.id": "billing",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "session.timeout.ms": 1_100,
    "heartbeat.interval.ms": 50,
    "fetch.wait.max.ms": 10,
    "log_level": 0,
}


def library() -> Any:
    """The shared library that the package brings along."""
    beside = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = ctypes.CDLL(str(next(beside.glob("librdkafka*.so*"))))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(found, name).restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


class Mock:
    """A mock cluster of one broker, with a topic, and groups that settle at once."""

    def __init__(self, api: Any) -> None:
        self.api = api
        said = ctypes.create_string_buffer(256)
        settings = ctypes.c_void_p(api.rd_kafka_conf_new())
        api.rd_kafka_conf_set(settings, b"log_level", b"0", said, ctypes.c_size_t(256))
        self.client = ctypes.c_void_p(api.rd_kafka_new(0, settings, said, ctypes.c_size_t(256)))
        self.cluster = ctypes.c_void_p(api.rd_kafka_mock_cluster_new(self.client, 1))
        self.bootstrap = api.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        api.rd_kafka_mock_group_initial_rebalance_delay_ms(self.cluster, 50)
        refused = api.rd_kafka_mock_topic_create(self.cluster, TOPIC.encode(), PARTITIONS, 1)
        assert not refused, "the mock makes the topic"

    def close(self) -> None:
        """Give everything back."""
        self.api.rd_kafka_mock_cluster_destroy(self.cluster)
        self.api.rd_kafka_destroy(self.client)


def settle(consumers: list[Any], until: float) -> None:
    """Poll until each has partitions."""
    owned = dict.fromkeys(consumers, 0)
    for one in consumers:
        one.subscribe(
            [TOPIC],
            on_assign=lambda who, those: owned.__setitem__(who, len(those)),
            on_revoke=lambda who, _: owned.__setitem__(who, 0),
        )
    while not all(owned.values()) and time.perf_counter() < until:
        for one in consumers:
            one.poll(POLL_S)


def work(consumers: list[Any], *, leaves: bool, until: float) -> set[bytes]:
    """Handle and commit each record; what was handled."""
    alive, handled, of_first = list(consumers), set[bytes](), 0
    while len(handled) < MESSAGES and time.perf_counter() < until:
        for one in tuple(alive):
            message = one.poll(POLL_S)
            if message is None or message.error():
                continue
            handled.add(message.value())
            of_first += one is consumers[0]
            if one is consumers[0] and of_first == DIES_AT:
                alive.remove(one)
                if leaves:
                    one.close()
                break
            with suppress(KafkaException):  # The group rebalances: it will be given again.
                one.commit(message=message, asynchronous=False)
    return handled


def once(api: Any, *, leaves: bool) -> tuple[float, bool]:
    """One run: its seconds from making the cluster to the end, and whether all was handled."""
    began = time.perf_counter()
    mock = Mock(api)
    shared = {**CONSUMER, "bootstrap.servers": mock.bootstrap}
    first = shared if leaves else {**shared, "max.poll.interval.ms": 1_100}
    producer = Producer({"bootstrap.servers": mock.bootstrap, "linger.ms": 0, "log_level": 0})
    consumers = [Consumer(first), Consumer(shared)]
    settle(consumers, began + DEADLINE_S)
    for number in range(MESSAGES):
        producer.produce(TOPIC, key=f"k{number % KEYS}", value=f"m{number}")
    producer.flush(10)
    handled = work(consumers, leaves=leaves, until=began + DEADLINE_S)
    consumers[1].close()
    if not leaves:
        consumers[0].close()
    consumers.clear()
    del producer
    mock.close()
    return time.perf_counter() - began, len(handled) == MESSAGES


def main() -> None:
    """Print the median of the seconds of the runs that handled all, and whether each did."""
    leaves, runs = sys.argv[1] == "leave", int(sys.argv[2])
    api = library()
    rows = [once(api, leaves=leaves) for _ in range(runs)]
    seconds = statistics.median(took for took, _ in rows)
    complete = all(whole for _, whole in rows)
    version = confluent_kafka.libversion()[0]
    print(json.dumps({"seconds": seconds, "complete": complete, "librdkafka": version}))


if __name__ == "__main__":
    main()
