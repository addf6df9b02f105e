"""Does a partition's former owner write behind the back of its successor?

owners_write_in_turn  what a partition's former owner wrote lies before what its successor wrote

A zombie, who has not heard that its partitions went to others, is in every group; its commits are
refused, but nobody stops what else it writes. This check looks at what readers were given, in the
order of the log. A write is known by its event: a member that polled a record of a partition, and
then sends one to another topic for the same event, writes as that partition's owner.

No guarantee promises it: a producer writes wherever it likes. It is a promise of systems whose
owners write state for their successors, such as changelogs.

Not modelled: writes that were never acknowledged, or that nobody reads; effects in stores, of which
it is not told who asked for them.
"""

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry

Place = tuple[str, str, int]

NOBODY_READS = "nobody read what the owners wrote"


@attrs.define
class _Writes:
    """Follows what the owners of partitions write, and what of it is read.

    terms: of each partition of a group the number of owners so far. mine: node to partition to the
    number of its own term. polled: node to event to the partition that it was polled from. sent:
    what is on its way, by node, event and topic. landed: by place in the log.
    """

    terms: dict[Place, int] = attrs.field(factory=dict)
    mine: dict[str, dict[Place, int]] = attrs.field(factory=dict)
    polled: dict[str, dict[str, Place]] = attrs.field(factory=dict)
    sent: dict[tuple[str, str, str], tuple[Place, int]] = attrs.field(factory=dict)
    landed: dict[tuple[str, int, int], tuple[Place, int, str, str]] = attrs.field(factory=dict)
    read: dict[tuple[str, int], dict[int, int]] = attrs.field(factory=dict)

    def on_assigned(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        for topic, number in partitions:
            place = (group, topic, number)
            self.terms[place] = term = self.terms.get(place, 0) + 1
            self.mine.setdefault(entry[2], {})[place] = term

    def on_polled(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, topic, number, offset, event_id) = entry
        self.read.setdefault((topic, number), {}).setdefault(offset, seq)
        self.polled.setdefault(node, {})[event_id] = (group, topic, number)

    def on_sent(self, entry: FlatEntry) -> None:
        _, event_id, topic, _ = entry[4]
        node = entry[2]
        place = self.polled.get(node, {}).get(event_id)
        if place is not None and place[1] != topic:
            term = self.mine.get(node, {}).get(place)
            if term is not None:
                self.sent[node, event_id, topic] = (place, term)

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
        "partitions_assigned": writes.on_assigned,
        "record_polled": writes.on_polled,
        "record_sent": writes.on_sent,
        "record_acknowledged": writes.on_acknowledged,
    }
    return Watching(observers, writes.finish)


owners_write_in_turn = Check(
    "owners_write_in_turn",
    "What a partition's former owner wrote lies before what its successor wrote.",
    _owners_write_in_turn,
)
