"""A store of yours, watched: everything asked of it is told, and its node may crash just before.

Rule 1: what counts is a call of a method, an item that is read, written, deleted or looked for, an
attribute that is read or written, a loop over it, and the beginning and the end of a `with`. To
crash before one is to crash after the one before: nothing lies in between but the handler's memory.
Rule 2: parts of a store are watched as it is: collections and connections that are its attributes,
and cursors and transactions that it hands out. Values that it hands out are yours.
Rule 3: a dead process asks nothing. Where a handler's `finally` or `with` runs while its process
dies, what it asks of the store is not done.

Not modelled: a store that fails, is slow, or is asked by two processes at once; a power cut in the
middle of one call: a call happens wholly or not at all.
"""

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

Tell = Callable[[str], None]

PLAIN = frozenset((str, bytes, int, float, complex, bool, type(None)))
COLLECTIONS = (dict, list, set, deque, bytearray)
SHOWN_MOST = 60  # Characters of an argument or an answer.


def shown(value: object) -> str:
    """A value in a story, in one line."""
    try:
        text = repr(own(value))
    except Exception:  # noqa: BLE001 - a story is told of whatever can be told
        text = f"a {type(value).__name__}"
    if " object at 0x" in text:  # An address is another in every run.
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_MOST else f"{text[: SHOWN_MOST - 3]}..."


def own(value: Any) -> Any:
    """What stands behind a watched part; anything else as it is."""
    return object.__getattribute__(value, "_own") if type(value) is Watched else value


def watched(value: Any, name: str, ask: "Asking") -> Any:
    """A store, or a part of one, that tells what is asked of it."""
    return Watched(own(value), name, ask)


class Asking:
    """Who is told of what is asked, and says whether it may still be asked.

    Args:
        touch: called before each time; it may not return, if the process dies.
        tell: given each time in words, once it has been done.
    """

    __slots__ = ("tell", "touch")

    def __init__(self, touch: Callable[[], None], tell: Tell) -> None:
        self.touch = touch
        self.tell = tell

    def __call__(self, said: str, action: Callable[[], Any], *, answers: bool = True) -> Any:
        """Do it, if the process lives so long."""
        self.touch()
        try:
            result = action()
        except Exception as error:
            self.tell(f"{said} raises {type(error).__name__}: {error}")
            raise
        if inspect.iscoroutine(result):
            return self._awaited(said, result, answers=answers)
        self._answered(said, result, answers=answers)
        return result

    async def _awaited(self, said: str, result: Awaitable[Any], *, answers: bool) -> Any:
        found = await result
        self._answered(said, found, answers=answers)
        return found

    def _answered(self, said: str, result: Any, *, answers: bool) -> None:
        quiet = not answers or result is None or _is_part(result)
        self.tell(said if quiet else f"{said} gives {shown(result)}")


def _is_part(value: Any) -> bool:
    return hasattr(value, "execute") or hasattr(type(value), "__enter__")


class Watched:
    """Stands before a store, and looks like it."""

    __slots__ = ("_ask", "_name", "_own")

    def __init__(self, store: Any, name: str, ask: Asking) -> None:
        object.__setattr__(self, "_own", store)
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_ask", ask)

    # --- Attributes and methods ----------------------------------------------------------------

    def __getattribute__(self, name: str) -> Any:
        store = object.__getattribute__(self, "_own")
        if name == "__class__":
            return store.__class__  # `isinstance` is answered by what stands behind.
        value = getattr(store, name)
        if name.startswith("__"):
            return value
        ask = object.__getattribute__(self, "_ask")
        place = f"{object.__getattribute__(self, '_name')}.{name}"
        if callable(value) and not isinstance(value, type):
            return _method(value, place, ask)
        ask.touch()
        if isinstance(value, COLLECTIONS) or (type(value) not in PLAIN and _is_part(value)):
            return watched(value, place, ask)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        store, place, ask = _behind(self)
        said = f"{place}.{name} = {shown(value)}"
        ask(said, lambda: setattr(store, name, own(value)), answers=False)

    def __delattr__(self, name: str) -> None:
        store, place, ask = _behind(self)
        ask(f"del {place}.{name}", lambda: delattr(store, name), answers=False)

    def __call__(self, *args: Any, **given: Any) -> Any:
        """A store may be a function: to send a mail, say."""
        store, place, ask = _behind(self)
        return _method(store, place, ask)(*args, **given)

    # --- Items -----------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        store, place, ask = _behind(self)
        return ask(f"{place}[{shown(key)}]", lambda: store[own(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        store, place, ask = _behind(self)

        def put() -> None:
            store[own(key)] = own(value)

        ask(f"{place}[{shown(key)}] = {shown(value)}", put, answers=False)

    def __delitem__(self, key: Any) -> None:
        store, place, ask = _behind(self)

        def delete() -> None:
            del store[own(key)]

        ask(f"del {place}[{shown(key)}]", delete, answers=False)

    def __contains__(self, key: Any) -> bool:
        store, place, ask = _behind(self)
        return bool(ask(f"{shown(key)} in {place}", lambda: own(key) in store))

    def __iter__(self) -> Iterator[Any]:
        store, place, ask = _behind(self)
        found: Iterator[Any] = ask(f"iter({place})", lambda: iter(store), answers=False)
        return found

    def __len__(self) -> int:
        store, place, ask = _behind(self)
        return int(ask(f"len({place})", lambda: len(store)))

    def __bool__(self) -> bool:
        return bool(own(self))

    # --- With ------------------------------------------------------------------------------------

    def __enter__(self) -> Any:
        store, place, ask = _behind(self)
        entered = ask(f"with {place}", store.__enter__, answers=False)
        return self if entered is store else _handed_out(entered, place, ask)

    def __exit__(self, *why: object) -> Any:
        return _leave(self, "__exit__", why)

    async def __aenter__(self) -> Any:
        store, place, ask = _behind(self)
        entered = await ask(f"async with {place}", store.__aenter__, answers=False)
        return self if entered is store else _handed_out(entered, place, ask)

    async def __aexit__(self, *why: object) -> Any:
        return await _leave(self, "__aexit__", why)

    # --- As the store itself ---------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return bool(own(self) == own(other))

    def __hash__(self) -> int:
        return object.__hash__(own(self))

    def __repr__(self) -> str:
        return repr(own(self))

    def __str__(self) -> str:
        return str(own(self))

    def __ior__(self, other: Any) -> Any:
        return _in_place(self, "|=", "__ior__", other)

    def __iadd__(self, other: Any) -> Any:
        return _in_place(self, "+=", "__iadd__", other)


def _behind(one: Watched) -> tuple[Any, str, Asking]:
    """The store, its name, and whom to ask."""
    find = object.__getattribute__
    return find(one, "_own"), find(one, "_name"), find(one, "_ask")


def _handed_out(result: Any, place: str, ask: Asking) -> Any:
    """What a store's method gave: a cursor or a transaction is a part of the store."""
    if type(result) in PLAIN or isinstance(result, COLLECTIONS) or not _is_part(result):
        return result
    return watched(result, f"{place.partition('.')[0]}.{type(own(result)).__name__.lower()}", ask)


def _method(method: Callable[..., Any], place: str, ask: Asking) -> Callable[..., Any]:
    async def later(result: Awaitable[Any]) -> Any:
        return _handed_out(await result, place, ask)

    def call(*args: Any, **given: Any) -> Any:
        words = [shown(one) for one in args]
        words += [f"{name}={shown(value)}" for name, value in given.items()]
        by_name = {name: own(value) for name, value in given.items()}
        result = ask(f"{place}({', '.join(words)})", lambda: method(*map(own, args), **by_name))
        return later(result) if inspect.iscoroutine(result) else _handed_out(result, place, ask)

    return call


def _leave(one: Watched, way: str, why: tuple[Any, ...]) -> Any:
    store, place, ask = _behind(one)
    said = f"end of with {place}" + (f" ({why[0].__name__})" if why[0] is not None else "")
    return ask(said, lambda: getattr(store, way)(*why), answers=False)


def _in_place(one: Watched, sign: str, way: str, other: Any) -> Watched:
    store, place, ask = _behind(one)
    ask(f"{place} {sign} {shown(other)}", lambda: getattr(store, way)(own(other)), answers=False)
    return one
