"""Does a transformation's output hold what was made of each input, once, for whoever reads it?

exactly_once_output  the records that readers of the sink are given, each place of the log counted
                     once, are those that a transform made of each input, once for each input

What a transform made is told as it makes it (`record_transformed`), again and again if it is called
again; of what it made at different times one thing must be read, wholly, and nothing of another.
What counts as an input: a record of the source that was acknowledged to its producer or, if that
one is transactional, committed by it. What lies in the sink is what readers were given: readers of
uncommitted records, too, if they are not left out (`exactly_once_output_for`). What retention or
the cleaner took before its group had committed it, or a reader come to it, need not be there.

Readers that are given a record again at the same place are not judged by it: to read is not to
write. Not modelled: outputs that two inputs are to have in common; a sink that others write to
under the same ids; readers that leave for good before they have read to the end.
"""

from collections.abc import Collection, Iterable
from typing import Any

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import at
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry, Observer

NAME = "exactly_once_output"
READERS = ""  # Instead of a group: whoever reads a sink.

Place = tuple[str, int, int]
Input = tuple[str, str]  # Its topic and its event id.


class _Removals:
    """What retention and the cleaner took, and how far those had come by then who should have it.

    They are groups by what they have committed, and READERS by what they were given.
    """

    def __init__(self) -> None:
        self.passed: dict[tuple[str, int], dict[str, int]] = {}
        self._starts: dict[tuple[str, int], list[tuple[int, dict[str, int]]]] = {}
        self._cleaned: dict[Input, dict[str, int]] = {}

    def on_passed(self, who: str, topic: str, partition: int, until: int) -> None:
        """Somebody is done with everything below an offset."""
        passed = self.passed.setdefault((topic, partition), {})
        passed[who] = max(until, passed.get(who, 0))

    def on_committed(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, error = entry[4]
        if error == "NONE":
            self.on_passed(group, topic, partition, offset)

    def on_start_moved(self, entry: FlatEntry) -> None:
        _, topic, partition, start, _ = entry[4]
        starts = self._starts.setdefault((topic, partition), [])
        if not starts or start > starts[-1][0]:
            starts.append((start, dict(self.passed.get((topic, partition), {}))))

    def on_cleaned(self, entry: FlatEntry) -> None:
        _, topic, partition, _, _, event_ids = entry[4]
        passed = dict(self.passed.get((topic, partition), {}))
        for event_id in event_ids:
            self._cleaned.setdefault((topic, event_id), passed)

    def took(self, which: Input, lies: tuple[int, int], whose: Iterable[str]) -> bool:
        """Whether a record was taken before any of these had come to it."""
        partition, offset = lies
        starts = self._starts.get((which[0], partition), [])
        passed = next((one for start, one in starts if start > offset), self._cleaned.get(which))
        return passed is not None and all(passed.get(who, 0) <= offset for who in whose)


class _Inputs:
    """The records of each topic that are certainly in its log, and committed."""

    def __init__(self, removals: _Removals) -> None:
        self.removals = removals
        self.entries: dict[Input, int] = {}
        self.lies: dict[Input, tuple[int, int]] = {}  # Its partition and offset, of outputs too.
        self._transactional: dict[str, int] = {}  # Nodes, and when they last began a transaction.
        # node, event -> since which transaction, and the topics it was sent to
        self._topics: dict[tuple[str, str], tuple[int, dict[str, None]]] = {}
        # Of each transaction whose commit is asked for: its events, and its consumers' offsets.
        self._asked: dict[tuple[str, str], tuple[Any, ...]] = {}

    def on_began(self, entry: FlatEntry) -> None:
        self._transactional[entry[2]] = entry[0]

    def on_sent(self, entry: FlatEntry) -> None:
        since = self._transactional.get(entry[2])
        if since is not None:
            which = entry[2], entry[4][1]
            if self._topics.get(which, (-1, {}))[0] != since:
                self._topics[which] = (since, {})
            self._topics[which][1][entry[4][2]] = None

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        self.lies[topic, event_id] = (partition, offset)
        if entry[2] not in self._transactional:
            self.entries.setdefault((topic, event_id), entry[0])

    def on_ending(self, entry: FlatEntry) -> None:
        _, transactional_id, result, event_ids, offsets = entry[4]
        which = entry[2], transactional_id
        self._asked[which] = (event_ids, offsets) if result == "commit" else ((), ())

    def on_ended(self, entry: FlatEntry) -> None:
        _, transactional_id, _, outcome, _ = entry[4]
        event_ids, offsets = self._asked.pop((entry[2], transactional_id), ((), ()))
        if outcome == "done":
            for one in offsets:
                self.removals.on_passed(*one)
            for event_id in event_ids:
                for topic in self._topics[entry[2], event_id][1]:
                    self.entries.setdefault((topic, event_id), entry[0])


class _Outputs:
    """What was made of which input, for which sink, and where it was read."""

    def __init__(self, groups: Collection[str], removals: _Removals) -> None:
        self.groups = groups
        self.removals = removals
        # Topics, and the sinks made of them: by which groups.
        self.sources: dict[tuple[str, str], dict[str, None]] = {}
        self.made: dict[tuple[str, Input], dict[tuple[str, ...], int]] = {}
        self.of: dict[tuple[str, str], dict[Place, None]] = {}  # sink, output -> records read
        self.read: dict[tuple[str, str], dict[Place, int]] = {}  # sink, output -> places, entries
        self.readers: dict[str, None] = {}  # Topics that somebody reads.

    def on_transformed(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id, sink, outputs = entry[4]
        self.sources.setdefault((topic, sink), {})[group] = None
        for one in outputs:
            self.of.setdefault((sink, one), {})[topic, partition, offset] = None
        self.made.setdefault((sink, (topic, event_id)), {}).setdefault(outputs, entry[0])

    def on_polled(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id = entry[4]
        if not self.groups or group in self.groups:
            self.readers[topic] = None
            place = topic, partition, offset
            self.read.setdefault((topic, event_id), {}).setdefault(place, entry[0])
            self.removals.on_passed(READERS, topic, partition, offset + 1)

    def on_assigned(self, entry: FlatEntry) -> None:
        if not self.groups or entry[4][1] in self.groups:
            self.readers.update(dict.fromkeys(topic for topic, _ in entry[4][3]))


def exactly_once_output_for(*groups: str) -> Check:
    """The same, of what these groups are given; without one, of what all are."""

    def start() -> Watching:
        return _exactly_once_output(groups)

    promise = "What is read of a sink is what was made of each input, once for each input."
    return Check(NAME, promise, start)


def _exactly_once_output(groups: Collection[str]) -> Watching:
    removals = _Removals()
    run = _Run(_Inputs(removals), _Outputs(groups, removals), removals, Ending())
    inputs, outputs = run.inputs, run.outputs
    own: dict[str, Observer] = {
        "transaction_began": inputs.on_began,
        "transaction_ending": inputs.on_ending,
        "transaction_ended": inputs.on_ended,
        "record_sent": inputs.on_sent,
        "record_acknowledged": inputs.on_acknowledged,
        "record_transformed": outputs.on_transformed,
        "partitions_assigned": outputs.on_assigned,
        "record_polled": outputs.on_polled,
        "commit_answered": removals.on_committed,
        "log_start_moved": removals.on_start_moved,
        "log_cleaned": removals.on_cleaned,
    }
    return Watching({**own, **run.ending.observers()}, run.finish)


@attrs.define
class _Run:
    """All that was seen of a run, and what is to be said of it.

    unread: a sink that nobody reads, or "".
    """

    inputs: _Inputs
    outputs: _Outputs
    removals: _Removals
    ending: Ending
    reached: int = 0
    unread: str = ""

    def finish(self) -> Verdict:
        """The verdict: what is there too often is so for good; what is missing may still come."""
        twice, lost = Cases(), Cases()
        outputs = self.outputs
        for (sink, event_id), places in outputs.read.items():
            if len(places) > len(outputs.of.get((sink, event_id), places)):
                where = " and ".join(at(*place) for place in places)
                twice.add(f"{event_id} was written to {where}", places.values(), (event_id,))
        for (sink, source), alternatives in outputs.made.items():
            self._read_of_one(twice, sink, source, alternatives)
        for topic, sink in outputs.sources:
            self._losses(lost, topic, sink)
        if twice.count:
            return twice.verdict(NAME, self.reached)
        open_because = self.ending.open_because
        if self.unread and (open_because or not lost.count):
            why = f"nobody reads {self.unread}"
            return Verdict(NAME, Status.CANNOT_TELL, reached=self.reached, why=why)
        return lost.verdict(NAME, self.reached, open_because=open_because)

    def _read_of_one(
        self, cases: Cases, sink: str, source: Input, alternatives: dict[tuple[str, ...], int]
    ) -> None:
        """What is read of an input must be one of the things that were made of it, or a part."""
        read = self._read(sink, alternatives)
        if any(read.keys() <= set(ids) for ids in alternatives):
            return
        of = [ids for ids in alternatives if any(one in read for one in ids)]
        told = " and ".join(", ".join(one for one in ids if one in read) for ids in of)
        said = f"of {source[1]} different things were made, and are read of {sink}: {told}"
        cases.add(said, [alternatives[ids] for ids in of], (source[1],))

    def _read(self, sink: str, alternatives: Iterable[tuple[str, ...]]) -> dict[str, None]:
        made = (one for ids in alternatives for one in ids)
        return {one: None for one in made if (sink, one) in self.outputs.read}

    def _losses(self, cases: Cases, topic: str, sink: str) -> None:
        """Inputs without their output."""
        if sink not in self.outputs.readers:
            self.unread = self.unread or sink
            return
        groups = self.outputs.sources[topic, sink]
        for source, seq in self.inputs.entries.items():
            if source[0] != topic:
                continue
            self.reached += 1
            alternatives = self.outputs.made.get((sink, source), {})
            missing = self._missing(sink, alternatives)
            if (alternatives and not missing) or self._took(source, groups):
                continue
            if alternatives:
                made = ", ".join(next(iter(alternatives)))
                what = "its output" if made == source[1] else made
                said = f"{source[1]} was transformed, and {what} is not among what is read of "
                said += sink
            else:
                said = f"{source[1]} lies in {topic}, and nothing was ever made of it"
            cases.add(said, (seq, *tuple(alternatives.values())[:1]), (source[1],))

    def _missing(self, sink: str, alternatives: Iterable[tuple[str, ...]]) -> list[str]:
        """What is not read of the thing of which the most is; nothing if one is read wholly."""
        read = self._read(sink, alternatives)
        fitting = [ids for ids in alternatives if read.keys() <= set(ids)]
        missing = [
            [one for one in ids if one not in read and not self._took((sink, one), (READERS,))]
            for ids in fitting
        ]
        return min(missing, key=len, default=[])

    def _took(self, which: Input, whose: Iterable[str]) -> bool:
        """Whether retention or the cleaner took a record before these had come to it."""
        lies = self.inputs.lies.get(which, (-1, -1))
        return self.removals.took(which, lies, whose)


exactly_once_output = exactly_once_output_for()
