"""Is anything committed by one who is out of the group?

fenced_never_commits  who commits is a member, in the generation or epoch that it says

Each coordinator is taken at its word: who its members are, and in which generation (of a consumer
group: each in which epoch). It tells of a commit when that is committed; where its log has replicas
the member may have gone meanwhile. So a commit counts as of the moment when it was asked for, if
its member was one then.

Of a coordinator that has not told who its members are (right after a group has gone back to the
classic protocol) it cannot be told; a run with nothing but such commits is not judged.

A commit that names no generation is from outside the group, and taken while that has no members,
whoever sends it: a consumer of the KIP-848 protocol that was fenced, and knows it, commits so.

Not modelled: commits that name no member, such as those that a transaction brings.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.sentences import at
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Members = dict[str, tuple[int, int]]  # Member id to its generation or epoch, and its entry.
_Commit = tuple[str, str, str, int, str, int, int]  # Node, group, member, generation, and place.


class _Fencing:
    def __init__(self) -> None:
        self.cases, self.unknown = Cases(), Cases()
        self.judged = 0
        self.groups: dict[tuple[str, str], Members] = {}  # By the coordinator's node, and group.
        self.gone: dict[tuple[str, str, str], int] = {}  # Who was told to be out, and where.
        self.asked: dict[int, tuple[str, str, int, tuple[tuple[str, int, int], ...]]] = {}
        self.in_time: dict[_Commit, int] = {}  # How often asked for by a member, and not told.

    # --- Who is a member ----------------------------------------------------------------------

    def on_loaded(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, protocol, generation, members) = entry
        self._forget(node, group)
        told = dict.fromkeys(members, (generation, seq)) if protocol == "classic" else {}
        self.groups[node, group] = told

    def on_generation(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, generation, _, _, members) = entry
        before = self.groups.get((node, group), {})
        self.groups[node, group] = dict.fromkeys(members, (generation, seq))
        for member in before:
            if member not in members:
                self.gone[node, group, member] = seq

    def on_replaced(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, old, by) = entry
        members = self.groups.get((node, group), {})
        if old in members:
            members[by] = (members.pop(old)[0], seq)
            self.gone[node, group, old] = seq

    def on_reconciled(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, group, member, epoch, _, _, _) = entry
        self.groups.setdefault((node, group), {})[member] = (epoch, seq)

    def on_removed(self, entry: FlatEntry) -> None:
        _, group, member, _ = entry[4]
        self.groups.get((entry[2], group), {}).pop(member, None)
        self.gone[entry[2], group, member] = entry[0]

    def on_converted(self, entry: FlatEntry) -> None:
        """The members of a consumer group are told of next, of a classic one when they join."""
        _, group, protocol = entry[4]
        if protocol == "consumer":
            self.groups[entry[2], group] = {}
        else:
            self.groups.pop((entry[2], group), None)

    def on_crash(self, entry: FlatEntry) -> None:
        for node, group in [one for one in self.groups if one[0] == entry[2]]:
            del self.groups[node, group]
            self._forget(node, group)

    def _forget(self, node: str, group: str) -> None:
        self.in_time = {
            one: times for one, times in self.in_time.items() if one[:2] != (node, group)
        }

    # --- Who commits --------------------------------------------------------------------------

    def on_sent(self, entry: FlatEntry) -> None:
        _, message, _, _, api, about = entry[4]
        if api == "OffsetCommitRequest" and about[2]:
            group, generation, member, *places = about
            self.asked[message] = (group, member, generation, tuple(places))

    def on_delivered(self, entry: FlatEntry) -> None:
        asked = self.asked.get(entry[4][1])
        if asked is not None:
            group, member, generation, places = asked
            if self._is_in(entry[2], group, member, generation):
                for place in places:
                    commit = (entry[2], group, member, generation, *place)
                    self.in_time[commit] = self.in_time.get(commit, 0) + 1

    def on_refused(self, entry: FlatEntry) -> None:
        """It is refused when it comes; one that was asked for before may still be told of."""
        commit = self._commit(entry)
        if self._is_in(*commit[:4]):
            self._take(commit)

    def _is_in(self, node: str, group: str, member: str, generation: int) -> bool:
        members = self.groups.get((node, group))
        if members is None:
            return False
        if generation < 0:
            return not members
        return member in members and members[member][0] == generation

    def _take(self, commit: _Commit) -> bool:
        """Whether such a commit was asked for in time; then it has been seen."""
        left = self.in_time.pop(commit, 0) - 1
        if left > 0:
            self.in_time[commit] = left
        return left >= 0

    @staticmethod
    def _commit(entry: FlatEntry) -> _Commit:
        _, group, topic, partition, offset, member, generation = entry[4][:7]
        return (entry[2], group, member, generation, topic, partition, offset)

    def on_committed(self, entry: FlatEntry) -> None:
        _, group, topic, partition, offset, member, generation = entry[4]
        if not member:
            return
        node = entry[2]
        in_time = self._take(self._commit(entry))
        members = self.groups.get((node, group))
        said = f"{node} takes {at(topic, partition, offset)} from {member}"
        if members is None:
            self.unknown.add(f"{said}, and has not told who is in {group}", (entry[0],))
            return
        self.judged += 1
        known = members.get(member)
        if in_time or self._is_in(node, group, member, generation):
            return
        if known is None:
            gone = self.gone.get((node, group, member), -1)
            who = f"{said}, which is out of {group}"
            self.cases.add(who, (gone, entry[0]) if gone >= 0 else (entry[0],))
        else:
            now, since = known
            self.cases.add(f"{said} of {generation}, which is in {now}", (since, entry[0]))

    def finish(self) -> Verdict:
        name = "fenced_never_commits"
        if self.judged or not self.unknown.count:
            return self.cases.verdict(name, self.judged)
        why = "the coordinator has not told who is in the group"
        return self.unknown.verdict(name, 0, open_because=why)


def _fenced_never_commits() -> Watching:
    fencing = _Fencing()
    observers = {
        "group_loaded": fencing.on_loaded,
        "generation_started": fencing.on_generation,
        "member_replaced": fencing.on_replaced,
        "member_reconciled": fencing.on_reconciled,
        "member_removed": fencing.on_removed,
        "group_converted": fencing.on_converted,
        "node_crashed": fencing.on_crash,
        "message_sent": fencing.on_sent,
        "message_delivered": fencing.on_delivered,
        "offset_committed": fencing.on_committed,
        "commit_refused": fencing.on_refused,
    }
    return Watching(observers, fencing.finish)


fenced_never_commits = Check(
    "fenced_never_commits",
    "Nothing is committed by one who is out of the group.",
    _fenced_never_commits,
)
