"""What a saga has reserved of a resource: how much is free, whose it is now, and who waits for it.

A resource that somebody holds is locked (a semantic lock: it says that what is free is not to be
relied upon yet); the commands of others wait in the resource itself, in the order of their coming.
"""

import json

import attrs


@attrs.frozen
class Resource:
    """What there is of something: so much is free; whose it is now, and who waits for it."""

    free: int
    moves: int = 0
    by: str = ""  # The command that moved it last.
    holder: str = ""
    waiting: tuple[str, ...] = ()  # The commands, as they were sent.


def reserved(have: Resource, holder: str, amount: int) -> Resource:
    """The resource with less of it free; holder: whose it is from now on, "" is nobody's."""
    return attrs.evolve(have, free=have.free - amount, holder=holder)


def released(have: Resource, saga: str, amount: int = 0) -> Resource:
    """The resource with an amount given back, and without the saga's lock."""
    holder = "" if have.holder == saga else have.holder
    return attrs.evolve(have, free=have.free + amount, holder=holder)


def stashed(have: Resource, value: str) -> Resource:
    """The resource with one more who waits, if it does not yet."""
    waiting = have.waiting if value in have.waiting else (*have.waiting, value)
    return attrs.evolve(have, waiting=waiting)


def left(have: Resource, saga: str) -> Resource:
    """The resource without what the saga waited for."""
    waiting = tuple(one for one in have.waiting if json.loads(one)["saga"] != saga)
    return attrs.evolve(have, waiting=waiting)
