"""Members, subscriptions and racks to an assignment: through assignors.py."""

from typing import Any

from simulator.protocol.assignors import ASSIGNORS, Subscription
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import TopicPartition


def run(case: dict[str, Any], document: dict[str, Any]) -> str | None:
    """Compare one assignment, member by member, as sets."""
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
    for member_id in sorted({*want, *got}):
        if want.get(member_id) != got.get(member_id):
            return f"{member_id}: expected {want.get(member_id)}, got {got.get(member_id)}"
    return None


def _member(member_id: str, said: dict[str, Any]) -> JoinGroupMember:
    generation = said.get("generation")
    subscription = Subscription(
        topics=tuple(said["topics"]),
        rack=said.get("rack") or "",
        owned=tuple(TopicPartition(*one) for one in said.get("owned") or ()),
        generation=-1 if generation is None else generation,
    )
    return JoinGroupMember(member_id, said.get("instance_id"), subscription)
