"""A rule: what it looks for, what to do about it, and how its harm is shown."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import attrs

from simulator.linting.architecture import Architecture, Handles, Sends, Where
from simulator.linting.finding import Found, Open, Stage

Finder = Callable[[Architecture], Iterable[Found]]


class Staging(Protocol):
    """Makes the run of a finding."""

    def __call__(self, found: Found, *, cured: bool) -> Stage:
        """The run, as it is or cured."""
        ...


@attrs.frozen
class Rule:
    """One anti-pattern.

    Attributes:
        name: as in reports and in SARIF.
        title, why, fix: what it is, what comes of it, and what to do instead; a sentence each.
        find: where an architecture has it.
        open: what the architecture would have to tell.
        stage: a small run in which a finding does its harm; or, `cured=True`, no longer does.
    """

    name: str
    title: str
    why: str
    fix: str
    find: Finder
    open: Callable[[Architecture, str], Iterable[Open]]
    stage: Staging


def handles_name(where: Where, one: Handles) -> str:
    """`billing handles orders`."""
    return f"{where[0]} handles {one.topic}"


def sends_name(where: Where, one: Sends) -> str:
    """`billing sends payments`."""
    return f"{where[0]} sends to {one.topic}"


def first(events: tuple[str, ...], otherwise: str) -> str:
    """An event to tell the story with."""
    return events[0] if events else otherwise


def nothing_open(_: Architecture, __: str) -> Iterator[Open]:
    """For rules whose facts are either there, or are no fact."""
    return iter(())


def untold_handling(field: str, missing: str) -> Callable[[Architecture, str], Iterator[Open]]:
    """Handlings that do not tell a field."""

    def look(architecture: Architecture, rule: str) -> Iterator[Open]:
        for where, one in architecture.handlings():
            if getattr(one, field) is None:
                yield Open(rule, handles_name(where, one), missing)

    return look


def untold_sending(field: str, missing: str) -> Callable[[Architecture, str], Iterator[Open]]:
    """Sendings that do not tell a field."""

    def look(architecture: Architecture, rule: str) -> Iterator[Open]:
        for where, one in architecture.sendings():
            if getattr(one, field) is None:
                yield Open(rule, sends_name(where, one), missing)

    return look
