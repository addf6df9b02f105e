"""Partition order within an assignment, key order of first effects."""

from simulator.checks.order import key_order, key_read_order, partition_order
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny


def test_growing_offsets_are_in_order_and_gaps_are_no_matter():
    verdict = partition_order(tiny("c: polled e1 1", "c: polled@1 e2 0", "c: polled e3 7"))

    assert verdict
    assert verdict.reached == 3


def test_an_offset_that_does_not_grow_is_out_of_order():
    verdict = partition_order(tiny("c: polled e1 1", "c: polled e3 7", "c: polled e2 7"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (1, 2)
    assert verdict.evidence[0].sentence == "c was given orders-0@7 after @7"


def test_a_consumer_may_go_back_with_a_new_beginning():
    beginnings = ("c: assigned", "c: revoked", "c: reset 1", "c: crashed", "c: found_cut 2 1")
    for between in beginnings:
        assert partition_order(tiny("c: polled e1 1", between, "c: polled e1 1"))


def test_another_partitions_new_beginning_is_none():
    assert not partition_order(tiny("c: polled e1 1", "c: assigned@1", "c: polled e1 1"))


def test_members_have_positions_of_their_own():
    assert partition_order(tiny("c: polled e2 2", "d: polled e1 1"))


SENT = ("p: sent e1 k", "p: sent e2 k")


def test_effects_in_the_order_of_sending_are_in_order():
    verdict = key_order(tiny(*SENT, "s: applied e1 t", "s: applied e2 t"))

    assert verdict
    assert verdict.reached == 2


def test_an_effect_before_an_earlier_one_of_its_key_is_out_of_order():
    verdict = key_order(tiny(*SENT, "s: applied e2 t", "s: applied e1 t"))

    assert not verdict
    assert verdict.entries == (2, 3)
    assert verdict.evidence[0].event_ids == ("e1", "e2")


def test_only_the_first_application_counts():
    assert key_order(tiny(*SENT, "s: applied e1 t", "s: applied e2 t", "s: applied e1 t"))


def test_what_is_missing_is_not_out_of_order():
    assert key_order(tiny("p: sent e0 k", *SENT, "s: applied e2 t"))


def test_keys_clients_and_records_without_key_have_no_common_order():
    for first, second in (("p: sent e1 k", "p: sent e2 j"), ("p: sent e1 k", "q: sent e2 k"),
                          ("p: sent e1", "p: sent e2")):
        assert key_order(tiny(first, second, "s: applied e2 t", "s: applied e1 t"))


def test_an_event_that_is_sent_again_keeps_its_place():
    assert key_order(tiny("p: sent e1 k", "p: sent e2 k", "p: sent e1 k", "s: applied e1 t",
                          "s: applied e2 t"))


def test_a_run_without_keys_reaches_nothing():
    assert key_order(tiny("p: sent e1", "s: applied e1 t")).reached == 0


KEYED = ("p: sent e1 k", "p: sent e2 k", "p: sent e3 j")


def test_a_key_s_events_are_given_out_in_the_order_of_sending_whatever_their_partitions():
    verdict = key_read_order(
        tiny(*KEYED, "c: polled e1 0", "d: polled@1 e3 0", "d: polled@2 e2 0", "c: polled e1 0")
    )

    assert verdict
    assert verdict.reached == 3


def test_a_key_s_later_event_that_is_given_out_first_is_out_of_order():
    trace = tiny(*KEYED, "d: polled@1 e2 0", "c: polled e1 0")
    verdict = key_read_order(trace)

    assert not verdict
    assert verdict.entries == (3, 4)
    said = "e1 was given to billing after e2, and sent before it with the same key"
    assert verdict.evidence[0].sentence == said
    assert "d polls e2" in verdict.explain(trace)


def test_clients_and_events_without_keys_have_no_order():
    assert key_read_order(
        tiny("p: sent e1 k", "q: sent e2 k", "p: sent e3", "p: sent e4",
             "c: polled e4 3", "c: polled e3 2", "c: polled e2 1", "c: polled e1 0")
    )
