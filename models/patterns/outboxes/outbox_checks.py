"""What an outbox promises, judged by what the store committed and what the topic's log holds.

A change is a committed row of `changes`, under its event's id; an event is on the topic when a
broker has appended it. Neither the service nor a relay is asked.

no_ghost             an event on the topic tells of a change that was committed before
no_loss              a committed change is on the topic in the end
commit_order         an order's events are first on the topic in the order of their commits
at_most_repeated     no more events are repeated than one batch for each crash of a relay
never_repeated       no event is on the topic twice
passed_by_no_one     when an event is sent, no change with a smaller number is yet to be committed
numbered_as_committed  rows' numbers follow the order of their commits
"""

from collections.abc import Callable
from typing import Any

import attrs

from models.patterns.outboxes.outbox import TOPIC
from simulator import Cases, Check, Verdict, Watching

CHANGES = "changes"


@attrs.define
class _Told:
    """What was committed and what was appended, with the entries that say so."""

    changes: dict[str, int] = attrs.field(factory=dict)
    events: dict[str, int] = attrs.field(factory=dict)
    repeated: dict[str, list[int]] = attrs.field(factory=dict)
    numbers: dict[str, int] = attrs.field(factory=dict)
    sent: dict[str, int] = attrs.field(factory=dict)
    crashes: int = 0
    deaths: list[int] = attrs.field(factory=list)
    cut: str = "the trace does not show the end of the run"

    def on_applied(self, entry: Any) -> None:
        _, table, key, _, _ = entry[4]
        if table == CHANGES:
            self.changes.setdefault(key, entry[0])

    def on_appended(self, entry: Any) -> None:
        if entry[4][1] == TOPIC:
            for event_id in entry[4][4]:
                if event_id in self.events:
                    self.repeated.setdefault(event_id, []).append(entry[0])
                self.events.setdefault(event_id, entry[0])

    def on_sent(self, entry: Any) -> None:
        if entry[4][2] == TOPIC:
            self.sent.setdefault(entry[4][1], entry[0])

    def on_noted(self, entry: Any) -> None:
        if entry[4][1] == "numbered":
            event_id, _, number = entry[4][2].rpartition(" ")
            self.numbers[event_id] = int(number)

    def on_crashed(self, entry: Any) -> None:
        self.crashes += entry[2].startswith("relay-")
        self.deaths.append(entry[0])

    def on_ended(self, entry: Any) -> None:
        reason = entry[4][1]
        self.cut = "" if reason == "quiet" else f"the run was cut ({reason})"

    def observers(self) -> dict[str, Callable[[Any], None]]:
        return {
            "effect_applied": self.on_applied,
            "batch_appended": self.on_appended,
            "record_sent": self.on_sent,
            "noted": self.on_noted,
            "node_crashed": self.on_crashed,
            "run_ended": self.on_ended,
        }


def _check(
    name: str, promise: str, judge: Callable[[_Told, Cases], int], *, ends: bool
) -> Check:
    """A check of what was told; `ends`: it is liveness, and asks for the end of the run."""

    def start() -> Watching:
        told = _Told()

        def finish() -> Verdict:
            cases = Cases()
            reached = judge(told, cases)
            return cases.verdict(name, reached, open_because=told.cut if ends else "")

        return Watching(told.observers(), finish)

    return Check(name, promise, start)


def _ghosts(told: _Told, cases: Cases) -> int:
    for event_id, seq in told.events.items():
        committed = told.changes.get(event_id)
        if committed is None or committed > seq:
            said = "was never committed" if committed is None else "was not committed yet"
            cases.add(f"{event_id} is on the topic, and {said}", (seq,), (event_id,))
    return len(told.events)


def _losses(told: _Told, cases: Cases) -> int:
    for event_id, seq in told.changes.items():
        if event_id not in told.events:
            death = [one for one in told.deaths if one > seq][:1]  # Perhaps the reason.
            cases.add(f"{event_id} was committed, and never told", (seq, *death), (event_id,))
    return len(told.changes)


def _overtakings(told: _Told, cases: Cases) -> int:
    places = {event_id: place for place, event_id in enumerate(told.changes)}
    latest: dict[str, str] = {}
    reached = 0
    for event_id, seq in told.events.items():
        if event_id not in places:
            continue
        order = event_id.rpartition("/")[0]
        before = latest.get(order)
        reached += before is not None
        if before is not None and places[before] > places[event_id]:
            said = f"{event_id} is on the topic after {before}, which was committed later"
            cases.add(said, (told.events[before], seq), (event_id, before))
        else:
            latest[order] = event_id
    return reached


def _passed(told: _Told, cases: Cases) -> int:
    reached = 0
    for event_id, seq in told.sent.items():
        number, own = told.numbers.get(event_id), told.changes.get(event_id, seq)
        if number is None:
            continue
        for other, smaller in told.numbers.items():
            committed = told.changes.get(other, -1)
            reached += smaller < number and committed > own  # Somebody could have been passed.
            if smaller < number and committed > seq:
                said = f"{event_id} ({number}) is sent while {other} ({smaller}) is in flight"
                cases.add(said, (seq, committed), (event_id, other))
                break
    return reached


def _disorder(told: _Told, cases: Cases) -> int:
    last, reached = "", 0
    for event_id, seq in told.changes.items():
        number = told.numbers.get(event_id)
        if number is None:
            continue
        reached += 1
        if last and told.numbers[last] > number:
            said = f"{event_id} ({number}) is committed after {last} ({told.numbers[last]})"
            cases.add(said, (told.changes[last], seq), (event_id, last))
        else:
            last = event_id
    return reached if reached > 1 else 0


def at_most_repeated(batch: int, name: str = "at_most_repeated") -> Check:
    """The check that each crash of a relay repeats a batch at most; without one, nothing is."""

    def judge(told: _Told, cases: Cases) -> int:
        repeats = [(seq, one) for one, seqs in told.repeated.items() for seq in seqs]
        for seq, event_id in sorted(repeats)[batch * told.crashes :]:
            said = f"{event_id} is repeated, after {told.crashes} crashes of relays"
            cases.add(said, (told.events[event_id], seq), (event_id,))
        return len(told.events)

    return _check(name, f"Each crash of a relay repeats at most {batch} events.", judge, ends=False)


no_ghost = _check(
    "no_ghost", "An event tells of a change that was committed before.", _ghosts, ends=False
)
no_loss = _check("no_loss", "A committed change is told in the end.", _losses, ends=True)
commit_order = _check(
    "commit_order", "An order's events follow its commits.", _overtakings, ends=False
)
passed_by_no_one = _check(
    "passed_by_no_one", "Nothing is sent while a smaller number is in flight.", _passed, ends=False
)
numbered_as_committed = _check(
    "numbered_as_committed", "Numbers follow the order of commits.", _disorder, ends=False
)
never_repeated = at_most_repeated(0, "never_repeated")
