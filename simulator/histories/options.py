"""What a history is asked: which anomalies are allowed, and what counts as order between clients.

1. A transaction of Kafka does not isolate its writes from those of others, so skips between its
   sends, and cycles of writes alone, are allowed always.
2. With `subscribe` it is the broker who decides what a consumer reads, and from where.
3. Offsets are given when a record is sent, not when its transaction commits. So if the order of
   writes is taken for a dependency, cycles with it are expected; without it they are not.
"""

from typing import Final

import attrs

from simulator.errors import BadInput

REALTIME: Final = "realtime"
PROCESS: Final = "process"
ALWAYS_ALLOWED = (
    "int-send-skip",
    "G0",
    "G0-process",
    "G0-realtime",
    "PL-1-cycle-exists",
    "strong-session-PL-1-cycle-exists",
    "strong-PL-1-cycle-exists",
)
ALLOWED_IF_SUBSCRIBED = ("poll-skip", "nonmonotonic-poll")
ALLOWED_IF_WRITES_ORDER = (
    "G1c",
    "G1c-process",
    "G1c-realtime",
    "PL-2-cycle-exists",
    "strong-session-PL-2-cycle-exists",
    "strong-PL-2-cycle-exists",
)
STEPS_MOST = 100_000_000


@attrs.frozen
class Options:
    """How to judge.

    Args:
        ww_deps: whether a write depends on the write before it in the log.
        subscribes: whether consumers subscribe: the broker may move them about.
        order: realtime (what ended before another began comes first) or process (only what one
            process did is in order, as where clients' clocks cannot be compared).
        allow: more anomalies that are allowed, by name.
        steps_most: how many steps the search for cycles may take; then it cannot tell.
    """

    ww_deps: bool = False
    subscribes: bool = False
    order: str = attrs.field(default=REALTIME)
    allow: tuple[str, ...] = ()
    steps_most: int = STEPS_MOST

    @order.validator
    def _known(self, _: object, value: str) -> None:
        if value not in (REALTIME, PROCESS):
            raise BadInput("order is realtime or process, not", "options", value)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The anomalies that do not break anything here."""
        return (
            *ALWAYS_ALLOWED,
            *(ALLOWED_IF_SUBSCRIBED if self.subscribes else ()),
            *(ALLOWED_IF_WRITES_ORDER if self.ww_deps else ()),
            *self.allow,
        )


def options_of(given: object, where: str) -> Options:
    """The options that a document states.

    Raises:
        BadInput: it states something else.
    """
    if not isinstance(given, dict):
        raise BadInput('options must be {"ww_deps": ..., "sub_via": [...]}, not', where, given)
    ww_deps = given.get("ww_deps", False)
    if not isinstance(ww_deps, bool):
        raise BadInput("options.ww_deps must be true or false, not", where, ww_deps)
    via = given.get("sub_via", ["assign"])
    if not isinstance(via, list) or any(one not in ("assign", "subscribe") for one in via):
        raise BadInput('options.sub_via is a list of "assign" and "subscribe", not', where, via)
    return Options(ww_deps=ww_deps, subscribes="subscribe" in via)
