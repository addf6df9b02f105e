"""What a crossing's controller decides: who has green, who is next, and what is told to whom.

Never may two sides of a crossing be green together. Two ways that keep this, whatever the network
between the controller and its signal heads does:

acknowledged  the green side is told to turn red; only when it has said that it is, the other is
              told to turn green. Commands are numbered, and a head does nothing that is older
              than what it has done: a command that comes again changes nothing.
leased        green ends by itself, at a time that is in the command; nobody else's begins before
              that time has passed. It asks no answer, but clocks that agree; and what comes too
              late is not shown, so that somebody may wait for the next car.

Twin: `at_once` tells both in one breath.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

GREEN, RED = "green", "red"
GREEN_US, MARGIN_US = 300_000, 20_000


@attrs.frozen
class Control:
    """What a controller knows of its crossing: which side has green, and who wants it next.

    clearing: the green side was told to turn red, and has not said that it is.
    number: of the last command.
    free_us: no other side may be green before this time.
    """

    green: str = ""
    clearing: bool = False
    wanted: tuple[str, ...] = ()
    number: int = 0
    free_us: int = 0


@attrs.frozen
class Told:
    """A command to a signal head.

    from_us, until_us: when it may be shown, by the clocks of those who show it; until 0: for ever.
    """

    side: str
    colour: str
    number: int
    from_us: int = 0
    until_us: int = 0


Answer = tuple[Control, tuple[Told, ...]]
Way = Callable[[Control, Mapping[str, Any], int], Answer]
"""From what is known, what has happened and the time, to what is known then, and what is told."""


def _wants(control: Control, side: str) -> Control:
    has_it = side == control.green and not control.clearing
    if has_it or side in control.wanted:
        return control
    return attrs.evolve(control, wanted=(*control.wanted, side))


def _next_green(control: Control, now_us: int) -> Answer:
    """Green to the first who wants it; if others do, that it is to be red in a while."""
    side, *rest = control.wanted
    number = control.number + 1
    told = (Told(side, GREEN, number),)
    if not rest:
        return Control(side, number=number), told
    after = Control(side, clearing=True, wanted=tuple(rest), number=number + 1)
    return after, (*told, Told(side, RED, number + 1, now_us + GREEN_US))


def acknowledged(control: Control, event: Mapping[str, Any], now_us: int) -> Answer:
    """Red first; green when red is known."""
    if "shown" in event:
        awaited = control.clearing and event["number"] == control.number
        return _next_green(control, now_us) if awaited else (control, ())
    control = _wants(control, event["side"])
    if not control.wanted or control.clearing:
        return control, ()
    if not control.green:
        return _next_green(control, now_us)
    number = control.number + 1
    after = attrs.evolve(control, clearing=True, number=number)
    return after, (Told(control.green, RED, number),)


def at_once(control: Control, event: Mapping[str, Any], _: int) -> Answer:
    """Twin: red to the one and green to the other, in one breath."""
    if "shown" in event or event["side"] == control.green:
        return control, ()
    number = control.number + 1
    red = (Told(control.green, RED, number),) if control.green else ()
    after = Control(event["side"], number=number + 1)
    return after, (*red, Told(event["side"], GREEN, number + 1))


def leased(control: Control, event: Mapping[str, Any], now_us: int) -> Answer:
    """Green for a while; the next one's begins when it must be over."""
    if "shown" in event or (event["side"] == control.green and now_us < control.free_us):
        return control, ()
    number, from_us = control.number + 1, max(now_us, control.free_us)
    until_us = from_us + GREEN_US
    after = Control(event["side"], number=number, free_us=until_us + MARGIN_US)
    return after, (Told(event["side"], GREEN, number, from_us, until_us),)
