"""What the trace is told of a group's facts, as soon as they count; most are told to nobody.

Commits are told when they are committed, and not here.
"""

from collections.abc import Callable
from typing import Any

from simulator.protocol.consumer_group_state import (
    ConsumerGroupStateChanged,
    GroupConverted,
    MemberFenced,
    MemberMoved,
)
from simulator.protocol.group_state import (
    GenerationStarted,
    MemberRemoved,
    MemberReplaced,
    StateChanged,
)

Event = tuple[Any, ...]


def _state_changed(group_id: str, fact: StateChanged | ConsumerGroupStateChanged) -> Event:
    return ("group_state_changed", group_id, fact.before.value, fact.after.value)


def _generation_started(group_id: str, fact: GenerationStarted) -> Event:
    whose = fact.leader, fact.protocol, fact.members
    return ("generation_started", group_id, fact.generation, *whose)


def _member_removed(group_id: str, fact: MemberRemoved | MemberFenced) -> Event:
    return ("member_removed", group_id, fact.member_id, fact.reason)


def _member_replaced(group_id: str, fact: MemberReplaced) -> Event:
    return ("member_replaced", group_id, fact.old_id, fact.member.member_id)


def _group_converted(group_id: str, fact: GroupConverted) -> Event:
    return ("group_converted", group_id, fact.protocol)


def member_reconciled(group_id: str, fact: Any) -> Event:
    """Where a member of a consumer group is: as a fact has moved it there, or as it stands."""
    how = fact.state.value, fact.assigned, fact.revoking
    return ("member_reconciled", group_id, fact.member_id, fact.epoch, *how)


# By the class of the fact.
TOLD: dict[type, Callable[[str, Any], Event]] = {
    StateChanged: _state_changed,
    ConsumerGroupStateChanged: _state_changed,
    GenerationStarted: _generation_started,
    MemberRemoved: _member_removed,
    MemberFenced: _member_removed,
    MemberReplaced: _member_replaced,
    GroupConverted: _group_converted,
    MemberMoved: member_reconciled,
}
