"""Does a partition keep the order of time, as clients can measure it?

real_time_order         what was handed over after another was acknowledged lies behind it
end_offset_never_falls  nobody is told that a log ends before what was known to lie in it when asked

The first is what makes a partition linearizable for its writers (a later send gets a higher
offset), the second what makes its end so for those who ask for it (ListOffsets). Both compare only
what has certainly happened one after the other: the second began after the first was answered.

An acknowledgement says nothing of where the log ends for readers (acks=1 may be given before
the record is committed), so the end is compared with what was polled, and with former answers; one
that was asked with isolation.level=read_committed, with such answers alone. An answer does not say
to which question: it may be any that was not answered yet, for one whose connection is gone never
is, so an end has fallen only if it is too low an answer to each of them.

Not modelled: an application that hands a record over again while the first try is under way: the
try that began first counts for both; a list of offsets by time; two consumers on one node that ask
the same of one broker at a time.
"""

from bisect import bisect_left

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.sentences import at
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Place = tuple[str, int]

LATEST = -1  # Instead of a time: where the log ends.
_ASK, _ANSWER = "ListOffsetsRequest", "ListOffsetsResponse"


class _Highest:
    """The highest offset of a partition that was acknowledged so far, at any time."""

    __slots__ = ("event_ids", "offsets", "seqs")

    def __init__(self) -> None:
        self.seqs: list[int] = []  # The entries that raised it.
        self.offsets: list[int] = []
        self.event_ids: list[str] = []

    def add(self, seq: int, offset: int, event_id: str) -> None:
        """Note an acknowledgement."""
        if not self.offsets or offset > self.offsets[-1]:
            self.seqs.append(seq)
            self.offsets.append(offset)
            self.event_ids.append(event_id)

    def before(self, seq: int) -> int:
        """Which of them was the highest before an entry; -1 if there was none."""
        return bisect_left(self.seqs, seq) - 1


def _real_time_order() -> Watching:
    cases = Cases()
    begun: dict[tuple[str, str], int] = {}  # Topic and event, until it is known where it lies.
    highest: dict[Place, _Highest] = {}
    compared = 0

    def on_sent(entry: FlatEntry) -> None:
        begun.setdefault((entry[4][2], entry[4][1]), entry[0])

    def on_acknowledged(entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        if offset >= 0:
            see(entry[0], topic, partition, offset, event_id)
            where = topic, partition
            known = highest.get(where)
            if known is None:
                known = highest[where] = _Highest()
            known.add(entry[0], offset, event_id)

    def on_polled(entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id = entry[4]
        see(entry[0], topic, partition, offset, event_id)

    def see(seq: int, topic: str, partition: int, offset: int, event_id: str) -> None:
        nonlocal compared
        since = begun.pop((topic, event_id), None)
        known = highest.get((topic, partition))
        if since is None or known is None:
            return
        place = known.before(since)
        if place < 0:
            return
        compared += 1
        if known.offsets[place] > offset:
            other = known.event_ids[place]
            said = f"{event_id} was handed over after {other} was acknowledged"
            where = f"{at(topic, partition, known.offsets[place])}), and lies before it (@{offset})"
            shown = (known.seqs[place], since, seq)
            cases.add(f"{said} ({where}", shown, (other, event_id))

    def finish() -> Verdict:
        return cases.verdict("real_time_order", compared)

    observers = {
        "record_sent": on_sent, "record_acknowledged": on_acknowledged, "record_polled": on_polled
    }  # fmt: skip
    return Watching(observers, finish)


@attrs.frozen
class _Question:
    """What was asked, how, where the log went on to at least by then, and which entries say so.

    latest: it was asked where logs end, and not where they begin or where they were at some time.
    """

    latest: bool
    committed: bool
    known: dict[Place, tuple[int, int]]


@attrs.define
class _Ends:
    """What clients ask and learn of where logs end.

    told: of each partition, and for readers of committed records apart, the highest end that is
    certain, and the entry. asked: questions on their way. waiting: those that have arrived, by who
    asks whom about what. answers: on their way back, each with the questions that it may answer.
    """

    cases: Cases = attrs.field(factory=Cases)
    compared: int = 0
    told: dict[tuple[Place, bool], tuple[int, int]] = attrs.field(factory=dict)
    asked: dict[int, _Question] = attrs.field(factory=dict)
    waiting: dict[tuple[str, str, tuple[Place, ...]], list[_Question]] = attrs.field(factory=dict)
    answers: dict[int, tuple[tuple[_Question, ...], dict[Place, int]]] = attrs.field(factory=dict)

    def on_polled(self, entry: FlatEntry) -> None:
        """Whatever anybody was given lies below the end, if uncommitted records count."""
        _, _, topic, partition, offset, _ = entry[4]
        which = (topic, partition), False
        before = self.told.get(which)
        if before is None or before[0] <= offset:
            self.told[which] = (offset + 1, entry[0])

    def on_sent(self, entry: FlatEntry) -> None:
        _, message, source, target, api, about = entry[4]
        if api == _ASK and about:
            isolation, *asked = about
            committed = isolation == "read_committed"
            known = {
                (topic, partition): self.told.get(((topic, partition), committed), (-1, -1))
                for topic, partition, _ in asked
            }
            latest = all(timestamp == LATEST for _, _, timestamp in asked)
            self.asked[message] = _Question(latest, committed, known)
        elif api == _ANSWER and about:
            ends = {(topic, partition): end for topic, partition, _, end in about}
            questions = self.waiting.get((target, source, tuple(ends)))
            if questions:
                self.answers[message] = (tuple(questions), ends)
                del questions[0]

    def on_delivered(self, entry: FlatEntry) -> None:
        _, message, source, target, api = entry[4]
        if api == _ASK:
            question = self.asked.get(message)
            if question is not None:
                which = source, target, tuple(question.known)
                self.waiting.setdefault(which, []).append(question)
        elif api == _ANSWER:
            questions, ends = self.answers.pop(message, ((), {}))
            if questions and all(question.latest for question in questions):
                self._learn(entry, questions, ends)

    def _learn(
        self, entry: FlatEntry, questions: tuple[_Question, ...], ends: dict[Place, int]
    ) -> None:
        committed = all(question.committed for question in questions)
        for where, end in ends.items():
            if end < 0:  # An error.
                continue
            least, since = min(question.known[where] for question in questions)
            if least >= 0:
                self.compared += 1
                if end < least:
                    said = f"{entry[2]} learns from {entry[4][2]} that {at(*where)} ends at @{end}"
                    self.cases.add(f"{said}, and it had ended at @{least} before it asked",
                                   (since, entry[0]))
            # Whatever is committed lies in the log: the last stable offset bounds both ends.
            for which in ((where, False), (where, True)) if committed else ((where, False),):
                if end > self.told.get(which, (-1, -1))[0]:
                    self.told[which] = (end, entry[0])

    def on_crashed(self, entry: FlatEntry) -> None:
        """Nobody there answers what it was asked."""
        for which in [which for which in self.waiting if which[1] == entry[2]]:
            del self.waiting[which]


def _end_offset_never_falls() -> Watching:
    ends = _Ends()

    def finish() -> Verdict:
        return ends.cases.verdict("end_offset_never_falls", ends.compared)

    observers = {
        "record_polled": ends.on_polled,
        "message_sent": ends.on_sent,
        "message_delivered": ends.on_delivered,
        "node_crashed": ends.on_crashed,
    }
    return Watching(observers, finish)


real_time_order = Check(
    "real_time_order",
    "What was handed over after another was acknowledged lies behind it in their partition.",
    _real_time_order,
)
end_offset_never_falls = Check(
    "end_offset_never_falls",
    "Nobody is told that a log ends before what was known to lie in it.",
    _end_offset_never_falls,
)
