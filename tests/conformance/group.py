"""Join, sync, heartbeat, commit, leave and time on one group ("A": its id): through group.py."""

from simulator.protocol import messages as say
from simulator.protocol.group import Group, GroupConfig, is_hard
from simulator.protocol.group_state import MemberNamed
from tests.conformance import agrees
from tests.driven import Driven


def run(case, _document):
    config = {f"group_{name.removeprefix('group_')}": v for name, v in case["config"].items()}
    driven = Driven(lambda life: Group("g", GroupConfig(**config), life), is_hard)
    ids, names, asked = {"": ""}, {"": ""}, {}
    for number, step in enumerate(case["steps"]):
        asked[driven.sent + 1], told, who = step, len(driven.facts), step.get("as", "")
        answer = _play(driven, step.get("member_id", ids.get(who, who)), step, ids)
        given = [fact.member_id for fact in driven.facts[told:] if isinstance(fact, MemberNamed)]
        names[ids.setdefault(who, given[0] if given else step.get("member_id", who))] = who
        group = driven.machine
        late, driven.answers = [_read(said, names, asked[to]) for to, said in driven.answers], []
        got = ({"pending": True} if answer is None else _read(answer, names, step)) | {
            "completed": sorted(late, key=lambda one: one["member"]),
            "group_state": group.state.value.replace("Absent", "none"),
            "members_now": sorted(names[one.member_id] for one in group.members),
            "generation_now": group.generation, "pending_join_members": len(group.pending),
        }  # fmt: skip
        if not agrees(want := {"completed": [], "pending_join_members": 0} | step["expect"], got):
            return f"step {number}, {step['op']}: expected {want}, got {got}"
    return None


def _play(driven, own, step, ids):
    said, who = step.get, (step.get("generation"), own)
    if step["op"] == "tick":
        return driven.wait(step["ms"]) or say.HeartbeatResponse(say.Error.NONE)
    if said("transactional"):
        error = driven.machine.commit_refusal(own, None, who[0], transactional=True)
        return say.HeartbeatResponse(error or say.Error.NONE)
    times_ms = said("session_timeout_ms", 10_000), said("rebalance_timeout_ms", 30_000)
    protocols = tuple((name, said("metadata")) for name in said("protocols", ["range"]))
    static, known = said("instance_id"), said("require_known_member_id", True)
    given = tuple((ids[name], what) for name, what in said("assignments", {}).items())
    gone = ((ids[x.get("member", "")], x.get("instance_id")) for x in said("members", ()))
    return driven.ask({
        "join": say.JoinGroupRequest("g", *times_ms, own, protocols, static, "consumer", "", known),
        "sync": say.SyncGroupRequest("g", *who, given, static),
        "heartbeat": say.HeartbeatRequest("g", *who, static),
        "commit": say.OffsetCommitRequest("g", *who, (say.CommittedOffset(("t", 0), 7),), static),
        "leave": say.LeaveGroupRequest("g", tuple(gone)),
    }[step["op"]])  # fmt: skip


def _read(answer, names, step):
    said = answer._asdict() | {"member": step.get("as", ""), "op": step["op"]}
    members = said.get("members", ())
    error = said.get("error") or said["results"][0][1]
    said |= {key: names.get(said.get(key)) for key in ("member_id", "leader")}
    said["member_errors"] = [one[2].name for one in members if isinstance(one[2], say.Error)]
    said["members"] = sorted(names[one[0]] for one in members)
    return said | {"error": error.name, "assignment": said.get("assignment") or ""}
