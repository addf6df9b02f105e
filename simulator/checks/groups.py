"""Do a group's committed offsets tell the truth about what was processed?

committed_never_regresses       a committed offset is never replaced by a lower one
never_committed_past_processed  nothing that was given out is committed before it was processed

Both read the commits that the coordinator accepted. After a seek a lower commit is the
application's own will. What a former coordinator tells when another has read the group stands
before all that this one has accepted.

Not modelled: records that nobody of the group was ever given (never_lost finds those); two
members that own one partition at a time.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.coordinators import Coordinators
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Place = tuple[str, str, int]


class _Commits:
    """Each place's last commit, and the first that its present coordinator has accepted."""

    def __init__(self) -> None:
        self.cases = Cases()
        self.count = 0
        self.coordinators = Coordinators()
        self._last: dict[Place, FlatEntry] = {}
        self._first: dict[Place, FlatEntry | None] = {}  # None: after it came a seek.

    def on_loaded(self, entry: FlatEntry) -> None:
        self.coordinators.on_loaded(entry)
        if self.coordinators.tells_late(entry):
            return
        group = entry[4][1]
        for place in [place for place in self._first if place[0] == group]:
            del self._first[place]

    def on_committed(self, entry: FlatEntry) -> None:
        self.count += 1
        place = entry[4][1:4]
        if place in self._first:
            if self.coordinators.tells_late(entry):
                self._compare(entry, self._first[place])
                return
        elif not self.coordinators.tells_late(entry):
            self._first[place] = entry
        self._compare(self._last.get(place), entry)
        self._last[place] = entry

    def _compare(self, before: FlatEntry | None, after: FlatEntry | None) -> None:
        if before is None or after is None or after[4][4] >= before[4][4]:
            return
        _, group, topic, partition, offset, member, _ = after[4]
        had = f"{group} had committed {topic}-{partition}@{before[4][4]}"
        said = f"{had}, then {member or 'an outsider'} @{offset}"
        self.cases.add(said, sorted((before[0], after[0])))

    def on_reset(self, entry: FlatEntry) -> None:
        _, group, topic, partition, _, policy = entry[4]
        if policy == "seek":
            place = (group, topic, partition)
            self._last.pop(place, None)
            self._first[place] = None


def _committed_never_regresses() -> Watching:
    commits = _Commits()

    def finish() -> Verdict:
        return commits.cases.verdict("committed_never_regresses", commits.count)

    observers = {
        "became_leader": commits.coordinators.on_led,
        "group_loaded": commits.on_loaded,
        "offset_committed": commits.on_committed,
        "position_reset": commits.on_reset,
    }
    return Watching(observers, finish)


class _Progress:
    """What a group was given of one partition, and has not processed yet."""

    __slots__ = ("given", "highest", "open")

    def __init__(self) -> None:
        self.given: dict[int, str] = {}  # offset -> the event that was given out last
        self.highest = -1
        self.open: dict[int, tuple[int, str]] = {}  # offset -> entry, event; the lowest first

    def give_late(self, offset: int, seq: int, event_id: str) -> None:
        """A record not above the highest is given out: it is open, was processed, or is new.

        New: after a seek to what was left out, or where the log was cut and other records lie.
        """
        if self.given.get(offset) != event_id:
            self.given[offset] = event_id
            self.open[offset] = (seq, event_id)
            self.open = dict(sorted(self.open.items()))


def _never_committed_past_processed() -> Watching:
    early: dict[str, Cases] = {}
    working: set[str] = set()
    places: dict[Place, _Progress] = {}
    commits = 0

    def on_polled(entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id = entry[4]
        progress = places.get((group, topic, partition))
        if progress is None:
            progress = places[group, topic, partition] = _Progress()
        if offset > progress.highest:
            progress.highest = offset
            progress.given[offset] = event_id
            progress.open[offset] = (entry[0], event_id)
        else:
            progress.give_late(offset, entry[0], event_id)

    def on_ended(entry: FlatEntry) -> None:
        _, group, topic, partition, offset, event_id, outcome = entry[4]
        working.add(group)
        if outcome == "done":
            progress = places.get((group, topic, partition))
            if progress is not None and progress.given.get(offset) == event_id:
                progress.open.pop(offset, None)

    def on_started(entry: FlatEntry) -> None:
        working.add(entry[4][1])

    def on_committed(entry: FlatEntry) -> None:
        nonlocal commits
        commits += 1
        _, group, topic, partition, offset, _, _ = entry[4]
        progress = places.get((group, topic, partition))
        if progress is None or not progress.open:
            return
        lowest = next(iter(progress.open))
        if lowest < offset:
            seq, event_id = progress.open[lowest]
            said = (
                f"{group} committed {topic}-{partition}@{offset} "
                f"before {event_id} (@{lowest}) was processed"
            )
            early.setdefault(group, Cases()).add(said, (seq, entry[0]), (event_id,))

    def finish() -> Verdict:
        return _early_commits(early, working, commits)

    observers = {
        "record_polled": on_polled,
        "processing_started": on_started,
        "processing_ended": on_ended,
        "offset_committed": on_committed,
    }
    return Watching(observers, finish)


def _early_commits(early: dict[str, Cases], working: set[str], commits: int) -> Verdict:
    """Certain of groups that tell of their work; of others it cannot be told."""
    certain, doubtful = Cases(), Cases()
    for group, found in early.items():
        into = certain if group in working else doubtful
        into.count += found.count
        into.shown += found.shown
    name = "never_committed_past_processed"
    if certain.count or not doubtful.count:
        return certain.verdict(name, commits)
    why = "the group does not say when it has processed a record"
    return doubtful.verdict(name, commits, open_because=why)


committed_never_regresses = Check(
    "committed_never_regresses",
    "A committed offset is never replaced by a lower one.",
    _committed_never_regresses,
)
never_committed_past_processed = Check(
    "never_committed_past_processed",
    "No record is committed before it was processed.",
    _never_committed_past_processed,
)
