"""An append is where it expects to be, a retry is known by its place, and nothing is changed."""

import pytest

from models.patterns.event_sourcing.event_store import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    Event,
    EventStore,
    StreamDeleted,
    WrongExpectedVersion,
)

STREAM = "stock-A1"


def events(*ids):
    return [Event("Counted", 1, one) for one in ids]


def ids(store, stream=STREAM):
    return [one.event.event_id for one in store.read(stream)]


@pytest.fixture
def store():
    """Three events in a stream."""
    store = EventStore()
    store.append(STREAM, events("a", "b", "c"), NO_STREAM)
    return store


def test_versions_begin_at_0_and_positions_count_all_streams(store):
    store.append("other", events("x"))

    assert [(one.position, one.version) for one in store.read(STREAM)] == [(0, 0), (1, 1), (2, 2)]
    assert [(one.position, one.version) for one in store.read("other")] == [(3, 0)]
    assert [one.stream for one in store.read_all(after=1)] == [STREAM, "other"]


@pytest.mark.parametrize("expected", [2, ANY, STREAM_EXISTS])
def test_what_is_so_may_be_expected(store, expected):
    assert store.append(STREAM, events("d", "e"), expected) == 4
    assert ids(store) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("expected", [NO_STREAM, 0, 1, 3, 7])
def test_what_is_not_so_is_refused_and_nothing_is_written(store, expected):
    with pytest.raises(WrongExpectedVersion, match=f"at 2, not at {expected}"):
        store.append(STREAM, events("d"), expected)

    assert ids(store) == ["a", "b", "c"]


def test_a_stream_that_must_exist_must_exist(store):
    with pytest.raises(WrongExpectedVersion, match="does not exist"):
        store.append("other", events("x"), STREAM_EXISTS)


@pytest.mark.parametrize(("expected", "retried"), [(-1, "abc"), (0, "bc"), (-1, "a"), (1, "c")])
def test_a_retry_is_answered_as_at_first(store, expected, retried):
    assert store.append(STREAM, events(*retried), expected) == expected + len(retried)
    assert ids(store) == ["a", "b", "c"]


@pytest.mark.parametrize("retried", ["cb", "bd", "bcd"])
def test_an_append_that_is_partly_another_is_no_retry(store, retried):
    with pytest.raises(WrongExpectedVersion):
        store.append(STREAM, events(*retried), 0)


def test_the_same_ids_at_a_newer_version_are_appended_again(store):
    """Idempotence is by place: the store has no index of ids."""
    store.append(STREAM, events("c"), 2)

    assert ids(store) == ["a", "b", "c", "c"]


def test_any_knows_the_ids_that_are_in_its_cache(store):
    assert store.append(STREAM, events("b", "c"), ANY) == 2
    assert ids(store) == ["a", "b", "c"]


def test_any_knows_no_id_that_has_left_its_cache():
    store = EventStore(remembers=2)
    for one in "abc":
        store.append(STREAM, events(one))

    store.append(STREAM, events("c"))
    store.append(STREAM, events("a"))

    assert ids(store) == ["a", "b", "c", "a"]


def test_a_cut_stream_keeps_its_numbers(store):
    store.keep(STREAM, 1)

    assert [one.version for one in store.read(STREAM)] == [2]
    assert [one.version for one in store.read_all()] == [2]
    assert store.first_kept(STREAM) == 2
    assert store.append(STREAM, events("d"), 2) == 3


@pytest.mark.parametrize("expected", [NO_STREAM, 2, ANY])
def test_a_stream_that_was_deleted_goes_on_in_numbering(store, expected):
    store.delete(STREAM)
    assert ids(store) == []

    assert store.append(STREAM, events("d"), expected) == 3
    assert ids(store) == ["d"]
    with pytest.raises(WrongExpectedVersion):
        store.append(STREAM, events("e"), NO_STREAM)


def test_a_deleted_stream_does_not_exist(store):
    store.delete(STREAM)

    with pytest.raises(WrongExpectedVersion, match="does not exist"):
        store.append(STREAM, events("d"), STREAM_EXISTS)


@pytest.mark.parametrize("expected", [NO_STREAM, 2, ANY])
def test_a_tombstone_is_for_ever(store, expected):
    store.tombstone(STREAM)

    with pytest.raises(StreamDeleted):
        store.append(STREAM, events("d"), expected)
    assert ids(store) == []
