"""What a case is made of: the entries that show it, those of its events, and where it begins.

Rule 1: a case that shows what happened (a second effect, a commit) ends with the last of that.
Rule 2: a case that shows only an acknowledgement is about what did not happen. It ends with the
last thing that could have saved the event: its last handling, the crash that cut that off, or
the commit past it.
Rule 3: it begins where the first thing it shows began: with the poll that led to that effect.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from simulator.trace.trace import FlatEntry, Trace

Place = tuple[str, int]

# Of each kind that names events, which field does.
_EVENTS = {
    "record_sent": 1, "record_acknowledged": 1, "record_failed": 1, "batch_retried": 3,
    "record_polled": 5, "processing_started": 5, "processing_ended": 5, "batch_appended": 4,
    "batch_deduplicated": 4, "append_refused": 3, "effect_applied": 4, "effect_refused": 3,
    "replica_appended": 4, "log_truncated": 4, "log_cleaned": 5,
}  # fmt: skip
_PROMISED = frozenset(("record_sent", "record_acknowledged"))
_ASK_STORES = ("TransactRequest", "StoreRunRequest")
_STORES_ANSWER = ("TransactResponse", "StoreRunResponse", "StoreCommitResponse")
_WORK = ("record_polled", "processing_started", "processing_ended", "effect_applied",
         "effect_refused")  # fmt: skip
_OF_REPLICAS = frozenset(("replica_appended", "became_leader", "high_watermark_moved"))
_OF_LOGS = frozenset(("log_recovered", "high_watermark_moved"))
_UPS = {"node_restarted": "node_crashed", "node_resumed": "node_paused"}


def events_of(event: tuple[Any, ...]) -> tuple[str, ...]:
    """The events that an entry is about, but for messages."""
    field = _EVENTS.get(event[0])
    if field is None:
        return ()
    found = event[field]
    return found if found.__class__ is tuple else (found,)


def place_of(event: tuple[Any, ...]) -> tuple[str, int, int] | None:
    """The topic, partition and offset that an entry of a record or a commit is about."""
    kind = event[0]
    if kind in {"batch_appended", "batch_deduplicated", "replica_appended"}:
        return event[1:4]
    if kind in {"record_polled", "processing_started", "processing_ended", "record_acknowledged"}:
        return event[2:5]
    return event[2:5] if kind in {"offset_committed", "commit_refused", "position_reset"} else None


class Case:
    """The entries that matter to a case.

    Args:
        trace: a kept trace.
        seqs: the entries that show the case.
        event_ids: the events that it is about.

    Attributes:
        wanted: the events, in the order in which they were named.
        shown: the entries that show the case.
        own: of each kind, the entries of these events.
        places: the partitions that they lie in, or that the case shows.
        missing: it is about what did not happen.
        replicated: it is about what became of the events in the logs of several brokers.
        appended: the first entry by which one of them came into a log; -1 if none did.
        messages: those that carry the events to a log or a store, and the answers to them.
        gone: what kept an event that nobody was ever given from its readers.
        commits: the messages that ask for a commit past the events, or for one that is shown.
        nodes: every node of the trace.
        workers: those who had to do with the events between first and last.
        wrongly_sent: how the events came into the log is a part of the case.
        owning: the assignments that led to a poll of them; where each began to read, and by which
            policy, if nothing was committed. owned: the entries that tell of these policies.
        outages: the crashes that kept the events from the log, or an answer from their producer.
        ups: for the entry of a crash or a pause, when the node was up again.
        first, last: the seqs between which the case lies.
    """

    def __init__(self, trace: Trace, seqs: Iterable[int], event_ids: Iterable[str]) -> None:
        self.entries = trace.flat
        self.wanted = tuple(dict.fromkeys(event_ids))
        chosen = frozenset(seqs)
        self.shown = [entry for entry in self.entries if entry[0] in chosen]
        self.own: dict[str, list[FlatEntry]] = {}
        self.ups: dict[int, int] = {}
        self._downs: dict[tuple[str, str], FlatEntry] = {}
        self._asked: dict[int, tuple[str, str]] = {}  # message -> who asks a store, for what
        self._asking: dict[tuple[str, str], bool] = {}  # client, store -> whether for these events
        self._asks: list[tuple[int, str, str, str]] = []  # seq, store, who asked, for what
        self.messages: set[int] = set()
        self._leaders: set[str] = set()
        self._committing: dict[int, tuple[int, tuple[Any, ...]]] = {}
        self.nodes = tuple(dict.fromkeys(entry[2] for entry in self.entries))
        wanted = frozenset(self.wanted)
        for entry in self.entries:
            self._read(entry, wanted)
        about = [*self.shown, *(one for kind in self.own.values() for one in kind)]
        self.places: set[Place] = {
            place[:2] for entry in about if (place := place_of(entry[4])) is not None
        }
        self.places |= {entry[4][1:3] for entry in self.shown if entry[4][0] in _OF_LOGS}
        promised = [entry for entry in self.shown if entry[4][0] in _PROMISED]
        self.missing = len(promised) == len(self.shown) == 1
        self.appended = min((one[0] for one in self.own.get("batch_appended", ())), default=-1)
        self.gone = self._gone()
        self.replicated = self._replicated()
        self.last = self._ends()
        self.first = self._awake(self._begins())
        self.workers = {one[2] for one in self._work()}
        self.wrongly_sent = self._wrongly_sent()
        self.owned: set[int] = set()
        self.owning = self._owning()
        self.commits = self._commits()
        self.outages = self._outages()

    def of(self, *kinds: str) -> list[FlatEntry]:
        """The entries of the case's events of these kinds, in order."""
        return sorted(entry for kind in kinds for entry in self.own.get(kind, ()))

    def ours(self, event_ids: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these events that the case is about."""
        return tuple(one for one in event_ids if one in self.wanted)

    def inside(self, entry: FlatEntry) -> bool:
        """Whether an entry lies between the case's first and last."""
        return self.first <= entry[0] <= self.last

    def node_of(self, member: str) -> str:
        """The node of a member's id, which begins with its client's name."""
        found = [node for node in self.nodes if f"{member}-".startswith(f"{node}-")]
        return max(found, key=len, default=member)

    def acknowledged(self, event_id: str) -> FlatEntry | None:
        """The entry in which its producer learnt that an event is in the log."""
        own = self.own.get("record_acknowledged", ())
        return next((entry for entry in own if entry[4][1] == event_id), None)

    def moves(self, event_id: str) -> bool:
        """Whether an event is polled at more than one place."""
        polls = [entry[4] for entry in self._work() if entry[4][0] == "record_polled"]
        return len({event[2:5] for event in polls if event[5] == event_id}) > 1

    @property
    def offset(self) -> int:
        """Where the case's only event lies at last; -1 if nobody knows."""
        for kind in ("record_polled", "record_acknowledged", "batch_appended"):
            for entry in reversed(self.own.get(kind, ())):
                place = place_of(entry[4])
                if place is not None and place[2] >= 0:
                    return place[2]
        return -1

    def past(self, offset: int) -> str:
        """Whether a committed offset is past the case's only event, in words."""
        if len(self.wanted) != 1 or self.offset < 0:
            return ""
        return "past it" if offset > self.offset else "not past it"

    def _read(self, entry: FlatEntry, wanted: frozenset[str]) -> None:
        seq, at_us, node, _, event = entry
        kind = event[0]
        if kind == "message_sent":
            self._read_message(event, wanted)
            if event[4] == "OffsetCommitRequest":
                self._committing[event[1]] = (at_us, event[5][3:])
        elif kind == "message_delivered":
            asked = self._asked.get(event[1])
            if asked is not None:
                self._asks.append((seq, node, *asked))
        elif kind in _EVENTS:
            if not wanted.isdisjoint(events_of(event)):
                self.own.setdefault(kind, []).append(entry)
        elif kind in _UPS.values():
            self._downs[kind, node] = entry
        elif kind in _UPS:
            down = self._downs.pop((_UPS[kind], node), None)
            if down is not None:
                self.ups[down[0]] = at_us

    def _read_message(self, event: tuple[Any, ...], wanted: frozenset[str]) -> None:
        _, message, source, target, api, about = event
        if api in _ASK_STORES:
            concerns = self._asking[source, target] = bool(about) and about[0] in wanted
            if concerns:
                self._asked[message] = (source, about[0])
                self.messages.add(message)
        elif api in _STORES_ANSWER:
            if self._asking.get((target, source)):  # A client asks one thing at a time.
                self.messages.add(message)
        elif api == "ProduceRequest":
            if any(not wanted.isdisjoint(batch[3]) for batch in about):
                self.messages.add(message)
                self._leaders.add(target)
        elif api == "ProduceResponse":
            appended = self.own.get("batch_appended", ())
            if any(one[4][1:4] == batch[:3] for one in appended for batch in about):
                self.messages.add(message)

    def poll_of(self, entry: FlatEntry) -> FlatEntry:
        """The poll that led to an entry of one of the case's events; if none did, the entry."""
        seq, _, node, _, event = entry
        if event[0] not in _WORK:
            return entry
        names = events_of(event)
        asks = [one for one in self._asks if one[0] < seq and one[1] == node and one[3] in names]
        who = asks[-1][2] if asks else node
        polls = [
            one for one in self.own.get("record_polled", ()) if one[0] < seq and one[4][5] in names
        ]
        by_them = [one for one in polls if one[2] == who]
        return (by_them or polls or [entry])[-1]

    def _ends(self) -> int:
        if self.shown and not self.missing:
            return self.shown[-1][0]
        work = self.of(*_WORK)
        if not work and self.gone:
            return max(self.gone)
        told = work[-1:] or self.of("record_failed", "record_acknowledged", "batch_appended")[-1:]
        last = told[-1][0] if told else -1
        if told and told[-1][4][0] in {"record_polled", "processing_started"}:
            last = self._cut_off(told[-1])
        passed = self._passed() if self.missing else None
        return last if passed is None else max(last, passed[0])

    def _cut_off(self, entry: FlatEntry) -> int:
        """The crash that cut work off, or the entry itself."""
        seq, node = entry[0], entry[2]
        crashes = [
            one[0]
            for one in self.entries
            if one[0] > seq and one[2] == node and one[4][0] == "node_crashed"
        ]
        return crashes[0] if crashes else seq

    def _passed(self) -> FlatEntry | None:
        """The first commit past the event, if what is committed last is past it as well."""
        first, offset = None, self.offset
        for entry in self.entries:
            event = entry[4]
            if event[0] == "offset_committed" and event[2:4] in self.places:
                first = (first or entry) if event[4] > offset else None
        return first

    def _gone(self) -> frozenset[int]:
        """What came between an event and all its readers: its log's loss, or their late start."""
        if not self.missing or self.own.get("record_polled"):
            return frozenset()
        firsts: dict[str, int] = {}
        for entry in self.entries:
            if self._withholds(entry):
                firsts.setdefault(entry[4][0], entry[0])
        return frozenset(firsts.values())

    def _replicated(self) -> bool:
        """If it shows what brokers did, or if two events lie at one place, or the log lost one."""
        if any(entry[4][0] in _OF_REPLICAS for entry in self.shown):
            return True
        places = [place for entry in self.shown if (place := place_of(entry[4])) is not None]
        clash = len(self.wanted) > 1 and len(set(places)) < len(places)
        cut = "log_truncated" in self.own
        followed = "replica_appended" in self.own or cut
        return followed and (clash or bool(self.gone) or (cut and len(self.wanted) > 1))

    def _withholds(self, entry: FlatEntry) -> bool:
        seq, _, node, _, event = entry
        appended = self.of("batch_appended", "replica_appended")
        if event[0] in {"log_truncated", "log_cleaned"}:
            return bool(self.ours(events_of(event)))
        if event[0] == "log_start_moved":
            return event[1:3] in self.places and event[3] > self.offset >= 0
        if event[0] == "log_recovered":
            here = event[1:3] in self.places and event[4] <= self.offset
            return here and any(one[0] < seq and one[2] == node for one in appended)
        if event[0] == "node_crashed":
            return event[1] != "process" and any(
                one[0] < seq and one[2] == node for one in appended
            )
        where = place_of(event)
        if where is None or where[:2] not in self.places:
            return False
        if event[0] == "batch_appended":
            after = any(one[0] < seq for one in appended) and entry not in appended
            return after and where[2] <= self.offset < where[2] + len(event[4])
        return event[0] == "position_reset" and where[2] > self.offset

    def _begins(self) -> int:
        polls = self.own.get("record_polled", [])
        if self.missing or not self.shown:
            before = [one for one in polls if one[0] <= self.last]
            return (before[-1 if self.missing else 0][0]) if before else self.last
        firsts = [self.poll_of(entry) for entry in self.shown if entry[4][0] not in _PROMISED]
        if len(self.wanted) > 1:  # Of several events, whatever was tried of any matters.
            firsts += [one for one in polls if one[0] <= self.last][:1]
        return min((entry[0] for entry in firsts), default=self.last)

    def _awake(self, first: int) -> int:
        """Earlier, if one who worked on the events stood still when the case began."""
        nodes = {entry[2] for entry in self.of(*_WORK) if first <= entry[0] <= self.last}
        since_us = next((entry[1] for entry in self.entries if entry[0] == first), 0)
        paused = [
            entry[0]
            for entry in self.entries
            if entry[4][0] == "node_paused"
            and entry[2] in nodes
            and entry[0] < first
            and self.ups.get(entry[0], -1) > since_us
        ]
        return min([first, *paused])

    def _work(self) -> list[FlatEntry]:
        return [entry for entry in self.of(*_WORK) if self.first <= entry[0] <= self.last]

    def _wrongly_sent(self) -> bool:
        if self.missing:
            return False
        tried = [one for one in self.of("batch_appended", "batch_retried") if one[0] <= self.last]
        retried = any(one[4][0] == "batch_retried" for one in tried)
        appends = [
            event_id
            for one in tried
            if one[4][0] == "batch_appended"
            for event_id in events_of(one[4])
            if event_id in self.wanted
        ]
        return len(appends) > len(set(appends)) or (retried and len(self.wanted) > 1)

    def _commits(self) -> set[int]:
        offset, found = self.offset, set()
        shown = {entry[4][2:5] for entry in self.shown if entry[4][0] == "offset_committed"}
        for message, (_, places) in self._committing.items():
            for place in places:
                if place in shown or (
                    self.wanted and place[:2] in self.places and place[2] > offset
                ):
                    found.add(message)
        return found

    def _outages(self) -> set[int]:
        sent = self.own.get("record_sent", ())
        appended = self.own.get("batch_appended", ())
        if not sent or not appended:
            return set()
        return {
            entry[0]
            for entry in self.entries
            if entry[4][0] == "node_crashed"
            and entry[2] in self._leaders
            and self.ups.get(entry[0], entry[1]) > sent[0][1]
            and entry[0] < appended[-1][0]
        }

    def asked_us(self, commit: FlatEntry) -> int:
        """When a commit was asked for; when it was made, if nobody can tell."""
        seq, at_us, node, _, event = commit
        for before in reversed(self.entries[: self._index(seq)]):
            if before[4][0] == "message_delivered" and before[2] == node:
                asked_us, places = self._committing.get(before[4][1], (at_us, ()))
                return asked_us if event[2:5] in places else at_us
        return at_us

    def _index(self, seq: int) -> int:
        return bisect_left(self.entries, seq, key=itemgetter(0))

    def _owning(self) -> dict[int, tuple[int, str]]:
        shown = {entry[0] for entry in self.shown}
        owning: dict[int, tuple[int, str]] = {}
        latest: dict[tuple[Any, ...], int] = {}
        resets: dict[tuple[Any, ...], tuple[int, str]] = {}
        starts: dict[tuple[Any, ...], tuple[int, str, int]] = {}
        for seq, _, node, _, event in self.entries:
            if seq > self.last:
                break
            where = (node, event[2:4])
            if event[0] == "partitions_assigned":
                for place in event[3]:
                    latest[node, place] = seq
                    resets.pop((node, place), None)
            elif event[0] == "position_reset":
                resets[where] = (seq, event[5])
            elif event[0] == "record_polled" and event[2:4] in self.places:
                assigned = latest.get(where, -1)
                reset, policy = resets.pop(where, (-1, ""))
                start = starts.setdefault((assigned, event[2:4]), (event[4], policy, reset))
                if assigned >= self.first and (seq in shown or event[5] in self.wanted):
                    owning.setdefault(assigned, start[:2])
                    self.owned.add(start[2])
        return owning
