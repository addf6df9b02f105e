"""What the clients saw: operations which they began, and what they learnt of their end.

1. A send that was acknowledged is ok; one that failed for certain is fail; any other end leaves it
   unknown: the record may be in the log, or may yet appear there.
2. A crash of the client, and the end of the run, leave what was open unknown.
3. A poll is ok and holds the records that were handed over together.
4. After a crash the client goes on as another process: `billing-0/1` is its second incarnation.

What servers say is no part of it: a broker that lost its disk forgot that it did.

Not modelled: a poll that returned nothing, and commits: neither says what became of a record.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from simulator.errors import BadInput
from simulator.trace.trace import FlatEntry, Trace

OK: Final = "ok"
FAIL: Final = "fail"
UNKNOWN: Final = "unknown"


@attrs.frozen
class Send:
    """An application handed a record to a producer, and what it was told.

    `partition` and `offset` are -1 where the client was not told; `error` is empty if ok, and
    `crashed` or `still open` where no answer came. `ended_seq` is None for what never ended.
    """

    process: str
    event_id: str
    topic: str
    key: Any
    outcome: str
    invoked_seq: int
    invoked_us: int
    ended_seq: int | None = None
    ended_us: int | None = None
    partition: int = -1
    offset: int = -1
    error: str = ""


@attrs.frozen
class Seen:
    """A record as poll() handed it over."""

    topic: str
    partition: int
    offset: int
    event_id: str
    seq: int


@attrs.frozen
class Poll:
    """Records that one poll() handed to a member of a group."""

    process: str
    group: str
    at_us: int
    records: tuple[Seen, ...]


@attrs.frozen
class History:
    """Sends in the order in which they began, polls in the order in which they returned."""

    sends: tuple[Send, ...]
    polls: tuple[Poll, ...]

    def sends_that(self, outcome: str) -> tuple[Send, ...]:
        """The sends that came out ok, fail or unknown."""
        assert outcome in (OK, FAIL, UNKNOWN), f"no outcome is called {outcome!r}"
        return tuple(send for send in self.sends if send.outcome == outcome)

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All records that were handed over, in order, whoever took them."""
        return tuple(record for poll in self.polls for record in poll.records)


class Historian:
    """Gathers the history entry by entry, so that a run need not keep its trace.

    Use it as an observer: `simulate(scenario, observers=historian.observers(), keep=False)`.
    """

    def __init__(self) -> None:
        self._sends: list[Send | None] = []
        # The sends without an answer: places in `_sends`, the oldest of equal ones first.
        self._open: dict[tuple[str, str, str], list[tuple[int, FlatEntry]]] = {}
        self._polls: list[tuple[str, str, int, list[Seen]]] = []
        self._incarnation: dict[str, int] = {}
        self._hear: dict[str, Callable[[FlatEntry], None]] = {
            "record_sent": self._sent,
            "record_acknowledged": self._acknowledged,
            "record_failed": self._failed,
            "record_polled": self._polled,
            "node_crashed": self._crashed,
            "node_restarted": self._restarted,
        }

    def observers(self) -> list[tuple[str, Callable[[FlatEntry], None]]]:
        """For `simulate` and `Trace`: which kinds it must be told of."""
        return list(self._hear.items())

    def observe(self, entries: Iterable[FlatEntry]) -> None:
        """Hear the entries, in order.

        Raises:
            BadInput: an answer has no send.
        """
        hear = self._hear
        for entry in entries:
            told = hear.get(entry[4][0])
            if told is not None:
                told(entry)

    def history(self) -> History:
        """So far; what is open now is unknown."""
        sends = list(self._sends)
        for waiting in self._open.values():
            for place, entry in waiting:
                sends[place] = self._send(entry, UNKNOWN, None, error="still open")
        polls = (
            Poll(process, group, at_us, tuple(records))
            for process, group, at_us, records in self._polls
        )
        return History(tuple(send for send in sends if send is not None), tuple(polls))

    def _process(self, node: str) -> str:
        return f"{node}/{self._incarnation.get(node, 0)}"

    def _send(self, invoked: FlatEntry, outcome: str, ended: FlatEntry | None, **told: Any) -> Send:
        seq, at_us, node, _, (_, event_id, topic, key) = invoked
        return Send(
            self._process(node),
            event_id,
            topic,
            key,
            outcome,
            seq,
            at_us,
            None if ended is None else ended[0],
            None if ended is None else ended[1],
            **told,
        )

    def _sent(self, entry: FlatEntry) -> None:
        event = entry[4]
        waiting = self._open.setdefault((entry[2], event[1], event[2]), [])
        waiting.append((len(self._sends), entry))
        self._sends.append(None)

    def _answer(self, entry: FlatEntry, outcome: str, **told: Any) -> None:
        """End the oldest open send of the same record by the same client."""
        event = entry[4]
        key = (entry[2], event[1], event[2])
        waiting = self._open.get(key)
        if not waiting:
            raise BadInput(
                f"{entry[2]} has sent no such record of {event[2]}", f"entry {entry[0]}", event[1]
            )
        place, invoked = waiting.pop(0)
        if not waiting:
            del self._open[key]
        self._sends[place] = self._send(invoked, outcome, entry, **told)

    def _acknowledged(self, entry: FlatEntry) -> None:
        _, _, _, partition, offset = entry[4]
        self._answer(entry, OK, partition=partition, offset=offset)

    def _failed(self, entry: FlatEntry) -> None:
        _, _, _, error, definite = entry[4]
        self._answer(entry, FAIL if definite else UNKNOWN, error=error)

    def _polled(self, entry: FlatEntry) -> None:
        seq, at_us, node, _, (_, group, topic, partition, offset, event_id) = entry
        process = self._process(node)
        record = Seen(topic, partition, offset, event_id, seq)
        if self._polls:
            last_process, last_group, last_us, records = self._polls[-1]
            # One poll records its records one after the other, and nothing in between.
            if (last_process, last_group, last_us) == (process, group, at_us) and (
                records[-1].seq == seq - 1
            ):
                records.append(record)
                return
        self._polls.append((process, group, at_us, [record]))

    def _crashed(self, entry: FlatEntry) -> None:
        """Nobody is left to hear of what the client had begun."""
        node = entry[2]
        for key in [key for key in self._open if key[0] == node]:
            for place, invoked in self._open.pop(key):
                self._sends[place] = self._send(invoked, UNKNOWN, entry, error="crashed")

    def _restarted(self, entry: FlatEntry) -> None:
        self._incarnation[entry[2]] = entry[4][1]


def history(trace: Trace) -> History:
    """What the clients saw in a kept trace.

    Raises:
        BadInput: an answer has no send.
    """
    historian = Historian()
    historian.observe(trace.flat)
    return historian.history()
