"""Replicas of one partition, the product's own, told things in every order.

What may happen: the leader writes, a follower fetches (its answer may be lost), a broker crashes
and comes back from its disk, the controller makes another member of the in-sync set lead, and each
broker learns of it when it does. In-sync sets stay as they are: nobody is taken for dead.
"""

import pickle
from array import array
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from simulator.protocol.replication_facts import ReplicationConfig, Role
from simulator.protocol.truncation import Truncation
from simulator.searching.machines import Move, System
from tests.replicated import Replicated, log_of


class State(NamedTuple):
    """A cluster, and the same as bytes, to make copies of."""

    cluster: Replicated
    kept: bytes


def replicas(way: Truncation, names: str = "ab", records: int = 2) -> System[State]:
    """The system: no two replicas disagree below both their high watermarks."""
    config = ReplicationConfig(truncation=way)

    def start() -> State:
        return kept(Replicated(names, config=config, alters=False).begin())

    def play(state: State, move: Move) -> State:
        cluster = pickle.loads(state.kept)
        what, name = move.what
        DO[what](cluster, name)
        return kept(cluster)

    return System(
        f"{way.name}: no two replicas disagree below both their high watermarks:",
        start, lambda state: moves(state.cluster, records), play, lambda state: broken(state),
    )  # fmt: skip


def kept(cluster: Replicated) -> State:
    return State(cluster, pickle.dumps(cluster, 5))


def moves(cluster: Replicated, records: int) -> list[Move]:
    found = []
    known = cluster.registration
    for name in cluster.names:
        replica = cluster.up.get(name)
        if replica is None:
            found.append(Move(f"{name} starts", "", ("start", name)))
            continue
        if replica.leading is not None and cluster.sent < records:
            found.append(Move(f"{name} writes v{cluster.sent + 1}", "", ("write", name)))
        leader = replica.following.leader
        if replica.role is not Role.LEADING and leader in cluster.up and leader != name:
            found.append(Move(f"{name} fetches from {leader}", "", ("fetch", name)))
            found.append(Move(f"{name} fetches in vain", "drop", ("lose", name)))
        if replica.leader_epoch < known.leader_epoch:
            found.append(Move(f"{name} learns that {known.leader} leads", "", ("tell", name)))
        found.append(Move(f"{name} crashes", "crash", ("crash", name)))
        if name != known.leader:
            found.append(Move(f"{name} is to lead", "choice", ("elect", name)))
    return found


def _elect(cluster: Replicated, name: str) -> None:
    cluster.elect(name, tell=[])


def _fetch(cluster: Replicated, name: str) -> None:
    """One question and its answer."""
    ask, source = cluster.ask(name), cluster.up[name].following.leader
    if ask is not None:
        cluster.answer(name, ask, cluster.serve(ask, name, source), source)


def _lose(cluster: Replicated, name: str) -> None:
    ask, source = cluster.ask(name), cluster.up[name].following.leader
    if ask is not None:
        cluster.serve(ask, name, source)


def _write(cluster: Replicated, name: str) -> None:
    cluster.produce_next(name, 1)


DO: dict[str, Any] = {
    "start": Replicated.start,
    "write": _write,
    "fetch": _fetch,
    "lose": _lose,
    "tell": Replicated.tell,
    "crash": Replicated.stop,
    "elect": _elect,
}


def content(value: Any, above: tuple[int, ...] = ()) -> Any:
    """What a value holds, as nested tuples: equal for equal values, whatever objects they share.

    Pickled bytes are not, for they tell a string that is there twice from two equal strings.
    """
    if isinstance(value, (int, str, bytes, type(None))):
        return value
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    if type(value) is object:
        return "a mark"
    if id(value) in above:
        return "what holds it"
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return tuple((content(key, inside), content(one, inside)) for key, one in value.items())
    if isinstance(value, (list, tuple, deque, array)):
        return tuple(content(one, inside) for one in value)
    if isinstance(value, (set, frozenset)):
        return tuple(sorted((content(one, inside) for one in value), key=repr))
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [*slots, *sorted(getattr(value, "__dict__", ()))]
    assert names or isinstance(value, Enum), f"it is not known what a {type(value)} holds"
    if isinstance(value, Enum):
        return value.name
    fields = ((name, getattr(value, name)) for name in names if hasattr(value, name))
    return type(value).__name__, tuple((name, content(one, inside)) for name, one in fields)


def alike(state: State) -> Any:
    """All that decides how it goes on, and what the promise is about."""
    cluster = state.cluster
    known = cluster.registration
    found = [(known.leader, known.leader_epoch, known.partition_epoch, cluster.sent)]
    for name in cluster.names:
        replica = cluster.up.get(name)
        journal = cluster.journals[name]
        disk = tuple(log_of(replica or cluster.replica_of(name)))
        marks = tuple(sorted(journal.checkpoints.items(), key=str))
        found.append((disk, repr(marks), cluster.alive[name]))
        if replica is not None:
            following, leading = replica.following, replica.leading
            found.append((
                replica.high_watermark, tuple(replica.epochs.entries), replica.role.name,
                replica.leader_epoch, replica.partition_epoch,
                following.leader, following.leader_epoch, following.cut_to,
                content(leading),
            ))  # fmt: skip
    return tuple(found)


def broken(state: State) -> str:
    cluster = state.cluster
    logs = {name: log_of(replica) for name, replica in cluster.up.items()}
    for one, first in cluster.up.items():
        for other, second in cluster.up.items():
            until = min(first.high_watermark, second.high_watermark)
            if one < other and logs[one][:until] != logs[other][:until]:
                has, other_has = logs[one][:until], logs[other][:until]
                return f"below {until}, {one} has {has}, {other} {other_has}"
    return ""
