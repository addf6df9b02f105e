"""One pass over a trace, which makes the rows of its pictures.

What a server does is joined to the message that asked for it by what both say: the sink, the
broker, the partition, the events, the offset.
"""

from collections.abc import Callable, Iterator
from typing import Any

from simulator.checks.delivery import never_lost
from simulator.checks.verdict import Status
from simulator.report.drafts import Draft, Drafts
from simulator.report.losses import never_applied
from simulator.report.replicas import Replicas
from simulator.report.rows import UNMOVED, Spacetime, place
from simulator.trace.trace import FlatEntry, Trace


def rows_of(trace: Trace) -> Spacetime:
    """The lanes and rows of a kept trace.

    Raises:
        BadInput: the trace was not kept.
    """
    return _Reader(trace).read(trace)


class _Reader:
    """What is known so far."""

    def __init__(self, trace: Trace) -> None:
        self.drafts = drafts = Drafts()
        self.draft, self.lane, self.again = drafts.add, drafts.lane, drafts.again
        self.latest: dict[tuple[str, ...], Draft] = {}  # The last row of some sort.
        self.messages: dict[int, FlatEntry] = {}  # message -> its sending
        self.attempts: dict[tuple[int, str, int], int] = {}  # message, partition -> which time
        self.asked: dict[tuple[Any, ...], FlatEntry] = {}  # what was asked of whom -> its sending
        self.fetched: dict[tuple[str, str, str], Draft] = {}  # node, partition, event -> arrival
        self.committed: dict[tuple[str, str], int] = {}
        # node -> (topic, partition, offset) -> what it is handling; several with parallel handlers
        self.working: dict[str, dict[tuple[str, int, int], Draft]] = {}
        self.down: dict[tuple[str, str], Draft] = {}
        self.joining: dict[str, FlatEntry] = {}
        self.rebalances: dict[tuple[str, int], Draft] = {}
        self.transaction: tuple[int, str, str] = (-2, "", "")
        self.changed: list[tuple[Any, ...]] = []
        self.replicas = Replicas(drafts, trace, self.latest, self.fetched)
        self.spot, self.leading = self.replicas.lane, self.replicas.leading

    def read(self, trace: Trace) -> Spacetime:
        lost = never_lost(trace)
        for entry in trace.flat:
            rule = _RULES.get(entry[4][0])
            if rule is not None:
                rule(self, entry)
            self.replicas.read(entry)
        if lost.status is Status.BROKEN:
            for one in lost.evidence:
                never_applied(
                    self.drafts, self.latest, self.replicas, one.entries[0], one.event_ids
                )
        return self.drafts.finish(trace.flat[-1][1] if trace.flat else 0)

    # --- Messages --------------------------------------------------------------------------------

    def message_sent(self, entry: FlatEntry) -> None:
        message, source, target, api, about = entry[4][1:]
        self.messages[message] = entry
        if api == "ProduceRequest":
            for topic, partition, _, event_ids in about:
                self.drafts.leaders[place(topic, partition)] = target
                times = self.again("sending", topic, partition, *event_ids)
                self.attempts[message, topic, partition] = times
        elif api == "ProduceResponse":
            for one in about:
                self.drafts.leaders[place(one[0], one[1])] = source

    def message_delivered(self, entry: FlatEntry) -> None:
        message, _, target, api = entry[4][1:5]
        began = self.messages.get(message)
        if began is None:
            return
        about = began[4][5]
        if api == "ProduceRequest":
            for topic, partition, _, event_ids in about:
                where = place(topic, partition)
                attempt = self.attempts.get((message, topic, partition), 1)
                self._produced(began, where, event_ids, attempt, entry[1])
        elif api == "ProduceResponse":
            for topic, partition, offset, error in about:
                self._acknowledged(began, place(topic, partition), offset, error, entry[1])
        elif api == "FetchResponse":
            for topic, partition, _, event_ids in about:
                where = place(topic, partition)
                lane = self.spot(where, began[4][2])
                arrival: Draft = {"began": began, "until_us": entry[1], "lane": lane}
                for event_id in event_ids:
                    self.fetched[target, where, event_id] = arrival
        elif api == "OffsetCommitRequest":
            for topic, partition, offset in about[3:]:
                self.asked[target, about[0], topic, partition, offset] = began
        elif api in {"TransactRequest", "StoreRunRequest"}:
            self.asked[target, about[0]] = began

    def message_dropped(self, entry: FlatEntry) -> None:
        message, source, target, api, reason = entry[4][1:6]
        began = self.messages.get(message)
        if began is None or reason == "copy":  # The message itself arrives.
            return
        for lane, to, event_ids, where in self._carried(api, source, target, began[4][5]):
            self.draft(
                began, "dropped", lane, to, entry[1], event_ids=event_ids, partition=where,
                detail=f"{api}: {reason}",
            )  # fmt: skip

    def _carried(
        self, api: str, source: str, target: str, about: tuple[Any, ...]
    ) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
        """Between which lanes a message goes, and with which events, for each of its parts."""
        if api in {"TransactRequest", "StoreRunRequest"}:
            yield source, target, (about[0],), ""
        elif api in {"TransactResponse", "StoreRunResponse", "StoreCommitResponse"}:
            yield source, target, (), ""
        elif api == "OffsetCommitRequest":
            for topic, partition, _ in about[3:]:
                where = place(topic, partition)
                yield source, self.leading(where), (), where
        elif api == "ProduceRequest":
            for topic, partition, _, event_ids in about:
                where = place(topic, partition)
                yield source, self.spot(where, target), event_ids, where
        elif api == "FetchResponse":
            for topic, partition, _, event_ids in about:
                where = place(topic, partition)
                to = self.replicas.lanes.get(where, {}).get(target, target)
                yield self.spot(where, source), to, event_ids, where
        elif api == "ProduceResponse":
            for topic, partition, offset, _ in about:
                where = place(topic, partition)
                append = self.latest.get(("append at", where, str(offset)), {})
                yield self.spot(where, source), target, append.get("event_ids", ()), where
        elif api == "OffsetCommitResponse":
            for topic, partition, _ in about:
                where = place(topic, partition)
                yield self.leading(where), target, (), where

    # --- Producers and logs ----------------------------------------------------------------------

    def record_sent(self, entry: FlatEntry) -> None:
        event_id, _, key = entry[4][1:]
        self.lane(entry[2], "producer")
        self.drafts.keys[event_id] = "" if key is None else str(key)

    def record_failed(self, entry: FlatEntry) -> None:
        event_id, _, error, _ = entry[4][1:]
        node = self.lane(entry[2], "producer")
        self.draft(entry, "given_up", node, node, entry[1], event_ids=(event_id,), detail=error)

    def _produced(
        self, began: FlatEntry, where: str, event_ids: tuple[str, ...], attempt: int, at_us: int
    ) -> None:
        source = began[4][2]
        earlier = self.latest.get(("produce", where, *event_ids))
        self.latest["produce", where, *event_ids] = self.draft(
            began, "produce" if attempt == 1 else "resend", self.lane(source, "producer"),
            self.lane(self.spot(where, began[4][3]), "partition"), at_us, event_ids=event_ids,
            partition=where, attempt=attempt, cause=earlier,
        )  # fmt: skip

    def _acknowledged(
        self, began: FlatEntry, where: str, offset: int, error: str, at_us: int
    ) -> None:
        append = self.latest.get(("append at", where, str(offset)), {})
        self.draft(
            began, "ack", self.spot(where, began[4][2]), began[4][3], at_us, partition=where,
            offset=offset, event_ids=append.get("event_ids", ()), cause=append or None,
            detail="" if error == "NONE" else error,
        )  # fmt: skip

    def batch_appended(self, entry: FlatEntry) -> None:
        self._stored(entry, "append")

    def batch_deduplicated(self, entry: FlatEntry) -> None:
        self._stored(entry, "deduplicated")

    def _stored(self, entry: FlatEntry, kind: str) -> None:
        topic, partition, offset, event_ids = entry[4][1:5]
        where = place(topic, partition)
        lane = self.lane(self.spot(where, entry[2]), "partition")
        self.drafts.leaders[lane] = entry[2]
        attempt = max((self.again("append", one) for one in event_ids), default=1)
        made = self.draft(
            entry, kind, lane, lane, entry[1], event_ids=event_ids, partition=where,
            offset=offset, attempt=attempt, cause=self.latest.get(("produce", where, *event_ids)),
        )  # fmt: skip
        if kind == "append":
            self.latest["append at", where, str(offset)] = made
            for event_id in event_ids:
                self.latest["append", event_id] = made

    def append_refused(self, entry: FlatEntry) -> None:
        topic, partition, event_ids, error = entry[4][1:]
        where = place(topic, partition)
        lane = self.lane(self.spot(where, entry[2]), "partition")
        produced = self.latest.get(("produce", where, *event_ids))
        self.draft(
            entry, "refused", lane, lane, entry[1], event_ids=event_ids, partition=where,
            cause=produced, detail=error,
        )  # fmt: skip

    # --- Consumers -------------------------------------------------------------------------------

    def record_polled(self, entry: FlatEntry) -> None:
        group, topic, partition, offset, event_id = entry[4][1:]
        where = place(topic, partition)
        lane = self.lane(self.leading(where), "partition")
        node = self.member(entry[2], group)
        attempt = self.again("polled", group, where, offset)
        arrival = self.fetched.get((node, where, event_id), {})
        row = arrival.get("row")
        if row is None:
            row = arrival["row"] = self.draft(
                arrival.get("began", entry), "poll", arrival.get("lane", lane), node,
                arrival.get("until_us", entry[1]), event_ids=(event_id,), partition=where,
                offset=offset, cause=self.latest.get(("append", event_id)),
            )  # fmt: skip
        else:
            row["event_ids"] += (event_id,)
        if attempt > 1:
            row.update(kind="redelivery", attempt=max(attempt, row.get("attempt", 1)))
        self.latest["poll", node, event_id] = self.latest["work", node, where] = row
        self.latest["polled", event_id] = row

    def member(self, node: str, group: str) -> str:
        self.drafts.groups.setdefault(node, group)
        return self.lane(node, "consumer")

    def processing_started(self, entry: FlatEntry) -> None:
        group, topic, partition, offset, event_id = entry[4][1:]
        node = self.member(entry[2], group)
        where = place(topic, partition)
        made = self.draft(
            entry, "process", node, node, None, event_ids=(event_id,), partition=where,
            offset=offset, attempt=self.again("process", group, event_id),
            cause=self.latest.get(("poll", node, event_id)),
        )  # fmt: skip
        self.working.setdefault(node, {})[topic, partition, offset] = made
        self.latest["process", event_id] = self.latest["work", node, where] = made

    def processing_ended(self, entry: FlatEntry) -> None:
        _, _, topic, partition, offset, _, outcome = entry[4]
        began = self.working.get(entry[2], {}).pop((topic, partition, offset), None)
        if began is not None:
            _worked(began, entry[1], outcome)

    def offset_committed(self, entry: FlatEntry) -> None:
        group, topic, partition, offset = entry[4][1:5]
        where = place(topic, partition)
        before = self.committed.get((group, where), 0)
        self.committed[group, where] = offset
        detail = UNMOVED if offset == before else ""
        if offset < before:
            detail = f"back from {before}"
        self._commit(entry, "commit", detail)

    def commit_refused(self, entry: FlatEntry) -> None:
        self._commit(entry, "refused", entry[4][7])

    def _commit(self, entry: FlatEntry, kind: str, detail: str) -> None:
        group, topic, partition, offset = entry[4][1:5]
        where = place(topic, partition)
        lane = self.lane(self.leading(where), "partition")
        began = self.asked.get((entry[2], group, topic, partition, offset))
        node = lane if began is None else self.member(began[4][2], group)
        self.draft(
            began or entry, kind, node, lane, entry[1], partition=where, offset=offset,
            cause=self.latest.get(("work", node, where)), detail=detail,
        )  # fmt: skip

    # --- Groups ----------------------------------------------------------------------------------

    def group_state_changed(self, entry: FlatEntry) -> None:
        group, _, after = entry[4][1:]
        if after == "PreparingRebalance":
            self.joining.setdefault(group, entry)

    def generation_started(self, entry: FlatEntry) -> None:
        group, generation, _, _, members = entry[4][1:]
        began = self.joining.pop(group, entry)
        self._rebalance(began, group, generation, f", {len(members)} members")

    def partitions_assigned(self, entry: FlatEntry) -> None:
        group, generation, _ = entry[4][1:]
        self.member(entry[2], group)
        row = self.rebalances.get((group, generation))
        if row is None:
            row = self._rebalance(entry, group, generation, "")
        row["until_us"] = entry[1]

    def _rebalance(self, entry: FlatEntry, group: str, generation: int, more: str) -> Draft:
        made = self.rebalances[group, generation] = self.draft(
            entry, "rebalance", "", "", None, detail=f"{group}, generation {generation}{more}"
        )
        made["group"] = group
        return made

    # --- Sinks -----------------------------------------------------------------------------------

    def effect_applied(self, entry: FlatEntry) -> None:
        table, key, _, event_id = entry[4][1:]
        row = (table, key)
        seq, node, whose = self.transaction
        together = (seq + 1, node, whose) == (entry[0], entry[2], event_id)
        self.transaction = (entry[0], entry[2], event_id)
        if together and row not in self.changed:
            self.changed.append(row)
            return
        self.changed = [row]
        times = self.again("effect", table, event_id) if event_id else 1
        self._effect(entry, "effect" if times == 1 else "duplicate", event_id, times)

    def effect_refused(self, entry: FlatEntry) -> None:
        event_id, reason = entry[4][3:]
        seq, node, whose = self.transaction
        self.transaction = (entry[0], entry[2], event_id)
        if (seq + 1, node, whose) != self.transaction:
            self._effect(entry, "deduplicated", event_id, 1, reason)

    def _effect(
        self, entry: FlatEntry, kind: str, event_id: str, attempt: int, detail: str = ""
    ) -> None:
        sink = self.lane(entry[2], "sink")
        work = self.latest.get(("process", event_id))
        began = self.asked.get((sink, event_id))
        lane = began[4][2] if began is not None else work["lane"] if work is not None else sink
        self.draft(
            began or entry, kind, lane, sink, entry[1], attempt=attempt, cause=work,
            event_ids=(event_id,) if event_id else (), detail=detail,
        )  # fmt: skip

    # --- Faults ----------------------------------------------------------------------------------

    def node_crashed(self, entry: FlatEntry) -> None:
        node, (_, mode, point) = entry[2], entry[4]
        for began in self.working.pop(node, {}).values():
            _worked(began, entry[1], "crash")
        detail = mode if point in ("", "at") else f"{mode}, {point}"
        self.down["crash", node] = self.draft(entry, "crash", node, node, None, detail=detail)
        self.up("pause", entry)

    def node_restarted(self, entry: FlatEntry) -> None:
        self.up("crash", entry)

    def node_paused(self, entry: FlatEntry) -> None:
        node = entry[2]
        self.down["pause", node] = self.draft(entry, "pause", node, node, None)

    def node_resumed(self, entry: FlatEntry) -> None:
        self.up("pause", entry)

    def up(self, kind: str, entry: FlatEntry) -> None:
        began = self.down.pop((kind, entry[2]), None)
        if began is not None:
            began["until_us"] = entry[1]


def _worked(began: Draft, until_us: int, outcome: str) -> None:
    """It was handled until then."""
    began["until_us"] = until_us
    if outcome != "done":
        began.update(kind="failed", detail=outcome)


_RULES: dict[str, Callable[[_Reader, FlatEntry], None]] = {
    rule.__name__: rule
    for rule in (
        _Reader.message_sent, _Reader.message_delivered, _Reader.message_dropped,
        _Reader.record_sent, _Reader.record_failed, _Reader.batch_appended,
        _Reader.batch_deduplicated, _Reader.append_refused, _Reader.record_polled,
        _Reader.processing_started, _Reader.processing_ended, _Reader.offset_committed,
        _Reader.commit_refused, _Reader.group_state_changed, _Reader.generation_started,
        _Reader.partitions_assigned, _Reader.effect_applied, _Reader.effect_refused,
        _Reader.node_crashed, _Reader.node_restarted, _Reader.node_paused, _Reader.node_resumed,
    )
}  # fmt: skip
