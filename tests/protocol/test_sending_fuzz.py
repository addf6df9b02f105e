"""Whatever happens on the wire, the producer's promises hold; and the twin breaks them.

A script is a list of steps: records are sent, requests are worked on, answered, refused or lost,
and time passes. When a connection is lost, its requests may still arrive later: the broker works
on them in their order, while the client tries again on a new connection.
"""

from collections import deque

from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.messages import ProduceRequest
from tests.produced import Bench

FOR_EVER = {"delivery.timeout.ms": 2**31 - 1}
PLAIN = {"enable.idempotence": False}
HASTY = {"delivery.timeout.ms": 700, "request.timeout.ms": 600, "retries": 3}

brokers = st.sampled_from(["b0", "b1"])
harmless = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("serve"), brokers),
    st.tuples(st.just("take_in"), brokers),
    st.tuples(
        st.just("refuse"),
        brokers,
        st.sampled_from([Error.NOT_ENOUGH_REPLICAS, Error.REQUEST_TIMED_OUT]),
    ),
    st.tuples(st.just("lose"), brokers),
    st.tuples(st.just("delay"), brokers),
    st.tuples(st.just("late"), brokers),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 80, 200])),
)
harmful = st.one_of(
    harmless,
    st.tuples(
        st.just("refuse"),
        brokers,
        st.sampled_from([Error.INVALID_RECORD, Error.OUT_OF_ORDER_SEQUENCE_NUMBER]),
    ),
    st.tuples(st.just("wait"), st.sampled_from([600, 700, 900])),
)


class Play:
    """A bench, and what its brokers still have to hear from connections that are gone."""

    def __init__(self, given_settings):
        self.bench = Bench({"linger.ms": 0, **given_settings}, topics={"t": 3}, brokers=2)
        self.late = {"b0": deque(), "b1": deque()}
        self.sent = {0: [], 1: [], 2: []}
        self.number = 0
        for partition in (0, 1, 2):  # Once a partition has heard of a producer, it is protected.
            self.send(partition, 1)
        self.bench.settle()

    def send(self, partition, count):
        for _ in range(count):
            self.number += 1
            self.sent[partition].append(f"r{self.number}")
            self.bench.send(f"r{self.number}", partition=partition)

    def step(self, name, *arguments):
        bench = self.bench
        match name, *arguments:
            case "send", partition, count:
                self.send(partition, count)
            case "wait", ms:
                bench.wait(ms)
            case "late", broker:
                if self.late[broker]:
                    bench.work(self.late[broker].popleft())
            case "serve", broker:
                if bench.wire[broker]:
                    bench.serve(broker)
            case "take_in", broker:
                if any(entry[2] is None for entry in bench.wire[broker]):
                    bench.take_in(broker)
            case "refuse", broker, error:
                # What was worked on already is not refused as if it had not been.
                if bench.wire[broker] and bench.wire[broker][0][2] is None:
                    bench.refuse(error, broker)
            case ("lose" | "delay"), broker:
                if name == "delay":
                    self.late[broker].extend(
                        body
                        for _, body, answer in bench.wire[broker]
                        if answer is None and isinstance(body, ProduceRequest)
                    )
                bench.disconnect(broker)

    def run(self, script):
        for step in script:
            self.step(*step)
        self.bench.settle()
        for queue in self.late.values():
            while queue:
                self.bench.work(queue.popleft())
        return self


@given(st.lists(harmless, max_size=40))
@example([("send", 0, 3), ("delay", "b0"), ("wait", 80), ("late", "b0"), ("late", "b0")])
def test_with_idempotence_each_record_lies_exactly_once_and_in_order(script):
    """Over losses, timeouts, late arrivals and retriable errors, as long as no record fails."""
    play = Play(FOR_EVER).run(script)

    assert play.bench.failed == []
    for partition, values in play.sent.items():
        assert play.bench.log(partition) == values
        acked = sorted((at, one) for one, where, at in play.bench.acked if where == partition)
        assert acked == list(enumerate(values))


@given(
    st.lists(harmful, max_size=40),
    st.sampled_from([{}, PLAIN]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0, 5]),
)
def test_what_is_acknowledged_is_there_and_what_fails_definitely_is_not(
    script, kind, in_flight, linger
):
    """Whatever the settings, and whatever is given up on the way."""
    flights = {"max.in.flight.requests.per.connection": in_flight, "linger.ms": linger}
    play = Play({**HASTY, **kind, **flights}).run(script)

    bench = play.bench
    logs = {partition: bench.log(partition) for partition in play.sent}
    written = {value for log in logs.values() for value in log}
    ended = [value for value, _, _ in bench.acked] + [value for value, _, _ in bench.failed]
    assert sorted(ended) == sorted(value for values in play.sent.values() for value in values)
    for value, partition, offset in bench.acked:
        assert logs[partition][offset] == value
    for value, _, definite in bench.failed:
        assert not (definite and value in written)
    assert bench.machine._store.free_bytes == 33_554_432


@given(st.lists(harmless, max_size=40))
def test_one_request_in_flight_keeps_order_without_sequences_if_nothing_arrives_late(script):
    """Duplicates may lie there, but the first of each record is in order."""
    calm = [step for step in script if step[0] != "late"]
    flights = {"max.in.flight.requests.per.connection": 1}
    play = Play({**FOR_EVER, **PLAIN, **flights})
    play.run([("lose", step[1]) if step[0] == "delay" else step for step in calm])

    for partition, values in play.sent.items():
        assert list(dict.fromkeys(play.bench.log(partition))) == values


def smallest(wrong):
    return find(
        st.lists(harmless, max_size=12),
        lambda script: wrong(Play({**FOR_EVER, **PLAIN}).run(script)),
        settings=settings(max_examples=2_000, derandomize=True, database=None),
    )


def test_without_idempotence_a_record_is_written_twice_after_one_late_request():
    """The client tries again; both the first request and the second are taken."""

    def twice(play):
        return any(
            len(set(log)) < len(log) for log in map(play.bench.log, play.sent)
        )

    script = smallest(twice)

    assert [step[0] for step in script] == ["send", "delay"]


def test_without_idempotence_records_change_places_after_one_refusal():
    def reordered(play):
        return any(
            list(dict.fromkeys(play.bench.log(partition))) != values
            for partition, values in play.sent.items()
        )

    script = smallest(reordered)

    assert script[0][0] == "send"
    assert script[-1][0] in {"refuse", "lose", "delay"}
    assert len(script) <= 3
