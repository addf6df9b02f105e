"""A saga as data: its steps, the commands to do and to undo them, and where it is.

Steps are of three kinds, in this order: `compensatable` ones, whose effect can be undone; at most
one `pivot`, after which there is no way back; `retriable` ones, which are asked for until they
are done. What follows from what a saga is told is decided in `deciding`.
"""

import attrs

from simulator import BadInput

COMPENSATABLE, PIVOT, RETRIABLE = "compensatable", "pivot", "retriable"
RUNNING, COMPENSATING, COMPLETED, COMPENSATED = (
    "running", "compensating", "completed", "compensated"
)  # fmt: skip
ENDS = (COMPLETED, COMPENSATED)
DO, UNDO = "do", "undo"


@attrs.frozen
class Step:
    """What one service does for a saga.

    Args:
        name: such as reserve_stock; its effects are counted in a table of that name.
        service: who does it.
        kind: compensatable, pivot or retriable.
        frees: the step whose lock it takes away, for what was reserved is a fact from now on.
    """

    name: str
    service: str
    kind: str = COMPENSATABLE
    frees: str = ""


Saga = tuple[Step, ...]


def saga(*steps: Step) -> Saga:
    """Steps in an order in which a saga can always end.

    Raises:
        BadInput: a step stands behind one that must come after it, or there are two pivots.
    """
    kinds = [(COMPENSATABLE, PIVOT, RETRIABLE).index(step.kind) for step in steps]
    if kinds != sorted(kinds) or kinds.count(1) > 1:
        order = ", ".join(f"{step.name} ({step.kind})" for step in steps)
        rule = "compensatable steps come first, then one pivot, then retriable ones; not"
        raise BadInput(rule, "saga", order)
    return steps


@attrs.frozen
class Command:
    """Do a step, or undo it; its id is the same however often it is sent."""

    saga: str
    step: str
    verb: str = DO

    @property
    def id(self) -> str:
        """Such as `o-1/charge/do`."""
        return f"{self.saga}/{self.step}/{self.verb}"


# --- What it is told, and what it makes of that ------------------------------------------------


@attrs.frozen
class Reply:
    """A participant's answer to a command: it is done, or refused for a reason of business."""

    command: Command
    done: bool = True


@attrs.frozen
class TimedOut:
    """No answer to a command came in time."""

    command: Command


@attrs.frozen
class Fact:
    """What a saga's history is made of.

    what: done, refused, timed_out (each of a step), undone, asked_again.
    """

    what: str
    step: str


@attrs.frozen
class State:
    """Where a saga is: what is done, in the order in which it was, and what is to be undone."""

    saga: str
    phase: str = RUNNING
    done: tuple[str, ...] = ()
    undoing: tuple[str, ...] = ()
    asked: int = 1  # How often for what is awaited.
