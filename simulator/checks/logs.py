"""Is the log one log: one record at an offset, one offset for a record, in order, nothing lost?

acknowledged_is_read  what was acknowledged is polled by each group that reads it to the end
offsets_agree         an offset of a partition holds one record, whoever was told of it
stored_once           an event lies at one offset of a topic
sends_in_order        what a producer sent to a partition lies there in the order of sending
polls_in_order        a member is given growing offsets, and none that others know is jumped over
failed_is_never_read  what has certainly failed, as its producer was told, is never polled

These are what Jepsen's checker of Kafka calls lost-write and unseen, inconsistent-offsets,
duplicate, nonmonotonic-send, nonmonotonic-poll and poll-skip, and G1a (aborted read).

All are judged by what clients saw: acknowledgements and polls. Brokers are believed in one thing:
that retention or the cleaner took a record, or that it was aborted, which excuses who did not read
it; and what was aborted may be written again.

A gap between offsets is no anomaly: transaction markers and the cleaner leave them. A member may
go back with a new assignment, a reset or a seek: that is redelivery, and a new beginning.

Not modelled: a read_uncommitted reader that misses an aborted record; where a log ends as a client
was told (no entry says so); two producers on one node, taken for one.
"""

from bisect import bisect_left

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import at
from simulator.checks.unread import Excused, Readers, unread
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry

Place = tuple[str, int]
Sighting = tuple[str, int]  # Which event, and the entry that says so.
Found = tuple[int, int, int]  # In which partition, at which offset, and the entry that says so.


def _acknowledged_is_read() -> Watching:
    ending, readers, excused = Ending(), Readers(), Excused()
    acknowledged: list[FlatEntry] = []

    def finish() -> Verdict:
        return unread(acknowledged, readers, excused, ending)

    observers = {
        "record_acknowledged": acknowledged.append,
        **readers.observers(),
        **excused.observers(),
        **ending.observers(),
    }
    return Watching(observers, finish)


def _offsets_agree() -> Watching:
    cases = Cases()
    logs: dict[Place, dict[int, Sighting]] = {}
    others: dict[tuple[Place, int], list[str]] = {}  # offset -> what else it was said to hold
    compared = 0

    def on_acknowledged(entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if offset >= 0:
            see(entry[0], (topic, partition), offset, event_id)

    def on_polled(entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id = entry[4]
        see(entry[0], (topic, partition), offset, event_id)

    def see(seq: int, where: Place, offset: int, event_id: str) -> None:
        nonlocal compared
        log = logs.get(where)
        if log is None:
            log = logs[where] = {}
        known = log.get(offset)
        if known is None:
            log[offset] = (event_id, seq)
            return
        compared += 1
        if known[0] != event_id:
            told = others.setdefault((where, offset), [])
            if event_id not in told:
                told.append(event_id)
                said = f"{at(*where, offset)} holds {known[0]}, and {event_id} as well"
                cases.add(said, (known[1], seq), (known[0], event_id))

    def finish() -> Verdict:
        return cases.verdict("offsets_agree", compared)

    return Watching({"record_acknowledged": on_acknowledged, "record_polled": on_polled}, finish)


def _stored_once() -> Watching:
    excused = Excused()
    # topic -> event -> where it was first seen, and the entry that says so
    topics: dict[str, dict[str, Found]] = {}
    copies: dict[tuple[str, str], list[Found]] = {}  # The others, in the order of their telling.

    def on_acknowledged(entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if offset >= 0:
            see(entry[0], topic, partition, offset, event_id)

    def on_polled(entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id = entry[4]
        see(entry[0], topic, partition, offset, event_id)

    def see(seq: int, topic: str, partition: int, offset: int, event_id: str) -> None:
        known = topics.get(topic)
        if known is None:
            known = topics[topic] = {}
        first = known.get(event_id)
        if first is None:
            known[event_id] = (partition, offset, seq)
        elif first[1] != offset or first[0] != partition:
            told = copies.setdefault((topic, event_id), [])
            if all(one[:2] != (partition, offset) for one in told):
                told.append((partition, offset, seq))

    def finish() -> Verdict:
        cases = Cases()
        found: list[tuple[Found, Found, str, str]] = []
        for (topic, event_id), told in copies.items():
            lasting = [
                one
                for one in (topics[topic][event_id], *told)
                if not excused.is_uncommitted(topic, *one[:2], event_id)
            ]
            found += [(lasting[0], other, topic, event_id) for other in lasting[1:]]
        for first, other, topic, event_id in sorted(found, key=lambda case: case[1][2]):
            places = f"{at(topic, *first[:2])} and at {at(topic, *other[:2])}"
            cases.add(f"{event_id} lies at {places}", sorted((first[2], other[2])), (event_id,))
        return cases.verdict("stored_once", sum(len(known) for known in topics.values()))

    observers = {
        "record_acknowledged": on_acknowledged, "record_polled": on_polled, **excused.observers()
    }  # fmt: skip
    return Watching(observers, finish)


class _Sends:
    """What was sent and where it lies: by producer and partition, in the order of sending.

    Offsets become known in any order; the neighbours of each are compared when it does. If two
    records of a lane lie in the wrong order, then so do two neighbours. Two that lie at one offset
    are offsets_agree's matter.
    """

    def __init__(self) -> None:
        self.cases = Cases()
        self.compared = 0
        self._runs: dict[str, int] = {}  # node -> how often it began anew
        # topic -> event -> which producer sent it as its which record; None: it is known where
        # it lies, or it was sent more than once and nobody can tell which copy is which.
        self._sent: dict[str, dict[str, tuple[str, int, int] | None]] = {}
        self._numbers = 0
        # Number, offset, entry, event; by number.
        self._lanes: dict[tuple[str, int, str, int], list[tuple[int, int, int, str]]] = {}

    def began(self, entry: FlatEntry) -> None:
        self._runs[entry[2]] = self._runs.get(entry[2], 0) + 1

    def sent(self, entry: FlatEntry) -> None:
        _, event_id, topic, _ = entry[4]
        node = entry[2]
        events = self._sent.get(topic)
        if events is None:
            events = self._sent[topic] = {}
        if event_id in events:
            events[event_id] = None
        else:
            self._numbers += 1
            events[event_id] = (node, self._runs.get(node, 0), self._numbers)

    def acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if offset >= 0:
            self._see(entry[0], topic, partition, offset, event_id)

    def polled(self, entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id = entry[4]
        self._see(entry[0], topic, partition, offset, event_id)

    def _see(self, seq: int, topic: str, partition: int, offset: int, event_id: str) -> None:
        events = self._sent.get(topic)
        known = None if events is None else events.get(event_id)
        if events is None or known is None:
            return
        events[event_id] = None
        node, run, number = known
        lane = self._lanes.get((node, run, topic, partition))
        if lane is None:
            lane = self._lanes[node, run, topic, partition] = []
        self.compared += 1
        mine = (number, offset, seq, event_id)
        if not lane or lane[-1][0] < number:  # As it should be: the latest.
            lane.append(mine)
            if len(lane) > 1 and lane[-2][1] > offset:
                self._complain(lane[-2], mine)
            return
        place = bisect_left(lane, mine)
        lane.insert(place, mine)
        if place and lane[place - 1][1] > offset:
            self._complain(lane[place - 1], mine)
        if lane[place + 1][1] < offset:
            self._complain(mine, lane[place + 1])

    def _complain(
        self, before: tuple[int, int, int, str], after: tuple[int, int, int, str]
    ) -> None:
        said = f"{before[3]} was sent before {after[3]}, and lies behind it"
        offsets = f"(@{before[1]}, @{after[1]})"
        self.cases.add(
            f"{said} {offsets}", sorted((before[2], after[2])), (before[3], after[3])
        )


def _sends_in_order() -> Watching:
    sends = _Sends()

    def finish() -> Verdict:
        return sends.cases.verdict("sends_in_order", sends.compared)

    observers = {
        "record_sent": sends.sent,
        "record_acknowledged": sends.acknowledged,
        "record_polled": sends.polled,
        "node_crashed": sends.began,
    }
    return Watching(observers, finish)


class _Position:
    """Where a member is in a partition since it began there."""

    __slots__ = ("log", "offset", "seq")

    def __init__(self, log: dict[int, Sighting]) -> None:
        self.log = log
        self.offset = -1
        self.seq = -1


class _Polls:
    """What members were given, and over what they jumped."""

    def __init__(self) -> None:
        self.cases = Cases()
        self.polled = 0
        self.excused = Excused()
        self._logs: dict[Place, dict[int, Sighting]] = {}
        self._members: dict[str, dict[tuple[str, str, int], _Position]] = {}
        # Entry and offset before the jump, and after it; who, where.
        self._jumps: list[tuple[int, int, int, int, str, Place]] = []

    def on_polled(self, entry: FlatEntry) -> None:
        self.polled += 1
        seq, _, node, _, (_, group, topic, partition, offset, event_id) = entry
        try:
            mine = self._members[node][group, topic, partition]
        except KeyError:
            mine = self._begin(node, group, topic, partition)
        last = mine.offset
        if offset != last + 1 and last >= 0:
            if offset <= last:
                said = f"{node} was given {at(topic, partition, offset)} after @{last}"
                self.cases.add(said, (mine.seq, seq), (event_id,))
            else:
                place = (topic, partition)
                self._jumps.append((mine.seq, last, seq, offset, node, place))
        mine.log.setdefault(offset, (event_id, seq))
        mine.offset = offset
        mine.seq = seq

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if offset >= 0:
            self._log((topic, partition)).setdefault(offset, (event_id, entry[0]))

    def on_assignment(self, entry: FlatEntry) -> None:
        _, group, _, partitions = entry[4]
        mine = self._members.get(entry[2])
        if mine:
            for topic, partition in partitions:
                mine.pop((group, topic, partition), None)

    def on_new_position(self, entry: FlatEntry) -> None:
        mine = self._members.get(entry[2])
        if mine:
            mine.pop(entry[4][1:4], None)

    def on_crash(self, entry: FlatEntry) -> None:
        self._members.pop(entry[2], None)

    def finish(self) -> Verdict:
        for first_seq, first, last_seq, last, node, where in self._jumps:
            log = self._logs[where]
            between = range(first + 1, last)
            wide = len(between) > len(log)
            for offset in sorted(one for one in log if one in between) if wide else between:
                known = log.get(offset)
                if known is None or self.excused.need_not_be_read(
                    *where, offset, known[0]
                ):
                    continue
                said = f"{node} jumped over {known[0]} ({at(*where, offset)}): from @{first}"
                seqs = sorted((first_seq, known[1], last_seq))
                self.cases.add(f"{said} to @{last}", seqs, (known[0],))
        self._jumps.clear()
        return self.cases.verdict("polls_in_order", self.polled)

    def _log(self, where: Place) -> dict[int, Sighting]:
        log = self._logs.get(where)
        if log is None:
            log = self._logs[where] = {}
        return log

    def _begin(self, node: str, group: str, topic: str, partition: int) -> _Position:
        mine = _Position(self._log((topic, partition)))
        self._members.setdefault(node, {})[group, topic, partition] = mine
        return mine


def _polls_in_order() -> Watching:
    polls = _Polls()
    observers = {
        "record_polled": polls.on_polled,
        "record_acknowledged": polls.on_acknowledged,
        "partitions_assigned": polls.on_assignment,
        "partitions_revoked": polls.on_assignment,
        "partitions_lost": polls.on_assignment,
        "position_reset": polls.on_new_position,
        "truncation_found": polls.on_new_position,
        "node_crashed": polls.on_crash,
        **polls.excused.observers(),
    }
    return Watching(observers, polls.finish)


def _failed_is_never_read() -> Watching:
    sent: dict[tuple[str, str], int] = {}  # topic, event -> how often
    failed: dict[tuple[str, str], list[int]] = {}  # -> the entries that say so for certain
    polled: dict[tuple[str, str], FlatEntry] = {}

    def on_sent(entry: FlatEntry) -> None:
        _, event_id, topic, _ = entry[4]
        sent[topic, event_id] = sent.get((topic, event_id), 0) + 1

    def on_failed(entry: FlatEntry) -> None:
        _, event_id, topic, _, definite = entry[4]
        if definite:
            failed.setdefault((topic, event_id), []).append(entry[0])

    def on_polled(entry: FlatEntry) -> None:
        event = entry[4]
        polled.setdefault((event[2], event[5]), entry)

    def finish() -> Verdict:
        cases = Cases()
        for which, seqs in failed.items():
            read = polled.get(which)
            if read is not None and len(seqs) >= sent.get(which, 0):
                _, group, topic, partition, offset, event_id = read[4]
                said = f"{event_id} had certainly failed, and was given to {group}"
                seqs_shown = sorted((*seqs, read[0]))
                cases.add(f"{said} ({at(topic, partition, offset)})", seqs_shown, (event_id,))
        if not failed:
            return Verdict("failed_is_never_read", Status.KEPT, why="nothing failed for certain")
        return cases.verdict("failed_is_never_read", len(failed))

    observers = {
        "record_sent": on_sent, "record_failed": on_failed, "record_polled": on_polled
    }  # fmt: skip
    return Watching(observers, finish)


acknowledged_is_read = Check(
    "acknowledged_is_read",
    "What was acknowledged is polled by each group that reads its partition to the end.",
    _acknowledged_is_read,
)
offsets_agree = Check(
    "offsets_agree", "An offset of a partition holds one record for everybody.", _offsets_agree
)
stored_once = Check("stored_once", "An event lies at one offset of a topic.", _stored_once)
sends_in_order = Check(
    "sends_in_order",
    "What a producer sent to a partition lies there in the order of sending.",
    _sends_in_order,
)
polls_in_order = Check(
    "polls_in_order",
    "A member is given growing offsets, and jumps over nothing that others know of.",
    _polls_in_order,
)
failed_is_never_read = Check(
    "failed_is_never_read",
    "What has certainly failed, as its producer was told, is never polled.",
    _failed_is_never_read,
)
