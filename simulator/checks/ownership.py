"""Is each partition one member's at a time?

one_owner  nobody is given a partition that another member of the group has

Of a classic group its members are asked. Whatever a member has in a generation (it was assigned it
then, or kept it, or gave it up on that generation's word) is nobody else's in that generation.
Whoever was removed and does not know it yet speaks of an older generation: that is no case, nor is
the one whose place a static member has taken under another id.
Of a consumer group (KIP-848) its coordinator is asked, which alone knows who owns what: no
partition is two members' by its own account, and none is given on that was taken from a member
without its word. That word is a request which may still be under way in the coordinator: a
heartbeat that names what it holds, or, of a member that speaks the classic protocol, a JoinGroup,
before which it has told what it gives up.

Not modelled: what members of a consumer group believe. One whose answer was lost says that it holds
nothing, and what it is about to read may be given to another: the protocol promises no more. Of a
group that speaks both protocols only the coordinator's word is judged; of two consumers on one
node it is not told which one speaks.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.sentences import parts
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Partition = tuple[str, int]
Generation = tuple[str, int, int]  # Group, number, and how often that number was begun before.
Said = tuple[str, int]  # Who, and the entry that tells.

_BEAT, _BEAT_ANSWER = "ConsumerGroupHeartbeatRequest", "ConsumerGroupHeartbeatResponse"
_JOIN, _JOIN_ANSWER = "JoinGroupRequest", "JoinGroupResponse"


def _node_of(member: str) -> str:
    """The client with whose name a member's id begins: `billing-0-0.1` is of billing-0.

    For want of a better answer: a static member's id begins with its group.instance.id.
    """
    return member.rpartition("-")[0] or member


class _Classic:
    """What members of classic groups say that they have.

    `elsewhere` are the groups of which coordinators are asked: what their members have is noted,
    for such a group may become a classic one, and not judged.
    """

    def __init__(self, cases: Cases, elsewhere: dict[str, None]) -> None:
        self.cases = cases
        self.elsewhere = elsewhere
        self.judged = 0
        self.nodes: dict[str, str] = {}  # Member: where it lives.
        self.successors: dict[str, tuple[str, str]] = {}  # Member: its group, and whom it replaced.
        self.begun: dict[tuple[str, int], int] = {}
        self.had: dict[Generation, dict[Partition, Said]] = {}
        self.held: dict[tuple[str, str], dict[Partition, Generation]] = {}  # By node and group.
        self.replaced: dict[tuple[str, str], None] = {}  # Group and node.

    def on_generation(self, entry: FlatEntry) -> None:
        begun = entry[4][1:3]
        self.begun[begun] = self.begun.get(begun, 0) + 1

    def on_named(self, member: str, node: str) -> None:
        """A node is told the id of its member: if that replaces another's, so does the node."""
        self.nodes[member] = node
        if member in self.successors:
            self._replace(*self.successors.pop(member), node)

    def on_replaced(self, entry: FlatEntry) -> None:
        _, group, old, by = entry[4]
        if old in self.nodes:
            self.successors[by] = (group, self.nodes[old])
        else:
            self._replace(group, _node_of(old), _node_of(by))

    def _replace(self, group: str, before: str, now: str) -> None:
        if before == now:
            return
        self.replaced[group, before] = None
        self.replaced.pop((group, now), None)
        for (of_group, _, _), had in self.had.items():
            if of_group == group:
                for one in [one for one, said in had.items() if said[0] == before]:
                    del had[one]

    def on_assigned(self, entry: FlatEntry) -> None:
        _, _, node, _, (_, group, number, partitions) = entry
        generation = (group, number, self.begun.get((group, number), 0))
        mine = self.held.setdefault((node, group), {})
        mine.update(dict.fromkeys(partitions, generation))
        for partition in mine:
            mine[partition] = generation
            self._has(generation, partition, entry)

    def on_revoked(self, entry: FlatEntry) -> None:
        _, _, node, _, (_, group, number, partitions) = entry
        mine = self.held.get((node, group), {})
        for partition in partitions:
            since = mine.pop(partition, None)
            if since is not None and since[1] != number:  # Given up on a later one's word.
                since = (group, number, self.begun.get((group, number), 0))
            if since is not None:
                self._has(since, partition, entry)

    def on_lost(self, entry: FlatEntry) -> None:
        _, _, node, _, (_, group, _, partitions) = entry
        mine = self.held.get((node, group), {})
        for partition in partitions:
            mine.pop(partition, None)

    def on_crash(self, entry: FlatEntry) -> None:
        for whose, mine in self.held.items():
            if whose[0] == entry[2]:
                mine.clear()

    def _has(self, generation: Generation, partition: Partition, entry: FlatEntry) -> None:
        node, group = entry[2], generation[0]
        if (group, node) in self.replaced or group in self.elsewhere:
            return
        self.judged += 1
        had = self.had.setdefault(generation, {})
        who, seq = had.setdefault(partition, (node, entry[0]))
        if who != node:
            where = f"in generation {generation[1]} of {group}"
            said = f"{who} and {node} both have {parts((partition,))} {where}"
            self.cases.add(said, (seq, entry[0]))


class _Ledger:
    """One coordinator's account of a consumer group."""

    __slots__ = ("entered", "holder", "members", "withheld")

    def __init__(self) -> None:
        self.entered: dict[str, None] = {}  # Members that were told nothing yet: in epoch 0.
        self.members: dict[str, tuple[Partition, ...]] = {}
        self.holder: dict[Partition, Said] = {}  # Who had it last.
        self.withheld: dict[Partition, None] = {}  # Taken from that one without its word.


class _Words:
    """What members say that they hold, in requests that a coordinator may not have read yet.

    It reads them one by one, and later than they come if it stands still; that it has read them
    all is certain once each is answered.
    """

    def __init__(self) -> None:
        self.sent: dict[int, tuple[str, str, frozenset[Partition]]] = {}  # By message.
        self.open: dict[tuple[str, str], int] = {}  # Requests, by coordinator's and client's node.
        # Of these two: by group and member, what it says in each of them that it holds.
        self.named: dict[tuple[str, str], dict[tuple[str, str], frozenset[Partition]]] = {}

    def on_delivered(self, node: str, source: str, message: int) -> None:
        which = node, source
        self.open[which] = self.open.get(which, 0) + 1
        said = self.sent.get(message)
        if said is not None:
            group, member, owned = said
            named = self.named.setdefault(which, {})
            named[group, member] = named.get((group, member), owned) & owned

    def on_answered(self, node: str, target: str) -> None:
        which = node, target
        self.open[which] = self.open.get(which, 1) - 1
        if self.open[which] <= 0:
            self.open.pop(which)
            self.named.pop(which, None)

    def on_crash(self, node: str) -> None:
        for which in [which for which in self.open if which[0] == node]:
            del self.open[which]
            self.named.pop(which, None)

    def gives_back(self, node: str, group: str, member: str, partition: Partition) -> bool:
        """Whether a request may be under way by which a member holds a partition no longer."""
        return any(
            which[0] == node and partition not in named.get((group, member), (partition,))
            for which, named in self.named.items()
        )


class _Consumer:
    """What coordinators say of consumer groups, and what their members have said to them."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self.judged = 0
        self.ledgers: dict[tuple[str, str], _Ledger] = {}  # By node and group.
        self.words = _Words()
        self.groups: dict[str, None] = {}

    def on_begun(self, entry: FlatEntry) -> None:
        """A coordinator begins to speak of a group, which speaks that protocol."""
        _, group, protocol = entry[4][:3]
        self.ledgers.pop((entry[2], group), None)
        if protocol == "consumer":
            self.groups[group] = None
        else:
            self.groups.pop(group, None)

    def on_reconciled(self, entry: FlatEntry) -> None:
        _, _, node, _, (_, group, member, epoch, _, assigned, revoking) = entry
        self.groups[group] = None
        ledger = self.ledgers.setdefault((node, group), _Ledger())
        held = ledger.members.get(member, ())
        holds = ledger.members[member] = (*assigned, *revoking)
        for partition in held:
            if partition not in holds and ledger.holder[partition][0] == member:
                if member in ledger.entered:  # What it took over from whom it replaced.
                    continue
                if not self.words.gives_back(node, group, member, partition):
                    ledger.withheld[partition] = None
        if epoch == 0:
            ledger.entered[member] = None
        else:
            ledger.entered.pop(member, None)
        for partition in holds:
            if partition in held:
                continue
            before, seq = ledger.holder.get(partition, ("", -1))
            self.judged += 1
            why = "" if before == member else self._why_not(ledger, partition, before)
            if why:
                said = f"{node} gives {parts((partition,))} of {group} to {member}, {why}"
                self.cases.add(said, (seq, entry[0]))
            ledger.holder[partition] = (member, entry[0])
            ledger.withheld.pop(partition, None)

    @staticmethod
    def _why_not(ledger: _Ledger, partition: Partition, before: str) -> str:
        if before not in ledger.members:
            return ""
        if partition in ledger.members[before]:
            return f"which {before} holds"
        return f"before {before} has given it back" if partition in ledger.withheld else ""

    def on_removed(self, entry: FlatEntry) -> None:
        ledger = self.ledgers.get((entry[2], entry[4][1]))
        if ledger is not None:
            ledger.members.pop(entry[4][2], None)
            self._gives_back(ledger, entry[4][2], frozenset())

    def on_delivered(self, entry: FlatEntry) -> None:
        _, message, source, node, _ = entry[4]
        self.words.on_delivered(node, source, message)
        group, member, owned = self.words.sent.get(message, ("", "", frozenset()))
        ledger = self.ledgers.get((node, group))
        if ledger is not None:
            self._gives_back(ledger, member, owned)

    @staticmethod
    def _gives_back(ledger: _Ledger, member: str, owned: frozenset[Partition]) -> None:
        for partition in tuple(ledger.withheld):
            if ledger.holder[partition][0] == member and partition not in owned:
                del ledger.withheld[partition]

    def on_crash(self, entry: FlatEntry) -> None:
        self.words.on_crash(entry[2])
        for whose in [whose for whose in self.ledgers if whose[0] == entry[2]]:
            del self.ledgers[whose]


class _Both:
    """Who is asked of what: members of classic groups, coordinators of the others."""

    def __init__(self) -> None:
        self.cases = Cases()
        self.consumer = _Consumer(self.cases)
        self.classic = _Classic(self.cases, self.consumer.groups)

    def on_sent(self, entry: FlatEntry) -> None:
        _, message, node, target, api, about = entry[4]
        if api == _BEAT and len(about) > 3:
            self.consumer.words.sent[message] = (about[0], about[2], frozenset(about[4:]))
        elif api == _JOIN and about:
            group, member = about
            owned = frozenset(self.classic.held.get((node, group), ()))
            self.consumer.words.sent[message] = (group, member, owned)
        elif api in {_BEAT_ANSWER, _JOIN_ANSWER}:
            self.consumer.words.on_answered(node, target)
            if api == _JOIN_ANSWER and about:
                self.classic.on_named(about[2], target)

    def on_delivered(self, entry: FlatEntry) -> None:
        if entry[4][4] in {_BEAT, _JOIN}:
            self.consumer.on_delivered(entry)

    def on_crash(self, entry: FlatEntry) -> None:
        self.classic.on_crash(entry)
        self.consumer.on_crash(entry)

    def finish(self) -> Verdict:
        return self.cases.verdict("one_owner", self.classic.judged + self.consumer.judged)


def _one_owner() -> Watching:
    both = _Both()
    classic, consumer = both.classic, both.consumer
    observers = {
        "generation_started": classic.on_generation,
        "member_replaced": classic.on_replaced,
        "partitions_assigned": classic.on_assigned,
        "partitions_revoked": classic.on_revoked,
        "partitions_lost": classic.on_lost,
        "node_crashed": both.on_crash,
        "group_loaded": consumer.on_begun,
        "group_converted": consumer.on_begun,
        "member_reconciled": consumer.on_reconciled,
        "member_removed": consumer.on_removed,
        "message_sent": both.on_sent,
        "message_delivered": both.on_delivered,
    }
    return Watching(observers, both.finish)


one_owner = Check(
    "one_owner",
    "No partition is given to two members of a group at a time.",
    _one_owner,
)
