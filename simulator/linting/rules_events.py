"""Rules about events, topics and keys."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from simulator.linting import stages_events as stages
from simulator.linting.architecture import RANDOM_KEYS, Architecture
from simulator.linting.finding import Found, Open
from simulator.linting.naming import is_command
from simulator.linting.rule import Rule, first, nothing_open, sends_name, untold_sending

MANY_TYPES = 3  # In a topic, from which on those who want few of them are asked for.


def _is_command(architecture: Architecture, name: str) -> bool:
    kind = architecture.event(name).kind
    return kind == "command" or (kind is None and is_command(name))


def _commands(architecture: Architecture) -> Iterator[Found]:
    for name in architecture.all_types():
        if not _is_command(architecture, name):
            continue
        services = dict.fromkeys(where[0] for where in architecture.handlers_of(name))
        if len(services) == 1:
            continue
        whom = ", ".join(services) or "nobody"
        said = f"it tells somebody to act, and is handled by {len(services)} services ({whom})"
        yield Found(name, said, (tuple(services),))


def _unversioned(architecture: Architecture) -> Iterator[Found]:
    for name in architecture.all_types():
        if architecture.event(name).schema_version == 0:
            yield Found(name, "its messages say no schema_version")


def _versions_open(architecture: Architecture, rule: str) -> Iterator[Open]:
    for name in architecture.all_types():
        if architecture.event(name).schema_version is None:
            yield Open(rule, name, "schema_version")


def _overloaded(architecture: Architecture) -> Iterator[Found]:
    for topic in dict.fromkeys(one.topic for _, one in architecture.handlings()):
        types = architecture.types_in(topic)
        if len(types) < MANY_TYPES:
            continue
        few = {
            where[0]: one.events
            for where, one in architecture.handlings()
            if one.topic == topic and one.events and 2 * len(one.events) < len(types)
        }
        if few:
            told = ", ".join(f"{name} wants {len(events)}" for name, events in few.items())
            service, events = next(iter(few.items()))
            other = next(one for one in types if one not in events)
            facts = (service, first(events, ""), other)
            yield Found(topic, f"it carries {len(types)} types of event; of them {told}", facts)


def _cycles(architecture: Architecture) -> Iterator[Found]:
    import networkx as nx

    graph = nx.DiGraph()
    for before, after, where in architecture.reactions():
        graph.add_edge(before, after, service=where[0])
    found = []
    for component in nx.strongly_connected_components(graph):
        inside = graph.subgraph(sorted(component))
        if len(inside) > 1 or any(inside.has_edge(name, name) for name in inside):
            # The shortest way round from the first name: the same in every run.
            start = min(inside)
            ways = (
                nx.shortest_path(inside, after, start)
                for after in sorted(inside.successors(start))
            )
            found.append((start, *min(ways, key=lambda way: (len(way), way))))
    for around in sorted(found):
        services = [graph.edges[pair]["service"] for pair in pairwise(around)]
        told = " -> ".join(around)
        yield Found(
            around[0], f"{told}: each is sent because of the one before, and nothing ends it",
            (tuple(around[:-1]), tuple(services)),
        )  # fmt: skip


def _reactions_open(architecture: Architecture, rule: str) -> Iterator[Open]:
    """A service that both handles and sends may send for what it handles."""
    for service in architecture.services:
        for number, one in enumerate(service.sends):
            if service.handles and not one.after and not one.guarded and one.events:
                yield Open(rule, sends_name((service.name, number), one), "after what it is sent")


def _random_keys(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.sendings():
        if one.key not in RANDOM_KEYS or architecture.topic(one.topic).partitions == 1:
            continue
        kinds = [architecture.event(name).kind for name in one.events]
        if kinds and all(kind in {"technical", "command"} for kind in kinds):
            continue
        partitions = architecture.topic(one.topic).partitions or 2
        said = (
            "its records have no key" if one.key == "none" else f"its records' key is {one.key}"
        )
        yield Found(
            sends_name(where, one), f"{said}: the order of one aggregate's events is lost",
            (where[0], one.topic, partitions, one.key, one.events),
        )  # fmt: skip


def rules() -> Iterable[Rule]:
    """These rules, in the order in which they are told."""
    return (
        Rule(
            "command-event",
            "A command is sent as an event",
            "Every group that reads it acts, or none does, and the sender learns of neither.",
            "tell what has happened, and let one service decide; or send the command to one",
            _commands,
            nothing_open,
            stages.command,
        ),
        Rule(
            "unversioned-event",
            "An event does not say its schema's version",
            "When the meaning of a field changes, readers cannot tell old from new, and misread.",
            "put schema_version into the envelope, and refuse what is newer than you know",
            _unversioned,
            _versions_open,
            stages.unversioned,
        ),
        Rule(
            "overloaded-topic",
            "One topic carries everything",
            "Who wants few of its events reads them all, and is stopped by another's bad record.",
            "give each aggregate, or each pace, a topic of its own",
            _overloaded,
            nothing_open,
            stages.overloaded,
        ),
        Rule(
            "reaction-cycle",
            "Events cause each other in a circle",
            "One event goes round for ever, and each round costs what the first one did.",
            "let a guard end it: a state in which the reaction does nothing",
            _cycles,
            _reactions_open,
            stages.cycle,
        ),
        Rule(
            "random-key",
            "Records have random keys, or none",
            "One aggregate's events lie in different partitions, and are handled in any order.",
            "use the aggregate's id as the key",
            _random_keys,
            untold_sending("key", "key"),
            stages.random_key,
        ),
    )
