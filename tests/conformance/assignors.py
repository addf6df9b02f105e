"""Members, subscriptions, racks and what they had to an assignment: through assignors*.py.

A case that names its own assignor is one of the group coordinator's (KIP-848). Where such a case
says that Kafka's answer follows from its random topic ids, the stated properties are compared.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from simulator.protocol.assignors import ASSIGNORS, Subscription, UserData
from simulator.protocol.assignors_server import (
    SERVER_ASSIGNORS,
    CannotAssign,
    MemberSpec,
    assign_heterogeneous,
    assign_homogeneous,
)
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import TopicPartition

UNIFORM = {"HOMOGENEOUS": assign_homogeneous, "HETEROGENEOUS": assign_heterogeneous}


def run(case: dict[str, Any], document: dict[str, Any]) -> str | None:
    """Compare one assignment, member by member, as sets."""
    if "assignor" in case:
        return _run_on_the_server(case)
    name = document.get("assignor")
    if name not in ASSIGNORS:
        return f"no assignor {name!r} (known: {', '.join(sorted(ASSIGNORS))})"
    given = case["input"]
    numbers = {
        topic: range(each) if isinstance(each, int) else each
        for topic, each in given["partitions"].items()
    }
    racks = {
        TopicPartition(topic, number): of_replicas
        for topic, each in given.get("partition_racks", {}).items()
        for number, of_replicas in zip(numbers[topic], each, strict=True)
    }
    members = [_member(member_id, said) for member_id, said in given["members"].items()]
    got = ASSIGNORS[name](members, numbers, racks)
    want = {
        member_id: tuple(sorted(TopicPartition(*one) for one in own))
        for member_id, own in case["expected"].items()
    }
    return _difference(want, got)


def _difference(
    want: Mapping[str, tuple[TopicPartition, ...]], got: Mapping[str, tuple[TopicPartition, ...]]
) -> str | None:
    for member_id in sorted({*want, *got}):
        if want.get(member_id) != got.get(member_id):
            return f"{member_id}: expected {want.get(member_id)}, got {got.get(member_id)}"
    return None


def _member(member_id: str, said: dict[str, Any]) -> JoinGroupMember:
    generation = said.get("generation")
    generation = -1 if generation is None else generation
    owned = tuple(TopicPartition(*one) for one in said.get("owned") or ())
    subscription = Subscription(
        topics=tuple(said["topics"]),
        rack=said.get("rack") or "",
        owned=owned,
        generation=generation,
        user_data=UserData(owned, generation),
    )
    return JoinGroupMember(member_id, said.get("instance_id"), subscription)


def _flat(owned: dict[str, list[int]]) -> tuple[TopicPartition, ...]:
    return tuple(
        TopicPartition(topic, one) for topic in sorted(owned) for one in sorted(owned[topic])
    )


def _run_on_the_server(case: dict[str, Any]) -> str | None:
    given = case["input"]
    members = [
        MemberSpec(
            member_id, tuple(said["topics"]), said.get("instance_id"), _flat(said.get("owned", {}))
        )
        for member_id, said in given["members"].items()
    ]
    name = case["assignor"]
    if name not in SERVER_ASSIGNORS:
        return f"no assignor {name!r} (known: {', '.join(sorted(SERVER_ASSIGNORS))})"
    # Kafka's own tests hand some groups of equal subscriptions to the builder for unequal ones.
    assign = UNIFORM[given["subscription_type"]] if name == "uniform" else SERVER_ASSIGNORS[name]
    got = assign(members, given["partitions"])
    if "expected_error" in case:
        before, _, after = case["expected_error"].partition("<topic-id>")
        if isinstance(got, CannotAssign) and got.reason.startswith(before):
            return None if got.reason.endswith(after) else f"got {got.reason!r}"
        return f"expected an error {case['expected_error']!r}, got {got}"
    if isinstance(got, CannotAssign):
        return f"cannot assign: {got.reason}"
    want = {
        member.member_id: _flat(case["expected"].get(member.member_id, {})) for member in members
    }
    if case["topic_id_independent"]:
        return _difference(want, got)
    said = case["properties"]
    found = _properties(members, given["partitions"], got)
    for name in ("valid", "complete", "max_minus_min", "kept"):
        if found[name] != said[name]:
            return f"{name}: expected {said[name]}, got {found[name]}"
    return None


def _properties(
    members: list[MemberSpec],
    partitions: Mapping[str, int],
    got: Mapping[str, tuple[TopicPartition, ...]],
) -> dict[str, Any]:
    times = Counter(one for own in got.values() for one in own)
    topics = {topic for member in members for topic in member.topics}
    sizes = [len(own) for own in got.values()]
    return {
        "valid": max(times.values(), default=1) == 1
        and all(one.topic in who.topics for who in members for one in got[who.member_id]),
        "complete": set(times)
        == {TopicPartition(t, n) for t in topics for n in range(partitions[t])},
        "max_minus_min": max(sizes) - min(sizes),
        "kept": sum(len({*who.owned} & {*got[who.member_id]}) for who in members),
    }
