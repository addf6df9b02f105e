"""Does a partition's former owner write behind the back of its successor?

owners_write_in_turn  what a partition's former owner wrote lies before what its successor wrote
owners_apply_in_turn  no store does what a former owner asks for once it has done what the successor
                      of that one asked for

A zombie, who has not heard that its partitions went to others, is in every group; its commits are
refused, but nobody stops what else it writes. The first check looks at what readers were given, in
the order of the log. A write is known by its event: a member that polled a record of a partition,
and then sends one to another topic for the same event, writes as that partition's owner. So it
does with a store: who asked for an effect, the request tells that was delivered just before it.

No guarantee promises it: a producer writes wherever it likes, and a store serves whoever asks. It
is a promise of systems whose owners write state for their successors, such as changelogs, and of
stores that are told by a fencing token who is out of date.

Not modelled: writes that were never acknowledged, or that nobody reads; effects of transactions of
several statements; effects that a handler asks for by a plain call, without a request, as they
happen in its own process.
"""

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry

Place = tuple[str, str, int]

NOBODY_READS = "nobody read what the owners wrote"
NOBODY_ASKED = "no effect was asked for by a request of one who owned a partition"


@attrs.define
class _Terms:
    """Who owns what, and for which partition one works on an event.

    terms: of each partition of a group the number of owners so far. mine: node to partition to the
    number of its own term. polled: node to event to the partition that it was polled from.
    """

    terms: dict[Place, int] = attrs.field(factory=dict)
    mine: dict[str, dict[Place, int]] = attrs.field(factory=dict)
    polled: dict[str, dict[str, Place]] = attrs.field(factory=dict)

    def on_assigned(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        for topic, number in partitions:
            place = (group, topic, number)
            self.terms[place] = term = self.terms.get(place, 0) + 1
            self.mine.setdefault(entry[2], {})[place] = term

    def on_polled(self, entry: FlatEntry) -> None:
        _, group, topic, number, _, event_id = entry[4]
        self.polled.setdefault(entry[2], {})[event_id] = (group, topic, number)

    def of(self, node: str, event_id: str) -> tuple[Place, int] | None:
        """The partition for which a node works on an event, and its term there."""
        place = self.polled.get(node, {}).get(event_id)
        term = self.mine.get(node, {}).get(place) if place is not None else None
        return None if place is None or term is None else (place, term)


@attrs.define
class _Writes:
    """Follows what the owners of partitions write, and what of it is read.

    sent: what is on its way, by node, event and topic. landed: by place in the log.
    """

    terms: _Terms = attrs.field(factory=_Terms)
    sent: dict[tuple[str, str, str], tuple[Place, int]] = attrs.field(factory=dict)
    landed: dict[tuple[str, int, int], tuple[Place, int, str, str]] = attrs.field(factory=dict)
    read: dict[tuple[str, int], dict[int, int]] = attrs.field(factory=dict)

    def on_polled(self, entry: FlatEntry) -> None:
        _, _, topic, number, offset, _ = entry[4]
        self.read.setdefault((topic, number), {}).setdefault(offset, entry[0])
        self.terms.on_polled(entry)

    def on_sent(self, entry: FlatEntry) -> None:
        _, event_id, topic, _ = entry[4]
        works = self.terms.of(entry[2], event_id)
        if works is not None and works[0][1] != topic:
            self.sent[entry[2], event_id, topic] = works

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, number, offset = entry[4]
        wrote = self.sent.pop((entry[2], event_id, topic), None)
        if wrote is not None and offset >= 0:
            self.landed[topic, number, offset] = (*wrote, entry[2], event_id)

    def finish(self) -> Verdict:
        cases, reached = Cases(), 0
        for (topic, number), offsets in self.read.items():
            newest: dict[Place, tuple[int, int, str]] = {}  # The latest term, its entry, its owner.
            for offset in sorted(offsets):
                wrote = self.landed.get((topic, number, offset))
                if wrote is None:
                    continue
                place, term, node, event_id = wrote
                reached += 1
                known = newest.get(place)
                if known is None or term >= known[0]:
                    newest[place] = (term, offsets[offset], node)
                    continue
                said = f"{node} wrote for {event_id} at {topic}-{number}@{offset}, behind what"
                owned = f"{known[2]} had written, who owned {place[1]}-{place[2]} after it"
                cases.add(f"{said} {owned}", (known[1], offsets[offset]), (event_id,))
        name = "owners_write_in_turn"
        if self.landed and not reached:
            return Verdict(name, Status.CANNOT_TELL, why=NOBODY_READS)
        return cases.verdict(name, reached)


def _owners_write_in_turn() -> Watching:
    writes = _Writes()
    observers = {
        "partitions_assigned": writes.terms.on_assigned,
        "record_polled": writes.on_polled,
        "record_sent": writes.on_sent,
        "record_acknowledged": writes.on_acknowledged,
    }
    return Watching(observers, writes.finish)


@attrs.define
class _Effects:
    """Follows what the owners of partitions have stores do.

    asked: requests on their way, by message: who asks, as whose owner. delivered: a store to the
    entry in which it was given a request, and that request. latest: of each store and partition the
    latest term that has had an effect, its entry and its owner.
    """

    terms: _Terms = attrs.field(factory=_Terms)
    cases: Cases = attrs.field(factory=Cases)
    effects: int = 0
    judged: int = 0
    asked: dict[int, tuple[str, Place, int, str]] = attrs.field(factory=dict)
    delivered: dict[str, tuple[int, tuple[str, Place, int, str]]] = attrs.field(factory=dict)
    latest: dict[tuple[str, Place], tuple[int, int, str]] = attrs.field(factory=dict)

    def on_sent(self, entry: FlatEntry) -> None:
        _, message, source, _, api, about = entry[4]
        if api == "TransactRequest" and about:
            works = self.terms.of(source, about[0])
            if works is not None:
                self.asked[message] = (source, *works, about[0])

    def on_delivered(self, entry: FlatEntry) -> None:
        if entry[4][4] == "TransactRequest":
            asked = self.asked.get(entry[4][1])
            if asked is None:
                self.delivered.pop(entry[2], None)
            else:
                self.delivered[entry[2]] = (entry[0], asked)

    def on_applied(self, entry: FlatEntry) -> None:
        seq, _, store, _, (_, table, key, _, event_id) = entry
        if not event_id:
            return
        self.effects += 1
        previous, asked = self.delivered.get(store, (-2, ("", ("", "", -1), 0, "")))
        if previous != seq - 1 or asked[3] != event_id:
            return  # A plain call.
        self.delivered[store] = (seq, asked)  # A transaction's rows come one after the other.
        self.judged += 1
        node, place, term, _ = asked
        known = self.latest.get((store, place))
        if known is None or term >= known[0]:
            self.latest[store, place] = (term, seq, node)
            return
        said = f"{store} changed {table} {key!r} for {event_id} as {node} asked, behind what"
        owned = f"{known[2]} had it do, who owned {place[1]}-{place[2]} after that one"
        self.cases.add(f"{said} {owned}", (known[1], seq), (event_id,))

    def finish(self) -> Verdict:
        if self.effects and not self.judged:
            return Verdict("owners_apply_in_turn", Status.CANNOT_TELL, why=NOBODY_ASKED)
        return self.cases.verdict("owners_apply_in_turn", self.judged)


def _owners_apply_in_turn() -> Watching:
    effects = _Effects()
    observers = {
        "partitions_assigned": effects.terms.on_assigned,
        "record_polled": effects.terms.on_polled,
        "message_sent": effects.on_sent,
        "message_delivered": effects.on_delivered,
        "effect_applied": effects.on_applied,
    }
    return Watching(observers, effects.finish)


owners_write_in_turn = Check(
    "owners_write_in_turn",
    "What a partition's former owner wrote lies before what its successor wrote.",
    _owners_write_in_turn,
)
owners_apply_in_turn = Check(
    "owners_apply_in_turn",
    "No store does what a partition's former owner asks for, behind what its successor asked for.",
    _owners_apply_in_turn,
)
