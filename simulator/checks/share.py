"""Does a share group give each record to one member at a time, and not for ever?

share_records_in_one_state            what is held is nobody else's, and only its holder speaks
share_acknowledged_never_redelivered  what a member was told is finished is given to nobody again
share_delivered_at_most_limit         no record is given out more often than the group may, as far
                                      as its leader can know

A leader tells what it did (`share_acquired`, ...); a member tells what it was answered. When a
leader has loaded a share partition (`share_loaded`), what was acquired is available again, and
deliveries that nobody gave an account of are not counted: that is as it should be ("In the unlikely
event of a share-partition leader crash, memory of the in-flight delivery will be lost", KIP-932).

Not modelled: what a broker ought to know that comes to lead the partition, or to lead it again
without its disk while others have copies. It knows what it wrote itself when it last led, and has
not lost; of what follows from what it does not know, these checks cannot tell, or say nothing.
"""

from collections.abc import Iterator

from simulator.checks.check import Check, Watching
from simulator.checks.leading import either
from simulator.checks.verdict import Cases, Verdict
from simulator.errors import BadInput
from simulator.trace.trace import FlatEntry

Place = tuple[str, str, int]

ACQUIRED_MOST = 1_000_000  # At once.
_FINISHED = ""  # Instead of a member: no member is called so.
_DELIVERIES = 5  # group.share.delivery.count.limit


def _record(place: Place, offset: int) -> str:
    group, topic, partition = place
    return f"{topic}-{partition}@{offset} of {group}"


def _offsets(event: tuple[object, ...]) -> Iterator[int]:
    first, last = event[4], event[5]
    assert isinstance(first, int)
    assert isinstance(last, int)
    if last - first > ACQUIRED_MOST:
        raise BadInput("nobody acquires so many records at once:", str(event[0]), last - first)
    return iter(range(first, last + 1))


class _Disks:
    """Which brokers have a partition: what the only one loses is lost."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, int], dict[str, None]] = {}

    def on_followed(self, entry: FlatEntry) -> None:
        self.of.setdefault(entry[4][1:3], {})[entry[2]] = None

    def on_loaded(self, entry: FlatEntry) -> None:
        self.of.setdefault(entry[4][2:4], {})[entry[2]] = None

    def are_several(self, place: Place) -> bool:
        """Whether more than one broker is known to have it."""
        return len(self.of.get(place[1:], ())) > 1


# --- One state -----------------------------------------------------------------------------------


class _Known:
    """What a leader has told of a share partition."""

    __slots__ = ("of", "start")

    def __init__(self) -> None:
        self.start = -1
        self.of: dict[int, tuple[str, int]] = {}  # offset -> its holder or _FINISHED, and entry


class _OneState:
    """Follows every record through its states, as each leader tells them.

    One that stood still goes on giving records out until it hears of its successor, which gives
    out the same ones: each knows of its own members alone.
    """

    def __init__(self) -> None:
        self.cases = Cases()
        self.disks = _Disks()
        self.places: dict[tuple[str, Place], _Known] = {}  # By the leader's node.
        self.acquired = 0

    def known(self, entry: FlatEntry) -> _Known:
        which = entry[2], entry[4][1:4]
        known = self.places.get(which)
        if known is None:
            known = self.places[which] = _Known()
        return known

    def on_loaded(self, entry: FlatEntry) -> None:
        """It has what it wrote itself when it led before, whoever has led since."""
        self.disks.on_loaded(entry)
        known = self.known(entry)
        known.of = {at: held for at, held in known.of.items() if held[0] == _FINISHED}

    def on_crashed(self, entry: FlatEntry) -> None:
        if entry[4][1] != "process":  # Of what it had written, something may be gone.
            for node, place in list(self.places):
                if node == entry[2] and self.disks.are_several(place):
                    del self.places[node, place]

    def on_acquired(self, entry: FlatEntry) -> None:
        known, event = self.known(entry), entry[4]
        member = event[6]
        for offset in _offsets(event):
            self.acquired += 1
            held = known.of.get(offset)
            if held is not None or offset < known.start:
                who = held[0] if held is not None else _FINISHED
                state = "is finished" if who == _FINISHED else f"is held by {who}"
                said = f"{_record(event[1:4], offset)} {state} and was given to {member}"
                self.cases.add(said, (held[1], entry[0]) if held is not None else (entry[0],))
            known.of[offset] = (member, entry[0])

    def on_acknowledged(self, entry: FlatEntry) -> None:
        self.let_go(entry, finished=entry[4][7] != "release")

    def on_let_go(self, entry: FlatEntry) -> None:
        self.let_go(entry, finished=False)

    def let_go(self, entry: FlatEntry, *, finished: bool) -> None:
        known, event = self.known(entry), entry[4]
        member = event[6]
        for offset in _offsets(event):
            held = known.of.pop(offset, None)
            if held is None or held[0] != member:
                said = f"{_record(event[1:4], offset)} was not held by {member}: {event[0]}"
                self.cases.add(said, (entry[0],))
            if finished:
                known.of[offset] = (_FINISHED, entry[0])

    def on_archived(self, entry: FlatEntry) -> None:
        known = self.known(entry)
        for offset in _offsets(entry[4]):
            known.of[offset] = (_FINISHED, entry[0])

    def on_start_moved(self, entry: FlatEntry) -> None:
        known = self.known(entry)
        known.start = entry[4][4]
        known.of = {at: held for at, held in known.of.items() if at >= known.start}

    def finish(self) -> Verdict:
        return self.cases.verdict("share_records_in_one_state", self.acquired)


def _share_records_in_one_state() -> Watching:
    state = _OneState()
    observers = {
        "became_follower": state.disks.on_followed,
        "node_crashed": state.on_crashed,
        "share_loaded": state.on_loaded,
        "share_acquired": state.on_acquired,
        "share_acknowledged": state.on_acknowledged,
        "share_released": state.on_let_go,
        "share_lock_expired": state.on_let_go,
        "share_archived": state.on_archived,
        "share_start_moved": state.on_start_moved,
    }
    return Watching(observers, state.finish)


# --- Finished for good ---------------------------------------------------------------------------


class _Finished:
    """What members were told is finished, and which leader knows it by its own account.

    doubtful: where another has led, or a leader lost its disk and others have copies, so that who
    gives a record out need not know what became of it, unless it took the word itself, and wrote it
    on the disk it has.
    """

    def __init__(self) -> None:
        self.disks = _Disks()
        self.certain, self.doubtful = Cases(), Cases()
        self.answered: dict[Place, dict[int, int]] = {}
        self.written: dict[str, dict[Place, dict[int, None]]] = {}  # By the leader's node.
        self.leaders: dict[Place, str] = {}
        self.moved: dict[Place, None] = {}
        self.answers = self.taken = 0

    def on_loaded(self, entry: FlatEntry) -> None:
        self.disks.on_loaded(entry)
        place = entry[4][1:4]
        if self.leaders.setdefault(place, entry[2]) != entry[2]:
            self.moved[place] = None

    def on_crashed(self, entry: FlatEntry) -> None:
        if entry[4][1] == "process":
            return
        self.written.pop(entry[2], None)  # Something of it may be gone.
        for place, led in self.leaders.items():
            if led == entry[2] and self.disks.are_several(place):
                self.moved[place] = None

    def on_taken(self, entry: FlatEntry) -> None:
        self.taken += 1
        if entry[4][7] in {"accept", "reject"}:
            written = self.written.setdefault(entry[2], {}).setdefault(entry[4][1:4], {})
            written.update(dict.fromkeys(_offsets(entry[4])))

    def on_answered(self, entry: FlatEntry) -> None:
        event = entry[4]
        self.answers += 1
        if event[6] in {"accept", "reject"} and event[7] == "NONE":
            known = self.answered.setdefault(event[1:4], {})
            for offset in _offsets(event):
                known.setdefault(offset, entry[0])

    def on_acquired(self, entry: FlatEntry) -> None:
        event = entry[4]
        place = event[1:4]
        answered = self.answered.get(place, {})
        written = self.written.get(entry[2], {}).get(place, {})
        for offset in _offsets(event) if answered else ():
            if offset in answered:
                said = f"{_record(place, offset)} was finished, and was given to {event[6]}"
                doubted = place in self.moved and offset not in written
                cases = self.doubtful if doubted else self.certain
                cases.add(said, (answered[offset], entry[0]))

    def finish(self) -> Verdict:
        name = "share_acknowledged_never_redelivered"
        if self.taken and not self.answers:
            why = "no member tells what it was answered"
            self.certain.add(why)
            return self.certain.verdict(name, self.taken, open_because=why)
        why = "another broker has come to lead, or the leader has lost its disk"
        return either(name, self.certain, self.doubtful, self.answers, why)


def _share_acknowledged_never_redelivered() -> Watching:
    state = _Finished()
    observers = {
        "became_follower": state.disks.on_followed,
        "node_crashed": state.on_crashed,
        "share_loaded": state.on_loaded,
        "share_acknowledged": state.on_taken,
        "share_commit_answered": state.on_answered,
        "share_acquired": state.on_acquired,
    }
    return Watching(observers, state.finish)


# --- Not for ever --------------------------------------------------------------------------------


class _Deliveries:
    """Counts as Kafka does: what was given out, but for what a leader's death made it forget.

    To acquire is not written ("Note that the Acquired state is not recorded because it's
    transient", KIP-932): the count of a delivery is written with what becomes of it, or not at
    all.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.certain, self.doubtful = Cases(), Cases()
        self.counts: dict[Place, dict[int, int]] = {}
        self.held: dict[Place, dict[int, None]] = {}  # Given out, and nobody gave an account.
        self.leaders: dict[Place, str] = {}
        self.forgotten: dict[Place, None] = {}
        self.given = 0

    def on_loaded(self, entry: FlatEntry) -> None:
        place = entry[4][1:4]
        if self.leaders.setdefault(place, entry[2]) != entry[2]:
            self.forgotten[place] = None
        counts = self.counts.get(place, {})
        for offset in self.held.pop(place, {}):
            counts[offset] -= 1

    def on_crashed(self, entry: FlatEntry) -> None:
        if entry[4][1] != "process":  # Of what it had written, something may be gone.
            self.forgotten.update((one, None) for one, led in self.leaders.items()
                                  if led == entry[2])  # fmt: skip

    def on_acquired(self, entry: FlatEntry) -> None:
        event = entry[4]
        place = event[1:4]
        counts = self.counts.setdefault(place, {})
        held = self.held.setdefault(place, {})
        for offset in _offsets(event):
            self.given += 1
            held[offset] = None
            count = counts[offset] = counts.get(offset, 0) + 1
            if count > self.limit:
                cases = self.doubtful if place in self.forgotten else self.certain
                said = f"{_record(place, offset)} was given out {count} times, at last to "
                cases.add(said + event[6], (entry[0],))

    def on_let_go(self, entry: FlatEntry) -> None:
        held = self.held.get(entry[4][1:4], {})
        for offset in _offsets(entry[4]):
            held.pop(offset, None)

    def on_start_moved(self, entry: FlatEntry) -> None:
        start = entry[4][4]
        for known in (self.counts, self.held):
            of = known.get(entry[4][1:4], {})
            for offset in [one for one in of if one < start]:
                del of[offset]

    def finish(self) -> Verdict:
        why = "a leader that had counted deliveries was lost, and what it counted with it"
        name = "share_delivered_at_most_limit"
        return either(name, self.certain, self.doubtful, self.given, why)


def share_delivered_at_most(limit: int) -> Check:
    """No record is given out more than `limit` times (group.share.delivery.count.limit).

    A leader that dies forgets the deliveries of which nobody had given an account: they do not
    count, so that each of its deaths may give a record out once more than the limit says.
    """

    def start() -> Watching:
        state = _Deliveries(limit)
        observers = {
            "node_crashed": state.on_crashed,
            "share_loaded": state.on_loaded,
            "share_acquired": state.on_acquired,
            "share_acknowledged": state.on_let_go,
            "share_released": state.on_let_go,
            "share_lock_expired": state.on_let_go,
            "share_start_moved": state.on_start_moved,
        }
        return Watching(observers, state.finish)

    promise = (
        f"A share group gives no record out more than {limit} times, but for deliveries that its "
        "leader had not written when it died."
    )
    return Check("share_delivered_at_most_limit", promise, start)


share_records_in_one_state = Check(
    "share_records_in_one_state",
    "A record of a share group is held by one member at a time, and then finished or given again.",
    _share_records_in_one_state,
)
share_acknowledged_never_redelivered = Check(
    "share_acknowledged_never_redelivered",
    "What a member of a share group was told is finished is given to nobody again.",
    _share_acknowledged_never_redelivered,
)
share_delivered_at_most_limit = share_delivered_at_most(_DELIVERIES)
