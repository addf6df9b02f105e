"""The rows of partitions that several brokers keep: who leads, who follows, whose log loses what.

A lane is one replica, named `orders-0/broker-1`. A partition that one broker keeps is one lane,
and what stands here does not concern it.

Rule 1: a broker leads from when it learns so until it learns otherwise, or crashes: two may think
so at once.
Rule 2: an election is the controller's, and stands on the lane of whom it chose.
Rule 3: a replica is exposed while its log reaches beyond its own high watermark. A follower hears
of it late: that is told only if it was cut, crashed or was elected meanwhile.

Not modelled: fetches of followers that carry nothing, heartbeats, registrations, and what
retention and the cleaner take.
"""

from collections.abc import Callable

from simulator.protocol.names import INTERNAL_TOPICS
from simulator.report.drafts import Draft, Drafts
from simulator.report.rows import REPLICA, SETTLED, place, replica
from simulator.trace.trace import FlatEntry, Trace

LEADING = frozenset(("became_leader", "became_follower", "replica_appended", "batch_appended"))
LOSSES = {"power": "power loss", "disk": "disk loss"}


class Replicas:
    """What is known so far of the replicas of a run.

    Args:
        drafts: the rows so far.
        trace: a kept trace.
        latest: the last row of some sort; `("append", event)` is the event's append.
        fetched: what has arrived by (node, partition, event).
    """

    def __init__(
        self,
        drafts: Drafts,
        trace: Trace,
        latest: dict[tuple[str, ...], Draft],
        fetched: dict[tuple[str, str, str], Draft],
    ) -> None:
        self.drafts, self.latest, self.fetched = drafts, latest, fetched
        self.replicated = {place(*entry[4][1:3]) for entry in trace.flat if _follows(entry)}
        self.lanes: dict[str, dict[str, str]] = {where: {} for where in sorted(self.replicated)}
        self.leader: dict[str, str] = {}
        self.open: dict[tuple[str, str], Draft] = {}  # kind, lane -> what has not ended yet
        self.logs: dict[str, list[Draft]] = {}  # lane -> what its log holds
        self.ends: dict[str, int] = {}
        self.marks: dict[str, int] = {}
        self.took: dict[str, str] = {}  # broker -> how it crashed last
        if self.replicated:
            self._find_lanes(trace)

    def _find_lanes(self, trace: Trace) -> None:
        for _, _, node, _, event in trace.flat:
            if event[0] in LEADING and place(*event[1:3]) in self.replicated:
                where = place(*event[1:3])
                name = self.lanes[where].setdefault(node, replica(where, node))
                self.drafts.lane(name, REPLICA)
                self.drafts.leaders[name] = node
                if event[0] == "became_leader":
                    self.leader.setdefault(where, node)

    def lane(self, where: str, broker: str) -> str:
        """The lane of a broker's part in a partition."""
        return replica(where, broker) if where in self.replicated else where

    def leading(self, where: str) -> str:
        """The lane of whoever leads a partition now."""
        known = next(iter(self.lanes.get(where, {})), "")
        return self.lane(where, self.leader.get(where, known))

    def read(self, entry: FlatEntry) -> None:
        """Take over what an entry says of replicas."""
        rule = _RULES.get(entry[4][0])
        if rule is not None and self.replicated:
            rule(self, entry)

    def gone(self, event_id: str) -> Draft | None:
        """The last row by which a replica's log lost an event; None if none did."""
        cuts = [row for row in self.drafts.rows if row["kind"] == "cut"]
        return next((row for row in reversed(cuts) if event_id in row["event_ids"]), None)

    def _its(self, entry: FlatEntry) -> str:
        """The lane of a replica's own word; empty if the partition has one lane only."""
        where = place(*entry[4][1:3])
        return replica(where, entry[2]) if where in self.replicated else ""

    def _stretch(self, entry: FlatEntry, kind: str, lane: str, detail: str = "") -> None:
        where = lane.partition("/")[0]
        self.open[kind, lane] = self.drafts.add(
            entry, kind, lane, lane, None, partition=where, detail=detail
        )

    def _end(self, entry: FlatEntry, kind: str, lane: str, detail: str = "") -> Draft | None:
        row = self.open.pop((kind, lane), None)
        if row is not None:
            row["until_us"] = entry[1]
            if detail:
                row["detail"] = detail
        return row

    # --- Who leads -------------------------------------------------------------------------------

    def became_leader(self, entry: FlatEntry) -> None:
        """Its log counts from here on, as far as it knows."""
        lane = self._its(entry)
        if lane:
            self.leader[lane.partition("/")[0]] = entry[2]
            self._end(entry, "leads", lane)
            self._stretch(entry, "leads", lane, f"epoch {entry[4][3]}")
            if self._end(entry, "exposed", lane, "elected") is not None:
                self._stretch(entry, "exposed", lane, "leads")

    def became_follower(self, entry: FlatEntry) -> None:
        """It has learnt that another leads, or nobody."""
        self._end(entry, "leads", self._its(entry))

    def leader_elected(self, entry: FlatEntry) -> None:
        """The controller's choice, and who is in sync with it."""
        _, topic, partition, leader, epoch, isr, election = entry[4]
        where = place(topic, partition)
        if where not in self.replicated:
            return
        lane = self.leading(where) if not leader else self.lane(where, leader)
        self.drafts.add(
            entry, "election", lane, lane, entry[1], partition=where,
            detail=f"{election}, epoch {epoch}, in sync: {', '.join(isr) or 'nobody'}",
        )  # fmt: skip
        self._in_sync(entry, where, isr)

    def isr_changed(self, entry: FlatEntry) -> None:
        """Who is in sync now."""
        self._in_sync(entry, place(*entry[4][1:3]), entry[4][4])

    def _in_sync(self, entry: FlatEntry, where: str, isr: tuple[str, ...]) -> None:
        for broker, lane in self.lanes.get(where, {}).items():
            out = ("out_of_sync", lane) in self.open
            if broker in isr and out:
                self._end(entry, "out_of_sync", lane)
            elif broker not in isr and not out:
                self._stretch(entry, "out_of_sync", lane)

    # --- Logs ------------------------------------------------------------------------------------

    def batch_appended(self, entry: FlatEntry) -> None:
        """A leader's log has grown."""
        lane = self._its(entry)
        if lane:
            where = lane.partition("/")[0]
            self._grown(entry, lane, self.latest["append at", where, str(entry[4][3])])

    def replica_appended(self, entry: FlatEntry) -> None:
        """A follower's log has grown by what it fetched."""
        topic, partition, offset, event_ids = entry[4][1:5]
        where, lane, node = place(topic, partition), self._its(entry), entry[2]
        source = next((self.latest.get(("append", one)) for one in event_ids), None)
        arrival = next(
            (self.fetched[key] for one in event_ids if (key := (node, where, one)) in self.fetched),
            {},
        )
        row = arrival.get("row")
        if row is None and arrival:
            row = arrival["row"] = self.drafts.add(
                arrival["began"], "replicate", arrival["lane"], lane, arrival["until_us"],
                event_ids=event_ids, partition=where, offset=offset, cause=source,
            )  # fmt: skip
        elif row is not None:
            row["event_ids"] += event_ids
        copy = self.drafts.add(
            entry, "copy", lane, lane, entry[1], event_ids=event_ids, partition=where,
            offset=offset, cause=row or source,
        )  # fmt: skip
        self._grown(entry, lane, copy)

    def _grown(self, entry: FlatEntry, lane: str, row: Draft) -> None:
        self.logs.setdefault(lane, []).append(row)
        self.ends[lane] = row["offset"] + max(1, len(row["event_ids"]))
        if self.ends[lane] > self.marks.get(lane, 0) and ("exposed", lane) not in self.open:
            self._stretch(entry, "exposed", lane, "leads" * (("leads", lane) in self.open))

    def log_truncated(self, entry: FlatEntry) -> None:
        """A follower has cut its log."""
        lane = self._its(entry)
        if lane:
            self._cut(entry, lane, entry[4][3], "cut")

    def log_recovered(self, entry: FlatEntry) -> None:
        """What the disk kept of a log."""
        lane = self._its(entry)
        if lane:
            self._cut(entry, lane, entry[4][4], LOSSES.get(self.took.get(entry[2], ""), "torn"))
            self.marks[lane] = 0  # Until it says otherwise.

    def _cut(self, entry: FlatEntry, lane: str, offset: int, why: str) -> None:
        """What a log holds from an offset on is gone."""
        log = self.logs.get(lane, [])
        lost = [row for row in log if row["offset"] >= offset]
        self.logs[lane] = [row for row in log if row["offset"] < offset]
        self.ends[lane] = min(offset, self.ends.get(lane, 0))
        self._end(entry, "exposed", lane, "cut")
        event_ids = tuple(one for row in lost for one in row["event_ids"])
        if event_ids:
            where = lane.partition("/")[0]
            self.drafts.add(
                entry, "cut", lane, lane, entry[1], event_ids=event_ids, partition=where,
                offset=offset, cause=lost[-1], detail=why,
            )  # fmt: skip

    def high_watermark_moved(self, entry: FlatEntry) -> None:
        """A replica knows more to be committed."""
        lane, offset = self._its(entry), entry[4][3]
        self.marks[lane] = offset
        if offset >= self.ends.get(lane, 0):
            row = self._end(entry, "exposed", lane)
            if row is not None and row["detail"] != "leads":
                row["detail"] = SETTLED

    def node_crashed(self, entry: FlatEntry) -> None:
        """It leads no more, and what it had not heard of it will not hear."""
        self.took[entry[2]] = entry[4][1]
        for where in self.lanes:
            lane = replica(where, entry[2])
            self._end(entry, "leads", lane)
            self._end(entry, "exposed", lane, "crash")


def _follows(entry: FlatEntry) -> bool:
    """Whether an entry says that somebody follows another's log."""
    _, _, node, _, event = entry
    if event[0] == "became_follower":
        # Of coordinators' topics only who leads is told: there is nothing to draw.
        followed: bool = event[4] not in {"", node}
        return followed and event[1] not in INTERNAL_TOPICS
    return bool(event[0] == "replica_appended")


_RULES: dict[str, Callable[[Replicas, FlatEntry], None]] = {
    rule.__name__: rule
    for rule in (
        Replicas.became_leader, Replicas.became_follower, Replicas.leader_elected,
        Replicas.isr_changed, Replicas.batch_appended, Replicas.replica_appended,
        Replicas.log_truncated, Replicas.log_recovered, Replicas.high_watermark_moved,
        Replicas.node_crashed,
    )
}  # fmt: skip
