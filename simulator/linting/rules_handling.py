"""Rules about how services handle what they read, and what they do beside it."""

from collections.abc import Iterable, Iterator

from simulator.linting import stages_handling as stages
from simulator.linting.architecture import FOR_EVER, Architecture, Handles, Where
from simulator.linting.finding import Found, Open
from simulator.linting.rule import (
    Rule,
    first,
    handles_name,
    nothing_open,
    sends_name,
    untold_handling,
)

SAFE_SINKS = ("idempotent", "versioned", "none")


def _facts(where: Where, one: Handles) -> tuple[object, ...]:
    return where[0], one.topic, first(one.events, "event")


def _groupless(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.group == "":
            each = f"each of its {one.instances} instances" if one.instances else "every instance"
            yield Found(
                handles_name(where, one), f"it has no group.id: {each} handles every event",
                (*_facts(where, one), max(2, one.instances or 2)),
            )  # fmt: skip


def _synchronous(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if not one.awaits:
            continue
        repliers = [
            other[0] for other, sent in architecture.sendings() if sent.topic == one.awaits
        ]
        own = one.awaits == one.topic or repliers == [where[0]]
        replier = where[0] if own else first(tuple(repliers), "")
        said = f"while it handles a record it waits for one of {one.awaits}"
        if own:
            said += ", which only it can bring about: it waits for itself"
        yield Found(handles_name(where, one), said, (*_facts(where, one), one.awaits, replier))


def _hasty(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.within_ms is not None:
            said = f"it works only if a record comes within {one.within_ms} ms"
            yield Found(handles_name(where, one), said, (*_facts(where, one), one.within_ms))


def _endless(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.retries == FOR_EVER:
            said = "it tries a record again without a limit: a bad one stops its partition"
            yield Found(handles_name(where, one), said, _facts(where, one))


def _skipping(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.after_limit == "skip":
            tries = max(0, one.retries or 0) + 1
            times = "once" if tries == 1 else f"{tries} times"
            said = f"it tries {times}, and then goes on: nothing keeps the record"
            yield Found(handles_name(where, one), said, (*_facts(where, one), tries))


def _limits_open(architecture: Architecture, rule: str) -> Iterator[Open]:
    for where, one in architecture.handlings():
        if one.after_limit is None and one.retries != FOR_EVER:
            yield Open(rule, handles_name(where, one), "after_limit")


def _dual(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.sendings():
        if one.through == "direct" and one.stores:
            stores = ", ".join(one.stores)
            said = f"it writes {stores} and sends, one after the other: a crash leaves one of both"
            event = first(one.events, "event")
            yield Found(sends_name(where, one), said, (where[0], one.topic, event, one.stores[0]))


def _dual_open(architecture: Architecture, rule: str) -> Iterator[Open]:
    for where, one in architecture.sendings():
        if one.through is None and one.stores != ():
            yield Open(rule, sends_name(where, one), "through")
        elif one.through == "direct" and one.stores is None:
            yield Open(rule, sends_name(where, one), "stores")


def _naive(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.sink == "naive" and one.claims != "at-most-once":
            said = "a record that is delivered again has its effect again"
            yield Found(handles_name(where, one), said, _facts(where, one))


def _claimed(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.claims == "exactly-once" and one.stores and one.sink not in SAFE_SINKS:
            stores = ", ".join(one.stores)
            said = f"exactly-once is claimed, but {stores} is in no transaction of Kafka's"
            yield Found(handles_name(where, one), said, (*_facts(where, one), one.stores[0]))


def _stale(architecture: Architecture) -> Iterator[Found]:
    for where, one in architecture.handlings():
        if one.decides_on:
            said = f"it decides on {one.decides_on}, which may be older than what was decided last"
            yield Found(handles_name(where, one), said, (*_facts(where, one), one.decides_on))


def rules() -> Iterable[Rule]:
    """These rules, in the order in which they are told."""
    return (*_of_reading(), *_of_writing())


def _of_reading() -> Iterable[Rule]:
    return (
        Rule(
            "missing-group-id",
            "A consumer has no group.id",
            "Every instance handles every event, and nothing remembers what was handled.",
            "give all instances of the service one group.id",
            _groupless, untold_handling("group", "group"), stages.groupless,
        ),
        Rule(
            "hidden-synchrony",
            "A handler waits for another event",
            "While it waits, its partition waits; where only it could answer, for ever.",
            "keep what is pending in a store, end the handler, and go on when the answer comes",
            _synchronous, nothing_open, stages.synchronous,
        ),
        Rule(
            "moment-of-delivery",
            "A handler relies on the moment of delivery",
            "One lost packet, one rebalance or one restart delays a record by seconds.",
            "let the event say when it happened, and decide by that",
            _hasty, nothing_open, stages.hasty,
        ),
        Rule(
            "endless-retries",
            "Retries without a limit",
            "One record that cannot be handled stops all behind it, and the lag only grows.",
            "limit the attempts, and park the record in a dead-letter topic",
            _endless, untold_handling("retries", "retries"), stages.endless,
        ),
        Rule(
            "no-dead-letters",
            "After the last attempt the record is gone",
            "It is neither applied nor kept: a loss that only a log file knows of.",
            "publish it to a dead-letter topic, and commit when that is acknowledged",
            _skipping, _limits_open, stages.skipping,
        ),
    )  # fmt: skip


def _of_writing() -> Iterable[Rule]:
    return (
        Rule(
            "dual-write",
            "A store and a topic are written one after the other",
            "A crash in between leaves a change without its event, or an event without its change.",
            "write the event into an outbox, in the transaction of the change",
            _dual, _dual_open, stages.dual,
        ),
        Rule(
            "non-idempotent-sink",
            "A second delivery has a second effect",
            "After a crash between effect and commit the next owner handles the record again.",
            "insert the event's id, under a unique key, in the transaction of the effect",
            _naive, untold_handling("sink", "sink"), stages.naive,
        ),
        Rule(
            "exactly-once-claimed",
            "Exactly-once is claimed for a store outside of the transaction",
            "An aborted transaction is repeated, and what went to the store is there twice.",
            "make the store's write idempotent, or keep the offsets in the store",
            _claimed, nothing_open, stages.claimed,
        ),
        Rule(
            "stale-decision",
            "A command is decided on a read model",
            "Two decisions see the same old state, and together break what each of them kept.",
            "decide on the aggregate, and append with the version that was decided on",
            _stale, nothing_open, stages.stale,
        ),
    )  # fmt: skip
