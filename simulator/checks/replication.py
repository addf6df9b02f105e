"""Do replicas keep what was committed, and agree on it? By what brokers say of themselves.

replicas_agree              two replicas hold the same below the lower of their high watermarks
committed_is_kept           what lay below a leader's high watermark is, at the end, in the log of
                            the last leader
one_leader_an_epoch         no two brokers lead a partition in the same leader epoch
high_watermark_never_falls  a leader's high watermark never falls within its epoch, and in the end
                            the last leader's has reached the highest that any leader told

Nothing here is a client's word: a loss that clients meet, acknowledged_is_read names. A new
leader's high watermark may lie behind its predecessor's until its followers have fetched: what was
readable is not readable for that time, in Kafka too.

What retention or the cleaner took, of any replica, need not be kept. The memory that these checks
need grows with the logs.

Not modelled: transaction markers (no entry tells of their offsets); reassigned replicas.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.leading import Leaders, Leadership, either, joined
from simulator.checks.replicas import Place, Replica, Replicas
from simulator.checks.sentences import at
from simulator.checks.unread import Removed
from simulator.checks.verdict import Cases, Status, Verdict
from simulator.trace.trace import FlatEntry

ALONE = "no partition has a second replica with a high watermark"
NOTHING_COMMITTED = "no leader told of a high watermark"
NOBODY_LED = "no broker became a leader"
NO_LEADER = "nobody leads the partition at the end"


def _replicas_agree() -> Watching:
    cases, compared = Cases(), 0
    told: set[tuple[tuple[str, int, int], str, str]] = set()

    def on_settled(where: Place, mine: Replica, first: int, end: int, seq: int) -> None:
        nonlocal compared
        for other in replicas.of(where).values():
            if other is mine:
                continue
            begin, until = max(first, other.start, mine.start), min(end, other.settled)
            if begin < until:
                compared += until - begin
                if mine.between(begin, until) != other.between(begin, until):
                    one, two = sorted((mine, other), key=lambda replica: replica.node)
                    for offset in range(begin, until):
                        differ((*where, offset), one, two, seq)

    def differ(at_offset: tuple[str, int, int], one: Replica, two: Replica, seq: int) -> None:
        *_, offset = at_offset
        left, right = one.event_at(offset), two.event_at(offset)
        case = (at_offset, f"{one.node} {left}", f"{two.node} {right}")
        if left == right or case in told or _cleaned(at_offset[:2], left, right):
            return
        told.add(case)
        said = f"{at(*at_offset)} is {left or 'a gap'} on {one.node}, and {right or 'a gap'} on"
        seqs = sorted({one.seq_at(offset), two.seq_at(offset), seq} - {-1})
        named = tuple(event_id for event_id in (left, right) if event_id is not None)
        cases.add(f"{said} {two.node}, below both high watermarks", seqs, named)

    def _cleaned(where: Place, left: str | None, right: str | None) -> bool:
        """Whether one has a gap where the cleaner took what the other still has."""
        if left is not None and right is not None:
            return False
        return replicas.cleaned(where, left or right or "")

    def finish() -> Verdict:
        if not compared:
            return Verdict("replicas_agree", Status.KEPT, why=ALONE)
        return cases.verdict("replicas_agree", compared)

    replicas = Replicas(on_settled)
    return Watching(replicas.observers(), finish)


class _Committed:
    """What lay below a leader's high watermark."""

    __slots__ = ("events", "others", "seqs", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.events: list[str | None] = []
        self.seqs: list[int] = []
        # At offsets that were committed before with another event: offset, event, entry.
        self.others: list[tuple[int, str, int]] = []

    def add(self, offset: int, events: list[str | None], seq: int) -> None:
        """Note what lies from an offset on."""
        if offset < self.start:
            events = events[self.start - offset :]
            offset = self.start
        end = self.start + len(self.events)
        known = self.events[offset - self.start : offset - self.start + len(events)]
        if known and known != events[: len(known)]:
            for place, (before, event) in enumerate(zip(known, events, strict=False)):
                if event is not None and event != before:
                    self.others.append((offset + place, event, seq))
        gap = offset - end
        if gap > 0:
            self.events.extend([None] * gap)
            self.seqs.extend([seq] * gap)
        new = events[max(end - offset, 0) :]
        self.events.extend(new)
        self.seqs.extend([seq] * len(new))

    def each(self) -> list[tuple[int, str, int]]:
        """Offset, event, and the entry by which it was committed."""
        first = [
            (offset, event, seq)
            for offset, (event, seq) in enumerate(
                zip(self.events, self.seqs, strict=True), self.start
            )
            if event is not None
        ]
        return first + self.others


def _committed_is_kept() -> Watching:
    leaders, removed = Leaders(), Removed()
    committed: dict[Place, _Committed] = {}

    def on_settled(where: Place, mine: Replica, first: int, end: int, seq: int) -> None:
        if leaders.leadership(where, mine.node) is None:
            return
        known = committed.get(where)
        if known is None:
            known = committed[where] = _Committed(first)
        known.add(first, mine.between(first, end), seq)

    def finish() -> Verdict:
        certain, doubtful, reached = Cases(), Cases(), 0
        for where, known in committed.items():
            found = [one for one in known.each() if not removed.took(*where, *one[:2])]
            reached += len(found)
            leader = leaders.last(where)
            if leader is not None:
                only = (replicas.replica(leader.node, where),)
                _compare(certain, where, found, only, leader)
            else:
                _compare(doubtful, where, found, tuple(replicas.of(where).values()), None)
        if not reached:
            return Verdict("committed_is_kept", Status.KEPT, why=NOTHING_COMMITTED)
        return either("committed_is_kept", certain, doubtful, reached, NO_LEADER)

    replicas = Replicas(on_settled)
    observers = joined(leaders.observers(), removed.observers(), replicas.observers())
    return Watching(observers, finish)


def _compare(
    cases: Cases,
    where: Place,
    found: list[tuple[int, str, int]],
    logs: tuple[Replica, ...],
    leader: Leadership | None,
) -> None:
    """Add what was committed and is in none of these logs."""
    for offset, event_id, seq in found:
        here = [log.event_at(offset) for log in logs]
        if event_id in here:
            continue
        said = f"{event_id} was committed at {at(*where, offset)}"
        seqs = [seq]
        if leader is None:
            said = f"{said}, and no replica holds it"
        else:
            seqs.append(leader.seq)
            instead = f"holds {here[0]} there" if here[0] is not None else "does not hold it"
            said = f"{said}, and {leader.node}, which leads at last, {instead}"
        cases.add(said, sorted(seqs), (event_id,))


def _one_leader_an_epoch() -> Watching:
    cases = Cases()
    led: dict[tuple[str, int, int], tuple[str, int]] = {}  # epoch -> who, and the entry

    def on_became_leader(entry: FlatEntry) -> None:
        _, topic, partition, epoch, _ = entry[4]
        see((topic, partition, epoch), entry[2], entry[0])

    def on_elected(entry: FlatEntry) -> None:
        _, topic, partition, leader, epoch, _, _ = entry[4]
        if leader:
            see((topic, partition, epoch), leader, entry[0])

    def see(which: tuple[str, int, int], node: str, seq: int) -> None:
        first, first_seq = led.setdefault(which, (node, seq))
        if first != node:
            said = f"{first} and {node} lead {at(*which[:2])} in epoch {which[2]}"
            cases.add(said, (first_seq, seq))

    def finish() -> Verdict:
        if not led:
            return Verdict("one_leader_an_epoch", Status.KEPT, why=NOBODY_LED)
        return cases.verdict("one_leader_an_epoch", len(led))

    observers = {"became_leader": on_became_leader, "leader_elected": on_elected}
    return Watching(observers, finish)


def _high_watermark_never_falls() -> Watching:
    ending, leaders, certain, doubtful = Ending(), Leaders(), Cases(), Cases()
    now: dict[tuple[str, Place], tuple[int, int]] = {}  # broker -> offset, entry
    highest: dict[Place, tuple[int, int, str]] = {}  # offset, entry, leader
    moves = 0

    def on_moved(entry: FlatEntry) -> None:
        nonlocal moves
        seq, _, node, _, (_, topic, partition, offset) = entry
        where = (topic, partition)
        before = now.get((node, where))
        now[node, where] = (offset, seq)
        leadership = leaders.leadership(where, node)
        if leadership is None:
            return
        moves += 1
        if before is not None and before[1] > leadership.seq and offset < before[0]:
            said = f"{node}, which leads {at(*where)} in epoch {leadership.epoch}, had"
            certain.add(f"{said} @{before[0]}, and then @{offset}", (before[1], seq))
        if offset > highest.get(where, (-1, 0, ""))[0]:
            highest[where] = (offset, seq, node)

    def on_recovered(entry: FlatEntry) -> None:  # It tells its high watermark, if it is not 0.
        now[entry[2], entry[4][1:3]] = (0, entry[0])

    def on_crashed(entry: FlatEntry) -> None:
        for node, where in [which for which in now if which[0] == entry[2]]:
            del now[node, where]

    def finish() -> Verdict:
        why = ending.open_because
        for where, (offset, seq, node) in highest.items():
            leader = leaders.last(where)
            last = None if leader is None else now.get((leader.node, where))
            if leader is not None and last is not None and last[0] >= offset:
                continue
            said = f"{node} had @{offset} as the high watermark of {at(*where)}"
            if leader is None or last is None:
                why = why or (NO_LEADER if leader is None else f"{leader.node} never told its own")
                doubtful.add(f"{said}, and at last nobody tells", (seq,))
            else:
                into = doubtful if why else certain
                into.add(f"{said}, and {leader.node} @{last[0]} at last", (seq, last[1]))
        if not moves:
            return Verdict("high_watermark_never_falls", Status.KEPT, why=NOTHING_COMMITTED)
        return either("high_watermark_never_falls", certain, doubtful, moves, why)

    observers = joined(
        leaders.observers(),
        {
            "high_watermark_moved": on_moved,
            "log_recovered": on_recovered,
            "node_crashed": on_crashed,
        },
        ending.observers(),
    )
    return Watching(observers, finish)


replicas_agree = Check(
    "replicas_agree",
    "Two replicas hold the same below the lower of their high watermarks.",
    _replicas_agree,
)
committed_is_kept = Check(
    "committed_is_kept",
    "What a leader's high watermark has passed is in the log of the last leader.",
    _committed_is_kept,
)
one_leader_an_epoch = Check(
    "one_leader_an_epoch", "In an epoch a partition has one leader.", _one_leader_an_epoch
)
high_watermark_never_falls = Check(
    "high_watermark_never_falls",
    "A leader's high watermark never falls, and its successors reach it in the end.",
    _high_watermark_never_falls,
)
