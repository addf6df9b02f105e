"""Is each partition one member's at a time?

one_owner  nobody is given a partition that another member of the group has

Of a classic group its members are asked. Whatever a member has in a generation (it was assigned it
then, or kept it, or gave it up on that generation's word) is nobody else's in that generation.
Whoever was removed and does not know it yet speaks of an older generation: that is no case, nor is
the one whose place a static member has taken under another id.
Of a consumer group (KIP-848) its coordinator is asked, which alone knows who owns what: no
partition is two members' by its own account, and none is given on while the one who has it is a
member and has not said in a heartbeat that it holds it no longer.

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


def _node_of(member: str) -> str:
    """The client with whose name a member's id begins: `billing-0-0.1` is of billing-0."""
    return member.rpartition("-")[0] or member


class _Classic:
    """What members of classic groups say that they have."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self.judged = 0
        self.begun: dict[tuple[str, int], int] = {}
        self.had: dict[Generation, dict[Partition, Said]] = {}
        self.held: dict[tuple[str, str], dict[Partition, Generation]] = {}  # By node and group.
        self.replaced: dict[tuple[str, str], None] = {}  # Group and node.

    def on_generation(self, entry: FlatEntry) -> None:
        begun = entry[4][1:3]
        self.begun[begun] = self.begun.get(begun, 0) + 1

    def on_replaced(self, entry: FlatEntry) -> None:
        _, group, old, by = entry[4]
        before, now = _node_of(old), _node_of(by)
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
        if (group, node) in self.replaced:
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

    __slots__ = ("given_back", "holder", "members")

    def __init__(self) -> None:
        self.members: dict[str, tuple[Partition, ...]] = {}
        self.holder: dict[Partition, Said] = {}  # Who had it last.
        self.given_back: dict[Partition, None] = {}  # By that one's own word.


class _Consumer:
    """What coordinators say of consumer groups, and what their members have said to them."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self.judged = 0
        self.ledgers: dict[tuple[str, str], _Ledger] = {}  # By node and group.
        self.said: dict[int, tuple[str, str, frozenset[Partition]]] = {}  # By message.
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
        _, _, node, _, (_, group, member, _, _, assigned, revoking) = entry
        self.groups[group] = None
        ledger = self.ledgers.setdefault((node, group), _Ledger())
        held = ledger.members.get(member, ())
        holds = ledger.members[member] = (*assigned, *revoking)
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
            ledger.given_back.pop(partition, None)

    @staticmethod
    def _why_not(ledger: _Ledger, partition: Partition, before: str) -> str:
        if before not in ledger.members:
            return ""
        if partition in ledger.members[before]:
            return f"which {before} holds"
        return "" if partition in ledger.given_back else f"before {before} has given it back"

    def on_removed(self, entry: FlatEntry) -> None:
        ledger = self.ledgers.get((entry[2], entry[4][1]))
        if ledger is not None:
            ledger.members.pop(entry[4][2], None)

    def on_sent(self, entry: FlatEntry) -> None:
        _, message, _, _, api, about = entry[4]
        if api == "ConsumerGroupHeartbeatRequest" and len(about) > 3:
            self.said[message] = (about[0], about[2], frozenset(about[4:]))

    def on_delivered(self, entry: FlatEntry) -> None:
        said = self.said.get(entry[4][1])
        if said is None:
            return
        group, member, owned = said
        ledger = self.ledgers.get((entry[2], group))
        if ledger is None:
            return
        for partition, (who, _) in ledger.holder.items():
            if who == member and partition not in owned:
                ledger.given_back[partition] = None

    def on_crash(self, entry: FlatEntry) -> None:
        for whose in [whose for whose in self.ledgers if whose[0] == entry[2]]:
            del self.ledgers[whose]


def _one_owner() -> Watching:
    cases = Cases()
    classic, consumer = _Classic(cases), _Consumer(cases)

    def on_assigned(entry: FlatEntry) -> None:
        if entry[4][1] not in consumer.groups:
            classic.on_assigned(entry)

    def on_revoked(entry: FlatEntry) -> None:
        if entry[4][1] not in consumer.groups:
            classic.on_revoked(entry)

    def on_crash(entry: FlatEntry) -> None:
        classic.on_crash(entry)
        consumer.on_crash(entry)

    def finish() -> Verdict:
        return cases.verdict("one_owner", classic.judged + consumer.judged)

    observers = {
        "generation_started": classic.on_generation,
        "member_replaced": classic.on_replaced,
        "partitions_assigned": on_assigned,
        "partitions_revoked": on_revoked,
        "partitions_lost": classic.on_lost,
        "node_crashed": on_crash,
        "group_loaded": consumer.on_begun,
        "group_converted": consumer.on_begun,
        "member_reconciled": consumer.on_reconciled,
        "member_removed": consumer.on_removed,
        "message_sent": consumer.on_sent,
        "message_delivered": consumer.on_delivered,
    }
    return Watching(observers, finish)


one_owner = Check(
    "one_owner",
    "No partition is given to two members of a group at a time.",
    _one_owner,
)
