"""A case told line by line: each entry in the words that what was told before leaves it.

Rule 1: what an earlier line said is not said again: a restart is told with its crash, an
acknowledgement with its sending, a transaction's rows in one line.
Rule 2: a line may look ahead (until when a node is down), but stands at its own time.
"""

from collections.abc import Callable
from typing import Any

from simulator.checks import telling_replicas, telling_transactions
from simulator.checks.case import Case, events_of
from simulator.checks.sentences import at, names, parts, seconds, sentence, short
from simulator.trace.trace import FlatEntry

UNHEARD = frozenset(("target_down", "stale_connection", "copy"))

Line = tuple[int | None, str]


def tell(case: Case) -> list[Line]:
    """When, or None for a line that only says why; and what."""
    teller = _Teller(case)
    for entry in case.entries:
        if entry[0] > case.last:
            break
        teller.hear(entry)
    if case.missing:
        teller.lines.append((None, teller.outcome()))
    return [line for line in teller.lines if line[1]]


class _Teller:
    """What has been told, and what the lines to come must know."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.lines: list[Line] = []
        self.shown = {entry[0] for entry in case.shown}
        self.in_full = case.wrongly_sent or case.replicated
        self.in_sync: dict[tuple[str, int], tuple[str, ...]] = {}
        self.nodes = telling_replicas.who(case)  # Who was told of; never gone through.
        self.generations: dict[str, int] = {}
        self.told_generations: dict[str, int] = {}
        self.committed: dict[tuple[Any, ...], int] = {}
        self.polled: dict[str, FlatEntry] = {}  # event -> its last poll that was told
        self.given: dict[str, FlatEntry] = {}  # node -> the last poll that was told
        self.appended: set[str] = set()
        self.applied: set[tuple[str, str]] = set()  # event, table
        self.answered: set[str] = set()  # Events whose handling has shown an effect.
        self.failed: dict[tuple[str, str], tuple[int, int]] = {}  # event, node -> line, how often
        self.retried: dict[tuple[str, ...], int] = {}  # events -> the line of their last retry
        self.transaction: tuple[int, str, list[Any]] = (-2, "", [])

    def hear(self, entry: FlatEntry) -> None:
        """Tell an entry, if it is to be told."""
        rule = _RULES.get(entry[4][0])
        if rule is not None:
            said = rule(self, entry)
        else:
            mentioned = any(one in self.case.wanted for one in entry[4][1:])
            said = sentence(entry) if mentioned and self.case.inside(entry) else ""
        if said == "" and entry[0] in self.shown:
            said = sentence(entry)
        if said:
            self.lines.append((entry[1], said))

    # --- What a line needs to know -----------------------------------------------------------

    def its(self, entry: FlatEntry) -> bool:
        """Whether an entry is of the case's events, or shows the case."""
        own = self.case.ours(events_of(entry[4])) and self.case.inside(entry)
        return bool(own) or entry[0] in self.shown

    def it(self, *event_ids: str) -> str:
        """How the events are called."""
        ours = self.case.ours(event_ids)
        return "it" if ours and len(self.case.wanted) == 1 else names(ours or event_ids)

    # --- Producers and logs ------------------------------------------------------------------

    def record_sent(self, entry: FlatEntry) -> str:
        event_id = entry[4][1]
        if event_id not in self.case.wanted:
            return ""
        said = f"{entry[2]} sends {self.it(event_id)}"
        if self.in_full:
            self.nodes.add(entry[2])
            return said
        found = self.case.acknowledged(event_id)
        if found is not None:
            return f"{said}; acknowledged at {at(*found[4][2:5])}"
        failed = [one for one in self.case.of("record_failed") if one[4][1] == event_id]
        return f"{said}; gives it up ({failed[0][4][3]})" if failed else said

    def record_acknowledged(self, entry: FlatEntry) -> str | None:
        """Told with the sending, or with the append."""
        return None if entry[4][1] in self.case.wanted else ""

    def record_failed(self, entry: FlatEntry) -> str:
        _, event_id, _, error, definite = entry[4]
        if not self.in_full or event_id not in self.case.wanted:
            return ""
        doubt = "" if definite else "; it may be in the log"
        return f"{entry[2]} gives {self.it(event_id)} up ({error}){doubt}"

    def batch_retried(self, entry: FlatEntry) -> str:
        _, _, _, event_ids, attempt, error = entry[4]
        if not self.in_full or not self.case.ours(event_ids):
            return ""
        if event_ids in self.retried:  # This one says how many there were.
            self.lines[self.retried[event_ids]] = (None, "")
        self.retried[event_ids] = len(self.lines)
        return f"{entry[2]} sends {self.it(*event_ids)} again (retry {attempt}, {error})"

    def batch_appended(self, entry: FlatEntry) -> str:
        topic, partition, base, event_ids = entry[4][1:5]
        ours = self.case.ours(event_ids)
        if entry[0] in self.case.gone:
            return f"{entry[2]} appends {names(event_ids)} at {at(topic, partition, base)} instead"
        if not self.in_full or not ours:
            return ""
        self.nodes.add(entry[2])
        self.retried.clear()
        again = " again" if self.appended.issuperset(ours) else ""
        self.appended.update(ours)
        offset = base + event_ids.index(ours[0])
        said = f"{entry[2]} appends {self.it(*ours)}{again} at {at(topic, partition, offset)}"
        found = self.case.acknowledged(ours[0])
        if found is not None and found[4][2:5] == (topic, partition, offset):
            said += "; acknowledged"
        return said + telling_replicas.in_sync(self, (topic, partition))

    def batch_deduplicated(self, entry: FlatEntry) -> str:
        topic, partition, base, event_ids = entry[4][1:5]
        if not self.in_full or not self.case.ours(event_ids):
            return ""
        return f"{entry[2]} has {self.it(*event_ids)} already, at {at(topic, partition, base)}"

    def append_refused(self, entry: FlatEntry) -> str:
        _, _, event_ids, error = entry[4][1:]
        if not self.in_full or not self.case.ours(event_ids):
            return ""
        return f"{entry[2]} refuses {self.it(*event_ids)}: {error}"

    # --- Messages ----------------------------------------------------------------------------

    def message_dropped(self, entry: FlatEntry) -> str:
        message, source, target, api, reason = entry[4][1:]
        if reason in UNHEARD or not self._concerns(entry, message, api):
            return ""
        why = "" if reason == "loss" else f" ({reason.replace('_', ' ')})"
        return f"{api} from {source} to {target} is lost{why}"

    def message_duplicated(self, entry: FlatEntry) -> str:
        message, source, target, api = entry[4][1:]
        if not self._concerns(entry, message, api):
            return ""
        return f"{api} from {source} to {target} arrives twice"

    def _concerns(self, entry: FlatEntry, message: int, api: str) -> bool:
        if api == "OffsetCommitRequest":
            near = self.case.inside(entry) or not self.case.wanted
            return near and message in self.case.commits
        if message not in self.case.messages:
            return False
        return self.in_full if api.startswith("Produce") else self.case.inside(entry)

    # --- Consumers ---------------------------------------------------------------------------

    def record_polled(self, entry: FlatEntry) -> str:
        if not self.its(entry):
            return ""
        _, group, topic, partition, offset, event_id = entry[4]
        node, before = entry[2], self.polled.get(event_id)
        words = [f"{node} polls {self.it(event_id)}"]
        if before is not None:
            words.append("again")
        if event_id not in self.case.wanted or self.case.moves(event_id):
            words.append(f"at {at(topic, partition, offset)}")
        if before is not None and before[4][1] != group:
            words.append(f"for {group}")
        generation = self.generations.get(node, 0)
        if self.told_generations.get(node, 1) < generation:
            words.append(f"(generation {generation})")
            self.told_generations[node] = generation
        self.nodes.add(node)
        self.polled[event_id] = self.given[node] = entry
        self.answered.discard(event_id)
        self.failed.pop((event_id, node), None)
        return " ".join(words)

    def processing_started(self, entry: FlatEntry) -> str:
        event_id = entry[4][5]
        if not self.its(entry):
            return ""
        if (event_id, entry[2]) in self.failed:
            return f"{entry[2]} tries {self.it(event_id)} again"
        poll = self.polled.get(event_id)
        later = self.case.of("processing_ended", "effect_applied", "effect_refused")
        cut_off = not any(entry[0] < one[0] <= self.case.last for one in later)
        waited = poll is None or poll[1] < entry[1]
        return f"{entry[2]} begins to process {self.it(event_id)}" if cut_off and waited else ""

    def processing_ended(self, entry: FlatEntry) -> str | None:
        event_id, outcome = entry[4][5:]
        if not self.its(entry):
            return ""
        self.nodes.add(entry[2])
        if outcome != "done":
            return self._failed(entry, f"{entry[2]} fails to process {self.it(event_id)}", outcome)
        answered = event_id in self.answered
        return None if answered else f"{entry[2]} has processed {self.it(event_id)}"

    def _failed(self, entry: FlatEntry, said: str, outcome: str) -> str | None:
        whose = (entry[4][5], entry[2])
        first, times = self.failed.get(whose, (len(self.lines), 0))
        self.failed[whose] = (first, times + 1)
        if times == 0 or first + 2 != len(self.lines):  # In between, only that it tries again.
            self.failed[whose] = (len(self.lines), 1)
            return f"{said} ({outcome})"
        self.lines.pop()
        more = f"{said}, and again until {seconds(entry[1])} ({outcome})"
        self.lines[first] = (self.lines[first][0], more)
        return None

    def partitions_assigned(self, entry: FlatEntry) -> str:
        seq, _, node, _, (_, _, generation, partitions) = entry
        self.generations[node] = generation
        if seq not in self.case.owning:
            return ""
        start, policy = self.case.owning[seq]
        self.nodes.add(node)
        self.told_generations[node] = generation
        topic, number = next(one for one in partitions if one in self.case.places)
        goes = "goes back to" if self.polled else "begins at"
        owned = f"{node} owns {parts(partitions)} (generation {generation})"
        why = f" ({policy})" if policy else ""
        return f"{owned} and {goes} {at(topic, number, start)}{why}"

    def partitions_left(self, entry: FlatEntry) -> str:
        how = "has lost" if entry[4][0] == "partitions_lost" else "gives up"
        places = tuple(one for one in entry[4][3] if one in self.case.places)
        if not places or entry[2] not in self.given or not self.case.inside(entry):
            return ""
        return f"{entry[2]} {how} {parts(places)}"

    def position_reset(self, entry: FlatEntry) -> str:
        _, _, topic, partition, offset, policy = entry[4]
        concerns = (topic, partition) in self.case.places and entry[2] in self.nodes
        told = entry[0] in self.case.owned or not (concerns and self.case.inside(entry))
        if told and entry[0] not in self.case.gone:
            return ""
        goes = "seeks" if policy == "seek" else f"begins ({policy}) at"
        note = ": past it" if self.case.past(offset) == "past it" else ""
        return f"{entry[2]} {goes} {at(topic, partition, offset)}{note}"

    # --- Commits and groups ------------------------------------------------------------------

    def offset_committed(self, entry: FlatEntry) -> str:
        seq, _, node, _, (_, group, topic, partition, offset, member, _) = entry
        place = (group, topic, partition)
        before = self.committed.get(place, -1)
        self.committed[place] = offset
        if place[1:] not in self.case.places or not self.case.inside(entry):
            return ""
        past = self.case.past(offset)
        crosses = past == "past it" and before <= self.case.offset
        matters = self.case.missing or any(
            seq < one[0] <= self.case.last for one in self.case.of("record_polled")
        )
        if not (seq in self.shown or offset < before or (crosses and matters)):
            return ""
        who = self.case.node_of(member) or "an outsider"
        self.nodes.add(who)
        said = f"{node} commits {at(topic, partition, offset)} for "
        said += group if self.case.wanted else who
        if offset < before:
            asked_us = self.case.asked_us(entry)
            said += f" (asked for at {seconds(asked_us)}), back from {before}"
        return f"{said}: {past}" if past else said

    def commit_refused(self, entry: FlatEntry) -> str:
        _, _, topic, partition, offset, member, _, error = entry[4]
        who = self.case.node_of(member)
        concerns = (topic, partition) in self.case.places and who in self.nodes
        if not (concerns and self.case.inside(entry) and offset > self.case.offset):
            return ""
        return f"{entry[2]} refuses {who}'s commit of {at(topic, partition, offset)}: {error}"

    def member_removed(self, entry: FlatEntry) -> str:
        _, group, member, reason = entry[4]
        who = self.case.node_of(member)
        if who not in self.nodes or not self.case.inside(entry):
            return ""
        return f"{entry[2]} removes {who} from {group} ({reason})"

    # --- Stores ------------------------------------------------------------------------------

    def effect_applied(self, entry: FlatEntry) -> str | None:
        seq, at_us, node, _, (_, table, key, value, event_id) = entry
        if not self.its(entry):
            return ""
        row = f"{table} {key!r} = {short(value)}"
        previous, whose, rows = self.transaction
        if seq == previous + 1 and whose == event_id and (table, key) not in rows:
            rows.append((table, key))
            self.transaction = (seq, event_id, rows)
            self.lines[-1] = (at_us, f"{self.lines[-1][1]}; {row}")
            return None
        self.transaction = (seq, event_id, [(table, key)])
        again = " again" if (event_id, table) in self.applied else ""
        self.applied.add((event_id, table))
        self.nodes.add(node)
        self.answered.add(event_id)
        return f"{node} applies {self.it(event_id)}{again}: {row}"

    def effect_refused(self, entry: FlatEntry) -> str:
        _, table, key, event_id, reason = entry[4]
        if not self.its(entry):
            return ""
        self.nodes.add(entry[2])
        self.answered.add(event_id)
        return f"{entry[2]} does not apply {self.it(event_id)}: {table} {key!r} ({reason})"

    # --- Faults ------------------------------------------------------------------------------

    def node_crashed(self, entry: FlatEntry) -> str:
        seq, _, node, _, (_, mode, point) = entry
        told = (self.in_full and seq in self.case.outages) or seq in self.case.gone
        if not told and (node not in self.nodes or not self.near(entry)):
            return ""
        how = ", ".join(one for one in (mode, point) if one not in {"process", "at", ""})
        said = f"{node} crashes ({how})" if how else f"{node} crashes"
        poll = self.given.get(node)
        if self.case.missing and seq == self.case.last and poll and not self.answered:
            return f"{said}; it was never applied"
        up_us = self.case.ups.get(seq)
        said += ", and stays down" if up_us is None else f", down until {seconds(up_us)}"
        return said if poll is None else f"{said}; {self._so_far(poll)}"

    def _so_far(self, poll: FlatEntry) -> str:
        """What was committed of the partition of a poll."""
        _, group, topic, partition, _, event_id = poll[4]
        committed = self.committed.get((group, topic, partition))
        if committed is None:
            return f"nothing committed on {at(topic, partition)}"
        past = self.case.past(committed) if event_id in self.case.wanted else ""
        return f"committed on {at(topic, partition)}: {committed}" + (f", {past}" if past else "")

    def node_paused(self, entry: FlatEntry) -> str:
        seq, _, node, _, _ = entry
        if not self.case.inside(entry) or (
            node not in self.nodes and node not in self.case.workers
        ):
            return ""
        self.nodes.add(node)
        up_us = self.case.ups.get(seq)
        return f"{node} stands still" + ("" if up_us is None else f" until {seconds(up_us)}")

    def clock_skewed(self, entry: FlatEntry) -> str:
        return sentence(entry) if entry[2] in self.nodes and self.near(entry) else ""

    def near(self, entry: FlatEntry) -> bool:
        """Inside of the case, or of how its events came into the log."""
        return self.in_full or self.case.inside(entry)

    # --- The end -----------------------------------------------------------------------------

    def outcome(self) -> str:
        """Why an event that is missing will not come any more."""
        case, said = self.case, []
        told = bool(self.lines) and self.lines[-1][1].endswith("never applied")
        if not self.answered and not told:
            said.append("it was never applied" if self.polled else "nobody was ever given it")
        here = {one: to for one, to in self.committed.items() if one[1:] in case.places}
        for (group, topic, partition), offset in here.items():
            if offset > case.offset and not case.gone:
                who = "the group" if len(here) == 1 else group
                said.append(f"{who} goes on from {at(topic, partition, offset)}")
                return ", and ".join(said) + ": nobody reads it" + " again" * bool(self.polled)
        if self.polled:
            said.append("nothing is committed past it")
        return ", and ".join(said) or "nothing more is told of it"


_RULES: dict[str, Callable[[_Teller, FlatEntry], str | None]] = {
    rule.__name__: rule
    for rule in (
        _Teller.record_sent, _Teller.record_acknowledged, _Teller.record_failed,
        _Teller.batch_retried, _Teller.batch_appended, _Teller.batch_deduplicated,
        _Teller.append_refused, _Teller.message_dropped, _Teller.message_duplicated,
        _Teller.record_polled, _Teller.processing_started, _Teller.processing_ended,
        _Teller.partitions_assigned, _Teller.position_reset, _Teller.offset_committed,
        _Teller.commit_refused, _Teller.member_removed, _Teller.effect_applied,
        _Teller.effect_refused, _Teller.node_crashed, _Teller.node_paused, _Teller.clock_skewed,
    )
}  # fmt: skip
_RULES |= telling_replicas.RULES | telling_transactions.RULES
_RULES |= dict.fromkeys(("partitions_revoked", "partitions_lost"), _Teller.partitions_left)
