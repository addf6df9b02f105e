"""An entry of the trace as a class, for readers; inside it is a flat tuple."""

import attrs

from simulator.trace.events import Event


@attrs.frozen
class Entry:
    """One line of the trace: which, when, where, why and what."""

    seq: int
    at_us: int
    node: str
    causes: tuple[int, ...]
    event: Event
