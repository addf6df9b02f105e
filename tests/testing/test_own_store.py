"""A store of yours, watched: it looks like itself, and each thing asked of it can be the last."""

import contextlib
import sqlite3
from collections import deque

import pytest

from simulator.testing.own_store import Asking, own, watched


class Dead(BaseException):
    pass


class Asked:
    """Counts, and dies before the n-th."""

    def __init__(self, dies_at=None):
        self.said = []
        self.count = 0
        self.dies_at = dies_at

    def __call__(self):
        self.count += 1
        if self.dies_at is not None and self.count >= self.dies_at:
            raise Dead

    def watch(self, store):
        return watched(store, "store", Asking(self, self.said.append))


def test_a_dict_is_told_of_item_by_item():
    asked, real = Asked(), {"a": 1}
    store = asked.watch(real)

    store["b"] = store["a"] + 1
    assert "b" in store
    assert len(store) == 2
    assert [key for key in store] == ["a", "b"]  # noqa: C416 - list() asks for its length, too
    del store["a"]
    assert store.pop("b") == 2

    assert real == {}
    assert asked.said == [
        "store['a'] gives 1",
        "store['b'] = 2",
        "'b' in store gives True",
        "len(store) gives 2",
        "iter(store)",
        "del store['a']",
        "store.pop('b') gives 2",
    ]


def test_it_dies_before_what_it_was_to_do():
    real = {}
    store = Asked(dies_at=2).watch(real)

    store["a"] = 1
    with pytest.raises(Dead):
        store["b"] = 1
    with pytest.raises(Dead):  # And what runs while it dies is not done.
        store["c"] = 1

    assert real == {"a": 1}


def test_it_looks_like_what_it_is():
    store = Asked().watch({"a": 1})

    assert isinstance(store, dict)
    assert store == {"a": 1}
    assert str(store) == repr(store) == "{'a': 1}"
    assert bool(store)
    assert own(store) is not store
    assert own(3) == 3


def test_collections_that_are_its_attributes_are_watched():
    class Accounts:
        def __init__(self):
            self.seen = set()
            self.waiting = deque()
            self.total = 0

        def add(self, amount):
            self.total += amount

    asked, real = Asked(), Accounts()
    store = asked.watch(real)

    store.seen.add("e1")
    store.seen |= {"e2"}
    store.waiting.append(1)
    store.total += 1
    store.add(amount=2)
    del store.waiting

    assert (sorted(real.seen), real.total) == (["e1", "e2"], 3)
    assert "store.seen.add('e1')" in asked.said
    assert "store.add(amount=2)" in asked.said
    assert "store.total = 1" in asked.said
    assert asked.count > len(asked.said)  # To read an attribute is a point, and not told.


def test_a_cursor_belongs_to_its_connection():
    asked = Asked()
    store = asked.watch(sqlite3.connect(":memory:"))

    cursor = store.cursor()
    cursor.execute("CREATE TABLE t (a)")
    with store:
        store.execute("INSERT INTO t VALUES (1)")
    assert store.execute("SELECT a FROM t").fetchone() == (1,)
    with contextlib.suppress(sqlite3.OperationalError), store:
        store.execute("nonsense")
    store.close()

    assert asked.said[:5] == [
        "store.cursor()",
        "store.cursor.execute('CREATE TABLE t (a)')",
        "with store",
        "store.execute('INSERT INTO t VALUES (1)')",
        "end of with store",
    ]
    assert "store.cursor.fetchone() gives (1,)" in asked.said
    assert any("raises OperationalError" in said for said in asked.said)
    assert "end of with store (OperationalError)" in asked.said


def test_a_function_may_be_a_store():
    asked, sent = Asked(), []

    asked.watch(sent.append)("mail")

    assert sent == ["mail"]
    assert asked.said == ["store('mail')"]


def test_what_is_awaited_is_told_when_it_is_done():
    class Client:
        async def get(self, key):
            return key * 2

        async def __aenter__(self):
            return self

        async def __aexit__(self, *why):
            return None

    asked = Asked()

    async def use(store):
        async with store as client:
            return await client.get("a")

    with pytest.raises(StopIteration) as done:
        use(asked.watch(Client())).send(None)  # It waits for nothing.

    assert done.value.value == "aa"
    assert asked.said == [
        "async with store", "store.get('a') gives 'aa'", "end of with store",
    ]  # fmt: skip


def test_no_address_comes_into_a_story():
    class Thing:
        def get(self):
            return object()

    asked = Asked()
    asked.watch(Thing()).get()

    assert asked.said == ["store.get() gives a object"]
