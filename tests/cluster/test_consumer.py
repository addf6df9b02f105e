"""A consumer in a world: what it does when messages are lost, and what its settings change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.consumer import RebalanceListener
from simulator.errors import (
    BadInput,
    CommitFailed,
    KafkaError,
    RebalanceInProgress,
    RequestTimedOut,
)
from simulator.scenario.faults import Crash, Drop
from tests.reading import READER, items, read, read_commit_close, until

BROKER = "broker-0"
APIS = (
    "FindCoordinator",
    "Metadata",
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "OffsetFetch",
    "ListOffsets",
    "Fetch",
    "OffsetCommit",
)


def lost(api, nth=0):
    """The request, and the answer, of the nth call of an API."""
    return {
        "request": Drop(READER, BROKER, f"{api}Request", nth),
        "answer": Drop(BROKER, READER, f"{api}Response", nth),
    }


def test_without_faults_each_request_is_sent_as_often_as_it_must():
    reading = read(read_commit_close())

    assert reading.polled == ["e0", "e1", "e2"]
    for api in ("FindCoordinator", "Metadata", "SyncGroup", "OffsetFetch", "ListOffsets"):
        assert len(reading.sent(f"{api}Request")) == 1, api
    assert len(reading.sent("JoinGroupRequest")) == 2, "the first is given a member id"
    assert reading.of("commit_answered") == [("g", "orders", 0, 3, "NONE")]
    assert reading.of("partitions_revoked") == [("g", 1, (("orders", 0),))]
    assert reading.of("member_removed", BROKER)[0][-1] == "left"


# --- For each request: the request is lost, the answer is lost -------------------------------


@pytest.mark.parametrize("which", ["request", "answer"])
@pytest.mark.parametrize("api", ["FindCoordinator", "Metadata", "ListOffsets", "OffsetFetch"])
def test_a_lost_question_is_asked_again_after_the_request_timeout(api, which):
    reading = read(read_commit_close(), faults=[lost(api)[which]])

    first, second, *_ = reading.sent(f"{api}Request")
    assert second - first >= 2_000
    assert reading.polled == ["e0", "e1", "e2"]


@pytest.mark.parametrize("which", ["request", "answer"])
def test_a_lost_join_is_joined_again_after_max_poll_interval_and_five_seconds(which):
    """No heartbeat is sent meanwhile. Of a lost answer the broker makes a member that is silent."""
    reading = read(read_commit_close(), faults=[lost("JoinGroup", 1)[which]])

    joins = reading.sent("JoinGroupRequest")
    assert 15_000 <= joins[2] - joins[1] <= 15_500
    assert reading.polled == ["e0", "e1", "e2"]


@pytest.mark.parametrize("which", ["request", "answer"])
def test_a_lost_sync_is_followed_by_a_new_lookup_and_join(which):
    reading = read(read_commit_close(), faults=[lost("SyncGroup")[which]])

    assert reading.sent("SyncGroupRequest")[1] - reading.sent("SyncGroupRequest")[0] >= 2_000
    assert len(reading.sent("FindCoordinatorRequest")) == 2
    assert len(reading.sent("JoinGroupRequest")) == 3
    assert len(reading.of("partitions_assigned")) == 1
    assert reading.polled == ["e0", "e1", "e2"]


def _idle(for_ms):
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        notes["got"] = yield from until(consumer, 3)
        start_us = node.now_us
        while node.now_us < start_us + for_ms * 1_000:
            yield consumer.poll(1_000)
        yield consumer.close()

    return steps


@pytest.mark.parametrize("which", ["request", "answer"])
def test_a_lost_heartbeat_costs_a_new_lookup_and_no_partitions(which):
    """Its timeout closes the connection; the session is longer than that."""
    reading = read(_idle(8_000), faults=[lost("Heartbeat")[which]])

    first, second, *_ = reading.sent("HeartbeatRequest")
    assert 2_000 <= second - first <= 2_500
    assert len(reading.sent("FindCoordinatorRequest")) == 2
    assert reading.of("partitions_lost") == []
    assert len(reading.of("partitions_assigned")) == 1


@pytest.mark.parametrize(("which", "reason"), [("request", "session_timeout"), ("answer", "left")])
def test_a_lost_leave_is_not_sent_again(which, reason):
    """Closing gives up after the request timeout; the session removes who was not heard."""
    reading = read(read_commit_close(), faults=[lost("LeaveGroup")[which]])

    assert len(reading.sent("LeaveGroupRequest")) == 1
    assert reading.notes["closed_ms"] - reading.notes["committed_ms"] == 2_000

    def wait(node, consumer, notes):
        yield from read_commit_close()(node, consumer, notes)
        yield node.sleep(20_000_000)

    reading = read(wait, faults=[lost("LeaveGroup")[which]])
    assert reading.of("member_removed", BROKER)[0][-1] == reason


@pytest.mark.parametrize(("which", "times"), [("request", 1), ("answer", 2)])
def test_a_lost_synchronous_commit_is_committed_again(which, times):
    reading = read(read_commit_close(), faults=[lost("OffsetCommit")[which]])

    assert [event[3] for event in reading.of("offset_committed", BROKER)] == [3] * times
    assert [event[-1] for event in reading.of("commit_answered")] == ["NETWORK_EXCEPTION", "NONE"]


@pytest.mark.parametrize("which", ["request", "answer"])
def test_a_lost_asynchronous_commit_is_told_to_its_callback(which):
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        yield from until(consumer, 3)
        consumer.commit_async(callback=lambda offsets, error: notes.update(told=(offsets, error)))
        while "told" not in notes:
            yield consumer.poll(1_000)

    reading = read(steps, faults=[lost("OffsetCommit")[which]])
    offsets, error = reading.notes["told"]
    assert offsets == {("orders", 0): 3}
    assert isinstance(error, RequestTimedOut)
    assert len(reading.sent("OffsetCommitRequest")) == 1


@pytest.mark.parametrize("which", ["request", "answer"])
@pytest.mark.parametrize("nth", [0, 1])
def test_a_lost_fetch_is_fetched_again_and_no_record_comes_twice(which, nth):
    reading = read(read_commit_close(6), records=6, faults=[lost("Fetch", nth)[which]])

    assert reading.polled == [f"e{number}" for number in range(6)]


# --- Rebalances in a world -------------------------------------------------------------------


def _member(notes, number, records, listener=None):
    def steps(node, consumer, _):
        consumer.subscribe(["orders"], listener)
        for record in (yield from until(consumer, records)):
            notes.append((number, record.event_id))
        yield consumer.close()

    return steps


def test_a_listener_may_wait_and_commit_inside_the_poll():
    heard = []

    def steps(node, consumer, notes):
        def on_revoked(partitions):
            heard.append(("revoked", partitions))
            yield consumer.commit_sync()
            heard.append(("committed", consumer.position(("orders", 0))))

        async def on_assigned(partitions):
            await node.sleep(5_000)
            heard.append(("assigned", partitions))

        listener = RebalanceListener(on_assigned=on_assigned, on_revoked=on_revoked)
        consumer.subscribe(["orders"], listener)
        yield from until(consumer, 3)
        yield consumer.close()
        heard.append("closed")

    reading = read(steps)
    assert heard == [
        ("assigned", (("orders", 0),)),
        ("revoked", (("orders", 0),)),
        ("committed", 3),
        "closed",
    ]
    assert [event[3] for event in reading.of("offset_committed", BROKER)] == [3]


def test_on_lost_is_on_revoked_unless_it_is_given():
    for own in (True, False):
        heard = []

        def steps(node, consumer, notes, heard=heard, own=own):
            consumer.subscribe(
                ["orders"],
                RebalanceListener(
                    on_revoked=lambda _: heard.append("revoked"),
                    on_lost=(lambda _: heard.append("lost")) if own else None,
                ),
            )
            yield from until(consumer, 3)
            yield node.sleep(11_000_000)
            with pytest.raises(CommitFailed):
                yield consumer.commit_sync()
            yield consumer.poll(100)

        read(steps)
        assert heard == ["lost" if own else "revoked"]


def test_what_a_listener_throws_is_thrown_by_poll_and_the_consumer_goes_on():
    def steps(node, consumer, notes):
        def on_assigned(_):
            raise ValueError("no disk")

        consumer.subscribe(["orders"], RebalanceListener(on_assigned=on_assigned))
        with pytest.raises(KafkaError, match="no disk"):
            yield from until(consumer, 1)
        notes["got"] = yield from until(consumer, 3)

    assert [one.event_id for one in read(steps).notes["got"]] == ["e0", "e1", "e2"]


def test_a_crash_commits_nothing_leaves_nothing_and_reads_again():
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        yield from until(consumer, 3)
        yield node.sleep(1_000_000)
        yield consumer.commit_sync()

    reading = read(steps, faults=[Crash(READER, at_ms=500, down_ms=100)])
    assert reading.polled == ["e0", "e1", "e2"] * 2
    assert len(reading.sent("LeaveGroupRequest")) == 0
    assert [event[-1] for event in reading.of("member_removed", BROKER)] == ["session_timeout"]


# --- The face --------------------------------------------------------------------------------


def test_a_poll_with_records_buffered_has_happened_when_it_returns():
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        while not (yield consumer.poll(1_000)):
            pass
        yield node.sleep(1_000_000)
        before = node.kernel.now
        event = consumer.poll(0)
        notes["done"] = event.processed
        notes["records"] = yield event
        notes["took"] = node.kernel.now - before

    notes = read(steps, settings={"max.poll.records": 1}).notes
    assert (notes["done"], len(notes["records"]), notes["took"]) == (True, 1, 0)


def test_positions_pauses_seeks_and_commits_are_what_they_say():
    def steps(node, consumer, notes):
        p0 = ("orders", 0)
        consumer.subscribe(["orders"])
        yield from until(consumer, 3)
        assert consumer.position(p0) == 3
        assert consumer.assignment() == (p0,)
        assert consumer.subscription() == ("orders",)
        assert (yield consumer.committed([p0])) == {p0: None}
        yield consumer.commit_sync({p0: 2})
        assert (yield consumer.committed([p0])) == {p0: 2}
        consumer.seek(p0, 1)
        assert [one.offset for one in (yield from until(consumer, 2))] == [1, 2]
        consumer.seek_to_beginning()
        consumer.pause([p0])
        assert consumer.paused() == (p0,)
        assert (yield consumer.poll(100)) == []
        consumer.resume([p0])
        assert len((yield from until(consumer, 3))) == 3
        consumer.seek_to_end([p0])
        assert (yield consumer.poll(1_000)) == []  # The question waits behind a fetch.
        assert consumer.position(p0) == 3
        yield consumer.unsubscribe()
        assert consumer.assignment() == ()
        consumer.assign([p0])
        assert [one.offset for one in (yield from until(consumer, 1))] == [2]
        yield consumer.close()
        with pytest.raises(BadInput, match="closed"):
            consumer.poll(0)
        notes["all"] = True

    reading = read(steps)
    assert reading.notes["all"]
    assert [event[3:] for event in reading.of("position_reset")] == [
        (0, "earliest"),
        (1, "seek"),
        (0, "earliest"),
        (3, "latest"),
    ]


def test_a_poll_waits_no_time_at_least():
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        with pytest.raises(BadInput, match="-1"):
            consumer.poll(-1)
        yield node.sleep(0)

    read(steps)


def test_an_idle_consumer_costs_its_fetches_and_heartbeats_alone():
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        yield from until(consumer, 3)
        notes["from"] = node.trace.seq
        yield consumer.poll(60_000)
        notes["to"] = node.trace.seq

    reading = read(steps)
    apis = {
        entry[4][4]
        for entry in reading.trace.of("message_sent")
        if reading.notes["from"] <= entry[0] < reading.notes["to"]
    }
    assert apis == {"FetchRequest", "FetchResponse", "HeartbeatRequest", "HeartbeatResponse"}
    assert (reading.notes["to"] - reading.notes["from"]) // 4 <= 60_000 // 500 + 60_000 // 3_000


# --- Every setting that is accepted changes a run --------------------------------------------


def _slow(pause_ms):
    """Read one page at a time, with a pause after each."""

    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        got = 0
        while got < 4:
            got += len((yield consumer.poll(500)))
            yield node.sleep(pause_ms * 1_000)

    return steps


def _commit_to_nobody(node, consumer, notes):
    """The broker dies while the reader has something to commit."""
    consumer.subscribe(["orders"])
    yield from until(consumer, 3)
    yield node.sleep(1_000_000)
    start_us = node.now_us
    try:
        yield consumer.commit_sync()
    except RequestTimedOut:
        notes["gave_up"] = True
    notes["took_ms"] = (node.now_us - start_us) // 1_000


DEAD_BROKER = Crash(BROKER, at_ms=900, down_ms=9_000)
AUTO = {"enable.auto.commit": True}
PATIENT = {"retry.backoff.ms": 10, "retry.backoff.max.ms": 10}  # It is the connection that waits.


def _apis(api):
    return lambda reading: len(reading.sent(f"{api}Request"))


def _took(reading):
    return reading.notes.get("took_ms"), reading.notes.get("gave_up", False)


CHANGES = [
    # setting, one value, another, what is done, the rest of the run, what changes
    ("group.id", "g", "h", _idle(0), {}, lambda r: r.of("partitions_assigned")[0][0]),
    ("group.instance.id", None, "i", _idle(0), {}, _apis("LeaveGroup")),
    (
        "session.timeout.ms",
        6_000,
        9_000,
        _idle(12_000),
        {"faults": [Crash(READER, at_ms=500, down_ms=100)]},
        lambda r: [e[1] // 1_000_000 for e in r.trace.of("member_removed")],
    ),
    ("heartbeat.interval.ms", 3_000, 500, _idle(5_000), {}, _apis("Heartbeat")),
    (
        "max.poll.interval.ms",
        10_000,
        7_000,
        _slow(8_000),
        {"records": 4},
        lambda r: len(r.of("partitions_lost")),
    ),
    (
        "max.poll.records",
        500,
        1,
        _slow(1_000),
        {"records": 4},
        lambda r: r.trace.flat[-1][1] // 10**6,
    ),
    ("enable.auto.commit", False, True, _idle(6_000), {}, _apis("OffsetCommit")),
    (
        "auto.commit.interval.ms",
        5_000,
        1_000,
        _idle(6_000),
        {"settings": AUTO},
        _apis("OffsetCommit"),
    ),
    ("fetch.min.bytes", 1, 2_000, _idle(2_000), {}, lambda r: r.sent("FetchRequest")),
    ("fetch.max.wait.ms", 500, 100, _idle(2_000), {}, lambda r: r.sent("FetchRequest")),
    (
        "reconnect.backoff.ms",
        50,
        800,
        _commit_to_nobody,
        {"faults": [DEAD_BROKER], "settings": PATIENT},
        lambda r: r.sent("FindCoordinatorRequest"),
    ),
    (
        "reconnect.backoff.max.ms",
        1_000,
        100,
        _commit_to_nobody,
        {"faults": [DEAD_BROKER], "settings": PATIENT},
        lambda r: r.sent("FindCoordinatorRequest"),
    ),
    (
        "retry.backoff.ms",
        100,
        700,
        _commit_to_nobody,
        {"faults": [DEAD_BROKER]},
        lambda r: r.sent("FindCoordinatorRequest"),
    ),
    (
        "retry.backoff.max.ms",
        1_000,
        100,
        _commit_to_nobody,
        {"faults": [DEAD_BROKER]},
        lambda r: r.sent("FindCoordinatorRequest"),
    ),
    (
        "default.api.timeout.ms",
        60_000,
        3_000,
        _commit_to_nobody,
        {"faults": [DEAD_BROKER]},
        _took,
    ),
    (
        "request.timeout.ms",
        2_000,
        1_000,
        read_commit_close(),
        {"faults": [lost("OffsetCommit")["request"]]},
        lambda r: r.sent("OffsetCommitRequest")[1] - r.sent("OffsetCommitRequest")[0] >= 2_000,
    ),
    ("metadata.max.age.ms", 300_000, 2_000, _idle(5_000), {}, _apis("Metadata")),
    (
        "partition.assignment.strategy",
        "range",
        "roundrobin",
        _idle(0),
        {},
        lambda r: r.of("generation_started", BROKER)[0][3],
    ),
    ("internal.leave.group.on.close", True, False, _idle(0), {}, _apis("LeaveGroup")),
]


@pytest.mark.parametrize(
    ("setting", "values", "steps", "run", "seen"),
    [(row[0], row[1:3], *row[3:]) for row in CHANGES],
    ids=[row[0] for row in CHANGES],
)
def test_a_setting_changes_what_happens(setting, values, steps, run, seen):
    one, other = values
    rest = {key: value for key, value in run.items() if key != "settings"}
    more = run.get("settings", {})
    first = seen(read(steps, settings={**more, setting: one}, **rest))
    again = seen(read(steps, settings={**more, setting: one}, **rest))
    second = seen(read(steps, settings={**more, setting: other}, **rest))

    assert first == again
    assert first != second


@pytest.mark.parametrize(
    ("policy", "polled"), [("earliest", ["e0", "e1", "e2"]), ("latest", ["e1", "e2"])]
)
def test_auto_offset_reset_changes_what_is_read(policy, polled):
    """e0 lies there when the reader comes; the others come later."""
    stream = [
        *items(1),
        *(one._replace(event_id=f"e{n}") for n, one in enumerate(items(2, start_ms=500), 1)),
    ]

    def steps(node, consumer, notes):
        yield node.sleep(100_000)
        consumer.subscribe(["orders"])
        yield from until(consumer, len(polled))

    assert read(steps, settings={"auto.offset.reset": policy}, records=stream).polled == polled


def test_auto_offset_reset_none_throws():
    def steps(node, consumer, notes):
        consumer.subscribe(["orders"])
        with pytest.raises(KafkaError, match=r"auto\.offset\.reset"):
            yield from until(consumer, 1)
        notes["thrown"] = True

    assert read(steps, settings={"auto.offset.reset": "none"}).notes["thrown"]


@pytest.mark.parametrize("setting", ["fetch.max.bytes", "max.partition.fetch.bytes"])
def test_a_fetch_brings_no_more_bytes_than_allowed_but_one_batch_at_least(setting):
    def steps(node, consumer, notes):
        yield node.sleep(1_000_000)
        consumer.subscribe(["orders"])
        yield from until(consumer, 4)

    few = read(steps, settings={setting: 10}, records=4)
    many = read(steps, records=4)
    assert few.polled == many.polled
    assert len(few.sent("FetchRequest")) > len(many.sent("FetchRequest"))


@pytest.mark.interpreted  # It listens in.
def test_isolation_level_is_asked_for_in_every_fetch():
    """What it changes with transactions is a matter of the machine's own tests."""
    seen = []

    def steps(node, consumer, notes):
        request = consumer.connections.request

        def watch(to, body, *rest):
            seen.append(getattr(body, "isolation_level", None))
            request(to, body, *rest)

        consumer.connections.request = watch
        consumer.subscribe(["orders"])
        yield from until(consumer, 3)

    read(steps, settings={"isolation.level": "read_committed"})
    assert [one for one in seen if one] == ["read_committed"] * len([one for one in seen if one])
    assert "read_committed" in seen


# --- Whatever is lost ------------------------------------------------------------------------


def _commit_at_last(node, consumer, notes):
    """Poll and commit until what is committed is the end."""
    consumer.subscribe(["orders"])
    done = 0
    while done < 6:
        records = yield consumer.poll(1_000)
        try:
            yield consumer.commit_sync()
        except (CommitFailed, RebalanceInProgress, RequestTimedOut):
            continue
        done = max([done, *(record.offset + 1 for record in records)])
    yield consumer.close()


@settings(max_examples=30, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(APIS), st.booleans(), st.integers(0, 3)), max_size=4, unique=True
    )
)
def test_whatever_few_messages_are_lost_every_record_comes_and_is_committed(losses):
    """At least once, in order; a record comes again only in a new generation."""
    faults = [lost(api, nth)["answer" if answer else "request"] for api, answer, nth in losses]
    reading = read(_commit_at_last, records=6, settings={"max.poll.records": 2}, faults=faults)

    order = list(dict.fromkeys(reading.polled))
    assert order == [f"e{number}" for number in range(6)]
    assert reading.of("offset_committed", BROKER)[-1][3] == 6
    if len(reading.of("partitions_assigned")) == 1:
        assert reading.polled == order
