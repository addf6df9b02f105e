"""A share consumer's sessions with leaders: their epochs, and what is said with which request."""

import pytest

from simulator.protocol.cleaned import CleanedBatch
from simulator.protocol.errors import Error
from simulator.protocol.leaders import Leaders
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record
from simulator.protocol.share_messages import (
    ACCEPT,
    CLOSES,
    GAP,
    REJECT,
    Acknowledgement,
    AcquiredRecords,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareFetched,
    ShareFetchRequest,
    ShareFetchResponse,
)
from simulator.protocol.share_sessions import Given, ShareSessions
from simulator.protocol.share_settings import ShareConsumerSettings
from simulator.protocol.wire import Ask, Wire

ORDERS, BILLS = TopicPartition("orders", 0), TopicPartition("bills", 0)
LEADER = "broker-0"


def record(name):
    return Record(None, "v", name)


class Talk:
    """Sessions whose requests are answered by the test."""

    def __init__(self):
        settings = ShareConsumerSettings(group_id="work")
        self.wire = Wire(lambda least, _: least, settings.backoff_range_us)
        leaders = Leaders(self.wire, (LEADER,), 10**12, lambda: None)
        leaders.nodes = {ORDERS: LEADER, BILLS: LEADER}
        self.records = []
        self.completed = []
        self.sessions = ShareSessions(
            settings, "a", self.wire, leaders, self.arrived, self.complete
        )
        self.now_us = 0

    def arrived(self, session, records, now_us):
        self.records += [(one.offset, one.event_id) for one in records]

    def complete(self, given, error):
        self.completed += [(one.offset, error) for one in given]

    @property
    def session(self):
        return self.sessions.session(LEADER)

    def fetch(self, *where):
        """Ask; the request that went out, or None."""
        self.wire.outbox.clear()
        self.sessions.fetch(where or (ORDERS,), 500, self.now_us)
        return self.request()

    def request(self):
        asked = [one for one in self.wire.outbox if isinstance(one, Ask)]
        self.asked = asked[-1] if asked else None
        return self.asked.body if asked else None

    def answer(self, *results, error=Error.NONE):
        self.wire.answer(self.asked.token, ShareFetchResponse(error, 0, results), self.now_us)

    def lose(self):
        self.wire.answer(self.asked.token, None, self.now_us)


def fetched(batches, *acquired, where=ORDERS, said=Error.NONE):
    runs = tuple(AcquiredRecords(first, last, 1) for first, last in acquired)
    return ShareFetched(where, Error.NONE, said, tuple(batches), runs)


def test_each_request_has_the_next_epoch_and_there_is_one_at_a_time():
    talk = Talk()

    assert talk.fetch().session_epoch == 0
    assert talk.fetch() is None, "the first is not answered"
    for epoch in (1, 2):
        talk.wire.answer(epoch - 1, ShareFetchResponse(Error.NONE), 0)
        assert talk.fetch().session_epoch == epoch


def test_only_what_is_acquired_counts_of_whole_batches():
    talk = Talk()
    talk.fetch()
    talk.answer(fetched([Batch((record("a"), record("b"), record("c")), 4)], (5, 5)))

    assert talk.records == [(5, "b")]


@pytest.mark.parametrize(
    "batches",
    [
        [Batch((record("a"),), 0), Batch((), 1, control="commit"), Batch((record("c"),), 2)],
        [CleanedBatch((record("a"), None, record("c")), 0)],
        [Batch((record("a"),), 0), Batch((record("c"),), 2)],
    ],
)
def test_where_there_is_no_record_it_says_that_there_is_a_gap(batches):
    """A marker, a record that was compacted away, and a whole batch that was."""
    talk = Talk()
    talk.fetch()
    talk.answer(fetched(batches, (0, 2)))

    assert talk.records == [(0, "a"), (2, "c")]
    (asked,) = talk.fetch().partitions
    assert asked.acknowledgements == (Acknowledgement(1, 1, (GAP,)),)


def test_neighbours_are_said_together_with_one_type_or_a_type_each():
    talk = Talk()
    talk.fetch()
    talk.answer(fetched([], (0, 9)))
    talk.session.pending = [
        Given(ORDERS, 3, ACCEPT), Given(ORDERS, 1, ACCEPT), Given(ORDERS, 2, ACCEPT),
        Given(ORDERS, 7, REJECT), Given(ORDERS, 6, ACCEPT), Given(BILLS, 0, ACCEPT),
    ]  # fmt: skip

    orders, bills = talk.fetch().partitions
    assert orders.acknowledgements == (
        Acknowledgement(1, 3, (ACCEPT,)),
        Acknowledgement(6, 7, (ACCEPT, REJECT)),
    )
    assert (bills.partition, bills.max_bytes) == (BILLS, 0), "it is assigned no more"


@pytest.mark.parametrize("error", [None, Error.SHARE_SESSION_NOT_FOUND])
def test_a_failure_ends_the_session_and_what_was_said_is_not_said_again(error):
    talk = Talk()
    talk.fetch()
    talk.answer(fetched([Batch((record("a"),), 0)], (0, 0)))
    talk.session.pending = [Given(ORDERS, 0, ACCEPT)]
    talk.fetch()
    if error is None:
        talk.lose()
    else:
        talk.answer(error=error)

    assert talk.completed == [(0, error or Error.NETWORK_EXCEPTION)]
    assert talk.fetch() is None, "the backoff"
    talk.now_us = talk.session.not_before_us
    assert talk.fetch() == ShareFetchRequest(
        "work", "a", 0, 500, 52_428_800, 500, talk.asked.body.partitions
    )
    assert talk.asked.body.partitions[0].acknowledgements == ()


def test_nothing_can_be_said_with_the_request_that_opens_a_session():
    talk = Talk()
    talk.session.pending = [Given(ORDERS, 0, ACCEPT)]

    assert talk.fetch().partitions[0].acknowledgements == ()
    assert talk.completed == [(0, Error.INVALID_SHARE_SESSION_EPOCH)]


def test_the_last_request_closes_the_session():
    talk = Talk()
    talk.fetch()
    talk.answer()
    talk.wire.outbox.clear()
    talk.session.pending = [Given(ORDERS, 0, ACCEPT)]

    assert talk.sessions.acknowledge(talk.session, closes=True)
    assert talk.request() == ShareAcknowledgeRequest(
        "work", "a", CLOSES, ((ORDERS, (Acknowledgement(0, 0, (ACCEPT,)),)),)
    )
    talk.wire.answer(
        talk.asked.token, ShareAcknowledgeResponse(Error.NONE, ((ORDERS, Error.NONE),)), 0
    )
    assert talk.completed == [(0, Error.NONE)]
    assert talk.session.epoch == 0
