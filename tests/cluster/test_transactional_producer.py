"""A transactional producer in a world: its calls, what is traced, what readers get, and faults."""

import attrs
import pytest

from simulator.errors import BadInput, CommitFailed, KafkaError, ProducerFenced, RequestTimedOut
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.variant import Variant
from simulator.scenario.faults import Crash, Drop, FaultPlan, Pause
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.study.simulate import simulate

ID = {"transactional.id": "payments"}
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def run(program, *faults, version=2, partitions=1, others=()):
    """The trace of a program on the node `app`, and of others on theirs."""

    def application(cluster):
        cluster.node("app", lambda node: node.start(program(cluster, node)))
        for name, other in others:
            cluster.node(name, lambda node, other=other: node.start(other(cluster, node)))

    scenario = Scenario(
        topology=Topology(topics=(Topic("orders", partitions), Topic("in", 1))),
        application=application,
        faults=FaultPlan(faults),
        heal_after_ms=100_000,  # Until then a program that only sleeps is waited for.
        variant=Variant(transaction_version=version),
    )
    return simulate(scenario)


def events(trace, *kinds):
    return [entry[4] for entry in trace.of(*kinds)]


def ends(trace):
    return [event[1:] for event in events(trace, "transaction_ended")]


def readers(cluster, node, isolation="read_committed"):
    return cluster.consumer(
        node, {"isolation.level": isolation, "auto.offset.reset": "earliest", "group.id": "audit"}
    )


def read(cluster, node, into, isolation="read_committed", for_ms=3_000):
    """Read `orders` from its beginning."""
    consumer = readers(cluster, node, isolation)
    consumer.assign([("orders", number) for number in range(4)][:1])
    consumer.seek_to_beginning()
    for _ in range(for_ms // 500):
        records = yield consumer.poll(timeout_ms=500)
        into.extend(record.event_id for record in records)


# --- From one end to the other -------------------------------------------------------------------


@VERSIONS
def test_a_reader_of_committed_records_gets_what_was_committed_and_nothing_else(version):
    committed, all_of_it = [], []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        for number, end in enumerate(("commit", "abort", "commit")):
            producer.begin_transaction()
            producer.send("orders", "v", "k", event_id=f"e{number}")
            yield getattr(producer, f"{end}_transaction")()
        yield producer.close()
        yield from read(cluster, node, committed)
        yield from read(cluster, node, all_of_it, "read_uncommitted")

    trace = run(program, version=version)

    assert committed == ["e0", "e2"]
    assert [one for one in all_of_it if one != "e1"] == committed
    assert ends(trace) == [
        ("payments", "commit", "done", "NONE"),
        ("payments", "abort", "done", "NONE"),
        ("payments", "commit", "done", "NONE"),
    ]
    endings = [event[2:4] for event in events(trace, "transaction_ending")]
    assert endings == [("commit", ("e0",)), ("abort", ("e1",)), ("commit", ("e2",))]


def test_it_can_be_awaited():
    told = []

    async def program(cluster, node):
        producer = cluster.producer(node, ID)
        await producer.init_transactions()
        producer.begin_transaction()
        told.append(await producer.send("orders", "v", "k"))
        await producer.commit_transaction()

    trace = run(program)

    assert told == [("orders", 0, 0)]
    assert ends(trace) == [("payments", "commit", "done", "NONE")]


@VERSIONS
def test_offsets_count_with_the_commit(version):
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        consumer = cluster.consumer(node, {"group.id": "billing"})
        yield producer.init_transactions()
        for end, offset in (("commit", 3), ("abort", 7)):
            producer.begin_transaction()
            yield producer.send_offsets_to_transaction(
                {("in", 0): offset}, consumer.group_metadata()
            )
            yield getattr(producer, f"{end}_transaction")()
        told.append((yield consumer.committed([("in", 0)])))

    trace = run(program, version=version)

    assert told == [{("in", 0): 3}]
    assert [event[4] for event in events(trace, "transaction_ending")] == [
        (("billing", "in", 0, 3),), (("billing", "in", 0, 7),),
    ]


def test_a_consumer_says_who_it_is_in_its_group():
    told = []

    def program(cluster, node):
        consumer = cluster.consumer(node, {"group.id": "billing", "group.instance.id": "one"})
        told.append(consumer.group_metadata())
        consumer.subscribe(["in"])
        while not consumer.assignment():
            yield consumer.poll(timeout_ms=100)
        told.append(consumer.group_metadata())
        with pytest.raises(BadInput, match=r"group_metadata\(\) needs a group.id"):
            cluster.consumer(node).group_metadata()

    run(program)

    before, after = told
    assert before == GroupMetadata("billing", group_instance_id="one")
    assert after.generation == 1
    assert after.member_id
    assert attrs.evolve(after, generation=-1, member_id="") == before


@VERSIONS
def test_a_zombie_cannot_commit_offsets(version):
    """KIP-447: its generation is past. It may abort, and go on."""
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        consumer = cluster.consumer(node, {"group.id": "billing"})
        consumer.subscribe(["in"])
        while not consumer.assignment():
            yield consumer.poll(timeout_ms=100)
        past = attrs.evolve(consumer.group_metadata(), generation=0)
        yield producer.init_transactions()
        producer.begin_transaction()
        try:
            yield producer.send_offsets_to_transaction({("in", 0): 3}, past)
        except CommitFailed as failed:
            told.append(str(failed).split(":")[0])
        yield producer.abort_transaction()
        producer.begin_transaction()
        yield producer.send("orders", "v")
        yield producer.commit_transaction()

    trace = run(program, version=version)

    assert told == ["ILLEGAL_GENERATION"]
    assert ends(trace)[-1] == ("payments", "commit", "done", "NONE")


# --- Whose turn it is, and how long it may take --------------------------------------------------


def test_what_is_not_its_turn_is_refused():
    def program(cluster, node):
        plain = cluster.producer(node)
        with pytest.raises(BadInput, match="there are no transactions here"):
            plain.begin_transaction()
        producer = cluster.producer(node, ID)
        with pytest.raises(BadInput, match=r"begin_transaction\(\) is not allowed in"):
            producer.begin_transaction()
        with pytest.raises(BadInput, match=r"send\(\) is not allowed in"):
            producer.send("orders", "v")
        yield producer.init_transactions()
        producer.begin_transaction()
        commit = producer.commit_transaction()
        yield commit
        yield producer.close()
        with pytest.raises(BadInput, match="the producer is closed"):
            producer.begin_transaction()

    run(program)


def test_a_call_that_takes_longer_than_max_block_ms_may_be_called_again():
    """The coordinator is away: the first call times out, and what it began goes on."""
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, {**ID, "max.block.ms": 2_000})
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id="one")
        yield node.sleep(1_000_000)
        while True:
            try:
                yield producer.commit_transaction()
                break
            except RequestTimedOut:
                told.append(node.now_us)
        yield from read(cluster, node, told)

    trace = run(program, Crash("broker-0", at_ms=1_000, down_ms=5_000))

    assert told[-1] == "one"
    assert len(told) > 1
    assert len(events(trace, "transaction_ending")) == 1
    assert ends(trace) == [("payments", "commit", "done", "NONE")]


@VERSIONS
def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(version):
    """KIP-588: there is no other producer, but the epoch is past (T11)."""
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, {**ID, "transaction.timeout.ms": 5_000})
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id="one")
        yield node.sleep(30_000_000)
        for call in (producer.commit_transaction, producer.abort_transaction):
            try:
                yield call()
            except ProducerFenced:
                told.append("fenced")
        fresh = cluster.producer(node, ID)
        yield fresh.init_transactions()
        fresh.begin_transaction()
        yield fresh.send("orders", "v", event_id="two")
        yield fresh.commit_transaction()
        yield from read(cluster, node, told)

    trace = run(program, version=version)

    assert told == ["fenced", "fenced", "two"]
    assert ends(trace)[0] == ("payments", "commit", "failed", "PRODUCER_FENCED")
    assert events(trace, "transaction_failed") == [
        ("transaction_failed", "payments", "PRODUCER_FENCED", True)
    ]


@VERSIONS
def test_who_takes_the_transactional_id_fences_who_had_it(version):
    told = []

    def first(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id="old")
        yield node.sleep(10_000_000)
        try:
            yield producer.commit_transaction()
        except ProducerFenced:
            told.append("fenced")
        with pytest.raises(ProducerFenced):
            producer.begin_transaction()

    def second(cluster, node):
        yield node.sleep(5_000_000)
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id="new")
        yield producer.commit_transaction()
        yield node.sleep(10_000_000)
        yield from read(cluster, node, told)

    run(first, version=version, others=[("successor", second)])

    assert told == ["fenced", "new"]


# --- Faults --------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("api", ["EndTxnRequest", "EndTxnResponse"])
def test_a_lost_end_is_asked_for_again_and_has_one_effect(version, api):
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        for number in range(2):
            producer.begin_transaction()
            producer.send("orders", "v", event_id=f"e{number}")
            yield producer.commit_transaction()
        yield from read(cluster, node, told)

    route = ("app", "broker-0") if api.endswith("Request") else ("broker-0", "app")
    trace = run(program, Drop(*route, api), version=version)

    assert told == ["e0", "e1"]
    assert [one[2] for one in ends(trace)] == ["done", "done"]


@VERSIONS
def test_a_crash_leaves_its_transaction_to_the_next_incarnation_which_aborts_it(version):
    """Whoever initializes the id first makes an end to what is open."""
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id=f"life-{node.incarnation}")
        if node.incarnation == 0:
            yield node.sleep(60_000_000)
        yield producer.commit_transaction()
        yield from read(cluster, node, told)

    run(program, Crash("app", at_ms=2_000, down_ms=100), version=version)

    assert told == ["life-1"]


@VERSIONS
def test_a_coordinator_that_crashes_keeps_what_it_has_decided(version):
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        for number in range(40):
            producer.begin_transaction()
            producer.send("orders", "v", event_id=f"e{number}")
            try:
                yield producer.commit_transaction()
            except KafkaError:
                yield producer.abort_transaction()
            yield node.sleep(20_000)
        yield from read(cluster, node, told, for_ms=10_000)

    faults = [Crash("broker-0", at_ms=at, down_ms=300) for at in (700, 1_500, 3_000)]
    trace = run(program, *faults, version=version)

    done = []
    for asked, ended in zip(
        events(trace, "transaction_ending"), events(trace, "transaction_ended"), strict=True
    ):
        assert asked[2] == ended[2]
        if ended[2:4] == ("commit", "done"):
            done.extend(asked[3])
    assert told == done
    assert len(done) > 20


def test_a_close_aborts_what_is_open():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, ID)
        yield producer.init_transactions()
        producer.begin_transaction()
        producer.send("orders", "v", event_id="one")
        yield producer.close()
        yield from read(cluster, node, told)

    trace = run(program)

    assert told == []
    assert ends(trace) == [("payments", "abort", "done", "NONE")]


def test_a_pause_longer_than_the_transaction_may_take_is_found_out_at_the_next_batch():
    """The partition has seen the marker of a newer epoch: its producer may only abort."""
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, {**ID, "transaction.timeout.ms": 5_000})
        yield producer.init_transactions()
        producer.begin_transaction()
        yield producer.send("orders", "v", event_id="one")
        yield node.sleep(1_000_000)
        send = producer.send("orders", "v", event_id="two")
        try:
            yield producer.commit_transaction()
        except KafkaError as failed:
            told.append(str(failed).split(":")[0])
        told.append(send.ok)

    run(program, Pause("app", at_ms=1_000, for_ms=30_000), version=1)

    assert told[0] in ("INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED")
    assert told[1] is False
