"""What the network does to a message, and what it never does."""

import pytest

from simulator.chance import Seeded, constant, uniform
from simulator.scenario.faults import Clog, Crash, Delay, Drop, Duplicate, Partition, Pause
from simulator.scenario.topology import Link
from tests.world.small import Ping, pair


def test_a_message_takes_the_links_time_each_way():
    two = pair(link=Link(latency=constant(2_000)))
    two.ask_at(10)
    two.run()

    assert two.heard == [(2_010, 0)]
    assert two.answers == [(4_010, 0, "Pong")]


def test_a_dropped_request_is_never_heard_nor_is_what_follows_it_on_its_connection():
    """TCP delivers nothing behind a gap; another connection is not concerned."""
    two = pair(Drop("client", "server", "Ping", nth=1))
    first = two.connection
    two.ask_at(0, 10, 20)
    second = two.connect()
    two.connection = first
    two.world.kernel.call_later(30, lambda _: second.there.send(7, Ping()), None)
    two.run()

    assert [correlation for _, correlation in two.heard] == [0, 7]
    assert two.dropped() == [("Ping", "loss"), ("Ping", "behind_a_loss")]


def test_on_an_unordered_link_only_the_dropped_message_is_missing():
    two = pair(Drop("client", "server", "Ping", nth=1), link=Link(ordered=False))
    two.ask_at(0, 10, 20)
    two.run()

    assert [correlation for _, correlation in two.heard] == [0, 2]


def test_a_dropped_answer_leaves_a_request_that_was_heard():
    two = pair(Drop("server", "client", "Pong"))
    two.ask_at(0)
    two.run()

    assert two.heard == [(1_000, 0)]
    assert two.answers == []


def test_a_duplicated_request_is_heard_twice_and_its_answer_once():
    """The copy comes from a connection that its client has given up."""
    two = pair(Duplicate("client", "server", "Ping", later_ms=3))
    two.ask_at(0)
    two.run()

    assert two.heard == [(1_000, 0), (4_000, 0)]
    assert two.answers == [(2_000, 0, "Pong")]


def test_a_copy_holds_up_nothing_and_breaks_nothing_on_the_living_connection():
    """Nor is it held up: the connection that was given up has an order of its own."""
    two = pair(Duplicate("client", "server", "Ping", later_ms=3),
               Partition(("client",), ("server",), 4, 5, symmetric=False))  # fmt: skip
    two.ask_at(0, 2_500, 6_000)
    two.run()

    assert two.heard == [(1_000, 0), (3_500, 1), (7_000, 2)]
    assert two.dropped() == [("Ping", "cut")]


def test_a_copy_is_not_heard_by_another_process_than_the_one_it_was_sent_to():
    two = pair(Duplicate("client", "server", "Ping", later_ms=30),
               Crash("server", at_ms=5, down_ms=5))  # fmt: skip
    two.ask_at(0)
    two.run()

    assert two.heard == [(1_000, 0)]
    assert two.dropped() == [("Ping", "stale_connection")]


@pytest.mark.parametrize("end", ["answer", "request of who is asked once"])
def test_tcp_hands_nothing_over_twice(end):
    ends = ("server", "client", "Pong") if end == "answer" else ("client", "server", "Ping")
    two = pair(Duplicate(*ends, later_ms=3))
    two.world.nodes["server"].asked_once = True
    two.ask_at(0)
    two.run()

    assert two.heard == [(1_000, 0)]
    assert two.answers == [(2_000, 0, "Pong")]
    assert two.dropped() == [(ends[2], "copy")]


@pytest.mark.parametrize("end", ["answer", "request"])
def test_a_datagram_is_heard_twice_by_anybody(end):
    ends = ("server", "client", "Pong") if end == "answer" else ("client", "server", "Ping")
    two = pair(Duplicate(*ends, later_ms=3), link=Link(ordered=False))
    two.world.nodes["server"].asked_once = True
    two.ask_at(0)
    two.run()

    assert [at_us for at_us, *_ in two.answers] == [2_000, 5_000]
    assert two.dropped() == []


def test_a_late_message_holds_up_those_behind_it_on_its_connection():
    two = pair(Delay("client", "server", "Ping", extra_ms=5))
    two.ask_at(0, 10)
    two.run()

    assert two.heard == [(6_000, 0), (6_000, 1)]


def test_on_an_unordered_link_a_late_message_is_overtaken():
    two = pair(Delay("client", "server", "Ping", extra_ms=5), link=Link(ordered=False))
    two.ask_at(0, 10)
    two.run()

    assert [correlation for _, correlation in two.heard] == [1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_an_ordered_link_keeps_order_under_any_delays(seed):
    two = pair(link=Link(latency=uniform(10, 10_000)), chooser=Seeded(seed))
    two.ask_at(*range(0, 2_000, 100))
    two.run()

    assert [correlation for _, correlation in two.heard] == list(range(20))


def test_messages_of_another_connection_may_overtake():
    two = pair(Delay("client", "server", "Ping", extra_ms=5))
    first = two.connection
    second = two.connect()
    two.world.kernel.call_later(0, lambda _: first.there.send(1, Ping()), None)
    two.world.kernel.call_later(10, lambda _: second.there.send(2, Ping()), None)
    two.run()

    assert [correlation for _, correlation in two.heard] == [2, 1]


UNORDERED = Link(ordered=False)


def test_a_symmetric_partition_lets_nothing_pass_until_it_heals():
    two = pair(Partition(("client",), ("server",), from_ms=1, until_ms=3), link=UNORDERED)
    two.ask_at(100, 1_500, 3_500)
    two.run()

    # The first is on its way when the link is cut: it is lost as well.
    assert [correlation for _, correlation in two.heard] == [2]
    assert len(two.answers) == 1


def test_a_connection_that_was_cut_while_in_use_stays_silent_until_it_is_opened_anew():
    two = pair(Partition(("client",), ("server",), from_ms=1, until_ms=3))
    two.ask_at(1_500, 3_500)
    two.world.kernel.call_later(4_000, lambda _: two.connect().there.send(9, Ping()), None)
    two.run()

    assert [correlation for _, correlation in two.heard] == [9]


def test_an_asymmetric_partition_lets_requests_pass_and_no_answers():
    two = pair(Partition(("server",), ("client",), from_ms=0, until_ms=9, symmetric=False))
    two.ask_at(100)
    two.run()

    assert len(two.heard) == 1
    assert two.answers == []


def test_a_clogged_link_holds_messages_and_lets_them_go_in_order():
    two = pair(Clog("client", "server", from_ms=1, until_ms=5))
    two.ask_at(2_000, 3_000, 6_500)
    two.run()

    assert two.heard == [(6_000, 0), (6_000, 1), (7_500, 2)]


def test_overlapping_partitions_end_with_the_last_of_them():
    two = pair(
        Partition(("client",), ("server",), from_ms=0, until_ms=4),
        Partition(("client",), ("server",), from_ms=2, until_ms=8),
        link=UNORDERED,
    )
    two.ask_at(5_000, 9_000)
    two.run()

    assert [correlation for _, correlation in two.heard] == [1]


def test_a_dead_process_closes_its_connections_and_the_peer_is_told():
    two = pair(Crash("server", at_ms=1, down_ms=2))
    two.ask_at(10)
    two.run()

    assert two.closed == [2_000]


def test_a_machine_without_power_tells_nobody():
    two = pair(Crash("server", at_ms=1, down_ms=2, mode="power"))
    two.ask_at(10, 1_500)
    two.run()

    assert two.closed == []


def test_a_connection_to_an_earlier_incarnation_is_stale():
    """The new process does not know it: it resets it, and so the client learns of the crash."""
    two = pair(Crash("server", at_ms=2, down_ms=2, mode="power"))
    two.ask_at(10, 5_000)
    two.run()

    assert [correlation for _, correlation in two.heard] == [0]
    assert two.dropped() == [("Ping", "stale_connection")]
    assert two.closed == [7_000]


def test_a_paused_node_hears_everything_when_it_resumes():
    two = pair(Pause("server", at_ms=1, for_ms=10))
    two.ask_at(2_000, 3_000)
    two.run()

    assert two.heard == [(11_000, 0), (11_000, 1)]


def test_loss_by_chance_is_what_the_link_says_and_ends_when_the_world_heals():
    two = pair(link=Link(loss=0.5, messages="Ping", ordered=False), chooser=Seeded(3))
    two.ask_at(*range(0, 200_000, 100))
    two.world.kernel.call_later(100_000, lambda _: two.world.network.heal(), None)
    two.run()
    heard = [correlation for _, correlation in two.heard]

    assert 400 < sum(1 for correlation in heard if correlation < 1_000) < 600
    later = [correlation for correlation in heard if correlation > 1_000]
    assert later == list(range(1_001, 2_000))


def test_every_delivery_names_its_sending_as_its_cause():
    two = pair()
    two.ask_at(0, 1, 2)
    two.run()
    flat = two.world.trace.flat
    sent = {entry[0]: entry for entry in two.world.trace.of("message_sent")}

    for entry in two.world.trace.of("message_delivered"):
        (cause,) = entry[3]
        assert sent[cause][4][1] == entry[4][1]
    assert [entry[0] for entry in flat] == list(range(len(flat)))


# --- A server that wants to know when its client is gone -----------------------------------------


def watched(two):
    """When the server is told, of a client that it watches from its first message on."""
    told = []

    def watch(connection, correlation, body):
        connection.watch(lambda: told.append(two.world.kernel.now))
        two.heard.append((two.world.kernel.now, correlation))

    two.world.nodes["server"].on_request = watch
    return told


def test_a_server_that_watches_is_told_when_its_client_closes_behind_what_is_on_its_way():
    two = pair(Drop("client", "server", "Ping", nth=1), link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0, 10, 20)
    two.world.kernel.call_later(5_000, lambda _: two.connection.close(), None)
    two.run()

    assert two.heard == [(2_000, 0)]
    assert told == [7_000], "a gap does not keep it from that"


@pytest.mark.parametrize(("mode", "times"), [("process", [7_000]), ("power", [])])
def test_a_server_that_watches_learns_of_a_process_that_died_and_of_no_power_loss(mode, times):
    two = pair(Crash("client", at_ms=5, mode=mode, down_ms=1), link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0)
    two.run()

    assert told == times


@pytest.mark.parametrize(("mode", "times"), [("process", [4_000]), ("power", [])])
def test_who_watches_a_client_that_is_dead_already_is_told_too(mode, times):
    """Its message was on its way when it died."""
    two = pair(Crash("client", at_ms=1, mode=mode), link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0)
    two.run()

    assert told == times


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (Partition(("client",), ("server",), 4, 50), []),
        (Clog("client", "server", 4, 250), [307_000]),
    ],
)
def test_a_cut_link_keeps_it_from_the_server_and_a_clogged_one_until_it_is_free(fault, times):
    two = pair(fault, link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0)
    two.world.kernel.call_later(5_000, lambda _: two.connection.close(), None)
    two.run()

    assert told == times


def test_a_server_that_has_restarted_is_told_nothing_of_connections_before():
    two = pair(Crash("server", at_ms=3, down_ms=1), link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0)
    two.world.kernel.call_later(50_000, lambda _: two.connection.close(), None)
    two.run()

    assert told == []


def test_a_paused_server_is_told_when_it_resumes():
    two = pair(Pause("server", at_ms=4, for_ms=20), link=Link(latency=constant(2_000)))
    told = watched(two)
    two.ask_at(0)
    two.world.kernel.call_later(5_000, lambda _: two.connection.close(), None)
    two.run()

    assert told == [24_000]
