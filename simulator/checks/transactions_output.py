"""Does a transformation's output hold what was made of each input, once, for whoever reads it?

exactly_once_output  the records that readers of the sink are given, each place of the log counted
                     once, are those that a transform made of each input, once for each input

What a transform made is told as it makes it (`record_transformed`), again and again if it is called
again; the ids that it gives must be the same each time. What counts as an input: a record of the
source that was acknowledged to its producer or, if that one is transactional, committed by it.
What lies in the sink is what readers were given: readers of uncommitted records, too, if they are
not left out (`exactly_once_output_for`).

Readers that are given a record again at the same place are not judged by it: to read is not to
write. Not modelled: outputs that two inputs are to have in common; a sink that others write to
under the same ids.
"""

from collections.abc import Collection

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import at
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry

NAME = "exactly_once_output"

Place = tuple[str, int, int]
Input = tuple[str, str]  # Its topic and its event id.


class _Inputs:
    """The records of each topic that are certainly in its log, and committed."""

    def __init__(self) -> None:
        self.entries: dict[Input, int] = {}
        self._transactional: dict[str, None] = {}  # Nodes that send in transactions.
        self._topics: dict[tuple[str, str], str] = {}  # node, event -> where it was sent
        self._asked: dict[tuple[str, str], tuple[str, ...]] = {}

    def on_began(self, entry: FlatEntry) -> None:
        self._transactional[entry[2]] = None

    def on_sent(self, entry: FlatEntry) -> None:
        if entry[2] in self._transactional:
            self._topics[entry[2], entry[4][1]] = entry[4][2]

    def on_acknowledged(self, entry: FlatEntry) -> None:
        if entry[2] not in self._transactional:
            self.entries.setdefault((entry[4][2], entry[4][1]), entry[0])

    def on_ending(self, entry: FlatEntry) -> None:
        _, transactional_id, result, event_ids, _ = entry[4]
        which = entry[2], transactional_id
        self._asked[which] = event_ids if result == "commit" else ()

    def on_ended(self, entry: FlatEntry) -> None:
        _, transactional_id, _, outcome, _ = entry[4]
        event_ids = self._asked.pop((entry[2], transactional_id), ())
        if outcome == "done":
            for event_id in event_ids:
                topic = self._topics[entry[2], event_id]
                self.entries.setdefault((topic, event_id), entry[0])


class _Outputs:
    """What was made of which input, for which sink, and where it was read."""

    def __init__(self, groups: Collection[str]) -> None:
        self.groups = groups
        self.sources: dict[tuple[str, str], None] = {}  # Topics, and the sinks made of them.
        self.made: dict[tuple[str, Input], dict[tuple[str, ...], int]] = {}
        self.of: dict[tuple[str, str], dict[Place, None]] = {}  # sink, output -> records read
        self.read: dict[tuple[str, str], dict[Place, int]] = {}  # sink, output -> places, entries
        self.readers: dict[str, None] = {}  # Topics that somebody reads.

    def on_transformed(self, entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id, sink, outputs = entry[4]
        self.sources[topic, sink] = None
        for one in outputs:
            self.of.setdefault((sink, one), {})[topic, partition, offset] = None
        self.made.setdefault((sink, (topic, event_id)), {}).setdefault(outputs, entry[0])

    def on_assigned(self, entry: FlatEntry) -> None:
        if not self.groups or entry[4][1] in self.groups:
            self.readers.update(dict.fromkeys(topic for topic, _ in entry[4][3]))

    def on_polled(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id = entry[4]
        if not self.groups or group in self.groups:
            self.readers[topic] = None
            place = topic, partition, offset
            self.read.setdefault((topic, event_id), {}).setdefault(place, entry[0])


def exactly_once_output_for(*groups: str) -> Check:
    """The same, of what these groups are given; without one, of what all are."""

    def start() -> Watching:
        return _exactly_once_output(groups)

    promise = "What is read of a sink is what was made of each input, once for each input."
    return Check(NAME, promise, start)


def _exactly_once_output(groups: Collection[str]) -> Watching:
    inputs, outputs, ending = _Inputs(), _Outputs(groups), Ending()

    def finish() -> Verdict:
        twice, lost = Cases(), Cases()
        for (sink, event_id), places in outputs.read.items():
            if len(places) > len(outputs.of.get((sink, event_id), places)):
                where = " and ".join(at(*place) for place in places)
                twice.add(f"{event_id} was written to {where}", places.values(), (event_id,))
        for (sink, source), alternatives in outputs.made.items():
            if len(alternatives) > 1:
                _made_differently(twice, outputs, sink, source, alternatives)
        reached, unread = _losses(lost, inputs, outputs)
        if twice.count:
            return twice.verdict(NAME, reached)
        if unread and (ending.open_because or not lost.count):
            why = f"nobody reads {unread}"
            return Verdict(NAME, Status.CANNOT_TELL, reached=reached, why=why)
        return lost.verdict(NAME, reached, open_because=ending.open_because)

    observers = {
        **ending.observers(),
        "transaction_began": inputs.on_began,
        "transaction_ending": inputs.on_ending,
        "transaction_ended": inputs.on_ended,
        "record_sent": inputs.on_sent,
        "record_acknowledged": inputs.on_acknowledged,
        "record_transformed": outputs.on_transformed,
        "partitions_assigned": outputs.on_assigned,
        "record_polled": outputs.on_polled,
    }
    return Watching(observers, finish)


def _losses(cases: Cases, inputs: _Inputs, outputs: _Outputs) -> tuple[int, str]:
    """Inputs without their output; how many there were, and a sink that nobody reads."""
    reached, unread = 0, ""
    for topic, sink in outputs.sources:
        if sink not in outputs.readers:
            unread = unread or sink
            continue
        for source, seq in inputs.entries.items():
            if source[0] != topic:
                continue
            reached += 1
            alternatives = outputs.made.get((sink, source))
            if alternatives is None:
                said = f"{source[1]} lies in {topic}, and nothing was ever made of it"
                cases.add(said, (seq,), (source[1],))
            elif not any(_is_read(outputs, sink, one) for one in alternatives):
                made = ", ".join(next(iter(alternatives)))
                what = "its output" if made == source[1] else made
                said = f"{source[1]} was transformed, and {what} is not among what is read of "
                shown = (seq, next(iter(alternatives.values())))
                cases.add(said + sink, shown, (source[1],))
    return reached, unread


def _is_read(outputs: _Outputs, sink: str, ids: tuple[str, ...]) -> bool:
    return all((sink, one) in outputs.read for one in ids)


def _made_differently(
    cases: Cases,
    outputs: _Outputs,
    sink: str,
    source: Input,
    alternatives: dict[tuple[str, ...], int],
) -> None:
    """An input of which two different things were made, and both are read."""
    read = {ids: seq for ids, seq in alternatives.items() if ids and _is_read(outputs, sink, ids)}
    if len(read) > 1:
        told = " and ".join(", ".join(ids) for ids in read)
        said = f"of {source[1]} different things were made, and are read of {sink}: {told}"
        cases.add(said, read.values(), (source[1],))


exactly_once_output = exactly_once_output_for()
