"""A plain call between two nodes, and its answer: no broker is in between."""

from typing import Any, NamedTuple


class CallRequest(NamedTuple):
    """A question to a server."""

    question: Any


class CallResponse(NamedTuple):
    """Its answer."""

    answer: Any
