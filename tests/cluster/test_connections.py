"""A client's connections: who is told what when answers are late, lost, doubled or never come."""

import itertools

import pytest

from simulator.chance import Tape
from simulator.errors import BadInput
from simulator.protocol import messages as m
from simulator.scenario.faults import Clog, Crash, Delay, Drop, Duplicate
from tests.clustered import BROKER, CLIENT, ask, events, fetch, produce, sent_ms, times_ms

WHERE = m.MetadataRequest(None)


def collect(asking, notes, *bodies, purpose="data", timeout_ms=None):
    """Ask at once, and note the kind of answer and the time of each."""
    for number, body in enumerate(bodies):

        def told(answer, number=number):
            kind = None if answer is None else type(answer).__name__
            notes.append((asking.node.now_us // 1_000, number, kind))

        asking.connections.request(BROKER, body, told, purpose, timeout_ms)


def test_answers_come_in_the_order_of_the_requests_behind_one_that_waits():
    """The broker answers one request of a connection at a time: metadata waits for the fetch."""
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=100), WHERE)
        assert asking.connections.in_flight(BROKER) == 2
        yield node.sleep(200_000)
        assert asking.connections.in_flight(BROKER) == 0

    ask(program)

    assert notes == [(102, 0, "FetchResponse"), (102, 1, "MetadataResponse")]


def test_another_purpose_is_another_connection_that_waits_for_nobody():
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=100))
        collect(asking, notes, WHERE, purpose="coordinator")
        yield node.sleep(200_000)

    ask(program)

    assert notes == [(2, 0, "MetadataResponse"), (102, 0, "FetchResponse")]


def test_a_request_that_times_out_closes_its_connection_and_fails_all_behind_it_in_order():
    """The second was asked later, and fails as early: whether it took effect is unknown."""
    notes = []

    def program(asking, node):
        collect(asking, notes, produce("a"))
        yield node.sleep(60_000)
        collect(asking, notes, produce("b"), produce("c"))
        yield node.sleep(500_000)

    trace = ask(program, Drop(BROKER, CLIENT, "ProduceResponse"), given={"request_timeout_ms": 100})

    assert notes == [(100, 0, None), (100, 0, None), (100, 1, None)]
    assert [event[3] for event in events(trace, "batch_appended")] == [("a",), ("b",), ("c",)]


def test_each_request_may_have_its_own_patience_and_the_shortest_decides():
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=10_000))
        collect(asking, notes, WHERE, timeout_ms=70)
        yield node.sleep(1_000_000)

    ask(program)

    assert notes == [(70, 0, None), (70, 0, None)]


def test_a_connection_that_was_given_up_is_not_heard_of_again():
    """Its broker falls later, and closes all that it knows of: only the new one has failed."""

    def program(asking, node):
        yield asking(WHERE)
        yield from failing(asking, node)
        yield node.sleep(500_000 - node.now_us)
        yield from failing(asking, node)

    trace = ask(
        program,
        Drop(CLIENT, BROKER, "MetadataRequest"),
        Crash(BROKER, at_ms=490, down_ms=1_000),
        given={"request_timeout_ms": 100},
    )

    assert sent_ms(trace, "MetadataRequest")[:4] == [0, 140, 491 + 40, 491 + 40 + 2 + 80]


def test_a_late_answer_of_a_closed_connection_is_not_heard_though_the_request_was_handled():
    notes = []

    def program(asking, node):
        collect(asking, notes, produce("a"))
        yield node.sleep(2_000_000)

    trace = ask(
        program,
        Delay(CLIENT, BROKER, "ProduceRequest", extra_ms=500),
        given={"request_timeout_ms": 100},
    )

    assert notes == [(100, 0, None)]
    assert times_ms(trace, "batch_appended") == [501]


def test_nothing_behind_a_loss_arrives_on_that_connection_but_on_the_next_it_does():
    notes = []

    def program(asking, node):
        collect(asking, notes, WHERE, produce("a"))
        yield node.sleep(200_000)
        collect(asking, notes, produce("b"))
        yield node.sleep(100_000)

    trace = ask(program, Drop(CLIENT, BROKER, "MetadataRequest"), given={"request_timeout_ms": 100})

    assert events(trace, "message_dropped") == [
        (0, CLIENT, BROKER, "MetadataRequest", "loss"),
        (1, CLIENT, BROKER, "ProduceRequest", "behind_a_loss"),
    ]
    assert [one[2] for one in notes] == [None, None, "ProduceResponse"]
    assert [event[3] for event in events(trace, "batch_appended")] == [("b",)]


def test_a_second_answer_to_one_request_is_ignored():
    notes = []

    def program(asking, node):
        collect(asking, notes, WHERE, WHERE)
        yield node.sleep(100_000)

    trace = ask(
        program,
        Duplicate(BROKER, CLIENT, "MetadataResponse"),
        Duplicate(CLIENT, BROKER, "MetadataRequest", nth=1),
    )

    assert [one[1] for one in notes] == [0, 1]
    assert len(sent_ms(trace, "MetadataResponse", BROKER)) == 3


def test_an_answer_that_overtakes_another_finds_its_request():
    """As on an unordered link; the one that is late is heard later."""
    notes = []

    def program(asking, node):
        collect(asking, notes, WHERE, produce("a"))
        yield node.sleep(100_000)

    ask(program, Delay(BROKER, CLIENT, "MetadataResponse", extra_ms=50), ordered=False)

    assert notes == [(2, 1, "ProduceResponse"), (52, 0, "MetadataResponse")]


def test_a_one_way_request_is_not_waited_for():
    def program(asking, node):
        asking.connections.request(BROKER, produce("a", acks=0), None)
        assert asking.connections.in_flight(BROKER) == 0
        answer = yield asking(WHERE)
        assert type(answer) is m.MetadataResponse

    trace = ask(program, given={"request_timeout_ms": 100})

    assert len(events(trace, "batch_appended")) == 1
    assert sent_ms(trace, "ProduceResponse", BROKER) == []


def test_a_process_that_dies_closes_its_connections_and_the_client_learns_after_one_flight():
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=10_000), WHERE)
        yield node.sleep(5_000_000)

    ask(program, Crash(BROKER, at_ms=50))

    assert notes == [(51, 0, None), (51, 1, None)]


def test_a_machine_without_power_tells_nobody_and_the_client_times_out():
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=10_000), timeout_ms=300)
        yield node.sleep(5_000_000)

    ask(program, Crash(BROKER, at_ms=50, mode="power"))

    assert notes == [(300, 0, None)]


# --- Reconnecting --------------------------------------------------------------------------------


def failing(asking, node):
    """Ask again as soon as the failure is known, until it is answered."""
    while (yield asking(WHERE)) is None:
        pass


def gaps_ms(trace):
    sent = sent_ms(trace, "MetadataRequest")
    return [later - earlier for earlier, later in itertools.pairwise(sent)]


def test_the_pause_before_the_next_connection_doubles_up_to_its_maximum():
    """A failure costs 2 ms, the first 1; Zero draws the least of a pause: 20 % below."""
    trace = ask(
        failing,
        Crash(BROKER, at_ms=0, down_ms=2_000),
        given={"reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 300},
    )

    assert gaps_ms(trace)[:6] == [1 + 40, 2 + 80, 2 + 160, 2 + 240, 2 + 240, 2 + 240]


def test_the_pause_is_drawn():
    trace = ask(failing, Crash(BROKER, at_ms=0, down_ms=2_000), chooser=Tape(b"\xff" * 40))

    assert gaps_ms(trace)[:2] != [1 + 40, 2 + 80]
    assert 40 <= gaps_ms(trace)[0] - 1 <= 60


def test_an_answer_ends_the_growth_of_the_pause():
    """The idle connection fails at 2991 ms, and 40 ms are the first pause again."""

    def program(asking, node):
        yield from failing(asking, node)
        yield node.sleep(3_000_000 - node.now_us)
        yield from failing(asking, node)

    trace = ask(program, Crash(BROKER, at_ms=0, down_ms=500), Crash(BROKER, at_ms=2_990))

    after = [ms for ms in sent_ms(trace, "MetadataRequest") if ms >= 3_000]
    assert after[:2] == [2_991 + 40, 2_991 + 40 + 2 + 80]


def test_what_is_asked_during_the_pause_is_sent_after_it_in_order():
    notes = []

    def program(asking, node):
        collect(asking, notes, WHERE)
        yield node.sleep(10_000)
        collect(asking, notes, produce("a"), produce("b"))
        asking.connections.request(BROKER, produce("c", acks=0), None)
        assert asking.connections.in_flight(BROKER) == 3
        yield node.sleep(500_000)

    trace = ask(program, Crash(BROKER, at_ms=0, down_ms=20))

    assert [one[1:] for one in notes] == [(0, None), (0, "ProduceResponse"), (1, "ProduceResponse")]
    assert [event[3] for event in events(trace, "batch_appended")] == [("a",), ("b",), ("c",)]
    assert sent_ms(trace, "ProduceRequest") == [1 + 40] * 3


def test_what_fails_may_be_asked_again_at_once_and_waits_for_the_pause():
    """Whoever is told of a failure may ask again from within: it goes out on the new connection."""
    told = []

    def program(asking, node):
        def again(answer):
            told.append(answer)
            if answer is None:
                asking.connections.request(BROKER, WHERE, again)

        asking.connections.request(BROKER, WHERE, again)
        yield node.sleep(300_000)

    ask(program, Crash(BROKER, at_ms=0, down_ms=20))

    assert told[0] is None
    assert type(told[1]) is m.MetadataResponse
    assert len(told) == 2


def test_a_client_may_close_a_connection_that_it_no_longer_trusts():
    notes = []

    def program(asking, node):
        collect(asking, notes, fetch(0, wait_ms=10_000))
        asking.connections.disconnect(BROKER, "coordinator")
        asking.connections.disconnect("broker-7")
        yield node.sleep(5_000)
        asking.connections.disconnect(BROKER)
        asking.connections.disconnect(BROKER)
        collect(asking, notes, WHERE)
        yield node.sleep(1_000_000)

    ask(program)

    assert notes == [(5, 0, None), (47, 0, "MetadataResponse")]


def test_closing_tells_nobody():
    notes = []

    def program(asking, node):
        collect(asking, notes, WHERE, fetch(0, wait_ms=50))
        asking.connections.close()
        yield node.sleep(40_000_000)

    trace = ask(program)

    assert notes == []
    assert len(sent_ms(trace, "MetadataResponse", BROKER)) == 1


def test_the_timeout_is_by_the_clients_own_time_and_held_up_by_nothing():
    """A clogged link delivers later; the client has given up by then."""
    notes = []

    def program(asking, node):
        yield node.sleep(10_000)
        collect(asking, notes, WHERE, timeout_ms=100)
        yield node.sleep(1_000_000)

    ask(program, Clog(CLIENT, BROKER, 5, 500))

    assert notes == [(110, 0, None)]


def test_an_incarnation_that_died_hears_nothing():
    heard = []

    def program(asking, node):
        mine = node.incarnation
        asking.connections.request(BROKER, fetch(0, wait_ms=100), lambda _: heard.append(mine))
        yield node.sleep(3_000_000)

    ask(program, Crash(CLIENT, at_ms=50, down_ms=10), given={"request_timeout_ms": 200})

    assert heard == [1]


def test_a_node_that_is_not_there_is_refused_by_name():
    def program(asking, node):
        yield asking(WHERE, "broker-7")

    with pytest.raises(BadInput, match=r"there is no node called 'broker-7' .known: broker-0, cli"):
        ask(program)
